"""What a person could see on a day: the policy of that day, what the person was, and the data as published then.

Where the policy or the person changed during the day, the day falls into stretches; each stands on one policy, one
state of the person, and the versions of the data that pages read at its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from data import people, policy_log, publications
from data.definitions import Dataset, Workspace
from data.questions import Table
from data.tables import PersonState, PolicyVersion
from services import accounts, audit, parameters, policy_versions, row_counts, small_cells, wording
from services.access import DatasetScope, Viewer, action_words, require, viewer_of
from services.errors import InvalidQuery, NotFound
from services.policy_versions import Kept
from services.small_cells import Rows
from services.sources import Sources

Dated = TypeVar("Dated", PolicyVersion, PersonState)
Counts = Mapping[str, tuple[int | None, int]]
GONE = "This version of the data is gone, so its rows cannot be counted any more."
NOT_YET = "It was not published yet."


@dataclass(frozen=True)
class PastQuery:
    """Whose access on which business day; 0 and None where nobody and no day is asked yet."""

    person: int = 0
    day: date | None = None

    @classmethod
    def from_url(cls, args: Mapping[str, str]) -> PastQuery:
        """The query of an address. Raises ``NotFound`` and ``InvalidQuery`` for what cannot be a person or a day."""
        said = args.get("person", "")
        if said and not (said.isascii() and said.isdigit() and len(said) <= 9):
            raise NotFound(f"There is no person {said[:40]!r}.", next_step="Choose one of the list.")
        return cls(int(said or 0), parameters.day(args.get("day", ""), "The day"))

    def to_url(self) -> str:
        """The query as the search part of an address."""
        kept = {"person": self.person, "day": self.day.isoformat() if self.day else ""}
        said = {k: v for k, v in kept.items() if v}
        return f"?{urlencode(said)}" if said else ""


@dataclass(frozen=True)
class PastDataset:
    """One dataset as the person saw it. ``version`` and ``rows`` are None before its first publication.

    ``rows`` is what the reader may know of the counts; ``missing`` says why they cannot be told. ``hidden`` are labels
    of columns.
    """

    name: str
    label: str
    many: str
    version: int | None
    published_at: datetime | None
    rows: Rows | None
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
    """The whole answer, with who asked and when. ``stretches`` are in their order; usually there is one.

    ``withheld`` says why a count is not told.
    """

    person_id: int
    name: str
    email: str
    day: date
    zone: str
    asked_by: str
    asked_at: datetime
    stretches: tuple[Stretch, ...]
    withheld: str


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
        counted = [_stretch(session, sources, person_id, moment) for moment in moments]
    shown = _told(viewer, sources, counted)
    return PastAccess(
        person_id=person.id,
        name=person.name,
        email=person.email,
        day=day,
        zone=str(zone),
        asked_by=viewer.name,
        asked_at=now,
        stretches=shown,
        withheld=small_cells.reasons(
            [c for s in shown for d in s.datasets if d.rows for c in (d.rows.seen, d.rows.total)]
        ),
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


def _stretch(session: Session, sources: Sources, person_id: int, moment: _Moment) -> tuple[Stretch, Counts]:
    """A stretch whose datasets hold no counts yet, and the counts."""
    state, kept = moment.state, moment.policy
    missing = _missing(session, state, kept)
    workspace = kept.workspace if kept and kept.workspace else sources.workspace
    role = workspace.access.roles.get(state.role) if state else None
    who = _viewer(workspace, person_id, state) if state and not missing else None
    labels = workspace.access.attributes
    found = [
        _dataset(session, sources, workspace.lake.datasets[one[0]], moment.until, one)
        for one in (who.scopes.items() if who else ())
    ]
    made = Stretch(
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
        datasets=tuple(dataset for dataset, _ in found),
        missing=missing,
    )
    return made, {dataset.name: counts for dataset, counts in found if counts is not None}


def _told(viewer: Viewer, sources: Sources, counted: Sequence[tuple[Stretch, Counts]]) -> tuple[Stretch, ...]:
    """The stretches with their counts as the viewer may know them: two stretches must not tell how few came or went."""
    names = sorted({name for _, counts in counted for name in counts})
    rows = {name: _rows(viewer, sources, name, [c.get(name) for _, c in counted]) for name in names}
    return tuple(
        replace(s, datasets=tuple(replace(d, rows=rows[d.name][at] if d.name in rows else None) for d in s.datasets))
        for at, (s, _) in enumerate(counted)
    )


def _rows(
    viewer: Viewer, sources: Sources, name: str, counts: Sequence[tuple[int | None, int] | None]
) -> list[Rows | None]:
    """One dataset's counts, stretch by stretch."""
    smallest = sources.workspace.access.smallest_cell
    made = [
        small_cells.of_rows(viewer, sources, name, c[1], seen=c[0], own=False) if c is not None else None
        for c in counts
    ]
    if not small_cells.crosses(viewer, name):
        return made
    for part, place in (("seen", 0), ("total", 1)):
        at = [i for i, c in reversed(list(enumerate(counts))) if c is not None and c[place] is not None]
        values = [int(c[place] or 0) for i in at if (c := counts[i]) is not None]
        for i, why in zip(at, small_cells.spaced(values, smallest), strict=True):
            rows, count = made[i], counts[i]
            if why and rows and count and getattr(rows, part).value is not None:
                made[i] = replace(rows, **{part: small_cells.told(int(count[place] or 0), why, smallest)})
    return made


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
) -> tuple[PastDataset, tuple[int | None, int] | None]:
    """A dataset as it was published then, and how many of how many rows the rules of that time let through."""
    name, scope = named
    found = publications.before(session, name, until)
    counts = None
    if found is not None:
        table = Table(found.dataset, found.version)
        counts = row_counts.visible(sources, table, found.rows, where=scope.rows), found.rows
    made = PastDataset(
        name=name,
        label=about.label,
        many=about.noun.many,
        version=found.version if found else None,
        published_at=found.published_at if found else None,
        rows=None,
        reason=scope.reason,
        hidden=tuple(column.label for c, column in about.columns.items() if c in scope.hidden),
        missing=NOT_YET if counts is None else GONE if counts[0] is None else "",
    )
    return made, counts
