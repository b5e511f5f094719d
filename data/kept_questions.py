"""A filter and an order as plain JSON, kept with an act, so that later the very same rows can be asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, get_args

from data.definitions import Scalar
from data.questions import And, Compare, CompareOperator, Everything, Filter, Nothing, Or, Order

OPERATORS = frozenset(get_args(CompareOperator))


def filter_json(wanted: Filter) -> Any:
    """A filter as JSON: "all", "none", {"and": […]}, {"or": […]} or [column, operator, value]."""
    match wanted:
        case Everything():
            return "all"
        case Nothing():
            return "none"
        case And(parts):
            kept = [filter_json(p) for p in parts if not isinstance(p, Everything)]
            return kept[0] if len(kept) == 1 else {"and": kept} if kept else "all"
        case Or(parts):
            return {"or": [filter_json(p) for p in parts]}
        case Compare(column, operator, value):
            several = isinstance(value, tuple)
            return [column, operator, {"in": [_kept(v) for v in value]} if several else _kept(value)]  # type: ignore[union-attr, arg-type]


def filter_of(kept: Any) -> Filter:
    """The filter that was kept. Raises ``ValueError`` for anything that ``filter_json`` does not write."""
    match kept:
        case "all":
            return Everything()
        case "none":
            return Nothing()
        case {"and": list(parts)}:
            return And(tuple(filter_of(p) for p in parts))
        case {"or": list(parts)}:
            return Or(tuple(filter_of(p) for p in parts))
        case [str(column), str(operator), {"in": list(values)}] if operator in OPERATORS:
            return Compare(column, operator, tuple(_value(v) for v in values))  # type: ignore[arg-type]
        case [str(column), str(operator), value] if operator in OPERATORS:
            return Compare(column, operator, _value(value))  # type: ignore[arg-type]
    raise ValueError("A kept filter must be one that was written by filter_json.")


def order_json(order: Sequence[Order]) -> list[str]:
    """An order as column names, "-" before those that descend."""
    return [("-" if o.descending else "+") + o.column for o in order]


def order_of(kept: Any) -> tuple[Order, ...]:
    """The order that was kept."""
    if not isinstance(kept, list) or not all(isinstance(o, str) and o[:1] in ("+", "-") for o in kept):
        raise ValueError("A kept order must be a list of columns with + or - before them.")
    return tuple(Order(o[1:], o[0] == "-") for o in kept)


def _kept(value: Scalar) -> Any:
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    return {"day": value.isoformat()} if isinstance(value, date) else value


def _value(kept: Any) -> Scalar:
    match kept:
        case {"time": str(text)}:
            return datetime.fromisoformat(text)
        case {"day": str(text)}:
            return date.fromisoformat(text)
        case None | str() | bool() | int() | float():
            return kept
    raise ValueError("A kept value must be a plain one, a day or a time.")
