"""What the what-if answers with: frozen values, ready to be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

from services.errors import InvalidQuery
from services.explanations import Why
from services.lead_answers import RunFacts
from services.wording import Shown

EDIT_PREFIX = "x_"
LONGEST_KEY = 300
MOST_EDITS = 500
KEPT = 41


@dataclass(frozen=True)
class WhatIfQuery:
    """The state of the page: the list, the row, and the edits (``x_<feature>=<text>``); ``search`` finds a row."""

    list: str | None = None
    key: str | None = None
    edits: Mapping[str, str] = field(default_factory=dict)
    search: str = ""

    @classmethod
    def from_url(cls, params: Mapping[str, Any]) -> WhatIfQuery:
        """Parse the address; values stay text until the model's profile says what they must be.

        Texts are cut one character beyond what the check allows, so that a cut value is refused and never used.
        """
        edits = {k.removeprefix(EDIT_PREFIX): str(v)[:KEPT] for k, v in params.items() if k.startswith(EDIT_PREFIX)}
        if len(edits) > MOST_EDITS:
            raise InvalidQuery(f"An address must change at most {MOST_EDITS} inputs, got {len(edits)}.")
        named = params.get("list")
        key = params.get("key")
        search = str(params.get("q") or "").strip()[:100]
        return cls(str(named)[:100] if named else None, str(key)[: LONGEST_KEY + 1] if key else None, edits, search)

    @classmethod
    def from_controls(cls, said: Any) -> WhatIfQuery:
        """Parse what the controls sent: ``{"list": …, "key": …, "edits": {feature: text}}``."""
        edits = said.get("edits") if isinstance(said, Mapping) else None
        if not isinstance(edits, Mapping) or not all(isinstance(v, str) for v in edits.values()):
            raise InvalidQuery("The controls must send a text for each changed input.", next_step="Reload the page.")
        return cls.from_url(
            {"list": said.get("list"), "key": said.get("key"), **{f"{EDIT_PREFIX}{k}": v for k, v in edits.items()}}
        )

    def to_url(self) -> str:
        """The query string of this state."""
        said = {"list": self.list or "", "key": self.key or ""}
        said |= {f"{EDIT_PREFIX}{name}": text for name, text in sorted(self.edits.items())}
        return urlencode({k: v for k, v in said.items() if v != ""})


@dataclass(frozen=True)
class Control:
    """One input that can be moved. Numbers and texts are in the unit of the box: a share is written in percent.

    ``low``/``high`` bound the slider, ``usual_low``/``usual_high`` the middle 80 % of training, ``at`` is today's
    value. ``text`` stands in the box and ``stored`` would without an edit; ``~`` says "not known". ``options`` are
    (text, label) of a category. ``message`` says why a value was refused or what to mind.
    """

    feature: str
    label: str
    group: str
    unit: str
    kind: str
    text: str
    stored: str
    stored_shown: str
    at: float | None
    low: float | None
    high: float | None
    step: float | None
    usual_low: float | None
    usual_high: float | None
    options: tuple[tuple[str, str], ...]
    actionable: bool
    changed: bool
    message: str
    refused: bool


@dataclass(frozen=True)
class Fixed:
    """A visible input that this viewer cannot move: its value and what is usual."""

    label: str
    value: str
    usual: str


@dataclass(frozen=True)
class Step:
    """What one change did, in points of the score; ``feature`` is empty for the interplay of all changes."""

    feature: str
    label: str
    points: float
    points_text: str


@dataclass(frozen=True)
class Pair:
    """One reason today and in the scenario, in points of the score. ``value`` says both values where they differ.

    ``kind``: ``first`` lines and the ``rest`` line are the short list and add up; ``more`` are in the rest.
    """

    feature: str
    label: str
    value: str
    points: tuple[float, float]
    texts: tuple[str, str]
    changed: bool
    kind: Literal["first", "more", "rest"]


@dataclass(frozen=True)
class Scale:
    """The fixed axis of both scores, with ticks (value, text) and bands (name, limit, label)."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    bands: tuple[tuple[str, float, str], ...]


@dataclass(frozen=True)
class WhatIf:
    """Base and scenario side by side. ``points`` is the difference of the scores."""

    list: str
    key: str
    of: str
    name: str
    place: str
    entity: str
    controls: tuple[Control, ...]
    fixed: tuple[Fixed, ...]
    base: Why
    scenario: Why
    base_score: float
    scenario_score: float
    base_band: str
    scenario_band: str
    scale: Scale
    points: float
    points_text: str
    sentence: str
    steps: tuple[Step, ...]
    pairs: tuple[Pair, ...]
    probability: bool
    technical: bool
    may_list: bool
    facts: RunFacts
    url: str

    @property
    def changed(self) -> tuple[str, ...]:
        """The features that the scenario changes."""
        return tuple(c.feature for c in self.controls if c.changed)


@dataclass(frozen=True)
class Start:
    """A row to start from: near a band limit, so that a change can be seen."""

    key: str
    name: str
    place: str
    score: Shown
    band: str
    near: str


@dataclass(frozen=True)
class StartPage:
    """Where a what-if begins: models to choose from as (name, label, chosen), rows near a band limit, and rows found.

    ``found`` are the first of the list, or those that match ``search``. ``sentence`` stands in for rows where there are
    none, or where nothing can be moved.
    """

    list: str
    of: str
    choices: tuple[tuple[str, str, bool], ...]
    entity: str
    starts: tuple[Start, ...]
    found: tuple[Start, ...]
    search: str
    sentence: str
    may_list: bool
    facts: RunFacts | None
