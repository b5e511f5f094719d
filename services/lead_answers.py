"""What the lead services answer with: frozen values, ready to be drawn or written to a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.explanations import Ladder, Reason, Why
from services.lead_query import LeadColumn, LeadQuery
from services.wording import Shown


@dataclass(frozen=True)
class ListChoice:
    """One list a person can open: the model, the value that picks it, its title and its size in scope."""

    list: str
    of: str
    title: str
    rows: int


@dataclass(frozen=True)
class BandCount:
    """A band of the list: its label, its limits in words, and how many rows carry it."""

    band: str
    label: str
    limits: str
    rows: int


@dataclass(frozen=True)
class RunFacts:
    """Which model said it and when; ``waiting`` says in a sentence that newer data waits to be scored."""

    model: str
    version: str
    scored_at: datetime
    as_of: datetime | None
    waiting: str


@dataclass(frozen=True)
class Narrowed:
    """What is left of a list under a question: how many rows, in which bands, and what is in force, in words.

    ``bands`` are counted under everything but the choice of bands, so that a band that is not chosen shows what it
    would add; ``within`` counts the matching rows within the list's capacity, None where it holds them all. Where
    nothing matches, ``sentence`` says so and ``without`` is the same question with the one condition taken away that
    costs the most.
    """

    matching: int
    bands: tuple[BandCount, ...]
    within: int | None = None
    sentence: str = ""
    next_step: str = ""
    without: LeadQuery | None = None


@dataclass(frozen=True)
class LeadPage:
    """A list as a whole: what it is called, how many rows, by which columns it can be asked.

    ``rows_left`` says how many rows the viewer may still take today, where that is worth a word.
    """

    query: LeadQuery
    choices: tuple[ListChoice, ...]
    title: str
    rows: int
    narrowed: Narrowed
    scope: str
    ranked_by: str
    columns: tuple[LeadColumn, ...]
    named_by: str
    hidden: tuple[str, ...]
    capacity: int | None
    entity: str
    entity_many: str
    action: str
    may_export: bool
    facts: RunFacts
    rows_left: int | None = None


@dataclass(frozen=True)
class LeadRow:
    """One row of a list, ready to be drawn. ``values`` holds the text of the columns by field.

    ``share`` is the score on a scale of 0 to 1, None where it has none; ``note`` says what the band means.
    ``beyond`` tells that the row lies past the list's capacity. ``explained`` is false while reasons are computed.
    """

    key: str
    rank: int
    name: str
    place: str
    score: Shown
    share: float | None
    band: str
    note: str
    reasons: tuple[Reason, ...]
    explained: bool
    values: Mapping[str, str]
    beyond: bool


@dataclass(frozen=True)
class LeadBlock:
    """Consecutive rows of a list and how many match in all."""

    rows: tuple[LeadRow, ...]
    total: int


@dataclass(frozen=True)
class InputLine:
    """An input of the model beside what is usual. ``low``/``high`` bound the middle 80 %, all in the input's unit.

    ``ends`` are the ends of the trained range in words.
    """

    feature: str
    label: str
    group: str
    value: str
    usual: str
    number: float | None
    low: float | None
    high: float | None
    minimum: float | None
    maximum: float | None
    ends: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Lead:
    """One lead: where it stands, why, its inputs, how to reach it, and who comes before and after.

    ``bands`` are (name, least score, label, limits in words). ``contacts`` are (label, text).
    """

    key: str
    list: str
    of: str
    list_title: str
    name: str
    place: str
    identity: str
    rank: int
    total: int
    previous: str
    next: str
    score: Shown
    score_value: float
    band: str
    bands: tuple[tuple[str, float, str, str], ...]
    note: str
    beyond: str
    why: Why | None
    ladder: Ladder | None
    inputs: tuple[InputLine, ...]
    contacts: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...]
    facts: RunFacts
    technical: bool
    may_try: bool
    entity: str
    action: str
