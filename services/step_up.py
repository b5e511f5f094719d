"""Proving once more who one is, before something of weight: a large file, another person's way in.

An open screen may be anybody's. What is guarded asks for a proof that is not older than the policy says; signing in is
one, and so is confirming by password and code, or at the identity provider.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from data import sessions
from services import audit, codes, passwords, sign_in, sign_in_limits
from services.access import Viewer, require_own_eyes
from services.accounts import person_of
from services.errors import InvalidField, Refusal
from services.live_sessions import hash_of
from services.operator import NAME as OPERATOR
from services.sources import Sources

Way = Literal["password", "password+code", "demo", "oidc"]


class ProofNeeded(Refusal):
    """The viewer must confirm that it is them before this."""


@dataclass(frozen=True)
class Proof:
    """How the viewer can confirm that it is them, and whether what they last proved is still good."""

    way: Way
    fresh: bool
    minutes: int


def proof(viewer: Viewer, sources: Sources) -> Proof:
    """How this viewer confirms: as they signed in, with a code where they have a second factor by now."""
    minutes = sources.workspace.access.step_up.minutes
    with sources.store.read() as session:
        row = sessions.live(session, hash_of(viewer.session_id)) if viewer.session_id else None
        person = person_of(session, viewer.person_id) if row is not None else None
    if row is None or person is None:
        return Proof("password", False, minutes)
    since = sources.clock() - row.proven_at if row.proven_at is not None else None
    fresh = since is not None and since <= timedelta(minutes=minutes)
    if row.method in ("demo", "oidc"):
        return Proof("demo" if row.method == "demo" else "oidc", fresh, minutes)
    return Proof("password+code" if person.second_factor else "password", fresh, minutes)


def require_fresh(viewer: Viewer, sources: Sources) -> None:
    """Go on only if the viewer proved who they are lately. Raises ``ProofNeeded``.

    The person at the terminal proves it by reading the instance's files.
    """
    if viewer.email == OPERATOR and viewer.person_id == 0:
        return
    found = proof(viewer, sources)
    if not found.fresh:
        raise ProofNeeded(
            f"This needs a proof of who you are from the last {found.minutes} minutes.",
            next_step="Confirm that it is you.",
        )


def require_fresh_for(viewer: Viewer, sources: Sources, rows: int) -> None:
    """Go on with a file of so many rows only if it is small or the viewer proved who they are lately."""
    if rows > sources.workspace.access.step_up.rows:
        require_fresh(viewer, sources)


def confirm(viewer: Viewer, sources: Sources, *, password: str = "", code: str = "") -> None:
    """The viewer proves who they are by what they type; in a demo session, by saying so.

    Raises ``InvalidField`` beside what is wrong. An identity provider's people prove it there (``services.oidc``).
    """
    require_own_eyes(viewer)
    found = proof(viewer, sources)
    if found.way == "oidc":
        raise InvalidField("password", "You confirm at your company's sign-in.")
    if found.way != "demo":
        prove_password(viewer, sources, password, code if found.way == "password+code" else None)
    with sources.store.begin() as session:
        sessions.prove(session, hash_of(viewer.session_id), sources.clock())
        audit.write(session, sources, viewer, "session.prove", detail={"method": found.way})


def prove_password(viewer: Viewer, sources: Sources, password: str, code: str | None = None) -> None:
    """Is this the viewer's password, and their code where one is asked for? Wrong ones are counted and wait.

    Raises ``InvalidField`` for either.
    """
    at, count = sources.clock(), sign_in_limits.of_both(viewer.email, "own account")
    with sources.store.read() as session:
        person = person_of(session, viewer.person_id)
        waiting = sign_in_limits.wait(session, count, at) > 0
    if waiting:
        raise InvalidField("password", "There were too many attempts. Try again in a few minutes.")
    wrong = "" if passwords.verify(person.password_hash, password) else "password"
    if not wrong and code is not None:
        with sources.store.begin() as session:
            wrong = "" if codes.use(session, sources, person_of(session, person.id), code) else "code"
    if wrong:
        sign_in.failed(sources, viewer.email, (count,), at=at, waiting=False, act="session.prove")
        said = {"password": "This is not your password.", "code": "This code is not right, or it was used already."}
        raise InvalidField(wrong, said[wrong])
    with sources.store.begin() as session:
        sessions.forgive(session, count.key)
