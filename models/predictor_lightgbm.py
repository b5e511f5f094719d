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


class LightGBMPredictor:
    """A binary or regression booster. The margin is the raw score."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self._booster = lightgbm.Booster(model_str=(folder / "model.txt").read_text())
        self._lock = threading.Lock()
        self.inputs: tuple[str, ...] = tuple(manifest["inputs"])
        self.link: Link = "logit" if manifest["task"] == "classification" else "identity"

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
        return shap_values.of_trees(self._booster, self._named(frame), margin=self.margin(frame), few=self._few)

    def _few(self, frame: pd.DataFrame) -> Attribution:
        with self._lock:
            found = self._booster.predict(self._matrix(frame), pred_contrib=True, num_threads=1)
        values = np.asarray(found, dtype=float)
        return Attribution(values[:, -1], values[:, :-1], 1e-9, True, "exact, path-dependent (LightGBM)")

    def _named(self, frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(self._matrix(frame), columns=list(self.inputs))

    def _matrix(self, frame: pd.DataFrame) -> np.ndarray:
        return frame[list(self.inputs)].astype(float).to_numpy()
