"""The metrics engine on a handful of rows: literal numbers, and a slow plain count of any rows over any days."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.definitions import Condition, Dataset, Dimension, LakeFile, Measure, Metric, MetricsFile, Noun, Overview
from data.lake_duckdb import ArrowLake
from data.metric_book import MetricBook, MetricError, SourceTable, additive, dimensions_of, foldable, hidden_need
from data.metric_members import contributions, fold
from data.metric_plan import Ask, plan
from data.metrics import ALL, Facts, evaluate, known_days, lookup, measure, together
from data.periods import Span
from data.questions import Compare, Everything, Filter, Nothing, Table

ZONE = "America/New_York"
DAY = timedelta(days=1)
SCHEMA = pa.schema(
    [
        ("at", pa.timestamp("us", tz="UTC")),
        ("kind", pa.string()),
        ("basket", pa.int64()),
        ("buyer", pa.int64()),
        ("sales", pa.float64()),
        ("cut", pa.float64()),
    ]
)


def metric(**about: Any) -> Metric:
    return Metric(**{"label": "x", "owner": "x", "description": "x", **about})


MEASURES = {
    "sales": Measure(dataset="lines", agg="sum", column="sales"),
    "cut": Measure(dataset="lines", agg="sum", column="cut"),
    "lines": Measure(dataset="lines", agg="count"),
    "baskets": Measure(dataset="lines", agg="count_distinct", column="basket"),
    "typical": Measure(dataset="lines", agg="median", column="sales"),
    "big": Measure(
        dataset="lines", agg="sum", column="sales", where=(Condition(column="sales", operator="ge", value=5),)
    ),
    "visits": Measure(dataset="visits", agg="count"),
}
METRICS = {
    "sales": metric(measure="sales"),
    "lines": metric(measure="lines"),
    "baskets": metric(measure="baskets"),
    "typical": metric(measure="typical"),
    "big": metric(measure="big"),
    "average": metric(kind="ratio", numerator=("sales",), denominator=("baskets",)),
    "depth": metric(kind="ratio", numerator=("cut",), denominator=("sales", "cut")),
    "net": metric(kind="derived", plus=("sales",), minus=("cutting",)),
    "cutting": metric(measure="cut"),
    "this_year": metric(kind="cumulative", measure="sales", since="year"),
    "per_visit": metric(kind="ratio", numerator=("sales",), denominator=("visits",)),
}


def book(*, time: str | None = "at", is_date: bool = False) -> MetricBook:
    dataset = Dataset(
        label="Lines", noun=Noun(one="line", many="lines"), path="x", key=("at",), grain="x", time=time, columns={}
    )
    lake = LakeFile(name="Shop", timezone=ZONE, datasets={"lines": dataset, "visits": dataset})
    dimensions = {"kind": Dimension(label="Kind", column="kind", datasets=("lines",))}
    file = MetricsFile(
        measures=MEASURES, metrics=METRICS, dimensions=dimensions, overview=Overview(cards=("sales",), dimensions=())
    )
    source = SourceTable(Table("lines", 0), frozenset(SCHEMA.names), time, is_date)
    visits = SourceTable(Table("visits", 0), frozenset(("at",)), time, is_date)
    return MetricBook(file, lake, {"lines": source, "visits": visits})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def row(when: str, kind: str | None = "A", basket: int = 1, sales: float | None = 1.0, cut: float | None = 0.0) -> dict:
    return {"at": at(when), "kind": kind, "basket": basket, "buyer": 1, "sales": sales, "cut": cut}


def lake_of(rows: Sequence[dict], visits: Sequence[dict] = ()) -> ArrowLake:
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    seen = pa.Table.from_pylist(list(visits), schema=pa.schema([SCHEMA.field("at")]))
    return ArrowLake({("lines", 0): table, ("visits", 0): seen}, timezone=ZONE)


def ask(
    rows: Sequence[dict],
    *asks: Ask,
    where: Filter | None = None,
    newest: date | None = None,
    visits: Sequence[dict] = (),
) -> tuple[MetricBook, tuple[Facts, ...]]:
    made, lake = book(), lake_of(rows, visits)
    last = newest or date(2019, 12, 31)

    def seen(dataset: str) -> Filter:
        return where if where and dataset == "lines" else Everything()

    known = known_days(made, lake, where=seen, newest={"lines": last, "visits": last})
    return made, measure(made, asks, lake, where=seen, known=known)


def value(rows: Sequence[dict], name: str, span: Span, **others: Any) -> float | None:
    made, (facts,) = ask(rows, Ask((name,), (span,)), **others)
    return evaluate(made, name, span, lookup(made, facts))


YEAR = Span(date(2017, 1, 1), date(2017, 12, 31))
LATE = row("2018-01-01T04:30:00", sales=7.0)  # half past eleven in the evening of 31 December in New York


# ── days ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_sale_after_midnight_in_greenwich_belongs_to_the_evening_in_new_york():
    rows = [row("2017-06-01T12:00:00", sales=10.0), LATE]
    assert value(rows, "sales", YEAR) == 17.0
    assert value(rows, "sales", Span(date(2018, 1, 1), date(2018, 1, 31))) == 0.0


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2017-03-12T05:00:00", date(2017, 3, 12)),  # midnight of the day with 23 hours
        ("2017-03-12T04:59:59", date(2017, 3, 11)),
        ("2017-03-13T03:59:59", date(2017, 3, 12)),
        ("2017-03-13T04:00:00", date(2017, 3, 13)),
        ("2017-11-05T04:00:00", date(2017, 11, 5)),  # midnight of the day with 25 hours
        ("2017-11-06T04:59:59", date(2017, 11, 5)),
        ("2017-11-06T05:00:00", date(2017, 11, 6)),
    ],
)
def test_days_with_a_clock_change_begin_and_end_at_local_midnight(moment, day):
    rows = [row("2017-01-01T12:00:00"), row(moment, sales=3.0)]
    assert value(rows, "sales", Span(day, day)) == 3.0
    assert value(rows, "sales", Span(day - DAY, day - DAY)) == 0.0
    spans = tuple(Span(day + n * DAY, day + n * DAY) for n in (-1, 0, 1))
    made, (facts,) = ask(rows, Ask(("sales",), spans))
    assert [evaluate(made, "sales", s, lookup(made, facts)) for s in spans] == [0.0, 3.0, 0.0]


def test_a_column_of_dates_has_no_zone():
    schema = SCHEMA.set(0, pa.field("at", pa.date32()))
    rows = [{"at": d, "kind": "A", "basket": 1, "buyer": 1, "sales": v, "cut": 0.0}
            for d, v in ((date(2017, 12, 31), 2.0), (date(2018, 1, 1), 5.0))]  # fmt: skip
    lake = ArrowLake({("lines", 0): pa.Table.from_pylist(rows, schema=schema)}, timezone=ZONE)
    made = book(is_date=True)
    spans = (YEAR, Span(date(2018, 1, 1), date(2018, 12, 31)))
    known = known_days(made, lake, where=lambda _: Everything(), newest={"lines": date(2018, 1, 1)})
    assert known == {"lines": Span(date(2017, 12, 31), date(2018, 1, 1))}
    (facts,) = measure(made, (Ask(("sales",), spans),), lake, where=lambda _: Everything(), known=known)
    assert [evaluate(made, "sales", s, lookup(made, facts)) for s in spans] == [2.0, 5.0]


# ── what a metric is ──────────────────────────────────────────────────────────────────────────────

SHOP = [
    row("2017-05-01T12:00:00", "A", basket=1, sales=10.0, cut=2.0),
    row("2017-05-01T13:00:00", "A", basket=1, sales=2.0, cut=0.0),
    row("2017-05-02T12:00:00", "B", basket=1, sales=4.0, cut=1.0),
    row("2017-05-03T12:00:00", "B", basket=2, sales=8.0, cut=1.0),
    row("2017-05-04T12:00:00", None, basket=3, sales=1.0, cut=1.0),
]
MAY = Span(date(2017, 5, 1), date(2017, 5, 31))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sales", 25.0),
        ("lines", 5.0),
        ("baskets", 3.0),
        ("typical", 4.0),
        ("big", 18.0),
        ("average", 25.0 / 3),
        ("depth", 5.0 / 30.0),
        ("net", 20.0),
        ("this_year", 25.0),
    ],
)
def test_the_value_of_each_kind_of_metric(name, expected):
    assert value(SHOP, name, MAY) == pytest.approx(expected)


def test_a_ratio_is_a_ratio_of_sums_not_the_average_of_ratios():
    made, (facts,) = ask(SHOP, Ask(("average",), (MAY,), by="kind"))
    each = [evaluate(made, "average", MAY, lookup(made, facts, m)) for m in ("A", "B", None)]
    assert each == [12.0, 6.0, 1.0]
    assert value(SHOP, "average", MAY) == pytest.approx(25 / 3) != pytest.approx(sum(each) / 3)


def test_a_basket_with_two_kinds_counts_once_in_all():
    made, (facts,) = ask(SHOP, Ask(("baskets",), (MAY,), by="kind"))
    each = [evaluate(made, "baskets", MAY, lookup(made, facts, m)) for m in ("A", "B", None)]
    assert (each, value(SHOP, "baskets", MAY)) == ([1.0, 2.0, 1.0], 3.0)


def test_a_cumulative_metric_starts_with_its_year():
    rows = [row("2016-12-31T20:00:00", sales=100.0), *SHOP]
    assert value(rows, "this_year", Span(date(2017, 5, 2), date(2017, 5, 3))) == 24.0


def test_what_adds_up_and_what_can_be_put_together():
    made = book()
    assert [n for n in METRICS if additive(made, n)] == [
        "sales",
        "lines",
        "big",
        "net",
        "cutting",
        "this_year",
    ]
    assert {n for n in METRICS if not foldable(made, n)} == {"baskets", "typical", "average"}
    assert (dimensions_of(made, "sales"), dimensions_of(made, "per_visit")) == (("kind",), ())


# ── unknown is not zero ───────────────────────────────────────────────────────────────────────────


def test_before_the_first_day_and_after_the_newest_nothing_is_known():
    days = {
        Span(date(2017, 4, 1), date(2017, 4, 30)): None,
        Span(date(2017, 4, 1), date(2017, 5, 1)): 12.0,
        Span(date(2017, 5, 10), date(2017, 5, 20)): 0.0,
        Span(date(2017, 5, 20), date(2017, 6, 30)): 0.0,
        Span(date(2017, 5, 26), date(2017, 6, 30)): None,
    }
    for span, expected in days.items():
        for name in ("sales", "lines", "baskets"):
            found = value(SHOP, name, span, newest=date(2017, 5, 25))
            assert (found is None) == (expected is None), (name, span)
        assert value(SHOP, "sales", span, newest=date(2017, 5, 25)) == expected


def test_what_is_known_begins_in_ones_own_rows_and_ends_with_the_data():
    where = Compare("kind", "eq", "B")
    assert value(SHOP, "sales", Span(date(2017, 5, 1), date(2017, 5, 1)), where=where) is None
    assert value(SHOP, "sales", Span(date(2017, 5, 4), date(2017, 5, 4)), where=where) == 0.0


def test_rows_without_a_value_are_unknown_and_no_rows_are_zero():
    rows = [row("2017-05-01T12:00:00", sales=None), row("2017-05-02T12:00:00", sales=3.0)]
    one, two, three = (Span(date(2017, 5, d), date(2017, 5, d)) for d in (1, 2, 3))
    assert [value(rows, "sales", s) for s in (one, two, three)] == [None, 3.0, 0.0]
    made, (facts,) = ask(rows, Ask(("sales", "lines"), (one, two, three)))
    find = lookup(made, facts)
    assert [evaluate(made, "sales", s, find) for s in (one, two, three)] == [None, 3.0, 0.0]
    assert [evaluate(made, "lines", s, find) for s in (one, two, three)] == [1.0, 1.0, 0.0]
    assert value(rows, "sales", Span(date(2017, 5, 1), date(2017, 5, 3))) == 3.0


def test_a_condition_that_no_row_meets_gives_zero_not_unknown():
    assert value([row("2017-05-01T12:00:00", sales=1.0)], "big", MAY) == 0.0


def test_nothing_is_divided_by_zero():
    rows = [row("2017-05-01T12:00:00", sales=0.0, cut=0.0), row("2017-05-09T12:00:00", sales=5.0)]
    assert value(rows, "depth", Span(date(2017, 5, 1), date(2017, 5, 1))) is None
    assert value(rows, "average", Span(date(2017, 5, 2), date(2017, 5, 3))) is None


def test_a_metric_over_two_datasets_is_unknown_where_one_of_them_is():
    visits = [{"at": at("2017-05-02T12:00:00")}]
    assert value(SHOP, "per_visit", MAY, visits=visits) == 25.0
    assert value(SHOP, "per_visit", Span(date(2017, 5, 1), date(2017, 5, 1)), visits=visits) is None


def test_infinite_and_undefined_numbers_are_not_known():
    assert value([row("2017-05-01T12:00:00", sales=math.inf)], "sales", MAY) is None
    assert value([row("2017-05-01T12:00:00", sales=math.nan)], "sales", MAY) is None


def test_without_any_row_nothing_is_known():
    assert value(SHOP, "sales", MAY, where=Nothing()) is None
    assert value([], "sales", MAY) is None


# ── filters ───────────────────────────────────────────────────────────────────────────────────────


def test_chosen_members_also_the_one_without_a_name():
    def total(*members: str | None) -> float | None:
        made, (facts,) = ask(SHOP, Ask(("sales",), (MAY,), chosen=(("kind", members),)))
        return evaluate(made, "sales", MAY, lookup(made, facts))

    assert (total("A"), total("A", "B"), total(None), total("B", None)) == (12.0, 24.0, 1.0, 13.0)


@pytest.mark.parametrize(
    ("left_out", "expected"), [(("A",), 13.0), (("A", "B"), 1.0), ((None,), 24.0), (("A", None), 12.0), ((), 25.0)]
)
def test_all_the_others_together(left_out, expected):
    made, (facts,) = ask(SHOP, Ask(("sales",), (MAY,), by="kind", without=left_out))
    assert evaluate(made, "sales", MAY, lookup(made, facts)) == expected


def test_the_row_filter_binds_every_question():
    made, found = ask(
        SHOP, Ask(("sales",), (MAY,)), Ask(("baskets",), (MAY,), by="kind"), where=Compare("kind", "eq", "B")
    )
    assert evaluate(made, "sales", MAY, lookup(made, found[0])) == 12.0
    assert found[1].members == ("B",)


@pytest.mark.parametrize(
    ("name", "hidden", "expected"),
    [
        ("sales", {"sales"}, "lines.sales"),
        ("baskets", {"basket"}, None),
        ("lines", {"sales"}, None),
        ("big", {"sales"}, "lines.sales"),
        ("depth", {"cut"}, "lines.cut"),
        ("net", {"cut"}, "lines.cut"),
        ("lines", {"at"}, "lines.at"),
    ],
)
def test_a_hidden_column_takes_away_what_would_show_it(name, hidden, expected):
    assert hidden_need(book(), name, lambda _: frozenset(hidden)) == expected


# ── planning ──────────────────────────────────────────────────────────────────────────────────────

MONTHS = tuple(
    Span(date(2017, m, 1), (date(2017, m + 1, 1) if m < 12 else date(2018, 1, 1)) - DAY) for m in range(1, 13)
)


def test_all_measures_of_a_dataset_share_one_pass_over_its_rows():
    planned = plan(book(), Ask(("sales", "average", "depth", "net"), MONTHS))
    assert [len(p.question.measures) for p in planned] == [4]  # sales, their rows, baskets, cuts


def test_days_that_overlap_are_asked_apart():
    planned = plan(book(), Ask(("sales",), (*MONTHS, Span(date(2017, 3, 5), date(2017, 4, 5)))))
    assert [(bool(p.question.by), len(p.cells)) for p in planned] == [(True, 12), (False, 1)]


def test_a_dataset_without_time_is_said_in_words():
    with pytest.raises(MetricError, match="Lines has no time column"):
        plan(book(time=None), Ask(("sales",), (MAY,)))


def test_a_dimension_that_a_dataset_does_not_have_is_said_in_words():
    with pytest.raises(MetricError, match="cannot be split or filtered by Kind"):
        plan(book(), Ask(("per_visit",), (MAY,), by="kind"))


# ── any rows, any days ────────────────────────────────────────────────────────────────────────────


@st.composite
def days(draw: st.DrawFn) -> Span:
    first = date(2017, 2, 20) + draw(st.integers(0, 40)) * DAY
    return Span(first, first + draw(st.integers(0, 25)) * DAY)


moments = st.integers(0, 60 * 24 * 4).map(lambda n: datetime(2017, 2, 25, tzinfo=UTC) + timedelta(minutes=15) * n)
lines = st.fixed_dictionaries(
    {
        "at": moments,
        "kind": st.sampled_from(["A", "B", "C", None]),
        "basket": st.integers(1, 6),
        "buyer": st.integers(1, 3),
        "sales": st.one_of(st.none(), st.integers(-50, 500).map(lambda n: n / 4)),
        "cut": st.integers(0, 40).map(lambda n: n / 4),
    }
)


def local(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(ZONE)).date()


def counted(rows: Sequence[dict], name: str, span: Span, first: date) -> float | None:
    """A metric by hand, in local days; ``first`` is the first day that anything is known of."""
    if span.until < first:
        return None
    inside = [r for r in rows if span.first <= local(r["at"]) <= span.until]
    if name == "lines":
        return float(len(inside))
    if name == "baskets":
        return float(len({r["basket"] for r in inside}))
    if name == "average":
        under = counted(rows, "baskets", span, first)
        over = counted(rows, "sales", span, first)
        return None if not under or over is None else over / under
    known = [r[{"sales": "sales", "cutting": "cut"}[name]] for r in inside]
    known = [v for v in known if v is not None]
    return None if inside and not known else math.fsum(known)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(lines, min_size=1, max_size=40), spans=st.lists(days(), min_size=1, max_size=5, unique=True))
def test_any_days_in_one_question_give_what_counting_by_hand_gives(rows, spans):
    names = ("sales", "lines", "baskets", "average", "cutting")
    made, (whole, split) = ask(rows, Ask(names, tuple(spans)), Ask(names, tuple(spans), by="kind"))
    first = min(local(r["at"]) for r in rows)
    for name in names:
        for span in spans:
            found = evaluate(made, name, span, lookup(made, whole))
            assert found == pytest.approx(counted(rows, name, span, first), abs=1e-9), (name, span)
            for member in split.members:
                mine = [r for r in rows if r["kind"] == member]
                expected = counted(mine, name, span, first)
                assert evaluate(made, name, span, lookup(made, split, member)) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(lines, min_size=1, max_size=40), now=days(), before=days())
def test_members_and_their_parts_of_a_change_add_up(rows, now, before):
    made, (whole, split) = ask(rows, Ask(("sales", "lines", "depth"), (now, before)),
                               Ask(("sales", "lines", "depth"), (now, before), by="kind"))  # fmt: skip
    find = lookup(made, whole)
    every = together(made, split, split.members)
    for name in ("sales", "lines", "depth"):
        ends = evaluate(made, name, now, find), evaluate(made, name, before, find)
        parts = contributions(made, name, split, now=now, before=before)
        if None not in ends and parts:
            assert math.fsum(parts.values()) == pytest.approx(ends[0] - ends[1], abs=1e-9)
    counts = evaluate(made, "lines", now, find)
    if counts is not None:
        assert evaluate(made, "lines", now, every) == counts


# ── members ───────────────────────────────────────────────────────────────────────────────────────


def test_small_members_fold_and_a_single_small_one_stays():
    assert fold({"a": (60.0,), "b": (39.2,), "c": (0.5,), "d": (0.3,)}).small == ("c", "d")
    assert fold({"a": (60.0,), "b": (39.2,), "c": (0.8,)}).kept == ("a", "b", "c")
    assert fold({"a": (99.0, 1.0), "b": (0.5, 99.0), "c": (0.5, 0.0), "d": (0.0, 0.1)}).kept == ("a", "b")


def test_members_stand_by_size_and_at_most_so_many():
    found = fold({f"m{n:02d}": (float(100 + n),) for n in range(70)}, most=60)
    assert (found.kept[0], len(found.kept), len(found.small)) == ("m69", 60, 10)


def test_a_member_at_exactly_one_percent_stands_alone():
    assert fold({"a": (98.0,), "b": (1.0,), "c": (0.5,), "d": (0.5,)}).kept == ("a", "b")


def test_parts_of_a_ratios_change_hold_rate_and_weight():
    before, now = Span(date(2017, 4, 1), date(2017, 4, 30)), MAY
    rows = [
        row("2017-04-02T12:00:00", "A", sales=80.0, cut=20.0),  # A: 20 % of 100
        row("2017-04-03T12:00:00", "B", sales=90.0, cut=10.0),  # B: 10 % of 100; together 15 %
        row("2017-05-02T12:00:00", "A", sales=70.0, cut=30.0),  # A: 30 % of 100
        row("2017-05-03T12:00:00", "B", sales=270.0, cut=30.0),  # B: 10 % of 300; together 15 %
    ]
    made, (split,) = ask(rows, Ask(("depth",), (now, before), by="kind"))
    parts = contributions(made, "depth", split, now=now, before=before)
    # A: (30 − 15)/400 − (20 − 15)/200 = 1.25 pp;  B: (30 − 45)/400 − (10 − 15)/200 = −1.25 pp
    assert parts == {"A": pytest.approx(0.0125), "B": pytest.approx(-0.0125)}


def test_distinct_counts_have_no_parts():
    made, (split,) = ask(SHOP, Ask(("baskets", "average"), (MAY, YEAR), by="kind"))
    assert contributions(made, "baskets", split, now=MAY, before=YEAR) == {}
    assert contributions(made, "average", split, now=MAY, before=YEAR) == {}


def test_everything_is_its_own_place():
    assert repr(ALL) == "ALL"
