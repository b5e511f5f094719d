"""Does everything behind the workspace's words stand? Data, models, scores, people and the worker, line by line.

The words themselves were checked when they were read: with a mistake in a file the app does not start. Nothing here
asks the registry; it looks at what the last sync wrote down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from data import catalogue_log, people, publications
from data import jobs as job_log
from data import runs as run_log
from data.definitions import ModelUse, Role
from data.tables import CatalogueVersion, Person, ScoreRun
from models import scoring
from services import access, jobs, locks, row_counts, runs, small_cells, snapshots
from services.access import Viewer, require, viewer_of
from services.people import lacking_words
from services.small_cells import Told
from services.snapshots import Snapshot
from services.sources import Sources

State = Literal["ok", "watch", "bad"]
WORST: tuple[State, ...] = ("bad", "watch", "ok")
NEEDS_ROWS: Mapping[str, str] = {"kpis:read": "the overview", "leads:read": "its lists", "what_if:run": "what-if"}


@dataclass(frozen=True)
class CheckLine:
    """One thing that was looked at: how it stands, in a sentence, and what to do ("" where there is nothing to do)."""

    state: State
    subject: str
    sentence: str
    next_step: str = ""


@dataclass(frozen=True)
class CheckPart:
    """Lines that belong together, under a word."""

    label: str
    lines: tuple[CheckLine, ...]

    @property
    def state(self) -> State:
        """The worst of its lines."""
        return _worst(line.state for line in self.lines)


@dataclass(frozen=True)
class WorkspaceCheck:
    """All parts, at a moment. ``name`` is the business, ``folder`` where its files lie."""

    name: str
    folder: str
    at: datetime
    parts: tuple[CheckPart, ...]

    @property
    def state(self) -> State:
        """The worst of all."""
        return _worst(part.state for part in self.parts)

    def count(self, state: State) -> int:
        """How many lines stand so."""
        return sum(line.state == state for part in self.parts for line in part.lines)


def check(viewer: Viewer, sources: Sources) -> WorkspaceCheck:
    """Look at everything. Raises ``Forbidden`` without ``workspace:check``."""
    require(viewer, "workspace:check")
    workspace = sources.workspace
    parts = (
        CheckPart("Data", tuple(_data(viewer, sources))),
        CheckPart("Models", tuple(line for use in workspace.models.models.items() for line in _model(sources, *use))),
        CheckPart("People and roles", tuple(_people(sources))),
        CheckPart("Background work", tuple(_work(sources))),
    )
    kept = tuple(part for part in parts if part.lines)
    return WorkspaceCheck(workspace.lake.name, str(sources.settings.workspace), sources.clock(), kept)


def _worst(states: Iterator[State] | Sequence[State]) -> State:
    found = set(states)
    return next((state for state in WORST if state in found), "ok")


# ── data ──────────────────────────────────────────────────────────────────────────────────────────


def _data(viewer: Viewer, sources: Sources) -> Iterator[CheckLine]:
    found = snapshots.published(sources)
    with sources.store.read() as session:
        held = {q.dataset: q.reason for q in publications.open_quarantine(session)}
        building = jobs.building(session)
    for name, about in sources.workspace.lake.datasets.items():
        if name in found.snapshots:
            rows = _rows(viewer, sources, found.snapshots[name])
            yield _published(about.label, found.snapshots[name], held.get(name, ""), rows)
        elif building:
            yield CheckLine("watch", about.label, f"{about.label} is being prepared.")
        elif name in held:
            yield CheckLine("bad", about.label, f"{about.label} is held back: {held[name]}", "Correct the file.")
        else:
            step = f"Put its file at {about.path} in {sources.settings.lake}; the worker publishes it."
            yield CheckLine("bad", about.label, f"{about.label} was never published.", step)


def _rows(viewer: Viewer, sources: Sources, found: Snapshot) -> Told:
    seen = row_counts.visible(sources, found.table, found.rows, where=access.rows(viewer, found.dataset))
    return small_cells.of_rows(viewer, sources, found.dataset, found.rows, seen=seen, own=True).total


def _published(label: str, found: Snapshot, held: str, rows: Told) -> CheckLine:
    if held:
        said = f"{label} serves its last good version, because a newer file is held back: {held}"
        return CheckLine("watch", label, said, "Correct the file; it is checked again by itself.")
    if found.stale:
        return CheckLine("watch", label, found.stale_reason, "Ask who delivers it, or change the promise in lake.yml.")
    counted = f"{rows.text} rows, " if rows.text != small_cells.NOT_SHOWN else ""
    return CheckLine("ok", label, f"{label} is published: {counted}version {found.table.version}.")


# ── models ────────────────────────────────────────────────────────────────────────────────────────


def _model(sources: Sources, name: str, use: ModelUse) -> Iterator[CheckLine]:
    with sources.store.read() as session:
        known = catalogue_log.versions(session, use.registered)
        current = run_log.current(session, name)
        building = jobs.building(session)
        reading = any(job.kind == "sync" for job in job_log.with_state(session, *job_log.OPEN))
    champion = next((v for v in known if use.alias in v.aliases), None)
    if champion is None:
        yield _unknown(use, known, building=building, reading=reading)
    else:
        yield _admission(use, champion, use.alias)
        yield from _coverage(use, champion)
    challenger = next((v for v in known if use.challenger and use.challenger in v.aliases), None)
    if challenger is not None and challenger is not champion and challenger.state == "refused":
        yield CheckLine("watch", use.label, *_refusal(use, challenger, use.challenger or ""))
    if champion is not None and champion.state == "admitted":
        yield _scores(sources, name, use, current)


def _unknown(use: ModelUse, known: Sequence[CatalogueVersion], *, building: bool, reading: bool) -> CheckLine:
    if building:
        return CheckLine("watch", use.label, f"{use.label} is being trained.")
    if reading:
        return CheckLine("watch", use.label, f"The registry is being read: {use.label} is not known yet.")
    if known:
        said = f"No version of {use.registered} carries the alias {use.alias}."
        return CheckLine("bad", use.label, said, "Set the alias in the registry, or name another one in models.yml.")
    said = f"The registry has no model named {use.registered}, or it was not read yet."
    return CheckLine("bad", use.label, said, "Register it, or correct the name in models.yml; then sync the registry.")


def _admission(use: ModelUse, version: CatalogueVersion, alias: str) -> CheckLine:
    if version.state == "refused":
        return CheckLine("bad", use.label, *_refusal(use, version, alias))
    if version.state == "waiting":
        said = f"Version {version.version} ({alias}) of {use.label} is not admitted yet. {version.reason}".strip()
        return CheckLine("watch", use.label, said, "The worker tries it as soon as it can.")
    return CheckLine("ok", use.label, f"Version {version.version} ({alias}) of {use.label} is admitted.")


def _refusal(use: ModelUse, version: CatalogueVersion, alias: str) -> tuple[str, str]:
    return f"Version {version.version} ({alias}) of {use.label} is refused: {version.reason}", version.next_step


def _coverage(use: ModelUse, version: CatalogueVersion) -> Iterator[CheckLine]:
    """Does every input have a name in models.yml, and every name an input?"""
    inputs = [str(i["name"]) for i in version.profile.get("inputs", ())]
    if not inputs:
        return
    owners = set(scoring.owner_of(inputs, use.features).values())
    unnamed, unused = sorted(owners - set(use.features)), sorted(set(use.features) - owners)
    if unnamed:
        said = f"{use.label} takes the input {', '.join(unnamed[:5])}, which models.yml does not name."
        yield CheckLine("bad", use.label, said, "Add it to the features of the model.")
    if unused:
        said = f"{use.label} does not take {', '.join(unused[:5])}, which models.yml names as a feature."
        yield CheckLine("watch", use.label, said, "Remove it, or correct its name.")
    if not unnamed and not unused:
        said = f"All {len(use.features)} features of {use.label} are inputs of the model, and all its inputs are named."
        yield CheckLine("ok", use.label, said)


def _scores(sources: Sources, name: str, use: ModelUse, current: ScoreRun | None) -> CheckLine:
    if current is None:
        return CheckLine(
            "watch", use.label, f"{use.label} has not scored anything yet.", "See the jobs for the reason."
        )
    run = runs.current_run(sources, name)
    if run is not None and run.waiting:
        return CheckLine("watch", use.label, f"{use.label}: {run.waiting}", "The worker scores it by itself.")
    return CheckLine("ok", use.label, f"{use.label} scored {current.rows:,} rows with version {current.version}.")


# ── people ────────────────────────────────────────────────────────────────────────────────────────


NO_MANAGER = "Give a role in access.yml the action people:manage, and somebody that role."


def _people(sources: Sources) -> Iterator[CheckLine]:
    roles = sources.workspace.access.roles
    with sources.store.read() as session:
        everyone = [p for p in people.everyone(session) if p.active]
    held = Counter(p.role for p in everyone)
    for name, role in roles.items():
        yield from _role(sources, name, role, held[name])
    for person in everyone:
        yield from _person(roles, person)
    if not any("people:manage" in roles[p.role].actions for p in everyone if p.role in roles):
        able = [name for name, role in roles.items() if "people:manage" in role.actions]
        step = f"Add one: `python cli.py user add EMAIL --name NAME --role {able[0]}`." if able else NO_MANAGER
        yield CheckLine("bad", "Administrator", "Nobody may manage people.", step)


def _role(sources: Sources, name: str, role: Role, count: int) -> Iterator[CheckLine]:
    """A role that opens pages of rows must have a rule that can give rows."""
    every = {a: about.values for a, about in sources.workspace.access.attributes.items()}
    fullest = viewer_of(sources.workspace, person_id=0, name=name, email="", role=name, attributes=every)
    without = [d for d, scope in fullest.scopes.items() if scope.reason.startswith("No row rule")]
    opened = [word for action, word in NEEDS_ROWS.items() if action in role.actions]
    if opened and without:
        said = f"{role.label} opens {opened[0]}, but no row rule gives it rows of {', '.join(sorted(without)[:5])}."
        yield CheckLine("watch", role.label, said, "Add a row rule in access.yml, or leave it so on purpose.")
    elif not count:
        yield CheckLine("watch", role.label, f"Nobody has the role {role.label}.", "Add somebody, or leave it so.")
    else:
        people_ = "1 person has" if count == 1 else f"{count:,} people have"
        yield CheckLine("ok", role.label, f"{people_} the role {role.label}.")


def _person(roles: Mapping[str, Role], person: Person) -> Iterator[CheckLine]:
    if person.role not in roles:
        said = f"{person.name} has the role {person.role}, which access.yml does not have: they may do nothing."
        yield CheckLine("bad", person.name, said, "Give them another role.")
        return
    said = lacking_words(roles[person.role], person)
    if said:
        yield CheckLine("watch", person.name, said, "Assign it on the page of the person.")


# ── the worker ────────────────────────────────────────────────────────────────────────────────────


def _work(sources: Sources) -> Iterator[CheckLine]:
    if locks.is_taken(sources.settings.instance, locks.WORKER):
        yield CheckLine("ok", "Worker", "The worker is at work.")
    else:
        said = "No worker is at work, so nothing new is published, admitted or scored."
        yield CheckLine("bad", "Worker", said, "Start it: `python cli.py worker`, or `make run` for all.")
    for kind, label in jobs.LABELS.items():
        last = jobs.last_ended(sources, kind)
        if last is not None and last.state == "failed":
            yield CheckLine("watch", label, f"{label} failed last: {last.message}", "It is tried again by itself.")
