"""The rings around Dash under attack: forged shapes, odd bodies, and what the log says."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import dash
import pytest
from dash import Input, Output, html
from flask import Flask

from app import create_app
from data import audit_log
from pages import _guard, _screen
from pages._guard import ROUTER, Undeclared
from pages._screen import Page
from services import live_sessions, people
from tests.house import PASSWORD, House, email_of, texts

PEOPLE_ACT = "..people-head.children...people-list.children...people-panel.children.."
AUDIT = "..audit-events.children...audit-href.data.."
JOBS_TICK = "..jobs-open.children...jobs-finished.children...jobs-tick.disabled...jobs-shown.data.."
ADMIN, SELLER = "hauswart", "aussendienst"


@pytest.fixture
def house(bakery: House) -> House:
    """The bakery after its first request: Dash has registered its router."""
    bakery.client().get("/healthz")
    return bakery


@pytest.fixture
def own(own_bakery: House) -> House:
    """A bakery of one's own, after its first request, a quarter of an hour after everything that stands in its log."""
    own_bakery.client().get("/healthz")
    own_bakery.sources.clock.move(timedelta(minutes=15))
    return own_bakery


def refusals(house: House, act: str) -> list[Any]:
    """The refusals of this kind since the test began, the newest first."""
    since = house.sources.clock.start + timedelta(minutes=15)
    with house.sources.store.read() as session:
        return audit_log.found(session, act=act, allowed=False, since=since)[0]


def router(pathname: Any, search: Any = "", **others: Any) -> dict[str, Any]:
    """What the browser posts when it goes to an address."""
    return {
        "output": ROUTER,
        "outputs": [{"id": "_pages_content", "property": "children"}, {"id": "_pages_store", "property": "data"}],
        "inputs": [
            {"id": "_pages_location", "property": "pathname", "value": pathname},
            {"id": "_pages_location", "property": "search", "value": search},
        ],
        "changedPropIds": ["_pages_location.pathname"],
        **others,
    }


# ── strangers ─────────────────────────────────────────────────────────────────────────────────────


def test_a_stranger_gets_nothing_of_any_route_by_any_method(house):
    client = house.client()
    for rule in house.app.server.url_map.iter_rules():
        path = rule.rule.replace("<path:path>", "x").replace("<path:fingerprinted_path>", "x")
        path = path.replace("<string:package_name>", "dash").replace("<path:filename>", "x")
        if path in _guard.PUBLIC_PATHS or path.startswith(_guard.PUBLIC_PREFIXES) or "<" in path:
            continue
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
            answer = client.open(path, method=method, json={} if method in ("POST", "PUT", "PATCH") else None)
            assert answer.status_code in (302, 401, 404, 405), (method, path, answer.status_code)
            assert "Morgenrot" not in answer.get_data(as_text=True), (method, path)


def test_a_stranger_is_told_neither_pages_nor_versions(house):
    said = house.client().get("/sign-in").get_data(as_text=True)
    for word in ("/admin/people", "python_version", "dash_version", "_dash-config", "Traceback"):
        assert word not in said


def test_no_version_and_no_page_stands_in_the_first_document(house):
    said = house.sign_in(SELLER).document("/leads").get_data(as_text=True)
    for word in ("python_version", "validation_layout", "/admin/people", "Hauswart"):
        assert word not in said, word


@pytest.mark.parametrize("path", ["/_reload-hash", "/_mcp", "/_mcp/x", "/_dash-ws-callback"])
def test_doors_of_dash_that_are_not_needed_are_shut(house, path):
    assert house.sign_in(ADMIN).get(path, headers={"Accept": "application/json"}).status_code == 404


# ── the shape of a callback ───────────────────────────────────────────────────────────────────────


def test_the_right_request_is_answered(house):
    client = house.sign_in(ADMIN)
    answer = house.fire(client, AUDIT, [None, None, None, "denied"])
    assert answer.status_code == 200
    assert answer.get_json()["response"]["audit-href"]["data"] == "/admin/audit?outcome=denied"


def spoiled(good: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The same request with one thing wrong in each."""
    first, *rest = good["inputs"]
    return {
        "id": {**good, "inputs": [{**first, "id": "people-of"}, *rest]},
        "property": {**good, "inputs": [{**first, "property": "pathname"}, *rest]},
        "swapped": {**good, "inputs": [*rest, first]},
        "missing": {**good, "inputs": rest},
        "twice": {**good, "inputs": [first, first, *rest]},
        "more": {**good, "inputs": [first, *rest, first]},
        "list id": {**good, "inputs": [{**first, "id": ["audit-act"]}, *rest]},
        "no mapping": {**good, "inputs": ["audit-act", *rest]},
        "no list": {**good, "inputs": {"0": first}},
        "state": {**good, "state": [{"id": "people-of", "property": "data", "value": 1}]},
        "outputs": {**good, "outputs": [*good["outputs"], {"id": "ll-toasts", "property": "children"}]},
        "other output": {**good, "outputs": [{"id": "ll-toasts", "property": "children"}, good["outputs"][1]]},
        "no outputs": {**good, "outputs": None},
        "triggers": {**good, "changedPropIds": [1]},
        "trigger": {**good, "changedPropIds": "audit-act.value"},
    }


@pytest.mark.attack("G-04")
@pytest.mark.parametrize("wrong", sorted(spoiled({"inputs": [{}, {}], "outputs": [{}, {}]})))
def test_a_forged_shape_is_refused_and_stands_in_the_log(own, wrong):
    client = own.sign_in(ADMIN)
    answer = own.post(client, spoiled(own.body(AUDIT))[wrong])
    assert answer.status_code == 400, answer.get_data(as_text=True)
    assert [(e.person, e.resource) for e in refusals(own, "callback.run")] == [(email_of(ADMIN), AUDIT)]


@pytest.mark.attack("G-04")
@pytest.mark.parametrize(
    "inputs",
    [
        [{"id": {"type": "people-do", "act": "save", "role": "x"}, "property": "n_clicks", "value": 1}],
        [{"id": {"type": "people-x", "act": "save"}, "property": "n_clicks", "value": 1}],
        [{"id": {"act": "save"}, "property": "n_clicks", "value": 1}],
        [{"id": {"type": "people-do", "act": "save"}, "property": "data", "value": 1}],
        [{"id": "people-do", "property": "n_clicks", "value": 1}],
    ],
)
def test_a_pattern_is_held_to_its_fixed_parts_and_keys(house, inputs):
    client = house.sign_in(ADMIN)
    good = house.body(PEOPLE_ACT, [[]], [[], [], "", []])
    assert house.post(client, good).status_code in (200, 204)
    assert house.post(client, {**good, "inputs": [inputs]}).status_code == 400


@pytest.mark.attack("Q-06")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{}", 404),
        ("[]", 400),
        ("null", 400),
        ('"x"', 400),
        ("1", 400),
        (" ", 400),
        ("{", 400),
        ('{"output": 1}', 404),
        ('{"output": null}', 404),
        ('{"output": ["a"]}', 404),
        ('{"output": "no-such.children", "inputs": []}', 404),
        ('{"output": "x", "n": NaN}', 400),
        ('{"output": "x", "n": Infinity}', 400),
        ('{"output": "x", "n": 1e999}', 400),
        ('{"output": "x", "n": -1e999}', 400),
        ('{"output": "x", "n": ' + "9" * 5_000 + "}", 400),
        ('{"output": "x", "n": ' + "[" * 60 + "]" * 60 + "}", 400),
        ("[" * 100_000, 400),
        ("\ufeff{}", 404),
        ("\x00", 400),
    ],
    ids=lambda v: str(v)[:24].encode("unicode_escape").decode() if isinstance(v, str) else str(v),
)
def test_an_odd_body_is_answered_by_a_4xx_and_never_breaks(house, body, status):
    client = house.sign_in(ADMIN)
    answer = client.post(
        "/_dash-update-component",
        data=body.encode(),
        content_type="application/json",
        headers={"X-CSRFToken": client.token},
    )
    assert answer.status_code in ({status, 400} if body.startswith("\ufeff") else {status})
    assert set(answer.get_json()) == {"error"}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_another_content_type_is_refused(house, kind):
    client = house.sign_in(ADMIN)
    answer = client.post(
        "/_dash-update-component",
        data=json.dumps(house.body(AUDIT)),
        content_type=kind,
        headers={"X-CSRFToken": client.token},
    )
    assert answer.status_code == 415


def test_a_body_over_a_megabyte_is_refused_before_it_is_read(house):
    client = house.sign_in(ADMIN)
    body = house.body(AUDIT, ["x" * (1 << 20)])
    assert house.post(client, body).status_code == 413
    unsized = client.post(
        "/_dash-update-component",
        data=b"{}",
        content_type="application/json",
        headers={"X-CSRFToken": client.token, "Transfer-Encoding": "chunked"},
    )
    assert unsized.status_code == 413


@pytest.mark.parametrize("key", _guard.JOB_KEYS)
def test_handles_of_background_callbacks_are_not_there(house, key):
    client = house.sign_in(ADMIN)
    answer = client.post(
        f"/_dash-update-component?{key}=1", json=house.body(AUDIT), headers={"X-CSRFToken": client.token}
    )
    assert answer.status_code == 404


@pytest.mark.parametrize("token", ["", "x", "IjEyMyI.aaaa.bbbb"])
def test_without_the_right_form_token_nothing_is_done(house, token):
    answer = house.fire(house.sign_in(ADMIN), AUDIT, token=token)
    assert answer.status_code == 400 and answer.get_json() == {"error": "csrf"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost"}, 200),
    ],
)
def test_what_another_site_sends_is_refused_even_with_the_token(house, headers, status):
    client = house.sign_in(ADMIN)
    answer = client.post(
        "/_dash-update-component",
        json=house.body(AUDIT, [None, None, None, ""]),
        headers={"X-CSRFToken": client.token, **headers},
    )
    assert answer.status_code == status


# ── the router ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        router("/leads/1", inputs=[{"id": "x", "property": "y", "value": "/admin/people"}, {}]),
        router(1),
        router(None),
        router(["/admin/people"]),
        router("/", 7),
        router("/", inputs=[]),
        router("/", inputs=[{"id": "_pages_location", "property": "pathname", "value": "/"}]),
        router("/", changedPropIds=[{}]),
    ],
)
def test_the_router_takes_an_address_and_nothing_else(house, body):
    assert house.post(house.sign_in(SELLER), body).status_code == 400


@pytest.mark.attack("G-07")
def test_a_path_variable_is_not_overridden_by_the_query(house):
    names = [p for p in house.pages.values() if p["path_template"]]
    assert names, "there must be a page with a variable in its path"
    client = house.sign_in("tueftlerei")
    for page in names:
        variable = page["path_template"].partition("<")[2].partition(">")[0]
        path = page["path_template"].replace(f"<{variable}>", "one")
        assert house.post(client, router(path, f"?{variable}=two")).status_code == 400, path
        assert house.post(client, router(path, "?something=two")).status_code == 200, path


@pytest.mark.parametrize(
    "search", ["?page=9&self=1", "?viewer=2&sources=x", "?who=1&given=2&args=3", "?" + "a=1&" * 400]
)
def test_words_of_the_code_in_the_query_neither_break_nor_change_a_page(house, search):
    client = house.sign_in(ADMIN)
    plain = texts(house.layout(client, "/account"))
    answer = house.post(client, router("/account", search))
    assert answer.status_code == 200
    assert texts(answer.get_json()["response"]["_pages_content"]["children"]) == plain


@pytest.mark.parametrize(
    "path",
    ["/admin/people", "/admin/people/", "//admin/people", "/ADMIN/PEOPLE", "/admin%2fpeople", "/admin/people;x",
     "/%61dmin/people", "/admin/../admin/people", "/admin/access", "/admin/audit", "/admin/check", "/data", "/jobs"],
)  # fmt: skip
def test_a_page_that_one_may_not_open_looks_as_if_it_were_not_there(house, path):
    client = house.sign_in(SELLER)
    assert house.layout(client, path) == house.layout(client, "/no-such-page")
    other = client.document(("//" if path.startswith("//") else "/") + "no-such-page")
    assert client.document(path).status_code == other.status_code


# ── the point of use ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("G-02")
def test_the_callback_asks_again_where_ring_two_was_passed_by(own, monkeypatch):
    """Whatever transport would call it: with ring two out of the way the callback still refuses."""
    monkeypatch.setattr(_guard, "_callback_refused", lambda app, asked: None)
    client = own.sign_in(SELLER)
    body = own.body(AUDIT, [None, None, None, "denied"])
    answer = own.post(client, body)
    assert "response" not in answer.get_json() or "audit-events" not in answer.get_json()["response"]
    assert "There is no such page for you." in answer.get_data(as_text=True)
    assert refusals(own, "callback.run")


# ── refusals stand in the log, once a minute ──────────────────────────────────────────────────────


def test_a_refused_page_and_a_refused_callback_stand_in_the_log(own):
    client = own.sign_in(SELLER)
    for _ in range(5):
        own.open(client, "/admin/people")
        assert own.fire(client, AUDIT).status_code == 404
    pages, callbacks = refusals(own, "page.open"), refusals(own, "callback.run")
    assert [(e.person, e.resource) for e in pages] == [(email_of(SELLER), "/admin/people")]
    assert [(e.person, e.resource) for e in callbacks] == [(email_of(SELLER), AUDIT)]
    assert pages[0].reason == "The role Aussendienst does not include people:read."
    own.sources.clock.move(timedelta(minutes=2))
    own.open(client, "/admin/people")
    assert len(refusals(own, "page.open")) == 2


def test_a_refused_file_stands_in_the_log(own):
    client = own.sign_in("leitung")
    assert client.get("/leads.csv").status_code == 404
    assert [e.resource for e in refusals(own, "file.take")] == ["leads_csv"]


# ── nothing undeclared starts ─────────────────────────────────────────────────────────────────────


def test_a_page_or_callback_without_a_permission_cannot_be_made():
    with pytest.raises(ValueError, match="must declare an action"):
        Page("/x", "X", "", lambda viewer, sources: None)
    with pytest.raises(ValueError, match="must declare an action"):
        Page("/x", "X", "admin", lambda viewer, sources: None)
    with pytest.raises(ValueError, match="must declare an action"):
        _screen.needs("everything")


def test_a_callback_that_passes_by_the_screen_keeps_the_app_from_starting(house, monkeypatch):
    def add(app: Any) -> None:
        app.callback(Output("x", "children"), Input("y", "value"))(lambda value: value)

    with pytest.raises(Undeclared, match=r"the callback of x\.children"):
        start_with(house, monkeypatch, add)


def test_a_callback_of_dashs_own_decorator_keeps_the_app_from_starting(house, monkeypatch):
    def add(app: Any) -> None:
        dash.callback(Output("global-x", "children"), Input("y", "value"))(lambda value: value)

    try:
        with pytest.raises(Undeclared, match=r"the callback of global-x\.children"):
            start_with(house, monkeypatch, add)
    finally:
        from dash import _callback

        _callback.GLOBAL_CALLBACK_MAP.clear()
        _callback.GLOBAL_CALLBACK_LIST.clear()


def test_a_page_that_passes_by_the_screen_keeps_the_app_from_starting(house, monkeypatch):
    def add(app: Any) -> None:
        dash.register_page("bare", path="/bare", layout=lambda **_: html.Div())

    with pytest.raises(Undeclared, match="the page /bare"):
        start_with(house, monkeypatch, add)


@pytest.mark.attack("G-01")
def test_a_route_that_declares_nothing_keeps_the_app_from_starting(house, monkeypatch):
    def add(app: Any) -> None:
        app.server.add_url_rule("/everything.csv", view_func=lambda: "all")

    with pytest.raises(Undeclared, match=r"the route /everything\.csv"):
        start_with(house, monkeypatch, add)


def start_with(house: House, monkeypatch: pytest.MonkeyPatch, add: Any) -> None:
    """Start an application to which somebody added something just before the last ring."""
    real = _guard.after_dash

    def spoil(app: dash.Dash, screen: Any) -> None:
        add(app)
        real(app, screen)

    monkeypatch.setattr("app._guard.after_dash", spoil)
    create_app(house.sources.settings, house.sources)


# ── what goes wrong inside ────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("U-07")
def test_a_page_that_breaks_gives_a_reference_and_no_more(own, monkeypatch):
    def breaks(*args: Any, **named: Any) -> Any:
        raise RuntimeError("secret of Nord/See")

    monkeypatch.setattr(people, "list_people", breaks)
    said = own.words(own.sign_in(ADMIN), "/admin/people")
    assert "This could not be shown." in said and "the reference" in said
    assert "secret" not in said and "RuntimeError" not in said


@pytest.mark.attack("U-07")
def test_a_database_that_is_gone_gives_a_sentence(own, monkeypatch):
    client = own.sign_in(ADMIN)

    def gone(*args: Any) -> Any:
        raise OSError("disk of /srv/secret")

    monkeypatch.setattr(live_sessions, "live_session", gone)
    answer = client.document("/account")
    assert answer.status_code == 500
    said = answer.get_data(as_text=True)
    assert "Something went wrong on our side." in said and "the reference" in said
    assert "secret" not in said and "Traceback" not in said
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.attack("U-05", "U-07", "Q-09")
def test_what_is_logged_of_a_failure_names_code_and_no_values(own, monkeypatch, caplog):
    def breaks(viewer: Any, sources: Any) -> Any:
        password = "a value that must not be " + "logged"
        raise RuntimeError(f"broken after {len(password)} characters\nforged: line")

    monkeypatch.setattr(people, "list_people", breaks)
    said = own.words(own.sign_in(ADMIN), "/admin/people")
    line = next(r.getMessage() for r in caplog.records if "broken after" in r.getMessage())
    assert json.loads(line)["ref"] in said
    assert "must not be logged" not in line and "\n" not in line


def test_every_answer_carries_the_headers(house):
    client = house.sign_in(ADMIN)
    for path in ("/sign-in", "/account", "/no-such", "/_dash-layout", "/_reload-hash", "/leads.csv", "/healthz"):
        headers = client.get(path, headers={"Accept": "text/html"}).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe-eval" not in policy
        assert "script-src 'self' 'nonce-" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store, private"
        assert headers["Vary"] == "Cookie"
        assert "Access-Control-Allow-Origin" not in headers


def test_the_cookie_says_nothing_and_is_for_this_site_alone(own):
    client = own.client()
    own_client = own.sign_in(SELLER)
    cookie = own_client.get_cookie("lakelight")
    assert cookie.http_only and cookie.same_site == "Lax" and cookie.path == "/" and cookie.origin_only
    from flask.sessions import SecureCookieSessionInterface

    signer = SecureCookieSessionInterface().get_signing_serializer(own.app.server)
    held = signer.loads(cookie.value)
    assert set(held) <= {"_user_id", "_fresh", "_id", "csrf_token", "_permanent"}
    assert email_of(SELLER) not in json.dumps(held) and PASSWORD not in json.dumps(held)
    assert client.get_cookie("lakelight") is None


@pytest.mark.attack("A-11")
def test_https_marks_the_cookie_secure_and_binds_it_to_the_host(house):
    from dataclasses import replace

    settings = replace(house.sources.settings, https=True)
    server: Flask = create_app(settings, house.sources).server
    assert server.config["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert server.config["SESSION_COOKIE_SECURE"] is True
    answer = server.test_client().get("/sign-in")
    assert "max-age=" in answer.headers["Strict-Transport-Security"]
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.attack("X-08")
@pytest.mark.parametrize("address", ["/leads.csv?list=kuendigung", "/admin/evidence.zip", "/sign-in/oidc"])
@pytest.mark.parametrize(
    "said", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}]
)
def test_no_other_site_has_something_taken_in_ones_name(own_bakery, address, said):
    """Opening these is an act, and browsers send the session along when another site leads there."""
    client = own_bakery.sign_in("aussendienst")
    answer = client.get(address, headers=said)
    assert (answer.status_code, answer.get_json()) == (403, {"error": "cross_site"})
    assert client.get("/leads.csv?list=kuendigung", headers={"Sec-Fetch-Site": "same-origin"}).status_code != 403
