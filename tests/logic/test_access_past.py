"""What a person could see on a day: the policy, the person and the data as they were then."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import select, update

from data import people
from data.tables import AuditEvent, Person, PersonState, PolicyVersion, Publication
from services import access_past, policy_versions
from services.access_past import PastAccess
from services.errors import Forbidden, InvalidQuery, NotFound
from services.operator import operator
from services.people import change_person, set_active
from services.sources import Sources
from tests.bakery import build
from tests.house import House, email_of
from tests.instances import BAKERY_NOW
from tests.logic.test_policy_versions import changed

TODAY = date(2024, 12, 2)
NEXT = TODAY + timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def sources(own_bakery: House) -> Sources:
    """The bakery ten days ago: published, its people added, its policy kept; the clock stands on the day after."""
    found, then = own_bakery.sources, BAKERY_NOW - timedelta(days=10)
    policy_versions.keep(found)
    with found.store.begin() as session:
        for table in (PolicyVersion, PersonState):
            session.execute(update(table).values(at=then))
        session.execute(update(Publication).values(published_at=then))
    return found


def id_of(sources: Sources, who: str) -> int:
    with sources.store.read() as session:
        person = people.by_email(session, email_of(who))
    assert person
    return person.id


def ask(sources: Sources, who: str, day: date) -> PastAccess:
    return access_past.on_day(operator(), sources, id_of(sources, who), day)


def customers(found: PastAccess, stretch: int = -1) -> access_past.PastDataset:
    return next(d for d in found.stretches[stretch].datasets if d.name == "abnehmer")


def seen(found: access_past.PastDataset) -> int | None:
    assert found.rows is not None
    return found.rows.seen.value


def oracle(sources: Sources, *tours: str) -> int:
    raw = next(Path(sources.settings.lake).rglob("abnehmer*"))
    rows = pd.read_parquet(raw) if raw.suffix == ".parquet" else pd.read_csv(raw, sep=None, engine="python")
    return int(rows["tour"].isin(tours).sum())


def test_a_day_on_which_nothing_changed_is_one_stretch(sources):
    found = ask(sources, "aussendienst", TODAY - timedelta(days=3))
    (only,) = found.stretches
    assert (only.role_label, only.active, only.held) == ("Aussendienst", True, (("Tour", "Nord/See"),))
    assert only.policy == sources.workspace.fingerprint and only.missing == ""
    assert (only.since, only.until) == (datetime(2024, 11, 28, 23, tzinfo=UTC), datetime(2024, 11, 29, 23, tzinfo=UTC))
    assert "leads:export" in only.grants and "Take a list away as a file" in only.actions
    rows = customers(found)
    assert (seen(rows), rows.rows.total.value) == (oracle(sources, "Nord/See"), build.HOUSES) == (60, 180)
    assert rows.reason == "Tour is Nord/See." and rows.version is not None and rows.missing == ""
    assert (found.day, found.zone, found.asked_by) == (date(2024, 11, 29), "Europe/Zurich", "The operator")


def test_a_person_who_changed_during_the_day_has_two_stretches(sources):
    change_person(operator(), sources, id_of(sources, "aussendienst"), name="A", role="aussendienst",
                  attributes={"tour": ["Nord/See", "Süd & Tal"]})  # fmt: skip
    sources.clock.move(timedelta(days=1))
    before, after = ask(sources, "aussendienst", TODAY).stretches
    assert (before.held, after.held) == ((("Tour", "Nord/See"),), (("Tour", "Nord/See, Süd & Tal"),))
    assert before.until == after.since == BAKERY_NOW
    found = ask(sources, "aussendienst", TODAY)
    assert seen(customers(found, 0)) == oracle(sources, "Nord/See")
    assert seen(customers(found, 1)) == oracle(sources, "Nord/See", "Süd & Tal")
    (next_day,) = ask(sources, "aussendienst", NEXT).stretches
    assert next_day.held == after.held


def test_the_policy_of_that_day_is_asked_not_todays(sources, tmp_path):
    later = changed(sources, tmp_path / "w", ("'leads:export', ", ""),
                    ("rules: [{column: tour, attribute: tour}]", "all_rows: true\n        reason: Alle."))  # fmt: skip
    later.clock.move(timedelta(days=1))
    policy_versions.keep(later)
    (then,) = ask(later, "aussendienst", TODAY).stretches
    assert "leads:export" in then.grants and then.policy == sources.workspace.fingerprint
    assert seen(customers(ask(later, "aussendienst", TODAY))) == oracle(sources, "Nord/See")
    later.clock.move(timedelta(hours=1))
    now = ask(later, "aussendienst", NEXT)
    assert [s.policy for s in now.stretches] == [sources.workspace.fingerprint, later.workspace.fingerprint]
    assert "leads:export" not in now.stretches[1].grants
    assert seen(customers(now)) == customers(now).rows.total.value


def test_the_rows_are_those_of_the_version_that_was_published_then(sources):
    with sources.store.begin() as session:
        current = session.scalars(select(Publication).where(Publication.dataset == "abnehmer")).one()
        session.add(
            Publication(
                dataset="abnehmer",
                version=current.version + 7,
                rows=1,
                columns={},
                current=False,
                source_fingerprint="x",
                newest=None,
                published_at=BAKERY_NOW - timedelta(days=1),
            )
        )
    was, is_ = ask(sources, "aussendienst", TODAY - timedelta(days=2)), ask(sources, "aussendienst", TODAY)
    assert (customers(was).version, customers(was).missing) == (current.version, "")
    assert customers(is_).version == current.version + 7
    assert (seen(customers(is_)), customers(is_).missing) == (None, access_past.GONE)
    assert customers(is_).rows.seen.text == "cannot be counted now"
    few = customers(ask(sources, "leitung", TODAY)).rows
    assert (few.seen.text, few.total.text, customers(was).rows.total.value) == (
        "not shown",
        "fewer than 5",
        current.rows,
    )


def test_a_dataset_that_was_not_published_yet_says_so(sources):
    with sources.store.begin() as session:
        session.execute(update(Publication).values(published_at=BAKERY_NOW - timedelta(days=2)))
    rows = customers(ask(sources, "leitung", TODAY - timedelta(days=5)))
    assert (rows.version, rows.rows, rows.missing) == (None, None, access_past.NOT_YET)


def test_what_cannot_be_told_is_said(sources):
    long_ago = ask(sources, "leitung", TODAY - timedelta(days=30)).stretches[0]
    assert long_ago.missing.startswith("This person had not been added yet") and long_ago.datasets == ()
    with sources.store.begin() as session:
        session.execute(update(PersonState).values(at=BAKERY_NOW - timedelta(days=40)))
    assert (
        ask(sources, "leitung", TODAY - timedelta(days=30))
        .stretches[0]
        .missing.startswith("No policy was kept of that time. The first one is of 22")
    )
    set_active(operator(), sources, id_of(sources, "leitung"), False)
    sources.clock.move(timedelta(days=1))
    assert [s.missing for s in ask(sources, "leitung", TODAY).stretches] == [
        "", "The account was disabled, so this person could see nothing.",
    ]  # fmt: skip
    with sources.store.begin() as session:
        session.execute(update(PolicyVersion).values(files={"access.yml": "roles: 7"}))
    assert "cannot be read" in ask(sources, "tueftlerei", TODAY).stretches[0].missing


def test_asking_is_an_act_and_needs_the_right(sources, own_bakery):
    ask(sources, "leitung", TODAY)
    with sources.store.read() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.act == "policy.past")).one()
        person = session.get(Person, id_of(sources, "leitung"))
    assert (event.person, event.resource, event.detail) == ("operator", person.email, {"day": "2024-12-02"})
    with pytest.raises(Forbidden):
        access_past.on_day(own_bakery.viewer("leitung"), sources, 1, TODAY)
    with pytest.raises(InvalidQuery, match="must not lie ahead"):
        ask(sources, "leitung", NEXT)
    with pytest.raises(NotFound):
        access_past.on_day(operator(), sources, 9_999, TODAY)


@pytest.mark.parametrize(("came", "second"), [(3, "not shown"), (4, "not shown"), (5, "185"), (0, "180")])
def test_two_stretches_of_a_day_do_not_tell_how_few_rows_came(sources, came, second):
    """Rows that came between two stretches are counted by their difference: the newer count stands alone."""
    with sources.store.begin() as session:
        current = session.scalars(select(Publication).where(Publication.dataset == "abnehmer")).one()
        later = {"version": current.version + 7, "rows": current.rows + came, "published_at": BAKERY_NOW + HOUR}
        session.add(
            Publication(dataset="abnehmer", columns={}, current=False, source_fingerprint="x", newest=None, **later)
        )
    change_person(operator(), sources, id_of(sources, "leitung"), name="A", role="leitung",
                  attributes={"tour": ["Nord/See"]})  # fmt: skip
    sources.clock.move(timedelta(days=1))
    found = ask(sources, "leitung", TODAY)
    first, last = (customers(found, at).rows for at in (0, 1))
    assert (first.seen.text, first.total.text) == ((second,) * 2 if came in (3, 4) else ("180",) * 2)
    assert (last.seen.value, last.total.value) == (180 + came,) * 2
    assert ("fewer than 5" in found.withheld) is (came in (3, 4))
