"""An administrator's day in the browser: somebody new comes in and goes, a job is started and stopped, the log."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.test_axe import violations

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NEW = "eine ganz lange Losung"


def callbacks(watched: Any) -> list[str]:
    """From now on, the outputs of every callback that the page asks."""
    asked: list[str] = []

    def note(request: Any) -> None:
        if "_dash-update-component" in request.url:
            asked.append(json.loads(request.post_data or "{}").get("output", ""))

    watched.page.on("request", note)
    return asked


def fill_person(page: Any, name: str, email: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("E-mail").fill(email)


@pytest.mark.parametrize("width", [1440, 390])
def test_somebody_new_comes_in_chooses_a_password_and_is_disabled(page_of, bakery_served, width):
    admin, email = page_of(bakery_served, "hauswart", width=width), f"neu{width}@people.example"
    page = admin.page
    admin.open("/admin/people")
    page.get_by_role("link", name="Add a person").click()
    page.get_by_role("heading", name="Somebody new").wait_for()
    fill_person(page, f"Neu {width}", "nobody")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("An e-mail must look like name@company").wait_for()
    assert page.get_by_label("Name").input_value() == f"Neu {width}", "what was typed stays"
    assert violations(admin) == []
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("textbox", name="Role").click()
    page.get_by_role("option", name="Aussendienst", exact=True).click()
    page.get_by_label("Nord/See").check()
    page.get_by_role("button", name="Add", exact=True).click()
    link = page.locator(".ll-secret").inner_text()
    assert violations(admin) == []

    new = page_of(bakery_served, None, width=width)
    new.page.goto(bakery_served.address + urlsplit(link).path)
    new.page.wait_for_url("**/welcome")
    assert violations(new) == []
    new.page.get_by_label("New password", exact=True).fill(NEW)
    new.page.get_by_label("New password, once more").fill(NEW)
    new.page.get_by_role("button", name="Choose this password").click()
    new.page.get_by_role("heading", name="Your password is chosen").wait_for()
    come_in(new, email, NEW)
    new.page.wait_for_url("**/leads*")
    new.settle()
    new.well()

    admin.open("/admin/people")
    page.get_by_role("link", name=f"Neu {width}").click()
    page.get_by_text("Disable the account").click()
    page.get_by_role("button", name="Disable", exact=True).click()
    page.get_by_text("Disabled, and signed out everywhere.").wait_for()
    new.page.goto(f"{bakery_served.address}/account")
    new.page.wait_for_url("**/sign-in?next=*")
    admin.well()


def come_in(watched: Any, email: str, password: str) -> None:
    page = watched.page
    page.goto(f"{watched.served.address}/leads")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_job_is_started_watched_and_cancelled_and_a_quiet_page_asks_nothing(page_of, bakery_served):
    watched = page_of(bakery_served, "hauswart")
    page = watched.page
    watched.open("/jobs")
    page.get_by_role("button", name="Start: Read the registry").click()
    job = page.locator(".ll-job", has_text="Read the registry")
    job.wait_for()
    asked = callbacks(watched)
    page.wait_for_timeout(5_000)
    assert sum("jobs-tick" in output for output in asked) in (2, 3), "every two seconds while something is open"
    assert not any("jobs-said" in output for output in asked), "a button that appears anew is not pressed"
    assert job.count() == 1
    assert violations(watched) == []
    job.get_by_role("button", name=re.compile("^Cancel")).click()
    page.get_by_text("Nothing runs or waits now.").wait_for()
    page.wait_for_timeout(500)
    asked.clear()
    page.wait_for_timeout(4_500)
    assert not any(output.startswith("..jobs-") for output in asked), asked
    watched.well()


def test_the_log_is_narrowed_and_its_address_can_be_sent(page_of, bakery_served):
    watched = page_of(bakery_served, "hauswart")
    page = watched.page
    watched.open("/admin/audit")
    page.get_by_role("textbox", name="Act").click()
    page.get_by_role("option", name="Added a person").first.click()
    page.wait_for_url("**/admin/audit?act=person.add")
    watched.settle()
    shown = page.locator("#audit-events tbody tr").count()
    assert shown and page.locator("#audit-events tbody tr", has_text="Added a person").count() == shown
    page.get_by_text("Refused", exact=True).click()
    page.get_by_text("No event matches these filters.").wait_for()
    watched.open("/admin/audit?act=person.add")
    assert page.locator("#audit-events tbody tr").count() == shown
    assert page.get_by_role("textbox", name="Act").input_value() == "Added a person"
    assert violations(watched) == []
    watched.well()


def test_one_dataset_is_in_focus_and_the_address_says_which(page_of, bakery_served):
    watched = page_of(bakery_served, "tueftlerei")
    page = watched.page
    watched.open("/data")
    page.locator(".ll-menu-item", has_text="Lieferungen").click()
    page.wait_for_url("**/data?dataset=lieferungen")
    watched.settle()
    assert page.locator(".ll-menu-item.is-current strong").inner_text() == "Lieferungen"
    assert page.locator("h2.ll-focus").inner_text() == "Lieferungen"
    page.go_back()
    watched.settle()
    assert page.locator("h2.ll-focus").inner_text() == "Abnehmer"
    watched.well()


THEME = "document.documentElement.getAttribute('data-mantine-color-scheme')"


def test_the_theme_one_chooses_stays_and_as_the_system_goes_back(page_of, bakery_served):
    watched = page_of(bakery_served, "leitung", scheme="light")
    page = watched.page

    def theme() -> str:
        return str(page.evaluate(THEME))

    watched.open("/account")
    page.locator("label", has_text="Dark").click()
    watched.until(f"{THEME} === 'dark'")
    watched.open("/account")
    assert theme() == "dark" and page.get_by_role("radio", name="Dark").is_checked()
    page.locator("label", has_text="As the system").click()
    watched.until(f"{THEME} === 'light'")
    watched.open("/account")
    assert theme() == "light" and page.get_by_role("radio", name="As the system").is_checked()
    watched.well()


def test_another_session_is_ended_from_ones_account(page_of, bakery_served):
    here, there = page_of(bakery_served, "aussendienst:zwei"), page_of(bakery_served, "aussendienst:zwei")
    there.open("/account")
    here.open("/account")
    end = here.page.get_by_role("button", name=re.compile("^End"))
    (end.filter(has_text="End all others") if end.count() > 1 else end).first.click()
    here.page.get_by_text(re.compile(r"\d+ sessions? ended\.")).wait_for()
    there.page.goto(f"{bakery_served.address}/account")
    there.page.wait_for_url("**/sign-in?next=*")
    here.open("/account")
    here.well()


@pytest.mark.parametrize("width", [1440, 390])
def test_an_administrator_looks_through_a_seller_s_eyes_and_comes_back(page_of, bakery_served, width):
    admin = page_of(bakery_served, "hauswart", width=width)
    page = admin.page
    admin.open("/admin/people")
    page.get_by_role("link", name="aussendienst", exact=True).click()
    page.get_by_text("See what they see", exact=True).click()
    page.get_by_role("button", name="See what aussendienst sees").click()
    page.wait_for_url("**/leads**")
    page.get_by_text("You see Lakelight as aussendienst does").wait_for()
    admin.settle()
    assert page.locator(".ll-nav a").all_inner_texts() == ["Besuche"]
    assert not page.locator("#leads-export").is_visible()
    assert violations(admin) == []
    page.get_by_role("button", name="Leave this view").click()
    page.wait_for_url("**/admin/people")
    assert page.locator(".ll-seen-as").count() == 0
    admin.well()


@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_says_why_a_person_sees_a_row(page_of, bakery_served, width):
    admin = page_of(bakery_served, "hauswart", width=width)
    page = admin.page
    admin.open("/admin/access")
    page.get_by_role("link", name="By person").click()
    page.get_by_role("heading", name="Why do they see this row?").wait_for()
    page.get_by_role("link", name=re.compile("^aussendienst Aussendienst$")).click()
    page.get_by_role("heading", name="aussendienst", exact=True).wait_for()
    admin.settle()
    page.get_by_label("Key of the row").fill("no such key")
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("has no row with the key no such key").wait_for()
    assert violations(admin) == []
    admin.well()


@pytest.mark.parametrize("width", [1440, 390])
def test_a_change_of_the_policy_is_tried_and_its_file_taken(page_of, bakery_served, width):
    admin = page_of(bakery_served, "hauswart", width=width)
    page = admin.page
    admin.open("/admin/access/try")
    box = page.get_by_label("The file access.yml")
    changed = box.input_value().replace("'leads:export', ", "", 1)
    box.fill(changed)
    page.get_by_role("button", name="Show what would change").click()
    page.get_by_text("Aussendienst may no longer take a list away as a file.").wait_for()
    assert violations(admin) == []
    with page.expect_download() as taken:
        page.get_by_role("button", name="Take the proposed file").click()
    assert taken.value.suggested_filename == "access.yml"
    assert taken.value.path().read_bytes() == changed.encode()
    box.fill(changed + "# and a word\n")
    page.get_by_role("button", name="Take the proposed file").wait_for(state="hidden")
    admin.settle()
    admin.well()


@pytest.mark.parametrize("width", [1440, 390])
def test_a_day_of_a_person_is_asked_by_its_button(page_of, bakery_served, width):
    admin = page_of(bakery_served, "hauswart", width=width)
    admin.open("/admin/access?person=1")
    admin.page.get_by_role("link", name="What could they see on another day?").click()
    admin.page.get_by_text("Choose a person and a day.").wait_for()
    assert violations(admin) == []
    admin.open("/admin/access/day?person=1&day=2024-12-02")
    admin.page.get_by_role("heading", name="What could").wait_for()
    assert violations(admin) == []
    admin.well()
