"""Controls of inputs: label, box with unit, slider over the range with what is usual and today's value, a message.

The browser keeps box and slider together and asks for the answer (``assets/what-if.js``); a control carries what that
needs as ``data-`` attributes. Ids are patterns, because an input may have any name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from dash import dcc, html
from dash.development.base_component import Component

if TYPE_CHECKING:
    from services.what_if_answers import Control, Fixed

BLANK = "~"


def part(name: str, feature: object) -> dict[str, object]:
    """The id of a part of a control; ``feature`` may be ``ALL``."""
    return {"part": f"what-if-{name}", "feature": feature}


def groups(controls: Sequence[Control]) -> list[Component]:
    """Controls under the names of their groups, in declared order."""
    made: list[Component] = []
    for name, members in groupby(_gathered(controls), key=lambda c: c.group):
        made.append(html.Fieldset([html.Legend(name), *(control(c) for c in members)], className="ll-wi-group"))
    return made


def control(about: Control) -> Component:
    """One input: what it is, what it is today, and how to move it."""
    ready = [about.low, about.high]
    slider = _slider(about) if None not in ready else None
    top = [
        html.Label([html.Span(className="ll-wi-dot"), about.label], htmlFor=_dom("box", about.feature)),
        html.Button("Reset", className="ll-wi-reset", type="button", **{"aria-label": f"Reset {about.label}"}),
        html.Span(["today ", html.Span(about.stored_shown)], className="ll-wi-today"),
    ]
    return html.Div(
        [
            html.Div(top, className="ll-wi-top"),
            html.Div([slider, _box(about)], className="ll-wi-row"),
            html.P(about.message, id=part("message", about.feature), className="ll-wi-message", role="status"),
        ],
        id=part("control", about.feature),
        className=state(about),
        **{
            "data-feature": about.feature,
            "data-stored": about.stored,
            "data-text": about.text,
            "data-step": "" if about.step is None else f"{about.step:.12g}",
        },
    )


def state(about: Control) -> str:
    """The class of a control: changed ones carry a dot, refused ones a colour."""
    marks = [" is-changed" if about.changed else "", " is-refused" if about.refused else ""]
    return "ll-wi-control" + "".join(marks)


def folded(summary: str, children: Sequence[Component], *, open_: bool) -> Component:
    """What is there but not in the way."""
    return html.Details([html.Summary(summary), *children], className="ll-wi-fold", open=open_)


def listed(inputs: Sequence[Fixed]) -> Component:
    """Inputs that cannot be moved: value, and what is usual in small."""
    rows = [
        html.Tr(
            [
                html.Th(i.label, scope="row"),
                html.Td([i.value, html.Span(f"usually {i.usual}", className="ll-wi-usual-text") if i.usual else None]),
            ]
        )
        for i in inputs
    ]
    return html.Table(html.Tbody(rows), className="ll-table ll-wi-fixed")


def finder(list_name: str, search: str, label: str) -> Component:
    """A box that finds a row of a list; a plain form, so that the address says what was looked for."""
    box = dcc.Input(id="what-if-find", name="q", type="search", value=search, maxLength=100, autoComplete="off")
    return html.Form(
        [
            dcc.Input(type="hidden", name="list", value=list_name),
            html.Label(label, htmlFor="what-if-find"),
            box,
            html.Button("Find", type="submit"),
        ],
        method="GET",
        action="/what-if",
        className="ll-wi-finder",
        role="search",
    )


def _gathered(controls: Sequence[Control]) -> list[Control]:
    """Groups in the order of their first member, so that each has one heading."""
    order = {c.group: at for at, c in reversed(list(enumerate(controls)))}
    return sorted(controls, key=lambda c: order[c.group])


def _box(about: Control) -> Component:
    ident = part("box", about.feature)
    if about.options:
        texts = [v for v, _ in about.options]
        extra = [] if about.text in texts else [(about.text, about.text)]
        made = [html.Option(t, value=v, selected=v == about.text) for v, t in (*about.options, *extra)]
        return html.Div(html.Select(made, id=ident), className="ll-wi-select")
    shown = "" if about.text == BLANK else about.text
    return html.Div(
        [
            dcc.Input(id=ident, type="text", value=shown, placeholder="not known", autoComplete="off", maxLength=60),
            html.Span(about.unit, className="ll-wi-unit"),
        ],
        className="ll-wi-box",
    )


def _slider(about: Control) -> Component:
    low, high = about.low or 0.0, about.high or 0.0

    def share(value: float) -> float:
        return round(min(1.0, max(0.0, (value - low) / (high - low))), 4)

    marks = []
    if about.usual_low is not None and about.usual_high is not None:
        ends = {"--from": share(about.usual_low), "--to": share(about.usual_high)}
        marks.append(html.Span(className="ll-wi-usual", style=ends))
    if about.at is not None:
        marks.append(html.Span(className="ll-wi-tick", style={"--at": share(about.at)}))
    named = html.Label(
        [
            html.Span(f"{about.label}, slider", className="ll-hidden"),
            dcc.Input(
                id=part("slider", about.feature), type="range", min=low, max=high, step="any",
                value=_number(about.text, about.at if about.at is not None else low),
            ),
        ]
    )  # fmt: skip
    return html.Div([*marks, named], className="ll-wi-slider")


def _number(text: str, otherwise: float) -> float:
    try:
        return float(text)
    except ValueError:
        return otherwise


def _dom(name: str, feature: str) -> str:
    """A pattern id as it stands in the document."""
    return json.dumps(part(name, feature), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
