"""What is forgotten of a person, table by table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from data.tables import AccessReview, Identity, Person, SignInSession, Ticket


def forget(session: Session, person: Person, *, name: str, email: str, at: datetime) -> None:
    """Take away all that says who a person was; the row stays, so that numbers elsewhere go on meaning somebody."""
    for table in (SignInSession, Identity, Ticket):
        session.execute(delete(table).where(table.person_id == person.id))
    session.execute(update(AccessReview).where(AccessReview.person_id == person.id).values(note=""))
    person.name, person.email, person.erased_at = name, email, at
    person.password_hash, person.password_once, person.attributes = "", False, {}
    person.second_factor, person.second_factor_step, person.second_factor_since = "", 0, None
    person.recovery_codes, person.last_sign_in_at, person.active = [], None, False
