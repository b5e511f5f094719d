"""What-if in the browser: controls that move together, answers in order, an address that carries all; and the frame."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.conftest import SIZES
from tests.browser.test_axe import violations

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SENTENCE = ".ll-wi-sentence"
SEEN = """() => {
  window.seen = [];
  const target = document.querySelector("#what-if-result");
  const note = () => {
    const said = target.querySelector(".ll-wi-sentence"), ticks = [...target.querySelectorAll(".is-tick")];
    window.seen.push([said ? said.textContent : "", ticks.map((t) => t.style.left + t.textContent).join()]);
  };
  new MutationObserver(note).observe(target, { childList: true, subtree: true, characterData: true });
}"""


def edits(page: Any) -> dict[str, str]:
    """The changes that the address carries."""
    asked = parse_qs(urlsplit(page.url).query, keep_blank_values=True)
    return {n.removeprefix("x_"): v[0] for n, v in asked.items() if n.startswith("x_")}


def part(page: Any, name: str, feature: str) -> Any:
    """A part of a control by the name of its input."""
    ids = f'{{"feature":"{feature}","part":"what-if-{name}"}}'
    return page.locator(f"[id='{ids}']")


def drag(page: Any, feature: str, start: float, end: float, steps: int = 25) -> None:
    """Drag a slider as a hand does, over about a second."""
    box = part(page, "slider", feature).bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, middle)
    page.mouse.down()
    for step in range(1, steps + 1):
        page.mouse.move(box["x"] + box["width"] * (start + (end - start) * step / steps), middle)
        time.sleep(0.03)
    page.mouse.up()


def opened(watched: Any) -> Any:
    """The what-if of the first row to start from."""
    watched.open("/what-if")
    watched.page.locator(".ll-wi-start").first.click()
    watched.page.wait_for_selector(".ll-wi-control")
    watched.settle()
    return watched.page


@pytest.fixture
def moved(page_of, bakery_served):
    watched = page_of(bakery_served, "tueftlerei")
    return watched, opened(watched)


def test_a_drag_asks_ten_times_a_second_and_shows_the_last_move(moved):
    watched, page = moved
    asked: list[tuple[float, dict[str, str]]] = []
    page.on(
        "request",
        lambda r: (
            asked.append((time.monotonic(), r.post_data_json["inputs"][0]["value"]["edits"]))
            if "what-if-ask" in (r.post_data or "")
            else None
        ),
    )
    page.evaluate(SEEN)
    began = time.monotonic()
    drag(page, "rabatt", 0.1, 0.8)
    watched.settle()
    lasted = asked[-1][0] - began
    assert 3 <= len(asked) <= lasted / 0.1 + 2, "ten a second at most, however long the drag took"
    shown = part(page, "box", "rabatt").input_value()
    assert asked[-1][1] == edits(page) == {"rabatt": shown}
    assert 22 <= float(shown) <= 26
    seen = page.evaluate("window.seen")
    assert all(sentence for sentence, _ in seen), "the last answer stays until the next one is there"
    assert len({ticks for _, ticks in seen}) == 1, "the axis stands still"
    last = page.locator(SENTENCE).inner_text()
    page.reload()
    watched.settle()
    assert page.locator(SENTENCE).inner_text() == last
    assert part(page, "box", "rabatt").input_value() == shown
    watched.well()


def test_a_server_that_answers_at_once_is_still_asked_ten_times_a_second_at_most(moved):
    _, page = moved
    page.evaluate("""() => {
      window.asks = [];
      const real = window.dash_clientside.set_props;
      window.dash_clientside.set_props = (id, props) => {
        if (id !== "what-if-ask") return real(id, props);
        window.asks.push(performance.now());
        window.dash_clientside.whatIf.answered({ asked: props.data.asked });
      };
    }""")
    drag(page, "rabatt", 0.1, 0.8, steps=40)
    page.wait_for_timeout(300)
    asks = page.evaluate("window.asks")
    assert len(asks) >= 4
    assert min(later - earlier for earlier, later in pairwise(asks)) >= 95


def test_a_slow_older_answer_never_replaces_the_newest_move(moved):
    watched, page = moved
    held: list[Any] = []

    def slow(route: Any) -> None:
        if "what-if-ask" in (route.request.post_data or "") and not held:
            held.append(route)
            time.sleep(0.7)
        route.continue_()

    page.route("**/_dash-update-component*", slow)
    box = part(page, "box", "rabatt")
    box.fill("3")
    page.wait_for_timeout(50)
    for text in ("12", "20", "28"):
        box.fill(text)
        page.wait_for_timeout(60)
    watched.settle()
    page.wait_for_timeout(600)
    assert held
    assert edits(page) in ({}, {"rabatt": "28"})
    box.press("Tab")
    assert edits(page) == {"rabatt": "28"}
    once = page.locator(SENTENCE).inner_text()
    page.reload()
    watched.settle()
    assert page.locator(SENTENCE).inner_text() == once
    watched.well()


def test_box_and_slider_move_together_and_a_wrong_text_is_told_under_its_control(moved):
    watched, page = moved
    before = page.locator(SENTENCE).inner_text()
    box = part(page, "box", "lieferzeit")
    box.fill("1")
    box.press("Tab")
    watched.settle()
    assert part(page, "slider", "lieferzeit").input_value() == "1"
    assert page.locator(SENTENCE).inner_text() != before
    box.fill("1,5")
    box.press("Tab")
    watched.settle()
    said = part(page, "message", "lieferzeit")
    assert "with a point instead of a comma" in said.inner_text()
    assert box.get_attribute("aria-invalid") == "true"
    assert box.get_attribute("aria-describedby") == said.get_attribute("id")
    assert page.locator(SENTENCE).inner_text().startswith(re.split(r"\. | to ", before)[0].removesuffix("."))
    assert "The refused value is not used." in page.locator(SENTENCE).inner_text()
    assert edits(page) == {"lieferzeit": "1,5"}
    page.get_by_role("button", name="Reset Verspätung").click()
    watched.settle()
    assert edits(page) == {}
    assert page.locator(SENTENCE).inner_text() == before
    watched.well()


def test_undo_goes_back_a_step_and_reset_to_today(moved):
    watched, page = moved
    box = part(page, "box", "rabatt")
    today = box.input_value()
    page.locator("#what-if-row summary", has_text="Fixed").click()
    assert page.get_by_role("button", name="Undo", exact=True).is_disabled()
    for text in ("12", "22"):
        box.fill(text)
        box.press("Tab")
        watched.settle()
    kind = "Café" if part(page, "box", "art").input_value() == "Hotel" else "Hotel"
    part(page, "box", "art").select_option(kind)
    watched.settle()
    assert edits(page) == {"rabatt": "22", "art": kind}
    page.get_by_role("button", name="Undo", exact=True).click()
    watched.settle()
    assert edits(page) == {"rabatt": "22"}
    page.get_by_role("button", name="Undo", exact=True).click()
    watched.settle()
    assert (edits(page), box.input_value()) == ({"rabatt": "12"}, "12")
    page.get_by_role("button", name="Reset", exact=True).click()
    watched.settle()
    assert (edits(page), box.input_value()) == ({}, today)
    watched.well()


def test_the_address_changes_without_drawing_the_page_anew(moved):
    watched, page = moved
    page.evaluate("document.querySelector('#what-if-row').dataset.mark = 'same'")
    part(page, "box", "rabatt").fill("20")
    part(page, "box", "rabatt").press("Tab")
    watched.settle()
    assert edits(page) == {"rabatt": "20"}
    assert page.locator("#what-if-row").get_attribute("data-mark") == "same"
    page.go_back()
    page.wait_for_selector(".ll-wi-start")
    watched.well()


def test_keys_move_a_slider(moved):
    watched, page = moved
    slider = part(page, "slider", "lieferzeit")
    start = float(slider.input_value())
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    watched.settle()
    assert float(part(page, "box", "lieferzeit").input_value()) < start
    assert "lieferzeit" in edits(page)
    watched.well()


def test_on_a_phone_the_result_sticks_to_the_top(page_of, bakery_served):
    watched = page_of(bakery_served, "aussendienst", width=390)
    page = opened(watched)
    page.mouse.move(200, 600)
    page.mouse.wheel(0, 500)
    page.wait_for_timeout(200)
    place = page.locator(".ll-wi-now").bounding_box()
    assert (round(place["y"]), round(place["height"])) == (56, 96)
    assert page.locator(SENTENCE).is_visible()
    watched.well()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("who", ["aussendienst", "tueftlerei"])
def test_a_row_in_use_has_no_violation(page_of, bakery_served, who, width, scheme):
    watched = page_of(bakery_served, who, scheme=scheme, width=width)
    page = opened(watched)
    part(page, "box", "rabatt").fill("20")
    part(page, "box", "lieferzeit").fill("abc")
    part(page, "box", "lieferzeit").press("Tab")
    watched.settle()
    page.evaluate("document.querySelectorAll('#what-if-row details').forEach((d) => { d.open = true; })")
    watched.settle()
    assert violations(watched) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    watched.well()


# ── the frame ─────────────────────────────────────────────────────────────────────────────────────


def test_a_page_seen_before_asks_little_of_the_server(page_of, bakery_served):
    """Budgets: at most 28 requests cold, 12 warm, 3 callbacks at load."""
    watched = page_of(bakery_served, "tueftlerei")
    page = watched.page
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    asked: dict[str, str] = {}
    cached: set[str] = set()
    session.on("Network.requestWillBeSent", lambda e: asked.update({e["requestId"]: e["request"]["url"]}))
    session.on("Network.requestServedFromCache", lambda e: cached.add(e["requestId"]))
    session.on(
        "Network.responseReceived",
        lambda e: cached.add(e["requestId"]) if e["response"].get("fromDiskCache") else None,
    )
    counts = []
    for _ in range(3):
        asked.clear()
        cached.clear()
        watched.open("/what-if")
        reached = [url for id_, url in asked.items() if id_ not in cached and url.startswith("http")]
        counts.append((len(reached), sum("_dash-update-component" in url for url in reached)))
    cold, *warm = counts
    assert cold[0] <= 28
    assert all(requests <= 12 and calls <= 3 for requests, calls in warm), counts
    watched.well()


def test_after_a_step_inside_the_app_the_heading_has_the_focus(page_of, bakery_served):
    watched = page_of(bakery_served, "tueftlerei")
    watched.open("/what-if")
    page = watched.page
    page.locator(".ll-nav a", has_text="Modelle").click()
    page.wait_for_url("**/models")
    watched.settle()
    assert page.evaluate("document.activeElement.tagName") in ("H1", "MAIN")
    assert page.locator(".ll-nav a[aria-current=page]").all_inner_texts() == ["Modelle"]
    watched.well()


def test_the_theme_is_kept_and_there_before_the_first_paint(page_of, bakery_served):
    watched = page_of(bakery_served, "hauswart")
    page = watched.page
    watched.open("/account")
    page.locator("summary[aria-label^='Menu of']").click()
    assert page.locator("#ll-scheme").inner_text() == "Dark theme"
    page.locator("#ll-scheme").click()
    page.add_init_script(
        "new MutationObserver((_, o) => { if (document.body) { o.disconnect();"
        "window.first = document.documentElement.getAttribute('data-mantine-color-scheme'); } })"
        ".observe(document, { childList: true, subtree: true })"
    )
    watched.open("/account")
    assert page.evaluate("window.first") == "dark"
    assert page.evaluate("document.documentElement.getAttribute('data-mantine-color-scheme')") == "dark"
    watched.well()


def test_the_tray_opens_and_escape_closes_it(page_of, bakery_served):
    watched = page_of(bakery_served, "hauswart")
    watched.open("/account")
    page = watched.page
    page.locator(".ll-tray > summary").click()
    assert page.locator(".ll-tray-drawer").is_visible()
    assert round(page.locator(".ll-tray-drawer").bounding_box()["width"]) == 360
    assert violations(watched) == []
    page.keyboard.press("Escape")
    assert not page.locator(".ll-tray-drawer").is_visible()
    page.locator(".ll-tray > summary").click()
    page.locator(".ll-tray-drawer a", has_text="All jobs").click()
    page.wait_for_url("**/jobs")
    watched.settle()
    assert not page.locator(".ll-tray-drawer").is_visible()
    watched.well()


def test_paper_is_white_whatever_the_theme(page_of, bakery_served):
    watched = page_of(bakery_served, "tueftlerei", scheme="dark")
    watched.open("/what-if")
    page = watched.page
    seen = "getComputedStyle(document.body).color"
    dark = page.evaluate(seen)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(seen) != dark
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(seen) == dark
    watched.well()
