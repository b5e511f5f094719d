"""A server in a process of its own, Chromium, and pages that remember everything that went wrong on them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests import instances
from tests.bakery import build
from tests.house import PASSWORD, email_of
from tests.rules.code import ROOT

SIZES = {1440: 900, 390: 844}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
SETTLED = """() => {
  const main = document.querySelector("#content");
  return main && main.innerText.trim().length > 0 && !document.querySelector("[data-dash-is-loading='true']");
}"""


@dataclass
class Served:
    """A Lakelight that answers on this address."""

    address: str
    people: dict[str, Any]
    workspace: Path

    @property
    def host(self) -> str:
        """Its host and port, as requests name them."""
        return urlsplit(self.address).netloc


@dataclass
class Watched:
    """A page with all that went wrong on it: errors of scripts, failed answers, requests to another host."""

    page: Page
    served: Served
    errors: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def watch(self) -> None:
        """Begin to listen."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(f"error: {error}"))
        self.page.on("response", self._answered)
        self.page.on("request", self._asked)
        self.page.on("requestfailed", self._failed)

    def open(self, address: str) -> None:
        """Go to an address and wait until its page stands still."""
        self.page.goto(self.served.address + address, wait_until="load")
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is asked any more and the page has words."""
        self.until(SETTLED)
        with contextlib.suppress(Exception):
            self.page.wait_for_load_state("networkidle", timeout=5_000)
        self.page.wait_for_timeout(150)

    def until(self, question: str, seconds: float = 20.0) -> None:
        """Wait until the page answers yes. Asked from here: a page under this content policy may not poll by itself."""
        end = time.monotonic() + seconds
        while not self._answers(question):
            assert time.monotonic() < end, f"{self.page.url} did not come to {question[:120]}"
            self.page.wait_for_timeout(50)

    def _answers(self, question: str) -> bool:
        try:
            return bool(self.page.evaluate(question))
        except PlaywrightError as leaving:
            if "context was destroyed" in str(leaving):
                return False
            raise

    def well(self) -> None:
        """Nothing went wrong so far."""
        assert self.errors == [], f"{self.page.url}: " + "\n".join(self.errors)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning") and not any(e in message.text for e in self.expected):
            self.errors.append(f"{message.type}: {message.text[:300]}")

    def _answered(self, answer: Any) -> None:
        if answer.status >= 400 and str(answer.status) not in self.expected:
            self.errors.append(f"{answer.status} {answer.url}")

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self.served.host:
            self.errors.append(f"another host: {request.url}")

    def _failed(self, request: Any) -> None:
        if "ERR_ABORTED" not in str(request.failure):
            self.errors.append(f"failed: {request.url} {request.failure}")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def serve(instance: Path, workspace: Path, people: dict[str, Any], *, port: int = 0, **others: str) -> Iterator[Served]:
    """Gunicorn with one worker on an instance, ended by its id. ``others`` are further settings."""
    port = port or free_port()
    clean = {n: v for n, v in os.environ.items() if not n.startswith("LAKELIGHT_") and n != "PORT"}
    said = {
        "INSTANCE": instance,
        "WORKSPACE": workspace,
        "PORT": port,
        "WEB_WORKERS": 1,
        "SECRET_KEY": instances.KEY,
    } | others
    environment = clean | {f"LAKELIGHT_{name}": str(value) for name, value in said.items()}
    log = (instance / "web-under-test.log").open("w")
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "deploy" / "gunicorn.conf.py")]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(port, process, instance / "web-under-test.log")
        yield Served(f"http://127.0.0.1:{port}", people, workspace)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        log.close()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            pytest.fail(f"the server ended: {log.read_text()[-2000:]}")
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not answer: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def demo_served() -> Iterator[Served]:
    """The demo, served to this machine only, so that the sign-in page offers its accounts."""
    with serve(instances.build_demo(), instances.DEMO_WORKSPACE, instances.DEMO_PEOPLE) as served:
        yield served


@pytest.fixture(scope="session")
def bakery_served(built_bakery: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The bakery, served."""
    instance = instances.copied(built_bakery, tmp_path_factory.mktemp("served") / "bakery")
    with serve(instance, build.WORKSPACE, instances.BAKERY_PEOPLE) as served:
        yield served


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright's driver."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium, or the one Playwright brought."""
    found = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def page_of(chromium: Browser) -> Iterator[Callable[..., Watched]]:
    """``page_of(served, "seller", scheme="dark", width=390)``: a page of a person signed in; None is a stranger."""
    contexts: list[BrowserContext] = []

    def made(served: Served, who: str | None, *, scheme: str = "light", width: int = 1440) -> Watched:
        context = chromium.new_context(
            viewport={"width": width, "height": SIZES[width]},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(20_000)
        contexts.append(context)
        if who is not None:
            _sign_in(context, served, who)
        watched = Watched(context.new_page(), served)
        watched.watch()
        return watched

    yield made
    for context in contexts:
        context.close()


@pytest.fixture
def page_as(page_of: Callable[..., Watched], demo_served: Served) -> Callable[..., Watched]:
    """``page_as("analyst", "dark", 390)`` is a page of the demo."""

    def made(who: str | None, scheme: str = "light", width: int = 1440) -> Watched:
        return page_of(demo_served, who, scheme=scheme, width=width)

    return made


def _sign_in(context: BrowserContext, served: Served, who: str) -> None:
    form = context.request.get(f"{served.address}/sign-in").text()
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    assert token, "the sign-in page must hold a form token"
    said = {"email": email_of(who), "password": PASSWORD, "csrf_token": token[1]}
    answer = context.request.post(f"{served.address}/sign-in", form=said, max_redirects=0)
    assert answer.status == 302, f"{who} must be let in, got {answer.status}"
