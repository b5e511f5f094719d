"""One model's card: would it have worked, does it say what happens, what it looks at, where it is weaker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dash import Input, Output, State, ctx, dcc, html, no_update

from components import model_charts, notice
from components import page as parts
from components.ids import Ids
from pages._screen import Page, Screen
from services import model_cards
from services.access import Viewer
from services.errors import InvalidQuery
from services.model_answers import MetricPart, ModelCard, Problem, ReplayPart
from services.model_query import ModelQuery, whole_number
from services.sources import Sources

ids = Ids("model")


def layout(viewer: Viewer, sources: Sources, name: str = "", **query: str) -> Any:
    """The card, or its versions, as the address says."""
    card = model_cards.card(viewer, sources, ModelQuery.from_url(name, query))
    body = _versions(card) if card.query.tab == "versions" else _card(card)
    return html.Div(
        [
            html.P(dcc.Link("Models", href="/models"), className="ll-mc-back"),
            parts.head(
                card.label, card.scope, [html.Span(card.state.word, className=f"ll-mc-state is-{card.state.tone}")]
            ),
            html.P(card.verdict.sentence, className="ll-lede ll-mc-verdict"),
            html.P(card.verdict.basis, className="ll-small ll-soft"),
            html.P([html.Span(f) for f in card.facts], className="ll-scope ll-mc-facts"),
            html.Div([_note(n.sentence, n.next_step, n.tone) for n in card.notes], className="ll-mc-notes"),
            html.Div(_tabs(card.query), id=ids("tabs")),
            body,
            dcc.Store(id=ids("query"), data=[card.query.name, card.query.run, card.query.versus]),
            dcc.Store(id=ids("slid")),
            dcc.Store(id=ids("href")),
            html.Div(id=ids("sink"), hidden=True),
        ],
        className="ll-mc",
    )


def register(screen: Screen) -> None:
    """Moving the number of rows: the bars, the links and the address follow."""

    @screen.callback(
        Output(ids("bars"), "children"),
        Output(ids("choice"), "children"),
        Output(ids("tabs"), "children"),
        Output(ids("versus"), "children"),
        Output(ids("message"), "children"),
        Output(ids("first"), "value"),
        Output(ids("slider"), "value"),
        Output(ids("href"), "data"),
        Input(ids("first"), "value"),
        Input(ids("slid"), "data"),
        State(ids("query"), "data"),
        prevent_initial_call=True,
    )
    def moved(viewer: Viewer, typed: Any, slid: Any, asked: Any) -> Any:
        by_slider = ctx.triggered_id == ids("slid")
        try:
            query = _asked(asked, slid if by_slider else typed)
        except InvalidQuery as wrong:
            return (*[no_update] * 4, f"{wrong.sentence} {wrong.next_step}", no_update, no_update, no_update)
        card = model_cards.card(viewer, screen.sources, query)
        found = card.replay
        if not isinstance(found, ReplayPart) or found.first is None:
            return (*[no_update] * 4, "This list cannot be counted now.", no_update, no_update, no_update)
        # A slider in hand keeps its place: an answer that comes late must not pull it back.
        box, slider = (str(found.first), no_update) if by_slider else (str(found.first), found.first)
        links = (_choice(card, found), _tabs(query), _versus(card))
        return (_bars(found), *links, found.note, box, slider, query.to_url())

    screen.clientside(
        "models", "settled", Output(ids("slid"), "data"), Input(ids("slider"), "value"), prevent_initial_call=True
    )
    screen.clientside(
        "ll", "address", Output(ids("sink"), "title"), Input(ids("href"), "data"), prevent_initial_call=True
    )


def _asked(asked: Any, first: Any) -> ModelQuery:
    """The question of a moved control. ``asked`` comes from the browser: it is read like an address."""
    name, run, versus = asked if isinstance(asked, list) and len(asked) == 3 else ("", "", False)
    said = {"run": run, "versus": "challenger" if versus is True else ""}
    query = ModelQuery.from_url(name if isinstance(name, str) else "", {k: v for k, v in said.items() if v})
    number = round(first) if isinstance(first, float) else first
    return replace(query, first=whole_number(number))


# ── the card ──────────────────────────────────────────────────────────────────────────────────────


def _card(card: ModelCard) -> Any:
    return html.Div(
        [
            html.Div([_replay(card), _calibration(card), _importance(card), _segments(card)], className="ll-s8"),
            html.Aside(_side(card), className="ll-s4 ll-mc-side", **{"aria-label": "About this model"}),
        ],
        className="ll-grid",
    )


def _replay(card: ModelCard) -> Any:
    found, heading = card.replay, "Would it have worked?"
    if found is None:
        return _about_state(card)
    if isinstance(found, Problem):
        figures = [model_charts.metrics(card.metrics)] if card.metrics else []
        return parts.section(heading, _problem(found), *figures)
    return parts.section(
        heading,
        html.Div(_choice(card, found), id=ids("choice")),
        _control(found),
        html.Div(_bars(found), id=ids("bars"), **{"aria-live": "polite"}),
    )


def _about_state(card: ModelCard) -> Any:
    """A model without scores: what to do, or what is being done; no figure."""
    heading = "What is being computed" if card.state.standing == "building" else "What to do"
    return parts.section(heading, _note(card.state.next_step or card.state.sentence, "", card.state.tone))


def _choice(card: ModelCard, found: ReplayPart) -> Any:
    if not found.choices:
        return ""
    options = [(c.label, replace(card.query, run=c.run).to_url(), c.chosen) for c in found.choices]
    return model_charts.choice(options, label="Past lists")


def _bars(found: ReplayPart) -> Any:
    made: list[Any] = [model_charts.compared(found.compared)]
    if found.unranked is not None:
        made += [html.H3("Where the rule cannot rank"), model_charts.compared(found.unranked, small=True)]
    return [*made, html.P(f"{found.source} {found.method}", className="ll-small ll-soft")]


def _control(found: ReplayPart) -> Any:
    """The slider and the number box of how many rows come first."""
    if found.first is None:
        return html.P(found.note, className="ll-small") if found.note else None
    slider = html.Label(
        [
            html.Span(f"{found.first_label}, slider", className="ll-hidden"),
            dcc.Input(id=ids("slider"), type="range", min=1, max=found.most, step=1, value=found.first),
        ],
        className="ll-mc-slider",
    )
    box = dcc.Input(
        id=ids("first"), type="text", inputMode="numeric", value=str(found.first), autoComplete="off", maxLength=12,
        debounce=True,
    )  # fmt: skip
    return html.Div(
        [
            html.Label(found.first_label, htmlFor=ids("first")),
            html.Div([slider, box], className="ll-mc-first"),
            html.P(found.note, id=ids("message"), className="ll-small ll-mc-message", **{"aria-live": "polite"}),
        ],
        className="ll-mc-control",
    )


def _calibration(card: ModelCard) -> Any:
    found = card.calibration
    if found is None:
        return None
    if isinstance(found, Problem):
        return parts.section("Does it say what happens?", _problem(found))
    return parts.section(
        found.heading,
        html.P(found.sentence, className="ll-mc-sentence"),
        model_charts.calibration(found),
        html.P(found.source, className="ll-small ll-soft"),
    )


def _importance(card: ModelCard) -> Any:
    found = card.importance
    if found is None:
        return None
    if isinstance(found, Problem):
        return parts.section("What it looks at", _problem(found))
    return parts.section(
        "What it looks at",
        html.P(found.title, className="ll-mc-figure-title"),
        model_charts.importance(found),
        html.P(found.source, className="ll-small ll-soft"),
    )


def _segments(card: ModelCard) -> Any:
    found = card.segments
    if found is None:
        return None
    if isinstance(found, Problem):
        return parts.section("Where it is weaker", _problem(found))
    return parts.section(
        "Where it is weaker",
        html.P(found.title, className="ll-mc-figure-title"),
        model_charts.segments(found),
        html.P(f"{found.explained} Measured on {found.source}", className="ll-small ll-soft"),
    )


# ── the right column ──────────────────────────────────────────────────────────────────────────────


def _side(card: ModelCard) -> list[Any]:
    made: list[Any] = [html.Section([html.Dl([_term(t, said) for t, said in card.about])], className="ll-mc-about")]
    if card.limits:
        made.append(_part("Limits", html.Ul([html.Li(limit) for limit in card.limits])))
    if card.metrics is not None and not isinstance(card.replay, Problem):
        made.append(_metrics(card, card.metrics))
    else:
        made.append(html.Div(id=ids("versus"), hidden=True))
    if card.approvals:
        lines = [
            html.Li([a.what, html.Div(f"{a.when}, {a.who}", className="ll-small ll-soft")]) for a in card.approvals
        ]
        made.append(_part("Approvals", html.Ul(lines, className="ll-mc-plain")))
    return made


def _metrics(card: ModelCard, found: MetricPart) -> Any:
    inside = [html.Div(_versus(card), id=ids("versus")), model_charts.metrics(found)]
    summary = html.Summary(html.H2("Figures of its test"))
    return html.Details([summary, *inside], open=card.technical or card.query.versus, className="ll-mc-part")


def _versus(card: ModelCard) -> Any:
    if not card.challenger:
        return ""
    query = card.query
    return parts.choices(
        "Versions side by side",
        [
            ("Beside the rule", replace(query, versus=False).to_url(), not query.versus),
            (f"Beside version {card.challenger}", replace(query, versus=True).to_url(), query.versus),
        ],
    )


def _part(title: str, *children: Any) -> Any:
    return html.Section([html.H2(title), *children], className="ll-mc-part")


def _term(term: str, said: str) -> Any:
    return html.Div([html.Dt(term), html.Dd(said)])


# ── versions ──────────────────────────────────────────────────────────────────────────────────────


def _versions(card: ModelCard) -> Any:
    rows = [
        [
            [line.version, html.Div("its scores are shown", className="ll-small ll-soft") if line.serves else ""],
            ", ".join(line.aliases) or "none",
            html.Span(line.state, className=f"ll-mc-word is-{line.tone}"),
            [line.reason, html.Div(line.next_step, className="ll-soft")] if line.reason else "",
            line.trained,
        ]
        for line in card.versions
    ]
    empty = notice.message("No version is known yet.", "It appears here when the registry has one.")
    return parts.section("Versions in the registry", model_charts.versions(rows) if rows else empty)


def _tabs(query: ModelQuery) -> Any:
    options = [("Card", "card"), ("Versions", "versions")]
    links = [
        dcc.Link(label, href=replace(query, tab=tab).to_url(), className="is-current" if query.tab == tab else "")
        for label, tab in options
    ]
    return html.Nav(links, className="ll-mc-tabs", **{"aria-label": "Parts of this model"})


def _note(sentence: str, next_step: str, tone: str) -> Any:
    return notice.message(sentence, next_step, {"bad": "bad", "watch": "watch"}.get(tone, ""))


def _problem(found: Problem) -> Any:
    return notice.message(found.sentence, found.next_step)


page = Page("/models/<name>", "Model", "models:read", layout, register)
