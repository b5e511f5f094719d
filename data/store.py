"""The app database: opened lazily in each process, written in short transactions, migrated by Alembic.

SQLite runs with a write-ahead log and full synchronisation. Web processes never checkpoint (SQLite before 3.51.3
may corrupt a log that two connections reset at once): the worker alone calls ``checkpoint``.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.orm import Session

MIGRATIONS = Path(__file__).parent / "migrations"


class Store:
    """A handle on the app database. Cheap to make; the engine opens on first use, once per process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: Engine | None = None
        self._pid = 0
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        """The engine of this process; a forked child makes its own."""
        with self._lock:
            if self._engine is None or self._pid != os.getpid():
                self._engine, self._pid = _engine(self.url), os.getpid()
            return self._engine

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """One writing transaction: commits at the end, rolls back on an error."""
        with self.engine.connect().execution_options(lakelight_write=True) as connection, connection.begin():
            session = Session(bind=connection, expire_on_commit=False)
            try:
                yield session
                session.flush()
            finally:
                session.close()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A reading session; what it returns stays readable after it is closed."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    def migrate(self) -> None:
        """Bring the schema to the newest revision."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def is_current(self) -> bool:
        """Is the schema at the newest revision?"""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        head = ScriptDirectory.from_config(config).get_current_head()
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return False
            return bool(connection.scalar(text("select version_num from alembic_version")) == head)

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database; only the worker calls this."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect() as connection:
                connection.exec_driver_sql("pragma wal_checkpoint(passive)")

    def close(self) -> None:
        """Give back all connections."""
        with self._lock:
            if self._engine is not None and self._pid == os.getpid():
                self._engine.dispose()
            self._engine = None


def _engine(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=wal",
        "synchronous=full",
        "busy_timeout=5000",
        "foreign_keys=on",
        "trusted_schema=off",
        "cell_size_check=on",
        "wal_autocheckpoint=0",
    ):
        connection.execute(f"pragma {pragma}")


def _begin_sqlite(connection: Any) -> None:
    """Writers take their lock at once, so that a transaction never fails half-way for want of it."""
    writes = connection.get_execution_options().get("lakelight_write", False)
    connection.exec_driver_sql("begin immediate" if writes else "begin")
