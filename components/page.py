"""The parts every page is laid out with: head, scope line, sections, the twelve-column grid, chips, choices."""

from __future__ import annotations

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component


def head(title: object, scope: Sequence[str], actions: Sequence[Component] = ()) -> Component:
    """Title, the scope line under it, and the page's controls at the right."""
    line = html.P([html.Span(part) for part in scope if part], className="ll-scope")
    named = title if isinstance(title, Component) else html.H1(title)
    return html.Header([html.Div([named, line]), html.Div(list(actions), className="ll-actions")], className="ll-head")


def section(title: str, *children: object) -> Component:
    """A titled part under a hairline."""
    return html.Section([html.H2(title), *children], className="ll-section")


def columns(*cells: tuple[int, object]) -> Component:
    """Cells with their widths in twelfths."""
    return html.Div([html.Div(child, className=f"ll-s{width}") for width, child in cells], className="ll-grid")


def choices(label: str, options: Sequence[tuple[str, str, bool]]) -> Component:
    """A segmented choice of links: (label, href, chosen)."""
    links = [
        dcc.Link(text, href=href, className="is-current" if chosen else "") for text, href, chosen in options
    ]
    return html.Nav(links, className="ll-segments", **{"aria-label": label})


def chips(label: str, options: Sequence[tuple[str, str, bool]], reset: str = "") -> Component:
    """Filters as chips that are links: (label, href, in force)."""
    made: list[object] = [
        dcc.Link(text, href=href, className="ll-chip is-current" if on else "ll-chip")
        for text, href, on in options
    ]
    if reset:
        made.append(dcc.Link("Reset", href=reset, className="ll-small"))
    return html.Nav(made, className="ll-chips", **{"aria-label": label})


def facts(pairs: Sequence[tuple[str, object]]) -> Component:
    """A short list of what is known: term and value."""
    rows = [html.Tr([html.Th(term, scope="row"), html.Td(value)]) for term, value in pairs]
    return html.Table(html.Tbody(rows), className="ll-table")
