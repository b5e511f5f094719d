"""Charts: a sentence as title, series named at their end, horizontal gridlines only, and the same values as a table."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from components import tables, theme

CONFIG = {"displayModeBar": False, "showSendToCloud": False, "responsive": True}
Row = tuple[str, str]


def figure(
    title: str,
    drawn: go.Figure,
    *,
    height: int,
    rows: Sequence[Sequence[str]],
    columns: Sequence[str],
    id: str | None = None,
) -> Component:
    """A figure with its title, the drawing, and a table of its values for those who cannot see it."""
    drawn.update_layout(height=height, template=None, dragmode=False)
    graph = dcc.Graph(figure=drawn, config=CONFIG, style={"height": height}, **({"id": id} if id else {}))
    table = html.Details([html.Summary("Values as a table"), tables.plain(columns, rows)], className="ll-figure-table")
    return html.Figure(
        [html.Figcaption(title), html.Div(graph, role="img", **{"aria-label": title}), table], className="ll-figure"
    )


def trend(
    title: str,
    points: Sequence[tuple[str, float | None, str]],
    before: Sequence[tuple[str, float | None, str]],
    *,
    names: tuple[str, str],
    hollow: Sequence[int] = (),
    height: int = 300,
) -> Component:
    """A line over time, the comparison dotted; points are (label, value, text). ``hollow`` are unfinished ones."""
    labels = [p[0] for p in points] or [b[0] for b in before]
    made = go.Figure()
    if before:
        count = min(len(before), max(len(labels), 1))
        made.add_trace(_line(labels[:count], before[:count], name=names[1], colour=theme.DOT, dash="dot", width=1.5))
    made.add_trace(_line(labels[: len(points)], points, name=names[0], colour=theme.ACCENT, dash="solid", width=2.2))
    marks = ["circle-open" if i in hollow else "circle" for i in range(len(points))]
    made.data[-1].update(mode="lines+markers", marker={"symbol": marks, "size": 6, "color": theme.ACCENT})
    made.update_layout(margin={"l": 8, "r": 96, "t": 8, "b": 8}, hovermode="closest")
    made.update_xaxes(type="category", nticks=8)
    made.update_yaxes(rangemode="tozero" if _near_zero(points, before) else "normal", nticks=5)
    _end_label(made, labels, points, text=names[0], colour=theme.ACCENT, shift=8)
    if before:
        _end_label(made, labels, before[: len(labels)], text=names[1], colour=theme.SOFT, shift=-8)
    rows = [[p[0], p[2], before[i][2] if i < len(before) else ""] for i, p in enumerate(points)]
    return figure(title, made, height=height, rows=rows, columns=["Time", names[0], names[1]])


def expected(
    title: str,
    past: Sequence[tuple[str, float | None, str]],
    coming: Sequence[tuple[str, float | None, str]],
    *,
    height: int = 190,
) -> Component:
    """The past as a line, and what is expected as hollow points."""
    made = go.Figure()
    made.add_trace(_line([p[0] for p in past], past, name="actual", colour=theme.ACCENT, dash="solid", width=2))
    bridge = [*past[-1:], *coming]
    made.add_trace(_line([p[0] for p in bridge], bridge, name="expected", colour=theme.ACCENT, dash="dot", width=2))
    made.update_xaxes(type="category", nticks=5)
    made.update_yaxes(nticks=4)
    rows = [[p[0], p[2], ""] for p in past] + [[p[0], "", p[2]] for p in coming]
    return figure(title, made, height=height, rows=rows, columns=["Time", "Actual", "Expected"])


def _line(
    labels: Sequence[str],
    points: Sequence[tuple[str, float | None, str]],
    *,
    name: str,
    colour: str,
    dash: str,
    width: float,
) -> go.Scatter:
    return go.Scatter(
        x=list(labels), y=[p[1] for p in points], customdata=[[p[0], p[2]] for p in points], name=name, mode="lines",
        line={"color": colour, "dash": dash, "width": width}, hovertemplate="%{customdata[0]}<br><b>%{customdata[1]}</b> " + name + "<extra></extra>",
    )  # fmt: skip


def _end_label(
    made: go.Figure,
    labels: Sequence[str],
    points: Sequence[tuple[str, float | None, str]],
    *,
    text: str,
    colour: str,
    shift: int,
) -> None:
    last = next((i for i in range(min(len(points), len(labels)) - 1, -1, -1) if points[i][1] is not None), None)
    if last is not None:
        made.add_annotation(
            x=labels[last],
            y=points[last][1],
            text=text,
            showarrow=False,
            xanchor="left",
            xshift=10,
            yshift=shift,
            font={"color": colour, "size": 12},
        )


def _near_zero(*series: Sequence[tuple[str, float | None, str]]) -> bool:
    known = [p[1] for s in series for p in s if p[1] is not None]
    return bool(known) and min(known) >= 0 and min(known) < max(known) * 0.5
