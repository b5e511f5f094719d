"""The answer to the overview's question: every number with its change, its meaning and where it comes from.

Frozen, and whole: a page draws it without counting anything. Each part is a value or a ``Problem``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.model_answers import Compared
from services.wording import Shown

Verdict = Literal["good", "bad", "neutral"]
Word = Literal["up", "down", "unchanged"]


@dataclass(frozen=True)
class Problem:
    """Why a part cannot be shown, and what to do. ``label`` keeps the name of what is missing."""

    sentence: str
    next_step: str = ""
    label: str = ""
    kind: Literal["no_rows", "not_ready", "hidden", "filter", "unavailable"] = "unavailable"


@dataclass(frozen=True)
class Change:
    """A change against the comparison: "up 4.2 %", and whether that is good for the business.

    ``amount`` is in the metric's unit; ``relative`` is None where the earlier value is zero.
    """

    word: Word
    verdict: Verdict
    amount: float
    amount_text: str
    relative: float | None
    text: str
    spoken: str


@dataclass(frozen=True)
class Point:
    """One point of a line. ``value`` is None where nothing is known; ``note`` says "4 of 7 days"."""

    first: date
    label: str
    value: float | None
    text: str
    exact: str
    complete: bool = True
    note: str = ""


@dataclass(frozen=True)
class Goal:
    """A target, and how far the value is: 0.93 of it."""

    value: Shown
    reached: float | None
    text: str


@dataclass(frozen=True)
class Origin:
    """What a number means and where it comes from."""

    definition: str
    owner: str
    as_of: str
    data_version: str
    freshness: str
    stale: bool


@dataclass(frozen=True)
class Card:
    """A metric at a glance.

    ``spark_before`` are the same periods a year before, where that is the comparison; else ``level`` is what the newest
    period is compared with, None where its length is another one.
    """

    metric: str
    label: str
    value: Shown
    before: Shown
    change: Change | None
    against: str
    spark: tuple[Point, ...]
    spark_before: tuple[Point, ...]
    level: float | None
    goal: Goal | None
    origin: Origin
    chosen: bool
    href: str
    note: str = ""


@dataclass(frozen=True)
class Tick:
    """A round value on an axis."""

    value: float
    text: str


@dataclass(frozen=True)
class Trend:
    """The chosen metric inside the period, and the same of the comparison, aligned from the start.

    ``axis`` names the places of the whole period, also those that have not happened yet; ``ticks`` are round values
    around all points, with their texts.
    """

    title: str
    metric: str
    label: str
    unit: str | None
    grain: str
    axis: tuple[str, ...]
    ticks: tuple[Tick, ...]
    points: tuple[Point, ...]
    before: tuple[Point, ...]
    period: str
    against: str
    origin: Origin
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """One member of the breakdown. ``amount`` is its part of the change, or its value (``Breakdown.signed``)."""

    member: str
    label: str
    amount: float
    text: str
    detail: str
    kind: Literal["member", "rest"] = "member"
    chosen: bool = False
    href: str = ""


@dataclass(frozen=True)
class Breakdown:
    """Why the metric moved: five members and everything else, adding up; or the five largest values."""

    heading: str
    title: str
    signed: bool
    bars: tuple[Bar, ...]
    total_text: str
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A row of the members' table; ``share`` is None where parts do not add up to the whole."""

    member: str
    label: str
    value: Shown
    before: Shown
    change: Change | None
    share: float | None
    share_text: str
    spark: tuple[Point, ...]
    kind: Literal["member", "other", "total"] = "member"
    chosen: bool = False
    href: str = ""


@dataclass(frozen=True)
class MemberTable:
    """All members of a dimension with value, change and share; small ones folded, the total last."""

    title: str
    dimension_label: str
    metric_label: str
    against: str
    lines: tuple[Line, ...]
    note: str = ""


@dataclass(frozen=True)
class Expectation:
    """What a model expects: the sum of its scores in scope, corrected by its own past, beside the past weeks.

    ``scores`` is the plain sum; ``total`` what is expected, with its range.
    ``expected``, ``low_points`` and ``high_points`` are the coming weeks; ``method`` says where the range comes from.
    """

    title: str
    sentence: str
    total: Shown
    low: Shown | None
    high: Shown | None
    past: tuple[Point, ...]
    expected: tuple[Point, ...]
    low_points: tuple[Point, ...]
    high_points: tuple[Point, ...]
    ticks: tuple[Tick, ...]
    scores: Shown
    model: str
    model_label: str
    model_state: str
    method: str
    href: str


@dataclass(frozen=True)
class Small:
    """A small figure with its name: label, value, change. ``note`` says what was last known where it is not now."""

    label: str
    value: Shown
    change: Change | None
    definition: str = ""
    note: str = ""
    href: str = ""


@dataclass(frozen=True)
class Lists:
    """What the newest list that ended brought, by the model, the rule and at random; the workspace's figures."""

    title: str
    sentence: str
    figures: tuple[Small | Problem, ...]
    compared: Compared | None = None
    note: str = ""
    href: str = ""


@dataclass(frozen=True)
class Attention:
    """One line of what needs attention."""

    what: str
    detail: str
    href: str
    verdict: Verdict = "neutral"


@dataclass(frozen=True)
class Phrase:
    """A piece of a sentence, and the view that proves it."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class Headline:
    """One or two sentences in pieces; a piece that says a number leads to the card that proves it."""

    parts: tuple[Phrase, ...]

    @property
    def text(self) -> str:
        """The sentences as one text."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True)
class Option:
    """A choice of a control: its value in the address, its label, the view it leads to."""

    value: str
    label: str
    chosen: bool
    href: str


@dataclass(frozen=True)
class Chip:
    """A filter in force, and the view without it."""

    dimension: str
    member: str
    label: str
    href: str


@dataclass(frozen=True)
class Head:
    """Period and scope in words, and the choices of the page's controls."""

    period: str
    note: str
    against: str
    against_sentence: str
    scope: tuple[str, ...]
    stale: tuple[str, ...]
    periods: tuple[Option, ...]
    comparisons: tuple[Option, ...]
    dimensions: tuple[Option, ...]
    earlier: str
    later: str
    first: date
    last: date
    begins: date
    through: date
    chips: tuple[Chip, ...]
    reset: str


@dataclass(frozen=True)
class Overview:
    """The executive's page. ``state`` changes when another answer would be given; ``waiting`` says what is awaited."""

    url: str
    head: Head
    headline: Headline | Problem
    cards: tuple[Card | Problem, ...]
    trend: Trend | Problem
    breakdown: Breakdown | Problem
    table: MemberTable | Problem
    expects: Expectation | Problem | None
    lists: Lists | None
    attention: tuple[Attention, ...]
    quiet: str
    waiting: str = ""
    state: str = ""
