"""Score runs: every row of a dataset scored and explained by one model version, written first, shown when whole.

Runs in the worker, which reads every row: what a person sees of a run is filtered when it is read. Four tables are
written per model (``scores_``, ``explanations_``, ``inputs_``, ``replay_<model>``); the pointer in the app database
moves only after every stored row was seen to add up (law 4), so a run that breaks off half-way is never seen.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from data import audit_log, catalogue_log, lake_delta, publications
from data import runs as run_log
from data.definitions import ModelUse
from data.questions import Everything, Select, Table
from data.tables import ScoreRun
from models import explaining, profiles, scoring
from models.artefacts import ArtefactMissing
from models.explaining import NotAdditive
from models.predicting import Predictor
from models.scoring import CHUNK
from services import score_tables, scoring_pool
from services.score_tables import CannotScore, kept_columns
from services.sources import Sources, now

WORKER = "lakelight"
LAYOUT = 2
"""Raise it when the columns of the four tables change: every list is then scored anew."""
SHAPING = {"registered", "alias", "task", "positive", "scored", "baseline", "features", "bands", "value", "outcomes"}

__all__ = ["CannotScore", "make_visible", "wanted", "write_replay", "write_scores"]


@dataclass(frozen=True)
class _Read:
    """What one run reads: the use, the admitted model and the version of each dataset."""

    use: ModelUse
    predictor: Predictor
    versions: dict[str, int]


def wanted(sources: Sources, model: str) -> dict[str, Any] | None:
    """The run that a model should have now, as plain JSON; None where it has it, or where it cannot have one yet."""
    use = sources.workspace.models.models[model]
    with sources.store.read() as session:
        version = catalogue_log.with_alias(session, use.registered, use.alias)
        current = run_log.current(session, model)
        published = publications.all_current(session)
    if version is None or version.state != "admitted" or use.scored.dataset not in published:
        return None
    read = {use.scored.dataset} | ({use.outcomes.dataset} if use.outcomes else set())
    versions = {name: published[name].version for name in sorted(read) if name in published}
    definition = _definition(sources, use)
    has = current and (current.version, current.digest, current.definition, current.data_versions)
    if has == (version.version, version.digest, definition, versions) and _tables_are_there(sources, current):
        return None
    return {
        "version": version.version,
        "digest": version.digest,
        "definition": definition,
        "data": versions,
        "before": current.id if current else 0,
    }


def write_scores(sources: Sources, model: str, run: dict[str, Any]) -> dict[str, Any]:
    """Score and explain every row, and write three tables. Gives their versions and what the run's row will say.

    Raises ``CannotScore`` with the reason in one sentence.
    """
    read = _open(sources, model, run)
    use, dataset = read.use, read.use.scored.dataset
    rows = _rows(sources, read, dataset, use.scored.where)
    if rows.num_rows == 0:
        raise CannotScore(f"{use.label} has no row to score in {dataset}.")
    frame = score_tables.input_frame(rows, read.predictor.inputs, use)
    try:
        scored = scoring_pool.score(sources.artefacts, run["digest"], frame, use.features)
    except NotAdditive as problem:
        raise CannotScore(f"{use.label} is not shown: {problem}") from problem
    except (ValueError, TypeError, KeyError) as problem:
        raise CannotScore(f"{use.label} cannot score {dataset}: {str(problem)[:200]}") from problem
    made = score_tables.build(use, rows, frame, scored=scored, rules=kept_columns(sources.workspace, dataset))
    tables = {kind: _write(sources, kind, model, table) for kind, table in made.items()}
    profile = profiles.profile(frame, read.predictor.inputs, source="scored data") if len(frame) >= 20 else None
    return {
        "tables": tables,
        "rows": rows.num_rows,
        "importance": scored.importance(),
        "method": scored.method,
        "profile": profile.as_json() if profile else {},
    }


def write_replay(sources: Sources, model: str, run: dict[str, Any]) -> dict[str, Any]:
    """Score the past whose outcome is known, beside the simplest rule; ``{}`` where there is none."""
    read = _open(sources, model, run)
    outcomes = read.use.outcomes
    if outcomes is None or outcomes.dataset not in read.versions:
        return {}
    rows = score_tables.with_outcome(_rows(sources, read, outcomes.dataset, outcomes.where), read.use)
    if rows.num_rows == 0:
        return {}
    frame = score_tables.input_frame(rows, read.predictor.inputs, read.use)
    table = score_tables.replay(
        read.use,
        rows,
        scores=read.predictor.score(frame),
        inputs=read.predictor.inputs,
        keep=(
            *sources.workspace.lake.datasets[outcomes.dataset].key,
            *kept_columns(sources.workspace, outcomes.dataset),
        ),
    )
    return {"replay": _write(sources, "replay", model, table)}


def make_visible(
    sources: Sources, model: str, run: dict[str, Any], *, scored: dict[str, Any], replay: dict[str, Any]
) -> str:
    """Hold every stored row to law 4, then move the pointer, with its audit event, in one transaction.

    Gives the sentence of what happened. Doing it twice changes nothing.
    """
    use = sources.workspace.models.models[model]
    tables = {**scored["tables"], **replay}
    _verify(
        sources, use, Table(f"scores_{model}", tables["scores"]), Table(f"explanations_{model}", tables["explanations"])
    )
    at = sources.clock()
    with sources.store.begin() as session:
        current = run_log.current(session, model)
        if current is None or current.tables != tables or current.digest != run["digest"]:
            published = publications.current(session, use.scored.dataset)
            as_of = published.newest if published and published.newest else now(sources)
            made = ScoreRun(
                model=model,
                registered=use.registered,
                version=run["version"],
                digest=run["digest"],
                definition=run["definition"],
                data_versions=run["data"],
                tables=tables,
                rows=scored["rows"],
                importance=scored["importance"],
                as_of=as_of,
                scored_at=at,
            )
            run_log.make_current(session, made)
            known = next(v for v in catalogue_log.versions(session, use.registered) if v.version == run["version"])
            if not known.profile and scored["profile"]:
                known.profile = scored["profile"]
            audit_log.record(
                session,
                at=at,
                person_id=None,
                person=WORKER,
                act="scores.publish",
                resource=model,
                detail={
                    "version": run["version"],
                    "rows": scored["rows"],
                    "data": run["data"],
                    "method": scored["method"],
                },
            )
    return f"{use.label}: {scored['rows']:,} rows scored and explained by version {run['version']}."


def _open(sources: Sources, model: str, run: dict[str, Any]) -> _Read:
    use = sources.workspace.models.models[model]
    try:
        predictor = sources.artefacts.predictor(run["digest"])
    except ArtefactMissing as problem:
        raise CannotScore(str(problem)) from problem
    unknown = sorted(set(scoring.owner_of(predictor.inputs, use.features).values()) - set(use.features))
    if unknown:
        raise CannotScore(
            f"{use.label} takes the input {unknown[0]}, which models.yml does not name. "
            f"Add it to the features of {model}."
        )
    return _Read(use, predictor, {name: int(version) for name, version in run["data"].items()})


def _rows(sources: Sources, read: _Read, dataset: str, conditions: tuple[Any, ...]) -> pa.Table:
    """Every row of a dataset that the definition names. ``Everything``: the worker holds no row back from itself."""
    table = Table(dataset, read.versions[dataset])
    columns = tuple(sources.lake.schema(table).names)
    question = Select(table, columns, score_tables.condition_filter(conditions))
    return sources.lake.read(question, where=Everything())


def _tables_are_there(sources: Sources, run: ScoreRun | None) -> bool:
    root = sources.settings.published
    return run is not None and all(lake_delta.is_there(root, f"{kind}_{run.model}") for kind in run.tables)


def _write(sources: Sources, kind: str, model: str, table: pa.Table) -> int:
    root, name = sources.settings.published, f"{kind}_{model}"
    lake_delta.write(root, name, table, picked=True)
    with sources.store.read() as session:
        current = run_log.current(session, model)
    return lake_delta.above(root, name, int(current.tables.get(kind, -1)) if current else -1)


def _verify(sources: Sources, use: ModelUse, scores: Table, explanations: Table) -> None:
    """Read back what was written: as many rows in both, in one order, and each adds up."""
    margin = sources.lake.read(Select(scores, ("row_id", "margin")), where=Everything())
    shap = tuple(f"shap_{name}" for name in use.features)
    stored = sources.lake.read(Select(explanations, ("row_id", "base_value", *shap)), where=Everything())
    ids = margin.column("row_id").to_numpy()
    if not np.array_equal(ids, stored.column("row_id").to_numpy()) or not np.array_equal(ids, np.arange(len(ids))):
        raise CannotScore(f"{use.label} is not shown: scores and explanations do not have the same rows.")
    for at in range(0, len(ids), CHUNK):
        part, margins = stored.slice(at, CHUNK), margin.slice(at, CHUNK).column("margin").to_numpy()
        values = np.column_stack([part.column(name).to_numpy().astype(float) for name in shap])
        missed = explaining.missed(part.column("base_value").to_numpy(), values, margins).max()
        if not missed <= explaining.FLOAT32:
            raise CannotScore(f"{use.label} is not shown: stored explanations miss the score by {missed:.2g}.")


def _definition(sources: Sources, use: ModelUse) -> str:
    """The fingerprint of what ``models.yml`` and the row rules say about the content of a run."""
    said = use.model_dump(mode="json", include=SHAPING)
    said["features"] = {name: feature.one_hot for name, feature in use.features.items()}
    said["layout"] = LAYOUT
    said["rank_by"] = use.lead.rank_by if use.lead else "score"
    owner = scoring.owner_of(score_tables.listed(use), use.features)
    said["listed"] = sorted(column for column, feature in owner.items() if feature in use.features)
    datasets = [use.scored.dataset, *([use.outcomes.dataset] if use.outcomes else [])]
    said["rules"] = {name: kept_columns(sources.workspace, name) for name in datasets}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
