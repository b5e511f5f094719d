"""The way in and out: a plain form, and in demo mode one card for each demo account.

The cards appear only where the demo is served to this machine alone: bound to loopback, asked for by a loopback name,
and not through a proxy.
"""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from dash._pages import _path_to_page
from flask import Flask, Request, Response, redirect, request, session
from flask_login import login_user, logout_user
from flask_wtf.csrf import generate_csrf

from components.shell import WORDMARK
from pages import _code, _oidc, _screen, _welcome
from pages._guard import SignedIn
from pages._screen import Screen
from services import demo_people, live_sessions, sign_in
from services.passwords import TooMany
from services.sign_in import CodeWanted, SignInRefused, TooManyFromHere

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PROXY_HEADERS = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"})
PROMISE = "See what the models expect, why, and what would move it."
TOO_OLD = "The form had been open for too long. Sign in once more."
RIPPLES = (92, 118, 84, 104, 66, 90, 54, 72, 40, 58, 30, 44, 20, 32, 14, 22)


def add(server: Flask, screen_of: Any) -> None:
    """Mount the sign-in page and the sign-out door."""

    @server.get("/sign-in")
    def form() -> Any:
        if _screen.viewer() is not None:
            return redirect("/")
        return _page(screen_of(), TOO_OLD if request.args.get("again") else "")

    @server.post("/sign-in")
    def enter() -> Any:
        screen, email = screen_of(), request.form.get("email", "")
        try:
            session_id = sign_in.sign_in(
                screen.sources,
                email=email,
                password=request.form.get("password", ""),
                address=request.remote_addr or "",
                user_agent=request.user_agent.string,
            )
        except CodeWanted as wanted:
            return _code.wanted(wanted)
        except SignInRefused as refused:
            return _page(screen, f"{refused.sentence} {refused.next_step}", email), 401
        except TooManyFromHere as refused:
            said = f"{refused.sentence} {refused.next_step}"
            return _page(screen, said, email), 429, {"Retry-After": str(refused.seconds)}
        except TooMany as refused:
            return _page(screen, f"{refused.sentence} {refused.next_step}", email), 503, {"Retry-After": "5"}
        return _let_in(screen, session_id)

    @server.post("/sign-in/demo")
    def enter_demo() -> Any:
        screen = screen_of()
        try:
            if not _at_home(screen, request):
                raise SignInRefused("Demo accounts are offered on this machine only.")
            session_id = demo_people.sign_in_demo(
                screen.sources,
                email=request.form.get("email", ""),
                address=request.remote_addr or "",
                user_agent=request.user_agent.string,
            )
        except SignInRefused as refused:
            return _page(screen, f"{refused.sentence} {refused.next_step}"), 401
        return _let_in(screen, session_id)

    _oidc.add(server, screen_of, _oidc.Doors(page=_page, let_in=_let_in, safe_next=safe_next))
    _code.add(server, screen_of, _let_in)
    _welcome.add(server, screen_of)

    @server.post("/sign-out")
    def leave() -> Any:
        answer = redirect(_oidc.after(screen_of()))
        _end_session(screen_of())
        answer.headers["Clear-Site-Data"] = '"cache"'  # nothing personal is kept in the browser's storage
        return answer


def safe_next(target: str | None) -> str:
    """Where to go after signing in: a known page of this application, else the start."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return "/"
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or any(ord(c) < 33 for c in target) or "\\" in target:
        return "/"
    if any(unquote(step) in ("", ".", "..") for step in parts.path.split("/")[1:]) and parts.path != "/":
        return "/"
    page, _ = _path_to_page(parts.path.strip("/"))
    return target if page else "/"


def _let_in(screen: Screen, session_id: str, target: str | None = None) -> Any:
    """A new session under a new cookie; whatever the browser carried before is worth nothing any more."""
    found = live_sessions.live_session(screen.sources, session_id)
    if found is None:
        return _page(screen, "The sign-in was not completed. Try again."), 401
    _end_session(screen)
    login_user(SignedIn(found))
    return redirect(safe_next(target or request.args.get("next")) if found.viewer.grants else found.viewer.home)


def _end_session(screen: Screen) -> None:
    who = _screen.viewer()
    if who is not None:
        sign_in.sign_out(screen.sources, who)
        logout_user()
    session.clear()


def _at_home(screen: Screen, asked: Request) -> bool:
    """Is this the demo, served to this machine alone, and asked for from this machine without anything between?"""
    settings = screen.sources.settings
    names = [_host_of(f"//{asked.host}"), asked.remote_addr or ""]
    names += [_host_of(asked.headers[h]) for h in ("Origin", "Referer") if h in asked.headers]
    between = any(h.lower() in PROXY_HEADERS or h.lower().startswith("x-forwarded") for h, _ in asked.headers)
    old = asked.environ.get("SERVER_PROTOCOL") == "HTTP/1.0"  # no browser speaks it, some proxies do
    alone = settings.demo and settings.loopback and not settings.proxies
    return alone and not between and not old and all(n in LOOPBACK for n in names)


def _host_of(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def _page(screen: Screen, problem: str, email: str = "") -> Response:
    asked = request.args.get("next")
    target = f"?next={quote(asked, safe='/')}" if asked and safe_next(asked) == asked else ""
    token = f'<input type="hidden" name="csrf_token" value="{escape(generate_csrf())}">'
    accounts_ = demo_people.demo_accounts(screen.sources) if _at_home(screen, request) else ()
    cards = _cards(accounts_, token, target)
    name = escape(screen.sources.workspace.lake.name)
    kind = "has-demo" if cards else "is-plain"
    alert = f'<p class="ll-signin-problem" role="alert" id="problem">{escape(problem)}</p>' if problem else ""
    ways = alert + _oidc.ways_in(screen, target, _form(problem, email, token, target))
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in · Lakelight</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="/assets/favicon.svg"><link rel="stylesheet" href="/assets/tokens.css">'
        '<link rel="stylesheet" href="/assets/sign-in.css"><script src="/assets/scheme.js"></script></head>'
        f'<body class="ll-signin {kind}"><main class="ll-signin-main"><div class="ll-signin-left">'
        f'<header><span class="ll-signin-brand">{WORDMARK}</span><span class="ll-signin-of">{name}</span></header>'
        f'<div class="ll-signin-middle"><h1>{PROMISE}</h1>{ways}</div></div>'
        f'<div class="ll-signin-right">{_drawing()}{cards}</div></main></body></html>'
    )
    return Response(body, mimetype="text/html")


def _form(problem: str, email: str, token: str, target: str) -> str:
    about = ' aria-describedby="problem"' if problem else ""
    return (
        f'<form class="ll-signin-form" method="post" action="/sign-in{target}">{token}'
        f'<label for="email">E-mail</label><input id="email" name="email" type="email" autocomplete="username" '
        f'value="{escape(email[:254], quote=True)}" required{about}>'
        '<label for="password">Password</label>'
        f'<input id="password" name="password" type="password" autocomplete="current-password" required{about}>'
        '<button class="ll-signin-enter">Sign in</button></form>'
    )


def _cards(found: tuple[tuple[str, str, str, str], ...], token: str, target: str) -> str:
    """One card a demo account: who, and the question that its first page answers."""
    if not found:
        return ""
    cards = "".join(
        f'<form method="post" action="/sign-in/demo{target}">{token}'
        f'<input type="hidden" name="email" value="{escape(email, quote=True)}">'
        f'<button class="ll-signin-card"><span class="ll-signin-role">{escape(name)}</span>'
        f'<span class="ll-signin-question">{escape(question)}</span></button></form>'
        for email, name, _, question in found
    )
    return (
        '<section class="ll-signin-demo" aria-labelledby="demo-head"><h2 id="demo-head">Look around as</h2>'
        f'<div class="ll-signin-cards">{cards}</div></section>'
    )


def _drawing() -> str:
    """A light over a lake and its way on the water: the name, as a picture of lines."""
    rows, y = [], 128.0
    for at, half in enumerate(RIPPLES):
        shift = (7, -5, 3, -8, 5, -3)[at % 6]
        rows.append(f'<path d="M{320 - half + shift} {y:.1f}H{320 + half + shift}"/>')
        y += 5.5 + at * 0.35
    water = "".join(f'<path d="M0 {121 + i * (7 + i * 0.9):.1f}H640"/>' for i in range(12))
    return (
        '<svg class="ll-signin-drawing" viewBox="0 0 640 250" preserveAspectRatio="xMidYMin slice" aria-hidden="true">'
        f'<g class="is-water">{water}</g><path class="is-light" d="M262 120a58 58 0 0 1 116 0Z"/>'
        f'<g class="is-way">{"".join(rows)}</g></svg>'
    )
