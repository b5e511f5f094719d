"""Every door between a browser and a service: pages, callbacks, and who may pass.

A ``Page`` is a typed value; ``Screen`` registers it with Dash and guards it at the point of use: the layout and every
callback check the permission again, whatever transport calls them. A route of our own declares its permission with
``needs``. What is refused to somebody who is signed in stands in the audit log.
"""

from __future__ import annotations

import functools
import inspect
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dash
from dash import ClientsideFunction, Dash, no_update, set_props
from flask import abort, current_app, g
from flask_login import current_user

from components import notice
from services import access, audit, logs
from services.access import Viewer
from services.errors import Forbidden, Refusal
from services.sources import Sources

log = logs.logger("lakelight.web")
TOASTS = "ll-toasts"
NOT_FOR_YOU = "There is no such page for you."
NOTHING_HERE = "No such page"


@dataclass(frozen=True)
class Page:
    """A URL of the product. ``needs`` is the action it requires; ``layout(viewer, sources, **declared)`` draws it.

    ``path`` may end in one variable (``/leads/<key>``). The layout receives the parameters it declares and no others;
    one that declares ``**query`` receives all as text.
    """

    path: str
    title: str
    needs: str
    layout: Callable[..., Any]
    register: Callable[[Screen], None] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not declared(self.needs):
            raise ValueError(f"The page {self.path} must declare an action of services.access, got {self.needs!r}.")

    @property
    def module(self) -> str:
        """The name under which Dash knows the page."""
        return "lakelight." + (self.path.strip("/").replace("/", "_").replace("<", "").replace(">", "") or "home")


def declared(needs: object) -> bool:
    """Is this a permission that a page, a callback or a route may declare?"""
    return isinstance(needs, str) and (needs in access.ACTIONS or needs == "signed_in")


def viewer() -> Viewer | None:
    """The viewer of this request, None for an anonymous one."""
    found: Viewer | None = current_user.viewer if current_user and current_user.is_authenticated else None
    return found


def may(needs: str) -> Viewer | None:
    """The viewer of this request if they may do this."""
    who = viewer()
    if who is None:
        return None
    return who if needs == "signed_in" or access.decide(who, needs).allowed else None


def pressed() -> dict[str, Any]:
    """The id of the button whose pressing called, {} where a callback runs because buttons appeared or went away."""
    by = dash.ctx.triggered_id
    return dict(by) if isinstance(by, dict) and dash.ctx.triggered[0]["value"] else {}


def needs(permission: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Guard a route of our own: its function gets the viewer first; anybody else is told that nothing is there."""
    if not declared(permission):
        raise ValueError(f"A route must declare an action of services.access, got {permission!r}.")

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def guarded(*given: Any, **named: Any) -> Any:
            who = may(permission)
            if who is None:
                denied("file.take", function.__name__, permission)
                abort(404)
            return function(who, *given, **named)

        guarded.__needs__ = permission  # type: ignore[attr-defined]
        return guarded

    return wrap


def denied(act: str, resource: str, required: str, reason: str = "") -> None:
    """Write into the audit log that something was refused to the viewer; a log that cannot be written is no way in."""
    who = viewer()
    if who is None:
        return
    said = reason or access.decide(who, required).reason
    try:
        audit.denied(who, current_app.extensions["lakelight"].sources, act, resource, said)
    except Exception:
        reference("audit", act=act, resource=resource)


class Screen:
    """One application's pages and callbacks. ``sources`` opens on first use, in the process that serves."""

    def __init__(self, app: Dash, open_: Callable[[], Sources]) -> None:
        self.app = app
        app.server.extensions["lakelight"] = self
        self._open = open_
        self._page: Page | None = None
        self.clientside_needs: dict[str, str] = {}

    @property
    def sources(self) -> Sources:
        """What services work with."""
        return self._open()

    def add(self, page: Page) -> None:
        """Register a page with its callbacks."""
        template = page.path if "<" in page.path else None
        path = page.path.replace("<", "").replace(">", "") if template else page.path
        dash.register_page(
            page.module, path=path, path_template=template, name=page.title,
            title=functools.partial(title, page), layout=functools.partial(draw, page),
        )  # fmt: skip
        if page.register is not None:
            self._page = page
            page.register(self)
            self._page = None

    def callback(
        self, *deps: Any, needs: str | None = None, passive: bool = False, **options: Any
    ) -> Callable[[Callable[..., Any]], Any]:
        """Register a callback of the page: the viewer comes first, a refusal becomes a notice.

        ``passive`` marks what a page asks by itself (a poll): it does not count as an act of the person, so that a
        page left open does not keep its session alive.
        """
        required = needs or (self._page.needs if self._page else "")
        if not declared(required):
            raise ValueError(f"A callback must declare a permission, got {required!r}.")

        def wrap(function: Callable[..., Any]) -> Any:
            @functools.wraps(function)
            def guarded(*given: Any, **named: Any) -> Any:
                who = may(required)
                if who is None:
                    denied("callback.run", function.__name__, required)
                    return _told(NOT_FOR_YOU)
                try:
                    return function(who, *given, **named)
                except Refusal as refusal:
                    if isinstance(refusal, Forbidden):
                        denied("callback.run", function.__name__, required, refusal.sentence)
                    return _told(refusal.sentence, refusal.next_step)

            guarded.__needs__ = required  # type: ignore[attr-defined]
            guarded.__passive__ = passive  # type: ignore[attr-defined]
            self.app.callback(*deps, **options)(guarded)
            return function

        return wrap

    def clientside(self, namespace: str, function: str, *deps: Any, **options: Any) -> None:
        """Register a callback that runs in the browser only."""
        self.app.clientside_callback(ClientsideFunction(namespace, function), *deps, **options)
        needs = self._page.needs if self._page else "signed_in"
        for dep in deps:
            if isinstance(dep, dash.Output):
                self.clientside_needs[f"{dep.component_id}.{dep.component_property}"] = needs


def draw(page: Page, /, **given: Any) -> Any:
    """The page for the viewer of this request. The address fills declared parameters only, and never the first two."""
    who = may(page.needs)
    if who is None:
        denied("page.open", page.path, page.needs)
        return notice.missing_page()
    wanted = inspect.signature(page.layout).parameters
    every = any(p.kind is p.VAR_KEYWORD for p in wanted.values())
    texts = {k: v for k, v in given.items() if isinstance(v, str) and (every or k in wanted)}
    texts = {k: v for k, v in texts.items() if k not in ("viewer", "sources")}
    try:
        return page.layout(who, current_app.extensions["lakelight"].sources, **texts)
    except Refusal as refusal:
        if isinstance(refusal, Forbidden):
            denied("page.open", page.path, page.needs, refusal.sentence)
        return notice.refusal(refusal.sentence, refusal.next_step)
    except Exception:
        return notice.failed(reference("page", path=page.path))


def title(page: Page, /, **_variables: str) -> str:
    """The title of a page; what one may not open has the title of what is not there."""
    return f"{page.title if may(page.needs) else NOTHING_HERE} · Lakelight"


def reference(where: str, **facts: Any) -> str:
    """Log the error being handled under a short reference, which is all that a person is shown."""
    ref = secrets.token_hex(4)
    log.exception("failed", where=where, ref=ref, request=getattr(g, "request_id", ""), **facts)
    return ref


def on_error(_error: Exception) -> Any:
    """A callback failed: the person gets a reference, the log gets the rest."""
    return _told("Something went wrong on our side.", f"Tell your administrator the reference {reference('callback')}.")


def _told(sentence: str, next_step: str = "") -> Any:
    set_props(TOASTS, {"children": notice.toast(sentence, next_step, key=getattr(g, "request_id", ""))})
    return _unchanged(dash.ctx.outputs_list)


def _unchanged(outputs: Any) -> Any:
    """Every output left as it is; a pattern's place takes a list, one for each of its components."""
    return [_unchanged(one) for one in outputs] if isinstance(outputs, list) else no_update
