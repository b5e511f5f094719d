"""Q: input to questions, numbers and bodies, over the wire."""

from __future__ import annotations

import gzip
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks import wire
from tests.attacks.client import DASH, query
from tests.attacks.test_rights import ASKED, AUDIT, GRID, MOVE, WINDOW, a_key
from tests.house import texts

SQL = (
    "' or 1=1 --",
    '" or 1=1 --',
    "'; drop table vertraege; --",
    "1; select * from people",
    "x' union select * from people --",
    "tour) or (1=1",
    "1 or tour = 'Süd & Tal'",
    "%' or '1'='1",
    "\\' or 1=1 #",
    "admin'/*",
    "'||(select 1)||'",
    "read_text('/etc/passwd')",
    "'; copy (select 1) to '/tmp/x'; --",
    "'; attach 'x'; --",
    "'; set memory_limit='1TB'; --",
    "information_schema.tables",
    "pg_sleep(9)",
    "x\x00' or 1=1",
    "０' ｏｒ １=１",
    "true",
    "null",
    "{{7*7}}",
)
ODD_WINDOWS: tuple[Any, ...] = (
    {"startRow": -1, "endRow": 20},
    {"startRow": 0, "endRow": 10**12},
    {"startRow": 20, "endRow": 0},
    {"startRow": 0.5, "endRow": 20},
    {"startRow": "0", "endRow": "20; drop table x"},
    {"startRow": True, "endRow": None},
    {"startRow": [0], "endRow": {"a": 1}},
    {"startRow": 10**30, "endRow": 10**30 + 1},
    {},
    [],
    "x",
    7,
    None,
)
BODIES = (
    (b"{}", 404),
    (b"[]", 400),
    (b"null", 400),
    (b"1", 400),
    (b'"x"', 400),
    (b"", 400),
    (b"{", 400),
    (b"\xff\xfe{\x00}\x00", 400),
    (b"\xef\xbb\xbf{}", 400),
    (b'{"output": 1}', 404),
    (b'{"output": "x", "output": "y"}', 404),
    (b"[" * 100_000, 400),
    (b'{"output": "x", "n": ' + b"9" * 5_000 + b"}", 400),
    (b'{"output": "x", "n": NaN}', 400),
    (b'{"n": 1e999}', 400),
    (b'{"output": "x", "s": "' + b"x" * (3 << 20) + b'"}', 413),
    (b'{"a":' * 60 + b"1" + b"}" * 60, 400),
    (b"\x00" * 100, 400),
)


def rows(answer: Any) -> list[dict[str, Any]]:
    """The rows of a grid's answer."""
    said = answer.json["response"].get("leads-grid", {}).get("getRowsResponse") or {}
    return list(said.get("rowData") or [])


@pytest.fixture(scope="module")
def seller(server, addresses):
    from tests.attacks.client import Client

    return Client(server, address=next(addresses)).sign_in("aussendienst")


# ── questions ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("Q-01", "R-02")
@pytest.mark.parametrize("text", SQL, ids=range(len(SQL)))
def test_a_fragment_of_sql_is_a_text_and_widens_nothing(seller, text):
    plain = {json.dumps(r) for r in rows(seller.fire(GRID, [{**WINDOW, "endRow": 500}], [ASKED]))}
    assert len(plain) > 50
    model = {"filterType": "text", "type": "contains", "filter": text}
    tried = [
        ({**WINDOW, "filterModel": {"betrieb": model}}, ASKED),
        ({**WINDOW, "filterModel": {text: model}}, ASKED),
        ({**WINDOW, "filterModel": {"betrieb": {**model, "type": text}}}, ASKED),
        ({**WINDOW, "filterModel": {"betrieb": {"operator": text, "conditions": [model, model]}}}, ASKED),
        ({**WINDOW, "sortModel": [{"colId": text, "sort": "asc"}]}, ASKED),
        ({**WINDOW, "sortModel": [{"colId": "betrieb", "sort": text}]}, ASKED),
        ({**WINDOW, "rowGroupCols": [{"id": text, "field": text}], "groupKeys": [text]}, ASKED),
        (WINDOW, {**ASKED, "q": text}),
        (WINDOW, {**ASKED, "bands": [text]}),
        (WINDOW, {**ASKED, "of": text}),
        (WINDOW, {**ASKED, "list": text}),
    ]
    for window, asked in tried:
        answer = seller.fire(GRID, [window], [asked])
        assert answer.status == 200
        assert {json.dumps(r) for r in rows(answer)} <= plain, (window, asked)
    for name in ("list", "of", "q", "sort", "f", "key", "lead", "bands"):
        assert seller.open(query("/leads", **{"list": "kuendigung", name: text})).status in (200, 400)
        assert seller.get(query("/leads.csv", **{"list": "kuendigung", "of": "Winter/2024", name: text})).status in (
            200,
            400,
        )
    for name in ("by", "only", "period", "against", "metric", "from", "to"):
        assert seller.open(query("/kpis", **{name: text})).status in (200, 400)


@pytest.mark.attack("Q-01")
def test_an_administrators_filters_take_texts_for_texts(sign_in):
    admin = sign_in("hauswart")
    for text in SQL:
        for at in range(4):
            values: list[Any] = [None] * 4
            values[at] = text
            assert admin.fire(AUDIT, values).status == 200


@pytest.mark.attack("Q-02")
@pytest.mark.parametrize("window", ODD_WINDOWS, ids=str)
def test_a_window_that_is_none_gives_a_sentence_or_at_most_a_page(seller, window):
    answer = seller.fire(GRID, [{**WINDOW, **window} if isinstance(window, dict) and window else window], [ASKED])
    assert answer.status == 200 and len(rows(answer)) <= 500


@pytest.mark.attack("Q-02")
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_is_none_is_malformed(seller, number):
    body = json.dumps(seller.body(GRID, [WINDOW], [ASKED])).replace('"endRow": 20', f'"endRow": {number}')
    assert number in body and seller.post(body).status == 400


@pytest.mark.attack("Q-03")
@pytest.mark.parametrize("text", ["%", "_", "%" * 200, "(a+)+$", "a" * 200 + "!", ".*", "[", "\\", "*", "(?=x)" * 40])
def test_a_pattern_in_the_search_is_letters_and_quick(seller, text):
    begun = time.perf_counter()
    answer = seller.fire(GRID, [WINDOW], [{**ASKED, "q": text}])
    took = time.perf_counter() - begun
    assert answer.status == 200 and took < 2, took
    shown = [r for r in rows(answer) if text.lower() not in json.dumps(r, ensure_ascii=False).lower()]
    assert shown == [], "whatever is found holds the text itself"


@pytest.mark.attack("Q-05")
@pytest.mark.parametrize(
    "edits",
    [{"rabatt": "99999"}, {"rabatt": "viel"}, {"art": "Raumschiff"}, {"zahlungsziel": "1"}, {"jahresumsatz": "1"},
     {"bestelltage": "-1"}, {"rabatt": "NaN"}, {"rabatt": "1e400"}, {f"x{n}": "1" for n in range(1_000)},
     {"rabatt": None}, {"rabatt": {"a": 1}}, {"lieferzeit": "' or 1=1"}],
    ids=lambda e: str(e)[:30],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused_by_name_and_never_used(seller, edits):
    key = a_key(seller)
    plain = seller.fire(MOVE, [{"list": "kuendigung", "key": key, "edits": {}}])
    answer = seller.fire(MOVE, [{"list": "kuendigung", "key": key, "edits": edits}])
    assert answer.status in (200, 400)
    if answer.status == 200 and "rabatt" not in edits and "lieferzeit" not in edits:
        assert "ll-wi-sentence" not in answer.text or _score(answer) == _score(plain)


def _score(answer: Any) -> list[str]:
    return [t for t in texts(answer.json.get("response", {})) if t.endswith("%")][:2]


# ── bodies ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("Q-06")
@pytest.mark.parametrize(("body", "status"), BODIES, ids=range(len(BODIES)))
def test_a_body_that_is_none_is_refused_and_never_breaks(seller, body, status):
    answer = seller.post(body)
    assert answer.status == status and set(answer.json) == {"error"}


@pytest.mark.attack("Q-06", "G-04")
@pytest.mark.parametrize("state", [None, {}, "", 0, False, "x", [1]], ids=str)
@pytest.mark.parametrize("output", ["leads-cards.children", GRID])
def test_a_state_that_is_no_list_of_states_is_malformed(seller, output, state):
    body = seller.body(output)
    assert seller.post({**body, "state": state}).status == 400
    assert seller.post({**body, "inputs": state}).status == 400


@pytest.mark.attack("Q-06", "X-08")
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_another_kind_of_content_is_refused(seller, kind):
    answer = seller.post(seller.body(GRID, [WINDOW], [ASKED]), Content_Type=kind)
    assert answer.status == 415 and not answer.has_data


@pytest.mark.attack("Q-08")
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x-gzip, gzip"])
def test_a_compressed_body_is_not_unpacked(seller, encoding):
    bomb = gzip.compress(json.dumps(seller.body(GRID, [WINDOW], [ASKED])).encode() + b" " * (50 << 20))
    begun = time.perf_counter()
    answer = seller.post(bomb, Content_Encoding=encoding)
    assert answer.status in (400, 415) and not answer.has_data and time.perf_counter() - begun < 5


@pytest.mark.attack("Q-07")
def test_requests_that_say_two_lengths_or_too_much_are_refused(server):
    body = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    smuggled = [
        wire.request("POST", "/sign-in", "Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + body),
        wire.request("POST", "/sign-in", "Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + body),
        wire.request(
            "POST", "/sign-in", "Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=b"0\r\n\r\n" + body
        ),
        wire.request("POST", "/sign-in", "Content-Length: 5", "Content-Length: 6", body=b"abcdef"),
        wire.request("POST", "/sign-in", "Content-Length: +5", body=b"abcde"),
        wire.request("POST", "/sign-in", "Content-Length: -1", body=b"abcde"),
        wire.request("GET", "/healthz", " folded: x"),
        wire.request("GET", "/healthz", "Name : x"),
        b"GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n",
        b"GET  /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        wire.request("GET", "/\x00"),
    ]
    for sent in smuggled:
        got = wire.codes(wire.said(server, sent))
        assert len(got) <= 1 and all(code in (400, 411, 501, 505) for code in got), (sent[:90], got)
    huge = [
        (wire.request("GET", "/healthz", f"X: {'a' * 65_536}"), {431}),
        (wire.request("GET", f"/{'a' * 65_536}"), {414}),
        (wire.request("GET", "/healthz", *[f"X-{n}: 1" for n in range(200)]), {431}),
    ]
    for sent, wanted in huge:
        assert set(wire.codes(wire.said(server, sent))) <= wanted


@pytest.mark.attack("Q-07")
def test_two_requests_in_one_go_are_answered_one_after_the_other_and_each_for_itself(server, sign_in):
    mine = sign_in("leitung")
    cookie = "; ".join(f"{k}={v}" for k, v in mine.cookies.items())
    first = f"GET /account HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n".encode()
    both = wire.codes(wire.said(server, first + wire.request("GET", "/account", "Accept: text/html")))
    assert both == [200, 302], "the second has no cookie of its own"


@pytest.mark.attack("Q-07")
def test_idle_connections_keep_nobody_else_waiting(server, anonymous):
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    try:
        times = []
        for _ in range(20):
            begun = time.perf_counter()
            assert anonymous().get("/healthz").text == "ok"
            times.append(time.perf_counter() - begun)
        assert sorted(times)[18] < 2, times
    finally:
        for link in idle:
            link.close()


@pytest.mark.attack("Q-09")
@pytest.mark.parametrize(
    "odd", ["a\r\nforged: line", "\x1b[31mred", '{"event":"forged"}', "a\x00b", "\u202egnp.exe", "a\nb"]
)
def test_what_somebody_calls_themselves_forges_no_line_of_a_log(server, anonymous, odd):
    before = len(server.output.read_bytes())
    client = anonymous()
    client.agent = odd.encode("ascii", "ignore").decode().translate(dict.fromkeys(range(32), " "))
    assert client.enter(f"{odd}@people.example", "a wrong password").status == 401
    client.get(query("/leads", q=odd))
    grown = server.output.read_bytes()[before:]
    assert b"forged" not in grown and b"\x1b" not in grown
    written = [
        r[0] for r in server.sql("select person from audit_events where act = 'sign_in' order by id desc limit 3")
    ]
    assert all(len(p) <= 254 for p in written)


# ── mutations ─────────────────────────────────────────────────────────────────────────────────────

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(SQL),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
KEYS = st.sampled_from(["output", "outputs", "inputs", "state", "changedPropIds", "parsedChangedPropsIds", "x"])


@pytest.mark.attack("Q-10")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(data=st.data())
def test_a_mutated_request_of_any_callback_never_breaks_and_never_leaks(seller, data):
    """The oracle looks at each answer: no 500, no row of another tour, no traceback."""
    output = data.draw(st.sampled_from(sorted(seller.dependencies())))
    body = seller.body(output)
    what = data.draw(st.sampled_from(["key", "value", "element"]))
    if what == "key":
        body[data.draw(KEYS)] = data.draw(VALUES)
    else:
        places = [p for p in (*body["inputs"], *body["state"]) if isinstance(p, dict)]
        if places:
            place = data.draw(st.sampled_from(places))
            place["value" if what == "value" else data.draw(st.sampled_from(["id", "property"]))] = data.draw(VALUES)
    answer = seller.post(body)
    assert answer.status in (200, 204, 400, 404, 413)


@pytest.mark.attack("Q-10", "R-10")
def test_many_mutated_requests_side_by_side_leave_the_server_well(server, seller):
    good = seller.body(GRID, [WINDOW], [ASKED])

    def spoil(number: int) -> int:
        body = {
            **good,
            "inputs": [{**good["inputs"][0], "value": {**WINDOW, "startRow": number, "endRow": number * 7}}],
        }
        return seller.copy().post(body).status

    with ThreadPoolExecutor(8) as several:
        assert set(several.map(spoil, range(-20, 40))) == {200}
    assert len(server.worker_pids()) == 2 and seller.request("GET", DASH).status == 415
