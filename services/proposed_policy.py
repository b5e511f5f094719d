"""A proposed ``access.yml`` as somebody typed it: bounded, then read and compared with the other files as at start.

Nothing is applied by it. The policy in force stands in git and is read at start.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from data import policy_log, workspace_bounds
from data import workspace as files
from data.definitions import Workspace
from data.workspace import Mistake
from services import audit
from services.access import ACTIONS, ADDRESSES, Viewer, require, require_own_eyes
from services.errors import InvalidQuery, Unavailable
from services.policy import FILE
from services.sources import Sources

MOST_BYTES = 256_000
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Proposed:
    """What was typed, and the workspace that it makes with the other files in force; None where it has mistakes."""

    text: str
    digest: str
    workspace: Workspace | None
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True)
class Taken:
    """The file to put into git: exactly what was typed."""

    filename: str
    content: bytes


def current(viewer: Viewer, sources: Sources) -> str:
    """The text of the ``access.yml`` that is in force."""
    require(viewer, "policy:read")
    return in_force(sources)[FILE]


def take(viewer: Viewer, sources: Sources, text: object) -> Taken:
    """The proposed file to take away, if a start would accept it. Nobody takes it from another's view."""
    require(viewer, "policy:read")
    require_own_eyes(viewer)
    proposed = read(sources, text)
    if proposed.workspace is None:
        many = "a mistake" if len(proposed.mistakes) == 1 else f"{len(proposed.mistakes):,} mistakes"
        raise InvalidQuery(f"The file has {many}: a start would refuse it.", next_step="Show what would change first.")
    audit.record(viewer, sources, "policy.take", FILE, detail={"digest": proposed.digest})
    return Taken(FILE, proposed.text.encode())


def in_force(sources: Sources) -> Mapping[str, str]:
    """The texts of the files that this process works by: on the disk, or kept where the disk holds others already."""
    digest = sources.workspace.fingerprint
    try:
        texts: Mapping[str, str] = files.texts_of(sources.settings.workspace)
    except (OSError, UnicodeDecodeError):
        texts = {}
    if texts and files.fingerprint(texts) == digest:
        return texts
    with sources.store.read() as session:
        kept = policy_log.newest(session)
    if kept is None or kept.digest != digest:
        raise Unavailable(
            "The workspace's files were changed since Lakelight read them.", next_step="Start it anew, then try again."
        )
    return kept.files


def read(sources: Sources, text: object) -> Proposed:
    """The proposed policy, or all its mistakes. Raises ``InvalidQuery`` for what is no text that a file may hold.

    A browser's form sends line ends of its own; a text area knows one kind only.
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidQuery("The file is empty.", next_step="Begin with the policy in force: open this page anew.")
    said = text.replace("\r\n", "\n")
    size = len(said.encode(errors="replace"))
    if size > MOST_BYTES:
        raise InvalidQuery(f"The file must have at most 256 kB, got {size / 1000:,.0f} kB.")
    strange = CONTROL.search(said)
    if strange:
        line = said.count("\n", 0, strange.start()) + 1
        raise InvalidQuery(f"Line {line} holds a character that no text has.", next_step="Type this line anew.")
    digest = hashlib.sha256(said.encode()).hexdigest()
    beyond = workspace_bounds.beyond(said)
    if beyond is not None:
        return Proposed(said, digest, None, (Mistake(FILE, beyond[0], "", "", beyond[1]),))
    try:
        made = files.parse_workspace({**in_force(sources), FILE: said}, actions=ACTIONS, addresses=ADDRESSES)
    except files.WorkspaceMistakes as wrong:
        return Proposed(said, digest, None, _in_order(wrong.mistakes))
    return Proposed(said, digest, made, ())


def _in_order(mistakes: Iterable[Mistake]) -> tuple[Mistake, ...]:
    return tuple(sorted(mistakes, key=lambda m: (m.file, m.line)))
