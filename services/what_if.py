"""What would move it: the model's answer to edited inputs of one row that the viewer may see.

The base is the stored row of the current run, so that no edit gives the stored score (law 5). Nothing is
replaced without saying so: a refused edit is named and changes nothing, a flagged one is named and used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from data.definitions import Feature, ModelUse, Scalar
from data.questions import Compare, Everything, Order, Select
from models import scoring, what_if
from models.predicting import InputProfile, ModelProfile
from services import access, audit, explanations, leads, wording
from services.access import Viewer
from services.errors import NotReady
from services.explanations import Why
from services.lead_answers import RunFacts
from services.lead_query import LeadQuery, key_text
from services.sources import Sources
from services.wording import Shown

EDIT_PREFIX = "x_"


@dataclass(frozen=True)
class WhatIfQuery:
    """The state of the page: the list, the row, and the edits (``x_<feature>=<text>``)."""

    list: str | None
    key: str | None
    edits: Mapping[str, str]

    @classmethod
    def from_url(cls, params: Mapping[str, Any]) -> WhatIfQuery:
        """Parse the address; values stay text until the model's profile says what they must be."""
        edits = {k.removeprefix(EDIT_PREFIX): str(v)[:100] for k, v in params.items() if k.startswith(EDIT_PREFIX)}
        return cls(str(params["list"])[:100] if params.get("list") else None, params.get("key") or None, edits)

    def to_url(self) -> str:
        """The query string of this state."""
        said = {"list": self.list or "", "key": self.key or ""}
        said |= {f"{EDIT_PREFIX}{name}": text for name, text in sorted(self.edits.items())}
        return urlencode({k: v for k, v in said.items() if v != ""})


@dataclass(frozen=True)
class Control:
    """One input that can be moved. ``low``/``high`` bound the slider, ``usual_low``/``usual_high`` the middle 80 %.

    ``message`` says why a value was refused or what to mind; ``refused`` tells which.
    """

    feature: str
    label: str
    group: str
    unit: str
    kind: str
    value: Scalar
    base: Scalar
    base_text: str
    low: float | None
    high: float | None
    step: float | None
    usual_low: float | None
    usual_high: float | None
    options: tuple[tuple[str, str], ...]
    changed: bool
    message: str
    refused: bool


@dataclass(frozen=True)
class Step:
    """What one change did, in points of the score; ``feature`` is empty for the interplay with the rest."""

    feature: str
    label: str
    points: float
    points_text: str


@dataclass(frozen=True)
class WhatIf:
    """Base and scenario side by side."""

    list: str
    key: str
    name: str
    controls: tuple[Control, ...]
    fixed: int
    base: Why
    scenario: Why
    base_score: float
    scenario_score: float
    base_band: str
    scenario_band: str
    bands: tuple[tuple[str, float, str], ...]
    change: Shown
    sentence: str
    steps: tuple[Step, ...]
    probability: bool
    technical: bool
    facts: RunFacts
    url: str


@dataclass(frozen=True)
class Start:
    """A lead to start from: near a band limit, so that a change can be seen."""

    key: str
    name: str
    score: Shown
    band: str


def starts(viewer: Viewer, sources: Sources, list_name: str) -> tuple[Start, ...]:
    """Three leads whose score is closest below a band limit."""
    access.require(viewer, "what_if:run")
    page = leads.page(viewer, sources, LeadQuery(list=list_name))
    limits = [b.at_least for b in sources.workspace.models.models[list_name].bands if b.at_least > 0]
    asked, _, question = leads.selection(viewer, sources, page.query)
    found: list[Start] = []
    for limit in limits or [2.0]:
        near = Select(
            question.table, question.columns, Compare("score", "lt", limit), (Order("score", True), Order("row_id")), 1
        )
        found += [_start(sources, asked, row) for row in sources.lake.read(near, where=asked.where).to_pylist()]
    return tuple({s.key: s for s in found}.values())[:3]


def explore(viewer: Viewer, sources: Sources, query: WhatIfQuery) -> WhatIf:
    """The model's answer to the edits. Reading a named row is an audit event; moves are counted in it."""
    access.require(viewer, "what_if:run")
    asked, row = leads.find(viewer, sources, query.key or "", LeadQuery(list=query.list))
    inputs = leads.inputs_of(sources, asked, row["row_id"])
    if not inputs or asked.run.profile is None:
        raise NotReady("The inputs of this lead are being prepared.", next_step="Try again in a minute.")
    model, profile = asked.model, asked.run.profile
    hidden = explanations.hidden_features(viewer, model)
    allowed = movable(viewer, model, hidden)
    checked = what_if.check(query.edits, inputs, profile=profile, features=model.features, allowed=allowed)
    frame = pd.DataFrame([{name: inputs[name] for name in profile.names}])
    answer = what_if.respond(sources.artefacts.predictor(asked.run.digest), frame, checked, features=model.features)
    lake = sources.workspace.lake
    base = explanations.why(model, answer.base, inputs, hidden=hidden, profile=profile, lake=lake)
    then = explanations.why(model, answer.scenario, checked.row, hidden=hidden, profile=profile, lake=lake)
    audit.record(
        viewer, sources, "what_if.move", f"{asked.name}/{query.key}", detail={"changed": sorted(checked.changed)}
    )
    return _drawn(
        sources, asked, row, base=base, then=then, answer=answer, checked=checked, allowed=allowed, query=query
    )


def movable(viewer: Viewer, model: ModelUse, hidden: frozenset[str]) -> frozenset[str]:
    """Features this viewer may move: the actionable ones, or every unmasked one for those who may."""
    every = access.decide(viewer, "what_if:all_inputs").allowed
    return frozenset(n for n, f in model.features.items() if n not in hidden and (every or f.actionable))
