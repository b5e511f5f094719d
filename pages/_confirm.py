"""Confirming that it is you, before something of weight: a large file, another person's way in."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, redirect, request

from pages import _errors, _plain, _screen
from pages._screen import Screen
from pages._sign_in import safe_next
from services import step_up
from services.access import Viewer
from services.errors import InvalidField, Refusal
from services.passwords import TooMany
from services.step_up import Proof

DOWNLOADS = {"/leads.csv": "/leads"}
"""Files that may be asked for after confirming, each with the page that offers it."""
HEADING = "Confirm that it is you"


def add(server: Flask, screen: Screen) -> None:
    """Mount the form."""

    @server.get("/account/confirm")
    @_screen.needs("signed_in")
    def ask_proof(who: Viewer) -> Any:
        try:
            return _form(who, step_up.proof(who, screen.sources))
        except Refusal as refused:
            return _errors.said(403, refused.sentence, refused.next_step)

    @server.post("/account/confirm")
    @_screen.needs("signed_in")
    def prove(who: Viewer) -> Any:
        said = {name: request.form.get(name, "") for name in ("password", "code")}
        try:
            step_up.confirm(who, screen.sources, **said)
        except InvalidField as wrong:
            return _form(who, step_up.proof(who, screen.sources), wrong.field, wrong.sentence, 401)
        except TooMany as busy:
            return _form(who, step_up.proof(who, screen.sources), "", f"{busy.sentence} {busy.next_step}", 503)
        except Refusal as refused:
            return _errors.said(403, refused.sentence, refused.next_step)
        return _on(*_target())


def address(target: str) -> str:
    """The address of the form that leads back to a page or a file of this place."""
    return f"/account/confirm?{urlencode({'next': target})}"


def _target() -> tuple[str, str]:
    """Where to go afterwards, and the page to go back to: the same, but for a file."""
    asked = request.args.get("next", "")
    page = DOWNLOADS.get(urlsplit(asked).path) if asked.startswith("/") and not asked.startswith("//") else None
    if page is None:
        return safe_next(asked), safe_next(asked)
    query = urlsplit(asked).query
    back = safe_next(f"{page}?{query}" if query else page)
    return f"{urlsplit(asked).path}?{query}" if query else urlsplit(asked).path, back


def _on(target: str, back: str) -> Any:
    if target == back:
        return redirect(target, 303)
    return _plain.page(
        "Thank you. Your file is on its way",
        _plain.text("If nothing comes by itself, take it here."),
        _plain.link("Take the file", target, button=True),
        _plain.link("Back to the list", back),
        onward=target,
    )


def _form(who: Viewer, proof: Proof, wrong: str = "", problem: str = "", status: int = 200) -> Response:
    target, back = _target()
    why = _plain.text(
        f"What you asked for needs a proof of who you are from the last {proof.minutes} minutes: an open screen may be "
        "anybody's."
    )
    leave = _plain.link("Not now", back)
    if proof.way == "oidc":
        again = f"/sign-in/oidc?{urlencode({'again': '1', 'next': back})}"
        return _plain.page(HEADING, why, _plain.link("Confirm at your company's sign-in", again, button=True), leave)
    password = _plain.field("password", "Password", keeps="current-password", wrong=wrong == "password")
    fields = [_plain.whose(who.email), password]
    if proof.way == "password+code":
        fields.append(_plain.field("code", "Code", kind="text", keeps="one-time-code", wrong=wrong == "code"))
    if proof.way == "demo":
        fields = []
        why += _plain.text("This is a demo account that opened by one click, so pressing the button is enough here.")
    form = _plain.form(address(target), *fields, button="Confirm", problem=problem)
    return _plain.page(HEADING, why, form, leave, status=status)
