"""The oracle of numbers: the bakery's metrics over the visible rows by pandas, and the days they are asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from tests.bakery.build import LAST_DAY
from tests.surfaces.by_hand import Books
from tests.surfaces.drawn import Person

DAY = timedelta(days=1)
CARDS = ("umsatz", "lieferungen", "umsatz_je_lieferung", "belieferte", "retourenquote")
OFFERED = (*CARDS, "kuendigungsquote")
DATASETS = {"lieferungen": "tag", "vertraege": "beginn"}
COLUMNS = {
    "umsatz": "umsatz",
    "umsatz_je_lieferung": "umsatz",
    "retourenquote": "retouren",
    "kuendigungsquote": "gekuendigt",
}
"""The column whose values a metric would tell; counts of rows and of distinct values tell none."""
DIMENSIONS = {"gebaeck": ("lieferungen",), "tour": ("lieferungen", "vertraege"), "art": ("lieferungen",)}

Span = tuple[date, date]


def dataset_of(metric: str) -> str:
    """The dataset a metric reads."""
    return "vertraege" if metric.startswith("kuendigung") else "lieferungen"


@dataclass(frozen=True)
class Numbers:
    """The rows of one dataset that somebody sees, without those that a filter by members leaves out."""

    rows: pd.DataFrame
    time: str
    known: Span | None

    def of(self, member: tuple[str, Any] | None) -> Numbers:
        """Only the rows of one member of a dimension."""
        return self if member is None else Numbers(self.rows[_is(self.rows, *member)], self.time, self.known)

    def without(self, dimension: str, members: list[Any]) -> Numbers:
        """The rows of all other members."""
        out = np.any([_is(self.rows, dimension, m) for m in members], axis=0)
        return Numbers(self.rows[~out], self.time, self.known)

    def value(self, metric: str, span: Span) -> float | None:
        """A metric over a span of days; None where nothing is known of it."""
        if self.known is None or span[1] < self.known[0] or span[0] > self.known[1]:
            return None
        days = self.rows[self.time]
        rows = self.rows[(days >= span[0]) & (days <= span[1])]
        match metric:
            case "umsatz":
                return _sum(rows.umsatz)
            case "lieferungen":
                return float(len(rows))
            case "belieferte":
                return float(rows.kennung.nunique())
            case "kuendigungen":
                return _sum(rows.gekuendigt)
            case "umsatz_je_lieferung":
                return _over(_sum(rows.umsatz), float(len(rows)))
            case "retourenquote":
                return _over(_sum(rows.retouren), _sum(rows.umsatz))
            case _:
                return _over(_sum(rows.gekuendigt), float(rows.gekuendigt.notna().sum()))

    def weight(self, metric: str, span: Span) -> float:
        """How much there is of a member: its value, or what a ratio divides by."""
        days = self.rows[self.time]
        rows = self.rows[(days >= span[0]) & (days <= span[1])]
        if metric == "umsatz_je_lieferung":
            return float(len(rows)) if self.value(metric, span) is not None or len(rows) else 0.0
        if metric == "retourenquote":
            return abs(_sum(rows.umsatz) or 0.0)
        if metric == "kuendigungsquote":
            return float(rows.gekuendigt.notna().sum())
        return abs(self.value(metric, span) or 0.0)


def numbers(books: Books, who: Person, dataset: str, chosen: Any = ()) -> Numbers:
    """What somebody sees of a dataset; its days run from their own first row to the newest of all rows."""
    time, frame = DATASETS[dataset], books.tables[dataset].frame
    seen = frame[books.seen(who, dataset)]
    known = None if seen.empty else (seen[time].min(), max(seen[time].min(), frame[time].max()))
    rows = seen
    for dimension, members in chosen:
        rows = rows[np.any([_is(rows, dimension, m or None) | _is(rows, dimension, m) for m in members], axis=0)]
    return Numbers(rows, time, known)


def members(books: Books, who: Person, dimension: str) -> set[Any]:
    """The members of a dimension among the rows of any dataset that somebody sees and whose column is not hidden."""
    found: set[Any] = set()
    for dataset in DIMENSIONS[dimension]:
        if dimension not in books.hidden(who, dataset):
            values = books.tables[dataset].frame[dimension][books.seen(who, dataset)]
            found |= {v if isinstance(v, str) else None for v in values}
    return found


def offered(books: Books, who: Person, metric: str) -> list[str]:
    """The dimensions a metric may be split by."""
    dataset = dataset_of(metric)
    return [d for d, of in DIMENSIONS.items() if dataset in of and d not in books.hidden(who, dataset)]


def hidden_from(books: Books, who: Person, metric: str) -> bool:
    """Does a metric need a hidden column: its time, or one whose values it would tell?"""
    dataset, hidden = dataset_of(metric), books.hidden(who, dataset_of(metric))
    needed = {DATASETS[dataset], COLUMNS.get(metric, "")} | ({"umsatz"} if metric == "retourenquote" else set())
    return bool(needed & hidden)


# ── days ──────────────────────────────────────────────────────────────────────────────────────────


def spans(query: Any) -> tuple[Span, Span | None]:
    """The days of a view and those it is compared with, both as far as they have happened."""
    if query.period == "custom":
        last = min(query.last, LAST_DAY)
        long = (query.last - query.first).days + 1
        back = {"previous": timedelta(days=(last - query.first).days + 1), "year": timedelta(weeks=52)}.get(
            query.against
        )
        assert long > 0
        return (query.first, last), None if back is None else (query.first - back, last - back)
    unit = {"week": "W-SUN", "month": "M", "quarter": "Q"}[query.period]
    now = pd.Period(query.on or LAST_DAY, unit)
    first, last = _ends(now)
    until = min(last, LAST_DAY)
    if query.against == "none":
        return (first, until), None
    steps = {"week": 52, "month": 12, "quarter": 4}[query.period] if query.against == "year" else 1
    begin, end = _ends(now - steps)
    return (first, until), (begin, end if until == last else min(end, begin + (until - first)))


def _ends(period: pd.Period) -> Span:
    return period.start_time.date(), period.end_time.date()


def _sum(column: pd.Series) -> float | None:
    known = column.dropna()
    if len(column) and known.empty:
        return None
    return math.fsum(known)


def _over(over: float | None, under: float | None) -> float | None:
    return None if over is None or not under else over / under


def _is(rows: pd.DataFrame, dimension: str, member: Any) -> np.ndarray:
    column = rows[dimension]
    return (column.isna() if member is None else column == member).to_numpy(dtype=bool)
