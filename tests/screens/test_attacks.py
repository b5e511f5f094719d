"""What attackers tried, with a seller's account or with none: each hole that was found, and what must stay shut."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import pytest
from sqlalchemy import delete

from data import audit_log, publications
from data.tables import Publication
from services import leads, own_account, passwords, refresh, what_if
from services.access import viewer_of
from services.errors import InvalidQuery
from services.explanations import hidden_features
from services.lead_query import LeadQuery
from services.what_if import WhatIfQuery
from tests.bakery import build
from tests.house import PASSWORD, House, email_of, texts

SELLER, ADMIN = "aussendienst", "hauswart"
GRID = "leads-grid.getRowsResponse"
MOVE = "what-if-result.children"
ASKED = {"list": "kuendigung", "of": build.OPEN_SEASON, "bands": [], "q": ""}
WINDOW = {"startRow": 0, "endRow": 20, "sortModel": [], "filterModel": {}}
LONE = "\ud800"
"""Half of a character: JSON can say it, no encoding can write it."""


def events(house: House, act: str) -> list[Any]:
    """What the log says of an act, the newest first."""
    with house.sources.store.read() as session:
        return audit_log.found(session, act=act, limit=500)[0]


def form_token(client: Any) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").get_data(as_text=True))
    assert found
    return found[1]


def enter(client: Any, email: str, password: str, token: str, **more: Any) -> Any:
    return client.post("/sign-in", data={"email": email, "password": password, "csrf_token": token}, **more)


def first_key(house: House, client: Any) -> str:
    """The key of the first row of somebody's own list."""
    answer = house.fire(client, GRID, [WINDOW], [ASKED])
    return str(answer.get_json()["response"]["leads-grid"]["getRowsResponse"]["rowData"][0]["key"])


# ── the way in ────────────────────────────────────────────────────────────────────────────────────


def test_blanks_behind_an_address_buy_no_further_guesses(own_bakery):
    """An address that is cut to the same person must be counted as the same person."""
    client, victim = own_bakery.client(), email_of(ADMIN)
    token = form_token(client)
    padded = victim + " " * (254 - len(victim))
    for turn in range(6):
        assert enter(client, f"{padded}{turn}", "a wrong password", token).status_code == 401
    assert enter(client, f"{padded}x", PASSWORD, token).status_code == 401
    assert enter(client, victim, PASSWORD, token).status_code == 401


def test_a_flood_of_sign_ins_leaves_threads_for_everybody_else(own_bakery, monkeypatch):
    """While a password is hashed a thread waits. A few may wait; more are sent away at once and told to come back."""
    hashing, go = threading.Event(), threading.Event()

    class Slow:
        def verify(self, *_: str) -> bool:
            hashing.set()
            go.wait(20)
            return False

    monkeypatch.setattr(passwords, "HASHER", Slow())
    answers: list[Any] = []

    def guess(at: int) -> None:
        client = own_bakery.client()
        answers.append(enter(client, f"nobody{at}@people.example", "a wrong password", form_token(client)))

    threads = [threading.Thread(target=guess, args=(at,), daemon=True) for at in range(8)]
    for thread in threads:
        thread.start()
    assert hashing.wait(10)
    for thread in threads:
        thread.join(1)
    sent_away = [a for a in answers if a.status_code == 503]
    go.set()
    for thread in threads:
        thread.join(20)
    assert len(sent_away) == 8 - passwords.MOST_AT_THE_DOOR
    assert sent_away[0].headers["Retry-After"] and "Many people are signing in" in sent_away[0].get_data(as_text=True)
    assert sorted({a.status_code for a in answers}) == [401, 503]


def test_behind_a_proxy_each_person_has_an_address_of_their_own(own_bakery):
    """Else everybody comes from the proxy, and one attacker locks out everybody."""
    settings = replace(own_bakery.sources.settings, proxies=1)
    house = House(replace(own_bakery.sources, settings=settings), own_bakery.people)
    client = house.client()
    token = form_token(client)
    for _ in range(7):
        enter(client, email_of(ADMIN), "a wrong password", token, headers={"X-Forwarded-For": "1.2.3.4, 203.0.113.9"})
    said = {"headers": {"X-Forwarded-For": "198.51.100.7"}}
    assert enter(client, email_of(ADMIN), PASSWORD, token, **said).status_code == 302
    lines = own_account.own_account(house.viewer(ADMIN), house.sources).sessions
    assert {line.address for line in lines} - {"127.0.0.1"} == {"198.51.100.7"}


def test_without_a_proxy_nobody_chooses_the_address_they_come_from(own_bakery):
    client = own_bakery.client()
    token = form_token(client)
    for turn in range(7):
        enter(client, email_of(ADMIN), "a wrong password", token, headers={"X-Forwarded-For": f"203.0.113.{turn}"})
    said = {"headers": {"X-Forwarded-For": "198.51.100.7"}}
    assert enter(client, email_of(ADMIN), PASSWORD, token, **said).status_code == 401


def test_where_one_wanted_to_go_keeps_all_of_its_words(bakery):
    """The address in the form's own address must not end at its first "&"."""
    wanted = "/leads?" + urlencode({"list": "kuendigung", "of": build.OPEN_SEASON, "q": "a&b"})
    client = bakery.client()
    page = client.get("/sign-in", query_string={"next": wanted}).get_data(as_text=True)
    action = re.search(r'method="post" action="([^"]+)"', page)
    assert action
    said = {"email": email_of(SELLER), "password": PASSWORD, "csrf_token": form_token(client)}
    assert client.post(action[1].replace("&amp;", "&"), data=said).headers["Location"] == wanted


@pytest.mark.parametrize(
    "cookie", ["remember_token=a|d\u00e9f", "remember_token=a|b", "lakelight=\u00e9\u00e9", "lakelight=a.b.c"]
)
@pytest.mark.parametrize("path", ["/sign-in", "/leads", "/_dash-layout"])
def test_a_planted_cookie_neither_lets_in_nor_breaks_a_page(bakery, cookie, path):
    """A neighbour on the same host can plant cookies; nobody must be shut out by one."""
    answer = bakery.client(use_cookies=False).get(
        path, headers={"Cookie": cookie.encode().decode("latin-1"), "Accept": "text/html"}
    )
    assert answer.status_code == {"/sign-in": 200, "/leads": 302, "/_dash-layout": 401}[path]


# ── what is not there ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/admin/people", "/jobs", "/models", "/models/kuendigung", "/data", "/admin/check"])
def test_the_title_of_a_page_is_for_those_who_may_open_it(bakery, path):
    answer = bakery.open(bakery.sign_in(SELLER), path).get_json()["response"]
    nowhere = bakery.open(bakery.sign_in(SELLER), "/no-such-page").get_json()["response"]
    assert answer == nowhere
    assert bakery.open(bakery.sign_in(SELLER), "/leads").get_json()["response"]["_pages_store"]["data"] == {
        "title": "Leads · Lakelight"
    }


@pytest.mark.parametrize(
    "path",
    ["/_dash-component-suites/dash/no-such-file.js", "/_dash-component-suites/os/path.js", "/assets/a%00.js",
     "/_dash-component-suites/%00/x.js", f"/assets/{'a' * 300}.js", "/assets/..%2fapp.py", "/assets/fonts",
     "/_dash-component-suites/dash/..%2f..%2fapp.py"],
)  # fmt: skip
def test_a_file_that_is_not_there_is_not_there_and_no_breakdown(bakery, path):
    """Each breakdown writes a page into the log; a stranger must not fill the disk with them."""
    assert bakery.client().get(path).status_code == 404


# ── questions ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "asked",
    [{"q": LONE}, {"bands": [LONE]}, {"of": LONE}, {"list": LONE}],
    ids=str,
)
def test_half_a_character_is_malformed_and_breaks_nothing(bakery, asked):
    client = bakery.sign_in(SELLER)
    assert bakery.fire(client, GRID, [WINDOW], [ASKED | asked]).status_code == 400
    assert bakery.fire(client, MOVE, [{"list": "kuendigung", "key": "x", "edits": {LONE: "1"}}]).status_code == 400
    raw = json.dumps(bakery.body(GRID, [WINDOW], [ASKED | asked]), ensure_ascii=False)
    for encoded in (raw.encode("utf-8", "surrogatepass"), raw.encode("utf-16", "surrogatepass")):
        headers = {"X-CSRFToken": client.token, "Content-Type": "application/json"}
        assert client.post("/_dash-update-component", data=encoded, headers=headers).status_code == 400


@pytest.mark.parametrize("filters", [{"betrieb": {"type": "contains", "filter": LONE}}, {LONE: {"type": "contains"}}])
def test_half_a_character_in_an_address_is_a_sentence(bakery, filters):
    client = bakery.sign_in(SELLER)
    asked = {"list": "kuendigung", "of": build.OPEN_SEASON, "f": json.dumps(filters)}
    answer = client.get(f"/leads.csv?{urlencode(asked)}")
    assert (answer.status_code, answer.get_data(as_text=True)) == (400, "The filters in this address cannot be read.")


@pytest.mark.parametrize(
    "places",
    [None, [None], ["x"], [{}], [{"id": "leads-count", "property": "children"}], [{"id": {}, "property": "children"}],
     [{"id": {"part": "another", "band": "hoch"}, "property": "children"}], {"part": "leads-count"},
     [{"id": {"part": "leads-count", "band": "hoch"}, "property": "className"}], [[]]],
    ids=str,
)  # fmt: skip
def test_places_of_an_answer_that_were_not_registered_are_malformed(bakery, places):
    client = bakery.sign_in(SELLER)
    body = bakery.body(GRID, [WINDOW], [ASKED])
    at = next(i for i, place in enumerate(body["outputs"]) if place == [])
    good = [{"id": {"part": "leads-count", "band": "hoch"}, "property": "children"}]
    assert bakery.post(client, body | {"outputs": [*body["outputs"][:at], good, *body["outputs"][at + 1 :]]}).json
    spoiled = bakery.post(client, body | {"outputs": [*body["outputs"][:at], places, *body["outputs"][at + 1 :]]})
    assert spoiled.status_code == 400


def test_what_one_may_not_call_is_not_there_whatever_its_shape(bakery):
    client = bakery.sign_in(SELLER)
    for spoiled in ({"inputs": []}, {"inputs": "x"}, {"outputs": []}, {"state": [1]}, {}):
        body = bakery.body("..audit-events.children...audit-href.data..") | spoiled
        assert bakery.post(client, body).status_code == 404


@pytest.mark.parametrize("search", [5, ["x"], {"a": 1}, True])
def test_an_address_that_is_no_text_is_the_usual_view(bakery, search):
    answer = bakery.fire(bakery.sign_in(SELLER), "kpis-body.children", [1], [search])
    assert "Something went wrong" not in answer.get_data(as_text=True)


def test_the_log_does_not_grow_by_what_a_grid_is_stuffed_with(own_bakery):
    """A filter is written into the log and into the address; it must fit there, and say nothing but the filter."""
    client = own_bakery.sign_in(SELLER)
    stuffed = {"betrieb": {"type": "contains", "filter": "Haus", "junk": "x" * 500_000}}
    answer = own_bakery.fire(client, GRID, [WINDOW | {"filterModel": stuffed}], [ASKED])
    assert answer.get_json()["response"]["leads-grid"]["getRowsResponse"]["rowData"] == []
    assert "The filters are too long." in " ".join(texts(answer.get_json()))
    assert all(len(json.dumps(e.detail)) < 10_000 for e in events(own_bakery, "leads.open"))


def test_a_row_stands_in_the_log_under_one_name_however_its_address_was_written(own_bakery):
    """Else what was read could be hidden from whoever looks for that row in the log."""
    client = own_bakery.sign_in(SELLER)
    key = first_key(own_bakery, client)
    odd = f"%{ord(key[-1]):02X}".join([key[:-1], ""]) if key[-1].isalnum() else key.replace("4", "%34", 1)
    assert odd != key
    plain = own_bakery.words(client, f"/leads/{key}?list=kuendigung")
    drawer = own_bakery.fire(client, "leads-drawer-body.children", [{"key": odd}], [ASKED])
    assert "ll-drawer-name" in drawer.get_data(as_text=True) and plain
    own_bakery.words(client, "/what-if?" + urlencode({"list": "kuendigung", "key": odd}))
    moved = own_bakery.fire(client, MOVE, [{"list": "kuendigung", "key": odd, "edits": {"rabatt": "3"}}])
    assert "ll-wi-sentence" in moved.get_data(as_text=True)
    own_bakery.sources.clock.move(timedelta(minutes=5))
    own_bakery.words(client, "/what-if?" + urlencode({"list": "kuendigung", "key": key}))
    for act in ("lead.open", "what_if.open", "what_if.moves"):
        assert {e.resource for e in events(own_bakery, act)} == {f"kuendigung/{key}"}, act


def test_moves_over_many_rows_start_no_thread_each(own_bakery):
    client = own_bakery.sign_in(SELLER)
    rows = own_bakery.fire(client, GRID, [WINDOW], [ASKED]).get_json()["response"]
    keys = [r["key"] for r in rows["leads-grid"]["getRowsResponse"]["rowData"]]
    before = threading.active_count()
    for key in keys:
        own_bakery.fire(client, MOVE, [{"list": "kuendigung", "key": key, "edits": {"rabatt": "3"}}])
    assert len(keys) == 20 and threading.active_count() <= before + 1


# ── what is hidden ────────────────────────────────────────────────────────────────────────────────


def test_an_input_that_is_declared_sensitive_is_hidden_like_a_column(bakery):
    """The privacy of an input counts, also where nobody wrote it at the column of the lake."""
    workspace = bakery.sources.workspace
    model = workspace.models.models["kuendigung"]
    told = model.model_copy(
        update={
            "features": model.features
            | {n: model.features[n].model_copy(update={"privacy": "sensitive"}) for n in ("reklamationen", "art")}
        }
    )
    models = workspace.models.model_copy(update={"models": {"kuendigung": told}})
    seller = {"person_id": 1, "name": "S", "email": "s@x", "role": SELLER, "attributes": {"tour": ("Nord/See",)}}
    viewer = viewer_of(workspace.model_copy(update={"models": models}), **seller)
    assert hidden_features(viewer, told) == {"reklamationen", "art", "zahlungsziel"}
    assert {"reklamationen", "art=Hotel"} <= viewer.scopes[model.scored.dataset].hidden


@pytest.mark.attack("M-10", "R-07")
@pytest.mark.parametrize("damage", ["another type", "a key twice"])
def test_a_hidden_value_of_a_damaged_file_is_in_no_message(own_bakery, damage):
    """Who looks after files sees that one is held back and why, and no value that is private."""
    sources = own_bakery.sources
    if damage == "another type":
        file = sources.settings.lake / "vertraege" / "saison-0.parquet"
        frame = pd.read_parquet(file).astype({"zahlungsziel": object})
        frame["zahlungsziel"] = [f"secret {n}" for n in frame["zahlungsziel"]]
        frame.to_parquet(file, index=False)
        secret, said = "secret", "Mahnungen (zahlungsziel) must be a whole number"
    else:
        dataset = sources.workspace.lake.datasets["abnehmer"]
        columns = dataset.columns | {"kennung": dataset.columns["kennung"].model_copy(update={"privacy": "personal"})}
        lake = sources.workspace.lake
        changed = dataset.model_copy(update={"columns": columns})
        lake = lake.model_copy(update={"datasets": lake.datasets | {"abnehmer": changed}})
        own_bakery.sources = sources = replace(sources, workspace=sources.workspace.model_copy(update={"lake": lake}))
        file = sources.settings.lake / "stamm" / "abnehmer.parquet"
        frame = pd.read_parquet(file)
        secret, said = str(frame.kennung.iloc[0]), "The key of Abnehmer must be unique"
        pd.concat([frame, frame.head(1)]).to_parquet(file, index=False)
    held = refresh.refresh(sources).held_back
    assert held and any(said in reason for _, reason in held) and secret not in repr(held)
    with sources.store.read() as session:
        assert secret not in repr([(q.file, q.reason) for q in publications.open_quarantine(session)])
        assert secret not in repr([(e.reason, e.detail) for e in audit_log.found(session, limit=50)[0]])


@pytest.mark.attack("R-07")
@pytest.mark.parametrize("first", [True, False], ids=["never published", "published before"])
def test_why_a_file_is_held_back_is_not_for_those_who_see_only_some_rows(own_bakery, first):
    """The sentence names a row that may be anybody's: a seller of one tour must not read it."""
    sources = own_bakery.sources
    file = sources.settings.lake / "buchhaltung" / "lieferungen-2024.csv"
    lines = file.read_text(encoding="latin-1").splitlines(keepends=True)
    file.write_text("".join([*lines, lines[1]]), encoding="latin-1")
    refresh.refresh(sources)
    if first:
        with sources.store.begin() as session:
            session.execute(delete(Publication).where(Publication.dataset == "lieferungen"))
    number = lines[1].partition(";")[0]
    with sources.store.read() as session:
        assert number in publications.open_quarantine(session)[0].reason
    for who in (SELLER, "leitung"):
        said = own_bakery.words(own_bakery.sign_in(who), "/kpis")
        assert "held back" in said and number not in said
    assert number in own_bakery.words(own_bakery.sign_in(ADMIN), "/data?dataset=lieferungen")


@pytest.mark.attack("R-06")
def test_moving_every_visible_input_to_one_value_does_not_read_off_the_hidden_one(own_bakery):
    """Rows that differ in nothing but a hidden input would have one score for each of its values."""
    seller = own_bakery.viewer(SELLER)
    viewer = replace(seller, grants=seller.grants | {"what_if:all_inputs"}, fingerprint="moves every input")
    query = LeadQuery(list="kuendigung", of=build.OPEN_SEASON)
    keys = [row.key for row in leads.block(viewer, own_bakery.sources, query, 0, 5).rows]
    alike = {"lieferzeit": "0", "rabatt": "0", "bestelltage": "4", "reklamationen": "1", "art": "Hotel"}
    for key in keys:
        with pytest.raises(InvalidQuery, match="There is no input"):
            what_if.move(viewer, own_bakery.sources, WhatIfQuery("kuendigung", key, alike))
        moved = what_if.move(viewer, own_bakery.sources, WhatIfQuery("kuendigung", key, {"rabatt": "0"}))
        assert {c.feature for c in moved.controls} == {"lieferzeit", "rabatt"}
    analyst = own_bakery.viewer("tueftlerei")
    assert len(what_if.move(analyst, own_bakery.sources, WhatIfQuery("kuendigung", keys[0], alike)).changed) >= 4
