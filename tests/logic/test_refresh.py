"""Publication by the worker: what changed is published, what is broken held back, what is being made waited for."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import delete

from data import jobs as job_log
from data import publication, publications
from data.publication import Rejected
from data.questions import Everything, Select, Table
from data.tables import Publication
from services import job_work, jobs, locks, refresh, runs, schedule, score_runs
from services.sources import Sources
from tests import instances
from tests.house import House


@pytest.fixture
def sources(own_bakery: House) -> Sources:
    return own_bakery.sources


def spoiled(sources: Sources) -> bytes:
    """Break the customers' file; gives what it was."""
    file = sources.settings.lake / "stamm" / "abnehmer.parquet"
    whole = file.read_bytes()
    file.write_bytes(b"PAR1 half a file")
    return whole


def held(sources: Sources) -> list[str]:
    with sources.store.read() as session:
        return [q.dataset for q in publications.open_quarantine(session)]


def test_a_broken_file_is_held_back_and_the_others_are_published(sources: Sources):
    spoiled(sources)
    file = sources.settings.lake / "vertraege" / "saison-4.parquet"
    file.write_bytes(file.read_bytes())
    done = refresh.refresh(sources)
    assert [name for name, _ in done.held_back] == ["abnehmer"]
    assert "vertraege" in done.published and held(sources) == ["abnehmer"]
    with sources.store.read() as session:
        assert publications.current(session, "abnehmer") is not None


def test_a_file_put_back_as_it_was_is_well_again(sources: Sources):
    whole = spoiled(sources)
    refresh.refresh(sources)
    file = sources.settings.lake / "stamm" / "abnehmer.parquet"
    file.write_bytes(whole)
    assert "abnehmer" in refresh.refresh(sources).published
    assert held(sources) == []


def at_work(sources: Sources) -> list[str]:
    """Look and do what is due for the lake until nothing is; gives the state and the message of each job."""
    ended = []
    while due := [i for i in schedule.enqueue_due(sources) if i.startswith("publish-")]:
        for job_id in due:
            job_work.run(sources, job_id)
            ended.append(": ".join(jobs.state_of(sources, job_id)[::2]))
    return ended


BROKEN = (
    "failed: Abnehmer is held back: abnehmer.parquet is damaged or only half written and cannot be read. "
    "Correct the file; it is checked again by itself."
)


def test_a_file_put_back_with_its_old_time_is_well_again_each_time(sources: Sources):
    file = sources.settings.lake / "stamm" / "abnehmer.parquet"
    before = file.stat()
    for again in range(2):
        whole = spoiled(sources)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000 * (again + 1)))
        assert at_work(sources) == [BROKEN] and held(sources) == ["abnehmer"]
        file.write_bytes(whole)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert at_work(sources) == ["done: Nothing had changed."] and held(sources) == []
    assert refresh.changed(sources) == {}


def test_a_file_that_could_not_be_read_is_read_again_though_it_looks_the_same(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
):
    file = sources.settings.lake / "stamm" / "abnehmer.parquet"
    os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns + 1))
    with monkeypatch.context() as locked:
        locked.setattr(publication, "_read_whole", unreadable)
        assert at_work(sources) == [BROKEN]
    assert at_work(sources) == [], "it is tried again later"
    sources.clock.move(schedule.FIRST_WAIT)
    (said,) = at_work(sources)
    assert said.startswith("done: Abnehmer published.") and held(sources) == []


def unreadable(_connection: duckdb.DuckDBPyConnection, _dataset: object, *, file: Path, own: list[str]) -> None:
    """Read a file whose rights do not let it be read."""
    if file.name == "abnehmer.parquet":
        raise publication._Wrong(file.name, f"{file.name} is damaged or only half written and cannot be read.")


def test_a_file_that_stays_bad_is_tried_four_times_and_no_more(sources: Sources):
    spoiled(sources)
    tried = 0
    for _ in range(200):
        tried += len(at_work(sources))
        sources.clock.move(timedelta(hours=1))
    assert tried == schedule.ATTEMPTS and held(sources) == ["abnehmer"]


def test_while_the_demo_is_made_a_broken_file_is_waited_for_and_judged_afterwards(sources: Sources):
    spoiled(sources)
    with locks.held(sources.settings.instance, locks.BUILD):
        jobs.begin_build(sources)
        assert refresh.refresh_dataset(sources, "abnehmer") == "awaited"
        assert held(sources) == []
        (during,) = schedule.enqueue_due(sources)
        with sources.store.begin() as session:
            job_log.change(session, during, state="done")
        jobs.end_build(sources)
    (after,) = schedule.enqueue_due(sources)
    assert after != during
    assert isinstance(refresh.refresh_dataset(sources, "abnehmer"), Rejected)


def test_nothing_is_due_for_a_file_that_is_still_to_come(sources: Sources):
    (sources.settings.lake / "stamm" / "abnehmer.parquet").unlink()
    with sources.store.begin() as session:
        session.execute(delete(Publication).where(Publication.dataset == "abnehmer"))
    assert "abnehmer" in refresh.changed(sources)
    with locks.held(sources.settings.instance, locks.BUILD):
        jobs.begin_build(sources)
        assert "abnehmer" not in refresh.changed(sources)


def test_a_published_folder_that_was_lost_is_published_again_under_a_new_number(sources: Sources):
    with sources.store.read() as session:
        before = publications.current(session, "abnehmer")
    assert before is not None and schedule.enqueue_due(sources) == ()
    first = sources.lake.read(Select(Table("abnehmer", before.version), ("kennung",)), where=Everything())
    shutil.rmtree(sources.settings.published / "abnehmer")
    assert [i.split("-")[0] for i in schedule.enqueue_due(sources)] == ["publish"]
    assert "abnehmer" in refresh.refresh(sources).published
    with sources.store.read() as session:
        after = publications.current(session, "abnehmer")
    assert after is not None and after.version > before.version
    again = sources.lake.read(Select(Table("abnehmer", after.version), ("kennung",)), where=Everything())
    assert again.equals(first)
    assert refresh.refresh(sources).published == ()


def test_scores_that_were_lost_are_made_again_under_a_new_number(sources: Sources):
    before = runs.current_run(sources, "kuendigung")
    assert before is not None and score_runs.wanted(sources, "kuendigung") is None
    shutil.rmtree(sources.settings.published / "explanations_kuendigung")
    assert "rows scored" in instances.score(sources, "kuendigung")
    after = runs.current_run(sources, "kuendigung")
    assert after is not None and after.explanations.version > before.explanations.version
    assert sources.lake.schema(after.explanations).names
    assert score_runs.wanted(sources, "kuendigung") is None
