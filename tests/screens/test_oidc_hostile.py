"""An identity provider, or somebody in its place, that lies: nobody is let in, and the log says why."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk

from data import identities, people
from services import accounts
from tests.hostile_provider import HostileProvider
from tests.house import House
from tests.screens.test_oidc import begin, events, house_with, said

pytestmark = pytest.mark.attack("A-16")


@pytest.fixture(scope="module")
def liar() -> Iterator[HostileProvider]:
    made = HostileProvider()
    yield made
    made.end()


@pytest.fixture
def house(own_bakery: House, liar: HostileProvider) -> House:
    liar.reset()
    return house_with(own_bakery, liar.issuer)


def come_in(house: House, liar: HostileProvider, **changed: str) -> tuple[Any, Any]:
    client = house.client()
    return client, client.get(liar.sign_in(begin(client), **changed))


def person_of(house: House, issuer: str, subject: str = "s-1") -> Any:
    with house.sources.store.read() as session:
        known = identities.find(session, issuer, subject)
        return people.by_id(session, known.person_id) if known else None


def refused(house: House, liar: HostileProvider, **changed: str) -> str:
    """Nobody came in; gives the reason in the log."""
    client, answer = come_in(house, liar, **changed)
    assert answer.status_code in (403, 503) and said(answer), answer.status_code
    assert client.document("/kpis").status_code == 302 and person_of(house, liar.issuer) is None
    assert "Traceback" not in answer.get_data(as_text=True)
    return str(events(house, "sign_in")[0].reason)


def test_when_it_does_not_lie_people_come_in(house, liar):
    assert come_in(house, liar)[1].headers["Location"] == "/"
    assert person_of(house, liar.issuer).email == "hanna@company.example"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://id.evil.example"},
        {"aud": "another"},
        {"aud": ["lakelight", "another"]},
        {"azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": None, "nonce_supported": False},
        {"sub": None},
        {"sub": ["s-1"]},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_lets_nobody_in(house, liar, claims):
    liar.spoil["claims"] = lambda right: {**right, **claims}
    assert refused(house, liar)


def unsigned(alg: str) -> Any:
    def spoil(right: dict[str, Any]) -> dict[str, Any]:
        _, payload, _ = right["id_token"].split(".")
        head = base64.urlsafe_b64encode(json.dumps({"alg": alg}).encode()).rstrip(b"=").decode()
        return {**right, "id_token": f"{head}.{payload}."}

    return spoil


def signed_with_the_public_key(liar: HostileProvider, secret: bytes) -> Any:
    def spoil(right: dict[str, Any]) -> dict[str, Any]:
        _, payload, _ = right["id_token"].split(".")
        head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": liar.key.kid}).encode()).rstrip(b"=")
        text = f"{head.decode()}.{payload}"
        mac = base64.urlsafe_b64encode(hmac.new(secret, text.encode(), hashlib.sha256).digest()).rstrip(b"=")
        return {**right, "id_token": f"{text}.{mac.decode()}"}

    return spoil


@pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
def test_a_token_without_a_signature_lets_nobody_in(house, liar, alg):
    liar.spoil["token"] = unsigned(alg)
    assert "not accepted" in refused(house, liar)


def test_a_token_signed_with_what_everybody_knows_lets_nobody_in(house, liar):
    for secret in (liar.key.as_pem(private=False), b"a-secret-of-the-provider"):
        liar.spoil["token"] = signed_with_the_public_key(liar, secret)
        assert "HS256" in refused(house, liar)


def test_a_token_signed_by_a_stranger_asks_for_the_keys_once_more_and_lets_nobody_in(house, liar):
    come_in(house, liar, state="x")
    stranger = jwk.RSAKey.generate_key(2048, {"kid": "stranger"})
    right, liar.key = liar.key, stranger
    liar.spoil["keys"] = lambda _: {"keys": [right.as_dict(private=False)]}
    try:
        house.sources.provider.keys()
        house.sources.provider._keys.at -= 6
        before = liar.asked.count("/keys")
        assert "does not publish" in refused(house, liar)
        assert liar.asked.count("/keys") == before + 1
        assert "does not publish" in refused(house, liar)
        assert liar.asked.count("/keys") == before + 1, "a flood of strange keys is no flood of requests"
    finally:
        liar.key = right


def test_the_key_of_a_token_is_never_fetched_from_where_it_says(house, liar):
    liar.spoil["header"] = lambda right: {**right, "kid": "other", "jku": f"{liar.issuer}/stolen", "x5u": liar.issuer}
    assert refused(house, liar)
    assert "/stolen" not in liar.asked


@pytest.mark.parametrize(
    "token",
    [{}, {"access_token": "at", "token_type": "Bearer"}, {"error": "invalid_grant"}, {"id_token": 7}, [], "x", None],
    ids=str,
)
def test_what_is_no_token_lets_nobody_in(house, liar, token):
    liar.spoil["token"] = lambda _: token
    assert refused(house, liar)


def test_a_mix_up_of_providers_is_noticed_by_the_issuer_in_the_answer(house, liar):
    assert "another provider" in refused(house, liar, iss="https://id.evil.example")
    assert "/token" not in liar.asked, "the code went nowhere"


def test_a_bad_state_lets_nobody_in_and_sends_the_code_nowhere(house, liar):
    assert refused(house, liar, state="guessed")
    assert "/token" not in liar.asked


def test_a_code_of_another_sign_in_carries_another_nonce(house, liar):
    """Code injection at a provider that forgets PKCE: the nonce is of the sign-in that the code was made in."""
    victim = house.client()
    code = liar.sign_in(begin(victim)).partition("code=")[2].partition("&")[0]
    assert "not" in refused(house, liar, code=code)


def test_an_unverified_address_is_neither_shown_nor_taken(house, liar):
    accounts.create(
        house.sources,
        email="hanna@company.example",
        name="Hanna",
        role="leitung",
        attributes={},
        password="x" * 6 + "abcdef",
    )
    liar.claims["email_verified"] = False
    assert come_in(house, liar)[1].headers["Location"] == "/", "an address is not who they are, so it hinders nobody"
    person = person_of(house, liar.issuer)
    assert person.email.endswith("@provider.invalid") and person.name == "Hanna Haus"


def test_the_same_address_and_subject_at_another_provider_is_somebody_else(house, liar):
    come_in(house, liar)
    first = person_of(house, liar.issuer)
    other = HostileProvider()
    try:
        elsewhere = house_with(House(house.sources, house.people), other.issuer)
        client, answer = come_in(elsewhere, other)
        assert answer.status_code == 403 and "already an account" in said(answer)
        assert person_of(elsewhere, other.issuer) is None and client.document("/kpis").status_code == 302
        assert person_of(elsewhere, liar.issuer).id == first.id
    finally:
        other.end()


def test_groups_that_are_only_hinted_at_give_no_role(house, liar):
    liar.claims |= {"groups": None, "_claim_names": {"groups": "src1"}}
    assert "only a hint" in refused(house, liar)


def test_values_that_access_yml_does_not_allow_are_left_out_and_said_in_the_log(house, liar):
    liar.claims |= {"groups": ["fahrer"], "tour": ["Nord/See", "' OR 1=1 --"]}
    assert come_in(house, liar)[1].headers["Location"] == "/"
    assert person_of(house, liar.issuer).attributes == {"tour": ["Nord/See"]}
    assert events(house, "person.arrive")[0].detail["left out"] == ["' OR 1=1 --"]
    liar.claims["tour"] = ["Mond"]
    come_in(house, liar)
    assert person_of(house, liar.issuer).attributes == {}
    assert events(house, "person.refresh")[0].detail == {"tour": "Nord/See → none", "left out": ["Mond"]}


def test_userinfo_of_somebody_else_lets_nobody_in(house, liar):
    liar.claims["groups"] = None
    liar.spoil["userinfo"] = lambda _: {"sub": "s-2", "groups": ["chefs"]}
    assert "somebody else" in refused(house, liar)
    liar.spoil["userinfo"] = lambda _: {"sub": "s-1", "groups": ["chefs"]}
    assert come_in(house, liar)[1].headers["Location"] == "/"


def test_a_proof_anew_that_is_old_or_unsaid_proves_nothing(house, liar):
    client, _ = come_in(house, liar)
    for told in (int(time.time()) - 3600, None):
        liar.claims["auth_time"] = told
        answer = client.get(liar.sign_in(begin(client, "/sign-in/oidc?again=1")))
        assert answer.status_code == 403 and events(house, "session.prove") == []
    assert "anew" in events(house, "sign_in")[0].reason


def test_what_nobody_can_say_of_the_proof_is_not_made_up(house, liar):
    liar.claims["auth_time"] = None
    come_in(house, liar)
    with house.sources.store.read() as session:
        from data import sessions

        assert [s.proven_at for s in sessions.not_ended(session) if s.method == "oidc"] == [None]


# ── the network: M-08 ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("M-08")
@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("token_endpoint", "http://169.254.169.254/latest/meta-data"),
        ("jwks_uri", "http://169.254.169.254/latest/meta-data"),
        ("jwks_uri", "file:///etc/passwd"),
        ("jwks_uri", "gopher://127.0.0.1:6379/_x"),
        ("jwks_uri", "http://10.0.0.1/keys"),
        ("jwks_uri", "https://user:password@id.example/keys"),
        ("jwks_uri", "https://id.example\\@evil.example/"),
        ("jwks_uri", ""),
        ("userinfo_endpoint", "http://[fe80::1]/x"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("end_session_endpoint", "data:text/html,x"),
        ("issuer", "https://id.evil.example"),
    ],
)
def test_an_address_that_nobody_may_mean_is_never_asked(house, liar, name, address):
    liar.spoil["metadata"] = lambda right: {**right, name: address}
    answer = house.client().get("/sign-in/oidc")
    assert answer.status_code == 503 and said(answer).startswith("The identity provider does not answer")


def redirects(to: str) -> Any:
    def answer(asked: Any) -> None:
        asked.send_response(302)
        asked.send_header("Location", to)
        asked.send_header("Content-Length", "0")
        asked.end_headers()

    return lambda _: answer


@pytest.mark.attack("M-08")
@pytest.mark.parametrize("what", ["metadata", "keys", "token", "userinfo"])
def test_a_redirect_is_followed_nowhere(house, liar, what):
    liar.claims["groups"] = None if what == "userinfo" else ["chefs"]
    liar.spoil[what] = redirects(f"{liar.issuer}/stolen")
    client = house.client()
    answer = client.get("/sign-in/oidc")
    if what != "metadata":
        answer = client.get(liar.sign_in(str(answer.headers["Location"])))
    assert answer.status_code == 503 and "/stolen" not in liar.asked
    assert client.document("/kpis").status_code == 302


@pytest.mark.attack("M-08")
def test_an_endless_answer_is_given_up(house, liar):
    def endless(asked: Any) -> None:
        asked.send_response(200)
        asked.end_headers()
        try:
            for _ in range(200):
                asked.wfile.write(b"x" * 16_384)
        except OSError:
            return

    liar.spoil["metadata"] = lambda _: endless
    assert house.client().get("/sign-in/oidc").status_code == 503


@pytest.mark.attack("M-08")
def test_an_answer_that_drips_is_given_up(house, liar, monkeypatch):
    from services import oidc_provider

    monkeypatch.setattr(oidc_provider, "ALL_SECONDS", 0.3)

    def drip(asked: Any) -> None:
        asked.send_response(200)
        asked.end_headers()
        try:
            for _ in range(100):
                asked.wfile.write(b" " * 17_000)
                asked.wfile.flush()
                time.sleep(0.05)
        except OSError:
            return

    liar.spoil["metadata"] = lambda _: drip
    began = time.monotonic()
    assert house.client().get("/sign-in/oidc").status_code == 503
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"\xff\xfe", b"null", b"[]", b"7"])
def test_an_answer_that_is_no_json_object_breaks_nothing(house, liar, body):
    def answer(asked: Any) -> None:
        asked.send_response(200)
        asked.send_header("Content-Length", str(len(body)))
        asked.end_headers()
        asked.wfile.write(body)

    liar.spoil["metadata"] = lambda _: answer
    assert house.client().get("/sign-in/oidc").status_code == 503


def test_while_a_few_wait_for_the_provider_the_others_are_told_at_once(house, liar):
    provider = house.sources.provider
    for _ in range(3):
        assert provider._turns.acquire(blocking=False)
    began = time.monotonic()
    assert house.client().get("/sign-in/oidc").status_code == 503 and time.monotonic() - began < 2
    for _ in range(3):
        provider._turns.release()
    assert house.client().get("/sign-in/oidc").status_code == 302


def test_metadata_and_keys_are_asked_for_once_an_hour(house, liar):
    for _ in range(3):
        come_in(house, liar)
    assert liar.asked.count("/.well-known/openid-configuration") == 1 and liar.asked.count("/keys") == 1


@pytest.mark.attack("M-08")
def test_a_provider_elsewhere_may_not_lead_to_this_machine():
    from services.oidc_provider import may_reach

    assert may_reach("10.1.2.3", loopback=False) and may_reach("93.184.216.34", loopback=False)
    for address in (
        "127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fe80::1%eth0",
        "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "not an address",
    ):  # fmt: skip
        assert not may_reach(address, loopback=False), address
    assert may_reach("127.0.0.1", loopback=True) and not may_reach("169.254.169.254", loopback=True)


@pytest.mark.attack("M-08")
def test_a_name_that_leads_to_this_machine_is_given_up_before_anything_is_sent(liar):
    """DNS rebinding: the address is looked at where the connection came out, whatever the name said before."""
    from services.oidc_provider import Down, IdentityProvider
    from tests.instances import settings_of

    liar.reset()
    settings = replace(
        settings_of(Path("x"), Path("x")),
        oidc_issuer=liar.issuer.replace("http://127.0.0.1", "https://localhost.localdomain"),
        oidc_client_id="lakelight",
        oidc_client_secret="x",
    )
    provider = IdentityProvider(settings)
    real = socket.getaddrinfo
    found = real("127.0.0.1", liar.server.server_port, type=socket.SOCK_STREAM)
    with pytest.MonkeyPatch.context() as patched, pytest.raises(Down) as told:
        patched.setattr(socket, "getaddrinfo", lambda *_a, **_k: found)
        provider.metadata()
    assert "not asked" in told.value.cause and liar.asked == []
