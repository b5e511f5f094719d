"""What the models expect: the sum of a model's scores over the viewer's rows, with its range, beside the past weeks.

The range comes from the model's own past: for each finished window of the replay, what happened over what was said; the
middle of these ratios times the sum. With n exchangeable windows, the k-th lowest to the k-th highest hold the next one
with a chance of (n + 1 − 2k) / (n + 1) (conformal prediction: Vovk, Gammerman and Shafer, *Algorithmic Learning in a
Random World*, 2005, ch. 2). Windows that overlap are less than independent, so that the chance is said as "about".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from data.lake import LakeError
from data.metric_book import MetricError, datasets_of
from data.metric_plan import Ask, both, one_of
from data.metrics import evaluate, lookup, measure
from data.periods import Span
from data.questions import Aggregate, Aggregated, Filter, Group, Nothing
from services import kpi_words as words
from services import model_past, wording
from services.errors import Refusal
from services.kpi_answers import Expectation, Point, Problem
from services.kpi_desk import Desk, trouble
from services.kpi_models import Model, Models, card_of, not_ready
from services.runs import Run
from services.wording import Shown

EXPECTS = "What the models expect"
WEEK = timedelta(days=7)
PAST_WEEKS = 12
HORIZON = timedelta(days=28)
FEWEST_WINDOWS = 3
WANTED_TAIL = 0.1


def expects(desk: Desk, models: Models) -> Expectation | Problem | None:
    """The sum of the scores in scope, with its range, beside the past weeks of the same metric."""
    model, metric = models.expects, desk.book.metrics.overview.expects_metric
    if model is None or metric is None:
        return None
    stopped = trouble(desk, metric) or _stopped(desk, model, EXPECTS)
    if stopped or model.run is None:
        return stopped or not_ready(desk, model, EXPECTS)
    try:
        return _expected(desk, model, model.run, metric)
    except (LakeError, MetricError) as problem:
        return Problem(str(problem), "Reload the page, or tell the data team.", EXPECTS)


def _stopped(desk: Desk, model: Model, title: str) -> Problem | None:
    """Why a model cannot speak for this view."""
    dataset = model.use.scored.dataset
    if isinstance(desk.where(dataset), Nothing):
        label = desk.book.lake.datasets[dataset].label
        return Problem(f"You have no rows of {label}.", "Your administrator can grant them.", title, "no_rows")
    for dimension, _ in desk.chosen:
        about = desk.book.metrics.dimensions[dimension]
        if dataset not in about.datasets or about.column in desk.hidden(dataset):
            word = words.inside(about.label, desk.book.lake)
            return Problem(f"{model.use.label} cannot be filtered by {word}.", "Remove the filter.", title, "filter")
    if desk.query.as_of is not None:
        return Problem(f"{model.use.label} looks ahead from the newest day only.", "", title)
    return None


def _expected(desk: Desk, model: Model, run: Run, metric: str) -> Expectation | Problem:
    total, rows = _sum_of_scores(desk, model, run)
    if total is None or not rows:
        label = desk.book.lake.datasets[model.use.scored.dataset].label
        return Problem(f"You have no rows of {label}.", "Your administrator can grant them.", EXPECTS, "no_rows")
    ratios = _past_ratios(desk, model, run)
    bounds = range_of(ratios)
    ends = min(desk.published[d].newest_day or desk.through for d in datasets_of(desk.book, metric))
    horizon = timedelta(days=model.use.outcomes.delay_days) if model.use.outcomes else HORIZON
    horizon = horizon or HORIZON
    past, before = _past(desk, metric, ends, horizon)
    low, high = (total * bounds.low, total * bounds.high) if bounds else (None, None)
    about, lake = desk.book.metric(metric), desk.book.lake
    said = words.shown(total, about, lake)
    shown_low, shown_high = (words.shown(v, about, lake) if v is not None else None for v in (low, high))
    weeks = max(1, math.ceil(horizon / WEEK))
    starts = [ends + timedelta(days=1) + WEEK * n for n in range(weeks)]
    return Expectation(
        title=EXPECTS,
        sentence=_sentence(desk, metric, said, between=(shown_low, shown_high), before=before, days=horizon.days),
        total=said,
        low=shown_low,
        high=shown_high,
        past=past,
        expected=_spread(desk, metric, starts, total),
        low_points=_spread(desk, metric, starts, low),
        high_points=_spread(desk, metric, starts, high),
        model=model.name,
        model_label=model.use.label,
        model_state=_state(desk, model, run, rows),
        method=_method(bounds, len(ratios)),
        href=card_of(desk, model),
    )


def _sum_of_scores(desk: Desk, model: Model, run: Run) -> tuple[float | None, int]:
    question = Aggregate(
        run.scores,
        (Aggregated("total", "sum", "score"), Aggregated("rows", "count")),
        filter=_chosen(desk),
    )
    row = desk.sources.lake.read(question, where=desk.where(model.use.scored.dataset)).to_pylist()[0]
    return row["total"], int(row["rows"])


def _chosen(desk: Desk) -> Filter:
    dimensions = desk.book.metrics.dimensions
    return both(*(one_of(dimensions[d].column, members) for d, members in desk.chosen))


def _past_ratios(desk: Desk, model: Model, run: Run) -> list[float]:
    """What happened over what was said, of each finished window of the replay inside the viewer's rows."""
    try:
        past = model_past.past_of(desk.viewer, desk.sources, model.use, run)
    except Refusal:
        return []
    dimensions = desk.book.metrics.dimensions
    if (
        past is None
        or not past.split
        or any(past.outcomes.dataset not in dimensions[d].datasets for d, _ in desk.chosen)
    ):
        return []
    question = Aggregate(
        past.table,
        (Aggregated("said", "sum", "score"), Aggregated("happened", "sum", "outcome")),
        by=(Group("run"),),
        filter=_chosen(desk),
    )
    rows = desk.sources.lake.read(question, where=past.where).to_pylist()
    return sorted(r["happened"] / r["said"] for r in rows if r["said"] and r["happened"] is not None)


@dataclass(frozen=True)
class Bounds:
    """The lowest and highest ratio of a range, and the chance that it holds the next window."""

    low: float
    high: float
    chance: float


def range_of(ratios: Sequence[float]) -> Bounds | None:
    """The middle of past ratios that holds the next one with a chance of about 80 %, or what can be had of it.

    None from fewer than three windows.
    """
    count = len(ratios)
    if count < FEWEST_WINDOWS:
        return None
    ordered = sorted(ratios)
    k = max(1, int((count + 1) * WANTED_TAIL))
    return Bounds(ordered[k - 1], ordered[-k], (count + 1 - 2 * k) / (count + 1))


def _past(desk: Desk, metric: str, ends: date, horizon: timedelta) -> tuple[tuple[Point, ...], float | None]:
    """The past weeks up to the newest day, oldest first, and the same number of days as the model looks ahead."""
    weeks = tuple(Span(ends - WEEK * (n + 1) + timedelta(days=1), ends - WEEK * n) for n in range(PAST_WEEKS))[::-1]
    before = Span(ends - horizon + timedelta(days=1), ends)
    ask = Ask((metric,), tuple(dict.fromkeys((*weeks, before))), chosen=desk.chosen)
    facts = measure(desk.book, (ask,), desk.sources.lake, where=desk.where, known=desk.known)[0]
    find = lookup(desk.book, facts)
    points = tuple(_point(desk, metric, s.first, evaluate(desk.book, metric, s, find)) for s in weeks)
    return points, evaluate(desk.book, metric, before, find)


def _spread(desk: Desk, metric: str, starts: Sequence[date], value: float | None) -> tuple[Point, ...]:
    """The same share of a total in each of the coming weeks: the model says how much in all, not when."""
    return () if value is None else tuple(_point(desk, metric, day, value / len(starts)) for day in starts)


def _point(desk: Desk, metric: str, first: date, value: float | None) -> Point:
    said = words.shown(value, desk.book.metric(metric), desk.book.lake)
    return Point(first, words.week_label(first, desk.book.lake), value, said.text, said.exact)


def _sentence(
    desk: Desk, metric: str, said: Shown, *, between: tuple[Shown | None, Shown | None], before: float | None, days: int
) -> str:
    low, high = between
    about, lake = desk.book.metric(metric), desk.book.lake
    time = f"{days // 7} weeks" if days % 7 == 0 else f"{days} days"
    spread = f" (between {low.text} and {high.text})" if low and high else ""
    text = f"{about.label} of the next {time}: {said.text}{spread}"
    moved = words.change(float(said.value), before, about, lake) if isinstance(said.value, int | float) else None
    if moved is None:
        return f"{text}."
    if moved.word == "unchanged":
        return f"{text}, as in the last {time}."
    return f"{text}, {moved.word} {moved.text.lstrip('+' + wording.MINUS)} on the last {time}."


def _state(desk: Desk, model: Model, run: Run, rows: int) -> str:
    zone = desk.book.lake.timezone
    entities = wording.count(rows, model.use.words.entity)
    said = (
        f"Sum over {entities}, {model.use.label} version {run.version}, scored {wording.moment(run.scored_at, zone)}."
    )
    return f"{said} {run.waiting}".strip()


def _method(bounds: Bounds | None, windows: int) -> str:
    if bounds is None:
        return "No range: too few finished windows to tell how far the model is off."
    return (
        f"Range: in {windows} past windows, {bounds.low:.2f} to {bounds.high:.2f} of what the model said came true "
        f"(holds about {round(bounds.chance * 100)}{wording.NBSP}%). Each week is shown as an equal part."
    )
