"""Links that work once: what they open, for how long, how often, and what nobody learns from them."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from data import people as people_table
from data.tables import Ticket
from services import links, live_sessions, people
from services.errors import Forbidden, InvalidField, InvalidQuery
from services.links import LinkRefused
from services.operator import operator
from services.step_up import ProofNeeded
from tests.house import House
from tests.logic.test_accounts import ADMIN, NEW, SELLER, alive, events, house, id_of, in_session, refused, sign_in

__all__ = ["house"]


def reset(house: House, who: str = SELLER) -> str:
    """The secret of a reset link, as an administrator hands it over."""
    address, kind = people.new_link(in_session(house), house.sources, id_of(house, who))
    assert kind == "reset"
    return address.rpartition("/")[2]


def choose(house: House, token: str, new: str = NEW) -> None:
    links.choose_password(house.sources, token, new=new, again=new)


@pytest.mark.attack("A-14")
def test_a_link_is_absolute_by_the_settings_and_256_bits_long(house):
    address, _ = people.new_link(in_session(house), house.sources, id_of(house, SELLER))
    start, _, token = address.rpartition("/")
    assert start == "http://127.0.0.1:8050/welcome" and len(token) == 43
    with house.sources.store.read() as session:
        kept = session.query(Ticket).all()
    assert [t.id_hash for t in kept] == [live_sessions.hash_of(token)]


@pytest.mark.attack("A-14")
def test_opening_does_not_use_a_link_and_choosing_does(house):
    token = reset(house)
    for _ in range(3):
        found = links.opened(house.sources, token)
        assert (found.kind, found.email) == ("reset", "aussendienst@people.example")
    choose(house, token)
    assert sign_in(house, SELLER, NEW)
    refused(house, SELLER)
    for used in (lambda: links.opened(house.sources, token), lambda: choose(house, token, "noch eine andere Losung")):
        with pytest.raises(LinkRefused):
            used()
    assert sign_in(house, SELLER, NEW)


@pytest.mark.attack("A-14")
@pytest.mark.parametrize(("kind", "lasts"), [("reset", timedelta(minutes=15)), ("activation", timedelta(hours=72))])
def test_a_link_is_over_to_the_second(house, kind, lasts):
    with house.sources.store.begin() as session:
        person = people_table.by_id(session, id_of(house, SELLER))
        token = links.made(session, house.sources, person, kind).rpartition("/")[2]
    house.sources.clock.move(lasts - timedelta(seconds=1))
    assert links.opened(house.sources, token).kind == kind
    house.sources.clock.move(timedelta(seconds=1))
    with pytest.raises(LinkRefused):
        choose(house, token)


@pytest.mark.attack("A-14")
def test_unknown_used_expired_and_replaced_links_read_the_same(house):
    used, said = reset(house), set()
    choose(house, used)
    replaced = reset(house)
    expired = reset(house)
    house.sources.clock.move(timedelta(minutes=16))
    for token in ("x" * 43, "", "' or 1=1 --" * 5, used, replaced, expired):
        with pytest.raises(LinkRefused) as refusal:
            links.opened(house.sources, token)
        said.add((refusal.value.sentence, refusal.value.next_step))
    assert len(said) == 1


def test_choosing_ends_every_session_and_every_other_ticket_of_the_person_and_of_nobody_else(house):
    gone, stays = sign_in(house, SELLER), sign_in(house, "leitung")
    token = reset(house)
    with house.sources.store.begin() as session:
        session.add(
            Ticket(
                id_hash="half-done", kind="second_factor", person_id=id_of(house, SELLER),
                created_at=house.sources.clock(), ends_at=house.sources.clock() + timedelta(minutes=5),
            )
        )  # fmt: skip
    choose(house, token)
    assert not alive(house, gone) and alive(house, stays)
    with house.sources.store.read() as session:
        assert session.get(Ticket, "half-done").used_at is not None
    assert [(e.person, e.detail) for e in events(house, "password.choose")] == [
        ("aussendienst@people.example", {"kind": "reset"})
    ]


def test_until_the_link_is_used_the_old_password_holds(house):
    session_id = sign_in(house, SELLER)
    reset(house)
    assert alive(house, session_id) and sign_in(house, SELLER)


def test_a_password_that_cannot_be_leaves_the_link_as_it_is(house):
    token = reset(house)
    with pytest.raises(InvalidField, match="12 to 1024"):
        choose(house, token, "short")
    with pytest.raises(InvalidField, match="differ"):
        links.choose_password(house.sources, token, new=NEW, again=NEW + "!")
    choose(house, token)


def test_of_many_at_once_one_uses_the_link(house):
    token, outcomes = reset(house), []

    def use(new: str) -> None:
        try:
            choose(house, token, new)
            outcomes.append(new)
        except LinkRefused:
            outcomes.append("refused")

    threads = [threading.Thread(target=use, args=(f"eine Losung mit der Zahl {n}",)) for n in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    chosen = [o for o in outcomes if o != "refused"]
    assert len(chosen) == 1 and len(outcomes) == 4
    assert sign_in(house, SELLER, chosen[0])


def test_a_link_of_somebody_disabled_does_not_work(house):
    token = reset(house)
    people.set_active(house.viewer(ADMIN), house.sources, id_of(house, SELLER), False)
    with pytest.raises(LinkRefused):
        links.opened(house.sources, token)
    with pytest.raises(InvalidQuery, match="is disabled"):
        people.new_link(in_session(house), house.sources, id_of(house, SELLER))


def test_who_never_chose_a_password_gets_another_activation_and_the_first_ends(house):
    first = people.add_person(
        in_session(house), house.sources, email="neu@people.example", name="Neu", role=ADMIN, attributes={}
    )
    number = next(p.id for p in people.list_people(house.viewer(ADMIN), house.sources) if p.name == "Neu")
    again, kind = people.new_link(operator(), house.sources, number)
    assert kind == "activation"
    with pytest.raises(LinkRefused):
        links.opened(house.sources, first.rpartition("/")[2])
    assert links.opened(house.sources, again.rpartition("/")[2]).kind == "activation"


def test_a_way_into_another_account_needs_a_fresh_proof_and_the_right(house):
    admin = in_session(house)
    house.sources.clock.move(timedelta(minutes=16))
    with pytest.raises(ProofNeeded):
        people.new_link(admin, house.sources, id_of(house, SELLER))
    with pytest.raises(Forbidden):
        people.new_link(in_session(house, "leitung"), house.sources, id_of(house, SELLER))
    with pytest.raises(InvalidQuery, match="Your own password"):
        people.new_link(in_session(house), house.sources, id_of(house, ADMIN))


def test_no_secret_of_a_link_stands_in_the_log(house):
    token = reset(house)
    choose(house, token)
    said: list[Any] = [(e.resource, e.reason, str(e.detail)) for act in ("person.password_link", "password.choose")
                       for e in events(house, act)]  # fmt: skip
    assert said and token not in str(said)
