"""Every page over a workspace whose every word is an attack, in Chromium: nothing runs, nothing leaves, nothing breaks.

What would run would set ``window.__pwned``, change the title or open a dialog. Beside that, the document itself is
read: no element, no handler and no link may have come out of a text.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from data.workspace import read_workspace
from pages import PAGES
from tests.attacks import corpus, hostile
from tests.browser.conftest import SIZES, Served, Watched, serve
from tests.house import PASSWORD, email_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
LISTEN = """
window.__refused = [];
document.addEventListener("securitypolicyviolation", (e) =>
  window.__refused.push([e.violatedDirective, e.blockedURI, (e.sample || "").slice(0, 80)].join(" ")));
"""
TITLES = sorted({p.title for p in PAGES} | {"Lakelight", "No such page"} | {f"{p.title} · Lakelight" for p in PAGES})
READ = """(titles) => {
  const found = [], here = location.origin, body = document.body;
  if (window.__pwned !== undefined) found.push("ran: " + window.__pwned);
  if (({}).polluted !== undefined) found.push("Object.prototype was written to");
  window.__refused.forEach((r) => found.push("the content policy refused " + r));
  if (!titles.includes(document.title)) found.push("the title became " + document.title.slice(0, 80));
  const never = ["iframe", "object", "embed", "base", "meta", "math", "template", "u"];
  for (const node of body.querySelectorAll("*")) {
    const made = node.tagName.toLowerCase(), source = node.getAttribute("src") || "";
    const handles = [...node.attributes].some((one) => /^on/i.test(one.name));
    if (handles) found.push("a handler: " + node.outerHTML.slice(0, 120));
    if (never.includes(made) || (made === "img" && !/^(data:|\\/assets\\/)/.test(source)) ||
        (made === "script" && !source && !node.nonce && !/json/.test(node.type)))
      found.push("an element: " + node.outerHTML.slice(0, 120));
    for (const name of ["href", "xlink:href", "src", "action", "formaction"]) {
      const said = node.getAttribute(name);
      if (said === null) continue;
      let url; try { url = new URL(said, location.href); } catch (e) { found.push("an address: " + said); continue; }
      const others = ["mailto:", "tel:"].includes(url.protocol) || said.startsWith("data:image/svg");
      const leaves = url.origin !== here && !others;
      if (leaves || /evil\\.example/.test(url.host)) found.push("a link: " + said.slice(0, 120));
    }
  }
  const wide = Math.max(document.documentElement.scrollWidth, body.scrollWidth);
  if (wide > innerWidth) found.push("the page is " + wide + " px wide");
  return found;
}"""
SHOWN = "document.body.innerText + [...document.querySelectorAll('svg text')].map((t) => t.textContent).join(' ')"
DRAWN = "[...document.querySelectorAll('.js-plotly-plot text')].map((t) => t.textContent).join(' ')"
LINKS = "[...document.querySelectorAll('#content a[href^=\"/\"]')].map((a) => a.getAttribute('href'))"
VIEWS = "[...document.querySelectorAll('#content a[href*=\"view=waterfall\"]')].map((a) => a.getAttribute('href'))"
DRAWER = "!document.querySelector('.ll-drawer') || document.querySelector('.ll-drawer.is-open a[href^=\"/leads/\"]')"
FOLDED = "document.querySelectorAll('details:not([open])').forEach((d) => { d.open = true; })"
MENUS = "document.querySelectorAll('.ll-tools details, .ll-pick').forEach((d) => { d.open = false; })"
LEAST_SHOWN = {"leitung": 30, "aussendienst": 30, "tueftlerei": 60, "hauswart": 60}
"""How many different payloads of the corpus a role meets, all its pages taken together."""


@pytest.fixture(scope="session")
def hostile_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The hostile workspace, served."""
    instance = hostile.build_hostile(tmp_path_factory.mktemp("hostile"))
    with serve(instance, instance / "workspace", hostile.PEOPLE) as served:
        _knock(served)
        yield served


def _knock(served: Served) -> None:
    """Leave names that nobody has in the log, and a browser that calls itself an attack in a person's sessions."""
    for at, text in enumerate(corpus.MARKUP[:4]):
        asked = build_opener(HTTPCookieProcessor())
        asked.addheaders = [("User-Agent", corpus.MARKUP[4 + at])]
        for who in (text, email_of("hauswart")):
            form = asked.open(f"{served.address}/sign-in").read().decode()
            token = re.search(r'name="csrf_token" value="([^"]+)"', form)
            if token is None:
                continue
            said = urlencode({"email": who, "password": PASSWORD, "csrf_token": token[1]}).encode()
            with contextlib.suppress(HTTPError):
                asked.open(f"{served.address}/sign-in?{urlencode({'next': text})}", said).close()


class Look:
    """One person's walk: what went wrong, and which payloads stood on a page as text."""

    def __init__(self, watched: Watched) -> None:
        self.watched, self.page = watched, watched.page
        self.found: list[str] = []
        self.shown: set[str] = set()
        self.drawn = ""
        self.page.add_init_script(LISTEN)
        self.page.on("dialog", self._dialog)

    def walk(self, grants: frozenset[str]) -> None:
        """Every page that the person may open; of an address with a variable the first that a page links to."""
        may = [p for p in PAGES if p.needs in {*grants, "signed_in"}]
        links: list[str] = []
        for page in may:
            if "<" not in page.path:
                self.at(page.path)
                links += self.page.evaluate(LINKS)
        for page in may:
            if "<" in page.path:
                pattern = re.compile(re.sub(r"<[^>]+>", "[^/]+", page.path) + r"$")
                for href in [h for h in links if pattern.match(urlsplit(h).path)][:1]:
                    self.at(href)
                    for view in self.page.evaluate(VIEWS)[:1]:
                        self.at(view)

    def at(self, path: str) -> None:
        """Open a page, touch all that can be touched, and read what came of it."""
        self.watched.open(path)
        self._hover_charts()
        self.page.evaluate(FOLDED)
        self.page.wait_for_timeout(200)
        self._read(path)
        self.page.evaluate(MENUS)
        row = self.page.locator(".ag-center-cols-container .ag-row").first
        if row.count() and row.is_visible():
            row.click()
            self.watched.until(DRAWER)
            self._read(f"{path} with a row opened")

    def _read(self, where: str) -> None:
        self.found += [f"{where}: {one}" for one in self.page.evaluate(READ, TITLES)]
        said = _flat(self.page.evaluate(SHOWN))
        self.shown |= {p for p in corpus.SHORT if _flat(p) in said}
        self.drawn += self.page.evaluate(DRAWN)

    def _hover_charts(self) -> None:
        for chart in self.page.locator(".js-plotly-plot").all()[:4]:
            chart.scroll_into_view_if_needed()
            box = chart.bounding_box()
            for part in (0.25, 0.5, 0.75) if box else ():
                self.page.mouse.move(box["x"] + box["width"] * part, box["y"] + box["height"] * 0.5)
                self.page.wait_for_timeout(30)

    def _dialog(self, dialog: Any) -> None:
        self.found.append(f"a dialog: {dialog.message}")
        with contextlib.suppress(Exception):
            dialog.dismiss()


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@pytest.mark.attack("X-01", "X-02", "X-03", "X-11", "X-12", "Q-09")
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("who", hostile.PEOPLE)
def test_nothing_runs_and_nothing_breaks(page_of, hostile_served, who, width):
    role = read_workspace(hostile_served.workspace).access.roles[hostile.PEOPLE[who][0]]
    look = Look(page_of(hostile_served, who, width=width))
    look.walk(frozenset(role.actions))
    wrong = "\n".join([*look.found, *look.watched.errors])
    assert not wrong, wrong
    assert len(look.shown) >= LEAST_SHOWN[who], sorted(look.shown)
    assert who != "tueftlerei" or "<a href=" in look.drawn, look.drawn[:2000]  # in the waterfall
