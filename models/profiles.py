"""Profiles: what the inputs of a model usually look like, as published aggregates of at least twenty rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from models.predicting import InputProfile, ModelProfile

FEWEST = 20


def profile(frame: pd.DataFrame, inputs: Sequence[str], *, source: str = "training") -> ModelProfile:
    """The profile of the inputs over these rows. Fewer than twenty rows are refused: they would show single ones."""
    if len(frame) < FEWEST:
        raise ValueError(f"A profile must be made from at least {FEWEST} rows, got {len(frame)}.")
    made = tuple(_input(frame[name], name) for name in inputs)
    return ModelProfile(made, len(frame), "training" if source == "training" else "scored data")


def typical(frame: pd.DataFrame, inputs: Sequence[str]) -> dict[str, Any]:
    """One row of medians and most frequent values, as plain JSON: where sampled explanations start."""
    made: dict[str, Any] = {}
    for name in inputs:
        known = frame[name].dropna()
        if known.empty:
            made[name] = None
        elif pd.api.types.is_bool_dtype(known):
            made[name] = bool(known.mode().iloc[0])
        elif pd.api.types.is_numeric_dtype(known):
            made[name] = float(np.median(known.to_numpy(dtype=float)))
        else:
            made[name] = str(known.astype(str).mode().iloc[0])
    return made


def _input(column: pd.Series, name: str) -> InputProfile:
    known = column.dropna()
    blanks = bool(column.isna().any())
    if known.empty:
        return InputProfile(name, "number", blanks=True)
    if pd.api.types.is_bool_dtype(known) or not pd.api.types.is_numeric_dtype(known):
        counts = known.astype(str).value_counts()
        kept = tuple(sorted(str(c) for c, n in counts.items() if n >= FEWEST))
        kind = "boolean" if pd.api.types.is_bool_dtype(known) else "category"
        return InputProfile(name, kind, typical=str(counts.index[0]), categories=kept, blanks=blanks)  # type: ignore[arg-type]
    values = known.to_numpy(dtype=float)
    low, p10, middle, p90, high = (float(v) for v in np.percentile(values, [1, 10, 50, 90, 99]))
    whole = bool(np.all(values == np.round(values)))
    return InputProfile(
        name, "integer" if whole else "number",
        low=low, high=high, p10=p10, p90=p90, mean=float(values.mean()), typical=middle, blanks=blanks,
    )  # fmt: skip
