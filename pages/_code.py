"""The second step of signing in: a code beside the password. No session is there before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, redirect, request, session

from pages import _plain
from services import sign_in
from services.errors import Unavailable
from services.sign_in import CodeWanted, SignInRefused, TicketOver

KEPT = "second_factor"
HINT = "Type the six digits that your authenticator app shows now. A recovery code works here, too."


def add(server: Flask, screen_of: Any, let_in: Callable[..., Any]) -> None:
    """Mount the form. ``let_in`` is the sign-in page's way in for a session."""

    @server.get("/sign-in/code")
    def ask_code() -> Any:
        return _form() if session.get(KEPT) else redirect("/sign-in")

    @server.post("/sign-in/code")
    def enter_code() -> Any:
        screen = screen_of()
        try:
            session_id = sign_in.enter_code(
                screen.sources,
                ticket=str(session.get(KEPT, "")),
                code=request.form.get("code", ""),
                address=request.remote_addr or "",
                user_agent=request.user_agent.string,
            )
        except TicketOver:
            session.pop(KEPT, None)
            return redirect("/sign-in?again=1", 303)
        except SignInRefused as refused:
            return _form(f"{refused.sentence} {refused.next_step}", 401)
        except Unavailable as refused:
            return _form(f"{refused.sentence} {refused.next_step}", 503)
        return let_in(screen, session_id)


def wanted(asked: CodeWanted) -> Any:
    """On to the code, with where one wanted to go; the half-done sign-in stands in the browser's cookie."""
    session[KEPT] = asked.ticket
    return redirect(f"/sign-in/code{_onward()}", 303)


def _form(problem: str = "", status: int = 200) -> Response:
    code = _plain.field("code", "Code", kind="text", keeps="one-time-code", wrong=bool(problem))
    form = _plain.form(f"/sign-in/code{_onward()}", code, button="Sign in", problem=problem)
    back = _plain.link("Sign in as somebody else", "/sign-in")
    return _plain.page("One more step: a code", _plain.text(HINT), form, back, status=status)


def _onward() -> str:
    """Where one wanted to go, as it was asked for; the way in looks at it before anybody is sent there."""
    target = request.args.get("next", "")
    return f"?{urlencode({'next': target[:500]})}" if target else ""
