"""What the lead services answer with: frozen values, ready to be drawn or written to a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.explanations import Reason, Why
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
    """A band of the list with how many rows carry it."""

    band: str
    label: str
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
class LeadPage:
    """A list as a whole: what it is called, how many rows, by which columns it can be asked."""

    query: LeadQuery
    choices: tuple[ListChoice, ...]
    title: str
    rows: int
    matching: int
    scope: str
    columns: tuple[LeadColumn, ...]
    hidden: tuple[str, ...]
    bands: tuple[BandCount, ...]
    capacity: int | None
    entity_many: str
    action: str
    may_export: bool
    facts: RunFacts


@dataclass(frozen=True)
class LeadRow:
    """One row of a list, ready to be drawn. ``values`` holds the text of the columns by field."""

    key: str
    rank: int
    score: Shown
    band: str
    reasons: tuple[Reason, ...]
    values: Mapping[str, str]


@dataclass(frozen=True)
class LeadBlock:
    """Consecutive rows of a list and how many match in all."""

    rows: tuple[LeadRow, ...]
    total: int


@dataclass(frozen=True)
class InputLine:
    """An input of the model beside what is usual. ``low``/``high`` bound the middle 80 %, all in the input's unit."""

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


@dataclass(frozen=True)
class Lead:
    """One lead: where it stands, why, its inputs, how to reach it, and who comes before and after."""

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
    bands: tuple[tuple[str, float, str], ...]
    calibrated: bool
    why: Why | None
    inputs: tuple[InputLine, ...]
    contacts: tuple[tuple[str, str, str], ...]
    others: tuple[tuple[str, str], ...]
    facts: RunFacts
    technical: bool
    may_try: bool
    entity: str
    action: str
