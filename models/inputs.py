"""The inputs of a model made from the rows of a dataset: in the model's order, encoded columns where it wants them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from data.definitions import Feature
from models import categories, scoring


class MissingInput(Exception):
    """The dataset has no column for an input. The argument is the input's name."""


class Source(NamedTuple):
    """Where an input comes from: a column as it is, or the column's being one ``category``."""

    column: str
    category: str | None = None


def sources_of(inputs: Sequence[str], features: Mapping[str, Feature], columns: Collection[str]) -> dict[str, Source]:
    """The column behind each input. Raises ``MissingInput``."""
    owner, found = scoring.owner_of(inputs, features), {}
    for name in inputs:
        feature = owner[name]
        prefix = features[feature].one_hot if feature in features else None
        if name in columns:
            found[name] = Source(name)
        elif prefix and feature in columns:
            found[name] = Source(feature, name.removeprefix(prefix))
        else:
            raise MissingInput(name)
    return found


def frame_of(rows: Mapping[str, pd.Series] | pd.DataFrame, sources: Mapping[str, Source]) -> pd.DataFrame:
    """The inputs of these rows: (n, inputs)."""
    return pd.DataFrame(
        {
            name: rows[column] if category is None else categories.equals(rows[column], category).astype(float)
            for name, (column, category) in sources.items()
        }
    )
