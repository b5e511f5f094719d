"""A metric drawn: over time beside its comparison, what is expected of it, and why it moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dash import html
from dash.development.base_component import Component

from components import links, theme
from components.charts import figure

if TYPE_CHECKING:
    from services.kpi_answers import Bar, Breakdown, Expectation, Point, Tick, Trend

LETTER = 6.6
APART = 17
MOST_NAMES = 5
LONGEST_LINE = 17


# ── a metric over time ────────────────────────────────────────────────────────────────────────────


def trend(found: Trend, *, height: int = 264, foot: Sequence[object] = ()) -> Component:
    """A line over a period, the comparison dotted; a point that is not finished is hollow and says so."""
    places = max(len(found.axis), len(found.before))
    traces = [_before(found), _own(found)] if found.before else [_own(found)]
    ends = _ends(found, height)
    layout = {
        "margin": {"l": 8, "r": _room([e["text"] for e in ends if e["xanchor"] == "left"]), "t": 16, "b": 8},
        "hovermode": "x",
        "annotations": ends,
        "xaxis": {"range": [-0.3, places - 0.7], "fixedrange": True, "ticks": "outside", **_names(found.axis)},
        "yaxis": _scale(found.ticks),
    }
    rows = _rows(found)
    return figure(
        found.title, {"data": traces, "layout": layout}, height=height, rows=rows, columns=_columns(found), foot=foot
    )


def _own(found: Trend) -> dict[str, Any]:
    other = {i: f"\n{p.exact}, {p.label}" for i, p in enumerate(found.before)}
    said = [[p.label, p.exact, f" ({p.note})" if p.note else "", other.get(i, "")] for i, p in enumerate(found.points)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(range(len(found.points))),
        "y": [p.value for p in found.points],
        "customdata": said,
        "line": {"color": theme.ACCENT, "width": 2.2},
        "marker": {
            "size": [9 if not p.complete else 5 for p in found.points],
            "symbol": ["circle-open" if not p.complete else "circle" for p in found.points],
            "color": theme.ACCENT,
            "line": {"width": [2 if not p.complete else 0 for p in found.points]},
        },
        "hovertemplate": "<b>%{customdata[1]}</b>, %{customdata[0]}%{customdata[2]}%{customdata[3]}<extra></extra>",
    }


def _before(found: Trend) -> dict[str, Any]:
    """The comparison; it speaks for itself only where the period itself has not come yet."""
    said = [[p.label, p.exact] for p in found.before]
    told = "%{customdata[1]}, %{customdata[0]}<extra></extra>"
    return {
        "type": "scatter",
        "mode": "lines",
        "x": list(range(len(found.before))),
        "y": [p.value for p in found.before],
        "customdata": said,
        "line": {"color": theme.DOT, "width": 1.6, "dash": "dot"},
        "hovertemplate": told,
        "hoverinfo": "text",
        "name": "",
    }


def _names(axis: Sequence[str]) -> dict[str, Any]:
    """At most five names along the time, at equal distances: a month is told in weeks."""
    every = max(1, -(-len(axis) // MOST_NAMES))
    shown = list(range(0, len(axis), every))
    texts = [axis[i] for i in shown]
    return {"tickmode": "array", "tickvals": shown, "ticktext": texts, "tickangle": 0, "zeroline": False}


def _scale(ticks: Sequence[Tick]) -> dict[str, Any]:
    values = [t.value for t in ticks]
    return {
        "tickmode": "array",
        "tickvals": values,
        "ticktext": [t.text for t in ticks],
        "range": [values[0], values[-1]],
        "fixedrange": True,
        "zeroline": False,
    }


def _ends(found: Trend, height: int) -> list[dict[str, Any]]:
    """The names of the two lines, at their ends and never over each other."""
    own, before = _last(found.points), _last(found.before)
    name = found.period if not found.note else f"{found.period}: {found.note}"
    made = []
    if before is not None:
        made.append(_end(before, found.before[before], found.against, theme.SOFT))
    if own is not None:
        made.append(_end(own, found.points[own], name, theme.ACCENT))
    if own is not None and before is not None:
        # Where one's own line ends earlier, its name must keep clear of the comparison that goes on beside it.
        beside = found.before[min(own + 1, before)]
        _part(made, [beside.value or 0.0, found.points[own].value or 0.0], found.ticks, height, both=own >= before - 1)
    return made


def _part(ends: list[dict[str, Any]], values: list[float], ticks: Sequence[Tick], height: int, *, both: bool) -> None:
    """Move two names apart where they would touch; or only the second away from what is drawn beside it."""
    spread = (ticks[-1].value - ticks[0].value) or 1.0
    places = [(v - ticks[0].value) / spread * (height - 56) for v in values]
    lines = max(e["text"].count("\n") + 1 for e in ends)
    missing = APART * lines - abs(places[0] - places[1])
    if missing > 0:
        up = 1 if places[1] >= places[0] else -1
        ends[1]["yshift"] = up * missing / (2 if both else 1)
        ends[0]["yshift"] = -up * missing / 2 if both else 0


def _end(at: int, point: Point, text: str, colour: str, *, above: bool = False) -> dict[str, Any]:
    place = {"xanchor": "center", "yshift": 16} if above else {"xanchor": "left", "xshift": 9, "yshift": 0}
    return {
        "x": at,
        "y": point.value,
        "text": _broken(text),
        "showarrow": False,
        "align": "left",
        "bgcolor": theme.PAPER,
        "font": {"color": colour, "size": 12},
        **place,
    }


def _last(points: Sequence[Point]) -> int | None:
    return next((i for i in range(len(points) - 1, -1, -1) if points[i].value is not None), None)


def _broken(text: str) -> str:
    """A long name on two lines, broken at its dash or colon."""
    if len(text) <= LONGEST_LINE:
        return text
    for mark in (": ", " – "):
        if mark in text:
            return text.replace(mark, f"{mark.rstrip()}\n", 1)
    return text


def _room(texts: Sequence[str]) -> float:
    longest = max((len(line) for text in texts for line in text.split("\n")), default=0)
    return 18 + longest * LETTER if longest else 12


def _columns(found: Trend) -> list[str]:
    return ["Time", found.label, *(["Compared with", found.against] if found.before else [])]


def _rows(found: Trend) -> list[list[str]]:
    made = []
    for i in range(max(len(found.points), len(found.before))):
        own = found.points[i] if i < len(found.points) else None
        row = [f"{own.label} ({own.note})" if own and own.note else own.label if own else "", own.exact if own else ""]
        if found.before:
            other = found.before[i] if i < len(found.before) else None
            row += [other.label, other.exact] if other else ["", ""]
        made.append(row)
    return made


# ── what is expected ──────────────────────────────────────────────────────────────────────────────


def expected(found: Expectation, *, height: int = 150) -> Component:
    """The past weeks as a line, the coming ones as a band with its middle."""
    count = len(found.past)
    coming = list(range(count, count + len(found.expected)))
    traces = _band(found, coming)
    past = [[p.label, p.exact] for p in found.past]
    traces.append(
        {
            "type": "scatter", "mode": "lines", "x": list(range(count)), "y": [p.value for p in found.past],
            "customdata": past, "line": {"color": theme.ACCENT, "width": 2},
            "hovertemplate": "<b>%{customdata[1]}</b>, %{customdata[0]}<extra></extra>",
        }
    )  # fmt: skip
    between = [
        f", between {low.exact} and {high.exact}" for low, high in zip(found.low_points, found.high_points, strict=True)
    ] or [""] * len(coming)
    traces.append(
        {
            "type": "scatter", "mode": "lines+markers", "x": coming, "y": [p.value for p in found.expected],
            "customdata": [[p.label, p.exact, b] for p, b in zip(found.expected, between, strict=True)],
            "line": {"color": theme.ACCENT, "width": 1.6, "dash": "dot"},
            "marker": {"size": 7, "symbol": "circle-open", "color": theme.ACCENT},
            "hovertemplate": "<b>%{customdata[1]}</b> expected, %{customdata[0]}%{customdata[2]}<extra></extra>",
        }
    )  # fmt: skip
    names = [p.label.removeprefix("Week of ") for p in (*found.past, *found.expected)]
    label = _end(coming[0], found.expected[0], "expected", theme.ACCENT, above=True) | {"xanchor": "left"}
    layout = {
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hovermode": "x",
        "annotations": [label],
        "xaxis": {"range": [-0.3, len(names) - 0.7], "fixedrange": True, "ticks": "outside", **_names(names)},
        "yaxis": _scale(found.ticks),
    }
    rows = [[p.label, p.exact, ""] for p in found.past] + [[p.label, "", p.exact] for p in found.expected]
    return figure(
        "", {"data": traces, "layout": layout}, height=height, rows=rows, columns=["Week", "Actual", "Expected"]
    )


def _band(found: Expectation, coming: Sequence[int]) -> list[dict[str, Any]]:
    if not found.low_points:
        return []
    edge = {"type": "scatter", "mode": "lines", "x": list(coming), "line": {"width": 0}, "hoverinfo": "skip"}
    low = {**edge, "y": [p.value for p in found.low_points]}
    high = {**edge, "y": [p.value for p in found.high_points], "fill": "tonexty", "fillcolor": theme.WASH}
    return [low, high]


# ── why it moved ──────────────────────────────────────────────────────────────────────────────────


def moves(found: Breakdown) -> Component:
    """Signed bars that add up to a change, or the largest values; each leads to the page filtered by its member."""
    highest, lowest = (f((b.amount for b in found.bars), default=0.0) for f in (max, min))
    span = (max(highest, 0.0) - min(lowest, 0.0)) or 1.0
    zero = 100 * max((-b.amount for b in found.bars if b.amount < 0), default=0.0) / span
    made = [_move(bar, span, zero, signed=found.signed) for bar in found.bars]
    return html.Div(made, className="ll-bars", role="group", **{"aria-label": found.title})


def _move(bar: Bar, span: float, zero: float, *, signed: bool) -> Component:
    width = abs(bar.amount) / span * 100
    left = zero - width if bar.amount < 0 else zero
    kind = (
        "is-rest" if bar.kind == "rest" else "is-accent" if not signed else "is-raise" if bar.amount > 0 else "is-lower"
    )
    place = {"--zero": f"{zero:.2f}%", "--from": f"{left:.2f}%", "--to": f"{left + width:.2f}%"}
    cells = [
        html.Span(bar.label, className="ll-barname"),
        html.Span(className=f"ll-move {kind}", style=place),
        html.Span(bar.text, className="ll-barvalue"),
    ]
    name = "ll-barrow is-chosen" if bar.chosen else "ll-barrow"
    if not bar.href:
        return html.Div(cells, className=name, title=bar.detail)
    what = "Remove the filter" if bar.chosen else "Show only"
    return links.stay(cells, bar.href, class_name=name, title=f"{bar.detail}. {what} {bar.label}.".lstrip(". "))
