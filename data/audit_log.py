"""The audit log: appended in the transaction of the act, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data.tables import AuditEvent


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
            resource=resource[:254],
            allowed=allowed,
            reason=reason,
            detail=detail or {},
        )
    )


def recent(session: Session, *, person: str, act: str, resource: str, since: datetime) -> bool:
    """Was the same refusal written since then? Keeps a loop of refused requests from flooding the log."""
    wanted = select(AuditEvent.id).where(
        AuditEvent.person == person,
        AuditEvent.act == act,
        AuditEvent.resource == resource[:254],
        AuditEvent.allowed.is_(False),
        AuditEvent.at >= since,
    )
    return session.scalar(wanted.limit(1)) is not None


def found(
    session: Session,
    *,
    act: str = "",
    person: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    allowed: bool | None = None,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[AuditEvent], int]:
    """Events from ``since`` up to ``until`` (not included), the newest first, and how many there are in all."""
    wanted = select(AuditEvent)
    for condition in (
        AuditEvent.act == act if act else None,
        AuditEvent.person == person if person else None,
        AuditEvent.at >= since if since else None,
        AuditEvent.at < until if until else None,
        AuditEvent.allowed.is_(allowed) if allowed is not None else None,
    ):
        if condition is not None:
            wanted = wanted.where(condition)
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    page = wanted.order_by(AuditEvent.id.desc()).limit(limit).offset(offset)
    return list(session.scalars(page)), total


def acts(session: Session) -> list[str]:
    """The kinds of act that were recorded."""
    return list(session.scalars(select(AuditEvent.act).distinct().order_by(AuditEvent.act)))
