"""People who come from the identity provider: who they are here, as what, and what changed since last time.

Role and attributes are what access.yml makes of the provider's groups and claims, worked out at each sign-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data import audit_log, identities, people, sessions
from data.tables import Person
from services import identity_links, logs, oidc_claims
from services.errors import Refusal
from services.oidc_claims import Attested
from services.people import manages_alone
from services.sources import Sources

log = logs.logger("lakelight.oidc")
UNNAMED = "Somebody without a name"


class Refused(Refusal):
    """The provider's answer is right and lets nobody in here, or it is not right."""


@dataclass(frozen=True)
class Told:
    """What the provider says of a person, in the terms of access.yml. ``dropped`` values are not allowed there."""

    issuer: str
    subject: str
    name: str
    email: str
    role: str | None
    attributes: dict[str, list[str]]
    dropped: dict[str, list[str]]
    groups_told: bool


def told(sources: Sources, issuer: str, attested: Attested) -> Told:
    """Role, attributes, name and address of what the provider says."""
    policy, claims = sources.workspace.access, attested.claims
    claim = sources.settings.oidc_groups_claim
    kept, dropped = oidc_claims.attributes_of(policy, claims)
    return Told(
        issuer=issuer,
        subject=attested.subject,
        name=oidc_claims.name_of(claims),
        email=oidc_claims.email_of(claims),
        role=oidc_claims.role_of(policy, oidc_claims.values_of(claims, claim)),
        attributes=kept,
        dropped=dropped,
        groups_told=oidc_claims.says_groups(claims, claim),
    )


def arrive(sources: Sources, issuer: str, attested: Attested) -> Person:
    """The person whom the provider attests, added or brought up to date. Raises ``Refused`` and writes why."""
    said = told(sources, issuer, attested)
    try:
        person, refused = _settled(sources, said)
    except IntegrityError:  # the same person's first sign-in in two tabs: by now the other one is through
        person, refused = _settled(sources, said)
    if said.dropped:
        log.warning("oidc.values_left_out", subject=said.subject, values=said.dropped)
    if refused is not None or person is None:
        raise refused or Refused("The sign-in was not completed.")
    return person


def _settled(sources: Sources, said: Told) -> tuple[Person | None, Refused | None]:
    """One transaction: who it is, what changed, and the event of either, or why they are refused."""
    at = sources.clock()
    with sources.store.begin() as session:
        known = identities.find(session, said.issuer, said.subject)
        person = people.by_id(session, known.person_id) if known else None
        reason, refused = _why_not(session, said, person)
        if refused is not None:
            if person is not None:
                sessions.end_all(session, person.id, at)
            elif said.role is not None:
                name = said.name or said.email
                identity_links.ask(
                    session, issuer=said.issuer, subject=said.subject, email=said.email, name=name, at=at
                )
            who = person.email if person else said.email or oidc_claims.stand_in(said.issuer, said.subject)
            audit_log.record(
                session, at=at, person_id=person.id if person else None, person=who, act="sign_in", resource="oidc",
                allowed=False, reason=reason, detail={"known there as": said.subject},
            )  # fmt: skip
            return None, refused
        if person is None:
            return _added(session, said, at), None
        _brought_up_to_date(session, sources, said, person)
        return person, None


def _why_not(session: Session, said: Told, person: Person | None) -> tuple[str, Refused | None]:
    """Why somebody is not let in: the reason for the log, and the sentence for them."""
    if person is not None and (not person.active or person.erased_at is not None):
        return "The account is disabled.", Refused("Your account here is disabled.", next_step="Ask an administrator.")
    if said.role is None:
        reason = "No role names a group of theirs." if said.groups_told else "The provider sent no groups, only a hint."
        return reason, Refused(
            "None of your groups at the identity provider gives you a role here.",
            next_step="Ask an administrator which group you need.",
        )
    if person is None and said.email and people.by_email(session, said.email) is not None:
        return "An account with this address is there and is not linked with the identity provider.", Refused(
            f"There is already an account for {said.email}, and it is not linked with the identity provider.",
            next_step="Ask an administrator to link it with you on the page People.",
        )
    return "", None


def _added(session: Session, said: Told, at: datetime) -> Person:
    email = said.email or oidc_claims.stand_in(said.issuer, said.subject)
    made = people.add(
        session, email=email, name=said.name or said.email or UNNAMED, role=str(said.role),
        attributes={k: v for k, v in said.attributes.items() if v}, password_hash="", created_at=at,
    )  # fmt: skip
    identities.add(session, issuer=said.issuer, subject=said.subject, person_id=made.id, at=at)
    detail: dict[str, Any] = {"role": made.role, **made.attributes, **_left_out(said), "known there as": said.subject}
    audit_log.record(
        session, at=at, person_id=made.id, person=made.email, act="person.arrive", resource=made.email, detail=detail
    )
    return made


def _brought_up_to_date(session: Session, sources: Sources, said: Told, person: Person) -> None:
    """What the provider says now; attributes without a claim stay as the page People has them."""
    at, before = sources.clock(), (person.role, {k: sorted(v) for k, v in person.attributes.items() if v})
    alone = manages_alone(session, sources, person)
    name, email = said.name or person.name, _free_address(session, said, person)
    held = {k: v for k, v in {**person.attributes, **said.attributes}.items() if v}
    changed = _difference(sources, person, name=name, email=email, role=str(said.role), attributes=held)
    if changed or said.dropped:
        person.name, person.email, person.role, person.attributes = name, email, str(said.role), held
        note = {"nobody": "manages people now"} if alone and _lost_it(sources, person) else {}
        if before != (person.role, held):
            people.remember(session, person, at)
        audit_log.record(
            session, at=at, person_id=person.id, person=person.email, act="person.refresh", resource=person.email,
            detail={**changed, **note, **_left_out(said)},
        )  # fmt: skip


def _lost_it(sources: Sources, person: Person) -> bool:
    """Did the only person who managed people lose that right?"""
    role = sources.workspace.access.roles.get(person.role)
    return role is None or "people:manage" not in role.actions


def _free_address(session: Session, said: Told, person: Person) -> str:
    """The address that the provider says now, unless somebody else has it here: then the one there was."""
    if not said.email or said.email == person.email:
        return person.email
    return person.email if people.by_email(session, said.email) is not None else said.email


def _left_out(said: Told) -> dict[str, Any]:
    return {"left out": [v for values in said.dropped.values() for v in values]} if said.dropped else {}


def _difference(
    sources: Sources, person: Person, *, name: str, email: str, role: str, attributes: dict[str, list[str]]
) -> dict[str, str]:
    """What changes, in words: {"role": "Sales → Analyst"}."""
    policy = sources.workspace.access
    labels = {n: r.label for n, r in policy.roles.items()}
    steps = {
        "name": (person.name, name),
        "e-mail": (person.email, email),
        "role": (labels.get(person.role, person.role), labels.get(role, role)),
    }
    for key, about in policy.attributes.items():
        before, after = sorted(person.attributes.get(key, [])), sorted(attributes.get(key, []))
        steps[about.label.lower()] = (", ".join(before) or "none", ", ".join(after) or "none")
    return {what: f"{before} → {after}" for what, (before, after) in steps.items() if before != after}
