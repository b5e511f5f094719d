"""A real worker on a bakery's instance, that can be killed at an exact place: ``python -m tests.workers <instance> …``.

``--die after:score:kuendigung`` ends the process with SIGKILL when that step is done and not yet acknowledged;
``before`` ends it when the step is about to begin. Without ``--die`` it works until nothing is open. ``--alone`` leaves
out the scheduled look.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services import durable, job_work, jobs, schedule
from services.background import Background
from tests import instances

LONGEST = 60.0


def main() -> None:
    """Work as the worker does."""
    asked = argparse.ArgumentParser()
    asked.add_argument("instance", type=Path)
    asked.add_argument("--die", default="")
    asked.add_argument("--attempts", type=int, default=durable.ATTEMPTS)
    asked.add_argument("--alone", action="store_true")
    said = asked.parse_args()
    if said.alone:
        schedule.enqueue_due = lambda _sources: ()
    durable.ATTEMPTS = said.attempts
    if said.die:
        _arm(*said.die.split(":", 1))
    sources = instances.open_bakery_sources(said.instance)
    background = Background(sources, durable.Durable(sources), seconds=time.monotonic, say=print)
    background.settle()
    began = time.monotonic()
    while time.monotonic() - began < LONGEST:
        background.tick()
        if not jobs.waiting(sources) and not jobs.running(sources):
            os._exit(0)
        time.sleep(0.05)
    os._exit(3)


def _arm(when: str, step: str) -> None:
    """Make one step of the job deadly."""
    name = step if step in ("begin", "end") else "perform"
    real: Callable[..., Any] = getattr(job_work, name)

    def deadly(sources: Any, job_id: str, *arguments: Any) -> Any:
        here = name != "perform" or arguments[0] == step
        if here and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        made = real(sources, job_id, *arguments)
        if here:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    setattr(job_work, name, deadly)


if __name__ == "__main__":
    main()
