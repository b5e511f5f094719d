"""The background door: publication, registry sync, admission, scoring. ``python cli.py worker``. No logic.

The app database's log is moved into the database here and nowhere else. One worker an instance: a second one refuses.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

log = logging.getLogger("lakelight.worker")
TICK_SECONDS, PAUSE_SECONDS, PATIENCE_SECONDS = 1.0, 5.0, 1.0


def work(say: Callable[[str], None]) -> None:
    """Work until the process is told to stop. Raises ``services.locks.Taken`` where another worker is at work."""
    from services import locks, policy_versions
    from services.background import Background
    from services.settings import from_environment

    settings = from_environment()
    with locks.held(settings.instance, locks.WORKER):
        stop = threading.Event()
        _listen(stop)
        from services.durable import Durable

        sources = policy_versions.start(settings)
        background = Background(sources, Durable(sources), seconds=time.monotonic, say=say)
        background.settle()
        say("The worker is ready.")
        while not stop.is_set():
            try:
                background.tick()
            except Exception:
                log.exception("a turn of the worker failed; the next one is soon")
                stop.wait(PAUSE_SECONDS)
            stop.wait(TICK_SECONDS)
        sources.store.checkpoint()
        _leave()


def _listen(stop: threading.Event) -> None:
    def told(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        threading.Timer(PATIENCE_SECONDS, _leave).start()

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)


def _leave() -> None:
    """End now, in the middle of a step if there is one: it is done again at the next start."""
    for child in multiprocessing.active_children():
        child.kill()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    from services import interpreter

    interpreter.use_own(Path(__file__).resolve().parent, sys.argv)
    from cli import main

    sys.exit(main(["worker"]))
