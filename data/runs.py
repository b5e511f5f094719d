"""Score runs: which one pages read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from data.tables import ScoreRun


def current(session: Session, model: str) -> ScoreRun | None:
    """The run of a model that pages read."""
    return session.scalar(select(ScoreRun).where(ScoreRun.model == model, ScoreRun.current.is_(True)))


def make_current(session: Session, run: ScoreRun) -> None:
    """Move the pointer of a model to this run."""
    session.execute(update(ScoreRun).where(ScoreRun.model == run.model).values(current=False))
    run.current = True
    session.add(run)
    session.flush()


def by_id(session: Session, run: int) -> ScoreRun | None:
    """The run with this id."""
    return session.get(ScoreRun, run)


def newest(session: Session, model: str, before: datetime) -> ScoreRun | None:
    """The last run of a model that was shown before a moment."""
    wanted = select(ScoreRun).where(ScoreRun.model == model, ScoreRun.scored_at < before)
    return session.scalar(wanted.order_by(ScoreRun.id.desc()).limit(1))
