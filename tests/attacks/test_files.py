"""E: files out, over the wire."""

from __future__ import annotations

import csv
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.attacks.canaries import CANARY, SCOPES
from tests.attacks.client import Client, query
from tests.attacks.test_rights import ASKED, GRID, WINDOW
from tests.house import email_of

FILE = "/leads.csv?list=kuendigung&of=Winter/2024"


def lines(text: str) -> list[dict[str, str]]:
    """The rows of a file."""
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


@pytest.mark.attack("E-01")
def test_no_cell_of_a_file_begins_like_a_formula(sign_in):
    """The lake's hostile names are in it: a script, a formula, a quote, a line break."""
    found = lines(sign_in("aussendienst").get(FILE).text)
    names = [r["betrieb"] for r in found]
    assert any("<script>" in n for n in names) and any("drop table" not in n for n in names)
    for row in found:
        for name, cell in row.items():
            number = re.fullmatch(r"-?[\d.,]+(e-?\d+)?", cell)
            assert number or not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "＝")), (name, cell)
            assert "\n" not in cell and "\r" not in cell and "\x00" not in cell


@pytest.mark.attack("E-02", "R-03")
@pytest.mark.parametrize("who", ["aussendienst", "aussendienst:süd", "aussendienst:zwei", "aussendienst:ohne"])
def test_a_file_holds_the_rows_of_the_grid_and_no_other(sign_in, who):
    client = sign_in(who)
    answer = client.fire(GRID, [{**WINDOW, "endRow": 500}], [ASKED])
    grid = answer.json["response"].get("leads-grid", {}).get("getRowsResponse") or {"rowData": []}
    shown = {m[0] for r in grid["rowData"] for m in CANARY.finditer(json.dumps(r)) if m[1] == "house"}
    taken = client.get(FILE)
    assert taken.status in (200, 403)
    in_file = {m[0] for m in CANARY.finditer(taken.text) if m[1] == "house"}
    assert in_file == shown and {m.split("-")[2] for m in in_file} == set(SCOPES[who].tours)


@pytest.mark.attack("E-02")
def test_a_tampered_address_gives_no_further_row(sign_in):
    client = sign_in("aussendienst")
    own = {m[0] for m in CANARY.finditer(client.get(FILE).text)}
    for extra in (
        {"tour": "Süd & Tal"}, {"where": "1=1"}, {"viewer": "1"}, {"role": "leitung"}, {"rows": "all"},
        {"f": '{"tour":{"filterType":"text","type":"equals","filter":"Süd & Tal"}}'}, {"person": "1"},
    ):  # fmt: skip
        got = client.get(query("/leads.csv", list="kuendigung", of="Winter/2024", **extra))
        assert {m[0] for m in CANARY.finditer(got.text)} <= own, extra


@pytest.mark.attack("E-02", "R-10")
def test_files_taken_at_the_same_moment_are_each_their_own(sign_in):
    people = {who: sign_in(who) for who in ("aussendienst", "aussendienst:süd")}

    def take(who: str) -> list[set[str]]:
        return [{m[2] for m in CANARY.finditer(people[who].copy().get(FILE).text)} for _ in range(5)]

    with ThreadPoolExecutor(2) as several:
        got = list(several.map(take, people))
    assert got == [[set(SCOPES[who].tours)] * 5 for who in people]


@pytest.mark.attack("E-03")
@pytest.mark.parametrize(
    "path",
    ["/exports/../../etc/passwd", "/exports/%2e%2e%2f%2e%2e%2fetc/passwd", "/exports/..%5c..%5cwin.ini",
     "/exports//etc/passwd", "/exports/%00", f"/exports/{'a' * 3_000}", "/exports/con", "/exports/1", "/leads.xlsx",
     "/leads.csv/../../app.db", "/bundles/../app.db", "/assets/../../etc/passwd", "/..%2f..%2f..%2fetc%2fpasswd"],
)  # fmt: skip
def test_no_path_leads_to_a_file_of_the_machine(sign_in, anonymous, path):
    for client in (anonymous(), sign_in("aussendienst")):
        answer = client.get(path, accept="application/json")
        assert "root:" not in answer.text and "SQLite" not in answer.text
        assert "Content-Disposition" not in answer.headers
        assert answer.status in (200, 401, 404) and ("_dash-config" in answer.text or answer.status != 200)


@pytest.mark.attack("E-03", "X-10")
@pytest.mark.parametrize(
    "name", ["../../x", "a\r\nX-Injected: 1", 'a"; filename="evil.exe', "ü/..", "a\x00b", "x" * 500]
)
def test_the_name_of_a_file_is_made_by_the_server(sign_in, name):
    answer = sign_in("aussendienst").get(
        query("/leads.csv", list="kuendigung", of="Winter/2024", filename=name, q=name)
    )
    assert answer.status in (200, 400) and "X-Injected" not in answer.headers
    if answer.status == 200:
        assert re.fullmatch(r'attachment; filename="[A-Za-z0-9._-]+\.csv"', answer.headers["Content-Disposition"])


@pytest.mark.attack("E-05", "U-01")
def test_the_log_says_who_took_which_rows_of_which_version(server, sign_in):
    """The file names model version and time of scoring in each row; the log names the rest."""
    found = lines(sign_in("aussendienst:süd").get(FILE).text)
    assert all(r["model_version"] == "1" and r["scored_at"] for r in found)
    detail = server.sql(
        "select detail from audit_events where act = 'leads.export' and person = ? order by id desc limit 1",
        email_of("aussendienst:süd"),
    )[0][0]
    said = json.loads(detail)
    assert said["rows"] == len(found) and said["of"] == "Winter/2024" and said["version"] == "1"
    assert said["columns"] == list(found[0])


@pytest.mark.attack("E-07")
def test_a_file_is_attached_typed_and_never_kept(sign_in):
    headers = sign_in("aussendienst").get(FILE).headers
    assert re.fullmatch(r'attachment; filename="kuendigung[\w.-]*\.csv"', headers["Content-Disposition"])
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store, private"


@pytest.mark.attack("E-08")
def test_a_file_is_streamed_and_nothing_of_it_stays_on_the_disk(server, sign_in):
    client: Client = sign_in("aussendienst")
    before = {f for f in server.base.rglob("*") if f.is_file()}
    assert client.get(FILE).status == 200
    left = {f for f in server.base.rglob("*") if f.is_file()} - before
    assert [f for f in left if not f.name.startswith("app.db")] == []
    assert not list(server.temporary.iterdir())
