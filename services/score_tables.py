"""The four tables of a score run, built in Arrow: pure, so that their layout can be checked on a handful of rows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data.definitions import Condition, ModelUse, Workspace
from data.questions import And, Compare, Everything, Filter
from models import categories, scoring
from models import inputs as model_inputs
from models.inputs import MissingInput
from models.scoring import Scored

RESERVED = ("row_id", "score", "margin", "rank_value", "band", "value")
REPLAY_RESERVED = ("run", "run_time", "score", "baseline", "baseline_known", "outcome")


class CannotScore(Exception):
    """Why a model's scores are not written or not shown, in one sentence."""


def kept_columns(workspace: Workspace, dataset: str) -> tuple[str, ...]:
    """The columns that the row rules of any role compare on this dataset, in name order."""
    groups = [g for role in workspace.access.roles.values() for g in role.rows]
    named = {rule.column for g in groups if dataset in g.datasets or "*" in g.datasets for rule in g.rules}
    return tuple(sorted(named & set(workspace.lake.datasets[dataset].columns)))


def condition_filter(conditions: Iterable[Condition]) -> Filter:
    """The conditions of a definition as a filter: all must hold."""
    parts = tuple(Compare(c.column, c.operator, c.value) for c in conditions)
    return And(parts) if parts else Everything()


def input_frame(rows: pa.Table, inputs: tuple[str, ...], use: ModelUse) -> pd.DataFrame:
    """The model's inputs of these rows, in the model's order. Encoded inputs are read where the dataset has them, and
    made from the feature's own column where it has only that.
    """
    try:
        found = model_inputs.sources_of(inputs, use.features, rows.column_names)
    except MissingInput as missing:
        raise CannotScore(
            f"{use.label} needs the column {missing}, and {use.scored.dataset} has none. "
            "Declare it in lake.yml, or register a model without it."
        ) from missing
    columns = {source.column: series(rows.column(source.column)) for source in found.values()}
    return model_inputs.frame_of(columns, found)


def build(
    use: ModelUse, rows: pa.Table, frame: pd.DataFrame, *, scored: Scored, rules: tuple[str, ...]
) -> dict[str, pa.Table]:
    """``scores``, ``explanations`` and ``inputs``: all in published rank order, rank value descending, then key."""
    taken = [name for name in RESERVED if name in rows.column_names and name not in frame.columns]
    if taken:
        raise CannotScore(f"{use.scored.dataset} must not have a column named {taken[0]}: scores need the name.")
    value, rank = _value(use, rows), scored.score
    if use.lead is not None and use.lead.rank_by == "score_times_value" and value is not None:
        rank = scored.score * value
    order = _order(rank, rows, use.scored.key)
    ids = {"row_id": pa.array(np.arange(len(order)), pa.int64())}
    ordered = rows.take(pa.array(order))
    keep = {name: ordered.column(name) for name in dict.fromkeys((*use.scored.key, *rules))}
    scores = {
        **ids,
        **{name: ordered.column(name) for name in use.scored.key},
        "score": _floats(scored.score[order]),
        "margin": _floats(scored.margin[order]),
        "rank_value": _floats(rank[order]),
        "band": pa.array(scoring.band_of(scored.score[order], use.bands), pa.string()),
        "value": _floats(value[order]) if value is not None else pa.nulls(len(order), pa.float64()),
    }
    shown = {*keep, *listed(use)}
    scores |= {name: ordered.column(name) for name in rows.column_names if name not in frame.columns or name in shown}
    shap = {f"shap_{name}": pa.array(scored.shap[order, at], pa.float32()) for at, name in enumerate(scored.features)}
    inputs = pa.Table.from_pandas(frame.iloc[order], preserve_index=False)
    return {
        "scores": pa.table(scores),
        "explanations": pa.table({**ids, **keep, "base_value": _floats(scored.base[order]), **_how(scored), **shap}),
        "inputs": pa.table({**ids, **keep, **{name: inputs.column(name) for name in inputs.column_names}}),
    }


def listed(use: ModelUse) -> tuple[str, ...]:
    """The columns that lists show, are split by or named after, which may be inputs of the model as well."""
    lead = use.lead
    if lead is None:
        return ()
    once = (lead.by, lead.order_lists_by, lead.name, lead.place)
    return tuple(dict.fromkeys((*filter(None, once), *lead.contacts, *lead.columns, *lead.titled)))


def _how(scored: Scored) -> dict[str, pa.Array]:
    """How every row was explained: the model's link, and the engine in words. One value for the whole run."""
    said = {"explanation_link": scored.link, "explanation_method": scored.method}
    return {name: pa.array([text] * len(scored.score), pa.string()) for name, text in said.items()}


def with_outcome(rows: pa.Table, use: ModelUse) -> pa.Table:
    """The rows whose outcome is known: a blank outcome is unknown, never "no"."""
    column = use.outcomes.column if use.outcomes else ""
    if column not in rows.column_names:
        raise CannotScore(f"The outcomes of {use.label} need the column {column}. Declare it in lake.yml.")
    return rows.filter(pc.is_valid(rows.column(column)))


def replay(
    use: ModelUse, rows: pa.Table, *, scores: np.ndarray, inputs: tuple[str, ...], keep: tuple[str, ...]
) -> pa.Table:
    """The past with its outcomes, the model's score and the rule's ranking value (higher is better)."""
    assert use.outcomes is not None  # noqa: S101  the caller asks only for models with outcomes
    rule, known = _baseline(use, rows)
    runs, time = use.outcomes.runs, use.outcomes.time
    made = {
        "run": pc.cast(rows.column(runs), pa.string()) if runs else pa.array([""] * rows.num_rows, pa.string()),
        "run_time": _timestamps(rows.column(time)) if time else pa.nulls(rows.num_rows, pa.timestamp("us", tz="UTC")),
        "score": _floats(scores),
        "baseline": _floats(rule),
        "baseline_known": pa.array(known, pa.bool_()),
        "outcome": _floats(_outcome(use, rows.column(use.outcomes.column))),
    }
    own = [n for n in rows.column_names if n not in REPLAY_RESERVED and (n not in inputs or n in keep)]
    return pa.table({**{name: rows.column(name) for name in own}, **made})


def _baseline(use: ModelUse, rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    rule = use.baseline
    if rule is None or rule.column not in rows.column_names:
        return np.full(rows.num_rows, np.nan), np.zeros(rows.num_rows, dtype=bool)
    values = series(rows.column(rule.column)).astype(float).to_numpy()
    known = ~np.isnan(values)
    if use.task == "regression":
        return values, known
    if rule.order == "lowest":
        return -values, known
    return values, known & (np.nan_to_num(values) > 0)


def _outcome(use: ModelUse, column: pa.ChunkedArray) -> np.ndarray:
    values = series(column)
    if use.task == "classification" and use.positive is not None:
        return categories.equals(values, use.positive).astype(float)
    return values.astype(float).to_numpy()


def _value(use: ModelUse, rows: pa.Table) -> np.ndarray | None:
    if use.value is None:
        return None
    if use.value.column is not None:
        return series(rows.column(use.value.column)).astype(float).to_numpy()
    return None if use.value.amount is None else np.full(rows.num_rows, use.value.amount)


def _order(rank: np.ndarray, rows: pa.Table, key: tuple[str, ...]) -> np.ndarray:
    """Positions by rank value descending (unknown last), then by key."""
    sorting = pa.table({"rank": _floats(rank), **{f"key{i}": rows.column(name) for i, name in enumerate(key)}})
    by = [("rank", "descending", "at_end"), *((f"key{i}", "ascending", "at_end") for i in range(len(key)))]
    return np.asarray(pc.sort_indices(sorting, sort_keys=by).to_numpy())


def series(column: pa.ChunkedArray) -> pd.Series:
    """A column as pandas; booleans with blanks and decimals become numbers, so that a blank stays a blank."""
    if pa.types.is_boolean(column.type) and column.null_count:
        column = pc.cast(pc.cast(column, pa.int8()), pa.float64())
    if pa.types.is_decimal(column.type):
        column = pc.cast(column, pa.float64())
    made: pd.Series = column.to_pandas()
    return made


def _floats(values: np.ndarray) -> pa.Array:
    return pa.array(np.asarray(values, dtype=float), pa.float64(), from_pandas=True)


def _timestamps(column: pa.ChunkedArray) -> pa.ChunkedArray:
    naive = pc.cast(column, pa.timestamp("us")) if not pa.types.is_timestamp(column.type) else column
    if pa.types.is_timestamp(naive.type) and naive.type.tz is None:
        return pc.assume_timezone(pc.cast(naive, pa.timestamp("us")), "UTC")
    return pc.cast(naive, pa.timestamp("us", tz="UTC"))
