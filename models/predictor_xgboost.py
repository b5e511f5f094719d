"""XGBoost boosters, loaded from UBJSON."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost

from models import shap_values
from models.explaining import FLOAT32
from models.predicting import Attribution, Link

PROBABILITIES = frozenset({"binary:logistic", "reg:logistic"})
NUMBERS = frozenset(
    {"reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror", "reg:squaredlogerror"}
)


class XGBoostPredictor:
    """A binary or regression booster. XGBoost computes in float32, so additivity holds to 1e-5.

    Raises ``ValueError`` for an objective whose prediction is neither the raw score nor its plain sigmoid: its scores
    would be wrong without anybody noticing.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self._booster = xgboost.Booster()
        self._booster.load_model(bytearray((folder / "model.ubj").read_bytes()))
        self._booster.set_param({"nthread": 1})
        self._lock = threading.Lock()
        self.inputs: tuple[str, ...] = tuple(manifest["inputs"])
        self.link: Link = "logit" if manifest["task"] == "classification" else "identity"
        self._names = list(self._booster.feature_names or self.inputs)
        _check_objective(self._booster, self.link)

    def margin(self, frame: pd.DataFrame) -> np.ndarray:
        """Raw scores."""
        return np.asarray(self._predict(self._numbers(frame), output_margin=True), dtype=float)

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """Probability of the positive class, or the prediction."""
        margin = self.margin(frame)
        return 1 / (1 + np.exp(-margin)) if self.link == "logit" else margin

    def attribute(self, frame: pd.DataFrame) -> Attribution:
        """The library's own contributions for a few rows, woodelf for batches."""
        numbers = self._numbers(frame)
        margin = np.asarray(self._predict(numbers, output_margin=True), dtype=float)
        return shap_values.of_trees(self._booster, numbers, margin=margin, few=self._few)

    def _few(self, numbers: pd.DataFrame) -> Attribution:
        values = np.asarray(self._predict(numbers, pred_contribs=True), dtype=float)
        return Attribution(values[:, -1], values[:, :-1], FLOAT32, True, "exact, path-dependent (XGBoost)")

    def _numbers(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The inputs as numbers, under the names of the booster."""
        return pd.DataFrame(frame[list(self.inputs)].astype(float).to_numpy(), columns=self._names)

    def _predict(self, numbers: pd.DataFrame, **options: Any) -> Any:
        matrix = xgboost.DMatrix(numbers.to_numpy(), feature_names=self._names)
        with self._lock:
            return self._booster.predict(matrix, **options)


def _check_objective(booster: xgboost.Booster, link: Link) -> None:
    name = json.loads(booster.save_config())["learner"]["objective"]["name"]
    allowed = PROBABILITIES if link == "logit" else NUMBERS
    if name not in allowed:
        raise ValueError(f"the objective must be one of {', '.join(sorted(allowed))}, got {name}")
