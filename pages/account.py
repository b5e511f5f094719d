"""Your account: who you are here, what you may see and why, your sessions, password, second factor and theme."""

from __future__ import annotations

from typing import Any

from dash import ALL, Input, Output, State, html, no_update

from components import forms, notice
from components import page as parts
from components.ids import Ids
from components.listing import listing
from pages import _factor
from pages._screen import Page, Screen, pressed
from services import own_account, passwords, policy, wording
from services.access import Viewer, action_words
from services.errors import InvalidField
from services.own_account import OwnAccount, SessionLine
from services.policy import DatasetRights
from services.sources import Sources

ids = Ids("account")


def layout(viewer: Viewer, sources: Sources) -> Any:
    """Rights at the left; sessions, password and theme at the right."""
    own = own_account.own_account(viewer, sources)
    head = parts.head(viewer.name, [viewer.email, viewer.role_label, *_held(viewer, sources)])
    password = html.Div(_password(own), id=ids("password"))
    factor = html.Div(_factor.section(viewer, sources), id=ids("factor"))
    if own.must_choose:
        first = notice.message(
            "Choose your own password first.",
            "The one you were given is good for this alone; then the rest opens.",
            "watch",
        )
        return [head, first, parts.columns((5, password))]
    if _factor.is_first(viewer, sources):
        first = notice.message("Set up a second factor first.", "Your role asks for one; then the rest opens.", "watch")
        return [head, first, parts.columns((5, factor))]
    return [
        head,
        parts.columns(
            (7, _rights(viewer, sources)),
            (5, [_sessions_section(own, sources), password, factor, _theme()]),
        ),
    ]


def register(screen: Screen) -> None:
    """Ending sessions, changing the password, choosing the theme."""

    @screen.callback(
        Output(ids("sessions"), "children"),
        Input({"type": ids("end"), "key": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def end(viewer: Viewer, _clicks: list[int]) -> Any:
        key = str(pressed().get("key", ""))
        if not key:
            return no_update
        ended = own_account.end_other_sessions(viewer, screen.sources, "" if key == "all" else key)
        said = f"{ended} {'session' if ended == 1 else 'sessions'} ended." if ended else "It had ended already."
        own = own_account.own_account(viewer, screen.sources)
        return [notice.message(said, kind="good"), *_sessions(own, screen.sources)]

    @screen.callback(
        Output(ids("password"), "children"),
        Input(ids("change"), "n_clicks"),
        State(ids("current"), "value"),
        State(ids("new"), "value"),
        State(ids("again"), "value"),
        prevent_initial_call=True,
        running=[(Output(ids("change"), "disabled"), True, False)],
    )
    def change(viewer: Viewer, _clicks: int, current: Any, new: Any, again: Any) -> Any:
        must = own_account.own_account(viewer, screen.sources).must_choose
        try:
            own_account.change_password(
                viewer, screen.sources, current=str(current or ""), new=str(new or ""), again=str(again or "")
            )
        except InvalidField as wrong:
            return _password(own_account.own_account(viewer, screen.sources), wrong)
        step = html.A("Go to your first page", href="/") if must else "Your other sessions have ended."
        return parts.section("Password", notice.message("Your password is changed.", step, "good"))

    _factor.register(screen, ids("factor"))

    screen.clientside(
        "account", "theme", Output(ids("theme"), "title"), Input(ids("theme"), "value"), prevent_initial_call=True
    )
    screen.clientside("account", "themeNow", Output(ids("theme"), "value"), Input(ids("theme"), "id"))


def _held(viewer: Viewer, sources: Sources) -> list[str]:
    known = sources.workspace.access.attributes
    return [f"{known[k].label}: {', '.join(v)}" for k, v in viewer.attributes.items() if k in known and v]


def _rights(viewer: Viewer, sources: Sources) -> list[Any]:
    role = sources.workspace.access.roles.get(viewer.role)
    may = [html.Li(action_words(action)) for action in role.actions] if role else [html.Li("Nothing: ask for a role.")]
    rights = policy.own_rights(sources, viewer)
    heads = ["Dataset", "You see", "Because", "Hidden from you"]
    none = html.P("None: no row rule of your role names any dataset.", className="ll-soft")
    some = any(d.rows.seen.value != 0 for d in rights if d.rows is not None)
    rows = listing("Which rows you see", heads, [_dataset(d) for d in rights]) if some else none
    return [
        parts.section("What you may do", html.Ul(may, className="ll-list")),
        parts.section("Which rows you see", rows),
    ]


def _dataset(rights: DatasetRights) -> list[Any]:
    soft = html.Span("none", className="ll-soft")
    if rights.rows is None:
        sees: Any = html.Span("not published yet", className="ll-soft")
    elif rights.rows.seen.value is None:
        sees = rights.rows.seen.text
    else:
        seen, total = rights.rows.seen, rights.rows.total
        of = f"{seen.text} of {total.text}" if not total.withheld else f"{seen.text}; the whole is {total.text}"
        said = f"all {total.text}" if seen.value == total.value else of
        sees = html.Span(said, className="ll-nowrap", title=total.reason or None) if seen.value else soft
    return [html.Strong(rights.label), sees, rights.reason, ", ".join(rights.hidden) or soft]


def _sessions_section(own: OwnAccount, sources: Sources) -> Any:
    return parts.section("Where you are signed in", html.Div(_sessions(own, sources), id=ids("sessions")))


def _sessions(own: OwnAccount, sources: Sources) -> list[Any]:
    others = [line for line in own.sessions if not line.is_this]
    end = forms.button({"type": ids("end"), "key": "all"}, "End all others") if len(others) > 1 else None
    return [html.Ul([_session(line, sources) for line in own.sessions], className="ll-sessions"), end]


def _session(line: SessionLine, sources: Sources) -> Any:
    zone = sources.workspace.lake.timezone
    since = f"since {wording.moment(line.since, zone)}, from {line.address or 'an unknown address'}"
    right = (
        parts.tag("this one", "good")
        if line.is_this
        else forms.button({"type": ids("end"), "key": line.key}, "End", about=line.browser)
    )
    return html.Li([html.Div([html.Strong(line.browser), html.Div(since, className="ll-soft ll-small")]), right])


def _password(own: OwnAccount, wrong: InvalidField | None = None) -> Any:
    if not own.may_choose:
        why = (
            "You sign in through the identity provider, which also says your role: there is no password here."
            if own.provided
            else "This is a demo account: its password stays as it was made."
        )
        return parts.section("Password", html.P(why, className="ll-soft"))
    errors = {wrong.field: wrong.sentence} if wrong else {}
    label = "The password you were given" if own.must_choose else "Current password"
    hint = f"At least {passwords.SHORTEST} characters; a sentence is good."
    return parts.section(
        "Password",
        forms.form(
            forms.password(ids("current"), label, error=errors.get("current", "")),
            forms.password(ids("new"), "New password", error=errors.get("new", ""), hint=hint, fresh=True),
            forms.password(ids("again"), "New password, once more", error=errors.get("again", ""), fresh=True),
            label="Change your password",
        ),
        forms.buttons(forms.button(ids("change"), "Change password", kind="primary")),
    )


def _theme() -> Any:
    options = (("auto", "As the system"), ("light", "Light"), ("dark", "Dark"))
    return parts.section("Theme", forms.segments(ids("theme"), "Theme", options, value="auto", label_hidden=True))


page = Page("/account", "Your account", "signed_in", layout, register)
