"""Tables: a plain accessible one, and the endless grid of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_ag_grid as dag
from dash import html
from dash.development.base_component import Component


def plain(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[int] = (), totals: Sequence[int] = ()
) -> Component:
    """A table. ``numbers`` are the places of columns set to the right, ``totals`` the places of rows that sum up."""
    head = html.Thead(
        html.Tr([html.Th(c, scope="col", className="is-number" if i in numbers else "") for i, c in enumerate(columns)])
    )
    body = [
        html.Tr(
            [html.Td(cell, className="is-number" if i in numbers else "") for i, cell in enumerate(row)],
            className="is-total" if at in totals else "",
        )
        for at, row in enumerate(rows)
    ]
    return html.Div(
        html.Table([head, html.Tbody(body)], className="ll-table"),
        className="ll-table-wrap",
        tabIndex=0,
        role="region",
        **{"aria-label": "Table"},
    )


def endless(
    id: str,
    columns: Sequence[dict[str, Any]],
    *,
    row_id: str,
    label: str = "",
    filters: Mapping[str, Any] | None = None,
    row_classes: Mapping[str, str] | None = None,
    listeners: Mapping[str, list[str]] | None = None,
    marks: Mapping[str, str] | None = None,
) -> Component:
    """An AG Grid that asks the server for blocks of 100 rows as one scrolls, one block at a time.

    The grid answers the newest request only, so two at once would leave one of them unanswered. Expressions are read,
    never run; functions are those of ``assets/``.
    """
    grid = dag.AgGrid(
        id=id,
        rowModelType="infinite",
        columnDefs=list(columns),
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "minWidth": 60,
            "wrapHeaderText": True,
            "filter": False,
            "sortingOrder": ["desc", "asc", None],
        },
        getRowId=row_id,
        filterModel=dict(filters or {}),
        rowClassRules=dict(row_classes or {}),
        eventListeners=dict(listeners or {}),
        dashGridOptions={
            "theme": "themeQuartz",
            "cacheBlockSize": 100,
            "maxBlocksInCache": 20,
            "maxConcurrentDatasourceRequests": 1,
            "infiniteInitialRowCount": 20,
            "rowHeight": 44,
            "headerHeight": 48,
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "suppressCsvExport": True,
            "suppressExcelExport": True,
            "suppressMovableColumns": True,
            "suppressNoRowsOverlay": True,
        },
        className="ll-leadgrid",
        style={"height": "100%"},
    )
    return html.Div(grid, className="ll-gridbox", role="region", style=dict(marks or {}), **{"aria-label": label})
