"""The metrics engine: reads what ``metric_plan`` asks for, and turns measured values into metrics.

Ratios are ratios of sums; a missing or zero denominator gives None, never zero or infinity. What has no row is zero
for sums and counts between the first and the last day known; outside of them, and where no row has a value, it is
unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from data.definitions import Scalar
from data.lake import Lake
from data.metric_book import COUNTED, MetricBook
from data.metric_plan import Ask, Cell, Planned, plan, since
from data.periods import Span, day_of
from data.questions import Aggregate, Aggregated, Filter

Lookup = Callable[[str, Span], float | None]


class _All:
    """The place of a member where an answer is not grouped."""

    def __repr__(self) -> str:
        return "ALL"


ALL = _All()
Place = Scalar | _All


@dataclass(frozen=True)
class Facts:
    """Measured values by measure, span and member. ``known`` are the days that each dataset speaks of."""

    values: Mapping[tuple[str, Span, Place], float | None]
    members: tuple[Scalar, ...] = ()
    known: Mapping[str, Span | None] = field(default_factory=dict)


# ── reading ───────────────────────────────────────────────────────────────────────────────────────


def measure(
    book: MetricBook,
    asks: tuple[Ask, ...],
    lake: Lake,
    *,
    where: Callable[[str], Filter],
    known: Mapping[str, Span | None],
) -> tuple[Facts, ...]:
    """Answer several asks with one visit to each dataset. ``where`` gives the row filter of a dataset."""
    plans = [plan(book, ask) for ask in asks]
    flat = [planned for found in plans for planned in found]
    answers: dict[int, pa.Table] = {}
    for dataset in dict.fromkeys(p.dataset for p in flat):
        mine = [p for p in flat if p.dataset == dataset]
        read = lake.read_all(tuple(p.question for p in mine), where=where(dataset))
        answers.update({id(p): table for p, table in zip(mine, read, strict=True)})
    return tuple(facts_of([(p, answers[id(p)]) for p in found], known) for found in plans)


def facts_of(answers: Iterable[tuple[Planned, pa.Table]], known: Mapping[str, Span | None]) -> Facts:
    """Put the answers of the planned questions together."""
    values: dict[tuple[str, Span, Place], float | None] = {}
    members: dict[Scalar, None] = {}
    for planned, table in answers:
        by_bucket: dict[int | None, list[Cell]] = {}
        for cell in planned.cells:
            by_bucket.setdefault(cell.bucket, []).append(cell)
        for row in table.to_pylist():
            place: Place = row["member"] if planned.by else ALL
            if planned.by:
                members[row["member"]] = None
            for cell in by_bucket.get(row.get("bucket"), ()):
                values[cell.measure, cell.span, place] = _cell_value(cell, row)
    return Facts(values, tuple(members), known)


def _cell_value(cell: Cell, row: Mapping[str, Any]) -> float | None:
    found = _number(row[cell.column])
    return 0.0 if found is None and cell.rows and not row[cell.rows] else found


def known_days(
    book: MetricBook, lake: Lake, *, where: Callable[[str], Filter], newest: Mapping[str, date]
) -> dict[str, Span | None]:
    """The days that each dataset speaks of: from the first row that ``where`` lets through to the newest of all rows.

    Where nothing was sold today in one's own rows, the answer is zero; where the data end yesterday, it is unknown.
    """
    found: dict[str, Span | None] = {}
    for dataset, until in newest.items():
        source = book.timed(dataset)
        question = Aggregate(source.table, (Aggregated("first", "min", source.time),))
        rows = lake.read(question, where=where(dataset)).to_pylist()
        first = _business_day(rows[0]["first"], book.lake.timezone) if rows else None
        found[dataset] = Span(first, max(first, until)) if first else None
    return found


def _business_day(value: Any, timezone: str) -> date | None:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return day_of(aware, timezone)
    return value if isinstance(value, date) else None


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


# ── evaluating ────────────────────────────────────────────────────────────────────────────────────


def lookup(book: MetricBook, facts: Facts, place: Place = ALL) -> Lookup:
    """The measured values of everything, or of one member."""

    def value(name: str, span: Span) -> float | None:
        about = book.metrics.measures[name]
        days = facts.known.get(about.dataset)
        if days is None or span.until < days.first or span.first > days.until:
            return None
        nothing = 0.0 if about.agg in COUNTED else None
        return facts.values.get((name, span, place), nothing)

    return value


def together(book: MetricBook, facts: Facts, members: tuple[Scalar, ...]) -> Lookup:
    """The measured values of several members as one; only for sums and counts (see ``foldable``)."""
    each = [lookup(book, facts, member) for member in members]

    def value(name: str, span: Span) -> float | None:
        return total(find(name, span) for find in each)

    return value


def evaluate(book: MetricBook, metric: str, span: Span, find: Lookup) -> float | None:
    """A metric over a span from its measures. None where a part is unknown or the denominator is zero."""
    about = book.metric(metric)
    days = since(about, span)
    if about.kind == "ratio":
        over, under = ratio_parts(book, metric, span, find)
        return None if over is None or not under else over / under
    if about.kind == "derived":
        plus = total(evaluate(book, name, span, find) for name in about.plus)
        minus = total(evaluate(book, name, span, find) for name in about.minus)
        return None if plus is None or minus is None else plus - minus
    return find(about.measure or "", days)


def ratio_parts(book: MetricBook, metric: str, span: Span, find: Lookup) -> tuple[float | None, float | None]:
    """Numerator and denominator of a ratio over a span."""
    about = book.metric(metric)
    days = since(about, span)
    return total(find(n, days) for n in about.numerator), total(find(n, days) for n in about.denominator)


def total(values: Iterable[float | None]) -> float | None:
    """The sum; None if any part is unknown."""
    found = list(values)
    return None if any(v is None for v in found) else math.fsum(v for v in found if v is not None)
