"""The strongest reasons of many rows at once: what ``explanations.why`` says of one row, without the rest of it.

A list shows three reasons a row and an export may hold a million rows, so values are ordered as a matrix and a phrase
is made once for each value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from data.definitions import LakeFile, ModelUse, Scalar
from models import explaining
from models.explaining import NotAdditive
from models.predicting import ModelProfile
from services import explanations, wording
from services.explanations import Reason


@dataclass(frozen=True)
class Explained:
    """Rows of a run with what was stored about them, all in one order: (n,) arrays, and (n, features) SHAP values."""

    margin: np.ndarray
    score: np.ndarray
    base: np.ndarray
    shap: np.ndarray
    link: str


@dataclass(frozen=True)
class Strongest:
    """The strongest features of each row: places in ``names``, SHAP values and points, each (n, count)."""

    names: tuple[str, ...]
    places: np.ndarray
    values: np.ndarray
    points: np.ndarray

    @property
    def used(self) -> frozenset[str]:
        """The features that are a reason of some row."""
        return frozenset(self.names[at] for at in np.unique(self.places))


def explained(model: ModelUse, scored: Sequence[Mapping[str, Any]], shap: pa.Table) -> Explained:
    """The stored values of these rows. Raises ``NotAdditive`` where a row does not add up (law 4)."""
    columns = [shap.column(f"shap_{name}").to_numpy().astype(float) for name in model.features]
    made = Explained(
        margin=np.asarray([r["margin"] for r in scored], dtype=float),
        score=np.asarray([r["score"] for r in scored], dtype=float),
        base=shap.column("base_value").to_numpy().astype(float),
        shap=np.column_stack(columns),
        link=str(shap.column("explanation_link")[0].as_py()) if shap.num_rows else "identity",
    )
    missed = explaining.missed(made.base, made.shap, made.margin)
    if len(missed) and not missed.max() <= explaining.FLOAT32:
        raise NotAdditive(f"A stored explanation misses its score by {missed.max():.2g}.")
    return made


def strongest(model: ModelUse, rows: Explained, *, named: frozenset[str], count: int) -> Strongest:
    """The ``count`` strongest features of each row among those that may be named."""
    names = sorted(named)
    places = {name: at for at, name in enumerate(model.features)}
    values = rows.shap[:, [places[n] for n in names]] if names else np.zeros((len(rows.score), 0))
    chosen = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :count]
    picked = np.take_along_axis(values, chosen, axis=1)
    slopes = explaining.slopes(rows.base, rows.margin, rows.score, rows.link)
    return Strongest(tuple(names), chosen, picked, picked * slopes[:, None])


def worded(
    model: ModelUse,
    found: Strongest,
    inputs: Sequence[Mapping[str, Any]],
    *,
    profile: ModelProfile | None,
    lake: LakeFile,
) -> list[tuple[Reason, ...]]:
    """The reasons of each row in words; a feature that does nothing is no reason."""
    words = _Words(model, profile, lake)
    return [
        tuple(
            words.reason(found.names[at], row, value, points)
            for at, value, points in zip(places, values, all_points, strict=True)
            if value != 0
        )
        for places, values, all_points, row in zip(
            found.places.tolist(), found.values.tolist(), found.points.tolist(), inputs, strict=True
        )
    ]


class _Words:
    """Phrases of one list, each value put into words once."""

    def __init__(self, model: ModelUse, profile: ModelProfile | None, lake: LakeFile) -> None:
        self._model, self._profile, self._lake = model, profile, lake
        self._said: dict[tuple[str, Scalar], tuple[str, str]] = {}
        self._usual: dict[str, str] = {}

    def reason(self, name: str, inputs: Mapping[str, Any], contribution: float, points: float) -> Reason:
        """One reason in words, as ``explanations.why`` words it."""
        feature = self._model.features[name]
        value = explanations.feature_value(name, feature, inputs, self._model.features)
        if (name, value) not in self._said:
            phrase = wording.feature_phrase(feature, value, self._lake)
            self._said[name, value] = phrase, explanations.value_text(feature, value, self._lake)
        if name not in self._usual:
            self._usual[name] = explanations.usual(self._profile, name, feature, self._lake)
        phrase, text = self._said[name, value]
        said = explanations.points_text(self._model, points, self._lake)
        return Reason(name, feature.label, phrase, text, self._usual[name], contribution, points, said)
