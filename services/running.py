"""Web, worker and the demo's preparation side by side, as one command that starts and ends them together."""

from __future__ import annotations

import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from services import instance, locks
from services.settings import DEMO_WORKSPACE, Settings
from services.supervision import Ended, Processes

WEB, WORKER, BUILD = "The web process", "The worker", "The preparation of the demo"
GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py")
LOOK_SECONDS = 0.05
RESTARTS, RESTART_SECONDS = 3, 600.0
Say = Callable[[str], None]


def check(settings: Settings, say: Say) -> None:
    """All that can be wrong before anything is started, and the first preparation. Raises ``InstanceProblem``."""
    instance.check_writable(settings)
    instance.check_port(settings)
    if not instance.is_ready(settings):
        instance.prepare(settings, say)


def become_web(root: Path) -> None:
    """Turn this process into the web server's master."""
    os.chdir(root)
    os.execv(GUNICORN[0], GUNICORN)  # noqa: S606  our own interpreter


def address(settings: Settings) -> str:
    """Where a browser on this machine finds the app."""
    host = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104  compared only
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def run(settings: Settings, root: Path, say: Say) -> int:
    """Start everything, say where it is served, and end everything on Ctrl-C or when a part cannot go on."""
    check(settings, say)
    if locks.is_taken(settings.instance, locks.WORKER):
        raise locks.Taken(locks.WORKER)
    return _Run(settings, root, say).to_the_end()


class _Run:
    """One run: what was started, what was said, when the worker was started again."""

    def __init__(self, settings: Settings, root: Path, say: Say) -> None:
        self._settings, self._say = settings, say
        self._processes = Processes(root)
        self._restarts: list[float] = []
        self._told = False
        self._served = False

    def to_the_end(self) -> int:
        """Gives the exit code."""
        for what in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(what, self._end)
        self._processes.start(WEB, GUNICORN)
        self._processes.start(WORKER, self._command("worker"))
        if self._settings.workspace.resolve() == DEMO_WORKSPACE:
            self._processes.start(BUILD, self._command("demo", "build", "--lines"))
        try:
            return self._watch()
        finally:
            self._processes.end()
            self._say("Ended.")

    def _watch(self) -> int:
        while not self._told:
            if not self._served and self._answers():
                self._served = True
                self._say(f"Lakelight is served on {address(self._settings)}  (Ctrl-C ends it)")
            for ended in self._processes.ended():
                if self._told or not self._goes_on(ended):
                    return 0 if self._told else 1
            time.sleep(LOOK_SECONDS if not self._served else 4 * LOOK_SECONDS)
        return 0

    def _goes_on(self, ended: Ended) -> bool:
        """Can the rest go on without it? A worker is started again a few times; it goes on where it was."""
        if ended.name == BUILD:
            if ended.code:
                self._say(f"{BUILD} {ended.how}. Pages show what is there; the next start goes on with it.")
            return True
        if ended.name == WORKER and self._may_restart():
            self._say(f"{WORKER} {ended.how}. It is started again and goes on where it was.")
            self._processes.start(WORKER, self._command("worker"))
            return True
        self._say(f"{ended.name} {ended.how}, so everything is ended. Look into {self._settings.instance / 'logs'}.")
        return False

    def _may_restart(self) -> bool:
        """Three times in ten minutes; a worker that ends more often has a reason that a restart does not mend."""
        now = time.monotonic()
        self._restarts = [at for at in self._restarts if now - at < RESTART_SECONDS] + [now]
        return len(self._restarts) <= RESTARTS

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{address(self._settings)}/readyz", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _command(self, *words: str) -> tuple[str, ...]:
        return (sys.executable, "cli.py", *words)

    def _end(self, _signal: int, _frame: FrameType | None) -> None:
        self._told = True
