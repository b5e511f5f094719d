"""What could this person see on that day? One answer, on the screen and on paper."""

from __future__ import annotations

from typing import Any

from dash import Input, Output, State, dcc, html

from components import answers, forms, notice
from components import page as parts
from components.ids import Ids
from components.listing import listing
from pages import _access_views, _questions
from pages._screen import Page, Screen
from services import access_past, policy, wording
from services.access import Viewer
from services.access_past import PastAccess, PastDataset, PastQuery, Stretch
from services.errors import Refusal
from services.sources import Sources

ids = Ids("access-day")
HOME = _access_views.DAY


def layout(viewer: Viewer, sources: Sources, *, person: str = "", day: str = "") -> Any:
    """The question and, where the address asks it whole, its answer."""
    people = policy.policy(viewer, sources).people
    asked = PastQuery.from_url({"person": person, "day": day})
    first = asked.person or (people[0][0] if people else 0)
    return [
        parts.head(
            "Access on a day",
            ["By the policy, the role and the data of that day; the question itself is written into the log"],
            [_access_views.links(HOME, first), answers.print_button(ids("print"))],
        ),
        answers.ask(
            forms.choice(
                ids("person"),
                "Person",
                [(str(id_), f"{name}, {role}") for id_, name, role in people],
                value=str(first),
                needed=True,
            ),
            forms.day(ids("day"), "Day", value=asked.day.isoformat() if asked.day else ""),
            forms.button(ids("ask"), "Ask", kind="primary"),
        ),
        html.Div(
            _answer(viewer, sources, asked) if asked.day else notice.message("Choose a person and a day."),
            id=ids("answer"),
            **{"aria-live": "polite"},
        ),
        dcc.Store(id=ids("href"), data=HOME + asked.to_url()),
        html.Div(id=ids("sink"), hidden=True),
    ]


def register(screen: Screen) -> None:
    """The question is asked by its button only: each one is an act. The address follows it."""

    @screen.callback(
        Output(ids("answer"), "children"),
        Output(ids("href"), "data"),
        Input(ids("ask"), "n_clicks"),
        State(ids("person"), "value"),
        State(ids("day"), "value"),
        prevent_initial_call=True,
    )
    def ask(viewer: Viewer, _clicks: int, person: Any, day: Any) -> Any:
        try:
            asked = PastQuery.from_url({"person": str(person or ""), "day": str(day or "")})
        except Refusal as wrong:
            return [notice.message(wrong.sentence, wrong.next_step, "watch"), HOME]
        return [_answer(viewer, screen.sources, asked), HOME + asked.to_url()]

    screen.clientside("ll", "address", Output(ids("sink"), "title"), Input(ids("href"), "data"))
    screen.clientside("ll", "print", Output(ids("sink"), "lang"), Input(ids("print"), "n_clicks"))


def _answer(viewer: Viewer, sources: Sources, asked: PastQuery) -> Any:
    if asked.day is None:
        return notice.message("Choose a day.", kind="watch")
    try:
        found = access_past.on_day(viewer, sources, asked.person, asked.day)
    except Refusal as refused:
        return notice.message(refused.sentence, refused.next_step, "watch")
    facts = [*_questions.asked(viewer, sources), ("Person", f"{found.name}, {found.email}")]
    return answers.answer(
        f"What could {found.name} see on {wording.day(found.day)}?",
        facts,
        html.P(_verdict(found), className="ll-lede"),
        *(_stretch(s, found) for s in found.stretches),
        html.P(found.withheld, className="ll-soft ll-small") if found.withheld else None,
        html.P(dcc.Link("Link to this answer", href=HOME + asked.to_url()), className="ll-small ll-take"),
    )


def _verdict(found: PastAccess) -> str:
    if len(found.stretches) > 1:
        many = wording.number_word(len(found.stretches))
        return f"The policy or the person changed during the day: it falls into {many} parts."
    (only,) = found.stretches
    return only.missing or f"Nothing changed during the day: {found.name} was {only.role_label} all of it."


def _stretch(stretch: Stretch, found: PastAccess) -> Any:
    begins, ends = (wording.moment(at, found.zone) for at in (stretch.since, stretch.until))
    since = f", in force since {wording.moment(stretch.policy_since, found.zone)}" if stretch.policy_since else ""
    may = html.Ul([html.Li(a) for a in stretch.actions], className="ll-list") if stretch.actions else None
    facts: list[tuple[str, Any]] = [
        ("Role", stretch.role_label),
        *stretch.held,
        ("Policy", html.Span([html.Code(stretch.policy[:12]), since]) if stretch.policy else ""),
    ]
    return parts.section(
        f"From {begins} to {ends}",
        html.P(stretch.missing) if stretch.missing and len(found.stretches) > 1 else None,
        parts.terms(facts),
        *([] if stretch.missing else [html.H3("Could", className="ll-h2 ll-next"), may or html.P("Do nothing.")]),
        *(_datasets(stretch, found.zone) if stretch.datasets else []),
    )


def _datasets(stretch: Stretch, zone: str) -> list[Any]:
    heads = ["Dataset", "Saw", "Of", "Because", "Hidden columns", "As published"]
    rows = [_dataset(d, zone) for d in stretch.datasets]
    return [html.H3("Rows", className="ll-h2 ll-next"), listing("Rows", heads, rows, numbers=(1, 2))]


def _dataset(dataset: PastDataset, zone: str) -> list[Any]:
    soft = html.Span("none", className="ll-soft")
    seen = dataset.rows.seen if dataset.rows else None
    shown = html.Span(dataset.missing, className="ll-soft") if seen is None or dataset.missing else None
    version = f"version {dataset.version}, {wording.moment(dataset.published_at, zone)}" if dataset.published_at else ""
    return [
        html.Strong(dataset.label),
        shown or (seen.text if seen and seen.value != 0 else soft),
        dataset.rows.total.text if dataset.rows else "",
        dataset.reason,
        ", ".join(dataset.hidden) or soft,
        html.Span(version, className="ll-soft ll-small"),
    ]


page = Page(HOME, "Access on a day", "policy:read", layout, register)
