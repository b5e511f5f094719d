"""A person is erased: nothing personal is left anywhere, the log accounts for it, and the chain holds (U-09)."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from data import audit_chain, audit_emptied, audit_log, people
from data.tables import AccessReview, AuditEvent, Identity, Person, SignInSession, Ticket
from services import audit, audit_retention, audit_seals, erasure, oidc_claims
from services import people as people_service
from services.errors import Forbidden, InvalidField, InvalidQuery
from services.operator import operator
from tests.house import House, email_of

pytestmark = pytest.mark.attack("U-09")
ADMIN, GONE = "hauswart", "aussendienst"
EMAIL = email_of(GONE)


@pytest.fixture
def house(own_bakery: House) -> House:
    """A bakery whose seller signed in, read, failed to sign in, was changed and is disabled."""
    house, clock = own_bakery, own_bakery.sources.clock
    house.sign_in(GONE)
    sources, admin = house.sources, house.viewer(ADMIN)
    number = id_of(house)
    with sources.store.begin() as session:
        person = session.get(Person, number)
        person.second_factor, person.recovery_codes, person.last_sign_in_at = "geheim", ["x"], clock()
        session.add(Ticket(id_hash="h", kind="reset", person_id=number, created_at=clock(), ends_at=clock(),
                           detail={"to": EMAIL}))  # fmt: skip
        session.add(AccessReview(person_id=number, reviewer_id=1, at=clock(), role="aussendienst", outcome="kept",
                                 note="Anna bleibt"))  # fmt: skip
        for act, facts in {
            "leads.read": {"person_id": number, "person": EMAIL, "resource": "kuendigung"},
            "leads.export": {"person_id": number, "person": EMAIL, "resource": "kuendigung"},
            "sign_in": {"person_id": None, "person": EMAIL, "allowed": False},
            "page.open": {"person_id": 1, "person": "b@c.ch", "detail": {"as": EMAIL}},
            "policy.why": {"person_id": 1, "person": "b@c.ch", "detail": {"subject": f"jo{EMAIL}"}},
        }.items():
            audit_log.record(session, at=clock(), act=act, **facts)
    people_service.change_person(admin, sources, number, name="Anna Muster", role="aussendienst",
                                 attributes={"tour": ["Nord/See"]})  # fmt: skip
    with sources.store.begin() as session:
        session.add(Identity(issuer="https://id.example", subject="s-4711", person_id=number, linked_at=clock()))
    people_service.set_active(admin, sources, number, False)
    audit_seals.seal(sources)
    return house


def id_of(house: House, who: str = GONE) -> int:
    with house.sources.store.read() as session:
        return people.by_email(session, email_of(who)).id


def test_nothing_personal_is_left_but_what_was_taken_away(house: House):
    number = id_of(house)
    done = erasure.erase(house.viewer(ADMIN), house.sources, number, EMAIL.upper() + " ")
    assert (done.name, done.kept, done.older) == (f"Erased person {number}", 1, 0)
    with house.sources.store.read() as session:
        person = session.get(Person, number)
        assert (person.name, person.email) == (f"Erased person {number}", f"erased-{number}@invalid")
        assert (person.attributes, person.password_hash, person.second_factor, person.recovery_codes) == (
            {},
            "",
            "",
            [],
        )
        assert person.last_sign_in_at is None and person.erased_at == house.sources.clock() and not person.active
        for table in (Identity, Ticket, SignInSession):
            assert session.scalars(select(table).where(table.person_id == number)).all() == []
        assert session.scalars(select(AccessReview)).one().note == ""
        naming = [e.act for e in session.scalars(select(AuditEvent)) if EMAIL in repr((e.person, e.resource, e.detail))]
        assert naming == ["leads.export", "policy.why"], "what was taken; and somebody else whose address ends alike"
    house.sources.store.close()
    file = Path(house.sources.settings.instance) / "app.db"
    with sqlite3.connect(file) as raw:
        dumped = "\n".join(line for line in raw.iterdump() if "leads.export" not in line and "jo" + EMAIL not in line)
    assert EMAIL not in dumped and "Anna" not in dumped and "s-4711" not in dumped


def test_the_chain_holds_and_the_log_names_nobody(house: House):
    number = id_of(house)
    erasure.erase(house.viewer(ADMIN), house.sources, number, EMAIL)
    audit_seals.seal(house.sources)
    assert audit_seals.verify(operator(), house.sources).problem == ""
    line = audit.events(operator(), house.sources, audit.AuditQuery(act="person.erase")).lines[0]
    assert (line.said, line.person, line.name, line.resource) == ("Erased a person", "", ADMIN, f"erased-{number}")
    assert line.details == ()
    mine = audit.events(operator(), house.sources, audit.AuditQuery(act="leads.read")).lines[0]
    assert (mine.person, mine.name, mine.resource) == (f"erased-{number}", f"Erased person {number}", "")


def test_an_attacker_cannot_empty_what_the_erasure_left(house: House):
    number = id_of(house)
    erasure.erase(house.viewer(ADMIN), house.sources, number, EMAIL)
    audit_seals.seal(house.sources)
    with house.sources.store.begin() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.act == "leads.export")).one()
        event.content = audit_log.audit_chain.content_hash(event)
        event.person, event.resource, event.detail, event.salt = f"erased-{number}", "", {}, ""
        event.emptied_at = house.sources.clock()
    assert f"Event {event.id} was emptied" in audit_seals.verify(operator(), house.sources).problem


def test_other_peoples_events_stay_where_an_address_only_begins_alike_or_what_they_say_is_never_emptied(house: House):
    number, sources = id_of(house), house.sources
    said = {
        "x@firma.de": ("page.open", "x@firma.de"),
        "a longer name": ("page.open", "x@firma.de.example"),
        "another local part": ("page.open", "jo.x@firma.de"),
        "a country more": ("policy.why", "x@firma.de-sued.ch"),
        "an export": ("leads.export", "list?q=x@firma.de"),
        "a file": ("file.take", "x@firma.de"),
        "a decision": ("model.admit", "x@firma.de"),
        "the end of a sentence": ("page.open", "of x@firma.de."),
    }
    with sources.store.begin() as session:
        session.get(Person, number).email = "x@firma.de"
        for act, resource in said.values():
            audit_log.record(session, at=sources.clock(), person_id=1, person="b@c.ch", act=act, resource=resource)
        session.flush()
        first = session.scalars(select(AuditEvent.id).order_by(AuditEvent.id.desc())).first() - len(said) + 1
    audit_seals.seal(sources)
    erasure.erase(house.viewer(ADMIN), sources, number, "x@firma.de")
    audit_seals.seal(sources)
    with sources.store.read() as session:
        emptied = [e for e, name in enumerate(said, first) if session.get(AuditEvent, e).emptied_at is not None]
    assert emptied == [first, first + 7]
    assert audit_seals.verify(operator(), sources).problem == ""


@pytest.mark.parametrize("act", ["leads.export", "file.take", "evidence.take", "model.admit"])
@pytest.mark.parametrize("about", [True, False], ids=["about them", "of theirs"])
def test_a_forged_erasure_accounts_for_no_taking_and_no_decision(house: House, act: str, about: bool):
    sources, number = house.sources, id_of(house)
    with sources.store.begin() as session:
        audit_log.record(session, at=sources.clock(), person_id=number, person=EMAIL, act=act, resource="thing")
        session.flush()
        event = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    audit_seals.seal(sources)
    with sources.store.begin() as session:
        said = {"person": 0 if about else number, "about": [event.id] if about else [], "kept": []}
        audit_log.record(session, at=sources.clock(), person_id=1, person="", act="person.erase", detail=said)
        mine = session.get(AuditEvent, event.id)
        audit_emptied.empty(mine, audit_chain.content_hash(mine), sources.clock())
    audit_seals.seal(sources)
    assert f"Event {event.id} was emptied" in audit_seals.verify(operator(), sources).problem


def test_what_an_erasure_never_takes_is_the_class_of_taking():
    assert sorted(audit_emptied.TAKING) == audit_retention.acts_of("taking")


def test_earlier_addresses_and_the_providers_names_go_as_well(house: House):
    number, sources, stand_in = id_of(house), house.sources, oidc_claims.stand_in("https://id.example", "s-4711")
    with sources.store.begin() as session:
        other = session.get(Person, 1).email
        for facts in (
            {"act": "person.refresh", "person_id": number, "person": EMAIL,
             "detail": {"e-mail": f"maiden@b.example → {EMAIL}"}},
            {"act": "person.refresh", "person_id": number, "person": other},
            {"act": "sign_in", "person_id": None, "person": stand_in, "allowed": False},
            {"act": "sign_in", "person_id": None, "person": "", "detail": {"known there as": "s-4711"}},
            {"act": "sign_in", "person_id": None, "person": "", "detail": {"known there as": "s-47112"}},
            {"act": "page.open", "person_id": 1, "person": other, "detail": {"as": "maiden@b.example"}},
            {"act": "page.open", "person_id": 1, "person": other, "resource": "s-4711"},
        ):  # fmt: skip
            audit_log.record(session, at=sources.clock(), **facts)
        session.flush()
        last = session.scalars(select(AuditEvent.id).order_by(AuditEvent.id.desc())).first()
    erasure.erase(house.viewer(ADMIN), sources, number, EMAIL)
    with sources.store.read() as session:
        left = [e for e in range(last - 6, last + 1) if session.get(AuditEvent, e).emptied_at is None]
    assert left == [last - 2, last], "another subject that begins alike; and a key that only looks like one"


def test_an_event_of_an_older_lakelight_is_counted_and_left(house: House):
    with house.sources.store.begin() as session:
        session.scalars(select(AuditEvent).where(AuditEvent.act == "leads.read")).one().salt = ""
    assert erasure.erase(house.viewer(ADMIN), house.sources, id_of(house), EMAIL).older == 1


def test_who_may_not_be_erased_and_by_whom(house: House):
    sources, admin, number = house.sources, house.viewer(ADMIN), id_of(house)
    with pytest.raises(Forbidden):
        erasure.erase(house.viewer("leitung"), sources, number, EMAIL)
    with pytest.raises(InvalidField, match="Type the e-mail"):
        erasure.erase(admin, sources, number, "somebody@else.ch")
    with pytest.raises(InvalidQuery, match="Only somebody who is disabled"):
        erasure.erase(admin, sources, id_of(house, "leitung"), email_of("leitung"))
    with pytest.raises(InvalidQuery, match="Nobody can erase themselves"):
        erasure.erase(admin, sources, admin.person_id, admin.email)
    with sources.store.begin() as session:
        session.get(Person, number).demo = True
    with pytest.raises(InvalidQuery, match="demo account"):
        erasure.erase(admin, sources, number, EMAIL)


def test_an_erased_person_stays_erased(house: House):
    sources, admin, number = house.sources, house.viewer(ADMIN), id_of(house)
    erasure.erase(admin, sources, number, EMAIL)
    sources.clock.move(timedelta(days=1))
    acts = (
        lambda: people_service.set_active(admin, sources, number, True),
        lambda: people_service.new_link(operator(), sources, number),
        lambda: people_service.change_person(admin, sources, number, name="x", role="leitung", attributes={}),
        lambda: erasure.erase(admin, sources, number, f"erased-{number}@invalid"),
    )
    for act in acts:
        with pytest.raises(InvalidQuery, match="was erased"):
            act()
    people_service.add_person(operator(), sources, email=EMAIL, name="Anna", role="leitung", attributes={})
