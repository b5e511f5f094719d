"""Lists in the browser: what one types and sorts is in the address and in the file; a lead opens beside them."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.conftest import SIZES, Served, Watched
from tests.browser.test_axe import WIDE, other_theme, violations

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
ROW = ".ag-center-cols-container .ag-row"
DRAWER = ".ll-drawer.is-open"
TARGETS = """() => [...document.querySelectorAll(".ll-leads a, .ll-leads button")]
  .filter((e) => e.offsetParent && !e.closest(".ll-drawer"))
  .map((e) => [e.innerText, Math.round(e.getBoundingClientRect().height)])"""


def opened(watched: Watched, address: str = "/leads") -> Any:
    """The list with its rows drawn."""
    watched.open(address)
    watched.page.wait_for_selector(f"{ROW} .ll-why")
    watched.settle()
    return watched.page


def asked(page: Any) -> dict[str, str]:
    return {n: v[0] for n, v in parse_qs(urlsplit(page.url).query).items()}


def cell(page: Any, index: int, column: str) -> str:
    found: str = page.locator(f".ag-row[row-index='{index}'] [col-id='{column}']").first.inner_text()
    return found.replace("\u00a0", " ")


def button(page: Any) -> str:
    said: str = page.locator("#leads-export").inner_text()
    return said


@pytest.fixture
def listed(page_of: Any, bakery_served: Served) -> tuple[Watched, Any]:
    watched = page_of(bakery_served, "aussendienst")
    return watched, opened(watched)


def test_search_bands_sorting_and_filters_go_into_the_address_and_the_file(listed: Any, tmp_path: Path) -> None:
    watched, page = listed
    assert button(page) == "Export 60"
    page.fill(".ll-search input", "haus")
    page.wait_for_url(re.compile("q=haus"))
    page.locator(".ll-chip", has_text="hoch").click()
    page.wait_for_url(re.compile("band=hoch"))
    page.locator(".ag-header-cell[col-id='value'] .ag-header-cell-text").click()
    page.wait_for_url(re.compile("sort=-value"))
    page.locator(".ag-header-cell[col-id='score'] .ag-header-cell-filter-button").click()
    page.locator(".ag-filter input").first.fill("60")
    page.wait_for_url(re.compile("f=%7B"))
    page.keyboard.press("Escape")
    watched.settle()
    state = asked(page)
    assert {k: state[k] for k in ("list", "of", "q", "band", "sort")} == {
        "list": "kuendigung", "of": "Winter/2024", "q": "haus", "band": "hoch", "sort": "-value",
    }  # fmt: skip
    with page.expect_download() as got:
        page.locator("#leads-export").click()
    got.value.save_as(tmp_path / "list.csv")
    rows = list(csv.DictReader((tmp_path / "list.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert button(page) == f"Export {len(rows)}" and 0 < len(rows) < 60
    assert all(float(r["score"]) >= 0.6 and r["band"] == "hoch" and "haus" in r["betrieb"].lower() for r in rows)
    assert [int(cell(page, i, "rank")) for i in range(3)] == [int(r["rank"]) for r in rows[:3]]
    here, first = page.url, cell(page, 0, "betrieb")
    opened(watched, here.removeprefix(watched.served.address))
    assert (page.url, cell(page, 0, "betrieb"), button(page)) == (here, first, f"Export {len(rows)}")
    assert page.locator(".ll-chip.is-current").inner_text().startswith("hoch")
    page.locator("#leads-reset").click()
    page.wait_for_function("() => !/[?&](sort|f|q|band)=/.test(location.search)")
    watched.settle()
    assert button(page) == "Export 60"
    assert set(asked(page)) == {"list", "of"} and page.input_value(".ll-search input") == ""
    watched.well()


def test_no_match_says_what_to_remove_and_removes_it(listed: Any) -> None:
    watched, page = listed
    page.fill(".ll-search input", "nobody of that name")
    page.wait_for_selector("#leads-none strong")
    assert page.locator("#leads-none strong").inner_text() == "No Abnehmer matches “nobody of that name”."
    assert page.locator(ROW).count() == 0 and not page.locator("#leads-export").is_visible()
    page.locator("#leads-none a").click()
    page.wait_for_selector(f"{ROW} .ll-why")
    assert button(page) == "Export 60"
    watched.well()


def test_a_lead_opens_beside_the_list_and_one_walks_with_j_and_k(listed: Any) -> None:
    watched, page = listed
    page.locator(".ag-row[row-index='2'] [col-id='score']").first.click()
    page.wait_for_selector(f"{DRAWER} .ll-ladder")
    name = page.locator(".ll-drawer-name")
    assert name.inner_text() == cell(page, 2, "betrieb").split("\n")[0]
    assert page.locator(DRAWER).bounding_box()["width"] == 480
    for key, index in (("j", 3), ("J", 4), ("k", 3), ("k", 2), ("k", 1)):
        page.keyboard.press(key)
        page.wait_for_function(
            "(n) => document.querySelector('.ll-drawer .ll-scope').innerText.includes(`${n} of 60`)", arg=index + 1
        )
    assert name.inner_text() == cell(page, 1, "betrieb").split("\n")[0]
    page.keyboard.press("Escape")
    page.wait_for_selector(DRAWER, state="detached")
    assert page.evaluate("document.activeElement.getAttribute('col-id')") == "rank"
    page.keyboard.press("Enter")
    page.wait_for_selector(DRAWER)
    page.locator(f"{DRAWER} a", has_text="Open").click()
    page.wait_for_url(re.compile(r"/leads/[^?]+\?"))
    page.wait_for_selector(".ll-lead .ll-ladder")
    assert page.locator("h1").inner_text() == cell_name(page)
    watched.well()


def cell_name(page: Any) -> str:
    found: str = page.locator(".ll-lead h1").inner_text()
    return found


def test_who_may_not_export_sees_no_button(page_of: Any, bakery_served: Served) -> None:
    page = opened(page_of(bakery_served, "tueftlerei"))
    assert not page.locator("#leads-export").is_visible()


def test_the_walk_goes_past_the_rows_that_are_loaded(page_of: Any, bakery_served: Served) -> None:
    watched = page_of(bakery_served, "tueftlerei")
    page = opened(watched)
    page.locator(".ag-body-viewport").evaluate("e => { e.scrollTop = 44 * 97; }")
    page.locator(".ag-row[row-index='98'] [col-id='score']").first.click()
    page.wait_for_selector(f"{DRAWER} .ll-ladder")
    for rank in (100, 101, 102):
        page.keyboard.press("j")
        page.wait_for_function(
            "(n) => document.querySelector('.ll-drawer .ll-scope').innerText.includes(`${n} of 180`)", arg=rank
        )
    watched.well()


def test_the_row_at_the_limit_is_marked_and_rows_beyond_are_dimmed(listed: Any) -> None:
    _, page = listed
    page.locator(".ag-body-viewport").evaluate("e => { e.scrollTop = 44 * 14; }")
    limit = page.locator(".ag-pinned-left-cols-container .ag-row.ll-limit")
    limit.wait_for()
    assert limit.get_attribute("row-index") == "19"
    mark = "getComputedStyle(document.querySelector('.ag-pinned-left-cols-container .ll-limit'), '::after').content"
    assert page.evaluate(mark) == '"your 20"'
    assert (
        page.locator(".ag-center-cols-container .ag-row[row-index='20']")
        .evaluate("e => e.className")
        .count("ll-beyond")
        == 1
    )


def test_names_that_are_markup_are_text(page_of: Any, bakery_served: Served) -> None:
    watched = page_of(bakery_served, "aussendienst")
    page = opened(watched, "/leads?q=script")
    assert "<script>" in cell(page, 0, "betrieb")
    page.locator(".ag-row[row-index='0'] [col-id='score']").first.click()
    page.wait_for_selector(f"{DRAWER} .ll-ladder")
    assert "<script>" in page.locator(".ll-drawer-name").inner_text()
    watched.well()


def test_a_contact_is_copied(listed: Any) -> None:
    watched, page = listed
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".ag-row[row-index='0'] [col-id='score']").first.click()
    page.wait_for_selector(f"{DRAWER} .ll-copy")
    page.locator(f"{DRAWER} .ll-copy").click()
    page.wait_for_function("() => document.querySelector('.ll-copy').innerText === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()").startswith("+41 44 555")
    watched.well()


def test_one_lead_leads_to_the_next_and_to_what_if(listed: Any) -> None:
    watched, page = listed
    page.locator(".ag-row[row-index='0'] [col-id='score']").first.click()
    page.locator(f"{DRAWER} a", has_text="Open").click()
    page.wait_for_selector(".ll-lead")
    assert page.locator(".ll-walk").inner_text().split() == ["‹", "1", "of", "60", "›"]
    page.locator(".ll-walk a").click()
    page.wait_for_function("() => document.querySelector('.ll-walk').innerText.includes('2 of 60')")
    page.locator(".ll-lead a", has_text="What if").click()
    page.wait_for_url(re.compile(r"/what-if\?"))
    page.wait_for_selector(".ll-wi-control")
    watched.well()


def test_an_analyst_sees_the_waterfall_and_the_models_own_scale(page_of: Any, bakery_served: Served) -> None:
    watched = page_of(bakery_served, "tueftlerei")
    page = opened(watched)
    page.locator(".ag-row[row-index='0'] [col-id='score']").first.click()
    page.locator(f"{DRAWER} a", has_text="Open").click()
    for view, part in (
        ("Waterfall", ".js-plotly-plot .main-svg"),
        ("Log-odds", ".ll-lead-own .ll-table"),
        ("Bars", ".ll-ladder"),
    ):
        page.locator(".ll-segments a", has_text=view).click()
        page.wait_for_selector(part)
    watched.well()


def test_a_phone_gets_cards_with_large_targets(page_of: Any, bakery_served: Served) -> None:
    watched = page_of(bakery_served, "aussendienst", width=390)
    watched.open("/leads")
    page = watched.page
    page.wait_for_selector(".ll-leadcard")
    assert not page.locator(".ll-leads-grid").is_visible()
    assert page.locator(".ll-leadcard").count() == 20
    targets = page.evaluate(TARGETS)
    assert [t for t in targets if t[1] < 48] == []
    page.locator("#leads-more").click()
    page.wait_for_function("() => document.querySelectorAll('.ll-leadcard').length === 40")
    page.fill(".ll-search input", "zum golden")
    page.wait_for_function("() => document.querySelectorAll('.ll-leadcard').length < 5")
    assert int(page.evaluate(WIDE)) <= 390
    page.locator(".ll-leadcard-main").first.click()
    page.wait_for_selector(".ll-lead .ll-ladder")
    assert int(page.evaluate(WIDE)) <= 390
    watched.well()


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("who", ["aussendienst", "tueftlerei"])
def test_list_drawer_and_lead_have_no_violation_in_either_theme(
    page_of: Any, bakery_served: Served, who: str, width: int
) -> None:
    watched = page_of(bakery_served, who, width=width)
    watched.open("/leads")
    page, found = watched.page, []
    page.wait_for_selector(".ll-leadcard" if width < 640 else f"{ROW} .ll-why")

    def look(where: str) -> None:
        watched.settle()
        for _ in range(2):
            found.extend(f"{where}: {v}" for v in violations(watched))
            other_theme(watched)

    look("list")
    page.locator(".ll-picker > summary").click() if page.locator(".ll-picker").count() else None
    if width < 640:
        page.locator(".ll-leadcard-main").first.click()
    else:
        page.locator(".ag-header-cell[col-id='score'] .ag-header-cell-filter-button").click()
        page.wait_for_selector(".ag-filter")
        found.extend(f"filter: {v}" for v in violations(watched))
        page.keyboard.press("Escape")
        page.locator(".ag-row[row-index='1'] [col-id='score']").first.click()
        page.wait_for_selector(f"{DRAWER} .ll-ladder")
        found.extend(f"drawer: {v}" for v in violations(watched))
        page.locator(f"{DRAWER} a", has_text="Open").click()
    page.wait_for_selector(".ll-lead .ll-ladder")
    look("lead")
    if who == "tueftlerei":
        for view in ("Waterfall", "Log-odds"):
            page.locator(".ll-segments a", has_text=view).click()
            page.wait_for_selector(".js-plotly-plot .main-svg")
            look(view)
    assert found == []
    watched.well()
