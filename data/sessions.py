"""Signed-in browsers and failed sign-ins. The id of a session is never stored, only its SHA-256."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from data.tables import SignInFailure, SignInSession


def add(session: Session, made: SignInSession) -> None:
    """Remember a signed-in browser."""
    session.add(made)
    session.flush()


def live(session: Session, id_hash: str) -> SignInSession | None:
    """A session that was not ended; whether it is too old is for the caller to judge."""
    return session.scalar(
        select(SignInSession).where(SignInSession.id_hash == id_hash, SignInSession.ended_at.is_(None))
    )


def not_ended(session: Session, person_id: int | None = None) -> list[SignInSession]:
    """Sessions that were not ended, the newest first; of one person or of everybody. Some may be too old by now."""
    wanted = select(SignInSession).where(SignInSession.ended_at.is_(None)).order_by(SignInSession.created_at.desc())
    return list(session.scalars(wanted if person_id is None else wanted.where(SignInSession.person_id == person_id)))


def touch(session: Session, id_hash: str, at: datetime) -> None:
    """The person did something now."""
    session.execute(update(SignInSession).where(SignInSession.id_hash == id_hash).values(last_seen_at=at))


def look_as(session: Session, id_hash: str, person_id: int | None) -> None:
    """From now on the session looks through the eyes of this person; None for its own."""
    session.execute(update(SignInSession).where(SignInSession.id_hash == id_hash).values(seen_as_id=person_id))


def prove(session: Session, id_hash: str, at: datetime) -> None:
    """The person proved anew who they are, at that time."""
    session.execute(update(SignInSession).where(SignInSession.id_hash == id_hash).values(proven_at=at))


def end(session: Session, id_hash: str, at: datetime) -> None:
    """End one session."""
    session.execute(update(SignInSession).where(SignInSession.id_hash == id_hash).values(ended_at=at))


def end_all(session: Session, person_id: int, at: datetime) -> None:
    """End every session of a person."""
    session.execute(
        update(SignInSession)
        .where(SignInSession.person_id == person_id, SignInSession.ended_at.is_(None))
        .values(ended_at=at)
    )


def end_others(session: Session, person_id: int, kept: str, at: datetime) -> None:
    """End every session of a person but the one whose hash is ``kept``."""
    session.execute(
        update(SignInSession)
        .where(SignInSession.person_id == person_id, SignInSession.ended_at.is_(None), SignInSession.id_hash != kept)
        .values(ended_at=at)
    )


def failure(session: Session, key: str) -> SignInFailure | None:
    """Failed sign-ins under a key (account and address)."""
    return session.get(SignInFailure, key)


def fail(session: Session, key: str, *, at: datetime, wait_until: datetime, again: bool) -> None:
    """Count a failed sign-in; ``again`` adds to the count, else it starts anew."""
    found = session.get(SignInFailure, key)
    if found is None:
        session.add(SignInFailure(key=key, count=1, first_at=at, wait_until=wait_until))
        return
    found.count = found.count + 1 if again else 1
    found.first_at = found.first_at if again else at
    found.wait_until = wait_until


def came_from(session: Session, person_id: int, address: str) -> bool:
    """Did this person ever sign in from this address?"""
    wanted = select(SignInSession.id_hash).where(
        SignInSession.person_id == person_id, SignInSession.address == address[:64]
    )
    return session.scalar(wanted.limit(1)) is not None


def forget_failures(session: Session, before: datetime) -> None:
    """Drop counts that began and ran out before a time."""
    session.execute(delete(SignInFailure).where(SignInFailure.first_at < before, SignInFailure.wait_until < before))


def forgive(session: Session, key: str) -> None:
    """Forget failed sign-ins after a right one."""
    session.execute(delete(SignInFailure).where(SignInFailure.key == key))
