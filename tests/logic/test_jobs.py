"""Jobs as people see and steer them, and the rights that are looked at again when a job runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from data.tables import AuditEvent, Person, ScoreRun
from services import job_work, jobs, score_runs
from services.access import Viewer
from services.errors import Forbidden, InvalidQuery, NotFound
from services.operator import operator
from services.sources import Sources
from tests.house import House, email_of

MODEL = "kuendigung"
KEEPER = "hauswart"


@pytest.fixture
def sources(own_bakery: House) -> Sources:
    return own_bakery.sources


def keeper(house: House) -> Viewer:
    """The one who may run jobs, with the id of the person in the database."""
    with house.sources.store.read() as session:
        person = session.scalar(select(Person).where(Person.email == email_of(KEEPER)))
    assert person is not None
    found = house.viewer(KEEPER)
    assert found.person_id == person.id and "jobs:run" in found.grants
    return found


def acts(sources: Sources) -> list[tuple[str, str, bool]]:
    with sources.store.read() as session:
        found = session.scalars(select(AuditEvent).where(AuditEvent.act.startswith("job.")).order_by(AuditEvent.id))
        return [(e.person, e.act, e.allowed) for e in found]


@pytest.mark.attack("U-04")
def test_a_job_and_its_event_are_written_together(own_bakery: House):
    job_id = jobs.start(keeper(own_bakery), own_bakery.sources, "score", MODEL)
    assert jobs.state_of(own_bakery.sources, job_id) == ("waiting", 0, "Waits for the worker.")
    assert acts(own_bakery.sources) == [(email_of(KEEPER), "job.start", True)]


def test_the_same_work_is_queued_once_while_it_is_open(own_bakery: House):
    viewer, sources = keeper(own_bakery), own_bakery.sources
    first = jobs.start(viewer, sources, "score", MODEL)
    assert jobs.start(viewer, sources, "score", MODEL) == first
    job_work.begin(sources, first)
    assert jobs.start(viewer, sources, "score", MODEL) == first
    job_work.end(sources, first, [])
    assert jobs.start(viewer, sources, "score", MODEL) != first


def test_what_is_no_job_is_refused_with_what_is(own_bakery: House):
    viewer, sources = keeper(own_bakery), own_bakery.sources
    with pytest.raises(InvalidQuery, match="must be one of publish, sync, score, got build"):
        jobs.start(viewer, sources, "build")
    with pytest.raises(InvalidQuery, match="must be one of kuendigung, got nobody"):
        jobs.start(viewer, sources, "score", "nobody")
    with pytest.raises(NotFound):
        jobs.cancel(viewer, sources, "no-such-job")
    with pytest.raises(Forbidden):
        jobs.start(own_bakery.viewer("leitung"), sources, "sync")


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(own_bakery: House):
    viewer, sources = keeper(own_bakery), own_bakery.sources
    job_id = jobs.start(viewer, sources, "publish")
    jobs.cancel(viewer, sources, job_id)
    assert job_work.run(sources, job_id) == "cancelled"
    assert jobs.state_of(sources, job_id) == ("cancelled", 0, f"Cancelled by {KEEPER}.")
    with pytest.raises(InvalidQuery):
        jobs.cancel(viewer, sources, job_id)


def test_a_running_job_stops_after_its_step(own_bakery: House, monkeypatch: pytest.MonkeyPatch):
    viewer, sources = keeper(own_bakery), own_bakery.sources
    done: list[str] = []
    job_id = jobs.start(viewer, sources, "publish")

    def publish(_sources: Sources, name: str, _before: Any) -> Any:
        done.append(name)
        if len(done) == 2:
            jobs.cancel(viewer, sources, job_id)
        return job_work.outcome(f"{name} published.")

    monkeypatch.setitem(job_work._DOING, "publish", publish)
    assert job_work.run(sources, job_id) == "cancelled"
    assert len(done) == 2
    assert jobs.state_of(sources, job_id)[2] == f"Cancelled by {KEEPER}."


def disabled(sources: Sources) -> None:
    with sources.store.begin() as session:
        session.execute(update(Person).where(Person.email == email_of(KEEPER)).values(active=False))


def demoted(sources: Sources) -> None:
    with sources.store.begin() as session:
        session.execute(update(Person).where(Person.email == email_of(KEEPER)).values(role="leitung"))


@pytest.mark.attack("G-08")
@pytest.mark.parametrize(
    ("change", "words"), [(disabled, "no active account any more"), (demoted, "does not include jobs:run")]
)
def test_rights_are_looked_at_again_when_the_job_runs(own_bakery: House, change: Callable[[Sources], None], words: str):
    sources = own_bakery.sources
    job_id = jobs.start(keeper(own_bakery), sources, "publish")
    change(sources)
    assert job_work.run(sources, job_id) == "failed"
    state, _, message = jobs.state_of(sources, job_id)
    assert state == "failed" and message.startswith("Not run: ") and words in message
    assert acts(sources)[-1][1:] == ("job.refused", False)


def test_a_step_that_cannot_be_done_says_why_and_fails_the_job(sources: Sources, monkeypatch: pytest.MonkeyPatch):
    def cannot(*_: Any) -> Any:
        raise score_runs.CannotScore("Kündigungsrisiko has no row to score.")

    with sources.store.begin() as session:
        session.execute(update(ScoreRun).values(current=False))
    monkeypatch.setattr(score_runs, "write_scores", cannot)
    job_id = jobs.enqueue(sources, "score", MODEL)
    assert job_work.run(sources, job_id) == "failed"
    assert jobs.state_of(sources, job_id)[2] == "Kündigungsrisiko has no row to score."


def test_what_nobody_expected_is_a_reference_and_no_traceback(sources: Sources, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(job_work._DOING, "publish", lambda *_: {}["nothing"])
    job_id = jobs.enqueue(sources, "publish", "abnehmer")
    assert job_work.run(sources, job_id) == "failed"
    message = jobs.state_of(sources, job_id)[2]
    assert message.startswith("Publishing abnehmer met an unexpected problem (reference ") and "KeyError" not in message


def test_progress_is_told_step_by_step(sources: Sources, monkeypatch: pytest.MonkeyPatch):
    told: list[int] = []

    def publish(*_: Any) -> Any:
        told.append(jobs.state_of(sources, job_id)[1])
        return job_work.outcome()

    monkeypatch.setitem(job_work._DOING, "publish", publish)
    job_id = jobs.enqueue(sources, "publish")
    job_work.run(sources, job_id)
    count = len(sources.workspace.lake.datasets)
    assert told == [int(100 * n / count) for n in range(count)]
    assert jobs.state_of(sources, job_id) == ("done", 100, "Nothing had changed.")


def test_the_preparation_of_the_demo_can_be_seen_and_not_cancelled(sources: Sources):
    jobs.begin_build(sources)
    jobs.tell_build(sources, 40, "Training.")
    line = jobs.list_jobs(operator(), sources)[0]
    assert (line.label, line.progress, line.message, line.can_cancel) == ("Prepare the demo", 40, "Training.", False)
    with pytest.raises(InvalidQuery):
        jobs.cancel(operator(), sources, jobs.BUILD)
    assert jobs.BUILD not in (*jobs.waiting(sources), *jobs.running(sources))
    jobs.end_build(sources)
    assert jobs.state_of(sources, jobs.BUILD) == ("done", 100, "The demo is prepared.")
