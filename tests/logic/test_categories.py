"""A category as somebody wrote it finds its values, whatever type the column has and whether it has blanks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data.definitions import ModelUse, Scalar
from services import score_tables

USE: dict[str, Any] = {
    "registered": "region",
    "label": "Region",
    "task": "classification",
    "target": "leaves",
    "scored": {"dataset": "shops", "key": ["shop"]},
    "words": {"entity": {"one": "shop", "many": "shops"}, "success": {"one": "leaver", "many": "leavers"}},
    "features": {"region": {"label": "Region", "one_hot": "region_"}},
    "outcomes": {"dataset": "past", "column": "outcome"},
}


def use(**others: Any) -> ModelUse:
    return ModelUse.model_validate(USE | others)


@pytest.mark.parametrize(
    ("values", "categories", "expected"),
    [
        ([1, 2, None], ("1", "2"), [[1, 0], [0, 1], [0, 0]]),
        ([1, 2, 2], ("1", "2"), [[1, 0], [0, 1], [0, 1]]),
        ([1, 2, None], ("1.0", "2.0"), [[1, 0], [0, 1], [0, 0]]),
        ([1.5, 2.0, None], ("1.5", "2.0"), [[1, 0], [0, 1], [0, 0]]),
        ([True, False, None], ("True", "False"), [[1, 0], [0, 1], [0, 0]]),
        ([True, False, None], ("true", "false"), [[1, 0], [0, 1], [0, 0]]),
        ([True, False, True], ("True", "False"), [[1, 0], [0, 1], [1, 0]]),
        (["a", "b", None], ("a", "b"), [[1, 0], [0, 1], [0, 0]]),
        (["01", "1", None], ("01", "1"), [[1, 0], [0, 1], [0, 0]]),
        ([1, 2, None], ("1", "nan"), [[1, 0], [0, 0], [0, 1]]),
        ([1, 0, None], ("a", "1_0"), [[0, 0], [0, 0], [0, 0]]),
    ],
)
def test_a_blank_does_not_empty_the_encoded_inputs_of_its_column(
    values: list[Any], categories: tuple[str, ...], expected: list[list[int]]
) -> None:
    rows = pa.table({"shop": list(range(len(values))), "region": values})
    made = score_tables.input_frame(rows, tuple(f"region_{c}" for c in categories), use())
    assert made.to_numpy().tolist() == expected


@pytest.mark.parametrize(
    ("positive", "values", "expected"),
    [
        (2, [1, 2, 2], [0, 1, 1]),
        (0, [0, 1, 0], [1, 0, 1]),
        (1, [0, 1, 1], [0, 1, 1]),
        (1, [0.0, 1.0], [0, 1]),
        (1, ["0", "1", "1.0"], [0, 1, 1]),
        (1, [True, False], [1, 0]),
        (True, [True, False], [1, 0]),
        (False, [True, False], [0, 1]),
        (True, ["True", "false"], [1, 0]),
        ("leave", ["leave", "stay"], [1, 0]),
        ("1", [1, 0], [1, 0]),
        ("yes", [1, 0], [0, 0]),
        (None, [1, 0], [1, 0]),
    ],
)
def test_an_outcome_is_a_success_where_it_is_the_positive_class(
    positive: Scalar, values: list[Any], expected: list[int]
) -> None:
    rows = pa.table({"outcome": values})
    found = score_tables.replay(use(positive=positive), rows, scores=np.zeros(len(values)), inputs=(), keep=())
    assert found.column("outcome").to_pylist() == expected


def test_the_outcome_of_a_regression_is_the_number_itself() -> None:
    rows = pa.table({"outcome": [1.0, 2.5]})
    found = score_tables.replay(use(task="regression", positive=1), rows, scores=np.zeros(2), inputs=(), keep=())
    assert found.column("outcome").to_pylist() == [1.0, 2.5]
