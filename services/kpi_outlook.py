"""What the models expect: the sum of a model's scores over the viewer's rows, with its range, beside the past weeks.

A sum needs more than scores that are right for most rows: a model that aims at the middle of what a row may do says too
little in all. So the sum is corrected by the model's own past, and the page says both. For each finished window of the
replay there is a ratio, what happened over what was said. The sum is multiplied by their geometric mean; the range is
the 80 % prediction interval of one more ratio, normal in logarithms: mean ± t(0.9, n − 1) · s · √(1 + 1/n) (Hahn and
Meeker, *Statistical Intervals*, 1991, sec. 4.7). Windows that overlap depend on each other, so that it says "about".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import fmean, stdev

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
# The 0.9 quantiles of Student's t for 1, 2, … degrees of freedom; the normal one beyond.
T90 = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372, 1.363, 1.356, 1.350, 1.345, 1.341, 1.337)
Z90 = 1.2816


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
            word = wording.inside(about.label, desk.book.lake)
            return Problem(f"{model.use.label} cannot be filtered by {word}.", "Remove the filter.", title, "filter")
    if desk.query.as_of is not None:
        return Problem(f"{model.use.label} looks ahead from the newest day only.", "", title)
    return None


def _expected(desk: Desk, model: Model, run: Run, metric: str) -> Expectation | Problem:
    scores, rows = _sum_of_scores(desk, model, run)
    if scores is None or not rows:
        label = desk.book.lake.datasets[model.use.scored.dataset].label
        return Problem(f"You have no rows of {label}.", "Your administrator can grant them.", EXPECTS, "no_rows")
    about, lake = desk.book.metric(metric), desk.book.lake
    ratios = _past_ratios(desk, model, run)
    bounds = past_of(ratios)
    total, low, high = (
        (scores * b for b in (bounds.middle, bounds.low, bounds.high)) if bounds else (scores, None, None)
    )
    ends = min(desk.published[d].newest_day or desk.through for d in datasets_of(desk.book, metric))
    horizon = timedelta(days=model.use.outcomes.delay_days if model.use.outcomes else 0) or HORIZON
    past, before = _past(desk, metric, ends, horizon)
    starts = [ends + timedelta(days=1) + WEEK * n for n in range(max(1, math.ceil(horizon / WEEK)))]
    coming = [_spread(desk, metric, starts, value) for value in (total, low, high)]
    values = [p.value for p in (*past, *(p for line in coming for p in line)) if p.value is not None]
    between = tuple(words.shown(v, about, lake) if v is not None else None for v in (low, high))
    return Expectation(
        title=EXPECTS,
        sentence=_sentence(desk, metric, total, between=between, before=before, days=horizon.days),
        total=words.shown(total, about, lake),
        low=between[0],
        high=between[1],
        past=past,
        expected=coming[0],
        low_points=coming[1],
        high_points=coming[2],
        ticks=words.ticks(values, about, lake),
        scores=words.shown(scores, about, lake),
        model=model.name,
        model_label=model.use.label,
        model_state=_state(desk, model, run, rows),
        method=_method(bounds, words.shown(scores, about, lake)),
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
class Past:
    """What happened over what was said in past windows: lowest, highest, and the correction with its 80 % range."""

    lowest: float
    highest: float
    low: float
    middle: float
    high: float
    windows: int


def past_of(ratios: Sequence[float]) -> Past | None:
    """The correction and its range from the ratios of past windows; None from fewer than three."""
    count = len(ratios)
    if count < FEWEST_WINDOWS or min(ratios) <= 0:
        return None
    logs = [math.log(r) for r in ratios]
    middle = fmean(logs)
    quantile = T90[count - 2] if count - 2 < len(T90) else Z90
    half = quantile * stdev(logs) * math.sqrt(1 + 1 / count)
    low, high = math.exp(middle - half), math.exp(middle + half)
    return Past(min(ratios), max(ratios), low, math.exp(middle), high, count)


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
    return Point(first, words.week_label(first), value, said.text, said.exact)


def _sentence(
    desk: Desk, metric: str, total: float, *, between: tuple[Shown | None, ...], before: float | None, days: int
) -> str:
    about, lake = desk.book.metric(metric), desk.book.lake
    low, high = between
    time = f"{wording.number_word(days // 7)} weeks" if days % 7 == 0 else f"{wording.number_word(days)} days"
    spread = f" (between {low.text} and {high.text})" if low and high else ""
    text = f"{about.label} of the next {time}: {words.shown(total, about, lake).text}{spread}"
    moved = words.change(total, before, about, lake)
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


def _method(past: Past | None, scores: Shown) -> str:
    said = f"The scores add up to {scores.text}."
    if past is None:
        return f"{said} No range: too few finished windows to tell how far the model is off."
    return (
        f"{said} In {wording.number_word(past.windows)} past windows what came was {past.lowest:.2f} to "
        f"{past.highest:.2f} times what the model said: the figure is corrected by {past.middle:.2f}, "
        f"and the range holds about 80{wording.NBSP}% of such windows. Each week is an equal part."
    )
