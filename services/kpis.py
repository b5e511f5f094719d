"""How are we doing, why, what next? The overview of the business, within the viewer's rows.

One visit to the lake per dataset answers the whole page. Each part is a value or a problem with its sentence: a dataset
that is missing, damaged or not granted takes away only what needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TypeVar

import pyarrow as pa

from data.definitions import Scalar
from data.lake import LakeError
from data.metrics import (
    Ask,
    Facts,
    MetricBook,
    MetricError,
    SourceTable,
    datasets_of,
    dimensions_of,
    first_days,
    hidden_need,
    measure,
)
from data.periods import DAY, day_of, period_of
from data.questions import Aggregate, Aggregated, Compare, Filter, Group, Nothing, Or
from services import access, kpi_outlook, kpi_parts, snapshots, wording
from services import kpi_words as words
from services.access import Viewer, require
from services.errors import InvalidQuery, Refusal
from services.kpi_answers import (
    Attention,
    Card,
    Chip,
    Head,
    Headline,
    Lists,
    Option,
    Origin,
    Overview,
    Problem,
    Small,
)
from services.kpi_parts import Frame
from services.kpi_query import COMPARISONS, UNITS, KpiQuery
from services.snapshots import Snapshot
from services.sources import Sources, now

T = TypeVar("T")
UNIT_LABELS = {"week": "Week", "month": "Month", "quarter": "Quarter", "custom": "Custom"}
AGAINST_LABELS = {"previous": "Period before", "year": "A year before", "none": "No comparison"}
MOST_ATTENTION = 5


@dataclass(frozen=True)
class Desk:
    """Everything one answer is made from: who asks, what is published, and the question worked out."""

    viewer: Viewer
    sources: Sources
    frame: Frame
    published: Mapping[str, Snapshot]
    problems: Mapping[str, Problem]
    chosen: tuple[tuple[str, tuple[Scalar, ...]], ...]
    through: date

    @property
    def book(self) -> MetricBook:
        """The definitions and their tables."""
        return self.frame.book

    @property
    def query(self) -> KpiQuery:
        """The question, with metric and dimension filled in."""
        return self.frame.query


def overview(viewer: Viewer, sources: Sources, query: KpiQuery) -> Overview:
    """The overview for one viewer and one question. Raises ``Forbidden`` and ``InvalidQuery``."""
    require(viewer, "kpis:read")
    desk = _desk(viewer, sources, query)
    run = kpi_outlook.run_of(viewer, sources)
    state = tuple(sorted((n, s.table.version, s.stale, s.waiting) for n, s in desk.published.items()))
    key = (
        "kpis",
        state,
        tuple(sorted(desk.problems.items(), key=str)),
        run,
        viewer.fingerprint,
        desk.query,
        desk.through,
    )
    return sources.cache.get_or_make(key, lambda: _answer(desk))


# ── working the question out ──────────────────────────────────────────────────────────────────────


def _desk(viewer: Viewer, sources: Sources, query: KpiQuery) -> Desk:
    published, problems = _published(viewer, sources)
    book = _book(sources, published)
    through = _through(sources, book, published, query.as_of)
    query = _named(viewer, book, query)
    period = query.resolved(through)
    frame = Frame(query, book, period, query.against)
    return Desk(viewer, sources, frame, published, problems, _chosen(viewer, sources, book, query), through)


def _published(viewer: Viewer, sources: Sources) -> tuple[dict[str, Snapshot], dict[str, Problem]]:
    published: dict[str, Snapshot] = {}
    problems: dict[str, Problem] = {}
    for dataset in _datasets(sources):
        label = sources.workspace.lake.datasets[dataset].label
        if isinstance(access.rows(viewer, dataset), Nothing):
            problems[dataset] = Problem(
                f"You have no rows of {label}.", "Your administrator can grant them.", label, "no_rows"
            )
            continue
        try:
            published[dataset] = snapshots.snapshot(viewer, sources, dataset)
            sources.lake.schema(published[dataset].table)
        except (Refusal, LakeError) as refused:
            published.pop(dataset, None)
            problems[dataset] = _problem(refused, label)
    return published, problems


def _datasets(sources: Sources) -> tuple[str, ...]:
    metrics = sources.workspace.metrics
    book = MetricBook(metrics, sources.workspace.lake, {})
    named = (*metrics.overview.cards, *metrics.overview.list_metrics, *_some(metrics.overview.expects_metric))
    return tuple(dict.fromkeys(d for metric in named for d in datasets_of(book, metric)))


def _some(name: str | None) -> tuple[str, ...]:
    return (name,) if name else ()


def _book(sources: Sources, published: Mapping[str, Snapshot]) -> MetricBook:
    tables = {}
    for dataset, found in published.items():
        time = sources.workspace.lake.datasets[dataset].time
        schema = sources.lake.schema(found.table)
        is_date = time is not None and pa.types.is_date(schema.field(time).type)
        tables[dataset] = SourceTable(found.table, frozenset(schema.names), time, is_date)
    return MetricBook(sources.workspace.metrics, sources.workspace.lake, tables)


def _through(sources: Sources, book: MetricBook, published: Mapping[str, Snapshot], as_of: date | None) -> date:
    """The last business day the data speaks of: the newest of the cards' datasets, not after today."""
    today = day_of(now(sources), book.lake.timezone)
    newest = [
        _newest_day(book, dataset, found.newest)
        for metric in book.metrics.overview.cards
        for dataset in datasets_of(book, metric)
        if (found := published.get(dataset)) and found.newest and book.tables[dataset].time
    ]
    through = min(max(newest, default=today), today)
    return min(through, as_of) if as_of else through


def _newest_day(book: MetricBook, dataset: str, newest: datetime) -> date:
    """A date has no zone: its midnight in UTC must not become the day before."""
    if book.tables[dataset].time_is_date:
        return newest.astimezone(UTC).date()
    return day_of(newest, book.lake.timezone)


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


def _named(viewer: Viewer, book: MetricBook, query: KpiQuery) -> KpiQuery:
    metrics = offered_metrics(book)
    metric = query.metric or metrics[0]
    if metric not in metrics:
        labels = ", ".join(metrics)
        raise InvalidQuery(f"metric must be one of {labels}, got {metric[:40]!r}.", next_step="Choose a card.")
    shown = _shown_dimensions(viewer, book)
    fitting = offered_dimensions(viewer, book, metric)
    if query.by and query.by not in shown:
        raise InvalidQuery(f"by must be one of {', '.join(shown)}, got {query.by[:40]!r}.", next_step="Choose a tab.")
    return replace(query, metric=metric, by=query.by or (fitting[0] if fitting else ""))


def _shown_dimensions(viewer: Viewer, book: MetricBook) -> tuple[str, ...]:
    found = (d for metric in offered_metrics(book) for d in offered_dimensions(viewer, book, metric))
    return tuple(dict.fromkeys(found))


def _chosen(
    viewer: Viewer, sources: Sources, book: MetricBook, query: KpiQuery
) -> tuple[tuple[str, tuple[Scalar, ...]], ...]:
    """The chosen members, typed, and only those that occur among the rows the viewer may see."""
    allowed = _shown_dimensions(viewer, book)
    found = []
    for dimension, texts in query.chosen:
        if dimension not in allowed:
            raise InvalidQuery(
                f"A filter must be on one of {', '.join(allowed)}, got {dimension[:40]!r}.",
                next_step="Reset the filters.",
            )
        members = sources.cache.get_or_make(
            ("kpi-members", _versions(book), viewer.fingerprint, dimension, texts),
            lambda dimension=dimension, texts=texts: _members(viewer, sources, book, dimension, texts),  # type: ignore[misc]
        )
        missing = [t for t in texts if t not in {words.member_text(m) for m in members}]
        if missing:
            label = book.metrics.dimensions[dimension].label
            raise InvalidQuery(
                f"{label} must be one of the values you can see, got {missing[0][:40]!r}.",
                next_step="Reset the filters.",
            )
        found.append((dimension, tuple(members)))
    return tuple(found)


def _versions(book: MetricBook) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, source.table.version) for name, source in book.tables.items()))


def _members(
    viewer: Viewer, sources: Sources, book: MetricBook, dimension: str, texts: tuple[str, ...]
) -> tuple[Scalar, ...]:
    about = book.metrics.dimensions[dimension]
    found: dict[Scalar, None] = {}
    for dataset in about.datasets:
        source = book.tables.get(dataset)
        if source is None or about.column in access.masks(viewer, dataset):
            continue
        kind = sources.lake.schema(source.table).field(about.column).type
        typed = [_typed(text, kind) for text in texts]
        known = tuple(v for v in typed if v is not None)
        parts: list[Filter] = [Compare(about.column, "in", known)] if known else []
        if "" in texts:
            parts.append(Compare(about.column, "is_null"))
        question = Aggregate(
            source.table,
            (Aggregated("rows", "count"),),
            by=(Group(about.column, name="member"),),
            filter=Or(tuple(parts)),
        )
        answer = sources.lake.read(question, where=access.rows(viewer, dataset))
        found.update(dict.fromkeys(answer.column("member").to_pylist()))
    return tuple(found)


def _typed(text: str, kind: pa.DataType) -> Scalar:
    """A member of the address as the column's type; None where it cannot be one (then it is not found)."""
    try:
        if pa.types.is_boolean(kind):
            return {"True": True, "False": False}.get(text)
        if pa.types.is_integer(kind):
            return int(text)
        if pa.types.is_floating(kind):
            return float(text)
        return date.fromisoformat(text) if pa.types.is_date(kind) else text or None
    except ValueError:
        return None


# ── answering ─────────────────────────────────────────────────────────────────────────────────────


def _answer(desk: Desk) -> Overview:
    names = offered_metrics(desk.book)
    troubles = {name: problem for name in names if (problem := _trouble(desk, name))}
    facts = _facts(desk, troubles)
    cards = tuple(_card(desk, name, facts, troubles) for name in desk.book.metrics.overview.cards)
    metric = desk.query.metric
    split = troubles.get(metric) or _split(desk, facts)
    expects = kpi_outlook.expects(desk.viewer, desk.sources, desk.frame, begins=_begins(desk))
    return Overview(
        url=desk.query.to_url(),
        head=_head(desk),
        headline=_headline(desk, cards),
        cards=cards,
        trend=_part(facts.get("trend"), lambda found: kpi_parts.trend(desk.frame, found)),
        breakdown=split if isinstance(split, Problem) else kpi_parts.breakdown(desk.frame, split),
        table=split if isinstance(split, Problem) else kpi_parts.table(desk.frame, split),
        expects=expects,
        lists=_lists(desk, facts, troubles),
        attention=_attention(desk, cards),
        quiet=_quiet(desk),
    )


def _trouble(desk: Desk, metric: str) -> Problem | None:
    """Why a metric cannot be shown at all, before the lake is asked."""
    about = desk.book.metric(metric)
    for dataset in datasets_of(desk.book, metric):
        if dataset in desk.problems:
            return replace(desk.problems[dataset], label=about.label)
    hidden = hidden_need(desk.book, metric, lambda dataset: access.masks(desk.viewer, dataset))
    if hidden:
        dataset, column = hidden.split(".", 1)
        label = desk.book.lake.datasets[dataset].columns[column].label
        return Problem(f"{about.label} needs {label}, which is hidden from your role.", "", about.label, "hidden")
    fitting = dimensions_of(desk.book, metric)
    for dimension, _ in desk.chosen:
        if dimension not in fitting:
            word = desk.book.metrics.dimensions[dimension].label
            return Problem(f"{about.label} cannot be filtered by {word}.", "Remove the filter.", about.label)
    return None


def _asks(desk: Desk, troubles: Mapping[str, Problem]) -> dict[str, Ask]:
    frame, chosen = desk.frame, desk.chosen
    own = tuple(m for m in desk.book.metrics.overview.cards if m not in troubles)
    lists = tuple(m for m in desk.book.metrics.overview.list_metrics if m not in troubles)
    asks = {f"card {m}": Ask((m,), frame.spans, frame.grain, chosen=chosen) for m in own}
    asks |= {f"list {m}": Ask((m,), frame.spans, frame.grain, chosen=chosen) for m in lists}
    metric = desk.query.metric
    if metric not in troubles:
        now_, before = frame.trend_pieces
        spans = tuple(dict.fromkeys(p.span for p in now_ + before))
        asks["trend"] = Ask((metric,), spans, frame.trend_grain, chosen=chosen)
        asks["total"] = Ask((metric,), frame.spans, frame.grain, chosen=chosen)
        if desk.query.by in offered_dimensions(desk.viewer, desk.book, metric):
            asks["members"] = Ask((metric,), frame.spans, frame.grain, by=desk.query.by, chosen=chosen)
    return asks


def _facts(desk: Desk, troubles: Mapping[str, Problem]) -> dict[str, Facts | Problem]:
    """All asks in one go; if that fails, each alone, so that what is well is shown."""
    asks = _asks(desk, troubles)
    metric_trouble = troubles.get(desk.query.metric)
    found: dict[str, Facts | Problem] = {"trend": metric_trouble} if metric_trouble else {}
    try:
        found |= dict(zip(asks, _measure(desk, tuple(asks.values())), strict=True))
    except (LakeError, MetricError, Refusal):
        found |= {name: _one(desk, ask) for name, ask in asks.items()}
    return found


def _one(desk: Desk, ask: Ask) -> Facts | Problem:
    try:
        return _measure(desk, (ask,))[0]
    except (LakeError, MetricError, Refusal) as refused:
        return _problem(refused, desk.book.metric(ask.metrics[0]).label)


def _measure(desk: Desk, asks: tuple[Ask, ...]) -> tuple[Facts, ...]:
    return measure(desk.book, asks, desk.sources.lake, where=_where(desk.viewer), begins=_begins(desk))


def _where(viewer: Viewer) -> Callable[[str], Filter]:
    return lambda dataset: access.rows(viewer, dataset)


def _begins(desk: Desk) -> Mapping[str, date | None]:
    """The first day of each dataset in the viewer's rows; before it nothing is known."""
    datasets = tuple(sorted(n for n, s in desk.book.tables.items() if s.time))

    def read() -> Mapping[str, date | None]:
        return first_days(desk.book, desk.sources.lake, where=_where(desk.viewer), datasets=datasets)

    return desk.sources.cache.get_or_make(("kpi-begins", _versions(desk.book), desk.viewer.fingerprint), read)


def _part(found: Facts | Problem | None, draw: Callable[[Facts], T]) -> T | Problem:
    if isinstance(found, Facts):
        return draw(found)
    return found or Problem("This part could not be computed.", "Reload the page.")


def _problem(refused: Exception, label: str) -> Problem:
    if isinstance(refused, Refusal):
        kind = "not_ready" if type(refused).__name__ == "NotReady" else "unavailable"
        return Problem(refused.sentence, refused.next_step, label, kind)  # type: ignore[arg-type]
    return Problem(str(refused), "", label)


def _card(
    desk: Desk, metric: str, facts: Mapping[str, Facts | Problem], troubles: Mapping[str, Problem]
) -> Card | Problem:
    found = troubles.get(metric) or facts[f"card {metric}"]
    if isinstance(found, Problem):
        return replace(found, label=desk.book.metric(metric).label)
    made = kpi_parts.card(desk.frame, metric, found, _origin(desk, metric))
    by = desk.query.by if desk.query.by in offered_dimensions(desk.viewer, desk.book, metric) else ""
    return replace(made, href=replace(desk.query, metric=metric, by=by).to_url())


def _origin(desk: Desk, metric: str) -> Origin:
    about = desk.book.metric(metric)
    read = [(n, desk.published[n]) for n in datasets_of(desk.book, metric)]
    labels = [desk.book.lake.datasets[n].label for n, _ in read]
    newest = [_newest_day(desk.book, n, s.newest) for n, s in read if s.newest]
    stale = [s.stale_reason for _, s in read if s.stale and s.stale_reason]
    published = min(s.published_at for _, s in read)
    return Origin(
        definition=about.description,
        owner=about.owner,
        as_of=wording.day(min(*newest, desk.through)) if newest else wording.day(desk.through),
        data_version=", ".join(
            f"{label} version {s.table.version}" for label, (_, s) in zip(labels, read, strict=True)
        ),
        freshness=" ".join(stale) or f"Published {wording.moment(published)}",
        stale=bool(stale),
    )


def _split(desk: Desk, facts: Mapping[str, Facts | Problem]) -> kpi_parts.Split | Problem:
    frame, metric, by = desk.frame, desk.query.metric, desk.query.by
    label = desk.book.metric(metric).label
    members, total = facts.get("members"), facts.get("total")
    if members is None:
        word = words.inside(desk.book.metrics.dimensions[by].label) if by else "anything you may see"
        return Problem(f"{label} cannot be split by {word}.", "Choose another tab.", label)
    if isinstance(members, Problem):
        return members
    if not isinstance(total, Facts):
        return total or Problem("The total could not be computed.", "Reload the page.", label)
    found = kpi_parts.split(frame, members, total)
    if kpi_parts.needs_rest(frame, found):
        ask = Ask((metric,), frame.spans, frame.grain, by=by, chosen=desk.chosen, without=found.kept)
        rest = _one(desk, ask)
        return rest if isinstance(rest, Problem) else replace(found, rest=rest)
    return found


def _headline(desk: Desk, cards: tuple[Card | Problem, ...]) -> Headline | Problem:
    whole = [c for c in cards if isinstance(c, Card)]
    if not whole:
        return next(c for c in cards if isinstance(c, Problem))
    driver = kpi_parts.driver(desk.book, tuple(c.metric for c in whole))
    return words.headline(whole, driver, desk.frame.period, desk.book.lake)


def _lists(desk: Desk, facts: Mapping[str, Facts | Problem], troubles: Mapping[str, Problem]) -> Lists | Problem | None:
    names = desk.book.metrics.overview.list_metrics
    if not names:
        return None
    figures: list[Small | Problem] = []
    for name in names:
        found = troubles.get(name) or facts[f"list {name}"]
        if isinstance(found, Problem):
            figures.append(replace(found, label=desk.book.metric(name).label))
        else:
            made = kpi_parts.card(desk.frame, name, found, _origin(desk, name))
            figures.append(Small(made.label, made.value, made.change, made.origin.definition))
    return kpi_outlook.lists(desk.viewer, desk.sources, desk.frame, tuple(figures))


# ── the head ──────────────────────────────────────────────────────────────────────────────────────


def _head(desk: Desk) -> Head:
    query, frame, book = desk.query, desk.frame, desk.book
    stale = tuple(f"{book.lake.datasets[n].label}: {s.stale_reason}" for n, s in desk.published.items() if s.stale)
    earlier, later = _steps(desk)
    return Head(
        period=frame.period_label,
        note=words.progress(frame.period),
        against=frame.against_label,
        against_sentence=_against_sentence(frame),
        scope=_scope(desk),
        stale=stale,
        periods=tuple(_unit_option(desk, unit) for unit in UNITS),
        comparisons=tuple(
            Option(c, AGAINST_LABELS[c], c == query.against, replace(query, against=c).to_url()) for c in COMPARISONS
        ),
        metrics=tuple(
            Option(m, book.metric(m).label, m == query.metric, replace(query, metric=m).to_url())
            for m in offered_metrics(book)
        ),
        dimensions=tuple(
            Option(d, book.metrics.dimensions[d].label, d == query.by, replace(query, by=d).to_url())
            for d in offered_dimensions(desk.viewer, book, query.metric)
        ),
        earlier=earlier,
        later=later,
        first=frame.period.first,
        last=frame.period.last,
        through=desk.through,
        chips=_chips(desk),
        reset=replace(query, chosen=()).to_url(),
    )


def _against_sentence(frame: Frame) -> str:
    if frame.before is None:
        return "Without a comparison"
    same = "" if frame.period.complete else f", the same {frame.before.days} days"
    return f"Compared with {frame.against_label}{same}"


def _scope(desk: Desk) -> str:
    """As of when, and whose rows: "As of 31 Dec 2017 · Territory is North."."""
    dataset = datasets_of(desk.book, desk.query.metric)[0]
    scope = desk.viewer.scopes.get(dataset)
    return f"As of {wording.day(desk.through)} · {scope.reason if scope else 'No rows'}"


def _unit_option(desk: Desk, unit: str) -> Option:
    query, period = desk.query, desk.frame.period
    if unit == "custom":
        view = replace(query, period="custom", on=None, first=period.first, last=period.until)
    else:
        on = period.until if period.until < desk.through else None
        view = replace(query, period=unit, on=on, first=None, last=None)  # type: ignore[arg-type]
    return Option(unit, UNIT_LABELS[unit], unit == query.period, view.to_url())


def _steps(desk: Desk) -> tuple[str, str]:
    """The views one period earlier and one later; "" where there is none."""
    query, period = desk.query, desk.frame.period
    if period.unit == "custom":
        return "", ""
    before = period.first - DAY
    known = [d for d in _begins(desk).values() if d]
    earlier = replace(query, on=before).to_url() if known and before >= min(known) else ""
    after = period.last + DAY
    if after > desk.through:
        return earlier, ""
    newest = period_of(period.unit, desk.through, desk.through)
    on = None if after >= newest.first else after
    return earlier, replace(query, on=on).to_url()


def _chips(desk: Desk) -> tuple[Chip, ...]:
    query, dimensions = desk.query, desk.book.metrics.dimensions
    typed = {(d, words.member_text(m)): m for d, members in desk.chosen for m in members}
    return tuple(
        Chip(
            d,
            text,
            f"{dimensions[d].label}: {words.member_label(typed[d, text])}",
            query.toggled(d, text).to_url(),
        )
        for d, texts in query.chosen
        for text in texts
    )


# ── what needs attention ──────────────────────────────────────────────────────────────────────────


def _attention(desk: Desk, cards: tuple[Card | Problem, ...]) -> tuple[Attention, ...]:
    """Stale data first, then metrics outside the range of the earlier buckets; at most five."""
    data_page = "/data" if access.decide(desk.viewer, "data:read").allowed else ""
    found = [
        Attention(desk.book.lake.datasets[n].label, s.stale_reason or "is older than promised", data_page, "bad")
        for n, s in desk.published.items()
        if s.stale
    ]
    found += [a for c in cards if isinstance(c, Card) and (a := _outside(desk, c))]
    return tuple(found[:MOST_ATTENTION])


def _outside(desk: Desk, card: Card) -> Attention | None:
    """Is a finished period's value the highest or lowest of the twelve (at least six known)?"""
    known = [p.value for p in card.spark if p.value is not None and p.complete]
    last = card.spark[-1]
    if not last.complete or last.value is None or len(known) < 6 or last.value != known[-1]:
        return None
    earlier = known[:-1]
    if min(earlier) <= last.value <= max(earlier):
        return None
    word = "highest" if last.value > max(earlier) else "lowest"
    moved: words.Word = "up" if word == "highest" else "down"
    verdict = words.judged(moved, desk.book.metric(card.metric).good)
    return Attention(card.label, f"{last.text}: the {word} of {len(known)} {desk.frame.grain}s", card.href, verdict)


def _quiet(desk: Desk) -> str:
    return f"Nothing outside the range of the {len(desk.frame.buckets) - 1} {desk.frame.grain}s before."
