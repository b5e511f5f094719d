"""What a page says when there is nothing to draw: each state with its next step."""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component


def message(sentence: str, next_step: str = "", kind: str = "") -> Component:
    """A sentence and what to do. ``kind``: "", "watch" or "bad"."""
    parts: list[object] = [html.Strong(sentence)]
    if next_step:
        parts.append(html.Span(next_step))
    return html.Div(parts, className=f"ll-notice is-{kind}" if kind else "ll-notice", role="status")


def refusal(sentence: str, next_step: str = "") -> Component:
    """A whole page that could not be answered."""
    return html.Div([html.H1(sentence, className="ll-lede"), html.P(next_step, className="ll-soft")])


def missing_page() -> Component:
    """Not there, or not for this person: both look the same."""
    return html.Div(
        [
            html.H1("There is no such page for you.", className="ll-lede"),
            dcc.Link("Go to your first page", href="/", refresh=True),
        ]
    )


def failed(reference: str) -> Component:
    """A part broke; the reference finds it in the log."""
    return message("This could not be shown.", f"Tell your administrator the reference {reference}.", "bad")


def toast(sentence: str, next_step: str = "", *, key: str = "") -> Component:
    """A passing message in the corner. Its cross puts it away; ``key`` makes the same message appear anew."""
    cross = html.Button("×", className="ll-dismiss", **{"aria-label": "Put this message away"})
    return html.Div([message(sentence, next_step, "watch"), cross], className="ll-toast", key=key or sentence)


def stale(sentence: str) -> Component:
    """An amber line above what is older than promised."""
    return html.P(sentence, className="ll-stale")
