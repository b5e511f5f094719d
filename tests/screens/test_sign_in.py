"""The way in and out: the form, the demo's cards, where one lands, and what a browser carried before."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from data import audit_log
from services import accounts, demo_people, live_sessions, passwords
from tests.house import PASSWORD, House, email_of
from tests.instances import copied, open_bakery_sources


def token_of(client: Any, path: str = "/sign-in") -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).get_data(as_text=True))
    assert found
    return found[1]


def enter(client: Any, who: str, password: str = PASSWORD, path: str = "/sign-in", **headers: str) -> Any:
    said = {"email": email_of(who), "password": password, "csrf_token": token_of(client)}
    return client.post(path, data=said, headers=headers)


def session_id(client: Any) -> str:
    with client.session_transaction() as session:
        return str(session.get("_user_id", ""))


@pytest.fixture
def demo_house(built_bakery, tmp_path) -> House:
    """A bakery in demo mode, bound to loopback, with its demo accounts."""
    sources = open_bakery_sources(copied(built_bakery, tmp_path / "demo"))
    sources = replace(sources, settings=replace(sources.settings, demo=True))
    demo_people.create_demo_people(sources)
    yield House(sources)
    sources.close()


# ── the form ──────────────────────────────────────────────────────────────────────────────────────


def test_one_lands_on_the_page_of_the_role(bakery):
    for who, home in (("leitung", "/kpis"), ("aussendienst", "/leads"), ("hauswart", "/admin/people")):
        client = bakery.client()
        assert enter(client, who).headers["Location"] == "/"
        assert client.get("/").headers["Location"] == home


def test_one_lands_where_one_wanted_to_go(bakery):
    client = bakery.client()
    assert client.document("/admin/audit?outcome=denied").headers["Location"] == (
        "/sign-in?next=%2Fadmin%2Faudit%3Foutcome%3Ddenied"
    )
    answer = enter(client, "hauswart", path="/sign-in?next=/admin/audit?outcome=denied")
    assert answer.headers["Location"] == "/admin/audit?outcome=denied"


@pytest.mark.attack("X-09")
@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example/kpis", "%2f%2fevil.example",
     "javascript:alert(1)", "/kpis\r\nSet-Cookie: a=b", "/kpis\tx", "/ kpis", "\\\\evil", "/no-such-page", "/sign-in",
     "/leads.csv", "/_dash-layout", "kpis", ""],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_after_signing_in(bakery, target):
    client = bakery.client()
    said = {"email": email_of("hauswart"), "password": PASSWORD, "csrf_token": token_of(client)}
    answer = client.post("/sign-in", query_string={"next": target}, data=said)
    assert answer.status_code == 302 and answer.headers["Location"] == "/"


def test_the_form_carries_a_known_page_on_and_nothing_else(bakery):
    client = bakery.client()
    good = client.get("/sign-in", query_string={"next": "/data?dataset=abnehmer"}).get_data(as_text=True)
    action = re.search(r'action="(/sign-in\?[^"]*)"', good)
    assert action and parse_qs(urlsplit(unescape(action[1])).query) == {"next": ["/data?dataset=abnehmer"]}
    for bad in ("//evil.example", "https://evil.example", '"><script>alert(1)</script>', "/no-such-page"):
        said = client.get("/sign-in", query_string={"next": bad}).get_data(as_text=True)
        assert 'action="/sign-in"' in said and "evil" not in said and "<script>alert" not in said


def test_a_wrong_password_and_an_unknown_person_read_the_same(own_bakery):
    wrong = enter(own_bakery.client(), "hauswart", "not the password")
    unknown = enter(own_bakery.client(), "nobody", "not the password")
    assert wrong.status_code == unknown.status_code == 401

    def same(answer: Any) -> str:
        return re.sub(r'value="[^"]*"', "", answer.get_data(as_text=True))

    assert same(wrong) == same(unknown)
    assert "E-mail or password is wrong, or there were too many attempts." in wrong.get_data(as_text=True)


def test_what_was_typed_is_shown_again_as_text_and_never_the_password(own_bakery):
    client = own_bakery.client()
    said = {"email": '"><script>alert(1)</script>', "password": "hunter2 hunter2", "csrf_token": token_of(client)}
    page = client.post("/sign-in", data=said).get_data(as_text=True)
    assert "<script>alert" not in page and '"><script>alert(1)</script>' in unescape(page)
    assert "hunter2" not in page


@pytest.mark.parametrize(
    "data", [{}, {"email": ""}, {"password": "x"}, {"email": "a\x00b@c", "password": "\x00"}, {"email": "x" * 5_000}]
)
def test_half_a_form_is_a_wrong_form(own_bakery, data):
    client = own_bakery.client()
    answer = client.post("/sign-in", data={**data, "csrf_token": token_of(client)})
    assert answer.status_code == 401


def test_an_old_form_is_asked_for_again_in_words(bakery):
    client = bakery.client()
    answer = client.post("/sign-in", data={"email": "a@b", "password": "x", "csrf_token": "old"})
    assert answer.status_code == 303
    said = client.get(answer.headers["Location"]).get_data(as_text=True)
    assert "The form had been open for too long. Sign in once more." in said


def test_another_site_cannot_sign_anybody_in(bakery):
    assert enter(bakery.client(), "hauswart", Origin="https://evil.example").status_code == 403


@pytest.mark.attack("A-06")
def test_a_password_of_a_megabyte_is_not_hashed(own_bakery, monkeypatch):
    client = own_bakery.client()
    monkeypatch.setattr(passwords, "HASHER", None)
    said = {"email": email_of("hauswart"), "password": "x" * 2_000, "csrf_token": token_of(client)}
    assert client.post("/sign-in", data=said).status_code == 401
    said["password"] = "x" * (1 << 20)
    assert client.post("/sign-in", data=said).status_code == 413


# ── sessions ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("A-07")
def test_signing_in_gives_a_new_session_and_ends_the_one_before(own_bakery):
    client = own_bakery.sign_in("hauswart")
    before = session_id(client)
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    token = client.token
    said = {"email": email_of("leitung"), "password": PASSWORD, "csrf_token": token}
    assert client.post("/sign-in", data=said).status_code == 302
    assert session_id(client) not in ("", before)
    with client.session_transaction() as session:
        assert "planted" not in session
    assert live_sessions.viewer_for_session(own_bakery.sources, before) is None
    assert live_sessions.viewer_for_session(own_bakery.sources, session_id(client)).role == "leitung"


@pytest.mark.attack("A-13")
def test_a_session_id_is_256_bits_and_only_its_hash_is_kept(own_bakery):
    ids = {session_id(own_bakery.sign_in("hauswart")) for _ in range(3)}
    assert len(ids) == 3 and all(len(i) == 43 for i in ids)
    kept = (own_bakery.sources.settings.instance / "app.db").read_bytes()
    wal = own_bakery.sources.settings.instance / "app.db-wal"
    kept += wal.read_bytes() if wal.exists() else b""
    for one in ids:
        assert one.encode() not in kept and live_sessions.hash_of(one).encode() in kept


@pytest.mark.attack("A-15")
def test_a_one_time_password_opens_the_account_page_and_nothing_else(own_bakery):
    sources = own_bakery.sources
    accounts.create(
        sources, email="neu@people.example", name="Neu", role="hauswart", attributes={}, password=PASSWORD, once=True
    )
    client = own_bakery.client()
    said = {"email": "neu@people.example", "password": PASSWORD, "csrf_token": token_of(client)}
    answer = client.post("/sign-in?next=/admin/people", data=said)
    assert answer.headers["Location"] == "/account"
    client.document("/account")
    assert "There is no such page for you." in own_bakery.words(client, "/admin/people")
    assert "Choose your own password first." in own_bakery.words(client, "/account")
    assert "Leute" not in client.get("/_dash-layout").get_data(as_text=True)
    done = own_bakery.fire(
        client, "account-password.children", [1], [PASSWORD, "eine lange neue Losung", "eine lange neue Losung"]
    )
    assert "Your password is changed." in done.get_data(as_text=True)
    assert "Leute" in client.get("/_dash-layout").get_data(as_text=True)
    assert "Add a person" in own_bakery.words(client, "/admin/people")


# ── the demo's cards ──────────────────────────────────────────────────────────────────────────────


def test_the_cards_say_who_and_with_which_question(demo_house):
    page = demo_house.client().get("/sign-in").get_data(as_text=True)
    cards = re.findall(r'role">([^<]+)</span><span class="ll-signin-question">([^<]+)</span>', page)
    assert ("Aussendienst Nord/See", "Wen besuche ich zuerst?") in [(unescape(a), unescape(b)) for a, b in cards]
    assert len(cards) == 5


def test_one_click_is_enough(demo_house):
    client = demo_house.client()
    said = {"email": "hauswart@example.com", "csrf_token": token_of(client)}
    assert client.post("/sign-in/demo", data=said).headers["Location"] == "/"
    assert client.get("/").headers["Location"] == "/admin/people"


NOT_AT_HOME: dict[str, dict[str, Any]] = {
    "another name": {"headers": {"Host": "lakelight.example"}},
    "a name that begins alike": {"headers": {"Host": "127.0.0.1.evil.example"}},
    "an address of the network": {"headers": {"Host": "192.168.1.4:8050"}},
    "forwarded for": {"headers": {"X-Forwarded-For": "10.0.0.1"}},
    "forwarded host": {"headers": {"X-Forwarded-Host": "lakelight.example"}},
    "forwarded port": {"headers": {"X-Forwarded-Port": "443"}},
    "forwarded": {"headers": {"Forwarded": "for=10.0.0.1"}},
    "real ip": {"headers": {"X-Real-IP": "10.0.0.1"}},
    "via": {"headers": {"Via": "1.1 proxy"}},
    "asked from elsewhere": {"environ_overrides": {"REMOTE_ADDR": "10.0.0.7"}},
    "come from a page elsewhere": {"headers": {"Referer": "https://lakelight.example/sign-in"}},
    "an old proxy": {"environ_overrides": {"SERVER_PROTOCOL": "HTTP/1.0"}},
}


@pytest.mark.parametrize("case", NOT_AT_HOME)
def test_the_cards_are_for_this_machine_alone(demo_house, case):
    client = demo_house.client()
    token = token_of(client)
    assert "/sign-in/demo" not in client.get("/sign-in", **NOT_AT_HOME[case]).get_data(as_text=True)
    said = {"email": "hauswart@example.com", "csrf_token": token}
    answer = client.post("/sign-in/demo", data=said, **NOT_AT_HOME[case])
    assert answer.status_code in (400, 401, 303), case
    assert session_id(client) == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8050", "localhost:8050", "LOCALHOST", "[::1]:8050", "[::1]"])
def test_the_cards_are_there_by_every_name_of_this_machine(demo_house, host):
    page = demo_house.client().get("/sign-in", headers={"Host": host}).get_data(as_text=True)
    assert page.count("/sign-in/demo") == 5


@pytest.mark.parametrize("settings", [{"demo": False}, {"host": "0.0.0.0"}, {"proxies": 1}])
def test_no_cards_outside_demo_mode_or_where_the_network_listens(demo_house, settings):
    sources = replace(demo_house.sources, settings=replace(demo_house.sources.settings, **settings))
    house = House(sources)
    client = house.client()
    assert "/sign-in/demo" not in client.get("/sign-in").get_data(as_text=True)
    said = {"email": "hauswart@example.com", "csrf_token": token_of(client)}
    assert client.post("/sign-in/demo", data=said).status_code == 401


def test_the_demo_door_opens_for_demo_accounts_only(demo_house):
    client = demo_house.client()
    for email in (email_of("hauswart"), "nobody@example.com", ""):
        said = {"email": email, "csrf_token": token_of(client)}
        assert client.post("/sign-in/demo", data=said).status_code == 401, email


def test_the_demo_door_asks_for_the_form_token(demo_house):
    client = demo_house.client()
    assert client.post("/sign-in/demo", data={"email": "hauswart@example.com"}).status_code == 303
    assert session_id(client) == ""


# ── the log ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("U-01")
def test_coming_in_being_refused_and_leaving_stand_in_the_log(own_bakery):
    client = own_bakery.client()
    enter(client, "leitung", "wrong wrong wrong")
    enter(client, "leitung")
    client.document("/account")
    client.post("/sign-out", data={"csrf_token": client.token})
    with own_bakery.sources.store.read() as session:
        events = audit_log.found(session, person=email_of("leitung"))[0][:3]
    assert [(e.act, e.allowed) for e in reversed(events)] == [("sign_in", False), ("sign_in", True), ("sign_out", True)]
    assert not any(PASSWORD in str(e.detail) + e.reason for e in events)


def test_an_address_that_tries_many_accounts_is_told_to_wait_and_when(own_bakery):
    client = own_bakery.client()
    answers = [enter(client, f"nobody{number}", "a wrong password") for number in range(31)]
    assert {a.status_code for a in answers} == {401}
    waits = enter(client, "hauswart")
    assert waits.status_code == 429 and 1 <= int(waits.headers["Retry-After"]) <= 2
    assert "Too many wrong attempts came from your address." in waits.get_data(as_text=True)
