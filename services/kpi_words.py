"""The overview's sentences: periods, changes and headlines in words. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date

from babel.dates import format_date
from babel.numbers import format_decimal, get_decimal_symbol

from data.definitions import Direction, Grain, LakeFile, Metric, Scalar
from data.periods import Period, Span, end_of, start_of
from services import wording
from services.kpi_answers import Card, Change, Headline, Phrase, Tick, Verdict, Word
from services.wording import MINUS, NBSP, Shown

DATES = "en"
DASH = "\N{EN DASH}"
UNCHANGED = 0.0005
DAYS_OF_WEEK = 7
WORTH_SAYING = 0.01
VERBS: dict[Word, str] = {"up": "rose", "down": "fell", "unchanged": "did not change"}


def shown(value: float | None, metric: Metric, lake: LakeFile) -> Shown:
    """A metric's value as people read it; an unknown one is a dash that says so."""
    return wording.shown(value, metric.unit, metric.decimals, lake)


def amount(value: float, metric: Metric, lake: LakeFile) -> str:
    """A signed difference: "+$1.2K", "−3.1 pp"."""
    if metric.unit == "percent":
        return wording.points(value, lake)
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return f"{sign}{wording.shown(abs(value), metric.unit, metric.decimals, lake).text}"


def bare(text: str, metric: Metric) -> str:
    """A number without the word of its unit, where the metric's name stands beside it."""
    return text if metric.unit in (None, "currency", "percent") else text.removesuffix(f"{NBSP}{metric.unit}")


def percent(value: float, lake: LakeFile) -> str:
    """A signed relative change: "+4.2 %"; without decimals from 100 % on."""
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return sign + percent_size(value, lake)


def percent_size(value: float, lake: LakeFile) -> str:
    """The size of a relative change: "4.2 %"."""
    pattern = "#,##0.0" if abs(value) < 1 else "#,##0"
    return f"{format_decimal(abs(value) * 100, pattern, locale=lake.locale)}{NBSP}%"


def change(now: float | None, before: float | None, metric: Metric, lake: LakeFile) -> Change | None:
    """What changed, or None where one side is unknown. No percentage is made from zero."""
    if now is None or before is None:
        return None
    by = now - before
    relative = by / abs(before) if before else None
    by_share = by if metric.unit == "percent" or relative is None else relative
    still = abs(by_share) < UNCHANGED
    word: Word = "unchanged" if still else "up" if by > 0 else "down"
    text = percent(relative, lake) if relative is not None else amount(by, metric, lake)
    if metric.unit == "percent":
        text = amount(by, metric, lake)
    size = text.lstrip("+" + MINUS)
    verdict = judged(word, metric.good)
    said = "unchanged" if still else f"{word} {size}"
    return Change(
        word=word,
        verdict=verdict,
        amount=by,
        amount_text=bare(amount(by, metric, lake), metric),
        relative=relative,
        text="±0" if still else text,
        spoken=said + ("" if verdict == "neutral" else ", better" if verdict == "good" else ", worse"),
    )


def judged(word: Word, good: Direction) -> Verdict:
    """Is the direction good for the business?"""
    if word == "unchanged" or good == "neutral":
        return "neutral"
    return "good" if word == good else "bad"


def span_label(span: Span) -> str:
    """Days in words: "December 2017", "Q4 2017", "25–31 Dec 2017", "28 Dec 2017 – 3 Jan 2018"."""
    first, last = span.first, span.until
    calendar: tuple[tuple[Grain, str], ...] = (("month", "LLLL y"), ("quarter", "QQQ y"), ("year", "y"))
    for grain, pattern in calendar:
        if first == start_of(first, grain) and last == end_of(first, grain):
            return format_date(first, pattern, locale=DATES)
    if first == last:
        return wording.day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}{DASH}{wording.day(last)}"
    if first.year == last.year:
        return f"{format_date(first, 'd MMM', locale=DATES)} {DASH} {wording.day(last)}"
    return f"{wording.day(first)} {DASH} {wording.day(last)}"


def period_label(period: Period) -> str:
    """The whole period in words, also while it runs."""
    return span_label(Span(period.first, period.last))


def progress(period: Period) -> str:
    """How much of an unfinished period has happened: "4 of 7 days"."""
    return "" if period.complete else f"{period.days} of {period.of_days} days"


def bucket_label(period: Period) -> str:
    """A point of a line: "25 Dec", "Week of 25 Dec", "Dec 2017", "Q4 2017"."""
    if period.unit == "week":
        return week_label(period.first)
    patterns = {"day": "EEE d MMM", "month": "LLL y", "quarter": "QQQ y"}
    return format_date(period.first, patterns.get(period.unit, "y"), locale=DATES)


def axis_label(period: Period, whole: Period) -> str:
    """A place on a time axis, short: "Mon 25" within a week, else "25 Dec", "Dec", "Q4"."""
    days = "EEE d" if whole.of_days <= DAYS_OF_WEEK else "d MMM"
    patterns = {"day": days, "week": "d MMM", "month": "LLL", "quarter": "QQQ"}
    return format_date(period.first, patterns.get(period.unit, "y"), locale=DATES)


def ticks(values: Sequence[float], metric: Metric, lake: LakeFile) -> tuple[Tick, ...]:
    """Three to six round values from the floor to the ceiling of some values.

    The floor is zero unless all of them lie in the upper half: a line may start higher, as long as its axis says so.
    """
    top, bottom = max(values, default=1.0), min(values, default=0.0)
    if 0 <= bottom < top / 2 or top == bottom:
        bottom, top = min(0.0, bottom), max(top, 0.0)
    step = _round_step((top - bottom) / 4 or 1.0)
    first, last = math.floor(bottom / step), math.ceil(top / step)
    return tuple(Tick(step * n, _tick_text(step * n, step, metric, lake)) for n in range(first, last + 1))


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(f * power for f in (1, 2, 5, 10) if f * power >= rough * (1 - 1e-9)))


def _tick_text(value: float, step: float, metric: Metric, lake: LakeFile) -> str:
    """A round value without its unit's word, and without zeros at the end of its decimals."""
    unit = metric.unit if metric.unit in ("currency", "percent") else None
    decimals = max(0, -math.floor(math.log10(step * (100 if unit == "percent" else 1))))
    text = wording.shown(value, unit, decimals, lake).text
    mark = re.escape(get_decimal_symbol(lake.locale))
    return re.sub(rf"(?:{mark}|({mark}\d*?[1-9]))0*(?!\d)", r"\1", text)


def week_label(first: date) -> str:
    """Seven days as a point of a line: "Week of 25 Dec"."""
    return f"Week of {format_date(first, 'd MMM', locale=DATES)}"


def when(label: str, grain: Grain) -> str:
    """A point of a line in a sentence: "on Sat 23 Dec", "in the week of 25 Dec", "in Dec 2017"."""
    return f"{'on' if grain == 'day' else 'in'} {the(label, grain)}"


def the(label: str, grain: Grain) -> str:
    """A point of a line behind a preposition: "the week of 25 Dec", "Dec 2017"."""
    return f"the {label[:1].lower()}{label[1:]}" if grain == "week" else label


def member_text(member: Scalar) -> str:
    """A member as the address says it; "" is the one without a name."""
    if member is None:
        return ""
    return member.isoformat() if isinstance(member, date) else str(member)


def member_label(member: Scalar) -> str:
    """A member as people read it, cut where nobody would read on. Identifiers get no separators."""
    if member is None or member == "":
        return "Not known"
    if isinstance(member, bool):
        return "Yes" if member else "No"
    return wording.cut(member_text(member))


def moved(card: Card) -> str:
    """A card's change as a verb: "rose 4.2 %"."""
    if card.change is None or card.change.word == "unchanged":
        return VERBS["unchanged"]
    return f"{VERBS[card.change.word]} {card.change.text.lstrip('+' + MINUS)}"


def headline(cards: Sequence[Card], driver: tuple[str, str, str] | None, period: Period, lake: LakeFile) -> Headline:
    """The page in one or two sentences: the leading number, and the card that changed most.

    ``driver`` names three cards of which the first is the product of the others; it explains the leading number.
    """
    by_name = {card.metric: card for card in cards}
    changed = sorted(
        (c for c in cards if c.change and c.change.relative is not None),
        key=lambda c: -abs(c.change.relative or 0.0) if c.change else 0.0,
    )
    if not changed:
        return plain(cards[0], period)
    if driver and not (driver[0] in by_name and by_name[driver[0]].change):
        driver = None
    lead = by_name[driver[0]] if driver else changed[0]
    start = "" if period.complete else f"In the first {period.days} of {period.of_days} days, "
    name = wording.inside(lead.label, lake) if start else lead.label
    said = [Phrase(start), _moved(lead, name), Phrase(f" against {lead.against}")]
    told = {lead.metric}
    if driver and all(by_name[m].change for m in driver[1:]):
        one, two = (by_name[m] for m in driver[1:])
        told |= {one.metric, two.metric}
        joint = "and" if one.change and two.change and one.change.word == two.change.word else "but"
        said += [Phrase(": "), _moved(one, wording.inside(one.label, lake)), Phrase(f", {joint} ")]
        said += [_moved(two, wording.inside(two.label, lake))]
    other = next((c for c in changed if c.metric not in told), None)
    if other and other.change and abs(other.change.relative or 0.0) >= WORTH_SAYING:
        said += [Phrase(". "), _moved(other, other.label), Phrase(f" to {other.value.text}")]
    return Headline(tuple(p for p in (*said, Phrase(".")) if p.text))


def _moved(card: Card, name: str) -> Phrase:
    return Phrase(f"{name} {moved(card)}", card.href)


def plain(card: Card, period: Period) -> Headline:
    """The first number by itself, where nothing can be compared."""
    so_far = "" if period.complete else f" so far ({progress(period)})"
    said = Phrase(f"{card.label}: {card.value.text}", card.href)
    return Headline((said, Phrase(f" in {period_label(period)}{so_far}.")))
