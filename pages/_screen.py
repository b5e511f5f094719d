"""Every door between a browser and a service: pages, callbacks, and who may pass.

A ``Page`` is a typed value; ``Screen`` registers it with Dash and guards it at the point of use: the layout and every
callback check the permission again, whatever transport calls them.
"""

from __future__ import annotations

import functools
import inspect
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dash
import structlog
from dash import ClientsideFunction, Dash, no_update, set_props
from flask import g
from flask_login import current_user

from components import notice
from services import access
from services.access import Viewer
from services.errors import Refusal
from services.sources import Sources

log = structlog.get_logger()
TOASTS = "ll-toasts"


@dataclass(frozen=True)
class Page:
    """A URL of the product. ``needs`` is the action it requires; ``layout(viewer, sources, **declared)`` draws it.

    ``path`` may end in one variable (``/leads/<key>``). The layout receives the parameters it declares and no others; one
    that declares ``**query`` receives all as text.
    """

    path: str
    title: str
    needs: str
    layout: Callable[..., Any]
    register: Callable[[Screen], None] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.needs not in access.ACTIONS and self.needs != "signed_in":
            raise ValueError(f"The page {self.path} must declare an action of services.access, got {self.needs!r}.")

    @property
    def module(self) -> str:
        """The name under which Dash knows the page."""
        return "lakelight." + (self.path.strip("/").replace("/", "_").replace("<", "").replace(">", "") or "home")


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


class Screen:
    """One application's pages and callbacks. ``sources`` opens on first use, in the process that serves."""

    def __init__(self, app: Dash, open_: Callable[[], Sources]) -> None:
        self.app = app
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
            page.module, path=path, path_template=template, name=page.title, title=f"{page.title} · Lakelight",
            layout=functools.partial(self._draw, page),
        )  # fmt: skip
        if page.register is not None:
            self._page = page
            page.register(self)
            self._page = None

    def callback(self, *deps: Any, needs: str | None = None, **options: Any) -> Callable[[Callable[..., Any]], Any]:
        """Register a callback of the page: the viewer comes first, a refusal becomes a notice."""
        required = needs or (self._page.needs if self._page else "")
        if required not in access.ACTIONS and required != "signed_in":
            raise ValueError(f"A callback must declare a permission, got {required!r}.")

        def wrap(function: Callable[..., Any]) -> Any:
            @functools.wraps(function)
            def guarded(*given: Any, **named: Any) -> Any:
                who = may(required)
                if who is None:
                    return _told("There is no such page for you.")
                try:
                    return function(who, *given, **named)
                except Refusal as refusal:
                    return _told(refusal.sentence, refusal.next_step)

            guarded.__needs__ = required  # type: ignore[attr-defined]
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

    def _draw(self, page: Page, **given: Any) -> Any:
        who = may(page.needs)
        if who is None:
            return notice.missing_page()
        wanted = inspect.signature(page.layout).parameters
        every = any(p.kind is p.VAR_KEYWORD for p in wanted.values())
        texts = {k: v for k, v in given.items() if isinstance(v, str) and (every or k in wanted)}
        texts = {k: v for k, v in texts.items() if k not in ("viewer", "sources")}
        try:
            return page.layout(who, self.sources, **texts)
        except Refusal as refusal:
            return notice.refusal(refusal.sentence, refusal.next_step)
        except Exception:
            return notice.failed(reference("page", path=page.path))


def reference(where: str, **facts: Any) -> str:
    """Log the error being handled under a short reference, which is all that a person is shown."""
    ref = secrets.token_hex(4)
    log.exception("failed", where=where, ref=ref, request=getattr(g, "request_id", ""), **facts)
    return ref


def on_error(_error: Exception) -> Any:
    """A callback failed: the person gets a reference, the log gets the rest."""
    return _told("Something went wrong on our side.", f"Tell your administrator the reference {reference('callback')}.")


def _told(sentence: str, next_step: str = "") -> Any:
    set_props(TOASTS, {"children": notice.toast(sentence, next_step)})
    return no_update if not isinstance(dash.ctx.outputs_list, list) else [no_update] * len(dash.ctx.outputs_list)
