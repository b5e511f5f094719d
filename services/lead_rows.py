"""What is stored about single rows of a list: their ranks, the model's inputs, their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from data.lake import LakeError
from data.questions import And, Compare, Filter, Order, Select, Table
from models import scoring
from models.explaining import NotAdditive
from services import explanations, lead_reasons
from services.access import Viewer
from services.errors import Unavailable
from services.explanations import Reason, Why
from services.lead_lists import Asked, read_from_the_lake
from services.lead_ranks import Ranks
from services.sources import Sources

REASONS_IN_A_ROW = 3
CLOSE = 20


def ranks_of(viewer: Viewer, sources: Sources, found: Asked) -> Ranks:
    """The rows of the viewer's list, to tell ranks; kept for everybody who sees the same rows."""

    def read() -> Ranks:
        ids = sources.lake.read(Select(found.run.scores, ("row_id",), found.list_filter), where=found.where)
        return Ranks.of(np.asarray(ids.column("row_id").to_numpy(), dtype=np.int64))

    return sources.cache.get_or_make(("lead ranks", found.run.scores, found.of, viewer.fingerprint), read)


def scored_rows(sources: Sources, found: Asked, ids: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of ``scores_<model>`` in the order of ``ids``."""
    if not ids:
        return []
    rows = {r["row_id"]: r for r in _stored(sources, found, found.run.scores, ids, columns).to_pylist()}
    return [rows[i] for i in ids]


@read_from_the_lake()
def inputs_of(sources: Sources, found: Asked, row_id: int) -> dict[str, Any]:
    """The inputs of the model for one row, as the run stored them; empty where there are none."""
    columns = sources.lake.schema(found.run.inputs).names
    return next(iter(_stored(sources, found, found.run.inputs, [row_id], columns).to_pylist()), {})


def why_of(
    viewer: Viewer, sources: Sources, found: Asked, row: Mapping[str, Any], inputs: dict[str, Any]
) -> Why | None:
    """Why a row has its score; None while nothing is stored about it."""
    try:
        columns = sources.lake.schema(found.run.explanations).names
        if not inputs or not _explains(found, columns):
            return None
        shap = _stored(sources, found, found.run.explanations, [row["row_id"]], columns).to_pylist()
        if not shap:
            return None
        explanation = explanations.stored(shap[0], found.model, margin=row["margin"], score=row["score"])
    except LakeError:
        return None
    except NotAdditive as problem:
        raise _not_additive() from problem
    return explanations.why(
        found.model,
        explanation,
        inputs,
        named=_named(viewer, found),
        profile=found.run.profile,
        lake=sources.workspace.lake,
    )


def reasons_of(
    viewer: Viewer, sources: Sources, found: Asked, scored: Sequence[Mapping[str, Any]], count: int = REASONS_IN_A_ROW
) -> dict[int, tuple[Reason, ...]]:
    """The strongest reasons of scored rows by row id; a row without stored values is left out."""
    by_id = {int(r["row_id"]): r for r in scored}
    try:
        columns = sources.lake.schema(found.run.explanations).names
        if not by_id or not _explains(found, columns):
            return {}
        shap = _stored(sources, found, found.run.explanations, list(by_id), columns)
        known = [by_id[i] for i in shap.column("row_id").to_pylist()]
        explained = lead_reasons.explained(found.model, known, shap)
        strongest = lead_reasons.strongest(found.model, explained, named=_named(viewer, found), count=count)
        inputs = _inputs(sources, found, list(by_id), strongest.used)
    except LakeError:
        return {}
    except NotAdditive as problem:
        raise _not_additive() from problem
    rows = [inputs.get(r["row_id"], {}) for r in known]
    said = lead_reasons.worded(found.model, strongest, rows, profile=found.run.profile, lake=sources.workspace.lake)
    return {r["row_id"]: reasons for r, reasons in zip(known, said, strict=True) if r["row_id"] in inputs}


def _explains(found: Asked, columns: Sequence[str]) -> bool:
    """Does the run hold a value for each feature that is declared now? After a change of the workspace it does not,
    until the next run.
    """
    return {n.removeprefix("shap_") for n in columns if n.startswith("shap_")} == set(found.model.features)


def _named(viewer: Viewer, found: Asked) -> frozenset[str]:
    hidden = explanations.hidden_features(viewer, found.model)
    return explanations.named_features(found.model, hidden, found.run.importance)


def _inputs(sources: Sources, found: Asked, ids: Sequence[int], features: frozenset[str]) -> dict[int, dict[str, Any]]:
    """The inputs behind these features by row id; of an encoded feature all its columns."""
    names = sources.lake.schema(found.run.inputs).names
    carrying = {c for name in features for c in scoring.columns_of(name, names, found.model.features)}
    columns = [n for n in names if n == "row_id" or n in carrying]
    return {int(r["row_id"]): r for r in _stored(sources, found, found.run.inputs, ids, columns).to_pylist()}


def _stored(sources: Sources, found: Asked, table: Table, ids: Sequence[int], columns: Sequence[str]) -> pa.Table:
    """Rows of a table of the run by row id, in that order. Rows that lie close together are read with those between
    them, which is cheaper than to name each one.
    """
    wanted = np.unique(np.asarray(ids, dtype=np.int64))
    low, high = int(wanted[0]), int(wanted[-1])
    parts: list[Filter] = [Compare("row_id", "ge", low), Compare("row_id", "le", high)]
    close = high - low < CLOSE * len(wanted)
    if not close:
        parts.append(Compare("row_id", "in", tuple(wanted.tolist())))
    question = Select(table, tuple(columns), And(tuple(parts)), (Order("row_id"),))
    rows = sources.lake.read(question, where=found.where)
    if not close or rows.num_rows == len(wanted):
        return rows
    return rows.take(np.flatnonzero(np.isin(rows.column("row_id").to_numpy(), wanted)))


def _not_additive() -> Unavailable:
    return Unavailable(
        "The stored reasons do not add up to the scores, so they are not shown.",
        next_step="Tell your administrator: the list must be scored again.",
    )
