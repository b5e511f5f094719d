"""How are we doing, why, what next? The overview of the business, within the viewer's rows.

One visit to the lake per dataset answers the whole page. Each part is a value or a problem with its sentence: a dataset
that is missing, damaged or not granted takes away only what needs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from data.lake import LakeError
from data.metric_book import MetricError, datasets_of
from data.metric_plan import Ask
from data.metrics import Facts, measure
from services import kpi_head, kpi_lists, kpi_members, kpi_models, kpi_outlook, kpi_parts, kpi_waiting, wording
from services import kpi_words as words
from services.access import Viewer, require
from services.kpi_answers import (
    Breakdown,
    Card,
    Headline,
    MemberTable,
    Origin,
    Overview,
    Problem,
    Small,
)
from services.kpi_desk import Desk, offered_dimensions, offered_metrics, open_desk, trouble
from services.kpi_members import Split
from services.kpi_models import Models
from services.kpi_query import KpiQuery
from services.sources import Sources

T = TypeVar("T")
Found = Mapping[str, Facts | Problem]
TREND, MEMBERS = "trend of the chosen metric", "members of the chosen metric"


def overview(viewer: Viewer, sources: Sources, query: KpiQuery) -> Overview:
    """The overview for one viewer and one question. Raises ``Forbidden`` and ``InvalidQuery``."""
    require(viewer, "kpis:read")
    desk = open_desk(viewer, sources, query)
    models = kpi_models.models_of(sources)
    published = tuple(sorted((name, s.table.version, s.stale_reason) for name, s in desk.published.items()))
    problems = tuple(sorted((name, p.kind if desk.waiting else p.sentence) for name, p in desk.problems.items()))
    key = ("kpis", published, problems, models.key, viewer.fingerprint, desk.query, desk.through)
    state = hashlib.sha256(repr((key, kpi_waiting.step(desk.waiting))).encode()).hexdigest()[:16]
    if desk.waiting:
        return replace(_answer(desk, models), state=state)
    return sources.cache.get_or_make(key, lambda: replace(_answer(desk, models), state=state))


def _answer(desk: Desk, models: Models) -> Overview:
    troubles = {name: problem for name in offered_metrics(desk.book) if (problem := trouble(desk, name))}
    found = _facts(desk, troubles)
    cards = tuple(_card(desk, name, found[name]) for name in desk.book.metrics.overview.cards)
    breakdown, table = _members(desk, found)
    figures = tuple(_small(desk, name, found[name]) for name in desk.book.metrics.overview.list_metrics)
    return Overview(
        url=desk.query.to_url(),
        head=kpi_head.head(desk),
        headline=_headline(desk, cards),
        cards=cards,
        trend=_drawn(
            desk, found[TREND], lambda facts: kpi_parts.trend(desk.frame, facts, _origin(desk, desk.query.metric))
        ),
        breakdown=breakdown,
        table=table,
        expects=kpi_outlook.expects(desk, models),
        lists=kpi_lists.lists(desk, models, figures),
        attention=kpi_head.attention(desk, cards, models=kpi_models.attention(desk, models)),
        quiet=kpi_head.quiet(desk, cards),
        waiting=desk.waiting,
    )


# ── measuring ─────────────────────────────────────────────────────────────────────────────────────


def _facts(desk: Desk, troubles: Mapping[str, Problem]) -> dict[str, Facts | Problem]:
    """Every metric of the cards, then what is asked of the chosen one: two questions that are kept apart."""
    frame, chosen = desk.frame, desk.chosen
    cards = {m: Ask((m,), frame.spans, chosen=chosen) for m in offered_metrics(desk.book)}
    return _measured(desk, troubles, cards) | _measured(desk, troubles, _chosen_asks(desk))


def _measured(desk: Desk, troubles: Mapping[str, Problem], wanted: Mapping[str, Ask]) -> dict[str, Facts | Problem]:
    """All asks in one go; if that fails, each alone, so that what is well is shown."""
    found: dict[str, Facts | Problem] = {
        n: troubles[a.metrics[0]] for n, a in wanted.items() if a.metrics[0] in troubles
    }
    asks = {name: ask for name, ask in wanted.items() if name not in found}
    try:
        found |= dict(zip(asks, _measure(desk, tuple(asks.values())), strict=True))
    except (LakeError, MetricError):
        found |= {name: _one(desk, ask) for name, ask in asks.items()}
    return found


def _chosen_asks(desk: Desk) -> dict[str, Ask]:
    frame, chosen, metric = desk.frame, desk.chosen, desk.query.metric
    now, before = frame.trend_pieces
    asks = {TREND: Ask((metric,), tuple(dict.fromkeys(p.span for p in now + before)), chosen=chosen)}
    if desk.query.by in offered_dimensions(desk.viewer, desk.book, metric):
        asks[MEMBERS] = Ask((metric,), frame.member_spans, by=desk.query.by, chosen=chosen)
    return asks


def _one(desk: Desk, ask: Ask) -> Facts | Problem:
    try:
        return _measure(desk, (ask,))[0]
    except (LakeError, MetricError) as refused:
        return Problem(str(refused), "Reload the page, or tell the data team.", desk.book.metric(ask.metrics[0]).label)


def _measure(desk: Desk, asks: tuple[Ask, ...]) -> tuple[Facts, ...]:
    """The facts of these asks; they are kept, so that another view of the same days has its cards at once."""
    key = ("kpi-facts", tuple(sorted(desk.tables.items())), desk.viewer.fingerprint, asks)
    return desk.sources.cache.get_or_make(
        key, lambda: measure(desk.book, asks, desk.sources.lake, where=desk.where, known=desk.known)
    )


def _drawn(desk: Desk, found: Facts | Problem, draw: Callable[[Facts], T]) -> T | Problem:
    return found if isinstance(found, Problem) else draw(found)


# ── the parts ─────────────────────────────────────────────────────────────────────────────────────


def _card(desk: Desk, metric: str, found: Facts | Problem) -> Card | Problem:
    if isinstance(found, Problem):
        return replace(found, label=desk.book.metric(metric).label)
    made = kpi_parts.card(desk.frame, metric, found, _origin(desk, metric))
    by = desk.query.by if desk.query.by in offered_dimensions(desk.viewer, desk.book, metric) else ""
    return replace(made, href=replace(desk.query, metric=metric, by=by).to_url())


def _small(desk: Desk, metric: str, found: Facts | Problem) -> Small | Problem:
    made = _card(desk, metric, found)
    if isinstance(made, Problem):
        return made
    note = ""
    if made.value.value is None:
        last = next((p for p in reversed(made.spark) if p.value is not None), None)
        note = f"Last known: {last.text} {words.when(last.label, desk.frame.grain)}" if last else "Not known yet"
    return Small(made.label, made.value, made.change, made.origin.definition, note, made.href)


def _origin(desk: Desk, metric: str) -> Origin:
    about = desk.book.metric(metric)
    read = [(n, desk.published[n]) for n in datasets_of(desk.book, metric)]
    newest = [s.newest_day for _, s in read if s.newest_day]
    stale = [s.stale_reason for _, s in read if s.stale]
    published = min(s.published_at for _, s in read)
    return Origin(
        definition=about.description,
        owner=about.owner,
        as_of=wording.day(min(*newest, desk.through)) if newest else wording.day(desk.through),
        data_version=", ".join(f"{desk.book.lake.datasets[n].label} version {s.table.version}" for n, s in read),
        freshness=" ".join(stale) or f"Published {wording.moment(published, desk.book.lake.timezone)}",
        stale=bool(stale),
    )


def _headline(desk: Desk, cards: tuple[Card | Problem, ...]) -> Headline | Problem:
    whole = [c for c in cards if isinstance(c, Card)]
    if not whole:
        return next(c for c in cards if isinstance(c, Problem))
    driver = kpi_parts.driver(desk.book, tuple(c.metric for c in whole))
    return words.headline(whole, driver, desk.frame.period, desk.book.lake)


def _members(desk: Desk, found: Found) -> tuple[Breakdown | Problem, MemberTable | Problem]:
    split = _split(desk, found)
    if isinstance(split, Problem):
        return split, split
    return kpi_members.breakdown(desk.frame, split), kpi_members.table(desk.frame, split)


def _split(desk: Desk, found: Found) -> Split | Problem:
    frame, metric, by = desk.frame, desk.query.metric, desk.query.by
    label = desk.book.metric(metric).label
    total, members = found[metric], found.get(MEMBERS)
    if isinstance(total, Problem):
        return total
    if members is None:
        word = wording.inside(desk.book.metrics.dimensions[by].label, desk.book.lake) if by else "anything you may see"
        return Problem(f"{label} cannot be split by {word}.", "Choose another tab.", label)
    if isinstance(members, Problem):
        return members
    made = kpi_members.split(frame, members, total)
    if kpi_members.needs_rest(frame, made):
        ask = Ask((metric,), frame.member_spans, by=by, chosen=desk.chosen, without=made.kept)
        rest = _one(desk, ask)
        return rest if isinstance(rest, Problem) else replace(made, rest=rest)
    return made
