"""The harness itself: two workers, what a browser gets, and an oracle that sees what it is there to see."""

from __future__ import annotations

import gzip

import pytest

from tests.attacks import canaries
from tests.attacks.canaries import NOTHING, PASSWORD, SCOPES, Oracle
from tests.attacks.client import Client


def test_two_workers_serve(server, anonymous):
    assert len(server.worker_pids()) == 2
    for worker in (0, 1):
        with server.only(worker):
            assert anonymous().get("/healthz").text == "ok"


@pytest.mark.parametrize(
    ("who", "tours"),
    [("aussendienst", {"nord"}), ("aussendienst:süd", {"sued"}), ("aussendienst:zwei", {"nord", "stadt"})],
)
def test_a_seller_gets_the_canaries_of_their_own_tours(sign_in, who, tours):
    """Else an oracle that finds nothing would say nothing."""
    text = sign_in(who).get("/leads.csv?list=kuendigung&of=Winter/2024").text
    assert {m[2] for m in canaries.CANARY.finditer(text)} == tours
    assert {m[1] for m in canaries.CANARY.finditer(text)} >= {"key", "house", "phone"}


def test_an_answer_outside_the_scope_fails_the_test_that_asked(sign_in):
    client = sign_in("aussendienst")
    client.scope = SCOPES["aussendienst:süd"]
    with pytest.raises(AssertionError, match="canary-house-nord"):
        client.get("/leads.csv?list=kuendigung&of=Winter/2024")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a canary-key-sued-001 b", ["canary-key-sued-001"]),
        ("%63anary-house-sued-001", ["canary-house-sued-001"]),
        ("%2563anary-phone-stadt-002@canary.invalid", ["canary-phone-stadt-002"]),
        ("canary-key-nord-000", []),
        (f"x{PASSWORD}x", ["a password"]),
        ("$argon2id$v=19", ["a hash of a password"]),
        ("Traceback (most recent call last)", ["a traceback"]),
        ("the-id-of-a-session", ["the id of a session"]),
        (canaries.SECRET_KEY, ["the form key"]),
    ],
)
def test_the_oracle_sees_each_kind(text, found):
    oracle = Oracle()
    oracle.learn("the-id-of-a-session", "the id of a session")
    assert oracle.look("GET /", text.encode(), SCOPES["aussendienst"]) == found


def test_what_one_said_oneself_may_come_back():
    oracle = Oracle()
    assert oracle.look("GET /leads?q=canary-house-sued-001", b"canary-house-sued-001", NOTHING) == []
    assert oracle.look("GET /leads?q=canary-house-sued-001", b"canary-house-sued-004", NOTHING) != []


def test_the_log_may_name_rows_to_those_who_read_it():
    hauswart = SCOPES["hauswart"]
    assert Oracle().look("GET /admin/audit", b"canary-key-nord-003", hauswart) == []
    assert Oracle().look("GET /admin/audit", b"canary-house-nord-003", hauswart) != []
    assert Oracle().look("GET /jobs", b"canary-key-nord-003", hauswart) != []


def test_a_compressed_answer_is_read_too():
    assert canaries.unpacked(gzip.compress(b"canary"), "gzip") == b"canary"


def test_the_id_of_a_session_is_read_from_its_cookie(sign_in):
    client: Client = sign_in("leitung")
    assert len(client.session_id) == 43 and client.session_id in client.server.oracle.secrets
