"""Explanations that add up, or do not exist.

SHAP values (Lundberg and Lee, NeurIPS 2017, "A Unified Approach to Interpreting Model Predictions",
section 2, local accuracy): base value + sum of contributions = the model's output in its own link.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.predicting import Link

FLOAT32 = 1e-5
"""The tolerance of law 4 where values are computed or stored in float32."""


class NotAdditive(Exception):
    """Contributions that miss the score by more than the tolerance of law 4."""


@dataclass(frozen=True)
class Contribution:
    """One feature's share of (margin - base value), in margin units."""

    feature: str
    value: float


@dataclass(frozen=True)
class Explanation:
    """Why a row has its score. Cannot be constructed unless it adds up within
    ``epsilon * max(1, |margin|, sum of |contributions|)``.
    """

    base_value: float
    contributions: tuple[Contribution, ...]
    margin: float
    score: float
    link: Link
    epsilon: float
    exact: bool = True
    method: str = ""

    def __post_init__(self) -> None:
        total = math.fsum((self.base_value, *(c.value for c in self.contributions)))
        room = self.epsilon * max(1.0, abs(self.margin), math.fsum(abs(c.value) for c in self.contributions))
        if not abs(total - self.margin) <= room:
            raise NotAdditive(
                f"Base value and contributions must add up to {self.margin!r} within {room:.2g}, got {total!r}."
            )

    @property
    def base_score(self) -> float:
        """The base value on the scale of the score."""
        return sigmoid(self.base_value) if self.link == "logit" else self.base_value

    def points(self) -> tuple[float, ...]:
        """Contributions on the scale of the score, in proportion, so that they add up to score - base score.

        For a probability these are percentage points / 100: each contribution times
        (score - base score) / (margin - base value). Signs and ranking are those of the margin.
        """
        distance = self.margin - self.base_value
        if self.link == "identity":
            return tuple(c.value for c in self.contributions)
        slope = self.score * (1 - self.score) if abs(distance) < 1e-12 else (self.score - self.base_score) / distance
        return tuple(c.value * slope for c in self.contributions)


def slopes(base: np.ndarray, margin: np.ndarray, score: np.ndarray, link: str) -> np.ndarray:
    """(n,) points of the score for one unit of margin, row by row: what ``Explanation.points`` multiplies with."""
    if link == "identity":
        return np.ones(len(score))
    distance = margin - base
    near = np.abs(distance) < 1e-12
    base_score = np.where(base >= 0, 1 / (1 + np.exp(-np.abs(base))), 1 - 1 / (1 + np.exp(-np.abs(base))))
    along = (score - base_score) / np.where(near, 1.0, distance)
    return np.asarray(np.where(near, score * (1 - score), along), dtype=float)


def missed(base: np.ndarray, values: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """(n,) by how much each row fails to add up, relative to ``max(1, |margin|, sum of |values|)`` (law 4).

    A row with a value that is no number misses by NaN, which is within no tolerance.
    """
    with np.errstate(invalid="ignore"):
        scale = np.maximum(1.0, np.maximum(np.abs(margin), np.abs(values).sum(axis=1)))
        return np.asarray(np.abs(base + values.sum(axis=1) - margin) / scale)


def sigmoid(margin: float) -> float:
    """The logistic function, without overflow."""
    return 1 / (1 + math.exp(-margin)) if margin >= 0 else math.exp(margin) / (1 + math.exp(margin))


def fold(values: Mapping[str, float], owner: Mapping[str, str]) -> dict[str, float]:
    """Sum encoded columns back to the feature a person knows: ``owner`` maps input to feature."""
    summed: dict[str, list[float]] = {}
    for name, value in values.items():
        summed.setdefault(owner.get(name, name), []).append(value)
    return {feature: math.fsum(parts) for feature, parts in summed.items()}
