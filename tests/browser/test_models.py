"""A model's card in a real browser: the slider moves bars and address, a wrong number moves nothing, tabs keep it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Served, Watched
from tests.browser.test_axe import violations

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
TITLE = ".ll-mc-figure-title"


def test_from_the_list_to_a_number_of_ones_own(page_of: Callable[..., Watched], bakery_served: Served) -> None:
    watched = page_of(bakery_served, "tueftlerei")
    page = watched.page
    watched.open("/models")
    page.get_by_role("link", name="Kündigungsrisiko").click()
    expect(page.locator("h1")).to_have_text("Kündigungsrisiko")
    expect(page.locator(TITLE).first).to_contain_text("In the first 20 of Saison Herbst/2024")

    page.locator("#model-slider").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator(TITLE).first).to_contain_text("In the first 25 of ")
    expect(page.locator("#model-first")).to_have_value("25")
    expect(page).to_have_url(re.compile(r"/models/kuendigung\?first=25$"))

    page.locator("#model-first").fill("viele")
    page.keyboard.press("Enter")
    expect(page.locator("#model-message")).to_contain_text("must be a whole number from 1 to 10,000,000, got viele.")
    expect(page.locator(TITLE).first).to_contain_text("In the first 25 of ")
    expect(page).to_have_url(re.compile(r"\?first=25$"))

    page.reload()
    expect(page.locator(TITLE).first).to_contain_text("In the first 25 of ")
    page.get_by_role("link", name="Versions").click()
    expect(page.get_by_role("heading", name="Versions in the registry")).to_be_visible()
    page.get_by_role("link", name="Card", exact=True).click()
    expect(page.locator(TITLE).first).to_contain_text("In the first 25 of ")
    watched.settle()
    watched.well()


def test_an_executive_reads_words_and_an_analyst_figures(
    page_of: Callable[..., Watched], bakery_served: Served
) -> None:
    for who, hidden in (("leitung", "Mahnungen"), ("tueftlerei", "")):
        watched = page_of(bakery_served, who)
        watched.open("/models/kuendigung")
        bars = watched.page.locator(".is-importance").inner_text()
        assert (hidden or "\0") not in bars
        assert ("Other information" in bars) == bool(hidden)
        watched.well()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ["/models", "/models/kuendigung?first=7", "/models/kuendigung?tab=versions"])
def test_every_view_of_a_model_can_be_used_by_everybody(
    page_of: Callable[..., Watched], bakery_served: Served, address: str, scheme: str, width: int
) -> None:
    watched = page_of(bakery_served, "leitung", scheme=scheme, width=width)
    watched.open(address)
    assert violations(watched) == []
    assert int(watched.page.evaluate("document.documentElement.scrollWidth")) <= width
    watched.well()
