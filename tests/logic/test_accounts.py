"""Signing in, sessions and passwords: what is refused, what it costs, what ends when."""

from __future__ import annotations

import time
from datetime import timedelta
from statistics import median
from typing import Any

import pytest

from data import audit_log, sessions
from data import people as people_table
from data.tables import SignInSession
from services import links, live_sessions, own_account, passwords, people, sign_in_limits
from services import sign_in as way_in
from services.errors import InvalidField
from services.sign_in import SignInRefused
from tests.house import PASSWORD, House, email_of

ADMIN, SELLER = "hauswart", "aussendienst"
NEW = "eine ganz andere Losung"


@pytest.fixture
def house(own_bakery: House) -> House:
    """A bakery of one's own in which nobody is signed in yet."""
    with own_bakery.sources.store.begin() as session:
        session.query(SignInSession).delete()
    return own_bakery


def sign_in(house: House, who: str = ADMIN, password: str = PASSWORD, address: str = "10.0.0.1") -> str:
    return way_in.sign_in(house.sources, email=email_of(who), password=password, address=address)


def refused(house: House, who: str = ADMIN, **said: Any) -> None:
    with pytest.raises(SignInRefused):
        sign_in(house, who, **said)


def alive(house: House, session_id: str) -> bool:
    return live_sessions.viewer_for_session(house.sources, session_id) is not None


def in_session(house: House, who: str = ADMIN) -> Any:
    """The viewer of a real session of this person."""
    return live_sessions.viewer_for_session(house.sources, sign_in(house, who))


def id_of(house: House, who: str) -> int:
    with house.sources.store.read() as session:
        return people_table.by_email(session, email_of(who)).id


def events(house: House, act: str) -> list[Any]:
    with house.sources.store.read() as session:
        return audit_log.found(session, act=act)[0]


# ── failing ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("A-01")
def test_after_five_failures_the_right_password_waits_too(house):
    for _ in range(6):
        refused(house, password="wrong wrong wrong")
    refused(house)
    house.sources.clock.move(timedelta(seconds=5))
    assert sign_in(house)


@pytest.mark.attack("A-01")
def test_each_further_failure_waits_longer_and_five_minutes_at_most(house):
    clock, waits = house.sources.clock, []
    for _ in range(16):
        refused(house, password="wrong wrong wrong")
        with house.sources.store.read() as session:
            found = sessions.failure(session, sign_in_limits.of_both(email_of(ADMIN), "10.0.0.1").key)
        waits.append((found.wait_until - clock()).total_seconds())
        clock.move(timedelta(seconds=waits[-1]))
    assert waits[:8] == [0, 0, 0, 0, 0, 2, 4, 8]
    assert max(waits) == 300


@pytest.mark.attack("A-02")
def test_one_address_does_not_lock_the_person_out_from_another(house):
    for _ in range(9):
        refused(house, password="wrong wrong wrong", address="6.6.6.6")
    assert sign_in(house, address="10.0.0.1")


def test_old_failures_are_forgotten_and_a_right_sign_in_forgives(house):
    for _ in range(5):
        refused(house, password="wrong wrong wrong")
    house.sources.clock.move(timedelta(minutes=16))
    refused(house, password="wrong wrong wrong")
    assert sign_in(house), "a quarter of an hour later one counts from one"
    for _ in range(5):
        refused(house, password="wrong wrong wrong")
    assert sign_in(house)


def test_attempts_during_the_wait_stand_in_the_log_once_a_minute(house):
    for _ in range(6):
        refused(house, password="wrong wrong wrong")
    before = len(events(house, "sign_in"))
    for _ in range(20):
        refused(house, password="wrong wrong wrong")
    assert len(events(house, "sign_in")) - before <= 1


@pytest.mark.attack("A-04")
def test_an_unknown_person_costs_as_much_as_a_wrong_password(house):
    def took(email: str) -> float:
        begin = time.perf_counter()
        with pytest.raises(SignInRefused):
            way_in.sign_in(house.sources, email=email, password="x" * 20, address=str(begin))
        return time.perf_counter() - begin

    known = median(took(email_of(ADMIN)) for _ in range(9))
    unknown = median(took("nobody@people.example") for _ in range(9))
    assert 0.5 < unknown / known < 2, (known, unknown)


@pytest.mark.attack("A-04")
def test_a_disabled_person_reads_like_a_wrong_password(house):
    people.set_active(house.viewer(ADMIN), house.sources, id_of(house, SELLER), False)
    with pytest.raises(SignInRefused) as disabled:
        sign_in(house, SELLER)
    with pytest.raises(SignInRefused) as wrong:
        sign_in(house, "leitung", password="wrong wrong wrong")
    assert disabled.value.sentence == wrong.value.sentence


@pytest.mark.attack("A-05")
def test_passwords_are_kept_as_argon2id_and_weaker_ones_are_made_stronger(house):
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    with house.sources.store.begin() as session:
        people_table.by_email(session, email_of(ADMIN)).password_hash = weak
    assert sign_in(house)
    with house.sources.store.read() as session:
        kept = people_table.by_email(session, email_of(ADMIN)).password_hash
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


# ── sessions ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("A-10")
def test_a_session_idles_out_at_thirty_minutes_to_the_second(house):
    session_id, clock = sign_in(house), house.sources.clock
    clock.move(timedelta(minutes=30))
    assert alive(house, session_id)
    clock.move(timedelta(seconds=1))
    assert not alive(house, session_id)


@pytest.mark.attack("A-10")
def test_looking_up_a_session_is_no_act_and_an_act_begins_the_idle_time_anew(house):
    session_id, clock = sign_in(house), house.sources.clock
    clock.move(timedelta(minutes=29))
    live = live_sessions.live_session(house.sources, session_id)
    clock.move(timedelta(minutes=2))
    assert not alive(house, session_id)
    clock.move(timedelta(minutes=-2))
    live_sessions.seen(house.sources, live)
    clock.move(timedelta(minutes=29))
    assert alive(house, session_id)


@pytest.mark.attack("A-10")
def test_a_session_ends_after_eight_hours_in_any_case(house):
    session_id, clock = sign_in(house), house.sources.clock
    for _ in range(24):
        clock.move(timedelta(minutes=19, seconds=59))
        live_sessions.seen(house.sources, live_sessions.live_session(house.sources, session_id))
    clock.move(timedelta(minutes=1))
    assert not alive(house, session_id)


def test_a_session_of_somebody_who_is_not_active_is_nobodys_however_that_came(house):
    session_id = sign_in(house, SELLER)
    with house.sources.store.begin() as session:
        people_table.by_email(session, email_of(SELLER)).active = False
    assert not alive(house, session_id)


def test_a_clock_that_goes_back_signs_nobody_out(house):
    session_id = sign_in(house)
    house.sources.clock.move(timedelta(hours=-1))
    assert alive(house, session_id)


@pytest.mark.parametrize("session_id", ["", "x", "x" * 43, "x" * 5_000, "' or 1=1 --" * 3])
def test_what_is_no_session_is_nobody(house, session_id):
    assert not alive(house, session_id)


@pytest.mark.attack("A-09")
def test_one_ends_ones_other_sessions_and_nobody_elses(house):
    mine, others = sign_in(house), [sign_in(house), sign_in(house)]
    foreign = sign_in(house, SELLER)
    viewer = live_sessions.viewer_for_session(house.sources, mine)
    lines = own_account.own_account(viewer, house.sources).sessions
    assert [line.is_this for line in lines] == [True, False, False]
    foreign_key = live_sessions.hash_of(foreign)[:12]
    assert own_account.end_other_sessions(viewer, house.sources, foreign_key) == 0
    assert own_account.end_other_sessions(viewer, house.sources, lines[0].key) == 0, "not this one"
    assert own_account.end_other_sessions(viewer, house.sources, lines[1].key) == 1
    assert own_account.end_other_sessions(viewer, house.sources, "a") == 0
    assert own_account.end_other_sessions(viewer, house.sources) == 1
    assert alive(house, mine) and alive(house, foreign) and not any(alive(house, o) for o in others)


def test_a_browser_is_named_in_words():
    chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
    edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
    assert own_account.browser_words(chrome) == "Chrome on Linux"
    assert own_account.browser_words(edge) == "Edge on Windows"
    assert (
        own_account.browser_words("Mozilla/5.0 (iPhone; CPU iPhone OS 19) Version/19 Safari/604.1")
        == "Safari on iPhone"
    )
    assert own_account.browser_words("<script>") == "Another browser"


# ── one's own password ────────────────────────────────────────────────────────────────────────────


def test_a_changed_password_holds_and_ends_the_other_sessions(house):
    other, viewer = sign_in(house), in_session(house)
    own_account.change_password(viewer, house.sources, current=PASSWORD, new=NEW, again=NEW)
    assert alive(house, viewer.session_id) and not alive(house, other)
    refused(house)
    assert sign_in(house, password=NEW)
    assert [e.person for e in events(house, "password.change")] == [email_of(ADMIN)]


@pytest.mark.attack("A-06")
@pytest.mark.parametrize(
    ("said", "field", "sentence"),
    [
        ({"current": "wrong"}, "current", "This is not your current password."),
        ({"new": "short", "again": "short"}, "new", "A password must have 12 to 1024 characters."),
        ({"new": "x" * 1025, "again": "x" * 1025}, "new", "A password must have 12 to 1024 characters."),
        ({"new": "abababababab", "again": "abababababab"}, "new", "at least six different characters"),
        ({"new": "ä" * 513, "again": "ä" * 513}, "new", "at most 1,024 bytes: take a shorter one"),
        ({"new": "qwertzuiop12", "again": "qwertzuiop12"}, "new", "easily guessed: take some words"),
        ({"new": "my hauswart login", "again": "my hauswart login"}, "new", "must not contain your name, your e-mail"),
        ({"new": PASSWORD, "again": PASSWORD}, "new", "must differ from the current one"),
        ({"again": "another one again"}, "again", "The two new passwords differ."),
    ],
)
def test_a_password_that_cannot_be_says_so_beside_its_field(house, said, field, sentence):
    viewer = in_session(house)
    with pytest.raises(InvalidField, match=sentence) as wrong:
        own_account.change_password(viewer, house.sources, **{"current": PASSWORD, "new": NEW, "again": NEW, **said})
    assert wrong.value.field == field
    assert sign_in(house)


@pytest.mark.attack("A-06")
@pytest.mark.parametrize(
    "password",
    ["correct horse battery staple", "ÄÖÜ äöü ß € 密碼密碼", "  spaces around  ", "x1y2z3 " + "Ufer und Wiese " * 8],
)
def test_any_composition_is_a_password_and_is_taken_as_it_is(house, password):
    viewer = in_session(house)
    own_account.change_password(viewer, house.sources, current=PASSWORD, new=password, again=password)
    assert sign_in(house, password=password)
    if password.strip() != password:
        refused(house, password=password.strip())


@pytest.mark.attack("A-06")
def test_a_new_password_is_judged_only_for_who_proves_the_current_one(house):
    viewer = in_session(house)
    with pytest.raises(InvalidField, match="not your current password"):
        own_account.change_password(viewer, house.sources, current="guess", new="short", again="short")


@pytest.mark.attack("A-14")
@pytest.mark.parametrize("meanwhile", ["reset", "signed out"])
def test_a_change_that_was_under_way_does_not_undo_what_happened_meanwhile(house, monkeypatch, meanwhile):
    viewer, hashed = in_session(house, SELLER), passwords.hashed

    def slowly(password):
        monkeypatch.setattr(passwords, "hashed", hashed)
        if meanwhile == "reset":
            address, _ = people.new_link(in_session(house), house.sources, viewer.person_id)
            links.choose_password(house.sources, address.rpartition("/")[2], new=NEW, again=NEW)
        else:
            people.end_sessions(house.viewer(ADMIN), house.sources, viewer.person_id)
        return hashed(password)

    monkeypatch.setattr(passwords, "hashed", slowly)
    mine = "die Losung von vorhin"
    with pytest.raises(InvalidField, match="a moment ago"):
        own_account.change_password(viewer, house.sources, current=PASSWORD, new=mine, again=mine)
    refused(house, SELLER, password=mine)
    assert sign_in(house, SELLER, NEW if meanwhile == "reset" else PASSWORD)


@pytest.mark.attack("A-14")
def test_a_sign_in_that_was_under_way_does_not_bring_an_old_password_back(house, monkeypatch):
    monkeypatch.setattr(passwords, "is_weak", lambda kept: True)
    address, _ = people.new_link(in_session(house), house.sources, id_of(house, SELLER))
    rehashed = passwords.rehashed

    def slowly(password):
        monkeypatch.setattr(passwords, "rehashed", rehashed)
        links.choose_password(house.sources, address.rpartition("/")[2], new=NEW, again=NEW)
        return rehashed(password)

    monkeypatch.setattr(passwords, "rehashed", slowly)
    refused(house, SELLER, password=PASSWORD)
    refused(house, SELLER, password=PASSWORD)
    assert sign_in(house, SELLER, NEW)


def test_the_current_password_cannot_be_guessed_at_an_open_screen(house):
    viewer = in_session(house)
    for _ in range(6):
        with pytest.raises(InvalidField):
            own_account.change_password(viewer, house.sources, current="guess", new=NEW, again=NEW)
    with pytest.raises(InvalidField, match="too many attempts"):
        own_account.change_password(viewer, house.sources, current=PASSWORD, new=NEW, again=NEW)
