"""Does everything behind the workspace's words stand? Data, models, scores, people and the worker, line by line."""

from __future__ import annotations

from typing import Any

from dash import html

from components import page as parts
from components.listing import listing
from pages._screen import Page
from services import catalogue, wording, workspace_check
from services.access import Viewer
from services.catalogue import HeldFile, RefusedModel
from services.sources import Sources
from services.workspace_check import CheckLine, CheckPart, WorkspaceCheck

KINDS = {"ok": "good", "watch": "watch", "bad": "bad"}


def layout(viewer: Viewer, sources: Sources) -> Any:
    """What is wrong first, part by part; refused models and held-back files with their reasons below."""
    found = workspace_check.check(viewer, sources)
    refused, held = catalogue.refused_models(viewer, sources), catalogue.held_files(viewer, sources)
    zone = sources.workspace.lake.timezone
    return [
        parts.head("Check of the workspace", _scope(found, zone)),
        html.P(_verdict(found), className="ll-lede"),
        *(_part(part) for part in found.parts),
        _refused(refused) if refused else None,
        _held(held, zone) if held else None,
    ]


def _scope(found: WorkspaceCheck, zone: str) -> list[str]:
    return [
        found.name,
        f"looked at {wording.moment(found.at, zone)}",
        "the files themselves are checked at every start",
    ]


def _verdict(found: WorkspaceCheck) -> str:
    bad, watch, ok = found.count("bad"), found.count("watch"), found.count("ok")
    if not bad and not watch:
        return f"All {ok} checks are passed."
    need = f"{bad} {'thing has' if bad == 1 else 'things have'} to be mended" if bad else "Nothing has to be mended"
    look = f"{watch} {'needs' if watch == 1 else 'need'} a look" if watch else "nothing else needs a look"
    return f"{need}, {look}, {ok} stand well."


def _part(part: CheckPart) -> Any:
    """What needs a look as a table; what stands well can be opened."""
    order = workspace_check.WORST.index
    wrong = sorted((line for line in part.lines if line.state != "ok"), key=lambda line: order(line.state))
    well = [line for line in part.lines if line.state == "ok"]
    heads = ["What", "How it stands", "What to do"]
    table = listing(part.label, heads, [_line(line) for line in wrong]) if wrong else None
    rest = f"{len(well)} {'check is' if len(well) == 1 else 'checks are'} passed"
    passed = parts.more(rest, listing(f"{part.label}: passed", heads[:2], [_line(line)[:2] for line in well]))
    return parts.section(part.label, html.Div([table, passed if well else None], className="ll-checks"))


def _line(line: CheckLine) -> list[Any]:
    step = html.Span(parts.with_code(line.next_step), className="ll-soft") if line.next_step else ""
    return [parts.status(KINDS[line.state], line.subject), html.Span(parts.with_code(line.sentence)), step]


def _refused(found: tuple[RefusedModel, ...]) -> Any:
    rows = [
        [
            html.Strong(m.registered),
            m.version,
            ", ".join(m.aliases),
            m.reason,
            html.Span(m.next_step, className="ll-soft"),
        ]
        for m in found
    ]
    heads = ["Model", "Version", "Alias", "Why it is refused", "What to do"]
    return parts.section("Refused models", listing("Refused models", heads, rows))


def _held(found: tuple[HeldFile, ...], zone: str) -> Any:
    rows = [
        [
            html.Strong(h.label),
            html.Code(h.file),
            h.reason,
            html.Span(h.next_step, className="ll-soft"),
            wording.moment(h.found_at, zone),
        ]
        for h in found
    ]
    heads = ["Dataset", "File", "What is wrong", "What to do", "Since"]
    return parts.section("Files held back", listing("Files held back", heads, rows))


page = Page("/admin/check", "Check of the workspace", "workspace:check", layout)
