"""Try a change of the policy: type it, see what it would do, take the file away for git. Nothing is applied."""

from __future__ import annotations

from typing import Any

from dash import Input, Output, State, html

from components import forms, notice
from components import page as parts
from components.ids import Ids
from components.listing import listing
from pages import _access_views
from pages._screen import Page, Screen
from services import policy, policy_preview, proposed_policy, wording
from services.access import Viewer
from services.errors import Refusal
from services.policy_preview import ColumnsChange, Counts, Preview, RowsChange
from services.small_cells import Told
from services.sources import Sources

ids = Ids("access-try")
HOME, FILE = _access_views.TRY, "/admin/access/access.yml"
FIELD = "text"


def layout(viewer: Viewer, sources: Sources) -> Any:
    """The policy in force as a text to change; below it what the change would do."""
    people = policy.policy(viewer, sources).people
    text = forms.long_text(
        ids("text"),
        "The file access.yml",
        value=proposed_policy.current(viewer, sources),
        name=FIELD,
        hint="Change what you like: nothing is applied. At most 256 kB.",
    )
    return [
        parts.head(
            "Try a change",
            ["What another access.yml would mean, before it is in force; that it was tried is written into the log"],
            [_access_views.links(HOME, people[0][0] if people else 0)],
        ),
        html.Form(
            [text, forms.buttons(forms.button(ids("show"), "Show what would change", kind="primary"))],
            id=ids("form"),
            method="POST",
            action=FILE,
            encType="multipart/form-data",
            className="ll-leave ll-try",
        ),
        html.Div(html.Div(id=ids("answer"), **{"aria-live": "polite"}), id=ids("shown"), className="ll-next"),
    ]


def register(screen: Screen) -> None:
    """Showing what would change is asked by its button only: each time is an act. It goes when the text changes."""

    @screen.callback(
        Output(ids("answer"), "children"),
        Input(ids("show"), "n_clicks"),
        State(ids("text"), "value"),
        prevent_initial_call=True,
    )
    def show(viewer: Viewer, _clicks: int, text: Any) -> Any:
        try:
            found = policy_preview.preview(viewer, screen.sources, text)
        except Refusal as refused:
            return notice.message(refused.sentence, refused.next_step, "bad")
        return _mistakes(found) if found.mistakes else _changes(viewer, found)

    screen.clientside(
        "ll",
        "only_fresh",
        Output(ids("shown"), "hidden"),
        Input(ids("answer"), "children"),
        Input(ids("text"), "value"),
    )


def _mistakes(found: Preview) -> Any:
    """Everything that a start would refuse, with its line."""
    many = len(found.mistakes) + found.more_mistakes
    rows = [
        [
            f"{m.line:,}",
            html.Code(wording.cut(m.key)) if m.key else "",
            [
                wording.cut(f"{m.sentence[:1].upper()}{m.sentence[1:]}"),
                f", got {wording.cut(m.value, 80)}" if m.value else "",
                ".",
            ],
            html.Code(m.nearest) if m.nearest else "",
        ]
        for m in found.mistakes
    ]
    more = f"and {found.more_mistakes:,} more" if found.more_mistakes else ""
    return parts.section(
        f"{many:,} {'mistake' if many == 1 else 'mistakes'}: a start would refuse this file",
        listing("Mistakes", ["Line", "Key", "What is wrong", "Did you mean"], rows),
        html.P(more, className="ll-soft ll-small") if more else None,
    )


def _changes(viewer: Viewer, found: Preview) -> Any:
    if found.same:
        return notice.message("This is the policy in force: nothing would change.")
    said = [html.Li(s) for s in found.sentences]
    nothing = "Nobody may do or see anything else: only words or the order of things would change."
    return [
        *(notice.message(s, kind="watch") for s in _warnings(found)),
        parts.section(
            "What would change", html.Ul(said, className="ll-attention") if said else html.P(nothing), _take(viewer)
        ),
        _rows(found) if found.rows else None,
        _columns(found.columns) if found.columns else None,
        _actions(found) if found.actions else None,
    ]


def _warnings(found: Preview) -> list[str]:
    gone = found.left_with_nothing
    said = [f"{policy_preview.who(gone)} could do nothing any more."] if gone else []
    return said + (["Nobody could add, change or disable people any more."] if found.nobody_manages else [])


def _take(viewer: Viewer) -> Any:
    """The button belongs to the form of the text: what stands there when it is pressed is what is taken."""
    if viewer.seen_as:
        return html.P("From another's view the file can be looked at, not taken away.", className="ll-soft ll-small")
    return html.P(
        [
            html.Button("Take the proposed file", type="submit", form=ids("form"), className="ll-button"),
            html.Span("Put it into git as access.yml of the workspace; the next start reads it.", className="ll-soft"),
        ],
        className="ll-buttons ll-next",
    )


def _rows(found: Preview) -> Any:
    heads = ["Dataset", "Whose", "What", "Before", "After", "More", "Fewer", "Rule"]
    rows = [_row(change) for change in found.rows]
    foot = html.P(found.withheld, className="ll-soft ll-small") if found.withheld else None
    more = f"{found.more_rows:,} more are left out." if found.more_rows else ""
    left_out = html.P(more, className="ll-soft ll-small") if more else None
    return parts.section("Rows", listing("Rows", heads, rows, numbers=(3, 4, 5, 6)), left_out, foot)


def _row(change: RowsChange) -> list[Any]:
    counts: Counts | None = change.counts
    told: list[Told | None] = [*counts.all] if counts else [None] * 4
    rule = [html.Div(change.now), html.Div(f"It was: {change.was}", className="ll-soft ll-small")]
    return [
        html.Strong(change.dataset),
        policy_preview.who(change.people),
        change.said or html.Span(change.missing, className="ll-soft"),
        *(t.text if t else "" for t in told),
        rule,
    ]


def _columns(found: tuple[ColumnsChange, ...]) -> Any:
    heads = ["Dataset", "Whose", "Newly visible", "Newly hidden"]
    rows = [
        [html.Strong(c.dataset), policy_preview.who(c.people), ", ".join(c.shown), ", ".join(c.hidden)] for c in found
    ]
    return parts.section("Columns", listing("Columns", heads, rows))


def _actions(found: Preview) -> Any:
    heads = ["Whose", "May now", "May no longer"]
    rows = [
        [html.Strong(policy_preview.who(a.people)), *([html.Div(w) for w in words] for words in (a.gained, a.lost))]
        for a in found.actions
    ]
    return parts.section("Actions", listing("Actions", heads, rows))


page = Page(HOME, "Try a change", "policy:read", layout, register)
