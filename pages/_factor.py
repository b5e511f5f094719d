"""The second factor on one's own page: setting it up, the codes for a lost device, and taking it away."""

from __future__ import annotations

import base64
from typing import Any

import dash
from dash import ALL, Input, Output, State, html, no_update

from components import forms, notice
from components import page as parts
from components.ids import Ids
from pages import _confirm
from pages._screen import Screen, pressed
from services import second_factor, wording
from services.access import Viewer
from services.errors import InvalidField
from services.second_factor import Enrolment
from services.sources import Sources
from services.step_up import ProofNeeded

ids = Ids("factor")
WHAT = (
    "A code beside your password, from an app on your phone: whoever learns your password still cannot come in. Any "
    "authenticator app will do."
)
SAVE = "Keep these codes where your phone is not. Each opens your account once, should the phone be lost."


def is_first(viewer: Viewer, sources: Sources) -> bool:
    """Must this viewer set up a second factor before anything else?"""
    held = second_factor.held(viewer, sources)
    return held.needed and held.since is None and not viewer.grants


def section(viewer: Viewer, sources: Sources, wrong: InvalidField | None = None) -> Any:
    """What the viewer has, and what they can do about it."""
    held = second_factor.held(viewer, sources)
    if held.barred:
        return parts.section("Second factor", html.P(held.barred, className="ll-soft"))
    if held.since is None:
        return parts.section(
            "Second factor", html.P(WHAT, className="ll-soft"), forms.buttons(_button("begin", "Set up an app"))
        )
    left = f"{held.codes_left} recovery {'code' if held.codes_left == 1 else 'codes'} left"
    since = f"Set up {wording.moment(held.since, sources.workspace.lake.timezone)}, {left}."
    errors = {wrong.field: wrong.sentence} if wrong else {}
    return parts.section(
        "Second factor",
        html.P(since),
        parts.more(
            "Take it away",
            html.P("For a new phone: take it away, and set it up again there."),
            forms.form(
                forms.password(_of("field", "password"), "Your password", error=errors.get("password", "")),
                forms.text(
                    _of("field", "code"), "A code of your app, or a recovery code", error=errors.get("code", "")
                ),
                label="Your password and a code",
            ),
            forms.buttons(_button("remove", "Take it away", "danger")),
        ),
    )


def register(screen: Screen, place: str) -> None:
    """One callback for all of it: which button it was says what is done."""

    @screen.callback(
        Output(place, "children"),
        Input({"type": ids("do"), "act": ALL}, "n_clicks"),
        State({"type": ids("field"), "name": ALL}, "value"),
        prevent_initial_call=True,
    )
    def act(viewer: Viewer, _clicks: list[int], _fields: list[Any]) -> Any:
        asked = str(pressed().get("act", ""))
        if asked not in ("begin", "confirm", "remove"):
            return no_update
        typed = {str(s["id"]["name"]): str(s.get("value") or "") for s in dash.ctx.states_list[0]}
        return _done(viewer, screen.sources, asked, typed)


def _done(viewer: Viewer, sources: Sources, act: str, typed: dict[str, str]) -> Any:
    try:
        if act == "begin":
            return _enrolling(second_factor.begin(viewer, sources))
        if act == "confirm":
            return _confirmed(viewer, sources, typed.get("code", ""))
        second_factor.remove(viewer, sources, password=typed.get("password", ""), code=typed.get("code", ""))
        return [
            notice.message("Your second factor is gone.", "Your other sessions have ended.", kind="good"),
            section(viewer, sources),
        ]
    except ProofNeeded as refusal:
        return [proof_needed(refusal, "/account"), section(viewer, sources)]
    except InvalidField as wrong:
        return section(viewer, sources, wrong)


def _confirmed(viewer: Viewer, sources: Sources, code: str) -> Any:
    try:
        return _codes(second_factor.confirm(viewer, sources, code), first=not viewer.grants)
    except InvalidField as wrong:
        return _enrolling(second_factor.begun(viewer, sources), wrong)


def proof_needed(refusal: ProofNeeded, back: str) -> Any:
    """The sentence, and the way to confirm and back."""
    return notice.message(refusal.sentence, html.A(refusal.next_step, href=_confirm.address(back)), "watch")


def _enrolling(found: Enrolment, wrong: InvalidField | None = None) -> Any:
    source = "data:image/svg+xml;base64," + base64.b64encode(found.picture.encode()).decode()
    return parts.section(
        "Second factor",
        html.P("Read this picture with your authenticator app, or type the key into it."),
        html.Img(
            src=source, alt="A picture that an authenticator app reads; the key below says the same", className="ll-qr"
        ),
        html.P([html.Span("Key: ", className="ll-soft"), html.Code(found.groups, className="ll-key")]),
        forms.form(
            forms.text(_of("field", "code"), "The code that the app shows now", error=wrong.sentence if wrong else ""),
            label="Confirm the app",
        ),
        forms.buttons(_button("confirm", "Confirm", "primary")),
    )


def _codes(found: tuple[str, ...], *, first: bool) -> Any:
    onward = html.A("Go to your first page", href="/") if first else "Your other sessions have ended."
    return parts.section(
        "Second factor",
        notice.message("Your second factor is set up.", onward, "good"),
        html.P([html.Strong("Recovery codes, shown this once. "), SAVE]),
        html.Ul([html.Li(html.Code(code)) for code in found], className="ll-recovery"),
    )


def _button(act: str, label: str, kind: str = "") -> Any:
    return forms.button({"type": ids("do"), "act": act}, label, kind=kind)


def _of(kind: str, name: str) -> dict[str, str]:
    return {"type": ids(kind), "name": name}
