"""The executive's page: head, headline, cards, the chosen metric, the look ahead, and the members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from components import cards, kpi_charts, links, model_charts, notice
from components import page as parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.kpi_answers import (
        Attention,
        Breakdown,
        Expectation,
        Head,
        Headline,
        Line,
        Lists,
        MemberTable,
        Option,
        Problem,
        Small,
        Trend,
    )


# ── A and B ───────────────────────────────────────────────────────────────────────────────────────


def head(found: Head, ids: dict[str, str]) -> Component:
    """The period with its neighbours, the scope, and the controls."""
    title = html.Div(
        [
            links.step("‹", found.earlier, "Earlier"),
            html.H1([found.period, html.Span(f" {found.note}", className="ll-kp-note") if found.note else ""]),
            links.step("›", found.later, "Later"),
        ],
        className="ll-kp-title",
    )
    controls: list[Component] = [links.segments("Period", _options(found.periods))]
    if any(o.chosen and o.value == "custom" for o in found.periods):
        controls.append(_days(found, ids))
    controls.append(links.pick("Compare with", _options(found.comparisons)))
    controls.append(html.Button("Print", id=ids["print"], className="ll-primary"))
    return parts.head(title, [*found.scope, found.against_sentence], controls)


def _options(found: Sequence[Option]) -> list[tuple[str, str, bool]]:
    return [(o.label, o.href, o.chosen) for o in found]


def _days(found: Head, ids: dict[str, str]) -> Component:
    """The first and the last day of a custom period."""
    usual = {"valueFormat": "D MMM YYYY", "minDate": str(found.begins), "maxDate": str(found.through), "size": "sm"}
    first = dmc.DateInput(id=ids["first"], value=str(found.first), label="From", **usual)
    last = dmc.DateInput(id=ids["last"], value=str(min(found.last, found.through)), label="To", **usual)
    return html.Div([first, last], className="ll-kp-days")


def chips(found: Head) -> Component:
    """The filters in force; each can be taken out."""
    made: list[Component] = [
        links.stay([c.label, html.Span("×", **{"aria-hidden": "true"})], c.href, class_name="ll-chip is-current",
                   label=f"Remove the filter {c.label}")
        for c in found.chips
    ]  # fmt: skip
    return html.Nav(
        [html.Span("Only", className="ll-soft ll-small"), *made, links.stay("Reset", found.reset)],
        className="ll-chips",
        **{"aria-label": "Filters"},
    )


def headline(found: Headline) -> Component:
    """The page in a sentence; each number leads to the card that proves it."""
    said = [links.stay(p.text, p.href, class_name="ll-kp-said") if p.href else p.text for p in found.parts]
    return html.P(said, className="ll-lede")


# ── D ─────────────────────────────────────────────────────────────────────────────────────────────


def trend(found: Trend) -> Component:
    """The chosen metric over time, with its meaning beside the values."""
    about = html.Details(
        [html.Summary("About this number"), html.P(cards.origin_text(found.origin), className="ll-about-text")],
        className="ll-figure-table",
    )
    return kpi_charts.trend(found, foot=[about])


def breakdown(found: Breakdown) -> Component:
    """Why the metric moved, by the members of the chosen dimension."""
    return html.Section(
        [
            html.H2(found.heading, className="ll-h2"),
            html.P(found.title, className="ll-kp-sentence"),
            kpi_charts.moves(found),
            html.P(found.note, className="ll-small ll-soft"),
        ]
    )


def tabs(about: Head) -> Component:
    """The dimensions as words."""
    return links.tabs("Split by", _options(about.dimensions))


# ── E ─────────────────────────────────────────────────────────────────────────────────────────────


def expects(found: Expectation) -> Component:
    """What the models expect: a sentence with its range, the past weeks and the coming ones."""
    more = [found.method, " ", found.model_state]
    about = html.Details([html.Summary("How this is worked out"), html.P(more)], className="ll-figure-table")
    link = html.A(f"{found.model_label}: can it be trusted?", href=found.href) if found.href else None
    return block(
        found.title,
        html.P(found.sentence, className="ll-kp-sentence"),
        kpi_charts.expected(found),
        about,
        html.P(link, className="ll-small") if link else None,
    )


def lists(found: Lists) -> Component:
    """What the newest list that ended brought, and the workspace's figures."""
    return block(
        found.title,
        model_charts.compared(found.compared, small=True) if found.compared else None,
        html.P(found.sentence, className="ll-kp-sentence") if found.sentence else None,
        html.P(found.note, className="ll-small ll-soft") if found.note else None,
        html.Div([_small(f) for f in found.figures], className="ll-kp-smalls") if found.figures else None,
    )


def _small(found: Small | Problem) -> Component:
    if not hasattr(found, "value"):
        said = f"{found.sentence} {found.next_step}".strip()
        return html.Div([html.Span(found.label), html.Span(said, className="ll-soft")], className="ll-kp-small")
    inside: list[object] = [html.Span(found.label), html.Strong(found.value.text)]
    note = html.Span(found.note, className="ll-soft")
    inside.append(
        note if found.note else html.Span(cards.change_text(found.change), className=cards.change_class(found.change))
    )
    return links.stay(inside, found.href, class_name="ll-kp-small", title=found.definition)


def attention(found: Sequence[Attention], quiet: str) -> Component:
    """What needs attention, or since when nothing does."""
    if not found:
        return block("Needs attention", html.P(quiet, className="ll-kp-sentence"))
    marks = {"good": "▲", "bad": "▼", "neutral": "●"}
    lines = []
    for line in found:
        mark = html.Span(marks[line.verdict], className=f"ll-{line.verdict}", **{"aria-hidden": "true"})
        what = links.stay(line.what, line.href) if line.href else html.Strong(line.what)
        lines.append(html.Li([mark, html.Span([what, f" {line.detail}"])]))
    return block("Needs attention", html.Ul(lines, className="ll-kp-lines"))


def block(title: str, *inside: object) -> Component:
    """A titled part of the look ahead."""
    return html.Section([html.H2(title, className="ll-h2"), *[i for i in inside if i is not None]])


# ── the members ───────────────────────────────────────────────────────────────────────────────────


def members(found: MemberTable) -> Component:
    """Every member of the chosen dimension with value, change, share and its past; small ones in one line."""
    shares = any(line.share is not None for line in found.lines)
    names = [found.dimension_label, found.metric_label, *(["Change"] if found.against else [])]
    names += [*(["Share"] if shares else []), "Over time"]
    head_ = [
        html.Th(n, scope="col", className="is-number" if 0 < i < len(names) - 1 else "") for i, n in enumerate(names)
    ]
    rows = [_line(line, against=bool(found.against), shares=shares) for line in found.lines]
    table = html.Table([html.Thead(html.Tr(head_)), html.Tbody(rows)], className="ll-table ll-kp-table")
    wrap = html.Div(table, className="ll-table-wrap", tabIndex=0, role="region", **{"aria-label": found.title})
    note = [html.P(found.note, className="ll-small ll-soft")] if found.note else []
    return html.Div([html.H2(found.title, className="ll-h2"), wrap, *note])


def _line(line: Line, *, against: bool, shares: bool) -> Component:
    name: object = line.label
    if line.href:
        what = "Remove the filter" if line.chosen else "Show only"
        name = links.stay(line.label, line.href, title=f"{what} {line.label}")
    cells = [html.Th(name, scope="row"), html.Td(line.value.text, title=line.value.exact, className="is-number")]
    if against:
        cells.append(html.Td(cards.change_text(line.change), className=f"is-number {cards.change_class(line.change)}"))
    if shares:
        part = max(0.0, min(1.0, line.share or 0.0)) if line.kind != "total" else 0.0
        cells.append(html.Td(line.share_text, className="is-number ll-kp-share", style={"--part": f"{part:.4f}"}))
    cells.append(html.Td(html.Div(**cards.spark(line.spark))))
    kinds = {"total": "is-total", "other": "is-other", "member": "is-chosen" if line.chosen else ""}
    return html.Tr(cells, className=kinds[line.kind])


def problem(found: Problem) -> Component:
    """Why a part cannot be shown, in its place."""
    return notice.message(found.sentence, found.next_step, "" if found.kind in ("not_ready", "filter") else "watch")
