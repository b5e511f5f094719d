"""Spans of business days: the period that is looked at, the one it is compared with, and its buckets.

Everything is whole days in the workspace's time zone, both ends included, and relative to ``through``,
the last day the data speaks of. An unfinished period is compared like with like: four days of a week
with the first four days of the week before. Weeks start on Monday.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from data.definitions import Grain

PeriodUnit = Literal["week", "month", "quarter", "custom"]
Comparison = Literal["previous", "year", "none"]

BUCKETS = 12
DAY = timedelta(days=1)
YEAR_OF_WEEKS = timedelta(weeks=52)
LONGEST_CUSTOM = 1_100
MONTHS_OF: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, order=True)
class Span:
    """Days from ``first`` to ``until``, both included."""

    first: date
    until: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.until - self.first).days + 1


@dataclass(frozen=True)
class Period:
    """A calendar period of which the days up to ``until`` have happened."""

    unit: PeriodUnit | Grain
    first: date
    last: date
    until: date

    @property
    def span(self) -> Span:
        """The days that have happened."""
        return Span(self.first, self.until)

    @property
    def complete(self) -> bool:
        """Has its last day happened?"""
        return self.until >= self.last

    @property
    def days(self) -> int:
        """Days that have happened."""
        return self.span.days

    @property
    def of_days(self) -> int:
        """Days of the whole period."""
        return (self.last - self.first).days + 1


def start_of(day: date, grain: Grain) -> date:
    """The first day of the grain that holds ``day``."""
    if grain == "day":
        return day
    if grain == "week":
        return day - timedelta(days=day.weekday())
    months = MONTHS_OF[grain]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def step(start: date, grain: Grain, count: int) -> date:
    """The start of the grain ``count`` grains after (before, if negative) the one that starts on ``start``."""
    if grain in ("day", "week"):
        return start + timedelta(days=count * (7 if grain == "week" else 1))
    months = start.year * 12 + start.month - 1 + count * MONTHS_OF[grain]
    return date(months // 12, months % 12 + 1, 1)


def end_of(day: date, grain: Grain) -> date:
    """The last day of the grain that holds ``day``."""
    return step(start_of(day, grain), grain, 1) - DAY


def period_of(unit: PeriodUnit | Grain, on: date, through: date) -> Period:
    """The week, month or quarter that holds ``on``, as far as it has happened.

    Raises ``ValueError`` for a day after ``through``, and for ``custom`` (see ``custom_period``).
    """
    if unit == "custom":
        raise ValueError("A custom period needs its first and last day.")
    if on > through:
        raise ValueError(f"The day must be at the latest {through.isoformat()}, got {on.isoformat()}.")
    last = end_of(on, unit)
    return Period(unit, start_of(on, unit), last, min(last, through))


def custom_period(first: date, last: date, through: date) -> Period:
    """A range of days. Raises ``ValueError`` if it is empty, too long, or has not begun."""
    if last < first:
        raise ValueError(f"The last day must not be before the first, got {first.isoformat()} to {last.isoformat()}.")
    if first > through:
        raise ValueError(f"The first day must be at the latest {through.isoformat()}, got {first.isoformat()}.")
    if (last - first).days >= LONGEST_CUSTOM:
        raise ValueError(f"A period must have at most {LONGEST_CUSTOM} days, got {(last - first).days + 1}.")
    return Period("custom", first, last, min(last, through))


def compared(period: Period, comparison: Comparison) -> Span | None:
    """The days that a period is compared with.

    ``previous`` is the calendar period before (custom: as many days just before). ``year`` is the same month
    or quarter a year earlier, and for weeks and custom ranges the same weekdays 52 weeks earlier. Of an
    unfinished period, as many days from the start as have happened; the shorter of two months ends it.
    """
    whole = compared_whole(period, comparison)
    if whole is None or period.complete or period.unit == "custom":
        return whole
    return Span(whole.first, min(whole.until, whole.first + timedelta(days=period.days - 1)))


def compared_whole(period: Period, comparison: Comparison) -> Span | None:
    """The whole period compared with, also the days that have not happened yet in the unfinished one."""
    if comparison == "none":
        return None
    if period.unit == "custom":
        back = YEAR_OF_WEEKS if comparison == "year" else timedelta(days=period.days)
        return Span(period.first - back, period.until - back)
    if comparison == "year" and period.unit in ("day", "week"):
        return Span(period.first - YEAR_OF_WEEKS, period.last - YEAR_OF_WEEKS)
    if comparison == "year":
        first = date(period.first.year - 1, period.first.month, 1)
    else:
        first = step(period.first, period.unit, -1)
    return Span(first, end_of(first, period.unit))


def spark_grain(period: Period) -> Grain:
    """The grain of a sparkline: the period's own; for a custom range the one nearest to its length."""
    if period.unit != "custom":
        return period.unit
    if period.of_days <= 4:
        return "day"
    return "week" if period.of_days <= 20 else "month" if period.of_days <= 62 else "quarter"


def buckets(period: Period, count: int = BUCKETS) -> tuple[Period, ...]:
    """The last ``count`` periods up to this one, oldest first; the newest may be unfinished."""
    grain = spark_grain(period)
    newest = start_of(period.until, grain)
    starts = (step(newest, grain, n - count + 1) for n in range(count))
    return tuple(Period(grain, s, end_of(s, grain), min(end_of(s, grain), period.until)) for s in starts)


def trend_grain(period: Period) -> Grain:
    """The grain of a trend inside a period: days, weeks from about seven weeks on, months from nine months on."""
    if period.of_days <= 45:
        return "day"
    return "week" if period.of_days <= 270 else "month"


def pieces(span: Span, grain: Grain, through: date) -> tuple[Period, ...]:
    """The grains inside a span as far as they have happened, oldest first.

    Weeks belong to the span that holds their Thursday (ISO 8601) and are whole, so that a quarter has no stump
    of a week at its ends. Months are cut at the span's ends.
    """
    found = []
    start = start_of(span.first, grain)
    while start <= min(span.until, through):
        last = end_of(start, grain)
        if grain == "week":
            if span.first <= start + 3 * DAY <= span.until:
                found.append(Period(grain, start, last, min(last, through)))
        else:
            found.append(Period(grain, max(start, span.first), last, min(last, span.until, through)))
        start = step(start, grain, 1)
    return tuple(found)


def day_of(moment: datetime, timezone: str) -> date:
    """The business day of a moment."""
    return moment.astimezone(ZoneInfo(timezone)).date()


def begin_of(day: date, timezone: str) -> datetime:
    """The moment a business day begins, aware; days with a clock change have 23 or 25 hours."""
    return datetime.combine(day, time.min, tzinfo=ZoneInfo(timezone))
