"""A person is erased: who they were goes, what they were allowed stays under a number, and the log's chain holds.

Erased are the name, the address, the password, the second factor, identities, links, sessions, and the words of every
event of theirs or about them. Left are their number, their role and attributes from when to when, and what they took
away, until the days of that class of events are over (docs/decisions/0010).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from data import audit_chain, audit_emptied, audit_log, erasing, identities, people
from data.tables import Person
from services import accounts, audit_retention, oidc_claims
from services.access import Viewer, require
from services.errors import InvalidField, InvalidQuery
from services.sources import Sources

NOBODY = "invalid"
"""The top-level domain that never exists (RFC 2606)."""


@dataclass(frozen=True)
class Erased:
    """What an erasure did: how many events were emptied, stay for their time, or cannot be emptied."""

    name: str
    emptied: int
    kept: int
    older: int

    @property
    def sentence(self) -> str:
        """The outcome for whoever asked."""
        said = [f"Erased. They are {self.name} from now on; {self.emptied:,} events of the log were emptied."]
        if self.kept:
            said.append(f"{self.kept:,} of what was taken away, or of the models' history, stay for their time.")
        if self.older:
            said.append(f"{self.older:,} from before events could be emptied stay as they are.")
        return " ".join(said)


def erase(viewer: Viewer, sources: Sources, person_id: int, typed: str) -> Erased:
    """Erase a disabled person; ``typed`` is their address, so that nobody is erased by a slip.

    Raises ``InvalidQuery`` for oneself, somebody enabled, a demo account or somebody erased before.
    """
    require(viewer, "people:manage")
    with sources.store.begin() as session:
        person = accounts.person_of(session, person_id)
        _check(viewer, person)
        if not isinstance(typed, str) or typed.strip().lower() != person.email:
            raise InvalidField("erase", "Type the e-mail of the person to erase.", next_step=f"It is {person.email}.")
        done = _empty(session, sources, viewer, person)
        erasing.forget(session, person, name=done.name, email=_address(person_id), at=sources.clock())
        people.remember(session, person, sources.clock())
    return done


def _check(viewer: Viewer, person: Person) -> None:
    if person.id == viewer.person_id:
        raise InvalidQuery("Nobody can erase themselves.", next_step="Ask another administrator.")
    if person.erased_at is not None:
        raise InvalidQuery("This person was erased before.")
    if person.demo:
        raise InvalidQuery("A demo account cannot be erased.")
    if person.active:  # so that the last administrator, who cannot be disabled, cannot be erased either
        raise InvalidQuery("Only somebody who is disabled can be erased.", next_step="Disable the account first.")


def _empty(session: Session, sources: Sources, viewer: Viewer, person: Person) -> Erased:
    """Empty the person's events and those about them, and write the one that accounts for it, which names nobody."""
    kept = audit_retention.acts_of("taking")
    found, older = audit_log.naming(session, person.id, *_known_as(session, person))
    going = [e for e in found if e.act not in audit_emptied.NEVER.union(kept)]
    own = [e for e in going if e.person_id == person.id]
    about = [e for e in going if e.person_id != person.id]
    detail = {"person": person.id, "about": [e.id for e in about], "kept": kept}
    audit_log.record(
        session,
        at=sources.clock(),
        person_id=viewer.person_id or None,
        person="" if viewer.person_id else viewer.email,
        act=audit_emptied.ERASE,
        resource=audit_emptied.pseudonym(person.id),
        detail=detail,
    )
    for event in own:
        name = audit_emptied.pseudonym(person.id)
        audit_emptied.empty(event, audit_chain.content_hash(event), sources.clock(), name)
    for event in about:
        audit_emptied.empty(event, audit_chain.content_hash(event), sources.clock())
    emptied = len(own) + len(about)
    return Erased(f"Erased person {person.id}", emptied, len(found) - emptied, older)


def _known_as(session: Session, person: Person) -> tuple[list[str], list[str]]:
    """Every address the person had, unless it is somebody else's by now, and their subjects at the provider."""
    theirs = identities.of_person(session, person.id)
    stand_ins = {oidc_claims.stand_in(one.issuer, one.subject) for one in theirs}
    found = audit_log.addresses(session, person.id) | stand_ins | {person.email}
    holders = {email: people.by_email(session, email) for email in sorted(found)}
    return [e for e, holder in holders.items() if holder is None or holder.id == person.id], [i.subject for i in theirs]


def _address(person_id: int) -> str:
    return f"{audit_emptied.pseudonym(person_id)}@{NOBODY}"
