"""The ways in beside the form: a link that works once, the code of a second factor, and confirming that it is you."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest

from services import links, live_sessions, people, second_factor
from services.operator import operator
from tests.house import PASSWORD, Browser, House, email_of, texts
from tests.logic.test_second_factor import code
from tests.screens.test_sign_in import enter, session_id, token_of

ADMIN, SELLER, NEW = "hauswart", "aussendienst", "vier Enten am Ufer"
LIST = "list=kuendigung&of=Winter/2024"
FACTOR = "account-factor.children"
PANEL = "..people-head.children...people-list.children...people-panel.children.."


def link_for(house: House, who: str = SELLER) -> str:
    """The path of a reset link from the operator's terminal."""
    number = next(p.id for p in people.list_people(operator(), house.sources) if p.email == email_of(who))
    return urlsplit(people.new_link(operator(), house.sources, number)[0]).path


def choose(client: Browser, new: str = NEW, again: str | None = None, token: str | None = None) -> Any:
    said = {"new": new, "again": new if again is None else again, "csrf_token": token or token_of(client, "/welcome")}
    return client.post("/welcome", data=said)


def viewer_in(house: House, client: Browser) -> Any:
    return live_sessions.viewer_for_session(house.sources, session_id(client))


def enrolled(house: House, who: str = SELLER) -> tuple[str, tuple[str, ...]]:
    viewer = viewer_in(house, house.sign_in(who))
    secret = second_factor.begin(viewer, house.sources).groups.replace(" ", "")
    recovery = second_factor.confirm(viewer, house.sources, code(house, secret))
    house.sources.clock.move(timedelta(seconds=30))
    return secret, recovery


# ── links ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_link_leads_to_a_form_without_it_in_the_address(own_bakery):
    client, path = own_bakery.client(), link_for(own_bakery)
    there = client.get(path)
    assert (there.status_code, there.headers["Location"]) == (303, "/welcome")
    assert there.headers["Referrer-Policy"] == "no-referrer" and "no-store" in there.headers["Cache-Control"]
    page = client.get("/welcome").get_data(as_text=True)
    assert "Choose another password" in page and email_of(SELLER) in page
    assert path.rpartition("/")[2] not in page
    done = choose(client).get_data(as_text=True)
    assert "Your password is chosen" in done and NEW not in done
    assert enter(client, SELLER, NEW).status_code == 302


@pytest.mark.attack("A-14")
def test_all_links_that_do_not_work_get_the_same_answer(own_bakery):
    used = link_for(own_bakery)
    client = own_bakery.client()
    client.get(used)
    choose(client)
    expired = link_for(own_bakery)
    own_bakery.sources.clock.move(timedelta(minutes=16))
    answers = set()
    for path in ("/welcome/" + "x" * 43, "/welcome/x", "/welcome/%00", used, expired, "/welcome/" + "y" * 4_000):
        client = own_bakery.client()
        assert client.get(path).headers["Location"] == "/welcome", path
        answer = client.get("/welcome")
        answers.add((answer.status_code, answer.get_data(as_text=True)))
    assert len(answers) == 1
    assert "This link does not work, or not any more." in answers.pop()[1]
    assert own_bakery.client().get("/welcome").status_code == 404


def test_a_form_that_was_open_when_the_link_ended_is_refused(own_bakery):
    client = own_bakery.client()
    client.get(link_for(own_bakery))
    token = token_of(client, "/welcome")
    own_bakery.sources.clock.move(timedelta(minutes=16))
    assert choose(client, token=token).status_code == 404
    assert enter(own_bakery.client(), SELLER).status_code == 302, "the old password holds"


@pytest.mark.parametrize(
    ("new", "again", "said"),
    [
        ("short", "short", "12 to 1024 characters"),
        ("", "", "12 to 1024 characters"),
        ("password1234", "password1234", "easily guessed"),
        ("aussendienst im Tal", "aussendienst im Tal", "must not contain your name"),
        (NEW, "another", "The two new passwords differ."),
        ("x" * 100_000, "x" * 100_000, "12 to 1024 characters"),
        ("a\x00b" * 5, "a\x00b" * 5, "at least six different characters"),
    ],
)
def test_a_password_that_cannot_be_is_a_sentence_and_the_form_stays(own_bakery, new, again, said):
    client = own_bakery.client()
    client.get(link_for(own_bakery))
    answer = choose(client, new, again)
    page = unescape(answer.get_data(as_text=True))
    assert answer.status_code == 400 and said in page and (not new or f'value="{new}"' not in page)
    assert "Your password is chosen" in choose(client).get_data(as_text=True)


def test_choosing_needs_the_form_token_and_this_site(own_bakery):
    client = own_bakery.client()
    client.get(link_for(own_bakery))
    token = token_of(client, "/welcome")
    assert client.post("/welcome", data={"new": NEW, "again": NEW}).status_code == 303
    said = {"new": NEW, "again": NEW, "csrf_token": token}
    assert client.post("/welcome", data=said, headers={"Origin": "https://evil.example"}).status_code == 403
    assert enter(own_bakery.client(), SELLER).status_code == 302


def test_choosing_a_password_signs_every_browser_out(own_bakery):
    before, client = own_bakery.sign_in(SELLER), own_bakery.client()
    client.get(link_for(own_bakery))
    choose(client)
    assert before.document("/account").status_code == 302


# ── the code ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("A-17")
def test_the_code_comes_after_the_password_and_leads_where_one_wanted_to_go(own_bakery):
    secret, _ = enrolled(own_bakery)
    client = own_bakery.client()
    answer = enter(client, SELLER, path="/sign-in?next=/leads?list=kuendigung")
    assert (answer.status_code, answer.headers["Location"]) == (
        303, "/sign-in/code?next=%2Fleads%3Flist%3Dkuendigung",
    )  # fmt: skip
    assert session_id(client) == "" and client.document("/leads").status_code == 302
    page = client.get(answer.headers["Location"]).get_data(as_text=True)
    assert 'autocomplete="one-time-code"' in page
    wrong = _code(client, "000000", answer.headers["Location"])
    assert wrong.status_code == 401 and "The code is wrong, or there were too many attempts." in wrong.text
    done = _code(client, code(own_bakery, secret), answer.headers["Location"])
    assert (done.status_code, done.headers["Location"]) == (302, "/leads?list=kuendigung")
    assert viewer_in(own_bakery, client).email == email_of(SELLER)
    with client.session_transaction() as session:
        assert "second_factor" not in session


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/leads", "/\\evil.example"])
def test_the_code_sends_nobody_elsewhere(own_bakery, target):
    secret, _ = enrolled(own_bakery)
    client = own_bakery.client()
    said = {"email": email_of(SELLER), "password": PASSWORD, "csrf_token": token_of(client)}
    onward = client.post("/sign-in", query_string={"next": target}, data=said).headers["Location"]
    assert _code(client, code(own_bakery, secret), onward).headers["Location"] == "/"


def test_without_a_right_password_there_is_no_code_to_type(own_bakery):
    client = own_bakery.client()
    assert client.get("/sign-in/code").headers["Location"] == "/sign-in"
    token = token_of(client)
    answer = client.post("/sign-in/code", data={"code": "123456", "csrf_token": token})
    assert answer.headers["Location"] == "/sign-in?again=1"
    assert client.post("/sign-in/code", data={"code": "123456"}).headers["Location"] == "/sign-in?again=1"


def test_a_session_is_under_a_new_id_after_the_code(own_bakery):
    secret, _ = enrolled(own_bakery)
    client = own_bakery.sign_in("leitung")
    before = session_id(client)
    said = {"email": email_of(SELLER), "password": PASSWORD, "csrf_token": client.token}
    onward = client.post("/sign-in", data=said).headers["Location"]
    assert session_id(client) == before, "half a sign-in ends nothing"
    _code(client, code(own_bakery, secret), onward, client.token)
    assert session_id(client) not in ("", before)
    assert live_sessions.viewer_for_session(own_bakery.sources, before) is None


def _code(client: Browser, said: str, path: str = "/sign-in/code", token: str = "") -> Any:
    return client.post(path, data={"code": said, "csrf_token": token or token_of(client, path)})


# ── the account page ──────────────────────────────────────────────────────────────────────────────


def press(house: House, client: Browser, act: str, **fields: str) -> str:
    """Press a button of the second factor's part; gives the answer."""
    answer = house.fire(
        client, FACTOR,
        [[{"id": {"type": "factor-do", "act": act}, "property": "n_clicks", "value": 1}]],
        [[{"id": {"type": "factor-field", "name": n}, "property": "value", "value": v} for n, v in fields.items()]],
        changed=[f'{{"act":"{act}","type":"factor-do"}}.n_clicks'],
    )  # fmt: skip
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return " ".join(texts(answer.get_json()))


def test_a_second_factor_is_set_up_on_the_account_page(own_bakery):
    client = own_bakery.sign_in(SELLER)
    assert "Set up an app" in own_bakery.words(client, "/account")
    begun = press(own_bakery, client, "begin")
    secret = re.search(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", begun)[0].replace(" ", "")
    assert "data:image/svg+xml;base64," in begun
    wrong = press(own_bakery, client, "confirm", code="000000")
    assert "This is not the code that the app shows now." in wrong and secret[:4] in wrong
    done = press(own_bakery, client, "confirm", code=code(own_bakery, secret))
    assert len(re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){5}", done)) == 10
    said = own_bakery.words(client, "/account")
    assert "10 recovery codes left" in said and not re.search(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){5}", said)
    own_bakery.sources.clock.move(timedelta(seconds=30))
    now = code(own_bakery, secret)
    assert "This is not your password." in press(own_bakery, client, "remove", password="a guess", code=now)
    assert "This code is not right" in press(own_bakery, client, "remove", password=PASSWORD)
    assert "Your second factor is gone." in press(own_bakery, client, "remove", password=PASSWORD, code=now)


def test_an_old_session_confirms_before_it_sets_one_up(own_bakery):
    client = own_bakery.sign_in(SELLER)
    own_bakery.sources.clock.move(timedelta(minutes=16))
    said = press(own_bakery, client, "begin")
    assert "/account/confirm?next=%2Faccount" in said and "data:image" not in said


def test_where_the_role_asks_for_one_the_account_page_is_all_there_is(own_bakery):
    access = own_bakery.sources.workspace.access
    asks = access.roles[ADMIN].model_copy(update={"second_factor": True})
    changed = access.model_copy(update={"roles": {**access.roles, ADMIN: asks}})
    workspace = own_bakery.sources.workspace.model_copy(update={"access": changed})
    house = House(replace(own_bakery.sources, workspace=workspace), own_bakery.people)
    client = house.client()
    assert enter(client, ADMIN, path="/sign-in?next=/admin/people").headers["Location"] == "/account"
    client.document("/account")
    said = house.words(client, "/account")
    assert "Set up a second factor first." in said and "Where you are signed in" not in said
    assert "There is no such page for you." in house.words(client, "/admin/people")
    begun = press(house, client, "begin")
    secret = re.search(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", begun)[0].replace(" ", "")
    assert "Go to your first page" in press(house, client, "confirm", code=code(house, secret))
    assert "Add a person" in house.words(client, "/admin/people")


def test_an_administrator_takes_a_lost_second_factor_away(own_bakery):
    enrolled(own_bakery)
    client = own_bakery.sign_in(ADMIN)
    number = next(p.id for p in people.list_people(operator(), own_bakery.sources) if p.email == email_of(SELLER))
    assert "Take away the second factor" in own_bakery.words(client, f"/admin/people?person={number}")

    def take() -> str:
        answer = own_bakery.fire(
            client, PANEL, [[{"id": {"type": "people-do", "act": "factor"}, "property": "n_clicks", "value": 1}]],
            [[], [], str(number), []], changed=['{"act":"factor","type":"people-do"}.n_clicks'],
        )  # fmt: skip
        return " ".join(texts(answer.get_json()))

    own_bakery.sources.clock.move(timedelta(minutes=16))
    assert f"/account/confirm?next=%2Fadmin%2Fpeople%3Fperson%3D{number}" in take()
    assert confirm(client, f"/admin/people?person={number}").status_code == 303
    assert "Their second factor is gone" in take()
    assert enter(own_bakery.client(), SELLER).status_code == 302


# ── confirming ────────────────────────────────────────────────────────────────────────────────────


def confirm(client: Browser, target: str, password: str = PASSWORD, **more: str) -> Any:
    said = {"password": password, "csrf_token": client.token, **more}
    return client.post("/account/confirm", query_string={"next": target}, data=said)


@pytest.fixture
def strict(own_bakery: House) -> House:
    """A bakery where every file needs a fresh proof."""
    access = own_bakery.sources.workspace.access
    limit = access.step_up.model_copy(update={"rows": 0})
    workspace = own_bakery.sources.workspace.model_copy(update={"access": access.model_copy(update={"step_up": limit})})
    return House(replace(own_bakery.sources, workspace=workspace), own_bakery.people)


@pytest.mark.attack("A-20")
def test_a_large_file_asks_who_you_are_and_comes_then(strict):
    client = strict.sign_in(SELLER)
    assert client.get(f"/leads.csv?{LIST}").status_code == 200
    strict.sources.clock.move(timedelta(minutes=16))
    refused = client.document(f"/leads.csv?{LIST}")
    way = re.search(r'href="(/account/confirm\?next=[^"]+)"', refused.get_data(as_text=True))
    assert refused.status_code == 403 and way
    plain = client.get(f"/leads.csv?{LIST}", headers={"Accept": "text/csv"})
    assert plain.status_code == 403 and plain.mimetype == "text/plain" and "Confirm that it is you." in plain.text
    form = client.document(unescape(way[1])).get_data(as_text=True)
    action = unescape(re.search(r'action="([^"]+)"', form)[1])
    assert client.post(action, data={"password": "a guess", "csrf_token": client.token}).status_code == 401
    done = client.post(action, data={"password": PASSWORD, "csrf_token": client.token}).get_data(as_text=True)
    onward = unescape(re.search(r'http-equiv="refresh" content="1;url=([^"]+)"', done)[1])
    file = client.get(onward)
    assert file.status_code == 200 and file.mimetype == "text/csv" and len(file.text.splitlines()) > 1
    assert f'href="/leads?{LIST}"' in unescape(done).replace("%2F", "/")


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "//evil.example/leads.csv", "javascript:alert(1)",
     "/no-such-page", "/_dash-layout", "/sign-out", "https://evil.example/leads.csv?a=b", ""],
)  # fmt: skip
def test_confirming_sends_nobody_elsewhere(own_bakery, target):
    client = own_bakery.sign_in(SELLER)
    page = client.get("/account/confirm", query_string={"next": target}).get_data(as_text=True)
    assert "evil" not in page and "javascript:" not in page
    assert confirm(client, target).headers["Location"] == "/"


def test_confirming_needs_a_session_the_form_token_and_this_site(own_bakery):
    assert own_bakery.client().document("/account/confirm").headers["Location"].startswith("/sign-in?")
    client = own_bakery.sign_in(SELLER)
    assert client.post("/account/confirm", data={"password": PASSWORD}).status_code == 303
    said = {"password": PASSWORD, "csrf_token": client.token}
    assert client.post("/account/confirm", data=said, headers={"Origin": "https://evil.example"}).status_code == 403


def test_a_demo_session_confirms_by_a_click_and_is_told_why(own_bakery):
    from services import demo_people

    sources = replace(own_bakery.sources, settings=replace(own_bakery.sources.settings, demo=True))
    demo_people.create_demo_people(sources)
    house = House(sources)
    client = house.client()
    client.post("/sign-in/demo", data={"email": "hauswart@example.com", "csrf_token": token_of(client)})
    client.document("/account")
    sources.clock.move(timedelta(minutes=16))
    page = client.document("/account/confirm?next=/admin/people").get_data(as_text=True)
    assert 'type="password"' not in page and "demo account that opened by one click" in page
    assert confirm(client, "/admin/people", "").headers["Location"] == "/admin/people"
    assert "has no second factor" in house.words(client, "/account")


@pytest.mark.attack("A-15")
def test_the_welcome_of_somebody_new_is_an_activation(own_bakery):
    link = people.add_person(
        operator(), own_bakery.sources, email="neu@people.example", name="Neu", role=ADMIN, attributes={}
    )
    assert links.LASTS["activation"] == timedelta(hours=72)
    client = own_bakery.client()
    client.get(urlsplit(link).path)
    assert "Welcome. Choose your password" in client.get("/welcome").get_data(as_text=True)
    choose(client)
    said = {"email": "neu@people.example", "password": NEW, "csrf_token": token_of(client)}
    assert client.post("/sign-in", data=said).headers["Location"] == "/"
