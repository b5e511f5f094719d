"""Who may see and do what, and why: the policy in words, role by role and person by person. To be read, not edited."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from dash import Input, Output, State, dcc, html

from components import forms, notice, tables
from components import page as parts
from components.ids import Ids
from components.listing import listing
from components.page import MenuItem
from pages import _access_views
from pages._screen import Page, Screen
from services import policy, why
from services.access import Viewer, action_words
from services.errors import NotFound, Refusal
from services.policy import DatasetRights, PersonRights, Policy, RolePolicy
from services.sources import Sources
from services.why import Group

ids = Ids("access")


def layout(
    viewer: Viewer, sources: Sources, *, role: str = "", person: str = "", dataset: str = "", key: str = ""
) -> Any:
    """Roles or people at the left, as the address says; on the right what one of them may, and why they see a row."""
    found = policy.policy(viewer, sources)
    by_person = bool(person)
    spoken_of = _number(person) if by_person else 0
    current = _access_views.PEOPLE if by_person else _access_views.ROLES
    views = _access_views.links(current, spoken_of or (found.people[0][0] if found.people else 0))
    return [
        parts.head("Access", _scope(found), [views]),
        _people(viewer, sources, found, (person, dataset, key)) if by_person else _roles(found, role),
        parts.section("All roles side by side", _matrix(found)),
    ]


def _scope(found: Policy) -> list[Any]:
    return [
        html.Span(["The policy stands in ", html.Code(found.file), " of the workspace and is changed there only"]),
        f"read at start, fingerprint {found.fingerprint}",
        f"{len(found.roles)} roles, {len(found.people)} people",
    ]


def _roles(found: Policy, role: str) -> Any:
    chosen = next((r for r in found.roles if r.name == role), None if role else found.roles[0])
    if chosen is None:
        raise NotFound(f"There is no role named {role[:60]}.", next_step="Choose one of the list.")
    items = [
        MenuItem(
            title=r.label,
            under=r.question,
            href="/admin/access?" + urlencode({"role": r.name}),
            right=str(r.people),
            chosen=r is chosen,
        )
        for r in found.roles
    ]
    return parts.split(parts.menu("Roles, with how many people have them", items), _role(chosen))


def _role(role: RolePolicy) -> list[Any]:
    hidden = [[html.Strong(dataset), ", ".join(columns)] for dataset, columns in role.hidden]
    people = f"{role.people} {'person has' if role.people == 1 else 'people have'} this role"
    rows = [[", ".join(r.datasets), _amount(r.kind), r.rule] for r in role.rows]
    return [
        html.H2(role.label, className="ll-focus"),
        html.P(role.question, className="ll-focus-lede"),
        parts.terms([("First page", role.home), ("In the bar", ", ".join(role.entries)), ("Held by", people)]),
        parts.section("May", html.Ul([html.Li(action_words(a)) for a in role.actions], className="ll-list")),
        parts.section("Rows", listing("Rows", ["Datasets", "Sees", "Because"], rows)),
        parts.section(
            "Columns",
            html.P(role.masked),
            listing("Hidden columns", ["Dataset", "Hidden from this role"], hidden) if hidden else None,
        ),
    ]


def _amount(kind: str) -> Any:
    words = {"all": "all rows", "some": "some rows", "none": "no rows"}[kind]
    return html.Span(words, className="ll-nowrap ll-soft" if kind == "none" else "ll-nowrap")


def register(screen: Screen) -> None:
    """The question why a person sees a row."""

    @screen.callback(
        Output(ids("answer"), "children"),
        Input(ids("ask"), "n_clicks"),
        State(ids("person"), "data"),
        State(ids("dataset"), "value"),
        State(ids("key"), "value"),
        prevent_initial_call=True,
    )
    def why_row(viewer: Viewer, _clicks: int, person: Any, dataset: Any, key: Any) -> Any:
        return _answer(viewer, screen.sources, person if isinstance(person, int) else 0, str(dataset), str(key or ""))


def _people(viewer: Viewer, sources: Sources, found: Policy, asked: tuple[str, str, str]) -> Any:
    person, dataset, key = asked
    number = _number(person)
    items = [
        MenuItem(title=name, under=role, href=_person_href(id_), chosen=id_ == number)
        for id_, name, role in found.people
    ]
    rights = policy.rights_of(viewer, sources, number)
    shown = [*_person(rights), _why(viewer, sources, number, dataset, key)]
    return parts.split(parts.menu("People", items), shown)


def _person(rights: PersonRights) -> list[Any]:
    role = dcc.Link(rights.role_label, href="/admin/access?" + urlencode({"role": rights.role}))
    facts: list[tuple[str, Any]] = [("E-mail", rights.email), ("Role", role), *rights.held]
    may = html.Ul([html.Li(a) for a in rights.actions], className="ll-list") if rights.actions else html.P("Nothing.")
    return [
        html.H2(rights.name, className="ll-focus"),
        notice.stale(rights.note) if rights.note else None,
        parts.terms(facts),
        parts.section("May", may),
        parts.section("Which rows they see", *_datasets(rights)),
        html.P(dcc.Link("What could they see on another day?", href=f"{_access_views.DAY}?person={rights.id}")),
    ]


def _why(viewer: Viewer, sources: Sources, person: int, dataset: str, key: str) -> Any:
    """The question and, where the address asks it, its answer."""
    datasets = sources.workspace.lake.datasets
    chosen = dataset if dataset in datasets else next(iter(datasets))
    options = [(name, f"{d.label}, by {' ~ '.join(d.columns[c].label for c in d.key)}") for name, d in datasets.items()]
    return parts.section(
        "Why do they see this row?",
        forms.form(
            forms.choice(ids("dataset"), "Dataset and its key", options, value=chosen, needed=True),
            forms.text(ids("key"), "Key of the row", value=key, hint="Several key columns are joined by ~."),
            label="Why do they see this row?",
        ),
        forms.buttons(forms.button(ids("ask"), "Ask")),
        dcc.Store(id=ids("person"), data=person),
        html.Div(
            _answer(viewer, sources, person, dataset, key) if dataset and key else "",
            id=ids("answer"),
            className="ll-next",
            **{"aria-live": "polite"},
        ),
    )


def _answer(viewer: Viewer, sources: Sources, person: int, dataset: str, key: str) -> Any:
    try:
        found = why.row(viewer, sources, person, dataset, key)
    except Refusal as refused:
        return notice.message(refused.sentence, refused.next_step, "watch")
    address = "/admin/access?" + urlencode({"person": person, "dataset": dataset, "key": key})
    hidden = f"Hidden from them all the same: {', '.join(found.hidden)}." if found.hidden else ""
    return [
        html.H3(parts.status("good" if found.sees else "bad", found.sentence)),
        *(_group(group, number, of=len(found.groups)) for number, group in enumerate(found.groups, 1)),
        html.P([hidden, " ", dcc.Link("Link to this answer", href=address)], className="ll-soft ll-small"),
    ]


def _group(group: Group, number: int, *, of: int) -> Any:
    """One group of rules: its rules with a mark each; of several groups, which one decides."""
    said = "decides" if group.decides else "holds as well" if group.holds else "does not hold"
    lines = [html.Li(parts.status("good" if c.holds else "bad", c.said)) for c in group.conditions]
    head = html.P(html.Strong(f"Group {number} of {of} {said}")) if of > 1 else None
    return html.Div([head, html.Ul(lines, className="ll-attention")])


def _datasets(rights: PersonRights) -> list[Any]:
    if all(d.rows.seen.value == 0 for d in rights.datasets if d.rows is not None):
        none = f"None: no row rule gives the role {rights.role_label} rows of any dataset."
        return [html.P(none, className="ll-soft")]
    heads = ["Dataset", "Sees", "Of", "Because", "Hidden columns"]
    made = listing("Which rows they see", heads, [_dataset(d) for d in rights.datasets], numbers=(1, 2))
    return [made, html.P(rights.withheld, className="ll-soft ll-small") if rights.withheld else None]


def _dataset(rights: DatasetRights) -> list[Any]:
    soft = html.Span("none", className="ll-soft")
    if rights.rows is None:
        sees, of = html.Span("not published yet", className="ll-soft"), ""
    else:
        seen = rights.rows.seen
        sees, of = seen.text if seen.value != 0 else soft, rights.rows.total.text
    return [html.Strong(rights.label), sees, of, rights.reason, ", ".join(rights.hidden) or soft]


def _matrix(found: Policy) -> Any:
    """Actions by roles; a mark where the role has the action."""
    rows = [
        [words, *(html.Span("●", title="may") if action in found.granted[r.name] else "" for r in found.roles)]
        for action, words in found.actions
    ]
    return html.Div(tables.plain(["", *(r.label for r in found.roles)], rows), className="ll-matrix")


def _person_href(person_id: int) -> str:
    return "/admin/access?" + urlencode({"person": person_id})


def _number(person: str) -> int:
    return int(person) if person.isascii() and person.isdigit() and len(person) <= 9 else 0


page = Page("/admin/access", "Access", "policy:read", layout, register)
