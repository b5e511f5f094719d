"""People, their passwords and their sessions. A session is a row in the database; the cookie is only its opaque key."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from data import audit_log, people, sessions
from data.tables import Person, SignInSession
from services.access import Viewer, require, viewer_of
from services.errors import InvalidQuery, NotFound, Refusal
from services.sources import Sources

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
DUMMY = "$argon2id$v=19$m=19456,t=2,p=1$YWJjZGVmZ2hpamtsbW5vcA$1aTJBLLfFmqJxHpZ0yDsmOOqjPZ5TFBGbXjFPRU3s9s"
HASHES_AT_ONCE = threading.BoundedSemaphore(2)
FREE_FAILURES = 5
LONGEST_WAIT = 300
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1024


class SignInRefused(Refusal):
    """The one answer to every failed sign-in, whatever the cause."""


@dataclass(frozen=True)
class PersonLine:
    """A person as the admin page lists them."""

    id: int
    name: str
    email: str
    role: str
    role_label: str
    attributes: dict[str, tuple[str, ...]]
    active: bool
    last_sign_in_at: datetime | None
    is_self: bool


def hash_password(password: str) -> str:
    """Argon2id (RFC 9106) with OWASP's minimum parameters, at most two at once."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidQuery(f"A password must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    with HASHES_AT_ONCE:
        return HASHER.hash(password)


def sign_in(sources: Sources, *, email: str, password: str, address: str, user_agent: str = "") -> str:
    """Open a session and give its opaque id. Every failure reads and costs the same (``SignInRefused``)."""
    at, key = sources.clock(), _failure_key(email, address)
    with sources.store.read() as session:
        failed = sessions.failure(session, key)
        person = people.by_email(session, email[:254])
    waiting = failed is not None and failed.wait_until > at
    right = _verify(person.password_hash if person else DUMMY, password)
    if waiting or not right or person is None or not person.active:
        _failed(sources, email, key=key, at=at, count=failed.count if failed else 0)
        raise SignInRefused(
            "E-mail or password is wrong, or there were too many attempts.", next_step="Try again in a while."
        )
    return _open(sources, person, key=key, address=address, user_agent=user_agent)


def sign_in_demo(sources: Sources, *, email: str, address: str) -> str:
    """Open a session of a demo account without its password; the door checks that this is allowed."""
    with sources.store.read() as session:
        person = people.by_email(session, email)
    if person is None or not person.demo or not person.active or not sources.settings.demo:
        raise SignInRefused("There is no such demo account.", next_step="Choose one of the list.")
    return _open(sources, person, key=_failure_key(email, address), address=address, user_agent="")


def sign_out(sources: Sources, viewer: Viewer) -> None:
    """End the viewer's session; a copied cookie is worth nothing from now on."""
    with sources.store.begin() as session:
        sessions.end(session, hash_of(viewer.session_id), sources.clock())
        _record(session, sources, viewer.person_id, person=viewer.email, act="sign_out")


def viewer_for_session(sources: Sources, session_id: str) -> Viewer | None:
    """Who this session belongs to, with the rights of this moment; None where it ended, idled or was never there."""
    if not 20 <= len(session_id) <= 100:
        return None
    at = sources.clock()
    with sources.store.read() as session:
        found = sessions.live(session, hash_of(session_id))
        person = people.by_id(session, found.person_id) if found else None
    if found is None or person is None or not person.active:
        return None
    idle = timedelta(minutes=sources.settings.session_idle_minutes)
    if at >= found.ends_at or at - found.last_seen_at > idle:
        return None
    if at - found.last_seen_at > timedelta(seconds=30):
        with sources.store.begin() as session:
            sessions.touch(session, found.id_hash, at)
    return _viewer(sources, person, session_id)


def list_people(viewer: Viewer, sources: Sources) -> tuple[PersonLine, ...]:
    """Everybody who may sign in or could once."""
    require(viewer, "people:read")
    roles = sources.workspace.access.roles
    with sources.store.read() as session:
        return tuple(
            PersonLine(
                id=p.id,
                name=p.name,
                email=p.email,
                role=p.role,
                role_label=roles[p.role].label if p.role in roles else f"{p.role} (not in the policy)",
                attributes=_attributes(p),
                active=p.active,
                last_sign_in_at=p.last_sign_in_at,
                is_self=p.id == viewer.person_id,
            )
            for p in people.everyone(session)
        )


def add_person(
    viewer: Viewer, sources: Sources, *, email: str, name: str, role: str, attributes: dict[str, list[str]]
) -> str:
    """Add a person and give the one-time password to hand over; only its hash is kept."""
    require(viewer, "people:manage")
    password = secrets.token_urlsafe(15)
    create(sources, email=email, name=name, role=role, attributes=attributes, password=password, by=viewer)
    return password


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
) -> None:
    """Add a person, checked against the policy's roles and attributes. ``by`` is None at the operator's terminal."""
    _check_person(sources, email=email, name=name, role=role, attributes=attributes)
    hashed = hash_password(password)
    with sources.store.begin() as session:
        if people.by_email(session, email) is not None:
            raise InvalidQuery(f"{email} is already there.", next_step="Edit that person instead.")
        people.add(
            session, email=email, name=name, role=role, attributes=dict(attributes),
            password_hash=hashed, created_at=sources.clock(), demo=demo,
        )  # fmt: skip
        _record(
            session,
            sources,
            by.person_id if by else None,
            person=by.email if by else "operator",
            act="person.add",
            resource=email,
        )


def set_active(viewer: Viewer, sources: Sources, person_id: int, active: bool) -> None:
    """Disable or enable a person; disabling ends their sessions at once. Nobody disables themselves."""
    require(viewer, "people:manage")
    if person_id == viewer.person_id:
        raise InvalidQuery("Nobody can disable their own account.", next_step="Ask another administrator.")
    with sources.store.begin() as session:
        person = _person(session, person_id)
        if not active:
            _keep_a_manager(session, sources, person)
            sessions.end_all(session, person_id, sources.clock())
        person.active = active
        act = "person.enable" if active else "person.disable"
        _record(session, sources, viewer.person_id, person=viewer.email, act=act, resource=person.email)


def set_role(viewer: Viewer, sources: Sources, person_id: int, *, role: str, attributes: dict[str, list[str]]) -> None:
    """Change what a person is; it binds at their next request. Nobody changes their own role."""
    require(viewer, "people:manage")
    if person_id == viewer.person_id:
        raise InvalidQuery("Nobody can change their own role.", next_step="Ask another administrator.")
    with sources.store.begin() as session:
        person = _person(session, person_id)
        _check_person(sources, email=person.email, name=person.name, role=role, attributes=attributes)
        if person.role != role:
            _keep_a_manager(session, sources, person)
        before = f"{person.role} {person.attributes}"
        person.role, person.attributes = role, dict(attributes)
        _record(
            session, sources, viewer.person_id, person=viewer.email, act="person.change", resource=person.email,
            detail={"before": before, "after": f"{role} {attributes}"},
        )  # fmt: skip


def create_demo_people(sources: Sources) -> int:
    """The demo accounts, one a role and two sellers; passwords are random and kept for the owner's eyes only."""
    kept = sources.settings.instance / "demo-accounts.json"
    with sources.store.read() as session:
        if any(p.demo for p in people.everyone(session)):
            return 0
    values = {name: list(a.values) for name, a in sources.workspace.access.attributes.items()}
    made = []
    for role, about in sources.workspace.access.roles.items():
        bound = sorted({r.attribute for g in about.rows for r in g.rules if r.attribute})
        for suffix, attributes in _demo_attributes(role, bound, values):
            email = f"{role}{suffix}@example.com".replace("_", ".")
            password = secrets.token_urlsafe(15)
            name = f"{about.label}{' ' + ', '.join(sum(attributes.values(), [])) if attributes else ''}"
            create(sources, email=email, name=name, role=role, attributes=attributes, password=password, demo=True)
            made.append(
                {
                    "role": role,
                    "email": email,
                    "password": password,
                    "territory": ", ".join(sum(attributes.values(), [])),
                }
            )
    handle = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(made, file, indent=2)
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


def _demo_attributes(
    role: str, bound: list[str], values: dict[str, list[str]]
) -> list[tuple[str, dict[str, list[str]]]]:
    """One account for a role without rules; two people for the first role with them, one over both for the next."""
    if not bound:
        return [("", {})]
    name = bound[0]
    if "manager" in role:
        return [("", {name: [values[name][0], values[name][len(values[name]) // 2]]})]
    picked = (values[name][0], values[name][len(values[name]) // 2])
    return [(f".{v.lower()}", {name: [v]}) for v in picked]


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
        _person(session, person.id).last_sign_in_at = at
        _record(session, sources, person.id, person=person.email, act="sign_in")
    return session_id


def _failed(sources: Sources, email: str, *, key: str, at: datetime, count: int) -> None:
    extra = max(0, count + 1 - FREE_FAILURES)
    wait = timedelta(seconds=min(LONGEST_WAIT, 2**extra if extra else 0))
    with sources.store.begin() as session:
        sessions.fail(session, key, at=at, wait_until=at + wait, again=True)
        audit_log.record(session, at=at, person_id=None, person=email[:254].lower(), act="sign_in", allowed=False)


def _verify(hashed: str, password: str) -> bool:
    if len(password) > LONGEST_PASSWORD:
        return False
    with HASHES_AT_ONCE:
        try:
            return HASHER.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


def _viewer(sources: Sources, person: Person, session_id: str) -> Viewer:
    return viewer_of(
        sources.workspace,
        person_id=person.id,
        name=person.name,
        email=person.email,
        role=person.role,
        attributes=_attributes(person),
        session_id=session_id,
    )


def _attributes(person: Person) -> dict[str, tuple[str, ...]]:
    return {k: tuple(v) for k, v in person.attributes.items()}


def _failure_key(email: str, address: str) -> str:
    return hashlib.sha256(f"{email.strip().lower()}|{address}".encode()).hexdigest()


def _person(session: Session, person_id: int) -> Person:
    found = people.by_id(session, person_id)
    if found is None:
        raise NotFound("There is no such person.")
    return found


def _check_person(sources: Sources, *, email: str, name: str, role: str, attributes: dict[str, list[str]]) -> None:
    policy = sources.workspace.access
    if "@" not in email or not 3 <= len(email) <= 254 or any(c.isspace() for c in email.strip()):
        raise InvalidQuery(f"An e-mail must look like name@company, got {email[:60]!r}.")
    if not 1 <= len(name.strip()) <= 120:
        raise InvalidQuery("A name must have 1 to 120 characters.")
    if role not in policy.roles:
        raise InvalidQuery(f"A role must be one of {', '.join(policy.roles)}, got {role[:60]!r}.")
    for attribute, values in attributes.items():
        if attribute not in policy.attributes:
            raise InvalidQuery(f"An attribute must be one of {', '.join(policy.attributes)}, got {attribute[:60]!r}.")
        wrong = [v for v in values if v not in policy.attributes[attribute].values]
        if wrong:
            allowed = ", ".join(policy.attributes[attribute].values)
            raise InvalidQuery(f"{policy.attributes[attribute].label} must be one of {allowed}, got {wrong[0][:60]!r}.")


def _keep_a_manager(session: Session, sources: Sources, leaving: Person) -> None:
    roles = sources.workspace.access.roles
    managing = {name for name, role in roles.items() if "people:manage" in role.actions}
    left = [p for p in people.everyone(session) if p.active and p.role in managing and p.id != leaving.id]
    if leaving.role in managing and not left:
        raise InvalidQuery("The last administrator cannot be removed.", next_step="Add another one first.")


def _record(
    session: Session,
    sources: Sources,
    person_id: int | None,
    *,
    person: str,
    act: str,
    resource: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    audit_log.record(
        session, at=sources.clock(), person_id=person_id, person=person, act=act, resource=resource, detail=detail
    )
