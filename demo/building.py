"""The build as a job that people see: its row says how far it is, so that pages can say what is still to come."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from demo import build as demo_build
from demo.build import Progress
from services import jobs, locks
from services.settings import Settings
from services.sources import Sources, open_sources

Bar = demo_build.Bar
TELL_SECONDS = 0.5


class Lines:
    """Progress as lines, one for each thing done."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._last = say, ""

    def __call__(self, done: int, of: int, message: str) -> None:
        """Say it where it is new."""
        if message != self._last:
            self._last = message
            self._say(f"{100 * done // max(1, of):3d} %  {message}")


def run(settings: Settings, show: Progress) -> None:
    """Build what is missing; a finished demo is left alone at once. Raises ``services.locks.Taken``."""
    if demo_build.is_built(settings):
        with closing(open_sources(settings)) as sources:
            jobs.settle_built(sources)
        return
    with locks.held(settings.instance, locks.BUILD), closing(open_sources(settings)) as sources:
        jobs.begin_build(sources)
        try:
            demo_build.build(settings, progress=_Told(sources, show))
        except BaseException as problem:
            jobs.end_build(sources, f"The preparation of the demo stopped: {str(problem)[:200] or 'it was ended'}.")
            raise
        jobs.end_build(sources)


class _Told:
    """Progress into the job's row, at most twice a second, and to whoever watches."""

    def __init__(self, sources: Sources, show: Progress) -> None:
        self._sources, self._show = sources, show
        self._last = 0.0

    def __call__(self, done: int, of: int, message: str) -> None:
        """How far it is."""
        self._show(done, of, message)
        if time.monotonic() - self._last >= TELL_SECONDS:
            self._last = time.monotonic()
            jobs.tell_build(self._sources, 100 * done // max(1, of), f"{message}.")
