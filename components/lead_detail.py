"""One lead: its score, why it stands there, its inputs beside the usual, how to reach it. Drawer and page share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dash import dcc, html
from dash.development.base_component import Component

from components import lead_grid, tables, waterfall
from components import page as parts

if TYPE_CHECKING:
    from services.explanations import Ladder
    from services.lead_answers import InputLine, Lead

SHOWN_INPUTS = 10
VIEWS = (("bars", "Bars"), ("waterfall", "Waterfall"), ("log-odds", "Log-odds"))


def score(lead: Lead) -> Component:
    """The score at 40 px, its band with the limits, and where it lies on the scale."""
    label = next((said for name, _, said, _ in lead.bands if name == lead.band), "")
    limits = next((said for name, _, _, said in lead.bands if name == lead.band), "")
    words = [html.Strong(f"Band {lead.band}"), html.Span(limits), html.Span(label)] if lead.band else []
    if lead.beyond:
        words.append(html.Span(lead.beyond))
    return html.Div(
        [
            html.Div(lead.score.text, className="ll-big", title=lead.score.exact),
            html.Div([html.P([w for w in words if w.children], className="ll-lead-band"), scale(lead)]),
        ],
        className="ll-lead-score",
        title=lead.note,
    )


def scale(lead: Lead) -> Component | None:
    """The score between the limits of the bands, on a scale from 0 to 100 %; None for a score that is no share."""
    if not lead.bands or not 0 <= lead.score_value <= 1:
        return None
    marks: list[Component] = [
        html.Span(className="is-limit", style={"left": f"{100 * least:.2f}%"})
        for _, least, _, _ in lead.bands
        if 0 < least < 1
    ]
    ends = [least for _, least, _, _ in lead.bands]
    tops = [1.0, *ends[:-1]]
    names = [
        html.Span(name, className="is-name", style={"left": f"{50 * (least + top):.2f}%"})
        for (name, least, _, _), top in zip(lead.bands, tops, strict=True)
        if top - least >= 0.04
    ]
    here = html.Span(className="is-here", style={"left": f"{100 * lead.score_value:.2f}%"})
    return html.Div(
        [html.Span(className="is-line"), *marks, *names, here], className="ll-bandscale", **{"aria-hidden": "true"}
    )


def why(lead: Lead, *, headed: bool = True) -> list[Component]:
    """The sentence, then the strongest reasons as bars that add up to the score."""
    if lead.why is None or lead.ladder is None:
        return [html.P("Reasons are being computed.", className="ll-lead-why")]
    estimate = (
        [] if lead.why.exact else [html.P("The shares of the reasons are estimates.", className="ll-soft ll-small")]
    )
    sentence = html.P(lead.why.sentence, className="ll-lead-why") if headed else None
    return [*([sentence] if sentence else []), *estimate, ladder(lead.ladder)]


def ladder(said: Ladder) -> Component:
    """Where the model starts, what moves it, where it ends: each bar begins where the one before it ended."""
    rows = [(r.text, r.points, r.points_text, r.detail, "is-plain" if r.kind != "reason" else "") for r in said.rungs]
    return html.Div(
        [
            _end("Where the model starts", said.start_text, "What it says before it knows anything of this row."),
            waterfall.signed([r[:4] for r in rows], label="Reasons", looks=[r[4] for r in rows]),
            _end("Score", said.end_text, "The start and all steps add up to it."),
        ],
        className="ll-ladder",
    )


def views(href: str, chosen: str, *, link: str) -> Component:
    """The analyst's switch: bars, waterfall, the model's own scale."""
    named = [(v, "SHAP values" if v == "log-odds" and link != "logit" else label) for v, label in VIEWS]
    return parts.choices("Reasons as", [(label, f"{href}&view={v}", v == chosen) for v, label in named])


def steps(lead: Lead) -> Component:
    """All reasons as a waterfall in points of the score."""
    assert lead.why is not None  # noqa: S101  drawn only where there are reasons
    said = lead.why
    start = float(said.base_score.value) if isinstance(said.base_score.value, int | float) else 0.0
    return waterfall.waterfall(
        f"From {said.base_score.text} to {said.score.text}",
        ("Start", start, said.base_score.text),
        [(r.label if r.feature else r.phrase, r.points, r.points_text) for r in said.reasons],
        ("Score", lead.score_value, said.score.text),
        share=said.link == "logit" or 0 <= lead.score_value <= 1,
    )


def own_scale(lead: Lead) -> list[Component]:
    """All reasons on the model's own scale, exactly as stored, as a waterfall and as figures."""
    assert lead.why is not None  # noqa: S101  drawn only where there are reasons
    said = lead.why
    unit = "log-odds" if said.link == "logit" else "the model's unit"
    drawn = waterfall.waterfall(
        f"From {_signed(said.base_value, 3)} to {_signed(said.margin, 3)} in {unit}",
        ("Base value", said.base_value, _signed(said.base_value, 4)),
        [(r.label if r.feature else r.phrase, r.contribution, _signed(r.contribution, 4)) for r in said.reasons],
        ("Margin", said.margin, _signed(said.margin, 4)),
    )
    rows = [
        [r.label if r.feature else r.phrase, r.value, _signed(r.contribution, 6), r.points_text] for r in said.reasons
    ]
    ends = [
        ["Base value", "", _signed(said.base_value, 6), ""],
        ["Margin", "", _signed(said.margin, 6), said.score.text],
    ]
    table = tables.plain(
        ["Input", "Value", f"SHAP value ({unit})", "Points"],
        [ends[0], *rows, ends[1]],
        numbers=(2, 3),
        totals=(0, len(rows) + 1),
    )
    how = html.P(f"How: {said.method}.", className="ll-soft ll-small")
    return [html.Div([drawn, table, how], className="ll-lead-own")]


def usual(lines: Sequence[InputLine]) -> Component:
    """Inputs as label, value and a strip with the middle 80 % and a dot; ten, then the rest."""
    made = [_line(line) for line in lines]
    rest = (
        [parts.more(f"Show all {len(lines)}", html.Div(made[SHOWN_INPUTS:], className="ll-usual"))]
        if len(made) > SHOWN_INPUTS
        else []
    )
    return html.Div([html.Div(made[:SHOWN_INPUTS], className="ll-usual"), *rest])


def reach(lead: Lead) -> Component:
    """Each contact with a link and a button that copies it; what is hidden is said."""
    rows = [_contact(label, text) for label, text in lead.contacts if text]
    none = html.P("No contact is known.", className="ll-soft") if not rows and not lead.hidden else None
    hidden = (
        html.P(f"Hidden for your role: {', '.join(lead.hidden)}.", className="ll-soft ll-small")
        if lead.hidden
        else None
    )
    return html.Div([*rows, *([none] if none else []), *([hidden] if hidden else [])], className="ll-reach")


def walk(lead: Lead, search: str) -> Component:
    """The place in the list, with ways to the one before and the one after."""
    ways = [_step("Previous", "‹", lead.previous, search), _step("Next", "›", lead.next, search)]
    return html.Nav(
        [ways[0], html.Span(f"{lead.rank:,} of {lead.total:,}"), ways[1]],
        className="ll-walk",
        **{"aria-label": "In the list"},
    )


def _step(label: str, mark: str, key: str, search: str) -> Component:
    if not key:
        return html.Span(mark, className="ll-button is-off", **{"aria-hidden": "true"})
    return dcc.Link(mark, href=f"/leads/{key}?{search}", className="ll-button", title=label)


def _end(text: str, said: str, detail: str) -> Component:
    return html.Div(
        [html.Span(text), html.Span(), html.Span(said, className="ll-barvalue")],
        className="ll-barrow is-end",
        title=detail,
    )


def _contact(label: str, text: str) -> Component:
    link = lead_grid.reach(text)
    shown = html.A(text, href=link[1]) if link else html.Span(text)
    copy = html.Button("Copy", type="button", className="ll-copy", **{"data-copy": text, "aria-label": f"Copy {label}"})
    return html.Div([html.Span(label, className="ll-soft ll-small"), shown, copy], className="ll-reach-row")


def _line(line: InputLine) -> Component:
    return html.Div(
        [
            html.Span(line.label),
            html.Span(line.value, className="ll-barvalue"),
            _strip(line),
            html.Span(f"usual {line.usual}" if line.usual else "", className="ll-soft ll-small"),
        ],
        className="ll-usual-row",
    )


def _strip(line: InputLine) -> Component:
    known = [v for v in (line.minimum, line.maximum, line.low, line.high, line.number) if v is not None]
    if line.number is None or line.low is None or line.high is None or len(known) < 3 or max(known) <= min(known):
        return html.Span()
    low, spread = min(known), max(known) - min(known)
    left, right = ((v - low) / spread * 100 for v in (line.low, line.high))
    here = (line.number - low) / spread * 100
    outside = line.maximum is not None and line.minimum is not None and not line.minimum <= line.number <= line.maximum
    said = f"{line.label}: {line.value}, usual {line.usual}" + (", outside what the model has seen" if outside else "")
    return html.Span(
        [
            html.Span(className="is-usual", style={"left": f"{left:.1f}%", "width": f"{max(right - left, 0.5):.1f}%"}),
            html.Span(className="is-here is-outside" if outside else "is-here", style={"left": f"{here:.1f}%"}),
        ],
        className="ll-strip",
        role="img",
        **{"aria-label": said},
        title=said,
    )


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")
