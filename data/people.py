"""People in the app database: plain reads and writes; who may do them is decided in ``services.people``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from data.tables import Person, PersonState


def by_id(session: Session, person_id: int) -> Person | None:
    """The person with this id."""
    return session.get(Person, person_id)


def by_email(session: Session, email: str) -> Person | None:
    """The person with this address; addresses are stored in small letters."""
    return session.scalar(select(Person).where(Person.email == email.strip().lower()))


def everyone(session: Session) -> list[Person]:
    """All people by name."""
    return list(session.scalars(select(Person).order_by(Person.name, Person.id)))


def everyone_held(session: Session) -> list[Person]:
    """All people as they are now, held until the transaction ends: nobody else changes one of them meanwhile."""
    wanted = select(Person).order_by(Person.id).with_for_update().execution_options(populate_existing=True)
    return list(session.scalars(wanted))


def add(
    session: Session,
    *,
    email: str,
    name: str,
    role: str,
    attributes: dict[str, Any],
    password_hash: str,
    created_at: datetime,
    demo: bool = False,
) -> Person:
    """A new, active person."""
    person = Person(
        email=email.strip().lower(),
        name=name.strip(),
        role=role,
        attributes=attributes,
        password_hash=password_hash,
        active=True,
        demo=demo,
        created_at=created_at,
    )
    session.add(person)
    session.flush()
    remember(session, person, created_at)
    return person


def remember(session: Session, person: Person, at: datetime) -> None:
    """Keep what the person is from now on; to be called in the transaction that changes role, attributes or active."""
    session.add(
        PersonState(
            person_id=person.id, at=at, role=person.role, attributes=dict(person.attributes), active=person.active
        )
    )


def use_code(session: Session, person_id: int, step: int) -> bool:
    """Use the code of a time step: true for one caller only, and never again for it or an earlier one."""
    unused = (Person.id == person_id, Person.second_factor_step < step)
    done = session.execute(update(Person).where(*unused).values(second_factor_step=step))
    return bool(getattr(done, "rowcount", 0) == 1)


def state_at(session: Session, person_id: int, at: datetime) -> PersonState | None:
    """What the person was at a moment; None before they were added."""
    wanted = select(PersonState).where(PersonState.person_id == person_id, PersonState.at <= at)
    return session.scalar(wanted.order_by(PersonState.at.desc(), PersonState.id.desc()).limit(1))


def states_between(session: Session, person_id: int, since: datetime, until: datetime) -> list[PersonState]:
    """What a person became after a moment and before another one."""
    wanted = select(PersonState).where(
        PersonState.person_id == person_id, PersonState.at > since, PersonState.at < until
    )
    return list(session.scalars(wanted.order_by(PersonState.at, PersonState.id)))
