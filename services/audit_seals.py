"""The audit log sealed and verified: the worker seals, and anchors the chain in a file outside the database.

A line of the file is a position and the chain's value there. It is only ever added to; an operator may point it at a
disk that the app database's administrators cannot write to.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from data import audit_chain
from data.audit_chain import Anchor
from services.access import Viewer, require
from services.errors import Unavailable
from services.sources import Sources

LINE = re.compile(r"([1-9][0-9]{0,15}) ([0-9a-f]{64})")


@dataclass(frozen=True)
class Verified:
    """How far the chain reaches, and the first record that is not what it was; "" where there is none.

    ``anchor`` is the chain's value at the newest anchor.
    """

    sealed: int
    anchored: int
    problem: str
    anchor: str = ""


def seal(sources: Sources) -> int:
    """Seal what was committed and anchor the chain's new end; gives its position, 0 where there was nothing to seal."""
    with sources.store.read() as session:
        if not audit_chain.waits(session):
            return 0
    with sources.store.begin() as session:
        end = audit_chain.seal(session, sources.clock())
    if end is None:
        return 0
    _anchor(sources, end)
    return end.position


def verify(viewer: Viewer, sources: Sources) -> Verified:
    """Walk the whole chain and compare it with the anchors. Raises ``Unavailable`` where the file cannot be read."""
    require(viewer, "audit:read")
    anchors = _anchors(sources)
    with sources.store.read() as session:
        end = audit_chain.newest(session)
        broken = audit_chain.first_broken(session, anchors, sources.clock())
    problem = broken.sentence if broken else ""
    if not problem and end is not None and not anchors:
        gone = f"The anchors in {sources.settings.audit_anchor} are gone"
        problem = f"{gone}: nothing shows that the chain was not made anew."
    newest = max(anchors, key=lambda a: a.position, default=None)
    reach, chain = (newest.position, newest.chain) if newest else (0, "")
    return Verified(end.position if end else 0, reach, problem, chain)


def _anchor(sources: Sources, end: Anchor) -> None:
    with sources.settings.audit_anchor.open("a+b") as out:
        cut = out.tell() > 0 and (out.seek(-1, os.SEEK_END), out.read(1))[1] != b"\n"
        out.write(b"\n" * cut + f"{end.position} {end.chain}\n".encode())
        out.flush()
        os.fsync(out.fileno())


def _anchors(sources: Sources) -> list[Anchor]:
    """The anchors in the file. A line that a crash cut off says nothing; it can only be the last one."""
    file = sources.settings.audit_anchor
    try:
        lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
    except (OSError, UnicodeDecodeError) as problem:
        said = f"The anchors in {file} cannot be read."
        raise Unavailable(said, next_step="Look at its rights and its disk.") from problem
    read = [LINE.fullmatch(line) for line in lines]
    return [Anchor(int(one[1]), one[2]) for one in read if one]
