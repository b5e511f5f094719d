"""The way into another person's view and out of it: two plain forms, each a whole new page."""

from __future__ import annotations

from typing import Any

from flask import Flask, redirect

from pages import _errors, _screen
from pages._screen import Screen
from services import view_as
from services.access import Viewer
from services.errors import Refusal

LARGEST = 2**31 - 1


def add(server: Flask, screen: Screen) -> None:
    """Mount both."""

    @server.post("/view-as/<int:person_id>")
    @_screen.needs("people:view_as")
    def look_as(who: Viewer, person_id: int) -> Any:
        try:
            return redirect(view_as.start(who, screen.sources, min(person_id, LARGEST)), 303)
        except Refusal as refused:
            return _errors.said(400, refused.sentence, refused.next_step)

    @server.post("/view-as/end")
    @_screen.needs("signed_in")
    def look_as_oneself(who: Viewer) -> Any:
        view_as.stop(who, screen.sources)
        return redirect("/admin/people" if who.seen_as else "/", 303)
