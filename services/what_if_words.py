"""The what-if in words: what stands on a control, why a value was refused or what to mind, and the sentence on top."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from babel.numbers import get_currency_symbol

from data.definitions import Feature, LakeFile, ModelUse, Scalar
from models import what_if
from models.explaining import Explanation
from models.predicting import InputProfile, ModelProfile
from models.what_if import Checked, Finding
from services import explanations, wording
from services.explanations import Reason, Why
from services.what_if_answers import Control, Fixed, Pair, Scale

NOT_CHANGEABLE = "No input of this model is marked as changeable. The data team can mark them in the workspace."
SHOWN_CATEGORIES = 6
FIRST = 8


def controls(
    model: ModelUse,
    checked: Checked,
    edits: Mapping[str, str],
    *,
    allowed: frozenset[str],
    profile: ModelProfile,
    lake: LakeFile,
) -> tuple[Control, ...]:
    """One control for each input that may be moved, in declared order."""
    return tuple(
        control(name, model.features, checked, edits=edits, profile=profile, lake=lake)
        for name, feature in model.features.items()
        if name in allowed and (feature.one_hot or name in profile.names)
    )


def control(
    name: str,
    features: Mapping[str, Feature],
    checked: Checked,
    *,
    edits: Mapping[str, str],
    profile: ModelProfile,
    lake: LakeFile,
) -> Control:
    """A control with its ranges and what is to be said of its value."""
    feature = features[name]
    about = profile.input(name) if name in profile.names and not feature.one_hot else None
    stored = explanations.feature_value(name, feature, checked.stored, features)
    value = explanations.feature_value(name, feature, checked.row, features)
    finding = checked.findings.get(name)
    refused = finding is not None and finding.refused
    kind = "category" if feature.one_hot or about is None else about.kind
    number = isinstance(stored, int | float) and not isinstance(stored, bool)
    at = float(stored) * scale_of(feature) if number and stored is not None else None  # type: ignore[arg-type]
    low, high = _range(feature, about, at)
    known = what_if.categories(name, feature, profile, features)
    return Control(
        feature=name,
        label=feature.label,
        group=feature.group,
        unit=unit_of(feature, lake),
        kind=kind,
        text=edits[name].strip() if refused and name in edits else box_text(value, feature),
        stored=box_text(stored, feature),
        stored_shown=explanations.value_text(feature, stored, lake),
        at=at,
        low=low,
        high=high,
        step=_step(feature, kind, low=low, high=high),
        usual_low=_scaled(about.p10 if about else None, feature),
        usual_high=_scaled(about.p90 if about else None, feature),
        options=_options(feature, kind, known=known, stored=stored, about=about),
        actionable=feature.actionable,
        changed=name in checked.changed,
        message=_said(finding, feature, about, stored=stored, known=known, lake=lake) if finding else "",
        refused=refused,
    )  # fmt: skip


def fixed(
    model: ModelUse,
    stored: Mapping[str, Scalar],
    *,
    allowed: frozenset[str],
    hidden: frozenset[str],
    profile: ModelProfile,
    lake: LakeFile,
) -> tuple[Fixed, ...]:
    """Inputs that the viewer sees and cannot move. Hidden ones are not counted and not named."""
    return tuple(
        Fixed(
            feature.label,
            explanations.value_text(feature, explanations.feature_value(name, feature, stored, model.features), lake),
            explanations.usual(profile, name, feature, lake),
        )
        for name, feature in model.features.items()
        if name not in allowed and name not in hidden
    )


def sentence(base: tuple[str, str], then: tuple[str, str], *, points: str, changed: int, refused: int) -> str:
    """Such as "From 31 % (C) to 44 % (B), +13 pp". ``base`` and ``then`` are (score, band)."""
    start, end = (f"{score} ({band})" if band else score for score, band in (base, then))
    if changed:
        return f"From {start} to {end}, {points}"
    return (
        f"{start}. The refused value is not used."
        if refused
        else f"{start}. Move an input to see what the model answers."
    )


def pairs(model: ModelUse, now: Why, then: Why, *, changed: tuple[str, ...], lake: LakeFile) -> tuple[Pair, ...]:
    """Reasons today and then, in today's order, so that lines stand still while somebody moves a control.

    The strongest of today and every changed input come first; one line holds the rest of them, which follow.
    """
    later = {r.feature: r for r in then.reasons}
    first = [r for r in now.reasons if r.feature][:FIRST]
    first += [r for r in now.reasons if r.feature in changed and r not in first]
    left = [r for r in now.reasons if r not in first]
    made = [_pair(r, later[r.feature], changed=r.feature in changed, kind="first") for r in first]
    more = [_pair(r, later[r.feature], changed=False, kind="more") for r in left]
    if not left:
        return tuple(made)
    sums = (math.fsum(p.points[0] for p in more), math.fsum(p.points[1] for p in more))
    texts = (explanations.points_text(model, sums[0], lake), explanations.points_text(model, sums[1], lake))
    return (*made, Pair("", f"{len(left)} smaller ones", "", sums, texts, False, "rest"), *more)


def moved(model: ModelUse, now: Why, scenario: Explanation, checked: Checked, *, lake: LakeFile) -> Why:
    """Today's reasons with the scenario's figures; only what changed is put into words again."""
    values = {c.feature: c.value for c in scenario.contributions}
    points = dict(zip(values, scenario.points(), strict=True))
    named = {r.feature for r in now.reasons}
    values[""] = math.fsum(v for n, v in values.items() if n not in named)
    points[""] = math.fsum(p for n, p in points.items() if n not in named)
    reasons = []
    for r in now.reasons:
        text = explanations.points_text(model, points[r.feature], lake)
        made = replace(r, contribution=values[r.feature], points=points[r.feature], points_text=text)
        if r.feature in checked.changed:
            feature = model.features[r.feature]
            value = explanations.feature_value(r.feature, feature, checked.row, model.features)
            phrase, said = wording.feature_phrase(feature, value, lake), explanations.value_text(feature, value, lake)
            made = replace(made, phrase=phrase, value=said)
        reasons.append(made)
    return replace(
        now,
        margin=scenario.margin,
        score=explanations.score_shown(model, scenario.score, lake),
        reasons=tuple(reasons),
        sentence="",
    )


def scale(model: ModelUse, base: float, middle: float | None, low: float | None, lake: LakeFile) -> Scale:
    """The axis of both scores: 0 to 100 % for a probability, else from zero to well beyond the usual and today's.

    ``middle`` and ``low`` are the median and the smallest score in the viewer's rows. It does not depend on the
    scenario, so that it stands still while somebody moves a control. A little below zero still begins at zero.
    """
    bands = tuple((b.name, b.at_least, b.label) for b in model.bands)
    if model.task == "classification":
        ticks = tuple((t / 4, f"{t * 25}{wording.NBSP}%") for t in range(5))
        return Scale(0.0, 1.0, ticks, bands)
    smallest = min(0.0, low or 0.0, base)
    largest = max([3 * (middle or 0.0), 2 * base, *(b[1] * 1.2 for b in bands), smallest + 1e-9])
    step = nice_step((largest - smallest) / 4)
    first = math.floor(smallest / step + 0.2)
    ticks = tuple(
        (i * step, explanations.score_shown(model, i * step, lake).text)
        for i in range(first, math.ceil(largest / step) + 1)
    )
    return Scale(ticks[0][0], ticks[-1][0], ticks, bands)


def nice_step(size: float) -> float:
    """The smallest of 1, 2 or 5 times a power of ten that is not below ``size``."""
    if not size > 0 or not math.isfinite(size):
        return 1.0
    power = 10.0 ** math.floor(math.log10(size))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= size * (1 - 1e-9)))


def scale_of(feature: Feature) -> float:
    """Boxes show a share in percent."""
    return 100.0 if feature.unit == "percent" else 1.0


def unit_of(feature: Feature, lake: LakeFile) -> str:
    """The unit beside a box: "%", the currency's sign, or the word."""
    if feature.unit == "percent":
        return "%"
    return get_currency_symbol(lake.currency, lake.locale) if feature.unit == "currency" else feature.unit or ""


def box_text(value: Scalar, feature: Feature) -> str:
    """A value as a box holds it: plain digits with a point, a category as the model knows it, "~" for a blank."""
    if value is None:
        return what_if.BLANK
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value * scale_of(feature):.10g}" if isinstance(value, int | float) else str(value)


def _said(
    finding: Finding,
    feature: Feature,
    about: InputProfile | None,
    *,
    stored: Scalar,
    known: tuple[str, ...],
    lake: LakeFile,
) -> str:
    """The sentence under a control. A refused one ends with what is used instead."""
    if not finding.refused:
        return _flagged(finding, feature, about, lake=lake)
    said = finding.said if len(finding.said) <= 20 else finding.said[:19] + "…"
    today = explanations.value_text(feature, stored, lake)
    match finding.kind:
        case "too_long":
            told = f"Enter at most {what_if.LONGEST} characters."
        case "not_a_number":
            hint = " with a point instead of a comma" if "," in said else ""
            told = f"Enter a number{hint}, such as {_example(about, feature)}, not “{said}”."
        case "too_large":
            told = "Enter a smaller number."
        case "blank":
            told = "Enter a value. The model has never seen a blank here."
        case "unknown_category":
            told = f"Choose {_one_of(known, feature)}. The model has no rule for “{said}”."
        case "not_whole":
            told = f"Enter a whole number, not {said}."
        case "out_of_bounds":
            told = f"Enter {_bounds(feature, lake)}.{_unseen(finding, feature, about)}"
        case "only_up":
            told = f"This can only go up from {today}."
        case _:
            told = f"This can only go down from {today}."
    return f"{told} Not used: today’s value ({today}) stays."


def _flagged(finding: Finding, feature: Feature, about: InputProfile | None, *, lake: LakeFile) -> str:
    if finding.kind == "not_known":
        return "Used as not known, as it sometimes was in training." if finding.said else "Not known today."
    lead = "Used, but" if finding.said else "Today’s value is unusual:"
    seen = _span(*_trained(about), feature, lake, joined="and")
    return f"{lead} nearly all that the model has seen lies between {seen}."


def _pair(now: Reason, then: Reason, *, changed: bool, kind: Literal["first", "more"]) -> Pair:
    value = f"{now.value} → {then.value}" if then.value != now.value else now.value
    texts = (now.points_text, then.points_text)
    return Pair(now.feature, now.label, value, (now.points, then.points), texts, changed, kind)


def _range(feature: Feature, about: InputProfile | None, at: float | None) -> tuple[float | None, float | None]:
    """The slider's ends: declared, else trained; always with today's value inside."""
    trained = _trained(about)
    low = _scaled(feature.low if feature.low is not None else trained[0], feature)
    high = _scaled(feature.high if feature.high is not None else trained[1], feature)
    if low is None or high is None:
        return None, None
    if at is not None:
        low, high = min(low, at), max(high, at)
    return (low, high) if high > low else (None, None)


def _step(feature: Feature, kind: str, *, low: float | None, high: float | None) -> float | None:
    if low is None or high is None:
        return None
    if feature.step is not None:
        return feature.step * scale_of(feature)
    return 1.0 if feature.integer or kind == "integer" else nice_step((high - low) / 200)


def _options(
    feature: Feature,
    kind: str,
    *,
    known: tuple[str, ...],
    stored: Scalar,
    about: InputProfile | None,
) -> tuple[tuple[str, str], ...]:
    """What a select offers: known categories, today's own, and "not known" where training had blanks."""
    if kind == "boolean":
        found = [("true", "yes"), ("false", "no")]
    elif kind == "category":
        names = list(known)
        names += [str(stored)] if stored is not None and str(stored) not in names else []
        found = [(c, feature.words.get(c, c)) for c in names]
    else:
        return ()
    blank = stored is None or (about is not None and about.blanks)
    return (*found, (what_if.BLANK, "not known")) if blank else tuple(found)


def _bounds(feature: Feature, lake: LakeFile) -> str:
    if feature.low is not None and feature.high is not None:
        return _span(feature.low, feature.high, feature, lake)
    if feature.low is not None:
        return f"{_in_words(feature.low, feature, lake)} or more"
    return f"{_in_words(feature.high, feature, lake)} or less"


def _span(low: float | None, high: float | None, feature: Feature, lake: LakeFile, *, joined: str = "to") -> str:
    """Such as "1 to 12 days": the unit once, behind the second number."""
    end = _in_words(high, feature, lake)
    start = _in_words(low, feature, lake)
    tail = f"{wording.NBSP}{'%' if feature.unit == 'percent' else feature.unit or ''}"
    return f"{start.removesuffix(tail) if end.endswith(tail) else start} {joined} {end}"


def _trained(about: InputProfile | None) -> tuple[float | None, float | None]:
    """The trained range; of an input that counts, the whole numbers inside it."""
    if about is None or about.low is None or about.high is None:
        return None, None
    return (math.ceil(about.low), math.floor(about.high)) if about.kind == "integer" else (about.low, about.high)


def _unseen(finding: Finding, feature: Feature, about: InputProfile | None) -> str:
    value = float(finding.said.replace("\u2212", "-")) / scale_of(feature)
    beyond = about is not None and (
        (about.low is not None and value < about.low) or (about.high is not None and value > about.high)
    )
    return f" The model has not seen {finding.said}." if beyond else ""


def _one_of(options: tuple[str, ...], feature: Feature) -> str:
    if not options:
        return "yes or no"
    named = [feature.words.get(o, o) for o in options[:SHOWN_CATEGORIES]]
    more = f" or one of {len(options) - SHOWN_CATEGORIES} more" if len(options) > SHOWN_CATEGORIES else ""
    return f"one of {', '.join(named)}{more}"


def _example(about: InputProfile | None, feature: Feature) -> str:
    typical = about.typical if about is not None else None
    return box_text(typical if isinstance(typical, int | float) and not isinstance(typical, bool) else 1, feature)


def _in_words(value: float | None, feature: Feature, lake: LakeFile) -> str:
    whole = value is not None and float(value * scale_of(feature)).is_integer()
    return wording.shown(value, feature.unit, 0 if whole else feature.decimals, lake).text


def _scaled(value: float | None, feature: Feature) -> float | None:
    return None if value is None else value * scale_of(feature)
