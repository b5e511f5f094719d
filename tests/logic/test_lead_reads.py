"""Reading a list and opening a lead are acts: written once for a question, and never after the rows were given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from data.tables import AuditEvent
from services import leads
from services.lead_query import LeadQuery
from tests.house import House

OPEN = LeadQuery(list="kuendigung", of="Winter/2024")


def events(house: House) -> list[AuditEvent]:
    with house.sources.store.read() as session:
        return list(session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def block(house: House, who: str) -> Any:
    return leads.block(house.viewer(who), house.sources, OPEN, 0, 500)


def test_reading_is_written_once_for_a_question_and_scrolling_is_not(own_bakery: House) -> None:
    viewer = replace(own_bakery.viewer("tueftlerei"), session_id="s1")
    before = len(events(own_bakery))
    leads.page(viewer, own_bakery.sources, OPEN)
    assert len(events(own_bakery)) == before, "counts are no rows"
    for start in (0, 50, 100, 0, 150):
        leads.block(viewer, own_bakery.sources, OPEN, start, 50)
    (event,) = events(own_bakery)[before:]
    assert (event.act, event.resource, event.person) == ("leads.open", "kuendigung", viewer.email)
    assert event.detail == {
        "of": "Winter/2024", "query": OPEN.to_url(), "rows": 180, "matching": 180, "version": "1",
        "asked": {"run": 1, "where": "all", "filter": ["saison", "eq", "Winter/2024"], "order": ["+row_id"]},
    }  # fmt: skip


def test_another_question_session_or_person_is_another_act(own_bakery: House) -> None:
    one = replace(own_bakery.viewer("tueftlerei"), session_id="s1")
    before = len(events(own_bakery))
    leads.block(one, own_bakery.sources, OPEN, 0, 10)
    leads.block(one, own_bakery.sources, replace(OPEN, search="rüti"), 0, 10)
    leads.block(replace(one, session_id="s2"), own_bakery.sources, OPEN, 0, 10)
    leads.block(replace(own_bakery.viewer("aussendienst"), session_id="s3"), own_bakery.sources, OPEN, 0, 10)
    assert [e.act for e in events(own_bakery)[before:]] == ["leads.open"] * 4


def test_rows_far_down_are_an_act_even_where_nobody_read_the_first(
    own_bakery: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services import lead_reads

    monkeypatch.setattr(lead_reads, "FIRST", 10)
    viewer = replace(own_bakery.viewer("tueftlerei"), session_id="s1")
    before = len(events(own_bakery))
    for start in (100, 100, 0, 150, 170):
        leads.block(viewer, own_bakery.sources, OPEN, start, 10)
    assert [(e.act, e.detail["rows"]) for e in events(own_bakery)[before:]] == [
        ("leads.read", 160),
        ("leads.read", 180),
    ]


def test_rows_whose_event_cannot_be_written_are_not_given(own_bakery: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from services import audit

    viewer, record = replace(own_bakery.viewer("tueftlerei"), session_id="s1"), audit.record

    def locked(*_: Any, **__: Any) -> None:
        raise OSError("the database is locked")

    before = len(events(own_bakery))
    monkeypatch.setattr(audit, "record", locked)
    for _ in range(2):
        with pytest.raises(OSError, match="locked"):
            leads.block(viewer, own_bakery.sources, OPEN, 0, 10)
    monkeypatch.setattr(audit, "record", record)
    leads.block(viewer, own_bakery.sources, OPEN, 0, 10)
    assert [e.act for e in events(own_bakery)[before:]] == ["leads.open"]


def test_an_empty_answer_is_no_act(own_bakery: House) -> None:
    before = len(events(own_bakery))
    leads.block(own_bakery.viewer("tueftlerei"), own_bakery.sources, replace(OPEN, search="zzz"), 0, 50)
    assert len(events(own_bakery)) == before


def test_opening_a_lead_is_an_act_each_time(own_bakery: House) -> None:
    viewer = own_bakery.viewer("aussendienst")
    key = block(own_bakery, "aussendienst").rows[0].key
    before = len(events(own_bakery))
    leads.lead(viewer, own_bakery.sources, key, OPEN)
    leads.lead(viewer, own_bakery.sources, key, OPEN)
    assert [(e.act, e.resource) for e in events(own_bakery)[before:]] == [("lead.open", f"kuendigung/{key}")] * 2
