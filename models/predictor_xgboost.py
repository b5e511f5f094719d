"""XGBoost boosters, loaded from UBJSON."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost

from models import shap_values
from models.predicting import Attribution, Link


class XGBoostPredictor:
    """A binary or regression booster. XGBoost computes in float32, so additivity holds to 1e-5."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self._booster = xgboost.Booster()
        self._booster.load_model(bytearray((folder / "model.ubj").read_bytes()))
        self._booster.set_param({"nthread": 1})
        self._lock = threading.Lock()
        self.inputs: tuple[str, ...] = tuple(manifest["inputs"])
        self.link: Link = "logit" if manifest["task"] == "classification" else "identity"

    def margin(self, frame: pd.DataFrame) -> np.ndarray:
        """Raw scores."""
        return np.asarray(self._predict(frame, output_margin=True), dtype=float)

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """Probability of the positive class, or the prediction."""
        margin = self.margin(frame)
        return 1 / (1 + np.exp(-margin)) if self.link == "logit" else margin

    def attribute(self, frame: pd.DataFrame) -> Attribution:
        """The library's own contributions for a few rows, woodelf for batches."""
        return shap_values.of_trees(self._booster, frame[list(self.inputs)], margin=self.margin(frame), few=self._few)

    def _few(self, frame: pd.DataFrame) -> Attribution:
        values = np.asarray(self._predict(frame, pred_contribs=True), dtype=float)
        return Attribution(values[:, -1], values[:, :-1], 1e-5, True, "exact, path-dependent (XGBoost)")

    def _predict(self, frame: pd.DataFrame, **options: Any) -> Any:
        names = self._booster.feature_names or list(self.inputs)
        matrix = xgboost.DMatrix(frame[list(self.inputs)].astype(float).to_numpy(), feature_names=list(names))
        with self._lock:
            return self._booster.predict(matrix, **options)
