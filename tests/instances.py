"""How the instances that tests run on are built: the bakery in a second, the demo once into a folder that stays."""

from __future__ import annotations

import fcntl
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services import admissions, demo_people, refresh, score_runs
from services.settings import DEMO_WORKSPACE, ROOT, Settings
from services.sources import Sources, open_sources
from tests.bakery import build
from tests.house import Clock, House, add_people

BAKERY_NOW = datetime(2024, 12, 2, 8, 0, tzinfo=UTC)
DEMO_NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
DEMO_FOLDER = ROOT / ".demo-test"
KEY = "the-form-key-of-tests-0123456789-abcdefgh"

BAKERY_PEOPLE: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "leitung": ("leitung", {}),
    "aussendienst": ("aussendienst", {"tour": ("Nord/See",)}),
    "aussendienst:süd": ("aussendienst", {"tour": ("Süd & Tal",)}),
    "aussendienst:zwei": ("aussendienst", {"tour": ("Nord/See", "Stadt 'Mitte'")}),
    "aussendienst:ohne": ("aussendienst", {}),
    "tueftlerei": ("tueftlerei", {}),
    "hauswart": ("hauswart", {}),
}
DEMO_PEOPLE: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "executive": ("executive", {}),
    "seller": ("seller", {"territory": ("North",)}),
    "seller:south": ("seller", {"territory": ("South",)}),
    "sales_manager": ("sales_manager", {"territory": ("North", "South")}),
    "analyst": ("analyst", {}),
    "data_engineer": ("data_engineer", {}),
    "admin": ("admin", {}),
    "auditor": ("auditor", {}),
}


def settings_of(instance: Path, workspace: Path, **others: Any) -> Settings:
    """Settings for an instance folder, as the environment would give them."""
    return Settings(
        instance=instance,
        workspace=workspace,
        lake=instance / "lake" / "raw",
        registry=f"sqlite:///{instance / 'registry' / 'mlflow.db'}",
        database=f"sqlite:///{instance / 'app.db'}",
        audit_anchor=instance / "audit.anchor",
        secret_key=KEY,
        **{"callbacks_a_second": 100_000, **others},
    )


def open_bakery_sources(instance: Path, workspace: Path = build.WORKSPACE) -> Sources:
    """Sources of a bakery's instance with a clock that stands still and its model in a memory registry."""
    sources = open_sources(settings_of(instance, workspace))
    return replace(sources, clock=Clock(BAKERY_NOW), registry=build.registry_of(instance / "registered"))


def open_bakery(instance: Path) -> House:
    """The web application on a bakery's instance."""
    return House(open_bakery_sources(instance), BAKERY_PEOPLE)


def build_bakery(
    instance: Path, *, workspace: Path = build.WORKSPACE, write_lake: Callable[[Path], None] = build.write_lake
) -> Path:
    """Build everything from nothing: lake, database, publication, people, admission, scores."""
    write_lake(instance / "lake" / "raw")
    build.write_model(instance / "registered")
    sources = open_bakery_sources(instance, workspace)
    try:
        sources.store.migrate()
        done = refresh.refresh(sources)
        assert not done.held_back, done.held_back
        add_people(sources, BAKERY_PEOPLE)
        admit_and_score(sources)
        sources.store.checkpoint()
    finally:
        sources.close()
    return instance


def copied(instance: Path, target: Path) -> Path:
    """A copy of an instance that a test may spoil."""
    shutil.copytree(instance, target)
    return target


def admit_and_score(sources: Sources) -> list[str]:
    """What the worker does after publication, in this process: sync, admit, score, replay, show."""
    synced = admissions.sync(sources)
    said = [synced.sentence]
    for version in synced.to_admit:
        registered, _, number = version.rpartition("/")
        said.append(admissions.admit_version(sources, registered, number))
    return said + [score(sources, model) for model in sources.workspace.models.models]


def score(sources: Sources, model: str) -> str:
    """One score run from plan to pointer; "" where there is nothing to do."""
    run = score_runs.wanted(sources, model)
    if run is None:
        return ""
    scored = score_runs.write_scores(sources, model, run)
    replay = score_runs.write_replay(sources, model, run)
    return score_runs.make_visible(sources, model, run, scored=scored, replay=replay)


# ── the demo ──────────────────────────────────────────────────────────────────────────────────────


def open_demo_sources(instance: Path) -> Sources:
    """Sources of the demo with a clock that stands still."""
    return replace(open_sources(settings_of(instance, DEMO_WORKSPACE, demo=True)), clock=Clock(DEMO_NOW))


def open_demo(instance: Path) -> House:
    """The web application on the demo."""
    return House(open_demo_sources(instance), DEMO_PEOPLE)


def build_demo(folder: Path = DEMO_FOLDER) -> Path:
    """The demo's instance: built once, gone on with where it broke off, and in part anew when what makes it changed."""
    from demo import build as demo_build

    folder.mkdir(exist_ok=True)
    instance = folder / "instance"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        instance.mkdir(exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            demo_build.build(settings_of(instance, DEMO_WORKSPACE, demo=True))
            _publish_and_score(instance)
    return instance


def _publish_and_score(instance: Path) -> None:
    sources = open_demo_sources(instance)
    try:
        sources.store.migrate()
        done = refresh.refresh(sources)
        assert not done.held_back, done.held_back
        if not (instance / "people.done").exists():
            demo_people.create_demo_people(sources)
            add_people(sources, DEMO_PEOPLE)
            (instance / "people.done").write_text("written\n")
        admit_and_score(sources)
        sources.store.checkpoint()
    finally:
        sources.close()
