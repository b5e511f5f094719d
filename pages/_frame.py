"""The frame as this person gets it: their role's entries, and a tray of background work for those who may see it."""

from __future__ import annotations

from typing import Any

from dash import Input, Output, dcc

from components import shell
from components.shell import TrayLine
from pages import _screen
from pages._screen import Screen
from services import access, jobs, wording
from services.access import Viewer
from services.jobs import JobLine
from services.sources import Sources

EVERY_MS = 15_000
SHOWN = 8
KINDS = {"done": "good", "failed": "bad", "cancelled": "neutral"}


def draw(screen: Screen) -> Any:
    """The frame for the viewer of this request; an anonymous one is sent to sign in."""
    who = _screen.viewer()
    if who is None:
        return dcc.Location(id="anonymous", refresh=True)
    sources = screen.sources
    role = sources.workspace.access.roles.get(who.role)
    entries = [(e.label, e.path) for e in role.entries] if role and who.grants else []
    tray = shell.tray(_lines(who, sources), every_ms=EVERY_MS) if access.decide(who, "jobs:read").allowed else None
    seen_as = shell.seen_as(who.seen_as_name, who.role_label) if who.seen_as else None
    return shell.frame(person=who.name, role_label=who.role_label, entries=entries, tray=tray, banner=seen_as)


def register(screen: Screen) -> None:
    """What the frame does in the browser, and the tray's news."""
    shell.register(screen.app)

    @screen.callback(
        Output(shell.TRAY_LIST, "children"),
        Output(shell.TRAY_COUNT, "children"),
        Input(shell.TRAY_TICK, "n_intervals"),
        prevent_initial_call=True,
        passive=True,
        needs="jobs:read",
    )
    def news(viewer: Viewer, _ticks: int) -> Any:
        lines = _lines(viewer, screen.sources)
        return shell.tray_list(lines), shell.tray_count(sum(line.progress is not None for line in lines))


def _lines(viewer: Viewer, sources: Sources) -> list[TrayLine]:
    """Open work first, then the newest that ended."""
    found = jobs.list_jobs(viewer, sources, limit=40)
    open_ = [job for job in found if job.state in jobs.OPEN]
    ended = [job for job in found if job.state not in jobs.OPEN]
    return [_line(job, sources) for job in [*open_, *ended[:SHOWN]]]


def _line(job: JobLine, sources: Sources) -> TrayLine:
    zone, workspace = sources.workspace.lake.timezone, sources.workspace
    datasets, models = workspace.lake.datasets, workspace.models.models
    about = datasets.get(job.subject) if job.kind == "publish" else models.get(job.subject)
    title = f"{job.label}: {about.label}" if about is not None else job.label
    if job.state in jobs.OPEN:
        return TrayLine(title, job.message, job.state_label.lower(), "", job.progress)
    when = wording.moment(job.finished_at, zone) if job.finished_at else ""
    return TrayLine(title, job.message or job.state_label, when, KINDS.get(job.state, "neutral"), None)
