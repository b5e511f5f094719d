"""What has changed since the last look, and the jobs that follow from it.

An id is made from where a thing stands and what it should become, so that the same change is queued once, however often
one looks. A change whose job failed, as it does where a file is held back, is tried again, later each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from data import jobs as job_log
from services import admissions, jobs, refresh, score_runs
from services.sources import Sources

ATTEMPTS = 4
FIRST_WAIT = timedelta(minutes=2)


@dataclass(frozen=True)
class Due:
    """A job that should run: its kind, its subject, and the change as text, for the id."""

    kind: jobs.Kind
    subject: str
    change: str


def due(sources: Sources) -> Iterator[Due]:
    """Work that changed files, a moved alias or a changed definition ask for."""
    changed = refresh.changed(sources)
    if changed:
        made = " while the demo is made" if jobs.being_built(sources) else ""
        yield Due("publish", "", repr(sorted(changed.items())) + made)
    registry = admissions.change(sources)
    if registry:
        yield Due("sync", "", registry)
    for model in sources.workspace.models.models:
        wanted = score_runs.wanted(sources, model)
        if wanted is not None:
            yield Due("score", model, repr(sorted(wanted.items())))


def enqueue_due(sources: Sources) -> tuple[str, ...]:
    """Queue what is due and is not queued, done or given up yet. Gives the ids of new jobs.

    While the same work is open nothing is added: it may see the change itself, and one looks again when it ends.
    """
    made = []
    for one in due(sources):
        if jobs.is_open(sources, one.kind, one.subject):
            continue
        digest = hashlib.sha256(f"{one.kind}|{one.subject}|{one.change}".encode()).hexdigest()[:20]
        job_id = _free_id(sources, f"{one.kind}-{digest}", sources.clock())
        if job_id:
            made.append(jobs.enqueue(sources, one.kind, one.subject, job_id=job_id))
    return tuple(made)


def _free_id(sources: Sources, base: str, now: datetime) -> str:
    """The id of the next attempt, "" while one is open, done, cancelled, given up or not yet due again."""
    with sources.store.read() as session:
        for attempt in range(1, ATTEMPTS + 1):
            job = job_log.get(session, f"{base}-{attempt}")
            if job is None:
                return f"{base}-{attempt}"
            if job.state != "failed" or job.finished_at is None:
                return ""
            if now - job.finished_at < FIRST_WAIT * 4 ** (attempt - 1):
                return ""
    return ""
