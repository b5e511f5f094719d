"""The metrics engine: from the definitions of ``metrics.yml`` to questions for the lake, and back to numbers.

An ``Ask`` names metrics, spans of days, and perhaps a dimension. ``plan`` turns it into as few ``Aggregate``
questions as possible: every measure of one dataset shares a scan; spans that are whole calendar grains are
grouped, all others become conditional aggregates of one row. ``measure`` reads them, ``evaluate`` computes a
metric from its measures. Planning and evaluating are pure; ratios are ratios of sums; a missing or zero
denominator gives None, never zero or infinity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from data.definitions import Aggregation, Condition, Grain, LakeFile, Metric, MetricsFile, Scalar
from data.lake import Lake
from data.periods import Span, begin_of, day_of, start_of
from data.questions import Aggregate, Aggregated, And, Compare, Everything, Filter, Group, Or, Table

ADDITIVE: frozenset[Aggregation] = frozenset({"sum", "count"})
COUNTED: frozenset[Aggregation] = frozenset({"sum", "count", "count_distinct"})
SMALL_SHARE = 0.01
MOST_MEMBERS = 60

Lookup = Callable[[str, Span], float | None]


class MetricError(Exception):
    """A metric that cannot be computed as asked: what is wrong, in a sentence for people."""


class _All:
    """The place of a member where an answer is not grouped."""

    def __repr__(self) -> str:
        return "ALL"


ALL = _All()
Place = Scalar | _All


@dataclass(frozen=True)
class SourceTable:
    """A published table with its columns and its time column, as the engine needs to know them."""

    table: Table
    columns: frozenset[str]
    time: str | None
    time_is_date: bool = False


@dataclass(frozen=True)
class MetricBook:
    """The definitions together with the published tables they are read from."""

    metrics: MetricsFile
    lake: LakeFile
    tables: Mapping[str, SourceTable]

    def metric(self, name: str) -> Metric:
        """A metric by its name."""
        return self.metrics.metrics[name]


@dataclass(frozen=True)
class Ask:
    """Metrics over spans of days. ``by`` groups by a dimension; ``chosen`` keeps some members of dimensions.

    ``without`` leaves out members of ``by`` and does not group: all the others together.
    """

    metrics: tuple[str, ...]
    spans: tuple[Span, ...]
    grain: Grain | None = None
    by: str | None = None
    chosen: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()
    without: tuple[Scalar, ...] | None = None


@dataclass(frozen=True)
class Planned:
    """One question and how its answer is read: by calendar grain, or one column per measure and span."""

    dataset: str
    question: Aggregate
    grouped: bool
    cells: tuple[tuple[str, Span], ...]
    by: bool


@dataclass(frozen=True)
class Facts:
    """Measured values by measure, span and member. What has no row is zero for sums and counts, else unknown."""

    values: Mapping[tuple[str, Span, Place], float | None]
    members: tuple[Scalar, ...] = ()
    begins: Mapping[str, date | None] = field(default_factory=dict)


# ── what a metric is made of ──────────────────────────────────────────────────────────────────────


def measures_of(book: MetricBook, metric: str) -> tuple[str, ...]:
    """The measures a metric is computed from, each once."""
    about = book.metric(metric)
    parts = [m for name in (*about.plus, *about.minus) for m in measures_of(book, name)]
    own = [about.measure] if about.measure else []
    return tuple(dict.fromkeys([*own, *about.numerator, *about.denominator, *parts]))


def datasets_of(book: MetricBook, metric: str) -> tuple[str, ...]:
    """The datasets a metric reads."""
    return tuple(dict.fromkeys(book.metrics.measures[m].dataset for m in measures_of(book, metric)))


def additive(book: MetricBook, metric: str) -> bool:
    """Do the values of disjoint members add up to the value of all?"""
    about = book.metric(metric)
    return about.kind != "ratio" and foldable(book, metric) and all(additive(book, m) for m in about.plus + about.minus)


def foldable(book: MetricBook, metric: str) -> bool:
    """Can members be put together from their measures alone (sums and counts, also inside a ratio)?"""
    return all(book.metrics.measures[m].agg in ADDITIVE for m in measures_of(book, metric))


def dimensions_of(book: MetricBook, metric: str) -> tuple[str, ...]:
    """The dimensions that every dataset of a metric publishes."""
    needed = set(datasets_of(book, metric))
    return tuple(name for name, about in book.metrics.dimensions.items() if needed <= set(about.datasets))


def hidden_need(book: MetricBook, metric: str, masks: Callable[[str], frozenset[str]]) -> str | None:
    """A hidden column without which the metric cannot be shown, as ``dataset.column``; None if there is none.

    Counting rows or distinct values shows no value of the column counted; everything else would.
    """
    for name in measures_of(book, metric):
        about = book.metrics.measures[name]
        hidden = masks(about.dataset)
        shown = {c.column for c in about.where} | {book.tables[about.dataset].time}
        if about.agg not in ("count", "count_distinct"):
            shown.add(about.column)
        found = sorted(c for c in shown if c in hidden)
        if found:
            return f"{about.dataset}.{found[0]}"
    return None


# ── planning ──────────────────────────────────────────────────────────────────────────────────────


def plan(book: MetricBook, ask: Ask) -> tuple[Planned, ...]:
    """The questions for an ask: at most one grouped and one conditional question for each dataset.

    Raises ``MetricError`` where a dataset has no time, or does not publish a dimension asked for.
    """
    wanted: dict[str, dict[tuple[str, Span], None]] = {}
    for metric in ask.metrics:
        for cell in _cells(book, metric, ask.spans):
            wanted.setdefault(book.metrics.measures[cell[0]].dataset, {})[cell] = None
    return tuple(found for dataset, cells in wanted.items() for found in _questions(book, ask, dataset, tuple(cells)))


def _cells(book: MetricBook, metric: str, spans: Iterable[Span]) -> list[tuple[str, Span]]:
    about = book.metric(metric)
    nested = [c for name in (*about.plus, *about.minus) for c in _cells(book, name, spans)]
    own = [m for m in (about.measure, *about.numerator, *about.denominator) if m]
    return [(measure, since(about, span)) for measure in own for span in spans] + nested


def since(about: Metric, span: Span) -> Span:
    """The days a metric looks at for a span: a cumulative one starts with its grain."""
    if about.kind == "cumulative" and about.since:
        return Span(start_of(span.until, about.since), span.until)
    return span


def _questions(book: MetricBook, ask: Ask, dataset: str, cells: tuple[tuple[str, Span], ...]) -> list[Planned]:
    held: dict[date, Span] = {}
    if ask.grain:
        for _, span in cells:
            start = start_of(span.first, ask.grain)
            if start == start_of(span.until, ask.grain):
                held.setdefault(start, span)
    # A span is grouped only if every measure of the question may share its rows: one span per grain.
    grouped = tuple(c for c in cells if c[1] in held.values())
    single = tuple(c for c in cells if c[1] not in held.values())
    found = []
    if grouped:
        found.append(_grouped(book, ask, dataset, grouped))
    if single:
        found.append(_conditional(book, ask, dataset, single))
    return found


def _grouped(book: MetricBook, ask: Ask, dataset: str, cells: tuple[tuple[str, Span], ...]) -> Planned:
    source = _source(book, dataset)
    measures = tuple(dict.fromkeys(measure for measure, _ in cells))
    by = (*_member(book, ask, dataset), Group(source.time or "", ask.grain, "bucket"))
    question = Aggregate(
        source.table,
        tuple(_aggregated(book, name, name, Everything()) for name in measures),
        by=by,
        filter=_both(within(book, dataset, *(span for _, span in cells)), members_filter(book, ask, dataset)),
    )
    return Planned(dataset, question, True, cells, len(by) > 1)


def _conditional(book: MetricBook, ask: Ask, dataset: str, cells: tuple[tuple[str, Span], ...]) -> Planned:
    by = _member(book, ask, dataset)
    spans = {span for _, span in cells}
    # One span needs no condition of its own: the question's filter says it already.
    narrow: Callable[[Span], Filter] = (
        (lambda span: within(book, dataset, span)) if len(spans) > 1 else (lambda span: Everything())
    )
    question = Aggregate(
        _source(book, dataset).table,
        tuple(_aggregated(book, name, f"v{n}", narrow(span)) for n, (name, span) in enumerate(cells)),
        by=by,
        filter=_both(within(book, dataset, *spans), members_filter(book, ask, dataset)),
    )
    return Planned(dataset, question, False, cells, bool(by))


def _source(book: MetricBook, dataset: str) -> SourceTable:
    source = book.tables[dataset]
    if source.time is None:
        label = book.lake.datasets[dataset].label
        raise MetricError(f"{label} has no time column, so its metrics cannot be shown for a period.")
    return source


def _aggregated(book: MetricBook, measure: str, name: str, days: Filter) -> Aggregated:
    about = book.metrics.measures[measure]
    return Aggregated(name, about.agg, about.column, _both(days, *(condition_filter(c) for c in about.where)))


def _member(book: MetricBook, ask: Ask, dataset: str) -> tuple[Group, ...]:
    if ask.by is None or ask.without is not None:
        return ()
    return (Group(_column(book, ask.by, dataset), name="member"),)


def _column(book: MetricBook, dimension: str, dataset: str) -> str:
    about = book.metrics.dimensions[dimension]
    if dataset not in about.datasets:
        label = book.lake.datasets[dataset].label
        raise MetricError(f"{label} cannot be split or filtered by {about.label}.")
    return about.column


def members_filter(book: MetricBook, ask: Ask, dataset: str) -> Filter:
    """The rows of the chosen members, and those that are none of the members left out."""
    parts = [_one_of(_column(book, dimension, dataset), members) for dimension, members in ask.chosen]
    if ask.by is not None and ask.without is not None:
        parts.append(_none_of(_column(book, ask.by, dataset), ask.without))
    return _both(*parts)


def _one_of(column: str, members: tuple[Scalar, ...]) -> Filter:
    known = tuple(m for m in members if m is not None)
    parts: list[Filter] = [Compare(column, "in", known)] if known else []
    if len(known) < len(members):
        parts.append(Compare(column, "is_null"))
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def _none_of(column: str, members: tuple[Scalar, ...]) -> Filter:
    known = tuple(m for m in members if m is not None)
    other: Filter = Compare(column, "not_in", known) if known else Compare(column, "not_null")
    # A comparison with a missing value is not true, so that the members without a name are asked for apart.
    return other if None in members else Or((other, Compare(column, "is_null")))


def condition_filter(condition: Condition) -> Filter:
    """A condition of the workspace as a filter."""
    return Compare(condition.column, condition.operator, condition.value)


def within(book: MetricBook, dataset: str, *spans: Span) -> Filter:
    """The rows whose time lies in one of the spans, in business days of the workspace."""
    source = _source(book, dataset)
    parts = tuple(_between(source, span, book.lake.timezone) for span in _merged(spans))
    return parts[0] if len(parts) == 1 else Or(parts)


def _between(source: SourceTable, span: Span, timezone: str) -> Filter:
    column = source.time or ""
    if source.time_is_date:
        return And((Compare(column, "ge", span.first), Compare(column, "le", span.until)))
    first = begin_of(span.first, timezone).astimezone(UTC)
    after = begin_of(span.until + timedelta(days=1), timezone).astimezone(UTC)
    return And((Compare(column, "ge", first), Compare(column, "lt", after)))


def _merged(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for span in sorted(set(spans)):
        if found and span.first <= found[-1].until + timedelta(days=1):
            found[-1] = Span(found[-1].first, max(found[-1].until, span.until))
        else:
            found.append(span)
    return found


def _both(*parts: Filter) -> Filter:
    real = tuple(p for p in parts if not isinstance(p, Everything))
    if not real:
        return Everything()
    return real[0] if len(real) == 1 else And(real)


# ── reading ───────────────────────────────────────────────────────────────────────────────────────


def measure(
    book: MetricBook,
    asks: tuple[Ask, ...],
    lake: Lake,
    *,
    where: Callable[[str], Filter],
    begins: Mapping[str, date | None],
) -> tuple[Facts, ...]:
    """Answer several asks with one visit to each dataset. ``where`` gives the row filter of a dataset."""
    plans = [plan(book, ask) for ask in asks]
    flat = [planned for found in plans for planned in found]
    answers: dict[int, pa.Table] = {}
    for dataset in dict.fromkeys(p.dataset for p in flat):
        mine = [p for p in flat if p.dataset == dataset]
        read = lake.read_all(tuple(p.question for p in mine), where=where(dataset))
        answers.update({id(p): table for p, table in zip(mine, read, strict=True)})
    return tuple(facts_of([(p, answers[id(p)]) for p in found], begins) for found in plans)


def facts_of(answers: Iterable[tuple[Planned, pa.Table]], begins: Mapping[str, date | None]) -> Facts:
    """Put the answers of the planned questions together."""
    values: dict[tuple[str, Span, Place], float | None] = {}
    members: dict[Scalar, None] = {}
    for planned, table in answers:
        for row in table.to_pylist():
            place: Place = row["member"] if planned.by else ALL
            if planned.by:
                members[row["member"]] = None
            values.update(_row_values(planned, row, place))
    return Facts(values, tuple(members), begins)


def _row_values(planned: Planned, row: Mapping[str, Any], place: Place) -> dict[tuple[str, Span, Place], float | None]:
    if not planned.grouped:
        return {(name, span, place): _number(row[f"v{n}"]) for n, (name, span) in enumerate(planned.cells)}
    bucket, grain = _day(row["bucket"]), planned.question.by[-1].grain or "day"
    return {
        (name, span, place): _number(row[name]) for name, span in planned.cells if start_of(span.first, grain) == bucket
    }


def first_days(
    book: MetricBook, lake: Lake, *, where: Callable[[str], Filter], datasets: Iterable[str]
) -> dict[str, date | None]:
    """The first business day that has data in each dataset; before it, values are unknown rather than zero."""
    found: dict[str, date | None] = {}
    for dataset in datasets:
        source = _source(book, dataset)
        question = Aggregate(source.table, (Aggregated("first", "min", source.time),))
        rows = lake.read(question, where=where(dataset)).to_pylist()
        found[dataset] = _business_day(rows[0]["first"], book.lake.timezone) if rows else None
    return found


def _business_day(value: Any, timezone: str) -> date | None:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return day_of(aware, timezone)
    return value if isinstance(value, date) else None


def _day(value: Any) -> date:
    found = value.date() if isinstance(value, datetime) else value
    if not isinstance(found, date):
        raise MetricError(f"A bucket must be a date, got {value!r}.")
    return found


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return None if math.isnan(number) else number


# ── evaluating ────────────────────────────────────────────────────────────────────────────────────


def lookup(book: MetricBook, facts: Facts, place: Place = ALL) -> Lookup:
    """The measured values of everything, or of one member."""

    def value(name: str, span: Span) -> float | None:
        about = book.metrics.measures[name]
        begin = facts.begins.get(about.dataset)
        if begin is None or span.until < begin:
            return None
        found = facts.values.get((name, span, place))
        return 0.0 if found is None and about.agg in COUNTED else found

    return value


def together(book: MetricBook, facts: Facts, members: tuple[Scalar, ...]) -> Lookup:
    """The measured values of several members as one; only for sums and counts (see ``foldable``)."""
    each = [lookup(book, facts, member) for member in members]

    def value(name: str, span: Span) -> float | None:
        return _total(find(name, span) for find in each)

    return value


def evaluate(book: MetricBook, metric: str, span: Span, find: Lookup) -> float | None:
    """A metric over a span from its measures. None where a part is unknown or the denominator is zero."""
    about = book.metric(metric)
    days = since(about, span)
    if about.kind == "ratio":
        over = _total(find(name, days) for name in about.numerator)
        under = _total(find(name, days) for name in about.denominator)
        return None if over is None or not under else over / under
    if about.kind == "derived":
        plus = _total(evaluate(book, name, span, find) for name in about.plus)
        minus = _total(evaluate(book, name, span, find) for name in about.minus)
        return None if plus is None or minus is None else plus - minus
    return find(about.measure or "", days)


def weight(book: MetricBook, metric: str, span: Span, find: Lookup) -> float:
    """How much a member weighs when small ones are folded: its size, or the denominator of a ratio."""
    about = book.metric(metric)
    if about.kind == "ratio":
        return abs(_total(find(name, span) for name in about.denominator) or 0.0)
    return abs(evaluate(book, metric, span, find) or 0.0)


def _total(values: Iterable[float | None]) -> float | None:
    found = list(values)
    return None if any(v is None for v in found) else math.fsum(v for v in found if v is not None)


# ── members ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Folded:
    """Members to show, largest first, and those too small to show alone."""

    kept: tuple[Scalar, ...]
    small: tuple[Scalar, ...]


def fold(
    weights: Mapping[Scalar, tuple[float, ...]], *, smallest: float = SMALL_SHARE, most: int = MOST_MEMBERS
) -> Folded:
    """Keep the members that weigh at least ``smallest`` of the whole now or before; a single small one stays.

    ``weights`` gives for each member its weight now and, if compared, before.
    """
    periods = max((len(w) for w in weights.values()), default=0)
    wholes = [math.fsum(w[n] for w in weights.values()) for n in range(periods)]

    def share(member: Scalar) -> float:
        return max((w / whole for w, whole in zip(weights[member], wholes, strict=True) if whole), default=0.0)

    ranked = sorted(weights, key=lambda m: (-weights[m][0] if weights[m] else 0.0, -share(m), m is None, str(m)))
    kept = [m for m in ranked if share(m) >= smallest][:most]
    small = [m for m in ranked if m not in set(kept)]
    return Folded(tuple(ranked), ()) if len(small) == 1 else Folded(tuple(kept), tuple(small))


def contributions(now: Mapping[Scalar, float], before: Mapping[Scalar, float]) -> dict[Scalar, float]:
    """What each member adds to the change of an additive metric; the parts add up to the whole change."""
    return {m: now.get(m, 0.0) - before.get(m, 0.0) for m in dict.fromkeys((*now, *before))}
