"""The workspace's files as they were from a moment on: kept so that it can be told later who could see what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.tables import PolicyVersion


def newest(session: Session) -> PolicyVersion | None:
    """The version in force; in a writing transaction nobody else can add one meanwhile."""
    return session.scalar(select(PolicyVersion).order_by(PolicyVersion.id.desc()).limit(1).with_for_update())


def add(session: Session, *, at: datetime, digest: str, files: Mapping[str, str]) -> PolicyVersion:
    """Keep a new version."""
    made = PolicyVersion(at=at, digest=digest, files=dict(files))
    session.add(made)
    session.flush()
    return made


def at(session: Session, moment: datetime) -> PolicyVersion | None:
    """The version in force at a moment; None before the first one."""
    wanted = select(PolicyVersion).where(PolicyVersion.at <= moment)
    return session.scalar(wanted.order_by(PolicyVersion.at.desc(), PolicyVersion.id.desc()).limit(1))


def between(session: Session, since: datetime, until: datetime) -> list[PolicyVersion]:
    """The versions that came into force after a moment and before another one."""
    wanted = select(PolicyVersion).where(PolicyVersion.at > since, PolicyVersion.at < until)
    return list(session.scalars(wanted.order_by(PolicyVersion.at, PolicyVersion.id)))


def first(session: Session) -> PolicyVersion | None:
    """The oldest version that was kept."""
    return session.scalar(select(PolicyVersion).order_by(PolicyVersion.id).limit(1))
