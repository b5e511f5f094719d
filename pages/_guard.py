"""Rings one and two around Dash: nobody anonymous passes, and no request of another shape than was registered.

Dash binds a callback's values by position and never compares ids or properties with what was registered, and its router
lets the query string overwrite path variables. Both are refused here, before Dash sees the request.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from dash import Dash
from dash._pages import _parse_query_string, _path_to_page
from flask import Flask, Request, Response, g, jsonify, redirect, request
from flask_login import LoginManager, UserMixin

from pages import _screen
from pages._screen import Screen
from services import accounts
from services.access import Viewer

MOST_BODY = 1 << 20
DEEPEST = 40
PUBLIC_PATHS = frozenset({"/sign-in", "/sign-in/demo", "/healthz", "/readyz"})
PUBLIC_PREFIXES = ("/_dash-component-suites/", "/assets/")
ROUTER = ".._pages_content.children..._pages_store.data.."
ROUTER_SHAPE = (("_pages_location", "pathname"), ("_pages_location", "search"))


class SignedIn(UserMixin):
    """What flask-login keeps of a request's person: the viewer; its id is the session's, never the person's."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer

    def get_id(self) -> str:
        """The opaque session id."""
        return self.viewer.session_id


def before_dash(server: Flask, screen_of: Any) -> None:
    """Ring one: call before ``Dash(...)``, so that it runs ahead of Dash's own hooks."""
    login = LoginManager()
    login.session_protection = None
    login.init_app(server)

    @login.user_loader
    def load(session_id: str) -> SignedIn | None:
        found = accounts.viewer_for_session(screen_of().sources, session_id)
        return SignedIn(found) if found else None

    @server.before_request
    def authenticate() -> Any:
        g.request_id, g.nonce = secrets.token_hex(8), secrets.token_urlsafe(18)
        path = request.path
        if path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES):
            return None
        if _screen.viewer() is not None:
            return None
        if request.method == "GET" and not path.startswith("/_") and request.accept_mimetypes.accept_html:
            asked = request.full_path.rstrip("?")
            return redirect("/sign-in" if asked == "/" else f"/sign-in?{_next(asked)}")
        return _refused(401, "sign_in")


def after_dash(app: Dash, screen: Screen) -> None:
    """Ring two: call after all pages are registered."""

    @app.server.before_request
    def authorise() -> Any:
        who = _screen.viewer()
        if who is None:
            return None
        if request.path == "/_dash-update-component":
            return _callback_refused(app, request)
        if request.path.startswith(("/_reload-hash", "/_mcp", "/_dash-ws")):
            return _refused(404, "not_found")
        return None

    dependencies = app.server.view_functions["/_dash-dependencies"]

    def allowed_dependencies() -> Response:
        specs = [s for s in dependencies().get_json() if _listed(app, screen, s["output"])]
        return jsonify(specs)

    app.server.view_functions["/_dash-dependencies"] = allowed_dependencies


def _callback_refused(app: Dash, asked: Request) -> Any:
    """None where the request has exactly the registered shape and its caller may; a 4xx answer otherwise."""
    if asked.mimetype != "application/json" or (asked.content_length or MOST_BODY + 1) > MOST_BODY:
        return _refused(413 if asked.mimetype == "application/json" else 415, "too_large")
    try:
        body = json.loads(asked.get_data(cache=True), parse_constant=_no_constant)
        if _depth(body) > DEEPEST:
            raise ValueError("too deep")
    except (ValueError, RecursionError):
        return _refused(400, "malformed")
    output = body.get("output") if isinstance(body, dict) else None
    spec = app.callback_map.get(output) if isinstance(output, str) else None
    if (
        spec is None
        or "callback" not in spec
        or any(k in asked.args for k in ("oldJob", "cacheKey", "job", "cancelJob"))
    ):
        return _refused(404, "not_found")
    if output == ROUTER:
        return _route_refused(body)
    if not _same_shape(spec["inputs"], body.get("inputs")) or not _same_shape(spec["state"], body.get("state") or []):
        return _refused(400, "malformed")
    if not _same_outputs(output, body.get("outputs")):
        return _refused(400, "malformed")
    needs = getattr(spec["callback"], "__needs__", None)
    return None if needs is not None and _screen.may(needs) is not None else _refused(404, "not_found")


def _route_refused(body: dict[str, Any]) -> Any:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != len(ROUTER_SHAPE):
        return _refused(400, "malformed")
    for given, (id_, property_) in zip(inputs, ROUTER_SHAPE, strict=True):
        if not isinstance(given, dict) or given.get("id") != id_ or given.get("property") != property_:
            return _refused(400, "malformed")
        if not isinstance(given.get("value", ""), str):
            return _refused(400, "malformed")
    _, variables = _path_to_page(inputs[0].get("value", "").strip("/"))
    asked = _parse_query_string(inputs[1].get("value", ""))
    return _refused(400, "ambiguous") if set(asked) & set(variables or ()) else None


def _same_shape(spec: list[dict[str, Any]], given: Any) -> bool:
    if not isinstance(given, list) or len(given) != len(spec):
        return False
    return all(_same(one, want) for one, want in zip(given, spec, strict=True))


def _same(given: Any, want: dict[str, Any]) -> bool:
    if want["id"].startswith("{"):
        keys = set(json.loads(want["id"]))
        many = given if isinstance(given, list) else [given]
        return all(
            isinstance(x, dict) and isinstance(x.get("id"), dict) and set(x["id"]) == keys
            and x.get("property") == want["property"] and _fixed(x["id"], json.loads(want["id"]))
            for x in many
        )  # fmt: skip
    return isinstance(given, dict) and given.get("id") == want["id"] and given.get("property") == want["property"]


def _fixed(given: dict[str, Any], want: dict[str, Any]) -> bool:
    return all(isinstance(v, list) or given[k] == v for k, v in want.items())


def _same_outputs(output: str, given: Any) -> bool:
    names = output.strip(".").split("...") if output.startswith("..") else [output]
    many = given if isinstance(given, list) else [given]
    said = [f"{x['id']}.{x['property']}" for x in many if isinstance(x, dict) and isinstance(x.get("id"), str)]
    return len(many) == len(names) and (said == [n.partition("@")[0] for n in names] or any("{" in n for n in names))


def _listed(app: Dash, screen: Screen, output: str) -> bool:
    spec = app.callback_map.get(output, {})
    if "callback" not in spec:
        needs = next((n for o, n in screen.clientside_needs.items() if o in output), "signed_in")
    elif output == ROUTER:
        needs = "signed_in"
    else:
        needs = getattr(spec["callback"], "__needs__", "")
    return _screen.may(needs) is not None


def _no_constant(name: str) -> float:
    raise ValueError(f"A number must be finite, got {name}.")


def _depth(value: Any, level: int = 0) -> int:
    if level > DEEPEST:
        return level
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((_depth(v, level + 1) for v in inside), default=level)


def _next(path: str) -> str:
    from urllib.parse import urlencode

    return urlencode({"next": path[:500]})


def _refused(status: int, code: str) -> tuple[Response, int]:
    return jsonify(error=code), status
