"""A category as somebody wrote it, found among the values of a column, whatever type the column came in.

A blank turns whole numbers into fractions and yes or no into numbers on the way to pandas, so that the text of a value
says nothing certain: numbers are compared as numbers.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from data.definitions import Scalar

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
WORDS = {"true": 1.0, "false": 0.0, "nan": np.nan}


def equals(column: pd.Series, said: Scalar) -> np.ndarray:
    """(n,) where the column has the value that was said: 1, 1.0, "1" and "1.0" are one number, true is 1.

    "nan" is a blank among numbers, as an encoder names it.
    """
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        number = _number(said)
        values = column.to_numpy(dtype=float, na_value=np.nan)
        if number is None:
            return np.zeros(len(column), dtype=bool)
        return np.asarray(np.isnan(values) if np.isnan(number) else values == number)
    if isinstance(said, bool):
        return (column.astype(str).str.lower() == str(said).lower()).to_numpy(dtype=bool)
    if isinstance(said, int | float):
        return (pd.to_numeric(column.astype(str), errors="coerce") == said).to_numpy(dtype=bool)
    return (column.astype(str) == str(said)).to_numpy(dtype=bool)


def _number(said: Scalar) -> float | None:
    """The number that is said, None for a word."""
    if isinstance(said, str):
        return float(said) if NUMBER.fullmatch(said) else WORDS.get(said.lower())
    return float(said) if isinstance(said, int | float) else None
