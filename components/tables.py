"""Tables: a plain accessible one, and the endless grid of a list."""

from __future__ import annotations

from collections.abc import Sequence
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
    id: str, columns: Sequence[dict[str, Any]], *, row_id: str, height: str = "calc(100vh - 300px)"
) -> Component:
    """An AG Grid that asks the server for blocks of 100 rows as one scrolls."""
    return dag.AgGrid(
        id=id,
        rowModelType="infinite",
        columnDefs=list(columns),
        defaultColDef={"sortable": True, "resizable": True, "suppressHeaderMenuButton": False, "minWidth": 90},
        getRowId=row_id,
        dashGridOptions={
            "theme": "themeQuartz",
            "cacheBlockSize": 100,
            "maxBlocksInCache": 20,
            "rowHeight": 44,
            "headerHeight": 40,
            "suppressCsvExport": True,
            "suppressExcelExport": True,
            "suppressMovableColumns": True,
            "enableCellTextSelection": True,
        },
        className="ll-leadgrid",
        style={"height": height, "minHeight": "420px"},
    )
