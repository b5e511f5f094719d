"""Sessions under attack: copied cookies, the clock, changed rights, and what a made-up session is worth."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

import app
from data.tables import Person
from services import live_sessions, people
from services.access import viewer_of
from tests.house import House, email_of, texts

AUDIT = "..audit-events.children...audit-href.data.."
ADMIN, SELLER = "hauswart", "aussendienst"


@pytest.fixture
def own(own_bakery: House) -> House:
    """A bakery of one's own, after its first request, a quarter of an hour after everything that stands in its log."""
    own_bakery.client().get("/healthz")
    own_bakery.sources.clock.move(timedelta(minutes=15))
    return own_bakery


def person_id(house: House, who: str) -> int:
    """The id of a test person in the database."""
    return next(p.id for p in people.list_people(house.viewer(ADMIN), house.sources) if p.email == email_of(who))


@pytest.mark.attack("A-10")
def test_a_session_idles_out_and_a_poll_does_not_keep_it(own):
    client, clock = own.sign_in(ADMIN), own.sources.clock
    for _ in range(4):
        clock.move(timedelta(minutes=20))
        assert client.document("/account").status_code == 200, "an act keeps the session"
    for _ in range(2):
        clock.move(timedelta(minutes=14))
        assert (
            own.fire(client, "jobs-finished.children...jobs-tick.disabled...jobs-shown.data..", [1]).status_code == 200
        )
    clock.move(timedelta(minutes=3))
    assert client.document("/account").status_code == 302


@pytest.mark.attack("A-10")
def test_a_session_ends_after_its_longest_time_however_busy(own):
    client, clock = own.sign_in(ADMIN), own.sources.clock
    for _ in range(23):
        clock.move(timedelta(minutes=20))
        assert client.document("/account").status_code == 200
    clock.move(timedelta(minutes=20))
    assert client.document("/account").status_code == 302


def test_a_copied_cookie_is_worth_nothing_after_signing_out(own):
    client = own.sign_in(ADMIN)
    stolen = client.get_cookie("lakelight").value
    copy = own.client()
    copy.set_cookie("lakelight", stolen)
    assert copy.document("/account").status_code == 200
    gone = client.post("/sign-out", data={"csrf_token": client.token})
    assert gone.status_code == 302 and gone.headers["Clear-Site-Data"]
    copy.set_cookie("lakelight", stolen)
    assert copy.document("/account").status_code == 302


def test_signing_out_needs_the_form_token(own):
    client = own.sign_in(ADMIN)
    assert client.post("/sign-out").status_code == 303
    assert client.document("/account").status_code == 200


def test_a_disabled_person_is_out_at_the_next_request(own):
    client = own.sign_in(SELLER)
    people.set_active(own.viewer(ADMIN), own.sources, person_id(own, SELLER), False)
    assert client.document("/account").status_code == 302
    assert own.open(client, "/account").status_code == 401


@pytest.mark.attack("G-08")
def test_another_role_binds_at_the_next_request(own):
    client, admin = own.sign_in(SELLER), own.viewer(ADMIN)
    assert own.fire(client, AUDIT).status_code == 404
    number = person_id(own, SELLER)
    people.change_person(admin, own.sources, number, name="x", role="hauswart", attributes={})
    assert own.fire(client, AUDIT, [None, None, None, ""]).status_code == 200
    people.change_person(admin, own.sources, number, name="x", role="leitung", attributes={})
    assert own.fire(client, AUDIT).status_code == 404


@pytest.mark.attack("R-02", "R-11")
def test_other_rows_bind_at_the_next_request(own):
    client = own.sign_in(SELLER)
    assert "Nord/See" in own.words(client, "/account")
    number = person_id(own, SELLER)
    people.change_person(
        own.viewer(ADMIN), own.sources, number, name="x", role="aussendienst", attributes={"tour": ["Süd & Tal"]}
    )
    said = own.words(client, "/account")
    assert "Süd & Tal" in said and "Nord/See" not in said


def test_a_made_up_session_id_is_nobody(own):
    client = own.client()
    with client.session_transaction() as session:
        session["_user_id"] = "x" * 43
    assert client.document("/account").status_code == 302


def test_the_viewer_is_made_of_the_session_alone(own):
    """Whatever a browser claims in a state or a store, the service sees the person of the session."""
    client = own.sign_in("aussendienst:süd")
    viewer = live_sessions.viewer_for_session(own.sources, _session_of(client))
    made = viewer_of(
        own.sources.workspace, person_id=viewer.person_id, name=viewer.name, email=email_of("aussendienst:süd"),
        role="aussendienst", attributes={"tour": ("Süd & Tal",)},
    )  # fmt: skip
    assert viewer == made


def _session_of(client: Any) -> str:
    with client.session_transaction() as session:
        return str(session["_user_id"])


def test_who_has_lost_the_role_still_has_an_account_page(own):
    client = own.sign_in(SELLER)
    with own.sources.store.begin() as session:
        session.get(Person, person_id(own, SELLER)).role = "gone"
    said = texts(own.layout(client, "/account"))
    assert any("Nothing: ask for a role." in text for text in said)


def test_first_requests_side_by_side_open_the_sources_once(own, monkeypatch):
    opened = []

    def slowly(settings):
        opened.append(settings)
        time.sleep(0.2)
        return own.sources

    monkeypatch.setattr(app.policy_versions, "start", slowly)
    server = app.create_app(own.sources.settings).server
    with ThreadPoolExecutor(8) as people_:
        list(people_.map(lambda _: server.test_client().get("/readyz"), range(8)))
    assert len(opened) == 1
