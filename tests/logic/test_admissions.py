"""The catalogue follows the registry: moved aliases, refused versions, changed files, a registry that is down."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from data.definitions import Condition
from data.tables import AuditEvent, CatalogueVersion, Publication
from models.registry import RegisteredVersion, RegistryDown
from models.registry_memory import MemoryRegistry
from services import admissions, job_work, jobs, locks, runs, schedule, score_runs
from services.sources import Sources
from tests.bakery.build import REGISTERED
from tests.house import House

MODEL = "kuendigung"


class Down(MemoryRegistry):
    """A registry that does not answer."""

    def registered(self, names=()) -> tuple[RegisteredVersion, ...]:
        raise RegistryDown("The registry does not answer. The last known models stay in use.")


@pytest.fixture
def sources(own_bakery: House) -> Iterator[Sources]:
    """A bakery whose registry's folder is its own."""
    folder = own_bakery.sources.settings.instance / "registered"
    yield with_versions(own_bakery.sources, {"1": folder}, {"champion": "1"})


def with_versions(sources: Sources, folders: dict[str, Path], aliases: dict[str, str]) -> Sources:
    """The same sources with another registry."""
    versions = {(REGISTERED, number): folder for number, folder in folders.items()}
    return replace(sources, registry=MemoryRegistry(versions, {(REGISTERED, a): v for a, v in aliases.items()}))


def copied(sources: Sources, name: str) -> Path:
    """Another folder with the model's files."""
    folder = sources.settings.instance / "registered"
    return Path(shutil.copytree(folder, sources.settings.instance / name))


def catalogue(sources: Sources) -> dict[str, CatalogueVersion]:
    with sources.store.read() as session:
        return {v.version: v for v in session.scalars(select(CatalogueVersion))}


def acts(sources: Sources) -> list[str]:
    with sources.store.read() as session:
        return list(session.scalars(select(AuditEvent.act).order_by(AuditEvent.id)))


def follow(sources: Sources) -> list[str]:
    """Sync and admit, as the worker does; gives what was said."""
    synced = admissions.sync(sources)
    return [synced.sentence, *(admissions.admit_version(sources, *v.rsplit("/", 1)) for v in synced.to_admit)]


def test_nothing_is_due_where_nothing_changed(sources: Sources):
    assert admissions.change(sources) == ""
    assert admissions.sync(sources) == admissions.Synced("", ())
    before = acts(sources)
    assert admissions.admit_version(sources, REGISTERED, "1") == "Version 1 of Kündigungsrisiko is admitted."
    assert acts(sources) == before, "what stands already is not tried again"


def test_a_moved_alias_is_noticed_admitted_and_scored_while_the_old_run_serves(sources: Sources):
    moved = with_versions(sources, {"1": copied(sources, "one"), "2": copied(sources, "two")}, {"champion": "2"})
    assert admissions.change(moved)
    assert follow(moved) == [
        f"Version 1 of {REGISTERED} has no alias now. Version 2 of {REGISTERED} is new (champion).",
        "Version 2 of Kündigungsrisiko is admitted.",
    ]
    assert admissions.change(moved) == ""
    assert catalogue(moved)["2"].state == "admitted" and catalogue(moved)["1"].aliases == []
    run = runs.current_run(moved, MODEL)
    assert run is not None and (run.version, run.waiting) == ("1", "A newer model version waits to score this list.")
    wanted = score_runs.wanted(moved, MODEL)
    assert wanted is not None and wanted["version"] == "2"
    assert acts(moved)[-2:] == ["registry.sync", "model.admit"]


@pytest.mark.attack("M-03", "M-05")
def test_a_refused_version_leaves_the_old_run_and_says_so(sources: Sources):
    spoiled = copied(sources, "two")
    (spoiled / "model.ubj").write_bytes(b"no model")
    moved = with_versions(sources, {"1": copied(sources, "one"), "2": spoiled}, {"champion": "2"})
    said = follow(moved)[1]
    assert said.startswith("Version 2 of Kündigungsrisiko is refused: The model's file cannot be read")
    version = catalogue(moved)["2"]
    assert (version.state, version.next_step) == ("refused", "Register the model again.")
    run = runs.current_run(moved, MODEL)
    assert run is not None and run.waiting == "Version 2 was refused, so version 1 serves on."
    assert score_runs.wanted(moved, MODEL) is None
    assert admissions.change(moved) == "", "a refusal stands until something changes"
    assert admissions.sync(moved).to_admit == (f"{REGISTERED}/2",), "whoever asks for a sync has it tried again"
    assert admissions.problems(moved) == [said]


def test_a_challenger_is_admitted_beside_the_champion_and_other_versions_are_left_alone(sources: Sources):
    folders = {number: copied(sources, f"v{number}") for number in ("1", "2", "3")}
    moved = with_versions(sources, folders, {"champion": "1", "challenger": "2"})
    follow(moved)
    found = {number: v.state for number, v in catalogue(moved).items()}
    assert found == {"1": "admitted", "2": "admitted", "3": "waiting"}


@pytest.mark.attack("M-03")
def test_files_changed_behind_the_registry_are_refused_when_they_are_read_again(sources: Sources):
    folder = copied(sources, "one")
    again = with_versions(sources, {"1": folder}, {"champion": "1"})
    (folder / "MLmodel").write_text((folder / "MLmodel").read_text() + "\n# changed\n")
    shutil.rmtree(sources.settings.artefacts)
    assert admissions.change(again)
    assert "differ from the digest recorded" in follow(again)[1]


@pytest.mark.attack("M-04")
def test_an_admitted_model_whose_files_are_gone_is_brought_back(sources: Sources):
    shutil.rmtree(sources.settings.artefacts)
    assert admissions.change(sources)
    assert follow(sources) == ["", "Version 1 of Kündigungsrisiko is admitted."]
    assert sources.artefacts.predictor(catalogue(sources)["1"].digest).inputs


def test_a_version_waits_until_its_dataset_is_published(sources: Sources):
    with sources.store.begin() as session:
        session.execute(delete(Publication).where(Publication.dataset == "vertraege"))
        session.execute(delete(CatalogueVersion))
    assert admissions.sync(sources).to_admit == ()
    assert admissions.admit_version(sources, REGISTERED, "1").endswith("It waits until Verträge is published.")
    assert catalogue(sources)["1"].state == "waiting"


def test_an_alias_and_a_model_that_the_registry_lacks_are_named(sources: Sources):
    without = with_versions(sources, {"1": copied(sources, "one")}, {"best": "1"})
    said = f"Kündigungsrisiko: no version of {REGISTERED} carries the alias champion."
    assert admissions.sync(without).sentence.endswith(said)
    assert admissions.problems(without) == [said]
    empty = with_versions(sources, {}, {})
    assert admissions.sync(empty).sentence == (
        f"Version 1 of {REGISTERED} is not in the registry any more. "
        f"Kündigungsrisiko: the registry has no model named {REGISTERED}."
    )
    run = runs.current_run(empty, MODEL)
    assert run is not None, "the run serves on"


def test_a_registry_that_is_down_is_told_once_a_day_and_changes_nothing(sources: Sources):
    down = replace(sources, registry=Down({}, {}))
    assert admissions.change(down) == "no answer 2024-12-02"
    with pytest.raises(RegistryDown):
        admissions.sync(down)
    assert catalogue(down)["1"].state == "admitted"
    with locks.held(sources.settings.instance, locks.BUILD):
        jobs.begin_build(down)
        assert admissions.change(down) == "", "the demo has not made it yet"


def at_work(sources: Sources, *, looks: int = 8) -> list[str]:
    """Look and do what is due until nothing is; gives the kinds of the jobs."""
    done = []
    for _ in range(looks):
        for job_id in schedule.enqueue_due(sources):
            job_work.run(sources, job_id)
            done.append(job_id.split("-")[0])
    return done


def test_an_alias_is_followed_however_often_it_goes_back_and_forth(sources: Sources):
    both = with_versions(sources, {"1": copied(sources, "one"), "2": copied(sources, "two")}, {"champion": "1"})
    assert at_work(both) == ["sync"]
    for champion in ("2", "1", "2", "1"):
        both.registry.set_alias(REGISTERED, "champion", champion)
        assert at_work(both) == ["sync", "score"], "and then nothing is due any more"
        served = [number for number, version in catalogue(both).items() if "champion" in version.aliases]
        run = runs.current_run(both, MODEL)
        assert run is not None and (served, run.version) == ([champion], champion)


def test_a_version_that_goes_on_waiting_is_not_tried_again_and_again(sources: Sources):
    spoiled, use = copied(sources, "two"), sources.workspace.models.models[MODEL]
    (spoiled / "model.ubj").write_bytes(b"no model")
    none = use.scored.model_copy(update={"where": (Condition(column="saison", value="never"),)})
    waits = use.model_copy(update={"scored": none, "alias": "other", "challenger": None})
    models = sources.workspace.models.model_copy(update={"models": {MODEL: use, "zweite": waits}})
    other = replace(sources, workspace=sources.workspace.model_copy(update={"models": models}))
    folders = {"1": copied(sources, "one"), "2": spoiled, "3": copied(sources, "three")}
    found = with_versions(other, folders, {"champion": "2", "other": "3"})
    assert at_work(found) == ["sync", "sync"], "once for the versions, once for the one that still waits"
    assert {n: v.state for n, v in catalogue(found).items()} == {"1": "admitted", "2": "refused", "3": "waiting"}
    assert admissions.change(found), "it still waits"


def with_features(sources: Sources, **added: str) -> Sources:
    """The same sources where the model's use names more features."""
    use = sources.workspace.models.models[MODEL]
    features = {**use.features, **{name: use.features[like] for name, like in added.items()}}
    models = sources.workspace.models.model_copy(
        update={"models": {MODEL: use.model_copy(update={"features": features})}}
    )
    return replace(sources, workspace=sources.workspace.model_copy(update={"models": models}))


def test_a_use_that_goes_back_and_forth_is_tried_each_time(sources: Sources):
    for other in (with_features(sources, neu="rabatt"), sources) * 2:
        assert "sync" in at_work(other)
        assert admissions.change(other) == ""


def test_a_changed_use_is_tried_again(sources: Sources):
    other = with_features(sources, neu="rabatt")
    assert admissions.change(other)
    assert admissions.sync(other).to_admit == (f"{REGISTERED}/1",)
