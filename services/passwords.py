"""Passwords: how they are hashed, which may be chosen, and how many are looked at at once."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from data.tables import Person
from services.errors import InvalidField, Refusal
from services.sources import Sources

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
DUMMY = "$argon2id$v=19$m=19456,t=2,p=1$YWJjZGVmZ2hpamtsbW5vcA$1aTJBLLfFmqJxHpZ0yDsmOOqjPZ5TFBGbXjFPRU3s9s"
HASHES_AT_ONCE = threading.BoundedSemaphore(2)
MOST_AT_THE_DOOR = 4
AT_THE_DOOR = threading.BoundedSemaphore(MOST_AT_THE_DOOR)
SHORTEST, LONGEST, MOST_BYTES = 12, 1024, 1024
LOOKED_AT = 72
STAND_FOR_LETTERS, MOST_THAT_STAND = "@({[<!|$+%", 2
FEWEST_GUESSES = 1e8


class TooMany(Refusal):
    """So many passwords are being looked at that one more would keep everybody else waiting."""


def hashed(password: str) -> str:
    """Argon2id (RFC 9106) with OWASP's minimum parameters, at most two at once."""
    _check_length(password)
    with _hashing():
        return HASHER.hash(password)


def verify(kept: str, password: str) -> bool:
    """Is this the password that was hashed? It is taken exactly as it came; one that is too long is not looked at.

    Whoever has no password comes in another way: that costs the same time, and no password is theirs.
    """
    if len(password) > LONGEST or len(password.encode(errors="replace")) > MOST_BYTES:
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


def check(sources: Sources, person: Person, *, new: str, again: str, current: str = "") -> None:
    """Is this password long enough, and hard to guess for somebody who knows the person and the company?

    Any composition is allowed and none is demanded (ASVS 5.0, 6.2; NIST SP 800-63B, 3.1.1.2). How many guesses it
    takes is estimated from lists of leaked passwords, words, names, dates and rows of keys (zxcvbn).
    Raises ``InvalidField`` with the sentence that stands beside the field.
    """
    _check_length(new)
    small = new.lower()
    own = [w for w in words_about(sources, person) if len(w) >= 5]
    if any(word in small for word in own):
        raise InvalidField("new", "A password must not contain your name, your e-mail or the name of this place.")
    if len(set(new)) < 6:
        raise InvalidField("new", "A password must have at least six different characters.")
    if guesses(new, words_about(sources, person)) < FEWEST_GUESSES:
        raise InvalidField("new", "This password is easily guessed: take some words that are not related.")
    if current and new == current:
        raise InvalidField("new", "The new password must differ from the current one.")
    if new != again:
        raise InvalidField("again", "The two new passwords differ.")


def guesses(password: str, words: tuple[str, ...] = ()) -> float:
    """About how many guesses find this password for somebody who knows these words, by what is looked at of it."""
    with _hashing():
        return float(zxcvbn(looked_at(password), list(words), max_length=LOOKED_AT)["guesses"])


def looked_at(password: str) -> str:
    """What is estimated of a password: its first 72 characters, in which two different signs may stand for letters.

    Every such sign multiplies the spellings that are tried ("p@$$word"), so that seventy random ones would keep a
    processor for seconds. The third and further ones become signs that stand for nothing, each for its own.
    """
    start = password[:LOOKED_AT]
    signs = dict.fromkeys(sign for sign in start if sign in STAND_FOR_LETTERS)
    return start.translate({ord(sign): chr(0x2400 + ord(sign)) for sign in list(signs)[MOST_THAT_STAND:]})


def words_about(sources: Sources, person: Person) -> tuple[str, ...]:
    """What an attacker knows: the person's name and address, the workspace and this application, in small letters."""
    said = f"{person.name} {person.email} {sources.workspace.lake.name} lakelight"
    return tuple(dict.fromkeys(w for w in re.split(r"[\W_]+", said.lower()) if len(w) >= 3))


def _check_length(password: str) -> None:
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidField("new", f"A password must have {SHORTEST} to {LONGEST} characters.")
    if len(password.encode(errors="replace")) > MOST_BYTES:
        raise InvalidField("new", f"A password must have at most {MOST_BYTES:,} bytes: take a shorter one.")


@contextmanager
def _hashing() -> Iterator[None]:
    """A turn at the hash or the estimate, two at once.

    Only a few threads may stand here; the others go on serving everybody else.
    """
    if not AT_THE_DOOR.acquire(blocking=False):
        raise TooMany("Many people are signing in at this moment.", next_step="Try again in a few seconds.")
    try:
        with HASHES_AT_ONCE:
            yield
    finally:
        AT_THE_DOOR.release()
