"""What one overview is made from: who asks, what is published for them, and the question worked out.

A dataset that is missing, damaged, without time or without rows for the viewer becomes a ``Problem`` of its own, so
that it takes away only what needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa

from data.definitions import Scalar
from data.lake import LakeError
from data.metric_book import MetricBook, SourceTable, datasets_of, dimensions_of, hidden_need
from data.metric_plan import one_of
from data.metrics import known_days
from data.periods import Span
from data.questions import Aggregate, Aggregated, Filter, Group, Nothing, Table
from services import access, kpi_waiting, snapshots, wording
from services import kpi_words as words
from services.access import Viewer
from services.errors import InvalidQuery, Unavailable
from services.kpi_answers import Problem
from services.kpi_parts import Frame
from services.kpi_query import KpiQuery
from services.snapshots import Published, Snapshot
from services.sources import Sources

Members = tuple[tuple[str, tuple[Scalar, ...]], ...]


@dataclass(frozen=True)
class Desk:
    """Everything one answer is made from. ``through`` is the last business day it speaks of.

    ``known`` are the days of each dataset in the viewer's rows; ``waiting`` says what is still being prepared.
    """

    viewer: Viewer
    sources: Sources
    frame: Frame
    published: Mapping[str, Snapshot]
    known: Mapping[str, Span | None]
    problems: Mapping[str, Problem]
    chosen: Members
    through: date
    waiting: str

    @property
    def book(self) -> MetricBook:
        """The definitions and their tables."""
        return self.frame.book

    @property
    def query(self) -> KpiQuery:
        """The question, with metric and dimension filled in."""
        return self.frame.query

    @property
    def tables(self) -> dict[str, int]:
        """The version of every table that is read."""
        return {name: source.table.version for name, source in self.book.tables.items()}

    @property
    def begins(self) -> date | None:
        """The first day that the chosen metric knows."""
        found = [self.known.get(dataset) for dataset in datasets_of(self.book, self.query.metric)]
        return max((span.first for span in found if span), default=None)

    def where(self, dataset: str) -> Filter:
        """The rows of a dataset that the viewer may see."""
        return access.rows(self.viewer, dataset)

    def hidden(self, dataset: str) -> frozenset[str]:
        """The columns of a dataset that the viewer may not see."""
        return access.masks(self.viewer, dataset)


def open_desk(viewer: Viewer, sources: Sources, query: KpiQuery) -> Desk:
    """Work the question out. Raises ``InvalidQuery`` where the address asks for what there is not."""
    found = snapshots.published(sources)
    waiting = kpi_waiting.sentence(sources)
    readable, known, problems = _readable(viewer, sources, found, waiting)
    book = _book(sources, readable)
    through = _through(book, readable, found.today, query.as_of)
    query = _named(viewer, book, query)
    frame = Frame(query, book, query.resolved(through), query.against)
    chosen = _chosen(viewer, sources, book, query)
    return Desk(viewer, sources, frame, readable, known, problems, chosen, through, waiting)


# ── what can be read ──────────────────────────────────────────────────────────────────────────────


def _readable(
    viewer: Viewer, sources: Sources, found: Published, waiting: str
) -> tuple[dict[str, Snapshot], dict[str, Span | None], dict[str, Problem]]:
    readable: dict[str, Snapshot] = {}
    known: dict[str, Span | None] = {}
    problems: dict[str, Problem] = {}
    for name in _datasets(sources):
        days = _days_or_problem(viewer, sources, found, name, waiting)
        if isinstance(days, Problem):
            problems[name] = days
        else:
            readable[name], known[name] = found.snapshots[name], days
    return readable, known, problems


def _datasets(sources: Sources) -> tuple[str, ...]:
    """The datasets of every metric the overview may show."""
    metrics = sources.workspace.metrics
    book = MetricBook(metrics, sources.workspace.lake, {})
    expected = (metrics.overview.expects_metric,) if metrics.overview.expects_metric else ()
    named = (*metrics.overview.cards, *metrics.overview.list_metrics, *expected)
    return tuple(dict.fromkeys(d for metric in named for d in datasets_of(book, metric)))


def _days_or_problem(viewer: Viewer, sources: Sources, found: Published, name: str, waiting: str) -> Span | Problem:
    """The days of a dataset in the viewer's rows, or why it cannot be read."""
    about, where = sources.workspace.lake.datasets[name], access.rows(viewer, name)
    no_rows = Problem(
        f"You have no rows of {about.label}.", "Your administrator can grant them.", about.label, "no_rows"
    )
    if isinstance(where, Nothing):
        return no_rows
    snapshot = found.snapshots.get(name)
    if snapshot is None:
        next_step = "It appears here when it is."
        return Problem(waiting or found.missing[name], "" if waiting else next_step, about.label, "not_ready")
    if about.time is None or snapshot.newest_day is None:
        return Problem(f"{about.label} has no time, so nothing of it can be shown for a period.", "", about.label)

    def read() -> Mapping[str, Span | None]:
        book = _book(sources, {name: snapshot})
        return known_days(book, sources.lake, where=lambda _: where, newest={name: snapshot.newest_day or found.today})

    try:
        days = sources.cache.get_or_make(("kpi-days", snapshot.table, where), read)[name]
    except LakeError as problem:
        return Problem(str(problem), "", about.label)
    return days or no_rows


def _book(sources: Sources, readable: Mapping[str, Snapshot]) -> MetricBook:
    tables = {}
    for name, found in readable.items():
        time = sources.workspace.lake.datasets[name].time
        schema = sources.lake.schema(found.table)
        is_date = time in schema.names and pa.types.is_date(schema.field(time).type)
        tables[name] = SourceTable(found.table, frozenset(schema.names), time, is_date)
    return MetricBook(sources.workspace.metrics, sources.workspace.lake, tables)


def _through(book: MetricBook, readable: Mapping[str, Snapshot], today: date, as_of: date | None) -> date:
    """The last business day the data speaks of: the newest of the cards' datasets, not after today."""
    read = {d for metric in book.metrics.overview.cards for d in datasets_of(book, metric)}
    newest = [s.newest_day for name, s in readable.items() if name in read and s.newest_day]
    through = min(max(newest, default=today), today)
    return min(through, as_of) if as_of else through


# ── what may be asked ─────────────────────────────────────────────────────────────────────────────


def offered_metrics(book: MetricBook) -> tuple[str, ...]:
    """The metrics that the overview may put in the middle."""
    return tuple(dict.fromkeys((*book.metrics.overview.cards, *book.metrics.overview.list_metrics)))


def offered_dimensions(viewer: Viewer, book: MetricBook, metric: str) -> tuple[str, ...]:
    """The overview's dimensions that fit a metric and that the viewer may see; masked columns are not offered."""
    fitting = dimensions_of(book, metric)
    return tuple(d for d in book.metrics.overview.dimensions if d in fitting and _visible(viewer, book, d, metric))


def _visible(viewer: Viewer, book: MetricBook, dimension: str, metric: str) -> bool:
    column = book.metrics.dimensions[dimension].column
    return not any(column in access.masks(viewer, dataset) for dataset in datasets_of(book, metric))


def trouble(desk: Desk, metric: str) -> Problem | None:
    """Why a metric cannot be shown at all, before the lake is asked."""
    about = desk.book.metric(metric)
    for dataset in datasets_of(desk.book, metric):
        if dataset in desk.problems:
            return replace(desk.problems[dataset], label=about.label)
    hidden = hidden_need(desk.book, metric, desk.hidden)
    if hidden:
        dataset, column = hidden.split(".", 1)
        label = desk.book.lake.datasets[dataset].columns[column].label
        return Problem(f"{about.label} needs {label}, which is hidden from your role.", "", about.label, "hidden")
    fitting = offered_dimensions(desk.viewer, desk.book, metric)
    for dimension, _ in desk.chosen:
        if dimension not in fitting:
            word = wording.inside(desk.book.metrics.dimensions[dimension].label, desk.book.lake)
            return Problem(f"{about.label} cannot be filtered by {word}.", "Remove the filter.", about.label, "filter")
    return None


def _named(viewer: Viewer, book: MetricBook, query: KpiQuery) -> KpiQuery:
    metrics = offered_metrics(book)
    metric = query.metric or metrics[0]
    if metric not in metrics:
        raise InvalidQuery(
            f"metric must be one of {', '.join(metrics)}, got {metric[:40]!r}.", next_step="Choose a card."
        )
    shown = _shown_dimensions(viewer, book)
    fitting = offered_dimensions(viewer, book, metric)
    if query.by and query.by not in shown:
        raise InvalidQuery(f"by must be one of {', '.join(shown)}, got {query.by[:40]!r}.", next_step="Choose a tab.")
    return replace(query, metric=metric, by=query.by or (fitting[0] if fitting else ""))


def _shown_dimensions(viewer: Viewer, book: MetricBook) -> tuple[str, ...]:
    found = (d for metric in offered_metrics(book) for d in offered_dimensions(viewer, book, metric))
    return tuple(dict.fromkeys(found))


# ── chosen members ────────────────────────────────────────────────────────────────────────────────


def _chosen(viewer: Viewer, sources: Sources, book: MetricBook, query: KpiQuery) -> Members:
    """The chosen members, typed, and only those that occur among the rows the viewer may see."""
    allowed = _shown_dimensions(viewer, book)
    found = []
    for dimension, texts in query.chosen:
        if dimension not in allowed:
            raise InvalidQuery(
                f"A filter must be on one of {', '.join(allowed)}, got {dimension[:40]!r}.",
                next_step="Reset the filters.",
            )
        members = _members(viewer, sources, book, dimension, texts)
        known = {words.member_text(m) for m in members}
        missing = [t for t in texts if t not in known]
        if missing:
            label = book.metrics.dimensions[dimension].label
            raise InvalidQuery(
                f"{label} must be one of the values you can see, got {missing[0][:40]!r}.",
                next_step="Reset the filters.",
            )
        found.append((dimension, members))
    return tuple(found)


def _members(
    viewer: Viewer, sources: Sources, book: MetricBook, dimension: str, texts: tuple[str, ...]
) -> tuple[Scalar, ...]:
    column = book.metrics.dimensions[dimension].column
    read = [d for d in book.metrics.dimensions[dimension].datasets if d in book.tables]
    read = [d for d in read if column not in access.masks(viewer, d)]
    found: dict[Scalar, None] = {}
    for dataset in read:
        table, where = book.tables[dataset].table, access.rows(viewer, dataset)
        key = ("kpi-members", table, where, column, texts)
        found |= dict.fromkeys(sources.cache.get_or_make(key, _reading(sources, table, column, texts, where=where)))
    return tuple(found)


def _reading(
    sources: Sources, table: Table, column: str, texts: tuple[str, ...], *, where: Filter
) -> Callable[[], tuple[Scalar, ...]]:
    def read() -> tuple[Scalar, ...]:
        kind = sources.lake.schema(table).field(column).type
        wanted = tuple(v for text in texts if (v := _typed(text, kind)) is not None)
        nameless = (None, *([""] if _is_text(kind) else [])) if "" in texts else ()
        question = Aggregate(
            table,
            (Aggregated("rows", "count"),),
            by=(Group(column, name="member"),),
            filter=one_of(column, (*wanted, *nameless)),
        )
        try:
            rows = sources.lake.read(question, where=where)
        except LakeError as problem:
            raise Unavailable(str(problem), next_step="Reset the filters.") from problem
        return tuple(rows.column("member").to_pylist())

    return read


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _typed(text: str, kind: pa.DataType) -> Scalar:
    """A member of the address as the column's type; None where it cannot be one (then it is not found)."""
    try:
        if pa.types.is_boolean(kind):
            return {"True": True, "False": False}.get(text)
        if pa.types.is_integer(kind):
            number = int(text)
            return number if abs(number) < 2**63 else None
        if pa.types.is_floating(kind):
            return float(text)
        return date.fromisoformat(text) if pa.types.is_date(kind) else text or None
    except ValueError:
        return None
