"""The audit log: appended in the transaction of the act, never changed; only emptied when its time is over."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, func, or_, select
from sqlalchemy.orm import Session

from data import audit_chain, audit_emptied
from data.tables import AuditEvent

SALT_BYTES = 16
LONGEST_RESOURCE = 254
KNOWN_AS = "known there as"
"""Under which key an event repeats somebody's subject at the identity provider."""


def record(
    session: Session,
    *,
    at: datetime,
    person_id: int | None,
    person: str,
    act: str,
    resource: str = "",
    allowed: bool = True,
    reason: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Append one event."""
    session.add(
        AuditEvent(
            at=at,
            person_id=person_id,
            person=person,
            act=act,
            resource=resource[:LONGEST_RESOURCE],
            allowed=allowed,
            reason=reason,
            detail=detail or {},
            salt=secrets.token_hex(SALT_BYTES),
        )
    )


def recent(session: Session, *, person: str, act: str, resource: str, since: datetime) -> bool:
    """Was the same refusal written since then? Keeps a loop of refused requests from flooding the log."""
    wanted = select(AuditEvent.id).where(
        AuditEvent.person == person,
        AuditEvent.act == act,
        AuditEvent.resource == resource[:LONGEST_RESOURCE],
        AuditEvent.allowed.is_(False),
        AuditEvent.at >= since,
    )
    return session.scalar(wanted.limit(1)) is not None


def found(
    session: Session,
    *,
    act: str = "",
    person: str = "",
    person_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    allowed: bool | None = None,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[AuditEvent], int]:
    """Events from ``since`` up to ``until`` (not included), the newest first, and how many there are in all.

    ``person`` is an address; with ``person_id`` the emptied events of that person are found as well.
    """
    wanted = select(AuditEvent)
    for condition in (
        AuditEvent.act == act if act else None,
        _of_person(person, person_id) if person else None,
        AuditEvent.at >= since if since else None,
        AuditEvent.at < until if until else None,
        AuditEvent.allowed.is_(allowed) if allowed is not None else None,
    ):
        if condition is not None:
            wanted = wanted.where(condition)
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    page = wanted.order_by(AuditEvent.id.desc()).limit(limit).offset(offset)
    return list(session.scalars(page)), total


def _of_person(person: str, person_id: int | None) -> ColumnElement[bool]:
    """Emptied events do not say the address any more; they still say the number."""
    named = AuditEvent.person == person
    return named if person_id is None else or_(named, AuditEvent.person_id == person_id)


def acts(session: Session) -> list[str]:
    """The kinds of act that were recorded."""
    return list(session.scalars(select(AuditEvent.act).distinct().order_by(AuditEvent.act)))


def count_over(session: Session, acts_: list[str], before: datetime) -> int:
    """How many events of these acts from before a moment still carry their words."""
    return session.scalar(select(func.count()).select_from(_over(acts_, before).subquery())) or 0


def empty_over(session: Session, acts_: list[str], before: datetime, at: datetime, *, after: int, limit: int) -> int:
    """Empty the next events of these acts from before a moment; gives the last one's id, ``after`` where none is left.

    To be called when the transaction, or an earlier one, has written ``audit.retain``.
    """
    wanted = _over(acts_, before).where(AuditEvent.id > after).order_by(AuditEvent.id).limit(limit)
    for event in session.scalars(wanted).all():
        audit_emptied.empty(event, audit_chain.content_hash(event), at)
        after = event.id
    return after


def addresses(session: Session, person_id: int) -> set[str]:
    """Every address that a person had, by their own events."""
    own = select(AuditEvent.person, AuditEvent.act, AuditEvent.detail).where(AuditEvent.person_id == person_id)
    found: set[str] = set()
    for person, act, detail in session.execute(own):
        before = str(detail.get("e-mail", "")).split(" → ") if act == "person.refresh" else []
        found |= {said for said in (person, *before) if "@" in said}
    return found


def naming(
    session: Session, person_id: int, emails: Sequence[str], subjects: Sequence[str] = ()
) -> tuple[list[AuditEvent], int]:
    """Every event that a person did or that repeats an address or a subject of theirs, with its words still in it; and
    how many more are of an older Lakelight, which cannot be emptied. What accounts for emptied events names nobody.
    """
    detail = cast(AuditEvent.detail, String)
    wanted = select(AuditEvent).where(
        AuditEvent.emptied_at.is_(None),
        AuditEvent.act.not_in((audit_emptied.RETAIN, audit_emptied.ERASE)),
        or_(
            AuditEvent.person_id == person_id,
            AuditEvent.person.in_(emails),
            *(
                column.contains(e, autoescape=True)
                for e in emails
                for column in (AuditEvent.resource, AuditEvent.reason)
            ),
            *(detail.contains(json.dumps(t)[1:-1], autoescape=True) for t in (*emails, *subjects)),
            *(detail.contains(text, autoescape=True) for text in (*emails, *subjects)),
        ),
    )
    texts = [rf"(?<![\w.+-]){re.escape(e)}(?![\w-]|\.\w)" for e in emails]
    texts += [re.escape(json.dumps({KNOWN_AS: s}, ensure_ascii=False)[1:-1]) for s in subjects]
    whole = re.compile("|".join(texts))
    found = [
        event
        for event in session.scalars(wanted.order_by(AuditEvent.id))
        if event.person_id == person_id or whole.search(_said(event))
    ]
    full = [event for event in found if event.salt]
    return full, len(found) - len(full)


def _said(event: AuditEvent) -> str:
    detail = json.dumps(event.detail, ensure_ascii=False)
    return "\n".join((event.person, event.resource, event.reason, detail))


def _full() -> Select[AuditEvent]:
    """Events that can be emptied: those with a salt. What an older Lakelight wrote without one stays as it is."""
    return select(AuditEvent).where(AuditEvent.emptied_at.is_(None), AuditEvent.salt != "")


def _over(acts_: list[str], before: datetime) -> Select[AuditEvent]:
    return _full().where(AuditEvent.act.in_(acts_), AuditEvent.at < before)


def on_resources(session: Session, names: list[str], *, since: datetime, until: datetime) -> list[AuditEvent]:
    """What was done, and not refused, to rows of these lists and datasets: resources such as "name/key"."""
    of = or_(*(AuditEvent.resource.startswith(f"{name}/", autoescape=True) for name in names))
    wanted = select(AuditEvent).where(AuditEvent.at >= since, AuditEvent.at < until, AuditEvent.allowed.is_(True), of)
    return list(session.scalars(wanted.order_by(AuditEvent.id)))


def of_acts(
    session: Session, acts: Sequence[str], resources: list[str], *, since: datetime, until: datetime
) -> list[AuditEvent]:
    """Acts of some kinds that were not refused; of ``resources`` only, where there are any."""
    wanted = select(AuditEvent).where(AuditEvent.at >= since, AuditEvent.at < until, AuditEvent.act.in_(acts))
    wanted = wanted.where(AuditEvent.allowed.is_(True), AuditEvent.emptied_at.is_(None))
    if resources:
        wanted = wanted.where(AuditEvent.resource.in_(resources))
    return list(session.scalars(wanted.order_by(AuditEvent.id)))


def emptied(session: Session, acts: Sequence[str], *, since: datetime, until: datetime) -> int:
    """How many events of these acts and days no longer say what they were about."""
    wanted = select(func.count()).where(AuditEvent.at >= since, AuditEvent.at < until, AuditEvent.act.in_(acts))
    return session.scalar(wanted.where(AuditEvent.emptied_at.is_not(None))) or 0
