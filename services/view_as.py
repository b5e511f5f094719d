"""Looking at the app through the eyes of another person: read-only, with a banner, in the log under both names.

What is seen is what that person may see at this moment; it ends with the session, with the right to it, and when the
person is disabled.
"""

from __future__ import annotations

from data import sessions
from services import audit
from services.access import Viewer, may_look_as, require, viewer_of_person
from services.accounts import person_of
from services.errors import InvalidQuery
from services.live_sessions import hash_of
from services.sources import Sources


def start(viewer: Viewer, sources: Sources, person_id: int) -> str:
    """Look as this person from the next request on; gives the address of their first page."""
    require(viewer, "people:view_as")
    with sources.store.begin() as session:
        other = person_of(session, person_id)
        if not may_look_as(viewer, other):
            said = "You see your own view already." if other.id == viewer.person_id else f"{other.name} is disabled."
            raise InvalidQuery(said, next_step="Choose somebody else.")
        sessions.look_as(session, hash_of(viewer.session_id), other.id)
        audit.write(session, sources, viewer, "person.view", other.email)
    return viewer_of_person(sources.workspace, other).home


def stop(viewer: Viewer, sources: Sources) -> None:
    """Look with one's own eyes again."""
    if not viewer.seen_as:
        return
    with sources.store.begin() as session:
        sessions.look_as(session, hash_of(viewer.session_id), None)
        audit.write(session, sources, viewer, "person.view_end", viewer.seen_as)
