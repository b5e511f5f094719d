"""One compiled text for all questions of one shape: whole numbers that change with the question are marks in it.

Compiling costs more than many an answer does (a block of a list changes its window and its row ids each time). Only
numbers are filled in, by their digits, and only where the column holds 64-bit integers; texts, dates and names are
quoted by the compiler as ever.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from data.questions import And, Compare, Filter, Or, Question, Select

MARK = 7_310_462_000_000_000
MOST = 10_000
_MARKED = re.compile(r"7310462\d{9}")
_LARGEST = 2**63


@dataclass(frozen=True)
class Shape:
    """A question and its row filter with marks for numbers, and the numbers that the marks stand for."""

    question: Question
    where: Filter
    numbers: tuple[int, ...]


def shape(question: Question, where: Filter, schema: pa.Schema) -> Shape:
    """The shape of a question. One that holds a text which could be mistaken for a mark keeps its numbers."""
    numbers: list[int] = []
    whole = frozenset(f.name for f in schema if pa.types.is_int64(f.type))
    try:
        marked, rows = _filter(question.filter, whole, numbers), _filter(where, whole, numbers)
    except _Mistakable:
        return Shape(question, where, ())
    if not isinstance(question, Select):
        return Shape(replace(question, filter=marked), rows, tuple(numbers))
    limit = None if question.limit is None else _mark(question.limit, numbers)
    offset = _mark(question.offset, numbers) if question.offset else 0
    return Shape(replace(question, filter=marked, limit=limit, offset=offset), rows, tuple(numbers))


def filled(sql: str, numbers: Sequence[int]) -> str:
    """The text with the numbers in the places of their marks."""
    return _MARKED.sub(lambda found: str(numbers[int(found[0]) - MARK]), sql) if numbers else sql


class _Mistakable(Exception):
    pass


def _filter(wanted: Filter, whole: frozenset[str], numbers: list[int]) -> Filter:
    if isinstance(wanted, And | Or):
        return replace(wanted, parts=tuple(_filter(p, whole, numbers) for p in wanted.parts))
    if not isinstance(wanted, Compare):
        return wanted
    values = wanted.value if isinstance(wanted.value, tuple) else (wanted.value,)
    text = wanted.operator in ("contains", "starts_with")
    if text or wanted.column not in whole or not values or len(values) > MOST or not all(_fits(v) for v in values):
        if any(_MARKED.search(str(v)) for v in values):
            raise _Mistakable
        return wanted
    marks = tuple(_mark(int(v), numbers) for v in values if isinstance(v, int))
    return replace(wanted, value=marks if isinstance(wanted.value, tuple) else marks[0])


def _fits(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST


def _mark(number: int, numbers: list[int]) -> int:
    numbers.append(number)
    return MARK + len(numbers) - 1
