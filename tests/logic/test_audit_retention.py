"""Events that are over their time: emptied by class, once a day, accounted for, and the chain holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from data import audit_emptied, audit_log
from data.tables import AuditEvent, Person
from services import audit, audit_retention, audit_seals
from services.audit_retention import Retained
from services.background import Background
from services.operator import operator
from services.sources import Sources
from tests.house import House
from tests.instances import BAKERY_NOW

LONG_AGO = BAKERY_NOW - timedelta(days=100)
BEFORE = date(2024, 10, 3)


@pytest.fixture
def sources(own_bakery: House) -> Sources:
    """The bakery with an empty log, and sixty days for what is read and for signing in."""
    found = own_bakery.sources
    access = found.workspace.access.model_copy(update={"retention": {"reading": 60, "sessions": 60}})
    with found.store.begin() as session:
        session.query(AuditEvent).delete()
    return replace(found, workspace=found.workspace.model_copy(update={"access": access}))


def act(sources: Sources, act: str, at: datetime, person_id: int | None = 2, resource: str = "liste/7") -> None:
    with sources.store.begin() as session:
        audit_log.record(
            session, at=at, person_id=person_id, person="jemand@people.example", act=act, resource=resource,
            detail={"rows": 3},
        )  # fmt: skip


def events(sources: Sources) -> list[AuditEvent]:
    with sources.store.read() as session:
        return list(session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def test_every_act_has_one_class_and_every_class_an_act():
    assert set(audit_retention.ACT_CLASSES) == set(audit.ACT_WORDS), "a new act needs a class in audit_retention"
    assert set(audit_retention.ACT_CLASSES.values()) == set(audit_retention.CLASS_WORDS)


def test_what_accounts_for_emptied_events_and_the_history_of_models_is_never_over():
    left = {a for kind in audit_retention.CLASS_WORDS for a in audit_retention.acts_of(kind)}
    assert set(audit_retention.ACT_CLASSES) - left == audit_retention.NEVER & set(audit_retention.ACT_CLASSES)
    assert not left & {"audit.retain", "person.erase", "model.admit", "scores.publish"}


def test_what_is_over_its_time_is_emptied_and_the_rest_is_not(sources):
    act(sources, "leads.read", LONG_AGO)
    act(sources, "leads.export", LONG_AGO)
    act(sources, "leads.read", datetime(2024, 10, 2, 23, 59, 59, tzinfo=UTC))
    act(sources, "leads.read", datetime(2024, 10, 3, tzinfo=UTC))
    act(sources, "sign_in", LONG_AGO + timedelta(days=60))
    audit_seals.seal(sources)
    assert audit_retention.retain(sources, by="lakelight") == (Retained("reading", BEFORE, 2),)
    found = events(sources)
    assert [e.emptied_at is not None for e in found] == [True, False, True, False, False, False]
    assert (found[0].person, found[0].resource, found[0].detail, found[0].person_id) == ("", "", {}, 2)
    assert found[-1].act == "audit.retain" and found[-1].person == "lakelight"
    assert (found[-1].detail["class"], found[-1].detail["before"], found[-1].detail["events"]) == (
        "reading", "2024-10-03", 2,
    )  # fmt: skip
    audit_seals.seal(sources)
    assert audit_seals.verify(operator(), sources).problem == ""


def test_a_second_look_finds_nothing_and_writes_nothing(sources):
    act(sources, "leads.read", LONG_AGO)
    audit_retention.retain(sources, by="lakelight")
    assert audit_retention.retain(sources, by="lakelight") == ()
    assert Counter(e.act for e in events(sources))["audit.retain"] == 1


def test_many_events_are_emptied_in_parts_and_one_event_accounts_for_all(sources, monkeypatch):
    monkeypatch.setattr(audit_retention, "AT_ONCE", 10)
    for number in range(25):
        act(sources, "lead.open", LONG_AGO + timedelta(seconds=number), resource=f"liste/{number}")
    audit_seals.seal(sources)
    assert audit_retention.retain(sources, by="operator") == (Retained("reading", BEFORE, 25),)
    assert sum(e.emptied_at is not None for e in events(sources)) == 25
    audit_seals.seal(sources)
    assert audit_seals.verify(operator(), sources).problem == ""


def test_a_workspace_that_names_no_days_keeps_everything(sources):
    act(sources, "leads.read", LONG_AGO - timedelta(days=5_000))
    kept = sources.workspace.access.model_copy(update={"retention": {}})
    assert audit_retention.retain(replace(sources, workspace=sources.workspace.model_copy(update={"access": kept})),
                                  by="lakelight") == ()  # fmt: skip
    assert events(sources)[0].resource == "liste/7"


def test_the_page_finds_an_emptied_event_by_its_person_and_says_that_it_was_emptied(sources):
    with sources.store.read() as session:
        person = session.execute(select(Person).limit(1)).scalar_one()
    act(sources, "leads.read", LONG_AGO, person_id=person.id)
    audit_retention.retain(sources, by="lakelight")
    line = audit.events(operator(), sources, audit.AuditQuery(person=person.email)).lines[0]
    assert (line.name, line.said, line.resource) == (person.name, "Read rows of a list", "")
    assert line.details == ("emptied on 2\N{NO-BREAK SPACE}Dec\N{NO-BREAK SPACE}2024",)


def test_the_worker_looks_once_a_day(sources):
    said: list[str] = []
    wheel = Background(sources, None, seconds=lambda: 0.0, say=said.append)  # type: ignore[arg-type]
    for _ in range(2):
        act(sources, "leads.read", LONG_AGO)
        wheel._retain()
    assert [e.emptied_at is not None for e in events(sources) if e.act == "leads.read"] == [True, False]
    sources.clock.move(timedelta(days=1))
    wheel._retain()
    assert all(e.emptied_at for e in events(sources) if e.act == "leads.read")
    assert said == [
        "Opening pages and reading rows: emptied 1 event from before 2024-10-03.",
        "Opening pages and reading rows: emptied 1 event from before 2024-10-04.",
    ]


def test_an_event_without_a_salt_stays_as_it_is(sources):
    act(sources, "leads.read", LONG_AGO)
    with sources.store.begin() as session:
        session.scalars(select(AuditEvent)).one().salt = ""
    assert audit_retention.retain(sources, by="lakelight") == ()
    assert audit_emptied.LEAST_DAYS == 30
