"""Which published version of a dataset pages read, how fresh it is, and what is wrong with newer files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from data import publications
from data.questions import Table
from services import wording
from services.access import Viewer
from services.errors import NotReady
from services.sources import Sources, now


@dataclass(frozen=True)
class Snapshot:
    """A published version. ``stale_reason`` is a sentence where the data are older than promised or a file is held back."""

    dataset: str
    table: Table
    rows: int
    newest: datetime | None
    published_at: datetime
    stale: bool
    stale_reason: str


def snapshot(viewer: Viewer | None, sources: Sources, dataset: str) -> Snapshot:
    """The current version of a dataset; ``NotReady`` before its first publication.

    Facts of a dataset (not its rows) are the same for every viewer; the worker asks without one.
    """
    about = sources.workspace.lake.datasets[dataset]
    with sources.store.read() as session:
        found = publications.current(session, dataset)
        held = publications.open_quarantine(session, dataset)
    if found is None:
        reason = f" {held[0].reason}" if held else ""
        raise NotReady(f"{about.label} is not published yet.{reason}", next_step="It appears here when it is.")
    reasons = [f"A newer file of {about.label} is held back: {q.reason} The last good version serves on." for q in held]
    if about.freshness is not None and found.newest is not None:
        age = now(sources) - found.newest
        if age > timedelta(days=about.freshness):
            reasons.append(
                f"{about.label} ends on {wording.day(found.newest)}; it should be at most {about.freshness} days old."
            )
    return Snapshot(
        dataset=dataset,
        table=Table(dataset, found.version),
        rows=found.rows,
        newest=found.newest,
        published_at=found.published_at,
        stale=bool(reasons),
        stale_reason=" ".join(reasons),
    )
