"""Lists and leads on the screen: what the layout holds, what the grid gets, what the browser may not ask."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from services import leads
from services.lead_query import LeadQuery
from tests.house import House, texts

NB = "\u00a0"
OPEN = LeadQuery("kuendigung", "Winter/2024")
LIST = urlencode({"list": "kuendigung", "of": "Winter/2024"})
ROWS = "..leads-grid.getRowsResponse"
DRAWER = "leads-drawer-body.children"
CARDS = "..leads-cards.children"
BANDS = ("hoch", "mittel", "tief")
ASKED = {"list": "kuendigung", "of": "Winter/2024", "bands": [], "q": ""}


def counts() -> list[dict[str, Any]]:
    return [{"id": {"part": "leads-count", "band": b}, "property": "children"} for b in BANDS]


def request(start: int = 0, end: int = 100, **others: Any) -> dict[str, Any]:
    return {"startRow": start, "endRow": end, "sortModel": [], "filterModel": {}} | others


def fire(house: House, client: Any, asked: Any = ASKED, wanted: Any = None) -> Any:
    """The grid asks for a block, as the browser sends it."""
    body = house.body(ROWS, [request() if wanted is None else wanted], [asked])
    body["outputs"] = [counts() if isinstance(o, list) else o for o in body["outputs"]]
    return house.post(client, body)


def answered(house: House, client: Any, asked: Any = ASKED, wanted: Any = None) -> dict[str, Any]:
    answer = fire(house, client, asked, wanted)
    assert answer.status_code == 200, answer.get_data()[:400]
    found: dict[str, Any] = answer.get_json()["response"]
    return found


def rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = found["leads-grid"]["getRowsResponse"]["rowData"]
    return made


def words(node: Any) -> str:
    return " ".join(texts(node)).replace(NB, " ")


def named(node: Any, id_: str) -> dict[str, Any]:
    """The properties of the component with this id."""
    if isinstance(node, dict):
        if node.get("props", {}).get("id") == id_:
            return node["props"]  # type: ignore[no-any-return]
        return next((f for v in node.values() if (f := named(v, id_))), {})
    if isinstance(node, list):
        return next((f for v in node if (f := named(v, id_))), {})
    return {}


# ── the list ──────────────────────────────────────────────────────────────────────────────────────


def test_the_list_says_what_it_is_and_how_many(bakery: House) -> None:
    said = bakery.words(bakery.sign_in("aussendienst"), "/leads").replace(NB, " ")
    for part in (
        "Saison Winter/2024",
        "60 Abnehmer of Tour Nord/See",
        "Kündigungsrisiko version 1",
        "Export 60",
        "20 within your limit",
    ):
        assert part in said


def test_a_masked_contact_is_no_column_and_the_foot_says_so(bakery: House) -> None:
    layout = bakery.layout(bakery.sign_in("tueftlerei"), "/leads")
    columns = {c["colId"] for c in named(layout, "leads-grid")["columnDefs"]}
    assert "telefon" not in columns
    assert "Hidden for your role: Telefon" in words(layout)
    assert named(layout, "leads-export")["hidden"] is True


def test_the_first_block_brings_counts_export_foot_and_address(bakery: House) -> None:
    client = bakery.sign_in("aussendienst")
    asked = {**ASKED, "bands": ["hoch", "mittel"], "q": "haus"}
    wanted = request(
        sortModel=[{"colId": "value", "sort": "desc"}],
        filterModel={"ort": {"filterType": "text", "type": "equals", "filter": "Zürich"}},
    )
    found = answered(bakery, client, asked, wanted)
    query = LeadQuery.from_url(
        {
            "list": "kuendigung",
            "of": "Winter/2024",
            "band": "hoch,mittel",
            "q": "haus",
            "sort": "-value",
            "f": json.dumps(wanted["filterModel"]),
        }
    )
    block = leads.block(bakery.viewer("aussendienst"), bakery.sources, query, 0, 100)
    assert [r["key"] for r in rows(found)] == [r.key for r in block.rows]
    assert found["leads-grid"]["getRowsResponse"]["rowCount"] == block.total
    assert found["leads-address"]["data"] == f"/leads?{query.to_url()}"
    export = {"href": f"/leads.csv?{query.to_url()}", "children": f"Export {block.total}", "hidden": False}
    assert found["leads-export"] == export
    assert words(found["leads-foot"]["children"]).startswith(f"{block.total} Abnehmer")
    counted = {b.band: f"{b.rows}" for b in leads.narrowed(bakery.viewer("aussendienst"), bakery.sources, query).bands}
    said = {json.loads(k)["band"]: v["children"] for k, v in found.items() if k.startswith("{")}
    assert said == counted


def test_the_exported_file_is_what_the_button_said(bakery: House) -> None:
    client = bakery.sign_in("aussendienst")
    found = answered(bakery, client, {**ASKED, "bands": ["hoch"]})
    answer = client.get(found["leads-export"]["href"])
    assert answer.status_code == 200 and answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="kuendigung-Winter-2024.csv"'
    assert "no-store" in answer.headers["Cache-Control"] and answer.headers["X-Content-Type-Options"] == "nosniff"
    lines = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))
    assert f"Export {len(lines)}" == found["leads-export"]["children"]
    assert [line["rank"] for line in lines] == [str(r["rank"]) for r in rows(found)]


def test_later_blocks_bring_rows_only(bakery: House) -> None:
    found = answered(bakery, bakery.sign_in("tueftlerei"), ASKED, request(100, 200))
    assert set(found) == {"leads-grid"}
    assert [r["rank"] for r in rows(found)] == list(range(101, 181))


def test_the_row_at_the_capacity_is_marked_in_rank_order_only(bakery: House) -> None:
    client = bakery.sign_in("aussendienst")
    ranked = rows(answered(bakery, client))
    assert [r["rank"] for r in ranked if r["limit"]] == [20]
    assert [r["beyond"] for r in ranked] == [rank > 20 for rank in range(1, 61)]
    by_money = rows(answered(bakery, client, ASKED, request(sortModel=[{"colId": "value", "sort": "asc"}])))
    assert not any(r["limit"] for r in by_money) and sum(r["beyond"] for r in by_money) == 40


def test_a_reason_carries_its_value_the_usual_and_its_points(bakery: House) -> None:
    first = rows(answered(bakery, bakery.sign_in("tueftlerei")))[0]["why"][0]
    assert first["text"] == "Reklamationen: 4" and first["up"] is True
    assert first["said"].replace(NB, " ").startswith("Reklamationen: 4. Usual: 0 to 3. +")


def test_nothing_matches_says_what_to_remove(bakery: House) -> None:
    found = answered(bakery, bakery.sign_in("aussendienst"), {**ASKED, "bands": ["hoch"], "q": "zzz"})
    assert rows(found) == [] and found["leads-grid"]["getRowsResponse"]["rowCount"] == 0
    said = words(found["leads-none"]["children"])
    assert "No Abnehmer matches band hoch and “zzz”." in said and "Without “zzz” there are 21 Abnehmer." in said
    assert found["leads-export"]["hidden"] is True


def test_an_address_opens_the_list_as_it_was_sent(bakery: House) -> None:
    filters = quote(json.dumps({"score": {"filterType": "number", "type": "lessThanOrEqual", "filter": 60}}))
    layout = bakery.layout(bakery.sign_in("aussendienst"), f"/leads?{LIST}&band=hoch&q=haus&sort=-betrieb&f={filters}")
    grid = named(layout, "leads-grid")
    assert grid["filterModel"] == {"score": {"filterType": "number", "type": "lessThanOrEqual", "filter": 60}}
    assert [(c["colId"], c["initialSort"]) for c in grid["columnDefs"] if "initialSort" in c] == [("betrieb", "desc")]
    assert named(layout, "leads-search")["value"] == "haus"
    assert named(layout, "leads-asked")["data"] == {**ASKED, "bands": ["hoch"], "q": "haus"}
    query = LeadQuery.from_url(
        {"list": OPEN.list, "of": OPEN.of, "band": "hoch", "q": "haus", "f": json.dumps(grid["filterModel"])}
    )
    matching = leads.narrowed(bakery.viewer("aussendienst"), bakery.sources, query).matching
    assert named(layout, "leads-export")["children"] == f"Export {matching}"


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/leads?list=nothing", "There is no such list in your scope."),
        (f"/leads?{LIST}&band=Z", "A band must be one of hoch, mittel, tief, got Z."),
        (f"/leads?{LIST}&sort=telefonbuch", "There is no column 'telefonbuch' to sort by."),
        (f"/leads?{LIST}&f=%7B", "The filters in this address cannot be read."),
        (
            f"/leads?{LIST}&f=%7B%22zahlungsziel%22%3A%7B%22type%22%3A%22blank%22%7D%7D",
            "There is no column 'zahlungsziel' to filter by.",
        ),
        (f"/leads?{LIST}&q={'x' * 200}", "q must be given once, as a text of at most 100 characters."),
        ("/leads?list=kuendigung&of=Herbst%2F2024", "There is no such list in your scope."),
    ],
)
def test_an_address_that_cannot_be_is_one_sentence_and_a_way_back(bakery: House, address: str, sentence: str) -> None:
    layout = bakery.layout(bakery.sign_in("aussendienst"), address)
    assert sentence in words(layout) and "To your lists" in words(layout)


# ── what the browser may not ask ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (None, None),
        ({}, None),
        ({**ASKED, "bands": "hoch"}, None),
        ({**ASKED, "bands": [["hoch"]]}, None),
        ({**ASKED, "bands": ["Z"]}, None),
        ({**ASKED, "q": "x" * 101}, None),
        ({**ASKED, "list": "lieferungen"}, None),
        ({**ASKED, "list": None}, None),
        (ASKED, "rows"),
        (ASKED, [1]),
        (ASKED, request(-1, 10)),
        (ASKED, request(0, 10**12)),
        (ASKED, request("0", "9")),
        (ASKED, request(sortModel=[{"colId": "telefonnummer", "sort": "asc"}])),
        (ASKED, request(sortModel=[{"colId": "zahlungsziel", "sort": "asc"}])),
        (ASKED, request(sortModel="score")),
        (ASKED, request(filterModel={"zahlungsziel": {"type": "equals", "filter": 3}})),
        (ASKED, request(filterModel={"inhaberin": {"type": "startsWith", "filter": "I"}})),
        (ASKED, request(filterModel={"score": {"type": "lessThan", "filter": "0 or 1=1"}})),
        (ASKED, request(filterModel=[])),
    ],
)
def test_a_question_that_cannot_be_leaves_no_row_and_no_waiting_grid(bakery: House, asked: Any, wanted: Any) -> None:
    """The grid waits for an answer, so a refusal is an empty one with its sentence."""
    if wanted == request(filterModel=[]):
        assert len(rows(answered(bakery, bakery.sign_in("aussendienst"), asked, wanted))) == 60
        return
    found = answered(bakery, bakery.sign_in("aussendienst"), asked, wanted)
    assert rows(found) == [] and found["leads-grid"]["getRowsResponse"]["rowCount"] == 0
    assert words(found["leads-none"]["children"]).strip()
    assert "Traceback" not in json.dumps(found)


def test_a_filter_nested_beyond_reason_is_refused_before_it_is_read(bakery: House) -> None:
    deep: Any = {"type": "blank"}
    for _ in range(60):
        deep = {"conditions": [deep]}
    answer = fire(bakery, bakery.sign_in("aussendienst"), ASKED, request(filterModel={"score": deep}))
    assert answer.status_code == 400


def test_at_most_five_hundred_rows_a_block(bakery: House, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = leads.block
    monkeypatch.setattr(leads, "block", lambda *a: (seen.append(a[4]), real(*a))[1])
    answered(bakery, bakery.sign_in("tueftlerei"), ASKED, request(0, 100_000))
    assert seen == [500]


@pytest.mark.parametrize("who", ["leitung", "hauswart"])
def test_a_role_without_leads_gets_nothing_by_any_door(bakery: House, who: str) -> None:
    client = bakery.sign_in(who)
    assert "There is no such page for you." in bakery.words(client, "/leads")
    assert fire(bakery, client).status_code == 404
    key = leads.block(bakery.viewer("aussendienst"), bakery.sources, OPEN, 0, 1).rows[0].key
    assert "There is no such page for you." in bakery.words(client, f"/leads/{key}?{LIST}")
    assert bakery.fire(client, DRAWER, [{"key": key}], [ASKED]).status_code == 404
    assert client.get(f"/leads.csv?{LIST}").status_code == 404


def test_an_analyst_may_read_and_not_take_away(bakery: House) -> None:
    client = bakery.sign_in("tueftlerei")
    assert fire(bakery, client).status_code == 200
    assert client.get(f"/leads.csv?{LIST}").status_code == 404


@pytest.mark.parametrize(
    "query",
    ["list=nothing", "", "list=kuendigung&of=Winter%2F2024&band=Z", f"{LIST}&f=%7B", f"{LIST}&sort=zahlungsziel"],
)
def test_a_file_that_cannot_be_is_one_sentence(bakery: House, query: str) -> None:
    answer = bakery.sign_in("aussendienst").get(f"/leads.csv?{query}")
    assert answer.status_code == 400 and answer.mimetype == "text/plain"
    assert answer.get_data(as_text=True).endswith(".")


def test_nobody_of_another_tour_by_any_route(bakery: House) -> None:
    """Grid, cards, drawer, page and file of a seller hold none of the keys, names or numbers of another tour."""
    theirs = leads.block(bakery.viewer("aussendienst:süd"), bakery.sources, OPEN, 0, 500).rows
    secrets = {r.name for r in theirs} | {r.values["telefon"] for r in theirs} | {r.key for r in theirs}
    client = bakery.sign_in("aussendienst")
    said = [json.dumps(bakery.layout(client, "/leads"), ensure_ascii=False)]
    for asked in (ASKED, {**ASKED, "of": "Herbst/2024"}, {**ASKED, "q": theirs[3].name[:8]}):
        said.append(json.dumps(answered(bakery, client, asked, request(0, 500)), ensure_ascii=False))
        said.append(bakery.fire(client, CARDS, [{**asked, "count": 200}]).get_data(as_text=True))
    said.append(client.get(f"/leads.csv?{LIST}").get_data(as_text=True))
    for row in theirs[:5]:
        said.append(bakery.words(client, f"/leads/{row.key}?{LIST}").replace(row.key, ""))
        said.append(bakery.fire(client, DRAWER, [{"key": row.key, "at": 0}], [ASKED]).get_data(as_text=True))
    assert not [s for s in secrets if any(s in text for text in said)]


# ── drawer, cards, one lead ───────────────────────────────────────────────────────────────────────


def test_the_drawer_shows_the_top_of_the_lead(bakery: House) -> None:
    row = leads.block(bakery.viewer("aussendienst"), bakery.sources, OPEN, 4, 1).rows[0]
    answer = bakery.fire(bakery.sign_in("aussendienst"), DRAWER, [{"key": row.key, "at": 4}], [ASKED])
    said = words(answer.get_json()["response"])
    for part in (
        row.name,
        "5 of 60",
        row.score.text.replace(NB, " "),
        "Open",
        "What if",
        "Where the model starts",
        row.values["telefon"],
    ):
        assert part in said
    assert f"/leads/{row.key}?{LIST}" in said


@pytest.mark.parametrize("chosen", [None, {}, {"key": ""}, "x", 3])
def test_a_closed_drawer_asks_nothing(bakery: House, chosen: Any) -> None:
    answer = bakery.fire(bakery.sign_in("aussendienst"), DRAWER, [chosen], [ASKED])
    assert answer.status_code < 300 and "leads-drawer-body" not in answer.get_data(as_text=True)


def test_a_drawer_for_nobody_is_a_notice(bakery: House) -> None:
    answer = bakery.fire(bakery.sign_in("aussendienst"), DRAWER, [{"key": "nobody~x"}], [ASKED])
    assert "There is no such lead in your list." in answer.get_data(as_text=True)


@pytest.mark.parametrize(("count", "shown"), [(20, 20), (40, 40), (10_000, 60), ("x", 20), (-3, 20), (None, 20)])
def test_a_phone_gets_cards_of_three_lines(bakery: House, count: Any, shown: int) -> None:
    answer = bakery.fire(bakery.sign_in("aussendienst"), CARDS, [{**ASKED, "count": count}])
    found = answer.get_json()["response"]
    assert len(found["leads-cards"]["children"]) == shown
    assert found["leads-more"]["hidden"] is (shown == 60)
    first = words(found["leads-cards"]["children"][0])
    assert first.startswith("ll-leadcard") is False and "Call" in first and "tel:+41" in first


def test_one_lead_has_everything_a_seller_needs(bakery: House) -> None:
    row = leads.block(bakery.viewer("aussendienst"), bakery.sources, OPEN, 1, 1).rows[0]
    said = bakery.words(bakery.sign_in("aussendienst"), f"/leads/{row.key}?{LIST}").replace(NB, " ")
    for part in (
        row.name,
        "2 of 60",
        "Band hoch",
        "50 % or more",
        "within your 20",
        "Against the usual",
        "Reach",
        "Copy",
        "Known",
        "What if …",
        "Kündigungsrisiko version 1",
    ):
        assert part in said
    assert "Waterfall" not in said and "Log-odds" not in said and "SHAP" not in said


@pytest.mark.parametrize(
    ("view", "part"),
    [
        ("waterfall", "From 39.7 % to"),
        ("log-odds", "SHAP value (log-odds)"),
        ("nothing", "Where the model starts"),
        ("bars", "Where the model starts"),
    ],
)
def test_an_analyst_chooses_how_reasons_are_drawn(bakery: House, view: str, part: str) -> None:
    row = leads.block(bakery.viewer("tueftlerei"), bakery.sources, OPEN, 1, 1).rows[0]
    said = bakery.words(bakery.sign_in("tueftlerei"), f"/leads/{row.key}?{LIST}&view={view}").replace(NB, " ")
    assert part in said or part.replace("39.7", "40") in said


def test_a_seller_gets_no_technical_view_by_its_address(bakery: House) -> None:
    row = leads.block(bakery.viewer("aussendienst"), bakery.sources, OPEN, 1, 1).rows[0]
    said = bakery.words(bakery.sign_in("aussendienst"), f"/leads/{row.key}?{LIST}&view=log-odds")
    assert "SHAP" not in said and "Where the model starts" in said


def test_out_of_scope_and_not_existing_look_the_same(bakery: House) -> None:
    theirs = leads.block(bakery.viewer("aussendienst:süd"), bakery.sources, OPEN, 0, 1).rows[0].key
    client = bakery.sign_in("aussendienst")
    pages = {json.dumps(bakery.layout(client, f"/leads/{key}?{LIST}")) for key in (theirs, "nobody~Winter%2F2024", "x")}
    assert len(pages) == 1 and "There is no such lead in your list." in pages.pop()


def test_a_query_cannot_replace_the_key_of_the_address(bakery: House) -> None:
    row = leads.block(bakery.viewer("aussendienst"), bakery.sources, OPEN, 1, 1).rows[0]
    answer = bakery.open(bakery.sign_in("aussendienst"), f"/leads/{row.key}?{LIST}&key=other")
    assert answer.status_code == 400


def test_odd_keys_and_names_reach_their_page(bakery: House) -> None:
    """Keys with umlauts, slash, tilde, blank and per cent; a name that is markup, one that is a formula."""
    client = bakery.sign_in("aussendienst:zwei")
    shown = leads.block(bakery.viewer("aussendienst:zwei"), bakery.sources, OPEN, 0, 500).rows
    odd = [r for r in shown if not r.name.startswith("Haus")]
    assert len(odd) >= 3
    for row in odd:
        assert row.name.split("\n")[0] in bakery.words(client, f"/leads/{row.key}?{LIST}")


def test_nobody_anonymous_reads_a_lead(client: Any) -> None:
    for address in ("/leads", f"/leads?{LIST}", "/leads/x", f"/leads.csv?{LIST}"):
        assert client.document(address).status_code == 302
