"""A feature's columns are its own: a prefix does not swallow another feature that begins like it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest

from data.definitions import Feature, Scalar
from models import scoring, what_if
from models.predicting import InputProfile, ModelProfile
from services import explanations, lead_rows

FEATURES = {
    "brand": Feature(label="Brand", one_hot="brand_"),
    "brand_count": Feature(label="Number of brands"),
    "brand_size": Feature(label="Size of the brand", one_hot="brand_size_"),
    "visits": Feature(label="Visits"),
}
INPUTS = ("brand_count", "brand_A", "brand_B", "brand_size_S", "visits")
PROFILE = ModelProfile(tuple(InputProfile(n, "integer", low=0, high=9) for n in INPUTS), rows=500, source="training")
STORED: dict[str, Scalar] = {"brand_count": 4, "brand_A": 0, "brand_B": 1, "brand_size_S": 1, "visits": 2}
BLANK: dict[str, Scalar] = STORED | {"brand_B": 0}


def test_the_columns_of_each_feature() -> None:
    assert {name: scoring.columns_of(name, INPUTS, FEATURES) for name in FEATURES} == {
        "brand": ("brand_A", "brand_B"),
        "brand_count": ("brand_count",),
        "brand_size": ("brand_size_S",),
        "visits": ("visits",),
    }


@pytest.mark.parametrize(("row", "expected"), [(STORED, "B"), (BLANK, None)])
def test_a_value_is_read_from_the_features_own_columns(row: dict[str, Scalar], expected: Scalar) -> None:
    assert explanations.feature_value("brand", FEATURES["brand"], row, FEATURES) == expected
    assert explanations.feature_value("brand_count", FEATURES["brand_count"], row, FEATURES) == 4


def test_only_the_features_own_categories_are_offered() -> None:
    assert what_if.categories("brand", FEATURES["brand"], PROFILE, FEATURES) == ("A", "B")
    assert what_if.categories("brand_size", FEATURES["brand_size"], PROFILE, FEATURES) == ("S",)


def test_choosing_a_category_leaves_the_other_feature_alone() -> None:
    """Were it not so, somebody would move an input that is not theirs to move."""
    found = what_if.check({"brand": "A"}, STORED, profile=PROFILE, features=FEATURES, allowed={"brand"})
    assert found.row == STORED | {"brand_A": 1.0, "brand_B": 0.0}
    assert found.changed == ("brand",)


@pytest.mark.parametrize("word", ["count", "size_S"])
def test_the_end_of_another_features_name_is_no_category(word: str) -> None:
    found = what_if.check({"brand": word}, STORED, profile=PROFILE, features=FEATURES, allowed={"brand"})
    assert found.findings["brand"].kind == "unknown_category"
    assert found.row == STORED


def test_the_effect_of_a_change_is_that_of_its_own_columns() -> None:
    edits = {"brand": "A", "brand_count": "5"}
    found = what_if.check(edits, STORED, profile=PROFILE, features=FEATURES, allowed=set(FEATURES))
    assert dict(what_if._part(found, "brand", FEATURES, PROFILE)) == {"brand_A": 1.0, "brand_B": 0.0}


def test_a_reason_reads_the_columns_of_its_feature_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def stored(_: Any, __: Any, ___: Any, ids: Any, columns: Any) -> pa.Table:
        asked.extend(columns)
        return pa.table({"row_id": list(ids)})

    monkeypatch.setattr(lead_rows, "_stored", stored)
    sources = SimpleNamespace(lake=SimpleNamespace(schema=lambda _: SimpleNamespace(names=["row_id", "key", *INPUTS])))
    found = SimpleNamespace(model=SimpleNamespace(features=FEATURES), run=SimpleNamespace(inputs=None))
    lead_rows._inputs(cast(Any, sources), cast(Any, found), [1], frozenset({"brand"}))
    assert asked == ["row_id", "brand_A", "brand_B"]
