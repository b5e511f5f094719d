"""Access reviews: who waits for one and why, what changed since, and that only what was seen is confirmed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from data import people as people_table
from data.tables import AccessReview, AuditEvent
from services import people, reviews
from services.access import through_eyes_of
from services.errors import Forbidden, InvalidField, InvalidQuery, NotFound
from services.reviews import Reviewed
from tests.house import House, email_of
from tests.instances import BAKERY_PEOPLE

REVIEWER, SELLER = "hauswart", "aussendienst"


def number_of(house: House, who: str) -> int:
    with house.sources.store.read() as session:
        return people_table.by_email(session, email_of(who)).id


def line(house: House, who: str = SELLER) -> Reviewed:
    found = reviews.waiting(house.viewer(REVIEWER), house.sources)
    return next(p for p in found.people if p.name == who)


def confirm(house: House, who: str = SELLER, note: str = "", seen: str | None = None) -> None:
    mark = line(house, who).seen if seen is None else seen
    reviews.confirm(house.viewer(REVIEWER), house.sources, number_of(house, who), seen=mark, note=note)


def test_whoever_was_never_reviewed_comes_first_and_a_review_lasts_ninety_days(own_bakery: House) -> None:
    found = reviews.waiting(own_bakery.viewer(REVIEWER), own_bakery.sources)
    assert (found.due, len(found.people), found.days, found.disabled) == (7, 7, 90, 0)
    confirm(own_bakery, note="  asked their\nmanager ")
    seen = line(own_bakery)
    assert (seen.due, seen.by, seen.note, seen.changed) == ("", REVIEWER, "asked their manager", ())
    assert reviews.waiting(own_bakery.viewer(REVIEWER), own_bakery.sources).people[-1].name == SELLER
    own_bakery.sources.clock.move(timedelta(days=90))
    assert line(own_bakery).due == ""
    own_bakery.sources.clock.move(timedelta(seconds=1))
    assert line(own_bakery).due == "The last review is 90 days old."
    order = [p.name for p in reviews.waiting(own_bakery.viewer(REVIEWER), own_bakery.sources).people]
    assert order[-1] == SELLER, "never reviewed comes before reviewed long ago"


def test_a_change_of_role_or_attributes_waits_for_another_review_and_says_what_changed(own_bakery: House) -> None:
    confirm(own_bakery)
    people.change_person(
        own_bakery.viewer(REVIEWER), own_bakery.sources, number_of(own_bakery, SELLER),
        name=SELLER, role="tueftlerei", attributes={"tour": ["Nord/See", "Süd & Tal"]},
    )  # fmt: skip
    seen = line(own_bakery)
    assert seen.due == "It changed since it was reviewed."
    assert seen.changed == (("Role", "Aussendienst → Tüftlerei"), ("Tour", "Nord/See → Nord/See, Süd & Tal"))
    confirm(own_bakery)
    assert line(own_bakery).due == ""


def test_a_review_of_what_is_no_longer_so_is_refused(own_bakery: House) -> None:
    seen = line(own_bakery).seen
    people.change_person(
        own_bakery.viewer(REVIEWER), own_bakery.sources, number_of(own_bakery, SELLER),
        name=SELLER, role=SELLER, attributes={"tour": ["Süd & Tal"]},
    )  # fmt: skip
    with pytest.raises(InvalidQuery, match="was changed meanwhile"):
        confirm(own_bakery, seen=seen)
    people.set_active(own_bakery.viewer(REVIEWER), own_bakery.sources, number_of(own_bakery, "leitung"), False)
    with own_bakery.sources.store.read() as session:
        mark = reviews.state_mark(people_table.by_email(session, email_of("leitung")))
    with pytest.raises(InvalidQuery, match="is disabled"):
        confirm(own_bakery, "leitung", seen=mark)
    for bad in ("", "x", "0" * 16):
        with pytest.raises(InvalidQuery):
            confirm(own_bakery, seen=bad)
    with own_bakery.sources.store.read() as session:
        assert session.scalars(select(AccessReview)).all() == []
        assert session.scalars(select(AuditEvent).where(AuditEvent.act == "person.review")).all() == []
    assert reviews.waiting(own_bakery.viewer(REVIEWER), own_bakery.sources).disabled == 1


def test_the_review_and_its_event_are_one_transaction(own_bakery: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from services import audit

    confirm(own_bakery, note="ok")
    with own_bakery.sources.store.read() as session:
        kept = session.scalars(select(AccessReview)).one()
        event = session.scalars(select(AuditEvent).where(AuditEvent.act == "person.review")).one()
    assert (kept.role, kept.attributes, kept.outcome) == (SELLER, {"tour": ["Nord/See"]}, "right")
    assert (event.resource, event.person, event.detail) == (
        email_of(SELLER), email_of(REVIEWER), {"role": "Aussendienst", "note": "ok"}
    )  # fmt: skip

    def broken(*_: object, **__: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(audit, "write", broken)
    with pytest.raises(OSError, match="no room"):
        confirm(own_bakery, "tueftlerei")
    assert line(own_bakery, "tueftlerei").at is None


def test_nobody_reviews_themselves_or_from_another_view(own_bakery: House) -> None:
    viewer = own_bakery.viewer(REVIEWER)
    with pytest.raises(InvalidQuery, match="Nobody reviews their own access"):
        confirm(own_bakery, REVIEWER)
    assert line(own_bakery, REVIEWER).is_self
    eyes = through_eyes_of(viewer, own_bakery.viewer(REVIEWER))
    assert "people:review" not in eyes.grants
    with pytest.raises(Forbidden):
        reviews.confirm(eyes, own_bakery.sources, number_of(own_bakery, SELLER), seen=line(own_bakery).seen)


@pytest.mark.parametrize("who", [w for w in BAKERY_PEOPLE if w != REVIEWER])
def test_only_who_may_reads_and_confirms(own_bakery: House, who: str) -> None:
    with pytest.raises(Forbidden):
        reviews.waiting(own_bakery.viewer(who), own_bakery.sources)
    with pytest.raises(Forbidden):
        reviews.confirm(own_bakery.viewer(who), own_bakery.sources, 1, seen="x")


def test_bad_input_is_one_sentence(own_bakery: House) -> None:
    with pytest.raises(InvalidField, match="at most 500"):
        confirm(own_bakery, note="x" * 501)
    with pytest.raises(NotFound):
        reviews.confirm(own_bakery.viewer(REVIEWER), own_bakery.sources, 999, seen="x")
