"""One evidence pack of a day: on the screen, on paper, and as a ZIP to take away."""

from __future__ import annotations

from typing import Any

from dash import Input, Output, dcc, html

from components import answers, forms, notice, tables
from components import page as parts
from components.ids import Ids
from components.listing import listing
from pages import _questions, audit_changes
from pages._screen import Page, Screen
from services import evidence, wording
from services.access import Viewer
from services.errors import Refusal
from services.evidence import Decided, Evidence, ModelThen, PersonThen
from services.policy import RolePolicy
from services.sources import Sources

ids = Ids("evidence")
HOME = "/admin/evidence"
ACROSS = 10


def layout(viewer: Viewer, sources: Sources, day: str = "") -> Any:
    """The pack of the day of the address, of today without one."""
    found = evidence.pack(viewer, sources, evidence.day_of(day))
    return [
        parts.head(
            "Evidence",
            ["One document for a day: policy, people, reviews, changes, models, and the log's chain"],
            [_questions.links(viewer, HOME), answers.print_button(ids("print"))],
        ),
        answers.ask(forms.day(ids("day"), "Day", value=found.day.isoformat())),
        html.Div(_answer(viewer, sources, found), id=ids("answer"), **{"aria-live": "polite"}),
        dcc.Store(id=ids("href"), data=_href(found) if day else HOME),
        html.Div(id=ids("sink"), hidden=True),
    ]


def register(screen: Screen) -> None:
    """The day; the address follows it."""

    @screen.callback(
        Output(ids("answer"), "children"),
        Output(ids("href"), "data"),
        Input(ids("day"), "value"),
        prevent_initial_call=True,
    )
    def of_day(viewer: Viewer, day: Any) -> Any:
        try:
            found = evidence.pack(viewer, screen.sources, evidence.day_of(str(day or "")))
        except Refusal as wrong:
            return [notice.message(wrong.sentence, wrong.next_step, "watch"), HOME]
        return [_answer(viewer, screen.sources, found), _href(found)]

    screen.clientside("ll", "address", Output(ids("sink"), "title"), Input(ids("href"), "data"))
    screen.clientside("ll", "print", Output(ids("sink"), "lang"), Input(ids("print"), "n_clicks"))


def _href(found: Evidence) -> str:
    return f"{HOME}?day={found.day.isoformat()}"


def _answer(viewer: Viewer, sources: Sources, found: Evidence) -> Any:
    since = f" in force since {wording.moment(found.policy_since, found.zone)}" if found.policy_since else ""
    facts = [*_questions.asked(viewer, sources), ("Policy of the day", f"{found.digest[:12]}{since}")]
    return answers.answer(
        evidence.title(found),
        facts,
        html.P(
            parts.status("bad" if found.chain_problem else "good", evidence.chain_words(found)), className="ll-lede"
        ),
        _take(viewer, found),
        notice.message(found.missing, kind="watch") if found.missing else None,
        _chain(found),
        _people(found),
        *([_matrix(found), _policy(found), _files(found)] if found.actions else []),
        _reviews(found),
        _changes(found),
        _models(found),
    )


def _take(viewer: Viewer, found: Evidence) -> Any:
    if viewer.seen_as:
        return html.P("From another's view the pack can be read, not taken away.", className="ll-soft ll-small")
    href = f"/admin/evidence.zip?day={found.day.isoformat()}"
    return html.P(html.A("Take it away as a ZIP", href=href, className="ll-button"), className="ll-take")


def _chain(found: Evidence) -> Any:
    anchor = html.Code(found.chain.anchor) if found.chain.anchor else "none"
    pairs = [
        ("Sealed events", f"{found.chain.sealed:,}"),
        ("Newest anchor at", f"{found.chain.anchored:,}"),
        ("Its value", anchor),
    ]
    return parts.section("The log's chain, verified now", parts.terms(pairs))


def _people(found: Evidence) -> Any:
    rows = [_person(p) for p in found.people]
    table = listing("People", ["Person", "Role", "Attributes", "May sign in"], rows) if rows else None
    return parts.section("People at the end of the day", table or html.P("Nobody was there yet.", className="ll-soft"))


def _person(person: PersonThen) -> list[Any]:
    return [
        html.Div([html.Strong(person.name), html.Div(person.email, className="ll-soft ll-small")]),
        person.role,
        [html.Div(f"{label}: {values}") for label, values in person.held],
        "yes" if person.active else html.Span("no", className="ll-soft"),
    ]


def _matrix(found: Evidence) -> Any:
    """Person by action: actions down, people across, a few at a time so that it fits on paper."""
    active = [p for p in found.people if p.active]
    few = [active[at : at + ACROSS] for at in range(0, len(active), ACROSS)]
    return parts.section("Who could do what", *(_marks(found, people) for people in few))


def _marks(found: Evidence, people: list[PersonThen]) -> Any:
    rows = [
        [words, *(html.Span("●", title="may") if action in p.grants else "" for p in people)]
        for action, words in found.actions
    ]
    return html.Div(tables.plain(["", *(p.name for p in people)], rows), className="ll-matrix")


def _policy(found: Evidence) -> Any:
    rows = [row for role in found.roles for row in _role(role)]
    table = listing("Rows and hidden columns", ["Role", "Datasets", "Rows", "Never sees"], rows)
    return parts.section("Row rules and hidden columns of the day", table)


def _role(role: RolePolicy) -> list[list[Any]]:
    hidden = [html.Div(f"{dataset}: {', '.join(columns)}", className="ll-small") for dataset, columns in role.hidden]
    return [
        [html.Strong(role.label), ", ".join(r.datasets), r.rule, [html.Div(role.masked), *hidden] if not at else ""]
        for at, r in enumerate(role.rows)
    ]


def _files(found: Evidence) -> Any:
    shown = [parts.more(name, html.Pre(text, className="ll-file")) for name, text in found.files.items()]
    return parts.section("The policy's files", html.P(["Digest ", html.Code(found.digest)]), *shown)


def _reviews(found: Evidence) -> Any:
    rows = [_review(p, found.zone) for p in found.people if p.active]
    table = listing("Reviews", ["Person", "Last review", "By", "Waits because"], rows)
    return parts.section("Access reviews", table)


def _review(person: PersonThen, zone: str) -> list[Any]:
    at = wording.moment(person.reviewed_at, zone) if person.reviewed_at else html.Span("never", className="ll-soft")
    note = html.Div(f"“{person.note}”", className="ll-small") if person.note else None
    return [html.Strong(person.name), html.Div([at, note]), person.reviewed_by, person.due]


def _changes(found: Evidence) -> Any:
    none = html.P("Nothing was changed on this day.", className="ll-soft")
    shown = audit_changes.table(found.changes) if found.changes.lines else none
    return parts.section("Changes of people and policy on this day", shown)


def _models(found: Evidence) -> Any:
    serving = [_model(m, found.zone) for m in found.models]
    decided = [_decision(d, found.zone) for d in found.decided]
    return parts.section(
        "Models",
        listing("Models in use", ["Model", "Registered", "Version in use", "Scored"], serving),
        html.H3("Decisions up to this day", className="ll-h2 ll-next"),
        listing("Decisions", ["When", "Model", "Version", "What", "By", "Event"], decided)
        if decided
        else html.P("None was made yet.", className="ll-soft"),
    )


def _model(model: ModelThen, zone: str) -> list[Any]:
    none = html.Span("none yet", className="ll-soft")
    when = wording.moment(model.scored_at, zone) if model.scored_at else ""
    return [html.Strong(model.label), model.registered, model.version or none, when]


def _decision(decided: Decided, zone: str) -> list[Any]:
    return [
        html.Span(wording.moment(decided.at, zone), className="ll-nowrap"),
        decided.of,
        decided.version,
        decided.what,
        decided.by,
        html.Span(str(decided.event), className="ll-soft"),
    ]


page = Page(HOME, "Evidence", "audit:read", layout, register)
