"""Who may come in and as what: the people of the app, their roles and attributes, kept by an administrator.

A change binds at the person's next request. Nobody changes their own role, and the last administrator stays.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from data import identities, people, sessions, tickets
from data.definitions import Role
from data.tables import Person
from services import accounts, audit, identity_links, links, live_sessions, step_up
from services.access import Viewer, require
from services.errors import InvalidField, InvalidQuery
from services.identity_links import LinkAsked
from services.sources import Sources


@dataclass(frozen=True)
class PersonLine:
    """A person as the list shows them. ``attributes`` are (label, values in words); ``sessions`` are open ones."""

    id: int
    name: str
    email: str
    role_label: str
    attributes: tuple[tuple[str, str], ...]
    active: bool
    last_sign_in_at: datetime | None
    sessions: int
    is_self: bool
    erased: bool
    second_factor: bool
    note: str
    provided: bool = False


@dataclass(frozen=True)
class AttributeChoice:
    """An attribute of a person: its name, its label, the values allowed and those held."""

    name: str
    label: str
    values: tuple[str, ...]
    held: tuple[str, ...]


@dataclass(frozen=True)
class PersonForm:
    """What the form of one person shows. ``id`` is 0 for somebody new; ``seen`` marks the state it was drawn from.

    ``fixed`` are the fields that the identity provider says; ``asked`` is who waits there to be linked with them.
    """

    id: int
    line: PersonLine | None
    name: str
    role: str
    roles: tuple[tuple[str, str], ...]
    attributes: tuple[AttributeChoice, ...]
    seen: str
    may_manage: bool
    may_look: bool
    fixed: frozenset[str] = frozenset()
    asked: LinkAsked | None = None


def list_people(viewer: Viewer, sources: Sources) -> tuple[PersonLine, ...]:
    """Everybody who may sign in or could once."""
    require(viewer, "people:read")
    with sources.store.read() as session:
        open_ = Counter(r.person_id for r in sessions.not_ended(session) if live_sessions.is_alive(sources, r))
        provided = identities.provided(session)
        return tuple(_line(viewer, sources, p, open_[p.id], p.id in provided) for p in people.everyone(session))


def form(viewer: Viewer, sources: Sources, person_id: int = 0) -> PersonForm:
    """The form of one person, or of somebody new."""
    require(viewer, "people:read")
    policy = sources.workspace.access
    roles = tuple((name, role.label) for name, role in policy.roles.items())
    may, look = "people:manage" in viewer.grants, "people:view_as" in viewer.grants
    if not person_id:
        return PersonForm(0, None, "", "", roles, _choices(sources, {}), "", may, False)
    with sources.store.read() as session:
        person = accounts.person_of(session, person_id)
        open_ = [r for r in sessions.not_ended(session, person_id) if live_sessions.is_alive(sources, r)]
        provided = identities.is_provided(session, person_id)
        asked = None if provided else identity_links.asked(session, sources, person_id)
    line = _line(viewer, sources, person, len(open_), provided)
    held = {k: tuple(v) for k, v in person.attributes.items()}
    choices = _choices(sources, held)
    return PersonForm(
        person.id,
        line,
        person.name,
        person.role,
        roles,
        choices,
        _seen(person),
        may,
        look,
        _fixed(sources, provided),
        asked,
    )


def add_person(
    viewer: Viewer, sources: Sources, *, email: str, name: str, role: str, attributes: Mapping[str, list[str]]
) -> str:
    """Add a person and give the link where they choose their password, to be handed over; only its hash is kept.

    It is a way in, so it needs a fresh proof of who asks: a screen that was left open makes nobody an administrator.
    """
    require(viewer, "people:manage")
    step_up.require_fresh(viewer, sources)
    return accounts.create(
        sources, email=email, name=name, role=role, attributes=_tidy(attributes), by=viewer, link=True
    )


def change_person(
    viewer: Viewer,
    sources: Sources,
    person_id: int,
    *,
    name: str,
    role: str,
    attributes: Mapping[str, list[str]],
    seen: str = "",
) -> None:
    """Change what a person is. ``seen`` is the state the form showed: a change made meanwhile is not overwritten."""
    require(viewer, "people:manage")
    wanted = _tidy(attributes)
    with sources.store.begin() as session:
        person = _living(accounts.person_of(session, person_id))
        if seen and seen != _seen(person):
            raise InvalidQuery(
                f"{person.name} was changed by somebody else meanwhile.", next_step="Look again before you save."
            )
        own = _tidy({k: list(v) for k, v in person.attributes.items()})
        if person_id == viewer.person_id and (role != person.role or wanted != own):
            raise InvalidField(
                "role", "Nobody can change their own role or attributes.", next_step="Ask another administrator."
            )
        _keep_what_is_provided(session, sources, person, name=name, role=role, attributes=wanted)
        accounts.check_person(sources, email=person.email, name=name, role=role, attributes=wanted)
        if person.role != role:
            _keep_a_manager(session, sources, person, field="role")
        changed = _difference(sources, person, name=name.strip(), role=role, attributes=wanted)
        if not changed:
            return
        person.name, person.role, person.attributes = name.strip(), role, dict(wanted)
        people.remember(session, person, sources.clock())
        audit.write(session, sources, viewer, "person.change", person.email, detail=changed)


def set_active(viewer: Viewer, sources: Sources, person_id: int, active: bool) -> None:
    """Disable or enable a person; disabling ends their sessions at once. Nobody disables themselves."""
    require(viewer, "people:manage")
    if person_id == viewer.person_id:
        raise InvalidQuery("Nobody can disable their own account.", next_step="Ask another administrator.")
    with sources.store.begin() as session:
        person = _living(accounts.person_of(session, person_id))
        if not active:
            _keep_a_manager(session, sources, person)
            sessions.end_all(session, person_id, sources.clock())
            tickets.end_of_person(session, person_id, sources.clock())
        person.active = active
        people.remember(session, person, sources.clock())
        audit.write(session, sources, viewer, "person.enable" if active else "person.disable", person.email)


def end_sessions(viewer: Viewer, sources: Sources, person_id: int) -> int:
    """Sign a person out everywhere; gives how many sessions were open. One's own end on the account page."""
    require(viewer, "people:manage")
    if person_id == viewer.person_id:
        raise InvalidQuery("Your own sessions are on your account page.", next_step="End them there.")
    with sources.store.begin() as session:
        person = accounts.person_of(session, person_id)
        open_ = sum(live_sessions.is_alive(sources, r) for r in sessions.not_ended(session, person_id))
        sessions.end_all(session, person_id, sources.clock())
        tickets.end_of_person(session, person_id, sources.clock())
        audit.write(session, sources, viewer, "person.sign_out", person.email, detail={"sessions": open_})
        return open_


def new_link(viewer: Viewer, sources: Sources, person_id: int) -> tuple[str, links.Kind]:
    """A link where somebody who lost their password chooses another one, and its kind. Shown once, to be handed over.

    It is a way into another person's account, so it needs a fresh proof of who asks.

    The old password and their sessions go on until it is used: a link that was asked for by mistake harms nobody.
    Somebody who never chose a password gets another activation.
    """
    require(viewer, "people:manage")
    if person_id == viewer.person_id:
        raise InvalidQuery("Your own password is on your account page.", next_step="Change it there.")
    step_up.require_fresh(viewer, sources)
    with sources.store.begin() as session:
        person = _living(accounts.person_of(session, person_id))
        if identities.is_provided(session, person_id):
            raise InvalidQuery(
                f"{person.name} signs in through the identity provider.", next_step="There is no password to give."
            )
        if person.demo:
            raise InvalidQuery("The password of a demo account cannot be changed.")
        if not person.active:
            raise InvalidQuery(f"{person.name} is disabled.", next_step="Enable the account first.")
        kind: links.Kind = "activation" if person.password_once else "reset"
        made = links.made(session, sources, person, kind)
        audit.write(session, sources, viewer, "person.password_link", person.email, detail={"kind": kind})
    return made, kind


def _living(person: Person) -> Person:
    if person.erased_at is not None:
        raise InvalidQuery("This person was erased.", next_step="Add them anew if they come back.")
    return person


def without_rows(role: Role | None, attributes: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Attributes that a role's row rules need and this person lacks: without them the rules give no rows."""
    if role is None:
        return ()
    needed = {rule.attribute for group in role.rows for rule in group.rules if rule.attribute}
    return tuple(sorted(a for a in needed if not attributes.get(a)))


def rowless(viewer: Viewer, sources: Sources, email: str) -> str:
    """Why the row rules give a person no rows, with what to do; "" where they may give some."""
    require(viewer, "people:read")
    with sources.store.read() as session:
        person = people.by_email(session, email)
    return "" if person is None else lacking_words(sources.workspace.access.roles.get(person.role), person)


def lacking_words(role: Role | None, person: Person) -> str:
    """The attributes that a person lacks for the rules of the role, as a sentence; "" where none is missing."""
    lacking = without_rows(role, {k: tuple(v) for k, v in person.attributes.items()})
    return f"{person.name} has no {' and no '.join(lacking)}, so the row rules give them no rows." if lacking else ""


def _line(viewer: Viewer, sources: Sources, person: Person, open_sessions: int, provided: bool) -> PersonLine:
    policy = sources.workspace.access
    held = {k: tuple(v) for k, v in person.attributes.items() if v}
    role = policy.roles.get(person.role)
    return PersonLine(
        id=person.id,
        name=person.name,
        email=person.email,
        role_label=role.label if role else person.role,
        attributes=tuple((policy.attributes[k].label, ", ".join(v)) for k, v in held.items() if k in policy.attributes),
        active=person.active,
        last_sign_in_at=person.last_sign_in_at,
        sessions=open_sessions,
        is_self=person.id == viewer.person_id,
        erased=person.erased_at is not None,
        second_factor=bool(person.second_factor),
        note=_note(sources, person, role, held),
        provided=provided,
    )


def _note(sources: Sources, person: Person, role: Role | None, held: Mapping[str, tuple[str, ...]]) -> str:
    """What an administrator should know about this person, as one sentence, or ""."""
    if person.erased_at is not None:
        return ""
    if role is None:
        return f"The policy has no role named {person.role}: this person may do nothing."
    lacking = without_rows(role, held)
    if lacking:
        labels = " or ".join(sources.workspace.access.attributes[a].label.lower() for a in lacking)
        return f"Without {labels} this person sees no rows."
    return "Has not chosen a password yet." if person.password_once else ""


def _choices(sources: Sources, held: Mapping[str, tuple[str, ...]]) -> tuple[AttributeChoice, ...]:
    known = sources.workspace.access.attributes
    return tuple(AttributeChoice(name, a.label, a.values, tuple(held.get(name, ()))) for name, a in known.items())


def _tidy(attributes: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Values in order, each once; attributes without a value are left out."""
    return {k: sorted(set(v)) for k, v in sorted(attributes.items()) if v}


def _seen(person: Person) -> str:
    state = repr((person.name, person.role, sorted(_tidy(person.attributes).items())))
    return hashlib.sha256(state.encode()).hexdigest()[:16]


def _difference(
    sources: Sources, person: Person, *, name: str, role: str, attributes: Mapping[str, list[str]]
) -> dict[str, str]:
    """What changes, in words: {"role": "Sales → Analyst"}."""
    policy = sources.workspace.access
    labels = {n: r.label for n, r in policy.roles.items()}
    steps = {"name": (person.name, name), "role": (labels.get(person.role, person.role), labels[role])}
    for key, about in policy.attributes.items():
        before, after = person.attributes.get(key, []), attributes.get(key, [])
        steps[about.label.lower()] = (", ".join(sorted(before)) or "none", ", ".join(after) or "none")
    return {what: f"{before} → {after}" for what, (before, after) in steps.items() if before != after}


def manages_alone(session: Session, sources: Sources, person: Person) -> bool:
    """Does nobody else manage people?"""
    roles = sources.workspace.access.roles
    managing = {name for name, role in roles.items() if "people:manage" in role.actions}
    left = [p for p in people.everyone_held(session) if p.active and p.role in managing and p.id != person.id]
    return person.role in managing and not left


def _fixed(sources: Sources, provided: bool) -> frozenset[str]:
    """The fields of a person that the identity provider says: name, role, and the attributes that have a claim."""
    claimed = [name for name, a in sources.workspace.access.attributes.items() if a.claim]
    return frozenset({"name", "role", *claimed}) if provided else frozenset()


def _keep_what_is_provided(
    session: Session, sources: Sources, person: Person, *, name: str, role: str, attributes: Mapping[str, list[str]]
) -> None:
    if not identities.is_provided(session, person.id):
        return
    said = {
        "name": name.strip(),
        "role": role,
        **{a: attributes.get(a, []) for a in sources.workspace.access.attributes},
    }
    held = {"name": person.name, "role": person.role, **_tidy(person.attributes)}
    for field in sorted(_fixed(sources, True)):
        if said[field] != held.get(field, []):
            raise InvalidField(
                field,
                "This comes from the identity provider.",
                next_step="Change it there; it holds at the next sign-in.",
            )


def _keep_a_manager(session: Session, sources: Sources, leaving: Person, field: str = "") -> None:
    if manages_alone(session, sources, leaving):
        sentence, step = "The last administrator cannot be removed.", "Add another one first."
        raise InvalidField(field, sentence, next_step=step) if field else InvalidQuery(sentence, next_step=step)
