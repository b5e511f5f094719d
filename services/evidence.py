"""One evidence pack: who could do and see what on a day, who reviewed and changed it, which models were let through,
and whether the log still is what it was.

The policy and what people were are those at the day's end, worked out again from what was kept. The chain is verified
now: it speaks of the whole log. Nothing here holds a row of the lake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from data import model_log, people, policy_log
from data import reviews as review_log
from data import runs as run_log
from data.definitions import Workspace
from data.tables import AccessReview, AuditEvent, Person, PersonState
from services import audit_changes, audit_seals, policy, policy_versions, reviews, wording
from services.access import ACTION_WORDS, Viewer, require, viewer_of
from services.audit_changes import Changes, ChangesQuery
from services.audit_seals import Verified
from services.errors import InvalidQuery, Unavailable
from services.policy import RolePolicy
from services.sources import Sources

DECIDED = {
    "model.admit": "admitted",
    "model.refuse": "refused",
    "model.promote": "promoted",
    "model.rollback": "rolled back",
    "scores.publish": "scores published",
}


@dataclass(frozen=True)
class PersonThen:
    """What a person was at the day's end, what they could do, and the last review until then."""

    name: str
    email: str
    role: str
    active: bool
    held: tuple[tuple[str, str], ...]
    grants: frozenset[str]
    reviewed_at: datetime | None
    reviewed_by: str
    note: str
    due: str


@dataclass(frozen=True)
class ModelThen:
    """Which version of a model served at the day's end, since when; "" before the first one."""

    model: str
    label: str
    registered: str
    version: str
    digest: str
    scored_at: datetime | None


@dataclass(frozen=True)
class Decided:
    """A decision about a version of a model up to the day's end: when, what, and by whom."""

    at: datetime
    of: str
    version: str
    what: str
    by: str
    event: int


@dataclass(frozen=True)
class Evidence:
    """The whole pack. ``until`` is the day's end, or now. ``missing`` says why no policy of the day can be told."""

    day: date
    until: datetime
    zone: str
    workspace: str
    digest: str
    policy_since: datetime | None
    files: Mapping[str, str]
    missing: str
    roles: tuple[RolePolicy, ...]
    actions: tuple[tuple[str, str], ...]
    people: tuple[PersonThen, ...]
    changes: Changes
    models: tuple[ModelThen, ...]
    decided: tuple[Decided, ...]
    chain: Verified
    chain_problem: str


def day_of(text: str) -> date | None:
    """The day of an address; ``InvalidQuery`` for one that cannot be."""
    return ChangesQuery.from_url({"from": text}).since


def pack(viewer: Viewer, sources: Sources, day: date | None = None) -> Evidence:
    """The evidence of a business day, today where none is said. Raises ``InvalidQuery`` for a day to come."""
    require(viewer, "audit:read")
    require(viewer, "policy:read")
    zone, now = ZoneInfo(sources.workspace.lake.timezone), sources.clock()
    asked = day or now.astimezone(zone).date()
    if datetime.combine(asked, time(), zone) > now:
        raise InvalidQuery("The day must not lie ahead.", next_step="Choose today or a day before.")
    until = min(
        datetime.combine(asked + timedelta(days=1), time(), zone).astimezone(UTC), now + timedelta(microseconds=1)
    )
    with sources.store.read() as session:
        version = policy_log.at(session, until - timedelta(microseconds=1))
        kept = policy_versions.read(version) if version else None
        then = kept.workspace if kept else None
        found = _people(session, sources.workspace, then, until)
        models, decided = _models(session, sources, until)
    chain, problem = _chain(viewer, sources)
    told = policy.policy(viewer, replace(sources, workspace=then)) if then else None
    return Evidence(
        day=asked,
        until=until,
        zone=str(zone),
        workspace=sources.workspace.lake.name,
        digest=kept.digest if kept else "",
        policy_since=kept.at if kept else None,
        files=dict(sorted(kept.files.items())) if kept else {},
        missing=_missing(kept is not None, then is not None),
        roles=told.roles if told else (),
        actions=tuple((a, ACTION_WORDS.get(a, a)) for a in _used(then)) if then else (),
        people=found,
        changes=audit_changes.between(sources, ChangesQuery(asked, asked)),
        models=models,
        decided=decided,
        chain=chain,
        chain_problem=problem,
    )


def _missing(kept: bool, readable: bool) -> str:
    if not kept:
        return "No policy was kept of that day: who could do what cannot be told."
    return "" if readable else "The policy of that day cannot be read by this Lakelight; its files are in the pack."


def _used(workspace: Workspace) -> list[str]:
    """The actions that some role has, those that are known first and in their order."""
    used = {action for role in workspace.access.roles.values() for action in role.actions}
    return [a for a in ACTION_WORDS if a in used] + sorted(used - set(ACTION_WORDS))


def _people(session: Session, now: Workspace, then: Workspace | None, until: datetime) -> tuple[PersonThen, ...]:
    everyone = people.everyone(session)
    last = review_log.newest(session, before=until)
    names = {p.id: p.name for p in everyone}
    made = []
    for person in everyone:
        state = people.state_at(session, person.id, until - timedelta(microseconds=1))
        if state is not None:
            made.append(
                _person(person, state, last.get(person.id), names, now=then or now, known=bool(then), until=until)
            )
    return tuple(made)


def _person(
    person: Person,
    state: PersonState,
    last: AccessReview | None,
    names: Mapping[int, str],
    *,
    now: Workspace,
    known: bool,
    until: datetime,
) -> PersonThen:
    access_ = now.access
    role = access_.roles.get(state.role)
    held = {k: tuple(v) for k, v in state.attributes.items() if v}
    who = viewer_of(now, person_id=person.id, name=person.name, email=person.email, role=state.role, attributes=held)
    changed = len(reviews.changes(access_, last, state.role, state.attributes)) if last else 0
    return PersonThen(
        name=person.name,
        email=person.email,
        role=role.label if role else state.role,
        active=state.active,
        held=tuple(
            (access_.attributes[k].label if k in access_.attributes else k, ", ".join(v)) for k, v in held.items()
        ),
        grants=who.grants if known and state.active else frozenset(),
        reviewed_at=last.at if last else None,
        reviewed_by=names.get(last.reviewer_id, "Nobody known") if last else "",
        note=last.note if last else "",
        due=reviews.due_words(until, last, changed) if state.active else "",
    )


def _models(session: Session, sources: Sources, until: datetime) -> tuple[tuple[ModelThen, ...], tuple[Decided, ...]]:
    """What served at the day's end, and every decision that led there."""
    made, resources = [], []
    for name, use in sources.workspace.models.models.items():
        run = run_log.newest(session, name, before=until)
        facts = (run.registered, run.version, run.digest, run.scored_at) if run else (use.registered, "", "", None)
        made.append(ModelThen(name, use.label, *facts))
        resources += [name, *{use.registered, facts[0]}]
    events = model_log.decisions(session, resources, before=until)
    names = {p.id: p.name for p in people.everyone(session)}
    return tuple(made), tuple(_decided(event, names) for event in events)


def _decided(event: AuditEvent, names: Mapping[int, str]) -> Decided:
    of, slash, number = event.resource.rpartition("/")
    return Decided(
        at=event.at,
        of=of if slash else event.resource,
        version=str(event.detail.get("version") or (number if slash else "")),
        what=DECIDED.get(event.act, event.act),
        by=names.get(event.person_id or 0) or (event.person if event.person_id else "Lakelight"),
        event=event.id,
    )


def _chain(viewer: Viewer, sources: Sources) -> tuple[Verified, str]:
    try:
        found = audit_seals.verify(viewer, sources)
    except Unavailable as problem:
        return Verified(0, 0, problem.sentence), problem.sentence
    return found, found.problem


def chain_words(found: Evidence) -> str:
    """What the verification of the chain says, as a sentence."""
    if found.chain_problem:
        return found.chain_problem
    if not found.chain.sealed:
        return "Nothing is sealed yet."
    sealed, anchored = (f"{n:,}" for n in (found.chain.sealed, found.chain.anchored))
    return f"All {sealed} sealed events are what they were; the newest anchor outside the database is at {anchored}."


def title(found: Evidence) -> str:
    """What the pack answers."""
    return f"Who could do and see what on {wording.day(found.day)}, and is the log whole?"
