"""Whom first: a person's lists, ranked, with reasons. The address carries list, bands, search, sorting and filters.

The layout draws the list as the address asks for it. From then on the grid asks for blocks of rows, and each first
block brings what follows from the question: counts, the size of the export, the address.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import dash
from dash import ALL, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from components import lead_detail, lead_grid, notice
from components import page as parts
from components.ids import Ids
from pages._screen import Page, Screen
from services import lead_query, leads, wording
from services.access import Viewer
from services.errors import InvalidQuery, Refusal
from services.lead_answers import Lead, LeadPage, ListChoice, Narrowed, RunFacts
from services.lead_query import LeadQuery
from services.sources import Sources

ids = Ids("leads")
MOST_CARDS = 200


def layout(viewer: Viewer, sources: Sources, **query: str) -> Any:
    """The list that the address names, or the person's first one."""
    try:
        page = leads.page(viewer, sources, LeadQuery.from_url(query))
    except InvalidQuery as refused:
        return lost(refused)
    return html.Div(
        [
            parts.head(_title(page), [*scope(page.scope, page.facts, sources), page.ranked_by], _actions(page)),
            notice.stale(page.facts.waiting) if page.facts.waiting else None,
            _toolbar(page),
            html.Div(_empty(page.narrowed), id=ids("none"), className="ll-none", role="status"),
            html.Div(lead_grid.grid(ids("grid"), page), className="ll-leads-grid"),
            html.Div(id=ids("cards"), className="ll-leads-cards"),
            html.Button("Show more", id=ids("more"), type="button", className="ll-leads-more", hidden=True),
            html.P([html.Span(id=ids("seen")), html.Span(_foot(page), id=ids("foot"))], className="ll-foot"),
            _drawer(),
            dcc.Store(id=ids("asked"), data=_state(page.query)),
            *(dcc.Store(id=ids(part)) for part in ("chosen", "wanted", "address")),
            html.Span(id=ids("sink"), hidden=True),
        ],
        className="ll-wide ll-leads",
    )


def register(screen: Screen) -> None:
    """The grid's blocks, the drawer, and cards for a phone; all else happens in the browser."""
    _in_the_browser(screen)

    @screen.callback(
        Output(ids("grid"), "getRowsResponse"),
        Output({"part": "leads-count", "band": ALL}, "children"),
        Output(ids("export"), "href"),
        Output(ids("export"), "children"),
        Output(ids("export"), "hidden"),
        Output(ids("foot"), "children"),
        Output(ids("none"), "children"),
        Output(ids("address"), "data"),
        Input(ids("grid"), "getRowsRequest"),
        State(ids("asked"), "data"),
        prevent_initial_call=True,
    )
    def rows(viewer: Viewer, request: Any, asked: Any) -> Any:
        return _block(viewer, screen.sources, request, asked)

    @screen.callback(
        Output(ids("drawer-body"), "children"),
        Input(ids("chosen"), "data"),
        State(ids("asked"), "data"),
        prevent_initial_call=True,
    )
    def opened(viewer: Viewer, chosen: Any, asked: Any) -> Any:
        if not isinstance(chosen, dict) or not chosen.get("key"):
            return no_update
        query = _asked(asked)
        return drawn(leads.lead(viewer, screen.sources, str(chosen["key"])[:500], query))

    @screen.callback(
        Output(ids("cards"), "children"),
        Output(ids("more"), "hidden"),
        Input(ids("wanted"), "data"),
        prevent_initial_call=True,
    )
    def cards(viewer: Viewer, wanted: Any) -> Any:
        query, count = _asked(wanted), wanted.get("count")
        count = min(count, MOST_CARDS) if isinstance(count, int) and count > 0 else 20
        block = leads.block(viewer, screen.sources, query, 0, count)
        return lead_grid.cards(block, _search(query)), len(block.rows) >= min(block.total, MOST_CARDS)


def _in_the_browser(screen: Screen) -> None:
    """What the page does without the server: one question from all controls, the drawer, the address."""
    band = {"part": "leads-band", "band": ALL}
    screen.clientside(
        "leads", "ask", Output(ids("asked"), "data"), Output(band, "className"), Output(ids("search"), "value"),
        Input(ids("search"), "value"), Input(band, "n_clicks"), Input(ids("reset"), "n_clicks"),
        State(band, "id"), State(ids("asked"), "data"), prevent_initial_call=True,
    )  # fmt: skip
    screen.clientside(
        "leads", "reload", Output(ids("sink"), "title"), Input(ids("asked"), "data"), prevent_initial_call=True
    )
    screen.clientside(
        "leads", "clicked", Output(ids("sink"), "lang"), Input(ids("grid"), "cellClicked"), prevent_initial_call=True
    )
    screen.clientside(
        "leads", "drawer", Output(ids("drawer"), "className"), Input(ids("chosen"), "data"), prevent_initial_call=True
    )
    screen.clientside(
        "leads", "cards", Output(ids("wanted"), "data"), Input(ids("asked"), "data"), Input(ids("more"), "n_clicks")
    )
    screen.clientside(
        "ll", "address", Output(ids("sink"), "dir"), Input(ids("address"), "data"), prevent_initial_call=True
    )


def lost(refused: Refusal) -> Component:
    """An address that names nothing here, with the way back."""
    back = dcc.Link("To your lists", href="/leads", refresh=True, className="ll-button")
    return html.Div([notice.refusal(refused.sentence, refused.next_step), html.P(back)])


def scope(said: str, facts: RunFacts, sources: Sources) -> list[str]:
    """As of when, which rows, by which model, scored when."""
    zone = sources.workspace.lake.timezone
    day = [f"As of {wording.day(facts.as_of)}"] if facts.as_of else []
    return [*day, said, f"{facts.model} version {facts.version}", f"scored {wording.moment(facts.scored_at, zone)}"]


def drawn(lead: Lead) -> list[Component]:
    """The top of a lead, as the drawer shows it."""
    search = urlencode({"list": lead.list} | ({"of": lead.of} if lead.of else {}))
    place = [lead.place, lead.identity if lead.identity != lead.name else "", f"{lead.rank:,} of {lead.total:,}"]
    ways = [dcc.Link("Open", href=f"/leads/{lead.key}?{search}", className="ll-button ll-primary")]
    if lead.may_try:
        ways.append(
            dcc.Link("What if …", href=f"/what-if?{search}&{urlencode({'key': lead.key})}", className="ll-button")
        )
    return [
        html.H2(lead.name, className="ll-drawer-name"),
        html.P([html.Span(p) for p in place if p], className="ll-scope"),
        lead_detail.score(lead),
        html.Div(ways, className="ll-drawer-ways"),
        html.H3("Why", className="ll-h2"),
        *lead_detail.why(lead),
        html.H3("Reach", className="ll-h2"),
        lead_detail.reach(lead),
    ]


def _block(viewer: Viewer, sources: Sources, request: Any, asked: Any) -> Any:
    """One block. A question that cannot be answered gives no rows and its sentence: the grid waits for an answer."""
    keep = [no_update] * len(dash.ctx.outputs_list[1])
    try:
        if not isinstance(request, dict):
            raise InvalidQuery("The grid asked for nothing.", next_step=lead_query.RESET)
        query = _asked(asked).with_grid(request)
        start, count = lead_query.window(request)
        block = leads.block(viewer, sources, query, start, count)
        shown = lead_grid.rows(block, capacity=_capacity(sources, query, block.total), ranked=_ranked(query))
        if start > 0:
            return [shown, keep, *[no_update] * 6]
        left = leads.narrowed(viewer, sources, query)
    except Refusal as refused:
        said = lead_grid.empty(refused.sentence, refused.next_step, "/leads", "Start again")
        return [{"rowData": [], "rowCount": 0}, keep, no_update, no_update, True, no_update, said, no_update]
    by_band = {b.band: f"{b.rows:,}" for b in left.bands}
    counts = [by_band.get(str(o["id"].get("band")), "") for o in dash.ctx.outputs_list[1]]
    page = leads.page(viewer, sources, query)
    search = query.to_url()
    export = f"/leads.csv?{search}", _export(left), _nothing_to_export(page)
    return [shown, counts, *export, _foot(page), _empty(left), f"/leads?{search}"]


def _asked(asked: Any) -> LeadQuery:
    """The question that the browser holds, checked like an address."""
    if not isinstance(asked, dict):
        raise InvalidQuery("The page has lost its list.", next_step="Load it again.")
    bands = asked.get("bands")
    if not isinstance(bands, list) or not all(isinstance(b, str) for b in bands):
        raise InvalidQuery("Bands must be a list of names.", next_step=lead_query.RESET)
    return LeadQuery.from_url({**{k: asked.get(k) for k in ("list", "of", "q")}, "band": ",".join(bands)})


def _state(query: LeadQuery) -> dict[str, Any]:
    return {"list": query.list, "of": query.of, "bands": list(query.bands), "q": query.search}


def _search(query: LeadQuery) -> str:
    return urlencode({k: v for k, v in (("list", query.list), ("of", query.of)) if v})


def _ranked(query: LeadQuery) -> bool:
    return not query.sort or (query.sort[0].column == "rank" and not query.sort[0].descending)


def _capacity(sources: Sources, query: LeadQuery, total: int) -> int | None:
    capacity = sources.workspace.models.models[query.list or ""].capacity
    return capacity if capacity is not None and total > capacity else None


def _title(page: LeadPage) -> Component:
    """The name of the list; where a person has several, it opens them."""
    if len(page.choices) == 1:
        return html.H1(page.title)
    return html.Details(
        [
            html.Summary(
                html.H1([page.title, html.Span(" ▾", **{"aria-hidden": "true"})]), title="Choose another list"
            ),
            html.Nav([_choice(c, page) for c in page.choices], **{"aria-label": "Your lists"}),
        ],
        className="ll-picker",
    )


def _choice(choice: ListChoice, page: LeadPage) -> Component:
    here = (choice.list, choice.of) == (page.query.list, page.query.of or "")
    search = urlencode({"list": choice.list} | ({"of": choice.of} if choice.of else {}))
    return dcc.Link(
        [html.Span(choice.title), html.Span(f"{choice.rows:,}", className="ll-soft")],
        href=f"/leads?{search}",
        className="is-current" if here else "",
    )


def _actions(page: LeadPage) -> list[Component]:
    search = page.query.to_url()
    export = html.A(
        _export(page.narrowed), id=ids("export"), href=f"/leads.csv?{search}", className="ll-button ll-primary",
        hidden=_nothing_to_export(page), title="These rows as CSV, in this order",
    )  # fmt: skip
    return [
        export,
        *([html.Span(_left(page.rows_left), className="ll-soft ll-small")] if page.rows_left is not None else []),
    ]


def _left(rows: int) -> str:
    """What may still be taken, said where somebody is about to take it."""
    return f"{rows:,} rows left to take today" if rows else "No rows left to take today"


def _export(left: Narrowed) -> str:
    return f"Export {left.matching:,}"


def _nothing_to_export(page: LeadPage) -> bool:
    return not page.may_export or not page.narrowed.matching


def _toolbar(page: LeadPage) -> Component:
    held = set(page.query.bands)
    chips = [
        html.Button(
            [
                html.Span(b.band),
                html.Span(f"{b.rows:,}", id={"part": "leads-count", "band": b.band}, className="ll-soft"),
            ],
            id={"part": "leads-band", "band": b.band},
            type="button",
            className="ll-chip is-current" if b.band in held else "ll-chip",
            title=f"Band {b.band}: {b.limits}. {b.label}",
        )
        for b in page.narrowed.bands
    ]
    what = f"Search {page.entity_many}"
    search = dcc.Input(
        id=ids("search"), type="search", value=page.query.search, placeholder=what, debounce=0.35,
        maxLength=lead_query.MAX_SEARCH, className="ll-search",
    )  # fmt: skip
    return html.Div(
        [
            html.Label(what, htmlFor=ids("search"), className="ll-hidden"),
            search,
            html.Div(chips, className="ll-chips", role="group", **{"aria-label": "Bands"}),
            html.Button("Reset", id=ids("reset"), type="button", className="ll-quiet"),
        ],
        className="ll-toolbar",
    )


def _foot(page: LeadPage) -> list[Component]:
    """How many, how many of them can be reached, and what is hidden."""
    matching = page.narrowed.matching
    said = [f"{matching:,} {page.entity if matching == 1 else page.entity_many}"]
    if page.narrowed.within is not None:
        said.append(f"{page.narrowed.within:,} within your limit")
    if page.hidden:
        said.append(f"Hidden for your role: {', '.join(page.hidden)}")
    return [html.Span(s) for s in said]


def _empty(left: Narrowed) -> Any:
    if not left.sentence:
        return None
    if left.without is None:
        return lead_grid.empty(left.sentence, left.next_step, "", "")
    return lead_grid.empty(left.sentence, left.next_step, f"/leads?{left.without.to_url()}", "Show them")


def _drawer() -> Component:
    head = html.Div(
        [
            html.Button("‹", type="button", title="Previous (K)", **{"data-walk": "-1", "aria-label": "Previous"}),
            html.Button("›", type="button", title="Next (J)", **{"data-walk": "1", "aria-label": "Next"}),
            html.Span("J and K walk the list", className="ll-soft ll-small"),
            html.Button("Close", type="button", title="Close (Escape)", className="ll-quiet", **{"data-close": "1"}),
        ],
        className="ll-drawer-head",
    )
    return html.Aside(
        [head, html.Div(id=ids("drawer-body"), **{"aria-live": "polite"})],
        id=ids("drawer"), className="ll-drawer", tabIndex=-1, **{"aria-label": "Lead"},
    )  # fmt: skip


page = Page("/leads", "Leads", "leads:read", layout, register)
