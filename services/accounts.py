"""Signing in and out, sessions and passwords. A session is a row in the database; the cookie is only its opaque key."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from data import audit_log, people, sessions
from data.tables import Person, SignInSession
from services import audit, sign_in_limits
from services.access import Viewer, may_look_as, require_own_eyes, through_eyes_of, viewer_of, viewer_of_person
from services.errors import InvalidField, NotFound, Refusal
from services.sign_in_limits import Count
from services.sources import Sources

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
DUMMY = "$argon2id$v=19$m=19456,t=2,p=1$YWJjZGVmZ2hpamtsbW5vcA$1aTJBLLfFmqJxHpZ0yDsmOOqjPZ5TFBGbXjFPRU3s9s"
HASHES_AT_ONCE = threading.BoundedSemaphore(2)
MOST_AT_THE_DOOR = 4
AT_THE_DOOR = threading.BoundedSemaphore(MOST_AT_THE_DOOR)
LONGEST_EMAIL = 254
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1024
SEEN_EVERY = timedelta(seconds=30)
SAME_REFUSAL = timedelta(minutes=1)
BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


class SignInRefused(Refusal):
    """The one answer to every failed sign-in, whatever the cause."""


class TooMany(Refusal):
    """So many passwords are being looked at that one more would keep everybody else waiting."""


class TooManyFromHere(TooMany):
    """Too many wrong attempts came from one address; ``seconds`` until the next one counts."""

    def __init__(self, seconds: float) -> None:
        super().__init__("Too many wrong attempts came from your address.", next_step="Try again in a few minutes.")
        self.seconds = math.ceil(seconds)


@dataclass(frozen=True)
class Live:
    """A session that is open now: whose it is, with the rights of this moment, and when they last did something."""

    viewer: Viewer
    seen_at: datetime


@dataclass(frozen=True)
class SessionLine:
    """A signed-in browser as its owner reads it. ``key`` is the start of the hash that the database keeps."""

    key: str
    browser: str
    address: str
    since: datetime
    seen_at: datetime
    is_this: bool


@dataclass(frozen=True)
class OwnAccount:
    """What a person's own page needs beside the policy: open sessions, and what holds for the password."""

    sessions: tuple[SessionLine, ...]
    must_choose: bool
    may_choose: bool


def hash_password(password: str) -> str:
    """Argon2id (RFC 9106) with OWASP's minimum parameters, at most two at once."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidField("new", f"A password must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    with _hashing():
        return HASHER.hash(password)


def sign_in(sources: Sources, *, email: str, password: str, address: str, user_agent: str = "") -> str:
    """Open a session and give its opaque id. Every failure reads and costs the same (``SignInRefused``)."""
    email = email[:LONGEST_EMAIL]  # before it is counted and before it is looked up: both must mean the same person
    at, both = sources.clock(), sign_in_limits.of_both(email, address)
    with sources.store.read() as session:
        person = people.by_email(session, email)
        from_here = sign_in_limits.wait(session, sign_in_limits.of_address(address), at)
        waiting = sign_in_limits.wait(session, both, at) > 0
        if sign_in_limits.is_stranger(session, person, address):
            waiting = waiting or sign_in_limits.wait(session, sign_in_limits.of_account(email), at) > 0
    if from_here:
        raise TooManyFromHere(from_here)
    right = _verify(person.password_hash if person else DUMMY, password)
    if waiting or not right or person is None or not person.active:
        counts = (both, sign_in_limits.of_address(address), sign_in_limits.of_account(email))
        _failed(sources, email, counts, at=at, waiting=waiting)
        raise SignInRefused(
            "E-mail or password is wrong, or there were too many attempts.", next_step="Try again in a while."
        )
    _strengthen(sources, person, password)
    return _open(sources, person, key=both.key, address=address, user_agent=user_agent)


def sign_in_demo(sources: Sources, *, email: str, address: str, user_agent: str = "") -> str:
    """Open a session of a demo account without its password; the door checks that this is allowed."""
    with sources.store.read() as session:
        person = people.by_email(session, email)
    if person is None or not person.demo or not person.active or not sources.settings.demo:
        raise SignInRefused("There is no such demo account.", next_step="Choose one of the list.")
    return _open(
        sources, person, key=sign_in_limits.of_both(email, address).key, address=address, user_agent=user_agent
    )


def sign_out(sources: Sources, viewer: Viewer) -> None:
    """End the viewer's session; a copied cookie is worth nothing from now on."""
    with sources.store.begin() as session:
        sessions.end(session, hash_of(viewer.session_id), sources.clock())
        audit.write(session, sources, viewer, "sign_out")


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
    viewer = _viewer(sources, person, session_id)
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


def forget_failures(sources: Sources) -> None:
    """Drop counts of failed sign-ins that say nothing any more."""
    with sources.store.begin() as session:
        sign_in_limits.forget(session, sources.clock())


def person_of(session: Session, person_id: int) -> Person:
    """A person by id. Raises ``NotFound``."""
    found = people.by_id(session, person_id)
    if found is None:
        raise NotFound("There is no such person.", next_step="Choose one of the list.")
    return found


def own_account(viewer: Viewer, sources: Sources) -> OwnAccount:
    """The viewer's open sessions, this one first, and what holds for their password."""
    require_own_eyes(viewer)
    mine = hash_of(viewer.session_id)
    with sources.store.read() as session:
        rows = [r for r in sessions.not_ended(session, viewer.person_id) if is_alive(sources, r)]
        person = person_of(session, viewer.person_id)
    lines = [
        SessionLine(
            r.id_hash[:12], browser_words(r.user_agent), r.address, r.created_at, r.last_seen_at, r.id_hash == mine
        )
        for r in rows
    ]
    lines.sort(key=lambda line: (not line.is_this, -line.seen_at.timestamp()))
    return OwnAccount(tuple(lines), must_choose=person.password_once, may_choose=not person.demo)


def end_other_sessions(viewer: Viewer, sources: Sources, key: str = "") -> int:
    """End one of the viewer's other sessions, or all of them; this one stays. Gives how many ended."""
    require_own_eyes(viewer)
    at, mine = sources.clock(), hash_of(viewer.session_id)
    with sources.store.begin() as session:
        others = [r for r in sessions.not_ended(session, viewer.person_id) if r.id_hash != mine]
        ending = [r for r in others if not key or r.id_hash.startswith(key)] if len(key) in (0, 12) else []
        for row in ending:
            sessions.end(session, row.id_hash, at)
        if ending:
            audit.write(session, sources, viewer, "session.end", detail={"sessions": len(ending)})
    return len(ending)


def change_password(viewer: Viewer, sources: Sources, *, current: str, new: str, again: str) -> None:
    """Set one's own password, proven by the current one. Other sessions end; this one goes on."""
    require_own_eyes(viewer)
    at, count = sources.clock(), sign_in_limits.of_both(viewer.email, "own account")
    with sources.store.read() as session:
        person = person_of(session, viewer.person_id)
        waiting = sign_in_limits.wait(session, count, at) > 0
    if person.demo:
        raise InvalidField("new", "The password of a demo account cannot be changed.")
    if waiting:
        raise InvalidField("current", "There were too many attempts. Try again in a few minutes.")
    _check_new(person, current=current, new=new, again=again)
    if not _verify(person.password_hash, current):
        _failed(sources, viewer.email, (count,), at=at, waiting=False, act="password.change")
        raise InvalidField("current", "This is not your current password.")
    hashed = hash_password(new)
    with sources.store.begin() as session:
        sessions.forgive(session, count.key)
        changed = person_of(session, viewer.person_id)
        changed.password_hash, changed.password_once = hashed, False
        sessions.end_others(session, viewer.person_id, hash_of(viewer.session_id), at)
        audit.write(session, sources, viewer, "password.change")


def create(
    sources: Sources,
    *,
    email: str,
    name: str,
    role: str,
    attributes: dict[str, list[str]],
    password: str,
    by: Viewer | None = None,
    demo: bool = False,
    once: bool = False,
) -> None:
    """Add a person, checked against the policy's roles and attributes. ``by`` is None at the operator's terminal.

    With ``once`` the password opens only the page where the person chooses their own.
    """
    check_person(sources, email=email, name=name, role=role, attributes=attributes)
    hashed = hash_password(password)
    with sources.store.begin() as session:
        if people.by_email(session, email) is not None:
            raise InvalidField(
                "email",
                f"{email.strip()} is already there.",
                next_step="An administrator changes people on the page People.",
            )
        made = people.add(
            session, email=email, name=name, role=role, attributes=dict(attributes),
            password_hash=hashed, created_at=sources.clock(), demo=demo,
        )  # fmt: skip
        made.password_once = once
        audit.write(session, sources, by, "person.add", made.email, detail={"role": role, **attributes})


def check_person(sources: Sources, *, email: str, name: str, role: str, attributes: dict[str, list[str]]) -> None:
    """What a person may be; raises ``InvalidField`` with the first mistake."""
    policy = sources.workspace.access
    local, _, host = email.strip().partition("@")
    if not local or not host or "@" in host or len(email) > 254 or any(c.isspace() for c in email.strip()):
        raise InvalidField("email", f"An e-mail must look like name@company, got {email[:60]!r}.")
    if not 1 <= len(name.strip()) <= 120:
        raise InvalidField("name", "A name must have 1 to 120 characters.")
    if role not in policy.roles:
        raise InvalidField("role", f"A role must be one of {', '.join(policy.roles)}, got {role[:60]!r}.")
    for attribute, values in attributes.items():
        if attribute not in policy.attributes:
            known = ", ".join(policy.attributes) or "none"
            raise InvalidField("attributes", f"An attribute must be one of {known}, got {attribute[:60]!r}.")
        about = policy.attributes[attribute]
        wrong = [v for v in values if v not in about.values]
        if wrong:
            allowed = ", ".join(about.values)
            raise InvalidField(attribute, f"{about.label} must be one of {allowed}, got {str(wrong[0])[:60]!r}.")


def create_demo_people(sources: Sources) -> int:
    """The demo accounts, one a role and two sellers; passwords are random and kept for the owner's eyes only.

    Gives how many were made. Accounts whose passwords were lost with their file get new ones.
    """
    kept = sources.settings.instance / "demo-accounts.json"
    with sources.store.read() as session:
        known = {p.email for p in people.everyone(session) if p.demo}
    if known and kept.exists():
        return 0
    values = {name: list(a.values) for name, a in sources.workspace.access.attributes.items()}
    made = []
    for role, about in sources.workspace.access.roles.items():
        bound = sorted({r.attribute for g in about.rows for r in g.rules if r.attribute})
        for suffix, attributes in _demo_attributes(role, bound, values):
            email = f"{role.replace('_', '.')}{suffix}@example.com"
            password = secrets.token_urlsafe(15)
            held = ", ".join(v for values_ in attributes.values() for v in values_)
            name = f"{about.label} {held}".strip()
            if email in known:
                _reset(sources, email, password)
            else:
                create(sources, email=email, name=name, role=role, attributes=attributes, password=password, demo=True)
            made.append({"role": role, "email": email, "password": password, "territory": held})
    partial = kept.with_suffix(".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(made, file, indent=2)
    partial.replace(kept)
    return len(made)


def demo_accounts(sources: Sources) -> tuple[tuple[str, str, str, str], ...]:
    """The demo accounts as (e-mail, name, role's label, the question it answers); none outside demo mode."""
    if not sources.settings.demo:
        return ()
    roles = sources.workspace.access.roles
    with sources.store.read() as session:
        found = [p for p in people.everyone(session) if p.demo and p.active and p.role in roles]
    order = list(roles)
    found.sort(key=lambda p: (order.index(p.role), p.id))
    return tuple((p.email, p.name, roles[p.role].label, roles[p.role].question) for p in found)


def hash_of(session_id: str) -> str:
    """What the database keeps of a session's id."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def browser_words(user_agent: str) -> str:
    """A browser's own description in a few words: "Firefox on Linux"."""
    browser = next((word for mark, word in BROWSERS if mark in user_agent), "Another browser")
    system = next((word for mark, word in SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser


def _check_new(person: Person, *, current: str, new: str, again: str) -> None:
    """Length and what is easily guessed about this person (NIST SP 800-63B, 3.1.1.2); no rules of composition."""
    if not SHORTEST_PASSWORD <= len(new) <= LONGEST_PASSWORD:
        raise InvalidField("new", f"A password must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    small = new.lower()
    own = [w for w in (*person.name.lower().split(), *person.email.replace("@", ".").split(".")) if len(w) >= 5]
    if any(word in small for word in own):
        raise InvalidField("new", "A password must not contain your name or e-mail.")
    if len(set(new)) < 6:
        raise InvalidField("new", "A password must have at least six different characters.")
    if new == current:
        raise InvalidField("new", "The new password must differ from the current one.")
    if new != again:
        raise InvalidField("again", "The two new passwords differ.")


def _demo_attributes(
    role: str, bound: list[str], values: dict[str, list[str]]
) -> list[tuple[str, dict[str, list[str]]]]:
    """One account for a role without rules; two people for a role with them, one over both where it manages."""
    if not bound:
        return [("", {})]
    name = bound[0]
    picked = list(dict.fromkeys((values[name][0], values[name][len(values[name]) // 2])))
    if "manager" in role:
        return [("", {name: picked})]
    return [(f".{_letters(v) or at}", {name: [v]}) for at, v in enumerate(picked, 1)]


def _letters(text: str) -> str:
    """A text as it may stand in an e-mail address: "Süd & Tal" is "sud.tal"."""
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", ".", plain).strip(".")


def _reset(sources: Sources, email: str, password: str) -> None:
    hashed = hash_password(password)
    with sources.store.begin() as session:
        person = people.by_email(session, email)
        if person is not None:
            person.password_hash = hashed


def _open(sources: Sources, person: Person, *, key: str, address: str, user_agent: str) -> str:
    session_id, at = secrets.token_urlsafe(32), sources.clock()
    with sources.store.begin() as session:
        sessions.forgive(session, key)
        sessions.add(
            session,
            SignInSession(
                id_hash=hash_of(session_id),
                person_id=person.id,
                created_at=at,
                last_seen_at=at,
                ends_at=at + timedelta(hours=sources.settings.session_hours),
                address=address[:64],
                user_agent=user_agent[:200],
            ),
        )
        person_of(session, person.id).last_sign_in_at = at
        audit_log.record(session, at=at, person_id=person.id, person=person.email, act="sign_in")
    return session_id


def _failed(
    sources: Sources, email: str, counts: tuple[Count, ...], *, at: datetime, waiting: bool, act: str = "sign_in"
) -> None:
    """Count a failure and make the next attempt wait; repeated ones during the wait stand in the log once a minute."""
    who = email.strip().lower()
    with sources.store.begin() as session:
        for count in counts:
            sign_in_limits.failed(session, count, at)
        if waiting and audit_log.recent(session, person=who, act=act, resource="", since=at - SAME_REFUSAL):
            return
        reason = "Too many attempts." if waiting else "Wrong e-mail or password, or the account is disabled."
        audit_log.record(session, at=at, person_id=None, person=who, act=act, allowed=False, reason=reason)


def _strengthen(sources: Sources, person: Person, password: str) -> None:
    """Hash a right password again where it was kept with weaker parameters than today's."""
    if HASHER.check_needs_rehash(person.password_hash):
        with _hashing():
            hashed = HASHER.hash(password)
        with sources.store.begin() as session:
            person_of(session, person.id).password_hash = hashed


def _verify(hashed: str, password: str) -> bool:
    if len(password) > LONGEST_PASSWORD:
        return False
    with _hashing():
        try:
            return HASHER.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


@contextmanager
def _hashing() -> Iterator[None]:
    """A turn at the hash, two at once. Only a few threads may stand here; the others go on serving everybody else."""
    if not AT_THE_DOOR.acquire(blocking=False):
        raise TooMany("Many people are signing in at this moment.", next_step="Try again in a few seconds.")
    try:
        with HASHES_AT_ONCE:
            yield
    finally:
        AT_THE_DOOR.release()


def _viewer(sources: Sources, person: Person, session_id: str) -> Viewer:
    """The viewer a person is now; one who has yet to choose a password may do nothing else."""
    made = viewer_of_person(sources.workspace, person, session_id=session_id)
    if not person.password_once:
        return made
    none = viewer_of(
        sources.workspace, person_id=person.id, name=person.name, email=person.email, role="",
        attributes=made.attributes, session_id=session_id,
    )  # fmt: skip
    return replace(none, role=made.role, role_label=made.role_label)
