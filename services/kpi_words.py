"""The overview's sentences: periods, changes and headlines in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from babel.dates import format_date
from babel.numbers import format_decimal

from data.definitions import Direction, LakeFile, Metric, Scalar
from data.periods import Period, Span, end_of, start_of
from services import wording
from services.kpi_answers import Card, Change, Headline, Verdict, Word
from services.wording import Shown

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
UNCHANGED = 0.0005
WORTH_SAYING = 0.01
VERBS: dict[Word, str] = {"up": "rose", "down": "fell", "unchanged": "did not change"}


def shown(value: float | None, metric: Metric, lake: LakeFile) -> Shown:
    """A metric's value as people read it; an unknown one is a dash that says so."""
    return wording.shown(value, metric.unit, metric.decimals, lake)


def amount(value: float, metric: Metric, lake: LakeFile) -> str:
    """A signed difference: "+$1.2K", "−3.1 pp"."""
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    if metric.unit == "percent":
        digits = format_decimal(abs(value) * 100, "0.0", locale=lake.locale)
        return f"{sign}{digits}{NARROW_SPACE}pp"
    return f"{sign}{wording.shown(abs(value), metric.unit, metric.decimals, lake).text}"


def percent(value: float, lake: LakeFile) -> str:
    """A signed relative change: "+4.2 %"; without decimals from 100 % on."""
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return sign + percent_size(value, lake)


def percent_size(value: float, lake: LakeFile) -> str:
    """The size of a relative change: "4.2 %"."""
    pattern = "#,##0.0" if abs(value) < 1 else "#,##0"
    return f"{format_decimal(abs(value) * 100, pattern, locale=lake.locale)}{NARROW_SPACE}%"


def change(now: float | None, before: float | None, metric: Metric, lake: LakeFile) -> Change | None:
    """What changed, or None where one side is unknown. No percentage is made from zero."""
    if now is None or before is None:
        return None
    by = now - before
    relative = by / abs(before) if before else None
    still = by == 0 or (relative is not None and abs(relative) < UNCHANGED)
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
        amount_text=amount(by, metric, lake),
        relative=relative,
        text="±0" if still else text,
        spoken=said + ("" if verdict == "neutral" else ", better" if verdict == "good" else ", worse"),
    )


def judged(word: Word, good: Direction) -> Verdict:
    """Is the direction good for the business?"""
    if word == "unchanged" or good == "neutral":
        return "neutral"
    return "good" if word == good else "bad"


def span_label(span: Span, lake: LakeFile) -> str:
    """Days in words: "December 2017", "Q4 2017", "25–31 Dec 2017", "28 Dec 2017 – 3 Jan 2018"."""
    first, last = span.first, span.until
    if first == start_of(first, "month") and last == end_of(first, "month"):
        return format_date(first, "LLLL y", locale=lake.locale)
    if first == start_of(first, "quarter") and last == end_of(first, "quarter"):
        return format_date(first, "QQQ y", locale=lake.locale)
    if first == start_of(first, "year") and last == end_of(first, "year"):
        return str(first.year)
    if first == last:
        return wording.day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}{DASH}{wording.day(last)}"
    if first.year == last.year:
        return f"{format_date(first, 'd MMM', locale=lake.locale)} {DASH} {wording.day(last)}"
    return f"{wording.day(first)} {DASH} {wording.day(last)}"


def period_label(period: Period, lake: LakeFile) -> str:
    """The whole period in words, also while it runs."""
    return span_label(Span(period.first, period.last), lake)


def progress(period: Period) -> str:
    """How much of an unfinished period has happened: "4 of 7 days"."""
    return "" if period.complete else f"{period.days} of {period.of_days} days"


def bucket_label(period: Period, lake: LakeFile) -> str:
    """A point of a line: "25 Dec", "Week of 25 Dec", "Dec 2017", "Q4 2017"."""
    patterns = {"day": "EEE d MMM", "week": "d MMM", "month": "LLL y", "quarter": "QQQ y"}
    said = format_date(period.first, patterns.get(period.unit, "y"), locale=lake.locale)
    return f"Week of {said}" if period.unit == "week" else said


def member_text(member: Scalar) -> str:
    """A member as the address says it; "" is the one without a name."""
    if member is None:
        return ""
    return member.isoformat() if isinstance(member, date) else str(member)


def member_label(member: Scalar) -> str:
    """A member as people read it. Identifiers get no separators."""
    if member is None or member == "":
        return "Not known"
    if isinstance(member, bool):
        return "Yes" if member else "No"
    return member_text(member)


def inside(label: str) -> str:
    """A label in the middle of a sentence; abbreviations keep their capitals."""
    return label if len(label) > 1 and label[1].isupper() else label[:1].lower() + label[1:]


def moved(card: Card) -> str:
    """ "rose 4.2 %" of a card that has a change."""
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
        return _plain(cards[0], period, lake)
    lead = by_name[driver[0]] if driver and driver[0] in by_name else changed[0]
    start = "" if period.complete else f"In the first {period.days} of {period.of_days} days, "
    name = inside(lead.label) if start else lead.label
    text = f"{start}{name} {moved(lead)} against {lead.against}"
    told = [lead.metric]
    if driver and driver[0] == lead.metric and all(by_name[m].change for m in driver[1:]):
        parts = [by_name[m] for m in driver[1:]]
        told += driver[1:]
        joint = "and" if len({p.change.word for p in parts if p.change}) == 1 else "but"
        text += f": {inside(parts[0].label)} {moved(parts[0])}, {joint} {inside(parts[1].label)} {moved(parts[1])}"
    other = next((c for c in changed if c.metric not in told), None)
    if other and other.change and abs(other.change.relative or 0.0) >= WORTH_SAYING:
        return Headline(f"{text}. {other.label} {moved(other)} to {other.value.text}.", (*told, other.metric))
    return Headline(f"{text}.", tuple(told))


def _plain(card: Card, period: Period, lake: LakeFile) -> Headline:
    so_far = "" if period.complete else f" so far ({progress(period)})"
    return Headline(f"{card.label}: {card.value.text} in {period_label(period, lake)}{so_far}.", (card.metric,))
