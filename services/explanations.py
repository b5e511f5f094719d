"""Why a row has its score, in the words and within the rights of the viewer.

The pure half turns stored SHAP values into reasons; ``lead`` (in ``services.leads``) asks for them. A hidden
feature is never named: its contribution joins "other information" together with visible ones, so that the list still
adds up (law 4) and the hidden part cannot be read off (law 2). Which visible ones is settled once for a run by their
importance, never row by row: a feature that is folded in one row and shown in the next could be subtracted, and the
smallest ones of a single row bound the hidden part closely. The folded ones weigh together at least as much as the
hidden ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from data.definitions import Feature, LakeFile, ModelUse, Scalar
from models import explaining, scoring
from models.explaining import Contribution, Explanation
from models.predicting import InputProfile, ModelProfile
from services import access, wording
from services.access import Viewer
from services.wording import Shown

FOLDED_VISIBLE = 3


@dataclass(frozen=True)
class Reason:
    """One signed reason. ``contribution`` is in margin units, ``points`` on the scale of the score.

    ``feature`` is empty for "other information". ``usual`` says what most rows have.
    """

    feature: str
    label: str
    phrase: str
    value: str
    usual: str
    contribution: float
    points: float
    points_text: str

    @property
    def raises(self) -> bool:
        """Does it push the score up?"""
        return self.contribution > 0


@dataclass(frozen=True)
class Rung:
    """One step of a ladder. ``points`` are rounded as ``points_text`` says them; ``kind`` tells what stands there."""

    kind: Literal["reason", "other", "rest"]
    text: str
    points: float
    points_text: str
    detail: str


@dataclass(frozen=True)
class Ladder:
    """From where the model starts to the score, in few steps. The texts add up: start + steps = end, digit by digit."""

    start_text: str
    rungs: tuple[Rung, ...]
    end_text: str


@dataclass(frozen=True)
class Why:
    """A score taken apart: where it starts, what moves it, and the sentence that says so."""

    base_value: float
    base_score: Shown
    margin: float
    score: Shown
    link: str
    reasons: tuple[Reason, ...]
    sentence: str
    exact: bool
    method: str

    def strongest(self, count: int) -> tuple[Reason, ...]:
        """The strongest named reasons."""
        return tuple(r for r in self.reasons if r.feature)[:count]


def hidden_features(viewer: Viewer, model: ModelUse) -> frozenset[str]:
    """Features whose column (or one of whose encoded columns) the viewer may not see."""
    hidden = access.masks(viewer, model.scored.dataset)
    return frozenset(
        name
        for name, feature in model.features.items()
        if name in hidden or (feature.one_hot and any(c.startswith(feature.one_hot) for c in hidden))
    )


def named_features(model: ModelUse, hidden: frozenset[str], importance: Mapping[str, float]) -> frozenset[str]:
    """The features that may have a line of their own: all, where none is hidden.

    Otherwise the least important visible ones are folded with the hidden: at least three that matter at all, and as
    many as it takes to weigh as much as the hidden ones.
    """
    if not hidden & set(model.features):
        return frozenset(model.features)
    weight = {name: importance.get(name, 0.0) for name in model.features}
    visible = [name for name in model.features if name not in hidden]
    covered, counted = 0.0, 0
    for name in sorted(visible, key=lambda n: (weight[n], n)):
        if counted >= FOLDED_VISIBLE and covered >= math.fsum(weight[n] for n in hidden & set(weight)):
            break
        covered, counted = covered + weight[name], counted + (weight[name] > 0)
        visible.remove(name)
    return frozenset(visible)


def stored(row: Mapping[str, Any], model: ModelUse, *, margin: float, score: float) -> Explanation:
    """The explanation of one stored row (columns ``base_value`` and ``shap_<feature>``), held to law 4."""
    method = str(row["explanation_method"])
    return Explanation(
        base_value=float(row["base_value"]),
        contributions=tuple(Contribution(name, float(row[f"shap_{name}"])) for name in model.features),
        margin=margin,
        score=score,
        link="logit" if row["explanation_link"] == "logit" else "identity",
        epsilon=explaining.FLOAT32,
        exact=method.startswith("exact"),
        method=method,
    )


def feature_value(name: str, feature: Feature, inputs: Mapping[str, Any], features: Mapping[str, Feature]) -> Scalar:
    """A row's value of a feature; an encoded feature is decoded to its category, None where none is set.

    ``features`` are all of the model: columns of another one that begins alike are not read.
    """
    if feature.one_hot is None:
        value = inputs.get(name)
        return None if isinstance(value, float) and math.isnan(value) else value
    columns = scoring.columns_of(name, inputs, features)
    return next((c.removeprefix(feature.one_hot) for c in columns if inputs[c]), None)


def why(
    model: ModelUse,
    explanation: Explanation,
    inputs: Mapping[str, Any],
    *,
    named: frozenset[str],
    profile: ModelProfile | None,
    lake: LakeFile,
) -> Why:
    """Reasons in words, strongest first, adding up to the score.

    ``named`` are the features that may have a line of their own (``named_features``), all others are "other
    information".
    """
    pairs = sorted(
        zip(explanation.contributions, explanation.points(), strict=True),
        key=lambda p: (-abs(p[0].value), p[0].feature),
    )
    covered = [p for p in pairs if p[0].feature not in named]
    reasons = [_reason(model, c, p, inputs=inputs, profile=profile, lake=lake) for c, p in pairs if c.feature in named]
    if covered:
        total = math.fsum(c.value for c, _ in covered)
        reasons.append(_other(len(covered), total, math.fsum(p for _, p in covered), model=model, lake=lake))
    score = score_shown(model, explanation.score, lake)
    return Why(
        base_value=explanation.base_value,
        base_score=score_shown(model, explanation.base_score, lake),
        margin=explanation.margin,
        score=score,
        link=explanation.link,
        reasons=tuple(reasons),
        sentence=_sentence(score, tuple(r for r in reasons if r.feature), lake),
        exact=explanation.exact,
        method=explanation.method,
    )


def ladder(model: ModelUse, said: Why, lake: LakeFile, *, count: int = 6) -> Ladder:
    """The ``count`` strongest reasons, other information, and the rest in one step.

    Nothing is lost to rounding: a step is at most one unit of the last digit away from its own value, and those that
    the sentence names are what it says.
    """
    strongest = said.strongest(count)
    others = [r for r in said.reasons if not r.feature]
    rest = [r for r in said.reasons if r.feature and r not in strongest]
    start = float(said.base_score.value) if isinstance(said.base_score.value, int | float) else 0.0
    steps: list[tuple[Literal["reason", "other", "rest"], str, float, str]] = [
        ("reason", r.phrase, r.points, _detail(r)) for r in strongest
    ]
    steps += [("other", r.phrase, r.points, "Inputs that you may not see, and some small ones.") for r in others]
    if rest:
        what = rest[0].phrase if len(rest) == 1 else f"{len(rest)} smaller inputs"
        steps.append(("rest", what, math.fsum(r.points for r in rest), ", ".join(r.label for r in rest[:8])))
    end = start + math.fsum(points for _, _, points, _ in steps)
    unit = 0.001 if model.task == "classification" else _unit(model, max(abs(start), abs(end)))
    kept = {r.phrase for r in _told(said.reasons)}
    free = [at for at, (_, text, _, _) in enumerate(steps) if text not in kept]
    begin, units, finish = _rounded(start / unit, [points / unit for _, _, points, _ in steps], end / unit, free=free)
    rungs = tuple(
        Rung(kind, text, count * unit, _step_text(model, count * unit, lake), detail)
        for (kind, text, _, detail), count in zip(steps, units, strict=True)
    )
    return Ladder(_level_text(model, begin * unit, lake), rungs, _level_text(model, finish * unit, lake))


def _rounded(start: float, steps: Sequence[float], end: float, *, free: Sequence[int]) -> tuple[int, list[int], int]:
    """Whole numbers near these that add up. What rounding leaves over goes to the last of the ``free`` steps first, one
    at most to each and never across zero; the start takes what is left.
    """
    made, finish = [round(step) for step in steps], round(end)
    over = finish - round(start) - sum(made)
    for at in reversed(free):
        if over == 0:
            break
        moved = made[at] + (1 if over > 0 else -1)
        if moved * steps[at] >= 0 and abs(moved - steps[at]) <= 1:
            over -= moved - made[at]
            made[at] = moved
    return finish - sum(made), made, finish


def _unit(model: ModelUse, size: float) -> float:
    """The last digit that shows a prediction of this size with four; money has its cents."""
    if model.unit == "currency":
        return 0.01
    return float(10.0 ** -max(0, 3 - math.floor(math.log10(size)))) if size > 0 else 0.001


def _level_text(model: ModelUse, level: float, lake: LakeFile) -> str:
    if model.task == "classification":
        return wording.shown(level, "percent", 1, lake).text
    return wording.shown(level, model.unit, None, lake).exact


def _step_text(model: ModelUse, step: float, lake: LakeFile) -> str:
    text = _level_text(model, abs(step), lake)
    if model.task == "classification":
        text = text.replace("%", "pp")
    return text if step == 0 else f"{'+' if step > 0 else wording.MINUS}{text}"


def _detail(reason: Reason) -> str:
    usual_ = f" Usual: {reason.usual}." if reason.usual else ""
    return f"{reason.label}: {reason.value}.{usual_} {reason.points_text}"


def score_shown(model: ModelUse, score: float, lake: LakeFile, least: int | None = None) -> Shown:
    """A score as people read it: "72 %" for a probability, an amount with its unit for a prediction.

    A score just below a band's limit is not rounded up to it: 39.96 % is no "40 %" where a band begins there.
    ``least`` are the decimals that a probability has at least, where it stands beside a difference that has as many.
    """
    unit = "percent" if model.task == "classification" else model.unit
    said = wording.shown(score, unit, least if model.task == "classification" else None, lake)
    if model.task != "classification":
        return said
    for decimals in (least, 1, 2, 3):
        said = wording.shown(score, unit, decimals, lake)
        rounded = round(score, 2 + (decimals if decimals is not None else 0 if score >= 0.0995 else 1))
        if not any(score < band.at_least <= rounded for band in model.bands):
            return said
    return said


def usual(profile: ModelProfile | None, name: str, feature: Feature, lake: LakeFile) -> str:
    """What most rows have: the middle 80 % of a number, the most frequent category."""
    about = _input(profile, name)
    if about is None:
        return ""
    if about.kind in ("number", "integer") and about.p10 is not None and about.p90 is not None:
        low = wording.shown(about.p10, feature.unit, feature.decimals, lake).text
        high = wording.shown(about.p90, feature.unit, feature.decimals, lake).text
        first = low if feature.unit in ("currency", "percent") else low.partition(wording.NBSP)[0]
        return high if low == high else f"{first} to {high}"
    return "" if about.typical is None else feature.words.get(str(about.typical), str(about.typical))


def _input(profile: ModelProfile | None, name: str) -> InputProfile | None:
    return profile.input(name) if profile is not None and name in profile.names else None


def _reason(
    model: ModelUse,
    contribution: Contribution,
    points: float,
    *,
    inputs: Mapping[str, Any],
    profile: ModelProfile | None,
    lake: LakeFile,
) -> Reason:
    feature = model.features[contribution.feature]
    value = feature_value(contribution.feature, feature, inputs, model.features)
    return Reason(
        feature=contribution.feature,
        label=feature.label,
        phrase=wording.feature_phrase(feature, value, lake),
        value=value_text(feature, value, lake),
        usual=usual(profile, contribution.feature, feature, lake),
        contribution=contribution.value,
        points=points,
        points_text=points_text(model, points, lake),
    )


def value_text(feature: Feature, value: Scalar, lake: LakeFile) -> str:
    """A feature's value in words; "not known" for a blank."""
    if value is None:
        return "not known"
    if str(value) in feature.words:
        return feature.words[str(value)]
    return str(value) if isinstance(value, str) else wording.shown(value, feature.unit, feature.decimals, lake).text


def points_text(model: ModelUse, points: float, lake: LakeFile) -> str:
    """Signed points: "+21 pp" for a probability, a signed amount for a prediction."""
    if model.task == "classification":
        return wording.points(points, lake)
    text = wording.shown(abs(points), model.unit, None, lake).text
    return f"+{text}" if points > 0 else f"\u2212{text}"


def _other(count: int, contribution: float, points: float, *, model: ModelUse, lake: LakeFile) -> Reason:
    return Reason(
        feature="",
        label="Other information",
        phrase=f"Other information ({count} inputs)",
        value="",
        usual="",
        contribution=contribution,
        points=points,
        points_text=points_text(model, points, lake),
    )


def _sentence(score: Shown, reasons: tuple[Reason, ...], lake: LakeFile) -> str:
    """As in: 72 %, mainly because of A (+21 pp) and B (+9 pp); held back by C (−9 pp)."""
    told = [(r.raises, f"{wording.inside(r.phrase, lake)} ({r.points_text})") for r in _told(reasons)]
    ups, downs = [words for raises, words in told if raises], [words for raises, words in told if not raises]
    parts = [score.text]
    if ups:
        parts.append(f", mainly because of {' and '.join(ups)}")
    if downs:
        parts.append(f"{';' if ups else ','} held back by {downs[0]}")
    return "".join(parts) + "."


def _told(reasons: tuple[Reason, ...]) -> list[Reason]:
    """The reasons that a sentence names: two that raise and one that lowers."""
    named = [r for r in reasons if r.feature]
    return [r for r in named if r.raises][:2] + [r for r in named if r.contribution < 0][:1]
