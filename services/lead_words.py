"""The words of a list: scope, bands, cells, the conditions in force, inputs beside what is usual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from data.definitions import LakeFile, ModelUse
from data.questions import Everything
from services import access, explanations, wording
from services.access import Viewer
from services.explanations import Why
from services.lead_answers import InputLine, RunFacts
from services.lead_lists import Asked, list_of
from services.lead_query import LeadColumn, LeadQuery
from services.sources import Sources

Condition = tuple[str, LeadQuery]
_TESTS = {
    "contains": "contains",
    "startsWith": "starts with",
    "equals": "is",
    "notEqual": "is not",
    "lessThan": "under",
    "lessThanOrEqual": "at most",
    "greaterThan": "over",
    "greaterThanOrEqual": "at least",
    "blank": "is blank",
    "notBlank": "is not blank",
}


def facts(found: Asked) -> RunFacts:
    """Which model made the list and when."""
    run = found.run
    return RunFacts(found.model.label, run.version, run.scored_at, run.as_of, run.waiting)


def scope(viewer: Viewer, sources: Sources, found: Asked, rows: int) -> str:
    """What the viewer sees, and by which of their attributes: 617 households of Territory North."""
    counted = wording.count(rows, found.model.words.entity)
    about = sources.workspace.access.attributes
    held = [
        f"{about[name].label} {wording.listed(list(v))}" for name, v in viewer.attributes.items() if name in about and v
    ]
    return counted if isinstance(found.where, Everything) or not held else f"{counted} of {', '.join(held)}"


def ranked_by(model: ModelUse) -> str:
    """What the published order follows, where it is not the score alone."""
    weighs = list_of(model).rank_by == "score_times_value" and model.value is not None
    return f"ranked by score × {model.value.label.lower()}" if weighs and model.value else ""


def hidden_labels(viewer: Viewer, sources: Sources, model: ModelUse) -> tuple[str, ...]:
    """Labels of list columns that this viewer may not see, so that the foot can say so."""
    hidden = access.masks(viewer, model.scored.dataset)
    about = sources.workspace.lake.datasets[model.scored.dataset].columns
    own = list_of(model)
    listed = dict.fromkeys((own.name, own.place or "", *own.columns, *own.contacts))
    return tuple(about[c].label for c in listed if c in hidden and c in about)


def own_key(model: ModelUse) -> tuple[str, ...]:
    """The key columns that tell the rows of one list apart."""
    by = model.lead.by if model.lead else None
    return tuple(c for c in model.scored.key if c != by) or model.scored.key


def identity(sources: Sources, model: ModelUse, row: Mapping[str, Any]) -> str:
    """The key of a row within its list, in words: Household 1234."""
    about = sources.workspace.lake.datasets[model.scored.dataset].columns
    return " · ".join(f"{about[c].label if c in about else c} {text(row[c])}" for c in own_key(model))


def limits(model: ModelUse, lake: LakeFile) -> dict[str, str]:
    """Each band's limits in words: "40 % or more", "20 % to 40 %", "under 8 %"."""
    said: dict[str, str] = {}
    above = ""
    for at, band in enumerate(model.bands):
        whole = model.task == "classification" and float(band.at_least * 100).is_integer()
        low = explanations.score_shown(model, band.at_least, lake).text
        low = wording.shown(band.at_least, "percent", 0, lake).text if whole else low
        lowest = at == len(model.bands) - 1 and band.at_least <= 0
        said[band.name] = f"{low} or more" if not above else f"under {above}" if lowest else f"{low} to {above}"
        above = low
    return said


def notes(model: ModelUse, lake: LakeFile) -> dict[str, str]:
    """What each band means: its limits and its label; "" is below every band."""
    said = limits(model, lake)
    made = {b.name: f"Band {b.name}: {said[b.name]}." + (f" {b.label}." if b.label else "") for b in model.bands}
    return made | {"": "Below every band." if made else ""}


def note(model: ModelUse, score: float, band: str, known: Mapping[str, str]) -> str:
    """What a score means: its band (of ``notes``), and for a calibrated model what comes of a hundred such rows."""
    if not model.calibrated or model.task != "classification":
        return known[band]
    words, count = model.words, round(score * 100)
    success = words.success.one if count == 1 else words.success.many
    return f"{known[band]} About {count} {success} in 100 {words.entity.many} like this.".strip()


def beyond(model: ModelUse, rank: int, total: int) -> str:
    """Where the row stands against the list's capacity, "" where that says nothing."""
    if model.capacity is None or total <= model.capacity:
        return ""
    return f"within your {model.capacity}" if rank <= model.capacity else f"beyond your {model.capacity}"


def cell(column: LeadColumn, row: Mapping[str, Any], lake: LakeFile) -> str:
    """A column's value as people read it, "" for none. Identifiers are never formatted."""
    value = row.get(column.field)
    if value is None:
        return ""
    if column.kind == "date":
        return wording.day(value)
    if column.kind in ("text", "identifier"):
        return text(value)
    if hasattr(value, "isoformat"):
        return wording.moment(value, lake.timezone)
    return wording.shown(value, column.unit, None, lake).text


def text(value: Any) -> str:
    """A value as it stands, cut where nobody would read on, "" for none."""
    return "" if value is None else wording.cut(str(value))


def conditions(query: LeadQuery, columns: tuple[LeadColumn, ...]) -> list[Condition]:
    """What narrows the list, in words, each with the same question without it."""
    made: list[Condition] = []
    if query.bands:
        words = f"band{'s' if len(query.bands) > 1 else ''} {wording.listed(list(query.bands), 'or')}"
        made.append((words, replace(query, bands=())))
    if query.search.strip():
        made.append((f"“{query.search.strip()}”", replace(query, search="")))
    labels = {c.field: c.label for c in columns}
    for field, said in (query.filters or {}).items():
        left = {k: v for k, v in (query.filters or {}).items() if k != field}
        made.append((f"{labels[field]} {_test(said)}", replace(query, filters=left or None)))
    return made


def input_lines(
    viewer: Viewer, sources: Sources, found: Asked, inputs: Mapping[str, Any], said: Why | None
) -> tuple[InputLine, ...]:
    """Visible inputs, the strongest contributions first."""
    hidden = explanations.hidden_features(viewer, found.model)
    strength = {r.feature: i for i, r in enumerate(said.reasons)} if said else {}
    lines = [
        _input_line(found, name, inputs, sources.workspace.lake) for name in found.model.features if name not in hidden
    ]
    return tuple(sorted(lines, key=lambda line: strength.get(line.feature, len(strength))))


def _input_line(found: Asked, name: str, inputs: Mapping[str, Any], lake: LakeFile) -> InputLine:
    feature, profile = found.model.features[name], found.run.profile
    value = explanations.feature_value(name, feature, inputs, found.model.features)
    about = profile.input(name) if profile and name in profile.names else None
    counted = about is not None and about.kind in ("number", "integer")
    numeric = counted and isinstance(value, int | float) and not isinstance(value, bool)
    low, high = (about.low, about.high) if about else (None, None)
    decimals = 0 if feature.integer else feature.decimals
    return InputLine(
        feature=name,
        label=feature.label,
        group=feature.group,
        value=explanations.value_text(feature, value, lake),
        usual=explanations.usual(profile, name, feature, lake),
        number=float(value) if numeric and isinstance(value, int | float) else None,
        low=about.p10 if about else None,
        high=about.p90 if about else None,
        minimum=low,
        maximum=high,
        ends=(
            wording.shown(low, feature.unit, decimals, lake).text if low is not None else "",
            wording.shown(high, feature.unit, decimals, lake).text if high is not None else "",
        ),
    )


def _test(said: Any) -> str:
    if not isinstance(said, Mapping) or said.get("conditions"):
        return "as filtered"
    if said.get("type") == "inRange":
        first, last = said.get("filter", said.get("dateFrom")), said.get("filterTo", said.get("dateTo"))
        return f"from {str(first)[:10]} to {str(last)[:10]}"
    words = _TESTS.get(str(said.get("type")), "")
    value = said.get("filter", said.get("dateFrom"))
    return words if value is None else f"{words} {str(value)[:20]}"
