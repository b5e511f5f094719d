"""The lake on DuckDB: one fenced connection per process, one cursor per thread, nothing opened before it is needed.

The fence (security.md F11): only the published folder can be read, no extension is loaded or fetched, memory, threads
and temporary files are bounded, and the configuration is locked.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from data import lake_delta, lake_ibis, lake_shapes
from data.lake import LakeError, TableDamaged, TableMissing
from data.questions import Aggregate, Filter, Question, Select, Table

COMPILED = 1_000


class _DuckDB:
    """What both adapters share: compiling, cursors per thread, errors in words. ``_relation`` is theirs."""

    def __init__(self, *, timezone: str, memory_mb: int, threads: int) -> None:
        self._zone = timezone.replace("'", "")
        self._config: dict[str, Any] = {
            "memory_limit": f"{memory_mb}MB",
            "threads": threads,
            "preserve_insertion_order": True,
        }
        self._lock = threading.RLock()
        self._root: duckdb.DuckDBPyConnection | None = None
        self._pid = 0
        self._local = threading.local()
        self._compiled: OrderedDict[tuple[Question, Filter], str] = OrderedDict()
        self._schemas: dict[Table, pa.Schema] = {}

    def read(self, question: Question, *, where: Filter) -> pa.Table:
        """Answer a question over the rows that ``where`` lets through."""
        sql = self._sql(question, where)
        try:
            return self._cursor().sql(sql).to_arrow_table()
        except duckdb.Error as problem:
            raise _said(problem, question.table) from problem

    def read_all(self, questions: tuple[Question, ...], *, where: Filter) -> tuple[pa.Table, ...]:
        """Answer several questions; aggregates of one scan (same table, filter, groups) are read together."""
        shared: dict[Any, list[int]] = {}
        for at, question in enumerate(questions):
            same = (
                (question.table, question.filter, question.by, question.order, question.limit)
                if isinstance(question, Aggregate)
                else at
            )
            shared.setdefault(same, []).append(at)
        answers: dict[int, pa.Table] = {}
        for places in shared.values():
            answers |= self._together(questions, places, where)
        return tuple(answers[at] for at in range(len(questions)))

    def stream(self, question: Select, *, where: Filter, batch_rows: int = 10_000) -> Iterator[pa.RecordBatch]:
        """Answer a selection in batches, on a cursor of its own."""
        sql = self._sql(question, where)
        cursor = self._open().cursor()
        try:
            yield from cursor.sql(sql).to_arrow_reader(batch_rows)
        except duckdb.Error as problem:
            raise _said(problem, question.table) from problem
        finally:
            cursor.close()

    def schema(self, table: Table) -> pa.Schema:
        """Names and types of the columns of one version."""
        if table not in self._schemas:
            try:
                found = self._cursor().sql(f"select * from {self._relation(table)} limit 0")  # noqa: S608
                self._schemas[table] = found.to_arrow_table().schema
            except duckdb.Error as problem:
                raise _said(problem, table) from problem
        return self._schemas[table]

    def close(self) -> None:
        """Give back the connection."""
        with self._lock:
            if self._root is not None and self._pid == os.getpid():
                self._root.close()
            self._root = None
            self._local = threading.local()

    def _together(self, questions: tuple[Question, ...], places: list[int], where: Filter) -> dict[int, pa.Table]:
        first = questions[places[0]]
        if len(places) == 1 or not isinstance(first, Aggregate):
            return {places[0]: self.read(first, where=where)}
        asked = [q for q in (questions[p] for p in places) if isinstance(q, Aggregate)]
        renamed = {(i, m.name): f"m{i}_{j}" for i, q in enumerate(asked) for j, m in enumerate(q.measures)}
        if any(q.order for q in asked):
            return {p: self.read(questions[p], where=where) for p in places}
        measures = tuple(replace(m, name=renamed[i, m.name]) for i, q in enumerate(asked) for m in q.measures)
        found = self.read(replace(first, measures=measures), where=where)
        groups = [g.name or g.column for g in first.by]
        answers = {}
        for i, (place, question) in enumerate(zip(places, asked, strict=True)):
            own = found.select(groups + [renamed[i, m.name] for m in question.measures])
            answers[place] = own.rename_columns(groups + [m.name for m in question.measures])
        return answers

    def _sql(self, question: Question, where: Filter) -> str:
        schema = self.schema(question.table)
        shape = lake_shapes.shape(question, where, schema)
        key = (shape.question, shape.where)
        with self._lock:
            if key in self._compiled:
                self._compiled.move_to_end(key)
                return self._with_source(question.table, lake_shapes.filled(self._compiled[key], shape.numbers))
        made = lake_ibis.compile_question(shape.question, shape.where, schema)
        with self._lock:
            self._compiled[key] = made
            while len(self._compiled) > COMPILED:
                self._compiled.popitem(last=False)
        return self._with_source(question.table, lake_shapes.filled(made, shape.numbers))

    def _with_source(self, table: Table, made: str) -> str:
        return f"with {lake_ibis.SOURCE} as (select * from {self._relation(table)}) {made}"  # noqa: S608

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        root = self._open()
        cursor = getattr(self._local, "cursor", None)
        if cursor is None or self._local.root is not root:
            self._local.cursor, self._local.root = root.cursor(), root
        return self._local.cursor  # type: ignore[no-any-return]

    def _open(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._root is None or self._pid != os.getpid():
                self._root, self._pid = self._connect(), os.getpid()
            return self._root

    def _connect(self) -> duckdb.DuckDBPyConnection:
        raise NotImplementedError

    def _relation(self, table: Table) -> str:
        raise NotImplementedError


class DuckDBLake(_DuckDB):
    """Published Delta tables under ``root``."""

    def __init__(self, root: Path, *, timezone: str, memory_mb: int = 512, threads: int = 2) -> None:
        super().__init__(timezone=timezone, memory_mb=memory_mb, threads=threads)
        self.root = root.resolve()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        self.root.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(":memory:", config=self._config)
        quoted = str(self.root).replace("'", "''")
        for setting in (
            f"set global TimeZone='{self._zone}'",
            "set autoinstall_known_extensions=false",
            "set autoload_known_extensions=false",
            "set temp_directory=''",
            f"set allowed_directories=['{quoted}/']",
            "set enable_external_access=false",
            "set lock_configuration=true",
        ):
            connection.execute(setting)
        return connection

    def _relation(self, table: Table) -> str:
        listed = ", ".join("'" + f.replace("'", "''") + "'" for f in lake_delta.files(self.root, table))
        if not listed:
            raise TableMissing(f"Version {table.version} of {table.name} has no files. Run a refresh.")
        return f"read_parquet([{listed}], union_by_name=true)"


class ArrowLake(_DuckDB):
    """The same adapter on tables in memory, for tests."""

    def __init__(self, tables: Mapping[tuple[str, int], pa.Table], *, timezone: str = "UTC") -> None:
        super().__init__(timezone=timezone, memory_mb=512, threads=2)
        self._tables = dict(tables)

    def _connect(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(":memory:", config=self._config)
        connection.execute(f"set global TimeZone='{self._zone}'")
        for (name, version), rows in self._tables.items():
            connection.register("incoming", rows)
            connection.execute(f'create table "{name}_{version}" as select * from incoming')  # noqa: S608
            connection.unregister("incoming")
        return connection

    def _relation(self, table: Table) -> str:
        if (table.name, table.version) not in self._tables:
            raise TableMissing(f"{table.name} has no version {table.version}.")
        return f'"{table.name}_{table.version}"'


def _said(problem: duckdb.Error, table: Table) -> LakeError:
    words = str(problem)
    if isinstance(problem, duckdb.IOException) and ("No files found" in words or "Cannot open file" in words):
        return TableMissing(f"A file of {table.name} is gone. Run a refresh to publish it again.")
    if isinstance(problem, duckdb.IOException | duckdb.InvalidInputException | duckdb.SerializationException):
        return TableDamaged(f"A file of {table.name} cannot be read any more. Run a refresh to publish it again.")
    return LakeError(f"{table.name} could not answer this question.")
