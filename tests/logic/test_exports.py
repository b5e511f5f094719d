"""The list as a file: the grid's rows, safe in a spreadsheet, without what is masked, audited before it leaves."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from data.questions import Order
from data.tables import AuditEvent, UsageCount
from services import exports, leads
from services.errors import Forbidden, InvalidQuery, NotFound, Unavailable
from services.lead_query import LeadQuery
from tests.house import House

OPEN = LeadQuery(list="kuendigung", of="Winter/2024")


def read(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff"), "a spreadsheet must see that it is UTF-8"
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def exported(house: House, who: str, query: LeadQuery = OPEN) -> list[dict[str, str]]:
    return read("".join(exports.lead_csv(house.viewer(who), house.sources, query).chunks))


def events(house: House, act: str) -> list[AuditEvent]:
    with house.sources.store.read() as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.act == act).order_by(AuditEvent.id)))


QUERIES = {
    "everything": OPEN,
    "two bands": LeadQuery(OPEN.list, OPEN.of, ("hoch", "tief")),
    "a search": LeadQuery(OPEN.list, OPEN.of, search="haus 1"),
    "sorted by money": LeadQuery(OPEN.list, OPEN.of, sort=(Order("value", True),)),
    "sorted by name, then rank backwards": LeadQuery(OPEN.list, OPEN.of, sort=(Order("ort"), Order("rank", True))),
    "filtered": LeadQuery(
        OPEN.list, OPEN.of, filters={"score": {"type": "inRange", "filter": 20, "filterTo": 60}}, sort=(Order("score"),)
    ),
    "nothing": LeadQuery(OPEN.list, OPEN.of, search="no such house"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_the_file_holds_exactly_the_rows_of_the_grid_in_their_order(bakery: House, name: str) -> None:
    viewer, query = bakery.viewer("aussendienst:zwei"), QUERIES[name]
    shown = leads.block(viewer, bakery.sources, query, 0, 500)
    rows = exported(bakery, "aussendienst:zwei", query)
    assert len(rows) == shown.total == len(shown.rows)
    assert [int(r["rank"]) for r in rows] == [r.rank for r in shown.rows]
    assert [r["reason_1"] for r in rows] == [
        exports.safe_text(f"{r.reasons[0].phrase} ({r.reasons[0].points_text})") if r.reasons else ""
        for r in shown.rows
    ]


def test_batches_do_not_change_the_file(bakery: House, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = exported(bakery, "aussendienst:zwei")
    for batch, first in ((7, 3), (50, 60), (500, 1), (500, 120), (500, 500)):
        monkeypatch.setattr(exports, "BATCH", batch)
        monkeypatch.setattr(exports, "FIRST", first)
        assert exported(bakery, "aussendienst:zwei") == whole


def test_scores_keep_every_digit(bakery: House) -> None:
    found, question = leads.selection(bakery.viewer("aussendienst"), bakery.sources, OPEN)
    stored = bakery.sources.lake.read(question, where=found.where).column("score").to_pylist()
    assert [float(r["score"]) for r in exported(bakery, "aussendienst")] == stored


@pytest.mark.attack("E-02")
def test_a_seller_takes_no_row_of_another_tour(bakery: House) -> None:
    mine = {r["kennung"] for r in exported(bakery, "aussendienst")}
    theirs = {r["kennung"] for r in exported(bakery, "aussendienst:süd")}
    assert len(mine) == len(theirs) == 60
    assert not mine & theirs


@pytest.mark.attack("R-07")
def test_masked_columns_are_not_in_the_file_nor_in_its_reasons(bakery: House) -> None:
    rows = exported(bakery, "aussendienst")
    assert list(rows[0]) == [
        "rank", "kennung", "saison", "value", "betrieb", "ort", "telefon", "score", "band",
        "reason_1", "reason_2", "reason_3", "model_version", "scored_at",
    ]  # fmt: skip
    assert "zahlungsziel" not in rows[0]
    assert not any("Mahnung" in value for row in rows for value in row.values())


@pytest.mark.attack("R-07")
@pytest.mark.parametrize(
    "query",
    [
        LeadQuery(OPEN.list, OPEN.of, sort=(Order("zahlungsziel"),)),
        LeadQuery(OPEN.list, OPEN.of, filters={"zahlungsziel": {"type": "blank"}}),
        LeadQuery(OPEN.list, OPEN.of, filters={"inhaberin": {"type": "contains", "filter": "a"}}),
    ],
)
def test_masked_columns_can_neither_sort_nor_filter_a_file(bakery: House, query: LeadQuery) -> None:
    with pytest.raises(InvalidQuery, match="There is no column"):
        exports.lead_csv(bakery.viewer("aussendienst"), bakery.sources, query)


def test_who_may_not_export_gets_no_file(bakery: House) -> None:
    for who in ("tueftlerei", "leitung", "hauswart"):
        with pytest.raises(Forbidden):
            exports.lead_csv(bakery.viewer(who), bakery.sources, OPEN)
    with pytest.raises(Forbidden):
        exports.lead_csv(bakery.viewer("aussendienst:ohne"), bakery.sources, OPEN)


@pytest.mark.parametrize("name", [None, "nothing", "lieferungen"])
def test_a_list_that_does_not_exist_is_not_exported(bakery: House, name: str | None) -> None:
    with pytest.raises(NotFound):
        exports.lead_csv(bakery.viewer("aussendienst"), bakery.sources, LeadQuery(list=name))


# ── the act ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("U-04", "U-01")
def test_the_act_is_written_before_the_first_row_leaves(own_bakery: House) -> None:
    query, before = LeadQuery(OPEN.list, OPEN.of, ("hoch",)), len(events(own_bakery, "leads.export"))
    made = exports.lead_csv(own_bakery.viewer("aussendienst"), own_bakery.sources, query)
    (event,) = events(own_bakery, "leads.export")[before:]
    assert event.person == own_bakery.viewer("aussendienst").email and event.resource == "kuendigung"
    rows = read("".join(made.chunks))
    assert event.detail["rows"] == len(rows)
    assert event.detail["query"] == query.to_url()
    assert event.detail["columns"] == list(rows[0])
    assert len(events(own_bakery, "leads.export")) == before + 1


@pytest.mark.attack("U-03")
def test_a_file_that_cannot_be_audited_is_not_made(own_bakery: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr(exports.audit, "write", broken)
    with pytest.raises(RuntimeError):
        exports.lead_csv(own_bakery.viewer("aussendienst"), own_bakery.sources, OPEN)
    with own_bakery.sources.store.read() as session:
        assert session.scalars(select(UsageCount)).all() == [], "nor is it counted"
    assert own_bakery.sources.brakes.files.open(own_bakery.viewer("aussendienst").person_id) == 0


def test_a_missing_table_is_one_sentence(own_bakery: House) -> None:
    import shutil

    shutil.rmtree(own_bakery.sources.settings.published / "scores_kuendigung")
    with pytest.raises(Unavailable) as refused:
        exports.lead_csv(own_bakery.viewer("aussendienst"), own_bakery.sources, OPEN)
    assert "Run a refresh" in refused.value.sentence


# ── the text ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("E-01")
@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+41 44",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\tx",
        "\rx",
        "\r=1",
        "\n=1",
        "\x00=1",
        "  =1",
        "\u00a0=1",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        "=cmd|' /C calc'!A0",
    ],
)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert exports.safe_text(text).startswith("'")


@pytest.mark.parametrize("text", ["Anna", "1+1", "a=b", "", "72 % (+3 pp)", "O'Hara", '"quoted"', "a; b=1", "a;1"])
def test_a_plain_text_stays_as_it_is(text: str) -> None:
    assert exports.safe_text(text) == text


@pytest.mark.attack("E-01")
@pytest.mark.parametrize(
    ("text", "written"),
    [
        (";=1+1", ";'=1+1"),
        ("Anna;=cmd|' /C calc'!A0;x", "Anna;'=cmd|' /C calc'!A0;x"),
        ("a; @SUM(A1)", "a; '@SUM(A1)"),
        ("a\t+1;;-2", "a\t'+1;;'-2"),
        ("=1;=2", "'=1;'=2"),
    ],
)
def test_a_spreadsheet_that_splits_at_semicolons_finds_no_formula_either(text: str, written: str) -> None:
    assert exports.safe_text(text) == written


def test_line_breaks_and_nulls_do_not_reach_the_file(bakery: House) -> None:
    assert exports.safe_text("a\r\nb\x00c") == "a  bc"
    text = "".join(exports.lead_csv(bakery.viewer("aussendienst:zwei"), bakery.sources, OPEN).chunks)
    assert "\x00" not in text and text.count("\r\n") == text.count("\n") == 121


def test_odd_names_come_back_literally(bakery: House) -> None:
    """The bakery's houses hold a formula, markup, quotes, a line break, umlauts."""
    names = {r["betrieb"] for who in ("aussendienst:zwei", "aussendienst:süd") for r in exported(bakery, who)}
    assert "'=2+5 Bäckerei" in names and "=2+5 Bäckerei" not in names
    assert '<script>alert("Gipfeli")</script>' in names
    assert "Zum goldenen Löwen" in names
    assert "O'Hara; drop table vertraege; '--" in names


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (-3, -3),
        (-2.5, -2.5),
        (True, True),
        (Decimal("-1.20"), Decimal("-1.20")),
        ("-x", "'-x"),
        (date(2017, 12, 31), "2017-12-31"),
        (datetime(2017, 1, 2, 3, tzinfo=UTC), "2017-01-02T03:00:00+00:00"),
    ],
)
def test_numbers_stay_numbers(value: Any, written: Any) -> None:
    assert exports._value(value) == written


def test_nothing_of_a_name_can_end_the_header_of_the_file(bakery: House) -> None:
    made = exports.lead_csv(bakery.viewer("aussendienst"), bakery.sources, OPEN)
    assert made.filename == "kuendigung-Winter-2024.csv"
    found, _ = leads.selection(bakery.viewer("aussendienst"), bakery.sources, OPEN)
    from dataclasses import replace

    assert exports._filename(replace(found, of='x"\r\nSet-Cookie: a=b/../..')) == "kuendigung-x-Set-Cookie-a-b.csv"
    assert exports._filename(replace(found, name="ü", of="")) == "list.csv"
