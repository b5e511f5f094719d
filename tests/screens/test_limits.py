"""Limits at the doors: a file that may not be made now, moves that are too many, more callbacks than hands can send."""

from __future__ import annotations

from dataclasses import replace

from data.definitions import Limits
from tests import instances
from tests.house import House, email_of
from tests.screens.test_view_as import look

LIST = "list=kuendigung&of=Winter%2F2024"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def opened(house: House, rate: int = 100_000, **said: int) -> House:
    """The house with these limits, anew."""
    sources = house.sources
    access = sources.workspace.access.model_copy(update={"limits": Limits(**said)})
    workspace = sources.workspace.model_copy(update={"access": access})
    settings = replace(sources.settings, callbacks_a_second=rate)
    return House(replace(sources, workspace=workspace, settings=settings), instances.BAKERY_PEOPLE)


def test_a_file_too_many_is_answered_with_429_and_when_to_come_again(own_bakery):
    house = opened(own_bakery, exports_an_hour=1)
    client = house.sign_in("aussendienst")
    assert client.get(f"/leads.csv?{LIST}").status_code == 200
    answer = client.get(f"/leads.csv?{LIST}")
    assert answer.status_code == 429 and answer.mimetype == "text/plain"
    assert answer.headers["Retry-After"] == "3900"
    assert answer.get_data(as_text=True) == (
        "You took 1 file in the last hour, which is as many as anybody may. It is possible again in 2 hours."
    )


def test_somebody_with_a_browser_reads_the_sentence_on_a_page_with_a_way_back(own_bakery):
    house = opened(own_bakery, rows_a_day=10)
    answer = house.sign_in("aussendienst").get(f"/leads.csv?{LIST}", headers=HTML)
    assert answer.status_code == 429 and answer.mimetype == "text/html"
    page = answer.get_data(as_text=True)
    assert "<h1>A file may have 10 rows at most, this one would have 60.</h1>" in page
    assert "Narrow the list first." in page and 'href="/"' in page
    assert "Content-Disposition" not in answer.headers


def test_a_file_that_was_read_or_left_makes_room_for_the_next(own_bakery):
    house = opened(own_bakery)
    client = house.sign_in("aussendienst")
    for method in (client.get, client.head, client.get, client.get):
        assert method(f"/leads.csv?{LIST}").status_code == 200
    for _ in range(3):
        left = client.get(f"/leads.csv?{LIST}", buffered=False)
        left.close()
        assert left.status_code == 200
    assert house.sources.brakes.files.open(house.viewer("aussendienst").person_id) == 0


def test_what_is_left_of_the_day_stands_beside_the_export(own_bakery):
    house = opened(own_bakery, rows_a_day=70)
    client = house.sign_in("aussendienst")
    assert "left to take today" not in house.words(client, f"/leads?{LIST}")
    client.get(f"/leads.csv?{LIST}")
    assert "10 rows left to take today" in house.words(client, f"/leads?{LIST}")


def test_moves_too_many_are_a_notice(own_bakery):
    house = opened(own_bakery, moves_a_minute=2)
    client = house.sign_in("aussendienst")
    key = "B001/Winter%2F2024"
    asked = {"asked": 1, "list": "kuendigung", "key": key, "edits": {}, "open": []}
    for _ in range(2):
        house.fire(client, "what-if-result", [asked])
    answer = house.fire(client, "what-if-result", [asked])
    assert answer.status_code == 200
    assert "You moved inputs 2 times in the last minute" in answer.get_data(as_text=True)


def test_more_callbacks_than_hands_can_send_get_429_in_this_process_and_others_go_on(own_bakery):
    house = opened(own_bakery, rate=5)
    client, other = house.sign_in("aussendienst"), house.sign_in("leitung")
    answers = [house.open(client, "/account") for _ in range(40)]
    assert {a.status_code for a in answers} == {200, 429}
    assert sum(a.status_code == 200 for a in answers) < 30
    late = next(a for a in answers if a.status_code == 429)
    assert late.headers["Retry-After"] == "1"
    assert late.get_json() == {"error": "More was asked at once than anybody's hands can. Wait a second."}
    assert house.open(other, "/account").status_code == 200
    with house.sources.store.read() as session:
        from data import audit_log

        found, total = audit_log.found(session, act="callback.run", person=email_of("aussendienst"), limit=5)
    assert total == 1 and found[0].resource == "too many at once" and not found[0].allowed


def test_the_brake_is_asked_before_the_request_is_read(own_bakery):
    house = opened(own_bakery, rate=1)
    client = house.sign_in("aussendienst")
    statuses = [house.post(client, {"output": "nothing"}).status_code for _ in range(4)]
    assert statuses[-1] == 429 and 404 in statuses


def test_whoever_looks_as_somebody_else_uses_up_their_own(own_bakery):
    house = opened(own_bakery, moves_a_minute=2)
    client, seller = house.sign_in("hauswart"), house.sign_in("aussendienst")
    assert look(house, client, "aussendienst").status_code == 303
    asked = {"asked": 1, "list": "kuendigung", "key": "B001/Winter%2F2024", "edits": {}, "open": []}
    said = [house.fire(client, "what-if-result", [asked]).get_data(as_text=True) for _ in range(3)]
    assert ["You moved inputs 2 times" in text for text in said] == [False, False, True]
    assert "You moved" not in house.fire(seller, "what-if-result", [asked]).get_data(as_text=True)
