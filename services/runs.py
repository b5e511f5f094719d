"""The current score run of a model: its tables, its model version, and whether newer data waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from data import catalogue_log, publications
from data import runs as run_log
from data.questions import Table
from models.predicting import ModelProfile
from services.sources import Sources


@dataclass(frozen=True)
class Run:
    """What pages know of a score run. ``waiting`` is a sentence where newer data or a newer version waits."""

    model: str
    registered: str
    version: str
    digest: str
    scores: Table
    explanations: Table
    inputs: Table
    replay: Table | None
    rows: int
    as_of: datetime | None
    scored_at: datetime
    importance: Mapping[str, float]
    profile: ModelProfile | None
    waiting: str


def current_run(sources: Sources, model: str) -> Run | None:
    """The run that pages read, None before the first one."""
    use = sources.workspace.models.models[model]
    with sources.store.read() as session:
        found = run_log.current(session, model)
        if found is None:
            return None
        published = publications.current(session, use.scored.dataset)
        version = next(
            (v for v in catalogue_log.versions(session, found.registered) if v.version == found.version), None
        )
        aliased = catalogue_log.with_alias(session, use.registered, use.alias)
    newer = published is not None and found.data_versions.get(use.scored.dataset) != published.version
    moved = aliased is not None and aliased.state == "admitted" and aliased.version != found.version
    refused = aliased is not None and aliased.state == "refused" and aliased.version != found.version
    waiting = "A newer model version waits to score this list." if moved else ""
    if refused and aliased is not None:
        waiting = f"Version {aliased.version} was refused, so version {found.version} serves on."
    tables = {kind: Table(f"{kind}_{model}", int(version_)) for kind, version_ in found.tables.items()}
    return Run(
        model=model,
        registered=found.registered,
        version=found.version,
        digest=found.digest,
        scores=tables["scores"],
        explanations=tables["explanations"],
        inputs=tables["inputs"],
        replay=tables.get("replay"),
        rows=found.rows,
        as_of=found.as_of,
        scored_at=found.scored_at,
        importance=found.importance,
        profile=ModelProfile.from_json(version.profile) if version is not None and version.profile else None,
        waiting="Newer data waits to be scored." if newer else waiting,
    )
