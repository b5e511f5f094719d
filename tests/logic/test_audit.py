"""The log: what is asked of it, business days, paging, words, and what it keeps to itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from data import audit_log
from data.tables import AuditEvent
from services import audit
from services.audit import AuditQuery
from services.errors import Forbidden, InvalidQuery
from tests.house import House, email_of

AUDITOR, SELLER = "hauswart", "aussendienst"


@pytest.fixture
def house(own_bakery: House) -> House:
    """A bakery whose log is empty."""
    with own_bakery.sources.store.begin() as session:
        session.query(AuditEvent).delete()
    return own_bakery


def write(house: House, act: str = "sign_in", at: datetime | None = None, **said: Any) -> None:
    with house.sources.store.begin() as session:
        facts = {"person_id": 1, "person": email_of(SELLER), **said}
        audit_log.record(session, at=at or house.sources.clock(), act=act, **facts)


def lines(house: House, **query: Any) -> Any:
    return audit.events(house.viewer(AUDITOR), house.sources, AuditQuery(**query))


# ── the query ─────────────────────────────────────────────────────────────────────────────────────


def test_an_address_is_a_query_and_back():
    said = {
        "act": "lead.open",
        "person": "a@b",
        "from": "2024-11-01",
        "to": "2024-11-30",
        "outcome": "denied",
        "page": "3",
    }
    asked = AuditQuery.from_url(said)
    assert asked == AuditQuery("lead.open", "a@b", date(2024, 11, 1), date(2024, 11, 30), "denied", 3)
    assert asked.to_url() == "?act=lead.open&person=a%40b&from=2024-11-01&to=2024-11-30&outcome=denied&page=3"
    assert AuditQuery.from_url({}) == AuditQuery() and AuditQuery().to_url() == ""
    assert AuditQuery.from_url({"unknown": "x", "page": ""}) == AuditQuery()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"from": "31.12.2017"}, "The first day must be a day such as 2017-12-31, got '31.12.2017'."),
        ({"to": "2017-02-30"}, "The last day must be a day"),
        ({"from": "2017-12-31", "to": "2017-12-30"}, "The last day must not come before the first."),
        ({"outcome": "maybe"}, "The outcome must be allowed or denied, got 'maybe'."),
        ({"page": "0"}, "A page must be a whole number above 0, got '0'."),
        ({"page": "-1"}, "A page must be"),
        ({"page": "1e3"}, "A page must be"),
        ({"page": "²"}, "A page must be"),
        ({"page": "9" * 30}, "A page must be"),
    ],
)
def test_what_cannot_be_asked_says_so(said, sentence):
    with pytest.raises(InvalidQuery, match=sentence.replace("(", r"\(")):
        AuditQuery.from_url(said)


# ── finding ───────────────────────────────────────────────────────────────────────────────────────


def test_a_day_is_the_workspaces_business_day_from_midnight_to_midnight(house):
    """Zurich is an hour ahead of UTC in winter: 23:30 UTC on the 30th is the 1st there."""
    for hour, minute, day in ((22, 59, 30), (23, 0, 30), (22, 59, 1 + 30), (23, 1, 1 + 30)):
        base = datetime(2024, 11, 30, tzinfo=UTC) + timedelta(days=day - 30)
        write(house, at=base.replace(hour=hour, minute=minute), resource=f"{day} {hour}:{minute}")
    found = lines(house, since=date(2024, 12, 1), until=date(2024, 12, 1))
    assert [line.resource for line in found.lines] == ["31 22:59", "30 23:0"]


def test_act_person_and_outcome_narrow_together(house):
    write(house)
    write(house, person=email_of("leitung"))
    write(house, allowed=False, reason="No.")
    write(house, act="sign_out")
    assert lines(house).total == 4
    assert lines(house, act="sign_in").total == 3
    assert lines(house, act="sign_in", person=email_of(SELLER)).total == 2
    assert lines(house, act="sign_in", person=email_of(SELLER), outcome="denied").lines[0].reason == "No."
    assert lines(house, outcome="allowed").total == 3
    assert lines(house, act="' or 1=1 --").total == 0
    assert dict(lines(house).acts) == {"sign_in": "Signed in", "sign_out": "Signed out"}


def test_pages_hold_fifty_and_meet_without_gap_or_overlap(house):
    for number in range(120):
        write(house, resource=str(number))
    first, second, third = (lines(house, page=page) for page in (1, 2, 3))
    seen = [line.resource for page in (first, second, third) for line in page.lines]
    assert seen == [str(n) for n in range(119, -1, -1)]
    assert (first.newer, first.older.page, second.newer.page, third.older) == (None, 2, 1, None)
    assert (first.first, second.first, third.first, third.total) == (1, 51, 101, 120)
    beyond = lines(house, page=9)
    assert beyond.lines == () and beyond.older is None and beyond.newer.page == 8


def test_a_full_last_page_has_no_older_one(house):
    for number in range(50):
        write(house, resource=str(number))
    assert lines(house).older is None


def test_only_those_who_may_read_it(house):
    for who in (SELLER, "leitung", "tueftlerei"):
        with pytest.raises(Forbidden):
            audit.events(house.viewer(who), house.sources)
        with pytest.raises(Forbidden):
            audit.refusals(house.viewer(who), house.sources)


# ── words ─────────────────────────────────────────────────────────────────────────────────────────


def test_details_are_words_and_search_words_stay_inside(house):
    searched = "q=Goldener+L%C3%B6wen&band=A&f=%7B%22telefon%22%3A1%7D"
    write(
        house, "leads.export", resource="kuendigung",
        detail={"query": f"list=kuendigung&of=Winter&{searched}", "rows": 1204, "version": "3"},
    )  # fmt: skip
    line = lines(house).lines[0]
    assert line.said == "Exported a list"
    assert line.details == ("list kuendigung/Winter", "narrowed by band, search, filters", "1,204 rows", "version 3")
    assert "Löwen" not in str(line) and "telefon" not in str(line)


def test_what_is_not_known_as_a_detail_stays_in_the_database(house):
    write(
        house,
        "lead.open",
        resource="kuendigung/Ä003",
        detail={"values": {"telefon": "+41"}, "name": "x", "inputs": [1]},
    )
    assert lines(house).lines[0].details == ("name x",)
    write(house, "lead.open", detail={"secret": "telefon +41"})
    assert lines(house).lines[0].details == ()


def test_long_lists_are_cut_and_counted(house):
    write(house, "registry.sync", detail={"changes": [f"change {n}" for n in range(9)]})
    assert lines(house).lines[0].details == ("changes " + ", ".join(f"change {n}" for n in range(6)) + " and 3 more",)


def test_an_act_that_nobody_gave_words_reads_anyway(house):
    write(house, "report.send_out", person="lakelight", person_id=None)
    line = lines(house).lines[0]
    assert (line.said, line.name) == ("report: send out", "Lakelight itself")


def test_somebody_unknown_is_nobody_known(house):
    write(house, person="<script>@x", person_id=None, allowed=False)
    line = lines(house).lines[0]
    assert (line.name, line.person) == ("Nobody known", "<script>@x")


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────


def test_the_same_refusal_is_written_once_a_minute_and_another_at_once(house):
    viewer, clock = house.viewer(SELLER), house.sources.clock
    for _ in range(50):
        audit.denied(viewer, house.sources, "page.open", "/jobs", "No.")
    audit.denied(viewer, house.sources, "page.open", "/data", "No.")
    audit.denied(house.viewer("leitung"), house.sources, "page.open", "/jobs", "No.")
    assert lines(house).total == 3
    clock.move(timedelta(seconds=61))
    audit.denied(viewer, house.sources, "page.open", "/jobs", "No.")
    assert lines(house).total == 4


def test_an_allowed_act_does_not_hide_a_refusal(house):
    write(house, "page.open", resource="/jobs")
    audit.denied(house.viewer(SELLER), house.sources, "page.open", "/jobs", "No.")
    assert lines(house, outcome="denied").total == 1


def test_refusals_of_the_last_seven_days_are_counted(house):
    now = house.sources.clock()
    for ago in (0, 6, 8, 30):
        write(house, at=now - timedelta(days=ago), allowed=False)
    write(house)
    assert audit.refusals(house.viewer(AUDITOR), house.sources) == (2, (now - timedelta(days=7)).date())
