"""G: what one may do. Every address and every callback for everybody, on the real server, against a written table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from pages import PAGES
from pages._guard import JOB_KEYS, ROUTER
from services.access import ADDRESSES
from tests.attacks import matrix
from tests.attacks.canaries import CANARY, SCOPES
from tests.attacks.client import DASH, Client, body_of, query, router
from tests.attacks.people import ACT, body, press
from tests.attacks.server import Server
from tests.house import email_of

GRID = "leads-grid.getRowsResponse"
DRAWER = "leads-drawer-body.children"
MOVE = "what-if-result.children"
AUDIT = "..audit-events.children...audit-href.data.."
ASKED = {"list": "kuendigung", "of": "Winter/2024", "bands": [], "q": ""}
WINDOW = {"startRow": 0, "endRow": 20, "sortModel": [], "filterModel": {}}
ENDING = ("/sign-out",)
NOT_FOUND = {"error": "not_found"}


def askers(server: Server, addresses: Iterator[str]) -> Mapping[str, Callable[[], Client]]:
    """Each of ``matrix.ASKERS`` as a function that gives their browser: its copy, so that nothing of it is used up."""
    fresh = {who: Client(server, address=next(addresses)) for who in matrix.ASKERS}
    for who in matrix.ASKERS[2:]:
        fresh[who].sign_in(who)
        fresh[who].dependencies()
    fresh["disabled"].sign_in("opfer")
    press(fresh["hauswart"], "disable", of="opfer")
    press(fresh["hauswart"], "enable", of="opfer")
    fresh["disabled"].scope = SCOPES[""]
    return {who: (lambda c=client: c.copy()) for who, client in fresh.items()}


def bodies(clients: Mapping[str, Callable[[], Client]], application: Any) -> dict[str, dict[str, Any]]:
    """The request that a browser sends for each callback of the server, by its plain name."""
    samples: dict[str, tuple[list[Any], list[Any]]] = {
        GRID: ([WINDOW], [ASKED]),
        DRAWER: ([{"key": a_key(clients["aussendienst"]())}], [ASKED]),
        MOVE: ([{"list": "kuendigung", "key": a_key(clients["aussendienst"]()), "edits": {"rabatt": "3"}}], []),
        "audit-events.children": ([None, None, None, "denied"], []),
        "kpis-body.children": ([1], [""]),
        "jobs-open.children@": ([[]], [[]]),
        "jobs-tick.disabled": ([1], []),
        "ll-tray-list": ([1], []),
        "access-answer": ([1], ["1", "vertraege", "x"]),
    }
    made = {}
    for name, spec in application.callback_map.items():
        if "callback" not in spec or name == ROUTER:
            continue
        inputs, state = next((s for part, s in samples.items() if part in name), ([], []))
        asked = body_of({**spec, "output": name}, inputs, state)
        if '["MATCH"]' in name:
            asked = _matched(asked, "a-job-that-is-not-there")
        made[matrix.plain(name)] = asked
    return made


def a_key(seller: Client) -> str:
    """The key of the first row of a seller's list."""
    rows = seller.fire(GRID, [WINDOW], [ASKED]).json["response"]["leads-grid"]["getRowsResponse"]["rowData"]
    return str(rows[0]["key"])


def _matched(asked: dict[str, Any], value: str) -> dict[str, Any]:
    """A pattern's request as the browser sends it for one of its components."""
    id_ = {"job": value, "type": "jobs-cancel"}
    output = {"id": {"job": value, "type": "jobs-said"}, "property": "children"}
    inputs = [{"id": id_, "property": "n_clicks", "value": 1}]
    changed = [json.dumps(id_, sort_keys=True, separators=(",", ":")) + ".n_clicks"]
    return {**asked, "inputs": inputs, "outputs": output, "changedPropIds": changed}


@pytest.fixture(scope="module")
def everybody(server: Server, addresses: Iterator[str]) -> Mapping[str, Callable[[], Client]]:
    return askers(server, addresses)


# ── the matrices ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("G-01", "K-08")
def test_every_address_answers_everybody_by_every_method_as_the_table_says(everybody, application, server, addresses):
    wanted = matrix.table()["routes"]
    rules = {rule.rule for rule in application.server.url_map.iter_rules()}
    assert rules == set(wanted), "matrix.yml must name every rule of the application, and no other"
    for rule in sorted(rules - set(ENDING)):
        got = dict(matrix.statuses(everybody, rule))
        assert got == wanted[rule], rule
    for rule in ENDING:
        for method in matrix.METHODS:
            ending = askers(server, addresses) if method == "POST" else everybody
            got = " ".join(str(matrix.ask(ending[who](), method, rule).status) for who in matrix.ASKERS)
            assert got == wanted[rule][method], (rule, method)


@pytest.mark.attack("G-01", "K-08")
def test_head_is_get_without_a_body_and_opens_nothing_more(everybody):
    for who in matrix.ASKERS:
        for path in ("/kpis", "/leads.csv?list=kuendigung&of=Winter/2024", "/healthz", "/_dash-layout"):
            got, head = (matrix.ask(everybody[who](), method, path) for method in ("GET", "HEAD"))
            sent_away = (got.status, head.status) == (302, 401)
            assert head.body == b"" and (head.status == got.status or sent_away), (who, path)


@pytest.mark.attack("G-02")
def test_every_callback_answers_those_who_may_and_is_not_there_for_others(everybody, application):
    wanted = matrix.table()["callbacks"]
    asked = bodies(everybody, application)
    assert set(asked) == set(wanted), "matrix.yml must name every callback of the application, and no other"
    for output, said in sorted(asked.items()):
        answers = {who: everybody[who]().post(said) for who in matrix.ASKERS}
        assert " ".join(str(a.status) for a in answers.values()) == wanted[output], output
        for who, answer in answers.items():
            if answer.status not in (200, 204):
                assert not answer.has_data and set(answer.json) == {"error"} and len(answer.body) < 40, (output, who)


@pytest.mark.attack("G-02")
def test_a_refused_callback_is_not_told_from_one_that_does_not_exist(everybody):
    seller = everybody["aussendienst"]()
    refused = seller.post(body_of(everybody["hauswart"]().dependencies()[AUDIT], [None, None, None, "denied"]))
    nowhere = seller.post({"output": "no-such.children", "inputs": []})
    assert (refused.status, refused.json) == (nowhere.status, nowhere.json) == (404, NOT_FOUND)


@pytest.mark.attack("G-02", "U-01")
def test_a_refused_callback_stands_in_the_log_and_does_nothing(server, sign_in, everybody):
    client = sign_in("aussendienst:süd")
    before = len(server.events("job.start"))
    output = next(o for o in everybody["hauswart"]().dependencies() if "jobs-open.children@" in o)
    said = body_of(everybody["hauswart"]().dependencies()[output])
    assert client.post(said).json == NOT_FOUND
    assert server.events("callback.run", "aussendienst:süd")[-1][1:3] == (output[:254], 0)
    assert len(server.events("job.start")) == before


@pytest.mark.attack("G-06")
def test_a_browser_is_told_of_the_callbacks_that_its_person_may_call_and_of_no_other(everybody):
    wanted = matrix.table()["callbacks"]
    for at, who in enumerate(matrix.ASKERS):
        if who in ("stranger", "disabled"):
            answer = everybody[who]().get("/_dash-dependencies", accept="application/json")
            assert (answer.status, answer.json) == (401, {"error": "sign_in"})
            continue
        told = {matrix.plain(o) for o in everybody[who]().dependencies()} - {ROUTER}
        assert told == {o for o, codes in wanted.items() if codes.split()[at] != "404"}, who


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────


def spellings(path: str) -> list[str]:
    """A path as somebody might write it to pass by a rule."""
    first = path[1]
    return [
        path, f"{path}/", f"/{path}", path.upper(), path.replace("/", "%2f").replace("%2f", "/", 1), f"{path};x",
        f"/%{ord(first):02x}{path[2:]}", f"/x/..{path}", path.replace(first, chr(0x430) if first == "a" else "ｘ", 1),
        f"{path}%00", f"{path}.", f"{path}%20", f"/./{path[1:]}",
    ]  # fmt: skip


@pytest.mark.attack("G-03")
@pytest.mark.parametrize("who", ["leitung", "aussendienst", "tueftlerei", "hauswart"])
def test_a_page_that_one_may_not_open_is_the_page_that_is_not_there_under_every_spelling(
    everybody, sign_in, application, who
):
    client = everybody[who]()
    grants = set(_actions(application, who))
    nowhere = client.open("/no-such-page").json["response"]
    denied = [path for path, needs in ADDRESSES.items() if needs and needs not in grants]
    assert denied, "everybody is refused something"
    for path in denied:
        for spelled in spellings(path):
            answer = client.open(spelled)
            assert answer.status == 200 and answer.json["response"] == nowhere, spelled


@pytest.mark.attack("G-03")
def test_what_one_may_open_is_opened_by_its_own_spelling(everybody, application):
    """Else the test before would prove nothing."""
    nowhere = everybody["hauswart"]().open("/no-such-page").json["response"]
    for path, needs in ADDRESSES.items():
        who = next((w for w in matrix.ASKERS[2:] if not needs or needs in _actions(application, w)), "")
        assert who, f"somebody must be able to open {path}"
        assert everybody[who]().open(path).json["response"] != nowhere, path


def _actions(application: Any, who: str) -> list[str]:
    from data.workspace import read_workspace
    from tests.bakery import build

    return list(read_workspace(build.WORKSPACE).access.roles[who].actions)


@pytest.mark.attack("G-06")
def test_a_stranger_learns_of_no_page_callback_action_or_row(anonymous):
    client = anonymous()
    seen = [client.get(path).text for path in ("/sign-in", "/", "/kpis", "/no-such-page", "/leads.csv")]
    seen += [client.get(path, accept="application/json").text for path in ("/_dash-layout", "/_dash-dependencies")]
    seen += [client.get(f"/assets/{name}").text for name in ("tokens.css", "sign-in.css", "scheme.js")]
    text = "\n".join(seen)
    known = [p for p in ADDRESSES if p not in ("/kpis", "/account")]
    for word in (
        *known,
        *[p.title for p in PAGES if len(p.title) > 8],
        "validation_layout",
        "dash_version",
        GRID,
        "tueftlerei",
    ):
        assert word not in text, word
    assert client.get("/kpis").location == "/sign-in?next=%2Fkpis", "the address comes back and no more"


@pytest.mark.attack("G-06")
@pytest.mark.parametrize("who", ["leitung", "aussendienst"])
def test_the_first_document_names_no_page_that_its_reader_may_not_open(everybody, application, who):
    client = everybody[who]()
    text = client.get("/account").text + client.get("/_dash-layout", accept="application/json").text
    for path, needs in ADDRESSES.items():
        if needs and needs not in _actions(application, who):
            assert f'"{path}"' not in text, path
    assert "validation_layout" not in text


@pytest.mark.attack("G-07", "G-05")
@pytest.mark.parametrize(
    "search",
    ["user=admin&principal=1&territory=S", "viewer=1&sources=1", "role=hauswart&tour=S%C3%BCd+%26+Tal", "person=1",
     "seen_as=1&grants=people:manage", "page=x&self=y&who=z&given=1"],
)  # fmt: skip
def test_words_of_the_code_in_an_address_change_nothing(everybody, search):
    client = everybody["aussendienst"]()
    assert client.words(f"/account?{search}") == client.words("/account")


# ── the shape of what is sent ─────────────────────────────────────────────────────────────────────


def forged(good: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A right request with one thing wrong in each."""
    first, *rest = good["inputs"]
    stray = {"id": "leads-asked", "property": "data", "value": ASKED}
    return {
        "a property that passes elsewhere": {**good, "inputs": [{**first, "property": "pathname"}, *rest]},
        "another id": {**good, "inputs": [{**first, "id": "kpis-body"}, *rest]},
        "swapped": {**good, "inputs": [*rest, first]},
        "left out": {**good, "inputs": rest},
        "twice": {**good, "inputs": [first, *good["inputs"]]},
        "one more state": {**good, "state": [*good["state"], stray]},
        "another output": {**good, "outputs": {"id": "ll-toasts", "property": "children"}},
        "an id as a list": {**good, "inputs": [{**first, "id": [first["id"]]}, *rest]},
        "no triggers": {**good, "changedPropIds": {"0": "x"}},
    }


@pytest.mark.attack("G-04")
@pytest.mark.parametrize("wrong", sorted(forged({"inputs": [{"id": ""}, {}], "state": [], "outputs": []})))
def test_a_forged_shape_is_malformed_and_stands_in_the_log(server, everybody, wrong):
    client = everybody["hauswart"]()
    good = client.body(AUDIT, [None, None, None, "denied"])
    assert client.post(good).status == 200
    answer = client.post(forged(good)[wrong])
    assert (answer.status, answer.json) == (400, {"error": "malformed"})
    assert server.events("callback.run", "hauswart")[-1][1:3] == (AUDIT, 0)


@pytest.mark.attack("G-04")
def test_a_stranger_who_relabels_an_input_gets_no_further(anonymous, everybody):
    """The way around the stock add-on for signing in: an input that claims to be the address of a public page."""
    said = everybody["aussendienst"]().body(GRID, [WINDOW], [ASKED])
    said["inputs"] = [{"id": "_pages_location", "property": "pathname", "value": "/sign-in"}]
    answer = anonymous().post(said, token="x")
    assert answer.status in (400, 401) and not answer.has_data


@pytest.mark.attack("G-05")
@pytest.mark.parametrize(
    "claimed",
    [{"role": "hauswart"}, {"tour": "Süd & Tal"}, {"person_id": 1}, {"viewer": {"role": "leitung"}},
     {"where": "1=1"}, {"filters": {}}, {"grants": ["people:manage"]}, {"attributes": {"tour": ["Süd & Tal"]}}],
    ids=str,
)  # fmt: skip
def test_what_a_browser_claims_in_a_state_changes_no_row(everybody, claimed):
    client = everybody["aussendienst"]()
    plain = client.fire(GRID, [WINDOW], [ASKED]).json["response"]["leads-grid"]["getRowsResponse"]
    said = client.fire(GRID, [WINDOW], [{**ASKED, **claimed}])
    assert said.json["response"]["leads-grid"]["getRowsResponse"] == plain
    assert {m[2] for m in CANARY.finditer(said.text)} == {"nord"}


@pytest.mark.attack("G-11")
def test_a_field_that_the_form_does_not_have_is_taken_for_nothing(server, everybody):
    admin = everybody["hauswart"]()
    said = press(
        admin, "save", of="opfer", attributes={"tour": ["Nord/See"]},
        fields={"name": "opfer", "role": "aussendienst", "active": False, "id": 1, "password_hash": "x", "demo": True},
    )  # fmt: skip
    kept = server.sql("select role, active, demo, password_hash from people where email = ?", email_of("opfer"))[0]
    assert kept[:3] == ("aussendienst", 1, 0) and kept[3].startswith("$argon2id$"), said


@pytest.mark.attack("G-11")
@pytest.mark.parametrize("extra", [{"owner": 1}, {"name": "x", "x": 1}], ids=str)
def test_a_key_that_an_id_does_not_have_is_malformed(everybody, extra):
    admin = everybody["hauswart"]()
    said = body(admin, "save", of="opfer", fields={"name": "x"})
    said["state"][0][0]["id"].update(extra)
    if "owner" in extra or "x" in extra:
        assert admin.post(said).status == 400


# ── oneself ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("G-12")
@pytest.mark.parametrize("act", ["save", "disable"])
def test_nobody_changes_their_own_rights(server, everybody, act):
    admin = everybody["hauswart"]()
    before = server.sql("select role, attributes, active from people where email = ?", email_of("hauswart"))
    press(admin, act, of="hauswart", fields={"name": "x", "role": "leitung"}, attributes={"tour": ["Nord/See"]})
    after = server.sql("select role, attributes, active from people where email = ?", email_of("hauswart"))
    assert before == after


@pytest.mark.attack("G-12", "G-16")
@pytest.mark.parametrize("who", ["leitung", "aussendienst", "tueftlerei"])
def test_nobody_else_presses_an_administrators_buttons(server, everybody, who):
    admin, client = everybody["hauswart"](), everybody[who]()
    said = body(admin, "save", of=who, fields={"name": who, "role": "hauswart"}, attributes={})
    assert client.post(said).json == NOT_FOUND
    assert server.sql("select role from people where email = ?", email_of(who)) == [(who,)]


@pytest.mark.attack("G-14")
def test_a_view_through_somebodys_eyes_shows_theirs_changes_nothing_and_stands_under_both_names(server, sign_in):
    admin = sign_in("hauswart")
    assert admin.form(f"/view-as/{server.person_id('aussendienst')}", {}).location == "/leads"
    admin.scope = SCOPES["aussendienst"]
    admin._told.clear()
    admin.get("/leads")
    assert "aussendienst" in admin.get("/_dash-layout", accept="application/json").text
    rows = admin.fire(GRID, [WINDOW], [ASKED]).text
    assert {m[2] for m in CANARY.finditer(rows)} == {"nord"}
    assert admin.get("/leads.csv?list=kuendigung&of=Winter/2024").status == 404, "nothing is taken away"
    assert ACT not in admin.dependencies(), "none of the own rights are left"
    assert admin.form(f"/view-as/{server.person_id('leitung')}", {}).status == 404, "no view within a view"
    read = server.sql("select person, detail from audit_events where act = 'leads.open' order by id desc limit 1")[0]
    assert read[0] == email_of("hauswart") and email_of("aussendienst") in read[1]
    admin.form("/view-as/end", {})
    admin.scope = SCOPES["hauswart"]
    assert "no such page" in admin.words("/leads")


@pytest.mark.attack("G-14")
@pytest.mark.parametrize("who", ["leitung", "aussendienst", "tueftlerei"])
def test_nobody_else_looks_as_somebody(server, everybody, who):
    client = everybody[who]()
    assert client.form(f"/view-as/{server.person_id('hauswart')}", {}).status == 404
    assert "people-list" not in client.get("/_dash-layout", accept="application/json").text


@pytest.mark.attack("G-15")
@pytest.mark.parametrize("key", [*JOB_KEYS, "endId"])
def test_handles_of_background_callbacks_are_not_there(everybody, anonymous, key):
    client = everybody["aussendienst"]()
    said = json.dumps(client.body(GRID, [WINDOW], [ASKED]))
    headers = {"Content-Type": "application/json", "X-CSRFToken": client.cookies["_csrf_token"]}
    for value in ("1", str(client.server.pid), "x" * 64):
        answer = client.request("POST", query(DASH, **{key: value}), body=said, headers=headers)
        assert answer.status == 404 if key in JOB_KEYS else answer.status == 200
        stranger = anonymous().request(
            "POST", query(DASH, **{key: value}), body=said, headers={"Content-Type": "application/json"}
        )
        assert stranger.status == 401
    assert len(client.server.worker_pids()) == 2


@pytest.mark.attack("G-09", "G-15")
@pytest.mark.parametrize("job", ["1", "00000000-0000-0000-0000-000000000000", "../x", "' or 1=1 --", "x" * 300])
def test_the_id_of_a_job_that_is_not_ones_own_does_nothing(server, everybody, application, job):
    name = next(o for o in bodies(everybody, application) if "jobs-said" in o)
    said = _matched(bodies(everybody, application)[name], job)
    for who in ("leitung", "aussendienst", "tueftlerei"):
        assert everybody[who]().post(said).json == NOT_FOUND
    before = server.sql("select count(*) from audit_events where act = 'job.cancel' and allowed")
    assert everybody["hauswart"]().post(said).status == 200
    assert server.sql("select count(*) from audit_events where act = 'job.cancel' and allowed") == before


@pytest.mark.attack("G-09")
def test_the_key_of_somebody_elses_session_ends_nothing(server, sign_in):
    victim, client = sign_in("leitung"), sign_in("opfer")
    mine = server.sql("select id_hash from sessions where person_id = ?", server.person_id("leitung"))
    for (id_hash,) in mine:
        id_ = {"key": id_hash[:12], "type": "account-end"}
        pressed = json.dumps(id_, sort_keys=True, separators=(",", ":")) + ".n_clicks"
        client.fire("account-sessions.children", [[{"id": id_, "property": "n_clicks", "value": 1}]], changed=[pressed])
    assert victim.is_in


@pytest.mark.attack("G-09")
def test_a_row_of_somebody_else_is_a_row_that_is_not_there(everybody):
    seller, other = everybody["aussendienst"](), Client(everybody["aussendienst"]().server).sign_in("aussendienst:süd")
    key = a_key(other)
    strange = seller.open(f"/leads/{key}?list=kuendigung").json["response"]["_pages_content"]
    nothing = seller.open("/leads/no-such-key?list=kuendigung").json["response"]["_pages_content"]
    assert json.dumps(strange).replace(json.dumps(key)[1:-1], "no-such-key") == json.dumps(nothing)


@pytest.mark.attack("G-04")
@pytest.mark.parametrize("pathname", [1, None, ["/admin/people"], {"a": 1}, True])
def test_the_router_takes_an_address_and_nothing_else(everybody, pathname):
    assert everybody["aussendienst"]().post(router(pathname)).status == 400
