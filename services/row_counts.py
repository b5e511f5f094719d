"""How many rows of a dataset somebody sees: one count under their row filter, kept per published version."""

from __future__ import annotations

from data.definitions import Dataset
from data.lake import LakeError
from data.questions import Aggregate, Aggregated, Everything, Filter, Nothing, Table
from services.sources import Sources


def visible(sources: Sources, table: Table, total: int, *, where: Filter) -> int | None:
    """The rows of a published table that a row filter lets through; None where the lake cannot tell now."""
    if isinstance(where, Everything):
        return total
    if isinstance(where, Nothing):
        return 0
    question = Aggregate(table, (Aggregated("n", "count"),))
    try:
        return sources.cache.get_or_make(
            ("rows", table, where), lambda: int(sources.lake.read(question, where=where).column("n")[0].as_py())
        )
    except LakeError:
        return None


def filled(
    sources: Sources, table: Table, dataset: Dataset, *, where: Filter, hidden: frozenset[str]
) -> dict[str, float]:
    """For each column that is not hidden, the share of the visible rows that have a value in it."""
    columns = [c for c in dataset.columns if c not in hidden]
    if isinstance(where, Nothing):
        return {}
    measures = (Aggregated("n", "count"), *(Aggregated(f"f_{c}", "count", c) for c in columns))

    def read() -> dict[str, float]:
        row = sources.lake.read(Aggregate(table, measures), where=where).to_pylist()[0]
        return {c: row[f"f_{c}"] / row["n"] for c in columns} if row["n"] else {}

    try:
        return sources.cache.get_or_make(("filled", table, where, hidden), read)
    except LakeError:
        return {}
