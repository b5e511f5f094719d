"""What an admitted model can do, whatever library made it: score rows and say how it got there.

A *margin* is the model's own scale: log-odds for a classification, the prediction itself for a
regression. ``score`` is what people see: a probability, or the prediction.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

Link = Literal["identity", "logit"]
InputKind = Literal["number", "integer", "boolean", "category"]


@dataclass(frozen=True)
class InputProfile:
    """One input column as training saw it (or the scored data, where the model brought no contract).

    ``low``/``high`` are the 1st and 99th percentile, ``p10``/``p90`` hold the middle 80 %, ``typical`` is
    the median or the most frequent category, ``mean`` the mean of a number. ``blanks``: training had blanks.
    """

    name: str
    kind: InputKind
    low: float | None = None
    high: float | None = None
    p10: float | None = None
    p90: float | None = None
    mean: float | None = None
    typical: float | str | bool | None = None
    categories: tuple[str, ...] = ()
    blanks: bool = False


@dataclass(frozen=True)
class ModelProfile:
    """The inputs of a model in the order the model takes them, and where the figures come from."""

    inputs: tuple[InputProfile, ...]
    rows: int
    source: Literal["training", "scored data"]

    def input(self, name: str) -> InputProfile:
        """The profile of one input; ``KeyError`` for a name the model does not take."""
        return next(i for i in self.inputs if i.name == name) if name in self.names else _missing(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Input names in the model's order."""
        return tuple(i.name for i in self.inputs)

    def as_json(self) -> dict[str, Any]:
        """Plain lists and dicts, for the app database and the contract file."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> ModelProfile:
        """The inverse of ``as_json``."""
        inputs = tuple(InputProfile(**{**i, "categories": tuple(i.get("categories", ()))}) for i in said["inputs"])
        return cls(inputs=inputs, rows=int(said["rows"]), source=said["source"])


def _missing(name: str) -> InputProfile:
    raise KeyError(name)


@dataclass(frozen=True)
class Attribution:
    """SHAP values of a batch in margin units: ``base`` (n,), ``values`` (n, inputs), float64.

    ``epsilon`` is the relative tolerance of additivity: 1e-9 where computed in float64, 1e-5 in float32.
    ``exact`` is false for sampled values; ``method`` says in words how they were computed.
    """

    base: np.ndarray
    values: np.ndarray
    epsilon: float
    exact: bool
    method: str


class Predictor(Protocol):
    """An admitted model, loaded from a data-only artefact. Safe to use from several threads."""

    inputs: tuple[str, ...]
    link: Link

    def margin(self, frame: pd.DataFrame) -> np.ndarray:
        """(n,) float64 in the model's own link, for rows with the columns ``inputs``."""

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """(n,) float64: probability of the positive class, or the prediction."""

    def attribute(self, frame: pd.DataFrame) -> Attribution:
        """SHAP values of the rows, by the method that suits their number and the model."""
