"""Background work as people see it: one row a job."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.tables import Job

OPEN = ("waiting", "running")


def create(
    session: Session,
    *,
    id: str,
    kind: str,
    subject: str,
    at: datetime,
    owner_id: int | None = None,
    fingerprint: str = "",
) -> Job:
    """A waiting job."""
    job = Job(
        id=id,
        kind=kind,
        subject=subject,
        state="waiting",
        created_at=at,
        owner_id=owner_id,
        owner_fingerprint=fingerprint,
    )
    session.add(job)
    session.flush()
    return job


def get(session: Session, job_id: str) -> Job | None:
    """One job."""
    return session.get(Job, job_id)


def newest(session: Session, limit: int = 100) -> list[Job]:
    """Jobs, the newest first."""
    return list(session.scalars(select(Job).order_by(Job.created_at.desc(), Job.id).limit(limit)))


def with_state(session: Session, *states: str) -> list[Job]:
    """Jobs in one of these states, the oldest first."""
    return list(session.scalars(select(Job).where(Job.state.in_(states)).order_by(Job.created_at, Job.id)))


def newest_of(session: Session, kind: str, *states: str) -> Job | None:
    """The newest job of a kind in one of these states."""
    wanted = select(Job).where(Job.kind == kind, Job.state.in_(states))
    return session.scalar(wanted.order_by(Job.finished_at.desc(), Job.created_at.desc()).limit(1))


def change(session: Session, job_id: str, **facts: Any) -> None:
    """Write new facts of a job."""
    job = session.get(Job, job_id)
    if job is not None:
        for name, value in facts.items():
            setattr(job, name, value)
