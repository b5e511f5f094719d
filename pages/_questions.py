"""The questions of an auditor: links from each of their pages to the others, and what the head of an answer says."""

from __future__ import annotations

from typing import Any

from components import page as parts
from services import access, wording
from services.access import Viewer
from services.sources import Sources

QUESTIONS = (
    ("The log", "/admin/audit"),
    ("A record", "/admin/audit/record"),
    ("Changes", "/admin/audit/changes"),
    ("A person", "/admin/access/day"),
    ("Reviews", "/admin/reviews"),
    ("Evidence", "/admin/evidence"),
)


def links(viewer: Viewer, current: str) -> Any:
    """Links to the questions that this viewer may ask, the current one marked."""
    may = [(label, path) for label, path in QUESTIONS if access.decide(viewer, access.ADDRESSES[path]).allowed]
    return parts.choices("Questions", [(label, path, path == current) for label, path in may])


def asked(viewer: Viewer, sources: Sources) -> list[tuple[str, str]]:
    """Who asked and when, as the head of an answer says it."""
    zone = sources.workspace.lake.timezone
    who = f"{viewer.name}, through the eyes of {viewer.seen_as_name}" if viewer.seen_as else viewer.name
    when = f"{wording.moment(sources.clock(), zone)} ({zone.replace('_', ' ')})"
    return [("Asked by", who), ("At", when), ("Workspace", sources.workspace.lake.name)]
