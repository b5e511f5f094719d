"""Background work as people see and steer it. A job is a row in the app database, written with its audit event.

The worker looks for waiting rows and runs each under the row's id, which is why the same job never runs twice.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy.orm import Session

from data import jobs as job_log
from data import people
from data.tables import Job
from services import audit, locks
from services.access import Viewer, require
from services.errors import InvalidQuery, NotFound
from services.sources import Sources

Kind = Literal["publish", "sync", "score"]
KINDS: tuple[Kind, ...] = get_args(Kind)
BUILD = "build"
OPEN = job_log.OPEN
SYSTEM = "lakelight"
LABELS = {
    "publish": "Publish data",
    "sync": "Read the registry",
    "score": "Score and explain",
    BUILD: "Prepare the demo",
}
STATES = {
    "waiting": "Waiting",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


@dataclass(frozen=True)
class JobLine:
    """A job as a line of the list. ``progress`` is in percent; ``message`` a sentence; ``owner`` a name."""

    id: str
    kind: str
    label: str
    subject: str
    state: str
    state_label: str
    progress: int
    message: str
    owner: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    can_cancel: bool


def start(viewer: Viewer, sources: Sources, kind: str, subject: str = "") -> str:
    """Ask for a job; gives its id. The same work that already waits or runs is not queued twice.

    Raises ``Forbidden`` without ``jobs:run``, ``InvalidQuery`` for an unknown kind or subject.
    """
    require(viewer, "jobs:run")
    _check(sources, kind, subject)
    with sources.store.begin() as session:
        running = _open_twin(session, kind, subject)
        if running is not None:
            return running.id
        job_id = _create(session, sources, kind=kind, subject=subject, viewer=viewer)
        audit.write(session, sources, viewer, "job.start", job_id, detail={"kind": kind, "subject": subject})
    return job_id


def cancel(viewer: Viewer, sources: Sources, job_id: str) -> None:
    """Stop a job: at once if it waits, after its current step if it runs. What it already published stays."""
    require(viewer, "jobs:run")
    with sources.store.begin() as session:
        job = job_log.get(session, job_id)
        if job is None:
            raise NotFound("There is no such job.")
        if job.state not in OPEN or job.kind == BUILD:
            raise InvalidQuery("Only a waiting or running job can be cancelled.")
        said = f"Cancelled by {viewer.name}."
        job_log.change(session, job_id, state="cancelled", message=said, finished_at=sources.clock())
        audit.write(session, sources, viewer, "job.cancel", job_id, detail={"kind": job.kind, "subject": job.subject})


def list_jobs(viewer: Viewer, sources: Sources, limit: int = 100) -> tuple[JobLine, ...]:
    """Jobs, the newest first; ``can_cancel`` says whether this viewer may stop it now."""
    require(viewer, "jobs:read")
    may_run = "jobs:run" in viewer.grants
    with sources.store.read() as session:
        found = job_log.newest(session, limit)
        names = {p.id: p.name for p in people.everyone(session)}
    return tuple(_line(job, names.get(job.owner_id or 0, "Lakelight"), may_run=may_run) for job in found)


def enqueue(sources: Sources, kind: str, subject: str = "", *, job_id: str = "", by: str = SYSTEM) -> str:
    """A job that nobody signed in for: the schedule's or the operator's. An id that was used before is left alone."""
    _check(sources, kind, subject)
    with sources.store.begin() as session:
        if job_id and job_log.get(session, job_id) is not None:
            return job_id
        made = _create(session, sources, kind=kind, subject=subject, job_id=job_id)
        audit.write(session, sources, None, "job.start", made, detail={"kind": kind, "subject": subject}, by=by)
    return made


def waiting(sources: Sources) -> tuple[str, ...]:
    """The ids of jobs that wait for the worker, the oldest first."""
    with sources.store.read() as session:
        return tuple(job.id for job in job_log.with_state(session, "waiting") if job.kind != BUILD)


def is_open(sources: Sources, kind: str, subject: str) -> bool:
    """Does this work wait or run now?"""
    with sources.store.read() as session:
        return _open_twin(session, kind, subject) is not None


def state_of(sources: Sources, job_id: str) -> tuple[str, int, str]:
    """State, progress in percent and message of a job; ``("", 0, "")`` for an unknown id."""
    with sources.store.read() as session:
        job = job_log.get(session, job_id)
        return ("", 0, "") if job is None else (job.state, job.progress, job.message)


def words(sources: Sources, job_id: str) -> str:
    """A job in one line: what it is and what it says of itself."""
    with sources.store.read() as session:
        job = job_log.get(session, job_id)
        return "" if job is None else f"{LABELS.get(job.kind, job.kind)} {job.subject}".strip() + f": {job.message}"


def running(sources: Sources) -> tuple[str, ...]:
    """The ids of jobs at work, the oldest first."""
    with sources.store.read() as session:
        return tuple(job.id for job in job_log.with_state(session, "running") if job.kind != BUILD)


@dataclass(frozen=True)
class Ended:
    """How the newest finished job of a kind ended."""

    state: str
    message: str


def last_ended(sources: Sources, kind: str) -> Ended | None:
    """The newest job of this kind that is done or failed; None where there was none."""
    with sources.store.read() as session:
        job = job_log.newest_of(session, kind, "done", "failed")
        return None if job is None else Ended(job.state, job.message)


def building(session: Session) -> bool:
    """Is the demo being prepared now? Files that are still to come are then not called missing."""
    return any(job.kind == BUILD for job in job_log.with_state(session, "running"))


def being_built(sources: Sources) -> bool:
    """Is the demo being prepared now?"""
    with sources.store.read() as session:
        return building(session)


def begin_build(sources: Sources) -> None:
    """The preparation of the demo begins, or goes on. Whoever calls this holds the lock of the build."""
    at = sources.clock()
    with sources.store.begin() as session:
        job = job_log.get(session, BUILD) or job_log.create(session, id=BUILD, kind=BUILD, subject="", at=at)
        job.state, job.progress, job.message = "running", 0, "The demo is being prepared."
        job.created_at, job.started_at, job.finished_at = at, at, None
        audit.write(session, sources, None, "job.start", BUILD, detail={"kind": BUILD}, by=SYSTEM)


def tell_build(sources: Sources, progress: int, message: str) -> None:
    """How far the preparation is, in percent, and what it does now."""
    with sources.store.begin() as session:
        job_log.change(session, BUILD, progress=max(0, min(99, progress)), message=message)


def end_build(sources: Sources, problem: str = "") -> None:
    """The preparation is done, or failed with a sentence."""
    with sources.store.begin() as session:
        facts = {"state": "failed", "message": problem} if problem else {"state": "done", "progress": 100}
        facts = facts if problem else facts | {"message": "The demo is prepared."}
        job_log.change(session, BUILD, finished_at=sources.clock(), **facts)


def settle_built(sources: Sources) -> None:
    """Nothing is left to prepare: a row that says otherwise, of a process that was killed at its end, is closed."""
    with sources.store.read() as session:
        job = job_log.get(session, BUILD)
    if job is not None and job.state != "done" and not locks.is_taken(sources.settings.instance, locks.BUILD):
        end_build(sources)


def settle_build(sources: Sources) -> None:
    """Close the preparation's row where its process was killed: nobody should wait for it.

    It may end, or begin anew, between the look at its row and the look at its lock: only the row seen first is closed.
    """
    with sources.store.read() as session:
        seen = job_log.get(session, BUILD)
    if seen is None or seen.state != "running" or locks.is_taken(sources.settings.instance, locks.BUILD):
        return
    with sources.store.begin() as session:
        now = job_log.get(session, BUILD)
        if now is not None and (now.state, now.started_at) == ("running", seen.started_at):
            said = "The preparation of the demo was broken off. Run `python cli.py demo build` to go on."
            job_log.change(session, BUILD, state="failed", message=said, finished_at=sources.clock())


def _check(sources: Sources, kind: str, subject: str) -> None:
    if kind not in KINDS:
        raise InvalidQuery(f"A job must be one of {', '.join(KINDS)}, got {kind}.")
    datasets, models = sources.workspace.lake.datasets, sources.workspace.models.models
    known: tuple[str, ...] = {"publish": tuple(datasets), "score": tuple(models)}.get(kind, ())
    if subject and subject not in known:
        raise InvalidQuery(f"A job's subject must be one of {', '.join(known) or 'none'}, got {subject}.")


def _open_twin(session: Session, kind: str, subject: str) -> Job | None:
    alike = (job for job in job_log.with_state(session, *OPEN) if job.kind == kind and job.subject == subject)
    return next(alike, None)


def _create(
    session: Session, sources: Sources, *, kind: str, subject: str, viewer: Viewer | None = None, job_id: str = ""
) -> str:
    job = job_log.create(
        session,
        id=job_id or f"{kind}-{secrets.token_hex(8)}",
        kind=kind,
        subject=subject,
        at=sources.clock(),
        owner_id=viewer.person_id if viewer else None,
        fingerprint=viewer.fingerprint if viewer else "",
    )
    job.message = "Waits for the worker."
    return job.id


def _line(job: Job, owner: str, *, may_run: bool) -> JobLine:
    return JobLine(
        id=job.id,
        kind=job.kind,
        label=LABELS.get(job.kind, job.kind),
        subject=job.subject,
        state=job.state,
        state_label=STATES.get(job.state, job.state),
        progress=job.progress,
        message=job.message,
        owner=owner,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        can_cancel=may_run and job.state in OPEN and job.kind != BUILD,
    )
