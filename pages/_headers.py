"""What every response carries: a strict content policy, no caching of what belongs to a person, no banner."""

from __future__ import annotations

import re

from dash import Dash, hooks
from flask import Flask, Response, g, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask_wtf.csrf import generate_csrf

from components.shell import HEAD_SCRIPT
from pages import _bundles

TOKEN, HOST_TOKEN = "_csrf_token", "__Host-csrf_token"
"""The cookie of the form token, which the page's own script reads: over https bound to this host alone."""
CACHED = ("/_dash-component-suites/", "/assets/")


class _Sessions(SecureCookieSessionInterface):
    """The session's cookie, except on code: that is the same for everybody, and a cache must not keep one a cookie."""

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the cookie where it changed, and say that the answer depends on it."""
        if not request.path.startswith(CACHED):
            super().save_session(app, session, response)


def add(app: Dash, *, https: bool) -> None:
    """Put the headers on every response, errors included."""
    app.server.session_interface = _Sessions()

    @app.server.after_request
    def headers(response: Response) -> Response:
        nonce = g.get("nonce", "")
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
            "manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
        if https:
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if not request.path.startswith(CACHED):
            response.headers["Cache-Control"] = "no-store, private"
            response.headers["Vary"] = "Cookie"
        who = g.get("_login_user")  # looked up already, or this request has nobody: not the moment to ask the database
        if response.mimetype == "text/html" and who is not None and who.is_authenticated:
            response.set_cookie(token_cookie(https=https), generate_csrf(), samesite="Strict", secure=https)
        return response


def token_cookie(*, https: bool) -> str:
    """The name of the cookie that holds the form token."""
    return HOST_TOKEN if https else TOKEN


@hooks.index()  # type: ignore[untyped-decorator]
def _index(html: str) -> str:
    """The page every address starts from: few files, a nonce on each script, a language, the theme first."""
    html = _bundles.rewrite(html)
    html = re.sub(r'"python_version":\s*"[^"]*",?\s*', "", html)
    html = html.replace("<head>", f"<head><script>{HEAD_SCRIPT}</script>", 1)
    html = html.replace("<script", f'<script nonce="{g.get("nonce", "")}"')
    return html.replace("<html>", '<html lang="en">', 1)
