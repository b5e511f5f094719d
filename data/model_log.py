"""What happened to a model: who admitted or refused its versions and published its scores, read from the audit log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from data.tables import AuditEvent

ACTS = ("model.admit", "model.refuse", "model.promote", "model.rollback", "scores.publish")


def newest(session: Session, resources: Iterable[str], limit: int = 200) -> list[AuditEvent]:
    """The newest decisions about these resources: a model of the workspace, or versions as ``name/number``."""
    named = [resource[:254] for resource in resources]
    wanted = select(AuditEvent).where(AuditEvent.resource.in_(named), AuditEvent.act.in_(ACTS))
    return list(session.scalars(wanted.order_by(AuditEvent.id.desc()).limit(limit)))


def decisions(session: Session, resources: Iterable[str], before: datetime) -> list[AuditEvent]:
    """Every decision before a moment about models of the workspace and versions of registered models, oldest first."""
    named = list(dict.fromkeys(resources))
    of = or_(
        AuditEvent.resource.in_(named),
        *(AuditEvent.resource.startswith(f"{name}/", autoescape=True) for name in named),
    )
    wanted = select(AuditEvent).where(of, AuditEvent.act.in_(ACTS), AuditEvent.at < before)
    return list(session.scalars(wanted.order_by(AuditEvent.id)))
