"""Typed questions become SQL: Ibis builds the expression over an unbound table and compiles it for the engine.

The row filter is the innermost step, so nothing that a person asks is computed from a row outside of it. Literals
are quoted by the compiler; column names are checked against the table's schema before they are used.
"""

from __future__ import annotations

from functools import reduce
from operator import and_, or_
from typing import Any

import ibis
import pyarrow as pa
from ibis.common.annotations import ValidationError
from ibis.common.exceptions import IbisError

from data.lake import LakeError, UnknownColumn
from data.questions import (
    Aggregate,
    Aggregated,
    And,
    Compare,
    Everything,
    Filter,
    Group,
    Nothing,
    Or,
    Order,
    Question,
    Select,
)

SOURCE = "source_rows"
FEW = 16
"""So many texts are compared one by one in a CASE; more of them are looked up in a list."""
_UNITS = {"day": "D", "week": "W", "month": "M", "quarter": "Q", "year": "Y"}


def compile_question(question: Question, where: Filter, schema: pa.Schema, dialect: str = "duckdb") -> str:
    """SQL over a relation named ``source_rows`` with this schema."""
    source = ibis.table({f.name: _type(f.type) for f in schema}, name=SOURCE)
    inside = _filtered(source, where)
    made = _select(inside, question) if isinstance(question, Select) else _aggregate(inside, question)
    return str(ibis.to_sql(made, dialect=dialect))


def _select(source: Any, question: Select) -> Any:
    rows = _filtered(source, question.filter)
    if question.order:
        rows = rows.order_by([_ordering(rows, o) for o in question.order])
    shown = rows.select([_column(rows, c) for c in question.columns])
    if question.limit is None and not question.offset:
        return shown
    return shown.limit(question.limit, offset=question.offset)


def _aggregate(source: Any, question: Aggregate) -> Any:
    rows = _filtered(source, question.filter)
    measures = {m.name: _measure(rows, m) for m in question.measures}
    if not question.by:
        return rows.aggregate(**measures)
    groups = {g.name or g.column: _group(rows, g) for g in question.by}
    made = rows.group_by(**groups).aggregate(**measures)
    if question.order:
        made = made.order_by([_ordering(made, o) for o in question.order])
    return made if question.limit is None else made.limit(question.limit)


def _measure(rows: Any, measure: Aggregated) -> Any:
    condition = None if isinstance(measure.filter, Everything) else _predicate(rows, measure.filter)
    if measure.agg == "count" and measure.column is None:
        return rows.count(where=condition)
    column = _column(rows, measure.column or "")
    verbs = {"sum": "sum", "avg": "mean", "count": "count", "count_distinct": "nunique"}
    return getattr(column, verbs.get(measure.agg, measure.agg))(where=condition)


def _group(rows: Any, group: Group) -> Any:
    column = _column(rows, group.column)
    if group.edges:
        # Comparisons with literals cost a tenth of cutting each time to its local month.
        return ibis.cases(*((column < edge, at) for at, edge in enumerate(group.edges)), else_=len(group.edges))
    if group.grain is None:
        return column
    if column.type().is_date():
        column = column.cast("timestamp")
    return column.truncate(_UNITS[group.grain]).cast("date")


def _ordering(rows: Any, order: Order) -> Any:
    column = _column(rows, order.column)
    return column.desc(nulls_first=False) if order.descending else column.asc(nulls_first=False)


def _filtered(rows: Any, wanted: Filter) -> Any:
    return rows if isinstance(wanted, Everything) else rows.filter(_predicate(rows, wanted))


def _predicate(rows: Any, wanted: Filter) -> Any:
    match wanted:
        case Everything():
            return ibis.literal(True)
        case Nothing():
            return ibis.literal(False)
        case And(parts):
            return reduce(and_, (_predicate(rows, p) for p in parts), ibis.literal(True))
        case Or(parts):
            return reduce(or_, (_predicate(rows, p) for p in parts), ibis.literal(False))
        case Compare():
            return _compare(_column(rows, wanted.column), wanted)


def _compare(column: Any, wanted: Compare) -> Any:
    value: Any = wanted.value
    match wanted.operator:
        case "in" | "not_in" as test:
            # A blank in the list equals nothing; left in, SQL's NOT IN would let no row through at all.
            known = [one for one in value if one is not None]
            if not known:
                return ibis.literal(False) if test == "in" else column.notnull()
            return _member(column, known, test)
        case "is_null":
            return column.isnull()
        case "not_null":
            return column.notnull()
        case "contains" | "starts_with" as test:
            text = column.cast("string").lower()
            return getattr(text, {"contains": "contains", "starts_with": "startswith"}[test])(str(value).lower())
        case operator:
            return ibis.literal(False) if value is None else _compared(column, f"__{operator}__", value)


def _member(column: Any, known: list[Any], test: str) -> Any:
    """Is a value one of these? DuckDB turns a list of texts into comparisons row by row. One text is compared once for
    each entry of a column's dictionary; so are the few of a CASE, and many inside of a function, which costs more.
    """
    if not column.type().is_string():
        return _compared(column, "isin" if test == "in" else "notin", known)
    if len(known) == 1:
        return _compared(column, "__eq__" if test == "in" else "__ne__", known[0])
    if len(known) <= FEW:
        among = test == "in"
        blank = [] if among else [(column.isnull(), False)]
        return ibis.cases(*blank, *((_compared(column, "__eq__", one), among) for one in known), else_=not among)
    return ibis.coalesce(_compared(column, "isin" if test == "in" else "notin", known), ibis.literal(False))


def _compared(column: Any, verb: str, value: Any) -> Any:
    """The comparison, or a sentence where the compiler has none for this value (as for a number beyond 64 bits)."""
    try:
        made = getattr(column, verb)(value)
        if made is NotImplemented:
            raise TypeError(verb)
    except (IbisError, ValidationError, TypeError, ValueError) as problem:
        raise LakeError(f"{column.get_name()} cannot be compared with {str(value)[:40]!r}.") from problem
    return made


def _column(rows: Any, name: str) -> Any:
    if name not in rows.columns:
        raise UnknownColumn(f"A column must be one of those the table publishes, got {name!r}.")
    return rows[name]


def _type(kind: pa.DataType) -> str:
    """The compiler's word for a column's type; what it has no word for can be counted and shown, not compared."""
    if pa.types.is_timestamp(kind):
        return "timestamp('UTC')" if kind.tz else "timestamp"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    plain = {"bool": "boolean", "float": "float32", "double": "float64", "date32[day]": "date"}
    return plain.get(str(kind), str(kind) if str(kind).startswith(("int", "uint")) else "binary")
