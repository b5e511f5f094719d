"""The web door: ``create_app(settings)`` mounts sign-in and pages. Importing and creating opens nothing.

``python app.py`` serves on the configured port; in production gunicorn runs ``app:create_server()``.
"""

from __future__ import annotations

import sys
import threading
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from services import interpreter

if __name__ == "__main__":
    interpreter.use_own(Path(__file__).resolve().parent, sys.argv)

from dash import Dash
from flask import Flask, jsonify, redirect
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from pages import (
    MISSING,
    PAGES,
    _bundles,
    _confirm,
    _download,
    _errors,
    _first,
    _frame,
    _guard,
    _headers,
    _screen,
    _sign_in,
    _view_as,
)
from pages._screen import Screen
from services import policy_versions
from services.settings import Settings, from_environment, secret_key
from services.sources import Sources, open_sources

ROOT = Path(__file__).resolve().parent


def create_app(settings: Settings, sources: Sources | None = None) -> Dash:
    """The application for these settings. ``sources`` replaces what would be opened on first use (tests)."""
    opening = threading.Lock()

    @lru_cache(maxsize=1)
    def once() -> Sources:
        return sources or policy_versions.start(settings)

    def opened() -> Sources:
        with opening:  # the cache alone would let several first requests open sources each
            return once()

    server = Flask("lakelight", static_folder=None)
    server.config.update(
        SECRET_KEY=secret_key(settings),
        SESSION_COOKIE_NAME="__Host-lakelight" if settings.https else "lakelight",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.https,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        MAX_CONTENT_LENGTH=_guard.MOST_BODY,
    )
    _in_front(server, settings)
    _guard.before_dash(server, lambda: screen)
    CSRFProtect(server)
    app = Dash(
        "lakelight",
        server=server,
        assets_folder=str(ROOT / "assets"),
        use_pages=True,
        pages_folder="",
        use_async=False,
        suppress_callback_exceptions=True,
        include_pages_meta=False,
        enable_mcp=False,
        serve_locally=True,
        title="Lakelight",
        update_title="",
        csrf_token_name=_headers.token_cookie(https=settings.https),
        on_error=_screen.on_error,
    )
    _nothing_for_developers(app)
    _first.prepare_once(server)
    screen = Screen(app, opened)
    for page in (*PAGES, MISSING):
        screen.add(page)
    _frame.register(screen)
    app.layout = lambda: _frame.draw(screen)
    _headers.add(app, https=settings.https)
    _bundles.add(app, ROOT / "assets", settings.instance / "bundles")
    _errors.add(server)
    _sign_in.add(server, lambda: screen)
    _download.add(server, screen)
    _view_as.add(server, screen)
    _confirm.add(server, screen)
    _doors(server, screen)
    _guard.after_dash(app, screen)
    return app


def create_server() -> Flask:
    """What gunicorn serves."""
    return create_app(from_environment()).server


def _in_front(server: Flask, settings: Settings) -> None:
    """The names this application is known by, and how many proxies stand before it."""
    known = urlsplit(settings.public_url).hostname or ""
    if known and ":" not in known:  # an address of IPv6 cannot be compared
        server.config["TRUSTED_HOSTS"] = [known, "127.0.0.1", "localhost"]
    if settings.proxies:
        proxied = ProxyFix(server.wsgi_app, x_for=settings.proxies, x_proto=0, x_host=0, x_port=0, x_prefix=0)
        server.wsgi_app = proxied  # type: ignore[method-assign]


def _nothing_for_developers(app: Dash) -> None:
    """No debugger, no reloading, no tools in the browser, no look-up of versions, whatever the environment says."""
    app.server.debug = False
    app.enable_dev_tools(
        debug=False,
        dev_tools_ui=False,
        dev_tools_props_check=False,
        dev_tools_serve_dev_bundles=False,
        dev_tools_hot_reload=False,
        dev_tools_silence_routes_logging=False,
        dev_tools_disable_version_check=True,
        dev_tools_prune_errors=False,
        dev_tools_validate_callbacks=False,
        first_run=False,
    )


def _doors(server: Flask, screen: Screen) -> None:
    home = server.view_functions["/"]

    def start() -> object:
        who = _screen.viewer()
        return redirect(who.home) if who is not None and who.home != "/" else home()

    server.view_functions["/"] = start

    @server.get("/healthz")
    def healthz() -> str:
        return "ok"

    @server.get("/readyz")
    def readyz() -> object:
        ready = screen.sources.store.is_current()
        return (jsonify(ready=True), 200) if ready else (jsonify(ready=False), 503)


def main() -> None:
    """Serve in this process; what is wrong with settings, folder, port or workspace is told in sentences."""
    from services import running, sentences

    try:
        chosen = from_environment()
        running.check(chosen, lambda line: None)
        app = create_app(chosen, open_sources(chosen))
    except sentences.PLAIN as problem:
        raise SystemExit(str(problem)) from None
    app.server.run(host=chosen.host, port=chosen.port, threaded=True)


if __name__ == "__main__":
    main()
