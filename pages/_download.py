"""Files out: answers to a plain request, under the same rights as the page they belong to."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, make_response, request, stream_with_context

from pages import _confirm, _errors, _plain, _screen
from pages._screen import Screen
from services import evidence, evidence_files, exports, proposed_policy
from services.access import Viewer
from services.errors import Forbidden, Refusal, TooMuch, Unavailable
from services.step_up import ProofNeeded


def add(server: Flask, screen: Screen) -> None:
    """Mount the downloads."""

    @server.get("/leads.csv")
    @_screen.needs("leads:export")
    def leads_csv(who: Viewer) -> Any:
        try:
            made = exports.lead_csv(who, screen.sources, exports.parameters(request.args.to_dict()))
        except Forbidden as refusal:
            _screen.denied("file.take", "leads_csv", "leads:export", refusal.sentence)
            return Response(refusal.sentence, 403, mimetype="text/plain")
        except ProofNeeded as refusal:
            _screen.denied("file.take", "leads_csv", "leads:export", refusal.sentence)
            return _not_now(403, refusal, _confirm.address(request.full_path.rstrip("?")))
        except TooMuch as refusal:
            answer = _not_now(429, refusal)
            answer.headers["Retry-After"] = str(refusal.seconds)
            return answer
        except Unavailable as refusal:
            return _not_now(503, refusal)
        except Refusal as refusal:
            return Response(refusal.sentence, 400, mimetype="text/plain")
        return Response(
            stream_with_context(made.chunks),
            mimetype="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{made.filename}"'},
        )

    @server.get("/admin/evidence.zip")
    @_screen.needs("audit:read")
    def evidence_zip(who: Viewer) -> Any:
        try:
            taken = evidence_files.take(who, screen.sources, evidence.day_of(request.args.get("day", "")))
        except Forbidden as refusal:
            _screen.denied("file.take", "evidence_zip", "audit:read", refusal.sentence)
            return Response(refusal.sentence, 403, mimetype="text/plain")
        except Refusal as refusal:
            return Response(refusal.sentence, 400, mimetype="text/plain")
        return Response(
            taken.content,
            mimetype="application/zip",
            headers={"Content-Disposition": f'attachment; filename="{taken.filename}"'},
        )

    @server.post("/admin/access/access.yml")
    @_screen.needs("policy:read")
    def proposed_policy_file(who: Viewer) -> Any:
        try:
            taken = proposed_policy.take(who, screen.sources, request.form.get("text", ""))
        except Forbidden as refusal:
            _screen.denied("file.take", "proposed_policy_file", "policy:read", refusal.sentence)
            return Response(refusal.sentence, 403, mimetype="text/plain")
        except Refusal as refusal:
            return Response(f"{refusal.sentence} {refusal.next_step}".strip(), 400, mimetype="text/plain")
        return Response(
            taken.content,
            mimetype="text/yaml",
            headers={"Content-Disposition": f'attachment; filename="{taken.filename}"'},
        )


def _not_now(status: int, refusal: Refusal, href: str = "") -> Response:
    """A sentence with what to do: a small page for people, plain text for scripts."""
    if request.accept_mimetypes.accept_html and href:
        way = _plain.link(refusal.next_step, href, button=True)
        return _plain.page("Confirm before you take this file", _plain.text(refusal.sentence), way, status=status)
    if request.accept_mimetypes.accept_html:
        return make_response(_errors.said(status, refusal.sentence, refusal.next_step))
    said = f"{refusal.sentence} {refusal.next_step}".strip()
    return Response(said, status, mimetype="text/plain")
