"""People as an administrator keeps them, and the demo's: who may change whom, what is refused, what it ends."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from data import people as people_table
from services import accounts, demo_people, links, live_sessions, own_account, people
from services import sign_in as way_in
from services.errors import Forbidden, InvalidField, InvalidQuery, NotFound
from services.sign_in import SignInRefused
from tests.house import PASSWORD, House, email_of
from tests.logic.test_accounts import ADMIN, NEW, SELLER, alive, events, house, id_of, in_session, sign_in

__all__ = ["house"]


@pytest.mark.attack("A-15")
def test_somebody_new_chooses_their_password_by_the_link(house):
    admin = in_session(house)
    link = people.add_person(
        admin, house.sources, email=" Neu@People.Example ", name=" Neu ", role="aussendienst",
        attributes={"tour": ["Süd & Tal", "Süd & Tal"]},
    )  # fmt: skip
    line = next(p for p in people.list_people(admin, house.sources) if p.email == "neu@people.example")
    assert (line.name, line.attributes, line.note) == (
        "Neu",
        (("Tour", "Süd & Tal"),),
        "Has not chosen a password yet.",
    )
    links.choose_password(house.sources, link.rpartition("/")[2], new=NEW, again=NEW)
    session_id = way_in.sign_in(house.sources, email="neu@people.example", password=NEW, address="x")
    assert "leads:read" in live_sessions.viewer_for_session(house.sources, session_id).grants


def test_a_one_time_password_of_before_opens_the_account_page_alone(house):
    accounts.create(
        house.sources, email="neu@people.example", name="Neu", role="aussendienst", attributes={}, password=PASSWORD,
        once=True,
    )  # fmt: skip
    session_id = way_in.sign_in(house.sources, email="neu@people.example", password=PASSWORD, address="x")
    viewer = live_sessions.viewer_for_session(house.sources, session_id)
    assert viewer.grants == frozenset() and viewer.home == "/account" and viewer.role_label == "Aussendienst"
    assert all(type(scope.rows).__name__ == "Nothing" for scope in viewer.scopes.values())
    own_account.change_password(viewer, house.sources, current=PASSWORD, new=NEW, again=NEW)
    assert "leads:read" in live_sessions.viewer_for_session(house.sources, session_id).grants


@pytest.mark.parametrize(
    ("said", "field", "sentence"),
    [
        ({"email": "nobody"}, "email", "An e-mail must look like name@company, got 'nobody'."),
        ({"email": "a b@c.example"}, "email", "An e-mail must look like"),
        ({"email": "a@b@c"}, "email", "An e-mail must look like"),
        ({"email": "@c"}, "email", "An e-mail must look like"),
        ({"email": "x" * 250 + "@c.de"}, "email", "An e-mail must look like"),
        ({"email": "LEITUNG@people.example"}, "email", "is already there"),
        ({"name": "  "}, "name", "A name must have 1 to 120 characters."),
        ({"name": "x" * 121}, "name", "A name must have 1 to 120 characters."),
        ({"role": "chef"}, "role", "A role must be one of leitung, aussendienst, tueftlerei, hauswart, got 'chef'."),
        ({"role": ""}, "role", "A role must be one of"),
        (
            {"attributes": {"tour": ["Nord"]}},
            "tour",
            "Tour must be one of Nord/See, Süd & Tal, Stadt 'Mitte', got 'Nord'.",
        ),
        ({"attributes": {"gebiet": ["x"]}}, "attributes", "An attribute must be one of tour, got 'gebiet'."),
    ],
)
def test_a_person_who_cannot_be_is_refused_beside_the_field(house, said, field, sentence):
    good = {"email": "neu@people.example", "name": "Neu", "role": "leitung", "attributes": {}}
    with pytest.raises(InvalidField, match=sentence) as wrong:
        people.add_person(in_session(house), house.sources, **{**good, **said})
    assert wrong.value.field == field


@pytest.mark.attack("G-12")
def test_nobody_changes_their_own_role_or_rows_or_disables_themselves(house):
    admin = in_session(house)
    for change in ({"role": "leitung"}, {"attributes": {"tour": ["Nord/See"]}}):
        with pytest.raises(InvalidField, match="Nobody can change their own role"):
            people.change_person(
                admin, house.sources, admin.person_id, **{"name": "x", "role": ADMIN, "attributes": {}, **change}
            )
    with pytest.raises(InvalidQuery, match="Nobody can disable their own account"):
        people.set_active(admin, house.sources, admin.person_id, False)
    people.change_person(admin, house.sources, admin.person_id, name="Anna", role=ADMIN, attributes={})
    assert in_session(house).name == "Anna"


@pytest.mark.attack("G-12")
def test_the_last_administrator_stays(house):
    """Also where two administrators remove each other at the same moment."""
    admin = in_session(house)
    people.add_person(admin, house.sources, email="b@people.example", name="B", role=ADMIN, attributes={})
    first, second = id_of(house, ADMIN), _id(house, "b@people.example")
    both = [(first, _as(house, second)), (second, _as(house, first))]
    outcomes: list[str] = []

    def remove(target: int, by: Any) -> None:
        try:
            people.set_active(by, house.sources, target, False)
            outcomes.append("removed")
        except InvalidQuery as refusal:
            outcomes.append(refusal.sentence)

    threads = [threading.Thread(target=remove, args=pair) for pair in both]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(outcomes) == ["The last administrator cannot be removed.", "removed"]


@pytest.mark.attack("G-12")
def test_the_last_administrator_keeps_the_role(house):
    other = house.viewer(ADMIN)
    with pytest.raises(InvalidField, match="last administrator") as wrong:
        people.change_person(
            _with_id(other, 999), house.sources, id_of(house, ADMIN), name="x", role="leitung", attributes={}
        )
    assert wrong.value.field == "role"


def test_a_change_made_meanwhile_is_not_overwritten(house):
    admin, number = house.viewer(ADMIN), id_of(house, SELLER)
    drawn = people.form(admin, house.sources, number)
    people.change_person(admin, house.sources, number, name="Erste", role="leitung", attributes={}, seen=drawn.seen)
    with pytest.raises(InvalidQuery, match="Erste was changed by somebody else meanwhile"):
        people.change_person(
            admin, house.sources, number, name="Zweite", role="leitung", attributes={}, seen=drawn.seen
        )
    assert people.form(admin, house.sources, number).name == "Erste"


def test_disabling_ends_every_session_and_enabling_brings_none_back(house):
    session_id, admin, number = sign_in(house, SELLER), house.viewer(ADMIN), id_of(house, SELLER)
    people.set_active(admin, house.sources, number, False)
    people.set_active(admin, house.sources, number, True)
    assert not alive(house, session_id)
    assert sign_in(house, SELLER)


def test_a_person_is_signed_out_everywhere_and_nobody_else(house):
    gone, stays = [sign_in(house, SELLER) for _ in range(2)], sign_in(house, "leitung")
    assert people.end_sessions(house.viewer(ADMIN), house.sources, id_of(house, SELLER)) == 2
    assert not any(alive(house, s) for s in gone) and alive(house, stays)


def test_people_are_managed_by_those_who_may(house):
    for who in ("leitung", SELLER, "tueftlerei"):
        viewer = house.viewer(who)
        for ask in (
            lambda v: people.list_people(v, house.sources),
            lambda v: people.form(v, house.sources, 1),
            lambda v: people.add_person(v, house.sources, email="a@b", name="x", role=ADMIN, attributes={}),
            lambda v: people.change_person(v, house.sources, 1, name="x", role=ADMIN, attributes={}),
            lambda v: people.set_active(v, house.sources, 1, False),
            lambda v: people.end_sessions(v, house.sources, 1),
            lambda v: people.new_link(v, house.sources, 1),
        ):
            with pytest.raises(Forbidden):
                ask(viewer)


def test_who_is_not_there_is_not_found(house):
    with pytest.raises(NotFound):
        people.form(house.viewer(ADMIN), house.sources, 12_345)
    with pytest.raises(NotFound):
        people.set_active(house.viewer(ADMIN), house.sources, -1, True)


def test_what_was_changed_stands_in_the_log_in_words(house):
    people.change_person(
        house.viewer(ADMIN), house.sources, id_of(house, SELLER), name=SELLER, role="tueftlerei", attributes={}
    )
    assert events(house, "person.change")[0].detail == {"role": "Aussendienst → Tüftlerei", "tour": "Nord/See → none"}
    before = len(events(house, "person.change"))
    people.change_person(
        house.viewer(ADMIN), house.sources, id_of(house, SELLER), name=SELLER, role="tueftlerei", attributes={}
    )
    assert len(events(house, "person.change")) == before, "nothing was changed"


def test_a_person_without_rows_is_noticed(house):
    notes = {p.email: p.note for p in people.list_people(house.viewer(ADMIN), house.sources)}
    assert notes[email_of("aussendienst:ohne")] == "Without tour this person sees no rows."
    assert notes[email_of(SELLER)] == ""


# ── the demo's people ─────────────────────────────────────────────────────────────────────────────


def test_demo_people_get_random_passwords_that_open_their_accounts(house):
    made = demo_people.create_demo_people(house.sources)
    kept = house.sources.settings.instance / "demo-accounts.json"
    lines = json.loads(kept.read_text())
    assert made == len(lines) == 5
    assert kept.stat().st_mode & 0o077 == 0
    assert {line["email"] for line in lines} >= {
        "aussendienst.nord.see@example.com",
        "aussendienst.sud.tal@example.com",
    }
    for line in lines:
        assert way_in.sign_in(house.sources, email=line["email"], password=line["password"], address="x")
    assert demo_people.create_demo_people(house.sources) == 0


def test_lost_demo_passwords_are_made_anew(house):
    demo_people.create_demo_people(house.sources)
    kept = house.sources.settings.instance / "demo-accounts.json"
    first = json.loads(kept.read_text())
    kept.unlink()
    assert demo_people.create_demo_people(house.sources) == 5
    second = json.loads(kept.read_text())
    assert [line["email"] for line in first] == [line["email"] for line in second]
    assert way_in.sign_in(house.sources, email=second[0]["email"], password=second[0]["password"], address="x")
    with pytest.raises(SignInRefused):
        way_in.sign_in(house.sources, email=first[0]["email"], password=first[0]["password"], address="x")


def _id(house: House, email: str) -> int:
    with house.sources.store.read() as session:
        return people_table.by_email(session, email).id


def _as(house: House, person_id: int) -> Any:
    return _with_id(house.viewer(ADMIN), person_id)


def _with_id(viewer: Any, person_id: int) -> Any:
    from dataclasses import replace

    return replace(viewer, person_id=person_id)
