"""From the raw lake to a published version: every page of every file is read and checked before anybody sees a row.

A dataset that fails a check is rejected with one sentence; the last published version serves on (law 6).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from data import lake_delta
from data.definitions import Column, ColumnType, Dataset, LakeFile
from data.lake import TableDamaged
from data.publication_types import cannot_be, quoted, read_as, text
from data.questions import Table

_Parts = list[tuple[str, list[Path]]]
"""What is checked one by one, and its name in a sentence: each file, or a Delta table as a whole."""

PRIVATE = "a private value"
_KINDS: dict[ColumnType, str] = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date",
    "timestamp": "a time",
}


@dataclass(frozen=True)
class Published:
    """A new version of a dataset, ready to become the current one. ``newest`` is None without a time column."""

    dataset: str
    version: int
    rows: int
    newest: datetime | None
    columns: Mapping[str, str]
    fingerprint: str


@dataclass(frozen=True)
class Rejected:
    """Why a dataset's new files were not published, in one sentence, and what to do."""

    dataset: str
    file: str
    reason: str
    next_step: str = "Correct the file; it is checked again by itself."


class _Wrong(Exception):
    """A check that failed; becomes ``Rejected``."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(reason)
        self.file, self.reason = file, reason


def publication_order(lake: LakeFile) -> tuple[str, ...]:
    """Datasets, each after those it attaches columns from. Raises ``ValueError`` on a circle."""
    done: list[str] = []
    left = dict(lake.datasets)
    while left:
        ready = [n for n, d in left.items() if all(a.dataset in done or a.dataset == n for a in d.attach)]
        if not ready:
            raise ValueError(f"Datasets must not attach each other in a circle: {', '.join(sorted(left))}.")
        done += ready
        left = {n: d for n, d in left.items() if n not in ready}
    return tuple(done)


def source_fingerprint(dataset: Dataset, raw: Path, attached: Mapping[str, int]) -> str:
    """Changes when a source file, the definition or an attached dataset changes; "" where there is no file."""
    files = _files(dataset, raw)
    if not files:
        return ""
    digest = hashlib.sha256(dataset.model_dump_json().encode())
    digest.update(repr(sorted(attached.items())).encode())
    for file in files:
        about = file.stat()
        digest.update(f"{file.relative_to(raw)}|{about.st_size}|{about.st_mtime_ns}".encode())
    return digest.hexdigest()


def check_and_publish(
    lake: LakeFile, name: str, *, raw: Path, published: Path, attached: Mapping[str, int]
) -> Published | Rejected:
    """Check the dataset's files and write a new version. ``attached`` maps datasets to their published versions."""
    dataset = lake.datasets[name]
    fingerprint = source_fingerprint(dataset, raw, attached)
    connection = duckdb.connect(":memory:")
    connection.execute("set autoinstall_known_extensions=false; set autoload_known_extensions=false")
    connection.execute("set global TimeZone='UTC'")
    try:
        files = _files(dataset, raw)
        if not files:
            raise _Wrong(dataset.path, f"{dataset.label} has no file at {dataset.path}.")
        parts = _delta_table(dataset, raw) if dataset.format == "delta" else [(f.name, [f]) for f in files]
        _load(connection, dataset, parts)
        _attach(connection, dataset, published, attached)
        rows = _check(connection, dataset, parts[0][0])
        version = _write(connection, name, dataset=dataset, published=published)
        newest = _newest(connection, dataset)
        described = connection.sql("describe final").fetchall()
        return Published(name, version, rows, newest, {r[0]: r[1] for r in described}, fingerprint)
    except _Wrong as wrong:
        return Rejected(name, wrong.file, wrong.reason)
    finally:
        connection.close()


def _files(dataset: Dataset, raw: Path) -> list[Path]:
    if dataset.format == "delta":
        return sorted(p for p in (raw / dataset.path).rglob("*") if p.is_file())
    return sorted(p for p in raw.glob(dataset.path) if p.is_file())


def _delta_table(dataset: Dataset, raw: Path) -> _Parts:
    """A foreign Delta table by the files of its newest version; held back where they alone do not tell its rows."""
    name = dataset.path
    try:
        files = [Path(f) for f in lake_delta.source_files(raw / name)]
    except lake_delta.NeedsFeature as feature:
        must = f"{dataset.label} must be a Delta table that can be read without {feature}, and {name} cannot"
        raise _Wrong(name, f"{must}. Copy its rows to a new table (in Spark: CREATE TABLE … AS SELECT).") from feature
    except TableDamaged as problem:
        raise _Wrong(name, _unreadable(name, dataset.format, problem)) from problem
    if not files:
        raise _Wrong(name, _no_rows(dataset, name))
    return [(name, files)]


def _load(connection: duckdb.DuckDBPyConnection, dataset: Dataset, parts: _Parts) -> None:
    """The own columns of the dataset as table ``own``, cast to their declared types."""
    attached = {c for a in dataset.attach for c in a.columns}
    own = [c for c in dataset.columns if c not in attached]
    for _, (file,) in parts if dataset.format != "delta" else ():
        _read_whole(connection, dataset, file=file, own=own)
    relation = _relation(dataset, [file for _, files in parts for file in files])
    stored = _stored(connection, dataset, relation=relation, own=own, file=parts[0][0])
    form = dataset.csv if dataset.format == "csv" else None
    listed = ", ".join(f"{read_as(c, dataset.columns[c].type, stored[c], form)} as {quoted(c)}" for c in own)
    try:
        connection.execute(f"create table own as select {listed} from {relation}")  # noqa: S608
    except duckdb.Error as problem:
        raise _Wrong(*_which(connection, dataset, parts=parts, stored=stored)) from problem


def _read_whole(connection: duckdb.DuckDBPyConnection, dataset: Dataset, *, file: Path, own: list[str]) -> None:
    """Every page of a file can be read, and no file lacks a column: its rows would be read as blanks."""
    relation = _relation(dataset, [file])
    try:
        if dataset.format == "parquet":
            connection.sql(f"select max(hash(columns(*))) from {relation}").fetchall()  # noqa: S608
    except duckdb.Error as problem:
        raise _Wrong(file.name, f"{file.name} is damaged or only half written and cannot be read.") from problem
    _stored(connection, dataset, relation=relation, own=own, file=file.name)


def _stored(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, *, relation: str, own: list[str], file: str
) -> dict[str, str]:
    """The types as stored, by column; every own column must be there."""
    try:
        found = {r[0]: str(r[1]) for r in connection.sql(f"describe select * from {relation}").fetchall()}  # noqa: S608
    except duckdb.Error as problem:
        raise _Wrong(file, _unreadable(file, dataset.format, problem)) from problem
    missing = [c for c in own if c not in found]
    if missing:
        raise _Wrong(file, f"{dataset.label} must have the column {missing[0]}, and {file} has none.")
    return found


def _relation(dataset: Dataset, files: list[Path]) -> str:
    listed = ", ".join(text(str(f)) for f in files)
    if dataset.format != "csv":
        return f"read_parquet([{listed}], union_by_name=true)"
    form = dataset.csv
    missing = ", ".join(text(m) for m in form.missing)
    encoding = {"utf8": "utf-8", "latin1": "latin-1", "iso-8859-1": "latin-1"}.get(form.encoding.lower(), form.encoding)
    return (
        f"read_csv([{listed}], delim={text(form.delimiter)}, header=true, all_varchar=true, nullstr=[{missing}], "
        f"encoding={text(encoding)}, quote='\"', escape='\"', comment='', skip=0, strict_mode=true, union_by_name=true)"
    )


def _which(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, *, parts: _Parts, stored: dict[str, str]
) -> tuple[str, str]:
    """The first value that is not of its column's declared type, and the file that has it."""
    form = dataset.csv if dataset.format == "csv" else None
    for name, files in parts:
        relation = _relation(dataset, files)
        for column, about in dataset.columns.items():
            if about.type is None or column not in stored:
                continue
            wrong = cannot_be(column, about.type, stored[column], form)
            try:
                bad = _row(connection, f"select {quoted(column)} from {relation} where {wrong} limit 1")  # noqa: S608
            except duckdb.BinderException:
                bad = (stored[column].lower(),)
            except duckdb.Error as problem:
                return name, _unreadable(name, dataset.format, problem)
            if bad:
                has = f"{PRIVATE} of another kind" if _is_private(about) else f"{bad[0]!r:.60}"
                return name, f"{about.label} ({column}) must be {_KINDS[about.type]}, and {name} has {has}."
    return parts[0][0], f"{parts[0][0]} cannot be read with the declared types."


def _attach(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, published: Path, attached: Mapping[str, int]
) -> None:
    """Columns of other published datasets by left joins; the result is the view ``final``."""
    joins, shown = (
        "",
        [f"own.{quoted(c)}" for c in dataset.columns if c not in {x for a in dataset.attach for x in a.columns}],
    )
    for place, attach in enumerate(dataset.attach):
        if attach.dataset not in attached:
            raise _Wrong(dataset.path, f"{dataset.label} needs {attach.dataset}, which is not published yet.")
        files = lake_delta.files(published, Table(attach.dataset, attached[attach.dataset]))
        listed = ", ".join(text(f) for f in files)
        keys = ", ".join(quoted(k) for k in attach.on.values())
        source = f"read_parquet([{listed}])"
        twice = _row(connection, f"select {keys} from {source} group by {keys} having count(*) > 1 limit 1")  # noqa: S608
        if twice:
            which = PRIVATE if _is_private(dataset.columns[next(iter(attach.on))]) else twice[0]
            said = f"{attach.dataset} must have one row for each {keys}, and has several of {which}."
            raise _Wrong(dataset.path, said)
        on = " and ".join(f"own.{quoted(o)} = a{place}.{quoted(t)}" for o, t in attach.on.items())
        joins += f" left join {source} a{place} on {on}"
        shown += [f"a{place}.{quoted(theirs)} as {quoted(ours)}" for ours, theirs in attach.columns.items()]
    order = ", ".join(quoted(c) for c in dataset.order)
    ordered = f" order by {order}" if order else ""
    connection.execute(f"create table final as select {', '.join(shown)} from own{joins}{ordered}")  # noqa: S608


def _check(connection: duckdb.DuckDBPyConnection, dataset: Dataset, file: str) -> int:
    rows = int(connection.sql("select count(*) from final").fetchall()[0][0])
    if rows == 0:
        raise _Wrong(file, _no_rows(dataset, file))
    keys = ", ".join(quoted(k) for k in dataset.key)
    twice = _row(connection, f"select {keys} from final group by {keys} having count(*) > 1 limit 1")  # noqa: S608
    if twice:
        said = [PRIVATE if _is_private(dataset.columns[k]) else str(v) for k, v in zip(dataset.key, twice, strict=True)]
        raise _Wrong(file, f"The key of {dataset.label} must be unique, and {', '.join(said)} stands twice.")
    for column in (*dataset.key, *(c for c, about in dataset.columns.items() if about.required)):
        blank = connection.sql(f"select count(*) from final where {quoted(column)} is null").fetchall()[0][0]  # noqa: S608
        if blank:
            raise _Wrong(file, f"{column} of {dataset.label} must not be blank, and {blank} rows have none.")
    for column in (c for c, about in dataset.columns.items() if about.type == "number"):
        if _row(connection, f"select 1 from final where isinf({quoted(column)}) limit 1"):  # noqa: S608
            label = dataset.columns[column].label
            raise _Wrong(file, f"{label} ({column}) must be a number, and a row has an infinite one.")
    return rows


def _write(connection: duckdb.DuckDBPyConnection, name: str, *, dataset: Dataset, published: Path) -> int:
    columns = ", ".join(quoted(c) for c in dataset.columns)
    reader = connection.sql(f"select {columns} from final").to_arrow_reader(100_000)  # noqa: S608
    return lake_delta.write(published, name, reader)


def _newest(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> datetime | None:
    if dataset.time is None:
        return None
    query = f"select epoch(max({quoted(dataset.time)})) from final"  # noqa: S608
    found = connection.sql(query).fetchall()[0][0]
    return None if found is None else datetime.fromtimestamp(float(found), UTC)


def _is_private(about: Column) -> bool:
    """May no message repeat a value of this column? People who look after files need not see what files hold."""
    return about.privacy in ("personal", "sensitive")


def _no_rows(dataset: Dataset, file: str) -> str:
    return f"{dataset.label} must have rows, and {file} has none."


def _unreadable(file: str, form: str, problem: Exception) -> str:
    """What is wrong with a file that the engine cannot parse; the engine's own words hold paths and settings."""
    line = re.search(r"CSV Error on Line: (\d+)", str(problem))
    if form != "csv":
        return f"{file} is damaged or only half written and cannot be read."
    where = f"line {line[1]} has" if line else "it has"
    return f"{file} cannot be read as CSV: {where} another delimiter, quoting, encoding or number of columns."


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[object, ...] | None:
    found = connection.sql(query).fetchall()
    return found[0] if found else None
