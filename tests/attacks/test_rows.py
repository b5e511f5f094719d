"""Rows and columns of others by every surface of the real server. The oracle reads each answer; these ask.

An answer with a canary of another round, or of a column that is hidden from the asker, fails the test that asked.
"""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

import pytest

from data import people
from pages import PAGES
from services import people as people_service
from services.access import viewer_of_person
from tests import instances
from tests.attacks import canaries
from tests.attacks.canaries import CANARY, SCOPES, planted
from tests.attacks.client import Client, query
from tests.bakery import build
from tests.house import email_of
from tests.screens.test_no_way_around import Outside, _parameters, _values

GRID = "leads-grid.getRowsResponse"
ASKED = {"list": "kuendigung", "of": build.OPEN_SEASON, "bands": [], "q": ""}
LIST = {"list": "kuendigung", "of": build.OPEN_SEASON}
SELLERS = {"aussendienst": ("Nord/See",), "aussendienst:zwei": ("Nord/See", "Stadt 'Mitte'"), "aussendienst:ohne": ()}


def outside(*tours: str) -> Outside:
    """Questions that ask for what lies outside these rounds."""
    known = planted(build.houses())
    foreign = known[~known.tour.isin(tours)]
    keys = tuple(quote(f"{k}~{build.OPEN_SEASON}", safe="~") for k in foreign.kennung[:8])
    return Outside(
        texts=frozenset(),
        looks=CANARY,
        lists=(("kuendigung", build.OPEN_SEASON), ("kuendigung", "Herbst/2024")),
        keys=keys,
        words=(str(foreign.betrieb.iloc[0]), "canary", str(foreign.telefon.iloc[0])),
        column="tour",
        value=str(foreign.tour.iloc[0]),
        ids=lambda _: set(),
    )


def blocks(client: Client, asked: dict[str, Any] = ASKED, **window: Any) -> list[dict[str, Any]]:
    """All rows of the grid."""
    found: list[dict[str, Any]] = []
    while True:
        asked_window = {"startRow": len(found), "endRow": len(found) + 100, "sortModel": [], "filterModel": {}} | window
        answer = client.fire(GRID, [asked_window], [asked])
        assert answer.status == 200, answer.text[:200]
        block = answer.json["response"]["leads-grid"]["getRowsResponse"]
        found += block["rowData"]
        if not block["rowData"] or len(found) >= block["rowCount"]:
            return found


def marks(text: str) -> set[str]:
    """Which rows a text speaks of."""
    return {f"{m[2]}-{m[0][-3:]}" for m in CANARY.finditer(unquote(unquote(text)))}


def named(text: str) -> set[str]:
    """Which rows a text calls by their name: the keys of neighbours stand in links to them."""
    return {f"{m[2]}-{m[0][-3:]}" for m in CANARY.finditer(text) if m[1] == "house"}


# ── every surface, every question ─────────────────────────────────────────────────────────────────


@pytest.mark.attack("R-02", "R-03", "R-04", "R-07")
@pytest.mark.parametrize("who", SELLERS)
def test_no_surface_gives_a_row_of_another_round(sign_in, who):
    client, out = sign_in(who), outside(*SELLERS[who])
    asked = 0
    for page in PAGES:
        for path in [page.path] if "<" not in page.path else [re.sub(r"<\w+>", k, page.path) for k in out.keys[:2]]:
            for parameters in list(_parameters(out)):
                assert client.open(query(path, **parameters)).status in (200, 400)
                asked += 1
    for parameters in _parameters(out):
        assert client.get(query("/leads.csv", **parameters)).status in (200, 400, 403, 404, 429)
    for output, spec in client.dependencies().items():
        places = len(spec["inputs"]) + len(spec.get("state") or [])
        if any(i["id"].startswith("{") for i in (*spec["inputs"], *(spec.get("state") or []))):
            continue
        for value in _values(out):
            given = [value] * places
            answer = client.fire(output, given[: len(spec["inputs"])], given[len(spec["inputs"]) :])
            assert answer.status < 500 or answer.status == 503
            asked += 1
    assert asked > 200


@pytest.mark.attack("R-03", "E-02")
@pytest.mark.parametrize("who", SELLERS)
def test_grid_file_and_single_pages_speak_of_the_same_rows(sign_in, who):
    client = sign_in(who)
    known = planted(build.houses())
    own = known[known.tour.isin(SELLERS[who])]
    truth = {canaries.CANARY.search(k)[0].replace("canary-key-", "") for k in own.kennung}  # type: ignore[index]
    rows = blocks(client)
    taken = client.get(query("/leads.csv", **LIST))
    lines = list(csv.DictReader(io.StringIO(taken.text.lstrip("\ufeff")))) if taken.status == 200 else []
    assert marks(json.dumps(rows)) == truth == marks(taken.text if taken.status == 200 else "")
    assert len(rows) == len(truth) == len(lines)
    for row in rows[:3]:
        assert named(client.words(f"/leads/{row['key']}")) == marks(row["key"])
        assert marks(client.words(query("/what-if", list="kuendigung", key=row["key"]))) >= marks(row["key"])
    if rows:
        assert f"{len(rows):,} Abnehmer" in client.words(query("/leads", **LIST)).replace("\u00a0", " ")


FILTERS: dict[str, Any] = {
    "another round": {"tour": {"filterType": "text", "type": "equals", "filter": "Süd & Tal"}},
    "or everything": {"tour": {"filterType": "text", "type": "equals", "filter": "Süd & Tal' OR '1'='1"}},
    "not one's own": {"tour": {"filterType": "text", "type": "notEqual", "filter": "Nord/See"}},
    "blank": {"tour": {"filterType": "text", "type": "blank"}},
    "case and blanks": {"tour": {"filterType": "text", "type": "equals", "filter": " SÜD & TAL "}},
    "both": {
        "tour": {
            "filterType": "text",
            "operator": "OR",
            "conditions": [
                {"filterType": "text", "type": "equals", "filter": "Nord/See"},
                {"filterType": "text", "type": "equals", "filter": "Süd & Tal"},
            ],
        }
    },
    "a search for all": {"betrieb": {"filterType": "text", "type": "contains", "filter": "canary"}},
    "ten thousand": {"betrieb": {"filterType": "text", "type": "contains", "filter": "x" * 10_000}},
}


@pytest.mark.attack("R-02")
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_narrows_and_never_widens(sign_in, name):
    client = sign_in("aussendienst")
    window = {"startRow": 0, "endRow": 500, "sortModel": [], "filterModel": FILTERS[name]}
    answer = client.fire(GRID, [window], [ASKED])
    assert answer.status in (200, 400)
    assert {m.partition("-")[0] for m in marks(answer.text)} <= {"nord"}
    file = client.get(query("/leads.csv", **LIST, f=json.dumps(FILTERS[name])))
    assert {m.partition("-")[0] for m in marks(file.text)} <= {"nord"}


@pytest.mark.attack("R-02")
def test_nobody_without_a_round_sees_nothing_rather_than_everything(sign_in):
    client = sign_in("aussendienst:ohne")
    assert blocks(client) == [] and marks(client.get(query("/leads.csv", **LIST)).text) == set()
    assert marks(client.words("/kpis") + client.words("/leads") + client.words("/what-if")) == set()


@pytest.mark.attack("R-04")
def test_what_there_is_to_choose_from_are_ones_own_values(sign_in):
    client = sign_in("aussendienst")
    for path in ("/kpis?by=tour", "/kpis?by=tour&only=tour:Süd%20%26%20Tal", "/leads", "/what-if"):
        said = client.words(path)
        assert "Stadt 'Mitte'" not in said, path
        assert "only=" in path or "Süd & Tal" not in said, path


@pytest.mark.attack("R-05")
def test_ranks_are_those_of_ones_own_rows(sign_in):
    for who in ("aussendienst", "aussendienst:süd"):
        ranks = [row["rank"] for row in blocks(sign_in(who))]
        assert ranks == list(range(1, 61))


@pytest.mark.attack("R-06")
def test_reasons_and_comparisons_speak_of_the_row_and_of_published_aggregates(sign_in):
    client = sign_in("aussendienst")
    for row in blocks(client)[:5]:
        words = client.words(f"/leads/{row['key']}?list=kuendigung")
        assert named(words) == marks(row["key"]) and "Mahnungen" not in re.sub(r"Hidden[^.]*\.", "", words)


HIDDEN = ("telefon", "vertraege.telefon", "TELEFON", "telefon ", "abnehmer.inhaberin", "inhaberin")


@pytest.mark.attack("R-07")
@pytest.mark.parametrize("column", HIDDEN)
def test_a_hidden_column_can_be_had_by_no_name(sign_in, column):
    client = sign_in("tueftlerei")  # sees all rows, and neither names nor numbers of people
    everything = {"filterType": "text", "type": "contains", "filter": "canary"}
    for window in ({"sortModel": [{"colId": column, "sort": "asc"}]}, {"filterModel": {column: everything}}):
        whole = {"startRow": 0, "endRow": 50, "sortModel": [], "filterModel": {}, **window}
        answer = client.fire(GRID, [whole], [ASKED])
        assert "There is no column" in answer.text and '"rowData":[]' in answer.text, answer.text[:300]
    for path in ("/leads", "/kpis", "/what-if", "/models/kuendigung", "/data"):
        for asked in ({"sort": column}, {"by": column}, {"only": f"{column}:canary"}, {"columns": column}):
            assert client.open(query(path, **LIST, **asked)).status in (200, 400)


# ── caches, two workers, at the same time ─────────────────────────────────────────────────────────


def _walk(client: Client) -> Iterator[str]:
    yield json.dumps(blocks(client)) if "leads:" in str(client.dependencies()) or client.scope.tours else ""
    for path in ("/kpis", "/kpis?by=tour", "/leads", "/what-if"):
        yield client.open(path).text


@pytest.mark.attack("R-09", "R-11")
def test_warm_caches_of_both_workers_give_nobody_anothers_rows(server, sign_in):
    everybody = [sign_in(w) for w in ("tueftlerei", "leitung", "aussendienst:süd", "aussendienst")]
    seen: dict[tuple[str, int], str] = {}
    for worker in (0, 1):
        with server.only(worker):
            for client in everybody:
                texts = [t for _ in range(2) for t in _walk(client)]
                assert texts[: len(texts) // 2] == texts[len(texts) // 2 :], client.who
                seen[client.who, worker] = texts[1]
    north, south = seen["aussendienst", 0], seen["aussendienst:süd", 0]
    assert north == seen["aussendienst", 1] and south == seen["aussendienst:süd", 1] and north != south


@pytest.mark.attack("R-10")
def test_two_people_with_the_same_question_at_once_each_get_their_own(sign_in):
    clients = [sign_in(w) for w in ("aussendienst", "aussendienst:süd")]
    wrong: list[str] = []
    got: dict[str, set[str]] = {c.who: set() for c in clients}

    def ask(client: Client) -> None:
        try:
            for turn in range(25):
                found = marks(json.dumps(blocks(client))) if turn % 5 == 0 else marks(client.open("/leads").text)
                got[client.who] |= found
        except BaseException as problem:
            wrong.append(repr(problem)[:300])

    threads = [threading.Thread(target=ask, args=(client,)) for client in clients for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert {w: {m.partition("-")[0] for m in found} for w, found in got.items()} == {
        "aussendienst": {"nord"}, "aussendienst:süd": {"sued"},
    }  # fmt: skip


# ── what changes while somebody is there ──────────────────────────────────────────────────────────


def _change(instance: Any, who: str, *, role: str, tours: list[str]) -> None:
    """What the administrator does on the page People, in a process of its own."""
    sources = instances.open_bakery_sources(instance)
    try:
        with sources.store.read() as session:
            found = {w: people.by_email(session, email_of(w)) for w in (who, "hauswart")}
            person, boss = found[who], found["hauswart"]
            assert person is not None and boss is not None
            number, name, viewer = person.id, person.name, viewer_of_person(sources.workspace, boss)
        kept = {"tour": tours} if tours else {}
        people_service.change_person(viewer, sources, number, name=name, role=role, attributes=kept)
    finally:
        sources.close()


@pytest.mark.attack("R-02", "R-11", "G-08")
def test_another_round_or_role_binds_at_the_next_request_of_both_workers(own_server):
    client = Client(own_server).sign_in("aussendienst")
    before = marks(json.dumps(blocks(client)))
    assert {m.partition("-")[0] for m in before} == {"nord"}
    _change(own_server.instance, "aussendienst", role="aussendienst", tours=["Süd & Tal"])
    client.scope = SCOPES["aussendienst:süd"]
    for worker in (0, 1):
        with own_server.only(worker):
            assert {m.partition("-")[0] for m in marks(json.dumps(blocks(client)))} == {"sued"}
            file = client.get(query("/leads.csv", **LIST))
            assert {m.partition("-")[0] for m in marks(file.text)} == {"sued"}
            gone = client.open(
                f"/leads/{quote(planted(build.houses()).kennung[0])}~{quote(build.OPEN_SEASON, safe='')}"
            )
            assert not marks(gone.text) & before
    _change(own_server.instance, "aussendienst", role="leitung", tours=[])
    client.scope = SCOPES["leitung"]
    for worker in (0, 1):
        with own_server.only(worker):
            window = {"startRow": 0, "endRow": 5, "sortModel": [], "filterModel": {}}
            assert client.fire(GRID, [window], [ASKED]).status == 404
            assert client.get(query("/leads.csv", **LIST)).status == 404 and not marks(client.open("/leads").text)
