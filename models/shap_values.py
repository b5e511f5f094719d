"""Exact SHAP values of tree ensembles: a few rows by the library's own or shap's engine, large batches by woodelf.

woodelf (arXiv 2511.09376) has a fixed cost of about a second a call and then is an order of magnitude faster. It
computes in float32 and has been seen to flip classes, so every batch is held to additivity and to the other
engine's values on its first rows before it is believed.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from models.predicting import Attribution

BATCH = 2_000
CHECKED = 20


def of_trees(
    model: Any, frame: pd.DataFrame, *, margin: np.ndarray, few: Callable[[pd.DataFrame], Attribution]
) -> Attribution:
    """SHAP values (path-dependent) of the rows; ``few`` is the exact engine for a handful and the judge of the batch."""
    if len(frame) < BATCH:
        return few(frame)
    judged = few(frame.iloc[:CHECKED])
    batch = _woodelf(model, frame, base=float(judged.base[0]))
    if batch is None:
        return few(frame)
    scale = np.maximum(1.0, np.maximum(np.abs(margin), np.abs(batch.values).sum(axis=1)))
    missed = np.abs(batch.base + batch.values.sum(axis=1) - margin) / scale
    same = np.allclose(batch.values[:CHECKED], judged.values, atol=1e-3, rtol=1e-3)
    return batch if missed.max() <= batch.epsilon and same else few(frame)


def tree_explainer(model: Any, matrix: np.ndarray, *, column: int | None = None) -> Attribution:
    """Shap's TreeExplainer, path-dependent. ``column`` picks a class where the explainer gives one matrix a class."""
    import shap

    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    values = np.asarray(explainer.shap_values(matrix, check_additivity=False), dtype=float)
    base = np.atleast_1d(np.asarray(explainer.expected_value, dtype=float))
    if values.ndim == 3:
        values = values[:, :, column or 0]
    start = float(base[column or 0] if len(base) > 1 else base[0])
    return Attribution(np.full(len(matrix), start), values, 1e-5, True, "exact, path-dependent (shap TreeExplainer)")


def _woodelf(model: Any, frame: pd.DataFrame, *, base: float) -> Attribution | None:
    try:
        from woodelf import WoodelfExplainer

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            explainer = WoodelfExplainer(model, feature_perturbation="tree_path_dependent")
            values = np.asarray(explainer.shap_values(frame, verbose=False), dtype=float)
    except Exception:
        return None
    if values.shape != frame.shape:
        return None
    return Attribution(np.full(len(frame), base), values, 1e-5, True, "exact, path-dependent (woodelf)")
