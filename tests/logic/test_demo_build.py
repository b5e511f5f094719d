"""The demo's build: resumable at any step, the same files and models every time, each model registered once."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.workspace import read_workspace
from demo import build as demo_build
from demo import registering, training
from demo.build import Step, Tell
from demo.training import Trained
from models import scoring
from services.access import ACTIONS
from services.settings import DEMO_WORKSPACE, Settings

ROOT = Path(__file__).resolve().parents[2]
INPUTS = {
    "campaign_response": training.CAMPAIGN_INPUTS,
    "spend_next_4_weeks": training.SPEND_INPUTS,
    "lapse_risk": training.LAPSE_INPUTS,
}


def settings_of(instance: Path) -> Settings:
    return Settings.from_env({"LAKELIGHT_INSTANCE": str(instance)})


# ── steps ─────────────────────────────────────────────────────────────────────────────────────────


class Steps:
    """Three steps that write a file each; ``breaks`` names the one that stops half-way."""

    def __init__(self, folder: Path) -> None:
        self.raw = folder
        self.done: list[str] = []
        self.breaks = ""
        self.source = "cards"

    def steps(self) -> tuple[Step, ...]:
        names = ("one", "two", "three")
        return tuple(Step(n, n.title(), 10, (self.raw / n,), (self.source,), self._work(n)) for n in names)

    def _work(self, name: str) -> Callable[[Tell], None]:
        def work(tell: Tell) -> None:
            tell(0.5, f"half of {name}")
            if name == self.breaks:
                raise KeyboardInterrupt
            (self.raw / name).write_text(name)
            self.done.append(name)

        return work


def run(steps: Any) -> list[tuple[int, str]]:
    told: list[tuple[int, str]] = []
    demo_build._build(steps, say=None, progress=lambda done, of, message: told.append((100 * done // of, message)))
    return told


def test_a_broken_build_goes_on_where_it_was(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    steps.breaks = "two"
    with pytest.raises(KeyboardInterrupt):
        run(steps)
    assert steps.done == ["one"]
    steps.breaks = ""
    assert run(steps) == [(50, "half of two"), (83, "half of three"), (100, "The demo is built.")]
    assert steps.done == ["one", "two", "three"], "what was made is not made again"
    assert run(steps) == [(100, "The demo is built.")]


def test_a_file_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    run(steps)
    (tmp_path / "two").unlink()
    run(steps)
    assert steps.done == ["one", "two", "three", "two"]


def test_a_changed_recipe_is_followed_again(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    run(steps)
    steps.source = "features"
    run(steps)
    assert steps.done == ["one", "two", "three"] * 2


def test_a_damaged_record_costs_time_and_nothing_else(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    run(steps)
    (tmp_path / "demo.json").write_text("{")
    run(steps)
    assert steps.done == ["one", "two", "three"] * 2


def test_the_bar_is_one_line_for_a_person_and_lines_for_a_file() -> None:
    out = io.StringIO()
    bar = demo_build.Bar(out)
    bar(50, 100, "Sales of 2017-06")
    assert out.getvalue() == "[###############...............]  50 %  Sales of 2017-06\n"


def test_the_demo_registers_in_sqlite_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sqlite:///"):
        registering.registry_file("https://mlflow.example.com")


# ── models ────────────────────────────────────────────────────────────────────────────────────────


def small_lapse() -> Trained:
    """A lapse model from made-up rows."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame({name: random.gamma(2.0, 5.0, 400) for name in training.LAPSE_INPUTS})
    frame["lapsed"] = (random.random(400) < 1 / (1 + np.exp(frame.weeks_with_basket - 8))).astype(float)
    frame["household_id"] = np.arange(400) // 4
    return training.train_lapse(frame)


def small_spend() -> Trained:
    """A spend model from made-up rows, one in ten without a favourite department."""
    random = np.random.default_rng(2)
    frame = pd.DataFrame({name: random.gamma(2.0, 50.0, 600) for name in training.SPEND_INPUTS[1:]})
    frame["favourite_department"] = random.choice(["Meat", "Produce"], 600)
    frame.loc[frame.index % 10 == 0, "favourite_department"] = None
    frame["spend_next_4w"] = frame.usual_spend * random.uniform(0.5, 1.5, 600)
    return training.train_spend(frame)


@pytest.mark.parametrize("make", [small_lapse, small_spend])
def test_the_same_rows_give_the_same_bytes(make: Callable[[], Trained]) -> None:
    import skops.io

    first, second = make(), make()
    assert first.content == second.content
    assert {i.date_time for i in zipfile.ZipFile(io.BytesIO(first.content)).infolist()} == {(1980, 1, 1, 0, 0, 0)}
    known = skops.io.get_untrusted_types(data=first.content)
    model = skops.io.loads(first.content, trusted=known)
    again = model.predict_proba(first.example)[:, 1] if "lapse" in first.name else model.predict(first.example)
    np.testing.assert_array_equal(again, first.scores)


def test_more_past_coupons_never_lower_a_score() -> None:
    import lightgbm

    random = np.random.default_rng(4)
    frame = pd.DataFrame({name: random.gamma(2.0, 2.0, 1500) for name in training.CAMPAIGN_INPUTS})
    frame["redeemed"] = (random.random(1500) < 0.15).astype(float)
    booster = lightgbm.Booster(model_str=training.train_campaign_response(frame).content.decode())
    rows = frame[list(training.CAMPAIGN_INPUTS)].head(100)
    for name in training.NEVER_LOWERS:
        scores = [booster.predict(rows.assign(**{name: value})) for value in (0.0, 1.0, 3.0, 9.0, 30.0)]
        assert (np.diff(scores, axis=0) >= -1e-12).all(), name


def test_what_models_yml_names_is_what_the_models_take() -> None:
    workspace = read_workspace(DEMO_WORKSPACE, actions=ACTIONS)
    for name, use in workspace.models.models.items():
        columns = workspace.lake.datasets[use.scored.dataset].columns
        assert set(INPUTS[use.registered]) <= set(columns), name
        assert set(scoring.owner_of(INPUTS[use.registered], use.features).values()) == set(use.features), name
    assert set(training.CHALLENGER_INPUTS) < set(training.CAMPAIGN_INPUTS)


def test_no_sensitive_column_is_an_input() -> None:
    columns = read_workspace(DEMO_WORKSPACE).lake.datasets["households"].columns
    sensitive = {name for name, about in columns.items() if about.privacy == "sensitive"}
    assert {"age", "income", "marital_status"} <= sensitive
    assert not sensitive & {name for inputs in INPUTS.values() for name in inputs}


# ── the registry ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.filterwarnings("ignore")  # the registry's client warns of its own libraries
def test_a_model_is_registered_once_also_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracking import MlflowClient

    url, made = f"sqlite:///{tmp_path / 'registry' / 'mlflow.db'}", small_lapse()
    card = {"metrics": [], "baseline_metrics": []}

    def register() -> str:
        return registering.register(url, made, card, alias="champion", description="A trial.")

    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "create_model_version", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            register()
    assert [register(), register()] == ["1", "1"]
    client = MlflowClient(url, url)
    assert [str(v.version) for v in client.search_model_versions("name='lapse_risk'")] == ["1"]
    runs = client.search_runs([client.get_experiment_by_name(registering.EXPERIMENT).experiment_id])
    assert [r.info.status for r in runs] == ["FINISHED"], "what the kill left is gone"
    found = client.get_model_version_by_alias("lapse_risk", "champion")
    assert (Path(found.source) / "model.skops").read_bytes() == made.content
    assert not list((tmp_path / "registry").glob(f"{registering.HALF_MADE}*"))


# ── the whole ─────────────────────────────────────────────────────────────────────────────────────


def started(instance: Path, out: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    wanted = {k: v for k, v in os.environ.items() if not k.startswith("LAKELIGHT_")}
    command = [sys.executable, "-m", "demo.build"]
    environ = wanted | {"LAKELIGHT_INSTANCE": str(instance)}
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=out, text=True)


def killed_at(instance: Path, words: str) -> None:
    """Start a build and end it with -9 when it says these words."""
    process = started(instance, subprocess.PIPE)
    assert process.stdout is not None
    assert any(words in line for line in process.stdout), f"the build never said {words}"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def digests(instance: Path) -> dict[str, str]:
    """Every table and model file by what it is, not by where the registry put it."""
    raw = instance / "lake" / "raw"
    found = {str(p.relative_to(raw)): p for p in sorted(raw.rglob("*.parquet"))}
    models = [*instance.rglob("model.skops"), *instance.rglob("model.lgb")]
    made = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in found.items()}
    return made | {f"models/{at}": d for at, d in enumerate(sorted(map(_digest, models)))}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.demo
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")
def test_two_builds_are_the_same_also_when_one_is_killed_at_every_stage(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert started(whole).wait() == 0
    for words in ("Sales of 2017-07", "as known at the end", "Registering lapse"):
        killed_at(broken, words)
    assert started(broken).wait() == 0
    first, second = digests(whole), digests(broken)
    assert len(first) == 12 + 9 + 4
    assert second == first
    for instance in (whole, broken):
        url = settings_of(instance).registry
        versions = MlflowClient(url, url).search_model_versions("")
        assert sorted(f"{v.name} {v.version}" for v in versions) == [
            "campaign_response 1",
            "campaign_response 2",
            "lapse_risk 1",
            "spend_next_4_weeks 1",
        ]
    at = time.monotonic()
    assert started(whole).wait() == 0
    assert time.monotonic() - at < 5, "a finished demo is left alone"
