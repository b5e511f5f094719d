"""What a question means, in plain Python over lists of dicts: slow, obvious, and shares no code with the lake.

Rows hold Python values; a missing value is None. Times are aware and UTC.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

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

Row = Mapping[str, Any]


def answer(rows: Sequence[Row], question: Question, where: Filter, zone: str = "UTC") -> list[dict[str, Any]]:
    """The rows of the answer. Without an order the order means nothing."""
    inside = [r for r in rows if holds(where, r) and holds(question.filter, r)]
    if isinstance(question, Select):
        ordered = sort(inside, question.order)
        end = None if question.limit is None else question.offset + question.limit
        return [{c: r[c] for c in question.columns} for r in ordered[question.offset : end]]
    made = _groups(inside, question, ZoneInfo(zone))
    return sort(made, question.order)[: question.limit]


def holds(wanted: Filter, row: Row) -> bool:
    """Is the row kept? A comparison with a missing value never holds."""
    match wanted:
        case Everything():
            return True
        case Nothing():
            return False
        case And(parts):
            return all(holds(p, row) for p in parts)
        case Or(parts):
            return any(holds(p, row) for p in parts)
        case Compare(column, operator, value):
            return _compares(row[column], operator, value)


def sort(rows: Sequence[Row], order: Sequence[Order]) -> list[dict[str, Any]]:
    """By the steps in turn, missing values last whatever the direction, ties in their former order."""
    made = [dict(r) for r in rows]
    for step in reversed(order):
        known = [r for r in made if r[step.column] is not None]
        blank = [r for r in made if r[step.column] is None]
        known.sort(key=lambda r, c=step.column: _sortable(r[c]), reverse=False)
        if step.descending:
            known = _reversed_stable(known, step.column)
        made = known + blank
    return made


def _reversed_stable(rows: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    groups: list[list[dict[str, Any]]] = []
    for row in rows:
        if groups and groups[-1][0][column] == row[column]:
            groups[-1].append(row)
        else:
            groups.append([row])
    return [row for group in reversed(groups) for row in group]


def _sortable(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def _compares(have: Any, operator: str, value: Any) -> bool:
    if operator == "is_null":
        return have is None
    if operator == "not_null":
        return have is not None
    if have is None:
        return False
    if operator in ("in", "not_in"):
        held = any(have == v for v in value if v is not None)
        return held if operator == "in" else not held
    if operator in ("contains", "starts_with"):
        text, wanted = str(have).lower(), str(value).lower()
        return wanted in text if operator == "contains" else text.startswith(wanted)
    if value is None:
        return False
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "eq": lambda a, b: a == b,
        "ne": lambda a, b: a != b,
        "lt": lambda a, b: a < b,
        "le": lambda a, b: a <= b,
        "gt": lambda a, b: a > b,
        "ge": lambda a, b: a >= b,
    }
    return bool(tests[operator](have, value))


def _groups(rows: Sequence[Row], question: Aggregate, zone: ZoneInfo) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], list[Row]] = {} if question.by else {(): []}
    for row in rows:
        found.setdefault(tuple(_member(row, g, zone) for g in question.by), []).append(row)
    names = [g.name or g.column for g in question.by]
    return [
        {**dict(zip(names, members, strict=True)), **{m.name: _measured(inside, m) for m in question.measures}}
        for members, inside in found.items()
    ]


def _member(row: Row, group: Group, zone: ZoneInfo) -> Any:
    value = row[group.column]
    if group.grain is None or value is None:
        return value
    day = value.astimezone(zone).date() if isinstance(value, datetime) else value
    return first_day(day, group.grain)


def first_day(day: date, grain: str) -> date:
    """The first day of the grain that holds this day; weeks start on Monday."""
    match grain:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
        case _:
            return date(day.year, 1, 1)


def _measured(rows: Sequence[Row], measure: Aggregated) -> Any:
    inside = [r for r in rows if holds(measure.filter, r)]
    if measure.agg == "count" and measure.column is None:
        return len(inside)
    values = [r[measure.column] for r in inside if r[measure.column or ""] is not None]
    if measure.agg == "count":
        return len(values)
    if measure.agg == "count_distinct":
        return len(set(values))
    if not values:
        return None
    match measure.agg:
        case "sum":
            return math.fsum(values)
        case "avg":
            return math.fsum(values) / len(values)
        case "median":
            return float(statistics.median(values))
        case "min":
            return min(values, key=_sortable)
        case _:
            return max(values, key=_sortable)


def same(found: Sequence[Row], expected: Sequence[Row], *, ordered: bool) -> bool:
    """Equal rows; floats to 12 digits, because a sum depends on its order in the last ones."""
    if len(found) != len(expected):
        return False
    left, right = (found, expected) if ordered else (sorted(found, key=_any_order), sorted(expected, key=_any_order))
    return all(a.keys() == b.keys() and all(_close(a[k], b[k]) for k in a) for a, b in zip(left, right, strict=True))


def _any_order(row: Row) -> str:
    return repr([f"{v:.9g}" if isinstance(v, float) else str(v) for _, v in sorted(row.items())])


def _close(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool) or not isinstance(a, int | float) or not isinstance(b, int | float):
        return bool(a == b)
    return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-9)
