"""A scikit-learn model taken apart: what transforms the inputs, what predicts, and the sigmoid that calibrates.

Only parts that are listed here are taken apart, because a wrong guess would give each input the share of another. What
is not listed has no exact values here, and ``taken_apart`` says so with None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from models.predicting import Link

LOGISTIC = frozenset({"LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "LinearDiscriminantAnalysis"})
DECIDING = LOGISTIC | {"LinearSVC", "RidgeClassifier", "RidgeClassifierCV", "Perceptron"}
LINES = frozenset(
    (
        *(
            "LinearRegression",
            "Ridge",
            "RidgeCV",
            "Lasso",
            "LassoCV",
            "ElasticNet",
            "ElasticNetCV",
            "Lars",
            "LassoLars",
        ),
        *("BayesianRidge", "ARDRegression", "HuberRegressor", "TheilSenRegressor", "SGDRegressor", "LinearSVR"),
        *("QuantileRegressor", "OrthogonalMatchingPursuit"),
    )
)
BOOSTED = frozenset({"GradientBoostingClassifier", "HistGradientBoostingClassifier"})
FORESTS = frozenset(
    f"{kind}{task}"
    for kind in ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees")
    for task in ("Classifier", "Regressor")
)
BOOSTED_NUMBERS = frozenset({"GradientBoostingRegressor", "HistGradientBoostingRegressor"})
LOG_LINKS = frozenset({"poisson", "gamma", "tweedie"})
SCALERS = frozenset({"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "PowerTransformer"})
COLUMN_BY_COLUMN = SCALERS | {"QuantileTransformer", "OrdinalEncoder", "TargetEncoder", "Binarizer"}


class Unexplainable(Exception):
    """A model whose output has no exact taking apart here; the message says which part."""


@dataclass(frozen=True)
class Parts:
    """Margin = ``slope`` x (what the estimator gives for the transformed columns) + ``offset``.

    ``owners`` names for each transformed column the input that it was made from.
    """

    steps: tuple[Any, ...]
    estimator: Any
    slope: float
    offset: float
    owners: tuple[str, ...]
    kind: Literal["linear", "trees"]
    link: Link

    def matrix(self, rows: pd.DataFrame) -> np.ndarray:
        """(n, columns) float64: what the estimator sees."""
        found: Any = rows
        for step in self.steps:
            found = step.transform(found)
        return np.asarray(found.toarray() if hasattr(found, "toarray") else found, dtype=float)

    def inner(self, matrix: np.ndarray) -> np.ndarray:
        """(n,) what the estimator itself gives: its decision value, its probability, or its prediction."""
        names = getattr(self.estimator, "feature_names_in_", None)
        seen: Any = matrix if names is None else pd.DataFrame(matrix, columns=list(names))
        if hasattr(self.estimator, "decision_function"):
            return np.asarray(self.estimator.decision_function(seen), dtype=float)
        if hasattr(self.estimator, "predict_proba"):
            return np.asarray(self.estimator.predict_proba(seen)[:, 1], dtype=float)
        return np.asarray(self.estimator.predict(seen), dtype=float)

    def margin(self, matrix: np.ndarray) -> np.ndarray:
        """(n,) the model's output in its own link."""
        return self.slope * self.inner(matrix) + self.offset

    def line(self) -> tuple[np.ndarray, float]:
        """Coefficients and intercept of a linear estimator."""
        return np.ravel(self.estimator.coef_).astype(float), float(np.ravel(self.estimator.intercept_)[0])


def taken_apart(model: Any, inputs: tuple[str, ...], *, classifies: bool) -> Parts | None:
    """The parts of a model, None where one of them is not of a kind that is listed here."""
    try:
        steps, slope, offset, estimator, calibrated = _opened(model)
        kind, link = _kind(estimator, classifies=classifies, calibrated=calibrated)
        return Parts(steps, estimator, slope, offset, owners(steps, inputs), kind, link)
    except Unexplainable:
        return None


def owners(steps: Sequence[Any], inputs: tuple[str, ...]) -> tuple[str, ...]:
    """For each transformed column the input it was made from. Raises ``Unexplainable`` where it cannot be told."""
    names = list(inputs)
    for step in steps:
        names = _through(step, names)
    return tuple(names)


def _opened(model: Any) -> tuple[tuple[Any, ...], float, float, Any, bool]:
    """Steps, slope, offset, estimator; through pipelines and one sigmoid, in whatever order they are nested."""
    steps: list[Any] = []
    slope, offset, calibrated = 1.0, 0.0, False
    while True:
        if hasattr(model, "steps"):
            steps += [s for _, s in model.steps[:-1] if s not in (None, "passthrough")]
            model = model.steps[-1][1]
        elif hasattr(model, "calibrated_classifiers_"):
            sigmoid, model = _sigmoid(model)
            slope, offset, calibrated = -float(sigmoid.a_), -float(sigmoid.b_), True
        else:
            return tuple(steps), slope, offset, model, calibrated


def _sigmoid(model: Any) -> tuple[Any, Any]:
    """The calibrator and what it calibrates. One sigmoid (Platt 1999) is affine; several averaged or an isotonic one
    are not.
    """
    parts = model.calibrated_classifiers_
    if len(parts) != 1 or type(parts[0].calibrators[0]).__name__ != "_SigmoidCalibration":
        raise Unexplainable("an averaged or isotonic calibration has no additive link")
    return parts[0].calibrators[0], parts[0].estimator


def _kind(estimator: Any, *, classifies: bool, calibrated: bool) -> tuple[Literal["linear", "trees"], Link]:
    name = type(estimator).__name__
    loss = getattr(estimator, "loss", None)
    if getattr(estimator, "_preprocessor", None) is not None:
        raise Unexplainable(f"{name} encodes categories by itself")
    if classifies:
        if name in FORESTS:
            return "trees", "logit" if calibrated else "identity"
        if name in BOOSTED and (calibrated or loss == "log_loss"):
            return "trees", "logit"
        if name in DECIDING and (calibrated or (name in LOGISTIC and loss in (None, "log_loss"))):
            return "linear", "logit"
    elif name in FORESTS or (name in BOOSTED_NUMBERS and loss not in LOG_LINKS):
        return "trees", "identity"
    elif name in LINES:
        return "linear", "identity"
    raise Unexplainable(f"{name} has no exact values here")


def _through(step: Any, names: list[str]) -> list[str]:
    """The owners of a step's output columns, from the owners of its input columns."""
    if step is None or isinstance(step, str):
        return [] if step == "drop" else names
    if hasattr(step, "steps"):
        return list(owners([part for _, part in step.steps], tuple(names)))
    if hasattr(step, "transformers_"):
        return [o for _, part, columns in step.transformers_ for o in _through(part, _picked(step, columns, names))]
    if hasattr(step, "transformer_list"):
        return [o for _, part in step.transformer_list for o in _through(part, names)]
    return _by_kind(type(step).__name__, step, names)


def _by_kind(kind: str, step: Any, names: list[str]) -> list[str]:
    if kind in WIDENING:
        return WIDENING[kind](step, names)
    if hasattr(step, "get_support"):
        return [n for n, kept in zip(names, step.get_support(), strict=True) if kept]
    if kind in COLUMN_BY_COLUMN or (kind == "FunctionTransformer" and _by_number(step.func)):
        return names
    raise Unexplainable(f"the step {kind} mixes inputs")


def _by_number(function: Any) -> bool:
    """Nothing at all, or a function of numpy that is computed number by number."""
    return function is None or (isinstance(function, np.ufunc) and function.nin == function.nout == 1)


def _picked(step: Any, columns: Any, names: list[str]) -> list[str]:
    """The owners of the columns that one branch of a ColumnTransformer takes: by name, place, slice or mask."""
    if isinstance(columns, slice):
        return names[columns]
    chosen = [columns] if isinstance(columns, str | int) else list(columns)
    if len(chosen) == len(names) and all(isinstance(c, bool | np.bool_) for c in chosen):
        return [n for n, kept in zip(names, chosen, strict=True) if kept]
    seen = [str(n) for n in getattr(step, "feature_names_in_", names)]
    return [names[seen.index(c)] if isinstance(c, str) else names[int(c)] for c in chosen]


def _one_hot(step: Any, names: list[str]) -> list[str]:
    return [n for n, kept in zip(names, step._n_features_outs, strict=True) for _ in range(kept)]


def _imputed(step: Any, names: list[str]) -> list[str]:
    """A column each, without those that were blank throughout, then the columns that say "was blank"."""
    blank = [isinstance(v, float) and np.isnan(v) for v in step.statistics_]
    kept = [n for n, gone in zip(names, blank, strict=True) if step.keep_empty_features or not gone]
    if step.indicator_ is None:
        return kept
    return kept + [names[i] for i in step.indicator_.features_]


def _blanks(step: Any, names: list[str]) -> list[str]:
    return [names[i] for i in step.features_]


WIDENING: dict[str, Callable[[Any, list[str]], list[str]]] = {
    "OneHotEncoder": _one_hot,
    "SimpleImputer": _imputed,
    "MissingIndicator": _blanks,
}
