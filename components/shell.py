"""The frame around every page: wordmark, the role's entries, the person's menu, the place where pages appear."""

from __future__ import annotations

from collections.abc import Sequence

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from dash.development.base_component import Component

WORDMARK = '<span class="ll-word">lake<i>light</i></span>'
HEAD_SCRIPT = (
    'var k=null;try{k=localStorage.getItem("mantine-color-scheme-value")}catch(e){k=null}'
    'document.documentElement.setAttribute("data-mantine-color-scheme",'
    '(k?k==="dark":matchMedia("(prefers-color-scheme: dark)").matches)?"dark":"light")'
)


def frame(person: str, role_label: str, entries: Sequence[tuple[str, str]]) -> Component:
    """The application's frame for one person. ``entries`` are (label, address)."""
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
            html.Div(_menu(person, role_label), className="ll-tools"),
        ],
        className="ll-bar",
    )
    inside = html.Div(
        [
            html.A("Skip to content", href="#content", className="ll-skip"),
            bar,
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


def _menu(person: str, role_label: str) -> Component:
    leave = html.Form(html.Button("Sign out", type="submit"), method="POST", action="/sign-out", className="ll-leave")
    return html.Details(
        [
            html.Summary(person, **{"aria-label": f"Menu of {person}"}),
            html.Div(
                [
                    html.Div([html.Strong(person), html.Div(role_label, className="ll-soft ll-small")]),
                    html.Button("Light or dark", id="ll-scheme"),
                    dcc.Link("Your account", href="/account", className="ll-button"),
                    leave,
                ],
                className="ll-menu",
            ),
        ]
    )
