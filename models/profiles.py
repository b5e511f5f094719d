"""Profiles: what the inputs of a model usually look like, as published aggregates of at least twenty rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from models.predicting import InputKind, InputProfile, ModelProfile

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
    if len(known) < FEWEST:  # a percentile of a few known values is one of them
        return InputProfile(name, _kind(known), blanks=blanks)
    if pd.api.types.is_bool_dtype(known) or not pd.api.types.is_numeric_dtype(known):
        counts = known.astype(str).value_counts()
        kept = tuple(sorted(str(c) for c, n in counts.items() if n >= FEWEST))
        first = str(counts.index[0])
        return InputProfile(
            name, _kind(known), typical=first if first in kept else None, categories=kept, blanks=blanks
        )
    values = known.to_numpy(dtype=float)
    low, p10, middle, p90, high = (float(v) for v in np.percentile(values, [1, 10, 50, 90, 99]))
    return InputProfile(
        name, _kind(known),
        low=low, high=high, p10=p10, p90=p90, mean=float(values.mean()), typical=middle, blanks=blanks,
    )  # fmt: skip


def _kind(known: pd.Series) -> InputKind:
    if pd.api.types.is_bool_dtype(known):
        return "boolean"
    if not pd.api.types.is_numeric_dtype(known):
        return "category" if len(known) else "number"
    values = known.to_numpy(dtype=float)
    return "integer" if len(values) and bool(np.all(values == np.round(values))) else "number"
