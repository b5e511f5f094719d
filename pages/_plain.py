"""Small pages outside the application: a heading, a few sentences, a form of plain HTML. Nothing of Dash is loaded."""

from __future__ import annotations

from html import escape

from flask import Response
from flask_wtf.csrf import generate_csrf

from components.shell import WORDMARK


def page(heading: str, *inside: str, status: int = 200, onward: str = "") -> Response:
    """A page of ready HTML under a heading. ``onward`` is where the browser goes by itself: a file to take."""
    refresh = f'<meta http-equiv="refresh" content="1;url={escape(onward, quote=True)}">' if onward else ""
    body = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(heading)} · Lakelight</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}'
        '<link rel="icon" href="/assets/favicon.svg"><link rel="stylesheet" href="/assets/tokens.css">'
        '<link rel="stylesheet" href="/assets/sign-in.css"><script src="/assets/scheme.js"></script></head>'
        f'<body class="ll-signin"><main class="ll-signin-plain"><div class="ll-signin-brand">{WORDMARK}</div>'
        f"<h1>{escape(heading)}</h1>{''.join(inside)}</main></body></html>"
    )
    return Response(body, status, mimetype="text/html")


def text(sentence: str) -> str:
    """A sentence."""
    return f"<p>{escape(sentence)}</p>"


def link(label: str, href: str, *, button: bool = False) -> str:
    """A way on."""
    look = ' class="ll-signin-enter"' if button else ""
    return f'<p><a{look} href="{escape(href, quote=True)}">{escape(label)}</a></p>'


def form(action: str, *fields: str, button: str, problem: str = "") -> str:
    """A form that posts to this place, with its token and the sentence of what is wrong."""
    alert = f'<p class="ll-signin-problem" role="alert" id="problem">{escape(problem)}</p>' if problem else ""
    token = f'<input type="hidden" name="csrf_token" value="{escape(generate_csrf())}">'
    return (
        f'<form class="ll-signin-form" method="post" action="{escape(action, quote=True)}">{alert}{token}'
        f'{"".join(fields)}<button class="ll-signin-enter">{escape(button)}</button></form>'
    )


def field(name: str, label: str, *, kind: str = "password", keeps: str = "off", wrong: bool = False) -> str:
    """A field that the server never fills in. ``keeps`` tells password keepers what belongs here."""
    numbers = ' autocapitalize="none" spellcheck="false"' if kind == "text" else ""
    about = ' aria-describedby="problem" aria-invalid="true"' if wrong else ""
    return (
        f'<label for="{name}">{escape(label)}</label><input id="{name}" name="{name}" type="{kind}" '
        f'autocomplete="{keeps}"{numbers} required{about}>'
    )


def whose(email: str) -> str:
    """Whose password it is about: read by people and by password keepers, and never sent for an answer."""
    return (
        '<label for="whose">E-mail</label><input id="whose" type="email" autocomplete="username" readonly '
        f'value="{escape(email, quote=True)}">'
    )
