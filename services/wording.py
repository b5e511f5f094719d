"""Numbers, dates and reasons as people read them. Every text of the product comes through here.

A shown number has three to four digits and its exact value beside it; a share is a percentage; a difference of shares
is in percentage points ("pp"); minus is U+2212 and units stand behind a no-break space. Identifiers stay bare.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.numbers import format_currency, get_currency_symbol, get_decimal_symbol, get_group_symbol

from data.definitions import Feature, LakeFile, Noun, Scalar

MINUS = "\u2212"
NBSP = "\u00a0"
UNKNOWN = "\u2013"
LONGEST = 240
"""The most letters of a text of the data that a page shows."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A value with the text people read first and the exact one for a second look."""

    value: Scalar
    text: str
    exact: str


def shown(value: Scalar, unit: str | None, decimals: int | None, lake: LakeFile) -> Shown:
    """A number with its unit: ``currency``, ``percent`` (a share from 0 to 1) or any word. Unknown is "–"."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return Shown(None, UNKNOWN, "not known")
    if isinstance(value, bool):
        return Shown(value, "yes" if value else "no", "yes" if value else "no")
    if not isinstance(value, int | float):
        return Shown(value, str(value), str(value))
    if unit == "percent":
        return _percent(float(value), decimals, lake)
    if unit == "currency":
        return _currency(value, decimals, lake)
    text, exact = _short(value, decimals, lake), _plain(value, 6 if isinstance(value, float) else 0, lake)
    tail = f"{NBSP}{unit}" if unit else ""
    return Shown(value, text + tail, exact + tail)


WHOLE_POINTS = 0.0995
"""A difference of shares from here on is written in whole percentage points."""


def points(share: float, lake: LakeFile) -> str:
    """A difference of shares in signed percentage points: "+21 pp"; one decimal below ten."""
    scaled = share * 100
    if abs(scaled) < 0.05:
        return f"0{NBSP}pp"
    digits = _plain(abs(scaled), 0 if abs(share) >= WHOLE_POINTS else 1, lake, fixed=True)
    return f"{'+' if scaled > 0 else MINUS}{digits}{NBSP}pp"


def count(number: int, noun: Noun) -> str:
    """A number of things: "1 household", "1,204 households"."""
    return f"{number:,}{NBSP}{noun.one if number == 1 else noun.many}"


def number_word(number: int) -> str:
    """A small number in a sentence as a word: "three", from 13 on in digits."""
    return NUMBERS[number] if 0 <= number < len(NUMBERS) else f"{number:,}"


def listed(words: Iterable[str], last: str = "and") -> str:
    """Several things in one sentence: "A, B and C"."""
    said = list(words)
    return f"{', '.join(said[:-1])} {last} {said[-1]}" if len(said) > 1 else "".join(said)


def inside(phrase: str, lake: LakeFile) -> str:
    """A phrase in the middle of an English sentence: its first letter small, unless an abbreviation begins it. Other
    languages keep it: their nouns may be large.
    """
    if phrase[1:2].isupper() or not lake.locale.lower().startswith("en"):
        return phrase
    return phrase[:1].lower() + phrase[1:]


def cut(text: str, most: int = LONGEST) -> str:
    """A text of the data for a page: what is longer than anybody reads ends in "…". Files out keep it whole."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def day(when: date | datetime) -> str:
    """A day: "31 Dec 2017"."""
    return f"{when.day}{NBSP}{MONTHS[when.month - 1]}{NBSP}{when.year}"


def moment(when: datetime, zone: str = "UTC") -> str:
    """A moment: "31 Dec 2017, 06:10" in the zone, UTC unless told otherwise."""
    local = when.astimezone(ZoneInfo(zone)) if when.tzinfo else when.replace(tzinfo=UTC)
    return f"{day(local)}, {local:%H:%M}"


def feature_phrase(feature: Feature, value: Scalar, lake: LakeFile) -> str:
    """A feature with its value as a reason in words: "Used 5 coupons before"."""
    said = feature.phrases
    if value is None:
        return said.missing or f"{feature.label} is not known"
    word = feature.words.get(str(value)) or feature.words.get(str(value).lower())
    if word is None:
        word = str(value) if isinstance(value, str) else shown(value, feature.unit, feature.decimals, lake).text
    if said.zero and isinstance(value, int | float) and value == 0:
        return said.zero
    if said.default:
        return said.default.replace("{value}", word)
    return f"{feature.label}: {word}"


def _percent(value: float, decimals: int | None, lake: LakeFile) -> Shown:
    scaled = value * 100
    if decimals is None:
        decimals = 0 if abs(scaled) >= 9.95 or scaled == 0 else 1
    return Shown(value, f"{_plain(scaled, decimals, lake, fixed=True)}{NBSP}%", f"{_plain(scaled, 4, lake)}{NBSP}%")


def _currency(value: float, decimals: int | None, lake: LakeFile) -> Shown:
    exact = format_currency(value, lake.currency, locale=lake.locale).replace("-", MINUS)
    if abs(value) < 1_000:
        digits = (2 if abs(value) < 100 else 0) if decimals is None else decimals
        number = _plain(value, digits, lake, fixed=True)
    else:
        number = _short(value, None, lake)
    sign, leads = _sign(lake.currency, lake.locale)
    if leads:
        text = f"{MINUS}{sign}{number[1:]}" if number.startswith(MINUS) else f"{sign}{number}"
    else:
        text = f"{number}{sign}"
    return Shown(value, text, exact)


@lru_cache(maxsize=64)
def _sign(currency: str, locale: str) -> tuple[str, bool]:
    """The sign of a currency with the space to its number, and whether it stands before it."""
    pattern, symbol = format_currency(1, currency, locale=locale), get_currency_symbol(currency, locale)
    if not pattern.startswith(symbol):
        return f"{NBSP}{symbol}", False
    return symbol + (NBSP if pattern[len(symbol) :][:1].isspace() else ""), True


def _short(value: float, decimals: int | None, lake: LakeFile) -> str:
    """Three to four digits: 4.60M, 12.3k, 1,234, 12.3."""
    size = abs(value)
    for limit, divisor, letter in ((999_500_000, 1e9, "B"), (999_950, 1e6, "M"), (9_999.5, 1e3, "k")):
        if size >= limit:
            scaled = size / divisor
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            text = _plain(scaled, digits, lake, fixed=True) + letter
            return f"{MINUS}{text}" if value < 0 else text
    if decimals is None:
        decimals = 0 if float(value).is_integer() or size >= 1_000 else 1 if size >= 10 else 2
    return _plain(value, decimals, lake)


@lru_cache(maxsize=64)
def _marks(locale: str) -> dict[int, str]:
    """The locale's own marks for the comma between thousands and the decimal point."""
    return {ord(","): get_group_symbol(locale), ord("."): get_decimal_symbol(locale), ord("-"): MINUS}


def _plain(value: float, decimals: int, lake: LakeFile, *, fixed: bool = False) -> str:
    text = format(Decimal(str(value)), f",.{decimals}f")
    text = (text if fixed or not decimals else text.rstrip("0").rstrip(".")).translate(_marks(lake.locale))
    return text.lstrip(MINUS) if not any(c in "123456789" for c in text) else text
