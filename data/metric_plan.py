"""From metrics, spans of days and a dimension to as few questions for the lake as possible. Pure.

Every measure of one dataset shares a scan; spans that do not overlap are groups of it, all others become conditional
aggregates of one row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, timedelta

from data.definitions import Condition, Metric, Scalar
from data.metric_book import MetricBook, MetricError, SourceTable
from data.periods import Span, begin_of, start_of
from data.questions import Aggregate, Aggregated, And, Compare, Everything, Filter, Group, Or


@dataclass(frozen=True)
class Ask:
    """Metrics over spans of days. ``by`` groups by a dimension; ``chosen`` keeps some members of dimensions.

    ``without`` leaves out members of ``by`` and does not group: all the others together.
    """

    metrics: tuple[str, ...]
    spans: tuple[Span, ...]
    by: str | None = None
    chosen: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()
    without: tuple[Scalar, ...] | None = None


@dataclass(frozen=True)
class Cell:
    """A measure over a span, and where its answer stands: the column of the value, that of its rows, the bucket.

    ``rows`` is only there for sums: the sum of no row is zero, that of rows without a value is unknown.
    """

    measure: str
    span: Span
    column: str
    rows: str = ""
    bucket: int | None = None


@dataclass(frozen=True)
class Planned:
    """One question and how its answer is read: one row for each bucket of days, or all in one row; by member or not."""

    dataset: str
    question: Aggregate
    cells: tuple[Cell, ...]
    by: bool


Wanted = tuple[str, Span]


def plan(book: MetricBook, ask: Ask) -> tuple[Planned, ...]:
    """The questions for an ask: at most one grouped and one conditional question for each dataset.

    Raises ``MetricError`` where a dataset has no time, or does not publish a dimension asked for.
    """
    wanted: dict[str, dict[Wanted, None]] = {}
    for metric in ask.metrics:
        for cell in _wanted(book, metric, ask.spans):
            wanted.setdefault(book.metrics.measures[cell[0]].dataset, {})[cell] = None
    return tuple(found for dataset, cells in wanted.items() for found in _questions(book, ask, dataset, tuple(cells)))


def since(about: Metric, span: Span) -> Span:
    """The days a metric looks at for a span: a cumulative one starts with its grain."""
    if about.kind == "cumulative" and about.since:
        return Span(start_of(span.until, about.since), span.until)
    return span


def _wanted(book: MetricBook, metric: str, spans: Iterable[Span]) -> list[Wanted]:
    about = book.metric(metric)
    nested = [c for name in (*about.plus, *about.minus) for c in _wanted(book, name, spans)]
    own = [m for m in (about.measure, *about.numerator, *about.denominator) if m]
    return [(measure, since(about, span)) for measure in own for span in spans] + nested


def _questions(book: MetricBook, ask: Ask, dataset: str, wanted: tuple[Wanted, ...]) -> list[Planned]:
    """Spans that do not overlap are told apart in one pass over the rows; the others are asked for one by one."""
    apart = _apart(span for _, span in wanted)
    grouped = tuple(c for c in wanted if c[1] in apart) if len(apart) > 1 else ()
    single = tuple(c for c in wanted if c not in set(grouped))
    found = [_grouped(book, ask, dataset, grouped)] if grouped else []
    return [*found, _conditional(book, ask, dataset, single)] if single else found


def _apart(spans: Iterable[Span]) -> frozenset[Span]:
    """The first spans, in their order, of which no two overlap."""
    found: list[Span] = []
    for span in dict.fromkeys(spans):
        if all(span.until < other.first or other.until < span.first for other in found):
            found.append(span)
    return frozenset(found)


def _grouped(book: MetricBook, ask: Ask, dataset: str, wanted: tuple[Wanted, ...]) -> Planned:
    source = book.timed(dataset)
    days = sorted({d for _, span in wanted for d in (span.first, span.until + timedelta(days=1))})
    edges = tuple(d if source.time_is_date else begin_of(d, book.lake.timezone).astimezone(UTC) for d in days)
    asked = _Asked(book)
    cells = tuple(replace(asked.cell(n, s, Everything()), bucket=days.index(s.first) + 1) for n, s in wanted)
    by = (*_member(book, ask, dataset), Group(source.time or "", name="bucket", edges=edges))
    return _planned(book, ask, dataset, wanted=wanted, by=by, asked=asked, cells=cells)


def _conditional(book: MetricBook, ask: Ask, dataset: str, wanted: tuple[Wanted, ...]) -> Planned:
    only = len({span for _, span in wanted}) == 1
    asked = _Asked(book)
    # One span needs no condition of its own: the question's filter says it already.
    cells = tuple(asked.cell(n, span, Everything() if only else within(book, dataset, span)) for n, span in wanted)
    by = _member(book, ask, dataset)
    return _planned(book, ask, dataset, wanted=wanted, by=by, asked=asked, cells=cells)


def _planned(
    book: MetricBook,
    ask: Ask,
    dataset: str,
    *,
    wanted: tuple[Wanted, ...],
    by: tuple[Group, ...],
    asked: _Asked,
    cells: tuple[Cell, ...],
) -> Planned:
    question = Aggregate(
        book.timed(dataset).table,
        asked.columns(),
        by=by,
        filter=both(within(book, dataset, *(span for _, span in wanted)), members_filter(book, ask, dataset)),
    )
    return Planned(dataset, question, cells, any(g.name == "member" for g in by))


class _Asked:
    """The columns of one question, each asked once."""

    def __init__(self, book: MetricBook) -> None:
        self._book = book
        self._names: dict[Aggregated, str] = {}

    def cell(self, measure: str, span: Span, days: Filter) -> Cell:
        """Ask for a measure, and for its rows where it is a sum."""
        about = self._book.metrics.measures[measure]
        rows = both(days, *(condition_filter(c) for c in about.where))
        column = self._name(Aggregated("", about.agg, about.column, rows))
        return Cell(
            measure, span, column, self._name(Aggregated("", "count", None, rows)) if about.agg == "sum" else ""
        )

    def _name(self, asked: Aggregated) -> str:
        return self._names.setdefault(asked, f"v{len(self._names)}")

    def columns(self) -> tuple[Aggregated, ...]:
        """Everything asked for, by name."""
        return tuple(Aggregated(name, a.agg, a.column, a.filter) for a, name in self._names.items())


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


# ── filters ───────────────────────────────────────────────────────────────────────────────────────


def members_filter(book: MetricBook, ask: Ask, dataset: str) -> Filter:
    """The rows of the chosen members, and those that are none of the members left out."""
    parts = [one_of(_column(book, dimension, dataset), members) for dimension, members in ask.chosen]
    if ask.by is not None and ask.without is not None:
        parts.append(_none_of(_column(book, ask.by, dataset), ask.without))
    return both(*parts)


def one_of(column: str, members: tuple[Scalar, ...]) -> Filter:
    """The rows of these members; None is the one without a name."""
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
    source = book.timed(dataset)
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


def both(*parts: Filter) -> Filter:
    """All of the filters; those that let everything through are left out."""
    real = tuple(p for p in parts if not isinstance(p, Everything))
    if not real:
        return Everything()
    return real[0] if len(real) == 1 else And(real)
