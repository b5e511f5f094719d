"""Proving once more who one is: when it is asked for, what proves it, and what it opens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from data import people as people_table
from data import sessions
from services import exports, identity_links, live_sessions, people, step_up
from services import sign_in as way_in
from services.errors import Forbidden, InvalidField
from services.lead_query import LeadQuery
from services.operator import operator
from services.step_up import ProofNeeded
from tests.house import PASSWORD, House, email_of
from tests.logic.test_accounts import ADMIN, SELLER, events, house, id_of, in_session
from tests.logic.test_second_factor import code, enrolled, in_code_session

__all__ = ["house"]
LIST = LeadQuery(list="kuendigung", of="Winter/2024")


def late(house: House, who: str = SELLER) -> Any:
    """Somebody who signed in sixteen minutes ago."""
    viewer = in_session(house, who)
    house.sources.clock.move(timedelta(minutes=16))
    return viewer


def sources_where(house: House, rows: int) -> Any:
    """The same house where more than so many rows need a fresh proof."""
    access = house.sources.workspace.access
    limit = access.step_up.model_copy(update={"rows": rows})
    changed = access.model_copy(update={"step_up": limit})
    return replace(house.sources, workspace=house.sources.workspace.model_copy(update={"access": changed}))


def by(house: House, method: Any) -> Any:
    with house.sources.store.read() as session:
        person = people_table.by_email(session, email_of(SELLER))
    session_id = way_in.open_session(house.sources, person, method=method, address="x")
    return live_sessions.viewer_for_session(house.sources, session_id)


def test_signing_in_is_a_proof_for_a_quarter_of_an_hour(house):
    viewer = in_session(house)
    step_up.require_fresh(viewer, house.sources)
    house.sources.clock.move(timedelta(minutes=15))
    step_up.require_fresh(viewer, house.sources)
    house.sources.clock.move(timedelta(seconds=1))
    with pytest.raises(ProofNeeded, match="from the last 15 minutes"):
        step_up.require_fresh(viewer, house.sources)


def test_doing_things_is_no_proof(house):
    viewer = in_session(house)
    for _ in range(4):
        house.sources.clock.move(timedelta(minutes=5))
        live_sessions.seen(house.sources, live_sessions.live_session(house.sources, viewer.session_id))
    with pytest.raises(ProofNeeded):
        step_up.require_fresh(viewer, house.sources)


def test_who_has_no_session_has_proven_nothing_but_for_the_terminal(house):
    with pytest.raises(ProofNeeded):
        step_up.require_fresh(house.viewer(SELLER), house.sources)
    with pytest.raises(ProofNeeded):
        step_up.require_fresh(replace(house.viewer(SELLER), email="operator"), house.sources)
    step_up.require_fresh(operator(), house.sources)


def test_the_password_proves_it_and_the_log_says_so(house):
    viewer = late(house)
    with pytest.raises(InvalidField, match="not your password"):
        step_up.confirm(viewer, house.sources, password="a guess")
    step_up.confirm(viewer, house.sources, password=PASSWORD)
    step_up.require_fresh(viewer, house.sources)
    found = [(e.allowed, e.detail) for e in events(house, "session.prove")]
    assert found == [(True, {"method": "password"}), (False, {})]


def test_a_proof_is_of_one_session(house):
    other, viewer = in_session(house), late(house, "hauswart")
    step_up.confirm(viewer, house.sources, password=PASSWORD)
    with pytest.raises(ProofNeeded):
        step_up.require_fresh(other, house.sources)


def test_the_password_cannot_be_guessed_at_an_open_screen(house):
    viewer = late(house)
    for _ in range(6):
        with pytest.raises(InvalidField):
            step_up.confirm(viewer, house.sources, password="a guess")
    with pytest.raises(InvalidField, match="too many attempts"):
        step_up.confirm(viewer, house.sources, password=PASSWORD)


def test_who_has_a_second_factor_proves_both(house):
    secret, recovery = enrolled(house)
    viewer = in_code_session(house, recovery[0])
    house.sources.clock.move(timedelta(minutes=16))
    assert step_up.proof(viewer, house.sources).way == "password+code"
    with pytest.raises(InvalidField) as no_code:
        step_up.confirm(viewer, house.sources, password=PASSWORD)
    assert no_code.value.field == "code"
    used = code(house, secret)
    step_up.confirm(viewer, house.sources, password=PASSWORD, code=used)
    step_up.require_fresh(viewer, house.sources)
    with pytest.raises(InvalidField, match="used already"):
        step_up.confirm(viewer, house.sources, password=PASSWORD, code=used)


def test_a_demo_session_says_so_and_a_company_account_proves_it_there(house):
    demo, company = by(house, "demo"), by(house, "oidc")
    house.sources.clock.move(timedelta(minutes=16))
    step_up.confirm(demo, house.sources)
    step_up.require_fresh(demo, house.sources)
    with pytest.raises(InvalidField, match="company's sign-in"):
        step_up.confirm(company, house.sources, password=PASSWORD)
    with house.sources.store.begin() as session:
        sessions.prove(session, live_sessions.hash_of(company.session_id), house.sources.clock())
    step_up.require_fresh(company, house.sources)


def test_nobody_confirms_through_somebody_elses_eyes(house):
    viewer = replace(late(house), seen_as="x@people.example", seen_as_name="X")
    with pytest.raises(Forbidden):
        step_up.confirm(viewer, house.sources, password=PASSWORD)


@pytest.mark.attack("A-20")
def test_a_large_file_needs_a_fresh_proof_and_a_small_one_does_not(house):
    viewer = late(house)
    rows = len("".join(exports.lead_csv(viewer, house.sources, LIST).chunks).splitlines()) - 1
    assert rows > 1
    exactly, above = sources_where(house, rows), sources_where(house, rows - 1)
    assert exports.lead_csv(viewer, exactly, LIST).chunks
    before = len(events(house, "leads.export"))
    with pytest.raises(ProofNeeded):
        exports.lead_csv(viewer, above, LIST)
    assert len(events(house, "leads.export")) == before, "nothing was taken and nothing counted"
    step_up.confirm(viewer, above, password=PASSWORD)
    assert "".join(exports.lead_csv(viewer, above, LIST).chunks)


@pytest.mark.attack("A-20")
def test_a_screen_that_was_left_open_lets_nobody_new_in(house):
    """Else it would make an administrator of anybody, and of them every proof that it lacks itself."""
    admin = late(house, ADMIN)
    with pytest.raises(ProofNeeded):
        people.add_person(admin, house.sources, email="evil@x.example", name="E", role=ADMIN, attributes={})
    with pytest.raises(ProofNeeded):
        identity_links.link(admin, house.sources, id_of(house, SELLER), "x" * 12)
    assert events(house, "person.add")[0].person != admin.email
