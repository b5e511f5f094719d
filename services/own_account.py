"""A person's own account: their open sessions, and their password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from data import identities, sessions, tickets
from services import audit, passwords, sign_in, sign_in_limits
from services.access import Viewer, require_own_eyes
from services.accounts import person_of
from services.errors import InvalidField
from services.live_sessions import first_step, hash_of, is_alive
from services.sources import Sources

BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True)
class SessionLine:
    """A signed-in browser as its owner reads it. ``key`` is the start of the hash that the database keeps."""

    key: str
    browser: str
    address: str
    since: datetime
    seen_at: datetime
    is_this: bool


@dataclass(frozen=True)
class OwnAccount:
    """What a person's own page needs beside the policy: open sessions, and what holds for the password."""

    sessions: tuple[SessionLine, ...]
    must_choose: bool
    may_choose: bool
    provided: bool = False


def own_account(viewer: Viewer, sources: Sources) -> OwnAccount:
    """The viewer's open sessions, this one first, and what holds for their password."""
    require_own_eyes(viewer)
    mine = hash_of(viewer.session_id)
    with sources.store.read() as session:
        rows = [r for r in sessions.not_ended(session, viewer.person_id) if is_alive(sources, r)]
        person, this = person_of(session, viewer.person_id), sessions.live(session, mine)
        provided = identities.is_provided(session, viewer.person_id)
    lines = [
        SessionLine(
            r.id_hash[:12], browser_words(r.user_agent), r.address, r.created_at, r.last_seen_at, r.id_hash == mine
        )
        for r in rows
    ]
    lines.sort(key=lambda line: (not line.is_this, -line.seen_at.timestamp()))
    return OwnAccount(
        tuple(lines),
        must_choose=first_step(sources, person, this.method if this else "password") == "password",
        may_choose=not person.demo and not provided,
        provided=provided,
    )


def end_other_sessions(viewer: Viewer, sources: Sources, key: str = "") -> int:
    """End one of the viewer's other sessions, or all of them; this one stays. Gives how many ended."""
    require_own_eyes(viewer)
    at, mine = sources.clock(), hash_of(viewer.session_id)
    with sources.store.begin() as session:
        others = [r for r in sessions.not_ended(session, viewer.person_id) if r.id_hash != mine]
        ending = [r for r in others if not key or r.id_hash.startswith(key)] if len(key) in (0, 12) else []
        for row in ending:
            sessions.end(session, row.id_hash, at)
        if not key:
            tickets.end_of_person(session, viewer.person_id, at)
        if ending:
            audit.write(session, sources, viewer, "session.end", detail={"sessions": len(ending)})
    return len(ending)


def change_password(viewer: Viewer, sources: Sources, *, current: str, new: str, again: str) -> None:
    """Set one's own password, proven by the current one. Other sessions end; this one goes on."""
    require_own_eyes(viewer)
    at, count = sources.clock(), sign_in_limits.of_both(viewer.email, "own account")
    with sources.store.read() as session:
        person = person_of(session, viewer.person_id)
        waiting = sign_in_limits.wait(session, count, at) > 0
        provided = identities.is_provided(session, viewer.person_id)
    if provided:
        raise InvalidField("new", "You sign in through the identity provider: there is no password here.")
    if person.demo:
        raise InvalidField("new", "The password of a demo account cannot be changed.")
    if waiting:
        raise InvalidField("current", "There were too many attempts. Try again in a few minutes.")
    if not passwords.verify(person.password_hash, current):
        sign_in.failed(sources, viewer.email, (count,), at=at, waiting=False, act="password.change")
        raise InvalidField("current", "This is not your current password.")
    passwords.check(sources, person, current=current, new=new, again=again)
    made = passwords.hashed(new)
    with sources.store.begin() as session:
        changed = person_of(session, viewer.person_id)
        session.refresh(changed, with_for_update=True)
        mine = sessions.live(session, hash_of(viewer.session_id))
        if changed.password_hash != person.password_hash or mine is None:
            raise InvalidField("current", "Your password was changed, or your session ended, a moment ago.")
        sessions.forgive(session, count.key)
        changed.password_hash, changed.password_once = made, False
        sessions.end_others(session, viewer.person_id, hash_of(viewer.session_id), at)
        tickets.end_of_person(session, viewer.person_id, at)
        audit.write(session, sources, viewer, "password.change")


def browser_words(user_agent: str) -> str:
    """A browser's own description in a few words: "Firefox on Linux"."""
    browser = next((word for mark, word in BROWSERS if mark in user_agent), "Another browser")
    system = next((word for mark, word in SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser
