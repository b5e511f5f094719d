"""Signing in and out. Whoever has proven who they are, however that was, gets a session from ``open_session``."""

from __future__ import annotations

import math
import secrets
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from data import audit_log, identities, people, sessions, tickets
from data.tables import Person, SignInSession
from services import audit, codes, passwords, sign_in_limits
from services.access import Viewer
from services.accounts import person_of
from services.errors import Refusal
from services.live_sessions import hash_of
from services.passwords import TooMany
from services.sign_in_limits import Count
from services.sources import Sources

Method = Literal["password", "password+code", "demo", "oidc"]
LONGEST_EMAIL = 254
HALF_DONE, HALF_DONE_FOR = "second_factor", timedelta(minutes=5)
SAME_REFUSAL = timedelta(minutes=1)


class SignInRefused(Refusal):
    """The one answer to every failed sign-in, whatever the cause."""


class TicketOver(SignInRefused):
    """The half-done sign-in is over: used, too old, or never there."""


class CodeWanted(Refusal):
    """The password is right; a code is still wanted. ``ticket`` stands for the half-done sign-in."""

    def __init__(self, ticket: str) -> None:
        super().__init__("A code is needed too.", next_step="Type the one that your app shows.")
        self.ticket = ticket


class TooManyFromHere(TooMany):
    """Too many wrong attempts came from one address; ``seconds`` until the next one counts."""

    def __init__(self, seconds: float) -> None:
        super().__init__("Too many wrong attempts came from your address.", next_step="Try again in a few minutes.")
        self.seconds = math.ceil(seconds)


def sign_in(sources: Sources, *, email: str, password: str, address: str, user_agent: str = "") -> str:
    """Open a session and give its opaque id. Every failure reads and costs the same (``SignInRefused``).

    Somebody with a second factor gets no session here: ``CodeWanted`` carries the ticket for ``enter_code``.
    """
    if not sources.settings.passwords:
        raise SignInRefused("Passwords are switched off here.", next_step="Sign in with your company account.")
    email = email[:LONGEST_EMAIL]  # before it is counted and before it is looked up: both must mean the same person
    at, both = sources.clock(), sign_in_limits.of_both(email, address)
    with sources.store.read() as session:
        person = people.by_email(session, email)
        from_here = sign_in_limits.wait(session, sign_in_limits.of_address(address), at)
        waiting = sign_in_limits.wait(session, both, at) > 0
        if sign_in_limits.is_stranger(session, person, address):
            waiting = waiting or sign_in_limits.wait(session, sign_in_limits.of_account(email), at) > 0
        provided = person is not None and identities.is_provided(session, person.id)
    if from_here:
        raise TooManyFromHere(from_here)
    right = passwords.verify(person.password_hash if person else passwords.DUMMY, password)
    if waiting or not right or person is None or not person.active or provided:
        counts = (both, sign_in_limits.of_address(address), sign_in_limits.of_account(email))
        failed(sources, email, counts, at=at, waiting=waiting)
        raise SignInRefused(
            "E-mail or password is wrong, or there were too many attempts.", next_step="Try again in a while."
        )
    _strengthen(sources, person, password)
    if person.second_factor:
        raise CodeWanted(_half_done(sources, person))
    return open_session(
        sources, person, method="password", address=address, user_agent=user_agent, forgiven=(both.key,)
    )


def enter_code(sources: Sources, *, ticket: str, code: str, address: str, user_agent: str = "") -> str:
    """Finish a sign-in with a code, and give the session's opaque id.

    Raises ``TicketOver`` where the password must be typed again, ``SignInRefused`` for a wrong code. Codes are counted
    by account wherever they are tried from: whoever tries them knows the password already.
    """
    at, kept = sources.clock(), hash_of(ticket[:100])
    with sources.store.read() as session:
        person = _half_in(session, sources, kept, at)
    if person is None:
        raise TicketOver("This took too long.", next_step="Sign in once more.")
    counts = (sign_in_limits.of_code(person.email), sign_in_limits.of_address(address))
    with sources.store.read() as session:
        waiting = any(sign_in_limits.wait(session, count, at) > 0 for count in counts)
    right = False
    if not waiting:
        with sources.store.begin() as session:
            right = _half_in(session, sources, kept, at) is not None
            right = right and codes.use(session, sources, person_of(session, person.id), code)
            right = right and tickets.take(session, kept, HALF_DONE, at)
    if not right:
        failed(sources, person.email, counts, at=at, waiting=waiting, reason="Wrong code.")
        raise SignInRefused("The code is wrong, or there were too many attempts.", next_step="Try again in a while.")
    both = sign_in_limits.of_both(person.email, address)
    return open_session(
        sources, person, method="password+code", address=address, user_agent=user_agent,
        forgiven=(both.key, counts[0].key),
    )  # fmt: skip


def open_session(
    sources: Sources,
    person: Person,
    *,
    method: Method,
    address: str,
    user_agent: str = "",
    forgiven: tuple[str, ...] = (),
    proven_at: datetime | Literal["now"] | None = "now",
) -> str:
    """Open a session for somebody who has just proven who they are, and give its opaque id.

    The one place where a session begins. ``forgiven`` are counts of wrong attempts that this one settles. Somebody who
    was disabled meanwhile gets none. ``proven_at`` is when they proved it, None where nobody can say.
    """
    session_id, at = secrets.token_urlsafe(32), sources.clock()
    with sources.store.begin() as session:
        found = people.by_id(session, person.id)
        if found is None or not found.active:
            raise SignInRefused("This account is disabled.", next_step="Ask an administrator.")
        if method.startswith("password") and found.password_hash != person.password_hash:
            raise SignInRefused("The password was changed a moment ago.", next_step="Sign in with the new one.")
        for key in forgiven:
            sessions.forgive(session, key)
        sessions.add(
            session,
            SignInSession(
                id_hash=hash_of(session_id),
                person_id=found.id,
                created_at=at,
                last_seen_at=at,
                ends_at=at + timedelta(hours=sources.settings.session_hours),
                address=address[:64],
                user_agent=user_agent[:200],
                method=method,
                proven_at=at if proven_at == "now" else proven_at,
            ),
        )
        found.last_sign_in_at = at
        detail = {"method": method}
        audit_log.record(session, at=at, person_id=found.id, person=found.email, act="sign_in", detail=detail)
    return session_id


def sign_out(sources: Sources, viewer: Viewer) -> None:
    """End the viewer's session; a copied cookie is worth nothing from now on."""
    with sources.store.begin() as session:
        sessions.end(session, hash_of(viewer.session_id), sources.clock())
        audit.write(session, sources, viewer, "sign_out")


def forget_failures(sources: Sources) -> None:
    """Drop counts of failed sign-ins and tickets that say nothing any more."""
    with sources.store.begin() as session:
        sign_in_limits.forget(session, sources.clock())
        tickets.forget(session, sources.clock() - timedelta(days=1))


def failed(
    sources: Sources,
    email: str,
    counts: tuple[Count, ...],
    *,
    at: datetime,
    waiting: bool,
    act: str = "sign_in",
    reason: str = "Wrong e-mail or password, or the account is disabled.",
) -> None:
    """Count a failure and make the next attempt wait; repeated ones during the wait stand in the log once a minute."""
    who = email.strip().lower()
    with sources.store.begin() as session:
        for count in counts:
            sign_in_limits.failed(session, count, at)
        if waiting and audit_log.recent(session, person=who, act=act, resource="", since=at - SAME_REFUSAL):
            return
        said = "Too many attempts." if waiting else reason
        audit_log.record(session, at=at, person_id=None, person=who, act=act, allowed=False, reason=said)


def _half_done(sources: Sources, person: Person) -> str:
    """A ticket for somebody whose password was right and whose code is still to come."""
    ticket, at = secrets.token_urlsafe(32), sources.clock()
    with sources.store.begin() as session:
        tickets.add(
            session, id_hash=hash_of(ticket), kind=HALF_DONE, person_id=person.id, at=at, ends_at=at + HALF_DONE_FOR,
            detail={"password": hash_of(person.password_hash)},
        )  # fmt: skip
    return ticket


def _half_in(session: Session, sources: Sources, kept: str, at: datetime) -> Person | None:
    """Whose half-done sign-in this is; None where it is over, or the password that began it opens nothing any more."""
    found = tickets.usable(session, kept, HALF_DONE, at) if sources.settings.passwords else None
    person = people.by_id(session, found.person_id) if found is not None and found.person_id else None
    if found is None or person is None or not person.active or identities.is_provided(session, person.id):
        return None
    return person if found.detail.get("password") == hash_of(person.password_hash) else None


def _strengthen(sources: Sources, person: Person, password: str) -> None:
    """Hash a right password again where it was kept with weaker parameters than today's."""
    if passwords.is_weak(person.password_hash):
        made = passwords.rehashed(password)
        with sources.store.begin() as session:
            found = people.by_id(session, person.id)
            if found is not None and found.password_hash == person.password_hash:
                found.password_hash = person.password_hash = made
