"""Events whose words are gone: because their time was over, or because their person was erased.

The event stays in its place with what it is about at heart (when, which person's number, which act, allowed or not) and
with the hash of what it said. Two acts account for emptied events, and are themselves never emptied:

* ``audit.retain``: events of ``acts`` from before the day ``before`` (UTC), at least ``LEAST_DAYS`` before the act;
* ``person.erase``: events of the person with number ``person``, and the events ``about`` that person by id; neither
  those of the acts ``kept``, nor what was taken away, nor the history of the models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from data import model_log
from data.tables import AuditEvent, AuditSeal

RETAIN, ERASE = "audit.retain", "person.erase"
NEVER = frozenset({RETAIN, ERASE, *model_log.ACTS})
"""Never emptied: what accounts for emptied events, and the history of the models."""
TAKING = frozenset({"file.take", "leads.export", "evidence.take", "policy.take"})
"""What left the house: no erasure accounts for these, whatever it says; only the days of their class do."""
LEAST_DAYS = 30
"""No class of events is kept for less; ``AccessFile.retention`` refuses fewer."""
UNSEALED = math.inf


@dataclass(frozen=True)
class Erased:
    """A person's erasure: its place in the chain and the acts whose events it left."""

    position: float
    kept: frozenset[str]


@dataclass(frozen=True)
class Accounts:
    """What accounts for emptied events: by act the latest cut-off and its place; by person; by event."""

    over: dict[str, tuple[datetime, float]]
    people: dict[int, Erased]
    about: dict[int, Erased]

    def cover(self, event: AuditEvent, position: int) -> bool:
        """Does an event later than this place say that this one was emptied?"""
        if event.act in NEVER:
            return False
        cut, place = self.over.get(event.act, (None, 0.0))
        if cut is not None and event.at < cut and place > position:
            return True
        named = (self.people.get(event.person_id or 0), self.about.get(event.id))
        return any(e.position > position and event.act not in e.kept | TAKING for e in named if e)


def accounts(session: Session) -> Accounts:
    """What the log says of emptied events. An event that the worker is about to seal counts as the last one."""
    over: dict[str, tuple[datetime, float]] = {}
    people: dict[int, Erased] = {}
    about: dict[int, Erased] = {}
    wanted = (
        select(AuditEvent, AuditSeal.position)
        .outerjoin(AuditSeal, AuditSeal.event_id == AuditEvent.id)
        .where(AuditEvent.act.in_((RETAIN, ERASE)), AuditEvent.allowed)
        .order_by(AuditEvent.id)
    )
    for event, sealed_at in session.execute(wanted):
        place = UNSEALED if sealed_at is None else float(sealed_at)
        said = event.detail if isinstance(event.detail, dict) else {}
        if event.act == RETAIN:
            over = _later(over, _cut_off(said.get("before"), event.at), place, _list(said.get("acts")))
        elif isinstance(said.get("person"), int):
            erased = people[said["person"]] = Erased(place, frozenset(map(str, _list(said.get("kept")))))
            about |= {one: erased for one in _list(said.get("about")) if isinstance(one, int)}
    return Accounts(over, people, about)


def _later(
    over: dict[str, tuple[datetime, float]], cut: datetime | None, place: float, acts: list[Any]
) -> dict[str, tuple[datetime, float]]:
    """The latest cut-off of each act. An event it does not cover is younger than any earlier one could reach."""
    if cut is None:
        return over
    return over | {act: max(over.get(act, (cut, place)), (cut, place)) for act in map(str, acts)}


def midnight(day: date) -> datetime:
    """When a cut-off day begins. UTC, so that it needs no look at the workspace to be verified."""
    return datetime.combine(day, time(), UTC)


def _cut_off(said: Any, at: datetime) -> datetime | None:
    """The cut-off that a retention names; None where it is none, or nearer than any retention may come."""
    try:
        cut = midnight(date.fromisoformat(str(said)))
    except ValueError:
        return None
    return cut if cut <= at - timedelta(days=LEAST_DAYS) else None


def _list(said: Any) -> list[Any]:
    return said if isinstance(said, list) else []


def pseudonym(person_id: int) -> str:
    """What stands for somebody who was erased."""
    return f"erased-{person_id}"


def is_empty(event: AuditEvent) -> bool:
    """Does an event that says it was emptied say nothing more?"""
    names = {""} | ({pseudonym(event.person_id)} if event.person_id else set())
    bare = not (event.resource or event.reason or event.detail or event.salt)
    return bare and event.person in names and len(event.content) == 64


def empty(event: AuditEvent, content: str, at: datetime, person: str = "") -> None:
    """Take an event's words away and keep their hash; in the transaction of what accounts for it, or after it."""
    event.content, event.person, event.resource, event.reason = content, person, "", ""
    event.detail, event.salt, event.emptied_at = {}, "", at
