"""scikit-learn models, loaded by skops with Lakelight's own list of types; the list in the artefact is never asked.

A model is taken apart into what transforms the inputs, what predicts, and a sigmoid that calibrates. Exact values are
computed on the transformed columns and summed back to the inputs they came from (``models.sklearn_parts``). What has no
exact taking apart is sampled around the typical row (``models.sampled_values``), and says so.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models import profiles, sampled_values, shap_values, sklearn_parts
from models.predicting import Attribution, Link
from models.sklearn_parts import Parts, Unexplainable

__all__ = ["TRUSTED", "SkopsPredictor", "Unexplainable", "load", "read"]

TRUSTED = (
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.AbsoluteError",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyAbsoluteError",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.tree._tree.Tree",
)


def read(content: bytes) -> Any:
    """The model in a skops file. Raises ``TypeError`` that names a type outside the list."""
    import skops.io

    unknown = [t for t in skops.io.get_untrusted_types(data=content) if t not in TRUSTED]
    if unknown:
        raise TypeError(", ".join(sorted(unknown)[:3]))
    return skops.io.loads(content, trusted=list(skops.io.get_untrusted_types(data=content)))


def load(folder: Path, manifest: dict[str, Any]) -> SkopsPredictor:
    """The predictor of an admitted skops artefact."""
    return SkopsPredictor(read((folder / "model.skops").read_bytes()), manifest)


class SkopsPredictor:
    """A pipeline, a calibrated model or a bare estimator of scikit-learn.

    ``centre`` in the manifest is the mean of the transformed columns over the profile's rows: the background of
    the closed form for linear models, value = coefficient x (column - mean) (Lundberg and Lee 2017, section 4.1).
    ``typical`` is the row that sampled values start from. ``background`` makes both.
    """

    def __init__(self, model: Any, manifest: dict[str, Any]) -> None:
        self._model = model
        self.inputs: tuple[str, ...] = tuple(manifest["inputs"])
        self._classifies = manifest["task"] == "classification"
        if self._classifies and len(getattr(model, "classes_", (0, 1))) != 2:
            raise Unexplainable(f"it has {len(model.classes_)} classes, and a list needs two")
        self._parts: Parts | None = sklearn_parts.taken_apart(model, self.inputs, classifies=self._classifies)
        self._typical: dict[str, Any] = dict(manifest.get("typical") or {})
        self._centre = np.asarray(manifest.get("centre") or [])
        self.link: Link = self._parts.link if self._parts else "identity"

    def background(self, frame: pd.DataFrame) -> dict[str, Any]:
        """What explaining starts from, made from these rows, as plain JSON for the manifest."""
        made: dict[str, Any] = {"typical": profiles.typical(frame, self.inputs)}
        if self._parts is not None:
            made["centre"] = [float(v) for v in np.nanmean(self._parts.matrix(self._rows(frame)), axis=0)]
        return made

    def margin(self, frame: pd.DataFrame) -> np.ndarray:
        """Log-odds for a linear, boosted or calibrated classification, the score itself otherwise."""
        rows = self._rows(frame)
        return self._whole(rows) if self._parts is None else self._parts.margin(self._parts.matrix(rows))

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """Probability of the positive class, or the prediction."""
        margin = self.margin(frame)
        return 1 / (1 + np.exp(-margin)) if self.link == "logit" else margin

    def attribute(self, frame: pd.DataFrame) -> Attribution:
        """Closed form for linear models, tree engines for trees, summed back to the inputs; sampled for the rest."""
        if self._parts is None:
            if not self._typical:
                raise Unexplainable("its artefact holds no typical row; sync the registry again")
            return sampled_values.around(self._whole, self._rows(frame), self._typical)
        parts, matrix = self._parts, self._parts.matrix(self._rows(frame))
        found = self._linear(matrix) if parts.kind == "linear" else self._trees(matrix)
        places = {name: i for i, name in enumerate(self.inputs)}
        summed = np.zeros((len(matrix), len(self.inputs)))
        for column, owner in enumerate(parts.owners):
            summed[:, places[owner]] += found.values[:, column]
        base = parts.slope * found.base + parts.offset
        return Attribution(base, parts.slope * summed, found.epsilon, True, found.method)

    def _linear(self, matrix: np.ndarray) -> Attribution:
        assert self._parts is not None  # noqa: S101  asked only of what was taken apart
        weights, start = self._parts.line()
        centre = self._centre if len(self._centre) else np.zeros(len(weights))
        base = np.full(len(matrix), start + float(weights @ centre))
        method = "exact, closed form of the linear model around the mean"
        return Attribution(base, (matrix - centre) * weights, 1e-9, True, method)

    def _trees(self, matrix: np.ndarray) -> Attribution:
        assert self._parts is not None  # noqa: S101  asked only of what was taken apart
        estimator, column = self._parts.estimator, 1 if self._classifies else None

        def few(frame: pd.DataFrame) -> Attribution:
            return shap_values.tree_explainer(estimator, frame.to_numpy(), column=column, explainer=self._explainer)

        frame = pd.DataFrame(matrix, columns=[f"c{i}" for i in range(matrix.shape[1])])
        return shap_values.of_trees(estimator, frame, margin=self._parts.inner(matrix), few=few)

    @cached_property
    def _explainer(self) -> Any:
        assert self._parts is not None  # noqa: S101  asked only of what was taken apart
        return shap_values.explainer_of(self._parts.estimator)

    def _whole(self, rows: pd.DataFrame) -> np.ndarray:
        found = self._model.predict_proba(rows)[:, 1] if self._classifies else self._model.predict(rows)
        return np.asarray(found, dtype=float)

    def _rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame[list(self.inputs)]
