"""How much one person may take: any hour, day and minute, shared by processes, closed where counting fails."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from data.definitions import Limits
from data.tables import AuditEvent, UsageCount
from services import brakes, exports, leads, limits, what_if
from services.access import Viewer
from services.errors import TooMuch, Unavailable
from services.lead_query import LeadQuery
from services.limits import Limit
from services.sources import Sources
from services.what_if import WhatIfQuery
from tests import instances
from tests.house import House

OPEN = LeadQuery(list="kuendigung", of="Winter/2024")
WHO = "aussendienst"
HOUR = Limit("exports", 3, timedelta(hours=1), timedelta(minutes=5))
NOON = datetime(2024, 12, 2, 12, 0, tzinfo=UTC)


def limited(house: House, **said: int) -> House:
    """The house with these limits."""
    house.sources = _limited(house.sources, **said)
    return house


def _limited(sources: Sources, **said: int) -> Sources:
    access = sources.workspace.access.model_copy(update={"limits": Limits(**said)})
    return replace(sources, workspace=sources.workspace.model_copy(update={"access": access}))


def took(house: House, who: str = WHO, query: LeadQuery = OPEN) -> str:
    return "".join(exports.lead_csv(house.viewer(who), house.sources, query).chunks)


def refused(house: House, who: str = WHO, query: LeadQuery = OPEN) -> TooMuch:
    with pytest.raises(TooMuch) as told:
        exports.lead_csv(house.viewer(who), house.sources, query)
    return told.value


def events(house: House, act: str, *, allowed: bool) -> list[AuditEvent]:
    with house.sources.store.read() as session:
        found = session.scalars(select(AuditEvent).where(AuditEvent.act == act, AuditEvent.allowed.is_(allowed)))
        return list(found)


def counted(sources: Sources, thing: str) -> int:
    with sources.store.read() as session:
        found = session.scalar(select(func.sum(UsageCount.amount)).where(UsageCount.key.startswith(f"{thing}:")))
        return found or 0


@contextmanager
def locked(sources: Sources) -> Iterator[None]:
    """Somebody else writes the database and does not come to an end; nobody waits long for them."""
    from sqlalchemy import event

    def hasty(connection: Any, *_: Any) -> None:
        connection.execute("pragma busy_timeout=20")

    path = str(sources.store.engine.url.database)
    event.listen(sources.store.engine, "checkout", hasty)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    try:
        yield
    finally:
        other.execute("rollback")
        other.close()
        event.remove(sources.store.engine, "checkout", hasty)


# ── the window ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("used_at", "now", "counts"),
    [
        ("12:00:00", "12:00:00", True),
        ("12:00:00", "13:00:00", True),
        ("12:04:59", "13:04:59", True),
        ("12:00:00", "13:04:59", True),
        ("12:00:00", "13:05:00", False),
        ("12:04:59", "13:05:00", False),
        ("12:00:00", "11:00:00", True),
        ("12:00:00", "10:59:59", False),
    ],
)
def test_a_stretch_counts_as_long_as_a_part_of_it_may_lie_in_the_last_hour(used_at, now, counts):
    def at(text: str) -> datetime:
        return datetime.fromisoformat(f"2024-12-02T{text}+00:00")

    assert HOUR.counts(HOUR.stretch(at(used_at)), at(now)) is counts


@pytest.mark.parametrize(
    ("used", "amount", "free"),
    [
        ({0: 1, 1: 1, 2: 1}, 1, "13:05"),
        ({0: 1, 1: 1, 2: 1}, 2, "13:10"),
        ({0: 1, 1: 1, 2: 1}, 3, "13:15"),
        ({0: 2, 2: 1}, 2, "13:05"),
        ({1: 3}, 1, "13:10"),
        ({0: 1}, 3, "13:05"),
        ({0: 1}, 4, None),
    ],
)
def test_when_it_is_possible_again(used, amount, free):
    first = HOUR.stretch(NOON)
    found = HOUR.free_at({first + n: k for n, k in used.items()}, amount)
    assert (found.strftime("%H:%M") if found else None) == free


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (61, "2 minutes"), (3599, "60 minutes"),
     (3600, "1 hour"), (3601, "2 hours"), (86400, "24 hours")],
)  # fmt: skip
def test_a_while_in_words(seconds, words):
    assert limits.duration(seconds) == words


# ── files ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("E-04")
def test_the_file_after_the_last_one_is_refused_until_the_first_is_an_hour_old(own_bakery):
    house = limited(own_bakery, exports_an_hour=3)
    for _ in range(3):
        took(house)
        house.sources.clock.move(timedelta(minutes=10))
    told = refused(house)
    assert told.sentence == "You took 3 files in the last hour, which is as many as anybody may."
    assert told.next_step == "It is possible again in 35 minutes."
    assert told.seconds == 35 * 60
    house.sources.clock.move(timedelta(seconds=35 * 60 - 1))
    assert refused(house).seconds == 1
    house.sources.clock.move(timedelta(seconds=1))
    took(house)
    assert refused(house).seconds == 10 * 60


def test_another_person_is_not_kept_from_anything(own_bakery):
    house = limited(own_bakery, exports_an_hour=1)
    took(house)
    refused(house)
    took(house, "aussendienst:zwei")


def test_rows_are_counted_as_many_as_leave_and_all_of_a_file_that_breaks_off(own_bakery):
    house = limited(own_bakery, rows_a_day=150)
    made = exports.lead_csv(house.viewer(WHO), house.sources, OPEN)
    assert counted(house.sources, "rows") == 60, "before the first row leaves"
    next(made.chunks)
    made.chunks.close()
    assert counted(house.sources, "rows") == 60 == leads.narrowed(house.viewer(WHO), house.sources, OPEN).matching
    took(house)
    told = refused(house)
    assert told.sentence == "Of the 150 rows that anybody may take in a day you have 30 left."
    assert told.next_step == "Narrow the list, or wait: all 60 are possible in 25 hours."
    assert counted(house.sources, "rows") == 120 and counted(house.sources, "exports") == 2


def test_a_file_exactly_as_large_as_what_is_left_is_made_and_then_none(own_bakery):
    house = limited(own_bakery, rows_a_day=120)
    took(house)
    took(house)
    told = refused(house)
    assert told.sentence == "Of the 120 rows that anybody may take in a day you have 0 left."
    assert told.next_step == "It is possible again in 25 hours."


@pytest.mark.attack("E-04")
def test_a_list_larger_than_a_day_is_never_possible_and_says_so(own_bakery):
    house = limited(own_bakery, rows_a_day=59)
    told = refused(house)
    assert told.sentence == "A file may have 59 rows at most, this one would have 60."
    assert told.next_step == "Narrow the list first."
    assert counted(house.sources, "exports") == 0, "what is refused is not counted"


def test_a_refusal_stands_in_the_log_once_a_minute(own_bakery):
    house = limited(own_bakery, exports_an_hour=1)
    took(house)
    for _ in range(5):
        refused(house)
    (event,) = events(house, "leads.export", allowed=False)
    assert event.reason == "You took 1 file in the last hour, which is as many as anybody may."
    house.sources.clock.move(timedelta(seconds=61))
    refused(house)
    assert len(events(house, "leads.export", allowed=False)) == 2
    assert len(events(house, "leads.export", allowed=True)) == 1


@pytest.mark.parametrize(("back", "kept_out"), [(timedelta(minutes=30), True), (timedelta(hours=2), False)])
def test_a_clock_set_back_gives_nothing_twice_and_keeps_nobody_out_for_long(own_bakery, back, kept_out):
    house = limited(own_bakery, exports_an_hour=1)
    took(house)
    house.sources.clock.move(-back)
    if kept_out:
        assert refused(house).seconds == 95 * 60
    else:
        took(house)


def test_without_a_database_no_file_is_made(own_bakery):
    with locked(own_bakery.sources), pytest.raises(Unavailable) as told:
        exports.lead_csv(own_bakery.viewer(WHO), own_bakery.sources, OPEN)
    assert told.value.sentence == "Exports cannot be counted now, so none is made."
    assert own_bakery.sources.brakes.files.open(own_bakery.viewer(WHO).person_id) == 0
    took(own_bakery)


@pytest.mark.attack("E-04")
def test_two_files_may_stream_at_once_and_the_third_when_one_is_over(own_bakery):
    viewer = own_bakery.viewer(WHO)
    first, second = (exports.lead_csv(viewer, own_bakery.sources, OPEN) for _ in range(2))
    told = refused(own_bakery)
    assert told.sentence == "2 of your files are being made already."
    assert told.next_step == "Wait until one is done." and told.seconds == 30
    assert counted(own_bakery.sources, "exports") == 2
    took(own_bakery, "aussendienst:zwei")
    "".join(first.chunks)
    third = exports.lead_csv(viewer, own_bakery.sources, OPEN)
    refused(own_bakery)
    second.chunks.close()
    second.chunks.close()
    took(own_bakery)
    del third
    assert own_bakery.sources.brakes.files.open(viewer.person_id) == 0


def test_a_file_that_fails_half_way_gives_its_room_back(own_bakery, monkeypatch):
    def broken(*_: Any, **__: Any) -> Iterator[str]:
        yield "a"
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(exports, "_lines", broken)
    made = exports.lead_csv(own_bakery.viewer(WHO), own_bakery.sources, OPEN)
    with pytest.raises(RuntimeError):
        list(made.chunks)
    assert own_bakery.sources.brakes.files.open(own_bakery.viewer(WHO).person_id) == 0


def test_rows_that_are_left_are_told_from_four_fifths_on(own_bakery):
    house, viewer = limited(own_bakery, rows_a_day=75), own_bakery.viewer(WHO)
    assert leads.page(viewer, house.sources, OPEN).rows_left is None
    took(house, query=LeadQuery(OPEN.list, OPEN.of, ("hoch",)))
    assert leads.page(viewer, house.sources, OPEN).rows_left is None
    with house.sources.store.begin() as session:
        limits.take(session, house.sources, viewer, "rows", 60 - counted(house.sources, "rows"))
    assert leads.page(viewer, house.sources, OPEN).rows_left == 15
    assert leads.page(own_bakery.viewer("tueftlerei"), house.sources, OPEN).rows_left is None


# ── shared by all ─────────────────────────────────────────────────────────────────────────────────


def _takes(instance: Path, viewer: Viewer, tries: int) -> int:
    """How many files of many tries are allowed."""
    sources = _limited(instances.open_bakery_sources(instance), exports_an_hour=20)
    done = 0
    for _ in range(tries):
        try:
            with sources.store.begin() as session:
                limits.take(session, sources, viewer, "exports")
            done += 1
        except TooMuch:
            pass
    sources.close()
    return done


def test_two_threads_at_once_take_no_more_than_the_limit(own_bakery):
    instance, viewer = own_bakery.sources.settings.instance, own_bakery.viewer(WHO)
    with ThreadPoolExecutor(2) as two:
        done = list(two.map(_takes, [instance] * 2, [viewer] * 2, [15, 15]))
    assert sum(done) == 20 == counted(own_bakery.sources, "exports")


@pytest.mark.attack("E-04", "U-08")
def test_two_processes_take_no_more_than_the_limit(own_bakery):
    instance, viewer = own_bakery.sources.settings.instance, own_bakery.viewer(WHO)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as two:
        done = list(two.map(_takes, [instance] * 2, [viewer] * 2, [15, 15]))
    assert sum(done) == 20 == counted(own_bakery.sources, "exports")


def test_counts_that_bind_nobody_are_dropped(own_bakery):
    viewer, sources = own_bakery.viewer(WHO), own_bakery.sources
    for thing in ("exports", "rows", "moves"):
        with sources.store.begin() as session:
            limits.take(session, sources, viewer, thing, 7)
    sources.clock.move(timedelta(minutes=3))
    limits.forget(sources)
    assert [counted(sources, thing) for thing in ("exports", "rows", "moves")] == [7, 7, 0]
    sources.clock.move(timedelta(hours=3))
    limits.forget(sources)
    assert [counted(sources, thing) for thing in ("exports", "rows", "moves")] == [0, 7, 0]
    sources.clock.move(timedelta(hours=49))
    limits.forget(sources)
    assert counted(sources, "rows") == 0


# ── moves ─────────────────────────────────────────────────────────────────────────────────────────


def moved(house: House, times: int, who: str = WHO) -> int:
    """How many of so many moves are allowed."""
    viewer, done = house.viewer(who), 0
    for _ in range(times):
        try:
            limits.move(viewer, house.sources)
            done += 1
        except TooMuch:
            pass
    return done


def fresh(house: House) -> House:
    """The same house as another process has it: with counts of its own."""
    return replace(house, sources=replace(house.sources, brakes=brakes.Brakes()))


def test_moves_of_one_process_end_at_the_limit_and_go_on_when_the_minute_is_over(own_bakery):
    house = limited(own_bakery, moves_a_minute=600)
    assert moved(house, 650) == 600
    with pytest.raises(TooMuch) as told:
        limits.move(house.viewer(WHO), house.sources)
    assert told.value.sentence == "You moved inputs 600 times in the last minute, which is as often as anybody may."
    assert told.value.next_step == "It is possible again in 2 minutes." and told.value.seconds == 65
    assert len(events(house, "what_if.refused", allowed=False)) == 1
    house.sources.clock.move(timedelta(seconds=64))
    assert moved(house, 1) == 0
    house.sources.clock.move(timedelta(seconds=1))
    assert moved(house, 650) == 600


def test_the_database_is_written_once_in_thirty_moves(own_bakery):
    house, written = limited(own_bakery, moves_a_minute=600), []
    begin = house.sources.store.begin
    house.sources.store.begin = lambda: written.append(1) or begin()
    assert moved(house, 600) == 600
    assert len(written) == 19, "the first visit only reads"
    assert counted(house.sources, "moves") == 570


@pytest.mark.attack("R-16", "U-08")
def test_two_processes_pass_the_limit_by_no_more_than_a_lot_each(own_bakery):
    house = limited(own_bakery, moves_a_minute=600)
    one, two, done = house, fresh(house), [0, 0]
    for _ in range(700):
        for place, process in enumerate((one, two)):
            done[place] += moved(process, 1)
    assert 600 <= sum(done) <= 660
    assert moved(fresh(house), 100) <= 30, "a third one learns of it at once"


def test_a_process_learns_in_a_second_that_others_stopped(own_bakery):
    house = limited(own_bakery, moves_a_minute=40)
    assert moved(house, 40) == 40
    other = fresh(house)
    assert moved(other, 40) <= 2
    house.sources.clock.move(timedelta(seconds=66))
    assert moved(other, 41) == 40


@pytest.mark.attack("U-08")
def test_moves_that_cannot_be_settled_are_counted_by_the_process_alone(own_bakery):
    house = limited(own_bakery, moves_a_minute=40)
    with locked(house.sources):
        assert moved(house, 100) == 40, "never unlimited"
        house.sources.clock.move(timedelta(seconds=66))
        assert moved(house, 100) == 40
    assert counted(house.sources, "moves") == 0
    house.sources.clock.move(timedelta(seconds=66))
    assert moved(house, 100) == 40
    assert counted(house.sources, "moves") >= 38


def test_threads_of_one_process_share_its_count(own_bakery):
    house, done = limited(own_bakery, moves_a_minute=100), []
    threads = [threading.Thread(target=lambda: done.append(moved(house, 80))) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(done) == 100


@pytest.mark.attack("R-16")
def test_scraping_by_script_ends_at_the_limit_by_the_page_as_by_the_callback(own_bakery):
    house = limited(own_bakery, moves_a_minute=10)
    viewer = house.viewer(WHO)
    key = leads.block(viewer, house.sources, OPEN, 0, 1).rows[0].key
    query = WhatIfQuery("kuendigung", key, {})
    for act in (what_if.explore, what_if.move) * 5:
        act(viewer, house.sources, query)
    for act in (what_if.explore, what_if.move):
        with pytest.raises(TooMuch):
            act(viewer, house.sources, query)


# ── hands ─────────────────────────────────────────────────────────────────────────────────────────


def test_tokens_are_two_seconds_worth_and_come_back_steadily():
    tokens = brakes.Tokens()
    assert [tokens.take(1, rate=4, now=100.0) for _ in range(8)] == [0.0] * 8
    assert tokens.take(1, rate=4, now=100.0) == 0.25
    assert tokens.take(2, rate=4, now=100.0) == 0.0
    assert tokens.take(1, rate=4, now=100.125) == 0.125
    assert tokens.take(1, rate=4, now=100.25) == 0.0
    assert tokens.take(1, rate=4, now=100.25) == 0.25
    assert tokens.take(1, rate=4, now=90.0) == 0.25, "a clock that goes back gives nothing"
    assert [tokens.take(1, rate=4, now=200.0) for _ in range(9)] == [0.0] * 8 + [0.25]


def test_tokens_of_people_who_rest_are_forgotten(monkeypatch):
    monkeypatch.setattr(brakes, "MOST_PEOPLE", 3)
    tokens = brakes.Tokens()
    for person in range(100):
        tokens.take(person, rate=40, now=float(person))
    assert len(tokens._kept) <= 3


def test_a_flood_is_worth_a_word_once_a_minute():
    tokens = brakes.Tokens()
    assert [tokens.first(1, now=now) for now in (0.0, 1.0, 59.9, 60.0, 61.0)] == [True, False, False, True, False]
    assert tokens.first(2, now=61.0)
