"""A person's second factor: setting it up, taking it away, and taking it away from somebody who lost their device."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from data import identities, sessions, tickets
from data.tables import Person, Ticket
from services import audit, codes, step_up
from services.access import Viewer, require, require_own_eyes
from services.accounts import person_of
from services.errors import InvalidField, InvalidQuery
from services.live_sessions import hash_of
from services.sources import Sources

RECOVERY_CODES = 10
ENROLS_FOR = timedelta(minutes=15)


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app needs: the picture it reads (SVG) and the same as text in groups of four."""

    picture: str
    groups: str


@dataclass(frozen=True)
class Held:
    """A person's second factor: since when, how many recovery codes are left, whether the role asks for one.

    ``barred`` says why this person has none here, "" for most.
    """

    since: datetime | None
    codes_left: int
    needed: bool
    barred: str


def held(viewer: Viewer, sources: Sources) -> Held:
    """The viewer's own second factor."""
    require_own_eyes(viewer)
    role = sources.workspace.access.roles.get(viewer.role)
    with sources.store.read() as session:
        person = person_of(session, viewer.person_id)
        barred = _barred(session, person)
    left = len(person.recovery_codes)
    return Held(person.second_factor_since, left, needed=bool(role and role.second_factor), barred=barred)


def begin(viewer: Viewer, sources: Sources) -> Enrolment:
    """A new secret for the viewer's authenticator app. It counts only after ``confirm``."""
    require_own_eyes(viewer)
    step_up.require_fresh(viewer, sources)
    at, secret = sources.clock(), codes.new_secret()
    with sources.store.begin() as session:
        person = person_of(session, viewer.person_id)
        barred = _barred(session, person)
        if barred:
            raise InvalidQuery(barred)
        if person.second_factor:
            raise InvalidQuery("You have a second factor already.", next_step="Take it away first.")
        for ticket in tickets.of_person(session, person.id, "enrolment", at):
            tickets.take(session, ticket.id_hash, "enrolment", at)
        kept = {"secret": codes.sealed(sources, person.id, secret), "session": hash_of(viewer.session_id)}
        tickets.add(
            session, id_hash=hash_of(secrets.token_urlsafe(32)), kind="enrolment", person_id=person.id, at=at,
            ends_at=at + ENROLS_FOR, detail=kept,
        )  # fmt: skip
    return _shown(viewer, sources, secret)


def begun(viewer: Viewer, sources: Sources) -> Enrolment:
    """What ``begin`` gave, once more, in the session that began: the code was wrong, the secret stays."""
    require_own_eyes(viewer)
    step_up.require_fresh(viewer, sources)
    with sources.store.read() as session:
        ticket = _enrolment(session, viewer, sources.clock())
    return _shown(viewer, sources, codes.opened(sources, viewer.person_id, str(ticket.detail.get("secret", ""))))


def _enrolment(session: Session, viewer: Viewer, at: datetime) -> Ticket:
    """What this very session began; another one of the same person neither sees the secret nor confirms it."""
    open_ = tickets.of_person(session, viewer.person_id, "enrolment", at)
    if not open_ or open_[0].detail.get("session") != hash_of(viewer.session_id):
        raise _too_late()
    return open_[0]


def _shown(viewer: Viewer, sources: Sources, secret: str) -> Enrolment:
    uri = codes.address(secret, viewer.email, _place(sources))
    return Enrolment(codes.picture(uri), " ".join(re.findall("....", secret)))


def confirm(viewer: Viewer, sources: Sources, code: str) -> tuple[str, ...]:
    """The app shows this code: from now on signing in asks for one. Gives the recovery codes, this once.

    The viewer's other sessions end. Raises ``InvalidField`` for a wrong code.
    """
    require_own_eyes(viewer)
    at, recovery = sources.clock(), tuple(codes.recovery_code() for _ in range(RECOVERY_CODES))
    with sources.store.begin() as session:
        person = person_of(session, viewer.person_id)
        ticket = _enrolment(session, viewer, at)
        if person.second_factor:
            raise _too_late()
        secret = codes.opened(sources, person.id, str(ticket.detail.get("secret", "")))
        step = codes.step_of(secret, code, at)
        if step is None:
            raise InvalidField("code", "This is not the code that the app shows now.")
        tickets.take(session, ticket.id_hash, "enrolment", at)
        person.second_factor, person.second_factor_step = codes.sealed(sources, person.id, secret), step
        person.second_factor_since, person.recovery_codes = at, [codes.hash_of(c) for c in recovery]
        sessions.end_others(session, person.id, hash_of(viewer.session_id), at)
        audit.write(session, sources, viewer, "second_factor.add")
    return recovery


def remove(viewer: Viewer, sources: Sources, *, password: str, code: str) -> None:
    """The viewer's own second factor goes, proven by their password and a code of the app or a recovery code.

    Their other sessions end. Raises ``InvalidField`` beside what is wrong.
    """
    require_own_eyes(viewer)
    with sources.store.read() as session:
        if not person_of(session, viewer.person_id).second_factor:
            raise InvalidQuery("You have no second factor.", next_step="Set one up first.")
    step_up.prove_password(viewer, sources, password, code)
    at = sources.clock()
    with sources.store.begin() as session:
        _forget(person_of(session, viewer.person_id))
        sessions.end_others(session, viewer.person_id, hash_of(viewer.session_id), at)
        tickets.end_of_person(session, viewer.person_id, at)
        audit.write(session, sources, viewer, "second_factor.remove")


def take_away(viewer: Viewer, sources: Sources, person_id: int) -> None:
    """Somebody lost their device and their recovery codes: theirs goes, and every session of theirs ends."""
    require(viewer, "people:manage")
    if person_id == viewer.person_id:
        raise InvalidQuery("Your own second factor is on your account page.", next_step="Take it away there.")
    step_up.require_fresh(viewer, sources)
    with sources.store.begin() as session:
        person = person_of(session, person_id)
        if not person.second_factor:
            raise InvalidQuery(f"{person.name} has no second factor.")
        _forget(person)
        sessions.end_all(session, person_id, sources.clock())
        tickets.end_of_person(session, person_id, sources.clock())
        audit.write(session, sources, viewer, "person.second_factor", person.email)


def _forget(person: Person) -> None:
    person.second_factor, person.second_factor_since, person.recovery_codes = "", None, []


def _place(sources: Sources) -> str:
    """What an authenticator app calls this place; a colon would end the name."""
    return f"Lakelight {sources.workspace.lake.name}".replace(":", " ").strip()


def _barred(session: Session, person: Person) -> str:
    """Why somebody has no second factor of this place, as a sentence; "" where they may have one."""
    if person.demo:
        return "This is a demo account: it opens by one click and has no second factor."
    if identities.is_provided(session, person.id):
        return "You sign in with your company account, which asks for a code where your company wants one."
    return ""


def _too_late() -> InvalidQuery:
    return InvalidQuery("This took longer than a quarter of an hour, or began elsewhere.", next_step="Begin once more.")
