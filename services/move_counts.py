"""Moves of the what-if's controls, counted in memory until they are written as one audit event.

A person who drags a slider asks twenty times in two seconds; an event each would cost a write each and bury the log. A
count is written a minute after its first move, when its session opens another row, and when the process ends.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.access import Viewer

WAIT = timedelta(minutes=1)


@dataclass(frozen=True)
class Moves:
    """How often one session moved the inputs of one row since ``since``, and which inputs."""

    viewer: Viewer
    resource: str
    count: int
    changed: frozenset[str]
    since: datetime


class MoveCounts:
    """The counts of one process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[int, str, str], Moves] = {}
        self._armed = self._waiting = False

    def add(self, viewer: Viewer, resource: str, changed: Iterable[str], at: datetime) -> bool:
        """Count one move. True for the first of a new count: somebody has to write it in a while."""
        key = (viewer.person_id, viewer.session_id, resource)
        with self._lock:
            known = self._kept.get(key)
            before = known or Moves(viewer, resource, 0, frozenset(), at)
            self._kept[key] = replace(before, count=before.count + 1, changed=before.changed | frozenset(changed))
            return known is None

    def take(self, *, before: datetime | None = None, session_id: str | None = None) -> tuple[Moves, ...]:
        """Hand over counts and forget them: those begun before a time, and all of one session. Neither said: all."""
        every = before is None and session_id is None
        with self._lock:
            taken = [
                key
                for key, moves in self._kept.items()
                if every
                or (before is not None and moves.since <= before)
                or (session_id is not None and moves.viewer.session_id == session_id)
            ]
            return tuple(self._kept.pop(key) for key in taken)

    def put_back(self, moves: Moves) -> None:
        """Keep a count that could not be written, with what was counted since."""
        key = (moves.viewer.person_id, moves.viewer.session_id, moves.resource)
        with self._lock:
            since = self._kept.get(key)
            more, changed = (since.count, since.changed) if since else (0, frozenset[str]())
            self._kept[key] = replace(moves, count=moves.count + more, changed=moves.changed | changed)

    def write_later(self, write: Callable[[], None]) -> None:
        """Call ``write`` a little after the wait is over, and when the process ends; no thread keeps it alive.

        One timer waits for all counts, whoever begins them: a thread for each could be had by the thousand.
        """
        with self._lock:
            armed, self._armed = self._armed, True
            waiting, self._waiting = self._waiting, True
        if not armed:
            atexit.register(write)
        if not waiting:
            timer = threading.Timer(WAIT.total_seconds() + 1, self._over, (write,))
            timer.daemon = True
            timer.start()

    def _over(self, write: Callable[[], None]) -> None:
        with self._lock:
            self._waiting = False
        write()
