"""Tickets work once, in time, for what they were made for; identities tell who comes from a provider."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from data import identities, people, tickets
from data.store import Store

AT = datetime(2024, 12, 2, 8, 0, tzinfo=UTC)
SOON = AT + timedelta(minutes=10)


@pytest.fixture
def store(tmp_path):
    made = Store(f"sqlite:///{tmp_path / 'app.db'}")
    made.migrate()
    with made.begin() as session:
        people.add(session, email="a@x", name="A", role="r", attributes={}, password_hash="", created_at=AT)
    yield made
    made.close()


def put(store, id_hash="a" * 64, kind="oidc", person_id=None, at=AT, ends_at=SOON, detail=None):
    with store.begin() as session:
        tickets.add(
            session, id_hash=id_hash, kind=kind, person_id=person_id, at=at, ends_at=ends_at, detail=detail or {"x": 1}
        )


def take(store, id_hash="a" * 64, kind="oidc", at=AT):
    with store.begin() as session:
        return tickets.take(session, id_hash, kind, at)


def test_a_ticket_works_once_and_forgets_what_it_knew(store):
    put(store)
    with store.read() as session:
        found = tickets.usable(session, "a" * 64, "oidc", AT)
        assert found is not None and found.detail == {"x": 1}
    assert take(store) is True
    assert take(store) is False
    with store.read() as session:
        assert tickets.usable(session, "a" * 64, "oidc", AT) is None


def test_a_ticket_is_good_for_its_time_and_its_kind_only(store):
    put(store)
    assert take(store, at=SOON) is False
    assert take(store, kind="reset") is False
    assert take(store, id_hash="b" * 64) is False
    assert take(store, at=SOON - timedelta(microseconds=1)) is True


def test_of_many_at_once_one_gets_it(store):
    put(store)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: take(store), range(16)))
    assert got.count(True) == 1


def test_a_ticket_of_the_same_hash_takes_the_place_of_the_older(store):
    put(store, detail={"n": 1}, person_id=1)
    put(store, detail={"n": 2}, person_id=1, at=AT + timedelta(seconds=1))
    with store.read() as session:
        assert [t.detail for t in tickets.of_person(session, 1, "oidc", AT)] == [{"n": 2}]
        assert tickets.of_person(session, 1, "oidc", SOON) == []


def test_old_tickets_are_dropped(store):
    put(store)
    put(store, id_hash="b" * 64, ends_at=SOON + timedelta(days=1))
    with store.begin() as session:
        tickets.forget(session, SOON + timedelta(hours=1))
    assert take(store) is False and take(store, id_hash="b" * 64) is True


def test_an_identity_is_an_issuer_and_a_subject(store):
    with store.begin() as session:
        assert identities.is_provided(session, 1) is False
        identities.add(session, issuer="https://one", subject="s", person_id=1, at=AT)
    with store.read() as session:
        found = identities.find(session, "https://one", "s")
        assert found is not None and found.person_id == 1
        assert identities.find(session, "https://two", "s") is None
        assert identities.provided(session) == {1} and identities.is_provided(session, 1)
