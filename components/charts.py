"""Charts: a sentence as title, series named at their end, horizontal gridlines only, and the same values as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

TEXTS = frozenset({"text", "customdata", "ticktext", "name"})
"""Where a drawing holds words, which may be anybody's: all of them are shown as they stand."""
CONFIG = {"displayModeBar": False, "showSendToCloud": False, "responsive": True}


def figure(
    title: str,
    drawn: go.Figure | dict[str, Any],
    *,
    height: int,
    rows: Sequence[Sequence[str]],
    columns: Sequence[str],
    id: str | None = None,
    foot: Sequence[object] = (),
) -> Component:
    """A figure with its title, the drawing, and a table of its values for those who cannot see it.

    A drawing may be plain data: checking every property of a figure takes longer than making it. Its words are shown as
    they stand, with a line for each line; only ``hovertemplate`` may hold markup, and no words of the data. ``foot``
    stands under the drawing, beside the table.
    """
    plain = drawn.to_plotly_json() if isinstance(drawn, go.Figure) else drawn
    plain["layout"] = {**plain.get("layout", {}), "height": height, "dragmode": False}
    plain["layout"].pop("template", None)
    plain = _as_text(plain)
    graph = dcc.Graph(figure=plain, config=CONFIG, style={"height": height}, **({"id": id} if id else {}))
    values = json.dumps([list(columns), *map(list, rows)], ensure_ascii=False)
    # The table is made in the browser when somebody opens it (assets/stay.js): most never do, and it is long.
    table = html.Details(
        [html.Summary("Values as a table"), html.Div(**{"data-values": values})], className="ll-figure-table"
    )
    below = html.Div([table, *foot], className="ll-figure-foot") if foot else table
    caption = [html.Figcaption(title)] if title else []
    shown = html.Div(graph, role="img", style={"minHeight": height}, **{"aria-label": title or "Chart"})
    return html.Figure([*caption, shown, below], className="ll-figure")


def _as_text(node: Any, *, words: bool = False) -> Any:
    """A drawing whose words cannot be markup: Plotly reads tags, links and entities in every text it draws."""
    if isinstance(node, str):
        return escape(node, quote=False).replace("\n", "<br>") if words else node
    if isinstance(node, Mapping):
        return {key: _as_text(value, words=words or key in TEXTS) for key, value in node.items()}
    if isinstance(node, list | tuple):
        if node and not words and isinstance(node[0], int | float):
            return node
        return [_as_text(value, words=words) for value in node]
    return node
