"""What a person could see on a day: the policy of that day, what the person was, and the data as published then.

Where the policy or the person changed during the day, the day falls into stretches; each stands on one policy, one
state of the person, and the versions of the data that pages read at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from data import people, policy_log, publications
from data.definitions import Dataset, Workspace
from data.lake import LakeError
from data.questions import Aggregate, Aggregated, Everything, Nothing, Table
from data.tables import PersonState, PolicyVersion, Publication
from services import accounts, audit, policy_versions, wording
from services.access import DatasetScope, Viewer, action_words, require, viewer_of
from services.errors import InvalidQuery
from services.policy_versions import Kept
from services.sources import Sources

Dated = TypeVar("Dated", PolicyVersion, PersonState)
GONE = "This version of the data is gone, so its rows cannot be counted any more."
NOT_YET = "It was not published yet."


@dataclass(frozen=True)
class PastDataset:
    """One dataset as the person saw it. ``version`` is None before its first publication.

    ``visible`` is None where it cannot be counted; ``missing`` says why. ``hidden`` are labels of columns.
    """

    name: str
    label: str
    many: str
    version: int | None
    published_at: datetime | None
    visible: int | None
    total: int | None
    reason: str
    hidden: tuple[str, ...]
    missing: str


@dataclass(frozen=True)
class Stretch:
    """A part of the day in which nothing changed. ``until`` is not included.

    ``missing`` says in a sentence why nothing can be told; then the lists are empty.
    """

    since: datetime
    until: datetime
    policy: str
    policy_since: datetime | None
    role: str
    role_label: str
    active: bool
    held: tuple[tuple[str, str], ...]
    grants: tuple[str, ...]
    actions: tuple[str, ...]
    datasets: tuple[PastDataset, ...]
    missing: str


@dataclass(frozen=True)
class PastAccess:
    """The whole answer, with who asked and when. ``stretches`` are in their order; usually there is one."""

    person_id: int
    name: str
    email: str
    day: date
    zone: str
    asked_by: str
    asked_at: datetime
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class _Moment:
    """What held from a moment on."""

    since: datetime
    until: datetime
    policy: Kept | None
    state: PersonState | None


def on_day(viewer: Viewer, sources: Sources, person_id: int, day: date) -> PastAccess:
    """What this person could do and see on a business day. Raises ``InvalidQuery`` for a day to come."""
    require(viewer, "policy:read")
    zone, now = ZoneInfo(sources.workspace.lake.timezone), sources.clock()
    since = datetime.combine(day, time(), zone).astimezone(UTC)
    until = min(datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC), now)
    if since > now:
        raise InvalidQuery("The day must not lie ahead.", next_step="Choose today or a day before.")
    with sources.store.begin() as session:
        person = accounts.person_of(session, person_id)
        audit.write(session, sources, viewer, "policy.past", person.email, detail={"day": day.isoformat()})
    with sources.store.read() as session:
        moments = _moments(session, person_id, since, until)
        shown = tuple(_stretch(session, sources, person_id, moment) for moment in moments)
    return PastAccess(
        person_id=person.id,
        name=person.name,
        email=person.email,
        day=day,
        zone=str(zone),
        asked_by=viewer.name,
        asked_at=now,
        stretches=shown,
    )


def _moments(session: Session, person_id: int, since: datetime, until: datetime) -> list[_Moment]:
    """The stretches of a day: cut where the policy or the person changed."""
    policies = [policy_log.at(session, since), *policy_log.between(session, since, until)]
    states = [people.state_at(session, person_id, since), *people.states_between(session, person_id, since, until)]
    cuts = sorted({since, *(v.at for v in (*policies, *states) if v is not None and since < v.at < until)})
    made = []
    for begins, ends in zip(cuts, [*cuts[1:], until], strict=True):
        version, state = _newest(policies, begins), _newest(states, begins)
        made.append(_Moment(begins, ends, policy_versions.read(version) if version else None, state))
    return made


def _newest(found: Sequence[Dated | None], at: datetime) -> Dated | None:
    return next((one for one in reversed(found) if one is not None and one.at <= at), None)


def _stretch(session: Session, sources: Sources, person_id: int, moment: _Moment) -> Stretch:
    state, kept = moment.state, moment.policy
    missing = _missing(session, state, kept)
    workspace = kept.workspace if kept and kept.workspace else sources.workspace
    role = workspace.access.roles.get(state.role) if state else None
    who = _viewer(workspace, person_id, state) if state and not missing else None
    labels = workspace.access.attributes
    return Stretch(
        since=moment.since,
        until=moment.until,
        policy=kept.digest if kept else "",
        policy_since=kept.at if kept else None,
        role=state.role if state else "",
        role_label=role.label if role else state.role if state else "",
        active=bool(state and state.active),
        held=tuple((labels[k].label if k in labels else k, ", ".join(v)) for k, v in state.attributes.items() if v)
        if state
        else (),
        grants=tuple(sorted(who.grants)) if who else (),
        actions=tuple(action_words(a) for a in role.actions) if who and role else (),
        datasets=tuple(
            _dataset(session, sources, workspace.lake.datasets[one[0]], moment.until, one) for one in who.scopes.items()
        )
        if who
        else (),
        missing=missing,
    )


def _missing(session: Session, state: PersonState | None, kept: Kept | None) -> str:
    """Why it cannot be told, or that there was nothing to see."""
    if state is None:
        return "This person had not been added yet, so they could see nothing."
    if not state.active:
        return "The account was disabled, so this person could see nothing."
    if kept is None:
        first = policy_log.first(session)
        since = f" The first one is of {wording.day(first.at)}." if first else ""
        return f"No policy was kept of that time.{since}"
    if kept.workspace is None:
        return "The policy of that time cannot be read by this Lakelight."
    return ""


def _viewer(workspace: Workspace, person_id: int, state: PersonState) -> Viewer:
    held = {k: tuple(v) for k, v in state.attributes.items()}
    return viewer_of(workspace, person_id=person_id, name="", email="", role=state.role, attributes=held)


def _dataset(
    session: Session, sources: Sources, about: Dataset, until: datetime, named: tuple[str, DatasetScope]
) -> PastDataset:
    name, scope = named
    found = publications.before(session, name, until)
    visible, missing = (None, NOT_YET) if found is None else _count(sources, found, scope)
    return PastDataset(
        name=name,
        label=about.label,
        many=about.noun.many,
        version=found.version if found else None,
        published_at=found.published_at if found else None,
        visible=visible,
        total=found.rows if found else None,
        reason=scope.reason,
        hidden=tuple(column.label for c, column in about.columns.items() if c in scope.hidden),
        missing=missing,
    )


def _count(sources: Sources, found: Publication, scope: DatasetScope) -> tuple[int | None, str]:
    """The rows that the rules of that time let through in the version of that time."""
    if isinstance(scope.rows, Nothing):
        return 0, ""
    if isinstance(scope.rows, Everything):
        return found.rows, ""
    table = Table(found.dataset, found.version)
    question = Aggregate(table, (Aggregated("n", "count"),))
    try:
        return sources.cache.get_or_make(
            ("rows", table, scope.rows),
            lambda: int(sources.lake.read(question, where=scope.rows).column("n")[0].as_py()),
        ), ""
    except LakeError:
        return None, GONE
