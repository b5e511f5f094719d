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


def newest(
    session: Session, *, act: str | None = None, person: str | None = None, limit: int = 200
) -> tuple[list[AuditEvent], int]:
    """The newest events, and how many match in all."""
    wanted = select(AuditEvent)
    if act:
        wanted = wanted.where(AuditEvent.act == act)
    if person:
        wanted = wanted.where(AuditEvent.person == person)
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    return list(session.scalars(wanted.order_by(AuditEvent.id.desc()).limit(limit))), total


def acts(session: Session) -> list[str]:
    """The kinds of act that were recorded."""
    return list(session.scalars(select(AuditEvent.act).distinct().order_by(AuditEvent.act)))
