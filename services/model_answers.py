"""What the model pages are answered with: every figure measured, every sentence written, nothing left to count.

Frozen, and whole: a page draws it. Each part is a value or a ``Problem``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.model_query import ModelQuery

Tone = Literal["good", "watch", "bad", ""]
Standing = Literal["in_use", "refused", "building", "missing"]


@dataclass(frozen=True)
class Problem:
    """Why a part cannot be shown, and what to do."""

    sentence: str
    next_step: str = ""


@dataclass(frozen=True)
class Bar:
    """A measured amount with its range, all in one unit. ``kind``: model, rule or random."""

    kind: Literal["model", "rule", "random"]
    label: str
    value: float
    low: float
    high: float
    text: str
    range_text: str


@dataclass(frozen=True)
class RunChoice:
    """A past list that can be replayed: its value in the address, its name, its rows in the viewer's scope."""

    run: str
    label: str
    rows: int
    chosen: bool


@dataclass(frozen=True)
class Compared:
    """One comparison of model, rule and chance: a title with the figure, the bars, and what they mean in words."""

    title: str
    bars: tuple[Bar, ...]
    sentence: str
    tone: Tone


@dataclass(frozen=True)
class ReplayPart:
    """Would it have worked? ``first`` of ``most`` rows are taken; None where amounts are predicted, not rows ranked.

    ``unranked`` is the same question among the rows that the rule cannot rank. ``source`` says what was measured,
    ``method`` where the ranges come from.
    """

    choices: tuple[RunChoice, ...]
    first: int | None
    most: int
    first_label: str
    compared: Compared
    unranked: Compared | None
    source: str
    method: str
    note: str


@dataclass(frozen=True)
class SaidPoint:
    """Rows with a similar score: what was said, what happened with its range, how many; ``text`` says all of it."""

    said: float
    happened: float
    low: float
    high: float
    text: str
    cells: tuple[str, str, str, str]


@dataclass(frozen=True)
class CalibrationPart:
    """Does 30 % mean 30 %? ``unit``: percent for shares, else the unit of the amounts."""

    heading: str
    title: str
    sentence: str
    points: tuple[SaidPoint, ...]
    unit: str
    currency: str
    source: str


@dataclass(frozen=True)
class ImportanceBar:
    """A feature's part of everything that moves the scores, as a share; ``detail`` is for a second look.

    ``rest``: this is what remains of several features.
    """

    label: str
    share: float
    text: str
    detail: str
    rest: bool = False


@dataclass(frozen=True)
class ImportancePart:
    """What the model looks at, over all rows of the company."""

    title: str
    bars: tuple[ImportanceBar, ...]
    source: str


@dataclass(frozen=True)
class SegmentLine:
    """A group of rows. Positions are on the common axis from 0 to 1; None where there are too few to judge."""

    dimension: str
    member: str
    rows_text: str
    value: float | None
    low: float
    high: float
    text: str
    said: str
    happened: str
    weaker: bool


@dataclass(frozen=True)
class SegmentPart:
    """Where it is weaker: the worst groups first. ``whole`` is the place of all rows together on the axis."""

    title: str
    measure: str
    explained: str
    whole: float
    whole_text: str
    lines: tuple[SegmentLine, ...]
    source: str


@dataclass(frozen=True)
class MetricLine:
    """One figure of the test: as measured for this version, the challenger and the simplest rule."""

    label: str
    champion: str
    challenger: str
    rule: str
    verdict: str
    note: str


@dataclass(frozen=True)
class MetricPart:
    """Figures out of time. ``remark`` says where two versions cannot be compared."""

    lines: tuple[MetricLine, ...]
    tested_on: str
    with_rule: bool
    with_challenger: bool
    remark: str
    challenger_version: str


@dataclass(frozen=True)
class Approval:
    """What was decided about a version: when, what, by whom."""

    when: str
    what: str
    who: str


@dataclass(frozen=True)
class VersionLine:
    """A version in the registry, and whether it may be used. ``serves``: its scores are the ones people see."""

    version: str
    aliases: tuple[str, ...]
    state: str
    tone: Tone
    reason: str
    next_step: str
    trained: str
    serves: bool


@dataclass(frozen=True)
class Note:
    """Something to know about a model now, with what to do."""

    sentence: str
    next_step: str
    tone: Tone


@dataclass(frozen=True)
class State:
    """Where a model stands: in use, refused, being prepared or missing, in words."""

    standing: Standing
    word: str
    tone: Tone
    sentence: str = ""
    next_step: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the measurements come to, in one sentence; ``basis`` says what was measured."""

    sentence: str
    tone: Tone
    basis: str


@dataclass(frozen=True)
class ModelCard:
    """Everything about one model for one viewer. Parts are None where the model's state leaves nothing to measure."""

    query: ModelQuery
    label: str
    target: str
    state: State
    verdict: Verdict
    facts: tuple[str, ...]
    scope: tuple[str, ...]
    notes: tuple[Note, ...]
    replay: ReplayPart | Problem | None
    calibration: CalibrationPart | Problem | None
    importance: ImportancePart | Problem | None
    segments: SegmentPart | Problem | None
    metrics: MetricPart | None
    challenger: str
    about: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    approvals: tuple[Approval, ...]
    versions: tuple[VersionLine, ...]
    technical: bool


@dataclass(frozen=True)
class ModelLine:
    """A model as a line of the list."""

    name: str
    label: str
    target: str
    state: State
    verdict: Verdict
    facts: tuple[str, ...]
    compared: Compared | None
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class ModelList:
    """Every model the workspace uses."""

    headline: str
    scope: tuple[str, ...]
    lines: tuple[ModelLine, ...]
