"""One text for a shape of question: the numbers come back in their places, and nothing else is ever filled in."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import lake_ibis, lake_shapes
from data.lake_duckdb import ArrowLake
from data.questions import Aggregate, Aggregated, And, Compare, Everything, Or, Order, Select, Table
from tests import oracle

TABLE = Table("t", 1)
ROWS = [
    {"id": i, "small": i % 7, "name": f"n{i} 7310462000000001", "share": i / 7, "large": (-1) ** i * i * 10**15}
    for i in range(60)
]
SCHEMA = pa.schema(
    [("id", pa.int64()), ("small", pa.int32()), ("name", pa.string()), ("share", pa.float64()), ("large", pa.int64())]
)
LAKE = ArrowLake({("t", 1): pa.Table.from_pylist(ROWS, schema=SCHEMA)})
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-5, 70)


def compares() -> Any:
    tests = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])
    many = st.builds(
        Compare,
        st.sampled_from(["id", "large"]),
        st.sampled_from(["in", "not_in"]),
        st.lists(NUMBERS, max_size=6).map(tuple),
    )
    odd = st.sampled_from(
        [
            Compare("name", "contains", "7310462000000001"),
            Compare("name", "eq", "n3 7310462000000001"),
            Compare("share", "ge", 7310462000000000.0),
            Compare("small", "lt", 7310462000000001),
            Compare("id", "is_null"),
            Compare("small", "eq", 3),
        ]
    )
    return st.builds(Compare, st.sampled_from(["id", "large"]), tests, NUMBERS) | many | odd


filters = st.recursive(
    compares() | st.just(Everything()),
    lambda inside: (
        st.builds(And, st.lists(inside, max_size=3).map(tuple)) | st.builds(Or, st.lists(inside, max_size=3).map(tuple))
    ),
    max_leaves=6,
)


@given(filters, filters, st.none() | st.integers(0, 70), st.integers(0, 70))
def test_every_answer_is_that_of_plain_python(wanted: Any, where: Any, limit: int | None, offset: int) -> None:
    question = Select(TABLE, ("id", "large"), wanted, (Order("id"),), limit, offset)
    assert LAKE.read(question, where=where).to_pylist() == oracle.answer(ROWS, question, where)


@given(filters, NUMBERS)
def test_every_count_is_that_of_plain_python(wanted: Any, least: int) -> None:
    question = Aggregate(TABLE, (Aggregated("n", "count"), Aggregated("most", "max", "large")), filter=wanted)
    where = Compare("large", "ge", least)
    assert LAKE.read(question, where=where).to_pylist() == oracle.answer(ROWS, question, where)


def test_questions_that_differ_in_numbers_share_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    lake = ArrowLake({("t", 1): pa.Table.from_pylist(ROWS, schema=SCHEMA)})
    made: list[Any] = []
    real = lake_ibis.compile_question
    monkeypatch.setattr(lake_ibis, "compile_question", lambda *a: (made.append(a), real(*a))[1])
    for first in range(0, 40, 3):
        ids = tuple(range(first, first + 5))
        question = Select(TABLE, ("id",), Compare("id", "in", ids), (Order("id"),), limit=3, offset=first % 2)
        assert lake.read(question, where=Compare("id", "ge", 0)).column("id").to_pylist() == list(ids[first % 2 :][:3])
    assert len(made) == 2, "one with an offset, one without"


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 2**63, 2**70])
def test_only_whole_numbers_become_marks(value: Any) -> None:
    shape = lake_shapes.shape(Select(TABLE, ("id",), Compare("id", "eq", value)), Everything(), SCHEMA)
    assert shape.numbers == () and shape.question == Select(TABLE, ("id",), Compare("id", "eq", value))


def test_a_text_that_looks_like_a_mark_keeps_the_whole_question_as_it_is() -> None:
    question = Select(
        TABLE, ("id",), And((Compare("id", "ge", 3), Compare("name", "contains", "x7310462000000000"))), limit=2
    )
    assert lake_shapes.shape(question, Everything(), SCHEMA) == lake_shapes.Shape(question, Everything(), ())
