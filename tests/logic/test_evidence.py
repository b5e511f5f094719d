"""The evidence pack: what was so at the day's end, same bytes for the same state, safe in a spreadsheet, audited."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from data import people as people_table
from data.tables import AuditEvent
from services import accounts, audit_changes, audit_seals, evidence, evidence_files, people, policy_versions, reviews
from services.access import through_eyes_of, viewer_of
from services.errors import Forbidden, InvalidQuery
from services.evidence import Evidence
from tests.house import PASSWORD, House, email_of
from tests.instances import BAKERY_PEOPLE

ADMIN, SELLER, DAY = "hauswart", "aussendienst", date(2024, 12, 2)


@pytest.fixture
def house(own_bakery: House) -> House:
    """A bakery whose policy is kept and whose log is sealed."""
    policy_versions.keep(own_bakery.sources)
    audit_seals.seal(own_bakery.sources)
    return own_bakery


def pack(house: House, day: date | None = DAY) -> Evidence:
    return evidence.pack(house.viewer(ADMIN), house.sources, day)


def number_of(house: House, who: str) -> int:
    with house.sources.store.read() as session:
        return people_table.by_email(session, email_of(who)).id


def test_people_and_what_they_could_do_are_those_of_the_days_end(house: House) -> None:
    """The oracle is the policy of the bakery as its file says it, person by person."""
    found = pack(house)
    roles = house.sources.workspace.access.roles
    assert {p.name: p.grants for p in found.people} == {
        who: frozenset(roles[role].actions) for who, (role, _) in BAKERY_PEOPLE.items()
    }
    assert found.digest == house.sources.workspace.fingerprint and not found.missing
    house.sources.clock.move(timedelta(days=1))
    people.change_person(
        house.viewer(ADMIN), house.sources, number_of(house, SELLER), name=SELLER, role="tueftlerei", attributes={}
    )
    people.set_active(house.viewer(ADMIN), house.sources, number_of(house, "leitung"), False)
    then = {p.name: (p.role, p.active, bool(p.grants)) for p in pack(house).people}
    assert then[SELLER] == ("Aussendienst", True, True) and then["leitung"] == ("Geschäftsleitung", True, True)
    now = {p.name: (p.role, p.active, bool(p.grants)) for p in pack(house, None).people}
    assert now[SELLER] == ("Tüftlerei", True, True) and now["leitung"] == ("Geschäftsleitung", False, False)
    assert [c.said for c in pack(house, None).changes.lines] == ["Changed a person", "Disabled a person"]
    assert "Changed a person" not in [c.said for c in pack(house).changes.lines]


def test_reviews_are_those_until_the_days_end(house: House) -> None:
    with house.sources.store.read() as session:
        mark = reviews.state_mark(people_table.by_email(session, email_of(SELLER)))
    house.sources.clock.move(timedelta(days=1))
    reviews.confirm(house.viewer(ADMIN), house.sources, number_of(house, SELLER), seen=mark, note="fine")
    before = next(p for p in pack(house).people if p.name == SELLER)
    after = next(p for p in pack(house, None).people if p.name == SELLER)
    assert (before.reviewed_at, before.due) == (None, "Nobody has reviewed it yet.")
    assert (after.reviewed_by, after.note, after.due) == (ADMIN, "fine", "")


def test_models_and_who_let_them_through(house: House) -> None:
    found = pack(house)
    (model,) = found.models
    assert (model.model, model.registered, model.version) == ("kuendigung", "Kündigung (Verträge)", "1")
    assert [(d.of, d.version, d.what, d.by) for d in found.decided] == [
        ("Kündigung (Verträge)", "1", "admitted", "Lakelight"),
        ("kuendigung", "1", "scores published", "Lakelight"),
    ]
    before = evidence.pack(house.viewer(ADMIN), house.sources, DAY - timedelta(days=1))
    assert (before.people, before.decided, [m.version for m in before.models]) == ((), (), [""])
    assert before.missing == "No policy was kept of that day: who could do what cannot be told."
    assert before.actions == () and before.roles == ()


def test_the_chain_is_verified_and_a_change_is_named(house: House) -> None:
    found = pack(house)
    assert found.chain_problem == "" and found.chain.anchored == found.chain.sealed > 0
    anchor = house.sources.settings.audit_anchor.read_text().splitlines()[-1]
    assert anchor == f"{found.chain.anchored} {found.chain.anchor}"
    with house.sources.store.begin() as session:
        event = session.scalars(select(AuditEvent).order_by(AuditEvent.id).limit(1)).one()
        event.resource = "somebody else"
    assert f"Event {event.id}" in evidence.chain_words(pack(house))


# ── what is taken away ────────────────────────────────────────────────────────────────────────────


def test_the_same_state_gives_the_same_bytes_and_the_manifest_names_every_file(house: House) -> None:
    files = evidence_files.files_of(pack(house))
    content = evidence_files.zipped(files, DAY)
    house.sources.clock.move(timedelta(hours=3))
    assert content == evidence_files.zipped(evidence_files.files_of(pack(house)), DAY)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        held = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(held.pop("manifest.json"))
    assert manifest["files"] == {n: {"sha256": hashlib.sha256(c).hexdigest(), "bytes": len(c)} for n, c in held.items()}
    assert set(held) == {
        "changes.csv", "chain.json", "model-decisions.csv", "models.csv", "people-and-actions.csv", "policy.txt",
        "policy/access.yml", "policy/lake.yml", "policy/metrics.yml", "policy/models.yml", "reviews.csv",
    }  # fmt: skip
    workspace = house.sources.settings.workspace
    assert held["policy/access.yml"] == (workspace / "access.yml").read_bytes()


def test_the_pack_holds_every_change_and_says_how_many(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_changes, "MOST", 3)
    files = evidence_files.files_of(pack(house))
    assert files["changes.csv"].count(b"Added a person") == 7
    assert json.loads(files["manifest.json"])["changes"] == {"listed": 8, "kept_without_content": 0}


def test_a_cell_is_no_formula_and_the_matrix_is_the_policy(house: House) -> None:
    accounts.create(
        house.sources, email="x@people.example", name="=1+1", role="leitung", attributes={}, password=PASSWORD
    )
    text = evidence_files.files_of(pack(house))["people-and-actions.csv"].decode().removeprefix("\ufeff")
    rows = {row["e_mail"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows["x@people.example"]["person"] == "'=1+1"
    for who, (role, _) in BAKERY_PEOPLE.items():
        mine = rows[email_of(who)]
        actions = set(house.sources.workspace.access.roles[role].actions)
        assert {k for k, v in mine.items() if v == "yes"} - {"may_sign_in"} == actions


def test_taking_is_an_act_with_the_manifests_digest(house: House) -> None:
    taken = evidence_files.take(house.viewer(ADMIN), house.sources, DAY)
    with zipfile.ZipFile(io.BytesIO(taken.content)) as archive:
        digest = hashlib.sha256(archive.read("manifest.json")).hexdigest()
    with house.sources.store.read() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.act == "evidence.take")).one()
    assert (taken.filename, event.resource) == ("evidence-2024-12-02.zip", "2024-12-02")
    assert (event.person, event.detail) == (email_of(ADMIN), {"files": 12, "manifest": digest})


# ── who may ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", [w for w in BAKERY_PEOPLE if w != ADMIN])
def test_only_who_reads_the_log_and_the_policy(bakery: House, who: str) -> None:
    for ask in (evidence.pack, evidence_files.take):
        with pytest.raises(Forbidden):
            ask(bakery.viewer(who), bakery.sources, DAY)


@pytest.mark.parametrize("lacking", ["audit:read", "policy:read"])
def test_one_right_of_the_two_is_not_enough(bakery: House, lacking: str) -> None:
    from dataclasses import replace

    viewer = bakery.viewer(ADMIN)
    half = replace(viewer, grants=viewer.grants - {lacking})
    for ask in (evidence.pack, evidence_files.take):
        with pytest.raises(Forbidden):
            ask(half, bakery.sources, DAY)


def test_from_another_view_it_is_read_and_not_taken(house: House) -> None:
    looker = viewer_of(house.sources.workspace, person_id=99, name="x", email="x@x", role="hauswart", attributes={})
    eyes = through_eyes_of(looker, house.viewer(ADMIN))
    assert evidence.pack(eyes, house.sources, DAY).people
    with pytest.raises(Forbidden):
        evidence_files.take(eyes, house.sources, DAY)
    with house.sources.store.read() as session:
        assert session.scalars(select(AuditEvent).where(AuditEvent.act == "evidence.take")).all() == []


def test_a_day_to_come_and_a_day_that_is_none(bakery: House) -> None:
    with pytest.raises(InvalidQuery, match="must not lie ahead"):
        evidence.pack(bakery.viewer(ADMIN), bakery.sources, DAY + timedelta(days=1))
    with pytest.raises(InvalidQuery):
        evidence.day_of("2024-13-01")
