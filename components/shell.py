"""The frame around every page: wordmark, the role's entries, tray, the person's menu, the place where pages appear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from dash.development.base_component import Component

WORDMARK = '<span class="ll-word">lake<i>light</i></span>'
HEAD_SCRIPT = (
    'var k=null;try{k=localStorage.getItem("mantine-color-scheme-value")}catch(e){k=null}'
    'document.documentElement.setAttribute("data-mantine-color-scheme",'
    '(k==="dark"||k==="light"?k==="dark":matchMedia("(prefers-color-scheme: dark)").matches)?"dark":"light")'
)
TRAY_LIST, TRAY_COUNT, TRAY_TICK = "ll-tray-list", "ll-tray-count", "ll-tray-tick"


@dataclass(frozen=True)
class TrayLine:
    """One piece of background work: its name, what it says, when; ``progress`` in percent while it runs, else None.

    ``kind``: "" while it is open, then "good", "bad" or "neutral".
    """

    title: str
    said: str
    when: str
    kind: str
    progress: int | None


def frame(
    person: str,
    role_label: str,
    entries: Sequence[tuple[str, str]],
    tray: Component | None = None,
    banner: Component | None = None,
) -> Component:
    """The application's frame for one person. ``entries`` are (label, address); ``banner`` stands above every page."""
    links = [dcc.Link(label, href=path) for label, path in entries]
    bar = html.Header(
        [
            dcc.Link(
                html.Span(["lake", html.I("light")], className="ll-word"),
                href="/",
                className="ll-brand",
                refresh=True,
                title="Lakelight, to your first page",
            ),
            html.Nav(links, className="ll-nav", **{"aria-label": "Main"}),
            html.Div([tray, _menu(person, role_label)], className="ll-tools"),
        ],
        className="ll-bar",
    )
    inside = html.Div(
        [
            html.A("Skip to content", href="#content", className="ll-skip"),
            bar,
            banner,
            html.Main(dash.page_container, id="content", className="ll-main", tabIndex=-1),
            html.Div(id="ll-toasts", className="ll-toasts", **{"aria-live": "polite"}),
            html.Div(id="ll-sink", hidden=True),
            dcc.Location(id="ll-place", refresh=False),
        ]
    )
    return dmc.MantineProvider(
        inside,
        theme={
            "fontFamily": "var(--ll-sans)",
            "primaryColor": "teal",
            "primaryShade": {"light": 9, "dark": 4},
            "defaultRadius": "sm",
        },
        defaultColorScheme="auto",
    )


def seen_as(name: str, role_label: str) -> Component:
    """The banner of whoever looks through somebody else's eyes, with the way back."""
    said = [html.Strong(f"You see Lakelight as {name} does"), f" ({role_label}), read-only."]
    return html.Aside([html.P(said), posted("Leave this view", "/view-as/end")], className="ll-seen-as", role="status")


def posted(label: str, action: str) -> Component:
    """A button that posts a plain form; the browser adds the form token."""
    return html.Form(html.Button(label, type="submit"), method="POST", action=action, className="ll-leave")


def register(app: Dash) -> None:
    """The frame's own behaviour, all of it in the browser."""
    app.clientside_callback(
        ClientsideFunction("ll", "toggle"),
        Output("ll-sink", "title"),
        Input("ll-scheme", "n_clicks"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("ll", "current"), Output("ll-sink", "lang"), Input("ll-place", "pathname")
    )


def tray(lines: Sequence[TrayLine], *, every_ms: int) -> Component:
    """One icon with a count, and the drawer it opens; asks for news every so often."""
    count = sum(line.progress is not None for line in lines)
    return html.Details(
        [
            html.Summary(
                [
                    html.Span(className="ll-icon-tray"),
                    html.Span("Background work, ", className="ll-hidden"),
                    html.Span(tray_count(count), id=TRAY_COUNT, className="ll-tray-count"),
                    html.Span(" open", className="ll-hidden"),
                ],
                title="Background work",
            ),
            html.Div(
                [
                    html.H2("Background work", className="ll-h2"),
                    html.Div(tray_list(lines), id=TRAY_LIST, className="ll-tray-list"),
                    dcc.Link("All jobs", href="/jobs", className="ll-button"),
                ],
                className="ll-tray-drawer",
            ),
            dcc.Interval(id=TRAY_TICK, interval=every_ms),
        ],
        className="ll-tray",
    )


def tray_count(count: int) -> str:
    """The number on the icon; none where nothing is open."""
    return str(count) if count else ""


def tray_list(lines: Sequence[TrayLine]) -> list[Component]:
    """Open work with its progress, then what finished."""
    if not lines:
        return [html.P("Nothing runs, and nothing has run yet.", className="ll-soft")]
    marks = {"good": "✓", "bad": "✕", "neutral": "–"}
    made = []
    for line in lines:
        head = [html.Strong(line.title), html.Span(line.when, className="ll-soft ll-small")]
        about: list[object] = [html.Div(head, className="ll-tray-head")]
        if line.progress is not None:
            named = {"aria-label": f"{line.title}: {line.progress} %"}
            about.append(html.Progress(value=str(line.progress), max="100", **named))
        mark = html.Span(f"{marks[line.kind]} ", className=f"ll-{line.kind}") if line.kind else None
        about.append(html.P([mark, line.said], className="ll-small"))
        made.append(html.Article(about, className="ll-tray-line"))
    return made


def _menu(person: str, role_label: str) -> Component:
    leave = posted("Sign out", "/sign-out")
    theme = [html.Span("Dark theme", className="ll-when-light"), html.Span("Light theme", className="ll-when-dark")]
    return html.Details(
        [
            html.Summary(
                [html.Span(className="ll-icon-person"), html.Span(person, className="ll-person")],
                **{"aria-label": f"Menu of {person}"},
            ),
            html.Div(
                [
                    html.Div([html.Strong(person), html.Div(role_label, className="ll-soft ll-small")]),
                    html.Button(theme, id="ll-scheme", type="button"),
                    dcc.Link("Your account", href="/account", className="ll-button"),
                    leave,
                ],
                className="ll-menu",
            ),
        ]
    )
