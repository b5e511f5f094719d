"""The rows of a lead list: columns and rows of the endless grid, and cards of three lines for a phone.

Cells are drawn in the browser (``assets/leads.js``) from plain texts; a column's id is its field, so that sorting and
filters name what the service knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dash import dcc, html
from dash.development.base_component import Component

from components import tables

if TYPE_CHECKING:
    from services.explanations import Reason
    from services.lead_answers import LeadBlock, LeadPage, LeadRow
    from services.lead_query import LeadColumn

ROW_ID = "'r' + params.data.key"
ROW_CLASSES = {"ll-beyond": "params.data && params.data.beyond", "ll-limit": "params.data && params.data.limit"}
LISTENERS = {
    "cellKeyDown": ["leadKey(params)"],
    "bodyScroll": ["leadSeen(params)"],
    "modelUpdated": ["leadSeen(params)"],
    "gridReady": ["leadReady(params)"],
}
NOT_EXPLAINED = "Reasons are being computed"
BLANKS = ["blank", "notBlank"]
LIMITS = ["greaterThanOrEqual", "lessThanOrEqual", "inRange"]
FILTERS: dict[str, tuple[str, list[str]]] = {
    "text": ("agTextColumnFilter", ["contains", "startsWith", "equals", *BLANKS]),
    "date": ("agDateColumnFilter", ["equals", "lessThan", "greaterThan", "inRange", *BLANKS]),
    "identifier": ("agNumberColumnFilter", ["equals", *LIMITS, *BLANKS]),
    "number": ("agNumberColumnFilter", [*LIMITS, "equals", *BLANKS]),
    "probability": ("agNumberColumnFilter", LIMITS),
}


def grid(id: str, page: LeadPage) -> Component:
    """The endless grid of a list, sorted and filtered as the question says."""
    return tables.endless(
        id,
        columns(page),
        row_id=ROW_ID,
        filters=dict(page.query.filters or {}),
        row_classes=ROW_CLASSES,
        listeners=LISTENERS,
        label=page.title,
        marks={"--ll-limit": f'"your {page.capacity}"'},
    )


def columns(page: LeadPage) -> list[dict[str, Any]]:
    """Rank and name stay in sight; score, reasons and value next; then what else the list shows."""
    by_role = {c.role: c for c in page.columns}
    name, others = by_role.get("name"), [c for c in page.columns if c.role == "other"]
    if name is None:
        name = next((c for c in others if c.label == page.named_by), None)
        others = [c for c in others if c is not name]
    made: list[dict[str, Any]] = [
        {"field": "rank", "colId": "rank", "headerName": "Rank", "pinned": "left", "width": 74, "cellClass": "ll-rank"},
        _name(name, page.named_by),
        _score(by_role["score"]),
        {
            "field": "why", "colId": "why", "headerName": "Why", "sortable": False, "flex": 1, "minWidth": 310,
            "cellRenderer": "LeadWhy",
        },
    ]  # fmt: skip
    made += [_other(c) for c in page.columns if c.role == "value"]
    made += [{**_other(c), "cellRenderer": "LeadContact", "width": 204} for c in page.columns if c.role == "contact"]
    made += [_other(c) for c in others]
    sorts = {o.column: (at, "desc" if o.descending else "asc") for at, o in enumerate(page.query.sort)}
    for column in made:
        if column["colId"] in sorts:
            column["initialSortIndex"], column["initialSort"] = sorts[column["colId"]]
    return made


def rows(block: LeadBlock, *, capacity: int | None, ranked: bool) -> dict[str, Any]:
    """A block as the grid wants it. ``ranked``: rows come in order of rank, so that the capacity can be marked."""
    return {
        "rowData": [_row(row, limit=ranked and row.rank == capacity) for row in block.rows],
        "rowCount": block.total,
    }


def cards(block: LeadBlock, search: str) -> list[Component]:
    """Rows as cards: rank, name and score; the first reason; ways to reach."""
    return [_card(row, search) for row in block.rows]


def _row(row: LeadRow, *, limit: bool) -> dict[str, Any]:
    return {
        "key": row.key,
        "rank": row.rank,
        "name": row.name,
        "place": row.place,
        "score": row.score.text,
        "share": row.share,
        "exact": f"{row.score.exact}. {row.note}".strip(),
        "band": row.band,
        "why": [_reason(r) for r in row.reasons] if row.explained else NOT_EXPLAINED,
        "beyond": row.beyond,
        "limit": limit,
        "values": dict(row.values),
    }


def _reason(reason: Reason) -> dict[str, Any]:
    usual = f" Usual: {reason.usual}." if reason.usual else ""
    said = f"{reason.label}: {reason.value}.{usual} {reason.points_text}"
    return {"text": reason.phrase, "up": reason.raises, "points": reason.points_text, "said": said}


def _name(column: LeadColumn | None, label: str) -> dict[str, Any]:
    about: dict[str, Any] = {"field": "name", "pinned": "left", "width": 180, "cellRenderer": "LeadName"}
    if column is None:
        return {**about, "colId": "name", "headerName": label, "sortable": False}
    return {**about, "colId": column.field, "headerName": column.label, **_filter(column)}


def _score(column: LeadColumn) -> dict[str, Any]:
    about = {"field": "score", "colId": "score", "headerName": column.label, "width": 172, "cellRenderer": "LeadScore"}
    return about | _filter(column)


def _other(column: LeadColumn) -> dict[str, Any]:
    about: dict[str, Any] = {
        "colId": column.field,
        "headerName": column.label,
        "valueGetter": {"function": "leadValue(params)"},
        "width": 146,
    }
    right = {"type": "rightAligned"} if column.kind in ("number", "probability") else {}
    return about | _filter(column) | right


def _filter(column: LeadColumn) -> dict[str, Any]:
    """The filter of a column by its kind. Numbers that are shown rounded cannot be asked for exactly."""
    kind, options = FILTERS.get(column.kind, (None, []))
    if kind is None:
        return {"filter": False}
    hint = "in %" if column.scale != 1 else "Filter"
    about = {"filterOptions": options, "filterPlaceholder": hint, "maxNumConditions": 1, "buttons": ["reset"]}
    return {"filter": kind, "filterParams": about}


def _card(row: LeadRow, search: str) -> Component:
    first = row.reasons[0] if row.reasons else None
    mark = "▲" if first and first.raises else "▼"
    href = f"/leads/{row.key}?{search}"
    ways = [_way(text) for text in row.values.values()]
    return html.Article(
        [
            dcc.Link(
                [
                    html.Span(
                        [
                            html.Span(str(row.rank), className="ll-rank"),
                            html.Strong(row.name),
                            html.Span(f"{row.score.text} {row.band}".strip(), className="ll-card-score"),
                        ],
                        className="ll-leadcard-top",
                    ),
                    html.Span(
                        [html.Span(mark, className="is-raise" if first.raises else "is-lower"), f" {first.phrase}"]
                        if first
                        else NOT_EXPLAINED,
                        className="ll-leadcard-why",
                    ),
                ],
                href=href,
                className="ll-leadcard-main",
            ),
            html.Div([w for w in ways if w is not None], className="ll-leadcard-ways"),
        ],
        className="ll-leadcard is-beyond" if row.beyond else "ll-leadcard",
    )


def _way(text: str) -> Component | None:
    """A button to write or to call, where the text is an address or a number to call."""
    link = reach(text)
    return html.A(link[0], href=link[1], className="ll-button") if link else None


def reach(text: str) -> tuple[str, str] | None:
    """What to do with a contact, and its address: ("Call", "tel:…"), ("E-mail", "mailto:…"), None for anything else."""
    if "@" in text and " " not in text:
        return "E-mail", f"mailto:{quote(text, safe='@')}"
    digits = [c for c in text if c.isdigit()]
    if len(digits) >= 7 and set(text) <= set("0123456789+-() ./"):
        return "Call", f"tel:{'+' if text.startswith('+') else ''}{''.join(digits)}"
    return None


def empty(sentence: str, next_step: str, href: str, label: str) -> Sequence[Component]:
    """What stands in the place of rows where none matches."""
    return [
        html.Strong(sentence),
        html.Span(next_step),
        html.A(label, href=href, className="ll-button") if href else "",
    ]
