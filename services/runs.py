"""The current score run of a model: its tables, its model version, and what a newer run waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data import catalogue_log, publications
from data import runs as run_log
from data.questions import Table
from data.tables import CatalogueVersion, Publication, ScoreRun
from models.predicting import ModelProfile
from services import score_runs
from services.sources import Sources


@dataclass(frozen=True)
class Run:
    """What pages know of a score run. ``newer`` says what waits for the next run, ``refusal`` which version was refused
    so that this run serves on; each a sentence, or "".
    """

    id: int
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
    newer: str
    refusal: str

    @property
    def waiting(self) -> str:
        """Why this run does not speak for the newest data and the newest version, "" where it does."""
        return f"{self.refusal} {self.newer}".strip()


def current_run(sources: Sources, model: str) -> Run | None:
    """The run that pages read, None before the first one."""
    use = sources.workspace.models.models[model]
    with sources.store.read() as session:
        found = run_log.current(session, model)
        if found is None:
            return None
        published = publications.all_current(session)
        version = next(
            (v for v in catalogue_log.versions(session, found.registered) if v.version == found.version), None
        )
        aliased = catalogue_log.with_alias(session, use.registered, use.alias)
    tables = {kind: Table(f"{kind}_{model}", int(version_)) for kind, version_ in found.tables.items()}
    return Run(
        id=found.id,
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
        newer=_newer(found, score_runs.wanted(sources, model), published),
        refusal=_refusal(found, version, aliased),
    )


def _newer(run: ScoreRun, wanted: Mapping[str, Any] | None, published: Mapping[str, Publication]) -> str:
    """What waits for the next run, by the rule that starts it. Data are newer also while no run can start."""
    versions = wanted["data"] if wanted else {n: published[n].version for n in run.data_versions if n in published}
    if any(run.data_versions.get(name) != version for name, version in versions.items()):
        return "Newer data waits to be scored."
    if wanted is None:
        return ""
    if wanted["version"] != run.version:
        return "A newer model version waits to score this list."
    if wanted["definition"] != run.definition:
        return "The changed definition of this list waits to be scored."
    return "This list waits to be scored anew."


def _refusal(run: ScoreRun, serving: CatalogueVersion | None, aliased: CatalogueVersion | None) -> str:
    """Which refusal keeps the run. Its reason is for the model's card: not everybody who reads the list may see it."""
    if serving is not None and serving.state == "refused":
        return f"Version {run.version} was refused when it was tried again; its last scores serve on."
    if aliased is not None and aliased.state == "refused":
        return f"Version {aliased.version} was refused, so version {run.version} serves on."
    return ""
