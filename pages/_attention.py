"""What needs a look: refused models, files held back, and what the check of the workspace found."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from dash import dcc, html

from components import page as parts
from services import access, catalogue
from services.access import Viewer
from services.sources import Sources

MOST = 3


def panel(viewer: Viewer, sources: Sources) -> list[Any]:
    """A short list beside the people; nothing for those who may not check the workspace."""
    if not access.decide(viewer, "workspace:check").allowed:
        return []
    lines = [*_files(viewer, sources), *_models(viewer, sources)]
    quiet = html.P("No file is held back and no model is refused.", className="ll-soft")
    return [
        html.H2("Needs attention", className="ll-h2"),
        html.Ul(lines[: 2 * MOST], className="ll-attention") if lines else quiet,
        dcc.Link("Check the workspace", href="/admin/check", className="ll-button"),
    ]


def _files(viewer: Viewer, sources: Sources) -> list[Any]:
    found = catalogue.held_files(viewer, sources)
    return [
        _line(f"{h.file} is held back", h.reason, h.next_step, "/data?" + urlencode({"dataset": h.dataset}))
        for h in found[:MOST]
    ] + _rest(len(found), "files", "/data")


def _models(viewer: Viewer, sources: Sources) -> list[Any]:
    found = catalogue.refused_models(viewer, sources)
    return [
        _line(f"{m.registered}, version {m.version}, is refused", m.reason, m.next_step, "/admin/check")
        for m in found[:MOST]
    ] + _rest(len(found), "models", "/admin/check")


def _line(what: str, why: str, step: str, href: str) -> Any:
    inside = [
        parts.status("watch", dcc.Link(what, href=href)),
        html.P(why),
        html.P(step, className="ll-soft") if step else None,
    ]
    return html.Li(inside)


def _rest(count: int, noun: str, href: str) -> list[Any]:
    return [html.Li(dcc.Link(f"and {count - MOST} more {noun}", href=href))] if count > MOST else []
