"""What would move the score: edits of one row checked against what the model was trained on, and its answer to them.

Edits are texts, as an address carries them; a number of the unit ``percent`` is written as people say it ("35" for a
share of 0.35). A refused edit is named and changes nothing; a flagged one is named and used.

What each change did is measured one at a time: the effect of an input is the score with that change alone minus the
score without any, so that a person can check each figure by resetting the others. What is left of the whole
difference is the *interplay* of the changes, said as such. Shapley values over the changed inputs would hide it by
sharing it out, and no setting of the controls would show their figures.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd

from data.definitions import Feature, Scalar
from models import scoring
from models.explaining import Contribution, Explanation, fold, sigmoid
from models.predicting import InputProfile, ModelProfile, Predictor

BLANK = "~"
LONGEST = 40
LARGEST = 1e15
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

Refused = Literal[
    "too_long",  # more than 40 characters
    "not_a_number",  # text, hexadecimal, a decimal comma, "nan"
    "too_large",  # 1e999: beyond what any input can mean
    "blank",  # training had none
    "unknown_category",  # the model has no rule for it
    "not_whole",  # the input counts things
    "out_of_bounds",  # outside the declared low and high
    "only_up",  # the declared direction
    "only_down",
]
Flagged = Literal[
    "outside_training",  # beyond the 1st or 99th percentile of training
    "not_known",  # a blank, as training had them
]
REFUSED: frozenset[str] = frozenset(get_args(Refused))


class NotMovable(Exception):
    """An edit of an input that this viewer may not move, or that the model does not have: both look the same."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"There is no input named {feature[:LONGEST]} to change.")
        self.feature = feature


@dataclass(frozen=True)
class Finding:
    """What is to be said about a value. ``said`` is the text of the edit, empty for a stored value."""

    feature: str
    kind: Refused | Flagged
    said: str = ""

    @property
    def refused(self) -> bool:
        """Was the value left out?"""
        return self.kind in REFUSED


@dataclass(frozen=True)
class Checked:
    """Edits after the check: the scenario's inputs, which features they change, and what is to be said of whom."""

    stored: Mapping[str, Scalar]
    row: Mapping[str, Scalar]
    changed: tuple[str, ...]
    findings: Mapping[str, Finding]


@dataclass(frozen=True)
class Effect:
    """What one change alone does, on the scale of the score; ``feature`` is empty for the interplay of all changes."""

    feature: str
    value: float


@dataclass(frozen=True)
class Response:
    """The model's answer: why the scenario has its score, and what each change did, adding up to the difference."""

    scenario: Explanation
    effects: tuple[Effect, ...]


def check(
    edits: Mapping[str, str],
    stored: Mapping[str, Scalar],
    *,
    profile: ModelProfile,
    features: Mapping[str, Feature],
    allowed: Iterable[str],
) -> Checked:
    """Hold every edit to the model's profile and to the workspace's rules. ``stored`` are the inputs of the run.

    Raises ``NotMovable`` for a feature outside ``allowed``, whatever its value.
    """
    taken = frozenset(n for n, f in features.items() if f.one_hot or n in profile.names)
    movable = frozenset(allowed) & taken
    unknown = sorted(set(edits) - movable)
    if unknown:
        raise NotMovable(unknown[0])
    kept = {name: _plain(stored.get(name)) for name in profile.names}
    row, changed, findings = dict(kept), [], {}
    for name in (n for n in features if n in movable):
        feature, place = features[name], _Place.of(name, features, profile=profile, stored=kept)
        value, finding = place.stored, None
        if name in edits:
            value, finding = _value(edits[name], feature, place)
        if not _same(value, place.stored):
            row |= place.written(value)
            changed.append(name)
        finding = finding or _flag(value, place, (edits[name].strip() or BLANK) if name in edits else "")
        if finding is not None:
            findings[name] = finding
    return Checked(kept, row, tuple(changed), findings)


def respond(
    predictor: Predictor, checked: Checked, *, base: Explanation, profile: ModelProfile, features: Mapping[str, Feature]
) -> Response:
    """The scenario explained, and the effect of each change. ``base`` is the explanation of the stored row."""
    if not checked.changed:
        return Response(base, ())
    one = len(checked.changed) == 1
    alone = [{**checked.stored, **_part(checked, name, features, profile)} for name in checked.changed]
    rows = frame([checked.row, *([] if one else alone)], predictor.inputs, profile)
    margins = predictor.margin(rows)
    scenario = _explained(predictor, rows.iloc[:1], float(margins[0]), features)
    difference = scenario.score - base.score
    if one:
        return Response(scenario, (Effect(checked.changed[0], difference),))
    scores = [_score(float(m), predictor) for m in margins[1:]]
    effects = [Effect(n, score - base.score) for n, score in zip(checked.changed, scores, strict=True)]
    rest = math.fsum([difference, *(-e.value for e in effects)])
    return Response(scenario, (*effects, Effect("", rest)))


def explain(
    predictor: Predictor, row: Mapping[str, Scalar], *, profile: ModelProfile, features: Mapping[str, Feature]
) -> Explanation:
    """Score one row and take it apart by feature. Raises ``NotAdditive`` where the parts miss the score (law 4)."""
    rows = frame([row], predictor.inputs, profile)
    return _explained(predictor, rows, float(predictor.margin(rows)[0]), features)


def frame(rows: Sequence[Mapping[str, Scalar]], inputs: Sequence[str], profile: ModelProfile) -> pd.DataFrame:
    """Rows as the model takes them: numbers and booleans as float64, categories as text; a blank stays a blank."""
    texts = {n for n in inputs if n in profile.names and profile.input(n).kind == "category"}
    numbers = [n for n in inputs if n not in texts]
    values = [[np.nan if row.get(n) is None else float(cast(float, row[n])) for n in numbers] for row in rows]
    made = pd.DataFrame(np.array(values, dtype=float).reshape(len(rows), len(numbers)), columns=numbers)
    for name in texts:
        said = [None if row.get(name) is None else str(row[name]) for row in rows]
        made[name] = pd.Series(said, dtype="str")
    return made[list(inputs)] if texts else made


def categories(name: str, feature: Feature, profile: ModelProfile, features: Mapping[str, Feature]) -> tuple[str, ...]:
    """The categories that the model has a rule for; empty for a number. ``features`` are all of the model."""
    if feature.one_hot:
        columns = scoring.columns_of(name, profile.names, features)
        return tuple(c.removeprefix(feature.one_hot) for c in columns)
    about = profile.input(name) if name in profile.names else None
    return about.categories if about is not None and about.kind == "category" else ()


@dataclass(frozen=True)
class _Place:
    """Where a feature stands in the stored row: its value, what training saw, and the columns that carry it."""

    name: str
    kind: str
    stored: Scalar
    about: InputProfile | None
    categories: tuple[str, ...]
    columns: tuple[str, ...]
    one_hot: str
    as_flag: bool

    @classmethod
    def of(
        cls, name: str, features: Mapping[str, Feature], *, profile: ModelProfile, stored: Mapping[str, Scalar]
    ) -> _Place:
        """The place of a feature; an encoded one is read back to its category."""
        feature = features[name]
        found = categories(name, feature, profile, features)
        if not feature.one_hot:
            about = profile.input(name) if name in profile.names else None
            kind = about.kind if about is not None else "number"
            return cls(name, kind, stored.get(name), about, found, (name,), "", False)
        columns = tuple(f"{feature.one_hot}{c}" for c in found)
        value = next((c for c, column in zip(found, columns, strict=True) if stored.get(column)), None)
        flags = any(isinstance(stored.get(column), bool) for column in columns)
        return cls(name, "category", value, None, found, columns, feature.one_hot, flags)

    def written(self, value: Scalar) -> dict[str, Scalar]:
        """The input columns that say this value."""
        if not self.one_hot:
            return {self.name: value}
        on, off = (True, False) if self.as_flag else (1.0, 0.0)
        return {column: on if column == f"{self.one_hot}{value}" else off for column in self.columns}


def _value(text: str, feature: Feature, place: _Place) -> tuple[Scalar, Finding | None]:
    """The value of an edit, or the stored one with the reason why the edit is refused."""
    said = text.strip()
    value: Scalar = None
    problem: Refused | None = None
    if len(said) > LONGEST:
        problem = "too_long"
    elif said in ("", BLANK):
        problem = None if place.stored is None or (place.about is not None and place.about.blanks) else "blank"
    elif place.kind == "category":
        value = said
        problem = None if said in place.categories or said == place.stored else "unknown_category"
    elif place.kind == "boolean":
        value = YES_NO.get(said.lower())
        problem = "unknown_category" if value is None else None
    else:
        value, problem = _number(said, feature, place)
    return (place.stored, Finding(place.name, problem, said[:LONGEST])) if problem else (value, None)


def _number(said: str, feature: Feature, place: _Place) -> tuple[Scalar, Refused | None]:
    text = said.replace("\u2212", "-")
    if not NUMBER.fullmatch(text):
        return None, "not_a_number"
    number = float(text) / (100 if feature.unit == "percent" else 1)
    stored = place.stored if isinstance(place.stored, int | float) else None
    if stored is not None and number == stored:
        return stored, None
    problem = _outside(number, stored, feature, place)
    if problem is not None:
        return None, problem
    return (int(number) if isinstance(stored, int) and number.is_integer() else number), None


def _outside(number: float, stored: float | None, feature: Feature, place: _Place) -> Refused | None:
    """The first rule that a number breaks: size, whole numbers, declared bounds, declared direction."""
    counts = feature.integer or (place.about is not None and place.about.kind == "integer")
    rules: tuple[tuple[Refused, bool], ...] = (
        ("too_large", not abs(number) <= LARGEST),
        ("not_whole", counts and not number.is_integer()),
        ("out_of_bounds", feature.low is not None and number < feature.low),
        ("out_of_bounds", feature.high is not None and number > feature.high),
        ("only_up", stored is not None and feature.direction == "up" and number < stored),
        ("only_down", stored is not None and feature.direction == "down" and number > stored),
    )
    return next((name for name, broken in rules if broken), None)


def _flag(value: Scalar, place: _Place, said: str) -> Finding | None:
    """What is to be said of a value that is used: beyond what training saw, or not known."""
    if value is None:
        return Finding(place.name, "not_known", said) if place.about is not None and place.about.blanks else None
    about = place.about
    if about is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    below = about.low is not None and value < about.low
    above = about.high is not None and value > about.high
    return Finding(place.name, "outside_training", said) if below or above else None


def _part(checked: Checked, name: str, features: Mapping[str, Feature], profile: ModelProfile) -> Mapping[str, Scalar]:
    """The columns of one changed feature, as the scenario has them."""
    place = _Place.of(name, features, profile=profile, stored=checked.row)
    return {column: checked.row[column] for column in place.columns}


def _plain(value: object) -> Scalar:
    """A stored value as Python has it: a NaN is a blank, a numpy number a number."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else cast(Scalar, value)


def _same(one: Scalar, other: Scalar) -> bool:
    return one is None and other is None if one is None or other is None else one == other


def _explained(predictor: Predictor, row: pd.DataFrame, margin: float, features: Mapping[str, Feature]) -> Explanation:
    found = predictor.attribute(row)
    owner = scoring.owner_of(predictor.inputs, features)
    parts = fold(dict(zip(predictor.inputs, found.values[0].tolist(), strict=True)), owner)
    return Explanation(
        base_value=float(found.base[0]),
        contributions=tuple(Contribution(n, parts.get(n, 0.0)) for n in dict.fromkeys([*features, *parts])),
        margin=margin,
        score=_score(margin, predictor),
        link=predictor.link,
        epsilon=found.epsilon,
        exact=found.exact,
        method=found.method,
    )


def _score(margin: float, predictor: Predictor) -> float:
    return sigmoid(margin) if predictor.link == "logit" else margin
