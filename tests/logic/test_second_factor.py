"""Codes beside the password: what they open, how often, how they are kept, and who may take them away."""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
import threading
from base64 import b32decode
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from data import identities, sessions
from data import people as people_table
from services import codes, live_sessions, own_account, passwords, people, second_factor
from services import sign_in as way_in
from services.errors import Forbidden, InvalidField, InvalidQuery, Unavailable
from services.operator import operator
from services.sign_in import CodeWanted, SignInRefused, TicketOver
from services.step_up import ProofNeeded
from tests.house import PASSWORD, House, email_of
from tests.logic.test_accounts import ADMIN, SELLER, alive, events, house, id_of, in_session, sign_in

__all__ = ["house"]


def code_at(secret: str, seconds: float) -> str:
    """The code of a moment, by RFC 4226 and 6238: an oracle of its own."""
    digest = hmac.new(b32decode(secret), struct.pack(">Q", int(seconds) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def code(house: House, secret: str, steps: int = 0) -> str:
    return code_at(secret, house.sources.clock().timestamp() + 30 * steps)


def enrolled(house: House, who: str = SELLER) -> tuple[str, tuple[str, ...]]:
    """Set up a second factor; gives its secret and the recovery codes, half a minute later."""
    viewer = in_session(house, who)
    secret = second_factor.begin(viewer, house.sources).groups.replace(" ", "")
    recovery = second_factor.confirm(viewer, house.sources, code(house, secret))
    house.sources.clock.move(timedelta(seconds=30))
    return secret, recovery


def half_done(house: House, who: str = SELLER) -> str:
    with pytest.raises(CodeWanted) as wanted:
        sign_in(house, who)
    return wanted.value.ticket


def enter(house: House, ticket: str, said: str, address: str = "10.0.0.1") -> str:
    return way_in.enter_code(house.sources, ticket=ticket, code=said, address=address)


def wrong(house: House, ticket: str, said: str, **more: Any) -> None:
    with pytest.raises(SignInRefused):
        enter(house, ticket, said, **more)


def open_sessions(house: House, who: str = SELLER) -> int:
    with house.sources.store.read() as session:
        return len(sessions.not_ended(session, id_of(house, who)))


def test_the_oracle_gives_the_codes_of_the_standard():
    """RFC 6238, appendix B, the last six digits of SHA-1."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert [code_at(secret, t) for t in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]


def test_no_session_is_there_before_the_code(house):
    secret, _ = enrolled(house)
    before = open_sessions(house)
    ticket = half_done(house)
    assert open_sessions(house) == before
    session_id = enter(house, ticket, code(house, secret))
    assert open_sessions(house) == before + 1
    with house.sources.store.read() as session:
        row = sessions.live(session, live_sessions.hash_of(session_id))
    assert (row.method, row.proven_at) == ("password+code", house.sources.clock())
    assert events(house, "sign_in")[0].detail == {"method": "password+code"}


@pytest.mark.attack("A-17")
@pytest.mark.parametrize(("steps", "opens"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_is_good_one_step_early_or_late(house, steps, opens):
    secret, _ = enrolled(house)
    house.sources.clock.move(timedelta(minutes=5))
    ticket = half_done(house)
    if opens:
        assert enter(house, ticket, code(house, secret, steps))
    else:
        wrong(house, ticket, code(house, secret, steps))


@pytest.mark.attack("A-17")
def test_a_code_works_once_and_so_does_none_before_it(house):
    secret, _ = enrolled(house)
    used = code(house, secret)
    assert enter(house, half_done(house), used)
    wrong(house, half_done(house), used)
    wrong(house, half_done(house), code(house, secret, -1))
    house.sources.clock.move(timedelta(seconds=30))
    assert enter(house, half_done(house), code(house, secret))


def test_the_code_that_set_it_up_does_not_open_anything(house):
    viewer = in_session(house, SELLER)
    secret = second_factor.begin(viewer, house.sources).groups.replace(" ", "")
    said = code(house, secret)
    second_factor.confirm(viewer, house.sources, said)
    wrong(house, half_done(house), said)


def test_of_many_at_once_one_uses_a_code(house):
    secret, _ = enrolled(house)
    tickets_, said, outcomes = [half_done(house) for _ in range(4)], code(house, secret), []

    def use(ticket: str) -> None:
        try:
            outcomes.append(bool(enter(house, ticket, said)))
        except SignInRefused:
            outcomes.append(False)

    threads = [threading.Thread(target=use, args=(t,)) for t in tickets_]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(outcomes) == [False, False, False, True]


@pytest.mark.attack("A-17")
def test_twenty_guesses_wait_whatever_the_ticket_and_the_address_and_the_right_code_waits_too(house):
    secret, _ = enrolled(house)
    bad = f"{(int(code(house, secret)) + 77) % 1_000_000:06d}"
    for number in range(6):
        wrong(house, half_done(house), bad, address=f"10.0.0.{number}")
    wrong(house, half_done(house), code(house, secret), address="10.0.0.99")
    house.sources.clock.move(timedelta(seconds=31))
    for number in range(14):
        wrong(house, half_done(house), bad, address=f"10.1.0.{number}")
    with house.sources.store.read() as session:
        from services import sign_in_limits

        count = sessions.failure(session, sign_in_limits.of_code(email_of(SELLER)).key)
    assert count.count == 21 and count.wait_until > house.sources.clock()
    assert sign_in(house, "leitung"), "others come in"


def test_a_half_done_sign_in_is_over_after_five_minutes_and_works_once(house):
    secret, _ = enrolled(house)
    ticket = half_done(house)
    house.sources.clock.move(timedelta(minutes=5))
    with pytest.raises(TicketOver):
        enter(house, ticket, code(house, secret))
    ticket = half_done(house)
    assert enter(house, ticket, code(house, secret))
    house.sources.clock.move(timedelta(seconds=30))
    for made_up in (ticket, "", "x" * 43, "x" * 5_000):
        with pytest.raises(TicketOver):
            enter(house, made_up, code(house, secret))


@pytest.mark.attack("A-17")
@pytest.mark.parametrize("what", ["signed out", "disabled", "own sessions", "password", "passwords off", "provided"])
def test_a_half_done_sign_in_ends_with_what_began_it(house, what):
    _, recovery = enrolled(house)
    viewer, ticket, sources = in_code_session(house, recovery[0]), half_done(house), house.sources
    if what == "signed out":
        people.end_sessions(house.viewer(ADMIN), sources, viewer.person_id)
    elif what == "disabled":
        for active in (False, True):
            people.set_active(house.viewer(ADMIN), sources, viewer.person_id, active)
    elif what == "own sessions":
        own_account.end_other_sessions(viewer, sources)
    elif what == "passwords off":
        sources = replace(sources, settings=replace(sources.settings, passwords=False))
    else:
        with sources.store.begin() as session:
            if what == "password":
                people_table.by_id(session, viewer.person_id).password_hash = passwords.hashed("vier Enten am Ufer")
            else:
                at = sources.clock()
                identities.add(session, issuer="https://x.example", subject="s", person_id=viewer.person_id, at=at)
    with pytest.raises(TicketOver):
        way_in.enter_code(sources, ticket=ticket, code=recovery[1], address="10.0.0.1")


def test_a_wrong_password_reads_the_same_with_and_without_a_second_factor(house):
    enrolled(house)
    said = set()
    for who in (SELLER, "leitung", "nobody"):
        with pytest.raises(SignInRefused) as refusal:
            sign_in(house, who, password="not the password")
        said.add((type(refusal.value), refusal.value.sentence))
    assert len(said) == 1


@pytest.mark.parametrize("spoilt", [str.upper, lambda c: c.replace("-", " "), lambda c: f" {c} "])
def test_each_recovery_code_opens_once_however_it_is_typed(house, spoilt):
    _, recovery = enrolled(house)
    assert len(set(recovery)) == 10 and all(len(c.replace("-", "")) == 24 for c in recovery)
    assert enter(house, half_done(house), spoilt(recovery[3]))
    wrong(house, half_done(house), recovery[3])
    assert second_factor.held(in_code_session(house, recovery[4]), house.sources).codes_left == 8


def in_code_session(house: House, said: str) -> Any:
    return live_sessions.viewer_for_session(house.sources, enter(house, half_done(house), said))


def test_neither_secret_nor_recovery_codes_can_be_read_in_the_database(house):
    secret, recovery = enrolled(house)
    with house.sources.store.read() as session:
        person = people_table.by_email(session, email_of(SELLER))
    kept = person.second_factor + json.dumps(person.recovery_codes)
    assert secret not in kept and not any(c in kept or c.replace("-", "") in kept for c in recovery)
    assert codes.opened(house.sources, person.id, person.second_factor) == secret
    log = str([(e.reason, e.detail) for e in events(house, "second_factor.add")])
    assert secret not in log and not any(c in log for c in recovery)


def test_a_secret_opens_for_its_person_and_under_its_key_alone(house):
    secret, recovery = enrolled(house)
    with house.sources.store.read() as session:
        person = people_table.by_email(session, email_of(SELLER))
    with pytest.raises(Unavailable):
        codes.opened(house.sources, person.id + 1, person.second_factor)
    for spoilt in ("", "1.", "1.!!", person.second_factor[:-4]):
        with pytest.raises(Unavailable):
            codes.opened(house.sources, person.id, spoilt)
    other = replace(house.sources, settings=replace(house.sources.settings, secret_key="another-key-" * 4))
    with pytest.raises(Unavailable, match="Codes cannot be checked"):
        way_in.enter_code(other, ticket=half_done(house), code=code(house, secret), address="x")
    assert enter(house, half_done(house), recovery[0]), "recovery codes need no key"


def test_setting_up_needs_the_apps_code_and_a_fresh_proof_and_ends_other_sessions(house):
    other, viewer = sign_in(house, SELLER), in_session(house, SELLER)
    with pytest.raises(InvalidQuery, match="longer than a quarter of an hour"):
        second_factor.confirm(viewer, house.sources, "123456")
    first = second_factor.begin(viewer, house.sources)
    with pytest.raises(InvalidField, match="not the code"):
        second_factor.confirm(viewer, house.sources, "")
    assert second_factor.begun(viewer, house.sources) == first, "a wrong code leaves the secret as it is"
    second_factor.confirm(viewer, house.sources, code(house, first.groups.replace(" ", "")))
    assert alive(house, viewer.session_id) and not alive(house, other)
    with pytest.raises(InvalidQuery, match="already"):
        second_factor.begin(viewer, house.sources)
    late = in_session(house, "leitung")
    house.sources.clock.move(timedelta(minutes=16))
    with pytest.raises(ProofNeeded):
        second_factor.begin(late, house.sources)


def test_a_new_secret_replaces_the_one_before(house):
    viewer = in_session(house, SELLER)
    old = second_factor.begin(viewer, house.sources).groups.replace(" ", "")
    new = second_factor.begin(viewer, house.sources).groups.replace(" ", "")
    assert old != new
    with pytest.raises(InvalidField):
        second_factor.confirm(viewer, house.sources, code(house, old))
    assert second_factor.confirm(viewer, house.sources, code(house, new))


def test_an_app_reads_whose_secret_it_is_and_of_which_place(house):
    found = second_factor.begin(in_session(house, SELLER), house.sources)
    assert len(found.groups.replace(" ", "")) == 32 and found.picture.startswith("<svg")
    uri = codes.address("ABCDEFGH" * 4, "anna@x.example", "Lakelight Backhaus")
    assert (
        uri
        == f"otpauth://totp/Lakelight%20Backhaus:anna%40x.example?secret={'ABCDEFGH' * 4}&issuer=Lakelight%20Backhaus"
    )


@pytest.mark.attack("A-17")
def test_what_was_begun_is_for_the_session_that_began_it(house):
    other, viewer = in_session(house, SELLER), in_session(house, SELLER)
    secret = second_factor.begin(viewer, house.sources).groups.replace(" ", "")
    with pytest.raises(InvalidQuery, match="began elsewhere"):
        second_factor.begun(other, house.sources)
    with pytest.raises(InvalidQuery, match="began elsewhere"):
        second_factor.confirm(other, house.sources, code(house, secret))
    assert second_factor.confirm(viewer, house.sources, code(house, secret))


def test_a_secret_is_shown_again_only_after_a_fresh_proof(house):
    viewer = in_session(house, SELLER)
    house.sources.clock.move(timedelta(minutes=10))
    second_factor.begin(viewer, house.sources)
    house.sources.clock.move(timedelta(minutes=6))
    with pytest.raises(ProofNeeded):
        second_factor.begun(viewer, house.sources)


@pytest.mark.attack("A-17")
@pytest.mark.parametrize("by", ["app", "recovery"])
def test_ones_own_goes_by_the_password_and_a_code(house, by):
    secret, recovery = enrolled(house)
    other, viewer = enter(house, half_done(house), recovery[1]), in_code_session(house, recovery[0])
    said = code(house, secret) if by == "app" else recovery[2]
    with pytest.raises(InvalidField, match="not your password"):
        second_factor.remove(viewer, house.sources, password="a guess", code=said)
    for bad in ("", "000", recovery[0]):
        with pytest.raises(InvalidField, match="code is not right") as wrong_:
            second_factor.remove(viewer, house.sources, password=PASSWORD, code=bad)
        assert wrong_.value.field == "code"
    second_factor.remove(viewer, house.sources, password=PASSWORD, code=said)
    assert alive(house, viewer.session_id) and not alive(house, other)
    assert sign_in(house, SELLER)
    with pytest.raises(InvalidQuery, match="no second factor"):
        second_factor.remove(viewer, house.sources, password=PASSWORD, code=recovery[3])


def test_taking_ones_own_away_cannot_be_guessed_at_an_open_screen(house):
    _, recovery = enrolled(house)
    viewer = in_code_session(house, recovery[0])
    for _ in range(6):
        with pytest.raises(InvalidField):
            second_factor.remove(viewer, house.sources, password=PASSWORD, code="a guess")
    with pytest.raises(InvalidField, match="too many attempts"):
        second_factor.remove(viewer, house.sources, password=PASSWORD, code=recovery[1])


def test_an_administrator_takes_a_lost_one_away_and_the_log_says_so(house):
    _, recovery = enrolled(house)
    number, session_id = id_of(house, SELLER), enter(house, half_done(house), recovery[0])
    ticket = half_done(house)
    admin = in_session(house)
    second_factor.take_away(admin, house.sources, number)
    assert not alive(house, session_id)
    with pytest.raises(TicketOver):
        enter(house, ticket, recovery[1])
    assert sign_in(house, SELLER)
    assert [(e.person, e.resource) for e in events(house, "person.second_factor")] == [
        (email_of(ADMIN), email_of(SELLER))
    ]
    with pytest.raises(InvalidQuery, match="has no second factor"):
        second_factor.take_away(admin, house.sources, number)
    with pytest.raises(InvalidQuery, match="Your own"):
        second_factor.take_away(admin, house.sources, admin.person_id)


def test_taking_one_away_needs_the_right_and_a_fresh_proof(house):
    enrolled(house)
    number, admin = id_of(house, SELLER), in_session(house)
    with pytest.raises(Forbidden):
        second_factor.take_away(in_session(house, "leitung"), house.sources, number)
    house.sources.clock.move(timedelta(minutes=16))
    with pytest.raises(ProofNeeded):
        second_factor.take_away(admin, house.sources, number)
    second_factor.take_away(operator(), house.sources, number)


def with_enforcement(house: House, role: str = "aussendienst") -> Any:
    """The same house where this role asks for a second factor."""
    access = house.sources.workspace.access
    asks = access.roles[role].model_copy(update={"second_factor": True})
    changed = access.model_copy(update={"roles": {**access.roles, role: asks}})
    return replace(house.sources, workspace=house.sources.workspace.model_copy(update={"access": changed}))


def test_where_the_role_asks_for_one_nothing_opens_before_it(house):
    sources = with_enforcement(house)
    session_id = sign_in(house, SELLER)
    viewer = live_sessions.viewer_for_session(sources, session_id)
    assert viewer.grants == frozenset() and viewer.home == "/account"
    assert all(type(scope.rows).__name__ == "Nothing" for scope in viewer.scopes.values())
    secret = second_factor.begin(viewer, sources).groups.replace(" ", "")
    second_factor.confirm(viewer, sources, code(house, secret))
    assert "leads:read" in live_sessions.viewer_for_session(sources, session_id).grants
    assert "kpis:read" in live_sessions.viewer_for_session(sources, sign_in(house, "leitung")).grants


def test_a_company_account_and_a_demo_click_answer_to_other_rules(house):
    sources = with_enforcement(house)
    with house.sources.store.read() as session:
        person = people_table.by_email(session, email_of(SELLER))
    for method, step in (("password", "second_factor"), ("oidc", ""), ("demo", "")):
        session_id = way_in.open_session(sources, person, method=method, address="x")
        assert live_sessions.first_step(sources, person, method) == step
        assert bool(live_sessions.viewer_for_session(sources, session_id).grants) is (step == "")


def test_people_see_who_has_one(house):
    enrolled(house)
    lines = {p.email: p.second_factor for p in people.list_people(house.viewer(ADMIN), house.sources)}
    assert lines[email_of(SELLER)] is True and lines[email_of(ADMIN)] is False
