"""Who changed what: every change of people and of the policy between two days, on the screen and on paper."""

from __future__ import annotations

from typing import Any

from dash import Input, Output, dcc, html

from components import answers, forms, notice
from components import page as parts
from components.ids import Ids
from components.listing import listing
from pages import _questions
from pages._screen import Page, Screen
from services import audit_changes, wording
from services.access import Viewer
from services.audit_changes import Change, Changes, ChangesQuery
from services.errors import InvalidQuery
from services.sources import Sources

ids = Ids("changes")
HOME = "/admin/audit/changes"


def layout(viewer: Viewer, sources: Sources, **query: str) -> Any:
    """The changes of the days of the address, or of the last four weeks."""
    asked = ChangesQuery.from_url(query)
    found = audit_changes.changes(viewer, sources, asked)
    first, last = found.since.isoformat(), found.until.isoformat()
    return [
        parts.head(
            "Who changed what",
            ["People, their roles and attributes, reviews, and the policy, with what was before and after"],
            [_questions.links(viewer, HOME), answers.print_button(ids("print"))],
        ),
        answers.ask(forms.days(ids("days"), "First and last day", first=first, last=last)),
        html.Div(_answer(viewer, sources, found), id=ids("answer"), **{"aria-live": "polite"}),
        dcc.Store(id=ids("href"), data=HOME + asked.to_url()),
        html.Div(id=ids("sink"), hidden=True),
    ]


def register(screen: Screen) -> None:
    """The days; the address follows them."""

    @screen.callback(
        Output(ids("answer"), "children"),
        Output(ids("href"), "data"),
        Input(ids("days"), "value"),
        prevent_initial_call=True,
    )
    def narrowed(viewer: Viewer, days: Any) -> Any:
        first, last = days if isinstance(days, list) and len(days) == 2 else (None, None)
        try:
            asked = ChangesQuery.from_url({k: str(v) for k, v in {"from": first, "to": last}.items() if v})
        except InvalidQuery as wrong:
            return [notice.message(wrong.sentence, wrong.next_step, "watch"), HOME]
        found = audit_changes.changes(viewer, screen.sources, asked)
        return [_answer(viewer, screen.sources, found), HOME + asked.to_url()]

    screen.clientside("ll", "address", Output(ids("sink"), "title"), Input(ids("href"), "data"))
    screen.clientside("ll", "print", Output(ids("sink"), "lang"), Input(ids("print"), "n_clicks"))


def _answer(viewer: Viewer, sources: Sources, found: Changes) -> Any:
    facts = [*_questions.asked(viewer, sources), ("Policy", sources.workspace.fingerprint[:12])]
    first, last = wording.day(found.since), wording.day(found.until)
    asked = "Who changed people and policy" + (f" on {first}?" if first == last else f" from {first} to {last}?")
    number = len(found.lines) + found.more
    said = f"{wording.number_word(number)} {'change' if number == 1 else 'changes'}."
    return answers.answer(
        asked,
        facts,
        html.P(said[0].upper() + said[1:], className="ll-lede"),
        table(found) if found.lines else None,
        html.P(_left_out(found), className="ll-soft ll-small") if found.retired or found.more else None,
    )


def table(found: Changes) -> Any:
    """The changes line by line."""
    heads = ["When", "Who", "What", "Of", "Before → after", "Event"]
    return listing("Changes", heads, [_line(change, found.zone) for change in found.lines])


def _line(change: Change, zone: str) -> list[Any]:
    address = html.Div(change.person, className="ll-soft ll-small") if "@" in change.person else None
    eyes = html.Div(f"through the eyes of {change.through}", className="ll-soft ll-small") if change.through else None
    under = html.Div(change.of, className="ll-soft ll-small") if change.of_name else None
    return [
        html.Span(wording.moment(change.at, zone), className="ll-nowrap"),
        html.Div([html.Strong(change.name), address, eyes]),
        change.said,
        html.Div([change.of_name or html.Span(change.of, className="ll-key"), under]),
        html.Div([html.Div(step, className="ll-small") for step in change.steps]) if change.steps else "",
        html.Span(str(change.event), className="ll-soft"),
    ]


def _left_out(found: Changes) -> str:
    more = f"{found.more:,} more are left out: choose fewer days. " if found.more else ""
    kept = f"{found.retired:,} changes of these days are kept without content." if found.retired else ""
    return more + kept


page = Page(HOME, "Who changed what", "audit:read", layout, register)
