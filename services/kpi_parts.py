"""From measured facts to the parts of the overview: cards, trend, breakdown, table. Pure: no lake, no viewer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from data.definitions import Grain, LakeFile, Metric, Scalar
from data.metrics import (
    ALL,
    Facts,
    Lookup,
    MetricBook,
    additive,
    contributions,
    evaluate,
    fold,
    foldable,
    lookup,
    together,
    weight,
)
from data.periods import Comparison, Period, Span, buckets, compared, compared_whole, pieces, spark_grain, trend_grain
from services import kpi_words as words
from services.kpi_answers import Bar, Breakdown, Card, Goal, Line, MemberTable, Origin, Point, Trend
from services.kpi_query import KpiQuery

TOP_BARS = 5
GRAIN_DAYS: dict[Grain, float] = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "quarter": 365.25 / 4, "year": 365.25}


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
    def grain(self) -> Grain:
        """The sparkline's grain."""
        return spark_grain(self.period)

    @property
    def spans(self) -> tuple[Span, ...]:
        """All days a card or a row needs: its buckets, the period, the comparison."""
        own = [b.span for b in self.buckets] + [self.now] + ([self.before] if self.before else [])
        return tuple(dict.fromkeys(own))

    @property
    def trend_grain(self) -> Grain:
        """The trend's grain."""
        return trend_grain(self.period)

    @property
    def trend_pieces(self) -> tuple[tuple[Period, ...], tuple[Period, ...]]:
        """The trend's points, and those of the whole comparison."""
        through = self.period.until
        own = pieces(Span(self.period.first, self.period.last), self.trend_grain, through)
        whole = compared_whole(self.period, self.against)
        return own, pieces(whole, self.trend_grain, through) if whole else ()

    @property
    def period_label(self) -> str:
        """The period in words."""
        return words.period_label(self.period, self.lake)

    @property
    def against_label(self) -> str:
        """The comparison in words; "" without one."""
        return words.span_label(self.before, self.lake) if self.before else ""

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
        value = evaluate(frame.book, metric, period.span, find)
        label = words.bucket_label(period, frame.lake)
        text = words.shown(value, frame.metric(metric), frame.lake).text
        found.append(Point(period.first, label, value, text, period.complete, words.progress(period)))
    return tuple(found)


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


def trend(frame: Frame, facts: Facts) -> Trend:
    """The chosen metric inside the period beside the comparison."""
    metric, find = frame.query.metric, lookup(frame.book, facts)
    own, earlier = frame.trend_pieces
    points = line_points(frame, metric, own, find)
    about = frame.metric(metric)
    return Trend(
        title=_trend_title(about.label, points, frame.trend_grain),
        metric=metric,
        label=about.label,
        unit=about.unit,
        grain=frame.trend_grain,
        points=points,
        before=line_points(frame, metric, earlier, find),
        period=frame.period_label,
        against=words.span_label(compared_whole(frame.period, frame.against) or frame.now, frame.lake)
        if earlier
        else "",
    )


def _trend_title(label: str, points: tuple[Point, ...], grain: Grain) -> str:
    known = [p for p in points if p.value is not None and p.complete]
    if len(known) < 3:
        return f"{label} by {grain}"
    top = max(known, key=lambda p: (p.value or 0.0, -p.first.toordinal()))
    when = f"in the {words.inside(top.label)}" if grain == "week" else f"{'on' if grain == 'day' else 'in'} {top.label}"
    return f"{label} by {grain}: highest {when}, at {top.text}"


# ── members ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Split:
    """The chosen metric by the members of a dimension: facts by member, the total's facts, what is folded."""

    dimension: str
    facts: Facts
    total: Facts
    kept: tuple[Scalar, ...]
    small: tuple[Scalar, ...]
    rest: Facts | None = None


def split(frame: Frame, facts: Facts, total: Facts) -> Split:
    """Which members stand alone, largest first. ``rest`` is still to be read where small ones cannot be added up."""
    metric = frame.query.metric
    spans = [frame.now, *([frame.before] if frame.before else [])]
    weights = {
        member: tuple(weight(frame.book, metric, span, lookup(frame.book, facts, member)) for span in spans)
        for member in facts.members
    }
    folded = fold({m: w for m, w in weights.items() if any(w)})
    return Split(frame.query.by, facts, total, folded.kept, folded.small)


def needs_rest(frame: Frame, found: Split) -> bool:
    """Must the folded members be asked for together, because their values do not add up?"""
    return bool(found.small) and not foldable(frame.book, frame.query.metric)


def _rest(frame: Frame, found: Split) -> Lookup:
    if found.rest is not None:
        return lookup(frame.book, found.rest)
    return together(frame.book, found.facts, found.small)


def table(frame: Frame, found: Split) -> MemberTable:
    """Every member with value, change and share; the small ones as one line; the total last."""
    about = frame.metric(frame.query.metric)
    whole = value_of(frame, frame.query.metric, frame.now, lookup(frame.book, found.total))
    lines = [_line(frame, m, lookup(frame.book, found.facts, m), whole) for m in found.kept]
    if found.small:
        other = _line(frame, None, _rest(frame, found), whole)
        lines.append(replace(other, member="", label=f"All other ({len(found.small):,})", kind="other", href=""))
    total = _line(frame, None, lookup(frame.book, found.total, ALL), whole)
    lines.append(replace(total, member="", label="Total", kind="total", href=""))
    adds = additive(frame.book, frame.query.metric)
    return MemberTable(
        dimension=found.dimension,
        dimension_label=frame.book.metrics.dimensions[found.dimension].label,
        metric_label=about.label,
        against=frame.against_label,
        lines=tuple(lines),
        note="" if adds else f"{about.label} does not add up over members: the total is computed on its own.",
    )


def _line(frame: Frame, member: Scalar, find: Lookup, whole: float | None) -> Line:
    metric, about = frame.query.metric, frame.metric(frame.query.metric)
    now, before = value_of(frame, metric, frame.now, find), value_of(frame, metric, frame.before, find)
    part = now / whole if additive(frame.book, metric) and now is not None and whole else None
    text = words.member_text(member)
    return Line(
        member=text,
        label=words.member_label(member),
        value=words.shown(now, about, frame.lake),
        before=words.shown(before, about, frame.lake),
        change=words.change(now, before, about, frame.lake),
        share=part,
        share_text="" if part is None else words.percent_size(part, frame.lake),
        spark=line_points(frame, metric, frame.buckets, find),
        href=frame.query.toggled(frame.query.by, text).to_url(),
    )


def breakdown(frame: Frame, found: Split) -> Breakdown:
    """Why the metric moved, where parts add up and there is a comparison; else the members' values."""
    metric, total = frame.query.metric, lookup(frame.book, found.total)
    now, before = value_of(frame, metric, frame.now, total), value_of(frame, metric, frame.before, total)
    if additive(frame.book, metric) and now is not None and before is not None:
        return _moved(frame, found, now - before)
    return _sizes(frame, found, now)


def _moved(frame: Frame, found: Split, by: float) -> Breakdown:
    about, label = frame.metric(frame.query.metric), _dimension(frame)
    parts = contributions(_values(frame, found, frame.now), _values(frame, found, frame.before))
    ranked = sorted((m for m in parts if parts[m]), key=lambda m: (-abs(parts[m]), str(m)))
    bars = [
        _bar(frame, m, parts[m], signed=True, detail=_share_of_change(parts[m], by, frame)) for m in ranked[:TOP_BARS]
    ]
    left = ranked[TOP_BARS:]
    if left:
        rest = by - math.fsum(b.amount for b in bars)
        said = words.amount(rest, about, frame.lake)
        bars.append(Bar("", f"Everything else ({len(left):,})", rest, said, _share_of_change(rest, by, frame), "rest"))
    total = words.amount(by, about, frame.lake)
    title = f"Why it moved, by {words.inside(label)}"
    if bars:
        title = f"{bars[0].label} moved {words.inside(about.label)} most: {bars[0].text} of {total}"
    note = f"Parts of the change against {frame.against_label}; they add up to {total}."
    return Breakdown(title, found.dimension, label, True, tuple(bars), total, note)


def _values(frame: Frame, found: Split, span: Span | None) -> dict[Scalar, float]:
    each = {
        m: value_of(frame, frame.query.metric, span, lookup(frame.book, found.facts, m)) for m in found.facts.members
    }
    return {m: v for m, v in each.items() if v is not None}


def _share_of_change(part: float, by: float, frame: Frame) -> str:
    return (
        f"{words.percent_size(part / by, frame.lake)} of the change" if by and part / by > 0 else "against the change"
    )


def _sizes(frame: Frame, found: Split, now: float | None) -> Breakdown:
    metric, about, label = frame.query.metric, frame.metric(frame.query.metric), _dimension(frame)
    bars = []
    for member in found.kept[:TOP_BARS]:
        find = lookup(frame.book, found.facts, member)
        value = value_of(frame, metric, frame.now, find)
        moved = words.change(value, value_of(frame, metric, frame.before, find), about, frame.lake)
        if value is not None:
            bars.append(_bar(frame, member, value, signed=False, detail=moved.spoken if moved else ""))
    top = max(bars, key=lambda b: b.amount, default=None)
    title = (
        f"{about.label} is highest in {top.label}, at {top.text}" if top else f"{about.label} by {words.inside(label)}"
    )
    more = len(found.kept) + len(found.small) - len(bars)
    note = f"The largest {len(bars)} of {len(bars) + more:,}; all of them are in the table below." if more > 0 else ""
    total = words.shown(now, about, frame.lake).text
    return Breakdown(title, found.dimension, label, False, tuple(bars), total, note)


def _bar(frame: Frame, member: Scalar, amount: float, *, signed: bool, detail: str) -> Bar:
    about, text = frame.metric(frame.query.metric), words.member_text(member)
    said = words.amount(amount, about, frame.lake) if signed else words.shown(amount, about, frame.lake).text
    held = dict(frame.query.chosen).get(frame.query.by, ())
    href = frame.query.toggled(frame.query.by, text).to_url()
    return Bar(text, words.member_label(member), amount, said, detail, chosen=text in held, href=href)


def _dimension(frame: Frame) -> str:
    return frame.book.metrics.dimensions[frame.query.by].label


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
