"""Rings one and two around Dash: nobody anonymous passes, and no request of another shape than was registered.

Dash binds a callback's values by position and never compares ids or properties with what was registered, and its router
lets the query string overwrite path variables. Both are refused here, before Dash sees the request. A page, a callback
or a route that declares no permission keeps the application from starting.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import dash
from dash import Dash
from dash._callback import GLOBAL_CALLBACK_MAP
from dash._pages import _parse_query_string, _path_to_page
from flask import Flask, Request, Response, current_app, g, jsonify, redirect, request
from flask_login import LoginManager, UserMixin, current_user

from pages import _screen
from pages._screen import Screen
from services import live_sessions
from services.live_sessions import Live

MOST_BODY = 1 << 20
TOO_MANY = "More was asked at once than anybody's hands can. Wait a second."
DEEPEST = 40
LINK_ROUTE = "/welcome/<token>"
PUBLIC_PATHS = frozenset(
    {
        "/sign-in",
        "/sign-in/code",
        "/sign-in/demo",
        "/sign-in/oidc",
        "/sign-in/oidc/back",
        "/sign-in/oidc/out",
        "/welcome",
        LINK_ROUTE,
        "/healthz",
        "/readyz",
    }
)
PUBLIC_PREFIXES = ("/_dash-component-suites/", "/assets/")
ROUTER = ".._pages_content.children..._pages_store.data.."
ROUTER_SHAPE = (("_pages_location", "pathname"), ("_pages_location", "search"))
DASH_ROUTES = ("/_dash-", "/_reload-hash", "/_favicon.ico", "/assets/")
"""Dash's own routes: those that are not public need a signed-in person, and rings two and three do the rest."""
SIGNED_IN_ROUTES = frozenset({"/", "/<path:path>", "/sign-out"})
ACTS = frozenset({"/leads.csv", "/admin/evidence.zip", "/sign-in/oidc"})
"""Addresses whose mere opening is an act: no other site may have them opened in somebody's name."""
JOB_KEYS = ("oldJob", "cacheKey", "job", "cancelJob")


class Undeclared(RuntimeError):
    """Something that people could ask for declares no permission: the application does not start."""


class SignedIn(UserMixin):
    """What flask-login keeps of a request's person: the viewer; its id is the session's, never the person's."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.viewer = live.viewer

    def get_id(self) -> str:
        """The opaque session id."""
        return self.viewer.session_id


class _Door(LoginManager):  # type: ignore[misc]
    """Sessions and nothing else: no cookie that remembers, so that none can be planted that breaks every page."""

    def _load_user_from_remember_cookie(self, _cookie: str) -> None:
        return None


def before_dash(server: Flask, screen_of: Any) -> None:
    """Ring one: call before ``Dash(...)``, so that it runs ahead of Dash's own hooks."""
    login = _Door()
    login.session_protection = None
    login.init_app(server)

    @login.user_loader
    def load(session_id: str) -> SignedIn | None:
        found = live_sessions.live_session(screen_of().sources, session_id)
        return SignedIn(found) if found else None

    @server.before_request
    def authenticate() -> Any:
        g.request_id, g.nonce = secrets.token_hex(8), secrets.token_urlsafe(18)
        if not request.host:  # asking raises where the name is none of ours, ahead of every redirect
            return _refused(400, "host")
        if (request.method not in ("GET", "HEAD", "OPTIONS") or request.path in ACTS) and _from_elsewhere(request):
            return _refused(403, "cross_site")
        path = request.path
        if path in PUBLIC_PATHS or _is_code(request) or _is_link(request):
            return None
        if _screen.viewer() is not None:
            return None
        if request.method == "GET" and not path.startswith("/_") and request.accept_mimetypes.accept_html:
            asked = request.full_path.rstrip("?")
            return redirect("/sign-in" if asked == "/" else f"/sign-in?{urlencode({'next': asked[:500]})}")
        return _refused(401, "sign_in")


def after_dash(app: Dash, screen: Screen) -> None:
    """Ring two: call after all pages and routes are registered. Raises ``Undeclared``."""
    refuse_undeclared(app)

    @app.server.before_request
    def authorise() -> Any:
        if request.path.startswith(PUBLIC_PREFIXES) or _screen.viewer() is None:
            return None
        if request.path == "/_dash-update-component":
            return _braked(screen) or _callback_refused(app, request)
        if request.path.startswith(("/_reload-hash", "/_mcp", "/_dash-ws")):
            return _refused(404, "not_found")
        _acted()
        return None

    dependencies = app.server.view_functions["/_dash-dependencies"]

    def allowed_dependencies() -> Response:
        specs = [s for s in dependencies().get_json() if _listed(app, screen, s["output"])]
        return jsonify(specs)

    app.server.view_functions["/_dash-dependencies"] = allowed_dependencies


def _braked(screen: Screen) -> Any:
    """A 429 answer where this person asks more of this process than hands can; None otherwise. Nothing is looked up."""
    who, rate = _screen.viewer(), screen.sources.settings.callbacks_a_second
    if who is None:
        return None
    callbacks, now = screen.sources.brakes.callbacks, time.monotonic()
    wait = callbacks.take(who.person_id, rate=rate, now=now)
    if not wait:
        return None
    if callbacks.first(who.person_id, now=now):
        _screen.denied("callback.run", "too many at once", "signed_in", TOO_MANY)
    answer, status = _refused(429, TOO_MANY)
    answer.headers["Retry-After"] = str(math.ceil(wait))
    return answer, status


def refuse_undeclared(app: Dash) -> None:
    """Every page, callback and route must say what it needs; names those that do not."""
    missing = [f"the page {p['path']}" for p in dash.page_registry.values() if not _declared_page(p)]
    for output, spec in {**GLOBAL_CALLBACK_MAP, **app.callback_map}.items():
        if output != ROUTER and "callback" in spec and not _screen.declared(_needs_of(spec)):
            missing.append(f"the callback of {output}")
    for rule in app.server.url_map.iter_rules():
        view = app.server.view_functions.get(rule.endpoint)
        known = rule.rule in PUBLIC_PATHS or rule.rule in SIGNED_IN_ROUTES or rule.rule.startswith(DASH_ROUTES)
        if not known and not _screen.declared(getattr(view, "__needs__", None)):
            missing.append(f"the route {rule.rule}")
    if missing:
        raise Undeclared(f"These must declare the permission they need: {', '.join(sorted(missing))}.")


def _declared_page(page: dict[str, Any]) -> bool:
    """Pages come from ``Screen.add`` only, whose drawing asks for the permission of a ``Page``, which must have one."""
    layout = page.get("layout")
    return getattr(layout, "func", None) is _screen.draw and _screen.declared(getattr(layout, "args", [None])[0].needs)


def _needs_of(spec: dict[str, Any]) -> Any:
    return getattr(spec["callback"], "__needs__", None)


def _is_code(asked: Request) -> bool:
    """Is this a file of code or style? What only begins like one is answered by the route of every other address."""
    rule = asked.url_rule
    return asked.path.startswith(PUBLIC_PREFIXES) and (rule is None or rule.rule.startswith(PUBLIC_PREFIXES))


def _is_link(asked: Request) -> bool:
    """Is this the address of a link that works once? What only begins like one is not."""
    return asked.url_rule is not None and asked.url_rule.rule == LINK_ROUTE


def _acted() -> None:
    """The request is an act of the person: their idle time starts anew."""
    live_sessions.seen(current_app.extensions["lakelight"].sources, current_user.live)


def _from_elsewhere(asked: Request) -> bool:
    """Did a page of another origin send this? Browsers say so; a form token is asked for in any case."""
    said = asked.headers.get("Sec-Fetch-Site")
    if said is not None:
        return said not in ("same-origin", "none")
    origin = asked.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != asked.host


def _callback_refused(app: Dash, asked: Request) -> Any:
    """None where the request has exactly the registered shape and its caller may; a 4xx answer otherwise."""
    body = _body(asked)
    if isinstance(body, tuple):
        return body
    output = body.get("output")
    spec = app.callback_map.get(output) if isinstance(output, str) else None
    if spec is None or "callback" not in spec or any(k in asked.args for k in JOB_KEYS):
        return _refused(404, "not_found")
    if output == ROUTER:
        return _route_refused(body) or _acted()
    needs = _needs_of(spec)
    if not _screen.declared(needs) or _screen.may(needs) is None:
        _screen.denied("callback.run", output, str(needs))
        return _refused(404, "not_found")
    if not _same_request(spec, output, body):
        _screen.denied("callback.run", output, "signed_in", "The request had another shape than the page sends.")
        return _refused(400, "malformed")
    return None if getattr(spec["callback"], "__passive__", False) else _acted()


def _body(asked: Request) -> Any:
    """The body of a callback's request as a mapping, or the answer that refuses it."""
    if asked.mimetype != "application/json":
        return _refused(415, "not_json")
    if asked.content_length is None or asked.content_length > MOST_BODY:
        return _refused(413, "too_large")
    try:
        said = asked.get_data(cache=True).decode()
        body = json.loads(said, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in said:
            json.dumps(body, ensure_ascii=False).encode()  # half a character can be said in JSON, and written nowhere
        if _depth(body) > DEEPEST:
            raise ValueError("too deep")
    except (ValueError, RecursionError):
        return _refused(400, "malformed")
    return body if isinstance(body, dict) else _refused(400, "malformed")


def _same_request(spec: dict[str, Any], output: str, body: dict[str, Any]) -> bool:
    """Are inputs, states, outputs and triggers those that were registered?"""
    triggers = body.get("changedPropIds", [])
    return (
        _same_shape(spec["inputs"], body.get("inputs"))
        and _same_shape(spec["state"], body.get("state", []))
        and (spec.get("no_output", False) or _same_outputs(output, body.get("outputs")))
        and isinstance(triggers, list)
        and all(isinstance(one, str) for one in triggers)
    )


def _route_refused(body: dict[str, Any]) -> Any:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != len(ROUTER_SHAPE):
        return _refused(400, "malformed")
    for given, (id_, property_) in zip(inputs, ROUTER_SHAPE, strict=True):
        if not isinstance(given, dict) or given.get("id") != id_ or given.get("property") != property_:
            return _refused(400, "malformed")
        if not isinstance(given.get("value", ""), str):
            return _refused(400, "malformed")
    triggers = body.get("changedPropIds", [])
    if not isinstance(triggers, list) or not all(isinstance(one, str) for one in triggers):
        return _refused(400, "malformed")
    try:
        if not inputs[0].get("value", "").startswith("/"):
            raise ValueError("no address of a browser, and one that Dash's router breaks on")
        _, variables = _path_to_page(inputs[0].get("value", "").strip("/"))
        asked = _parse_query_string(inputs[1].get("value", ""))
    except (ValueError, IndexError):
        return _refused(400, "malformed")
    return _refused(400, "ambiguous") if set(asked) & set(variables or ()) else None


def _same_shape(spec: list[dict[str, Any]], given: Any) -> bool:
    if not isinstance(given, list) or len(given) != len(spec):
        return False
    return all(_same(one, want) for one, want in zip(given, spec, strict=True))


def _same(given: Any, want: dict[str, Any]) -> bool:
    if want["id"].startswith("{"):
        pattern = json.loads(want["id"])
        several = any(wild in (["ALL"], ["ALLSMALLER"]) for wild in pattern.values())
        if isinstance(given, list) is not several:
            return False
        return all(
            isinstance(x, dict) and isinstance(x.get("id"), dict) and set(x["id"]) == set(pattern)
            and _property(x) == want["property"] and _fixed(x["id"], pattern)
            for x in (given if several else [given])
        )  # fmt: skip
    return isinstance(given, dict) and given.get("id") == want["id"] and _property(given) == want["property"]


def _property(given: dict[str, Any]) -> str:
    """The property without the mark that tells callbacks of one output apart."""
    return str(given.get("property")).partition("@")[0]


def _fixed(given: dict[str, Any], want: dict[str, Any]) -> bool:
    return all(isinstance(v, list) or given[k] == v for k, v in want.items())


def _same_outputs(output: str, given: Any) -> bool:
    several = output.startswith("..")
    parts = [
        name.partition("@")[0].rpartition(".") for name in (output.strip(".").split("...") if several else [output])
    ]
    wanted = [{"id": id_, "property": property_} for id_, _, property_ in parts]
    return _same_shape(wanted, given if several else [given])


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


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"A number must be finite, got {text}.")
    return number


def _depth(value: Any, level: int = 0) -> int:
    if level > DEEPEST:
        return level
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((_depth(v, level + 1) for v in inside), default=level)


def _refused(status: int, code: str) -> tuple[Response, int]:
    return jsonify(error=code), status
