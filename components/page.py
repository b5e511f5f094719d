"""The parts every page is laid out with: head, scope line, sections, the twelve-column grid, chips, choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dash import dcc, html
from dash.development.base_component import Component


@dataclass(frozen=True)
class MenuItem:
    """A line of a list of links: title, what stands under it and at its right. ``kind`` as in ``status``."""

    title: str
    under: str
    href: str
    right: str = ""
    kind: str = ""
    chosen: bool = False


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
    links = [dcc.Link(text, href=href, className="is-current" if chosen else "") for text, href, chosen in options]
    return html.Nav(links, className="ll-segments", **{"aria-label": label})


def chips(label: str, options: Sequence[tuple[str, str, bool]], reset: str = "") -> Component:
    """Filters as chips that are links: (label, href, in force)."""
    made: list[object] = [
        dcc.Link(text, href=href, className="ll-chip is-current" if on else "ll-chip") for text, href, on in options
    ]
    if reset:
        made.append(dcc.Link("Reset", href=reset, className="ll-small"))
    return html.Nav(made, className="ll-chips", **{"aria-label": label})


def facts(pairs: Sequence[tuple[str, object]]) -> Component:
    """A short list of what is known: term and value."""
    rows = [html.Tr([html.Th(term, scope="row"), html.Td(value)]) for term, value in pairs]
    return html.Table(html.Tbody(rows), className="ll-table")


def split(left: object, right: object, *, wide: bool = False) -> Component:
    """A list at the left and what it points at on the right; on a phone one under the other."""
    return html.Div(
        [html.Div(left, className="ll-split-list"), html.Div(right, className="ll-split-body")],
        className="ll-split is-wide" if wide else "ll-split",
    )


def menu(label: str, items: Sequence[MenuItem]) -> Component:
    """A list of links, each with a line under it; the chosen one is marked."""
    links = [
        dcc.Link(
            [
                html.Span([html.Strong(item.title), html.Span(item.right, className="ll-menu-right")]),
                status(item.kind, item.under) if item.kind else html.Span(item.under, className="ll-menu-under"),
            ],
            href=item.href,
            className="ll-menu-item is-current" if item.chosen else "ll-menu-item",
        )
        for item in items
    ]
    return html.Nav(links, className="ll-menu-list", **{"aria-label": label})


def status(kind: str, said: str) -> Component:
    """A state as a mark and a word. ``kind``: "good", "watch", "bad" or "" (nothing to judge)."""
    mark = {"good": "✓", "watch": "●", "bad": "▲"}.get(kind, "○")
    return html.Span(
        [html.Span(mark, className="ll-status-mark", **{"aria-hidden": "true"}), said],
        className=f"ll-status is-{kind or 'plain'}",
    )


def with_code(said: str) -> list[object]:
    """A sentence in which what stands between backticks is shown as something to type."""
    return [html.Code(part) if at % 2 else part for at, part in enumerate(said.split("`")) if part]


def tag(said: str, kind: str = "") -> Component:
    """A small word about something: a privacy class, "invented", "key"."""
    return html.Span(said, className=f"ll-tag is-{kind}" if kind else "ll-tag")


def terms(pairs: Sequence[tuple[str, object]]) -> Component:
    """Facts side by side: a small term over its value."""
    return html.Dl(
        [html.Div([html.Dt(term), html.Dd(value)]) for term, value in pairs if value not in (None, "")],
        className="ll-terms",
    )


def more(summary: str, *inside: object, quiet: bool = False, opened: bool = False) -> Component:
    """Something that opens when it is asked for."""
    look = "ll-more is-quiet" if quiet else "ll-more"
    return html.Details([html.Summary(summary), *inside], className=look, open=opened)
