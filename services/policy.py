"""Who may see and do what, in words: the policy of ``access.yml`` role by role, and what it means for one person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from data import people
from data.definitions import Masks, Role, RowGroup, Workspace
from data.tables import Person
from services import accounts, row_counts, small_cells
from services.access import (
    ACTION_WORDS,
    DatasetScope,
    Viewer,
    action_words,
    require,
    rule_words,
    viewer_of,
    viewer_of_person,
)
from services.errors import NotReady
from services.small_cells import Rows
from services.snapshots import snapshot
from services.sources import Sources

FILE = "access.yml"


@dataclass(frozen=True)
class RowsOf:
    """A group of rows of a role: the datasets by label, the rule in words, and whether it is every row or none."""

    datasets: tuple[str, ...]
    rule: str
    kind: str


@dataclass(frozen=True)
class RolePolicy:
    """A role in words. ``actions`` are those it has; ``hidden`` are (dataset, columns) it never sees."""

    name: str
    label: str
    question: str
    home: str
    entries: tuple[str, ...]
    actions: tuple[str, ...]
    rows: tuple[RowsOf, ...]
    masked: str
    hidden: tuple[tuple[str, tuple[str, ...]], ...]
    people: int


@dataclass(frozen=True)
class Policy:
    """The whole policy. ``actions`` are (action, words); ``granted`` maps a role's name to what it may."""

    file: str
    fingerprint: str
    roles: tuple[RolePolicy, ...]
    actions: tuple[tuple[str, str], ...]
    granted: Mapping[str, frozenset[str]]
    people: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True)
class DatasetRights:
    """One dataset for one person, as far as the reader may know it; ``rows`` is None before publication."""

    name: str
    label: str
    many: str
    rows: Rows | None
    reason: str
    hidden: tuple[str, ...]


@dataclass(frozen=True)
class PersonRights:
    """What one person may do and see, and why; ``withheld`` says why a count of rows is not told."""

    id: int
    name: str
    email: str
    role: str
    role_label: str
    active: bool
    held: tuple[tuple[str, str], ...]
    actions: tuple[str, ...]
    datasets: tuple[DatasetRights, ...]
    note: str
    withheld: str = ""


def policy(viewer: Viewer, sources: Sources) -> Policy:
    """The policy in words, with how many people have each role."""
    require(viewer, "policy:read")
    workspace = sources.workspace
    with sources.store.read() as session:
        everyone = people.everyone(session)
    count = Counter(p.role for p in everyone if p.active)
    roles = workspace.access.roles
    used = {action for role in roles.values() for action in role.actions}
    labels = {name: role.label for name, role in roles.items()}
    return Policy(
        file=FILE,
        fingerprint=workspace.fingerprint[:12],
        roles=tuple(_role(workspace, name, role=role, people_=count[name]) for name, role in roles.items()),
        actions=tuple((a, w) for a, w in ACTION_WORDS.items() if a in used),
        granted={name: frozenset(role.actions) for name, role in roles.items()},
        people=tuple((p.id, p.name, labels.get(p.role, p.role)) for p in everyone),
    )


def rights_of(viewer: Viewer, sources: Sources, person_id: int) -> PersonRights:
    """What one person may do and which rows they see, counted under their own row filters."""
    require(viewer, "policy:read")
    with sources.store.read() as session:
        person = accounts.person_of(session, person_id)
    known = sources.workspace.access
    held = {k: tuple(v) for k, v in person.attributes.items() if k in known.attributes and v}
    datasets = _datasets(viewer, sources, viewer_of_person(sources.workspace, person))
    return PersonRights(
        id=person.id,
        name=person.name,
        email=person.email,
        role=person.role,
        role_label=known.roles[person.role].label if person.role in known.roles else person.role,
        active=person.active,
        held=tuple((known.attributes[k].label, ", ".join(v)) for k, v in held.items()),
        actions=tuple(action_words(a) for a in known.roles[person.role].actions) if person.role in known.roles else (),
        datasets=datasets,
        note=_note(person),
        withheld=small_cells.reasons([c for d in datasets if d.rows for c in (d.rows.seen, d.rows.total)]),
    )


def own_rights(sources: Sources, who: Viewer) -> tuple[DatasetRights, ...]:
    """Each dataset as this viewer sees it: how many rows, why, and which columns are hidden."""
    return _datasets(who, sources, who)


def _datasets(viewer: Viewer, sources: Sources, who: Viewer) -> tuple[DatasetRights, ...]:
    return tuple(_dataset(viewer, sources, name, scope, own=who is viewer) for name, scope in who.scopes.items())


def row_reason(workspace: Workspace, dataset: str, group: RowGroup) -> str:
    """A row rule in words, for whoever has the role: an attribute stands for what each person holds."""
    held = {n: f"the person's {a.label.lower()}" for n, a in workspace.access.attributes.items()}
    return rule_words(group, workspace.lake.datasets[dataset].columns, held)


def _role(workspace: Workspace, name: str, *, role: Role, people_: int) -> RolePolicy:
    datasets = workspace.lake.datasets
    return RolePolicy(
        name=name,
        label=role.label,
        question=role.question,
        home=next((e.label for e in role.entries if e.path == role.home), role.home),
        entries=tuple(e.label for e in role.entries),
        actions=tuple(role.actions),
        rows=_rows(workspace, role),
        masked=_masked(role.masks),
        hidden=tuple((datasets[n].label, tuple(labels)) for n, labels in _hidden(workspace, name) if labels),
        people=people_,
    )


def _rows(workspace: Workspace, role: Role) -> tuple[RowsOf, ...]:
    """The groups of a role with the datasets they speak of; then those that no group names."""
    datasets = workspace.lake.datasets
    named = {d for group in role.rows for d in group.datasets if d != "*"}
    made, left = [], set(datasets)
    for group in role.rows:
        own = [d for d in datasets if (d not in named if "*" in group.datasets else d in group.datasets)]
        if own:
            left -= set(own)
            kind = "all" if group.all_rows else "some"
            labels = tuple(datasets[d].label for d in own)
            made.append(RowsOf(labels, row_reason(workspace, own[0], group), kind))
    if left:
        rest = tuple(d.label for n, d in datasets.items() if n in left)
        made.append(RowsOf(rest, "No row rule names them, so this role sees no rows of them.", "none"))
    return tuple(made)


def _hidden(workspace: Workspace, role: str) -> list[tuple[str, list[str]]]:
    who = viewer_of(workspace, person_id=0, name="", email="", role=role, attributes={})
    found = []
    for name, scope in who.scopes.items():
        columns = workspace.lake.datasets[name].columns
        found.append((name, [about.label for c, about in columns.items() if c in scope.hidden]))
    return found


def _masked(masks: Masks) -> str:
    """Which columns a role never sees, as a sentence."""
    parts = []
    if masks.privacy:
        parts.append(f"{' and '.join(masks.privacy).capitalize()} columns are hidden.")
    if masks.columns:
        parts.append(f"Hidden by name: {', '.join(masks.columns)}.")
    if masks.except_columns:
        parts.append(f"Shown all the same: {', '.join(masks.except_columns)}.")
    return " ".join(parts) or "No column is hidden."


def _dataset(viewer: Viewer, sources: Sources, name: str, scope: DatasetScope, *, own: bool) -> DatasetRights:
    about = sources.workspace.lake.datasets[name]
    try:
        found = snapshot(None, sources, name)
    except NotReady:
        rows = None
    else:
        seen = row_counts.visible(sources, found.table, found.rows, where=scope.rows)
        rows = small_cells.of_rows(viewer, sources, name, found.rows, seen=seen, own=own)
    return DatasetRights(
        name=name,
        label=about.label,
        many=about.noun.many,
        rows=rows,
        reason=scope.reason,
        hidden=tuple(column.label for c, column in about.columns.items() if c in scope.hidden),
    )


def _note(person: Person) -> str:
    if not person.active:
        return "This account is disabled: the rights below hold only once it is enabled."
    return "Has not chosen a password yet: until then, only the account page opens." if person.password_once else ""
