"""The worker as a process: killed at any step it loses and repeats nothing, and there is never a second one."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from data.questions import Everything, Select
from data.tables import AuditEvent, ScoreRun
from services import jobs, locks, runs
from services.settings import ROOT
from services.sources import Sources
from tests.house import House

MODEL = "kuendigung"


def worker(instance: Path, *options: str) -> int:
    """A worker's process from start to end; gives its exit code."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.workers", str(instance), *options]
    return subprocess.run(command, cwd=ROOT, timeout=120, check=False, stdout=subprocess.DEVNULL).returncode


def to_be_scored(sources: Sources) -> None:
    """The list is to be scored anew."""
    with sources.store.begin() as session:
        session.execute(update(ScoreRun).values(current=False))


def score_runs_of(sources: Sources) -> int:
    with sources.store.read() as session:
        return session.scalar(select(func.count()).select_from(ScoreRun)) or 0


def events(sources: Sources, act: str) -> int:
    with sources.store.read() as session:
        return session.scalar(select(func.count()).select_from(AuditEvent).where(AuditEvent.act == act)) or 0


def test_a_job_killed_at_every_step_ends_once_and_shows_one_whole_run(own_bakery: House):
    sources, instance = own_bakery.sources, own_bakery.sources.settings.instance
    to_be_scored(sources)
    runs_before, published_before = score_runs_of(sources), events(sources, "scores.publish")
    job_id = jobs.enqueue(sources, "score", MODEL)
    for place in ("after:begin", f"before:score:{MODEL}", f"after:score:{MODEL}", f"after:show:{MODEL}", "after:end"):
        assert worker(instance, "--alone", "--die", place, "--attempts", "50") == -signal.SIGKILL, place
        shown = place in (f"after:show:{MODEL}", "after:end")
        assert (runs.current_run(sources, MODEL) is not None) == shown, place
    assert worker(instance, "--alone") == 0
    state, progress, message = jobs.state_of(sources, job_id)
    assert (state, progress) == ("done", 100) and "rows scored and explained" in message
    assert score_runs_of(sources) == runs_before + 1
    assert events(sources, "scores.publish") == published_before + 1
    run = runs.current_run(sources, MODEL)
    assert run is not None
    rows = sources.lake.read(Select(run.scores, ("row_id", "kennung")), where=Everything())
    assert rows.column("row_id").to_pylist() == list(range(run.rows))
    assert len(set(rows.column("kennung").to_pylist())) == run.rows
    assert kept_as(instance) == {"portable_json"}


def kept_as(instance: Path) -> set[str]:
    """How the engine keeps what steps said: never as a pickle."""
    with closing(sqlite3.connect(instance / "jobs.db")) as kept:
        outputs = kept.execute("select serialization from operation_outputs").fetchall()
        inputs = kept.execute("select serialization from workflow_status").fetchall()
    return {form for (form,) in (*outputs, *inputs)}


def test_a_job_that_kills_its_worker_again_and_again_is_given_up(own_bakery: House):
    sources, instance = own_bakery.sources, own_bakery.sources.settings.instance
    to_be_scored(sources)
    job_id = jobs.enqueue(sources, "score", MODEL)
    deadly = ("--alone", "--die", f"before:score:{MODEL}", "--attempts", "1")
    codes = [worker(instance, *deadly)]
    while codes[-1] == -signal.SIGKILL and len(codes) < 5:
        codes.append(worker(instance, *deadly))
    assert codes[0] == -signal.SIGKILL and codes[-1] == 0, codes
    state, _, message = jobs.state_of(sources, job_id)
    assert (state, message) == ("failed", "The worker could not go on with it. Start it again.")


def test_there_is_one_worker_at_a_time_and_none_after_a_kill(own_bakery: House):
    instance = own_bakery.sources.settings.instance
    code = (
        "import sys; from services import locks; from pathlib import Path\n"
        "with locks.held(Path(sys.argv[1]), locks.WORKER): print('held', flush=True); sys.stdin.read()"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(instance)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert first.stdout and first.stdout.readline() == b"held\n"
    with pytest.raises(locks.Taken), locks.held(instance, locks.WORKER):
        pass
    assert locks.is_taken(instance, locks.WORKER)
    first.kill()
    first.communicate()
    assert not locks.is_taken(instance, locks.WORKER)


def test_the_web_process_imports_neither_the_registry_nor_the_engine_of_jobs(own_bakery: House):
    code = (
        "import sys; from pathlib import Path; from tests import instances; from tests.house import House\n"
        "house = instances.open_bakery(Path(sys.argv[1])); client = house.sign_in('hauswart')\n"
        "assert client.get('/readyz').status_code == 200\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'mlflow', 'dbos', 'fastapi', 'databricks'}))"
    )
    instance = str(own_bakery.sources.settings.instance)
    command = [sys.executable, "-W", "ignore", "-c", code, instance]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[]", done.stderr[-500:]
