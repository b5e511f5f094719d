"""Who people are at the identity provider: (issuer, subject), and never an e-mail address."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.tables import Identity


def find(session: Session, issuer: str, subject: str) -> Identity | None:
    """The identity of a subject at an issuer."""
    return session.get(Identity, (issuer, subject))


def add(session: Session, *, issuer: str, subject: str, person_id: int, at: datetime) -> None:
    """From now on this subject at this issuer is this person."""
    session.add(Identity(issuer=issuer, subject=subject, person_id=person_id, linked_at=at))
    session.flush()


def of_person(session: Session, person_id: int) -> list[Identity]:
    """Who a person is at identity providers."""
    return list(session.scalars(select(Identity).where(Identity.person_id == person_id)))


def provided(session: Session) -> frozenset[int]:
    """The ids of everybody who comes from an identity provider."""
    return frozenset(session.scalars(select(Identity.person_id)))


def is_provided(session: Session, person_id: int) -> bool:
    """Does this person come from an identity provider?"""
    return session.scalar(select(Identity.person_id).where(Identity.person_id == person_id).limit(1)) is not None
