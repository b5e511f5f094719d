"""A: signing in and sessions, over the wire and across both workers."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from tests.attacks.canaries import NEW_PASSWORD, PASSWORD
from tests.attacks.client import COOKIE, Client
from tests.house import email_of

WELL_KNOWN = (
    "dev", "secret", "changeme", "password", "key", "secret-key", "SECRET_KEY", "super secret key", "mysecretkey",
    "thisismysecretkey", "development", "flask", "lakelight", "dash", "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    "\x02\x01thisismyscretkey\x01\x02\\e\\y\\y\\h", "TEST_NON_DEV_SECRET", "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    "you-will-never-guess", "0123456789abcdef0123456789abcdef",
)  # fmt: skip
SESSIONS = "account-sessions.children"
PASSWORD_FORM = "account-password.children"
WRONG = "a wrong password of somebody"


def same(text: str) -> str:
    """A sign-in page without what differs each time."""
    return re.sub(r'value="[^"]*"', "", text)


@pytest.mark.attack("A-01", "U-08")
def test_five_wrong_passwords_on_one_worker_make_the_right_one_wait_on_the_other(server, anonymous):
    client = anonymous()
    with server.only(0):
        wrong = [client.enter(email_of("ziel"), WRONG) for _ in range(9)]
    with server.only(1):
        right = client.enter(email_of("ziel"))
    assert {a.status for a in wrong} == {401} and right.status == 401
    assert same(right.text) == same(wrong[0].text)
    assert sum(not allowed for *_, allowed, _ in server.events("sign_in", "ziel")) >= 6


@pytest.mark.attack("A-02")
def test_who_is_locked_out_from_one_address_comes_in_from_their_own(server, anonymous):
    attacker, owner = anonymous(), anonymous()
    for _ in range(9):
        attacker.enter(email_of("ziel"), WRONG)
    assert attacker.enter(email_of("ziel")).status == 401
    assert owner.enter(email_of("ziel")).status == 302


@pytest.mark.attack("A-03")
def test_an_address_that_tries_many_accounts_waits_and_locks_none(server, anonymous):
    attacker = anonymous()
    names = [email_of("leitung"), *(f"nobody{n}@people.example" for n in range(30))]
    answers = [attacker.enter(name, WRONG) for name in names]
    assert {a.status for a in answers} == {401}
    stopped = attacker.enter(email_of("leitung"))
    assert stopped.status == 429 and int(stopped.headers["Retry-After"]) >= 1
    assert anonymous().enter(email_of("leitung")).status == 302


@pytest.mark.attack("A-04")
def test_unknown_disabled_and_known_people_get_the_same_answer_to_the_byte(anonymous):
    """Only length may differ, by that of the address that was typed; the nonce and the token are of each answer."""
    said = {who: anonymous().enter(email_of(who), WRONG) for who in ("leitung", "gesperrt", "niemand")}
    assert {a.status for a in said.values()} == {401}
    assert len({same(a.text) for a in said.values()}) == 1
    assert len({tuple(sorted(a.headers.keys())) for a in said.values()}) == 1
    assert len({len(a.body) - len(email_of(who)) for who, a in said.items()}) == 1


@pytest.mark.attack("A-04")
def test_unknown_people_take_as_long_as_known_ones(anonymous):
    """Each costs one hash of 19 MiB: an answer without it would come in a tenth of the time."""
    took: dict[str, list[float]] = {"leitung": [], "niemand": []}
    for _ in range(4):
        for who, times in took.items():
            client = anonymous()
            token = client.token
            begun = time.perf_counter()
            client.form("/sign-in", {"email": email_of(who), "password": WRONG}, token=token)
            times.append(time.perf_counter() - begun)
    quick, slow = sorted((min(took["leitung"]), min(took["niemand"])))
    assert quick > slow / 3, took


@pytest.mark.attack("A-06")
@pytest.mark.parametrize("size", [1_025, 2_000, 1 << 20], ids=str)
def test_a_huge_password_is_refused_and_never_hashed(anonymous, size):
    client = anonymous()
    token = client.token
    begun = time.perf_counter()
    answer = client.form("/sign-in", {"email": email_of("leitung"), "password": "x" * size}, token=token)
    assert answer.status == (413 if size >= 1 << 20 else 401)
    assert time.perf_counter() - begun < 5


@pytest.mark.attack("A-07")
def test_a_planted_session_is_worth_nothing_after_signing_in(server, anonymous):
    planted = anonymous()
    planted.get("/sign-in")
    before = dict(planted.cookies)
    victim = Client(server, address=planted.address, cookies=dict(before))
    victim.sign_in("leitung")
    assert victim.cookies[COOKIE] != before[COOKIE] and victim.session_id
    assert not planted.is_in


@pytest.mark.attack("A-07")
def test_signing_in_again_ends_the_session_before(sign_in):
    client = sign_in("leitung")
    old = client.copy()
    assert old.is_in
    client.sign_in("tueftlerei")
    assert not old.is_in and client.is_in


@pytest.mark.attack("A-08")
def test_a_copied_cookie_ends_with_the_session_on_both_workers(server, sign_in):
    client = sign_in("leitung")
    copy = client.copy()
    for worker in (0, 1):
        with server.only(worker):
            assert copy.copy().is_in
    assert client.sign_out().headers["Clear-Site-Data"]
    for worker in (0, 1):
        with server.only(worker):
            assert not copy.copy().is_in
            assert copy.copy().open("/account").status == 401


@pytest.mark.attack("A-08")
def test_a_new_password_ends_the_copies_and_keeps_its_owner(sign_in):
    client, stolen = sign_in("opfer"), sign_in("opfer")
    assert stolen.is_in
    said = client.fire(PASSWORD_FORM, [1], [PASSWORD, NEW_PASSWORD, NEW_PASSWORD])
    assert "Your password is changed." in said.text
    assert client.is_in and not stolen.is_in
    back = client.fire(PASSWORD_FORM, [1], [NEW_PASSWORD, PASSWORD, PASSWORD])
    assert "Your password is changed." in back.text


@pytest.mark.attack("A-08", "G-08")
def test_another_role_and_a_disabled_account_bind_at_the_next_request_on_both_workers(server, sign_in):
    from tests.attacks.people import press

    admin, seller = sign_in("hauswart"), sign_in("opfer")
    file = "/leads.csv?list=kuendigung&of=Winter/2024"
    assert seller.get(file).status == 200
    press(admin, "save", of="opfer", fields={"name": "opfer", "role": "leitung"}, attributes={"tour": []})
    seller.scope = seller.scope.__class__()
    for worker in (0, 1):
        with server.only(worker):
            assert seller.get(file).status == 404
            assert "There is no such page for you." in seller.words("/leads")
    press(admin, "disable", of="opfer")
    for worker in (0, 1):
        with server.only(worker):
            assert not seller.copy().is_in
    press(admin, "enable", of="opfer")
    press(
        admin, "save", of="opfer", fields={"name": "opfer", "role": "aussendienst"}, attributes={"tour": ["Nord/See"]}
    )
    assert not seller.is_in, "enabling brings no session back"


@pytest.mark.attack("A-09")
def test_all_other_sessions_end_at_once_and_ones_own_stays(sign_in):
    client, other, third = sign_in("opfer"), sign_in("opfer"), sign_in("opfer")
    pressed = json.dumps({"key": "all", "type": "account-end"}, separators=(",", ":")) + ".n_clicks"
    every = [{"id": {"key": "all", "type": "account-end"}, "property": "n_clicks", "value": 1}]
    assert client.fire(SESSIONS, [every], changed=[pressed]).status == 200
    assert client.is_in and not other.is_in and not third.is_in


@pytest.mark.attack("A-09")
def test_an_administrator_ends_somebodys_sessions(sign_in):
    from tests.attacks.people import press

    victim = sign_in("opfer")
    assert "Signed out: " in press(sign_in("hauswart"), "sign_out", of="opfer")
    assert not victim.is_in


@pytest.mark.attack("A-11")
def test_the_cookie_is_small_hidden_from_scripts_and_bound_to_this_host(server, anonymous):
    client = anonymous()
    line = client.enter(email_of("leitung")).cookies[COOKIE]
    flags = {part.strip().partition("=")[0].lower(): part.strip().partition("=")[2] for part in line.split(";")[1:]}
    assert flags == {"httponly": "", "path": "/", "samesite": "Lax"}, "no Domain, no end: it goes with the browser"
    assert len(line) < 4_096
    inside = _signer("any").loads_unsafe(client.cookies[COOKIE])[1]
    assert set(inside) <= {"_user_id", "_fresh", "_id", "csrf_token", "_permanent"}
    assert email_of("leitung") not in json.dumps(inside)


@pytest.mark.attack("A-12")
@pytest.mark.parametrize("key", WELL_KNOWN)
def test_a_cookie_that_somebody_else_signed_is_nobodys(server, anonymous, sign_in, key):
    signer = _signer(key)
    live = sign_in("hauswart").session_id if key == WELL_KNOWN[0] else "1"
    for said in (live, "1", "admin"):
        forged = anonymous()
        forged.cookies[COOKIE] = signer.dumps({"_user_id": said, "_fresh": True})
        answer = forged.get("/account")
        assert answer.status == 302 and answer.location.startswith("/sign-in")


@pytest.mark.attack("A-13")
def test_no_two_sessions_have_an_id_and_the_database_holds_hashes_only(server, sign_in):
    ids = [sign_in("leitung").session_id for _ in range(4)]
    assert len(set(ids)) == 4 and all(re.fullmatch(r"[A-Za-z0-9_-]{43}", one) for one in ids), "256 bits each"
    hashes = {row[0] for row in server.sql("select id_hash from sessions")}
    assert all(re.fullmatch(r"[0-9a-f]{64}", one) for one in hashes)


@pytest.mark.attack("A-18")
def test_many_sign_ins_at_the_same_moment_are_all_answered(anonymous):
    clients = [anonymous() for _ in range(9)]
    tokens = [client.token for client in clients]

    def enter(at: int) -> int:
        said = {"email": email_of("tueftlerei"), "password": PASSWORD}
        return clients[at].form("/sign-in", said, token=tokens[at]).status

    with ThreadPoolExecutor(9) as several:
        codes = list(several.map(enter, range(len(clients))))
    assert set(codes) <= {302, 503} and codes.count(302) >= 4
    inside = [c for c, code in zip(clients, codes, strict=True) if code == 302]
    assert all(c.is_in for c in inside) and len({c.session_id for c in inside}) == len(inside)


@pytest.mark.attack("A-19", "X-08")
@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "https://evil.example", "Sec_Fetch_Site": ""}, 403), ({"Sec_Fetch_Site": "cross-site"}, 403)],
    ids=["origin", "fetch metadata"],
)
def test_another_site_signs_nobody_in(anonymous, headers, status):
    client = anonymous()
    assert client.enter(email_of("leitung"), **headers).status == status
    assert not client.is_in


@pytest.mark.attack("A-19")
def test_without_the_form_token_nobody_is_signed_in(anonymous):
    client = anonymous()
    client.get("/sign-in")
    answer = client.form("/sign-in", {"email": email_of("leitung"), "password": PASSWORD}, token="")
    assert answer.status == 303 and not client.is_in


def _signer(key: str) -> Any:
    made = Flask("forger")
    made.secret_key = key
    return SecureCookieSessionInterface().get_signing_serializer(made)
