"""Who did what, when, and by which right: the log, narrowed by act, person, days and outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dash import Input, Output, dcc, html

from components import forms, notice
from components import page as parts
from components.ids import Ids
from components.listing import listing
from pages import _questions
from pages._screen import Page, Screen
from services import audit
from services.access import Viewer
from services.audit import AuditLine, AuditPage, AuditQuery
from services.errors import InvalidQuery
from services.sources import Sources

ids = Ids("audit")
HOME = "/admin/audit"
OUTCOMES = (("", "All"), ("allowed", "Done"), ("denied", "Refused"))


def layout(viewer: Viewer, sources: Sources, **query: str) -> Any:
    """The newest events that the address asks for."""
    asked = AuditQuery.from_url(query)
    found = audit.events(viewer, sources, asked)
    return [
        parts.head("Audit", _scope(found), [_questions.links(viewer, HOME)]),
        html.Div(_filters(found), className="ll-filters"),
        html.Div(_events(found), id=ids("events"), **{"aria-live": "polite"}),
        dcc.Store(id=ids("href"), data=HOME + asked.to_url()),
        html.Div(id=ids("sink"), hidden=True),
    ]


def register(screen: Screen) -> None:
    """The filters; the address follows them, so that it can be sent to a colleague."""

    @screen.callback(
        Output(ids("events"), "children"),
        Output(ids("href"), "data"),
        Input(ids("act"), "value"),
        Input(ids("person"), "value"),
        Input(ids("days"), "value"),
        Input(ids("outcome"), "value"),
        prevent_initial_call=True,
    )
    def narrowed(viewer: Viewer, act: Any, person: Any, days: Any, outcome: Any) -> Any:
        first, last = days if isinstance(days, list) and len(days) == 2 else (None, None)
        said = {"act": act, "person": person, "from": first, "to": last, "outcome": outcome}
        try:
            asked = AuditQuery.from_url({k: str(v) for k, v in said.items() if v})
        except InvalidQuery as wrong:
            return [notice.message(wrong.sentence, wrong.next_step, "watch"), HOME]
        return [_events(audit.events(viewer, screen.sources, asked)), HOME + asked.to_url()]

    screen.clientside("ll", "address", Output(ids("sink"), "title"), Input(ids("href"), "data"))


def _scope(found: AuditPage) -> list[str]:
    return ["Every act, written as it happens and never changed", f"times in {found.zone.replace('_', ' ')}"]


def _filters(found: AuditPage) -> list[Any]:
    asked = found.query
    return [
        forms.choice(ids("act"), "Act", found.acts, value=asked.act, empty="Every act"),
        forms.choice(ids("person"), "Who", _people(found), value=asked.person, empty="Everybody"),
        forms.days(
            ids("days"),
            "Days",
            first=asked.since.isoformat() if asked.since else "",
            last=asked.until.isoformat() if asked.until else "",
        ),
        forms.segments(ids("outcome"), "Outcome", OUTCOMES, value=asked.outcome),
    ]


def _people(found: AuditPage) -> list[tuple[str, str]]:
    """Everybody known, and the one of the address even if nobody has that e-mail."""
    known = list(found.people)
    if found.query.person and found.query.person not in {email for email, _ in known}:
        known.append((found.query.person, found.query.person))
    return known


def _events(found: AuditPage) -> list[Any]:
    if not found.lines:
        narrowed = found.query != AuditQuery()
        step = "Take a filter away." if narrowed else "It fills as people work."
        return [notice.message("No event matches these filters." if narrowed else "The log is empty.", step)]
    rows = [_row(line, found.zone) for line in found.lines]
    return [listing("Events", ["When", "Who", "What", "On", "Details"], rows), _foot(found)]


def _row(line: AuditLine, zone: str) -> list[Any]:
    address = html.Div(line.person, className="ll-soft ll-small") if "@" in line.person else None
    who = [html.Strong(line.name), address]
    said = (
        html.Span(line.said) if line.allowed else parts.status("bad", f"Refused: {line.said[0].lower()}{line.said[1:]}")
    )
    details = [line.reason, " · ".join(line.details)]
    details = [html.Div(d) for d in details if d]
    when = html.Span(audit.when(line, zone), className="ll-nowrap")
    return [
        when,
        html.Div(who),
        said,
        html.Span(line.resource, className="ll-key"),
        html.Div(details, className="ll-small") if details else "",
    ]


def _foot(found: AuditPage) -> Any:
    last = found.first + len(found.lines) - 1
    newest = replace(found.query, page=1)
    links = [
        _link("Newest", newest, found.query.page > 1),
        _link("Newer", found.newer, True),
        _link("Older", found.older, True),
    ]
    return html.Div(
        [html.Span(f"{found.first:,}–{last:,} of {found.total:,}"), *(link for link in links if link)],
        className="ll-foot ll-paging",
    )


def _link(label: str, query: AuditQuery | None, shown: bool) -> Any:
    return dcc.Link(label, href=HOME + query.to_url()) if query is not None and shown else None


page = Page(HOME, "Audit", "audit:read", layout, register)
