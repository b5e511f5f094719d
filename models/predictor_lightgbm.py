"""LightGBM boosters, loaded from their text form."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from models import shap_values
from models.predicting import Attribution, Link

PROBABILITIES = frozenset({"binary", "cross_entropy"})
NUMBERS = frozenset({"regression", "regression_l1", "huber", "fair", "quantile", "mape", "none"})


class LightGBMPredictor:
    """A binary or regression booster. The margin is the raw score.

    Raises ``ValueError`` for an objective whose prediction is neither the raw score nor its plain sigmoid: its scores
    would be wrong without anybody noticing.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        text = (folder / "model.txt").read_text()
        self._booster = lightgbm.Booster(model_str=text)
        self._lock = threading.Lock()
        self.inputs: tuple[str, ...] = tuple(manifest["inputs"])
        self.link: Link = "logit" if manifest["task"] == "classification" else "identity"
        _check_objective(_line(text, "objective") or "none", self.link)
        if "average_output" in text.split("\n\n", 1)[0].splitlines():
            raise ValueError("the boosting must be gbdt or dart, got rf")
        self._categories = _categories(self._booster, _line(text, "feature_infos"), self.inputs)

    def margin(self, frame: pd.DataFrame) -> np.ndarray:
        """Raw scores, float64."""
        with self._lock:
            return np.asarray(self._booster.predict(self._matrix(frame), raw_score=True, num_threads=1), dtype=float)

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """Probability of the positive class, or the prediction."""
        margin = self.margin(frame)
        return 1 / (1 + np.exp(-margin)) if self.link == "logit" else margin

    def attribute(self, frame: pd.DataFrame) -> Attribution:
        """The library's own contributions for a few rows, woodelf for batches."""
        numbers = pd.DataFrame(self._matrix(frame), columns=list(self.inputs))
        return shap_values.of_trees(self._booster, numbers, margin=self._raw(numbers), few=self._few)

    def _few(self, numbers: pd.DataFrame) -> Attribution:
        with self._lock:
            found = self._booster.predict(numbers.to_numpy(), pred_contrib=True, num_threads=1)
        values = np.asarray(found, dtype=float)
        return Attribution(values[:, -1], values[:, :-1], 1e-9, True, "exact, path-dependent (LightGBM)")

    def _raw(self, numbers: pd.DataFrame) -> np.ndarray:
        with self._lock:
            return np.asarray(self._booster.predict(numbers.to_numpy(), raw_score=True, num_threads=1), dtype=float)

    def _matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """(n, inputs) float64: numbers as they are, words as the codes of training, unknown words as blanks."""
        if not self._categories:
            return frame[list(self.inputs)].to_numpy(dtype=float)
        columns = []
        for name in self.inputs:
            if name in self._categories:
                codes = pd.Index(self._categories[name]).get_indexer(pd.Index(frame[name])).astype(float)
                columns.append(np.where(codes < 0, np.nan, codes))
            else:
                columns.append(frame[name].astype(float).to_numpy())
        return np.column_stack(columns)


def _line(text: str, name: str) -> str:
    start = f"{name}="
    return next((line[len(start) :] for line in text.split("\n\n", 1)[0].splitlines() if line.startswith(start)), "")


def _check_objective(said: str, link: Link) -> None:
    name, *options = said.split()
    allowed = PROBABILITIES if link == "logit" else NUMBERS
    changed = [o for o in options if o == "sqrt" or (o.startswith("sigmoid:") and o != "sigmoid:1")]
    if name not in allowed or changed:
        raise ValueError(f"the objective must be one of {', '.join(sorted(allowed - {'none'}))}, got {said}")


def _categories(booster: Any, infos: str, inputs: tuple[str, ...]) -> dict[str, list[Any]]:
    """A booster trained on pandas categories keeps their words, column by column, without the columns' names."""
    kept: list[list[Any]] = booster.pandas_categorical or []
    if not kept:
        return {}
    coded = [name for name, info in zip(inputs, infos.split(), strict=True) if info != "none" and info[:1] != "["]
    if len(coded) != len(kept):
        raise ValueError(f"the model must say which inputs are categories, got {len(coded)} for {len(kept)}")
    return dict(zip(coded, kept, strict=True))
