"""The way in and out: a plain form, and in demo mode one card for each demo account.

The cards appear only where the demo is served to this machine alone: bound to loopback, asked for by a loopback name, and
not through a proxy.
"""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlsplit

from dash._pages import _path_to_page
from flask import Flask, Response, redirect, request
from flask_login import login_user, logout_user
from flask_wtf.csrf import generate_csrf

from components.shell import WORDMARK
from pages import _screen
from pages._guard import SignedIn
from pages._screen import Screen
from services import accounts
from services.accounts import SignInRefused

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")


def add(server: Flask, screen_of: Any) -> None:
    """Mount the sign-in page and the sign-out door."""

    @server.get("/sign-in")
    def form() -> Any:
        if _screen.viewer() is not None:
            return redirect("/")
        return _page(screen_of(), "")

    @server.post("/sign-in")
    def enter() -> Any:
        screen = screen_of()
        try:
            session_id = accounts.sign_in(
                screen.sources,
                email=request.form.get("email", ""),
                password=request.form.get("password", ""),
                address=request.remote_addr or "",
                user_agent=request.user_agent.string,
            )
        except SignInRefused as refused:
            return _page(screen, refused.sentence), 401
        return _let_in(screen, session_id)

    @server.post("/sign-in/demo")
    def enter_demo() -> Any:
        screen = screen_of()
        try:
            if not _at_home(screen):
                raise SignInRefused("Demo accounts are offered on this machine only.")
            session_id = accounts.sign_in_demo(
                screen.sources, email=request.form.get("email", ""), address=request.remote_addr or ""
            )
        except SignInRefused as refused:
            return _page(screen, refused.sentence), 401
        return _let_in(screen, session_id)

    @server.post("/sign-out")
    def leave() -> Any:
        who = _screen.viewer()
        if who is not None:
            accounts.sign_out(screen_of().sources, who)
        logout_user()
        answer = redirect("/sign-in")
        answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return answer


def safe_next(target: str | None) -> str:
    """Where to go after signing in: a known page of this application, else the start."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return "/"
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or any(ord(c) < 33 for c in target) or "\\" in target:
        return "/"
    page, _ = _path_to_page(parts.path.strip("/"))
    return target if page else "/"


def _let_in(screen: Screen, session_id: str) -> Any:
    found = accounts.viewer_for_session(screen.sources, session_id)
    if found is None:
        return _page(screen, "The sign-in was not completed. Try again."), 401
    login_user(SignedIn(found))
    return redirect(safe_next(request.args.get("next")))


def _at_home(screen: Screen) -> bool:
    settings = screen.sources.settings
    host = request.host.rpartition(":")[0] if ":" in request.host.rpartition("]")[2] else request.host
    return settings.demo and settings.loopback and host in LOOPBACK and not any(h in request.headers for h in FORWARDED)


def _page(screen: Screen, problem: str) -> Response:
    token = f'<input type="hidden" name="csrf_token" value="{escape(generate_csrf())}">'
    asked = request.args.get("next")
    target = f"?next={escape(asked, quote=True)}" if asked and safe_next(asked) == asked else ""
    cards = "".join(
        f'<form method="post" action="/sign-in/demo{target}">{token}'
        f'<input type="hidden" name="email" value="{escape(email)}">'
        f'<button class="ll-signin-card"><span class="ll-signin-role">{escape(name)}</span>'
        f'<span class="ll-signin-question">{escape(question)}</span></button></form>'
        for email, name, _, question in (accounts.demo_accounts(screen.sources) if _at_home(screen) else ())
    )
    demo = (
        '<section class="ll-signin-demo" aria-labelledby="demo-head"><h2 id="demo-head">Look around as</h2>'
        f'<div class="ll-signin-cards">{cards}</div></section>'
        if cards
        else ""
    )
    alert = f'<p class="ll-signin-problem" role="alert">{escape(problem)}</p>' if problem else ""
    name = escape(screen.sources.workspace.lake.name)
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in · Lakelight</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="/assets/favicon.svg"><link rel="stylesheet" href="/assets/tokens.css">'
        '<link rel="stylesheet" href="/assets/sign-in.css"><script src="/assets/scheme.js"></script></head>'
        f'<body class="ll-signin"><main class="ll-signin-main"><div class="ll-signin-brand">{WORDMARK}</div>'
        f'<p class="ll-signin-lede">{name}</p><h1>Sign in</h1>{alert}'
        f'<form class="ll-signin-form" method="post" action="/sign-in{target}">{token}'
        '<label for="email">E-mail</label><input id="email" name="email" type="email" autocomplete="username" required>'
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password" required>'
        f'<button class="ll-signin-enter">Sign in</button></form>{demo}</main></body></html>'
    )
    return Response(body, mimetype="text/html")
