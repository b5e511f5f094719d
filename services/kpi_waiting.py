"""What is still being prepared, and how long that may take. A page says so instead of leaving a hole."""

from __future__ import annotations

from datetime import datetime

from data import jobs as job_log
from services.jobs import BUILD
from services.sources import Sources

FEWEST_PERCENT = 5
MINUTE = 60


def sentence(sources: Sources) -> str:
    """How the preparation of the workspace goes: "Ready in about 40 s: Training: lapse risk"; "" where none runs."""
    with sources.store.read() as session:
        found = next((j for j in job_log.with_state(session, "running") if j.kind == BUILD), None)
        if found is None:
            return ""
        left = seconds_left(found.progress, found.started_at, sources.clock())
        said = found.message or "It is being prepared"
    return f"Ready in {about(left)}: {said}" if left is not None else said


def step(said: str) -> str:
    """The work at hand without the time that is left, so that one sees whether anything went on."""
    return said.partition(": ")[2] if said.startswith("Ready in ") else said


def seconds_left(percent: int, started: datetime | None, now: datetime) -> float | None:
    """What is left at the pace so far; None while too little is done to tell."""
    if started is None or not FEWEST_PERCENT <= percent < 100:
        return None
    return (now - started).total_seconds() * (100 - percent) / percent


def about(seconds: float) -> str:
    """A length of time in round words: "about 40 s", "about 3 min"."""
    if seconds < MINUTE:
        return f"about {max(10, round(seconds / 10) * 10)} s"
    return f"about {round(seconds / MINUTE)} min"
