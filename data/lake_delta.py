"""Delta tables, read by their file list: those that Lakelight writes (atomic versions, old ones readable), and foreign
ones that a dataset is published from.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from deltalake import ColumnProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from data.lake import TableDamaged, TableMissing
from data.questions import Table

_HARMLESS = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
"""Reader features that leave the rows as they stand in the files."""


class NeedsFeature(Exception):
    """A foreign table whose rows are not those of its files, read as they stand; says by which feature."""


def write(root: Path, name: str, rows: pa.Table | pa.RecordBatchReader, *, picked: bool = False) -> int:
    """Replace a table's rows by a new version, all or nothing; gives the version's number.

    The order of the rows is the order of the file. Older versions stay readable. ``picked``: single rows are read from
    all over the table, so it is written in small groups that are fast to unpack.
    """
    target = root / name
    target.mkdir(parents=True, exist_ok=True)
    write_deltalake(
        str(target),
        rows,
        mode="overwrite",
        schema_mode="overwrite",
        writer_properties=_picked(rows.schema) if picked else _scanned(),
        target_file_size=1 << 30,
    )
    return int(DeltaTable(str(target)).version())


def _scanned() -> WriterProperties:
    return WriterProperties(compression="ZSTD", max_row_group_size=100_000)


def _picked(schema: pa.Schema) -> WriterProperties:
    """Small groups, light compression, and no dictionaries of floating numbers, which hardly repeat: a hundred rows
    from all over a million cost a third of the time, and the file is no larger.
    """
    plain = ColumnProperties(dictionary_enabled=False)
    floats = {f.name: plain for f in schema if pa.types.is_floating(f.type)}
    return WriterProperties(compression="SNAPPY", max_row_group_size=20_000, column_properties=floats)


def above(root: Path, name: str, version: int) -> int:
    """The number of the newest version, raised above ``version`` where it is not: a table whose folder was lost begins
    at 0 again, and a number must never mean two things.
    """
    table = DeltaTable(str(root / name))
    while table.version() <= version:
        table.alter.set_table_description(f"goes on after version {version}, whose files were lost")
        table.update_incremental()
    return int(table.version())


def is_there(root: Path, name: str) -> bool:
    """Was this table ever written, and is its folder still there?"""
    return (root / name / "_delta_log").is_dir()


@lru_cache(maxsize=512)
def files(root: Path, table: Table) -> tuple[str, ...]:
    """The files of one published version. A published version never changes, so the answer is kept."""
    try:
        return _listed(root / table.name, DeltaTable(str(root / table.name), version=table.version))
    except (TableNotFoundError, DeltaError, OSError) as problem:
        raise TableMissing(
            f"{table.name} has no version {table.version} in the lake. Run a refresh to publish it again."
        ) from problem


def source_files(folder: Path) -> tuple[str, ...]:
    """The files of a foreign table as it is now; raises ``NeedsFeature`` or ``TableDamaged``.

    Nothing is kept: whoever writes the table may delete it and begin again at version 0.
    """
    try:
        table = DeltaTable(str(folder))
        feature = _feature(table)
        found = _listed(folder, table)
    except (TableNotFoundError, DeltaError, OSError) as problem:
        if "Unsupported" in str(problem):
            raise NeedsFeature("features that only newer readers know") from problem
        raise TableDamaged(f"{folder.name} is damaged or only half written and cannot be read.") from problem
    if feature:
        raise NeedsFeature(feature)
    return found


def _feature(table: DeltaTable) -> str:
    """The feature that makes a table's rows differ from those of its files, "" where none does. A feature that is
    switched on and not used changes nothing: many platforms switch them on for every table.
    """
    features = set(table.protocol().reader_features or ())
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        return "column mapping"
    unknown = features - _HARMLESS - {"columnMapping", "deletionVectors"}
    return ", ".join(sorted(unknown)) or (
        "deletion vectors" if "deletionVectors" in features and _deletes(table) else ""
    )


def _deletes(table: DeltaTable) -> bool:
    """Does a file hold rows that are deleted? Deletion vectors that cannot be read are there all the same."""
    try:
        return any(batch.num_rows for batch in table.deletion_vectors())
    except DeltaError:
        return True


def _listed(folder: Path, table: DeltaTable) -> tuple[str, ...]:
    return tuple(sorted(str(_place(folder, path)) for path in table.get_add_actions().column("path").to_pylist()))


def _place(folder: Path, path: str) -> Path:
    """Where a file of the log lies: writers differ in whether the log's path is percent-encoded once more."""
    return next((p for p in (folder / path, folder / unquote(path)) if p.exists()), folder / path)
