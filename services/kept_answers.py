"""Kept questions asked again: was a record in the answer, and at which place? From the run's own stored tables.

Many questions are asked at once: each distinct one is worked out once, and a hundred of one run and one scope share a
scan of it. Nothing of a row leaves here but whether it was there and where it stood.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data import runs as run_log
from data.kept_questions import filter_of, order_of
from data.lake import LakeError, UnknownColumn
from data.questions import Aggregate, Aggregated, And, Compare, Filter, Order, Select, Table
from services import lead_query
from services.errors import NotFound
from services.sources import Sources

AT_ONCE = 100
PUBLISHED = (Order("row_id"),)


@dataclass(frozen=True)
class Kept:
    """A question as an event keeps it. ``reach`` is how many of its rows may have been read, None for all of them."""

    run: int
    where: Filter
    filter: Filter
    order: tuple[Order, ...]
    reach: int | None


@dataclass(frozen=True)
class Record:
    """A row, or rows, by the values of key columns as texts."""

    columns: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where a record stood in an answer, counted from 1; 0 where it was in it and nobody needs to know where."""

    at: int


def kept_of(detail: Mapping[str, Any], act: str) -> Kept | None:
    """The question of an event; None where it keeps none that can be read."""
    asked, rows = detail.get("asked"), detail.get("rows")
    try:
        reach = None if act == "leads.export" else int(rows)  # type: ignore[arg-type]
        where, wanted = filter_of(asked["where"]), filter_of(asked["filter"])  # type: ignore[index]
        return Kept(int(asked["run"]), where, wanted, order_of(asked["order"]), reach)  # type: ignore[index]
    except (TypeError, KeyError, ValueError):
        return None


def fingerprint(detail: Mapping[str, Any]) -> str:
    """What makes two kept questions the same one."""
    return json.dumps(detail.get("asked"), sort_keys=True)


def places(sources: Sources, record: Record, kept: Mapping[str, Kept]) -> dict[str, Place | None]:
    """For each question where the record stood in its answer, None where it was not in it.

    A question that cannot be worked out any more (its run or its tables are gone) is left out.
    """
    found: dict[str, Place | None] = {}
    by_run: dict[int, dict[str, Kept]] = defaultdict(dict)
    for name, question in kept.items():
        by_run[question.run][name] = question
    with sources.store.read() as session:
        runs = {run: run_log.by_id(session, run) for run in by_run}
    for number, questions in by_run.items():
        run = runs[number]
        if run is None or "scores" not in run.tables:
            continue
        table = Table(f"scores_{run.model}", int(run.tables["scores"]))
        try:
            wanted = _wanted(sources, table, record)
        except LakeError:
            continue
        if wanted is None:
            found |= dict.fromkeys(questions)
            continue
        for scope, names in _scopes(questions):
            found |= _of_scope(sources, table, wanted, {n: questions[n] for n in names}, scope)
    return found


def _wanted(sources: Sources, table: Table, record: Record) -> Filter | None:
    """The record as a filter of a run; None where the run's key columns cannot have such a value."""
    kinds = {f.name: str(f.type) for f in sources.lake.schema(table)}
    missing = sorted(set(record.columns) - set(kinds))
    if missing:
        raise UnknownColumn(f"The run has no column {missing[0]}.")
    try:
        return lead_query.equal_to(record.columns, record.parts, kinds)
    except NotFound:
        return None


def _scopes(questions: Mapping[str, Kept]) -> Iterator[tuple[Filter, list[str]]]:
    """Questions asked within the same rows, a few at a time."""
    by_scope: dict[Filter, list[str]] = defaultdict(list)
    for name, question in questions.items():
        by_scope[question.where].append(name)
    for scope, names in by_scope.items():
        for start in range(0, len(names), AT_ONCE):
            yield scope, names[start : start + AT_ONCE]


def _of_scope(
    sources: Sources, table: Table, wanted: Filter, questions: Mapping[str, Kept], scope: Filter
) -> dict[str, Place | None]:
    """The places of a record in questions over one run and one scope; empty where the lake cannot tell."""
    try:
        first = _first_rows(sources, table, wanted, questions, scope)
        inside = {name: row for name, row in first.items() if row is not None}
        ahead = {n: r for n, r in inside.items() if questions[n].reach is not None and questions[n].order == PUBLISHED}
        found: dict[str, Place | None] = dict.fromkeys(first)
        found |= {name: Place(0) for name in inside}
        found |= _counted(sources, table, questions, ahead, scope)
        for name in inside.keys() - ahead.keys():
            if questions[name].reach is not None:
                found[name] = _walked(sources, table, wanted, questions[name])
    except LakeError:
        return {}
    return found


def _first_rows(
    sources: Sources, table: Table, wanted: Filter, questions: Mapping[str, Kept], scope: Filter
) -> dict[str, int | None]:
    """The first row id of the record in each answer, None where it has none."""
    named = {f"q{i}": name for i, name in enumerate(questions)}
    measures = tuple(Aggregated(q, "min", "row_id", filter=questions[name].filter) for q, name in named.items())
    row = sources.lake.read(Aggregate(table, measures, filter=wanted), where=scope).to_pylist()[0]
    return {name: None if row[q] is None else int(row[q]) for q, name in named.items()}


def _counted(
    sources: Sources, table: Table, questions: Mapping[str, Kept], rows: Mapping[str, int], scope: Filter
) -> dict[str, Place]:
    """Places in the published order: one more than the rows of the answer that come before."""
    if not rows:
        return {}
    named = {f"q{i}": name for i, name in enumerate(rows)}
    measures = tuple(
        Aggregated(q, "count", filter=And((questions[name].filter, Compare("row_id", "lt", rows[name]))))
        for q, name in named.items()
    )
    row = sources.lake.read(Aggregate(table, measures), where=scope).to_pylist()[0]
    return {name: Place(int(row[q]) + 1) for q, name in named.items()}


def _walked(sources: Sources, table: Table, wanted: Filter, question: Kept) -> Place | None:
    """The place in an order of somebody's own: its rows are asked for as far as they may have been read."""
    own = sources.lake.read(Select(table, ("row_id",), And((question.filter, wanted))), where=question.where)
    mine = set(own.column("row_id").to_pylist())
    asked = Select(table, ("row_id",), question.filter, question.order, limit=question.reach)
    ids: Sequence[int] = sources.lake.read(asked, where=question.where).column("row_id").to_pylist()
    return next((Place(at) for at, row_id in enumerate(ids, 1) if row_id in mine), None)
