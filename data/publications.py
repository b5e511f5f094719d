"""Which version of each dataset pages read, and which source files were held back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from data.tables import Publication, Quarantined


def current(session: Session, dataset: str) -> Publication | None:
    """The published version that pages read."""
    return session.scalar(select(Publication).where(Publication.dataset == dataset, Publication.current.is_(True)))


def all_current(session: Session) -> dict[str, Publication]:
    """The published version of every dataset."""
    return {p.dataset: p for p in session.scalars(select(Publication).where(Publication.current.is_(True)))}


def publish(session: Session, made: Publication) -> None:
    """Make a new version the current one."""
    session.execute(update(Publication).where(Publication.dataset == made.dataset).values(current=False))
    made.current = True
    session.add(made)
    session.flush()


def history(session: Session, dataset: str, limit: int = 20) -> list[Publication]:
    """Published versions, the newest first."""
    wanted = select(Publication).where(Publication.dataset == dataset).order_by(Publication.id.desc()).limit(limit)
    return list(session.scalars(wanted))


def before(session: Session, dataset: str, moment: datetime) -> Publication | None:
    """The version that pages read just before a moment; None where nothing was published by then."""
    wanted = select(Publication).where(Publication.dataset == dataset, Publication.published_at < moment)
    return session.scalar(wanted.order_by(Publication.published_at.desc(), Publication.id.desc()).limit(1))


def open_quarantine(session: Session, dataset: str | None = None) -> list[Quarantined]:
    """Files that are held back now."""
    wanted = select(Quarantined).where(Quarantined.resolved_at.is_(None)).order_by(Quarantined.id)
    return list(session.scalars(wanted.where(Quarantined.dataset == dataset) if dataset else wanted))


def quarantine(session: Session, *, dataset: str, file: str, reason: str, at: datetime) -> None:
    """Hold a file back; the same file with the same reason is written once."""
    if not any(q.file == file and q.reason == reason for q in open_quarantine(session, dataset)):
        resolve(session, dataset, at)
        session.add(Quarantined(dataset=dataset, file=file, reason=reason, found_at=at))


def resolve(session: Session, dataset: str, at: datetime) -> None:
    """The dataset's files are good again."""
    session.execute(
        update(Quarantined)
        .where(Quarantined.dataset == dataset, Quarantined.resolved_at.is_(None))
        .values(resolved_at=at)
    )
