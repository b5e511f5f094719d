"""Row rules as a property: whatever the policy, the person and the question, the answer is that of the visible rows.

Which rows are visible is worked out here a second time, from the words of ``access.yml``, row by row.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.definitions import (
    AccessFile,
    Attribute,
    Column,
    Dataset,
    LakeFile,
    Measure,
    Metric,
    MetricsFile,
    ModelsFile,
    Noun,
    Overview,
    Role,
    RowGroup,
    RowRule,
    Workspace,
)
from data.lake_duckdb import ArrowLake
from data.questions import (
    Aggregate,
    Aggregated,
    And,
    Compare,
    Everything,
    Filter,
    Group,
    Or,
    Order,
    Question,
    Select,
    Table,
)
from services import access
from services.access import Viewer, viewer_of
from tests import oracle, policy_by_hand

TABLE = Table("rows", 0)
KINDS = {"id": "integer", "tour": "string", "owner": "string", "size": "integer", "money": "number", "open": "boolean"}
TOURS, OWNERS = ("Nord", "Süd", "it's"), ("ada", "ben")
TYPES = {"integer": pa.int64(), "string": pa.string(), "number": pa.float64(), "boolean": pa.bool_()}
SCHEMA = pa.schema({name: TYPES[kind] for name, kind in KINDS.items()})
CASES = settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def made_rows(seed: int, first: int = 0, count: int = 60) -> list[dict[str, Any]]:
    """Rows with blanks everywhere but in the key; money in whole francs, so that sums are exact."""
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = {
        "tour": lambda: str(rng.choice(TOURS)),
        "owner": lambda: str(rng.choice(OWNERS)),
        "size": lambda: int(rng.integers(-2, 3)),
        "money": lambda: float(rng.integers(-9, 30)),
        "open": lambda: bool(rng.integers(0, 2)),
    }
    return [
        {"id": first + i, **{n: None if rng.random() < 0.15 else make() for n, make in values.items()}}
        for i in range(count)
    ]


@lru_cache(maxsize=8)
def lake_of(seed: int) -> tuple[list[dict[str, Any]], ArrowLake]:
    """Rows and the lake that holds them, kept because the engine takes longer to start than to answer."""
    rows = made_rows(seed)
    return rows, ArrowLake({("rows", 0): pa.Table.from_pylist(rows, schema=SCHEMA)})


# ── random policies, people and questions ─────────────────────────────────────────────────────────

values = {
    "string": st.sampled_from((*TOURS, *OWNERS, "", "nobody")),
    "integer": st.integers(-3, 3),
    "number": st.integers(-10, 30).map(float),
    "boolean": st.booleans(),
}
columns = st.sampled_from([n for n in KINDS if n != "id"])


@st.composite
def rules(draw: st.DrawFn) -> RowRule:
    """A comparison with an attribute of the person, or with what the policy says itself."""
    if draw(st.booleans()):
        operator = draw(st.sampled_from(["in", "not_in", "eq", "ne"]))
        column, attribute = draw(st.sampled_from([("tour", "tour"), ("owner", "owner"), ("tour", "owner")]))
        return RowRule(column=column, operator=operator, attribute=attribute)
    column = draw(columns)
    operator = draw(st.sampled_from(["eq", "ne", "lt", "ge", "in", "not_in", "is_null", "not_null"]))
    kind = values[KINDS[column]]
    if operator in ("is_null", "not_null"):
        return RowRule(column=column, operator=operator)
    if operator in ("in", "not_in"):
        return RowRule(column=column, operator=operator, value=tuple(draw(st.lists(kind | st.none(), max_size=3))))
    return RowRule(column=column, operator=operator, value=draw(kind))


@st.composite
def groups(draw: st.DrawFn) -> RowGroup:
    """A group of rules over this dataset, over all, or over another one."""
    datasets = draw(st.sampled_from([("rows",), ("*",), ("others",), ("rows", "others")]))
    if draw(st.integers(0, 9)) == 0:
        return RowGroup(datasets=datasets, all_rows=True, reason="They see everything.")
    return RowGroup(datasets=datasets, rules=tuple(draw(st.lists(rules(), max_size=3))))


people = st.fixed_dictionaries(
    {}, optional={"tour": st.lists(st.sampled_from(TOURS), max_size=2, unique=True).map(tuple),
                  "owner": st.lists(st.sampled_from(OWNERS), max_size=2, unique=True).map(tuple)}
)  # fmt: skip


@st.composite
def comparisons(draw: st.DrawFn) -> Filter:
    """One predicate of a question."""
    column = draw(columns)
    kind = values[KINDS[column]]
    operator = draw(st.sampled_from(["eq", "ne", "le", "gt", "in", "not_in", "is_null", "not_null", "contains"]))
    if operator in ("is_null", "not_null"):
        return Compare(column, operator)
    if operator in ("in", "not_in"):
        return Compare(column, operator, tuple(draw(st.lists(kind | st.none(), max_size=3))))
    if operator == "contains":
        return Compare("tour", operator, draw(st.sampled_from(["o", "Ü", "%", "_", "'", ""])))
    return Compare(column, operator, draw(kind))


filters = st.recursive(
    comparisons() | st.just(Everything()),
    lambda inner: st.lists(inner, max_size=3).map(tuple).flatmap(lambda p: st.sampled_from([And(p), Or(p)])),
    max_leaves=4,
)


@st.composite
def measures(draw: st.DrawFn, number: int) -> Aggregated:
    """One aggregate; its own filter must not reach outside either."""
    agg = draw(st.sampled_from(["sum", "avg", "count", "count_distinct", "median", "min", "max"]))
    column = draw(st.sampled_from(["size", "money"]))
    own = draw(comparisons() | st.just(Everything()))
    return Aggregated(f"m{number}", agg, None if agg == "count" and draw(st.booleans()) else column, own)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """A window of rows, or aggregates by groups."""
    wanted = draw(filters)
    if draw(st.booleans()):
        order = tuple(Order(c, draw(st.booleans())) for c in draw(st.lists(columns, max_size=2, unique=True)))
        limit, offset = draw(st.sampled_from([(None, 0), (1, 0), (10, 0), (10, 5)]))
        return Select(TABLE, tuple(KINDS), wanted, (*order, Order("id")), limit, offset)
    by = tuple(Group(c) for c in draw(st.lists(st.sampled_from(["tour", "owner", "open"]), max_size=2, unique=True)))
    asked = tuple(draw(measures(i)) for i in range(draw(st.integers(1, 3))))
    return Aggregate(TABLE, asked, by, wanted)


def viewer_under(role: Role, attributes: dict[str, tuple[str, ...]]) -> Viewer:
    """The person as the policy sees them."""
    noun = Noun(one="row", many="rows")
    dataset = Dataset(
        label="Rows", noun=noun, path="rows", key=("id",), grain="a row",
        columns={n: Column(label=n, type=k) for n, k in KINDS.items()},  # type: ignore[arg-type]
    )  # fmt: skip
    count = Metric(label="Rows", measure="rows", owner="x", description="x")
    workspace = Workspace(
        lake=LakeFile(name="Test", datasets={"rows": dataset, "others": dataset}),
        metrics=MetricsFile(
            measures={"rows": Measure(dataset="rows", agg="count")}, metrics={"rows": count}, dimensions={},
            overview=Overview(cards=("rows",), dimensions=()),
        ),
        models=ModelsFile(models={}),
        access=AccessFile(
            attributes={"tour": Attribute(label="Tour", values=TOURS), "owner": Attribute(label="O", values=OWNERS)},
            roles={"role": role},
        ),
        fingerprint="",
    )  # fmt: skip
    return viewer_of(workspace, person_id=1, name="x", email="x@x", role="role", attributes=attributes)


def may_see(role: Role, attributes: dict[str, tuple[str, ...]], row: dict[str, Any]) -> bool:
    """The policy read aloud for a row of "rows"."""
    return policy_by_hand.may_see(role, attributes, row, "rows")


@pytest.mark.attack("R-01")
@CASES
@given(st.lists(groups(), max_size=3), people, questions(), st.integers(0, 5))
def test_an_answer_is_that_of_the_visible_rows(said, attributes, question, seed):
    role = Role(label="r", question="q", home="/", entries=(), actions=(), rows=tuple(said))
    rows, lake = lake_of(seed)
    visible = [r for r in rows if may_see(role, attributes, r)]
    found = lake.read(question, where=access.rows(viewer_under(role, attributes), "rows")).to_pylist()
    expected = oracle.answer(visible, question, Everything())
    assert oracle.same(found, expected, ordered=isinstance(question, Select)), (found[:3], expected[:3])


@pytest.mark.attack("R-01")
@settings(CASES, max_examples=150)
@given(st.lists(groups(), min_size=1, max_size=2), people, questions(), st.integers(0, 5), st.integers(10, 99))
def test_rows_outside_never_influence_an_answer(said, attributes, question, seed, other):
    """The rows that a person may not see are replaced by quite other ones: nothing they can see changes."""
    role = Role(label="r", question="q", home="/", entries=(), actions=(), rows=tuple(said))
    rows, lake = lake_of(seed)
    where = access.rows(viewer_under(role, attributes), "rows")
    inside = [r for r in rows if may_see(role, attributes, r)]
    strangers = [r for r in made_rows(other, first=1_000) if not may_see(role, attributes, r)]
    changed = ArrowLake({("rows", 0): pa.Table.from_pylist(inside + strangers, schema=SCHEMA)})
    try:
        before, after = (one.read(question, where=where).to_pylist() for one in (lake, changed))
    finally:
        changed.close()
    assert oracle.same(before, after, ordered=isinstance(question, Select))


@pytest.mark.attack("R-09")
@CASES
@given(st.lists(groups(), max_size=3), people, people)
def test_what_is_shared_by_the_cache_is_what_both_may_see(said, one, other):
    """Two people with the same fingerprint see the same rows: answers may be kept under it (law 10)."""
    role = Role(label="r", question="q", home="/", entries=(), actions=(), rows=tuple(said))
    first, second = viewer_under(role, one), viewer_under(role, other)
    rows = made_rows(1)
    seen = [[r["id"] for r in rows if may_see(role, who, r)] for who in (one, other)]
    if first.fingerprint == second.fingerprint:
        assert seen[0] == seen[1]
