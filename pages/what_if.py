"""What if: move the inputs of one row and see how the model responds. The address carries the edits.

The layout draws everything for the address; from then on the browser sends the edits, at most ten times a second and
one at a time, and the callback answers with the result and with what is to be said under each control.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode

import dash
from dash import ALL, Input, Output, dcc, html
from dash.development.base_component import Component

from components import controls, notice, scenario
from components import page as parts
from components.ids import Ids
from pages._screen import Page, Screen
from services import what_if, wording
from services.access import Viewer
from services.lead_answers import RunFacts
from services.sources import Sources
from services.what_if import Start, StartPage, WhatIf, WhatIfQuery

ids = Ids("what-if")
MINDED = "This shows how the model responds, not what would happen."
LOCKED = "Nobody can change these. The model can still be asked what they do."


def layout(viewer: Viewer, sources: Sources, **query: str) -> Any:
    """The row and its controls, or where to begin."""
    asked = WhatIfQuery.from_url(query)
    if not asked.key:
        return _start(what_if.start_page(viewer, sources, asked), sources)
    answer = what_if.explore(viewer, sources, asked)
    return [
        _head(answer, sources),
        html.Div(
            [
                html.Div(_controls(answer), className="ll-wi-controls"),
                html.Div(_result(answer), id=ids("result"), className="ll-wi-result"),
            ],
            className="ll-wi",
            id=ids("row"),
            **{"data-list": answer.list, "data-key": answer.key, "data-drawn": secrets.token_hex(4)},
        ),
        dcc.Store(id=ids("ask")),
        dcc.Store(id=ids("answered")),
        html.Span(id=ids("sink"), hidden=True),
    ]


def register(screen: Screen) -> None:
    """One callback answers a move; the browser does the rest."""

    @screen.callback(
        Output(ids("result"), "children"),
        Output(controls.part("message", ALL), "children"),
        Output(controls.part("control", ALL), "className"),
        Output(ids("answered"), "data"),
        Input(ids("ask"), "data"),
        prevent_initial_call=True,
    )
    def move(viewer: Viewer, asked: Any) -> Any:
        answer = what_if.move(viewer, screen.sources, WhatIfQuery.from_controls(asked))
        by_name = {c.feature: c for c in answer.controls}
        said = [by_name[n].message if n in by_name else "" for n in _asked_for(1)]
        looks = [controls.state(by_name[n]) if n in by_name else "ll-wi-control" for n in _asked_for(2)]
        open_ = asked.get("open")
        parts_ = [str(p) for p in open_[:5]] if isinstance(open_, list) else []
        return _result(answer, parts_), said, looks, {"asked": asked.get("asked")}

    screen.clientside("whatIf", "answered", Output(ids("sink"), "title"), Input(ids("answered"), "data"))


def _asked_for(place: int) -> list[str]:
    """The features whose parts the browser holds, in its order."""
    listed = dash.ctx.outputs_list[place]
    return [str(part["id"].get("feature")) for part in listed] if isinstance(listed, list) else []


def _head(answer: WhatIf, sources: Sources) -> Component:
    here = urlencode({"list": answer.list} | ({"of": answer.of} if answer.of else {}))
    back = dcc.Link("Back to the lead", href=f"/leads/{answer.key}?{here}")
    other = dcc.Link("Choose another", href=f"/what-if?{urlencode({'list': answer.list})}")
    title = html.H1(["What if · ", html.Span(answer.name)])
    scope = [answer.place, *_scope(answer.facts, sources)]
    actions = [
        html.Span([back, other] if answer.may_list else [other], className="ll-wi-ways"),
        html.Button("Undo", id=ids("undo"), type="button", disabled=True),
        html.Button("Reset", id=ids("reset"), type="button", disabled=not answer.changed),
        html.Button("Copy link", id=ids("copy"), type="button", className="ll-primary"),
    ]
    return html.Div([parts.head(title, scope, actions), html.P(MINDED, className="ll-wi-minded")])


def _scope(facts: RunFacts, sources: Sources) -> list[str]:
    zone = sources.workspace.lake.timezone
    said = [f"As of {wording.day(facts.as_of)}"] if facts.as_of else []
    said += [facts.model, f"version {facts.version}, scored {wording.moment(facts.scored_at, zone)}"]
    return [*said, facts.waiting] if facts.waiting else said


def _controls(answer: WhatIf) -> list[Component]:
    """What somebody can change; the rest is folded."""
    first = [c for c in answer.controls if c.actionable]
    others = [c for c in answer.controls if not c.actionable]
    drawn = controls.groups(first)
    if not first:
        drawn.append(notice.message(what_if.NOT_CHANGEABLE, LOCKED if others else ""))
    if others:
        touched = any(c.changed or c.refused for c in others)
        note = html.P(LOCKED, className="ll-soft ll-small")
        summary = f"Fixed: {len(others)} inputs"
        inside = [*([note] if first else []), *controls.groups(others)]
        drawn.append(controls.folded(summary, inside, open_=touched or not first))
    if answer.fixed:
        drawn.append(
            controls.folded(f"Fixed: {len(answer.fixed)} inputs", [controls.listed(answer.fixed)], open_=False)
        )
    return drawn


def _result(answer: WhatIf, open_: Collection[str] = ("waterfall",)) -> list[Component]:
    """Both scores, what each change did, all reasons; ``open_`` names the folded parts that are looked at."""
    drawn = [scenario.now_and_then(answer), scenario.steps(answer), scenario.reasons(answer, open_="more" in open_)]
    return [*drawn, scenario.waterfall(answer, open_="waterfall" in open_)] if answer.technical else drawn


def _start(page: StartPage, sources: Sources) -> list[Component]:
    """Models to choose from, three rows to begin with, and a way to find another."""
    lists = {"list": page.list} | ({"of": page.of} if page.of else {})
    action = [dcc.Link("The whole list", href=f"/leads?{urlencode(lists)}", className="ll-button")]
    chosen = [(label, f"/what-if?{urlencode({'list': name})}", on) for name, label, on in page.choices]
    head = parts.head(
        "What would move it?", _scope(page.facts, sources) if page.facts else [], action if page.may_list else []
    )
    drawn: list[Component] = [head, html.P(MINDED, className="ll-wi-minded")]
    if len(chosen) > 1:
        drawn.append(parts.choices("Model", chosen))
    if page.sentence and not page.search:
        return [*drawn, html.Div(notice.message(page.sentence), className="ll-wi-nothing")]
    if page.starts:
        near = html.Div([_near(page, s) for s in page.starts], className="ll-wi-starts")
        drawn.append(parts.section("Start from one near a band limit", near))
    rows = [_row(page, s) for s in page.found] or [html.P(page.sentence, className="ll-soft")]
    finder = controls.finder(page.list, page.search, f"Find a {page.entity}")
    title = f"Or choose a {page.entity}" if page.starts else f"Choose a {page.entity}"
    return [*drawn, parts.section(title, finder, html.Div(rows, className="ll-wi-found"))]


def _near(page: StartPage, start: Start) -> Component:
    score = [html.Span(start.score.text, className="ll-big"), html.Span(start.band, className="ll-wi-band")]
    return dcc.Link(
        [
            html.Span([html.Strong(start.name), html.Span(start.place, className="ll-soft ll-small")]),
            html.Span(score, title=start.score.exact),
            html.Span(start.near, className="ll-soft ll-small"),
        ],
        href=_address(page, start),
        className="ll-wi-start",
    )


def _row(page: StartPage, start: Start) -> Component:
    return dcc.Link(
        [
            html.Span(start.name),
            html.Span(start.place, className="ll-soft"),
            html.Span(start.score.text, title=start.score.exact, className="is-number"),
            html.Span(start.band, className="ll-soft"),
        ],
        href=_address(page, start),
        className="ll-wi-foundrow",
    )


def _address(page: StartPage, start: Start) -> str:
    return f"/what-if?{urlencode({'list': page.list, 'key': start.key})}"


page = Page("/what-if", "What if", "what_if:run", layout, register)
