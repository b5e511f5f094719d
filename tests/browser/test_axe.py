"""Every page that each role may open, in both themes, at a desk's and a phone's width: no violation of WCAG 2.2 AA.

The pages are those of ``pages.PAGES``; an address with a variable is opened by the first link to one that a page shows.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import pytest

from pages import PAGES
from services.settings import DEMO_WORKSPACE
from tests import instances
from tests.bakery import build
from tests.browser.conftest import SIZES, Watched

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = """async (tags) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
  return found.violations.map((v) => ({
    id: v.id, help: v.help, nodes: v.nodes.slice(0, 4).map((n) => n.html.slice(0, 160) + " | " + n.target.join(" ") +
      " | " + (n.any[0] ? n.any[0].message : "").slice(0, 200)),
  }));
}"""
LINKS = "[...document.querySelectorAll('#content a[href]')].map((a) => a.getAttribute('href'))"
WIDE = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"


def violations(watched: Watched) -> list[str]:
    """What axe finds on the page as it stands, each with its place."""
    if not watched.page.evaluate("'axe' in window"):
        watched.page.evaluate(AXE)
    found: list[dict[str, Any]] = watched.page.evaluate(RUN, TAGS)
    return [f"{v['id']}: {v['help']}\n      " + "\n      ".join(v["nodes"]) for v in found]


def other_theme(watched: Watched) -> None:
    """Switch the theme as a person does."""
    watched.page.locator(".ll-tools summary[aria-label^='Menu of']").click()
    watched.page.locator("#ll-scheme").click()
    watched.page.mouse.click(5, 300)
    watched.page.wait_for_timeout(250)


def addresses(watched: Watched, grants: frozenset[str]) -> list[str]:
    """The pages this person may open: plain addresses, and one example of each with a variable."""
    may = [p for p in PAGES if p.needs in {*grants, "signed_in"}]
    plain = [p.path for p in may if "<" not in p.path]
    shown: set[str] = set()
    for path in plain:
        watched.open(path)
        shown |= {href for href in watched.page.evaluate(LINKS) if href.startswith("/")}
        for row in watched.page.locator(".ag-row [data-key], .ag-row a[href]").all()[:1]:
            shown.add(row.get_attribute("href") or "")
    found = list(plain)
    for page in may:
        if "<" in page.path:
            pattern = re.compile(re.sub(r"<\\w+>|<[^>]+>", "[^/]+", page.path) + r"$")
            found += sorted(h for h in shown if pattern.match(urlsplit(h).path))[:1]
    return found


def walk(watched: Watched, paths: list[str], width: int) -> list[str]:
    """Look at each page in both themes; every finding with where it is."""
    found: list[str] = []
    for path in paths:
        watched.open(path)
        for turn in range(2):
            theme = watched.page.evaluate("document.documentElement.getAttribute('data-mantine-color-scheme')")
            where = f"{path} {theme} {width}"
            found += [f"{where}: {v}" for v in violations(watched)]
            wide = int(watched.page.evaluate(WIDE))
            if wide > width:
                found.append(f"{where}: the page is {wide} px wide and can be pushed sideways")
            if turn == 0:
                other_theme(watched)
        other_theme(watched)
    return found + [f"{watched.page.url}: {e}" for e in watched.errors]


@pytest.mark.demo
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("who", [w for w in instances.DEMO_PEOPLE if ":" not in w])
def test_every_page_of_the_demo(page_of, demo_served, who, width):
    from data.workspace import read_workspace

    role = read_workspace(DEMO_WORKSPACE).access.roles[who]
    watched = page_of(demo_served, who, width=width)
    assert walk(watched, addresses(watched, frozenset(role.actions)), width) == []


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("who", ["leitung", "aussendienst", "tueftlerei", "hauswart", "aussendienst:ohne"])
def test_every_page_of_the_bakery(page_of, bakery_served, who, width):
    from data.workspace import read_workspace

    role = read_workspace(build.WORKSPACE).access.roles[who.partition(":")[0]]
    watched = page_of(bakery_served, who, width=width)
    assert walk(watched, addresses(watched, frozenset(role.actions)), width) == []


@pytest.mark.demo
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_the_way_in(page_of, demo_served, width, scheme):
    watched = page_of(demo_served, None, scheme=scheme, width=width)
    watched.page.goto(f"{demo_served.address}/sign-in")
    watched.page.wait_for_load_state("networkidle")
    assert violations(watched) == []
    assert int(watched.page.evaluate(WIDE)) <= width
    watched.well()
