"""The definitions of ``metrics.yml`` beside the published tables, and what a metric is made of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from data.definitions import Aggregation, LakeFile, Metric, MetricsFile
from data.questions import Table

ADDITIVE: frozenset[Aggregation] = frozenset({"sum", "count"})
COUNTED: frozenset[Aggregation] = frozenset({"sum", "count", "count_distinct"})


class MetricError(Exception):
    """A metric that cannot be computed as asked: what is wrong, in a sentence for people."""


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

    def timed(self, dataset: str) -> SourceTable:
        """A published table that has a time. Raises ``MetricError`` where it has none."""
        source = self.tables[dataset]
        if source.time is None:
            label = self.lake.datasets[dataset].label
            raise MetricError(f"{label} has no time column, so its metrics cannot be shown for a period.")
        return source


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
