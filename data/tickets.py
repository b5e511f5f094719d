"""Things that work once and not for long. Whoever holds one has its secret; here is only the SHA-256 of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from data.tables import Ticket


def add(
    session: Session,
    *,
    id_hash: str,
    kind: str,
    person_id: int | None,
    at: datetime,
    ends_at: datetime,
    detail: dict[str, Any] | None = None,
) -> None:
    """Remember a ticket; one of the same hash is replaced."""
    session.merge(
        Ticket(
            id_hash=id_hash, kind=kind, person_id=person_id, created_at=at, ends_at=ends_at, used_at=None,
            detail=detail or {},
        )
    )  # fmt: skip
    session.flush()


def usable(session: Session, id_hash: str, kind: str, at: datetime) -> Ticket | None:
    """A ticket that was not used and is not over; looking does not use it."""
    wanted = select(Ticket).where(Ticket.id_hash == id_hash, Ticket.kind == kind, Ticket.used_at.is_(None))
    return session.scalar(wanted.where(Ticket.ends_at > at))


def take(session: Session, id_hash: str, kind: str, at: datetime) -> bool:
    """Use a ticket: true for one caller only, however many ask at once. What it knew is forgotten."""
    unused = (Ticket.id_hash == id_hash, Ticket.kind == kind, Ticket.used_at.is_(None), Ticket.ends_at > at)
    done = session.execute(update(Ticket).where(*unused).values(used_at=at, detail={}))
    return bool(getattr(done, "rowcount", 0) == 1)


def of_person(session: Session, person_id: int, kind: str, at: datetime) -> list[Ticket]:
    """A person's tickets of a kind that can still be used, the newest first."""
    wanted = select(Ticket).where(Ticket.person_id == person_id, Ticket.kind == kind, Ticket.used_at.is_(None))
    return list(session.scalars(wanted.where(Ticket.ends_at > at).order_by(Ticket.created_at.desc())))


def end_of_person(session: Session, person_id: int, at: datetime) -> None:
    """End every ticket of a person that could still be used; what they knew is forgotten."""
    open_ = (Ticket.person_id == person_id, Ticket.used_at.is_(None))
    session.execute(update(Ticket).where(*open_).values(used_at=at, detail={}))


def forget(session: Session, before: datetime) -> None:
    """Drop tickets that were over before a time."""
    session.execute(delete(Ticket).where(Ticket.ends_at < before))
