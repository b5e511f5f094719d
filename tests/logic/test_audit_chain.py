"""The audit log under attack by somebody who may write to its database: the first changed record is named."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from data import audit_chain, audit_emptied, audit_log
from data.audit_chain import GENESIS
from data.store import Store
from data.tables import AuditEvent, AuditSeal
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


def sha(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()


DETAIL = json.dumps({"version": 3, "\u00fc": [1.5, None]}, separators=(",", ":"))


def test_the_first_link_is_the_hash_of_what_the_event_says(log):
    with log.store.read() as session:
        event, form = session.get(AuditEvent, 1), session.get(AuditSeal, 1).form
    content = sha(f'["{event.salt}","a@b.example","lead/0","",{DETAIL}]')
    said = f'["{GENESIS}",1,1,"2026-03-01T09:00:00.000000+00:00",1,"lead.open",true,"{content}"]'
    assert (form, re.fullmatch("[0-9a-f]{32}", event.salt) is not None) == (2, True)
    assert audit_chain.link(GENESIS, 1, event) == sha(said)


def test_an_event_of_an_older_lakelight_is_sealed_as_it_stands_and_verifies_as_before(tmp_path):
    log = Log(tmp_path)
    for number in range(3):
        log.act(START + timedelta(seconds=number), f"lead/{number}")
    log.sql("update audit_events set salt = ''")
    log.seal()
    with log.store.read() as session:
        seal, event = session.get(AuditSeal, 1), session.get(AuditEvent, 1)
    head = f'["{GENESIS}",1,1,"2026-03-01T09:00:00.000000+00:00",1,"a@b.example"'
    said = f'{head},"lead.open","lead/0",true,"",{DETAIL}]'
    assert (seal.form, seal.chain, event.salt) == (1, sha(said), "")
    log.write(3)
    assert log.broken() is None
    log.sql("update audit_events set resource = 'lead/9' where id = 2")
    assert log.broken().event_id == 2


@pytest.mark.attack("U-02")
@pytest.mark.parametrize(
    "change",
    ["at = '2026-03-01T09:00:04.000001+00:00'", "person_id = 2", "person_id = null", "person = 'c@d.example'",
     "act = 'lead.opened'", "resource = 'lead/40'", "allowed = 0", "reason = 'so'", "detail = '{}'", "salt = 'ab'"],
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


@pytest.mark.attack("U-02")
@pytest.mark.parametrize(("statements", "position", "sentence"), [a[1:] for a in ATTACKS], ids=[a[0] for a in ATTACKS])
def test_an_attack_is_named_at_its_first_record(log, statements, position, sentence):
    log.sql(*statements)
    found = log.broken()
    assert found is not None and found.position == position
    assert found.sentence.startswith(sentence)


@pytest.mark.attack("U-02")
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


# ── emptied events ────────────────────────────────────────────────────────────────────────────────

DAYS_AGO = START - timedelta(days=60)
CUT = (START - timedelta(days=40)).date().isoformat()


class OldLog(Log):
    """Four events of 60 days ago, of persons 1 and 2; what came later is written by the test."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for number, (act, person) in enumerate(
            [("lead.open", 1), ("sign_in", 2), ("leads.export", 2), ("person.change", 1)]
        ):
            with self.store.begin() as session:
                audit_log.record(
                    session, at=DAYS_AGO + timedelta(seconds=number), person_id=person, person=f"p{person}@b.example",
                    act=act, resource="p2@b.example" if act == "person.change" else f"thing/{number}",
                )  # fmt: skip
        self.seal()

    def empty(self, *ids: int, person: str = "") -> None:
        with self.store.begin() as session:
            for event in session.scalars(select(AuditEvent).where(AuditEvent.id.in_(ids))).all():
                audit_emptied.empty(event, audit_chain.content_hash(event), START, person)

    def accounts(self, act: str, at: datetime = LATER, **detail: object) -> None:
        with self.store.begin() as session:
            audit_log.record(session, at=at, person_id=None, person="lakelight", act=act, detail=detail)


@pytest.fixture
def old(tmp_path: Path) -> OldLog:
    return OldLog(tmp_path)


def test_emptied_events_keep_the_chain_where_a_retention_accounts_for_them(old):
    old.accounts("audit.retain", acts=["lead.open", "sign_in"], before=CUT)
    old.empty(1, 2)
    assert old.broken() is None, "the worker is about to seal it"
    old.seal()
    assert old.broken() is None
    with old.store.read() as session:
        event = session.get(AuditEvent, 1)
    assert (event.person, event.resource, event.detail, event.salt) == ("", "", {}, "")
    assert (event.person_id, event.act, event.allowed, event.at) == (1, "lead.open", True, DAYS_AGO)


def test_an_event_that_was_emptied_by_hand_is_named(old):
    old.empty(2)
    found = old.broken()
    assert (found.position, found.event_id) == (2, 2)
    assert found.sentence == "Event 2 was emptied, and no later event of the log accounts for it."


@pytest.mark.parametrize(
    "account",
    [
        ("audit.retain", LATER, {"acts": ["lead.open"], "before": CUT}),
        ("audit.retain", LATER, {"acts": ["sign_in"], "before": (DAYS_AGO.date()).isoformat()}),
        ("audit.retain", LATER, {"acts": ["sign_in"], "before": "soon"}),
        ("audit.retain", LATER, {"acts": "sign_in", "before": CUT}),
        ("audit.retain", DAYS_AGO + timedelta(days=20), {"acts": ["sign_in"], "before": "2026-01-10"}),
        ("person.erase", LATER, {"person": 1}),
        ("person.erase", LATER, {"person": 2, "kept": ["sign_in"]}),
        ("person.erase", LATER, {"person": "2"}),
        ("person.erase", LATER, {"person": 3, "about": [1, 3]}),
    ],
    ids=["another act", "the day of the cut-off", "no day", "no list", "less than thirty days", "another person",
         "an act that it left", "no number", "other events"],
)  # fmt: skip
def test_what_does_not_cover_an_emptied_event_does_not_account_for_it(old, account):
    act, at, detail = account
    old.accounts(act, at, **detail)
    old.empty(2)
    old.seal()
    assert old.broken().event_id == 2 and "no later event" in old.broken().sentence


def test_an_erasure_accounts_for_the_person_and_for_what_was_about_them_only(old):
    old.accounts("person.erase", person=2, about=[4], kept=["leads.export"])
    old.empty(2, person="erased-2")
    old.empty(4)
    old.seal()
    assert old.broken() is None
    old.empty(3, person="erased-2")
    assert old.broken().event_id == 3, "what the erasure left cannot be emptied behind its back"


def test_what_came_after_an_erasure_is_not_covered_by_it(old):
    old.accounts("person.erase", person=1)
    old.seal()
    old.act(LATER + timedelta(seconds=1), "lead/5")
    old.seal()
    assert old.broken() is None
    old.empty(6)
    assert old.broken().event_id == 6


@pytest.mark.parametrize("change", ["resource = 'lead/1'", "person = 'p9@b.example'", "person = 'erased-9'",
                                    "reason = 'so'", "detail = '{\"a\": 1}'", "salt = 'ab'"])  # fmt: skip
def test_an_emptied_event_cannot_be_filled_with_other_words(old, change):
    old.accounts("person.erase", person=2)
    old.empty(2)
    old.seal()
    old.sql(f"update audit_events set {change} where id = 2")
    assert old.broken().sentence == "Event 2 says that it was emptied, and it was not."


@pytest.mark.parametrize("change", [f"content = '{'a' * 64}'", "at = '2025-12-31T09:00:01.5+00:00'", "person_id = 1",
                                    "act = 'sign_out'", "allowed = 0"])  # fmt: skip
def test_what_is_left_of_an_emptied_event_cannot_be_changed(old, change):
    old.accounts("audit.retain", acts=["sign_in", "sign_out"], before=CUT)
    old.empty(2)
    old.seal()
    old.sql(f"update audit_events set {change} where id = 2")
    assert old.broken().sentence == "Event 2, its place or its seal was changed."


def test_what_accounts_for_emptied_events_is_never_emptied_itself(old):
    old.accounts("audit.retain", at=DAYS_AGO + timedelta(minutes=1), acts=["sign_in"], before="2025-11-01")
    old.seal()
    old.accounts("audit.retain", acts=["audit.retain"], before=CUT)
    old.empty(5)
    old.seal()
    assert old.broken().event_id == 5


def test_a_retention_accounts_for_earlier_places_only():
    event = AuditEvent(id=7, at=DAYS_AGO, act="sign_in", person_id=2)
    accounts = audit_emptied.Accounts({"sign_in": (START, 3)}, {}, {})
    assert [accounts.cover(event, position) for position in (2, 3, 4)] == [True, False, False]


def test_an_event_of_an_older_lakelight_cannot_be_emptied(tmp_path):
    old = OldLog(tmp_path)
    old.sql("update audit_events set salt = ''", "delete from audit_seals")
    old.anchors.clear()
    old.accounts("person.erase", person=2)
    old.seal()
    assert old.broken() is None
    old.empty(2)
    assert old.broken().event_id == 2


# ── the file of anchors, the worker, the terminal ─────────────────────────────────────────────────


def test_the_worker_seals_what_was_committed_and_anchors_it_outside_the_database(own_bakery: House):
    sources, file = own_bakery.sources, own_bakery.sources.settings.audit_anchor
    end = audit_seals.seal(sources)
    assert end > 0 and re.fullmatch(rf"{end} [0-9a-f]{{64}}\n", file.read_text())
    assert audit_seals.seal(sources) == 0 and file.read_text().count("\n") == 1
    own_bakery.sign_in("aussendienst")
    later = audit_seals.seal(sources)
    assert later > end and file.read_text().count("\n") == 2
    found = audit_seals.verify(operator(), sources)
    assert (found.sealed, found.anchored, found.problem) == (later, later, "")


def test_who_may_not_read_the_log_may_not_verify_it(own_bakery: House):
    with pytest.raises(Forbidden):
        audit_seals.verify(own_bakery.viewer("aussendienst"), own_bakery.sources)


@pytest.mark.attack("U-02")
def test_a_log_whose_anchors_are_gone_or_cut_says_so(own_bakery: House):
    sources, file = own_bakery.sources, own_bakery.sources.settings.audit_anchor
    audit_seals.seal(sources)
    whole = file.read_text()
    file.write_text(whole + "123 abc")
    assert audit_seals.verify(operator(), sources).problem == "", "a crash may cut off the last line"
    own_bakery.sign_in("aussendienst")
    later = audit_seals.seal(sources)
    found = audit_seals.verify(operator(), sources)
    assert (found.sealed, found.anchored, found.problem) == (later, later, "")
    file.unlink()
    assert "are gone" in audit_seals.verify(operator(), sources).problem
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Unavailable, match="cannot be read"):
        audit_seals.verify(operator(), sources)
    file.write_text(whole.replace(whole.split()[1][:4], "0000", 1))
    assert "another one than was anchored" in audit_seals.verify(operator(), sources).problem
