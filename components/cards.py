"""KPI cards: a number at a glance, with its change in words, its past as a line, and its meaning on hover and focus.

Every component costs the browser time at each change of the page, so that a card is made of few: a sparkline is one
element whose drawing follows the theme, and what explains a number is one text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dash import html
from dash.development.base_component import Component

from components import links

if TYPE_CHECKING:
    from services.kpi_answers import Card, Change, Goal, Origin, Point, Problem
    from services.wording import Shown

ARROWS = {"up": "▲", "down": "▼", "unchanged": "▬"}
VERDICTS = {"good": "better", "bad": "worse", "neutral": ""}
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
        html.Span(change_text(found.change, found.note), className=change_class(found.change)),
        html.Span(**spark(found.spark, found.spark_before, found.level)),
    ]
    if found.change is not None and VERDICTS[found.change.verdict]:
        inside.insert(3, html.Span(VERDICTS[found.change.verdict], className="ll-hidden"))
    if found.goal is not None:
        inside.insert(-1, _goal(found.goal))
    link = links.stay(inside, found.href, class_name="ll-card-link", current=found.chosen, described_by=about)
    name = "ll-card is-chosen" if found.chosen else "ll-card"
    return html.Div([link, html.Div(meaning(found), id=about, className="ll-about", role="tooltip")], className=name)


def missing(found: Problem) -> Component:
    """A card whose number cannot be shown: it keeps its name and says why."""
    said = [html.Span(found.label, className="ll-card-label"), html.Strong(found.sentence)]
    return html.Div([*said, html.Span(found.next_step, className="ll-soft")], className="ll-card is-missing")


def figure(value: Shown) -> Component:
    """A large number; the word of its unit is small."""
    number, _, unit = value.text.rpartition(SPACE)
    if not number or any(c.isdigit() for c in unit):
        number, unit = value.text, ""
    parts = [number, html.Span(f" {unit}", className="ll-card-unit")] if unit else number
    return html.Span(parts, className="ll-card-value")


def change_text(found: Change | None, note: str = "") -> str:
    """What changed: arrow, word, percent and amount."""
    if found is None:
        return note or "no comparison"
    if found.word == "unchanged":
        return f"{ARROWS['unchanged']} unchanged"
    size = found.text.lstrip("+−")
    amount = f" ({found.amount_text})" if found.amount_text != found.text else ""
    return f"{ARROWS[found.word]} {found.word} {size}{amount}"


def change_class(found: Change | None) -> str:
    """The colour of a change."""
    return f"ll-change ll-{found.verdict if found else 'neutral'}"


def meaning(found: Card) -> str:
    """What the number is, exactly, against what, and where it comes from; a line each."""
    against = [f"In {found.against}: {found.before.exact}"] if found.against else []
    goal = [f"Target: {found.goal.text}"] if found.goal else []
    return origin_text(found.origin, [f"Exactly {found.value.exact}", *against, *goal])


def origin_text(origin: Origin, facts: Sequence[str] = ()) -> str:
    """A definition, some facts, and the origin of a number; a line each."""
    known = [origin.definition, *facts, f"Owner: {origin.owner}", f"As of {origin.as_of}, {origin.data_version}"]
    return "\n".join([*known, origin.freshness])


def _goal(found: Goal) -> Component:
    """How far the value is to its target: a bar, the target as a tick at four fifths."""
    reached = min(max(found.reached or 0.0, 0.0), 1.25) / 1.25
    return html.Span(found.text, className="ll-goal", style={"--reached": f"{reached * 100:.1f}%"})


# ── sparklines ────────────────────────────────────────────────────────────────────────────────────


def spark(points: Sequence[Point], before: Sequence[Point] = (), level: float | None = None) -> dict[str, Any]:
    """The properties of an element that draws a line: the last periods, the comparison dotted, the newest as a dot.

    The comparison is a line of its own, or its level. The drawings mask a plain colour, so that they follow the theme.
    """
    values, earlier = [p.value for p in points], [p.value for p in before]
    if not earlier and level is not None:
        earlier = [level] * 2
    known = [v for v in (*values, *earlier) if v is not None]
    if len([v for v in values if v is not None]) < 2:
        return {"className": "ll-spark is-empty"}
    low, high = min(known), max(known)
    style = {"--line": _drawing(_path(values, low, high), "1.7")}
    if any(v is not None for v in earlier):
        style["--earlier"] = _drawing(_path(earlier, low, high), "1.2", "2 3")
    end = values[-1]
    style["--end"] = f"{_height(end, low, high) / HEIGHT * 100:.1f}%" if end is not None else "-99px"
    return {"className": "ll-spark" if points[-1].complete else "ll-spark is-hollow", "style": style}


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


def _drawing(path: str, width: str, dashes: str = "") -> str:
    dashed = f" stroke-dasharray='{dashes}'" if dashes else ""
    drawing = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 100 {HEIGHT:.0f}' preserveAspectRatio='none'>"
        f"<path d='{path}' fill='none' stroke='black' stroke-width='{width}' stroke-linecap='round'{dashed}"
        " vector-effect='non-scaling-stroke'/></svg>"
    )
    safe = quote(drawing, safe=" =':/")
    return f'url("data:image/svg+xml,{safe}")'
