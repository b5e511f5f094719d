"""Take a list with you: exactly the rows the grid's filters select, the columns the viewer sees, reasons in words.

The file is streamed: rows are read in batches, so memory does not grow with the list. Texts that a spreadsheet
would run as a formula are written with a leading apostrophe (OWASP, "CSV Injection"); numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from data.questions import Select
from services import access, audit, lead_query, leads
from services.access import Viewer
from services.lead_query import LeadQuery
from services.leads import Asked
from services.sources import Sources

BATCH = 2_000
_RISKY = tuple("=+-@\t\r\n\x00＝＋－＠")


@dataclass(frozen=True)
class Export:
    """A file to be streamed: its name and its text, piece by piece."""

    filename: str
    chunks: Iterator[str]


def lead_csv(viewer: Viewer, sources: Sources, query: LeadQuery) -> Export:
    """The list that ``query`` selects as CSV. The act is audited before the first row leaves.

    Columns: rank, key columns, the visible columns of the list, the score as a number, the band, three reasons
    with their points, the model version and the time of scoring (UTC).
    """
    access.require(viewer, "leads:export")
    asked, columns, question = leads.selection(viewer, sources, query)
    audit.record(
        viewer,
        sources,
        "leads.export",
        asked.name,
        detail={"query": query.to_url(), "rows": leads.matching(sources, asked, query), "version": asked.run.version},
    )
    name = f"{asked.name}-{asked.of}.csv" if asked.of else f"{asked.name}.csv"
    return Export(name, _lines(viewer, sources, asked, columns=columns, question=question))


def safe_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula; line breaks become spaces."""
    flat = text.replace("\r", " ").replace("\n", " ").replace("\x00", "")
    return f"'{flat}" if flat.lstrip(" ").startswith(_RISKY) else flat


def _lines(
    viewer: Viewer,
    sources: Sources,
    asked: Asked,
    *,
    columns: tuple[lead_query.LeadColumn, ...],
    question: Select,
) -> Iterator[str]:
    own = [c for c in columns if c.role not in ("score", "band")]
    keys = [k for k in asked.model.scored.key if k not in {c.field for c in own}]
    head = ["rank", *keys, *(c.field for c in own), "score", "band"]
    head += [f"reason_{i}" for i in range(1, leads.REASONS_IN_A_ROW + 1)] + ["model_version", "scored_at"]
    yield "\ufeff" + _csv([head])
    for batch in sources.lake.stream(question, where=asked.where, batch_rows=BATCH):
        rows = batch.to_pylist()
        drawn = leads.drawn(viewer, sources, asked, rows)
        yield _csv(
            [
                line.rank,
                *(_value(row[k]) for k in keys),
                *(_value(row.get(c.field)) for c in own),
                repr(row["score"]),
                _value(row["band"]),
                *_reasons(line),
                asked.run.version,
                asked.run.scored_at.isoformat(),
            ]
            for row, line in zip(rows, drawn, strict=True)
        )


def _reasons(line: leads.LeadRow) -> list[str]:
    said = [safe_text(f"{r.phrase} ({r.points_text})") for r in line.reasons]
    return said + [""] * (leads.REASONS_IN_A_ROW - len(said))


def _value(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    return safe_text(value.isoformat() if hasattr(value, "isoformat") else str(value))


def _csv(rows: Any) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def parameters(args: Mapping[str, str]) -> LeadQuery:
    """The query of an export's address; the same words as the page's."""
    return LeadQuery.from_url(args)
