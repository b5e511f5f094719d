"""Take the README's pictures from a running demo: ``python docs/take_pictures.py http://127.0.0.1:8050``."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent / "pictures"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FIRST_LEAD = ".ag-center-cols-container .ag-row[row-index='0']"


def _overview(page: Page) -> None:
    page.wait_for_selector(".js-plotly-plot .main-svg")


def _leads(page: Page) -> None:
    page.locator(FIRST_LEAD).click()
    page.wait_for_selector(".ll-drawer")


PICTURES = (
    ("overview", "Executive", "/kpis", "light", _overview),
    ("leads", "Sales North", "/leads", "light", _leads),
    ("card", "Analyst", "/models/campaign_response", "dark", _overview),
)


def take(url: str) -> None:
    """One picture a role, each from its own sign-in."""
    HERE.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for name, who, path, scheme, ready in PICTURES:
            context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(f"{url}/sign-in")
            page.locator(".ll-signin-card", has_text=who).first.click()
            page.goto(f"{url}{path}")
            page.wait_for_load_state("networkidle")
            ready(page)
            page.wait_for_timeout(1_000)
            page.screenshot(path=HERE / f"{name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    take(sys.argv[1])
