"""What the worker does with a job: recheck the right to it, name its steps, do one step, say how it ended.

Each step can be repeated without harm, gives plain JSON, and never raises: a problem is a sentence in its outcome. A
step is written ``verb:subject``; the durable workflow remembers the outcome of each, so that a killed job goes on where
it was.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from data import audit_log, people
from data import jobs as job_log
from data.lake import LakeError
from data.publication import Rejected, publication_order
from data.tables import Job
from services import admissions, jobs, refresh, score_runs
from services.access import decide, viewer_of_person
from services.errors import Refusal
from services.sources import Sources

log = logging.getLogger("lakelight.worker")
Step = Callable[..., Any]
"""``step(name, work, *arguments)`` does the work, or gives what it gave before the process was killed."""
Outcome = dict[str, Any]
"""``ok``, ``said`` (a sentence, or ""), ``then`` (steps this one adds), ``facts`` (plain JSON for later steps)."""
LONGEST_MESSAGE = 2_000


def outcome(said: str = "", *, ok: bool = True, then: tuple[str, ...] = (), **facts: Any) -> Outcome:
    """The outcome of a step as plain JSON."""
    return {"ok": ok, "said": said, "then": list(then), "facts": facts}


def run(sources: Sources, job_id: str, step: Step | None = None) -> str:
    """Do a whole job, each part as a ``step``; gives the state it ended in. Without ``step`` it runs just so."""
    do = step or _just_so
    todo: list[str] = do("begin", lambda: begin(sources, job_id))
    made: dict[str, Outcome] = {}
    while todo:
        name = todo.pop(0)
        place = {"done": len(made), "of": len(made) + len(todo) + 1}
        one: Outcome = do(name, lambda n=name, p=place: _reported(sources, job_id, n, made, **p))
        made[name] = one
        if one["facts"].get("stopped"):
            break
        todo[:0] = one["then"]
    state: str = do("end", lambda: end(sources, job_id, list(made.values())))
    return state


def _just_so(_name: str, work: Callable[..., Any]) -> Any:
    return work()


def _reported(
    sources: Sources, job_id: str, step: str, before: Mapping[str, Outcome], *, done: int, of: int
) -> Outcome:
    report(sources, job_id, done=done, of=of, step=step)
    return perform(sources, job_id, step, before)


def begin(sources: Sources, job_id: str) -> list[str]:
    """Mark the job as running and name its steps; none where it was cancelled or its owner lost the right to it."""
    with sources.store.begin() as session:
        job = job_log.get(session, job_id)
        if job is None or job.state not in jobs.OPEN:
            return []
        refused = _refused(session, sources, job)
        if refused:
            _refuse(session, sources, job, refused)
            return []
        job.state, job.message = "running", "At work."
        job.started_at = job.started_at or sources.clock()
        kind, subject = job.kind, job.subject
    try:
        return _steps(sources, kind, subject)
    except (Refusal, LakeError, ValueError) as problem:
        log.warning("job %s cannot start: %s", job_id, problem)
        end(sources, job_id, [outcome(str(problem), ok=False)])
        return []


def perform(sources: Sources, job_id: str, step: str, before: Mapping[str, Outcome]) -> Outcome:
    """Do one step. ``before`` holds the outcomes of the job's earlier steps."""
    with sources.store.read() as session:
        job = job_log.get(session, job_id)
        if job is None or job.state not in jobs.OPEN:
            return outcome(ok=False, stopped=True)
    verb, _, subject = step.partition(":")
    try:
        return _DOING[verb](sources, subject, before)
    except (Refusal, LakeError, admissions.RegistryDown, score_runs.CannotScore) as problem:
        return outcome(str(problem), ok=False)
    except Exception:
        reference = secrets.token_hex(3)
        log.exception("job %s, step %s, reference %s", job_id, step, reference)
        return outcome(f"{_words(step)} met an unexpected problem (reference {reference} in the log).", ok=False)


def report(sources: Sources, job_id: str, *, done: int, of: int, step: str) -> None:
    """Tell people how far a job is: ``done`` of ``of`` steps, and what comes now."""
    with sources.store.begin() as session:
        job = job_log.get(session, job_id)
        if job is not None and job.state == "running":
            job.progress, job.message = int(100 * done / max(1, of)), f"{_words(step)}."


def end(sources: Sources, job_id: str, outcomes: list[Outcome]) -> str:
    """Close a job that is still open, with what its steps said. Gives its state."""
    failed = any(not o["ok"] for o in outcomes)
    said = [o["said"] for o in outcomes if o["said"]]
    with sources.store.begin() as session:
        job = job_log.get(session, job_id)
        if job is None or job.state not in jobs.OPEN:
            return "" if job is None else job.state
        job.state = "failed" if failed else "done"
        job.progress = job.progress if failed else 100
        job.message = " ".join(said)[:LONGEST_MESSAGE] or "Nothing had changed."
        job.result = {"said": said}
        job.finished_at = sources.clock()
        return job.state


def _refused(session: Session, sources: Sources, job: Job) -> str:
    """Why the owner may not run this job any more, or ""."""
    if job.owner_id is None:
        return ""
    person = people.by_id(session, job.owner_id)
    if person is None or not person.active:
        return "The person who asked for it has no active account any more."
    decision = decide(viewer_of_person(sources.workspace, person), "jobs:run")
    return "" if decision.allowed else decision.reason


def _refuse(session: Session, sources: Sources, job: Job, reason: str) -> None:
    at = sources.clock()
    job.state, job.message, job.finished_at = "failed", f"Not run: {reason}", at
    audit_log.record(
        session,
        at=at,
        person_id=job.owner_id,
        person=jobs.SYSTEM,
        act="job.refused",
        resource=job.id,
        allowed=False,
        reason=reason,
    )


def _steps(sources: Sources, kind: str, subject: str) -> list[str]:
    if kind == "publish":
        order = publication_order(sources.workspace.lake)
        return [f"publish:{name}" for name in order if subject in ("", name)]
    if kind == "sync":
        return ["sync:"]
    names = (subject,) if subject else tuple(sources.workspace.models.models)
    return [f"plan:{name}" for name in names]


def _publish(sources: Sources, name: str, before: Mapping[str, Outcome]) -> Outcome:
    label = sources.workspace.lake.datasets[name].label
    made = refresh.refresh_dataset(sources, name)
    if isinstance(made, Rejected):
        return outcome(f"{label} is held back: {made.reason} {made.next_step}".strip(), ok=False)
    return outcome(f"{label} published." if made == "published" else "")


def _sync(sources: Sources, _subject: str, before: Mapping[str, Outcome]) -> Outcome:
    synced = admissions.sync(sources)
    return outcome(synced.sentence, then=tuple(f"admit:{version}" for version in synced.to_admit))


def _admit(sources: Sources, version: str, before: Mapping[str, Outcome]) -> Outcome:
    registered, _, number = version.rpartition("/")
    return outcome(admissions.admit_version(sources, registered, number))


def _plan(sources: Sources, model: str, before: Mapping[str, Outcome]) -> Outcome:
    wanted = score_runs.wanted(sources, model)
    if wanted is None:
        return outcome()
    return outcome(then=(f"score:{model}", f"replay:{model}", f"show:{model}"), wanted=wanted)


def _score(sources: Sources, model: str, before: Mapping[str, Outcome]) -> Outcome:
    return outcome(scored=score_runs.write_scores(sources, model, before[f"plan:{model}"]["facts"]["wanted"]))


def _replay(sources: Sources, model: str, before: Mapping[str, Outcome]) -> Outcome:
    if not before[f"score:{model}"]["ok"]:
        return outcome()
    return outcome(replay=score_runs.write_replay(sources, model, before[f"plan:{model}"]["facts"]["wanted"]))


def _show(sources: Sources, model: str, before: Mapping[str, Outcome]) -> Outcome:
    scored, replay = before[f"score:{model}"], before[f"replay:{model}"]
    if not scored["ok"] or not replay["ok"]:
        return outcome()
    wanted = before[f"plan:{model}"]["facts"]["wanted"]
    return outcome(
        score_runs.make_visible(
            sources, model, wanted, scored=scored["facts"]["scored"], replay=replay["facts"]["replay"]
        )
    )


_DOING: Mapping[str, Callable[[Sources, str, Mapping[str, Outcome]], Outcome]] = {
    "publish": _publish,
    "sync": _sync,
    "admit": _admit,
    "plan": _plan,
    "score": _score,
    "replay": _replay,
    "show": _show,
}
_VERBS = {
    "publish": "Publishing",
    "sync": "Reading the registry",
    "admit": "Checking",
    "plan": "Looking at",
    "score": "Scoring and explaining",
    "replay": "Replaying the past of",
    "show": "Publishing the scores of",
}


def _words(step: str) -> str:
    verb, _, subject = step.partition(":")
    return f"{_VERBS.get(verb, verb)} {subject.replace('_', ' ')}".strip()
