"""How often wrong passwords may be tried: for an account from an address, from an address, and for an account.

Each count makes the next attempt wait, twice as long each time, and is forgotten a quarter of an hour after it began.
All web processes share the counts. A person who signed in from an address before is not kept out by what others try on
their account from elsewhere; whoever tries many accounts from one address waits without locking any of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from data import sessions
from data.tables import Person

COUNT_FOR = timedelta(minutes=15)
LONGEST_WAIT = 300
KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Count:
    """A count of failures under its key, and how many are free of a wait."""

    key: str
    free: int


def of_both(email: str, address: str) -> Count:
    """Of an account from an address."""
    return Count(_key(f"{email.strip().lower()}|{address}"), free=5)


def of_address(address: str) -> Count:
    """Of an address, whatever the account."""
    return Count(_key(f"|{address}"), free=30)


def of_account(email: str) -> Count:
    """Of an account, whatever the address."""
    return Count(_key(f"{email.strip().lower()}|"), free=50)


def of_code(email: str) -> Count:
    """Of the codes of an account, whatever the address: only who knows the password gets as far."""
    return Count(_key(f"{email.strip().lower()}|code"), free=5)


def wait(session: Session, count: Count, at: datetime) -> float:
    """Seconds until the next attempt counts, 0 where there is no wait; a clock set back keeps nobody out for long."""
    known = sessions.failure(session, count.key)
    if known is None or known.count <= count.free:
        return 0.0
    return min(LONGEST_WAIT, max(0.0, (known.wait_until - at).total_seconds()))


def is_stranger(session: Session, person: Person | None, address: str) -> bool:
    """Has nobody signed in as this person from this address before?"""
    return person is None or not sessions.came_from(session, person.id, address)


def failed(session: Session, count: Count, at: datetime) -> None:
    """Count a failure and make the next attempt wait."""
    known = sessions.failure(session, count.key)
    again = known is not None and at - known.first_at < COUNT_FOR
    number = known.count + 1 if known is not None and again else 1
    extra = min(9, max(0, number - count.free))
    seconds = min(LONGEST_WAIT, 2**extra if extra else 0)
    sessions.fail(session, count.key, at=at, wait_until=at + timedelta(seconds=seconds), again=again)


def forget(session: Session, at: datetime) -> None:
    """Drop counts that say nothing any more."""
    sessions.forget_failures(session, at - KEPT)


def _key(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()
