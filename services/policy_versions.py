"""Each policy that was ever in force is kept: the workspace's files, from the start that first found them so.

The four YAML files hold definitions only. No secret stands in them (secrets are settings, read from the environment),
so that they can be kept and shown.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy.exc import SQLAlchemyError

from data import policy_log
from data import workspace as files
from data.definitions import Workspace
from data.tables import PolicyVersion
from services import audit, policy_changes
from services.settings import Settings
from services.sources import Sources, open_sources

log = logging.getLogger("lakelight.policy")
FIRST = "This is the first policy that was kept."
UNREADABLE = "What it means cannot be told: this Lakelight cannot read the files that were in force before."


@dataclass(frozen=True)
class Kept:
    """A policy that was in force from a moment on. ``workspace`` is None where it cannot be read any more."""

    id: int
    at: datetime
    digest: str
    files: Mapping[str, str]
    workspace: Workspace | None


def keep(sources: Sources) -> bool:
    """Keep the policy of this process where it is not the newest one already, with an event that says what changed.

    Many processes start at once: one of them keeps it, the others find it.
    """
    texts = files.texts_of(sources.settings.workspace)
    digest = sources.workspace.fingerprint
    if files.fingerprint(texts) != digest:
        return False  # the files were changed since this process read them: the next start keeps them
    with sources.store.read() as session:
        known = policy_log.newest(session)
        if known is not None and known.digest == digest:
            return False
    with sources.store.begin() as session:
        known = policy_log.newest(session)
        if known is not None and known.digest == digest:
            return False
        policy_log.add(session, at=sources.clock(), digest=digest, files=texts)
        changed = [name for name in texts if known is None or known.files.get(name) != texts[name]]
        detail = {"files": changed, "changes": list(_changes(known, sources.workspace))}
        audit.write(session, sources, None, "policy.change", digest[:12], detail=detail, by="lakelight")
    return True


def start(settings: Settings) -> Sources:
    """The sources of a process that serves or works: its policy is kept, as the one in force from now on.

    A database that is not ready yet must not stop the start, which says so itself.
    """
    sources = open_sources(settings)
    try:
        keep(sources)
    except (SQLAlchemyError, OSError):
        log.exception("the policy could not be kept; the next start tries again")
    return sources


def read(version: PolicyVersion) -> Kept:
    """A kept policy with its files read again."""
    return Kept(version.id, version.at, version.digest, version.files, _parsed(tuple(sorted(version.files.items()))))


@lru_cache(maxsize=16)
def _parsed(texts: tuple[tuple[str, str], ...]) -> Workspace | None:
    """Names of actions and pages are not compared: those of an older Lakelight may be gone."""
    try:
        return files.parse_workspace({name: dict(texts)[name] for name in files.FILES if name in dict(texts)})
    except files.WorkspaceMistakes:
        return None


def _changes(known: PolicyVersion | None, after: Workspace) -> tuple[str, ...]:
    if known is None:
        return (FIRST,)
    before = read(known).workspace
    return (UNREADABLE,) if before is None else policy_changes.sentences(before, after)
