"""The web process from outside: how fast it starts and opens pages, what a page asks for, what a worker weighs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright

from benchmarks.house import Served, Visitor, served, sources, viewer
from benchmarks.measuring import Figure, median
from services import demo_people, leads
from services.lead_query import LeadQuery

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RUNS = 7
DRAWN = "() => document.querySelector('.ll-cards .ll-card') && document.querySelector('.js-plotly-plot .main-svg')"


def web() -> dict[str, Figure]:
    """Start, weight, pages and requests of one served demo."""
    starts = [_start() for _ in range(3)]
    with served(sources().settings.instance) as server:
        pages = _pages(server)
        weight = _weight(server)
    said = {"start_s": Figure(median(starts), "s", "≤ 3 s", "app ready after start, two workers", runs=3)}
    return said | pages | weight


def _start() -> float:
    with served(sources().settings.instance) as one:
        return one.ready_s


def _pages(server: Served) -> dict[str, Figure]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        _sign_in(page, server.url, _email("executive"))
        page.wait_for_function(DRAWN)
        context.new_cdp_session(page).send("Network.clearBrowserCache")
        cold = _counted(page, lambda: _load(page, f"{server.url}/kpis?period=quarter"))
        firsts: list[float] = []
        counts = [_counted(page, lambda: firsts.append(_load(page, f"{server.url}/kpis"))) for _ in range(RUNS)]
        inapp = [_inside(page) for _ in range(RUNS)]
        browser.close()
    asked, called = median([c[0] for c in counts]), median([c[1] for c in counts])
    return {
        "page_first_ms": Figure(median(firsts), "ms", "≤ 1,000 ms", "the overview loaded warm, drawn", runs=RUNS),
        "page_inapp_ms": Figure(median(inapp), "ms", "≤ 300 ms", "the overview opened from a page, drawn", runs=RUNS),
        "page_requests": Figure(asked, "requests", "≤ 12", f"reach the server on a warm load ({cold[0]} cold)"),
        "page_callbacks": Figure(called, "callbacks", "≤ 3", "at load"),
    }


def _email(role: str) -> str:
    labels = sources().workspace.access.roles
    return next(email for email, _, label, _ in demo_people.demo_accounts(sources()) if label == labels[role].label)


def _sign_in(page: Page, url: str, email: str) -> None:
    page.goto(f"{url}/sign-in")
    page.locator(f'form:has(input[value="{email}"]) button').click()


def _load(page: Page, address: str) -> float:
    started = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(DRAWN)
    return (time.perf_counter() - started) * 1000


def _inside(page: Page) -> float:
    """From the click on an entry of the bar to the drawn overview."""
    page.locator(".ll-nav a", has_text="Models").first.click()
    page.wait_for_function("() => !document.querySelector('.ll-cards')")
    page.wait_for_timeout(300)
    started = time.perf_counter()
    page.locator(".ll-nav a", has_text="Overview").first.click()
    page.wait_for_function(DRAWN)
    return (time.perf_counter() - started) * 1000


def _counted(page: Page, act: Callable[[], Any]) -> tuple[int, int]:
    """How many requests reached the server during an act, and how many of them were callbacks."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    seen: dict[str, str] = {}
    session.on("Network.requestWillBeSent", lambda e: seen.update({e["requestId"]: e["request"]["url"]}))
    session.on("Network.requestServedFromCache", lambda e: seen.pop(e["requestId"], None))
    session.on(
        "Network.responseReceived",
        lambda e: seen.pop(e["requestId"], None) if e["response"].get("fromDiskCache") else None,
    )
    act()
    page.wait_for_load_state("networkidle")
    session.detach()
    asked = [url for url in seen.values() if url.startswith("http")]
    return len(asked), sum("_dash-update-component" in url for url in asked)


def _weight(server: Served) -> dict[str, Figure]:
    """Proportional memory of each web worker after one what-if and one list, once the first worker has made way."""
    pid, analyst = server.process.pid, Visitor(server.url)
    workers = _settled(pid)
    analyst.sign_in(_email("analyst"))
    for path, search in (("/kpis", ""), ("/leads", ""), ("/what-if", f"?{_lead()}"), ("/models", "")):
        for _ in range(8):
            analyst.page(path, search)
    weights = [_pss(child) for child in workers]
    what = "proportional memory of a web worker, two preloaded, after a what-if"
    return {"worker_mb": Figure(max(weights), "MB", "≤ 250 MB", what, runs=len(weights))}


def _settled(pid: int) -> list[str]:
    """The two workers that stay: the same ones for two seconds."""
    seen: list[str] = []
    for _ in range(30):
        time.sleep(2)
        now = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if len(now) == 2 and now == seen:
            return now
        seen = now
    raise TimeoutError(f"Two workers must stay, got {len(seen)}.")


def _lead() -> str:
    """The address of a lead in the what-if: the first of the list that opens by itself."""
    who = viewer("analyst")
    query = leads.page(who, sources(), LeadQuery()).query
    return urlencode({"list": query.list, "key": leads.block(who, sources(), query, 0, 1).rows[0].key})


def _pss(pid: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
