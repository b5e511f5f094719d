"""Who saw or exported a record: whoever was given its row is named, and nobody who could not have been."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from data.questions import Order
from data.tables import AuditEvent, ScoreRun
from services import exports, lead_query, lead_reads, leads, record_trail, refresh, what_if, why
from services.access import Viewer, through_eyes_of
from services.errors import Forbidden, InvalidQuery, NotFound
from services.lead_query import LeadQuery
from services.record_trail import RecordQuery, Trail
from services.what_if_answers import WhatIfQuery
from tests import instances
from tests.bakery import build
from tests.house import House, email_of
from tests.instances import BAKERY_PEOPLE

AUDITOR, LIST = "hauswart", "kuendigung"
OPEN = LeadQuery(list=LIST, of="Winter/2024")
READERS = ("aussendienst", "aussendienst:süd", "aussendienst:zwei", "tueftlerei")
TODAY = date(2024, 12, 2)


def ask(house: House, key: str, record: str = f"list.{LIST}", days: int = 0) -> Trail:
    query = RecordQuery(record, key, TODAY - timedelta(days=days), TODAY)
    return record_trail.trail(house.viewer(AUDITOR), house.sources, query)


def said(found: Trail) -> list[tuple[str, str]]:
    """Who did what, the oldest first, without the questions of the test itself."""
    return [(line.name, line.did) for line in reversed(found.lines) if not line.did.startswith("Asked who")]


def viewer(house: House, who: str) -> Viewer:
    return replace(house.viewer(who), session_id=f"session of {who}")


def keys(house: House, who: str = "tueftlerei") -> list[str]:
    """The keys of a person's list in its published order, asked past the log."""
    found, question = leads.selection(house.viewer(who), house.sources, OPEN)
    rows = house.sources.lake.read(question, where=found.where).to_pylist()
    return [lead_query.key_text(found.model, row) for row in rows]


# ── every row that was given is found ─────────────────────────────────────────────────────────────


def some_query(rng: random.Random) -> LeadQuery:
    bands = tuple(rng.sample(["hoch", "mittel", "tief"], rng.choice([0, 0, 1, 2])))
    sort = rng.choice([(), (), (Order("score"),), (Order("ort"), Order("rank", True)), (Order("value", True),)])
    search = rng.choice(["", "", "haus 1", "rüti", "%", "'"])
    score = {"type": "inRange", "filter": 5, "filterTo": rng.randint(10, 90)}
    filters = rng.choice([None, None, {"score": score}, {"ort": {"type": "equals", "filter": "Zürich"}}])
    return LeadQuery(LIST, "Winter/2024", bands, search, sort, filters)


@dataclass
class Oracle:
    """What the services gave to whom, written down beside the log: by key, who read it and who exported it."""

    read: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    exported: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    may: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def act(self, house: House, rng: random.Random) -> None:
        """Somebody reads a block or exports a list, some of them through somebody else's eyes."""
        who, query = rng.choice(READERS), some_query(rng)
        eyes = viewer(house, who)
        if rng.random() < 0.25:
            who, eyes = AUDITOR, through_eyes_of(viewer(house, AUDITOR), eyes)
        elif rng.random() < 0.35 and "leads:export" in eyes.grants:
            text = "".join(exports.lead_csv(eyes, house.sources, query).chunks)
            for row in csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))):
                key = {"kennung": row["kennung"], "saison": row["saison"]}
                self.exported[lead_query.key_text(house.sources.workspace.models.models[LIST], key)][who] += 1
            return
        start, count = rng.choice([0, 0, 10, 30, 70]), rng.choice([5, 20])
        for row in leads.block(eyes, house.sources, query, start, count).rows:
            self.read[row.key].add(who)
        found, question = leads.selection(eyes, house.sources, query)
        reach = lead_reads.FIRST
        while reach < start + count:
            reach *= 2
        for row in house.sources.lake.read(question, where=found.where).to_pylist()[:reach]:
            self.may[lead_query.key_text(found.model, row)].add(who)


def scored_anew(house: House, seed: int) -> None:
    """Other data, published and scored: the runs before are the past now."""
    frame = build.contracts()
    frame["reklamationen"] = frame["reklamationen"].sample(frac=1, random_state=seed).to_numpy()
    for number, (_, part) in enumerate(frame.groupby("saison", sort=False)):
        part.to_parquet(house.sources.settings.lake / "vertraege" / f"saison-{number}.parquet", index=False)
    assert "vertraege" in refresh.refresh(house.sources).published
    assert instances.score(house.sources, LIST)


@pytest.mark.parametrize("seed", range(4))
def test_no_row_that_was_read_or_exported_is_missed(
    own_bakery: House, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Random people read random blocks and export random lists over two runs and two days. The trail of a record names
    exactly those who exported it, all who read it, and of the others only those within the reach that was written down.
    """
    monkeypatch.setattr(lead_reads, "FIRST", 10)
    rng, oracle = random.Random(seed), Oracle()
    for part in range(2):
        for _ in range(20):
            oracle.act(own_bakery, rng)
        own_bakery.sources.clock.move(timedelta(hours=2))
        if not part:
            scored_anew(own_bakery, seed)
    assert oracle.read and oracle.exported
    everyone = keys(own_bakery)
    assert set(oracle.may) <= set(everyone)
    for key in rng.sample(everyone, 40) + list(oracle.read)[:20]:
        found = ask(own_bakery, key)
        assert found.lost == () and found.retired == 0
        exported = Counter(line.name for line in found.lines if line.did.startswith("Exported"))
        assert exported == oracle.exported[key], key
        readers = {line.name for line in found.lines if line.may}
        assert oracle.read[key] <= readers, (key, "who was given the row must be named")
        assert readers <= oracle.may[key], (key, "nobody beyond the reach is named")


def test_a_place_is_the_one_in_the_list_as_it_was(own_bakery: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lead_reads, "FIRST", 10)
    rows = leads.block(viewer(own_bakery, "aussendienst"), own_bakery.sources, OPEN, 0, 5).rows
    sorted_ = replace(OPEN, sort=(Order("score"),))
    last = leads.block(viewer(own_bakery, "aussendienst"), own_bakery.sources, sorted_, 0, 5).rows
    scored_anew(own_bakery, 3)
    assert said(ask(own_bakery, rows[3].key)) == [
        ("aussendienst", "Read a list in which it stood at place 4 of the first 10")
    ]
    assert said(ask(own_bakery, last[0].key))[-1] == (
        "aussendienst", "Read a list in which it stood at place 1 of the first 10"
    )  # fmt: skip
    eleventh = keys(own_bakery, "aussendienst")
    assert len(eleventh) == 60, "the oracle of the next line is the list of the new run, which nobody read"
    line = next(line for line in ask(own_bakery, rows[3].key).lines if line.may)
    assert (line.where, line.through) == ("Kündigungsrisiko, Winter/2024, version 1", "")


def test_an_order_of_ones_own_is_walked_as_far_as_anybody_read(
    own_bakery: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same question was asked twice, far down first: the row of the far block is found, in that event only."""
    monkeypatch.setattr(lead_reads, "FIRST", 10)
    sorted_ = replace(OPEN, sort=(Order("score"),))
    for session_id, start in (("far", 30), ("near", 0)):
        eyes = replace(own_bakery.viewer("aussendienst"), session_id=session_id)
        rows = leads.block(eyes, own_bakery.sources, sorted_, start, 5).rows
        if start:
            key = rows[2].key
    assert said(ask(own_bakery, key)) == [("aussendienst", "Read a list in which it stood at place 33 of the first 40")]


def test_another_day_and_other_eyes_are_written_again(own_bakery: House) -> None:
    """A session that looks through two people's eyes reads two lists, and who reads on after midnight reads then."""
    admin = viewer(own_bakery, AUDITOR)
    for who in ("aussendienst", "aussendienst:süd"):
        leads.block(through_eyes_of(admin, own_bakery.viewer(who)), own_bakery.sources, OPEN, 0, 10)
    for who in ("aussendienst", "aussendienst:süd"):
        key = keys(own_bakery, who)[0]
        assert [(line.name, line.through) for line in ask(own_bakery, key).lines if line.may] == [(AUDITOR, who)]
    own_bakery.sources.clock.move(timedelta(days=1))
    leads.block(through_eyes_of(admin, own_bakery.viewer("aussendienst")), own_bakery.sources, OPEN, 0, 10)
    query = RecordQuery(f"list.{LIST}", keys(own_bakery, "aussendienst")[0], *[TODAY + timedelta(days=1)] * 2)
    found = record_trail.trail(own_bakery.viewer(AUDITOR), own_bakery.sources, query)
    assert [line.through for line in found.lines if line.may] == ["aussendienst"]


def test_what_was_done_to_the_record_itself(own_bakery: House) -> None:
    house, seller = own_bakery, viewer(own_bakery, "aussendienst")
    key, other = keys(house, "aussendienst")[:2]
    leads.lead(seller, house.sources, key, OPEN)
    leads.lead(seller, house.sources, other, OPEN)
    what_if.explore(seller, house.sources, WhatIfQuery(LIST, key))
    what_if.move(seller, house.sources, WhatIfQuery(LIST, key, {"lieferzeit": "3"}))
    what_if.write_moves(house.sources)
    assert said(ask(house, key)) == [
        ("aussendienst", "Opened it"),
        ("aussendienst", "Opened a what-if on it"),
        ("aussendienst", "Moved inputs of its what-if"),
    ]
    assert said(ask(house, other)) == [("aussendienst", "Opened it")]
    found = what_if.start_page(seller, house.sources, WhatIfQuery(LIST))
    started = {s.key for s in (*found.starts, *found.found)}
    for key in keys(house, "aussendienst"):
        names = [did for _, did in said(ask(house, key)) if did.startswith("Saw it among")]
        assert len(names) == (key in started)


def test_moves_that_were_written_after_midnight_belong_to_their_day(own_bakery: House) -> None:
    house, seller = own_bakery, viewer(own_bakery, "aussendienst")
    key = keys(house, "aussendienst")[0]
    house.sources.clock.move(timedelta(hours=14, minutes=59, seconds=50))
    what_if.move(seller, house.sources, WhatIfQuery(LIST, key, {"lieferzeit": "3"}))
    house.sources.clock.move(timedelta(seconds=30))
    what_if.write_moves(house.sources)
    assert said(ask(house, key)) == [("aussendienst", "Moved inputs of its what-if")]


def test_asked_by_dataset_every_list_with_the_record_counts(own_bakery: House) -> None:
    """The customer of a contract: its own key is a part of the list's."""
    house, seller = own_bakery, viewer(own_bakery, "aussendienst")
    key = keys(house, "aussendienst")[0]
    found, row = leads.find(seller, house.sources, key, OPEN)
    leads.lead(seller, house.sources, key, OPEN)
    leads.block(seller, house.sources, OPEN, 0, 5)
    with house.sources.store.read() as session:
        person = session.scalars(select(AuditEvent.person_id).where(AuditEvent.act == "lead.open")).first()
    assert found.name == LIST and person
    why.row(house.viewer(AUDITOR), house.sources, 2, "abnehmer", row["kennung"])
    assert said(ask(house, row["kennung"], "data.abnehmer")) == [
        ("aussendienst", "Opened it"),
        ("aussendienst", "Read a list in which it stood at place 1 of the first 60"),
        (AUDITOR, "Asked why somebody sees it"),
    ]
    with pytest.raises(InvalidQuery, match="The key must be"):
        ask(house, key + "~x", f"list.{LIST}")


# ── what is not known is said ─────────────────────────────────────────────────────────────────────


def test_a_run_whose_tables_are_gone_is_said_and_not_passed_over(own_bakery: House) -> None:
    house, seller = own_bakery, viewer(own_bakery, "aussendienst")
    key = keys(house, "aussendienst")[0]
    leads.block(seller, house.sources, OPEN, 0, 5)
    exports.lead_csv(seller, house.sources, OPEN)
    with house.sources.store.begin() as session:
        run = session.scalars(select(ScoreRun)).one()
        run.tables = {**run.tables, "scores": 99}
    found = ask(house, key)
    assert said(found) == []
    assert [(lost.name, lost.did, lost.where, lost.count) for lost in found.lost] == [
        ("aussendienst", "Exported a list", "Kündigungsrisiko, Winter/2024, version 1", 1),
        ("aussendienst", "Read a list", "Kündigungsrisiko, Winter/2024, version 1", 1),
    ]


@pytest.mark.parametrize("asked", [None, {}, {"run": 1}, {"run": "x", "where": "all", "filter": "all", "order": []}, 7])
def test_an_event_without_a_readable_question_is_lost_and_not_passed_over(own_bakery: House, asked: Any) -> None:
    leads.block(viewer(own_bakery, "aussendienst"), own_bakery.sources, OPEN, 0, 5)
    with own_bakery.sources.store.begin() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.act == "leads.open")).one()
        event.detail = {**event.detail, "asked": asked}
    assert [lost.count for lost in ask(own_bakery, keys(own_bakery)[0]).lost] == [1]


def test_events_that_were_emptied_are_counted(own_bakery: House) -> None:
    leads.block(viewer(own_bakery, "aussendienst"), own_bakery.sources, OPEN, 0, 5)
    with own_bakery.sources.store.begin() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.act == "leads.open")).one()
        event.emptied_at, event.detail = own_bakery.sources.clock(), {}
    found = ask(own_bakery, keys(own_bakery, "aussendienst")[0])
    assert (said(found), found.lost, found.retired) == ([], (), 1)


# ── who may ask, and what is told ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", BAKERY_PEOPLE)
def test_only_who_may_read_the_log_may_ask(bakery: House, who: str) -> None:
    query = RecordQuery(f"list.{LIST}", keys(bakery)[0], TODAY, TODAY)
    if who == AUDITOR:
        record_trail.trail(bakery.viewer(who), bakery.sources, query)
        return
    with pytest.raises(Forbidden):
        record_trail.trail(bakery.viewer(who), bakery.sources, query)
    with pytest.raises(Forbidden):
        record_trail.subjects(bakery.viewer(who), bakery.sources)


def test_the_question_is_an_act_and_the_answer_tells_no_value(own_bakery: House) -> None:
    key = keys(own_bakery, "aussendienst")[0]
    leads.block(viewer(own_bakery, "aussendienst"), own_bakery.sources, replace(OPEN, search="haus"), 0, 5)
    found = ask(own_bakery, key)
    with own_bakery.sources.store.read() as session:
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
    assert (last.act, last.resource, last.person) == ("audit.ask", f"{LIST}/{key}", email_of(AUDITOR))
    assert last.detail == {"kind": "list", "days": "2024-12-02 to 2024-12-02"}
    _, row = leads.find(own_bakery.viewer("aussendienst"), own_bakery.sources, key, OPEN)
    for column in ("betrieb", "telefon", "ort", "band"):
        assert str(row[column]) not in repr(replace(found, subject=None))  # type: ignore[type-var]
    assert "haus" not in repr([line.did for line in found.lines])


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (RecordQuery("list.nothing", "1", TODAY, TODAY), NotFound),
        (RecordQuery("", "1", TODAY, TODAY), NotFound),
        (RecordQuery(f"list.{LIST}", "", TODAY, TODAY), InvalidQuery),
        (RecordQuery(f"list.{LIST}", "only one part", TODAY, TODAY), InvalidQuery),
        (RecordQuery(f"list.{LIST}", "x~" + "y" * 600, TODAY, TODAY), InvalidQuery),
        (RecordQuery(f"list.{LIST}", "a~b\x00", TODAY, TODAY), InvalidQuery),
        (RecordQuery(f"list.{LIST}", "a~b", None, TODAY), InvalidQuery),
    ],
)
def test_what_cannot_be_asked_says_so(bakery: House, query: RecordQuery, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        record_trail.trail(bakery.viewer(AUDITOR), bakery.sources, query)


def test_an_address_is_a_query_and_back() -> None:
    query = RecordQuery("list.x", "Ä~1", date(2024, 1, 2), date(2024, 1, 3))
    assert query.to_url() == "?record=list.x&key=%C3%84~1&from=2024-01-02&to=2024-01-03"
    assert RecordQuery.from_url({"record": "list.x", "key": "Ä~1", "from": "2024-01-02", "to": "2024-01-03"}) == query
    with pytest.raises(InvalidQuery):
        RecordQuery.from_url({"from": "2024-01-03", "to": "2024-01-02"})


def test_a_record_that_nobody_saw_and_one_that_never_was_read_the_same(bakery: House) -> None:
    assert said(ask(bakery, "nobody~Winter/2024")) == []
