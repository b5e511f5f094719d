"""The way in through a company account in the browser: the button, the provider's own pages, back, home, and out."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import identity_provider, instances
from tests.bakery import build
from tests.browser.conftest import Served, free_port, serve
from tests.browser.test_axe import violations
from tests.identity_provider import CLIENT, PASSWORD, SECRET

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def served(built_bakery: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The bakery beside a provider; its roles are mapped from groups."""
    folder, port = tmp_path_factory.mktemp("company"), free_port()
    workspace = folder / "workspace"
    shutil.copytree(build.WORKSPACE, workspace)
    policy = workspace / "access.yml"
    text = policy.read_text()
    for label, group in (("Geschäftsleitung", "chefs"), ("Aussendienst", "fahrer")):
        text = text.replace(f"    label: {label}\n", f"    label: {label}\n    groups: [{group}]\n", 1)
    policy.write_text(text)
    provider = identity_provider.start(free_port(), f"http://127.0.0.1:{port}/sign-in/oidc/back")
    instance = instances.copied(built_bakery, folder / "bakery")
    settings = {
        "OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET,
        "OIDC_LABEL": "Anmelden mit dem Konto der Bäckerei",
    }  # fmt: skip
    try:
        with serve(instance, workspace, instances.BAKERY_PEOPLE, port=port, **settings) as served:
            yield served
    finally:
        provider.end()


def picture(page: Any, name: str) -> None:
    """Kept where a folder for pictures is named; nobody else looks at them."""
    if os.environ.get("PICTURES"):
        page.screenshot(path=f"{os.environ['PICTURES']}/{name}.png", full_page=True)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)])
def test_the_whole_way_in_and_out(page_of, served, scheme, width):
    watched = page_of(served, None, scheme=scheme, width=width)
    page = watched.page
    page.goto(f"{served.address}/kpis")
    assert violations(watched) == []
    picture(page, f"in-{scheme}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("link", name="Anmelden mit dem Konto der Bäckerei").click()
    page.get_by_label(re.compile("login", re.I)).first.fill("clara")
    page.keyboard.press("Enter")
    page.locator("input[type=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.address}/**")
    watched.errors.clear()  # the provider is another host, which is right here and nowhere else
    watched.settle()
    assert page.url == f"{served.address}/kpis", "the page that was asked for"
    kept = page.context.cookies(served.address)
    assert not [c for c in kept if c["name"] == "lakelight-oidc"], "the secret is gone"
    assert all(c["httpOnly"] for c in kept if c["name"] == "lakelight")
    watched.open("/account")
    picture(page, f"account-{scheme}-{width}")
    assert "identity provider" in page.inner_text("#content")
    watched.well()
    page.context.request.get(f"{served.address}/account")
    token = page.evaluate("document.cookie.match(/_csrf_token=([^;]+)/)[1]")
    page.evaluate(
        """token => { const form = document.createElement("form"); form.method = "post"; form.action = "/sign-out";
        const field = document.createElement("input"); field.name = "csrf_token"; field.value = token;
        form.append(field); document.body.append(form); form.submit(); }""",
        token,
    )
    page.wait_for_url(f"{served.address}/sign-in?out=1")
    picture(page, f"out-{scheme}-{width}")
    assert violations(watched) == []
    page.get_by_role("link", name="Sign out there too").click()
    page.wait_for_url(re.compile("/oauth/end_session|/sign-in|/logout"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_who_has_no_role_is_told_on_the_page(page_of, served, scheme):
    watched = page_of(served, None, scheme=scheme)
    page = watched.page
    page.goto(f"{served.address}/sign-in")
    page.get_by_role("link", name="Anmelden mit dem Konto der Bäckerei").click()
    page.get_by_label(re.compile("login", re.I)).first.fill("gast")
    page.keyboard.press("Enter")
    page.locator("input[type=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.address}/**")
    page.get_by_role("alert").wait_for()
    picture(page, f"refused-{scheme}")
    assert "None of your groups" in page.get_by_role("alert").inner_text()
    assert violations(watched) == []


def test_an_administrator_sees_who_has_a_company_account(page_of, served):
    watched = page_of(served, "hauswart")
    watched.open("/admin/people")
    watched.page.get_by_role("link", name="Clara Chef").click()
    watched.page.get_by_role("heading", name="Clara Chef").wait_for()
    watched.settle()
    picture(watched.page, "people")
    assert watched.page.get_by_label("Name").is_disabled() and "says this" in watched.page.inner_text("#content")
    assert violations(watched) == []
    watched.well()
