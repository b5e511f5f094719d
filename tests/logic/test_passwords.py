"""Which passwords may be chosen, and how they are kept: by people and lists, not by recipes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from services import passwords
from services.errors import InvalidField

ANNA: Any = SimpleNamespace(name="Anna Holtkamp", email="anna.holtkamp@brotwagen.example")
HERE: Any = SimpleNamespace(workspace=SimpleNamespace(lake=SimpleNamespace(name="Seewind Backhaus")))


def check(new: str) -> None:
    passwords.check(HERE, ANNA, new=new, again=new)


@pytest.mark.attack("A-06")
@pytest.mark.parametrize(
    "password",
    [
        "a" * 11, "seven77", "password1234", "123456789012", "qwertyuiop12", "iloveyou1234", "letmein12345",
        "passwordpassword", "Password2026!", "football2026", "aaaaaaaaaaaa", "abcabcabcabc", "1q2w3e4r5t6y",
        "Holtkamp-2026-x", "anna.holtkamp@brotwagen.example", "Backhaus2026!!", "lakelight2026", "SEEWIND seewind 1",
        "x" * 1_025, "ä" * 600, "密" * 400,
    ],
)  # fmt: skip
def test_what_is_short_common_about_you_or_too_long_is_refused(password):
    with pytest.raises(InvalidField) as wrong:
        check(password)
    assert wrong.value.field == "new"


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple", "vier Enten am Ufer", "all small letters here", "8263 9174 0462 7718",
        "ÄÖÜ äöü ß € 密碼密碼", "🦆🌊🪵🥖🛶🌙🧂🔑🍞🪡🧵🕯️", "  blanks   around  it  ", "Regen über dem Tal " * 4,
        "".join(chr(33 + n * 7 % 90) for n in range(64)), "".join(chr(33 + n * 11 % 90) for n in range(128)),
    ],
)  # fmt: skip
def test_any_composition_of_twelve_or_more_is_a_password(password):
    check(password)


def test_a_word_is_counted_as_known_where_somebody_could_know_it():
    """The same password is harder for somebody who does not know whose it is."""
    words = passwords.words_about(HERE, ANNA)
    assert {"anna", "holtkamp", "brotwagen", "seewind", "backhaus", "lakelight"} <= set(words)
    assert passwords.guesses("holtkamp-brotwagen", words) * 100 < passwords.guesses("holtkamp-brotwagen")


@pytest.mark.attack("A-06")
@pytest.mark.parametrize(
    ("password", "looked_at"),
    [
        ("p@$$w0rd 12345", "p@$$w0rd 12345"),
        ("8263 9174 0462 7718 !", "8263 9174 0462 7718 !"),
        ("@({[<!|$+%" * 20, "@(\u247b\u245b\u243c\u2421\u247c\u2424\u242b\u2425" * 7 + "@("),
        ("a!b|c!d|e$f$", "a!b|c!d|e\u2424f\u2424"),
        ("x" * 1_024, "x" * 72),
    ],
)
def test_the_estimate_looks_at_a_bounded_part(password, looked_at):
    """Each further sign that may stand for a letter would multiply the spellings that are tried."""
    assert passwords.looked_at(password) == looked_at


def test_a_password_is_taken_as_it_came():
    """Neither cut nor folded nor composed anew: the same letters in another form are another password."""
    kept = passwords.hashed("Größe zählt am Ufer")
    assert passwords.verify(kept, "Größe zählt am Ufer")
    for other in ("Größe zählt am Ufer ", "größe zählt am ufer", "Gro\u0308ße za\u0308hlt am Ufer"):
        assert not passwords.verify(kept, other)


def test_the_end_of_a_long_password_counts():
    long = "".join(chr(33 + n * 7 % 90) for n in range(200))
    assert not passwords.verify(passwords.hashed(long), long[:-1] + "!")


@pytest.mark.attack("A-06")
def test_what_is_too_long_is_refused_before_it_is_hashed(monkeypatch):
    monkeypatch.setattr(passwords, "HASHER", None)
    for long in ("x" * 1_025, "ä" * 513, "x" * 1_000_000):
        assert passwords.verify("$argon2id$", long) is False
        with pytest.raises(InvalidField):
            passwords.hashed(long)


@pytest.mark.attack("A-05")
def test_a_hash_is_argon2id_with_the_parameters_of_today_and_weaker_ones_are_told():
    from argon2 import PasswordHasher

    kept = passwords.hashed("vier Enten am Ufer")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$") and not passwords.is_weak(kept)
    assert passwords.is_weak(PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash("x"))


def test_who_has_no_password_has_none_and_not_an_empty_one():
    assert not passwords.verify("", "") and not passwords.verify("", "vier Enten am Ufer")
