"""Whose access has nobody reviewed for long? The list of people, and the confirmation that it is still right."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import dash
from dash import ALL, Input, Output, State, dcc, html, no_update

from components import answers, forms, notice
from components import page as parts
from components.ids import Ids
from components.listing import listing
from pages import _questions
from pages._screen import Page, Screen, pressed
from services import reviews, wording
from services.access import Viewer
from services.errors import Refusal
from services.reviews import Reviewed, Reviews
from services.sources import Sources

ids = Ids("reviews")
HOME = "/admin/reviews"


def layout(viewer: Viewer, sources: Sources) -> Any:
    """Everybody who may sign in, those without a review first."""
    return [
        parts.head(
            "Access reviews",
            ["Access is looked at by a person, and again after a change"],
            [_questions.links(viewer, HOME), answers.print_button(ids("print"))],
        ),
        html.Div(_list(viewer, sources), id=ids("list"), **{"aria-live": "polite"}),
        html.Div(id=ids("sink"), hidden=True),
    ]


def register(screen: Screen) -> None:
    """One callback: the button says whose access is confirmed, and as what it was seen."""

    @screen.callback(
        Output(ids("list"), "children"),
        Input({"type": ids("confirm"), "person": ALL, "seen": ALL}, "n_clicks"),
        State({"type": ids("note"), "person": ALL}, "value"),
        prevent_initial_call=True,
        needs="people:review",
    )
    def confirm(viewer: Viewer, _clicks: list[int], _notes: list[Any]) -> Any:
        asked = pressed()
        if not asked:
            return no_update
        number, seen = str(asked.get("person", "")), str(asked.get("seen", ""))
        notes = {str(s["id"]["person"]): str(s.get("value") or "") for s in dash.ctx.states_list[0]}
        known = int(number) if number.isascii() and number.isdigit() and len(number) <= 9 else -1
        try:
            reviews.confirm(viewer, screen.sources, known, seen=seen, note=notes.get(number, ""))
        except Refusal as refused:
            said = notice.message(refused.sentence, refused.next_step, "watch")
        else:
            said = notice.message("Confirmed. It stands in the log under your name.", kind="good")
        return [said, *_list(viewer, screen.sources)]

    screen.clientside("ll", "print", Output(ids("sink"), "lang"), Input(ids("print"), "n_clicks"))


def _list(viewer: Viewer, sources: Sources) -> list[Any]:
    found = reviews.waiting(viewer, sources)
    facts = [*_questions.asked(viewer, sources), ("Policy", sources.workspace.fingerprint[:12])]
    return [
        answers.answer(
            f"Whose access has nobody reviewed for {found.days} days?",
            facts,
            html.P(_verdict(found), className="ll-lede"),
            _people(found),
            html.P(_foot(found), className="ll-soft ll-small"),
        )
    ]


def _verdict(found: Reviews) -> str:
    if not found.due:
        return "Nobody's: every access was reviewed as it is now."
    of = len(found.people)
    return f"The access of {found.due:,} of {of:,} {'person' if of == 1 else 'people'} waits for a review."


def _foot(found: Reviews) -> str:
    disabled = f"{found.disabled:,} disabled {'person has' if found.disabled == 1 else 'people have'} no access. "
    own = "Nobody reviews their own access." if found.may_review else "You may read reviews, not confirm them."
    return (disabled if found.disabled else "") + own


def _people(found: Reviews) -> Any:
    heads = ["Person", "Access", "Last review", "Since then", *([""] if found.may_review else [])]
    return listing("Access reviews", heads, [_line(person, found) for person in found.people])


def _line(person: Reviewed, found: Reviews) -> list[Any]:
    held = [html.Div(f"{label}: {values}", className="ll-small") for label, values in person.held]
    changed = [html.Div(f"{what}: {step}", className="ll-small") for what, step in person.changed]
    waits = parts.status("watch", person.due) if person.due else parts.status("good", "Reviewed as it is.")
    return [
        html.Div([html.Strong(person.name), html.Div(person.email, className="ll-soft ll-small")]),
        html.Div([html.Div(person.role), *held]),
        _last(person, found.zone),
        html.Div([waits, *changed]),
        *([_act(person, found)] if found.may_review else []),
    ]


def _last(person: Reviewed, zone: str) -> Any:
    if person.at is None:
        return html.Span(f"never, here since {wording.day(person.since)}", className="ll-soft")
    note = html.Div(f"“{person.note}”", className="ll-small") if person.note else None
    return html.Div([wording.moment(person.at, zone), html.Div(f"by {person.by}", className="ll-soft ll-small"), note])


def _act(person: Reviewed, found: Reviews) -> Any:
    if person.is_self:
        return html.Span("you", className="ll-soft")
    change = dcc.Link("Change it", href="/admin/people?" + urlencode({"person": person.id}))
    id_ = {"type": ids("confirm"), "person": str(person.id), "seen": person.seen}
    note = {"type": ids("note"), "person": str(person.id)}
    return html.Div(
        [
            forms.text(note, "Note", hint=""),
            forms.buttons(
                forms.button(id_, "Still right", about=person.name, kind="primary" if person.due else ""),
                change if found.may_change else None,
            ),
        ],
        className="ll-review",
    )


page = Page(HOME, "Access reviews", "audit:read", layout, register)
