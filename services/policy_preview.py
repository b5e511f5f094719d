"""What a proposed policy would change: in words, and for each person the rows, columns and actions gained and lost.

The counts tell of rows that the asker may not see. Small ones are withheld, and a rule over a column that no rule in
force compares is not counted for them at all: by trying rules, nobody may find out what stands in a row.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from data import people
from data.definitions import Noun
from data.questions import And, Compare, Everything, Filter, Nothing, Or
from data.tables import Person
from data.workspace import Mistake
from services import access, audit, policy_changes, proposed_policy, row_counts, small_cells, wording
from services.access import DatasetScope, Viewer, action_words, require, viewer_of_person
from services.errors import NotReady
from services.policy import FILE
from services.small_cells import Told
from services.snapshots import snapshot
from services.sources import Sources

SECONDS = 5.0
MOST_MISTAKES = 50
MOST_LINES = 200
NAMED = 5
LATE = "Not counted: the time for counting was over."
CANNOT = "It cannot be counted now."
Pair = tuple[str, Filter, Filter]
Scopes = tuple[str, DatasetScope, DatasetScope]


@dataclass(frozen=True)
class Counts:
    """Rows before and after, with those gained and lost, as the asker may know them."""

    before: Told
    after: Told
    gained: Told
    lost: Told

    @property
    def all(self) -> tuple[Told, ...]:
        """Every count."""
        return self.before, self.after, self.gained, self.lost


@dataclass(frozen=True)
class RowsChange:
    """One dataset for all people to whom the change does the same. ``missing`` says why there are no counts."""

    people: tuple[str, ...]
    dataset: str
    was: str
    now: str
    counts: Counts | None
    said: str
    missing: str


@dataclass(frozen=True)
class ColumnsChange:
    """Columns, by their labels, that these people would see and not see any more."""

    people: tuple[str, ...]
    dataset: str
    shown: tuple[str, ...]
    hidden: tuple[str, ...]


@dataclass(frozen=True)
class ActionsChange:
    """What these people could do and not do any more, in words."""

    people: tuple[str, ...]
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True)
class Preview:
    """The answer: mistakes, or what would change. ``left_with_nothing`` names who could do nothing any more."""

    mistakes: tuple[Mistake, ...] = ()
    more_mistakes: int = 0
    same: bool = False
    sentences: tuple[str, ...] = ()
    rows: tuple[RowsChange, ...] = ()
    more_rows: int = 0
    columns: tuple[ColumnsChange, ...] = ()
    actions: tuple[ActionsChange, ...] = ()
    left_with_nothing: tuple[str, ...] = ()
    nobody_manages: bool = False
    withheld: str = ""


@dataclass(frozen=True)
class _Steps:
    """Somebody before and after."""

    name: str
    old: Viewer
    new: Viewer


@dataclass
class _Count:
    """Counting until the time is over, each pair of scopes once."""

    viewer: Viewer
    sources: Sources
    ends: float
    made: dict[Pair, tuple[Counts | None, str]] = field(default_factory=dict)

    def of(self, pair: Pair) -> tuple[Counts | None, str]:
        """The counts of a pair, or why there are none."""
        if pair not in self.made:
            late = time.monotonic() >= self.ends
            self.made[pair] = (None, LATE) if late else _counted(self.viewer, self.sources, *pair)
        return self.made[pair]


def preview(viewer: Viewer, sources: Sources, text: object, *, seconds: float = SECONDS) -> Preview:
    """What this ``access.yml`` would change. Nothing is applied; that it was tried stands in the log."""
    require(viewer, "policy:read")
    proposed = proposed_policy.read(sources, text)
    detail = {"digest": proposed.digest, "mistakes": len(proposed.mistakes) or None}
    audit.record(viewer, sources, "policy.try", FILE, detail=detail)
    if proposed.workspace is None:
        return Preview(proposed.mistakes[:MOST_MISTAKES], max(0, len(proposed.mistakes) - MOST_MISTAKES))
    after = proposed.workspace
    with sources.store.read() as session:
        everyone = [p for p in people.everyone(session) if p.active]
    steps = [_steps(sources, p, viewer_of_person(after, p)) for p in everyone]
    alike = _alike(sources, steps)
    count = _Count(viewer, sources, time.monotonic() + seconds)
    rows = tuple(_line(sources, key, names, count) for key, names in alike[:MOST_LINES])
    return Preview(
        same=after.fingerprint == sources.workspace.fingerprint,
        sentences=policy_changes.sentences(sources.workspace, after),
        rows=rows,
        more_rows=len(alike) - len(rows),
        columns=_columns(sources, steps),
        actions=_actions(steps),
        left_with_nothing=tuple(s.name for s in steps if s.old.grants and not s.new.grants),
        nobody_manages=_manages(s.old for s in steps) and not _manages(s.new for s in steps),
        withheld=small_cells.reasons([told for r in rows if r.counts for told in r.counts.all]),
    )


def _steps(sources: Sources, person: Person, new: Viewer) -> _Steps:
    return _Steps(person.name, viewer_of_person(sources.workspace, person), new)


def _manages(viewers: Iterable[Viewer]) -> bool:
    return any("people:manage" in v.grants for v in viewers)


def _alike(sources: Sources, steps: Iterable[_Steps]) -> list[tuple[Scopes, tuple[str, ...]]]:
    """Each dataset with everybody whose rows of it change in the same way; datasets in their order."""
    alike: dict[Scopes, list[str]] = {}
    for name in sources.workspace.lake.datasets:
        for step in steps:
            old, new = step.old.scopes[name], step.new.scopes[name]
            if old.rows != new.rows:
                key = (name, _without_columns(old), _without_columns(new))
                alike.setdefault(key, []).append(step.name)
    return [(key, tuple(names)) for key, names in alike.items()]


def _without_columns(scope: DatasetScope) -> DatasetScope:
    return DatasetScope(scope.rows, scope.reason, frozenset())


def _line(sources: Sources, key: Scopes, names: tuple[str, ...], count: _Count) -> RowsChange:
    name, old, new = key
    about = sources.workspace.lake.datasets[name]
    counts, missing = count.of((name, old.rows, new.rows))
    said = _said(who(names), about.noun, counts) if counts else ""
    return RowsChange(names, about.label, old.reason, new.reason, counts, said, missing)


def _counted(viewer: Viewer, sources: Sources, name: str, old: Filter, new: Filter) -> tuple[Counts | None, str]:
    """The exact counts of a pair of scopes, told as far as the asker may know them."""
    untold = _untold(viewer, sources, name, new)
    if untold:
        about = sources.workspace.lake.datasets[name]
        columns = wording.listed(about.columns[c].label if c in about.columns else c for c in sorted(untold))
        return None, f"Not counted: no rule in force compares {columns}, and you do not see these rows yourself."
    try:
        found = snapshot(None, sources, name)
    except NotReady as missing:
        return None, missing.sentence
    wheres = old, new, _both(old, new)
    before, after, kept = (row_counts.visible(sources, found.table, found.rows, where=w) for w in wheres)
    if before is None or after is None or kept is None:
        return None, CANNOT
    gained, lost = after - kept, before - kept
    smallest = sources.workspace.access.smallest_cell
    exact = {"before": before, "after": after, "gained": gained, "lost": lost}
    if small_cells.crosses(viewer, name):
        return Counts(**small_cells.changed(before, after, gained=gained, lost=lost, smallest=smallest)), ""
    return Counts(**{n: small_cells.told(c, None, smallest) for n, c in exact.items()}), ""


def _untold(viewer: Viewer, sources: Sources, name: str, new: Filter) -> set[str]:
    """The columns of a new filter through which a count would tell the asker what stands in rows.

    Whoever sees every row of the dataset may count by each column that is not hidden from them.
    """
    known = {
        rule.column
        for role in sources.workspace.access.roles.values()
        for group in access.groups_of(role, name)
        for rule in group.rules
    }
    if not small_cells.crosses(viewer, name):
        known |= set(sources.workspace.lake.datasets[name].columns) - access.masks(viewer, name)
    return _compared(new) - known


def _compared(where: Filter) -> set[str]:
    if isinstance(where, Compare):
        return {where.column}
    return {c for part in where.parts for c in _compared(part)} if isinstance(where, And | Or) else set()


def _both(old: Filter, new: Filter) -> Filter:
    if isinstance(old, Nothing) or isinstance(new, Nothing):
        return Nothing()
    return new if isinstance(old, Everything) else old if isinstance(new, Everything) else And((old, new))


def _said(whom: str, noun: Noun, counts: Counts) -> str:
    """What a change of rows means, such as "This would show Sales North 1,204 more households."."""
    more, fewer = (_amount(told, noun) for told in (counts.gained, counts.lost))
    if more and fewer:
        return f"This would show {whom} {more[0]} more {more[1]} and hide {fewer[0]} from them."
    if more:
        return f"This would show {whom} {more[0]} more {more[1]}."
    return f"This would hide {fewer[0]} {fewer[1]} from {whom}." if fewer else f"{whom} would see the same rows."


def _amount(told: Told, noun: Noun) -> tuple[str, str] | None:
    if told.value == 0:
        return None
    text = "an untold number of" if told.text == small_cells.NOT_SHOWN else told.text
    return text, noun.one if told.value == 1 else noun.many


def _columns(sources: Sources, steps: Iterable[_Steps]) -> tuple[ColumnsChange, ...]:
    """Columns of datasets of which the person sees rows afterwards: without rows, no column is seen either."""
    alike: dict[tuple[str, frozenset[str], frozenset[str]], list[str]] = {}
    for name, about in sources.workspace.lake.datasets.items():
        every = frozenset(about.columns)
        for step in steps:
            old, new = (_seen(v.scopes[name], every) for v in (step.old, step.new))
            if new and old != new:
                alike.setdefault((name, new - old, old - new), []).append(step.name)
    made = []
    for (name, shown, hidden), names in alike.items():
        about = sources.workspace.lake.datasets[name]
        labels = {c: column.label for c, column in about.columns.items()}
        parts = (tuple(labels[c] for c in labels if c in some) for some in (shown, hidden))
        made.append(ColumnsChange(tuple(names), about.label, *parts))
    return tuple(made)


def _seen(scope: DatasetScope, every: frozenset[str]) -> frozenset[str]:
    return frozenset() if isinstance(scope.rows, Nothing) else every - scope.hidden


def _actions(steps: Iterable[_Steps]) -> tuple[ActionsChange, ...]:
    alike: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
    for step in steps:
        change = step.new.grants - step.old.grants, step.old.grants - step.new.grants
        if any(change):
            alike.setdefault(change, []).append(step.name)
    return tuple(ActionsChange(tuple(names), _words(gained), _words(lost)) for (gained, lost), names in alike.items())


def _words(actions: Iterable[str]) -> tuple[str, ...]:
    order: Mapping[str, int] = {a: at for at, a in enumerate(access.ACTION_WORDS)}
    return tuple(action_words(a) for a in sorted(actions, key=lambda a: (order.get(a, len(order)), a)))


def who(names: tuple[str, ...]) -> str:
    """People in a sentence: the first few by name, the others by number."""
    if len(names) <= NAMED + 1:
        return wording.listed(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED:,} more"
