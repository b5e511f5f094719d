"""An answer that can be printed: its head says what was asked, by whom, when, and of which versions it speaks."""

from __future__ import annotations

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

PRINT = "Print"


def answer(question: str, facts: Sequence[tuple[str, str]], *inside: object) -> Component:
    """An answer under its question. ``facts`` are (term, value); those without a value are left out."""
    said = [html.Div([html.Dt(term), html.Dd(value)]) for term, value in facts if value]
    head = html.Header([html.H2(question), html.Dl(said)], className="ll-answer-head")
    return html.Article([head, *inside], className="ll-answer")


def print_button(id: str) -> Component:
    """A button that prints the page; nothing but the answer is put on paper."""
    return html.Button(PRINT, id=id, n_clicks=0, type="button")


def ask(*fields: object) -> Component:
    """The fields of a question beside each other, with their button; they are not printed."""
    return html.Div(list(fields), className="ll-filters ll-ask", role="group", **{"aria-label": "The question"})
