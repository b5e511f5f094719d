"""The audit log's hash chain: whoever changes, removes, slips in, moves or cuts off a record is found out.

The worker seals what was committed. The seal at a position holds the SHA-256 of the seal before it and of its event
(Schneier and Kelsey, *Secure audit logs to support computer forensics*, 1999, without their evolving key). Somebody
who may write to the database could make a whole new chain; anchors, kept outside it, say what the chain was.

What an event says of people can be emptied when its time is over: the seal holds only a salted hash of it, which stays.
An emptied event is sound where a later event of the log accounts for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from data import audit_emptied
from data.tables import AuditEvent, AuditSeal

GENESIS = "0" * 64
PLAIN, FORM = 1, 2
"""The forms of a seal: 1 hashes the event as it stands, 2 its fixed parts and the hash of the others."""
MOST_AT_ONCE = 1_000
LATE = 1_000
"""How many ids back an event may be committed after a later one was sealed."""
BACKWARDS = timedelta(minutes=5)
"""How far clocks may differ: an event that is older than the one before it by more was slipped in."""
IN_TIME = timedelta(minutes=1)


@dataclass(frozen=True)
class Anchor:
    """What the chain was at a position."""

    position: int
    chain: str


@dataclass(frozen=True)
class Broken:
    """The first record that is not what it was: its place in the chain, the event's id if known, what is wrong."""

    position: int
    event_id: int | None
    sentence: str


def content(event: AuditEvent) -> str:
    """The hash of what can be emptied: of an emptied event the one it kept. The salt keeps it from being guessed."""
    return event.content if event.emptied_at is not None else content_hash(event)


def content_hash(event: AuditEvent) -> str:
    """The hash of the words that an event carries now."""
    return _hash([event.salt, event.person, event.resource, event.reason, event.detail])


def link(before: str, position: int, event: AuditEvent, form: int = FORM) -> str:
    """The chain's value at a position, from the value before it and all that the event says."""
    at = event.at.astimezone(UTC).isoformat(timespec="microseconds")
    if form == PLAIN:
        said = [
            before, position, event.id, at, event.person_id, event.person, event.act, event.resource, event.allowed,
            event.reason, event.detail,
        ]  # fmt: skip
    else:
        said = [before, position, event.id, at, event.person_id, event.act, event.allowed, content(event)]
    return _hash(said)


def _hash(said: list[object]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def form_of(event: AuditEvent) -> int:
    """How an event is sealed: what carries no salt was written by an older Lakelight and is never emptied."""
    return FORM if event.salt or event.content else PLAIN


def newest(session: Session) -> Anchor | None:
    """The end of the chain, None before the first seal."""
    found = session.scalar(select(AuditSeal).order_by(AuditSeal.position.desc()).limit(1))
    return None if found is None else Anchor(found.position, found.chain)


def seal(session: Session, at: datetime) -> Anchor | None:
    """Seal committed events that are not sealed yet, by id; gives the new end of the chain, None where there was none.

    Ids are not always committed in their order: events a little before the last sealed one are looked for again.
    """
    end, made = newest(session) or Anchor(0, GENESIS), None
    for event in session.scalars(_waiting(session)).all():
        form = form_of(event)
        end = made = Anchor(end.position + 1, link(end.chain, end.position + 1, event, form))
        session.add(AuditSeal(position=made.position, event_id=event.id, sealed_at=at, chain=made.chain, form=form))
    return made


def waits(session: Session) -> bool:
    """Is there an event to seal?"""
    return session.scalar(_waiting(session).limit(1)) is not None


def _waiting(session: Session) -> Select[AuditEvent]:
    horizon = (session.scalar(select(func.max(AuditSeal.event_id))) or 0) - LATE
    return (
        select(AuditEvent)
        .outerjoin(AuditSeal, AuditSeal.event_id == AuditEvent.id)
        .where(AuditEvent.id > horizon, AuditSeal.position.is_(None))
        .order_by(AuditEvent.id)
        .limit(MOST_AT_ONCE)
    )


def first_broken(session: Session, anchors: Sequence[Anchor], now: datetime) -> Broken | None:
    """Walk the whole chain; None where every record is what it was when it was sealed."""
    held, end = {anchor.position: anchor.chain for anchor in anchors}, Anchor(0, GENESIS)
    before: AuditEvent | None = None
    accounts = audit_emptied.accounts(session)
    for sealed, event in _records(session):
        wrong = _wrong(end, sealed, event, before)
        wrong = wrong or _not_accounted(sealed, event, accounts) or _not_anchored(sealed, held)
        if wrong:
            return Broken(end.position + 1, sealed.event_id, wrong)
        end, before = Anchor(sealed.position, sealed.chain), event
    longest = max(held, default=0)
    if longest > end.position:
        said = f"The chain ends at {end.position}; it went on to {longest}: it was cut off."
        return Broken(end.position + 1, None, said)
    return _unsealed(session, end, now)


def _records(session: Session) -> Iterator[tuple[AuditSeal, AuditEvent | None]]:
    wanted = (
        select(AuditSeal, AuditEvent)
        .outerjoin(AuditEvent, AuditEvent.id == AuditSeal.event_id)
        .order_by(AuditSeal.position)
        .execution_options(yield_per=1_000)
    )
    yield from session.execute(wanted)


def _wrong(end: Anchor, sealed: AuditSeal, event: AuditEvent | None, before: AuditEvent | None) -> str:
    if sealed.position != end.position + 1:
        return f"The seal at {end.position + 1} is missing."
    if event is None:
        return f"Event {sealed.event_id} was removed."
    if link(end.chain, sealed.position, event, sealed.form) != sealed.chain:
        return f"Event {event.id}, its place or its seal was changed."
    if before is not None and event.at < before.at - BACKWARDS:
        said = f"Event {event.id} carries a time before that of event {before.id}"
        return f"{said}: it was slipped in, or a clock went back."
    return ""


def _not_accounted(sealed: AuditSeal, event: AuditEvent | None, accounts: audit_emptied.Accounts) -> str:
    if event is None or event.emptied_at is None:
        return ""
    if sealed.form == PLAIN or not audit_emptied.is_empty(event):
        return f"Event {event.id} says that it was emptied, and it was not."
    if not accounts.cover(event, sealed.position):
        return f"Event {event.id} was emptied, and no later event of the log accounts for it."
    return ""


def _not_anchored(sealed: AuditSeal, held: dict[int, str]) -> str:
    if held.get(sealed.position, sealed.chain) == sealed.chain:
        return ""
    return f"The chain at {sealed.position} is another one than was anchored: it was made anew up to here."


def _unsealed(session: Session, end: Anchor, now: datetime) -> Broken | None:
    """An event that nobody sealed in time: the worker does not run, or somebody wrote it past the log."""
    found = session.scalar(
        select(AuditEvent)
        .outerjoin(AuditSeal, AuditSeal.event_id == AuditEvent.id)
        .where(AuditSeal.position.is_(None), AuditEvent.at < now - IN_TIME)
        .order_by(AuditEvent.id)
        .limit(1)
    )
    if found is None:
        return None
    said = f"Event {found.id} is not sealed: the worker has not run since, or it was slipped in."
    return Broken(end.position + 1, found.id, said)
