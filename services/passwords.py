"""Passwords: how they are hashed, which may be chosen, and how many are looked at at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from data.tables import Person
from services.errors import InvalidField, Refusal

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
DUMMY = "$argon2id$v=19$m=19456,t=2,p=1$YWJjZGVmZ2hpamtsbW5vcA$1aTJBLLfFmqJxHpZ0yDsmOOqjPZ5TFBGbXjFPRU3s9s"
HASHES_AT_ONCE = threading.BoundedSemaphore(2)
MOST_AT_THE_DOOR = 4
AT_THE_DOOR = threading.BoundedSemaphore(MOST_AT_THE_DOOR)
SHORTEST, LONGEST = 12, 1024


class TooMany(Refusal):
    """So many passwords are being looked at that one more would keep everybody else waiting."""


def hashed(password: str) -> str:
    """Argon2id (RFC 9106) with OWASP's minimum parameters, at most two at once."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidField("new", f"A password must have {SHORTEST} to {LONGEST} characters.")
    with _hashing():
        return HASHER.hash(password)


def verify(kept: str, password: str) -> bool:
    """Is this the password that was hashed? One that is too long is not looked at.

    Whoever has no password comes in another way: that costs the same time, and no password is theirs.
    """
    if len(password) > LONGEST:
        return False
    with _hashing():
        try:
            return HASHER.verify(kept or DUMMY, password) and bool(kept)
        except (VerificationError, InvalidHashError):
            return False


def is_weak(kept: str) -> bool:
    """Was a password hashed with weaker parameters than today's?"""
    return HASHER.check_needs_rehash(kept)


def rehashed(password: str) -> str:
    """Hash a password that is in use already with today's parameters, whatever rules have come since it was chosen."""
    with _hashing():
        return HASHER.hash(password)


def check(person: Person, *, new: str, again: str, current: str = "") -> None:
    """Length and what is easily guessed about this person (NIST SP 800-63B, 3.1.1.2); no rules of composition.

    Raises ``InvalidField`` with the sentence that stands beside the field.
    """
    if not SHORTEST <= len(new) <= LONGEST:
        raise InvalidField("new", f"A password must have {SHORTEST} to {LONGEST} characters.")
    small = new.lower()
    own = [w for w in (*person.name.lower().split(), *person.email.replace("@", ".").split(".")) if len(w) >= 5]
    if any(word in small for word in own):
        raise InvalidField("new", "A password must not contain your name or e-mail.")
    if len(set(new)) < 6:
        raise InvalidField("new", "A password must have at least six different characters.")
    if current and new == current:
        raise InvalidField("new", "The new password must differ from the current one.")
    if new != again:
        raise InvalidField("again", "The two new passwords differ.")


@contextmanager
def _hashing() -> Iterator[None]:
    """A turn at the hash, two at once. Only a few threads may stand here; the others go on serving everybody else."""
    if not AT_THE_DOOR.acquire(blocking=False):
        raise TooMany("Many people are signing in at this moment.", next_step="Try again in a few seconds.")
    try:
        with HASHES_AT_ONCE:
            yield
    finally:
        AT_THE_DOOR.release()
