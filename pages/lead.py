"""Why this one, and what do I say: one lead with its reasons, its inputs beside the usual, and how to reach it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from dash import dcc, html
from dash.development.base_component import Component

from components import lead_detail, notice
from components import page as parts
from pages._screen import Page
from pages.leads import lost, scope
from services import leads
from services.access import Viewer
from services.errors import InvalidQuery, NotFound
from services.lead_answers import Lead
from services.lead_query import LeadQuery
from services.sources import Sources

VIEWS = tuple(name for name, _ in lead_detail.VIEWS)


def layout(viewer: Viewer, sources: Sources, key: str = "", **query: str) -> Any:
    """The lead that the address names, in its list."""
    try:
        lead = leads.lead(viewer, sources, key, LeadQuery.from_url({"list": query.get("list"), "of": query.get("of")}))
    except (InvalidQuery, NotFound) as refused:
        return lost(refused)
    view = query.get("view", "bars") if lead.technical else "bars"
    search = urlencode({"list": lead.list} | ({"of": lead.of} if lead.of else {}))
    return html.Div(
        [
            _head(lead, search),
            notice.stale(lead.facts.waiting) if lead.facts.waiting else None,
            lead_detail.score(lead),
            html.Div(
                [
                    html.Div([_why(lead, search, view if view in VIEWS else "bars"), _usual(lead)], className="ll-s7"),
                    html.Div(_side(lead, search), className="ll-s5 ll-sticky"),
                ],
                className="ll-grid",
            ),
            html.P([html.Span(said) for said in scope("", lead.facts, sources) if said], className="ll-foot ll-scope"),
        ],
        className="ll-lead",
    )


def _head(lead: Lead, search: str) -> Component:
    place = [lead.place, lead.identity if lead.identity != lead.name else ""]
    back = dcc.Link(lead.list_title, href=f"/leads?{search}")
    line = html.P([html.Span(back), *(html.Span(p) for p in place if p)], className="ll-scope")
    return html.Header([html.Div([html.H1(lead.name), line]), lead_detail.walk(lead, search)], className="ll-head")


def _why(lead: Lead, search: str, view: str) -> Component:
    """The sentence and the reasons; analysts choose how they are drawn."""
    if lead.why is None:
        return parts.section("Why", *lead_detail.why(lead))
    switch = lead_detail.views(f"/leads/{lead.key}?{search}", view, link=lead.why.link) if lead.technical else None
    sentence = html.P(lead.why.sentence, className="ll-lead-why")
    drawn: list[Any] = lead_detail.why(lead, headed=False)
    if view == "waterfall":
        drawn = [lead_detail.steps(lead)]
    elif view == "log-odds":
        drawn = lead_detail.own_scale(lead)
    return parts.section("Why", sentence, *([switch] if switch else []), html.Div(drawn, className="ll-lead-reasons"))


def _usual(lead: Lead) -> Component | None:
    if not lead.inputs:
        return None
    return parts.section("Against the usual", lead_detail.usual(lead.inputs))


def _side(lead: Lead, search: str) -> list[Component]:
    made = [parts.section("Reach", lead_detail.reach(lead))]
    if any(text for _, text in lead.others):
        made.append(parts.section("Known", parts.facts([(label, text or "not known") for label, text in lead.others])))
    if lead.may_try:
        link = dcc.Link("What if …", href=f"/what-if?{search}&{urlencode({'key': lead.key})}", className="ll-button")
        words = html.P("Change what can be changed, and see how the model responds.", className="ll-soft ll-small")
        made.append(parts.section("Try", words, link))
    return made


page = Page("/leads/<key>", "Lead", "leads:read", layout)
