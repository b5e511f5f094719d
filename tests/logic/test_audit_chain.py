"""The audit log under attack by somebody who may write to its database: the first changed record is named."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from data import audit_chain, audit_log
from data.audit_chain import GENESIS
from data.store import Store
from data.tables import AuditEvent
from services import audit_seals
from services.errors import Forbidden, Unavailable
from services.operator import operator
from tests.house import House

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
LATER = START + timedelta(hours=1)


class Log:
    """An audit log of its own, sealed after every third event."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(f"sqlite:///{folder / 'app.db'}")
        self.store.migrate()
        self.anchors: list[audit_chain.Anchor] = []

    def write(self, count: int = 9) -> Log:
        for number in range(count):
            self.act(START + timedelta(seconds=number), f"lead/{number}")
            if number % 3 == 2:
                self.seal()
        return self

    def act(self, at: datetime, resource: str) -> None:
        with self.store.begin() as session:
            audit_log.record(
                session, at=at, person_id=1, person="a@b.example", act="lead.open", resource=resource,
                detail={"version": 3, "ü": [1.5, None]},
            )  # fmt: skip

    def seal(self, *, anchored: bool = True) -> None:
        with self.store.begin() as session:
            end = audit_chain.seal(session, LATER)
        if end and anchored:
            self.anchors.append(end)

    def sql(self, *statements: str) -> None:
        with self.store.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def broken(self) -> audit_chain.Broken | None:
        with self.store.read() as session:
            return audit_chain.first_broken(session, self.anchors, LATER)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path).write()


def test_a_log_that_nobody_touched_is_whole(log):
    assert log.broken() is None
    assert [a.position for a in log.anchors] == [3, 6, 9]
    log.seal()
    assert [a.position for a in log.anchors] == [3, 6, 9]


def test_a_long_log_is_sealed_and_walked_in_parts(log):
    with log.store.begin() as session:
        for number in range(9, 2_500):
            audit_log.record(
                session, at=START + timedelta(seconds=number), person_id=1, person="a@b.example", act="lead.open",
                resource=f"lead/{number}",
            )  # fmt: skip
    for _ in range(4):
        log.seal()
    assert [a.position for a in log.anchors] == [3, 6, 9, 1_009, 2_009, 2_500]
    assert log.broken() is None
    log.sql("update audit_events set person = 'c@d.example' where id = 2100")
    assert log.broken().event_id == 2_100


def test_the_first_link_is_the_hash_of_what_the_event_says(log):
    with log.store.read() as session:
        event = session.get(AuditEvent, 1)
    said = (
        '["' + GENESIS + '",1,1,"2026-03-01T09:00:00.000000+00:00",1,"a@b.example","lead.open","lead/0",true,"",'
        + json.dumps({"version": 3, "\u00fc": [1.5, None]}, separators=(",", ":")) + "]"
    )  # fmt: skip
    assert audit_chain.link(GENESIS, 1, event) == hashlib.sha256(said.encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    ["at = '2026-03-01T09:00:04.000001+00:00'", "person_id = 2", "person_id = null", "person = 'c@d.example'",
     "act = 'lead.opened'", "resource = 'lead/40'", "allowed = 0", "reason = 'so'", "detail = '{}'"],
)  # fmt: skip
def test_a_changed_word_is_found_at_its_event(log, change):
    log.sql(f"update audit_events set {change} where id = 5")
    found = log.broken()
    assert (found.position, found.event_id) == (5, 5)
    assert found.sentence == "Event 5, its place or its seal was changed."


ATTACKS: list[tuple[str, list[str], int, str]] = [
    ("an event is removed", ["delete from audit_events where id = 5"], 5, "Event 5 was removed."),
    ("the last event is removed", ["delete from audit_events where id = 9"], 9, "Event 9 was removed."),
    ("an event and its seal are removed",
     ["delete from audit_events where id = 5", "delete from audit_seals where position = 5"], 5,
     "The seal at 5 is missing."),
    ("all later places move up",
     ["delete from audit_events where id = 5", "delete from audit_seals where position = 5",
      "update audit_seals set position = position - 1 where position > 5"], 5, "Event 6, its place or its seal"),
    ("two events change places",
     ["update audit_seals set event_id = -1 where position = 4",
      "update audit_seals set event_id = 4 where position = 5",
      "update audit_seals set event_id = 5 where position = 4"], 4, "Event 5, its place or its seal"),
    ("what two events say changes places",
     ["update audit_events set id = -1 where id = 4", "update audit_events set id = 4 where id = 5",
      "update audit_events set id = 5 where id = -1"], 4, "Event 4, its place or its seal"),
    ("a seal is changed", ["update audit_seals set chain = '" + "a" * 64 + "' where position = 6"], 6, "Event 6, its"),
    ("the end is cut off",
     ["delete from audit_events where id > 7", "delete from audit_seals where position > 7"], 8,
     "The chain ends at 7; it went on to 9: it was cut off."),
    ("everything is cut off", ["delete from audit_events", "delete from audit_seals"], 1,
     "The chain ends at 0; it went on to 9"),
]  # fmt: skip


@pytest.mark.parametrize(("statements", "position", "sentence"), [a[1:] for a in ATTACKS], ids=[a[0] for a in ATTACKS])
def test_an_attack_is_named_at_its_first_record(log, statements, position, sentence):
    log.sql(*statements)
    found = log.broken()
    assert found is not None and found.position == position
    assert found.sentence.startswith(sentence)


def test_a_whole_new_chain_is_not_the_anchored_one(log):
    log.sql("update audit_events set resource = 'lead/99' where id = 2", "delete from audit_seals")
    log.seal(anchored=False)
    found = log.broken()
    assert (found.position, found.sentence) == (
        3, "The chain at 3 is another one than was anchored: it was made anew up to here."
    )  # fmt: skip
    log.anchors.clear()
    assert log.broken() is None, "without an anchor nothing shows it: that is why they are kept elsewhere"


def test_an_event_that_is_slipped_in_between_is_found_before_and_after_it_is_sealed(log):
    log.act(START + timedelta(seconds=4), "lead/slipped")
    found = log.broken()
    assert (found.position, found.event_id) == (10, 10) and "is not sealed" in found.sentence
    log.act(START + timedelta(minutes=30), "lead/later")
    log.seal()
    assert log.broken() is None, "a few seconds are within what clocks differ by"
    log.act(START - timedelta(hours=2), "lead/yesterday")
    log.seal()
    found = log.broken()
    assert found.event_id == 12 and "carries a time before that of event 11" in found.sentence


def test_an_event_that_was_committed_late_is_sealed_behind_later_ones(log):
    with log.store.begin() as session:
        session.add(AuditEvent(id=30, at=START, person="x", act="lead.open"))
    log.seal()
    with log.store.begin() as session:
        session.add(AuditEvent(id=25, at=START, person="x", act="lead.open"))
    log.seal()
    assert log.broken() is None
    assert log.anchors[-1].position == 11


# ── the file of anchors, the worker, the terminal ─────────────────────────────────────────────────


def test_the_worker_seals_what_was_committed_and_anchors_it_outside_the_database(own_bakery: House):
    sources, file = own_bakery.sources, own_bakery.sources.settings.audit_anchor
    end = audit_seals.seal(sources)
    assert end > 0 and re.fullmatch(rf"{end} [0-9a-f]{{64}}\n", file.read_text())
    assert audit_seals.seal(sources) == 0 and file.read_text().count("\n") == 1
    own_bakery.sign_in("aussendienst")
    later = audit_seals.seal(sources)
    assert later > end and file.read_text().count("\n") == 2
    assert audit_seals.verify(operator(), sources) == audit_seals.Verified(later, later, "")


def test_who_may_not_read_the_log_may_not_verify_it(own_bakery: House):
    with pytest.raises(Forbidden):
        audit_seals.verify(own_bakery.viewer("aussendienst"), own_bakery.sources)


def test_a_log_whose_anchors_are_gone_or_cut_says_so(own_bakery: House):
    sources, file = own_bakery.sources, own_bakery.sources.settings.audit_anchor
    audit_seals.seal(sources)
    whole = file.read_text()
    file.write_text(whole + "123 abc")
    assert audit_seals.verify(operator(), sources).problem == "", "a crash may cut off the last line"
    own_bakery.sign_in("aussendienst")
    later = audit_seals.seal(sources)
    assert audit_seals.verify(operator(), sources) == audit_seals.Verified(later, later, "")
    file.unlink()
    assert "are gone" in audit_seals.verify(operator(), sources).problem
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Unavailable, match="cannot be read"):
        audit_seals.verify(operator(), sources)
    file.write_text(whole.replace(whole.split()[1][:4], "0000", 1))
    assert "another one than was anchored" in audit_seals.verify(operator(), sources).problem
