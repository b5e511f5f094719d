"""The auditor's questions on the screen: who gets in, what an answer says, what a press does, what is taken away."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from data import people as people_table
from data.tables import AuditEvent
from services import reviews
from tests.house import House, email_of, texts
from tests.instances import BAKERY_PEOPLE

ADMIN, SELLER = "hauswart", "aussendienst"
PAGES = ("/admin/audit/record", "/admin/audit/changes", "/admin/reviews", "/admin/evidence")


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("who", sorted({role for role, _ in BAKERY_PEOPLE.values()}))
def test_only_who_reads_the_log_gets_in(bakery: House, address: str, who: str) -> None:
    said = bakery.words(bakery.sign_in(who), address)
    assert ("There is no such page for you." in said) is (who != ADMIN)


@pytest.mark.parametrize("address", PAGES)
def test_each_page_links_to_the_others_and_can_be_printed(bakery: House, address: str) -> None:
    said = bakery.words(bakery.sign_in(ADMIN), address)
    for word in ("The log", "A record", "Changes", "Reviews", "Evidence", "Print"):
        assert word in said
    assert "/admin/evidence" in bakery.words(bakery.sign_in(ADMIN), "/admin/audit")


def test_the_record_of_an_address_is_answered_with_who_asked_when_and_by_which_policy(bakery: House) -> None:
    query = {"record": "data.abnehmer", "key": "Ä000/Bä~re 0%", "from": "2024-11-01", "to": "2024-11-02"}
    said = bakery.words(bakery.sign_in(ADMIN), "/admin/audit/record?" + urlencode(query))
    assert "Who saw or exported Ä000/Bä~re 0% of" in said and "1 Nov 2024" in said
    assert f"Asked by {ADMIN}" in said and bakery.sources.workspace.fingerprint[:12] in said
    assert "Nobody saw or exported it in these days" in said


@pytest.mark.parametrize(
    "query",
    [
        {"record": "data.abnehmer", "key": "x"},
        {"record": "list.<script>", "key": "x", "from": "2024-12-01", "to": "2024-12-02"},
        {"record": "list.kuendigung", "key": "~~~~", "from": "2024-12-01", "to": "2024-12-02"},
        {"record": "data.abnehmer", "key": "x", "from": "gestern"},
        {"record": "data.abnehmer", "key": "x", "from": "2024-12-02", "to": "2024-12-01"},
    ],
)
def test_a_bad_address_is_one_sentence(bakery: House, query: dict[str, str]) -> None:
    said = bakery.words(bakery.sign_in(ADMIN), "/admin/audit/record?" + urlencode(query))
    assert "Something went wrong" not in said and "reference" not in said
    assert any(word in said for word in ("must", "needs", "There are no records", "must not"))


def test_asking_by_the_button_writes_the_address(bakery: House) -> None:
    client = bakery.sign_in(ADMIN)
    state = ["data.abnehmer", "Ä000", ["2024-12-01", "2024-12-02"]]
    answer = bakery.fire(client, "..record-answer.children...record-href.data..", [1], state).get_json()["response"]
    assert answer["record-href"]["data"].endswith("?record=data.abnehmer&key=%C3%84000&from=2024-12-01&to=2024-12-02")
    refused = bakery.fire(bakery.sign_in(SELLER), "..record-answer.children...record-href.data..", [1], state)
    assert "record-href" not in refused.get_data(as_text=True)


def press(house: House, client: Any, person: int, seen: str, note: str = "") -> str:
    id_ = {"person": str(person), "seen": seen, "type": "reviews-confirm"}
    inputs = [[{"id": id_, "property": "n_clicks", "value": 1}]]
    state = [[{"id": {"person": str(person), "type": "reviews-note"}, "property": "value", "value": note}]]
    changed = json.dumps(id_, sort_keys=True, separators=(",", ":")) + ".n_clicks"
    answer = house.fire(client, "reviews-list.children", inputs, state, changed=[changed])
    return " ".join(texts(answer.get_json()["response"])) if answer.status_code == 200 else str(answer.status_code)


def test_a_review_is_confirmed_by_its_button_and_only_by_who_may(own_bakery: House) -> None:
    with own_bakery.sources.store.read() as session:
        person = people_table.by_email(session, email_of(SELLER))
    mark = reviews.state_mark(person)
    assert "Confirmed." not in press(own_bakery, own_bakery.sign_in("leitung"), person.id, mark)
    admin = own_bakery.sign_in(ADMIN)
    assert "was changed meanwhile" in press(own_bakery, admin, person.id, "0" * 16)
    said = press(own_bakery, admin, person.id, mark, "asked the manager")
    assert "Confirmed." in said and "“asked the manager”" in said and "Reviewed as it is." in said


def test_the_pack_is_taken_by_who_may_and_not_from_another_view(own_bakery: House) -> None:
    for who in ("leitung", SELLER, "tueftlerei"):
        assert own_bakery.sign_in(who).get("/admin/evidence.zip").status_code == 404
    assert own_bakery.client().get("/admin/evidence.zip").status_code in (302, 401, 404)
    admin = own_bakery.sign_in(ADMIN)
    answer = admin.get("/admin/evidence.zip?day=2024-12-02")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="evidence-2024-12-02.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.get_data())) as archive:
        assert archive.testzip() is None and "manifest.json" in archive.namelist()
    for day in ("2024-13-01", "2999-01-01", "x"):
        assert admin.get(f"/admin/evidence.zip?day={day}").status_code == 400
    with own_bakery.sources.store.read() as session:
        assert len(session.scalars(select(AuditEvent).where(AuditEvent.act == "evidence.take")).all()) == 1
