"""Batch scoring: rows in, scores, bands and SHAP values by feature out. Pure: no clock, no files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.definitions import Band, Feature
from models import explaining
from models.explaining import NotAdditive
from models.predicting import Link, Predictor

CHUNK = 100_000
STORED = np.float32


@dataclass(frozen=True)
class Scored:
    """Scores of a batch. ``shap`` is (n, features) float32 in the order of ``features``; ``base`` is (n,) float64.

    ``method`` says in words how the values were computed, ``link`` in which scale they add up.
    """

    score: np.ndarray
    margin: np.ndarray
    base: np.ndarray
    shap: np.ndarray
    features: tuple[str, ...]
    method: str
    link: Link

    def importance(self) -> dict[str, float]:
        """Mean absolute SHAP value by feature, in margin units."""
        means = np.abs(self.shap.astype(float)).mean(axis=0) if len(self.shap) else np.zeros(len(self.features))
        return {name: float(v) for name, v in zip(self.features, means, strict=True)}


def owner_of(inputs: Sequence[str], features: Mapping[str, Feature]) -> dict[str, str]:
    """Which feature each input belongs to: itself, or the one with the longest prefix that it carries."""
    prefixes = sorted(((f.one_hot, name) for name, f in features.items() if f.one_hot), key=lambda p: -len(p[0] or ""))
    return {i: i if i in features else next((n for p, n in prefixes if p and i.startswith(p)), i) for i in inputs}


def columns_of(name: str, columns: Iterable[str], features: Mapping[str, Feature]) -> tuple[str, ...]:
    """The columns that carry one feature: its own, or of an encoded one those with its prefix that are no other's."""
    prefix = features[name].one_hot
    if not prefix:
        return tuple(c for c in columns if c == name)
    alike = tuple(c for c in columns if c.startswith(prefix))
    return tuple(c for c, owner in owner_of(alike, features).items() if owner == name)


def score(predictor: Predictor, frame: pd.DataFrame, features: Mapping[str, Feature]) -> Scored:
    """Score and explain every row, in chunks; every row is held to law 4. Raises ``NotAdditive`` otherwise."""
    owner = owner_of(predictor.inputs, features)
    names = tuple(dict.fromkeys([*features, *owner.values()]))
    starts = range(0, max(len(frame), 1), CHUNK)
    parts = [_chunk(predictor, frame.iloc[at : at + CHUNK], owner, names) for at in starts]
    return Scored(
        score=np.concatenate([p.score for p in parts]),
        margin=np.concatenate([p.margin for p in parts]),
        base=np.concatenate([p.base for p in parts]),
        shap=np.concatenate([p.shap for p in parts]),
        features=names,
        method=parts[0].method,
        link=predictor.link,
    )


def band_of(scores: np.ndarray, bands: Sequence[Band]) -> list[str]:
    """The first band (from best to worst) whose limit a score reaches; "" below all."""
    return [next((b.name for b in bands if s >= b.at_least), "") for s in scores]


def _chunk(predictor: Predictor, frame: pd.DataFrame, owner: Mapping[str, str], names: tuple[str, ...]) -> Scored:
    margin, scores, found = predictor.margin(frame), predictor.score(frame), predictor.attribute(frame)
    places = {n: i for i, n in enumerate(names)}
    summed = np.zeros((len(frame), len(names)))
    for column, name in enumerate(predictor.inputs):
        summed[:, places[owner[name]]] += found.values[:, column]
    stored = summed.astype(STORED)
    missed = explaining.missed(found.base, stored.astype(float), margin)
    if len(frame) and not missed.max() <= explaining.FLOAT32:
        raise NotAdditive(
            f"SHAP values must add up to the score within 1e-5, and one row misses it by {missed.max():.2g}."
        )
    return Scored(scores, margin, found.base, stored, names, found.method, predictor.link)
