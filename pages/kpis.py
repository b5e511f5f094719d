"""The overview: how are we doing, why, what next? The address is the question, every control a link to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from dash import Input, Output, State, dcc, html, no_update

from components import cards, notice
from components import overview as draw
from components import page as parts
from components.ids import Ids
from pages._screen import Page, Screen
from services import kpis
from services.access import Viewer
from services.errors import InvalidQuery, Unavailable
from services.kpi_answers import Overview, Problem
from services.kpi_query import KpiQuery
from services.sources import Sources

T = TypeVar("T")
ids = Ids("kpis")
PARTS = {"print": ids("print"), "first": ids("first"), "last": ids("last")}
WAIT = 4_000


def layout(viewer: Viewer, sources: Sources, **query: str) -> Any:
    """The page for the question in the address."""
    return html.Div(
        [html.Div(_body(viewer, sources, query), id=ids("body")), html.Div(id=ids("sink"), hidden=True)],
        className="ll-kp",
    )


def _body(viewer: Viewer, sources: Sources, query: dict[str, str]) -> list[Any]:
    """The answer drawn; a question that cannot be answered is said, above the usual view: never a dead end."""
    found, refused = _asked(viewer, sources, query)
    said = [notice.message(refused, "The newest month is shown instead.", "watch")] if refused else []
    seen = html.Div(id=ids("seen"), title=found.state, hidden=True)
    waiting = [dcc.Interval(id=ids("wait"), interval=WAIT), seen] if found.waiting else []
    # Where no card has a number, the headline says why, and there is nothing to take apart.
    apart = not isinstance(found.headline, Problem)
    below = [*_middle(found), _ahead(found), _members(found)] if apart else [_ahead(found)]
    return [*said, *_above(found), *below, *waiting]


def _asked(viewer: Viewer, sources: Sources, query: dict[str, str]) -> tuple[Overview, str]:
    """The answer to the address; else the usual view, and why."""
    try:
        return kpis.overview(viewer, sources, KpiQuery.from_url(query)), ""
    except (InvalidQuery, Unavailable) as refused:
        return kpis.overview(viewer, sources, KpiQuery()), refused.sentence


def _above(found: Overview) -> list[Any]:
    headline = found.headline
    return [
        draw.head(found.head, PARTS),
        html.Div(draw.chips(found.head) if found.head.chips else None),
        html.Div([notice.stale(sentence) for sentence in found.head.stale]),
        notice.message(headline.sentence, headline.next_step, "watch")
        if isinstance(headline, Problem)
        else draw.headline(headline),
        cards.row([cards.missing(c) if isinstance(c, Problem) else cards.card(c) for c in found.cards]),
    ]


def _middle(found: Overview) -> list[Any]:
    cells = (8, _part(found.trend, draw.trend)), (4, _part(found.breakdown, draw.breakdown))
    return [html.Div(parts.columns(*cells), className="ll-kp-middle")]


def _ahead(found: Overview) -> Any:
    expects = found.expects
    blocks = [
        draw.block(expects.label, draw.problem(expects))
        if isinstance(expects, Problem)
        else expects and draw.expects(expects),
        found.lists and draw.lists(found.lists),
        draw.attention(found.attention, found.quiet),
    ]
    return html.Div([block for block in blocks if block is not None], className="ll-kp-ahead")


def _members(found: Overview) -> Any:
    inside = [draw.tabs(found.head), _part(found.table, draw.members)]
    return html.Section(inside, className="ll-section ll-kp-members")


def _part(found: T | Problem, drawn: Callable[[T], Any]) -> Any:
    return draw.problem(found) if isinstance(found, Problem) else drawn(found)


def register(screen: Screen) -> None:
    """Print, the two days of a custom period, and looking again while something is being prepared."""
    screen.clientside(
        "ll", "print", Output(ids("sink"), "title"), Input(ids("print"), "n_clicks"), prevent_initial_call=True
    )
    screen.clientside(
        "kpis",
        "days",
        Output(ids("sink"), "lang"),
        Input(ids("first"), "value"),
        Input(ids("last"), "value"),
        prevent_initial_call=True,
    )

    @screen.callback(
        Output(ids("body"), "children"),
        Input(ids("wait"), "n_intervals"),
        State("_pages_location", "search"),
        State(ids("seen"), "title"),
        passive=True,
        prevent_initial_call=True,
    )
    def look_again(viewer: Viewer, _times: int, search: str | None, seen: str | None) -> Any:
        query = dict(parse_qsl((search if isinstance(search, str) else "").lstrip("?"), keep_blank_values=True))
        found, _ = _asked(viewer, screen.sources, query)
        return no_update if found.state == seen else _body(viewer, screen.sources, query)


page = Page("/kpis", "Overview", "kpis:read", layout, register)
