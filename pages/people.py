"""Who may come in, and as what: the list of people, the form of one of them, and what needs an administrator's look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import dash
from dash import ALL, Input, Output, State, dcc, html, no_update

from components import forms, notice
from components import page as parts
from components.ids import Ids
from components.listing import listing
from components.shell import posted
from pages import _attention, _factor
from pages._screen import Page, Screen, pressed
from services import access, erasure, identity_links, links, people, second_factor, wording
from services.access import Viewer
from services.errors import InvalidField, InvalidQuery, Refusal
from services.people import PersonForm, PersonLine
from services.sources import Sources
from services.step_up import ProofNeeded

ids = Ids("people")
NEW = "new"
LINK = "link-"
PROVIDED = "The identity provider says this, anew at each sign-in."
ERASED = "This person was erased: nothing is kept of who they were. Their number still stands in the audit log."


@dataclass(frozen=True)
class Typed:
    """What stands in the form: the values of its fields and the attributes that are ticked."""

    fields: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, list[str]] = field(default_factory=dict)
    seen: str = ""


def layout(viewer: Viewer, sources: Sources, person: str = "") -> Any:
    """The people at the left; at the right the person of the address, or what needs a look."""
    found = people.list_people(viewer, sources)
    may = access.decide(viewer, "people:manage").allowed
    return [
        html.Div(_head(found, may), id=ids("head")),
        html.Div(
            [
                html.Div(html.Div(_list(found, sources), id=ids("list")), className="ll-s8"),
                html.Div(_first_panel(viewer, sources, person), id=ids("panel"), className="ll-s4 ll-panel"),
            ],
            className="ll-grid ll-focused" if person else "ll-grid",
        ),
        dcc.Store(id=ids("of"), data=person[:20]),
    ]


def register(screen: Screen) -> None:
    """One callback for every act on a person: which button it was says what is done."""

    @screen.callback(
        Output(ids("head"), "children"),
        Output(ids("list"), "children"),
        Output(ids("panel"), "children"),
        Input({"type": ids("do"), "act": ALL}, "n_clicks"),
        State({"type": ids("field"), "name": ALL}, "value"),
        State({"type": ids("attribute"), "name": ALL}, "value"),
        State(ids("of"), "data"),
        State({"type": ids("seen"), "name": ALL}, "data"),
        prevent_initial_call=True,
        needs="people:manage",
        running=[(Output(ids("panel"), "className"), "ll-s4 ll-panel is-busy", "ll-s4 ll-panel")],
    )
    def act(viewer: Viewer, _clicks: list[int], _f: list[Any], _a: list[Any], of: str, seen: list[str]) -> Any:
        asked = str(pressed().get("act", ""))
        if not asked:
            return [no_update] * 3
        typed = Typed(
            {str(s["id"]["name"]): str(s.get("value") or "") for s in dash.ctx.states_list[0]},
            {str(s["id"]["name"]): [str(v) for v in s.get("value") or []] for s in dash.ctx.states_list[1]},
            str(seen[0]) if seen else "",
        )
        panel = _done(viewer, screen.sources, act=asked, of=of, typed=typed)
        found = people.list_people(viewer, screen.sources)
        return [_head(found, True), _list(found, screen.sources), panel]


def _done(viewer: Viewer, sources: Sources, *, act: str, of: str, typed: Typed) -> list[Any]:
    """Do what was asked, and draw the panel that follows: what was done, or the sentence beside its field."""
    known = _number(of)
    try:
        if act == "add":
            return _added(viewer, sources, typed)
        if act == "link":
            return _with_link(viewer, sources, known)
        said = _changed(viewer, sources, act, known, typed)
    except ProofNeeded as refusal:
        return [_factor.proof_needed(refusal, f"/admin/people?person={known}"), *_again(viewer, sources, known)]
    except InvalidField as wrong:
        return _panel(people.form(viewer, sources, known), typed=typed, wrong=wrong)
    except Refusal as refusal:
        return [notice.message(refusal.sentence, refusal.next_step, "watch"), *_again(viewer, sources, known)]
    return [notice.message(said, kind="good"), *_panel(people.form(viewer, sources, known))]


def _changed(viewer: Viewer, sources: Sources, act: str, known: int, typed: Typed) -> str:
    """Do one of the acts that leave the form as it is, and say what was done."""
    if act == "save":
        people.change_person(
            viewer, sources, known, name=typed.fields.get("name", ""), role=typed.fields.get("role", ""),
            attributes=typed.attributes, seen=typed.seen,
        )  # fmt: skip
        return "Saved. It holds from their next request on."
    if act in ("enable", "disable"):
        people.set_active(viewer, sources, known, act == "enable")
        return "Enabled: they may sign in again." if act == "enable" else "Disabled, and signed out everywhere."
    if act == "sign_out":
        ended = people.end_sessions(viewer, sources, known)
        return f"Signed out: {ended} {'session' if ended == 1 else 'sessions'} ended."
    if act == "erase":
        return erasure.erase(viewer, sources, known, typed.fields.get("erase", "")).sentence
    if act == "factor":
        second_factor.take_away(viewer, sources, known)
        return "Their second factor is gone, and they are signed out everywhere."
    if act.startswith(LINK):
        identity_links.link(viewer, sources, known, act.removeprefix(LINK))
        return "Linked. They come in through the identity provider from now on."
    raise InvalidQuery("There is no such act.", next_step="Reload the page.")


def _added(viewer: Viewer, sources: Sources, typed: Typed) -> list[Any]:
    name, email = typed.fields.get("name", ""), typed.fields.get("email", "")
    link = people.add_person(
        viewer, sources, email=email, name=name, role=typed.fields.get("role", ""), attributes=typed.attributes
    )
    return [_once(f"{name.strip()} is added. They choose their password here:", link, "activation"), _back()]


def _with_link(viewer: Viewer, sources: Sources, known: int) -> list[Any]:
    link, kind = people.new_link(viewer, sources, known)
    form = people.form(viewer, sources, known)
    return [_once(f"{form.name} chooses a password here:", link, kind), *_panel(form)]


def _once(sentence: str, link: str, kind: str) -> Any:
    """A link to hand over. Who makes it cannot use it unseen: it works once, and its use is in the log."""
    lasts = links.LASTS_WORDS[kind]
    return forms.shown_once(
        sentence, link, f"It is shown this once, works once, and for the next {lasts}. Hand it to nobody else."
    )


def _again(viewer: Viewer, sources: Sources, known: int) -> list[Any]:
    try:
        return _panel(people.form(viewer, sources, known))
    except Refusal:
        return [_back()]


def _first_panel(viewer: Viewer, sources: Sources, person: str) -> list[Any]:
    if not person:
        return _attention.panel(viewer, sources)
    try:
        return _panel(people.form(viewer, sources, 0 if person == NEW else _number(person)))
    except Refusal as refusal:
        return [notice.message(refusal.sentence, "Choose one of the list.", "watch")]


def _number(text: str) -> int:
    """The person of an address; one that nobody has where it is not a number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0 if text == NEW else -1


def _head(found: tuple[PersonLine, ...], may: bool) -> Any:
    add = dcc.Link("Add a person", href=f"/admin/people?person={NEW}", className="ll-button ll-primary")
    return parts.head("People", _scope(found), [add] if may else [])


def _scope(found: tuple[PersonLine, ...]) -> list[str]:
    active, waiting = sum(p.active for p in found), sum(bool(p.note) for p in found)
    disabled = len(found) - active
    return [
        f"{active} may sign in",
        f"{disabled} disabled" if disabled else "",
        f"{sum(p.sessions > 0 for p in found)} signed in now",
        f"{waiting} {'needs' if waiting == 1 else 'need'} a look" if waiting else "",
    ]


def _list(found: tuple[PersonLine, ...], sources: Sources) -> Any:
    zone = sources.workspace.lake.timezone
    rows = [
        [
            _who(p),
            p.role_label,
            [html.Div(f"{label}: {values}") for label, values in p.attributes] or html.Span("–", className="ll-soft"),
            wording.moment(p.last_sign_in_at, zone) if p.last_sign_in_at else html.Span("never", className="ll-soft"),
            parts.status("good", f"{p.sessions} open") if p.sessions else html.Span("none", className="ll-soft"),
        ]
        for p in found
    ]
    return listing("People", ["Person", "Role", "Attributes", "Last sign-in", "Sessions"], rows)


def _who(person: PersonLine) -> Any:
    marks = [
        parts.tag("you") if person.is_self else None,
        parts.tag("company account") if person.provided else None,
        _mark(person),
    ]
    href = "/admin/people?" + urlencode({"person": person.id})
    return html.Div(
        [
            html.Span([dcc.Link(person.name, href=href, className="ll-strong"), *marks]),
            html.Div(person.email, className="ll-soft ll-small"),
            html.Div(parts.status("watch", person.note), className="ll-small") if person.note else None,
        ]
    )


def _mark(person: PersonLine) -> Any:
    return None if person.active else parts.tag("erased") if person.erased else parts.tag("disabled", "bad")


def _panel(form: PersonForm, *, typed: Typed | None = None, wrong: InvalidField | None = None) -> list[Any]:
    """The form of one person, with what was typed and the sentence of what is wrong with it."""
    if form.line and form.line.erased:
        return [html.H2(form.name, className="ll-focus"), html.P(ERASED, className="ll-soft"), _back("Close")]
    held = typed or Typed({"name": form.name, "role": form.role}, {}, form.seen)
    new = form.line is None
    fixed = not form.may_manage or bool(form.line and form.line.is_self)
    said = wrong.sentence + (f" {wrong.next_step}" if wrong and wrong.next_step else "") if wrong else ""
    errors = {wrong.field: said} if wrong else {}
    attributes = [
        forms.several(
            _of("attribute", a.name), a.label, a.values, chosen=held.attributes.get(a.name, a.held),
            error=errors.get(a.name, ""), disabled=fixed or a.name in form.fixed,
        )
        for a in form.attributes
    ]  # fmt: skip
    provided = bool(form.line and form.line.provided)
    hint = "Nobody changes their own role." if form.line and form.line.is_self else PROVIDED if provided else ""
    fields = [
        forms.text(
            _of("field", "name"), "Name", value=held.fields.get("name", ""), error=errors.get("name", ""),
            disabled="name" in form.fixed,
        ),
        forms.text(_of("field", "email"), "E-mail", value=held.fields.get("email", ""), error=errors.get("email", ""))
        if new
        else None,
        forms.choice(
            _of("field", "role"), "Role", form.roles, value=held.fields.get("role", ""), error=errors.get("role", ""),
            hint=hint, empty="Choose a role", needed=True, disabled=fixed or "role" in form.fixed,
        ),
        *attributes,
    ]  # fmt: skip
    button = forms.button(_of("do", "add" if new else "save"), "Add" if new else "Save", kind="primary")
    return [
        html.H2("Somebody new" if new else form.name, className="ll-focus"),
        html.P(
            form.line.email if form.line else "They get a link where they choose their password.",
            className="ll-soft ll-small",
        ),
        forms.form(*fields, label="About this person"),
        forms.buttons(button, _back("Close")) if form.may_manage else _back("Close"),
        dcc.Store(id=_of("seen", "seen"), data=held.seen),
        _more(form, errors.get("erase", "")) if form.line and form.may_manage else None,
    ]


def _more(form: PersonForm, wrong: str = "") -> Any:
    """What else can be done with a person; what cannot be undone by a click asks once more."""
    line = form.line
    if line is None:
        return None
    if line.is_self:
        return html.P(
            ["Your password and sessions are on ", dcc.Link("your account page", href="/account"), "."],
            className="ll-soft ll-small ll-panel-foot",
        )
    sessions = "session" if line.sessions == 1 else "sessions"
    look = [
        html.P("You see each page as they do, read-only; the log has it under both names."),
        posted(f"See what {form.name} sees", f"/view-as/{line.id}"),
    ]
    return html.Div(
        [
            _linking(form),
            parts.more("See what they see", *look) if form.may_look and line.active else None,
            parts.more(
                f"Sign out everywhere ({line.sessions} {sessions})",
                html.P("Every browser of theirs is asked to sign in again."),
                forms.button(_of("do", "sign_out"), "Sign out everywhere", disabled=not line.sessions),
            ),
            None
            if line.provided
            else parts.more(
                "Link to choose a password",
                html.P("For a lost password. Once they chose another one, they are signed out everywhere else."),
                forms.button(_of("do", "link"), "Make a link"),
            ),
            parts.more(
                "Take away the second factor",
                html.P("For a lost phone. They are signed out everywhere, and the next sign-in asks for no code."),
                forms.button(_of("do", "factor"), "Take it away", kind="danger"),
            )
            if line.second_factor
            else None,
            parts.more(
                "Disable the account",
                html.P("They can no longer sign in and are signed out at once. What they did stays in the audit log."),
                forms.button(_of("do", "disable"), "Disable", kind="danger"),
            )
            if line.active
            else parts.more(
                "Enable the account",
                html.P("They may sign in again as they did before."),
                forms.button(_of("do", "enable"), "Enable"),
            ),
            None if line.active else _erase(line, wrong),
        ],
        className="ll-panel-foot",
    )


def _linking(form: PersonForm) -> Any:
    """Who came from the identity provider with this person's address and waits to be linked with them."""
    asked = form.asked
    if asked is None:
        return None
    return parts.more(
        f"Link with {asked.name} of the identity provider",
        html.P(
            f"{asked.name} (known there as {asked.subject}) signed in there with this address. An address is no proof: "
            f"make sure that it was {form.name}. From then on they come in through the provider alone, with the role "
            "that it says; their password stops working, and they are signed out everywhere."
        ),
        forms.button(_of("do", LINK + asked.key), "It is the same person: link"),
    )


def _erase(line: PersonLine, wrong: str) -> Any:
    """Erasing asks for the person's address: it cannot be undone."""
    return parts.more(
        "Erase the person",
        html.P(
            "Their name, address, password, sessions and identities go, and so do the words of what they did in the "
            "audit log. What they took away stays until the time of such events is over. This cannot be undone."
        ),
        forms.text(_of("field", "erase"), "Their e-mail, to be sure", hint=line.email, error=wrong),
        forms.button(_of("do", "erase"), "Erase for ever", kind="danger"),
        opened=bool(wrong),
    )


def _back(label: str = "Back to the list") -> Any:
    return dcc.Link(label, href="/admin/people", className="ll-button")


def _of(kind: str, name: str) -> dict[str, str]:
    key = "act" if kind == "do" else "name"
    return {"type": ids(kind), key: name}


page = Page("/admin/people", "People", "people:read", layout, register)
