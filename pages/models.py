"""Every model the workspace uses: can it be trusted, is it in use, what stands in the way."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from components import model_charts, notice
from components import page as parts
from pages._screen import Page
from services import model_cards
from services.access import Viewer
from services.model_answers import ModelLine
from services.model_query import ModelQuery
from services.sources import Sources


def layout(viewer: Viewer, sources: Sources) -> Any:
    """The list, one block a model."""
    found = model_cards.overview(viewer, sources)
    return html.Div(
        [
            parts.head("Models", found.scope),
            html.P(found.headline, className="ll-lede"),
            html.Div([_line(line) for line in found.lines], className="ll-mc-list"),
        ],
        className="ll-mc",
    )


def _line(line: ModelLine) -> Any:
    href = ModelQuery(line.name).to_url()
    state = html.Span(line.state.word, className=f"ll-mc-state is-{line.state.tone}")
    left = [
        html.Div([html.H2(dcc.Link(line.label, href=href)), state], className="ll-mc-title"),
        model_charts.tone_text(line.verdict.sentence, line.verdict.tone, "ll-mc-said"),
        html.P(line.verdict.basis or line.state.next_step, className="ll-small ll-soft"),
        html.P([html.Span(f) for f in line.facts], className="ll-scope"),
        html.P(dcc.Link("Open its card", href=href), className="ll-small ll-mc-open"),
        *[notice.message(n.sentence, n.next_step, "bad" if n.tone == "bad" else "watch") for n in line.notes],
    ]
    right = model_charts.compared(line.compared, small=True) if line.compared is not None else None
    return html.Article(
        [html.Div(left, className="ll-s7"), html.Div(right, className="ll-s5")], className="ll-grid ll-mc-row"
    )


page = Page("/models", "Models", "models:read", layout)
