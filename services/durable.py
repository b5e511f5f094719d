"""Jobs as durable workflows: a job that was killed goes on at its next step, and the same job never runs twice.

The adapter of DBOS, the only file that imports it. Its own database (``<instance>/jobs.db``) remembers the outcome of
every step as JSON; what people see of a job is its row in the app database (``services.jobs``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from services import job_work
from services.sources import Sources

SHAPE = "1"
"""Raise it when the order of steps inside a job changes: jobs begun under another shape are not gone on with."""
ATTEMPTS = 5
EXECUTOR = "worker"
OVER = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


class Durable:
    """The engine that runs jobs of one instance, one process at a time. Opening it goes on with what was broken off."""

    def __init__(self, sources: Sources) -> None:
        config: DBOSConfig = {
            "name": "lakelight",
            "system_database_url": f"sqlite:///{sources.settings.instance / 'jobs.db'}",
            "application_version": SHAPE,
            "executor_id": EXECUTOR,
            "serializer": DBOSPortableJSONSerializer(),
            "enable_otlp": False,
            "log_level": "ERROR",
        }
        logging.getLogger("dbos").setLevel(logging.ERROR)
        DBOS(config=config)

        @DBOS.workflow(name="job", max_recovery_attempts=ATTEMPTS)
        def job(job_id: str) -> str:
            return job_work.run(sources, job_id, _step)

        self._job: Callable[[str], str] = job
        DBOS.launch()

    def start(self, job_id: str) -> None:
        """Run a job under its id; a job that was begun before is gone on with, a finished one left alone."""
        with SetWorkflowID(job_id):
            DBOS.start_workflow(self._job, job_id)

    def state(self, job_id: str) -> str:
        """``""`` where the job was never begun, "running", "over", or "lost" where nobody will go on with it."""
        found = DBOS.get_workflow_status(job_id)
        if found is None:
            return ""
        if found.status in OVER:
            return "over"
        return "running" if found.app_version in (None, SHAPE) else "lost"

    def close(self) -> None:
        """Stop; a step that is at work is done again at the next start."""
        DBOS.destroy(destroy_registry=True)


def _step(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
    return DBOS.run_step({"name": name}, work, *arguments)
