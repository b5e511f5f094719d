"""Counts of wrong passwords: an address that tries many accounts, an account that many addresses try, and the clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from data.tables import SignInFailure
from services import sign_in as way_in
from services import sign_in_limits
from services.sign_in import TooManyFromHere
from tests.house import House, email_of
from tests.logic.test_accounts import refused, sign_in


@pytest.fixture
def house(own_bakery: House) -> House:
    return own_bakery


@pytest.mark.attack("A-03")
def test_one_address_that_tries_many_accounts_waits_and_locks_none_of_them(house):
    for number in range(31):
        refused(house, f"nobody{number}", password="wrong wrong wrong", address="6.6.6.6")
    with pytest.raises(TooManyFromHere) as told:
        sign_in(house, address="6.6.6.6")
    assert told.value.seconds == 2
    assert sign_in(house, address="10.0.0.1")
    house.sources.clock.move(timedelta(seconds=2))
    assert sign_in(house, address="6.6.6.6")


@pytest.mark.attack("A-02")
def test_many_addresses_that_try_one_account_keep_strangers_out_and_not_its_owner(house):
    assert sign_in(house, address="10.0.0.1")
    for number in range(51):
        refused(house, password="wrong wrong wrong", address=f"6.6.6.{number}")
    refused(house, address="6.6.7.1")
    assert sign_in(house, address="10.0.0.1"), "an address that the person came from before"
    house.sources.clock.move(timedelta(minutes=16))
    assert sign_in(house, address="6.6.7.1")


def test_a_clock_that_goes_back_keeps_nobody_out(house):
    refused(house, password="wrong wrong wrong")
    house.sources.clock.move(timedelta(hours=-1))
    assert sign_in(house)


def test_an_account_that_nobody_has_waits_like_one_that_somebody_has(house):
    for number in range(51):
        refused(house, "nobody", password="wrong wrong wrong", address=f"6.6.6.{number}")
    with house.sources.store.read() as session:
        assert sign_in_limits.wait(session, sign_in_limits.of_account(email_of("nobody")), house.sources.clock()) == 2


def test_counts_that_say_nothing_any_more_are_dropped(house):
    def counts() -> int:
        with house.sources.store.read() as session:
            return session.scalar(select(func.count()).select_from(SignInFailure))

    refused(house, password="wrong wrong wrong")
    assert counts() == 3
    way_in.forget_failures(house.sources)
    assert counts() == 3
    house.sources.clock.move(timedelta(days=1, seconds=1))
    way_in.forget_failures(house.sources)
    assert counts() == 0
