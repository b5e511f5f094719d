"""A scikit-learn model taken apart: whose column is whose, and what is not taken apart or not read at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from models import sklearn_parts
from models.predictor_skops import read


def test_every_transformed_column_belongs_to_the_input_it_was_made_from() -> None:
    """Against the names scikit-learn gives: by name, place, slice and mask; dropped levels, blanks, unions, rests."""
    frame = pd.DataFrame(
        {
            "a": ["x", "y", "z"] * 20,
            "b": ["p", "q"] * 30,
            "c": np.where(np.arange(60) % 7 == 0, np.nan, np.arange(60.0)),
            "d": np.arange(60.0) % 5,
            "e": np.ones(60),
        }
    )
    blanks = make_pipeline(SimpleImputer(add_indicator=True), VarianceThreshold())
    both = FeatureUnion([("s", StandardScaler()), ("m", MinMaxScaler())])
    model = ColumnTransformer(
        [
            ("w", OneHotEncoder(drop="first"), ["b", "a"]),
            ("n", blanks, [2, 4]),
            ("u", both, [False, False, False, True, False]),
            ("p", "passthrough", slice(3, 4)),
            ("g", "drop", ["a"]),
        ],
        remainder="passthrough",
    ).fit(frame)
    found = sklearn_parts.owners([model], tuple(frame.columns))
    assert found == ("b", "a", "a", "c", "c", "d", "d", "d")
    assert len(found) == model.transform(frame).shape[1]


def test_a_type_outside_the_list_is_named() -> None:
    model = MLPRegressor(hidden_layer_sizes=(1,), max_iter=1).fit([[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(TypeError, match="AdamOptimizer"):
        read(skops.io.dumps(model))


def test_a_step_that_mixes_inputs_is_not_taken_apart() -> None:
    """PCA gives as many columns as it takes, and none of them belongs to one input."""
    names = ("visits", "spend", "days")
    mixed = PCA(3).fit(pd.DataFrame(np.eye(3), columns=list(names)))
    with pytest.raises(sklearn_parts.Unexplainable, match="PCA mixes inputs"):
        sklearn_parts.owners([mixed], names)
