"""An administrator looks through a seller's eyes: their rows and pages, nothing changed, both names in the log."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from data.tables import AuditEvent, Person
from services import access, leads, live_sessions, own_account, people, view_as
from services.errors import InvalidQuery
from services.lead_query import LeadQuery
from tests.house import Browser, House, email_of, texts

ADMIN, SELLER, OTHER, BOSS = "hauswart", "aussendienst", "aussendienst:süd", "leitung"
LIST = "list=kuendigung&of=Winter%2F2024"


def person_id(house: House, who: str) -> int:
    with house.sources.store.read() as session:
        found = session.scalar(select(Person.id).where(Person.email == email_of(who)))
    assert found is not None
    return found


def look(house: House, client: Browser, who: str, *, token: bool = True) -> Any:
    client.document("/account")
    said = {"csrf_token": client.token} if token else {}
    return client.post(f"/view-as/{person_id(house, who)}", data=said)


def leave(client: Browser) -> Any:
    return client.post("/view-as/end", data={"csrf_token": client.token})


def viewer_of(house: House, client: Browser) -> access.Viewer:
    with client.session_transaction() as session:
        found = live_sessions.viewer_for_session(house.sources, session["_user_id"])
    assert found is not None
    return found


def newest(house: House, act: str) -> AuditEvent:
    with house.sources.store.read() as session:
        return session.scalars(select(AuditEvent).where(AuditEvent.act == act).order_by(AuditEvent.id.desc())).first()


@pytest.fixture
def looking(own_bakery: House) -> tuple[House, Browser]:
    """The administrator as the seller."""
    client = own_bakery.sign_in(ADMIN)
    answer = look(own_bakery, client, SELLER)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/leads")
    return own_bakery, client


def test_it_shows_the_pages_and_rows_of_that_person_and_says_so(looking):
    house, client = looking
    seller = house.sign_in(SELLER)
    shown, own = (viewer_of(house, c) for c in (client, seller))
    assert shown.scopes == own.scopes
    client.document("/leads")
    frame = texts(client.get("/_dash-layout").get_json())
    assert f"You see Lakelight as {SELLER} does" in frame and "/view-as/end" in frame
    assert "/leads" in frame and "/admin/people" not in frame


@pytest.mark.attack("G-14")
def test_it_changes_nothing_and_takes_nothing_away(looking):
    house, client = looking
    shown, seller = viewer_of(house, client), house.viewer(SELLER)
    assert shown.grants == seller.grants - {"leads:export"} and shown.grants <= access.READ_ONLY
    assert client.get(f"/leads.csv?{LIST}").status_code == 404
    assert "There is no such page" in house.words(client, "/admin/people")


def test_caches_are_not_shared_with_the_person_who_may_do_more(looking):
    house, client = looking
    assert viewer_of(house, client).fingerprint != house.viewer(SELLER).fingerprint


@pytest.mark.attack("G-14")
def test_it_stands_in_the_log_under_both_names(looking):
    house, client = looking
    event = newest(house, "person.view")
    assert (event.person, event.resource) == (email_of(ADMIN), email_of(SELLER))
    viewer = viewer_of(house, client)
    leads.block(viewer, house.sources, LeadQuery(list="kuendigung", of="Winter/2024"), 0, 10)
    opened = newest(house, "leads.open")
    assert (opened.person, opened.detail["as"]) == (email_of(ADMIN), email_of(SELLER))
    assert leave(client).headers["Location"] == "/admin/people"
    assert newest(house, "person.view_end").detail["as"] == email_of(SELLER)
    assert newest(house, "person.view_end").resource == email_of(SELLER)
    assert viewer_of(house, client).seen_as == ""


@pytest.mark.attack("G-14")
def test_there_is_no_view_from_within_a_view(looking):
    house, client = looking
    assert look(house, client, BOSS).status_code == 404
    assert viewer_of(house, client).seen_as == email_of(SELLER)


def test_the_own_account_is_not_touched_from_another_s_view(looking):
    house, client = looking
    assert f"You look as {SELLER} now." in house.words(client, "/account")
    viewer = viewer_of(house, client)
    for act in (
        lambda: own_account.own_account(viewer, house.sources),
        lambda: own_account.end_other_sessions(viewer, house.sources),
        lambda: own_account.change_password(viewer, house.sources, current="a", new="b", again="b"),
    ):
        with pytest.raises(access.Forbidden, match="You look as"):
            act()


def test_who_may_not_look_as_others_is_told_that_nothing_is_there(own_bakery):
    client = own_bakery.sign_in(SELLER)
    assert look(own_bakery, client, BOSS).status_code == 404
    assert newest(own_bakery, "file.take").allowed is False
    assert viewer_of(own_bakery, client).seen_as == ""


def test_without_the_form_token_nothing_happens(own_bakery):
    client = own_bakery.sign_in(ADMIN)
    look(own_bakery, client, SELLER, token=False)
    assert viewer_of(own_bakery, client).seen_as == ""


@pytest.mark.parametrize(
    ("who", "sentence"), [(ADMIN, "You see your own view already."), (OTHER, f"{OTHER} is disabled.")]
)
def test_oneself_and_the_disabled_are_refused_in_a_sentence(own_bakery, who, sentence):
    people.set_active(own_bakery.viewer(ADMIN), own_bakery.sources, person_id(own_bakery, OTHER), False)
    client = own_bakery.sign_in(ADMIN)
    answer = look(own_bakery, client, who)
    assert answer.status_code == 400 and answer.get_json()["error"] == sentence


def test_who_cannot_look_as_somebody_is_told_what_to_do(own_bakery):
    admin = own_bakery.viewer(ADMIN)
    with pytest.raises(InvalidQuery) as refused:
        view_as.start(admin, own_bakery.sources, admin.person_id)
    assert refused.value.next_step == "Choose somebody else."


@pytest.mark.parametrize("number", ["0", "999999", "99999999999999999999"])
def test_nobody_is_refused_in_a_sentence(own_bakery, number):
    client = own_bakery.sign_in(ADMIN)
    answer = client.post(f"/view-as/{number}", data={"csrf_token": client.token})
    assert answer.status_code == 400 and "There is no such person." in answer.get_data(as_text=True)


@pytest.mark.attack("G-14")
def test_the_view_ends_when_the_person_is_disabled_or_the_right_is_gone(looking):
    house, client = looking
    people.set_active(house.viewer(ADMIN), house.sources, person_id(house, SELLER), False)
    assert viewer_of(house, client).seen_as == ""
    people.set_active(house.viewer(ADMIN), house.sources, person_id(house, SELLER), True)
    assert viewer_of(house, client).seen_as == email_of(SELLER)
    with house.sources.store.begin() as session:
        session.get(Person, person_id(house, ADMIN)).role = BOSS
    assert viewer_of(house, client).seen_as == "" and viewer_of(house, client).role == BOSS


def test_another_sign_in_sees_its_own(looking):
    house, _ = looking
    assert viewer_of(house, house.sign_in(ADMIN)).seen_as == ""
