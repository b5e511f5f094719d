"""How long the words of an event are kept, by its class; what is over its time is emptied, never removed.

``access.yml`` names days by class. The worker looks once a day, and `python cli.py audit retain` by hand. An emptied
event keeps its time, its act, its person's number and whether it was allowed, and the chain goes on holding it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from data import audit_emptied, audit_log
from data.definitions import EventClass
from services import audit
from services.sources import Sources

ACT_CLASSES: Mapping[str, EventClass] = {
    "sign_in": "sessions",
    "sign_out": "sessions",
    "session.end": "sessions",
    "session.prove": "sessions",
    "password.change": "sessions",
    "password.choose": "sessions",
    "second_factor.add": "sessions",
    "second_factor.remove": "sessions",
    "page.open": "reading",
    "callback.run": "reading",
    "leads.open": "reading",
    "leads.read": "reading",
    "lead.open": "reading",
    "what_if.open": "reading",
    "what_if.moves": "reading",
    "what_if.refused": "reading",
    "policy.why": "reading",
    "audit.ask": "reading",
    "policy.past": "reading",
    "policy.try": "reading",
    "person.view": "reading",
    "person.view_end": "reading",
    "file.take": "taking",
    "leads.export": "taking",
    "evidence.take": "taking",
    "policy.take": "taking",
    "person.add": "people",
    "person.change": "people",
    "person.enable": "people",
    "person.disable": "people",
    "person.sign_out": "people",
    "person.password_link": "people",
    "person.second_factor": "people",
    "person.erase": "people",
    "policy.change": "people",
    "person.review": "people",
    "person.arrive": "people",
    "person.refresh": "people",
    "person.link": "people",
    "job.start": "work",
    "job.cancel": "work",
    "job.refused": "work",
    "dataset.publish": "work",
    "registry.sync": "work",
    "model.admit": "work",
    "model.refuse": "work",
    "scores.publish": "work",
    "audit.retain": "work",
}
"""Each act's class; a new act needs one here."""
CLASS_WORDS: Mapping[EventClass, str] = {
    "sessions": "Signing in and out",
    "reading": "Opening pages and reading rows",
    "taking": "Taking files away",
    "people": "Changing people and the policy",
    "work": "Publishing, admitting and scoring",
}
NEVER = audit_emptied.NEVER
AT_ONCE = 1_000


@dataclass(frozen=True)
class Retained:
    """A class of events, the day before which its words are gone, and how many events were emptied now."""

    kind: EventClass
    before: date
    events: int


def acts_of(kind: EventClass) -> list[str]:
    """The acts of a class whose events may be emptied."""
    return sorted(act for act, found in ACT_CLASSES.items() if found == kind and act not in NEVER)


def retain(sources: Sources, *, by: str, say: Callable[[str], None] = lambda _: None) -> tuple[Retained, ...]:
    """Empty what is over its time, one audit event for each class where there is any.

    The audit event and the first events are one transaction; many more follow in small ones, so that nobody waits. A
    run that is cut off is gone on with by the next one.
    """
    today, made = sources.clock().astimezone(UTC).date(), []
    for kind, days in sources.workspace.access.retention.items():
        done = _class(sources, kind, today - timedelta(days=days), by=by)
        if done.events:
            many = "1 event" if done.events == 1 else f"{done.events:,} events"
            said = f"{CLASS_WORDS[kind]}: emptied {many} from before {done.before.isoformat()}."
            say(said)
            made.append(done)
    return tuple(made)


def _class(sources: Sources, kind: EventClass, before: date, *, by: str) -> Retained:
    acts, cut = acts_of(kind), audit_emptied.midnight(before)
    with sources.store.begin() as session:
        many = audit_log.count_over(session, acts, cut)
        if not many:
            return Retained(kind, before, 0)
        detail = {"class": kind, "before": before.isoformat(), "acts": acts, "events": many}
        audit.write(session, sources, None, audit_emptied.RETAIN, kind, detail=detail, by=by)
        last = audit_log.empty_over(session, acts, cut, sources.clock(), after=0, limit=AT_ONCE)
    for _ in range(AT_ONCE, many, AT_ONCE):
        with sources.store.begin() as session:
            last = audit_log.empty_over(session, acts, cut, sources.clock(), after=last, limit=AT_ONCE)
    return Retained(kind, before, many)
