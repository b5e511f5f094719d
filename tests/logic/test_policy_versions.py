"""Policies are kept at start, once each, with an event that says in sentences what changed."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from data.tables import AuditEvent, PolicyVersion
from data.workspace import read_workspace
from services import policy_changes, policy_versions
from services.access import ACTIONS, ADDRESSES
from services.sources import Sources
from tests.bakery import build
from tests.house import House

SELLER_ROWS = "        rules: [{column: tour, attribute: tour}]\n    masks: {privacy: [sensitive]}"


def changed(sources: Sources, folder: Path, *swaps: tuple[str, str], file: str = "access.yml") -> Sources:
    """The same instance at a later start, with another text in one file."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(sources.settings.workspace, folder, dirs_exist_ok=True)
    text = (folder / file).read_text()
    for before, after in swaps:
        assert before in text, before
        text = text.replace(before, after, 1)
    (folder / file).write_text(text)
    workspace = read_workspace(folder, actions=ACTIONS, addresses=ADDRESSES)
    return replace(sources, settings=replace(sources.settings, workspace=folder), workspace=workspace)


def kept(sources: Sources) -> list[PolicyVersion]:
    with sources.store.read() as session:
        return list(session.scalars(select(PolicyVersion).order_by(PolicyVersion.id)))


def events(sources: Sources) -> list[AuditEvent]:
    with sources.store.read() as session:
        wanted = select(AuditEvent).where(AuditEvent.act == "policy.change").order_by(AuditEvent.id)
        return list(session.scalars(wanted))


def test_the_first_start_keeps_the_files_and_the_next_one_finds_them(own_bakery: House):
    sources = own_bakery.sources
    assert policy_versions.keep(sources) and not policy_versions.keep(sources)
    (version,) = kept(sources)
    assert version.digest == sources.workspace.fingerprint and version.at == sources.clock()
    assert version.files == {n: (build.WORKSPACE / n).read_text() for n in
                             ("lake.yml", "metrics.yml", "models.yml", "access.yml")}  # fmt: skip
    (event,) = events(sources)
    assert (event.person, event.resource) == ("lakelight", version.digest[:12])
    assert event.detail["changes"] == ["This is the first policy that was kept."]


def test_many_processes_that_start_at_once_keep_one_version(own_bakery: House):
    sources, ready = own_bakery.sources, threading.Barrier(8)
    made: list[bool] = []

    def start() -> None:
        ready.wait()
        made.append(policy_versions.keep(sources))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]
    assert len(kept(sources)) == len(events(sources)) == 1


def test_another_file_is_another_version_and_its_event_says_what_changed(own_bakery: House, tmp_path: Path):
    policy_versions.keep(own_bakery.sources)
    later = changed(own_bakery.sources, tmp_path / "w", ("'leads:export', ", ""))
    later.clock.move(timedelta(days=1))
    assert policy_versions.keep(later)
    assert [v.at for v in kept(later)] == [later.clock() - timedelta(days=1), later.clock()]
    assert events(later)[1].detail == {
        "files": ["access.yml"],
        "changes": ["Aussendienst may no longer take a list away as a file."],
    }
    assert policy_versions.keep(own_bakery.sources), "going back is a change as well"
    assert len(kept(later)) == 3


def test_files_that_changed_since_the_process_read_them_are_kept_by_the_next_start(own_bakery: House, tmp_path: Path):
    later = changed(own_bakery.sources, tmp_path / "w", ("'leads:export', ", ""))
    assert not policy_versions.keep(replace(own_bakery.sources, settings=later.settings))
    assert kept(later) == []


def test_a_database_that_is_not_ready_does_not_stop_a_start(own_bakery: House):
    with own_bakery.sources.store.begin() as session:
        session.execute(PolicyVersion.__table__.delete())
        session.connection().exec_driver_sql("drop table policy_versions")
    started = policy_versions.start(own_bakery.sources.settings)
    assert started.workspace.fingerprint == own_bakery.sources.workspace.fingerprint
    started.close()


SWAPS: list[tuple[list[tuple[str, str]], list[str]]] = [
    ([("'leads:read', 'leads:export'", "'leads:read', 'jobs:read'")],
     ["Aussendienst may now see what runs and ran.", "Aussendienst may no longer take a list away as a file."]),
    ([("label: Aussendienst", "label: Fahrer")], ["The role Aussendienst is called Fahrer now."]),
    ([("rules: [{column: tour, attribute: tour}]", "rules: [{column: tour, value: [Nord/See]}]")],
     ["Aussendienst sees rows of Abnehmer, Lieferungen and Verträge by the rule: Tour is Nord/See. "
      "It was: Tour is the person's tour."]),
    ([("masks: {privacy: [personal]}", "masks: {privacy: [personal], columns: [abnehmer.tour]}")],
     ["Tüftlerei no longer sees Tour of Abnehmer."]),
    ([("Süd & Tal, ", "")], ["Tour may no longer be Süd & Tal."]),
    ([("roles:\n", "smallest_cell: 9\nroles:\n")],
     ["The smallest group that an aggregate speaks of: 9; it was 5."]),
    ([("exports_an_hour: 100000", "exports_an_hour: 3")],
     ["Limits: exports an hour 3, rows a day 100,000,000, moves a minute 100,000; "
      "it was exports an hour 100,000, rows a day 100,000,000, moves a minute 100,000."]),
    ([("roles:\n", "retention: {taking: 90}\nroles:\n")],
     ["Days that events are kept: taking 90; it was none named."]),
]  # fmt: skip


@pytest.mark.parametrize(("swaps", "said"), SWAPS, ids=[s[1][0][:40] for s in SWAPS])
def test_a_change_in_sentences(own_bakery: House, tmp_path: Path, swaps, said):
    after = changed(own_bakery.sources, tmp_path / "w", *swaps)
    assert list(policy_changes.sentences(own_bakery.sources.workspace, after.workspace)) == said


def test_no_change_is_no_sentence(own_bakery: House):
    assert policy_changes.sentences(own_bakery.sources.workspace, own_bakery.sources.workspace) == ()
