"""What a model is worth, drawn: bars with their ranges, said against happened, what it looks at, weaker groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from components import charts, tables, theme

if TYPE_CHECKING:
    from services.model_answers import (
        Bar,
        CalibrationPart,
        Compared,
        ImportancePart,
        MetricLine,
        MetricPart,
        SegmentLine,
        SegmentPart,
    )

READING = (
    "A point is a tenth of all rows, those with the lowest scores at the left.",
    "On the dotted line, what was said is what happened.",
    "Above it more happened than was said, below it less.",
    "The upright line of a point holds 95 %: a short one comes from many rows.",
)
ARROWS = {"good": "▲", "watch": "▬", "bad": "▼", "": ""}


def tone_text(sentence: str, tone: str, class_name: str = "") -> Component:
    """A sentence with its verdict as an arrow and a colour; the words say it too."""
    arrow = html.Span(f"{ARROWS[tone]} ", className=f"ll-mc-arrow is-{tone}", **{"aria-hidden": "true"})
    return html.P([arrow, sentence] if tone else [sentence], className=class_name)


def compared(found: Compared, *, small: bool = False) -> Component:
    """Bars with ranges under a title that says the figure, and the sentence of what they mean."""
    parts: list[object] = [html.P(found.title, className="ll-mc-figure-title")]
    if found.bars:
        parts.append(bars(found.bars, label=found.title))
    if found.sentence:
        parts.append(tone_text(found.sentence, found.tone, "ll-mc-sentence"))
    return html.Div(parts, className="ll-mc-compared is-small" if small else "ll-mc-compared")


def bars(found: Sequence[Bar], *, label: str) -> Component:
    """One row a bar: name, length with the 95 % line across its end, value and range."""
    longest = max((max(b.value, b.high) for b in found), default=0.0) or 1.0
    return html.Div([_bar(b, longest) for b in found], className="ll-mc-bars", role="group", **{"aria-label": label})


def _bar(found: Bar, longest: float) -> Component:
    def share(value: float) -> float:
        return round(max(0.0, min(1.0, value / longest)) * 100, 2)

    left, right = share(found.low), share(found.high)
    track = [
        html.Span(className=f"ll-mc-fill is-{found.kind}", style={"width": f"{share(found.value)}%"}),
        html.Span(className="ll-mc-span", style={"left": f"{left}%", "width": f"{max(0.3, right - left)}%"}),
    ]
    said = f"{found.label}: {found.text}, 95 of 100 times {found.range_text}."
    return html.Div(
        [
            html.Span(found.label, className="ll-mc-name"),
            html.Span(track, className="ll-mc-track", **{"aria-hidden": "true"}),
            html.Span([html.Strong(found.text), html.Span(found.range_text, className="ll-mc-range")]),
        ],
        className=f"ll-mc-bar is-{found.kind}",
        title=said,
    )


def calibration(found: CalibrationPart) -> Component:
    """What was said against what happened, a point a tenth with its range; on the dotted line both are equal."""
    points, shares = found.points, found.unit == "percent"
    top = max([p.high for p in points] + [p.said for p in points]) * 1.05
    low = min([0.0] + [p.low for p in points])
    made = go.Figure()
    made.add_trace(
        go.Scatter(
            x=[low, top], y=[low, top], mode="lines", line={"color": theme.DOT, "dash": "dot", "width": 1.5},
            hoverinfo="skip",
        )
    )  # fmt: skip
    made.add_trace(
        go.Scatter(
            x=[p.said for p in points], y=[p.happened for p in points], mode="markers", text=[p.text for p in points],
            marker={"size": 9, "color": theme.ACCENT}, hovertemplate="%{text}<extra></extra>",
            error_y={
                "type": "data", "array": [p.high - p.happened for p in points], "color": theme.SOFT, "thickness": 1.2,
                "arrayminus": [p.happened - p.low for p in points], "width": 3, "symmetric": False,
            },
        )
    )  # fmt: skip
    tick = {"tickformat": ".0%"} if shares else {"tickformat": "~s"}
    unit = f", {found.currency if found.unit == 'currency' else found.unit}" if found.unit and not shares else ""
    font = {"size": 12, "color": theme.SOFT}
    made.update_xaxes(title={"text": f"said{unit}", "font": font}, range=[low, top], nticks=6, **tick)
    made.update_yaxes(title={"text": f"happened{unit}", "font": font}, range=[low, top], nticks=6, **tick)
    made.update_layout(margin={"l": 8, "r": 8, "t": 12, "b": 8}, hovermode="closest")
    columns = ["Said", "Happened", "Range", "Rows"]
    drawn = charts.figure(found.title, made, height=320, rows=[list(p.cells) for p in points], columns=columns)
    return html.Div([drawn, html.Ul([html.Li(line) for line in READING])], className="ll-mc-said-happened")


def importance(found: ImportancePart) -> Component:
    """Features by their part of what moves the scores, the largest first."""
    longest = max((b.share for b in found.bars), default=0.0) or 1.0
    rows = [
        html.Div(
            [
                html.Span(b.label, className="ll-mc-name"),
                html.Span(
                    html.Span(
                        className="ll-mc-fill is-random" if b.rest else "ll-mc-fill is-model",
                        style={"width": f"{b.share / longest * 100:.2f}%"},
                    ),
                    className="ll-mc-track",
                    **{"aria-hidden": "true"},
                ),
                html.Span(b.text, className="ll-mc-share"),
            ],
            className="ll-mc-bar",
            title=b.detail,
        )
        for b in found.bars
    ]
    return html.Div(rows, className="ll-mc-bars is-importance", role="group", **{"aria-label": found.title})


def segments(found: SegmentPart) -> Component:
    """Groups with their quality on one axis; the upright line is all rows together, grey rows are too few to judge."""
    head = html.Tr(
        [
            html.Th("Group", scope="col"),
            html.Th("", scope="col", className="ll-mc-axis", **{"aria-label": "On one axis"}),
            html.Th(found.measure, scope="col"),
            html.Th("Said", scope="col", className="is-number"),
            html.Th("Happened", scope="col", className="is-number"),
        ]
    )
    whole = html.Tr(
        [
            html.Td("All together"),
            html.Td(_strip(found.whole, None, (0.0, 0.0)), className="ll-mc-axis"),
            html.Td(found.whole_text),
            html.Td(""),
            html.Td(""),
        ],
        className="is-total",
    )
    body = [whole, *(_segment(line, found.whole) for line in found.lines)]
    table = html.Table([html.Thead(head), html.Tbody(body)], className="ll-table ll-mc-segments")
    return html.Div(table, className="ll-table-wrap", tabIndex=0, role="region", **{"aria-label": found.title})


def _segment(line: SegmentLine, whole: float) -> Component:
    name: list[object] = [html.Strong(line.member) if line.weaker else line.member]
    if line.dimension:
        name = [html.Span(f"{line.dimension} ", className="ll-soft"), *name]
    few = line.value is None
    said = (
        [html.Span("▼ ", className="ll-mc-arrow is-bad"), f"{line.text}, clearly weaker"] if line.weaker else line.text
    )
    return html.Tr(
        [
            html.Td([html.Div(name), html.Div(line.rows_text, className="ll-small ll-soft")]),
            html.Td("" if few else _strip(whole, line.value, (line.low, line.high)), className="ll-mc-axis"),
            html.Td(said),
            html.Td(line.said, className="is-number"),
            html.Td(line.happened, className="is-number"),
        ],
        className="is-few" if few else "",
    )


def _strip(whole: float, value: float | None, ends: tuple[float, float]) -> Component:
    marks = [html.Span(className="ll-mc-whole", style={"left": f"{whole * 100:.2f}%"})]
    if value is not None:
        width = max(0.5, (ends[1] - ends[0]) * 100)
        marks.append(
            html.Span(className="ll-mc-line", style={"left": f"{ends[0] * 100:.2f}%", "width": f"{width:.2f}%"})
        )
        marks.append(html.Span(className="ll-mc-dot", style={"left": f"{value * 100:.2f}%"}))
    return html.Div(marks, className="ll-mc-strip", **{"aria-hidden": "true"})


def metrics(found: MetricPart) -> Component:
    """Figures of the test, each with its range, beside the rule's or the challenger's."""
    parts: list[object] = [_metric(line, found) for line in found.lines]
    if found.remark:
        parts.append(html.P(found.remark, className="ll-small ll-soft"))
    return html.Div(parts, className="ll-mc-metrics")


def _metric(line: MetricLine, found: MetricPart) -> Component:
    rows = [("This model", line.champion)]
    if found.with_challenger:
        rows = [("Champion", line.champion), (f"Challenger, version {found.challenger_version}", line.challenger)]
    if line.rule:
        rows.append(("Simplest rule", line.rule))
    pairs = [html.Div([html.Dt(term), html.Dd(value or "not measured")]) for term, value in rows]
    parts: list[object] = [html.H4(line.label, title=line.note or None), html.Dl(pairs)]
    if line.verdict:
        parts.append(html.P(line.verdict.capitalize(), className="ll-small ll-mc-beside"))
    return html.Div(parts, className="ll-mc-metric")


def versions(rows: Sequence[Sequence[object]]) -> Component:
    """Versions of a model as a table."""
    return tables.plain(["Version", "Alias", "State", "Why, and what to do", "Registered"], rows)


def choice(options: Sequence[tuple[str, str, bool]], *, label: str) -> Component:
    """Past lists to choose from, as chips that are links: (label, href, chosen)."""
    made = [
        dcc.Link(text, href=href, className="ll-chip is-current" if on else "ll-chip") for text, href, on in options
    ]
    return html.Nav(made, className="ll-chips ll-mc-choice", **{"aria-label": label})
