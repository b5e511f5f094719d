"""How much one person may take: files in an hour, rows in a day, moves of what-ifs in a minute (``access.yml``).

All web processes share the counts, which stand in the app database by short stretches of time. A limit binds any hour,
day or minute, not those of the clock: a stretch counts as long as any part of it may lie inside. So nobody ever takes
more, and whoever waits, waits one stretch longer at most. A clock set back keeps nobody out for longer than twice that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from data import usage
from services import audit, logs
from services.access import Viewer
from services.brakes import Stream
from services.errors import TooMuch, Unavailable
from services.sources import Sources

log = logs.logger("lakelight.limits")
Thing = Literal["exports", "rows", "moves"]
LOTS = 20
"""A process settles its moves when it has a twentieth of the limit: by so much each may exceed it, and no more."""
HINT = 0.8
BUSY = "Exports cannot be counted now, so none is made."


@dataclass(frozen=True)
class Limit:
    """At most so much of a thing in any ``window``, counted by stretches of ``width``."""

    thing: Thing
    most: int
    window: timedelta
    width: timedelta

    def stretch(self, at: datetime) -> int:
        """The number of the stretch that a moment lies in."""
        return math.floor(at.timestamp() / self.width.total_seconds())

    def counts(self, stretch: int, at: datetime) -> bool:
        """Does a stretch count at this moment? One to come does up to a window ahead: the clock went back."""
        return abs(self.stretch(at) - stretch) <= self.window // self.width

    def free_at(self, used: Mapping[int, int], amount: int) -> datetime | None:
        """When this much more is possible, given what was used by stretch; None where it never is."""
        left = sum(used.values()) + amount - self.most
        for stretch in sorted(used):
            if left <= 0:
                break
            left -= used[stretch]
            ends = (stretch + 1) * self.width.total_seconds()
            free = datetime.fromtimestamp(ends, UTC) + self.window
        return free if amount <= self.most else None

    def key(self, person_id: int, stretch: int) -> str:
        """Under which a stretch of a person is kept."""
        return f"{self.thing}:{person_id}:{stretch}"


def limit(sources: Sources, thing: Thing) -> Limit:
    """The limit of a thing in this workspace."""
    said = sources.workspace.access.limits
    return {
        "exports": Limit("exports", said.exports_an_hour, timedelta(hours=1), timedelta(minutes=5)),
        "rows": Limit("rows", said.rows_a_day, timedelta(days=1), timedelta(hours=1)),
        "moves": Limit("moves", said.moves_a_minute, timedelta(minutes=1), timedelta(seconds=5)),
    }[thing]


def take(session: Session, sources: Sources, viewer: Viewer, thing: Thing, amount: int = 1) -> None:
    """Count this much for the viewer in the transaction of the act. Raises ``TooMuch``, and then nothing is counted."""
    bound, at = limit(sources, thing), sources.clock()
    usage.wait_for_turn(session, viewer.person_id)
    used = _used(session, bound, viewer, at)
    if sum(used.values()) + amount > bound.most:
        raise _refusal(bound, used, amount, at)
    if amount:
        _add(session, bound, viewer, stretch=bound.stretch(at), amount=amount)


@contextmanager
def counted(
    viewer: Viewer, sources: Sources, amounts: Mapping[Thing, int], *, act: str, resource: str
) -> Iterator[Session]:
    """A transaction that counts before its act is written. Who may not gets ``TooMuch``, which stands in the log; where
    counting itself fails nothing is made, and ``Unavailable`` says so.
    """
    try:
        with sources.store.begin() as session:
            for thing, amount in amounts.items():
                take(session, sources, viewer, thing, amount)
            yield session
    except TooMuch as refused:
        denied(viewer, sources, act, resource, refused)
        raise
    except SQLAlchemyError as problem:
        log.warning("limits cannot be counted: %s", type(problem).__name__)
        raise Unavailable(BUSY, next_step="Try again in a minute.") from problem


def stream(viewer: Viewer, sources: Sources, act: str, resource: str) -> Stream:
    """Room for a file that streams, to be filled by ``Stream.fill``. A process lets two be open for each person."""
    files = sources.brakes.files
    close = files.take(viewer.person_id)
    if close is None:
        refused = TooMuch(
            f"{files.most} of your files are being made already.", next_step="Wait until one is done.", seconds=30
        )
        denied(viewer, sources, act, resource, refused)
        raise refused
    return Stream(close)


def move(viewer: Viewer, sources: Sources) -> None:
    """Count one move of a what-if in this process, and settle with the others now and then. Raises ``TooMuch``.

    Where the database cannot be asked, the process counts alone, under the same limit.
    """
    bound, at, moves = limit(sources, "moves"), sources.clock(), sources.brakes.moves
    lot = max(1, bound.most // LOTS)
    _settle(viewer, sources, bound, moves.to_settle(viewer.person_id, at, lot=lot))
    for last in (False, True):
        used = moves.take(
            viewer.person_id, stretch=bound.stretch(at), counts=lambda s: bound.counts(s, at), most=bound.most
        )
        if not used:
            return
        again = None if last else moves.to_settle(viewer.person_id, at, lot=lot, refused=True)
        if again is None:
            refused = _refusal(bound, used, 1, at)
            denied(viewer, sources, "what_if.refused", "moves", refused)
            raise refused
        _settle(viewer, sources, bound, again)


def rows_left(viewer: Viewer, sources: Sources) -> int | None:
    """How many rows may still be taken today, once most of them are taken; None before that."""
    bound = limit(sources, "rows")
    try:
        with sources.store.read() as session:
            used = sum(_used(session, bound, viewer, sources.clock()).values())
    except SQLAlchemyError:
        return None
    return max(0, bound.most - used) if used >= HINT * bound.most else None


def denied(viewer: Viewer, sources: Sources, act: str, resource: str, refused: TooMuch) -> None:
    """Write a refusal into the log, once a minute; a log that cannot be written now is no way in."""
    try:
        audit.denied(viewer, sources, act, resource, refused.sentence)
    except SQLAlchemyError as problem:
        log.warning("a refusal could not be written: %s", type(problem).__name__)


def forget(sources: Sources) -> None:
    """Drop counts that bind nobody any more."""
    at = sources.clock()
    with sources.store.begin() as session:
        for thing in ("exports", "rows", "moves"):
            span = 2 * limit(sources, thing).window
            usage.forget(session, thing, before=at - span, after=at + span)


def _settle(viewer: Viewer, sources: Sources, bound: Limit, moves: Mapping[int, int] | None) -> None:
    """Write this process's moves and read what all of them made; without moves of its own nothing is written."""
    if moves is None:
        return
    at, tally = sources.clock(), sources.brakes.moves
    try:
        with sources.store.begin() if moves else sources.store.read() as session:
            if moves:
                usage.wait_for_turn(session, viewer.person_id)
            for stretch, amount in moves.items():
                _add(session, bound, viewer, stretch=stretch, amount=amount)
            shared = _used(session, bound, viewer, at)
    except SQLAlchemyError as problem:
        tally.failed(viewer.person_id, at)
        log.warning("moves are counted in this process alone: %s", type(problem).__name__)
    else:
        tally.settled(viewer.person_id, at, moves=moves, shared=shared)


def _used(session: Session, bound: Limit, viewer: Viewer, at: datetime) -> dict[int, int]:
    """What this person used, by the stretches that count now."""
    now, around = bound.stretch(at), bound.window // bound.width
    keys = {bound.key(viewer.person_id, s): s for s in range(now - around, now + around + 1)}
    return {keys[key]: amount for key, amount in usage.amounts(session, keys).items()}


def _add(session: Session, bound: Limit, viewer: Viewer, *, stretch: int, amount: int) -> None:
    begins_at = datetime.fromtimestamp(stretch * bound.width.total_seconds(), UTC)
    usage.add(session, bound.key(viewer.person_id, stretch), amount, begins_at)


def _refusal(bound: Limit, used: Mapping[int, int], amount: int, at: datetime) -> TooMuch:
    """What is refused, and when it is possible again."""
    free = bound.free_at(used, amount)
    if free is None:
        return TooMuch(
            f"A file may have {bound.most:,} rows at most, this one would have {amount:,}.",
            next_step="Narrow the list first.",
            seconds=math.ceil(bound.window.total_seconds()),
        )
    seconds = max(1, math.ceil((free - at).total_seconds()))
    left = max(0, bound.most - sum(used.values()))
    files = "file" if bound.most == 1 else "files"
    sentence = {
        "exports": f"You took {bound.most:,} {files} in the last hour, which is as many as anybody may.",
        "rows": f"Of the {bound.most:,} rows that anybody may take in a day you have {left:,} left.",
        "moves": f"You moved inputs {bound.most:,} times in the last minute, which is as often as anybody may.",
    }[bound.thing]
    again = f"It is possible again in {duration(seconds)}."
    narrower = f"Narrow the list, or wait: all {amount:,} are possible in {duration(seconds)}."
    return TooMuch(sentence, next_step=narrower if bound.thing == "rows" and left else again, seconds=seconds)


def duration(seconds: int) -> str:
    """So long in words, rounded up: "12 seconds", "1 minute", "5 hours"."""
    for size, word in ((3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size or size == 1:
            number = math.ceil(seconds / size)
            return f"{number} {word}{'' if number == 1 else 's'}"
    return ""
