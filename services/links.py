"""Links that work once: a new person chooses their first password, somebody who lost theirs another one.

Whoever holds a link may choose a password, so it is short-lived, kept as a hash, and ends every other link and every
session of its person. No administrator ever sees or chooses a password. Opening a link does not use it: what looks
at addresses in mails would use it up.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy.orm import Session

from data import identities, people, sessions, tickets
from data.tables import Person
from services import audit, passwords
from services.errors import Refusal
from services.live_sessions import hash_of
from services.sources import Sources

Kind = Literal["activation", "reset"]
LASTS = {"activation": timedelta(hours=72), "reset": timedelta(minutes=15)}
"""An activation waits for a first working day; a reset is handed over to somebody who is waiting for it."""
LASTS_WORDS = {"activation": "three days", "reset": "quarter of an hour"}
KINDS: tuple[Kind, ...] = ("activation", "reset")


class LinkRefused(Refusal):
    """The one answer to a link that never was, was used, was replaced or is over."""


@dataclass(frozen=True)
class Welcome:
    """Whose password a link lets choose, and why."""

    kind: Kind
    name: str
    email: str


def made(session: Session, sources: Sources, person: Person, kind: Kind) -> str:
    """A new link for a person, in the transaction that hands it out; their earlier ones end.

    Its address is built of the settings, never of what a request says of its host.
    """
    token, at = secrets.token_urlsafe(32), sources.clock()
    tickets.end_of_person(session, person.id, at)
    tickets.add(session, id_hash=hash_of(token), kind=kind, person_id=person.id, at=at, ends_at=at + LASTS[kind])
    return f"{sources.settings.public_address}/welcome/{token}"


def opened(sources: Sources, token: str) -> Welcome:
    """Look at a link without using it. Raises ``LinkRefused``."""
    with sources.store.read() as session:
        person, kind = _usable(session, sources, token)
    return Welcome(kind, person.name, person.email)


def choose_password(sources: Sources, token: str, *, new: str, again: str) -> None:
    """Use a link: its person's password is what they chose, and every session and other link of theirs ends.

    Raises ``LinkRefused``, or ``InvalidField`` for a password that cannot be, which leaves the link as it is.
    """
    with sources.store.read() as session:
        person, _ = _usable(session, sources, token)
    passwords.check(sources, person, new=new, again=again)
    hashed = passwords.hashed(new)
    at = sources.clock()
    with sources.store.begin() as session:
        found, kind = _usable(session, sources, token)
        if not tickets.take(session, hash_of(token), kind, at):
            raise _refused()
        found.password_hash, found.password_once = hashed, False
        tickets.end_of_person(session, found.id, at)
        sessions.end_all(session, found.id, at)
        audit.write(session, sources, None, "password.choose", found.email, by=found.email, detail={"kind": kind})


def _usable(session: Session, sources: Sources, token: str) -> tuple[Person, Kind]:
    """The person and the kind of a link that still works."""
    known = sources.settings.passwords and 20 <= len(token) <= 100
    for kind in KINDS if known else ():
        found = tickets.usable(session, hash_of(token), kind, sources.clock())
        person = people.by_id(session, found.person_id) if found is not None and found.person_id else None
        if person is not None and person.active and not identities.is_provided(session, person.id):
            return person, kind
    raise _refused()


def _refused() -> LinkRefused:
    return LinkRefused("This link does not work, or not any more.", next_step="Ask an administrator for a new one.")
