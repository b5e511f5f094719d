"""The way in through the company's identity provider: off to it, back from it, and out of it.

Off is a link, not a form: the content policy lets forms go to Lakelight alone. What the browser holds meanwhile is one
opaque secret for ten minutes in a cookie that scripts cannot read. The services behind are loaded where they are asked:
their libraries take a third of a second, and most instances have no provider.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from flask import Flask, redirect, request

from pages import _errors, _screen
from pages._screen import Screen
from services.errors import Refusal, Unavailable

MINUTES = 10
OUT = "You are signed out of Lakelight. With your company account you may still be signed in."


@dataclass(frozen=True)
class Doors:
    """What the sign-in page lends: itself with a sentence, the way in for a session, and which addresses are ours."""

    page: Callable[..., Any]
    let_in: Callable[..., Any]
    safe_next: Callable[[str | None], str]


def add(server: Flask, screen_of: Any, doors: Doors) -> None:
    """Mount the three doors. They are public: whoever comes through them is not signed in yet."""

    @server.get("/sign-in/oidc")
    def off() -> Any:
        from services import oidc

        screen, who, again = screen_of(), _screen.viewer(), bool(request.args.get("again"))
        if again is (who is None):
            return redirect("/sign-in" if again else "/")
        try:
            target = doors.safe_next(request.args.get("next"))
            address = request.remote_addr or ""
            begun = oidc.begin(screen.sources, target=target, address=address, again=who if again else None)
        except Refusal as refusal:
            return _told(screen, refusal, doors)
        answer = redirect(begun.address)
        https = screen.sources.settings.https
        answer.set_cookie(
            _cookie(screen), begun.secret, max_age=60 * MINUTES, secure=https, httponly=True, samesite="Lax", path="/"
        )
        return answer

    @server.get("/sign-in/oidc/back")
    def back() -> Any:
        from services import oidc

        screen = screen_of()
        said = {k: v[0] for k, v in request.args.lists() if len(v) == 1}
        try:
            finished = oidc.finish(
                screen.sources,
                secret=request.cookies.get(_cookie(screen), ""),
                said=said,
                address=request.remote_addr or "",
                user_agent=request.user_agent.string,
                viewer=_screen.viewer(),
            )
        except Refusal as refusal:
            return _told(screen, refusal, doors)
        target = doors.safe_next(finished.target)
        answer = doors.let_in(screen, finished.session_id, target) if finished.session_id else redirect(target)
        if hasattr(answer, "delete_cookie"):
            answer.delete_cookie(
                _cookie(screen), path="/", secure=screen.sources.settings.https, httponly=True, samesite="Lax"
            )
        return answer

    @server.get("/sign-in/oidc/out")
    def out() -> Any:
        from services import oidc

        screen = screen_of()
        try:
            return redirect(oidc.way_out(screen.sources) or "/sign-in")
        except Refusal as refusal:
            return _told(screen, refusal, doors)


def ways_in(screen: Screen, target: str, form: str) -> str:
    """The ways in on the sign-in page: the provider's button where one is set, the form where passwords are on."""
    settings = screen.sources.settings
    if not settings.oidc_issuer:
        return form
    off, words = escape(f"/sign-in/oidc{target}", quote=True), escape(settings.oidc_label)
    link = f'<a class="ll-signin-provider" href="{off}">{words}</a>'
    left = f'<p class="ll-signin-note">{OUT} <a href="/sign-in/oidc/out">Sign out there too</a></p>'
    note = left if request.args.get("out") else ""
    return f'{note}{link}<p class="ll-signin-or">or with a password</p>{form}' if settings.passwords else note + link


def after(screen: Screen) -> str:
    """Where somebody goes who signs out: told of the provider's session where they came through it."""
    who = _screen.viewer()
    if who is None or not screen.sources.settings.oidc_issuer:
        return "/sign-in"
    from services import oidc

    return "/sign-in?out=1" if oidc.came_through(who, screen.sources) else "/sign-in"


def _told(screen: Screen, refusal: Refusal, doors: Doors) -> Any:
    """The sentence on the sign-in page; for somebody who is signed in, on a page of its own."""
    code = 503 if isinstance(refusal, Unavailable) else 403
    if _screen.viewer() is not None:
        return _errors.said(code, refusal.sentence, refusal.next_step)
    return doors.page(screen, f"{refusal.sentence} {refusal.next_step}"), code


def _cookie(screen: Screen) -> str:
    return "__Host-lakelight-oidc" if screen.sources.settings.https else "lakelight-oidc"
