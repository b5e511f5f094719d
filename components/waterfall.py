"""Contributions: signed bars in sentences, and the analyst's waterfall from base value to score."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from components import charts, theme


def signed(
    rows: Sequence[tuple[str, float, str, str]], *, label: str, hrefs: Sequence[str] = (), colours: bool = True
) -> Component:
    """Bars to the left and right of a zero line: (text, amount, amount in words, detail on hover)."""
    biggest = max((abs(r[1]) for r in rows), default=0.0) or 1.0
    negative = any(r[1] < 0 for r in rows)
    zero = 50.0 if negative else 0.0
    made = []
    for at, (text, amount, said, detail) in enumerate(rows):
        width = abs(amount) / biggest * (50.0 if negative else 100.0)
        left = zero - width if amount < 0 else zero
        kind = ("is-raise" if amount > 0 else "is-lower") if colours else "is-accent"
        fill = html.Span(className=f"ll-fill {kind}", style={"left": f"{left:.2f}%", "width": f"{width:.2f}%"})
        cells = [
            html.Span(text),
            html.Span(fill, className="ll-track", style={"--zero": f"{zero}%"}),
            html.Span(said, className="ll-barvalue"),
        ]
        href = hrefs[at] if at < len(hrefs) else ""
        made.append(
            dcc.Link(cells, href=href, className="ll-barrow", title=detail)
            if href
            else html.Div(cells, className="ll-barrow", title=detail)
        )
    return html.Div(made, className="ll-bars", role="group", **{"aria-label": label})


def waterfall(
    title: str, base: tuple[str, float], steps: Sequence[tuple[str, float, str]], end: tuple[str, float]
) -> Component:
    """From the base value to the margin, one bar a contribution; drawn with bars on a base."""
    names = [base[0], *(s[0] for s in steps), end[0]]
    starts, sizes, colours, texts, at = [0.0], [base[1]], [theme.REST], [f"{base[1]:.2f}"], base[1]
    for _, amount, text in steps:
        starts.append(at)
        sizes.append(amount)
        colours.append(theme.RAISE if amount > 0 else theme.LOWER)
        texts.append(text)
        at += amount
    starts.append(0.0)
    sizes.append(end[1])
    colours.append(theme.REST)
    texts.append(f"{end[1]:.2f}")
    made = go.Figure(
        go.Bar(
            y=names,
            x=sizes,
            base=starts,
            orientation="h",
            marker={"color": colours},
            text=texts,
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    made.update_yaxes(autorange="reversed", type="category")
    rows = list(zip(names, texts, strict=True))
    return charts.figure(
        title, made, height=60 + 30 * len(names), rows=[list(r) for r in rows], columns=["Input", "Contribution"]
    )
