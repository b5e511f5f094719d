"""Who changed what: every change of people and of the policy between two days, with what was before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from data import audit_log, people
from data.tables import AuditEvent
from services import audit, audit_retention, parameters
from services.access import Viewer, require
from services.sources import Sources

MOST = 2_000
WEEKS = timedelta(days=28)
HIDDEN = frozenset({"as", "files"})


@dataclass(frozen=True)
class ChangesQuery:
    """Between which business days, both included; without any the last four weeks."""

    since: date | None = None
    until: date | None = None

    @classmethod
    def from_url(cls, args: Mapping[str, str]) -> ChangesQuery:
        """The query of an address; ``InvalidQuery`` for a day that cannot be."""
        return cls(*parameters.days(args))

    def to_url(self) -> str:
        """The query as the search part of an address."""
        kept = {k: d.isoformat() for k, d in {"from": self.since, "to": self.until}.items() if d}
        return f"?{urlencode(kept)}" if kept else ""


@dataclass(frozen=True)
class Change:
    """One change: who did it to whom or what, and in each of its ``steps`` what became of what."""

    event: int
    at: datetime
    person: str
    name: str
    through: str
    said: str
    of: str
    of_name: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    """The answer. ``retired`` counts changes whose content the log no longer keeps; ``more`` those left out."""

    since: date
    until: date
    lines: tuple[Change, ...]
    retired: int
    more: int
    zone: str


def changes(viewer: Viewer, sources: Sources, query: ChangesQuery) -> Changes:
    """Every change between two days, the oldest first."""
    require(viewer, "audit:read")
    return between(sources, query, MOST)


def between(sources: Sources, query: ChangesQuery, most: int | None = None) -> Changes:
    """Every change between two days, for those who were asked for their right already; ``most`` of them, if any."""
    zone = ZoneInfo(sources.workspace.lake.timezone)
    until = query.until or sources.clock().astimezone(zone).date()
    since = query.since or until - WEEKS
    acts = tuple(act for act, kind in audit_retention.ACT_CLASSES.items() if kind == "people")
    begins, ends = (datetime.combine(d, time(), zone) for d in (since, until + timedelta(days=1)))
    with sources.store.read() as session:
        found = audit_log.of_acts(session, acts, [], since=begins, until=ends)
        retired = audit_log.emptied(session, acts, since=begins, until=ends)
        names = {p.email: p.name for p in people.everyone(session)}
    lines = tuple(_line(sources, event, names) for event in found[:most])
    return Changes(since, until, lines, retired, len(found) - len(lines), str(zone))


def _line(sources: Sources, event: AuditEvent, names: Mapping[str, str]) -> Change:
    through = str(event.detail.get("as", ""))
    return Change(
        event=event.id,
        at=event.at,
        person=event.person,
        name=names.get(event.person) or audit.system_name(event.person) or event.person,
        through=names.get(through, through),
        said=audit.act_words(event.act),
        of=event.resource,
        of_name=names.get(event.resource, ""),
        steps=tuple(_steps(sources, event)),
    )


def _steps(sources: Sources, event: AuditEvent) -> list[str]:
    """The details of a change as "what: before → after"; what was given to somebody new has nothing before it."""
    policy, said = sources.workspace.access, []
    for key, value in event.detail.items():
        if key in HIDDEN or value in ("", None, [], {}):
            continue
        if isinstance(value, list):
            text = ", ".join(str(v) for v in value)
            said += [str(v) for v in value] if key == "changes" else [f"{_label(sources, key)}: {text}"]
        elif key == "role" and value in policy.roles:
            said.append(f"Role: {policy.roles[str(value)].label}")
        else:
            said.append(f"{_label(sources, key)}: {value}")
    return said


def _label(sources: Sources, key: str) -> str:
    about = sources.workspace.access.attributes.get(key)
    said = about.label if about else key.replace("_", " ")
    return said[:1].upper() + said[1:]
