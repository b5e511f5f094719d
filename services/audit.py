"""Every act is an audit event; the log answers who did what, to whom it may say so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data import audit_log
from services.access import Viewer, require
from services.sources import Sources


@dataclass(frozen=True)
class AuditLine:
    """One event as a line of the log."""

    at: datetime
    person: str
    act: str
    resource: str
    allowed: bool
    reason: str
    detail: str


@dataclass(frozen=True)
class AuditPage:
    """The newest events, how many there are, and the kinds of act to choose from."""

    lines: tuple[AuditLine, ...]
    total: int
    acts: tuple[str, ...]
    act: str


def record(
    viewer: Viewer,
    sources: Sources,
    act: str,
    resource: str = "",
    *,
    allowed: bool = True,
    reason: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Write one event in a transaction of its own, for acts that write nothing else."""
    with sources.store.begin() as session:
        audit_log.record(
            session,
            at=sources.clock(),
            person_id=viewer.person_id,
            person=viewer.email,
            act=act,
            resource=resource,
            allowed=allowed,
            reason=reason,
            detail=detail,
        )


def events(viewer: Viewer, sources: Sources, act: str = "") -> AuditPage:
    """The newest 200 events, all or of one kind."""
    require(viewer, "audit:read")
    with sources.store.read() as session:
        found, total = audit_log.newest(session, act=act or None)
        acts = audit_log.acts(session)
    lines = tuple(AuditLine(e.at, e.person, e.act, e.resource, e.allowed, e.reason, _said(e.detail)) for e in found)
    return AuditPage(lines, total, tuple(acts), act)


def _said(detail: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in detail.items() if v not in ("", None, []))
