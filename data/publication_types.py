"""How a raw value becomes one of its column's declared type, and when it cannot: SQL for the publication's engine.

A value is never bent: 1.5 is not the integer 2, and 12.5 in a file with decimal commas is not 125. What cannot be read
as its type makes the cast fail, and the dataset is held back with that value in the sentence.
"""

from __future__ import annotations

from data.definitions import ColumnType, CsvFormat

TYPES: dict[ColumnType, str] = {
    "string": "varchar",
    "integer": "bigint",
    "number": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
}
WHOLE = r"[+-]?\d+"
DECIMAL = {
    ".": r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?",
    ",": r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?([eE][+-]?\d+)?",
}
WHOLE_GROUPED = r"[+-]?(\d{1,3}(\.\d{3})+|\d+)"
"""A whole number in a file with decimal commas may have dots between its thousands."""
_FLOATING = ("FLOAT", "DOUBLE", "DECIMAL", "REAL")


def read_as(column: str, kind: ColumnType | None, stored: str, form: CsvFormat | None) -> str:
    """The column as its declared type; the query fails on a value not of it. ``form`` is None for typed files."""
    name = quoted(column)
    if kind is None:
        return name
    return _read(name, kind, stored, form, "cast")


def cannot_be(column: str, kind: ColumnType, stored: str, form: CsvFormat | None) -> str:
    """Holds for the values that are not of the declared type."""
    name = quoted(column)
    return (
        f"{name} is not null and ({_read(name, kind, stored, form, 'try_cast')}) is null and {_not_nan(name, stored)}"
    )


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text in SQL."""
    return "'" + value.replace("'", "''") + "'"


def _read(name: str, kind: ColumnType, stored: str, form: CsvFormat | None, cast: str) -> str:
    if kind in ("integer", "number") and form is not None:
        name = _numeric(name, kind, form)
    elif kind == "integer" and stored.startswith(_FLOATING):
        name = f"nullif({name}, 'nan'::double)" if stored.startswith(("FLOAT", "DOUBLE")) else name
        name = f"case when {name} is null or {name} = trunc({name}) then {name} else 'nan'::double end"
        return f"case when {name} is not null then {cast}({name} as {TYPES[kind]}) end"
    made = f"{cast}({name} as {TYPES[kind]})"
    return f"nullif({made}, 'nan'::double)" if kind == "number" else made


def _numeric(name: str, kind: ColumnType, form: CsvFormat) -> str:
    """A text of a CSV as the engine reads numbers, or "?" where it is not one in the file's own way of writing."""
    grouped = WHOLE_GROUPED if form.decimal == "," else WHOLE
    pattern = grouped if kind == "integer" else DECIMAL[form.decimal]
    plain = f"trim({name})"
    read = f"replace(replace({plain}, '.', ''), ',', '.')" if form.decimal == "," else plain
    return f"case when {name} is null or regexp_full_match({plain}, '{pattern}') then {read} else '?' end"


def _not_nan(name: str, stored: str) -> str:
    return f"not isnan({name})" if stored.startswith(("FLOAT", "DOUBLE")) else "true"
