"""What happened to a model: who admitted or refused its versions and published its scores, read from the audit log."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.tables import AuditEvent

ACTS = ("model.admit", "model.refuse", "model.promote", "model.rollback", "scores.publish")


def newest(session: Session, resources: Iterable[str], limit: int = 200) -> list[AuditEvent]:
    """The newest decisions about these resources: a model of the workspace, or versions as ``name/number``."""
    named = [resource[:254] for resource in resources]
    wanted = select(AuditEvent).where(AuditEvent.resource.in_(named), AuditEvent.act.in_(ACTS))
    return list(session.scalars(wanted.order_by(AuditEvent.id.desc()).limit(limit)))
