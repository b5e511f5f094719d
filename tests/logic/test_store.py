"""The app database: SQLite as it must be set, one writer at a time, migrations from nothing, aware times only."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError, StatementError

from data import people
from data.store import MIGRATIONS, Store
from data.tables import Base, Person

AT = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path):
    made = Store(f"sqlite:///{tmp_path / 'app.db'}")
    made.migrate()
    yield made
    made.close()


def add(store: Store, email: str) -> None:
    with store.begin() as session:
        people.add(session, email=email, name="A", role="r", attributes={}, password_hash="x", created_at=AT)


def emails(store: Store) -> list[str]:
    with store.read() as session:
        return [p.email for p in people.everyone(session)]


def test_a_store_opens_nothing_before_it_is_asked(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'app.db'}")
    store.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("wal_autocheckpoint", 0), ("trusted_schema", 0),
     ("busy_timeout", 5000)],
)  # fmt: skip
def test_every_connection_is_set_as_it_must_be(store, pragma, value):
    with store.engine.connect() as first, store.engine.connect() as second:
        assert [c.exec_driver_sql(f"pragma {pragma}").scalar() for c in (first, second)] == [value, value]


def test_only_the_worker_s_checkpoint_moves_the_log_into_the_database(store, tmp_path):
    log = tmp_path / "app.db-wal"
    for number in range(400):
        add(store, f"person{number}@x")
    grown = log.stat().st_size
    assert grown > 4_000 * 400, "the log must not be moved by a writer: it grows past the usual 1,000 pages"
    store.close()
    reopened = Store(store.url)
    try:
        assert len(emails(reopened)) == 400
        add(reopened, "one@x")
        reopened.checkpoint()
        with sqlite3.connect(f"file:{tmp_path / 'app.db'}?mode=ro&immutable=1", uri=True) as alone:
            assert alone.execute("select count(*) from people").fetchone() == (401,)
    finally:
        reopened.close()


@pytest.mark.attack("U-04")
def test_a_transaction_is_whole_or_not_at_all(store):
    with pytest.raises(RuntimeError), store.begin() as session:
        people.add(session, email="a@x", name="A", role="r", attributes={}, password_hash="x", created_at=AT)
        session.flush()
        raise RuntimeError
    assert emails(store) == []
    with pytest.raises(IntegrityError), store.begin() as session:
        for _ in range(2):
            people.add(session, email="a@x", name="A", role="r", attributes={}, password_hash="x", created_at=AT)
    assert emails(store) == []


def test_writers_in_many_threads_wait_for_each_other(store):
    """Each reads and then writes: without the lock taken at the start some would fail half-way or overwrite."""
    add(store, "counter@x")
    failed: list[BaseException] = []

    def count() -> None:
        try:
            for _ in range(20):
                with store.begin() as session:
                    person = people.by_email(session, "counter@x")
                    assert person is not None
                    person.attributes = {"n": person.attributes.get("n", 0) + 1}
        except BaseException as problem:
            failed.append(problem)

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        person = people.by_email(session, "counter@x")
        assert (failed, person.attributes if person else None) == ([], {"n": 120})


def test_a_reader_does_not_wait_for_a_writer(store):
    add(store, "a@x")
    with store.begin() as session:
        people.add(session, email="b@x", name="B", role="r", attributes={}, password_hash="x", created_at=AT)
        session.flush()
        assert emails(store) == ["a@x"], "what is not committed is not seen"
    assert sorted(emails(store)) == ["a@x", "b@x"]


@pytest.mark.attack("U-04")
def test_what_is_committed_survives_a_process_that_is_killed(store, tmp_path):
    code = (
        "import os, sys; from datetime import UTC, datetime; from data.store import Store; from data import people\n"
        f"store = Store({store.url!r})\n"
        "def add(session, email):\n"
        "    people.add(session, email=email, name='A', role='r', attributes={}, password_hash='x',"
        " created_at=datetime(2024, 1, 1, tzinfo=UTC))\n"
        "with store.begin() as session: add(session, 'kept@x')\n"
        "context = store.begin(); session = context.__enter__(); add(session, 'lost@x'); session.flush()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -9
    assert emails(store) == ["kept@x"]


# ── migrations ────────────────────────────────────────────────────────────────────────────────────


def test_migrations_lead_from_nothing_to_the_tables_of_the_code(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'app.db'}")
    assert not store.is_current()
    store.migrate()
    assert store.is_current()
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == [], "a table or column of the code has no migration"
        assert set(Base.metadata.tables) <= set(inspect(connection).get_table_names())
    store.migrate()
    store.close()


def test_an_older_database_is_not_current_and_keeps_its_rows_when_it_is_migrated(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'app.db'}")
    with store.engine.connect() as connection:
        connection.execution_options(lakelight_write=True)
    from alembic import command
    from alembic.config import Config

    from data.store import MIGRATIONS

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "insert into people (email, name, role, attributes, password_hash, active, demo, created_at) "
                "values ('old@x', 'Old', 'r', '{}', 'x', 1, 0, '2024-01-01T00:00:00.000000+00:00')"
            )
        )
    assert not store.is_current()
    store.migrate()
    assert store.is_current() and emails(store) == ["old@x"]
    store.close()


# ── times ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_time_without_a_zone_is_refused(store):
    with pytest.raises(StatementError, match="must carry its zone"), store.begin() as session:
        naive = datetime(2024, 1, 1)
        people.add(session, email="a@x", name="A", role="r", attributes={}, password_hash="x", created_at=naive)
    assert emails(store) == []


def test_a_time_comes_back_aware_and_in_utc_and_sorts_as_a_time(store):
    zurich = datetime(2024, 5, 1, 14, 30, 15, 123456, tzinfo=timezone(timedelta(hours=2)))
    with store.begin() as session:
        for number, at in enumerate((zurich, AT, AT.replace(microsecond=1))):
            email = f"{number}@x"
            people.add(session, email=email, name="A", role="r", attributes={}, password_hash="x", created_at=at)
    with store.read() as session:
        first = people.by_email(session, "0@x")
        assert first is not None and first.created_at == zurich and first.created_at.utcoffset() == timedelta(0)
        ordered = session.query(Person.email).order_by(Person.created_at).all()
    assert [e for (e,) in ordered] == ["1@x", "2@x", "0@x"]


def test_people_of_an_older_database_have_been_what_they_are_since_they_came(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'old.db'}")
    try:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0006")
            connection.execute(
                text(
                    "insert into people (email, name, role, attributes, password_hash, active, demo, created_at) "
                    "values ('a@x', 'A', 'seller', '{\"territory\": [\"North\"]}', 'x', 0, 0, :at)"
                ),
                {"at": AT.isoformat(timespec="microseconds")},
            )
        store.migrate()
        with store.read() as session:
            before, kept = people.state_at(session, 1, AT - timedelta(seconds=1)), people.state_at(session, 1, AT)
        assert before is None and kept is not None
        assert (kept.role, kept.attributes, kept.active) == ("seller", {"territory": ["North"]}, False)
    finally:
        store.close()


def test_what_a_person_was_is_kept(store):
    add(store, "a@x")
    with store.begin() as session:
        person = people.by_email(session, "a@x")
        assert person is not None
        person.role, person.attributes = "s", {"territory": ["South"]}
        people.remember(session, person, AT + timedelta(days=2))
    with store.read() as session:
        days = [people.state_at(session, 1, AT + timedelta(days=n)) for n in (0, 1, 2, 9)]
    assert [(d.role, d.attributes) for d in days if d] == [("r", {})] * 2 + [("s", {"territory": ["South"]})] * 2
