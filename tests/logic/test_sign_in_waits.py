"""How long a wrong password makes the next attempt wait, to the letter: counts, waits, and what is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from data.tables import Base, Person, SignInFailure, SignInSession
from services import sign_in_limits
from services.sign_in_limits import Count

NOON = datetime(2024, 12, 2, 12, 0, tzinfo=UTC)
SOON, COUNT = timedelta(seconds=1), Count("k", free=5)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as made:
        yield made
    engine.dispose()


def fail(session: Session, times: int, count: Count = COUNT, at: datetime = NOON) -> None:
    for _ in range(times):
        sign_in_limits.failed(session, count, at)


@pytest.mark.parametrize(
    ("times", "seconds"),
    [(0, 0), (1, 0), (5, 0), (6, 2), (7, 4), (8, 8), (9, 16), (12, 128), (13, 256), (14, 300), (15, 300), (40, 300)],
)
def test_the_wait_doubles_after_the_free_attempts_up_to_five_minutes(session, times, seconds):
    fail(session, times)
    assert sign_in_limits.wait(session, COUNT, NOON) == seconds


def test_a_wait_runs_out_and_a_clock_set_back_makes_none_longer_than_five_minutes(session):
    fail(session, 8)
    assert sign_in_limits.wait(session, COUNT, NOON + timedelta(seconds=3)) == 5.0
    assert sign_in_limits.wait(session, COUNT, NOON + timedelta(seconds=7.5)) == 0.5
    assert sign_in_limits.wait(session, COUNT, NOON + timedelta(seconds=8)) == 0.0
    assert sign_in_limits.wait(session, COUNT, NOON + timedelta(hours=1)) == 0.0
    assert sign_in_limits.wait(session, COUNT, NOON - timedelta(days=1)) == 300


@pytest.mark.parametrize(("later", "count"), [(timedelta(minutes=15) - SOON, 8), (timedelta(minutes=15), 1)])
def test_a_count_begins_anew_a_quarter_of_an_hour_after_its_first(session, later, count):
    fail(session, 7)
    fail(session, 1, at=NOON + later)
    (kept,) = session.scalars(select(SignInFailure))
    assert kept.count == count
    assert kept.first_at == (NOON if count == 8 else NOON + later)
    assert kept.wait_until == NOON + later + timedelta(seconds=8 if count == 8 else 0)


def test_the_counts_are_told_apart_and_have_their_free_attempts():
    both = sign_in_limits.of_both("A@x ", "10.0.0.1")
    assert both == sign_in_limits.of_both(" a@X", "10.0.0.1") and both.free == 5
    address, account = sign_in_limits.of_address("10.0.0.1"), sign_in_limits.of_account(" A@x ")
    assert (address.free, account.free) == (30, 50)
    assert account.key == sign_in_limits.of_account("a@x").key
    assert sign_in_limits.of_account("straße@x").key != sign_in_limits.of_account("strasse@x").key, "two accounts"
    assert sign_in_limits.of_both("straße@x", "a").key != sign_in_limits.of_both("strasse@x", "a").key
    others = (sign_in_limits.of_both("a@x", "10.0.0.2"), sign_in_limits.of_both("b@x", "10.0.0.1"))
    others += (sign_in_limits.of_address("10.0.0.2"), sign_in_limits.of_account("b@x"))
    assert len({both.key, address.key, account.key, *(o.key for o in others)}) == 7


def test_the_first_failure_counts_as_one(session):
    fail(session, 1, Count("k", free=1))
    assert sign_in_limits.wait(session, Count("k", free=0), NOON) == 0
    fail(session, 1, Count("k", free=1))
    assert sign_in_limits.wait(session, Count("k", free=1), NOON) == 2


def test_a_count_is_of_its_key_alone(session):
    fail(session, 6)
    assert sign_in_limits.wait(session, Count("other", free=5), NOON) == 0
    assert sign_in_limits.wait(session, Count("k", free=6), NOON) == 0


def test_a_stranger_is_who_never_came_from_there(session):
    person = Person(email="a@x", name="A", role="r", password_hash="", created_at=NOON)
    session.add(person)
    session.flush()
    said = {"created_at": NOON, "last_seen_at": NOON, "ends_at": NOON}
    session.add(SignInSession(id_hash="h", person_id=person.id, address="10.0.0.1", **said))
    session.flush()
    assert sign_in_limits.is_stranger(session, None, "10.0.0.1") is True
    assert sign_in_limits.is_stranger(session, person, "10.0.0.1") is False
    assert sign_in_limits.is_stranger(session, person, "10.0.0.2") is True


def test_counts_of_yesterday_are_forgotten(session):
    fail(session, 1)
    sign_in_limits.forget(session, NOON + timedelta(days=1))
    assert len(session.scalars(select(SignInFailure)).all()) == 1
    sign_in_limits.forget(session, NOON + timedelta(days=1) + SOON)
    assert session.scalars(select(SignInFailure)).all() == []
