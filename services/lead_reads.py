"""Reading a list is an act, scrolling through it is not: one event for a question, and one each time what may have been
read of it doubles. An event says at most how far the rows went, so that no read row is without an event.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from data.kept_questions import filter_json, order_json
from data.periods import day_of
from data.questions import Select
from services import audit
from services.access import Viewer
from services.lead_lists import Asked
from services.lead_query import LeadQuery
from services.sources import Sources

FIRST = 200


class _Reach:
    """How far one question of one session is written down. A process that forgets it writes the event again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written = 0

    def cover(self, end: int, write: Callable[[int], None]) -> None:
        """Write the new reach where ``end`` is not covered yet. What could not be written covers nothing."""
        with self._lock:
            if end <= self._written:
                return
            reach = max(FIRST, self._written)
            while reach < end:
                reach *= 2
            write(reach)
            self._written = reach


def kept(found: Asked, question: Select) -> dict[str, Any]:
    """What an event keeps of a question so that its rows can be worked out later (``services.record_trail``): the run,
    the viewer's rows, the filter with all that was chosen, and the order. It holds no row.
    """
    asked = {
        "run": found.run.id,
        "where": filter_json(found.where),
        "filter": filter_json(question.filter),
        "order": order_json(question.order),
    }
    return {"version": found.run.version, "asked": asked}


def record(
    viewer: Viewer, sources: Sources, found: Asked, query: LeadQuery, *, question: Select, end: int, total: int
) -> None:
    """Write that this viewer reads the rows of a question up to ``end``, unless an event covers it already.

    An event speaks of one business day and one scope: the next day, and through other eyes, it is written again.
    """
    asked, day = query.to_url(), day_of(sources.clock(), sources.workspace.lake.timezone)
    who = (viewer.session_id, viewer.person_id, viewer.seen_as, viewer.fingerprint, day)
    key = ("lead reads", *who, found.run.scores, found.of, asked)

    def write(reach: int) -> None:
        act = "leads.open" if reach == FIRST else "leads.read"
        detail = {"of": found.of, "query": asked, "rows": min(reach, total), "matching": total}
        audit.record(viewer, sources, act, found.name, detail=detail | kept(found, question))

    sources.cache.get_or_make(key, _Reach).cover(end, write)
