"""Each role's way through the demo: in by card and by form, home, theme, every entry, out. Nothing goes wrong."""

from __future__ import annotations

import json
import re

import pytest

from data.workspace import read_workspace
from services.settings import DEMO_WORKSPACE
from tests import instances
from tests.house import PASSWORD, email_of

pytestmark = [pytest.mark.browser, pytest.mark.demo]
ROLES = read_workspace(DEMO_WORKSPACE).access.roles


@pytest.mark.parametrize("role", ROLES)
def test_in_by_card_home_theme_entries_out(page_as, role):
    watched = page_as(None)
    page, about = watched.page, ROLES[role]
    page.goto(f"{watched.served.address}/")
    page.wait_for_url("**/sign-in*")
    card = page.locator(".ll-signin-card", has_text=about.question).first
    card.click()
    page.wait_for_url(f"**{about.home}*")
    watched.settle()
    bar = page.locator(".ll-nav a")
    assert bar.all_inner_texts() == [e.label for e in about.entries]
    assert page.locator(".ll-nav a[aria-current=page]").inner_text() == next(
        e.label for e in about.entries if e.path == about.home
    )
    before = scheme(page)
    page.locator(".ll-tools summary[aria-label^='Menu of']").click()
    page.locator("#ll-scheme").click()
    other = {"light": "dark", "dark": "light"}[before]
    watched.until(f"document.documentElement.getAttribute('data-mantine-color-scheme') === '{other}'")
    page.keyboard.press("Escape")
    for entry in about.entries:
        page.locator(".ll-nav a", has_text=re.compile(f"^{re.escape(entry.label)}$")).click()
        page.wait_for_url(f"**{entry.path}*")
        watched.settle()
        assert page.locator("#content h1").first.inner_text().strip()
        assert scheme(page) != before, "the theme stays from page to page"
    watched.well()
    leave(page)
    page.goto(f"{watched.served.address}{about.home}")
    page.wait_for_url("**/sign-in?next=*")
    watched.well()


def scheme(page) -> str:
    return str(page.evaluate("document.documentElement.getAttribute('data-mantine-color-scheme')"))


def leave(page) -> None:
    menu = page.locator(".ll-tools details", has=page.locator("#ll-scheme"))
    if menu.get_attribute("open") is None:
        menu.locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in*")


@pytest.mark.parametrize("role", ROLES)
def test_in_by_form_to_the_page_that_was_asked_for(page_as, role):
    watched = page_as(None)
    page = watched.page
    page.goto(f"{watched.served.address}/account")
    page.wait_for_url("**/sign-in?next=%2Faccount*")
    page.get_by_label("E-mail").fill(email_of(role))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/account")
    watched.settle()
    assert ROLES[role].label in page.locator("#content").inner_text()
    watched.well()


def test_a_wrong_password_is_one_sentence_and_keeps_the_address_that_was_asked_for(page_as):
    watched = page_as(None)
    watched.expected = ("401",)
    page = watched.page
    page.goto(f"{watched.served.address}/sign-in?next=%2Faccount")
    page.get_by_label("E-mail").fill(email_of("admin"))
    page.get_by_label("Password").fill("not the right one")
    page.get_by_role("button", name="Sign in", exact=True).click()
    assert "E-mail or password is wrong" in page.get_by_role("alert").inner_text()
    page.get_by_label("E-mail").fill(email_of("admin"))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/account")
    watched.well()


def test_the_accounts_of_the_demo_are_those_of_its_file(page_as, demo_served):
    """Each account of ``demo-accounts.json`` opens by its card and by its password."""
    kept = json.loads((instances.DEMO_FOLDER / "instance" / "demo-accounts.json").read_text())
    watched = page_as(None)
    watched.page.goto(f"{demo_served.address}/sign-in")
    assert watched.page.locator(".ll-signin-card").count() == len(kept) == len(ROLES) + 1
    account = next(a for a in kept if a["role"] == "seller" and a["territory"] == "South")
    watched.page.get_by_label("E-mail").fill(account["email"])
    watched.page.get_by_label("Password").fill(account["password"])
    watched.page.get_by_role("button", name="Sign in", exact=True).click()
    watched.page.wait_for_url("**/leads*")
    watched.settle()
    assert "South" in watched.page.locator("#content").inner_text()
    watched.well()


def test_the_way_back_leads_back(page_as):
    """The browser's buttons: an address is a state, so back and forward show what was there."""
    watched = page_as("analyst")
    watched.open("/models")
    page = watched.page
    page.locator(".ll-nav a", has_text="Overview").click()
    page.wait_for_url("**/kpis*")
    watched.settle()
    page.go_back()
    page.wait_for_url("**/models")
    watched.settle()
    assert page.locator("#content h1").first.inner_text() == "Models"
    page.go_forward()
    page.wait_for_url("**/kpis*")
    watched.settle()
    watched.well()


def test_a_session_that_was_ended_elsewhere_leads_to_the_way_in(page_as):
    first, second = page_as("auditor"), page_as("auditor")
    second.page.goto(f"{second.served.address}/account")
    second.settle()
    cookies = first.page.context.cookies()
    second.page.context.clear_cookies()
    second.page.context.add_cookies(cookies)
    first.open("/account")
    leave(first.page)
    second.expected = ("401", "Failed to load")
    second.page.goto(f"{second.served.address}/account")
    second.page.wait_for_url("**/sign-in?next=*")


def test_what_is_not_there_says_so_and_shows_the_way_home(page_as):
    watched = page_as("seller")
    for address in ("/no-such-page", "/admin/people", "/kpis", "/models/campaign_response"):
        watched.open(address)
        assert "There is no such page for you." in watched.page.locator("#content").inner_text()
    watched.page.get_by_role("link", name="Go to your first page").click()
    watched.page.wait_for_url("**/leads*")
    watched.well()
