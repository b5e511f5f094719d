"""A job that somebody at the terminal asks for: given to the worker where one is at work, done here otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable

from data import jobs as job_log
from services import job_work, jobs, locks
from services.operator import NAME
from services.sources import Sources

LOOK_SECONDS = 0.3


def do(sources: Sources, kind: str, subject: str, say: Callable[[str], None]) -> str:
    """Do a job to its end, saying how far it is; gives "" or the sentence of what went wrong."""
    job_id = jobs.enqueue(sources, kind, subject, by=NAME)
    try:
        with locks.held(sources.settings.instance, locks.WORKER):
            job_work.run(sources, job_id)
    except locks.Taken:
        _follow(sources, job_id, say)
    state, _, message = jobs.state_of(sources, job_id)
    if state == "done":
        say(f"{jobs.LABELS[kind]}: {message}")
        return ""
    return f"{jobs.LABELS[kind]}: {message}"


def _follow(sources: Sources, job_id: str, say: Callable[[str], None]) -> None:
    """Wait for the worker, repeating what it says."""
    last = ""
    while True:
        state, progress, message = jobs.state_of(sources, job_id)
        if state not in job_log.OPEN:
            return
        if message != last:
            say(f"{progress:3d} %  {message}")
            last = message
        time.sleep(LOOK_SECONDS)
