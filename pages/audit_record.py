"""Who saw or exported this record between two days? One answer, on the screen and on paper."""

from __future__ import annotations

from typing import Any

from dash import Input, Output, State, dcc, html

from components import answers, forms, notice
from components import page as parts
from components.ids import Ids
from components.listing import listing
from pages import _questions
from pages._screen import Page, Screen
from services import record_trail, wording
from services.access import Viewer
from services.errors import InvalidQuery, Refusal
from services.record_trail import Lost, RecordQuery, Seen, Subject, Trail
from services.sources import Sources

ids = Ids("record")
HOME = "/admin/audit/record"


def layout(viewer: Viewer, sources: Sources, **query: str) -> Any:
    """The question and, where the address asks it, its answer."""
    asked = RecordQuery.from_url(query)
    subjects = record_trail.subjects(viewer, sources)
    return [
        parts.head(
            "Who saw a record",
            ["Opened, moved in a what-if, read in a list, exported; the question itself is written into the log"],
            [_questions.links(viewer, HOME), answers.print_button(ids("print"))],
        ),
        answers.ask(*_fields(asked, subjects)),
        html.Div(
            _answer(viewer, sources, asked) if asked.key else _first(), id=ids("answer"), **{"aria-live": "polite"}
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
        State(ids("record"), "value"),
        State(ids("key"), "value"),
        State(ids("days"), "value"),
        prevent_initial_call=True,
    )
    def ask(viewer: Viewer, _clicks: int, record: Any, key: Any, days: Any) -> Any:
        first, last = days if isinstance(days, list) and len(days) == 2 else (None, None)
        said = {"record": record, "key": key, "from": first, "to": last}
        try:
            asked = RecordQuery.from_url({k: str(v) for k, v in said.items() if v})
        except InvalidQuery as wrong:
            return [notice.message(wrong.sentence, wrong.next_step, "watch"), HOME]
        return [_answer(viewer, screen.sources, asked), HOME + asked.to_url()]

    screen.clientside("ll", "address", Output(ids("sink"), "title"), Input(ids("href"), "data"))
    screen.clientside("ll", "print", Output(ids("sink"), "lang"), Input(ids("print"), "n_clicks"))


def _fields(asked: RecordQuery, subjects: tuple[Subject, ...]) -> list[Any]:
    lists = [(s.record, f"{s.label}, by {s.key}") for s in subjects]
    known = asked.record if asked.record in {s.record for s in subjects} else lists[0][0]
    days = [d.isoformat() if d else "" for d in (asked.since, asked.until)]
    return [
        forms.choice(ids("record"), "Record of", lists, value=known, needed=True),
        forms.text(ids("key"), "Key", value=asked.key),
        forms.days(ids("days"), "First and last day", first=days[0], last=days[1]),
        forms.button(ids("ask"), "Ask", kind="primary"),
    ]


def _first() -> Any:
    step = "Several key columns are joined by ~, as in the address of a lead."
    return notice.message("Choose whose record it is, its key, and the days.", step)


def _answer(viewer: Viewer, sources: Sources, asked: RecordQuery) -> Any:
    try:
        found = record_trail.trail(viewer, sources, asked)
    except Refusal as refused:
        return notice.message(refused.sentence, refused.next_step, "watch")
    facts = [*_questions.asked(viewer, sources), ("Policy", found.policy), ("Key", f"{found.subject.key}: {asked.key}")]
    return answers.answer(
        _question(found),
        facts,
        html.P(_verdict(found), className="ll-lede"),
        _lines(found) if found.lines else None,
        _lost(found) if found.lost else None,
        html.P(_retired(found.retired), className="ll-soft ll-small") if found.retired else None,
        html.P(MEANING, className="ll-soft ll-small"),
    )


MEANING = (
    "A list is written into the log with how far it may have been read, not row by row: who “may have seen” the record "
    "was given rows of that list, perhaps not as far down. An export holds every row of its list. Places are those of "
    "the list as that person saw it then, worked out again from the stored tables of its run."
)


def _question(found: Trail) -> str:
    first, last = found.query.since, found.query.until
    between = f"on {wording.day(first)}" if first == last else f"from {wording.day(first)} to {wording.day(last)}"  # type: ignore[arg-type]
    return f"Who saw or exported {found.query.key} of {found.subject.label} {between}?"


def _verdict(found: Trail) -> str:
    sure = {line.person for line in found.lines if not line.may and not line.asked}
    may = {line.person for line in found.lines if line.may} - sure
    if not sure and not may:
        more = " as far as the log can still tell" if found.lost or found.retired else ""
        return f"Nobody saw or exported it in these days{more}."
    said = [f"{wording.number_word(len(sure))} {'person' if len(sure) == 1 else 'people'} had it before them"] * bool(
        sure
    )
    said += [f"{wording.number_word(len(may))} {'more ' if sure else ''}may have seen it in a list"] * bool(may)
    sentence = wording.listed(said)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _lines(found: Trail) -> Any:
    rows = [_line(line, found.zone) for line in found.lines]
    return listing("Who saw it", ["When", "Who", "What", "Where", "Event"], rows)


def _line(line: Seen, zone: str) -> list[Any]:
    eyes = html.Div(f"through the eyes of {line.through}", className="ll-soft ll-small") if line.through else None
    address = html.Div(line.person, className="ll-soft ll-small") if "@" in line.person else None
    may = html.Div(parts.tag("may have seen it")) if line.may else None
    return [
        html.Span(f"{wording.moment(line.at, zone)}", className="ll-nowrap"),
        html.Div([html.Strong(line.name), address, eyes]),
        html.Div([line.did, may]),
        line.where,
        html.Span(str(line.event), className="ll-soft"),
    ]


def _lost(found: Trail) -> Any:
    rows = [_gone(lost, found.zone) for lost in found.lost]
    return parts.section(
        "Cannot be worked out any more",
        html.P(
            "The stored tables of these lists are gone, or the event keeps no question: the record may have been in."
        ),
        listing("Cannot be worked out", ["Who", "What", "Where", "How often", "When"], rows),
    )


def _gone(lost: Lost, zone: str) -> list[Any]:
    days = {wording.moment(lost.first, zone), wording.moment(lost.last, zone)}
    return [html.Strong(lost.name), lost.did, lost.where, f"{lost.count:,}×", " to ".join(sorted(days))]


def _retired(count: int) -> str:
    events = "event of these days is" if count == 1 else "events of these days are"
    return f"{count:,} {events} kept without content, because the time for keeping it was over or a person was erased."


page = Page(HOME, "Who saw a record", "audit:read", layout, register)
