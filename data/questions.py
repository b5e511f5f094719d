"""What can be asked of the lake: small frozen descriptions, no engine.

A filter is a tree of plain predicates; a question names one published table, what to show of it and
the asker's own filter. The *row filter* is not part of a question: ``Lake.read`` takes it apart, with
no default, and puts it innermost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from data.definitions import Aggregation, Grain, Scalar

CompareOperator = Literal[
    "eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "is_null", "not_null", "contains", "starts_with"
]


@dataclass(frozen=True)
class Everything:
    """Every row. Written out wherever no row is held back, so that it is easy to find."""


@dataclass(frozen=True)
class Nothing:
    """No row: what a viewer without a rule sees."""


@dataclass(frozen=True)
class Compare:
    """A column against a literal; a tuple for ``in``/``not_in``. Text search ignores case and is literal.

    A comparison with a missing value is not true, also under ``ne`` and ``not_in``: a row whose
    territory is unknown is hidden. A missing value in a list equals nothing.
    """

    column: str
    operator: CompareOperator
    value: Scalar | tuple[Scalar, ...] = None


@dataclass(frozen=True)
class And:
    """All parts hold. No parts: everything."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Or:
    """At least one part holds. No parts: nothing."""

    parts: tuple[Filter, ...]


Filter = Everything | Nothing | Compare | And | Or


@dataclass(frozen=True)
class Table:
    """A published table and the one version of it that is asked."""

    name: str
    version: int


@dataclass(frozen=True)
class Order:
    """One step of an ordering; missing values always come last."""

    column: str
    descending: bool = False


@dataclass(frozen=True)
class Select:
    """Rows: columns in the given order, the asker's filter, an ordering with a unique tie-break, a window."""

    table: Table
    columns: tuple[str, ...]
    filter: Filter = field(default_factory=Everything)
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True)
class Aggregated:
    """One aggregate column of an answer: ``agg(column)``, over the rows where ``filter`` holds."""

    name: str
    agg: Aggregation
    column: str | None = None
    filter: Filter = field(default_factory=Everything)


@dataclass(frozen=True)
class Group:
    """A grouping column of an answer, cut to a time grain in the workspace's time zone where one is given.

    With a grain the answer's column is the first day of the grain, as a date (weeks start on Monday). With ``edges``
    (ascending) it is the number of edges that are at most the value: 0 before the first one.
    """

    column: str
    grain: Grain | None = None
    name: str | None = None
    edges: tuple[date | datetime, ...] = ()


@dataclass(frozen=True)
class Aggregate:
    """Aggregates by groups. Without groups the answer has one row. ``order`` may name any answer column."""

    table: Table
    measures: tuple[Aggregated, ...]
    by: tuple[Group, ...] = ()
    filter: Filter = field(default_factory=Everything)
    order: tuple[Order, ...] = ()
    limit: int | None = None


Question = Select | Aggregate
