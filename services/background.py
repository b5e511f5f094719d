"""What the worker does all day: look for what is due, run jobs one after the other, keep the database's log short.

The clock and the engine are given, so that a test can turn the wheel by hand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date
from typing import Protocol

from data import jobs as job_log
from services import audit_retention, audit_seals, job_work, jobs, limits, schedule, sign_in
from services.sources import Sources

log = logging.getLogger("lakelight.worker")
EVERY_SECONDS = 60.0
WHILE_BUILDING_SECONDS = 2.0
LOST = "The worker could not go on with it. Start it again."


class Engine(Protocol):
    """What runs a job so that it survives the process."""

    def start(self, job_id: str) -> None:
        """Run a job under its id."""

    def state(self, job_id: str) -> str:
        """``""``, "running", "over" or "lost"."""


class Background:
    """The worker's wheel: ``tick`` is called every second or so. ``say`` hears what a person may want to read."""

    def __init__(
        self, sources: Sources, engine: Engine, *, seconds: Callable[[], float], say: Callable[[str], None]
    ) -> None:
        self.sources, self.engine = sources, engine
        self._seconds, self._say = seconds, say
        self._looked: float | None = None
        self._at_work = ""
        self._building = False
        self._retained: date | None = None

    def settle(self) -> None:
        """At start: jobs that a killed worker left are gone on with, put back, or closed where they cannot be."""
        jobs.settle_build(self.sources)
        for job_id in jobs.running(self.sources):
            match self.engine.state(job_id):
                case "":
                    self.engine.start(job_id)
                    self._at_work = self._at_work or job_id
                case "running":
                    self._at_work = self._at_work or job_id
                    self._say(f"Going on: {jobs.words(self.sources, job_id)}")
                case _:
                    self._close(job_id)

    def tick(self) -> None:
        """Seal the log; look if it is time; close what is over; start what waits."""
        self._seal()
        if self._at_work and self.engine.state(self._at_work) == "running":
            self._look_if_due()
            return
        if self._at_work:
            self._finished(self._at_work)
            self._at_work = ""
            self._looked = None
        self._look_if_due()
        open_ = (*jobs.running(self.sources), *jobs.waiting(self.sources))
        if open_:
            self._at_work = open_[0]
            self.engine.start(self._at_work)

    def _look_if_due(self) -> None:
        now, building = self._seconds(), jobs.being_built(self.sources)
        every = WHILE_BUILDING_SECONDS if building else EVERY_SECONDS
        ended, self._building = self._building and not building, building
        if self._looked is not None and now - self._looked < every and not ended:
            return
        self._looked = now
        self.sources.store.checkpoint()
        jobs.settle_build(self.sources)
        sign_in.forget_failures(self.sources)
        limits.forget(self.sources)
        self._retain()
        try:
            schedule.enqueue_due(self.sources)
        except Exception:
            log.exception("the scheduled look failed; the next one is in a minute")

    def _seal(self) -> None:
        try:
            audit_seals.seal(self.sources)
        except Exception:
            log.exception("the audit log could not be sealed; it is tried again in a second")

    def _retain(self) -> None:
        """Once a day: empty what is over its time in the log."""
        today = self.sources.clock().astimezone(UTC).date()
        if self._retained == today:
            return
        self._retained = today
        try:
            audit_retention.retain(self.sources, by=jobs.SYSTEM, say=self._say)
        except Exception:
            log.exception("events that are over their time could not be emptied; it is tried again tomorrow")

    def _finished(self, job_id: str) -> None:
        if jobs.state_of(self.sources, job_id)[0] in job_log.OPEN:
            self._close(job_id)
        self._say(jobs.words(self.sources, job_id))

    def _close(self, job_id: str) -> None:
        job_work.end(self.sources, job_id, [job_work.outcome(LOST, ok=False)])
