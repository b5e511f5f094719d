"""Exact SHAP values of tree ensembles: a few rows by the library's own or shap's engine, large batches by woodelf.

woodelf (arXiv 2511.09376) has a fixed cost of about a second a call and then is an order of magnitude faster. It
computes in float32 and has been seen to flip classes, so every batch is held to additivity on each row and to the other
engine's values on rows spread over the batch before it is believed. A row whose value lies on a threshold may fall to
its other side in float32: the few rows that do not add up are computed by the other engine.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from models import explaining
from models.explaining import FLOAT32
from models.predicting import Attribution

log = logging.getLogger("lakelight.models")

BATCH = 2_000
CHECKED = 20
MOST_MENDED = 0.01


def of_trees(
    model: Any, frame: pd.DataFrame, *, margin: np.ndarray, few: Callable[[pd.DataFrame], Attribution]
) -> Attribution:
    """SHAP values (path-dependent) of the rows; ``few`` is the engine for a handful and the judge of the batch."""
    if len(frame) < BATCH:
        return few(frame)
    spread = np.linspace(0, len(frame) - 1, CHECKED).astype(int)
    judged = few(frame.iloc[spread])
    batch = _woodelf(model, frame, base=float(judged.base[0]))
    if batch is None or not _agrees(batch.values[spread], judged.values):
        return few(frame)
    off = np.flatnonzero(~(explaining.missed(batch.base, batch.values, margin) <= batch.epsilon))
    if len(off) > MOST_MENDED * len(frame):
        return few(frame)
    if len(off):
        batch.values[off] = few(frame.iloc[off]).values
    return batch


def explainer_of(model: Any) -> Any:
    """Shap's TreeExplainer, path-dependent. Making one reads every tree: a predictor makes it once."""
    import shap

    return shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")


def tree_explainer(model: Any, matrix: np.ndarray, *, column: int | None = None, explainer: Any = None) -> Attribution:
    """Values by shap's TreeExplainer. ``column`` picks a class where the explainer gives one matrix a class."""
    explainer = explainer or explainer_of(model)
    values = np.asarray(explainer.shap_values(matrix, check_additivity=False), dtype=float)
    base = np.atleast_1d(np.asarray(explainer.expected_value, dtype=float))
    if values.ndim == 3:
        values = values[:, :, column or 0]
    start = float(base[column or 0] if len(base) > 1 else base[0])
    return Attribution(np.full(len(matrix), start), values, FLOAT32, True, "exact, path-dependent (shap TreeExplainer)")


def _agrees(batch: np.ndarray, judged: np.ndarray) -> bool:
    scale = np.maximum(1.0, np.abs(judged).sum(axis=1, keepdims=True))
    return bool((np.abs(batch - judged) / scale).max() <= FLOAT32)


def _woodelf(model: Any, frame: pd.DataFrame, *, base: float) -> Attribution | None:
    """Woodelf's values, None where it cannot read the model (native categories, for one)."""
    try:
        from woodelf import WoodelfExplainer

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            explainer = WoodelfExplainer(model, feature_perturbation="tree_path_dependent")
            values = np.asarray(explainer.shap_values(frame, verbose=False), dtype=float)
    except Exception as problem:
        log.warning("woodelf left %d rows to the exact engine: %s", len(frame), type(problem).__name__)
        return None
    if values.shape != frame.shape:
        return None
    return Attribution(np.full(len(frame), base), values, FLOAT32, True, "exact, path-dependent (woodelf)")
