"""Sessions that are open now: whose they are, how long they last. A session is a row; the cookie is its opaque key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from data import people, sessions
from data.tables import Person, SignInSession
from services.access import Viewer, may_look_as, through_eyes_of, viewer_of, viewer_of_person
from services.sources import Sources

SEEN_EVERY = timedelta(seconds=30)


@dataclass(frozen=True)
class Live:
    """A session that is open now: whose it is, with the rights of this moment, and when they last did something."""

    viewer: Viewer
    seen_at: datetime


def live_session(sources: Sources, session_id: str) -> Live | None:
    """Who this session belongs to, with the rights of this moment; None where it ended, idled or was never there."""
    if not 20 <= len(session_id) <= 100:
        return None
    with sources.store.read() as session:
        found = sessions.live(session, hash_of(session_id))
        person = people.by_id(session, found.person_id) if found else None
        other = people.by_id(session, found.seen_as_id) if found and found.seen_as_id else None
    if found is None or person is None or not person.active or not is_alive(sources, found):
        return None
    viewer = _viewer(sources, person, found.method, session_id)
    if other is not None and may_look_as(viewer, other):
        viewer = through_eyes_of(viewer, viewer_of_person(sources.workspace, other))
    return Live(viewer, found.last_seen_at)


def viewer_for_session(sources: Sources, session_id: str) -> Viewer | None:
    """The viewer of a live session, None for any other."""
    found = live_session(sources, session_id)
    return found.viewer if found else None


def seen(sources: Sources, live: Live) -> None:
    """The person did something: the idle time starts anew. What a page asks by itself must not come here."""
    at = sources.clock()
    if at - live.seen_at > SEEN_EVERY:
        with sources.store.begin() as session:
            sessions.touch(session, hash_of(live.viewer.session_id), at)


def is_alive(sources: Sources, row: SignInSession) -> bool:
    """Is a session that was not ended still inside its idle time and its longest time?"""
    at, idle = sources.clock(), timedelta(minutes=sources.settings.session_idle_minutes)
    return at < row.ends_at and at - row.last_seen_at <= idle


def hash_of(session_id: str) -> str:
    """What the database keeps of a session's id."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def first_step(sources: Sources, person: Person, method: str) -> Literal["", "password", "second_factor"]:
    """What somebody who came in with a password must do before anything else: choose their own, add a second factor.

    Whoever came by an identity provider answered to its rules; a demo account is to open by one click.
    """
    role = sources.workspace.access.roles.get(person.role)
    if not method.startswith("password"):
        return ""
    if person.password_once:
        return "password"
    return "second_factor" if role is not None and role.second_factor and not person.second_factor else ""


def _viewer(sources: Sources, person: Person, method: str, session_id: str) -> Viewer:
    """The viewer a person is now; one who has a first step to do may do nothing else."""
    made = viewer_of_person(sources.workspace, person, session_id=session_id)
    if not first_step(sources, person, method):
        return made
    none = viewer_of(
        sources.workspace, person_id=person.id, name=person.name, email=person.email, role="",
        attributes=made.attributes, session_id=session_id,
    )  # fmt: skip
    return replace(none, role=made.role, role_label=made.role_label)
