"""The server under attack: an instance with canaries, gunicorn as it is deployed, and its end by its own id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from unittest.mock import patch

from services import accounts, refresh
from services.running import GUNICORN
from services.settings import ROOT
from services.sources import Sources
from tests import instances
from tests.attacks.canaries import PASSWORD, REGISTRY_SECRET, SECRET_KEY, Oracle, planted
from tests.bakery import build
from tests.house import email_of

SPY = Path(__file__).parent / "spy"
START_SECONDS = 90.0
SWITCHES = {
    "DASH_MCP_ENABLED": "1",
    "DASH_DEBUG": "1",
    "DASH_UI": "1",
    "DASH_HOT_RELOAD": "1",
    "DASH_PROPS_CHECK": "1",
    "DASH_SERVE_DEV_BUNDLES": "1",
    "FLASK_DEBUG": "1",
    "FLASK_ENV": "development",
    "WERKZEUG_DEBUG_PIN": "off",
}
"""What somebody might find in an environment that tries to switch on what must stay off."""
PEOPLE: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    **instances.BAKERY_PEOPLE,
    "gesperrt": ("aussendienst", {"tour": ("Nord/See",)}),
    "opfer": ("aussendienst", {"tour": ("Nord/See",)}),
    "ziel": ("aussendienst", {"tour": ("Nord/See",)}),
}
"""Everybody of the bakery, one whose account is disabled, and two whom the tests change and lock out."""


def build_instance(instance: Path) -> Path:
    """The bakery from nothing, with canaries in every row and a canary for everybody's password."""
    plain = build.houses
    with patch.object(build, "houses", lambda: planted(plain())):
        build.write_lake(instance / "lake" / "raw")
        build.write_model(instance / "registered")
    sources = instances.open_bakery_sources(instance)
    try:
        sources.store.migrate()
        done = refresh.refresh(sources)
        assert not done.held_back, done.held_back
        for who, (role, attributes) in PEOPLE.items():
            kept = {name: list(values) for name, values in attributes.items()}
            accounts.create(sources, email=email_of(who), name=who, role=role, attributes=kept, password=PASSWORD)
        disable(sources, "gesperrt")
        instances.admit_and_score(sources)
        sources.store.checkpoint()
    finally:
        sources.close()
    return instance


def disable(sources: Sources, who: str) -> None:
    """Take somebody's account away."""
    from data import people

    with sources.store.begin() as session:
        person = people.by_email(session, email_of(who))
        assert person is not None
        person.active = False


@dataclass
class Server:
    """A running Lakelight: where it is, what it writes, which processes are its workers."""

    instance: Path
    base: Path
    oracle: Oracle
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings that differ from those of the suite's server."""
    workers: int = 2
    port: int = field(init=False, default=0)
    started_at: float = field(init=False, default=0.0)
    _process: subprocess.Popen[bytes] | None = field(init=False, default=None)

    @property
    def output(self) -> Path:
        """What the processes say on their standard output and error."""
        return self.base / "output.log"

    @property
    def spied(self) -> Path:
        """What Python's audit events say of the web processes."""
        return self.base / "spied.log"

    @property
    def temporary(self) -> Path:
        """Where the processes put temporary files."""
        return self.base / "tmp"

    @property
    def pid(self) -> int:
        """The master's process."""
        assert self._process is not None, "the server must be started"
        return self._process.pid

    def settings(self) -> dict[str, str]:
        """The environment of the processes: nothing of ours but what is needed to find Python."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.base),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(SPY),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ATTACK_SPY": str(self.spied),
            "LAKELIGHT_INSTANCE": str(self.instance),
            "LAKELIGHT_WORKSPACE": str(build.WORKSPACE),
            "LAKELIGHT_REGISTRY": f"http://lakelight:{REGISTRY_SECRET}@127.0.0.1:9",
            "LAKELIGHT_SECRET_KEY": SECRET_KEY,
            "LAKELIGHT_PORT": str(self.port),
            "LAKELIGHT_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            **SWITCHES,
            "LAKELIGHT_WEB_WORKERS": str(self.workers),
            "LAKELIGHT_CALLBACKS_A_SECOND": "100000",
            **self.environment,
        }

    def start(self) -> Server:
        """Start it and wait until it is ready and every worker serves."""
        self.temporary.mkdir(parents=True, exist_ok=True)
        self.port, self.started_at = free_port(), time.time()
        with self.output.open("ab") as said:
            self._process = subprocess.Popen(
                GUNICORN, cwd=ROOT, env=self.settings(), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        steady, since = self.worker_pids(), time.monotonic()
        while time.monotonic() < until:
            assert self._process.poll() is None, f"the server must start: {self.output.read_text()[-2000:]}"
            now = self.worker_pids()
            if now != steady:
                steady, since = now, time.monotonic()
            if len(steady) == self.workers and time.monotonic() - since > 1.0 and self._ready():
                return self
            time.sleep(0.05)
        self.stop()
        raise AssertionError(f"the server must be ready in time: {self.output.read_text()[-2000:]}")

    def stop(self) -> None:
        """End the processes that were started here, by their id: asked first, killed after a moment."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def worker_pids(self) -> tuple[int, ...]:
        """The workers that are there now."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        with contextlib.suppress(OSError):
            return tuple(int(pid) for pid in children.read_text().split())
        return ()

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What the app database says; never for writing."""
        with contextlib.closing(sqlite3.connect(f"file:{self.instance / 'app.db'}?mode=ro", uri=True)) as link:
            return link.execute(statement, values).fetchall()

    def person_id(self, who: str) -> int:
        """The id of somebody."""
        return int(self.sql("select id from people where email = ?", email_of(who))[0][0])

    def events(self, act: str, who: str = "") -> list[tuple[Any, ...]]:
        """Events of this act (and of one person) as (person, resource, allowed, reason), the oldest first."""
        said = "select person, resource, allowed, reason from audit_events where act = ? and person like ? order by id"
        return self.sql(said, act, email_of(who) if who else "%")

    @contextlib.contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """Let one worker alone (0 or 1) take new connections: the others stand still meanwhile."""
        others = [pid for at, pid in enumerate(self.worker_pids()) if at != worker]
        assert len(others) == self.workers - 1, "every worker must be there"
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)

    def _ready(self) -> bool:
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as asked:
            try:
                asked.request("GET", "/readyz")
                return asked.getresponse().status == 200
            except OSError:
                return False


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
