"""The port to the lake: the one door through which rows and numbers come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from data.questions import Filter, Question, Select, Table


class LakeError(Exception):
    """A lake problem that a person can read: what is wrong and what to do."""


class TableMissing(LakeError):
    """A table or version that was never published, or whose files are gone."""


class TableDamaged(LakeError):
    """A published file that cannot be read any more."""


class UnknownColumn(LakeError):
    """A question names a column that the table does not have."""


class Lake(Protocol):
    """A fenced, read-only view of published tables. Adapters are safe to use from several threads."""

    def read(self, question: Question, *, where: Filter) -> pa.Table:
        """Answer a question over the rows that ``where`` lets through. ``where`` has no default: see law 2."""

    def read_all(self, questions: tuple[Question, ...], *, where: Filter) -> tuple[pa.Table, ...]:
        """Answer several questions of one page under one row filter, sharing scans where that is possible."""

    def stream(self, question: Select, *, where: Filter, batch_rows: int = 10_000) -> Iterator[pa.RecordBatch]:
        """Answer a selection in batches, for exports and batch jobs; memory stays bounded."""

    def schema(self, table: Table) -> pa.Schema:
        """Names and types of the columns of one version."""

    def close(self) -> None:
        """Give back connections; the adapter cannot be used afterwards."""
