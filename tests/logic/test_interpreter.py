"""The doors under a Python that has no packages: they go on in the project's own, or say what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def doors(tmp_path: Path) -> Path:
    """The three doors and the one module that they need before all else."""
    (tmp_path / "services").mkdir()
    for name in ("app.py", "cli.py", "worker.py", "services/__init__.py", "services/interpreter.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def typed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What a Python without site packages makes of it."""
    bare = [getattr(sys, "_base_executable", sys.executable), "-S", *words]
    return subprocess.run(bare, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("words", [("app.py",), ("cli.py", "user", "list"), ("worker.py",)])
def test_without_packages_and_without_an_environment_one_sentence_says_what_to_do(doors, words):
    answer = typed(doors, *words)
    assert answer.returncode == 1 and answer.stdout == ""
    assert answer.stderr.startswith("The package dash must be installed for ")
    assert answer.stderr.endswith("Run `make install` once.\n") and answer.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [("app.py",), ("cli.py", "user", "list"), ("worker.py",)])
def test_without_packages_a_door_goes_on_in_the_project_s_own_environment(doors, words):
    own = doors / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.write_text('#!/bin/sh\necho "own: $@"\n')
    own.chmod(0o755)
    assert typed(doors, *words).stdout == f"own: {' '.join(words)}\n"
