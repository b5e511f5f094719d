"""scikit-learn models, loaded by skops with Lakelight's own list of types; the list in the artefact is never asked.

A pipeline is taken apart into what transforms the inputs and what predicts. Values are computed on the transformed
columns and summed back to the inputs they came from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models import shap_values
from models.predicting import Attribution, Link

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


class Unexplainable(Exception):
    """A model whose output has no exact taking apart here; the message says which part."""


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
    """A pipeline, a calibrated linear model or a bare estimator of scikit-learn.

    ``centre`` in the manifest is the mean of the transformed columns over the profile's rows: the background of
    the closed form for linear models, value = coefficient x (column - mean) (Lundberg and Lee 2017, section 4.1).
    """

    def __init__(self, model: Any, manifest: dict[str, Any]) -> None:
        self._model = model
        self.inputs: tuple[str, ...] = tuple(manifest["inputs"])
        self._task = manifest["task"]
        self._slope, self._offset, inner = _uncalibrated(model)
        self._transform, self._estimator = _split(inner)
        self._owners = owners(self._transform, self.inputs)
        self._centre = np.asarray(manifest.get("centre") or np.zeros(len(self._owners)))
        self.linear = hasattr(self._estimator, "coef_")
        self.link: Link = "logit" if self._task == "classification" and (self.linear or self._boosted()) else "identity"

    def margin(self, frame: pd.DataFrame) -> np.ndarray:
        """Log-odds for a linear or boosted classification, the score itself otherwise."""
        if self._task != "classification":
            return np.asarray(self._model.predict(self._rows(frame)), dtype=float)
        if self.link == "logit":
            return self._slope * self._raw(self.transformed(frame)) + self._offset
        return np.asarray(self._model.predict_proba(self._rows(frame))[:, 1], dtype=float)

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """Probability of the positive class, or the prediction."""
        margin = self.margin(frame)
        return 1 / (1 + np.exp(-margin)) if self.link == "logit" else margin

    def attribute(self, frame: pd.DataFrame) -> Attribution:
        """Closed form for linear models, tree engines for trees, summed back to the inputs."""
        matrix = self.transformed(frame)
        found = self._linear(matrix) if self.linear else self._trees(matrix, self.margin(frame))
        places = {name: i for i, name in enumerate(self.inputs)}
        summed = np.zeros((len(matrix), len(self.inputs)))
        for column, owner in enumerate(self._owners):
            summed[:, places[owner]] += found.values[:, column]
        return Attribution(found.base, summed, found.epsilon, True, found.method)

    def transformed(self, frame: pd.DataFrame) -> np.ndarray:
        """(n, columns) float64: what the estimator sees."""
        rows = self._rows(frame)
        found = rows if self._transform is None else self._transform.transform(rows)
        found = found.toarray() if hasattr(found, "toarray") else found
        return np.asarray(found, dtype=float)

    def _linear(self, matrix: np.ndarray) -> Attribution:
        weights = self._slope * np.ravel(self._estimator.coef_)
        start = (
            self._slope * float(np.ravel(self._estimator.intercept_)[0]) + self._offset + float(weights @ self._centre)
        )
        method = "exact, closed form of the linear model around the mean"
        return Attribution(np.full(len(matrix), start), (matrix - self._centre) * weights, 1e-9, True, method)

    def _trees(self, matrix: np.ndarray, margin: np.ndarray) -> Attribution:
        column = 1 if self._task == "classification" else None
        names = [f"c{i}" for i in range(matrix.shape[1])]

        def few(frame: pd.DataFrame) -> Attribution:
            return shap_values.tree_explainer(self._estimator, frame.to_numpy(), column=column)

        frame = pd.DataFrame(matrix, columns=names)
        return (
            few(frame)
            if len(frame) < shap_values.BATCH
            else shap_values.of_trees(self._estimator, frame, margin=margin, few=few)
        )

    def _raw(self, matrix: np.ndarray) -> np.ndarray:
        return np.asarray(self._estimator.decision_function(matrix), dtype=float)

    def _boosted(self) -> bool:
        return "GradientBoosting" in type(self._estimator).__name__

    def _rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame[list(self.inputs)]


def owners(transform: Any, inputs: tuple[str, ...]) -> tuple[str, ...]:
    """For each transformed column the input it was made from. Raises ``Unexplainable`` where it cannot be told."""
    return inputs if transform is None else tuple(_through(transform, list(inputs)))


def _through(step: Any, names: list[str]) -> list[str]:
    """The owners of a step's output columns, from the owners of its input columns."""
    if hasattr(step, "steps"):
        for _, part in step.steps:
            names = _through(part, names)
        return names
    if isinstance(step, str):
        return [] if step == "drop" else names
    if hasattr(step, "transformers_"):
        found: list[str] = []
        for _, part, columns in step.transformers_:
            own = [names[c] if isinstance(c, int) else str(c) for c in columns]
            found += _through(part, own)
        return found
    if type(step).__name__ == "OneHotEncoder":
        return [n for n, kept in zip(names, step._n_features_outs, strict=True) for _ in range(kept)]
    if hasattr(step, "get_feature_names_out") and len(step.get_feature_names_out(None)) != len(names):
        raise Unexplainable(f"the step {type(step).__name__} mixes inputs")
    return names


def _split(model: Any) -> tuple[Any, Any]:
    """What transforms and what predicts."""
    if not hasattr(model, "steps"):
        return None, model
    return (model[:-1] if len(model.steps) > 2 else model.steps[0][1]) if len(model.steps) > 1 else None, model.steps[
        -1
    ][1]


def _uncalibrated(model: Any) -> tuple[float, float, Any]:
    """Log-odds = slope x inner log-odds + offset. One sigmoid (Platt 1999) is affine; anything else is not."""
    if not hasattr(model, "calibrated_classifiers_"):
        return 1.0, 0.0, model
    parts = model.calibrated_classifiers_
    if len(parts) != 1 or type(parts[0].calibrators[0]).__name__ != "_SigmoidCalibration":
        raise Unexplainable("an averaged or isotonic calibration has no additive link")
    sigmoid = parts[0].calibrators[0]
    return -float(sigmoid.a_), -float(sigmoid.b_), parts[0].estimator
