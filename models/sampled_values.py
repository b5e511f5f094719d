"""Sampled SHAP values, for models that have no exact taking apart: permutations around one typical row.

Every order of the inputs walks from the typical row to the row itself and gives each input what its step changed
(Strumbelj and Kononenko 2014, "Explaining prediction models and individual predictions with feature contributions",
algorithm 1). Orders come in pairs, one the reverse of the other (Mitchell et al. 2022, "Sampling Permutations for
Shapley Value Estimation", section 4.1). Each walk ends at the score, so the values add up exactly; how they are shared
is an estimate with the stated budget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from models.predicting import Attribution

PAIRS = 10
SEED = 20_171_231
MOST_ROWS = 200_000


def around(
    score: Callable[[pd.DataFrame], np.ndarray], frame: pd.DataFrame, typical: Mapping[str, Any], *, pairs: int = PAIRS
) -> Attribution:
    """SHAP values of the rows against the row ``typical``, from ``2 * pairs`` orders; the same rows, the same values.

    ``score`` is called with about ``2 * pairs * inputs`` rows for each row of ``frame``.
    """
    chooser = np.random.default_rng(SEED)
    orders = [chooser.permutation(frame.shape[1]) for _ in range(pairs)]
    step = max(1, MOST_ROWS // max(1, frame.shape[1]))
    start = float(score(_repeated(frame.iloc[:1], typical))[0]) if len(frame) else 0.0
    parts = [
        _walked(score, frame.iloc[at : at + step], typical, orders, start) for at in range(0, max(len(frame), 1), step)
    ]
    method = f"sampled, {2 * pairs} orders around the typical row"
    return Attribution(np.full(len(frame), start), np.concatenate(parts), 1e-9, False, method)


def _walked(
    score: Callable[[pd.DataFrame], np.ndarray],
    frame: pd.DataFrame,
    typical: Mapping[str, Any],
    orders: list[np.ndarray],
    start: float,
) -> np.ndarray:
    total = np.zeros(frame.shape)
    if frame.empty:
        return total
    for order in orders:
        for walk in (order, order[::-1]):
            after = score(_steps(frame, typical, walk)).reshape(len(walk), len(frame))
            before = np.vstack([np.full(len(frame), start), after[:-1]])
            total[:, walk] += (after - before).T
    return total / (2 * len(orders))


def _steps(frame: pd.DataFrame, typical: Mapping[str, Any], walk: np.ndarray) -> pd.DataFrame:
    """All rows after one step of the walk, then all after two, and so on."""
    here = _repeated(frame, typical)
    made = []
    for column in walk:
        here = here.copy()
        here.isetitem(int(column), frame.iloc[:, int(column)].to_numpy())
        made.append(here)
    return pd.concat(made, ignore_index=True)


def _repeated(frame: pd.DataFrame, typical: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({name: [typical[name]] * len(frame) for name in frame.columns})
