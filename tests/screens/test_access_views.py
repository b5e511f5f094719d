"""Access on a day and a change that is only tried, on the screen: who gets in, what is said, what is taken away."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, update

from data.tables import AuditEvent, PersonState, PolicyVersion, Publication
from services import accounts, policy_versions
from tests.bakery import build
from tests.house import House, email_of, texts
from tests.instances import BAKERY_NOW, BAKERY_PEOPLE
from tests.logic.test_policy_preview import ALL, SELLER, TEXT, swapped

ADMIN, FILE = "hauswart", "/admin/access/access.yml"
TRY, DAY = "access-try-answer.children", "..access-day-answer.children...access-day-href.data.."
PAGES = ("/admin/access", "/admin/access?person=2", "/admin/access/day", "/admin/access/try")


@pytest.fixture
def house(own_bakery: House) -> House:
    """The bakery with its policy kept, as if all of it were there since yesterday."""
    policy_versions.keep(own_bakery.sources)
    then = BAKERY_NOW.replace(day=1)
    with own_bakery.sources.store.begin() as session:
        for table in (PolicyVersion, PersonState):
            session.execute(update(table).values(at=then))
        session.execute(update(Publication).values(published_at=then))
    return own_bakery


def number_of(house: House, who: str) -> int:
    return list(BAKERY_PEOPLE).index(who) + 1


def events(house: House, act: str) -> list[AuditEvent]:
    with house.sources.store.read() as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.act == act)))


def shown(house: House, client: Any, text: object) -> str:
    answer = house.fire(client, TRY, [1], [text])
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return " ".join(texts(answer.get_json()["response"]["access-try-answer"]["children"]))


def take(client: Any, text: str, **more: Any) -> Any:
    return client.post(FILE, data={"csrf_token": client.token, "text": text, **more})


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("who", sorted({role for role, _ in BAKERY_PEOPLE.values()}))
def test_only_who_reads_the_policy_gets_in(bakery: House, address: str, who: str) -> None:
    said = bakery.words(bakery.sign_in(who), address)
    assert ("There is no such page for you." in said) is (who != ADMIN)


@pytest.mark.parametrize("address", PAGES)
def test_each_view_links_to_the_others(bakery: House, address: str) -> None:
    said = bakery.words(bakery.sign_in(ADMIN), address)
    for word in ("By role", "By person", "On a day", "Try a change", "/admin/access/day", "/admin/access/try"):
        assert word in said, word


def nested(drawn: Any) -> Iterator[Any]:
    """Lists that stand directly in a list of children: the browser cannot draw them."""
    if isinstance(drawn, dict):
        inside = drawn.get("props", {}).get("children")
        yield from (one for one in inside if isinstance(one, list)) if isinstance(inside, list) else ()
        for value in drawn.values():
            yield from nested(value)
    elif isinstance(drawn, list):
        for value in drawn:
            yield from nested(value)


@pytest.mark.parametrize("address", [*PAGES, "/admin/access/day?person=2&day=2024-12-02"])
def test_no_list_stands_bare_within_a_list(house: House, address: str) -> None:
    assert not list(nested(house.layout(house.sign_in(ADMIN), address))), address


# ── on a day ──────────────────────────────────────────────────────────────────────────────────────


def test_the_address_of_a_day_is_answered_with_all_that_it_stands_on(house: House) -> None:
    person = number_of(house, "aussendienst:zwei")
    said = house.words(house.sign_in(ADMIN), f"/admin/access/day?person={person}&day=2024-12-02")
    assert "What could aussendienst:zwei see on 2 Dec 2024?" in said
    assert f"Asked by {ADMIN}" in said and house.sources.workspace.fingerprint[:12] in said
    assert "Nothing changed during the day: aussendienst:zwei was Aussendienst all of it." in said
    for words in ("Take a list away as a file", "Nord/See, Stadt 'Mitte'", "Tour is Nord/See or Stadt 'Mitte'."):
        assert words in said, words
    tours = build.houses().tour.isin(["Nord/See", "Stadt 'Mitte'"])
    assert int(tours.sum()) == 120 and re.search(r"Abnehmer\b.{,60} 120 .{,40} 180 ", said)
    assert re.search(r"Lieferungen\b.{,60} 4,015 .{,40} 6,000 ", said)
    for words in ("Mahnungen", "version ", "Link to this answer", "Print"):
        assert words in said, words
    (event,) = events(house, "policy.past")
    assert (event.resource, event.detail) == (email_of("aussendienst:zwei"), {"day": "2024-12-02"})


def test_a_person_without_a_day_is_a_question_not_yet_an_act(house: House) -> None:
    said = house.words(house.sign_in(ADMIN), "/admin/access/day?person=3")
    assert "Choose a person and a day." in said and not events(house, "policy.past")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("person=abc&day=2024-12-02", "There is no person 'abc'."),
        ("person=" + "9" * 40 + "&day=2024-12-02", "There is no person"),
        ("person=9999&day=2024-12-02", "There is no"),
        ("day=2024-12-02", "There is no"),
        ("person=1&day=2024-13-02", "The day must be a day such as"),
        ("person=1&day=2024-12-03", "The day must not lie ahead."),
        ("person=1&day=gestern", "The day must be a day such as"),
        ("person=1&day=1999-01-01", "This person had not been added yet"),
    ],
)
def test_a_bad_address_is_one_sentence(house: House, query: str, sentence: str) -> None:
    said = house.words(house.sign_in(ADMIN), f"/admin/access/day?{query}")
    assert sentence in said and "Something went wrong" not in said


def test_asking_by_the_button_writes_the_address(house: House) -> None:
    answer = house.fire(house.sign_in(ADMIN), DAY, [1], ["2", "2024-12-02"]).get_json()["response"]
    assert answer["access-day-href"]["data"] == "/admin/access/day?person=2&day=2024-12-02"
    assert "What could aussendienst see" in " ".join(texts(answer["access-day-answer"]["children"]))
    for bad in (["x", "2024-12-02"], ["2", "x"], [None, None], ["2", None], ["9999", "2024-12-02"]):
        answer = house.fire(house.sign_in(ADMIN), DAY, [1], bad).get_json()["response"]
        assert len(texts(answer["access-day-answer"]["children"])) < 30
    assert house.fire(house.sign_in("aussendienst"), DAY, [1], ["2", "2024-12-02"]).status_code == 404


# ── a change that is tried ────────────────────────────────────────────────────────────────────────


def test_the_text_begins_with_the_policy_in_force(house: House) -> None:
    drawn = house.layout(house.sign_in(ADMIN), "/admin/access/try")
    assert TEXT in texts(drawn)


def test_what_a_change_would_do_is_shown_and_the_file_handed_over(house: House) -> None:
    client, text = house.sign_in(ADMIN), swapped((SELLER, ALL))
    said = shown(house, client, text)
    for words in (
        "Aussendienst sees rows of Abnehmer, Lieferungen and Verträge by the rule: Alle.",
        "This would show aussendienst 120 more Abnehmer.",
        "This would show aussendienst 4,039 more Lieferungen.",
        "It was: Tour is Nord/See.",
        "Take the proposed file",
    ):
        assert words in said, words
    answer = take(client, text.replace("\n", "\r\n"))
    assert (answer.status_code, answer.mimetype) == (200, "text/yaml")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="access.yml"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.get_data() == text.encode()
    assert len(events(house, "policy.try")) == len(events(house, "policy.take")) == 1
    log = house.words(client, "/admin/audit")
    assert "Tried a change of the policy" in log and "Took a proposed policy" in log


def test_a_form_of_several_parts_gives_the_same_file(house: House) -> None:
    client = house.sign_in(ADMIN)
    answer = client.post(FILE, data={"csrf_token": client.token, "text": TEXT}, content_type="multipart/form-data")
    assert answer.get_data() == TEXT.encode()
    spoiled = {"csrf_token": client.token, "text": (io.BytesIO(TEXT.encode()), "x.yml")}
    assert client.post(FILE, data=spoiled, content_type="multipart/form-data").status_code == 400


def test_mistakes_are_named_with_their_lines_and_nothing_is_handed_over(house: House) -> None:
    client, text = house.sign_in(ADMIN), swapped(("'leads:export'", "'leads:exprt'"), ("column: tour", "column: tuor"))
    said = shown(house, client, text)
    assert "4 mistakes: a start would refuse this file" in said and "Take the proposed file" not in said
    for words in ("leads:exprt", "leads:export", "tuor", "roles.aussendienst.actions"):
        assert words in said, words
    answer = take(client, text)
    assert answer.status_code == 400 and "The file has 4 mistakes: a start would refuse it." in answer.get_data(True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "The file is empty."),
        ("", "The file is empty."),
        ("#" * 300_000, "at most 256 kB, got 300 kB"),
        ("a\x00b", "Line 1 holds a character that no text has."),
        ("a: &a [x]\nb: *a", "1 mistake: a start would refuse this file"),
        ("roles:\n\tx: 1", "1 mistake: a start would refuse this file"),
        ("<script>alert(1)</script>", "1 mistake: a start would refuse this file"),
    ],
)
def test_a_bad_text_is_one_sentence(bakery: House, text: object, sentence: str) -> None:
    client = bakery.sign_in(ADMIN)
    said = shown(bakery, client, text)
    assert sentence in said and "Something went wrong" not in said
    answer = take(client, str(text or ""))
    assert answer.status_code == 400 and "Traceback" not in answer.get_data(as_text=True)


def test_the_policy_in_force_needs_no_file(bakery: House) -> None:
    said = shown(bakery, bakery.sign_in(ADMIN), TEXT)
    assert "nothing would change" in said and "Take the proposed file" not in said


def test_a_warning_says_who_is_left_with_nothing(bakery: House) -> None:
    said = shown(bakery, bakery.sign_in(ADMIN), TEXT[: TEXT.index("  hauswart:")])
    assert "hauswart could do nothing any more." in said
    assert "Nobody could add, change or disable people any more." in said


def test_others_and_strangers_get_no_file_and_no_answer(bakery: House) -> None:
    for who in ("leitung", "aussendienst", "tueftlerei"):
        client = bakery.sign_in(who)
        assert take(client, TEXT).status_code == 404
        assert bakery.fire(client, TRY, [1], [TEXT]).status_code == 404
    assert bakery.client().post(FILE, data={"text": TEXT}).status_code in (400, 401)
    before = len(events(bakery, "policy.take"))
    answer = bakery.sign_in(ADMIN).post(FILE, data={"text": TEXT})
    assert answer.status_code in (303, 400) and TEXT[:40] not in answer.get_data(as_text=True), "a form without a token"
    assert len(events(bakery, "policy.take")) == before


def test_from_anothers_view_one_may_look_and_take_nothing(house: House) -> None:
    accounts.create(
        house.sources, email="zwei@people.example", name="Zwei", role=ADMIN, attributes={}, password="x" * 20
    )
    client = house.sign_in(ADMIN)
    number = len(BAKERY_PEOPLE) + 1
    assert client.post(f"/view-as/{number}", data={"csrf_token": client.token}).status_code == 303
    said = shown(house, client, swapped((SELLER, ALL)))
    assert "This would show aussendienst 120 more" in said and "not taken away" in said
    assert "Take the proposed file" not in said
    answer = take(client, TEXT)
    assert answer.status_code == 403 and "You look as Zwei now." in answer.get_data(as_text=True)
    assert not events(house, "policy.take")
    assert "You look as Zwei" in events(house, "file.take")[0].reason
