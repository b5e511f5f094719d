"""From measured facts to the parts of the overview: cards and trend. Pure: no lake, no viewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from data.definitions import Grain, LakeFile, Metric
from data.metric_book import MetricBook, additive
from data.metrics import Facts, Lookup, evaluate, lookup
from data.periods import Comparison, Period, Span, buckets, compared, compared_whole, pieces, spark_grain, trend_grain
from services import kpi_words as words
from services.kpi_answers import Card, Goal, Origin, Point, Trend
from services.kpi_query import KpiQuery

GRAIN_DAYS: dict[Grain, float] = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "quarter": 365.25 / 4, "year": 365.25}
FEWEST_RANKED = 3


@dataclass(frozen=True)
class Frame:
    """What every part of one view shares: the question, the definitions, the days."""

    query: KpiQuery
    book: MetricBook
    period: Period
    against: Comparison

    @property
    def lake(self) -> LakeFile:
        """The workspace's words for money, language and days."""
        return self.book.lake

    @property
    def now(self) -> Span:
        """The days looked at."""
        return self.period.span

    @property
    def before(self) -> Span | None:
        """The days compared with."""
        return compared(self.period, self.against)

    @property
    def buckets(self) -> tuple[Period, ...]:
        """The sparkline's periods."""
        return buckets(self.period)

    @property
    def buckets_before(self) -> tuple[Span, ...]:
        """The sparkline's periods a year before, where that is the comparison."""
        if self.against != "year":
            return ()
        return tuple(span for bucket in self.buckets if (span := compared(bucket, "year")))

    @property
    def grain(self) -> Grain:
        """The sparkline's grain."""
        return spark_grain(self.period)

    @property
    def member_spans(self) -> tuple[Span, ...]:
        """All days a row of the members' table needs: the sparkline, the period, the comparison."""
        own = [b.span for b in self.buckets] + [self.now] + ([self.before] if self.before else [])
        return tuple(dict.fromkeys(own))

    @property
    def spans(self) -> tuple[Span, ...]:
        """All days a card needs."""
        return tuple(dict.fromkeys((*self.member_spans, *self.buckets_before)))

    @property
    def trend_grain(self) -> Grain:
        """The trend's grain."""
        return trend_grain(self.period)

    @property
    def trend_pieces(self) -> tuple[tuple[Period, ...], tuple[Period, ...]]:
        """The trend's points as far as they have happened, and those of the whole comparison."""
        through = self.period.until
        whole = compared_whole(self.period, self.against)
        return self._pieces(through), pieces(whole, self.trend_grain, through) if whole else ()

    @property
    def trend_axis(self) -> tuple[str, ...]:
        """The names of the trend's places, also those that have not happened yet."""
        return tuple(words.axis_label(p, self.period) for p in self._pieces(self.period.last))

    def _pieces(self, through: date) -> tuple[Period, ...]:
        return pieces(Span(self.period.first, self.period.last), self.trend_grain, through)

    @property
    def period_label(self) -> str:
        """The period in words."""
        return words.period_label(self.period)

    @property
    def against_label(self) -> str:
        """The comparison in words; "" without one."""
        return words.span_label(self.before) if self.before else ""

    def metric(self, name: str) -> Metric:
        """A metric's definition."""
        return self.book.metric(name)


def value_of(frame: Frame, metric: str, span: Span | None, find: Lookup) -> float | None:
    """A metric over a span; None without one."""
    return None if span is None else evaluate(frame.book, metric, span, find)


def line_points(frame: Frame, metric: str, periods: tuple[Period, ...], find: Lookup) -> tuple[Point, ...]:
    """A metric's values along periods; an unfinished one says how much of it has happened."""
    found = []
    for period in periods:
        label = words.bucket_label(period)
        made = point(frame, metric, period.span, find, label=label)
        found.append(replace(made, complete=period.complete, note=words.progress(period)))
    return tuple(found)


def point(frame: Frame, metric: str, span: Span, find: Lookup, *, label: str) -> Point:
    """A metric over a span as a point of a line."""
    value = evaluate(frame.book, metric, span, find)
    said = words.shown(value, frame.metric(metric), frame.lake)
    return Point(span.first, label, value, said.text, said.exact)


def card(frame: Frame, metric: str, facts: Facts, origin: Origin) -> Card:
    """One metric at a glance."""
    about, find = frame.metric(metric), lookup(frame.book, facts)
    now, before = value_of(frame, metric, frame.now, find), value_of(frame, metric, frame.before, find)
    return Card(
        metric=metric,
        label=about.label,
        value=words.shown(now, about, frame.lake),
        before=words.shown(before, about, frame.lake),
        change=words.change(now, before, about, frame.lake),
        against=frame.against_label,
        spark=line_points(frame, metric, frame.buckets, find),
        spark_before=tuple(point(frame, metric, s, find, label=words.span_label(s)) for s in frame.buckets_before),
        level=None if frame.period.unit == "custom" else before,
        goal=goal(frame, metric, now),
        origin=origin,
        chosen=metric == frame.query.metric,
        href=replace(frame.query, metric=metric).to_url(),
        note=words.progress(frame.period),
    )


def goal(frame: Frame, metric: str, now: float | None) -> Goal | None:
    """The target for the days that have happened.

    A sum's target grows with the days; a rate's is the same for any period; a distinct count's holds for its
    own grain only, and for a finished period.
    """
    about = frame.metric(metric)
    if about.target is None:
        return None
    value = about.target.value
    same = about.target.grain == frame.period.unit
    if additive(frame.book, metric):
        whole = frame.period.of_days if same else GRAIN_DAYS[about.target.grain]
        value = value * frame.period.days / whole
    elif about.kind != "ratio" and not (same and frame.period.complete):
        return None
    told = words.shown(value, about, frame.lake)
    reached = now / value if now is not None and value else None
    said = f"{words.percent_size(reached, frame.lake)} of {told.text}" if reached is not None else told.text
    return Goal(told, reached, f"Target {told.text}" if reached is None else said)


def trend(frame: Frame, facts: Facts, origin: Origin) -> Trend:
    """The chosen metric inside the period beside the comparison."""
    metric, find = frame.query.metric, lookup(frame.book, facts)
    own, earlier = frame.trend_pieces
    points, before = line_points(frame, metric, own, find), line_points(frame, metric, earlier, find)
    about = frame.metric(metric)
    whole = compared_whole(frame.period, frame.against)
    return Trend(
        title=_trend_title(about.label, points, frame.trend_grain),
        metric=metric,
        label=about.label,
        unit=about.unit,
        grain=frame.trend_grain,
        axis=frame.trend_axis,
        ticks=words.ticks([p.value for p in points + before if p.value is not None], about, frame.lake),
        points=points,
        before=before,
        period=frame.period_label,
        against=words.span_label(whole) if whole and earlier else "",
        origin=origin,
        note=words.progress(frame.period),
    )


def _trend_title(label: str, points: tuple[Point, ...], grain: Grain) -> str:
    known = [p for p in points if p.value is not None and p.complete]
    if len(known) < FEWEST_RANKED:
        return f"{label} by {grain}"
    top = max(known, key=lambda p: (p.value or 0.0, -p.first.toordinal()))
    return f"{label} by {grain}: highest {words.when(top.label, grain)}, at {top.text}"


def driver(book: MetricBook, cards: tuple[str, ...]) -> tuple[str, str, str] | None:
    """Cards of which the first is the product of the others: sales = baskets × average basket.

    True by definition where the ratio's numerator is the measure of one card, its denominator that of another.
    """
    simple: Mapping[str, str] = {
        book.metric(c).measure or "": c for c in cards if book.metric(c).kind == "simple" and book.metric(c).measure
    }
    for name in cards:
        about = book.metric(name)
        if about.kind == "ratio" and len(about.numerator) == len(about.denominator) == 1 and about.unit != "percent":
            whole, count = simple.get(about.numerator[0]), simple.get(about.denominator[0])
            if whole and count and whole != count:
                return whole, count, name
    return None
