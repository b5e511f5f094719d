"""Access reviews: whose access nobody has looked at for long, what changed since, and "it is still right".

A review holds for what the reviewer saw: whoever was changed meanwhile is looked at again. Nobody reviews themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from data import people
from data import reviews as review_log
from data.definitions import AccessFile
from data.tables import AccessReview, Person
from services import access, accounts, audit
from services.access import Viewer, require, require_own_eyes
from services.errors import InvalidField, InvalidQuery
from services.sources import Sources

REVIEW_EVERY = timedelta(days=90)
"""Access that nobody has looked at for longer waits for a review."""
LONGEST_NOTE = 500
STILL_RIGHT = "right"


@dataclass(frozen=True)
class Reviewed:
    """One person's access and its last review. ``due`` says why it waits for one, "" where it does not.

    ``changed`` says what is different since the last review: (what, "before → after"). ``seen`` marks the state that
    was looked at.
    """

    id: int
    name: str
    email: str
    role: str
    held: tuple[tuple[str, str], ...]
    since: datetime
    at: datetime | None
    by: str
    note: str
    changed: tuple[tuple[str, str], ...]
    due: str
    seen: str
    is_self: bool


@dataclass(frozen=True)
class Reviews:
    """Everybody who may sign in, those without a review first. ``disabled`` have no access that could be reviewed."""

    people: tuple[Reviewed, ...]
    due: int
    disabled: int
    days: int
    may_review: bool
    may_change: bool
    zone: str


def waiting(viewer: Viewer, sources: Sources) -> Reviews:
    """Whose access waits for a review, and everybody else's last one."""
    require(viewer, "audit:read")
    with sources.store.read() as session:
        everyone = people.everyone(session)
        last = review_log.newest(session)
    names = {p.id: p.name for p in everyone}
    policy, now = sources.workspace.access, sources.clock()
    lines = [_line(p, last.get(p.id), names, policy=policy, now=now, viewer=viewer) for p in everyone if p.active]
    lines.sort(key=_order)
    return Reviews(
        people=tuple(lines),
        due=sum(bool(line.due) for line in lines),
        disabled=sum(not p.active for p in everyone),
        days=REVIEW_EVERY.days,
        may_review=access.decide(viewer, "people:review").allowed,
        may_change=access.decide(viewer, "people:manage").allowed,
        zone=sources.workspace.lake.timezone,
    )


def confirm(viewer: Viewer, sources: Sources, person_id: int, *, seen: str, note: str = "") -> None:
    """Confirm that this access is still right. ``seen`` is the state the reviewer saw: another one is not confirmed."""
    require(viewer, "people:review")
    require_own_eyes(viewer)
    said = " ".join(note.split())
    if len(said) > LONGEST_NOTE:
        raise InvalidField("note", f"A note must have at most {LONGEST_NOTE} characters.", next_step="Shorten it.")
    if person_id == viewer.person_id:
        raise InvalidQuery("Nobody reviews their own access.", next_step="Ask another reviewer.")
    with sources.store.begin() as session:
        person = accounts.person_of(session, person_id)
        if seen != state_mark(person):
            said_ = f"{person.name} was changed meanwhile."
            raise InvalidQuery(said_, next_step="Look at the access as it is now, and confirm that.")
        if not person.active:
            raise InvalidQuery(
                f"{person.name} is disabled and has no access.", next_step="There is nothing to confirm."
            )
        at = sources.clock()
        review_log.add(session, person, reviewer_id=viewer.person_id, at=at, outcome=STILL_RIGHT, note=said)
        role = sources.workspace.access.roles.get(person.role)
        detail = {"role": role.label if role else person.role} | ({"note": said} if said else {})
        audit.write(session, sources, viewer, "person.review", person.email, detail=detail)


def state_mark(person: Person) -> str:
    """A short mark of what a person may sign in as; it changes with role, attributes and whether they may come in."""
    held = sorted((k, sorted(v)) for k, v in person.attributes.items() if v)
    return hashlib.sha256(repr((person.role, held, person.active)).encode()).hexdigest()[:16]


def changes(
    policy: AccessFile, before: AccessReview, role: str, attributes: Mapping[str, list[str]]
) -> list[tuple[str, str]]:
    """What differs between a review and a role with attributes, in words."""
    label = {name: r.label for name, r in policy.roles.items()}
    steps = [("Role", label.get(before.role, before.role), label.get(role, role))]
    for key in dict.fromkeys((*policy.attributes, *before.attributes, *attributes)):
        about = policy.attributes.get(key)
        was, now = (", ".join(sorted(held.get(key) or ())) or "none" for held in (before.attributes, attributes))
        steps.append((about.label if about else key, was, now))
    return [(what, f"{was} → {now}") for what, was, now in steps if was != now]


def due_words(now: datetime, last: AccessReview | None, changed: int) -> str:
    """Why access waits for a review, as a sentence; "" where it does not."""
    if last is None:
        return "Nobody has reviewed it yet."
    if changed:
        return "It changed since it was reviewed."
    age = now - last.at
    return f"The last review is {age.days} days old." if age > REVIEW_EVERY else ""


def _line(
    person: Person,
    last: AccessReview | None,
    names: Mapping[int, str],
    *,
    policy: AccessFile,
    now: datetime,
    viewer: Viewer,
) -> Reviewed:
    changed = tuple(changes(policy, last, person.role, person.attributes)) if last else ()
    role = policy.roles.get(person.role)
    held = {k: v for k, v in person.attributes.items() if v}
    return Reviewed(
        id=person.id,
        name=person.name,
        email=person.email,
        role=role.label if role else person.role,
        held=tuple(
            (policy.attributes[k].label if k in policy.attributes else k, ", ".join(v)) for k, v in held.items()
        ),
        since=person.created_at,
        at=last.at if last else None,
        by=names.get(last.reviewer_id, "Nobody known") if last else "",
        note=last.note if last else "",
        changed=changed,
        due=due_words(now, last, len(changed)),
        seen=state_mark(person),
        is_self=person.id == viewer.person_id,
    )


def _order(line: Reviewed) -> tuple[int, datetime, str]:
    """Never reviewed first, then what waits, then the rest; the oldest first in each."""
    never = datetime.min.replace(tzinfo=UTC)
    return (0 if line.at is None else 1 if line.due else 2, line.at or never, line.name)
