"""Every act is an audit event; the log answers who did what, by which right, and when.

A line names the act, the thing and its key. It never repeats what somebody searched for or what a row says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from data import audit_log, people
from data.tables import AuditEvent
from services import parameters, wording
from services.access import Viewer, require
from services.errors import InvalidQuery
from services.sources import Sources

PAGE = 50
SAME_REFUSAL = timedelta(minutes=1)
LATELY = timedelta(days=7)
SYSTEM = ("lakelight", "operator")
Outcome = Literal["", "allowed", "denied"]

ACT_WORDS: Mapping[str, str] = {
    "sign_in": "Signed in",
    "sign_out": "Signed out",
    "session.end": "Ended own sessions",
    "password.change": "Changed own password",
    "password.choose": "Chose a password by a link",
    "second_factor.add": "Set up a second factor",
    "second_factor.remove": "Took their second factor away",
    "page.open": "Opened a page",
    "callback.run": "Asked a page's part",
    "file.take": "Took a file",
    "leads.open": "Opened a list",
    "leads.read": "Read rows of a list",
    "leads.export": "Exported a list",
    "lead.open": "Opened one lead",
    "what_if.open": "Opened a what-if",
    "what_if.moves": "Moved inputs of a what-if",
    "what_if.refused": "Was refused a what-if",
    "person.add": "Added a person",
    "person.change": "Changed a person",
    "person.enable": "Enabled a person",
    "person.disable": "Disabled a person",
    "person.sign_out": "Signed a person out",
    "person.arrive": "Came in for the first time, through the identity provider",
    "person.refresh": "Was changed by the identity provider",
    "person.link": "Linked a person with the identity provider",
    "session.prove": "Proved anew who they are",
    "person.erase": "Erased a person",
    "person.second_factor": "Took a person's second factor away",
    "person.password_link": "Gave a link to choose a password",
    "person.view": "Looked as a person",
    "person.review": "Confirmed a person's access",
    "policy.why": "Asked why somebody sees a row",
    "audit.ask": "Asked who saw a record",
    "evidence.take": "Took an evidence pack",
    "person.view_end": "Looked as oneself again",
    "job.start": "Started a job",
    "job.cancel": "Cancelled a job",
    "job.refused": "Did not run a job",
    "dataset.publish": "Published a dataset",
    "registry.sync": "Read the registry",
    "model.admit": "Admitted a model",
    "model.refuse": "Refused a model",
    "scores.publish": "Published scores",
    "policy.change": "Read another policy at start",
    "policy.past": "Asked what somebody could see on a day",
    "policy.try": "Tried a change of the policy",
    "policy.take": "Took a proposed policy",
    "audit.retain": "Emptied events that were over their time",
}
DETAIL_WORDS: Mapping[str, str] = {
    "version": "version",
    "kind": "kind",
    "subject": "of",
    "of": "list",
    "as": "as",
    "from": "from row",
    "method": "by",
    "known there as": "known there as",
    "role": "role",
    "name": "name",
    "changed": "changed",
    "days": "days",
    "changes": "changes",
    "mistakes": "mistakes",
    "reason": "because",
    "files": "files",
    "day": "on",
    "class": "class",
    "before": "from before",
}
"""The details a line may repeat, and how. Anything else that was recorded stays in the database."""
COUNTED = ("rows", "sessions", "moves", "events")


@dataclass(frozen=True)
class AuditLine:
    """One event as a line of the log. ``said`` is the act in words; ``details`` are short phrases."""

    id: int
    at: datetime
    person: str
    name: str
    act: str
    said: str
    resource: str
    allowed: bool
    reason: str
    details: tuple[str, ...]


@dataclass(frozen=True)
class AuditQuery:
    """What the log is asked. Days are business days of the workspace; ``page`` counts from 1."""

    act: str = ""
    person: str = ""
    since: date | None = None
    until: date | None = None
    outcome: Outcome = ""
    page: int = 1

    @classmethod
    def from_url(cls, args: Mapping[str, str]) -> AuditQuery:
        """The query of an address; ``InvalidQuery`` for a day, an outcome or a page that cannot be."""
        outcome, page = args.get("outcome", ""), args.get("page", "1") or "1"
        if outcome not in ("", "allowed", "denied"):
            raise InvalidQuery(f"The outcome must be allowed or denied, got {outcome[:40]!r}.")
        if not page.isascii() or not page.isdigit() or not 1 <= int(page[:9]) <= 1_000_000:
            raise InvalidQuery(f"A page must be a whole number above 0, got {page[:40]!r}.")
        since, until = parameters.days(args)
        return cls(args.get("act", "")[:64], args.get("person", "")[:254], since, until, outcome, int(page[:9]))  # type: ignore[arg-type]

    def to_url(self) -> str:
        """The query as the search part of an address; "" for the newest of everything."""
        said = {
            "act": self.act,
            "person": self.person,
            "from": self.since.isoformat() if self.since else "",
            "to": self.until.isoformat() if self.until else "",
            "outcome": self.outcome,
            "page": str(self.page) if self.page > 1 else "",
        }
        kept = {k: v for k, v in said.items() if v}
        return f"?{urlencode(kept)}" if kept else ""


@dataclass(frozen=True)
class AuditPage:
    """Events, how many match, and what to choose from. ``acts`` are (act, words), ``people`` (e-mail, name)."""

    query: AuditQuery
    lines: tuple[AuditLine, ...]
    total: int
    first: int
    acts: tuple[tuple[str, str], ...]
    people: tuple[tuple[str, str], ...]
    older: AuditQuery | None
    newer: AuditQuery | None
    zone: str


def record(
    viewer: Viewer,
    sources: Sources,
    act: str,
    resource: str = "",
    *,
    allowed: bool = True,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write one event in a transaction of its own, for acts that write nothing else."""
    with sources.store.begin() as session:
        write(session, sources, viewer, act, resource, allowed=allowed, reason=reason, detail=detail)


def write(
    session: Session,
    sources: Sources,
    viewer: Viewer | None,
    act: str,
    resource: str = "",
    *,
    allowed: bool = True,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    by: str = "operator",
) -> None:
    """Write one event in the transaction of its act; without a viewer it was done ``by`` the system.

    Who looks through somebody else's eyes is written down under both names.
    """
    seen_as = {"as": viewer.seen_as} if viewer and viewer.seen_as else {}
    audit_log.record(
        session,
        at=sources.clock(),
        person_id=viewer.person_id if viewer else None,
        person=viewer.email if viewer else by,
        act=act,
        resource=resource,
        allowed=allowed,
        reason=reason,
        detail={**(detail or {}), **seen_as},
    )


def denied(viewer: Viewer, sources: Sources, act: str, resource: str, reason: str) -> None:
    """Write that something was refused; the same refusal is written once a minute, however often it is tried."""
    at = sources.clock()
    with sources.store.read() as session:
        if audit_log.recent(session, person=viewer.email, act=act, resource=resource, since=at - SAME_REFUSAL):
            return
    record(viewer, sources, act, resource, allowed=False, reason=reason)


def events(viewer: Viewer, sources: Sources, query: AuditQuery | None = None) -> AuditPage:
    """A page of the log, the newest first."""
    require(viewer, "audit:read")
    asked = query or AuditQuery()
    zone = ZoneInfo(sources.workspace.lake.timezone)
    with sources.store.read() as session:
        known = people.everyone(session)
        found, total = audit_log.found(
            session,
            act=asked.act,
            person=asked.person,
            person_id=next((p.id for p in known if p.email == asked.person), None),
            since=_midnight(asked.since, zone),
            until=_midnight(asked.until + timedelta(days=1), zone) if asked.until else None,
            allowed={"allowed": True, "denied": False}.get(asked.outcome),
            limit=PAGE,
            offset=(asked.page - 1) * PAGE,
        )
        acts = audit_log.acts(session)
    names = {p.email: p.name for p in known}
    numbers = {p.id: p.name for p in known}
    first = (asked.page - 1) * PAGE + 1
    return AuditPage(
        query=asked,
        lines=tuple(_line(event, names, numbers) for event in found),
        total=total,
        first=first,
        acts=tuple(sorted(((a, act_words(a)) for a in acts), key=lambda pair: pair[1])),
        people=(*((email, name) for email, name in names.items()), *((s, system_name(s)) for s in SYSTEM)),
        older=replace(asked, page=asked.page + 1) if first + len(found) <= total and found else None,
        newer=replace(asked, page=asked.page - 1) if asked.page > 1 else None,
        zone=sources.workspace.lake.timezone,
    )


def refusals(viewer: Viewer, sources: Sources) -> tuple[int, date]:
    """How many refusals stand in the log of the last days, and the first of those days."""
    require(viewer, "audit:read")
    zone = ZoneInfo(sources.workspace.lake.timezone)
    since = (sources.clock() - LATELY).astimezone(zone).date()
    with sources.store.read() as session:
        _, total = audit_log.found(session, since=_midnight(since, zone), allowed=False, limit=1)
    return total, since


def act_words(act: str) -> str:
    """An act as a person reads it."""
    return ACT_WORDS.get(act, act.replace("_", " ").replace(".", ": "))


def _line(event: AuditEvent, names: Mapping[str, str], numbers: Mapping[int, str]) -> AuditLine:
    return AuditLine(
        id=event.id,
        at=event.at,
        person=event.person,
        name=names.get(event.person) or numbers.get(event.person_id or 0) or system_name(event.person),
        act=event.act,
        said=act_words(event.act),
        resource=event.resource,
        allowed=event.allowed,
        reason=event.reason,
        details=_details(event) if event.emptied_at is None else (f"emptied on {wording.day(event.emptied_at)}",),
    )


def _details(event: AuditEvent) -> tuple[str, ...]:
    """What a line may say of the details: known ones, and of a query only what was asked about, never the values."""
    said = []
    for key, value in event.detail.items():
        if value in ("", None, [], {}):
            continue
        if key == "query":
            said += _query_words(str(value))
        elif key in COUNTED:
            said.append(f"{_short(value)} {key}")
        elif key in DETAIL_WORDS or (event.act.startswith("person.") and event.act != "person.erase"):
            said.append(f"{DETAIL_WORDS.get(key, key)} {_short(value)}")
    return tuple(said)


def _query_words(query: str) -> list[str]:
    """The parts of a list's address: which list, and by what it was narrowed; search words stay out of the log."""
    parts = parse_qs(query.lstrip("?"))
    which = ["list " + "/".join(parts[k][0] for k in ("list", "of") if k in parts)] if "list" in parts else []
    narrowed = [word for key, word in {"band": "band", "q": "search", "f": "filters"}.items() if key in parts]
    return which + ([f"narrowed by {', '.join(narrowed)}"] if narrowed else [])


def _short(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(v)[:60] for v in value[:6]) + (f" and {len(value) - 6} more" if len(value) > 6 else "")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)[:160]


def system_name(person: str) -> str:
    """Who it was where it was nobody of the people."""
    return {"lakelight": "Lakelight itself", "operator": "The operator's terminal"}.get(person, "Nobody known")


def _midnight(day: date | None, zone: ZoneInfo) -> datetime | None:
    return datetime.combine(day, time(), zone) if day else None


def when(line: AuditLine, zone: str) -> str:
    """The time of an event on the workspace's clock, to the second."""
    local = line.at.astimezone(ZoneInfo(zone))
    return f"{wording.day(local)}, {local:%H:%M:%S}"
