"""What the data are: every dataset with its grain, freshness and columns, what is invented, and where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from data import catalogue_log, publications
from data.definitions import Dataset, LakeFile, Metric, Workspace
from data.tables import Publication, Quarantined
from services import row_counts, small_cells, wording
from services.access import Viewer, decide, masks, require, rows
from services.errors import NotFound
from services.small_cells import Told, Withheld
from services.snapshots import Snapshot, published
from services.sources import Sources

VERSIONS_SHOWN = 6
TYPE_WORDS: Mapping[str, str] = {
    "string": "Text",
    "integer": "Whole number",
    "number": "Number",
    "boolean": "Yes or no",
    "date": "Day",
    "timestamp": "Time",
}
NEXT_STEP = "Correct the file in the lake; it is checked again by itself."


@dataclass(frozen=True)
class DatasetLine:
    """A dataset in the list. ``state``: "fresh", "stale", "held" (a file is held back) or "missing"."""

    name: str
    label: str
    rows: Told | None
    state: str
    said: str


@dataclass(frozen=True)
class ColumnLine:
    """A column in words. ``source`` says from which dataset it was added; ``filled`` is a share, None where unknown."""

    name: str
    label: str
    kind: str
    unit: str
    privacy: str
    hidden: bool
    invented: bool
    key: bool
    source: str
    description: str
    filled: float | None
    filled_said: str


@dataclass(frozen=True)
class HeldFile:
    """A file that was not published: where, why, since when, and what to do."""

    dataset: str
    label: str
    file: str
    reason: str
    found_at: datetime
    next_step: str
    serving: bool


@dataclass(frozen=True)
class VersionLine:
    """A published version: its number, when it came and how many rows it has."""

    number: int
    published_at: datetime
    rows: Told
    current: bool


@dataclass(frozen=True)
class Use:
    """Something built from a dataset. ``kind`` is "metric" or "model"; ``may_open`` whether this viewer may see it."""

    kind: str
    name: str
    label: str
    note: str
    may_open: bool


@dataclass(frozen=True)
class DatasetDetail:
    """One dataset as a person reads it. ``visible`` are the rows of this viewer, for the ``reason`` given."""

    line: DatasetLine
    description: str
    grain: str
    many: str
    key: tuple[str, ...]
    time: str
    newest: date | None
    promise: str
    visible: int | None
    reason: str
    source: str
    columns: tuple[ColumnLine, ...]
    invented: tuple[str, ...]
    versions: tuple[VersionLine, ...]
    uses: tuple[Use, ...]
    held: tuple[HeldFile, ...]


@dataclass(frozen=True)
class Catalogue:
    """The datasets, the one in focus, what the workspace says of itself, and every file that is held back."""

    name: str
    note: str
    as_of: date
    data_clock: bool
    zone: str
    datasets: tuple[DatasetLine, ...]
    focus: DatasetDetail
    held: tuple[HeldFile, ...]


@dataclass(frozen=True)
class RefusedModel:
    """A registered version that is not used: which, why, and what to do."""

    registered: str
    version: str
    aliases: tuple[str, ...]
    reason: str
    next_step: str


def catalogue(viewer: Viewer, sources: Sources, focus: str = "") -> Catalogue:
    """The catalogue with one dataset in focus: the one asked for, else the first that needs a look, else the first."""
    require(viewer, "data:read")
    lake = sources.workspace.lake
    if focus and focus not in lake.datasets:
        raise NotFound(f"There is no dataset named {focus[:60]}.", next_step="Choose one of the list.")
    now, held = published(sources), _all_held(sources)
    troubled = {h.dataset for h in held}
    found = focus or next((n for n in lake.datasets if n in troubled), next(iter(lake.datasets)))
    with sources.store.read() as session:
        history = publications.history(session, found, VERSIONS_SHOWN)
    lines = {
        name: _line(viewer, sources, name, now.snapshots.get(name), today=now.today, held=name in troubled)
        for name in lake.datasets
    }
    return Catalogue(
        name=lake.name,
        note=lake.note,
        as_of=now.today,
        data_clock=lake.clock == "data",
        zone=lake.timezone,
        datasets=tuple(lines.values()),
        focus=_detail(viewer, sources, lines[found], found=now.snapshots.get(found), history=history, held=held),
        held=held,
    )


def held_files(viewer: Viewer, sources: Sources) -> tuple[HeldFile, ...]:
    """Every file that is held back now."""
    require(viewer, "workspace:check")
    return _all_held(sources)


def refused_models(viewer: Viewer, sources: Sources) -> tuple[RefusedModel, ...]:
    """Registered versions that were refused, with the reason in plain words."""
    require(viewer, "workspace:check")
    with sources.store.read() as session:
        found = [v for v in catalogue_log.versions(session) if v.state == "refused"]
    return tuple(RefusedModel(v.registered, v.version, tuple(v.aliases), v.reason, v.next_step) for v in found)


def _all_held(sources: Sources) -> tuple[HeldFile, ...]:
    datasets = sources.workspace.lake.datasets
    with sources.store.read() as session:
        current = publications.all_current(session)
        open_ = publications.open_quarantine(session)
    return tuple(_held(datasets[q.dataset], q, q.dataset in current) for q in open_ if q.dataset in datasets)


def _line(
    viewer: Viewer, sources: Sources, name: str, found: Snapshot | None, *, today: date, held: bool
) -> DatasetLine:
    lake = sources.workspace.lake
    about = lake.datasets[name]
    if found is None:
        said = "Not published: its file is held back" if held else "Not published yet"
        return DatasetLine(name, about.label, None, "held" if held else "missing", said)
    seen = row_counts.visible(sources, found.table, found.rows, where=rows(viewer, name))
    total = small_cells.of_rows(viewer, sources, name, found.rows, seen=seen, own=True).total
    if held:
        return DatasetLine(name, about.label, total, "held", "A newer file is held back")
    if found.newest_day is None:
        said = f"Published {wording.day(found.published_at.astimezone(ZoneInfo(lake.timezone)))}"
        return DatasetLine(name, about.label, total, "fresh", said)
    if found.stale:
        age = (today - found.newest_day).days
        said = f"Ends {wording.day(found.newest_day)}, {age:,} day{'' if age == 1 else 's'} ago"
        return DatasetLine(name, about.label, total, "stale", said)
    return DatasetLine(name, about.label, total, "fresh", f"To {wording.day(found.newest_day)}")


def _detail(
    viewer: Viewer,
    sources: Sources,
    line: DatasetLine,
    *,
    found: Snapshot | None,
    history: list[Publication],
    held: tuple[HeldFile, ...],
) -> DatasetDetail:
    about = sources.workspace.lake.datasets[line.name]
    where, hidden = rows(viewer, line.name), masks(viewer, line.name)
    visible, filled = None, {}
    if found is not None:
        visible = row_counts.visible(sources, found.table, found.rows, where=where)
        filled = row_counts.filled(sources, found.table, about, where=where, hidden=hidden)
    stored = next((p.columns for p in history if p.current), {})
    return DatasetDetail(
        line=line,
        description=about.description,
        grain=about.grain,
        many=about.noun.many,
        key=tuple(about.columns[k].label if k in about.columns else k for k in about.key),
        time=about.columns[about.time].label if about.time and about.time in about.columns else "",
        newest=found.newest_day if found else None,
        promise=_promise(about),
        visible=visible,
        reason=viewer.scopes[line.name].reason,
        source=f"{about.path} ({about.format})",
        columns=_columns(sources.workspace, about, stored, hidden=hidden, filled=filled),
        invented=tuple(c.label for c in about.columns.values() if c.invented),
        versions=_versions(viewer, sources, line, history),
        uses=_uses(viewer, sources.workspace, line.name),
        held=tuple(h for h in held if h.dataset == line.name),
    )


def _versions(
    viewer: Viewer, sources: Sources, line: DatasetLine, history: list[Publication]
) -> tuple[VersionLine, ...]:
    """The newest first. Two versions that lie close would tell how few rows came or went."""
    smallest = sources.workspace.access.smallest_cell
    apart: list[Withheld | None] = [None] * len(history)
    if line.rows is not None and line.rows.withheld:
        apart = ["tells"] * len(history)
    elif small_cells.crosses(viewer, line.name):
        apart = small_cells.spaced([p.rows for p in history], smallest)
    return tuple(
        VersionLine(p.version, p.published_at, small_cells.told(p.rows, why, smallest), p.current)
        for p, why in zip(history, apart, strict=True)
    )


def _promise(about: Dataset) -> str:
    if about.freshness is None or not about.time:
        return "None: it changes when its file does."
    days = f"{about.freshness} day{'' if about.freshness == 1 else 's'}"
    return f"The newest row is at most {days} old."


def _columns(
    workspace: Workspace,
    about: Dataset,
    stored: Mapping[str, object],
    *,
    hidden: frozenset[str],
    filled: Mapping[str, float],
) -> tuple[ColumnLine, ...]:
    added = {c: workspace.lake.datasets[a.dataset].label for a in about.attach for c in a.columns}
    return tuple(
        ColumnLine(
            name=name,
            label=column.label,
            kind=TYPE_WORDS[column.type] if column.type else _kind(str(stored.get(name, ""))),
            unit=workspace.lake.currency if column.unit == "currency" else column.unit or "",
            privacy=column.privacy,
            hidden=name in hidden,
            invented=column.invented,
            key=name in about.key,
            source=added.get(name, ""),
            description=column.description,
            filled=filled.get(name),
            filled_said=_share(filled.get(name), workspace.lake),
        )
        for name, column in about.columns.items()
    )


def _share(filled: float | None, lake: LakeFile) -> str:
    """A share that is not whole never reads "100 %" or "0 %"."""
    if filled is not None and 0.995 <= filled < 1:
        return f"almost 100{wording.NBSP}%"
    return wording.shown(filled, "percent", None, lake).text


def _kind(stored: str) -> str:
    """The words for a type that only the published file says: "VARCHAR" is text."""
    small = stored.lower()
    marks = (
        ("timestamp", "timestamp"), ("date", "date"), ("bool", "boolean"), ("int", "integer"), ("double", "number"),
        ("float", "number"), ("decimal", "number"), ("char", "string"),
    )  # fmt: skip
    found = next((kind for mark, kind in marks if mark in small), "")
    return TYPE_WORDS.get(found, "")


def _held(about: Dataset, held: Quarantined, serving: bool) -> HeldFile:
    return HeldFile(held.dataset, about.label, held.file, held.reason, held.found_at, NEXT_STEP, serving)


def _uses(viewer: Viewer, workspace: Workspace, dataset: str) -> tuple[Use, ...]:
    """Metrics and models that read this dataset."""
    measures = {n for n, m in workspace.metrics.measures.items() if m.dataset == dataset}
    may_metric, may_model = decide(viewer, "kpis:read").allowed, decide(viewer, "models:read").allowed
    found = [
        Use("metric", name, metric.label, metric.owner, may_metric)
        for name, metric in workspace.metrics.metrics.items()
        if measures & _measures(workspace, metric)
    ]
    for name, model in workspace.models.models.items():
        if model.scored.dataset == dataset:
            found.append(Use("model", name, model.label, "scores its rows", may_model))
        elif model.outcomes is not None and model.outcomes.dataset == dataset:
            found.append(Use("model", name, model.label, "learns from what happened", may_model))
    return tuple(found)


def _measures(workspace: Workspace, metric: Metric) -> set[str]:
    """The measures a metric is built from, through the metrics it adds up."""
    own = {m for m in (metric.measure, *metric.numerator, *metric.denominator) if m}
    for part in (*metric.plus, *metric.minus):
        if part in workspace.metrics.metrics:
            own |= _measures(workspace, workspace.metrics.metrics[part])
    return own
