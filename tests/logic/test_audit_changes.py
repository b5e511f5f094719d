"""Who changed what: before and after in words, of people and policy only, by business days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from data import people as people_table
from services import audit_changes, people
from services.access import through_eyes_of
from services.audit_changes import Changes, ChangesQuery
from services.errors import Forbidden, InvalidQuery
from tests.house import House, email_of
from tests.instances import BAKERY_PEOPLE

ADMIN, SELLER, DAY = "hauswart", "aussendienst", date(2024, 12, 2)


def ask(house: House, since: date | None = DAY, until: date | None = DAY) -> Changes:
    return audit_changes.changes(house.viewer(ADMIN), house.sources, ChangesQuery(since, until))


def test_a_change_says_what_was_before_and_after(own_bakery: House) -> None:
    with own_bakery.sources.store.read() as session:
        number = people_table.by_email(session, email_of(SELLER)).id
    before = len(ask(own_bakery).lines)
    viewer = own_bakery.viewer(ADMIN)
    people.change_person(
        viewer, own_bakery.sources, number, name=SELLER, role="tueftlerei", attributes={"tour": ["Süd & Tal"]}
    )
    people.set_active(viewer, own_bakery.sources, number, False)
    changed, disabled = ask(own_bakery).lines[before:]
    assert (changed.name, changed.said, changed.of, changed.of_name) == (
        ADMIN, "Changed a person", email_of(SELLER), SELLER
    )  # fmt: skip
    assert changed.steps == ("Role: Aussendienst → Tüftlerei", "Tour: Nord/See → Süd & Tal")
    assert (disabled.said, disabled.steps) == ("Disabled a person", ())
    added = ask(own_bakery).lines[:before]
    assert [c.steps for c in added if c.of == email_of("aussendienst:zwei")] == [
        ("Role: Aussendienst", "Tour: Nord/See, Stadt 'Mitte'")
    ]


def test_reading_is_no_change_and_days_are_business_days(own_bakery: House) -> None:
    own_bakery.sign_in(SELLER)
    assert {line.said for line in ask(own_bakery).lines} == {"Added a person"}
    assert ask(own_bakery, DAY + timedelta(days=1), DAY + timedelta(days=1)).lines == ()
    assert ask(own_bakery, None, None).since == DAY - timedelta(days=28)


def test_what_is_left_out_is_counted(own_bakery: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_changes, "MOST", 3)
    found = ask(own_bakery)
    assert (len(found.lines), found.more) == (3, 4)


def test_through_other_eyes_both_are_named(bakery: House) -> None:
    eyes = through_eyes_of(bakery.viewer("leitung"), bakery.viewer(ADMIN))
    assert audit_changes.changes(eyes, bakery.sources, ChangesQuery()).lines


@pytest.mark.parametrize("who", [w for w in BAKERY_PEOPLE if w != ADMIN])
def test_only_who_may_read_the_log(bakery: House, who: str) -> None:
    with pytest.raises(Forbidden):
        audit_changes.changes(bakery.viewer(who), bakery.sources, ChangesQuery())


def test_an_address_is_a_query_and_back() -> None:
    assert (
        ChangesQuery.from_url({"from": "2024-12-01", "to": "2024-12-02"}).to_url() == "?from=2024-12-01&to=2024-12-02"
    )
    assert ChangesQuery.from_url({}).to_url() == ""
    with pytest.raises(InvalidQuery):
        ChangesQuery.from_url({"from": "2024-12-03", "to": "2024-12-02"})
