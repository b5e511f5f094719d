"""Access reviews in the app database: who looked at whose access, what they looked at, and when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.tables import AccessReview, Person


def add(session: Session, person: Person, *, reviewer_id: int, at: datetime, outcome: str, note: str) -> None:
    """Keep that somebody looked at this person's access as it is now."""
    session.add(
        AccessReview(
            person_id=person.id,
            reviewer_id=reviewer_id,
            at=at,
            role=person.role,
            attributes=dict(person.attributes),
            outcome=outcome,
            note=note,
        )
    )


def newest(session: Session, before: datetime | None = None) -> dict[int, AccessReview]:
    """The last review of each person, or the last one before a moment."""
    wanted = select(AccessReview).order_by(AccessReview.at, AccessReview.id)
    if before is not None:
        wanted = wanted.where(AccessReview.at < before)
    return {review.person_id: review for review in session.scalars(wanted)}
