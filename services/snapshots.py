"""Which published version of a dataset pages read, how fresh it is, and what is wrong with newer files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from data import publications
from data.definitions import Dataset, LakeFile
from data.periods import day_of
from data.questions import Table
from data.tables import Publication
from services import wording
from services.access import Viewer
from services.errors import NotReady
from services.sources import Sources


@dataclass(frozen=True)
class Snapshot:
    """A published version. ``newest_day`` is the last business day it speaks of, None without a time column.

    ``stale_reason`` is a sentence where the data are older than promised or a file is held back.
    """

    dataset: str
    table: Table
    rows: int
    newest: datetime | None
    newest_day: date | None
    published_at: datetime
    stale: bool
    stale_reason: str


@dataclass(frozen=True)
class Published:
    """All published datasets at one moment. ``today`` is the business day of the workspace's now.

    ``missing`` says in a sentence why a dataset is not published yet.
    """

    snapshots: Mapping[str, Snapshot]
    missing: Mapping[str, str]
    today: date


def snapshot(viewer: Viewer | None, sources: Sources, dataset: str) -> Snapshot:
    """The current version of a dataset; ``NotReady`` before its first publication.

    Facts of a dataset (not its rows) are the same for every viewer; the worker asks without one.
    """
    found = published(sources)
    if dataset not in found.snapshots:
        raise NotReady(found.missing[dataset], next_step="It appears here when it is.")
    return found.snapshots[dataset]


def published(sources: Sources) -> Published:
    """The current version of every dataset, from one look at the app database."""
    with sources.store.read() as session:
        current = publications.all_current(session)
        held = publications.open_quarantine(session)
    lake = sources.workspace.lake
    days = {name: _newest_day(lake, lake.datasets[name], p) for name, p in current.items() if name in lake.datasets}
    newest = [day for day in days.values() if day]
    real = day_of(sources.clock(), lake.timezone)
    today = max(newest, default=real) if lake.clock == "data" else real
    snapshots, missing = {}, {}
    for name, about in lake.datasets.items():
        mine = [q for q in held if q.dataset == name]
        if name in current:
            snapshots[name] = _snapshot(about, current[name], held=bool(mine), day=days[name], today=today)
        else:
            missing[name] = f"{about.label} is not published yet." + (" Its file is held back." if mine else "")
    return Published(snapshots, missing, today)


def _snapshot(about: Dataset, found: Publication, *, held: bool, day: date | None, today: date) -> Snapshot:
    """Why a file is held back may repeat one of its values: that is for the pages of those who look after the data."""
    reasons = [f"A newer file of {about.label} is held back. The last good version serves on."] if held else []
    if about.freshness is not None and day is not None and (today - day).days > about.freshness:
        reasons.append(f"{about.label} ends on {wording.day(day)}; it should be at most {about.freshness} days old.")
    return Snapshot(
        dataset=found.dataset,
        table=Table(found.dataset, found.version),
        rows=found.rows,
        newest=found.newest,
        newest_day=day,
        published_at=found.published_at,
        stale=bool(reasons),
        stale_reason=" ".join(reasons),
    )


def _newest_day(lake: LakeFile, about: Dataset, found: Publication) -> date | None:
    """A date has no zone: its midnight in UTC must not become the day before."""
    if found.newest is None:
        return None
    is_date = str(found.columns.get(about.time or "", "")).upper() == "DATE"
    return found.newest.astimezone(UTC).date() if is_date else day_of(found.newest, lake.timezone)
