"""KPI cards: a number at a glance, with its change in words, its past as a line, and its meaning on hover."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from dash import dcc, html
from dash.development.base_component import Component

ARROWS = {"up": "▲", "down": "▼", "unchanged": "▬"}


def card(
    label: str,
    value: str,
    *,
    href: str = "",
    change: tuple[str, str, str] | None = None,
    note: str = "",
    spark: Component | None = None,
    about: Sequence[tuple[str, str]] = (),
    chosen: bool = False,
) -> Component:
    """A card that is a link. ``change`` is (word, verdict, text): ("up", "good", "4.2 % (+$182k)")."""
    parts: list[object] = [html.Span(label, className="ll-card-label"), html.Span(value, className="ll-card-value")]
    if change:
        word, verdict, text = change
        parts.append(html.Span(f"{ARROWS[word]} {text}", className=f"ll-change ll-{verdict}"))
    elif note:
        parts.append(html.Span(note, className="ll-change ll-soft"))
    if spark is not None:
        parts.append(spark)
    if about:
        parts.append(
            html.Span(
                [html.Span([html.Strong(k), f" {v}", html.Br()]) for k, v in about], className="ll-about", role="note"
            )
        )
    name = "ll-card is-chosen" if chosen else "ll-card"
    if not href:
        return html.Div(parts, className=name)
    return dcc.Link(parts, href=href, className=name)


def spark(values: Sequence[float | None], before: Sequence[float | None] = ()) -> Component:
    """A line of the last buckets, the comparison dotted, the last point marked. An image of its own: no chart library."""
    known = [v for v in (*values, *before) if v is not None]
    if len(known) < 2:
        return html.Span(className="ll-spark")
    low, high = min(known), max(known)
    spread = (high - low) or 1.0

    def path(series: Sequence[float | None]) -> str:
        steps = max(1, len(series) - 1)
        said, pen = "", "M"
        for at, value in enumerate(series):
            if value is None:
                pen = "M"
                continue
            said += f"{pen}{at * 100 / steps:.1f} {28 - (value - low) / spread * 24:.1f}"
            pen = "L"
        return said

    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 30" preserveAspectRatio="none">'
        f'<path d="{path(before)}" fill="none" stroke="#8a9196" stroke-width="1.2" stroke-dasharray="2 3" vector-effect="non-scaling-stroke"/>'
        f'<path d="{path(values)}" fill="none" stroke="#2a9089" stroke-width="1.7" vector-effect="non-scaling-stroke"/></svg>'
    )
    return html.Img(src=f"data:image/svg+xml,{quote(drawing)}", className="ll-spark", alt="")


def row(cards: Sequence[Component]) -> Component:
    """Cards side by side."""
    return html.Div(list(cards), className="ll-cards")
