"""The data: every dataset with its grain, freshness and columns, what is invented, and where it is used."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from dash import dcc, html

from components import notice
from components import page as parts
from components.listing import listing
from components.page import MenuItem
from pages._screen import Page
from services import access, catalogue, wording
from services.access import Viewer
from services.catalogue import Catalogue, ColumnLine, DatasetDetail, DatasetLine, HeldFile
from services.sources import Sources

KINDS = {"fresh": "good", "stale": "watch", "held": "watch", "missing": ""}
HOMES = {"metric": "/kpis?metric={name}", "model": "/models/{name}"}


def layout(viewer: Viewer, sources: Sources, dataset: str = "") -> Any:
    """The list at the left, the dataset of the address on the right."""
    found = catalogue.catalogue(viewer, sources, dataset)
    listed = parts.menu("Datasets", [_item(line, found.focus.line.name) for line in found.datasets])
    return [
        parts.head("Data", _scope(found), _doors(viewer)),
        parts.split(listed, _focus(found)),
        _held_section(found) if found.held else None,
    ]


def _scope(found: Catalogue) -> list[str]:
    waiting = sum(line.rows is None for line in found.datasets)
    stale = sum(line.state == "stale" for line in found.datasets)
    held = len(found.held)
    return [
        found.name,
        f"As of {wording.day(found.as_of)}" + (", the newest day of the data" if found.data_clock else ""),
        f"{len(found.datasets)} {'dataset' if len(found.datasets) == 1 else 'datasets'}"
        + (f", {waiting} not published yet" if waiting else ""),
        f"{stale} older than promised" if stale else "",
        f"{held} {'file' if held == 1 else 'files'} held back" if held else "",
    ]


def _doors(viewer: Viewer) -> list[Any]:
    wanted = (("workspace:check", "Check the workspace", "/admin/check"), ("jobs:read", "Jobs", "/jobs"))
    return [
        dcc.Link(label, href=href, className="ll-button")
        for action, label, href in wanted
        if access.decide(viewer, action).allowed
    ]


def _item(line: DatasetLine, focus: str) -> MenuItem:
    return MenuItem(
        title=line.label,
        under=line.said,
        href="/data?" + urlencode({"dataset": line.name}),
        right=line.rows.text if line.rows is not None else "",
        kind=KINDS[line.state],
        chosen=line.name == focus,
    )


def _focus(found: Catalogue) -> list[Any]:
    about = found.focus
    return [
        html.H2(about.line.label, className="ll-focus"),
        html.P(about.description, className="ll-focus-lede") if about.description else None,
        *(_held(held) for held in about.held),
        notice.stale(f"{about.line.label}: {about.line.said[0].lower()}{about.line.said[1:]}. {about.promise}")
        if about.line.state == "stale"
        else None,
        parts.terms(_facts(found)),
        _invented(found),
        parts.section("Columns", _columns(about)),
        parts.columns((6, _uses(about)), (6, _versions(found))),
    ]


def _facts(found: Catalogue) -> list[tuple[str, Any]]:
    about = found.focus
    current = next((v for v in about.versions if v.current), None)
    return [
        ("Each row is", about.grain),
        ("Rows", _rows(about)),
        ("You see", _visible(about)),
        ("Newest day", f"{wording.day(about.newest)}" if about.newest else ""),
        ("Promise", about.promise if about.time else ""),
        (
            "Published",
            f"{wording.moment(current.published_at, found.zone)}, version {current.number}" if current else "",
        ),
    ]


def _rows(about: DatasetDetail) -> Any:
    """How many rows there are, or why that is not told."""
    if about.line.rows is None:
        return "not published yet"
    why = about.line.rows.reason
    return [html.Span(about.line.rows.text), html.Span(why, className="ll-term-note") if why else None]


def _visible(about: DatasetDetail) -> Any:
    if about.line.rows is None:
        return ""
    if about.visible is None:
        return "cannot be counted now"
    count = "all of them" if about.visible == about.line.rows.value else f"{about.visible:,}"
    count = "none of them" if about.visible == 0 else count
    return [html.Span(count), html.Span(about.reason, className="ll-term-note")]


def _invented(found: Catalogue) -> Any:
    about = found.focus
    if not about.invented:
        return None
    names = ", ".join(about.invented)
    verb = "is" if len(about.invented) == 1 else "are"
    return notice.message(f"{names} {verb} invented.", found.note)


def _columns(about: DatasetDetail) -> Any:
    """Columns in words; how much of them is filled only where this viewer has rows to tell from."""
    counted = any(c.filled is not None for c in about.columns)
    heads = ["Column", "What it holds", "Privacy", "For you", *(["Filled"] if counted else [])]
    rows = [_column(c, nothing=about.visible == 0, counted=counted) for c in about.columns]
    return listing(f"Columns of {about.line.label}", heads, rows)


def _column(column: ColumnLine, *, nothing: bool, counted: bool) -> list[Any]:
    name = [html.Strong(column.label), html.Div(html.Code(column.name), className="ll-soft ll-small")]
    kind = f"{column.kind}, {column.unit}" if column.unit else column.kind
    said = " ".join(s for s in (column.description, f"Added from {column.source}." if column.source else "") if s)
    marks = [parts.tag("key") if column.key else None, parts.tag("invented", "watch") if column.invented else None]
    holds = [html.Span(kind), *marks, html.Div(said, className="ll-soft ll-small") if said else None]
    seen = html.Span("no rows" if nothing else "shown", className="ll-soft")
    yours = parts.tag("hidden", "bad") if column.hidden else seen
    cells = [html.Div(name), html.Div(holds), parts.tag(column.privacy, column.privacy), yours]
    return [*cells, _filled(column)] if counted else cells


def _filled(column: ColumnLine) -> Any:
    if column.filled is None:
        return html.Span(wording.UNKNOWN, className="ll-soft")
    bar = html.Span(html.I(style={"width": f"{column.filled:.1%}"}), className="ll-filled", **{"aria-hidden": "true"})
    return html.Span([bar, column.filled_said], className="ll-filled-cell")


def _uses(about: DatasetDetail) -> Any:
    if not about.uses:
        said: Any = html.P("No metric and no model reads it directly.", className="ll-soft")
    else:
        rows = []
        for use in about.uses:
            href = HOMES[use.kind].format(name=use.name)
            label = dcc.Link(use.label, href=href) if use.may_open else use.label
            rows.append([label, "Model" if use.kind == "model" else "Number", use.note])
        said = listing("Where it is used", ["Used by", "Kind", "Owner or role"], rows)
    return parts.section("Where it is used", said)


def _versions(found: Catalogue) -> Any:
    about = found.focus
    rows = [
        [
            f"{v.number}" + (", current" if v.current else ""),
            wording.moment(v.published_at, found.zone),
            v.rows.text,
        ]
        for v in about.versions
    ]
    source = html.P(["Read from ", html.Code(about.source), "."], className="ll-soft ll-small")
    made = listing("Versions", ["Version", "Published", "Rows"], rows, numbers=(2,)) if rows else None
    return parts.section("Published versions", made, source)


def _held(held: HeldFile) -> Any:
    serving = "The last good version serves on." if held.serving else "Nothing of it is published."
    return notice.message(f"A file is held back: {held.reason}", f"{serving} {held.next_step}", "watch")


def _held_section(found: Catalogue) -> Any:
    rows = [
        [
            dcc.Link(h.label, href="/data?" + urlencode({"dataset": h.dataset})),
            html.Code(h.file),
            h.reason,
            h.next_step,
            wording.moment(h.found_at, found.zone),
        ]
        for h in found.held
    ]
    heads = ["Dataset", "File", "What is wrong", "What to do", "Since"]
    return parts.section("Files held back", listing("Files held back", heads, rows))


page = Page("/data", "Data", "data:read", layout)
