"""KPI cards: a number at a glance, with its change in words, its past as a line, and its meaning on hover and focus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from dash import html
from dash.development.base_component import Component

from components import links

if TYPE_CHECKING:
    from services.kpi_answers import Card, Change, Goal, Origin, Point, Problem
    from services.wording import Shown

ARROWS = {"up": "▲", "down": "▼", "unchanged": "▬"}
VERDICTS = {"good": ", better", "bad": ", worse", "neutral": ""}
SPACE = "\N{NO-BREAK SPACE}"
HEIGHT, INSET = 30.0, 4.0


def row(found: Sequence[Component]) -> Component:
    """Cards side by side."""
    return html.Div(list(found), className="ll-cards")


def card(found: Card) -> Component:
    """A metric as a link that brings it into the middle of the page."""
    about = f"about-{found.metric}"
    inside = [
        html.Span(found.label, className="ll-card-label"),
        figure(found.value),
        change(found.change, found.note),
        spark(found.spark, found.spark_before, found.level),
    ]
    if found.goal is not None:
        inside.insert(3, _goal(found.goal))
    link = links.stay(inside, found.href, class_name="ll-card-link", current=found.chosen, described_by=about)
    name = "ll-card is-chosen" if found.chosen else "ll-card"
    return html.Div([link, html.Div(meaning(found), id=about, className="ll-about", role="tooltip")], className=name)


def missing(found: Problem) -> Component:
    """A card whose number cannot be shown: it keeps its name and says why."""
    said = [html.Span(found.label, className="ll-card-label"), html.Strong(found.sentence)]
    return html.Div([*said, html.Span(found.next_step, className="ll-soft")], className="ll-card is-missing")


def figure(value: Shown) -> Component:
    """A large number; the word of its unit is small."""
    number, _, unit = value.text.partition(SPACE)
    if unit and not number[-1:].isalnum():
        number, unit = value.text, ""
    parts = [number, html.Span(f" {unit}", className="ll-card-unit")] if unit else number
    return html.Span(parts, className="ll-card-value")


def change(found: Change | None, note: str = "") -> Component:
    """What changed: arrow, word, percent and amount; whether that is better is also said to those who see no colour."""
    if found is None:
        return html.Span(note or "no comparison", className="ll-change ll-neutral")
    size = found.text.lstrip("+−")
    text = "unchanged" if found.word == "unchanged" else f"{found.word} {size}"
    parts: list[object] = [html.Span(f"{ARROWS[found.word]} ", **{"aria-hidden": "true"}), text]
    if found.word != "unchanged" and found.amount_text != found.text:
        parts.append(html.Span(f" ({found.amount_text})", className="ll-change-amount"))
    parts.append(html.Span(VERDICTS[found.verdict], className="ll-hidden"))
    return html.Span(parts, className=f"ll-change ll-{found.verdict}")


def meaning(found: Card) -> Component:
    """What the number is, exactly, against what, and where it comes from."""
    against = [(f"In {found.against}", found.before.exact)] if found.against else []
    goal = [("Target", found.goal.text)] if found.goal else []
    return terms([("Exactly", found.value.exact), *against, *goal], found.origin)


def terms(facts: Sequence[tuple[str, str]], origin: Origin) -> Component:
    """A definition, some facts, and the origin of a number."""
    known = [*facts, ("Owner", origin.owner), ("As of", origin.as_of), ("Data", origin.data_version)]
    known.append(("Fresh", origin.freshness))
    listed = html.Dl([html.Div([html.Dt(term), html.Dd(value)]) for term, value in known], className="ll-terms-list")
    return html.Div([html.P(origin.definition), listed])


def _goal(found: Goal) -> Component:
    """How far the value is to its target: a bar, the target as a tick."""
    reached = min(max(found.reached or 0.0, 0.0), 1.25) / 1.25
    bar = [
        html.Span(className="ll-goal-fill", style={"width": f"{reached * 100:.1f}%"}),
        html.Span(className="ll-goal-tick"),
    ]
    return html.Span(
        [html.Span(bar, className="ll-goal", **{"aria-hidden": "true"}), html.Span(found.text)], className="ll-goal-row"
    )


# ── sparklines ────────────────────────────────────────────────────────────────────────────────────


def spark(points: Sequence[Point], before: Sequence[Point] = (), level: float | None = None) -> Component:
    """A line of the last periods; the comparison dotted, as a line or as its level; the newest point marked.

    Each part is a mask over a plain colour, so that the drawing follows the theme without a chart library.
    """
    values, earlier = [p.value for p in points], [p.value for p in before]
    if not earlier and level is not None:
        earlier = [level] * 2
    known = [v for v in (*values, *earlier) if v is not None]
    if len([v for v in values if v is not None]) < 2:
        return html.Span(className="ll-spark")
    low, high = min(known), max(known)
    layers = [
        _layer("before", _path(earlier, low, high), "1.2", "2 3"),
        _layer("line", _path(values, low, high), "1.7"),
    ]
    if values[-1] is not None:
        place = {"top": f"{_height(values[-1], low, high) / HEIGHT * 100:.1f}%"}
        layers.append(html.Span(className=f"ll-spark-dot{'' if points[-1].complete else ' is-hollow'}", style=place))
    return html.Span([layer for layer in layers if layer is not None], className="ll-spark", **{"aria-hidden": "true"})


def _height(value: float, low: float, high: float) -> float:
    return HEIGHT - INSET - (value - low) / ((high - low) or 1.0) * (HEIGHT - 2 * INSET)


def _path(values: Sequence[float | None], low: float, high: float) -> str:
    steps = max(1, len(values) - 1)
    said, pen = "", "M"
    for at, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        said += f"{pen}{at * 100 / steps:.1f} {_height(value, low, high):.1f}"
        pen = "L"
    return said


def _layer(kind: str, path: str, width: str, dashes: str = "") -> Component | None:
    if not path:
        return None
    dashed = f" stroke-dasharray='{dashes}'" if dashes else ""
    drawing = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 100 {HEIGHT:.0f}' preserveAspectRatio='none'>"
        f"<path d='{path}' fill='none' stroke='black' stroke-width='{width}' stroke-linecap='round'{dashed}"
        " vector-effect='non-scaling-stroke'/></svg>"
    )
    safe = quote(drawing, safe=" ='/:")
    return html.Span(className=f"ll-spark-{kind}", style={"--drawing": f'url("data:image/svg+xml,{safe}")'})
