"""Processes that are started together end together, with all that they started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.settings import ROOT
from services.supervision import Ended, Processes

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
PARENT = "import subprocess, sys, time; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); open(sys.argv[1], 'w').write(str(c.pid)); time.sleep(60)"  # noqa: E501


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def written(file: Path) -> int:
    for _ in range(200):
        if file.exists() and file.read_text():
            return int(file.read_text())
        time.sleep(0.05)
    raise AssertionError(f"{file} was not written")


def until(condition: object, seconds: float = 10.0) -> bool:
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def test_what_a_process_started_ends_with_it(tmp_path: Path):
    processes = Processes(ROOT)
    processes.start("parent", [sys.executable, "-c", PARENT, str(tmp_path / "pid")])
    child = written(tmp_path / "pid")
    assert lives(child)
    processes.end()
    assert until(lambda: not lives(child)) and not processes.is_running("parent")


def test_an_end_is_noticed_once_with_how_it_came(tmp_path: Path):
    processes = Processes(ROOT)
    processes.start("short", [sys.executable, "-c", "raise SystemExit(3)"])
    found: list[Ended] = []
    assert until(lambda: found.extend(processes.ended()) or found)
    assert found == [Ended("short", 3)] and found[0].how == "ended with code 3"
    assert processes.ended() == []
    assert Ended("short", -9).how == "was ended by signal 9"


def test_who_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.supervision.GRACE_SECONDS", 0.3)
    processes = Processes(ROOT)
    processes.start("stubborn", [sys.executable, "-c", STUBBORN])
    time.sleep(0.3)
    processes.end()
    assert not processes.is_running("stubborn")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
def test_they_end_even_where_their_starter_is_killed(tmp_path: Path):
    code = (
        "import sys, time; from pathlib import Path; from services.supervision import Processes\n"
        "p = Processes(Path.cwd()); p.start('one', [sys.executable, '-c', sys.argv[1], sys.argv[2]]); time.sleep(60)"
    )
    own = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    starter = subprocess.Popen([sys.executable, "-c", code, own, str(tmp_path / "pid")], cwd=ROOT)
    child = written(tmp_path / "pid")
    os.kill(starter.pid, 9)
    starter.wait()
    assert until(lambda: not lives(child))
