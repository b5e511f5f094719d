"""Who saw or exported one record between two days. No row that was read or taken away is missed.

What was done to the record itself names it in the log. A list that was read or exported keeps its question instead of
its rows: the question is asked again of the run's stored tables, within the rows of whoever asked it then. A read event
speaks of rows that *may* have been read: the answer says how far it goes and where the record stood.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote, unquote, urlencode
from zoneinfo import ZoneInfo

from data import audit_log, people
from data.tables import AuditEvent
from services import audit, kept_answers, parameters
from services.access import Viewer, require
from services.errors import InvalidQuery, NotFound
from services.kept_answers import Kept, Place, Record
from services.sources import Sources

LIST, DATA = "list", "data"
LISTS = ("leads.open", "leads.read", "leads.export")
LONGEST_KEY = 500
LATE = timedelta(hours=1)
"""How much later than it began a count of moves may be written."""
ASKED = frozenset({"policy.why", "audit.ask"})
DID = {
    "lead.open": "Opened it",
    "what_if.open": "Opened a what-if on it",
    "what_if.moves": "Moved inputs of its what-if",
    "policy.why": "Asked why somebody sees it",
    "audit.ask": "Asked who saw or exported it",
}


@dataclass(frozen=True)
class RecordQuery:
    """Which record, and between which business days, both included.

    ``record`` is ``list.<model>`` or ``data.<dataset>``.
    """

    record: str = ""
    key: str = ""
    since: date | None = None
    until: date | None = None

    @classmethod
    def from_url(cls, args: Mapping[str, str]) -> RecordQuery:
        """The query of an address; ``InvalidQuery`` for a day that cannot be."""
        since, until = parameters.days(args)
        return cls(args.get("record", "")[:80], args.get("key", "").strip()[: LONGEST_KEY + 1], since, until)

    def to_url(self) -> str:
        """The query as the search part of an address."""
        days = {"from": self.since, "to": self.until}
        said = {"record": self.record, "key": self.key, **{k: d.isoformat() for k, d in days.items() if d}}
        kept = {k: v for k, v in said.items() if v}
        return f"?{urlencode(kept)}" if kept else ""


@dataclass(frozen=True)
class Subject:
    """Something whose rows can be asked about: its name in the address, what people call it, and its key in words."""

    record: str
    label: str
    key: str


@dataclass(frozen=True)
class Seen:
    """One act on the record. ``through`` is through whose eyes, ``where`` the list; ``may`` marks a read that may have
    ended before the record, ``asked`` a question about it, which shows nothing of it.
    """

    event: int
    at: datetime
    person: str
    name: str
    through: str
    did: str
    where: str
    may: bool
    asked: bool


@dataclass(frozen=True)
class Lost:
    """Acts on a list that cannot be worked out any more: whose, how many, when, and why."""

    name: str
    did: str
    where: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Trail:
    """The answer. ``retired`` counts events whose content the log no longer keeps."""

    query: RecordQuery
    subject: Subject
    lines: tuple[Seen, ...]
    lost: tuple[Lost, ...]
    retired: int
    policy: str
    zone: str


@dataclass(frozen=True)
class _Target:
    """A prefix of resources in the log and the key columns behind it."""

    name: str
    columns: tuple[str, ...]


def subjects(viewer: Viewer, sources: Sources) -> tuple[Subject, ...]:
    """What can be asked about: the rows that models score, and those of every dataset."""
    require(viewer, "audit:read")
    datasets = sources.workspace.lake.datasets
    made = []
    for name, model in sources.workspace.models.models.items():
        columns = datasets[model.scored.dataset].columns
        made.append(Subject(f"{LIST}.{name}", model.label, _words(model.scored.key, columns)))
    for name, about in datasets.items():
        made.append(Subject(f"{DATA}.{name}", about.label, _words(about.key, about.columns)))
    return tuple(made)


def trail(viewer: Viewer, sources: Sources, query: RecordQuery) -> Trail:
    """Who saw or exported the record. The question is an event itself, written before it is answered."""
    require(viewer, "audit:read")
    subject = next((s for s in subjects(viewer, sources) if s.record == query.record), None)
    if subject is None:
        said = f"There are no records named {query.record[:60] or 'so'}."
        raise NotFound(said, next_step="Choose a list or a dataset.")
    if query.since is None or query.until is None:
        raise InvalidQuery("The question needs a first and a last day.", next_step="Choose both.")
    record, targets = _record(sources, query, subject)
    kind, _, name = query.record.partition(".")
    days = f"{query.since} to {query.until}"
    audit.record(viewer, sources, "audit.ask", f"{name}/{_key_text(record)}", detail={"kind": kind, "days": days})
    zone = ZoneInfo(sources.workspace.lake.timezone)
    since, until = (datetime.combine(d, time(), zone) for d in (query.since, query.until + timedelta(days=1)))
    with sources.store.read() as session:
        named = audit_log.on_resources(session, [t.name for t in targets], since=since, until=until + LATE)
        read = audit_log.of_acts(session, LISTS, [t.name for t in targets], since=since, until=until)
        retired = audit_log.emptied(session, (*LISTS, *DID, ""), since=since, until=until)
        names = {p.email: p.name for p in people.everyone(session)}
    direct = [e for e in named if e.at < until or _began(e) < until]
    lines = [_seen(e, names, DID.get(e.act, audit.act_words(e.act))) for e in direct if _is_of(e, record, targets)]
    lines += [_start(e, names) for e in read if _started_with(e, record, targets)]
    found, lost = _of_lists(sources, record, [e for e in read if "keys" not in e.detail], names)
    lines = sorted([*lines, *found], key=lambda line: (line.at, line.event), reverse=True)
    return Trail(
        query=query,
        subject=subject,
        lines=tuple(lines),
        lost=lost,
        retired=retired,
        policy=sources.workspace.fingerprint[:12],
        zone=sources.workspace.lake.timezone,
    )


# ── which record ──────────────────────────────────────────────────────────────────────────────────


def _record(sources: Sources, query: RecordQuery, subject: Subject) -> tuple[Record, tuple[_Target, ...]]:
    """The record by its key columns, and every model and dataset whose key holds these columns.

    Asked about a list, only that list and its dataset count; asked about a dataset, all rows about the record.
    """
    workspace, (kind, _, name) = sources.workspace, query.record.partition(".")
    models = {n: m.scored.key for n, m in workspace.models.models.items()}
    key = models[name] if kind == LIST else workspace.lake.datasets[name].key
    text = query.key
    parts = [text] if len(key) == 1 else [unquote(part) for part in text.split("~")]
    if len(parts) != len(key) or not all(parts) or len(text) > LONGEST_KEY or "\x00" in text:
        said = f"The key must be {subject.key}, got {text[:40] or 'nothing'!r}."
        raise InvalidQuery(said, next_step="Enter the key of one record.")
    if kind == LIST:
        dataset = workspace.models.models[name].scored.dataset
        about = [_Target(dataset, workspace.lake.datasets[dataset].key)]
        targets = [_Target(name, key), *(t for t in about if set(key) <= set(t.columns))]
    else:
        every = [*models.items(), *((n, d.key) for n, d in workspace.lake.datasets.items())]
        targets = [_Target(n, columns) for n, columns in every if set(key) <= set(columns)]
    return Record(key, tuple(parts)), tuple(targets)


def _key_text(record: Record) -> str:
    return "~".join(quote(part, safe="").replace("~", "%7E") for part in record.parts)


def _words(key: Iterable[str], columns: Mapping[str, Any]) -> str:
    return " ~ ".join(columns[c].label if c in columns else c for c in key)


# ── what names the record itself ──────────────────────────────────────────────────────────────────


def _is_of(event: AuditEvent, record: Record, targets: Iterable[_Target]) -> bool:
    name, _, key = event.resource.partition("/")
    cut = len(event.resource) >= audit_log.LONGEST_RESOURCE
    return any(_same(key, t.columns, record, cut=cut) for t in targets if t.name == name)


def _same(key: str, columns: tuple[str, ...], record: Record, *, cut: bool = False) -> bool:
    """Does a key of the log, whose columns are these, name the record? Of a key that the log cut off, what is left
    decides, so that none is missed.
    """
    wanted = dict(zip(record.columns, record.parts, strict=True))
    if len(columns) == 1 and not cut:
        return wanted[columns[0]] in (key, unquote(key))
    parts = [unquote(part) for part in key.split("~")]
    if len(parts) != len(columns) and not cut:
        return False
    held = dict(zip(columns, parts, strict=False))
    last = columns[len(parts) - 1] if cut and len(parts) <= len(columns) else ""
    return all(
        value.startswith(held[column][:-3]) if column == last else held.get(column, value) == value
        for column, value in wanted.items()
    )


def _began(event: AuditEvent) -> datetime:
    """When an act began that is counted and written later; moves of a what-if."""
    try:
        return datetime.fromisoformat(str(event.detail.get("since")))
    except ValueError:
        return event.at


def _started_with(event: AuditEvent, record: Record, targets: Iterable[_Target]) -> bool:
    keys = event.detail.get("keys")
    columns = next((t.columns for t in targets if t.name == event.resource), ())
    return isinstance(keys, list) and any(_same(str(key), columns, record) for key in keys)


def _start(event: AuditEvent, names: Mapping[str, str]) -> Seen:
    return _seen(event, names, "Saw it among the rows to start a what-if from")


def _seen(event: AuditEvent, names: Mapping[str, str], did: str, *, where: str = "", may: bool = False) -> Seen:
    through = str(event.detail.get("as", ""))
    return Seen(
        event=event.id,
        at=event.at,
        person=event.person,
        name=names.get(event.person) or event.person or "Nobody known",
        through=names.get(through, through),
        did=did,
        where=where,
        may=may,
        asked=event.act in ASKED,
    )


# ── lists in which it stood ───────────────────────────────────────────────────────────────────────


def _of_lists(
    sources: Sources, record: Record, events: Iterable[AuditEvent], names: Mapping[str, str]
) -> tuple[list[Seen], tuple[Lost, ...]]:
    """The events of lists in whose answer the record was, and those of which nobody can tell any more."""
    questions: dict[str, Kept] = {}
    asked: list[tuple[AuditEvent, Kept | None, str]] = []
    for event in events:
        kept, same = kept_answers.kept_of(event.detail, event.act), kept_answers.fingerprint(event.detail)
        same = f"{same} whole" if kept is not None and kept.reach is None else same
        asked.append((event, kept, same))
        if kept is not None:
            known = questions.get(same)
            reach = max(known.reach or 0, kept.reach or 0) if known and kept.reach is not None else kept.reach
            questions[same] = replace(kept, reach=reach)
    places = kept_answers.places(sources, record, questions)
    lines: list[Seen] = []
    gone: list[AuditEvent] = []
    for event, kept, same in asked:
        if kept is None or same not in places:
            gone.append(event)
            continue
        place = places[same]
        if place is not None and (kept.reach is None or place.at <= kept.reach):
            lines.append(_stood(sources, event, place, kept.reach, names))
    return lines, _lost(sources, gone, names)


def _stood(sources: Sources, event: AuditEvent, place: Place, reach: int | None, names: Mapping[str, str]) -> Seen:
    where = _list_words(sources, event)
    if reach is None:
        rows = event.detail.get("rows")
        size = f" of {rows:,} rows" if isinstance(rows, int) else ""
        return _seen(event, names, f"Exported a list{size} in which it was", where=where)
    did = f"Read a list in which it stood at place {place.at:,} of the first {reach:,}"
    return _seen(event, names, did, where=where, may=True)


def _list_words(sources: Sources, event: AuditEvent) -> str:
    model = sources.workspace.models.models.get(event.resource)
    of, version = (str(event.detail.get(k, ""))[:60] for k in ("of", "version"))
    said = (model.label if model else event.resource, of, f"version {version}" if version else "")
    return ", ".join(part for part in said if part)


def _lost(sources: Sources, gone: Iterable[AuditEvent], names: Mapping[str, str]) -> tuple[Lost, ...]:
    times: dict[tuple[str, str, str], list[datetime]] = defaultdict(list)
    for event in gone:
        did = "Exported a list" if event.act == "leads.export" else "Read a list"
        times[names.get(event.person) or event.person, did, _list_words(sources, event)].append(event.at)
    count = Counter({key: len(found) for key, found in times.items()})
    return tuple(Lost(*key, count=count[key], first=min(times[key]), last=max(times[key])) for key in sorted(times))
