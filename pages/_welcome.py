"""Where a link leads that works once: somebody chooses their password, outside the application.

The link's secret leaves the address at once: it goes into the browser's cookie, and the page is one without it, so that
neither a referrer, a history nor a screen shows it. Opening does not use it; choosing a password does.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, redirect, request, session

from pages import _plain
from services import links, passwords
from services.errors import InvalidField
from services.links import LinkRefused, Welcome
from services.passwords import TooMany

KEPT = "welcome"
HEADINGS = {"activation": "Welcome. Choose your password", "reset": "Choose another password"}


def add(server: Flask, screen_of: Any) -> None:
    """Mount the link's address and the form behind it."""

    @server.get("/welcome/<token>")
    def arrive(token: str) -> Any:
        session[KEPT] = token[:100]
        answer = redirect("/welcome", 303)
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer

    @server.get("/welcome")
    def ask() -> Any:
        try:
            return _form(links.opened(screen_of().sources, str(session.get(KEPT, ""))))
        except LinkRefused as refused:
            return _refused(refused)

    @server.post("/welcome")
    def choose() -> Any:
        sources, token = screen_of().sources, str(session.get(KEPT, ""))
        new, again = request.form.get("new", ""), request.form.get("again", "")
        try:
            found = links.opened(sources, token)
            try:
                links.choose_password(sources, token, new=new, again=again)
            except InvalidField as wrong:
                return _form(found, wrong.field, f"{wrong.sentence} {wrong.next_step}".strip(), 400)
            except TooMany as busy:
                return _form(found, "", f"{busy.sentence} {busy.next_step}", 503)
        except LinkRefused as refused:
            return _refused(refused)
        session.pop(KEPT, None)
        said = _plain.text("From now on you sign in with it. Wherever you were signed in, you are no more.")
        return _plain.page("Your password is chosen", said, _plain.link("Sign in", "/sign-in", button=True))


def _form(found: Welcome, wrong: str = "", problem: str = "", status: int = 200) -> Response:
    hint = (
        f"At least {passwords.SHORTEST} characters, and not easily guessed; a sentence is good. "
        "Any letters, signs and blanks will do."
    )
    fields = (
        _plain.whose(found.email),
        _plain.field("new", "New password", keeps="new-password", wrong=wrong == "new"),
        _plain.field("again", "New password, once more", keeps="new-password", wrong=wrong == "again"),
    )
    form = _plain.form("/welcome", *fields, button="Choose this password", problem=problem)
    return _plain.page(HEADINGS[found.kind], _plain.text(f"{found.name}: {hint}"), form, status=status)


def _refused(refused: LinkRefused) -> Response:
    session.pop(KEPT, None)
    return _plain.page(refused.sentence, _plain.text(refused.next_step), status=404)
