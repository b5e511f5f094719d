"""What the server wrote while it was attacked. These run last: they read what all the other tests left behind."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.attacks.canaries import CANARY, NEVER, Oracle, rows_in
from tests.attacks.server import SPY, Server

LAWFUL = ("lake", "registered", "artefacts")
"""Where rows lie by right: the lake's raw and published data, and what was learnt from them."""
OF_BABEL = ("('babel.dates',", "('babel.localedata',", "('babel.numbers',", "('babel.plural',")
"""Babel keeps the words of a language as pickles inside its own package; nothing of a person or a model is in them."""
HASHED = {("people", "password_hash")}
"""Columns in which hashes of passwords lie by right."""


def written(server: Server) -> Iterator[tuple[str, bytes]]:
    """Every file that was made or changed since the server began, with its content."""
    for file in sorted(server.base.rglob("*")):
        if file.is_file() and file.stat().st_mtime >= server.started_at - 1:
            yield str(file.relative_to(server.base)), file.read_bytes()


def leaks(server: Server) -> list[str]:
    """Secrets, personal data, names of rows and signs of a breakdown in what was written."""
    found = []
    for file, content in written(server):
        inside = file.removeprefix("instance/")
        if inside.startswith(LAWFUL):
            continue
        text = content.decode("utf-8", "replace")
        database = inside.startswith("app.db")
        secrets = server.oracle.leaked(text)
        found += [f"{file}: {what}" for what in secrets if not (database and what == NEVER["$argon2"])]
        kinds = ("owner", "phone", "house") if database else ("owner", "phone", "house", "key")
        found += [
            f"{file}: {one}"
            for one in sorted(rows_in(content, kinds) - (server.oracle.said if database else set()))[:3]
        ]
    return found


@pytest.mark.attack("U-05", "U-06", "R-09")
def test_nothing_that_was_written_holds_a_secret_a_person_a_row_or_a_breakdown(server):
    assert server.oracle.looked > 0 or server.worker_pids()
    assert leaks(server) == []


@pytest.mark.attack("U-05")
@pytest.mark.parametrize(
    ("planted", "what"),
    [
        ("canary-password of everybody 7351", "a password"),
        ("canary-secret-form-key-0123456789-abcdefghijkl", "the form key"),
        ("canary-secret-of-the-registry", "the registry's password"),
        ("$argon2id$v=19$m=19456", "a hash of a password"),
        ("Traceback (most recent call last)", "a traceback"),
        ("canary-phone-nord-003@canary.invalid", "canary-phone-nord-003"),
        ("canary-key-sued-001", "canary-key-sued-001"),
    ],
)
@pytest.mark.parametrize("where", ["output.log", "tmp/left.txt", "instance/cache/x.json"])
def test_a_planted_leak_is_found_wherever_it_lies(tmp_path, planted, what, where):
    """Each kind in each place: an oracle that never cries proves nothing."""
    made = Server(tmp_path / "instance", tmp_path, Oracle())
    file = tmp_path / where
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"before {planted} after")
    assert leaks(made) == [f"{where}: {what}"]


@pytest.mark.attack("U-05", "A-05")
def test_hashes_of_passwords_lie_in_their_column_and_nowhere_else(server):
    with closing(sqlite3.connect(f"file:{server.instance / 'app.db'}?mode=ro", uri=True)) as link:
        tables = [r[0] for r in link.execute("select name from sqlite_master where type = 'table'")]
        assert len(tables) > 8
        found = set()
        for table in tables:
            columns = [r[1] for r in link.execute(f'pragma table_info("{table}")')]
            for column in columns:
                said = f'select count(*) from "{table}" where cast("{column}" as text) like ?'
                if link.execute(said, ("%$argon2%",)).fetchone()[0]:
                    found.add((table, column))
        assert found == HASHED
        kept = [r[0] for r in link.execute("select password_hash from people")]
    assert len(kept) >= 8
    for one in kept:
        memory, turns, lanes = map(int, re.fullmatch(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$.*", one).groups())
        assert memory >= 19_456 and turns >= 2 and lanes >= 1


@pytest.mark.attack("U-05", "A-13")
def test_no_id_of_a_session_is_in_the_database(server, sign_in):
    mine = sign_in("leitung").session_id
    kept = b"".join(f.read_bytes() for f in server.instance.glob("app.db*"))
    ids = [s for s, what in server.oracle.secrets.items() if what == "the id of a session"]
    assert mine in ids and [one for one in ids if one.encode() in kept] == []


@pytest.mark.attack("U-05")
def test_the_command_line_and_the_title_of_the_processes_hold_no_secret(server):
    for pid in (server.pid, *server.worker_pids()):
        said = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
        assert server.oracle.leaked(said) == [] and not CANARY.search(said)


@pytest.mark.attack("Q-09", "U-06")
def test_every_line_of_the_log_is_one_line_of_printable_text(server):
    said = server.output.read_text(encoding="utf-8", errors="replace")
    odd = [line for line in said.splitlines() if any(ord(c) < 32 and c != "\t" for c in line)]
    assert odd == []
    assert "@people.example" not in said, "nobody's address stands in a log of the server"


@pytest.mark.attack("M-07")
def test_no_web_process_unpickled_ran_or_started_anything(server):
    """Python's own audit events of the master and of both workers, from their first moment on."""
    assert server.spied.exists(), "the hook must have been there"
    events = [line.split("\t") for line in server.spied.read_text().splitlines()]
    assert [e for e in events if not (e[1] == "pickle.find_class" and e[2].startswith(OF_BABEL))] == []


@pytest.mark.attack("M-07")
@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("import pickle; pickle.loads(pickle.dumps(print))", "pickle.find_class"),
        ("import os; os.system('true')", "os.system"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
    ],
)
def test_the_hook_sees_what_it_is_there_to_see(tmp_path, code, event):
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(SPY), "ATTACK_SPY": str(tmp_path / "spied")}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert event in (tmp_path / "spied").read_text()
