"""What needs a look, beside the people: the worst of what the check of the workspace found, and what was refused."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from components import page as parts
from services import access, audit, workspace_check
from services.access import Viewer
from services.sources import Sources

MOST = 5
KINDS = {"ok": "good", "watch": "watch", "bad": "bad"}


def panel(viewer: Viewer, sources: Sources) -> list[Any]:
    """A short list; each part of it only for those who may see where it leads."""
    return [*_check(viewer, sources), *_refusals(viewer, sources)]


def _check(viewer: Viewer, sources: Sources) -> list[Any]:
    if not access.decide(viewer, "workspace:check").allowed:
        return []
    found = workspace_check.check(viewer, sources)
    lines = [line for part in found.parts for line in part.lines if line.state != "ok"]
    lines.sort(key=lambda line: workspace_check.WORST.index(line.state))
    shown = [
        html.Li(
            [
                parts.status(KINDS[line.state], line.sentence),
                html.P(parts.with_code(line.next_step), className="ll-soft"),
            ]
        )
        for line in lines[:MOST]
    ]
    rest = f"and {len(lines) - MOST} more" if len(lines) > MOST else "Check the workspace"
    return [
        html.H2("Needs attention", className="ll-h2"),
        html.Ul(shown, className="ll-attention")
        if shown
        else html.P(parts.status("good", f"All {found.count('ok')} checks of the workspace are passed.")),
        html.P(dcc.Link(rest, href="/admin/check")),
    ]


def _refusals(viewer: Viewer, sources: Sources) -> list[Any]:
    """How often somebody was refused of late: a number to follow up, not a verdict on anybody."""
    if not access.decide(viewer, "audit:read").allowed:
        return []
    count, since = audit.refusals(viewer, sources)
    said = f"{count:,} {'time' if count == 1 else 'times'} in the last {audit.LATELY.days} days"
    link = dcc.Link("See them", href=f"/admin/audit?outcome=denied&from={since.isoformat()}") if count else None
    return [
        html.H2("Refused", className="ll-h2 ll-next"),
        html.P(
            [said if count else "Nobody was refused anything lately.", " ", link], className="" if count else "ll-soft"
        ),
    ]
