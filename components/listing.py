"""A table that stays readable on a phone: there each row becomes a few lines, every value behind its column's name."""

from __future__ import annotations

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component


def listing(
    label: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[int] = ()
) -> Component:
    """A table named ``label``. The first column leads its row; ``numbers`` are the places of columns set right."""
    named = [i for i, column in enumerate(columns)]
    head = html.Thead(
        html.Tr(
            [html.Th(columns[i], scope="col", role="columnheader", className=_look(i, numbers)) for i in named],
            role="row",
        )
    )
    body = html.Tbody([html.Tr([_cell(columns, i, row[i], numbers) for i in named], role="row") for row in rows])
    return html.Div(
        html.Table([head, body], className="ll-table ll-listing", role="table", **{"aria-label": label}),
        className="ll-table-wrap",
        tabIndex=0,
        role="region",
        **{"aria-label": label},
    )


def _cell(columns: Sequence[str], at: int, value: object, numbers: Sequence[int]) -> Component:
    blank = value is None or value in ("", [])
    look = f"{_look(at, numbers)} is-blank" if blank else _look(at, numbers)
    return html.Td(value, role="cell", className=look.strip(), **{"data-label": columns[at]})


def _look(at: int, numbers: Sequence[int]) -> str:
    return "is-number" if at in numbers else ""
