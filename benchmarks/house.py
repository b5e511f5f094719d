"""The demo as the benchmarks use it: its sources, its viewers, and its web process with a plain HTTP client."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

from data import people
from data.definitions import AccessFile, Limits, StepUp
from services.access import Viewer, viewer_of
from services.settings import from_environment
from services.sources import Sources, open_sources

ROOT = Path(__file__).resolve().parent.parent


@lru_cache(maxsize=1)
def sources() -> Sources:
    """The sources of the instance that the environment names; it must be built and scored."""
    opened = open_sources(from_environment())
    if not opened.settings.instance.is_dir():
        raise SystemExit(f"{opened.settings.instance} must hold a built demo. Run `make run` once.")
    return replace(opened, workspace=opened.workspace.model_copy(update={"access": _unlimited(opened)}))


def _unlimited(opened: Sources) -> AccessFile:
    """The policy without limits: one person of the benchmarks stands for many, and has no session to prove."""
    return opened.workspace.access.model_copy(
        update={
            "limits": Limits(exports_an_hour=10**9, rows_a_day=10**12, moves_a_minute=10**9),
            "step_up": StepUp(rows=10**12),
        }
    )


def viewer(role: str) -> Viewer:
    """The first active person of a role."""
    with sources().store.read() as session:
        person = next(p for p in people.everyone(session) if p.role == role and p.active)
    attributes = {name: tuple(values) for name, values in person.attributes.items()}
    return viewer_of(
        sources().workspace,
        person_id=person.id,
        name=person.name,
        email=person.email,
        role=role,
        attributes=attributes,
    )


def free_port() -> int:
    """A port nobody listens to now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Visitor:
    """A signed-in person without a browser: pages are asked for as Dash's router does."""

    url: str
    opener: OpenerDirector = field(default_factory=lambda: build_opener(HTTPCookieProcessor(CookieJar())))

    def sign_in(self, email: str) -> None:
        """By the demo card."""
        form = self.get("/sign-in")
        token = re.search(r'name="csrf_token" value="([^"]+)"', form)
        said = urlencode({"csrf_token": token.group(1) if token else "", "email": email}).encode()
        self.opener.open(Request(f"{self.url}/sign-in/demo", said), timeout=60).read()

    def get(self, path: str) -> str:
        """A plain GET."""
        with self.opener.open(f"{self.url}{path}", timeout=60) as answer:
            return str(answer.read().decode())

    def page(self, path: str, search: str = "") -> str:
        """The content of a page, as JSON text."""
        body = {
            "output": ".._pages_content.children..._pages_store.data..",
            "outputs": [
                {"id": "_pages_content", "property": "children"},
                {"id": "_pages_store", "property": "data"},
            ],
            "inputs": [
                {"id": "_pages_location", "property": "pathname", "value": path},
                {"id": "_pages_location", "property": "search", "value": search},
            ],
            "changedPropIds": ["_pages_location.pathname"],
            "parsedChangedPropsIds": ["_pages_location.pathname"],
            "state": [],
        }
        return self.post("/_dash-update-component", body)

    def post(self, path: str, body: dict[str, Any]) -> str:
        """A JSON POST with the form token."""
        jar = next(h.cookiejar for h in self.opener.handlers if isinstance(h, HTTPCookieProcessor))
        token = next((c.value for c in jar if c.name == "_csrf_token"), "")
        headers = {"Content-Type": "application/json", "X-CSRFToken": token or ""}
        asked = Request(f"{self.url}{path}", json.dumps(body).encode(), headers)
        with self.opener.open(asked, timeout=60) as answer:
            return str(answer.read().decode())


@dataclass(frozen=True)
class Served:
    """A running web process: its address, its process and how long it took to answer."""

    url: str
    process: subprocess.Popen[bytes]
    ready_s: float


@contextmanager
def served(instance: Path) -> Iterator[Served]:
    """The app as production serves it, on a free port, ended afterwards."""
    import os

    port = free_port()
    environment = {**os.environ, "PORT": str(port), "LAKELIGHT_INSTANCE": str(instance)}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py"], cwd=ROOT, env=environment
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/readyz")
        yield Served(url, process, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(20)


def wait_for(address: str, seconds: float = 120) -> None:
    """Until an address answers well."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with build_opener().open(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"{address} did not answer within {seconds:.0f} s.")
