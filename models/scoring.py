"""Batch scoring: rows in, scores, bands and SHAP values by feature out. Pure: no clock, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.definitions import Band, Feature
from models.explaining import NotAdditive
from models.predicting import Predictor

CHUNK = 100_000


@dataclass(frozen=True)
class Scored:
    """Scores of a batch. ``shap`` is (n, features) float32 in the order of ``features``; ``base`` is (n,) float64."""

    score: np.ndarray
    margin: np.ndarray
    base: np.ndarray
    shap: np.ndarray
    features: tuple[str, ...]
    method: str

    def importance(self) -> dict[str, float]:
        """Mean absolute SHAP value by feature, in margin units."""
        means = np.abs(self.shap.astype(float)).mean(axis=0) if len(self.shap) else np.zeros(len(self.features))
        return {name: float(v) for name, v in zip(self.features, means, strict=True)}


def owner_of(inputs: Sequence[str], features: Mapping[str, Feature]) -> dict[str, str]:
    """Which feature each input belongs to: itself, or the one whose prefix it carries."""
    prefixes = [(f.one_hot, name) for name, f in features.items() if f.one_hot]
    return {i: i if i in features else next((n for p, n in prefixes if i.startswith(p)), i) for i in inputs}


def score(predictor: Predictor, frame: pd.DataFrame, features: Mapping[str, Feature]) -> Scored:
    """Score and explain every row, in chunks; every row is held to law 4. Raises ``NotAdditive`` otherwise."""
    owner = owner_of(predictor.inputs, features)
    names = tuple(dict.fromkeys([*features, *owner.values()]))
    parts = [_chunk(predictor, frame.iloc[at : at + CHUNK], owner, names) for at in range(0, max(len(frame), 1), CHUNK)]
    margin, score_, base, shap = (np.concatenate([p[i] for p in parts]) for i in range(4))
    return Scored(score_, margin, base, shap, names, parts[0][4])


def band_of(scores: np.ndarray, bands: Sequence[Band]) -> list[str]:
    """The first band (from best to worst) whose limit a score reaches; "" below all."""
    return [next((b.name for b in bands if s >= b.at_least), "") for s in scores]


def _chunk(
    predictor: Predictor, frame: pd.DataFrame, owner: Mapping[str, str], names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, str]:
    margin, scores = predictor.margin(frame), predictor.score(frame)
    found = predictor.attribute(frame)
    places = {n: i for i, n in enumerate(names)}
    shap = np.zeros((len(frame), len(names)))
    for column, name in enumerate(predictor.inputs):
        shap[:, places[owner[name]]] += found.values[:, column]
    stored = shap.astype(np.float32)
    scale = np.maximum(1.0, np.maximum(np.abs(margin), np.abs(shap).sum(axis=1)))
    missed = np.abs(found.base + stored.astype(float).sum(axis=1) - margin) / scale
    if len(frame) and not missed.max() <= 1e-5:
        raise NotAdditive(
            f"SHAP values must add up to the score within 1e-5, and one row misses it by {missed.max():.2g}."
        )
    return margin, scores, found.base, stored, found.method
