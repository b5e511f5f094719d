"""What runs and ran: work in the background with its progress, the buttons that start it, and how each piece ended."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import dash
from dash import ALL, MATCH, Input, Output, State, dcc, html, no_update

from components import forms, notice
from components import page as parts
from components.ids import Ids
from components.listing import listing
from pages._screen import Page, Screen, pressed
from services import access, jobs, wording
from services.access import Viewer
from services.jobs import JobLine
from services.sources import Sources

ids = Ids("jobs")
EVERY_MS = 2_000
UNTAKEN_AFTER = timedelta(minutes=2)
KINDS = {"done": "good", "failed": "bad", "cancelled": ""}
EVERYTHING = "*"
NOTHING_OPEN = "Nothing runs or waits now."


def layout(viewer: Viewer, sources: Sources) -> Any:
    """Open work above, the buttons beside it, what is finished below."""
    found = jobs.list_jobs(viewer, sources)
    may = access.decide(viewer, "jobs:run").allowed
    body = parts.section(
        "At work and waiting", html.Div(_open(found, sources), id=ids("open"), **{"aria-live": "polite"})
    )
    start = parts.section("Start", _starts(sources)) if may else None
    return [
        parts.head("Jobs", _scope(sources, found)),
        parts.columns((8, body), (4, start)) if may else body,
        parts.section("Finished", html.Div(_finished(found, sources), id=ids("finished"))),
        dcc.Interval(id=ids("tick"), interval=EVERY_MS, disabled=not _any_open(found)),
        dcc.Store(id=ids("shown"), data=_mark(found)),
    ]


def register(screen: Screen) -> None:
    """The poll, which asks only while something is open, and the two acts."""

    @screen.callback(
        Output(ids("open"), "children"),
        Output(ids("finished"), "children"),
        Output(ids("tick"), "disabled"),
        Output(ids("shown"), "data"),
        Input(ids("tick"), "n_intervals"),
        State(ids("shown"), "data"),
        prevent_initial_call=True,
        passive=True,
    )
    def tick(viewer: Viewer, _ticks: int, shown: str | None) -> Any:
        return _drawn(viewer, screen.sources, shown)

    @screen.callback(
        Output(ids("open"), "children", allow_duplicate=True),
        Output(ids("finished"), "children", allow_duplicate=True),
        Output(ids("tick"), "disabled", allow_duplicate=True),
        Output(ids("shown"), "data", allow_duplicate=True),
        Input({"type": ids("start"), "kind": ALL}, "n_clicks"),
        State({"type": ids("subject"), "kind": ALL}, "value"),
        prevent_initial_call=True,
        needs="jobs:run",
    )
    def start(viewer: Viewer, _clicks: list[int], _subjects: list[str]) -> Any:
        kind = str(pressed().get("kind", ""))
        if not kind:
            return [no_update] * 4
        chosen = {str(s["id"]["kind"]): s.get("value") for s in dash.ctx.states_list[0]}
        subject = str(chosen.get(kind) or EVERYTHING)
        jobs.start(viewer, screen.sources, kind, "" if subject == EVERYTHING else subject)
        return _drawn(viewer, screen.sources, None)

    @screen.callback(
        Output({"type": ids("said"), "job": MATCH}, "children"),
        Input({"type": ids("cancel"), "job": MATCH}, "n_clicks"),
        prevent_initial_call=True,
        needs="jobs:run",
    )
    def cancel(viewer: Viewer, _clicks: int) -> Any:
        job = str(pressed().get("job", ""))
        if not job:
            return no_update
        jobs.cancel(viewer, screen.sources, job)
        return "Cancelled; it stops after the step it is at."


def _drawn(viewer: Viewer, sources: Sources, shown: str | None) -> list[Any]:
    """What the page shows now; the finished part only where it changed, so that what is open in it stays open."""
    found = jobs.list_jobs(viewer, sources)
    mark = _mark(found)
    finished = no_update if mark == shown else _finished(found, sources)
    return [_open(found, sources), finished, not _any_open(found), mark]


def _any_open(found: tuple[JobLine, ...]) -> bool:
    return any(job.state in jobs.OPEN for job in found)


def _mark(found: tuple[JobLine, ...]) -> str:
    ended = [(job.id, job.state) for job in found if job.state not in jobs.OPEN]
    return hashlib.sha256(repr(ended).encode()).hexdigest()[:16]


def _scope(sources: Sources, found: tuple[JobLine, ...]) -> list[str]:
    last = next((job for job in found if job.finished_at), None)
    failed = sum(job.state == "failed" for job in found)
    zone = sources.workspace.lake.timezone
    return [
        sources.workspace.lake.name,
        f"Last finished {wording.moment(last.finished_at, zone)}"
        if last and last.finished_at
        else "Nothing finished yet",
        f"{failed} of the last {len(found)} failed" if failed else "",
    ]


def _starts(sources: Sources) -> Any:
    """One row for each kind of work: what it does, for which part, and its button."""
    datasets = [(n, d.label) for n, d in sources.workspace.lake.datasets.items()]
    models = [(n, m.label) for n, m in sources.workspace.models.models.items()]
    return forms.form(
        _start(
            "publish", "Checks the lake's files and publishes what changed.", [(EVERYTHING, "All datasets"), *datasets]
        ),
        _start("sync", "Looks for new models and versions, and tries them.", []),
        _start("score", "Scores and explains, where data or models are newer.", [(EVERYTHING, "All models"), *models]),
        label="Start a job",
    )


def _start(kind: str, said: str, choices: list[tuple[str, str]]) -> Any:
    label = jobs.LABELS[kind]
    select = forms.choice({"type": ids("subject"), "kind": kind}, label, choices, value=EVERYTHING, hint=said)
    words = html.Div([html.Strong(label), html.Div(said, className="ll-soft ll-small")])
    button = forms.button({"type": ids("start"), "kind": kind}, "Start", about=label)
    return html.Div([select if choices else words, button], className="ll-start")


def _open(found: tuple[JobLine, ...], sources: Sources) -> Any:
    running = [job for job in found if job.state == "running"]
    waiting = [job for job in reversed(found) if job.state == "waiting"]
    if not running and not waiting:
        return html.P(NOTHING_OPEN, className="ll-soft")
    at = sources.clock()
    late = next((job for job in waiting if not running and at - job.created_at > UNTAKEN_AFTER), None)
    return [
        notice.message(
            f"The worker has not taken up the work for {_span(at - late.created_at)}.",
            "Ask the data team whether it runs (python worker.py).",
            "watch",
        )
        if late
        else None,
        *(_job(job, sources, at) for job in (*running, *waiting)),
    ]


def _job(job: JobLine, sources: Sources, at: datetime) -> Any:
    since = f"for {_span(at - job.started_at)}" if job.started_at else f"waiting for {_span(at - job.created_at)}"
    title = f"{job.label}: {_subject(job, sources)}"
    cancel = forms.button({"type": ids("cancel"), "job": job.id}, "Cancel", about=title) if job.can_cancel else None
    bar = html.Progress(value=str(job.progress), max="100", **{"aria-label": title}) if job.state == "running" else None
    share = f"{job.progress} %" if job.state == "running" else ""
    return html.Article(
        [
            html.Div([html.Strong(title), html.Span(f"{job.owner}, {since}", className="ll-soft ll-small")]),
            html.Div([bar, html.Span(share, className="ll-job-share")], className="ll-job-bar"),
            html.P(job.message, id={"type": ids("said"), "job": job.id}, className="ll-job-said"),
            cancel,
        ],
        className=f"ll-job is-{job.state}",
    )


def _finished(found: tuple[JobLine, ...], sources: Sources) -> Any:
    ended = [job for job in found if job.state not in jobs.OPEN]
    if not ended:
        return html.P("Nothing has finished yet.", className="ll-soft")
    zone = sources.workspace.lake.timezone
    rows = [
        [
            [html.Strong(job.label), html.Div(_subject(job, sources), className="ll-soft ll-small")],
            parts.status(KINDS.get(job.state, ""), job.state_label),
            html.Span(job.message, className="ll-job-message"),
            job.owner,
            wording.moment(job.finished_at, zone) if job.finished_at else "",
            _span(job.finished_at - job.started_at) if job.finished_at and job.started_at else wording.UNKNOWN,
        ]
        for job in ended
    ]
    columns = ["Job", "How it ended", "What it said", "Asked by", "Finished", "Took"]
    return listing("Finished jobs", columns, rows, numbers=(5,))


def _subject(job: JobLine, sources: Sources) -> str:
    workspace = sources.workspace
    if job.kind == "publish":
        return workspace.lake.datasets[job.subject].label if job.subject in workspace.lake.datasets else "all datasets"
    if job.kind == "score":
        return workspace.models.models[job.subject].label if job.subject in workspace.models.models else "all models"
    return {"sync": "models and versions"}.get(job.kind, job.subject or "everything")


def _span(took: timedelta) -> str:
    """A length of time in its largest unit or two: "8 s", "3 min 20 s", "2 h 5 min"."""
    seconds = max(0, round(took.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3_600:
        return f"{seconds // 60} min {seconds % 60} s" if seconds < 600 else f"{seconds // 60} min"
    return f"{seconds // 3_600} h {seconds % 3_600 // 60} min"


page = Page("/jobs", "Jobs", "jobs:read", layout, register)
