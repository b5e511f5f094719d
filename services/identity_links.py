"""Accounts that were here before the identity provider, and who asks at the provider to be the person of one.

An address is never proof: an administrator says that the two are one person, of one subject, once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from data import identities, people, sessions, tickets
from services import audit, step_up
from services.access import Viewer, require
from services.accounts import person_of
from services.errors import InvalidQuery
from services.sources import Sources

KIND = "oidc_link"
TIME = timedelta(days=7)


@dataclass(frozen=True)
class LinkAsked:
    """Somebody at the provider has the address of an account here, and an administrator may say they are one."""

    name: str
    subject: str
    asked_at: datetime
    key: str


def ask(session: Session, *, issuer: str, subject: str, email: str, name: str, at: datetime) -> None:
    """Remember for a week that this subject came with the address of an account here."""
    there = people.by_email(session, email) if email else None
    if there is None or there.demo:
        return
    key = hashlib.sha256(f"{KIND}|{issuer}|{subject}|{there.id}".encode()).hexdigest()
    detail = {"issuer": issuer, "subject": subject, "name": name}
    tickets.add(session, id_hash=key, kind=KIND, person_id=there.id, at=at, ends_at=at + TIME, detail=detail)


def asked(session: Session, sources: Sources, person_id: int) -> LinkAsked | None:
    """Who waits to be linked with this person's account: the last who came."""
    found = tickets.of_person(session, person_id, KIND, sources.clock())
    if not found:
        return None
    one = found[0]
    return LinkAsked(one.detail["name"], one.detail["subject"], one.created_at, one.id_hash[:12])


def link(viewer: Viewer, sources: Sources, person_id: int, key: str) -> None:
    """Say that a person here is who asked for it at the provider: from now on they come in through it alone.

    It is a way into another person's account, so it needs a fresh proof of who says it.
    """
    require(viewer, "people:manage")
    if person_id == viewer.person_id:
        raise InvalidQuery("Nobody links their own account.", next_step="Ask another administrator.")
    step_up.require_fresh(viewer, sources)
    at = sources.clock()
    with sources.store.begin() as session:
        person = person_of(session, person_id)
        found = next((t for t in tickets.of_person(session, person_id, KIND, at) if t.id_hash[:12] == key), None)
        detail = dict(found.detail) if found else {}
        if found is None or not tickets.take(session, found.id_hash, KIND, at):
            raise InvalidQuery("Nobody waits to be linked with this account.", next_step="Let them sign in once more.")
        if identities.find(session, detail["issuer"], detail["subject"]) is not None:
            raise InvalidQuery(
                "Who asked for it is somebody else here by now.", next_step="Look at the list of people."
            )
        identities.add(session, issuer=detail["issuer"], subject=detail["subject"], person_id=person_id, at=at)
        person.password_hash, person.password_once = "", False
        sessions.end_all(session, person_id, at)
        tickets.end_of_person(session, person_id, at)
        audit.write(session, sources, viewer, "person.link", person.email, detail={"known there as": detail["subject"]})
