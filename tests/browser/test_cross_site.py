"""Other sites in a real Chromium: they can neither frame Lakelight, nor act in somebody's name, nor read an answer.

``localhost`` is another site than ``127.0.0.1``, and another port of ``127.0.0.1`` is another origin of the same site:
the cookies go along there, so that only what Lakelight itself refuses is left.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.bakery import build

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
KEPT = """() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.title, location.href, document.cookie,
  history.state, window.name])"""
STORES = """() => {
  const found = {}, walk = (tree) => {
    if (Array.isArray(tree)) return tree.forEach(walk);
    if (!tree || !tree.props) return;
    if (tree.type === "Store") found[JSON.stringify(tree.props.id)] = tree.props.data;
    walk(tree.props.children);
  };
  const layout = window.dash_stores[0].getState().layout;
  walk(layout.components || layout);
  return JSON.stringify(found);
}"""
SENT = """async (to) => {
  const done = [], text = (type) => ({ body: "{}", headers: { "Content-Type": type } });
  const send = (path, how) => fetch(to + path, { credentials: "include", ...how })
    .then((a) => done.push(a.type), () => done.push("refused"));
  const parts = new FormData();
  parts.append("csrf_token", "x");
  for (const path of ["/sign-out", "/_dash-update-component", "/view-as"])
    for (const mode of ["no-cors", "cors"]) {
      await send(path, { method: "POST", mode, ...text("text/plain") });
      await send(path, { method: "POST", mode, ...text("application/x-www-form-urlencoded") });
      await send(path, { method: "POST", mode, body: parts });
      if (mode === "cors") await send(path, { method: "POST", mode, ...text("application/json") });
    }
  await send("/account", {});
  return done;
}"""


class _Elsewhere(BaseHTTPRequestHandler):
    """A site that frames, posts and fetches; what it shows stands in the query."""

    def do_GET(self) -> None:
        to = self.server.attacked  # type: ignore[attr-defined]
        shown = {
            "/frame": f'<iframe id="framed" src="{to}/account" width=900 height=600></iframe>',
            "/post": f'<form id="f" method="post" action="{to}/sign-out"><input name="csrf_token" value="x"></form>',
            "/image": f'<img id="read" src="{to}/leads.csv?list=kuendigung"><script src="{to}/_dash-layout"></script>',
        }.get(self.path, "<p>elsewhere</p>")
        body = f"<!doctype html><title>elsewhere</title>{shown}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return None


@pytest.fixture(scope="module")
def elsewhere(bakery_served) -> Iterator[int]:
    """The port of the other site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    server.attacked = bakery_served.address  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def outside(page_of: Any, served: Any, who: str, host: str, port: int) -> Any:
    """A page of the other site in a browser in which somebody is signed in to Lakelight."""
    page = page_of(served, who).page
    page.goto(f"http://{host}:{port}/")
    return page


def still_in(page: Any, served: Any) -> bool:
    """Is the person of this browser still signed in?"""
    return page.context.request.get(f"{served.address}/account", max_redirects=0).status == 200


@pytest.mark.attack("X-07")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_no_other_origin_can_frame_a_page(page_of, bakery_served, elsewhere, host):
    page = outside(page_of, bakery_served, "aussendienst", host, elsewhere)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"http://{host}:{elsewhere}/frame")
    page.wait_for_timeout(400)
    inside = [frame for frame in page.frames if frame != page.main_frame]
    assert all("Aussendienst" not in frame.content() for frame in inside)
    assert any("frame-ancestors" in one for one in said), said


@pytest.mark.attack("X-08")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_no_other_origin_can_act_or_read(page_of, bakery_served, elsewhere, host):
    page = outside(page_of, bakery_served, "hauswart", host, elsewhere)
    done = page.evaluate(SENT, bakery_served.address)
    assert set(done) <= {"refused", "opaque"} and "refused" in done, done
    page.goto(f"http://{host}:{elsewhere}/post")
    with page.expect_navigation():
        page.evaluate("document.getElementById('f').submit()")
    assert still_in(page, bakery_served)
    page.goto(f"http://{host}:{elsewhere}/image")
    page.wait_for_timeout(200)
    assert page.evaluate("document.getElementById('read').naturalWidth") == 0
    assert page.title() == "elsewhere" and still_in(page, bakery_served)


@pytest.mark.attack("R-14")
def test_after_signing_out_the_way_back_shows_nothing(page_of, bakery_served):
    watched = page_of(bakery_served, "aussendienst")
    watched.expected = ("401", "status of 401")
    watched.open("/leads")
    watched.until("/Haus \\d{3} am Bächli/.test(document.body.innerText)")
    name = re.search(r"Haus \d{3} am Bächli", watched.page.evaluate("document.body.innerText"))
    assert name
    watched.page.locator(".ll-tools summary[aria-label^='Menu of']").click()
    with watched.page.expect_navigation():
        watched.page.get_by_role("button", name="Sign out").click()
    assert watched.page.url.endswith("/sign-in")
    for _ in range(3):
        watched.page.go_back(wait_until="load")
        watched.page.wait_for_timeout(600)
        said = watched.page.evaluate("document.body.innerText")
        assert "Haus " not in said and name[0] not in watched.page.content()
        if "about:blank" in watched.page.url or "/sign-in" in watched.page.url:
            break


@pytest.mark.attack("R-15", "U-06")
@pytest.mark.parametrize("who", ["aussendienst", "tueftlerei"])
def test_the_browser_keeps_nothing_personal(page_of, bakery_served, who):
    watched = page_of(bakery_served, who)
    known = build.houses()
    personal = {*known.betrieb[known.betrieb.str.startswith("Haus")], *known.telefon, *known.inhaberin}
    asked: list[str] = []
    watched.page.on("request", lambda request: asked.append(request.url + request.headers.get("referer", "")))
    stores: dict[str, Any] = {}
    for path in ("/leads", "/what-if"):
        watched.open(path)
        row = watched.page.locator(".ag-center-cols-container .ag-row, .ll-wi-start").first
        row.click()
        watched.settle()
        seen = watched.page.evaluate("document.body.innerText")
        assert any(name in seen for name in personal), path
        stores |= json.loads(watched.page.evaluate(STORES))
        kept = watched.page.evaluate(KEPT) + watched.page.evaluate(STORES) + json.dumps(asked)
        assert not [name for name in personal if name in kept or json.dumps(name)[1:-1] in kept]
        assert set(json.loads(watched.page.evaluate(KEPT))[0]) <= {"mantine-color-scheme-value"}
    assert stores['"leads-chosen"'] and stores['"leads-asked"'], stores
    assert not [s for s in map(json.dumps, stores.values()) if '"score"' in s or '"share"' in s]
    watched.well()
