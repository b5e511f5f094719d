"""From an empty instance to the first KPI and to all models scored, by the one command that people use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.house import ROOT, Visitor, free_port, wait_for
from benchmarks.measuring import Figure
from data import runs as run_log
from data.store import Store
from services.settings import Settings

LONGEST = 300.0


def beginning() -> dict[str, Figure]:
    """``python cli.py run`` in an empty folder: until the overview shows a number, and until every model is scored."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        environment = _alone(folder, PORT=str(port))
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, "cli.py", "run"], cwd=ROOT, env=environment)
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            ready = time.perf_counter() - started
            first = _until(lambda: _has_kpi(port), started)
            scored = _until(lambda: _all_scored(Settings.from_env(environment)), started)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    return {
        "empty_ready_s": Figure(ready, "s", "", "the app answers after the first start, instance empty"),
        "first_kpi_s": Figure(first, "s", "≤ 30 s", "the overview shows its first number, instance empty before"),
        "scored_s": Figure(scored, "s", "≤ 120 s", "demo built, every model admitted, scored and explained"),
    }


def demo_build() -> dict[str, Figure]:
    """``python cli.py demo build`` in an empty folder, alone on the machine."""
    with tempfile.TemporaryDirectory() as folder:
        environment = _alone(folder)
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "cli.py", "demo", "build", "--lines"], cwd=ROOT, env=environment, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        took = time.perf_counter() - started
    return {"demo_build_s": Figure(took, "s", "≤ 90 s", "lake written, models trained, tested and registered")}


def _alone(folder: str, **more: str) -> dict[str, str]:
    """The environment of a person who types the command: without what these measurements set for themselves."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    return {**kept, "LAKELIGHT_INSTANCE": folder, **more}


def _until(true: object, started: float) -> float:
    while time.perf_counter() - started < LONGEST:
        if true():  # type: ignore[operator]
            return time.perf_counter() - started
        time.sleep(0.25)
    raise TimeoutError(f"Not within {LONGEST:.0f} s.")


def _has_kpi(port: int) -> bool:
    executive = Visitor(f"http://127.0.0.1:{port}")
    executive.sign_in("executive@example.com")
    return "ll-card-value" in executive.page("/kpis")


def _all_scored(settings: Settings) -> bool:
    from services.sources import open_sources

    house = open_sources(settings)
    store: Store = house.store
    with store.read() as session:
        done = all(run_log.current(session, name) is not None for name in house.workspace.models.models)
    house.close()
    return done and Path(settings.instance).is_dir()
