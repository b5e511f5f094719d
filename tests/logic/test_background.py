"""The worker's wheel, turned by hand: what is due is queued once, and jobs run one after the other."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services import background, job_work, jobs, locks, schedule
from services.background import Background
from services.sources import Sources
from tests.house import House

MODEL = "kuendigung"


class Hand:
    """An engine that does a job when the test says so."""

    def __init__(self, sources: Sources) -> None:
        self.sources, self.states, self.begun = sources, {}, []

    def start(self, job_id: str) -> None:
        self.begun.append(job_id)
        self.states[job_id] = "running"

    def state(self, job_id: str) -> str:
        return self.states.get(job_id, "")

    def finish(self, job_id: str) -> None:
        job_work.run(self.sources, job_id)
        self.states[job_id] = "over"


class Wheel:
    """A background with an engine by hand and a clock of its own."""

    def __init__(self, house: House) -> None:
        self.sources, self.now, self.said = house.sources, 0.0, []
        self.engine = Hand(house.sources)
        self.turning = Background(house.sources, self.engine, seconds=lambda: self.now, say=self.said.append)


@pytest.fixture
def wheel(own_bakery: House) -> Wheel:
    return Wheel(own_bakery)


def test_jobs_run_one_after_the_other_the_oldest_first(wheel: Wheel):
    first = jobs.enqueue(wheel.sources, "publish")
    wheel.sources.clock.move(timedelta(seconds=1))
    second = jobs.enqueue(wheel.sources, "score", MODEL)
    wheel.turning.tick()
    wheel.turning.tick()
    assert wheel.engine.begun == [first]
    wheel.engine.finish(first)
    wheel.turning.tick()
    assert wheel.engine.begun == [first, second]
    assert wheel.said == ["Publish data: Nothing had changed."]


def test_a_change_of_the_files_is_published_without_anybody_asking(wheel: Wheel):
    wheel.turning.tick()
    assert wheel.engine.begun == []
    file = wheel.sources.settings.lake / "stamm" / "abnehmer.parquet"
    file.write_bytes(file.read_bytes())
    wheel.turning.tick()
    assert wheel.engine.begun == [], "the next look is in a minute"
    wheel.now += background.EVERY_SECONDS
    wheel.turning.tick()
    assert [i.split("-")[0] for i in wheel.engine.begun] == ["publish"]


def test_work_that_is_open_is_not_queued_again_for_a_second_change(wheel: Wheel):
    file = wheel.sources.settings.lake / "stamm" / "abnehmer.parquet"
    for _ in range(3):
        file.write_bytes(file.read_bytes())
        wheel.turning.tick()
        wheel.now += background.EVERY_SECONDS
    assert len(jobs.waiting(wheel.sources)) == 1, "the one job that the engine has not begun yet"
    wheel.engine.finish(wheel.engine.begun[0])
    file.write_bytes(file.read_bytes())
    wheel.turning.tick()
    assert [i.split("-")[0] for i in wheel.engine.begun] == ["publish", "publish"]


def test_what_follows_from_a_job_is_not_waited_for(wheel: Wheel):
    file = wheel.sources.settings.lake / "vertraege" / "saison-4.parquet"
    file.write_bytes(file.read_bytes())
    wheel.turning.tick()
    wheel.engine.finish(wheel.engine.begun[0])
    wheel.turning.tick()
    assert [i.split("-")[0] for i in wheel.engine.begun] == ["publish", "score"]


def test_a_look_that_fails_does_not_stop_the_wheel(wheel: Wheel, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(schedule, "enqueue_due", lambda _: 1 / 0)
    job_id = jobs.enqueue(wheel.sources, "publish")
    wheel.turning.tick()
    assert wheel.engine.begun == [job_id]


def test_the_log_of_the_database_is_moved_in_by_the_look(wheel: Wheel, monkeypatch: pytest.MonkeyPatch):
    moved = []
    monkeypatch.setattr(type(wheel.sources.store), "checkpoint", lambda _: moved.append(wheel.now))
    for _ in range(3):
        wheel.turning.tick()
    wheel.now += background.EVERY_SECONDS
    wheel.turning.tick()
    assert moved == [0.0, background.EVERY_SECONDS]


def test_at_start_what_was_broken_off_goes_on_and_what_is_lost_is_closed(wheel: Wheel):
    ids = {
        name: jobs.enqueue(wheel.sources, "publish", job_id=f"publish-{name}") for name in ("new", "on", "lost", "over")
    }
    for job_id in ids.values():
        job_work.begin(wheel.sources, job_id)
    wheel.engine.states |= {ids["on"]: "running", ids["lost"]: "lost", ids["over"]: "over"}
    wheel.turning.settle()
    assert wheel.engine.begun == [ids["new"]]
    assert {name: jobs.state_of(wheel.sources, i)[0] for name, i in ids.items()} == {
        "new": "running", "on": "running", "lost": "failed", "over": "failed",
    }  # fmt: skip


def test_a_workflow_that_ended_without_closing_its_job_is_closed(wheel: Wheel):
    job_id = jobs.enqueue(wheel.sources, "publish")
    wheel.turning.tick()
    wheel.engine.states[job_id] = "over"
    wheel.turning.tick()
    assert jobs.state_of(wheel.sources, job_id)[::2] == ("failed", background.LOST)


def test_while_the_demo_is_made_one_looks_every_two_seconds_and_at_its_end(
    wheel: Wheel, monkeypatch: pytest.MonkeyPatch
):
    looks: list[float] = []
    monkeypatch.setattr(schedule, "enqueue_due", lambda _: looks.append(wheel.now))
    with locks.held(wheel.sources.settings.instance, locks.BUILD):
        jobs.begin_build(wheel.sources)
        for wheel.now in (0.0, 1.0, 2.0, 3.0, 4.0):
            wheel.turning.tick()
        assert looks == [0.0, 2.0, 4.0]
        jobs.end_build(wheel.sources)
        wheel.now = 4.5
        wheel.turning.tick()
    assert looks == [0.0, 2.0, 4.0, 4.5]


def test_a_preparation_whose_process_is_gone_is_closed(wheel: Wheel):
    with locks.held(wheel.sources.settings.instance, locks.BUILD):
        jobs.begin_build(wheel.sources)
        jobs.settle_build(wheel.sources)
        assert jobs.being_built(wheel.sources)
    wheel.turning.tick()
    assert not jobs.being_built(wheel.sources)
    assert "broken off" in jobs.state_of(wheel.sources, jobs.BUILD)[2]


@pytest.mark.parametrize("again", [False, True], ids=["ends", "begins anew"])
def test_a_preparation_that_moves_on_while_one_looks_is_not_closed(
    wheel: Wheel, monkeypatch: pytest.MonkeyPatch, again: bool
):
    jobs.begin_build(wheel.sources)

    def looked(*_: object) -> bool:
        jobs.end_build(wheel.sources)
        if again:
            jobs.begin_build(replace(wheel.sources, clock=lambda: datetime(2031, 1, 1, tzinfo=UTC)))
        return False

    monkeypatch.setattr(locks, "is_taken", looked)
    jobs.settle_build(wheel.sources)
    assert jobs.state_of(wheel.sources, jobs.BUILD)[0] == ("running" if again else "done")


def test_a_failed_change_is_tried_again_later_and_given_up_in_the_end(own_bakery: House):
    sources = own_bakery.sources
    file = sources.settings.lake / "stamm" / "abnehmer.parquet"
    file.write_bytes(file.read_bytes())
    tried = []
    for minutes in (0, 1, 2, 7, 9, 32, 127, 500, 5_000):
        sources.clock.reset()
        sources.clock.move(timedelta(minutes=minutes))
        for job_id in schedule.enqueue_due(sources):
            tried.append((minutes, job_id[-1]))
            job_work.end(sources, job_id, [job_work.outcome("No.", ok=False)])
    assert tried == [(0, "1"), (2, "2"), (32, "3"), (127, "4")]


def test_outcomes_are_plain_json(own_bakery: House):
    sources = own_bakery.sources
    job_id = jobs.enqueue(sources, "score", MODEL)
    steps = []

    def kept(name, work):
        steps.append(name)
        return json.loads(json.dumps(work()))

    assert job_work.run(sources, job_id, kept) == "done"
    assert steps == ["begin", f"plan:{MODEL}", "end"]
