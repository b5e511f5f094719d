"""The operator's terminal: every mistake is a sentence on standard error and a code above 0, never a traceback."""

from __future__ import annotations

import json
import logging
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cli
from data.tables import AuditEvent
from services import audit_seals, locks, running
from services.settings import DEMO_WORKSPACE, ROOT
from tests.bakery import build
from tests.instances import open_bakery_sources

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """What a command does to the log ends with it."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in kept:
            handler.close()
    root.handlers[:] = kept
    root.setLevel(level)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run("user", "list", LAKELIGHT_PORT="8070")`` gives code, output and error."""
    monkeypatch.setenv("LAKELIGHT_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setenv("LAKELIGHT_WORKSPACE", str(build.WORKSPACE))

    def ran(*words: str, **variables: str) -> tuple[int, str, str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        code = cli.main(list(words))
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return ran


@pytest.fixture
def started(run: Run, built_bakery: Path, tmp_path: Path) -> Run:
    """The same on a bakery that was started before."""
    shutil.copytree(built_bakery, tmp_path / "instance")
    return run


def test_the_help_lists_every_door(run: Run):
    code, out, _ = run("--help")
    assert code == 0
    for door in (
        "demo",
        "serve",
        "worker",
        "run",
        "user",
        "workspace",
        "registry",
        "score",
        "refresh",
        "audit",
        "jobs",
    ):
        assert f"\n  {door} " in out


def test_a_word_that_is_no_command_is_refused(run: Run):
    code, _, err = run("serv")
    assert code == 2 and "serv" in err


def test_an_unknown_setting_is_named_with_the_nearest(run: Run):
    code, _, err = run("jobs", LAKELIGHT_PROT="8060")
    assert code == 1
    assert "LAKELIGHT_PROT is not a setting. Did you mean LAKELIGHT_PORT?" in err


def test_all_mistakes_of_a_workspace_are_listed(run: Run, tmp_path: Path):
    folder = Path(shutil.copytree(DEMO_WORKSPACE, tmp_path / "workspace"))
    lake, access = folder / "lake.yml", folder / "access.yml"
    lake.write_text(lake.read_text().replace("key: [household_id]", "key: [housold_id]", 1))
    access.write_text(access.read_text().replace("'leads:export'", "'leads:exprt'", 1))
    for command in (("workspace", "check"), ("refresh",), ("run",), ("serve",), ("worker",)):
        code, _, err = run(*command, LAKELIGHT_WORKSPACE=str(folder), PORT="8062")
        assert code == 1, command
        if command != ("refresh",):
            assert "lake.yml:" in err and "Did you mean 'household_id'?" in err, command
            assert "access.yml:" in err and "Did you mean 'leads:export'?" in err, command


@pytest.mark.parametrize("command", [("run",), ("serve",), ("worker",), ("demo", "build"), ("user", "add", "a@b.ch")])
def test_an_instance_that_cannot_be_written_to_is_said(run: Run, tmp_path: Path, command: tuple[str, ...]):
    (tmp_path / "instance").write_text("a file where the folder should be")
    more = ("--name", "A", "--role", "leitung") if command[0] == "user" else ()
    code, _, err = run(*command, *more)
    assert code == 1
    assert f"{tmp_path / 'instance'} must be a folder that can be written to" in err and "LAKELIGHT_INSTANCE" in err


@pytest.mark.parametrize("command", ["run", "serve"])
def test_a_port_in_use_is_said_before_anything_starts(started: Run, command: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = started(command, PORT=str(port))
    assert code == 1 and "served" not in out
    assert err.startswith(f"Port {port} of 127.0.0.1 cannot be used (Address already in use).")
    assert f"PORT={port + 1} make run" in err


@pytest.mark.parametrize("command", [("user", "list"), ("audit",), ("score",), ("registry", "sync"), ("refresh",)])
def test_where_nothing_was_started_yet_one_is_told_how(run: Run, command: tuple[str, ...]):
    code, _, err = run(*command)
    assert code == 1 and "There is no Lakelight in" in err and "`make run`" in err


def test_a_registry_that_is_down_is_said(started: Run):
    code, _, err = started("registry", "sync", LAKELIGHT_REGISTRY="http://127.0.0.1:9")
    assert code == 1 and "The registry does not answer. The last known models stay in use." in err


def test_a_score_run_is_done_here_where_no_worker_is_at_work(started: Run):
    assert started("score", "kuendigung")[:2] == (0, "Score and explain: Nothing had changed.\n")
    code, _, err = started("score", "nobody")
    assert code == 1 and "must be one of kuendigung, got nobody" in err


def test_a_second_worker_is_refused(started: Run, tmp_path: Path):
    with locks.held(tmp_path / "instance", locks.WORKER):
        for command in ("worker", "run"):
            code, _, err = started(command, PORT="8062")
            assert code == 1 and err.startswith("Another worker is at work in this instance."), command


def test_a_second_build_is_refused(run: Run, tmp_path: Path):
    with locks.held(tmp_path / "instance", locks.BUILD):
        code, _, err = run("demo", "build", LAKELIGHT_WORKSPACE=str(DEMO_WORKSPACE))
    assert code == 1 and err.startswith("The demo is being built by another process.")


def test_people_are_added_listed_disabled_and_given_links(run: Run):
    email = "berta@baeckerei.ch"
    code, out, _ = run(
        "user", "add", email, "--name", "Berta", "--role", "aussendienst", "--attribute", "tour=Nord/See"
    )
    assert code == 0 and f"{email} chooses a password here, once, in the next three days: http://" in out
    assert "Berta" in run("user", "list")[1] and "Nord/See" in run("user", "list")[1]
    assert run("user", "disable", email)[:2] == (0, f"{email} is disabled.\n")
    assert run("user", "list")[1].rstrip().endswith("disabled")
    assert run("user", "enable", email)[0] == 0
    first, second = (run("user", "password", email)[1].split()[-1] for _ in range(2))
    assert first != second and "/welcome/" in first
    events = run("audit")[1]
    assert "operator" in events and "person.disable" in events and first.rpartition("/")[2] not in events


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--role", "koenig"), "A role must be one of"),
        (("--role", "aussendienst", "--attribute", "tour=Mond"), "must be one of"),
        (("--role", "aussendienst", "--attribute", "tour"), "An attribute must look like"),
    ],
)
def test_a_person_who_cannot_be_is_refused(run: Run, words: tuple[str, ...], said: str):
    code, _, err = run("user", "add", "a@b.ch", "--name", "A", *words)
    assert code == 1 and said in err


def test_an_unknown_person_is_refused(started: Run):
    code, _, err = started("user", "disable", "nobody@b.ch")
    assert code == 1 and "Nobody has the e-mail nobody@b.ch." in err


def test_the_check_fails_where_something_is_bad(started: Run, tmp_path: Path):
    code, out, err = started("workspace", "check")
    assert code == 1 and "BAD    No worker is at work" in out and "BAD" in err
    with locks.held(tmp_path / "instance", locks.WORKER):
        assert started("workspace", "check")[0] == 0


def test_a_database_of_a_newer_version_is_said(started: Run, tmp_path: Path):
    import sqlite3

    with sqlite3.connect(tmp_path / "instance" / "app.db") as database:
        database.execute("update alembic_version set version_num = '9999'")
    database.close()
    code, _, err = started("user", "list")
    assert code == 1 and err.startswith("The app database is of a newer Lakelight than this one.")


def test_a_damaged_database_is_said(started: Run, tmp_path: Path):
    for file in (tmp_path / "instance").glob("app.db*"):
        file.write_bytes(b"no database, whichever way one looks at it")
    code, _, err = started("user", "list")
    assert code == 1 and err.startswith("The app database cannot be used")


def test_what_nobody_expected_is_a_reference_and_stands_in_the_log(
    started: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("services.people.list_people", lambda *_: 1 / 0)
    code, _, err = started("user", "list")
    assert code == 1 and err.startswith(
        "Something unexpected happened: ZeroDivisionError. Details are in the log under "
    )
    reference = err.split("under ")[1].split(".")[0]
    log = (tmp_path / "instance" / "logs" / "cli.log").read_text()
    assert reference in log and "ZeroDivisionError: division by zero" in log


def test_the_address_is_one_a_browser_can_open(monkeypatch: pytest.MonkeyPatch):
    from services.settings import Settings

    for host, shown in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("lake.ch", "lake.ch")):
        settings = Settings.from_env({"LAKELIGHT_HOST": host, "PORT": "81"})
        assert running.address(settings) == f"http://{shown}:81"


def test_the_terminal_starts_without_the_heavy_libraries():
    heavy = ("pandas", "duckdb", "mlflow", "dash", "dbos", "lightgbm")
    code = f"import cli, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []


def test_the_page_of_commands_is_made_from_them():
    assert (ROOT / "docs/reference/cli.md").read_text() == cli.reference_markdown()


def test_the_audit_log_is_verified_and_the_first_changed_record_named(started: Run, tmp_path: Path):
    sources = open_bakery_sources(tmp_path / "instance")
    audit_seals.seal(sources)
    code, out, _ = started("audit", "verify")
    assert code == 0 and re.fullmatch(r"\d+ events are sealed and unchanged; the chain is anchored up to \d+\.\n", out)
    with sources.store.begin() as session:
        session.get(AuditEvent, 2).person = "nobody"
    code, out, err = started("audit", "verify")
    assert (code, out) == (1, "") and "Event 2, its place or its seal was changed." in err


def test_without_days_in_the_workspace_no_event_is_over_its_time(started: Run):
    said = "access.yml names no retention: every event is kept as it is.\n"
    assert started("audit", "retain") == (0, said, "")


def test_a_filter_that_nothing_matches_says_so(started: Run):
    assert started("audit", "--act", "no.such") == (0, "No event matches.\n", "")
