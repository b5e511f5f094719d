"""The address and the grid's requests as questions: what is understood, what is refused and in which words."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.definitions import Feature, ModelUse, Noun, Scored, Words
from data.questions import And, Compare, Or, Order
from services import lead_query
from services.errors import InvalidQuery, NotFound
from services.lead_query import LeadColumn, LeadQuery

SCORE = LeadColumn("score", "Score", "probability", None, "score")
BAND = LeadColumn("band", "Band", "text", None, "band")
NAME = LeadColumn("contact", "Contact", "text", None, "name")
SPEND = LeadColumn("spend", "Spend", "number", "currency", "value")
SHARE = LeadColumn("share", "Share", "number", "percent")
NUMBER = LeadColumn("household", "Household", "identifier")
ENDS = LeadColumn("ends", "Last day", "date")
SHORT = LeadColumn("short", "Short history", "other")
COLUMNS = (SCORE, BAND, NAME, SPEND, SHARE, NUMBER, ENDS, SHORT)
BANDS = ("A", "B")
NOUN = Noun(one="household", many="households")


def model(*key: str) -> ModelUse:
    """A model whose rows have this key."""
    return ModelUse(
        registered="m",
        label="M",
        task="classification",
        target="t",
        scored=Scored(dataset="d", key=key),
        words=Words(entity=NOUN, success=NOUN),
        features={"f": Feature(label="F")},
    )


def filtered(filters: Any, **others: Any) -> Any:
    return lead_query.asked_filter(LeadQuery(filters=filters, **others), COLUMNS, BANDS)


# ── the address ───────────────────────────────────────────────────────────────────────────────────


def test_an_address_says_the_whole_state_and_comes_back_as_it_was() -> None:
    said = {
        "list": "campaigns",
        "of": "Winter/24 & more",
        "band": "A,B",
        "q": "o'hara 100 %",
        "sort": "-spend,contact",
        "f": '{"spend":{"filterType":"number","type":"lessThan","filter":3}}',
    }
    query = LeadQuery.from_url(said)
    assert query.bands == ("A", "B") and query.sort == (Order("spend", True), Order("contact"))
    from urllib.parse import parse_qsl

    assert LeadQuery.from_url(dict(parse_qsl(query.to_url()))) == query


@given(
    st.text(max_size=40).filter(lambda t: "\x00" not in t),
    st.lists(st.sampled_from(["A", "B"]), unique=True),
    st.lists(st.tuples(st.sampled_from(["spend", "contact", "score"]), st.booleans()), unique_by=lambda t: t[0]),
)
def test_every_state_survives_the_address(search: str, bands: list[str], sort: list[tuple[str, bool]]) -> None:
    from urllib.parse import parse_qsl

    query = LeadQuery("l", "o", tuple(bands), search, tuple(Order(c, d) for c, d in sort), {"x": {"type": "blank"}})
    assert LeadQuery.from_url(dict(parse_qsl(query.to_url(), keep_blank_values=True))) == query


@pytest.mark.parametrize(
    "said",
    [
        {"q": "x" * 101},
        {"q": "a\x00b"},
        {"list": ["a"]},
        {"band": 3},
        {"f": "{"},
        {"f": "[1]"},
        {"f": '"text"'},
        {"f": "[" * 3_000},
        {"f": '{"a":' + '"' + "x" * 4_000 + '"}'},
        {"f": 3},
        {"sort": "a,b,c,d,e,f"},
    ],
)
def test_an_unreadable_part_of_an_address_is_refused_in_one_sentence(said: dict[str, Any]) -> None:
    with pytest.raises(InvalidQuery) as refused:
        LeadQuery.from_url(said)
    assert refused.value.sentence.endswith(".") and refused.value.next_step


def test_a_column_named_twice_counts_once() -> None:
    assert LeadQuery.from_url({"sort": "-a,a,b"}).sort == (Order("a", True), Order("b"))


# ── what the grid sends ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("start", "end", "wanted"), [(0, 100, (0, 100)), (300, 400, (300, 100)), (0, 5_000, (0, 500)), (7, 7, (7, 0))]
)
def test_a_window_is_first_and_count(start: int, end: int, wanted: tuple[int, int]) -> None:
    assert lead_query.window({"startRow": start, "endRow": end}) == wanted


@pytest.mark.attack("Q-02")
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (-1, 10),
        (10, 0),
        (0, 10**12),
        (0.0, 10),
        ("0", "10"),
        (True, 10),
        (None, None),
        (math.nan, 1),
        (0, [1]),
        (0, math.inf),
    ],
)
def test_rows_are_asked_for_by_whole_numbers(start: Any, end: Any) -> None:
    with pytest.raises(InvalidQuery, match="whole numbers"):
        lead_query.window({"startRow": start, "endRow": end})


@pytest.mark.parametrize(
    "request_",
    [
        {"sortModel": "spend"},
        {"sortModel": ["spend"]},
        {"sortModel": {"colId": "spend"}},
        {"filterModel": [1]},
        {"filterModel": "x"},
        {"sortModel": [{"colId": f"c{i}", "sort": "asc"} for i in range(6)]},
    ],
)
def test_a_grid_request_of_another_shape_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(InvalidQuery):
        LeadQuery().with_grid(request_)


def test_the_grid_replaces_sorting_and_filters_only() -> None:
    query = LeadQuery("l", "o", ("A",), "x").with_grid(
        {"sortModel": [{"colId": "spend", "sort": "desc"}], "filterModel": {"spend": {"type": "blank"}}}
    )
    assert query == LeadQuery("l", "o", ("A",), "x", (Order("spend", True),), {"spend": {"type": "blank"}})


# ── filters ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("column", "said", "wanted"),
    [
        ("contact", {"type": "contains", "filter": "%_'"}, Compare("contact", "contains", "%_'")),
        ("contact", {"type": "startsWith", "filter": "A"}, Compare("contact", "starts_with", "A")),
        ("contact", {"type": "notBlank"}, Compare("contact", "not_null")),
        ("spend", {"type": "greaterThanOrEqual", "filter": 12.5}, Compare("spend", "ge", 12.5)),
        ("spend", {"type": "blank"}, Compare("spend", "is_null")),
        ("household", {"type": "equals", "filter": 12}, Compare("household", "eq", 12.0)),
        ("ends", {"type": "lessThan", "dateFrom": "2017-12-31 00:00:00"}, Compare("ends", "lt", date(2017, 12, 31))),
    ],
)
def test_a_column_filter_is_a_predicate(column: str, said: dict[str, Any], wanted: Compare) -> None:
    assert filtered({column: said}) == (wanted,)


def test_shares_are_typed_in_per_cent() -> None:
    """The list shows 72 %, so 72 is what a person types; also for a column with the unit "percent"."""
    said = {"type": "inRange", "filter": 20, "filterTo": 72}
    for column in ("score", "share"):
        (found,) = filtered({column: said})
        assert isinstance(found, And)
        assert [(p.operator, round(p.value, 12)) for p in found.parts] == [("ge", 0.2), ("le", 0.72)]  # type: ignore[union-attr, arg-type]


def test_days_of_a_range() -> None:
    (found,) = filtered({"ends": {"type": "inRange", "dateFrom": "2017-01-02", "dateTo": "2017-02-03"}})
    assert found == And((Compare("ends", "ge", date(2017, 1, 2)), Compare("ends", "le", date(2017, 2, 3))))


def test_conditions_are_joined_as_the_grid_says() -> None:
    both = [{"type": "contains", "filter": "a"}, {"type": "contains", "filter": "b"}]
    parts = (Compare("contact", "contains", "a"), Compare("contact", "contains", "b"))
    assert filtered({"contact": {"operator": "OR", "conditions": both}}) == (Or(parts),)
    assert filtered({"contact": {"operator": "AND", "conditions": both}}) == (And(parts),)


@pytest.mark.parametrize(
    "filters",
    [
        {"email": {"type": "contains", "filter": "x"}},
        {"email": {"type": "blank"}},
        {"row_id": {"type": "equals", "filter": 1}},
        {"contact; drop table": {"type": "blank"}},
        {"contact": "x"},
        {"contact": {"type": "regexp", "filter": ".*"}},
        {"contact": {"type": ["contains"], "filter": "x"}},
        {"contact": {"type": "contains", "filter": ""}},
        {"contact": {"type": "contains", "filter": "x" * 101}},
        {"contact": {"type": "contains", "filter": {"$ne": 1}}},
        {"contact": {"conditions": []}},
        {"contact": {"conditions": [{"type": "blank"}] * 11}},
        {"contact": {"conditions": [{"conditions": [{"type": "blank"}]}]}},
        {"spend": {"type": "lessThan", "filter": "1 or 1=1"}},
        {"spend": {"type": "lessThan", "filter": True}},
        {"spend": {"type": "lessThan", "filter": math.nan}},
        {"spend": {"type": "lessThan", "filter": math.inf}},
        {"spend": {"type": "lessThan", "filter": 10**400}},
        {"spend": {"type": "inRange", "filter": 1}},
        {"ends": {"type": "equals", "dateFrom": "yesterday"}},
        {"ends": {"type": "inRange", "dateFrom": "2017-01-01"}},
        {"ends": {"type": "contains", "filter": "2017"}},
        {"short": {"type": "equals", "filter": True}},
        {"short": {"type": "blank"}},
    ],
)
def test_a_filter_outside_the_list_is_refused_in_one_sentence(filters: dict[str, Any]) -> None:
    with pytest.raises(InvalidQuery) as refused:
        filtered(filters)
    assert refused.value.sentence.endswith(".") and refused.value.next_step == "Reset the filters."


@pytest.mark.attack("Q-01", "Q-10")
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda inside: (
            st.lists(inside, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "filter", "filterTo", "conditions", "operator", "x"]), inside, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_no_filter_breaks_the_parser(said: Any) -> None:
    """Whatever stands in a filter gives predicates over known columns or a refusal."""
    for column in COLUMNS:
        try:
            found = filtered({column.field: said})
        except InvalidQuery:
            continue
        assert all(c.column == column.field for c in _compares(found))


def _compares(parts: Any) -> list[Compare]:
    found: list[Compare] = []
    for part in parts:
        found += [part] if isinstance(part, Compare) else _compares(part.parts)
    return found


def test_bands_are_those_of_the_model() -> None:
    assert filtered(None, bands=("B", "A")) == (Compare("band", "in", ("B", "A")),)
    with pytest.raises(InvalidQuery, match="one of A, B"):
        filtered(None, bands=("Z",))


def test_search_looks_into_texts_and_whole_identifiers() -> None:
    (found,) = filtered(None, search=" 12 ")
    assert found == Or((Compare("contact", "contains", "12"), Compare("household", "eq", 12)))
    (found,) = filtered(None, search="a12")
    assert found == Or((Compare("contact", "contains", "a12"),))
    assert filtered(None, search="  ") == ()
    (found,) = filtered(None, search="9" * 30)
    assert found == Or((Compare("contact", "contains", "9" * 30),))


# ── sorting ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sort", "wanted"),
    [
        ((), (Order("row_id"),)),
        ((Order("rank"),), (Order("row_id"),)),
        ((Order("rank", True),), (Order("row_id", True),)),
        ((Order("spend", True),), (Order("spend", True), Order("row_id"))),
        ((Order("spend"), Order("rank", True)), (Order("spend"), Order("row_id", True))),
    ],
)
def test_every_order_ends_in_a_unique_tie_break(sort: tuple[Order, ...], wanted: tuple[Order, ...]) -> None:
    assert lead_query.asked_order(LeadQuery(sort=sort), COLUMNS) == wanted


@pytest.mark.attack("Q-01")
@pytest.mark.parametrize("column", ["email", "row_id", "why", "margin", "1; select 1"])
def test_sorting_by_a_column_outside_the_list_is_refused(column: str) -> None:
    with pytest.raises(InvalidQuery, match="no column"):
        lead_query.asked_order(LeadQuery(sort=(Order(column),)), COLUMNS)


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_every_key_comes_back_from_its_address(one: str, two: str) -> None:
    row = {"a": one, "b": two}
    text = lead_query.key_text(model("a", "b"), row)
    assert not set(text) & set("/?#& \n")
    found = lead_query.key_filter(model("a", "b"), text, {"a": "string", "b": "string"})
    assert found == And((Compare("a", "eq", one), Compare("b", "eq", two)))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (12, "int64"),
        (-3, "int32"),
        (1.5, "double"),
        (True, "bool"),
        (date(2017, 12, 31), "date32[day]"),
        (datetime(2017, 12, 31, 5, tzinfo=UTC), "timestamp[us, tz=UTC]"),
    ],
)
def test_a_key_has_the_type_of_its_column(value: Any, kind: str) -> None:
    text = lead_query.key_text(model("a"), {"a": value})
    assert lead_query.key_filter(model("a"), text, {"a": kind}) == And((Compare("a", "eq", value),))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x", "int64"),
        ("1_0", "int64"),
        ("007", "int64"),
        (" 7", "int64"),
        ("9" * 5_000, "int64"),
        (str(2**63), "int64"),
        ("x", "double"),
        ("yes", "bool"),
        ("31.12.2017", "date32[day]"),
        ("1~2", "int64"),
        ("", "int64"),
    ],
)
def test_what_cannot_be_a_key_is_simply_not_there(text: str, kind: str) -> None:
    with pytest.raises(NotFound) as refused:
        lead_query.key_filter(model("a"), text, {"a": kind})
    assert refused.value.sentence == "There is no such lead in your list."


def test_filters_in_an_address_are_json() -> None:
    query = LeadQuery("l", filters={"spend": {"type": "blank"}})
    assert json.loads('{"spend":{"type":"blank"}}') == query.filters
    assert "f=%7B%22spend%22" in query.to_url()
