"""Signing in through a real identity provider: off to it, through its pages, back, and what it says holds."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from sqlalchemy import text

from data import audit_log, identities, people, sessions
from services import accounts, identity_links, own_account, passwords
from services import people as people_service
from services import sign_in as sign_in_service
from services.errors import Forbidden, InvalidField, InvalidQuery
from services.oidc_provider import IdentityProvider
from services.operator import operator
from services.sign_in import SignInRefused
from tests import identity_provider
from tests.house import PASSWORD as HOUSE_PASSWORD
from tests.house import Clock, House, email_of
from tests.identity_provider import CLIENT, PASSWORD, SECRET, RunningProvider
from tests.logic.test_accounts import in_session

LOCAL_PASSWORD = "a password of their own here"
GROUPS = {"leitung": ("chefs",), "aussendienst": ("fahrer",)}


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningProvider]:
    """Canaille in a process of its own, for all tests of this module."""
    running = identity_provider.start(free_port(), "http://127.0.0.1:8050/sign-in/oidc/back")
    yield running
    running.end()


@pytest.fixture(autouse=True)
def as_they_were(provider: RunningProvider) -> None:
    for user, (_, groups) in identity_provider.PEOPLE.items():
        provider.groups(user, groups)


def house_with(house: House, issuer: str, groups: dict[str, tuple[str, ...]] = GROUPS, **others: Any) -> House:
    """The bakery with an identity provider, its roles mapped from groups, and a clock that tells the real time."""
    settings = replace(
        house.sources.settings, oidc_issuer=issuer, oidc_client_id=CLIENT, oidc_client_secret=SECRET, **others
    )
    access = house.sources.workspace.access
    roles = {n: r.model_copy(update={"groups": groups.get(n, ())}) for n, r in access.roles.items()}
    attributes = {n: a.model_copy(update={"claim": n}) for n, a in access.attributes.items()}
    workspace = house.sources.workspace.model_copy(
        update={"access": access.model_copy(update={"roles": roles, "attributes": attributes})}
    )
    clock = Clock(datetime.now(UTC))
    sources = replace(
        house.sources, settings=settings, workspace=workspace, clock=clock, provider=IdentityProvider(settings)
    )
    return House(sources, house.people)


@pytest.fixture
def house(own_bakery: House, provider: RunningProvider) -> House:
    return house_with(own_bakery, provider.issuer)


class Person:
    """Somebody at the provider's pages, in a browser of their own there."""

    def __init__(self, user: str) -> None:
        self.user, self.browser = user, requests.Session()

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.close()

    def sign_in(self, address: str) -> str:
        """Fill in what the provider asks, until it sends the browser back: the address it sends to."""
        answer = self.browser.get(address, allow_redirects=False, timeout=10)
        for _ in range(12):
            if answer.is_redirect:
                to = requests.compat.urljoin(answer.url, answer.headers["Location"])
                if urlsplit(to).path == "/sign-in/oidc/back":
                    return to
                answer = self.browser.get(to, allow_redirects=False, timeout=10)
                continue
            fields = dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', answer.text))
            fields |= {
                n: v for v, n in re.findall(r'value="([^"]*)"[^>]*name="([^"]+)"', answer.text) if n not in fields
            }
            if 'name="login"' in answer.text:
                fields["login"] = self.user
            if 'name="password"' in answer.text:
                fields["password"] = PASSWORD
            assert answer.status_code == 200 and fields, f"{answer.url} {answer.status_code} {answer.text[:300]}"
            answer = self.browser.post(answer.url, data=fields, allow_redirects=False, timeout=10)
        raise AssertionError(f"the provider never sent the browser back, it stands at {answer.url}")


def begin(client: Any, address: str = "/sign-in/oidc") -> str:
    answer = client.get(address)
    assert answer.status_code == 302, (answer.status_code, answer.get_data(as_text=True)[:400])
    return str(answer.headers["Location"])


def come_back(client: Any, address: str) -> Any:
    parts = urlsplit(address)
    return client.get(f"{parts.path}?{parts.query}", headers={"Accept": "text/html"})


def sign_in(house: House, user: str) -> tuple[Any, Any]:
    client = house.client()
    return client, come_back(client, at_provider(user, begin(client)))


def at_provider(user: str, address: str) -> str:
    """Somebody signs in at the provider; gives the address that it sends the browser back to."""
    with Person(user) as person:
        return person.sign_in(address)


def person_at(house: House, issuer: str, subject: str) -> Any:
    with house.sources.store.read() as session:
        known = identities.find(session, issuer, subject)
        return people.by_id(session, known.person_id) if known else None


def events(house: House, act: str) -> list[Any]:
    with house.sources.store.read() as session:
        return audit_log.found(session, act=act)[0]


def test_somebody_comes_in_through_the_provider_for_the_first_time(house, provider):
    client, answer = sign_in(house, "clara")
    assert answer.status_code == 302 and answer.headers["Location"] == "/", [e.reason for e in events(house, "sign_in")]
    assert client.document("/kpis").status_code == 200
    person = person_at(house, provider.issuer, "clara")
    assert (person.name, person.role, person.password_hash) == ("Clara Chef", "leitung", "")
    assert person.email == "clara@bakery.example"
    assert [e.detail["role"] for e in events(house, "person.arrive")] == ["leitung"]
    assert events(house, "sign_in")[0].detail["method"] == "oidc"


def said(answer: Any) -> str:
    """The sentence that the sign-in page shows."""
    found = re.search(r'role="alert"[^>]*>([^<]*)<', answer.get_data(as_text=True))
    return found[1] if found else ""


def test_the_way_through_keeps_the_page_that_was_asked_for(house):
    client = house.client()
    asked = client.document("/models").headers["Location"]
    link = re.search(r'class="ll-signin-provider" href="([^"]+)"', client.get(asked).get_data(as_text=True))
    assert link and link[1] == "/sign-in/oidc?next=/models"
    assert come_back(client, at_provider("clara", begin(client, link[1]))).headers["Location"] == "/models"
    for evil in ("//evil.example", "https://evil.example", "/\\evil.example", "/no-such-page"):
        other = house.client()
        answer = come_back(other, at_provider("clara", begin(other, f"/sign-in/oidc?next={evil}")))
        assert answer.headers["Location"] == "/", evil


def test_what_the_browser_holds_meanwhile_is_an_opaque_secret_that_scripts_cannot_read(house):
    client = house.client()
    answer = client.get("/sign-in/oidc")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("lakelight-oidc="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} <= {p.strip() for p in cookie.split(";")}
    secret = cookie.split(";")[0].partition("=")[2]
    assert len(secret) == 43 and secret not in answer.headers["Location"]
    asked = dict(p.split("=") for p in urlsplit(answer.headers["Location"]).query.split("&"))
    assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43
    assert len(asked["state"]) == 43 and len(asked["nonce"]) == 43 and asked["response_type"] == "code"
    with house.sources.store.read() as session:
        kept = str([tuple(r) for r in session.execute(text("select * from tickets"))])
    assert secret not in kept, "the database keeps only its hash"


def test_role_and_attributes_follow_the_provider_at_each_sign_in(house, provider):
    sign_in(house, "fritz")
    before = person_at(house, provider.issuer, "fritz")
    assert before.role == "aussendienst"
    provider.groups("fritz", ["chefs"])
    _, answer = sign_in(house, "fritz")
    assert answer.headers["Location"] == "/"
    after = person_at(house, provider.issuer, "fritz")
    assert (after.id, after.role) == (before.id, "leitung")
    changed = events(house, "person.refresh")
    assert [e.detail["role"] for e in changed] == ["Aussendienst → Geschäftsleitung"] and changed[
        0
    ].person == after.email
    with house.sources.store.read() as session:
        assert people.state_at(session, after.id, house.sources.clock()).role == "leitung"
    sign_in(house, "fritz")
    assert len(events(house, "person.refresh")) == 1, "nothing changed, nothing is said"


def test_whose_groups_are_gone_is_refused_and_signed_out_everywhere(house, provider):
    client, _ = sign_in(house, "clara")
    assert client.document("/kpis").status_code == 200
    provider.groups("clara", ["putzer"])
    _, answer = sign_in(house, "clara")
    assert answer.status_code == 403 and "None of your groups" in said(answer)
    assert client.document("/kpis").status_code == 302, "the session from before has ended"


def test_who_is_in_no_group_that_means_a_role_never_gets_an_account(house, provider):
    _, answer = sign_in(house, "gast")
    assert answer.status_code == 403
    assert said(answer) == (
        "None of your groups at the identity provider gives you a role here. Ask an administrator which group you need."
    )
    assert person_at(house, provider.issuer, "gast") is None
    refused = events(house, "sign_in")[0]
    assert (refused.allowed, refused.reason, refused.person) == (
        False, "No role names a group of theirs.", "gast@bakery.example",
    )  # fmt: skip


def local(house: House, email: str) -> Any:
    accounts.create(
        house.sources, email=email, name="Clara Hier", role="tueftlerei", attributes={}, password=LOCAL_PASSWORD
    )
    with house.sources.store.read() as session:
        return people.by_email(session, email)


def test_an_account_with_the_same_address_is_never_taken_over_silently(house, provider):
    there = local(house, "clara@bakery.example")
    client, answer = sign_in(house, "clara")
    assert answer.status_code == 403 and said(answer) == (
        "There is already an account for clara@bakery.example, and it is not linked with the identity provider. "
        "Ask an administrator to link it with you on the page People."
    )
    assert person_at(house, provider.issuer, "clara") is None and client.document("/kpis").status_code == 302
    with house.sources.store.read() as session:
        now = people.by_id(session, there.id)
    assert (now.role, now.password_hash) == ("tueftlerei", there.password_hash)


def test_an_administrator_may_link_the_two_and_then_there_is_one_way_in(house, provider):
    there = local(house, "clara@bakery.example")
    sign_in(house, "clara")
    admin = in_session(house, "hauswart")
    asked = people_service.form(admin, house.sources, there.id).asked
    assert asked is not None and (asked.name, asked.subject) == ("Clara Chef", "clara")
    with pytest.raises(Forbidden):
        identity_links.link(house.viewer("leitung"), house.sources, there.id, asked.key)
    identity_links.link(admin, house.sources, there.id, asked.key)
    with pytest.raises(InvalidQuery, match="Nobody waits"):
        identity_links.link(admin, house.sources, there.id, asked.key)
    _, answer = sign_in(house, "clara")
    assert answer.headers["Location"] == "/"
    person = person_at(house, provider.issuer, "clara")
    assert (person.id, person.role, person.password_hash) == (there.id, "leitung", "")
    assert password_sign_in(house, "clara@bakery.example", LOCAL_PASSWORD).status_code == 401
    assert [e.resource for e in events(house, "person.link")] == ["clara@bakery.example"]


def password_sign_in(house: House, email: str, password: str) -> Any:
    client = house.client()
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").get_data(as_text=True))
    data = {"email": email, "password": password, "csrf_token": found[1] if found else "x"}
    return client.post("/sign-in", data=data)


@pytest.mark.parametrize("password", ["", "anything at all 123", PASSWORD, "password"])
def test_who_comes_from_the_provider_has_no_password_path(house, provider, password):
    sign_in(house, "clara")
    assert password_sign_in(house, "clara@bakery.example", password).status_code == 401


def test_nobody_gives_a_password_to_who_comes_from_the_provider_nor_edits_what_it_says(house, provider):
    sign_in(house, "clara")
    person, admin = person_at(house, provider.issuer, "clara"), house.viewer("hauswart")
    with pytest.raises(InvalidQuery, match="identity provider"):
        people_service.new_link(operator(), house.sources, person.id)
    form = people_service.form(admin, house.sources, person.id)
    assert form.line.provided and form.fixed >= {"name", "role", "tour"}
    with pytest.raises(InvalidField, match="identity provider"):
        people_service.change_person(admin, house.sources, person.id, name=person.name, role="hauswart", attributes={})
    with pytest.raises(InvalidField, match="identity provider"):
        own_account.change_password(
            replace(house.viewer("leitung"), person_id=person.id), house.sources,
            current="", new="a sentence nobody knows", again="a sentence nobody knows",
        )  # fmt: skip


def test_a_disabled_person_is_refused(house, provider):
    sign_in(house, "clara")
    person = person_at(house, provider.issuer, "clara")
    people_service.set_active(house.viewer("hauswart"), house.sources, person.id, False)
    _, answer = sign_in(house, "clara")
    assert answer.status_code == 403 and said(answer) == "Your account here is disabled. Ask an administrator."


def test_the_provider_may_demote_the_last_administrator_and_the_log_says_so(own_bakery, provider):
    house = house_with(own_bakery, provider.issuer, {"hauswart": ("chefs",), "leitung": ("fahrer",)})
    sign_in(house, "clara")
    person, admin = person_at(house, provider.issuer, "clara"), house.viewer("hauswart")
    others = [p for p in people_service.list_people(admin, house.sources) if p.role_label == "Hauswart"]
    by_her = replace(admin, person_id=person.id)
    for one in others:
        if one.id != person.id:
            people_service.set_active(by_her, house.sources, one.id, False)
    provider.groups("clara", ["fahrer"])
    _, answer = sign_in(house, "clara")
    assert answer.headers["Location"] == "/", "what the company withdrew is withdrawn"
    assert events(house, "person.refresh")[0].detail["nobody"] == "manages people now"


def test_a_sign_in_belongs_to_the_browser_that_began_it_and_works_once(house, provider):
    victim, thief = house.client(), house.client()
    back = at_provider("clara", begin(victim))
    begin(thief)
    for other in (thief, house.client()):
        answer = come_back(other, back)
        assert answer.status_code == 403 and "not begun in this browser" in said(answer)
        assert other.document("/kpis").status_code == 302
    assert come_back(victim, back).headers["Location"] == "/"
    victim.post("/sign-out", data={"csrf_token": victim.token})
    assert come_back(victim, back).status_code == 403, "used up"


def test_a_code_that_was_begun_elsewhere_is_refused_by_pkce(house, provider):
    """Code injection: the thief puts the victim's code into a sign-in that they began themselves."""
    victim, thief = house.client(), house.client()
    code = parse_qs(urlsplit(at_provider("clara", begin(victim))).query)["code"][0]
    back = urlsplit(at_provider("gast", begin(thief)))
    mine = {k: v[0] for k, v in parse_qs(back.query).items()}
    answer = thief.get(f"{back.path}?{urlencode({**mine, 'code': code})}")
    assert answer.status_code == 403 and events(house, "sign_in")[0].reason.startswith("The provider refused the code")
    assert thief.document("/kpis").status_code == 302


@pytest.mark.parametrize("spoiled", ["state", "code", "iss", "twice", "late", "none"])
def test_an_answer_that_was_changed_is_refused(house, provider, spoiled):
    client = house.client()
    back = urlsplit(at_provider("clara", begin(client)))
    query = {k: v[0] for k, v in parse_qs(back.query).items()}
    assert {"state", "code", "iss"} <= set(query)
    sent = urlencode({k: v for k, v in query.items() if k != spoiled})
    if spoiled in ("state", "code", "iss"):
        sent += f"&{spoiled}=" + {"iss": "https://evil.example"}.get(spoiled, query[spoiled][:-1] + "x")
    if spoiled == "twice":
        sent += f"&state={query['state']}"
    if spoiled == "late":
        house.sources.clock.move(timedelta(minutes=10))
    answer = client.get(f"{back.path}?{'' if spoiled == 'none' else sent}")
    assert answer.status_code == 403 and client.document("/kpis").status_code == 302


def test_an_answer_without_the_issuer_is_refused_where_the_provider_says_that_it_names_itself(house, provider):
    client = house.client()
    back = urlsplit(at_provider("clara", begin(client)))
    query = {k: v[0] for k, v in parse_qs(back.query).items() if k != "iss"}
    answer = client.get(f"{back.path}?{urlencode(query)}")
    assert answer.status_code == 403 and "another provider" in events(house, "sign_in")[0].reason


def test_an_error_of_the_provider_is_told_and_its_words_are_not_repeated(house):
    client, issuer = house.client(), house.sources.settings.oidc_issuer
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    sent = urlencode(
        {
            "state": state,
            "error": "access_denied",
            "error_description": "CALL 555-EVIL",
            "iss": issuer,
        }
    )
    answer = client.get(f"/sign-in/oidc/back?{sent}")
    assert answer.status_code == 403 and "EVIL" not in answer.get_data(as_text=True)
    assert events(house, "sign_in")[0].reason == "The provider answered access_denied."


def test_a_new_key_of_the_provider_is_fetched_once(house, provider):
    sign_in(house, "clara")
    provider.new_key()
    _, refused = sign_in(house, "clara")
    assert refused.status_code == 403, "the keys were fetched a few seconds ago"
    house.sources.provider._keys.at -= 6
    _, answer = sign_in(house, "clara")
    assert answer.headers["Location"] == "/"


def test_somebody_proves_anew_who_they_are_and_nobody_else_can(house, provider):
    client = house.client()
    with Person("clara") as clara:
        come_back(client, clara.sign_in(begin(client)))
        before = sessions_of(house)[0].proven_at
        time.sleep(1.1)  # the provider tells whole seconds
        house.sources.clock.at = datetime.now(UTC)
        away = begin(client, "/sign-in/oidc?again=1&next=/models")
        assert "&prompt=login&max_age=60" in away
        answer = come_back(client, clara.sign_in(away))
    assert answer.headers["Location"] == "/models"
    assert [e.person for e in events(house, "session.prove")] == ["clara@bakery.example"]
    assert len(sessions_of(house)) == 1 and sessions_of(house)[0].proven_at > before
    other = come_back(client, at_provider("fritz", begin(client, "/sign-in/oidc?again=1")))
    assert other.status_code == 403 and "somebody else" in other.get_data(as_text=True)
    assert len(events(house, "session.prove")) == 1


def sessions_of(house: House) -> list[Any]:
    with house.sources.store.read() as session:
        return [s for s in sessions.not_ended(session) if s.method == "oidc"]


def test_signing_out_ends_the_session_here_and_shows_the_way_to_end_the_other(house, provider):
    client, _ = sign_in(house, "clara")
    client.document("/account")
    answer = client.post("/sign-out", data={"csrf_token": client.token})
    assert answer.headers["Location"] == "/sign-in?out=1"
    page = client.get("/sign-in?out=1").get_data(as_text=True)
    assert "/sign-in/oidc/out" in page and "may still be signed in" in page
    way = client.get("/sign-in/oidc/out").headers["Location"]
    assert way.startswith(f"{provider.issuer}/oauth/end_session?") and "post_logout_redirect_uri=http" in way
    hauswart = house.sign_in("hauswart")
    assert hauswart.post("/sign-out", data={"csrf_token": hauswart.token}).headers["Location"] == "/sign-in"


def test_without_passwords_there_is_one_way_in(own_bakery, provider):
    house = house_with(own_bakery, provider.issuer, passwords=False)
    page = house.client().get("/sign-in").get_data(as_text=True)
    assert 'name="password"' not in page and "ll-signin-provider" in page
    answer = password_sign_in_without_form(house)
    assert answer.status_code in (302, 303, 400, 401) and house.client().document("/kpis").status_code == 302
    with pytest.raises(SignInRefused, match="switched off"):
        sign_in_service.sign_in(house.sources, email=email_of("hauswart"), password=HOUSE_PASSWORD, address="x")
    assert sign_in(house, "clara")[1].headers["Location"] == "/"


def password_sign_in_without_form(house: House) -> Any:
    return house.client().post("/sign-in", data={"email": email_of("hauswart"), "password": HOUSE_PASSWORD})


def test_a_provider_that_is_down_is_told_on_the_page_and_passwords_go_on(own_bakery):
    house = house_with(own_bakery, f"http://127.0.0.1:{free_port()}")
    answer = house.client().get("/sign-in/oidc")
    assert answer.status_code == 503
    assert said(answer) == "The identity provider does not answer at this moment. Try again in a few minutes."
    assert house.sign_in("hauswart").document("/admin/people").status_code == 200


def test_without_a_provider_there_is_no_door(own_bakery):
    client = own_bakery.client()
    assert "ll-signin-provider" not in client.get("/sign-in").get_data(as_text=True)
    for path in ("/sign-in/oidc", "/sign-in/oidc/back?state=x&code=y", "/sign-in/oidc/out"):
        assert client.get(path).status_code == 403


def test_many_sign_ins_from_one_address_wait(house):
    client = house.client()
    codes = [client.get("/sign-in/oidc").status_code for _ in range(123)]
    assert codes[:120] == [302] * 120 and codes[-1] == 403


def test_the_secret_of_the_provider_is_nowhere_to_be_seen(house):
    sign_in(house, "clara")
    assert SECRET not in repr(house.sources.settings) and SECRET not in repr(house.sources)
    assert SECRET not in begin(house.client())


def test_the_page_people_shows_what_the_provider_says_and_links_by_a_button(house, provider):
    sign_in(house, "fritz")
    there = local(house, "clara@bakery.example")
    sign_in(house, "clara")
    admin = house.sign_in("hauswart")
    assert "company account" in house.words(admin, "/admin/people")
    provided = person_at(house, provider.issuer, "fritz")
    words = house.words(admin, f"/admin/people?person={provided.id}")
    assert "The identity provider says this" in words and "one-time password" not in words
    assert "Link with Clara Chef of the identity provider" in house.words(admin, f"/admin/people?person={there.id}")
    key = people_service.form(house.viewer("hauswart"), house.sources, there.id).asked.key
    pressed = {"id": {"type": "people-do", "act": f"link-{key}"}, "property": "n_clicks", "value": 1}
    name = '{"act":"link-' + key + '","type":"people-do"}.n_clicks'
    answer = house.fire(admin, "people-panel", [[pressed]], [[], [], str(there.id), []], changed=[name])
    assert "Linked." in answer.get_data(as_text=True)
    assert sign_in(house, "clara")[1].headers["Location"] == "/"


def test_a_password_that_got_there_by_another_way_opens_nothing(house, provider):
    """Whatever writes a password (the terminal, a link from before): who comes from the provider comes through it."""
    sign_in(house, "clara")
    with house.sources.store.begin() as session:
        people.by_email(session, "clara@bakery.example").password_hash = passwords.hashed(LOCAL_PASSWORD)
    assert password_sign_in(house, "clara@bakery.example", LOCAL_PASSWORD).status_code == 401
