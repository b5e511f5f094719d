"""Contributions: signed bars in sentences, and the analyst's waterfall from base value to score."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from components import charts, theme


def signed(
    rows: Sequence[tuple[str, float, str, str]],
    *,
    label: str,
    hrefs: Sequence[str] = (),
    colours: bool = True,
    looks: Sequence[str] = (),
) -> Component:
    """Bars to the left and right of a zero line: (text, amount, amount in words, detail on hover).

    ``looks`` are classes of the rows: "is-plain" for a bar that is no reason of its own.
    """
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
        name = f"ll-barrow {looks[at]}".strip() if at < len(looks) else "ll-barrow"
        made.append(
            dcc.Link(cells, href=href, className=name, title=detail)
            if href
            else html.Div(cells, className=name, title=detail)
        )
    return html.Div(made, className="ll-bars", role="group", **{"aria-label": label})


def waterfall(
    title: str,
    base: tuple[str, float, str],
    steps: Sequence[tuple[str, float, str]],
    end: tuple[str, float, str],
    *,
    share: bool = False,
) -> Component:
    """From the base value to the end, one bar a contribution, as (label, amount, text); drawn with bars on a base.

    ``share``: amounts are shares of one, and the axis says per cent.
    """
    names = [base[0], *(s[0] for s in steps), end[0]]
    places = list(range(len(names)))
    starts, sizes, colours, texts, at = [0.0], [base[1]], [theme.REST], [base[2]], base[1]
    reached = [base[1]]
    for _, amount, text in steps:
        starts.append(at)
        sizes.append(amount)
        colours.append(theme.RAISE if amount > 0 else theme.LOWER)
        texts.append(text)
        at += amount
        reached += [at]
    starts.append(0.0)
    sizes.append(end[1])
    colours.append(theme.REST)
    texts.append(end[2])
    made = go.Figure(
        go.Bar(
            y=places,
            x=sizes,
            base=starts,
            orientation="h",
            marker={"color": colours},
            text=texts,
            textposition="outside",
            cliponaxis=False,
            customdata=names,
            hovertemplate="%{customdata}<br><b>%{text}</b><extra></extra>",
        )
    )
    low, high = min(0.0, *reached, end[1]), max(0.0, *reached, end[1])
    room = 0.16 * (high - low or 1.0)
    leftmost = min([at for at, (_, amount, _) in zip(reached[1:], steps, strict=True) if amount < 0] + [high])
    left = room if low < 0 or leftmost - low < room else 0.0
    made.update_yaxes(autorange="reversed", tickvals=places, ticktext=[_short(n) for n in names], showgrid=False)
    made.update_xaxes(range=[low - left, high + room], tickformat=".0%" if share else None, showgrid=True, nticks=6)
    made.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8}, bargap=0.35)
    rows = [list(r) for r in zip(names, texts, strict=True)]
    return charts.figure(title, made, height=60 + 26 * len(names), rows=rows, columns=["Input", "Contribution"])


def _short(name: str, most: int = 34) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
