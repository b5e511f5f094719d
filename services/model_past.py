"""The past of a model as a viewer may see it: which lists there were, and their rows with score, rule and outcome.

Rows come from ``replay_<model>`` of the current run, under the row filter of the dataset that holds the outcomes. A
masked column is neither a list nor a segment, and a rule that ranks by one is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.definitions import ModelUse, Noun, Outcomes
from data.lake import LakeError
from data.questions import Aggregate, Aggregated, Compare, Everything, Filter, Group, Nothing, Select, Table
from models import performance
from models.performance import Bin, Interval
from models.replaying import PastList
from services import access, wording
from services.access import Viewer
from services.errors import InvalidQuery, NotReady, Unavailable
from services.model_query import EVERY
from services.model_words import Words
from services.runs import Run
from services.sources import Sources

DAY = r"\d{4}-\d\d-\d\d"
PLAIN = ("run", "score", "baseline", "baseline_known", "outcome")


@dataclass(frozen=True)
class PastRun:
    """A past list with its rows, successes and time, as far as the viewer sees it."""

    run: str
    rows: int
    successes: float
    at: datetime | None


@dataclass(frozen=True)
class Past:
    """The past of one model for one viewer: where to read, under which rules, and which lists there are.

    ``split`` is the column that separates past lists, None where there is none or it is hidden.
    """

    viewer: Viewer
    sources: Sources
    use: ModelUse
    outcomes: Outcomes
    table: Table
    where: Filter
    hidden: frozenset[str]
    split: str | None
    key: tuple[Hashable, ...]
    runs: tuple[PastRun, ...]

    @property
    def words(self) -> Words:
        """How this model speaks."""
        return Words(self.use, self.sources.workspace.lake)

    @property
    def rows(self) -> int:
        """Rows in the viewer's scope."""
        return sum(run.rows for run in self.runs)

    @property
    def noun(self) -> Noun:
        """What a row of the past is called: the same customer may stand in several lists."""
        return self.sources.workspace.lake.datasets[self.outcomes.dataset].noun

    @property
    def shares(self) -> bool:
        """Are outcomes yes or no (else they are amounts)?"""
        return self.use.task == "classification"

    @property
    def rule_visible(self) -> bool:
        """May the viewer see what the simplest rule ranks by? A masked column must not be ranked by."""
        rule = self.use.baseline
        return rule is not None and rule.column not in self.hidden | access.masks(self.viewer, self.use.scored.dataset)

    @property
    def newest(self) -> datetime | None:
        """When the newest list began."""
        return max((run.at for run in self.runs if run.at is not None), default=None)


@dataclass(frozen=True)
class Rows:
    """The rows read, as arrays: the rule is NaN where it cannot rank."""

    run: np.ndarray
    score: np.ndarray
    rule: np.ndarray | None
    outcome: np.ndarray
    entity: np.ndarray | None
    others: dict[str, pa.ChunkedArray]


def past_of(viewer: Viewer, sources: Sources, use: ModelUse, run: Run) -> Past | None:
    """The past that this viewer may see; None where no outcome is recorded for the model.

    Raises ``NotReady`` without rows or with a hidden outcome, ``Unavailable`` where the table cannot be read.
    """
    if use.outcomes is None or run.replay is None:
        return None
    about = sources.workspace.lake.datasets[use.outcomes.dataset]
    where, hidden = access.rows(viewer, use.outcomes.dataset), access.masks(viewer, use.outcomes.dataset)
    if isinstance(where, Nothing):
        raise NotReady(f"You have no rows of {about.label}.", next_step="Your administrator can grant them.")
    if use.outcomes.column in hidden:
        raise NotReady("What happened is hidden from you.", next_step="Ask an administrator if you need this.")
    split = use.outcomes.runs if use.outcomes.runs not in hidden else None
    timed = use.outcomes.time is not None and use.outcomes.time not in hidden
    key = ("model past", run.replay, run.version, run.digest, viewer.fingerprint)
    table = run.replay
    try:
        runs = sources.cache.get_or_make(key, lambda: _runs(sources, table, where, split=split, timed=timed))
    except LakeError as problem:
        raise Unavailable(str(problem), next_step="The rest of the card stands.") from problem
    if not runs:
        raise NotReady(f"You have no rows of {about.label}.", next_step="Your administrator can grant them.")
    return Past(viewer, sources, use, use.outcomes, table, where, hidden, split, key, runs)


def usual_first(past: Past) -> int:
    """How many rows of a list are taken unless somebody says otherwise: the capacity, else a tenth of a usual list."""
    if past.use.capacity:
        return past.use.capacity
    return max(1, round(float(np.median([run.rows for run in past.runs])) / 10))


def chosen_run(past: Past, said: str) -> str:
    """The list that a query names: itself, all, or the newest for "". Raises ``InvalidQuery`` for an unknown one."""
    if said == EVERY or not past.split:
        return EVERY
    if not said:
        return past.runs[0].run
    if said not in {run.run for run in past.runs}:
        raise InvalidQuery(f"There is no past list {said[:40]} in your rows.", next_step="Open the card again.")
    return said


def run_label(past: Past, run: str) -> str:
    """A past list by name: "Campaign 18", or the day it is of."""
    if re.match(DAY, run):
        return wording.day(date.fromisoformat(run[:10]))
    columns = past.sources.workspace.lake.datasets[past.outcomes.dataset].columns
    column = past.split or ""
    return f"{columns[column].label if column in columns else column} {run}".strip()


def run_place(past: Past, run: str) -> str:
    """A past list inside a sentence: "Campaign 18", "the list of 3 Dec 2017"."""
    label = run_label(past, run)
    return f"the list of {label}" if re.match(DAY, run) else label or "the past list"


def scope_words(past: Past) -> str:
    """What the figures were measured on: "1,652 campaign results of North, South"."""
    said = wording.count(past.rows, past.noun)
    held = [v for values in past.viewer.attributes.values() for v in values]
    return said if isinstance(past.where, Everything) or not held else f"{said} of {', '.join(held)}"


def read(past: Past, run: str) -> Rows:
    """The rows of one past list, or of all, within the viewer's scope; rows without a score are left out."""
    schema = past.sources.lake.schema(past.table)
    entity = [c for c in past.use.scored.key if c in schema.names and c != past.outcomes.runs]
    others = _dimensions(past, schema)
    wanted = Compare("run", "eq", run) if run != EVERY else Everything()
    question = Select(past.table, tuple(dict.fromkeys((*PLAIN, *entity, *others))), wanted)
    table = past.sources.lake.read(question, where=past.where)
    table = table.filter(pc.is_finite(pc.add(table.column("score"), table.column("outcome"))))
    rule = None
    if past.rule_visible:
        known = table.column("baseline_known").to_numpy(zero_copy_only=False).astype(bool)
        rule = np.where(known, _floats(table.column("baseline")), np.nan)
    lists = table.column("run").to_pylist() if past.split else [""] * table.num_rows
    return Rows(
        run=np.array(lists, dtype=object),
        score=_floats(table.column("score")),
        rule=rule if rule is None or not np.isnan(rule).all() else None,
        outcome=_floats(table.column("outcome")),
        entity=_entities(table, entity),
        others={c: table.column(c) for c in others},
    )


def lists_of(rows: Rows) -> list[PastList]:
    """The rows as the lists they were."""
    places = [np.flatnonzero(rows.run == run) for run in dict.fromkeys(rows.run.tolist())]
    return [PastList(rows.score[p], None if rows.rule is None else rows.rule[p], rows.outcome[p]) for p in places]


def errors_of(rows: Rows) -> tuple[Interval, Interval | None, Interval | None]:
    """Mean absolute errors of model and rule on the rows where the rule knows an amount, and their difference."""
    if rows.rule is None:
        return performance.error(rows.score, rows.outcome, rows.entity), None, None
    known = ~np.isnan(rows.rule)
    if known.sum() < performance.FEWEST:
        return performance.error(rows.score, rows.outcome, rows.entity), None, None
    entity = None if rows.entity is None else rows.entity[known]
    return performance.error_against(rows.score[known], rows.rule[known], rows.outcome[known], entity)


def whole_of(rows: Rows, shares: bool) -> tuple[float, Interval]:
    """What was said on average over all rows, and what happened."""
    if shares:
        return float(rows.score.mean()), performance.wilson(float(rows.outcome.sum()), len(rows.outcome))
    return float(rows.score.mean()), performance.mean(rows.outcome, rows.entity)


def bins_of(rows: Rows, shares: bool) -> tuple[Bin, ...]:
    """The rows by tenths of the score."""
    return performance.bins(rows.score, rows.outcome, shares=shares, clusters=None if shares else rows.entity)


def too_few(past: Past, rows: Rows) -> str:
    """Why these rows are not judged."""
    success, counted = past.use.words.success, wording.count(len(rows.outcome), past.noun)
    if not past.shares:
        return f"{counted}: too few to judge."
    return f"{counted} with {wording.count(int(rows.outcome.sum()), success)}: too few to judge."


def _runs(sources: Sources, table: Table, where: Filter, *, split: str | None, timed: bool) -> tuple[PastRun, ...]:
    """Past lists, the newest first."""
    measures = [Aggregated("n", "count"), Aggregated("ups", "sum", "outcome")]
    if timed:
        measures.append(Aggregated("at", "max", "run_time"))
    by = (Group("run"),) if split else ()
    found = sources.lake.read(Aggregate(table, tuple(measures), by=by), where=where).to_pylist()
    runs = [PastRun(r.get("run") or "", int(r["n"]), float(r["ups"] or 0), r.get("at")) for r in found if r["n"]]
    return tuple(sorted(runs, key=lambda r: (r.at is not None, r.at and r.at.timestamp(), r.run), reverse=True))


def _dimensions(past: Past, schema: pa.Schema) -> tuple[str, ...]:
    """Columns to look for weaker segments by: visible, not personal, in words or yes and no, not part of the key."""
    about = past.sources.workspace.lake.datasets[past.outcomes.dataset]
    taken = {*about.key, *past.use.scored.key, past.outcomes.column, past.outcomes.runs, past.outcomes.time}
    return tuple(
        f.name
        for f in schema
        if f.name in about.columns
        and f.name not in taken | past.hidden
        and about.columns[f.name].privacy != "personal"
        and _in_words(f.type)
    )


def _in_words(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_boolean)
    return any(test(kind) for test in tests)


def _entities(table: pa.Table, columns: list[str]) -> np.ndarray | None:
    if not columns:
        return None
    texts = [pc.cast(table.column(c), pa.string()).to_pylist() for c in columns]
    return np.unique(np.array(["\x1f".join(map(str, row)) for row in zip(*texts, strict=True)]), return_inverse=True)[1]


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), dtype=float)
