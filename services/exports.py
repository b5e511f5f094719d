"""Take a list with you: exactly the rows the grid's filters select, the columns the viewer sees, reasons in words.

The file is streamed: rows are read in batches, so memory does not grow with the list. Texts that a spreadsheet
would run as a formula are written with a leading apostrophe (OWASP, "CSV Injection"); numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from data.questions import Select
from services import access, audit, lead_reads, leads, limits, step_up
from services.access import Viewer
from services.brakes import Stream
from services.explanations import Reason
from services.lead_lists import Asked
from services.lead_query import LeadQuery
from services.leads import REASONS_IN_A_ROW
from services.limits import Thing
from services.sources import Sources

BATCH, FIRST = 5_000, 100
_RISKY = tuple("=+-@\t\r\n\x00＝＋－＠")
_SPLIT = re.compile(r"([;\t]\s*)(?=[=+\-@＝＋－＠])")


@dataclass(frozen=True)
class Export:
    """A file to be streamed: its name and its text, piece by piece."""

    filename: str
    chunks: Stream


def lead_csv(viewer: Viewer, sources: Sources, query: LeadQuery) -> Export:
    """The list that ``query`` selects as CSV. The act is counted and audited before the first row leaves, with all rows
    of the file: one that breaks off counts whole. Raises ``TooMuch``, and ``ProofNeeded`` for a large file of somebody
    who has not proven who they are lately.

    Columns: rank, key columns, the visible columns of the list, the score as a number, the band, three reasons
    with their points, the model version and the time of scoring (UTC).
    """
    access.require(viewer, "leads:export")
    found, question = leads.selection(viewer, sources, query)
    rows, head = leads.matching(viewer, sources, found, query), _head(found)
    step_up.require_fresh_for(viewer, sources, rows)
    detail = {"of": found.of, "query": query.to_url(), "rows": rows, "columns": head}
    detail |= lead_reads.kept(found, question)
    file = limits.stream(viewer, sources, "leads.export", found.name)
    try:
        amounts: Mapping[Thing, int] = {"exports": 1, "rows": rows}
        with limits.counted(viewer, sources, amounts, act="leads.export", resource=found.name) as session:
            audit.write(session, sources, viewer, "leads.export", found.name, detail=detail)
    except BaseException:
        file.close()
        raise
    return Export(_filename(found), file.fill(_lines(viewer, sources, found, head=head, question=question)))


def safe_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula, nor one that splits lines at semicolons, as many do in Europe;
    line breaks become spaces.
    """
    flat = _SPLIT.sub(r"\1'", text.replace("\r", " ").replace("\n", " ").replace("\x00", ""))
    return f"'{flat}" if flat.lstrip().startswith(_RISKY) or text.startswith(_RISKY) else flat


def parameters(args: Mapping[str, str]) -> LeadQuery:
    """The query of an export's address; the same words as the page's."""
    return LeadQuery.from_url(args)


def _filename(found: Asked) -> str:
    """The list's name in plain letters: nothing of it can end the header it stands in."""
    said = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{found.name}-{found.of}" if found.of else found.name).strip("-.")
    return f"{said or 'list'}.csv"


def _head(found: Asked) -> list[str]:
    own = [c.field for c in found.columns if c.role not in ("score", "band")]
    keys = [k for k in found.model.scored.key if k not in own]
    reasons = [f"reason_{i}" for i in range(1, REASONS_IN_A_ROW + 1)]
    return ["rank", *keys, *own, "score", "band", *reasons, "model_version", "scored_at"]


def _lines(viewer: Viewer, sources: Sources, found: Asked, *, head: list[str], question: Select) -> Iterator[str]:
    yield "\ufeff" + _csv([[safe_text(name) for name in head]])
    ranks = leads.ranks_of(viewer, sources, found)
    fields = head[1 : head.index("score")]
    last = [found.run.version, found.run.scored_at.isoformat()]
    for rows in _batches(sources.lake.stream(question, where=found.where, batch_rows=BATCH)):
        reasons = leads.reasons_of(viewer, sources, found, rows)
        places = ranks.ranks([row["row_id"] for row in rows])
        yield _csv(
            [
                rank,
                *(_value(row.get(field)) for field in fields),
                repr(row["score"]),
                _value(row["band"]),
                *_reasons(reasons.get(row["row_id"], ())),
                *last,
            ]
            for row, rank in zip(rows, places, strict=True)
        )


def _batches(batches: Iterable[pa.RecordBatch]) -> Iterator[list[dict[str, Any]]]:
    """Rows in pieces, the first a small one: somebody waits for it."""
    first = FIRST
    for batch in batches:
        if first:
            yield batch.slice(0, first).to_pylist()
        if batch.num_rows > first:
            yield batch.slice(first).to_pylist()
        first = 0


def _reasons(said: tuple[Reason, ...]) -> list[str]:
    made = [safe_text(f"{r.phrase} ({r.points_text})") for r in said]
    return made + [""] * (REASONS_IN_A_ROW - len(made))


def _value(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool | int | float | Decimal):
        return value
    return safe_text(value.isoformat() if hasattr(value, "isoformat") else str(value))


def _csv(rows: Iterable[list[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
