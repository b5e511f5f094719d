"""Publication by the worker: what changed is published, what is broken held back, what is being made waited for."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy import delete

from data import jobs as job_log
from data import publications
from data.publication import Rejected
from data.questions import Everything, Select, Table
from data.tables import Publication
from services import jobs, locks, refresh, runs, schedule, score_runs
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
