"""What a request gets that went wrong before any page: one sentence and what to do, never a traceback."""

from __future__ import annotations

from html import escape
from typing import Any

from flask import Flask, Response, jsonify, redirect, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from components.shell import WORDMARK
from pages import _screen

SENTENCES = {
    400: ("This request could not be understood.", "Go back and try again."),
    403: ("This request came from another site.", "Open Lakelight in its own window."),
    404: ("There is no such page for you.", "Go to your first page."),
    405: ("Nothing is here for this kind of request.", "Go to your first page."),
    413: ("This request is too large.", "Send less at once."),
    415: ("This request is of a kind that is not accepted.", "Go back and try again."),
}


def add(server: Flask) -> None:
    """Answer every error of the web door in words."""

    @server.errorhandler(CSRFError)
    def old_form(_error: CSRFError) -> Any:
        if request.path.startswith("/_"):
            return jsonify(error="csrf"), 400
        return redirect("/sign-in?again=1", 303)

    @server.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Any:
        code = error.code or 500
        if code < 400:
            return error
        broken = ("Something went wrong on our side.", "Try again in a minute.")
        sentence, step = SENTENCES.get(code, SENTENCES[400] if code < 500 else broken)
        return said(code, sentence, step)

    @server.errorhandler(Exception)
    def failed(_error: Exception) -> Any:
        reference = _screen.reference("request", path=request.path)
        return said(
            500, "Something went wrong on our side.", f"Tell your administrator the reference {reference}.", reference
        )


def said(code: int, sentence: str, step: str, reference: str = "") -> Any:
    """An answer of one sentence with what to do: JSON for scripts, a small page for people."""
    if request.path.startswith("/_") or not request.accept_mimetypes.accept_html:
        return jsonify(error=sentence, reference=reference) if reference else jsonify(error=sentence), code
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Lakelight</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="/assets/favicon.svg"><link rel="stylesheet" href="/assets/tokens.css">'
        '<link rel="stylesheet" href="/assets/sign-in.css"><script src="/assets/scheme.js"></script></head>'
        f'<body class="ll-signin"><main class="ll-signin-plain"><div class="ll-signin-brand">{WORDMARK}</div>'
        f'<h1>{escape(sentence)}</h1><p>{escape(step)}</p><p><a href="/">To the start</a></p></main></body></html>'
    )
    return Response(body, code, mimetype="text/html")
