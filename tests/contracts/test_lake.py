"""The lake's contract, on published Delta tables and on tables in memory, against an oracle in plain Python."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from data import lake_delta
from data.lake import Lake, LakeError, TableDamaged, TableMissing, UnknownColumn
from data.lake_duckdb import ArrowLake, DuckDBLake
from data.questions import Aggregate, Aggregated, And, Compare, Everything, Group, Nothing, Or, Order, Select, Table
from tests import oracle

ZONE = "Europe/Zurich"
NASTY = ("100 %", "a_b", "back\\slash", "it's", 'say "hi"', "'; drop table rows_0; --", "ÄÖÜ", "äöü", "", "*", "a%b")


def made_rows(count: int = 240) -> list[dict[str, object]]:
    """Rows with blanks in every column but the key, ties, odd texts, and times around day and summer-time limits."""
    rng = np.random.default_rng(3)
    edges = [
        datetime(2023, 12, 31, 22, 59, 59, tzinfo=UTC),
        datetime(2023, 12, 31, 23, 0, 0, tzinfo=UTC),
        datetime(2024, 3, 31, 0, 59, tzinfo=UTC),
        datetime(2024, 3, 31, 22, 30, tzinfo=UTC),
        datetime(2024, 10, 27, 22, 30, tzinfo=UTC),
        datetime(2024, 10, 27, 23, 30, tzinfo=UTC),
    ]
    rows: list[dict[str, object]] = []
    for i in range(count):
        minutes = int(rng.integers(0, 60 * 24 * 400))
        at = edges[i] if i < len(edges) else datetime(2023, 6, 1, tzinfo=UTC) + timedelta(minutes=minutes)
        row: dict[str, object] = {
            "id": i,
            "tour": str(rng.choice(["North", "South", "north"])),
            "text": NASTY[int(rng.integers(0, len(NASTY)))],
            "whole": int(rng.integers(-5, 6)),
            "money": round(float(rng.normal(10, 40)), 2),
            "yes": bool(rng.integers(0, 2)),
            "day": (at - timedelta(days=3)).date(),
            "at": at,
            'odd "name"; --': int(rng.integers(0, 3)),
        }
        for name in row:
            if name not in ("id", "at") and rng.random() < 0.12:
                row[name] = None
        if i >= len(edges) and rng.random() < 0.1:
            row["at"] = None
        rows.append(row)
    return rows


ROWS = made_rows()
SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "tour": pa.string(),
        "text": pa.string(),
        "whole": pa.int64(),
        "money": pa.float64(),
        "yes": pa.bool_(),
        "day": pa.date32(),
        "at": pa.timestamp("us", tz="UTC"),
        'odd "name"; --': pa.int64(),
    }
)
TABLE = Table("rows", 0)


@pytest.fixture(scope="module", params=["delta", "arrow"])
def lake(request, tmp_path_factory):
    """The same rows behind both adapters."""
    rows = pa.Table.from_pylist(ROWS, schema=SCHEMA)
    if request.param == "arrow":
        made: Lake = ArrowLake({("rows", 0): rows}, timezone=ZONE)
    else:
        root = tmp_path_factory.mktemp("it's a lake") / "published"
        lake_delta.write(root, "rows", rows)
        made = DuckDBLake(root, timezone=ZONE)
    yield made
    made.close()


def agree(lake: Lake, question, where=Everything()) -> list[dict[str, object]]:  # noqa: B008 - a frozen value
    """Ask the lake and the oracle; they must agree. Gives the answer."""
    found = lake.read(question, where=where).to_pylist()
    expected = oracle.answer(ROWS, question, where, ZONE)
    assert oracle.same(found, expected, ordered=bool(question.order)), (question, where, found[:5], expected[:5])
    return found


def ids(where_or_filter) -> Select:
    return Select(TABLE, ("id",), where_or_filter, (Order("id"),))


FILTERS = [
    Everything(),
    Nothing(),
    And(()),
    Or(()),
    Compare("tour", "eq", "North"),
    Compare("tour", "ne", "North"),
    Compare("tour", "in", ("North", "South")),
    Compare("tour", "in", ()),
    Compare("tour", "not_in", ("North",)),
    Compare("tour", "not_in", ()),
    Compare("tour", "is_null"),
    Compare("tour", "not_null"),
    Compare("tour", "eq", None),
    Compare("tour", "ne", None),
    Compare("whole", "eq", 0),
    Compare("whole", "ne", 0),
    Compare("whole", "lt", -2),
    Compare("whole", "le", -2),
    Compare("whole", "gt", 2.5),
    Compare("whole", "in", (1, 2, 99)),
    Compare("whole", "not_in", (1, 2, 99)),
    Compare("money", "ge", 0.0),
    Compare("money", "lt", 12),
    Compare("yes", "eq", True),
    Compare("yes", "ne", True),
    Compare("day", "ge", date(2024, 1, 1)),
    Compare("day", "in", (date(2024, 1, 1), date(2023, 12, 28))),
    Compare("at", "lt", datetime(2024, 1, 1, tzinfo=UTC)),
    Compare("at", "eq", datetime(2023, 12, 31, 23, 0, tzinfo=UTC)),
    Compare("whole", "contains", "-"),
    And((Compare("tour", "eq", "North"), Compare("money", "gt", 0))),
    Or((Compare("tour", "eq", "North"), Compare("money", "is_null"))),
    And((Or((Compare("whole", "lt", 0), Compare("yes", "eq", False))), Compare("text", "ne", ""))),
    Or((And(()), Nothing())),
    *(Compare("text", "eq", text) for text in NASTY),
    *(Compare("text", "contains", text) for text in (*NASTY, "Ä", "HI", "%", "_", "\\", "'")),
    *(Compare("text", "starts_with", text) for text in (*NASTY, "A", "SAY", "%")),
]


@pytest.mark.parametrize("wanted", FILTERS, ids=repr)
def test_a_filter_means_the_same_as_a_question_and_as_a_row_rule(lake, wanted):
    asked = agree(lake, ids(wanted))
    ruled = agree(lake, ids(Everything()), where=wanted)
    assert asked == ruled


@pytest.mark.parametrize("column", [n for n in SCHEMA.names if n != "id"])
@pytest.mark.parametrize("descending", [False, True])
def test_ordering_puts_blanks_last_and_ties_by_the_next_column(lake, column, descending):
    found = agree(lake, Select(TABLE, ("id", column), order=(Order(column, descending), Order("id"))))
    blanks = [r[column] is None for r in found]
    assert blanks == sorted(blanks), "missing values must come last"


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (1, 0), (7, 3), (50, 239), (50, 240), (50, 10_000), (None, 5)])
def test_windows_of_an_ordering(lake, limit, offset):
    agree(lake, Select(TABLE, ("id", "whole"), order=(Order("whole"), Order("id", True)), limit=limit, offset=offset))


def test_windows_put_together_are_the_whole(lake):
    order = (Order("money", True), Order("id"))
    windows = [Select(TABLE, ("id",), order=order, limit=17, offset=at) for at in range(0, 240, 17)]
    parts = [lake.read(window, where=Everything()) for window in windows]
    whole = lake.read(Select(TABLE, ("id",), order=order), where=Everything())
    assert pa.concat_tables(parts).to_pylist() == whole.to_pylist()


MEASURES = (
    Aggregated("n", "count"),
    Aggregated("known", "count", "money"),
    Aggregated("total", "sum", "money"),
    Aggregated("mean", "avg", "money"),
    Aggregated("middle", "median", "money"),
    Aggregated("low", "min", "money"),
    Aggregated("high", "max", "money"),
    Aggregated("first", "min", "text"),
    Aggregated("kinds", "count_distinct", "text"),
    Aggregated("whole", "sum", "whole"),
    Aggregated("south", "sum", "money", Compare("tour", "eq", "South")),
    Aggregated("south_n", "count", None, Compare("tour", "eq", "South")),
    Aggregated("nobody", "avg", "money", Nothing()),
    Aggregated("last", "max", "at"),
)


@pytest.mark.parametrize("where", [Everything(), Compare("tour", "eq", "North"), Nothing()], ids=repr)
@pytest.mark.parametrize("by", [(), ("tour",), ("yes", "tour"), ('odd "name"; --',)], ids=repr)
def test_aggregates(lake, where, by):
    question = Aggregate(TABLE, MEASURES, by=tuple(Group(c) for c in by), filter=Compare("whole", "ne", 3))
    found = agree(lake, question, where)
    assert by or len(found) == 1, "without groups there is one row, also over nothing"


def test_groups_with_an_order_and_a_limit(lake):
    groups = (Group("tour", name="member"), Group("whole"))
    order = (Order("n", True), Order("member"), Order("whole"))
    agree(lake, Aggregate(TABLE, (Aggregated("n", "count"),), by=groups, order=order, limit=5))


@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter", "year"])
@pytest.mark.parametrize("column", ["at", "day"])
def test_time_grains_are_business_days_of_the_workspace(lake, grain, column):
    question = Aggregate(TABLE, (Aggregated("n", "count"),), by=(Group(column, grain),), order=(Order(column),))
    found = agree(lake, question)
    assert all(r[column] is None or type(r[column]) is date for r in found)


def test_an_hour_before_midnight_in_utc_is_the_next_day_in_zurich(lake):
    question = Aggregate(
        TABLE, (Aggregated("n", "count"),), by=(Group("at", "year", "year"),), filter=Compare("id", "lt", 2)
    )
    found = lake.read(question, where=Everything()).to_pylist()
    assert sorted((r["year"], r["n"]) for r in found) == [(date(2023, 1, 1), 1), (date(2024, 1, 1), 1)]


def test_the_row_filter_has_no_default(lake):
    for ask in (lake.read, lake.stream):
        with pytest.raises(TypeError, match="where"):
            ask(Select(TABLE, ("id",)))
    with pytest.raises(TypeError, match="where"):
        lake.read_all((Select(TABLE, ("id",)),))


@pytest.mark.attack("R-02")
def test_the_row_filter_is_innermost(lake):
    """A window, an order and a count are taken of the rows inside, never the other way round."""
    north = Compare("tour", "eq", "North")
    window = Select(TABLE, ("id", "tour"), order=(Order("money", True), Order("id")), limit=20, offset=5)
    assert {r["tour"] for r in agree(lake, window, north)} == {"North"}
    agree(lake, Aggregate(TABLE, (Aggregated("n", "count"),), by=(Group("text"),), limit=None), north)
    asks_for_all = Or((Everything(), Compare("tour", "eq", "South"), Compare("tour", "is_null")))
    assert {r["tour"] for r in agree(lake, Select(TABLE, ("id", "tour"), asks_for_all), north)} == {"North"}


def test_several_questions_at_once_are_the_same_as_one_by_one(lake):
    north, most = Compare("tour", "eq", "North"), (Order("n", True), Order("text"))
    questions = (
        Aggregate(TABLE, (Aggregated("n", "count"), Aggregated("total", "sum", "money"))),
        Aggregate(TABLE, (Aggregated("n", "avg", "money"), Aggregated("low", "min", "whole"))),
        Aggregate(TABLE, (Aggregated("n", "count"),), by=(Group("text"),)),
        Aggregate(TABLE, (Aggregated("total", "sum", "money"),), by=(Group("text"),)),
        Aggregate(TABLE, (Aggregated("n", "count"),), by=(Group("text"),), filter=Compare("yes", "eq", True)),
        Aggregate(TABLE, (Aggregated("n", "count"),), by=(Group("text"),), order=most, limit=2),
        Aggregate(TABLE, (Aggregated("m", "count"),), by=(Group("text"),), order=(Order("m"), Order("text")), limit=2),
        Select(TABLE, ("id",), order=(Order("id"),), limit=3),
    )  # fmt: skip
    together = lake.read_all(questions, where=north)
    for question, found in zip(questions, together, strict=True):
        alone = oracle.answer(ROWS, question, north, ZONE)
        assert oracle.same(found.to_pylist(), alone, ordered=bool(question.order)), question


def test_a_stream_is_the_answer_in_pieces(lake):
    question = Select(TABLE, ("id", "text"), Compare("whole", "ge", 0), (Order("text"), Order("id")))
    batches = list(lake.stream(question, where=Compare("tour", "ne", "North"), batch_rows=32))
    found = [row for batch in batches for row in batch.to_pylist()]
    assert found == oracle.answer(ROWS, question, Compare("tour", "ne", "North"), ZONE)


def test_the_schema_names_every_column_with_its_type(lake):
    found = lake.schema(TABLE)
    assert found.names == SCHEMA.names
    types = {name: str(found.field(name).type) for name in ("id", "money", "yes", "day")}
    assert types == {"id": "int64", "money": "double", "yes": "bool", "day": "date32[day]"}
    assert found.field("at").type.tz is not None


HOSTILE = [
    '"; drop table rows_0; --', "id; select 1", "1=1", "*", "rows_0.id", "ID", "id ", "", "text' or '1'='1", "rowid",
    "filename", "file_row_number",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_column_that_is_not_published_is_refused_by_name_wherever_it_stands(lake, name):
    count = (Aggregated("n", "count"),)
    for question in (
        Select(TABLE, (name,)),
        Select(TABLE, ("id",), Compare(name, "eq", 1)),
        Select(TABLE, ("id",), order=(Order(name),)),
        Aggregate(TABLE, (Aggregated("n", "sum", name),)) if name else Select(TABLE, (name,)),
        Aggregate(TABLE, count, by=(Group(name),)),
        Aggregate(TABLE, (Aggregated("n", "count", None, Compare(name, "eq", 1)),)),
    ):
        with pytest.raises(UnknownColumn):
            lake.read(question, where=Everything())
    with pytest.raises(UnknownColumn):
        lake.read(Select(TABLE, ("id",)), where=Compare(name, "eq", 1))


@pytest.mark.attack("Q-01")
@pytest.mark.parametrize(
    "value",
    ["' or 1=1 --", "'; drop table rows_0; --", "\\' or 1=1 --", "' union select * from rows_0 --", "\x00", "$1"],
)
def test_a_value_is_a_value_whatever_it_says(lake, value):
    for operator in ("eq", "contains", "starts_with", "in"):
        given = (value,) if operator == "in" else value
        agree(lake, ids(Compare("text", operator, given)))
    assert agree(lake, Aggregate(TABLE, (Aggregated("n", "count"),))) == [{"n": len(ROWS)}]


@pytest.mark.parametrize("operator", ["eq", "ne", "lt", "le", "gt", "ge", "in", "not_in"])
@pytest.mark.parametrize("value", [2**63, -(10**20)])
@pytest.mark.parametrize("column", ["whole", "money", "day"])
def test_a_number_larger_than_any_column_holds_is_a_sentence(lake, operator, value, column):
    given = (value,) if operator in ("in", "not_in") else value
    with pytest.raises(LakeError, match=f"{column} cannot be compared with"):
        lake.read(ids(Compare(column, operator, given)), where=Everything())


def test_a_version_that_was_never_published_is_missing(lake):
    for table in (Table("rows", 7), Table("strangers", 0)):
        with pytest.raises(TableMissing):
            lake.read(Select(table, ("id",)), where=Everything())


def test_many_threads_get_their_own_answers(lake):
    wrong: list[object] = []

    def ask(number: int) -> None:
        for _ in range(15):
            wanted = Compare("whole", "eq", number % 6)
            found = lake.read(ids(wanted), where=Everything()).to_pylist()
            if found != oracle.answer(ROWS, ids(wanted), Everything()):
                wrong.append((number, found))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# ── the published lake alone: versions, damage, the fence ─────────────────────────────────────────


@pytest.fixture
def published(tmp_path: Path):
    root = tmp_path / "published"
    rows = pa.Table.from_pylist(ROWS, schema=SCHEMA)
    lake_delta.write(root, "rows", rows)
    lake_delta.write(root, "rows", rows.slice(0, 10))
    made = DuckDBLake(root, timezone=ZONE)
    yield made
    made.close()


def counted(lake: Lake, version: int) -> int:
    question = Aggregate(Table("rows", version), (Aggregated("n", "count"),))
    return int(lake.read(question, where=Everything()).column("n")[0].as_py())


def test_an_old_version_stays_readable_beside_the_new_one(published):
    assert (counted(published, 0), counted(published, 1)) == (240, 10)


def test_a_file_that_is_gone_and_one_that_is_damaged_are_sentences(published):
    first, second = (Path(lake_delta.files(published.root, Table("rows", v))[0]) for v in (0, 1))
    first.unlink()
    with pytest.raises(TableMissing, match="Run a refresh"):
        counted(published, 0)
    second.write_bytes(second.read_bytes()[:200])
    with pytest.raises(TableDamaged, match="Run a refresh") as told:
        counted(published, 1)
    assert str(published.root) not in str(told.value), "a path of the machine must not be shown"


def test_the_lake_opens_nothing_before_it_is_asked(tmp_path):
    lake = DuckDBLake(tmp_path / "nowhere", timezone="UTC")
    lake.close()
    assert not (tmp_path / "nowhere").exists()


FENCED = [
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('{outside}')",
    "select * from read_parquet('{outside}')",
    "select * from '{outside}'",
    "select * from glob('/etc/*')",
    "copy (select 1) to '{outside}.out'",
    "export database '{outside}.db'",
    "attach '{outside}.db'",
    "install httpfs",
    "load httpfs",
    "load '{outside}'",
    "set enable_external_access=true",
    "set global enable_external_access=true",
    "set allowed_directories=['/']",
    "set lock_configuration=false",
    "set memory_limit='64GB'",
    "set TimeZone='UTC'",
    "reset TimeZone",
    "pragma enable_profiling='json'",
    "select * from read_csv('http://127.0.0.1:9/x.csv')",
    "select getenv('PATH')",
]


@pytest.mark.attack("M-09")
@pytest.mark.parametrize("statement", FENCED)
def test_the_fence_holds_against_any_statement(published, tmp_path, statement):
    """If a statement of somebody else's making ever reached the engine, it could reach nothing else."""
    outside = tmp_path / "secret.parquet"
    outside.write_text("secret")
    counted(published, 1)
    cursor = published._cursor()
    with pytest.raises(duckdb.Error):
        cursor.execute(statement.format(outside=outside, inside=published.root)).fetchall()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["published", "secret.parquet"]


@pytest.mark.attack("M-09")
def test_what_the_engine_says_is_never_shown(published):
    """An engine's error becomes a sentence: no SQL, no path, no traceback."""
    question = Select(Table("rows", 1), ("id",), Compare("whole", "eq", "not a number"))
    with pytest.raises(LakeError) as told:
        published.read(question, where=Everything())
    said = str(told.value)
    assert "select" not in said.lower() and str(published.root) not in said
