"""What a run says of itself: that a newer one waits, by the rule that starts it, and which refusal it serves on for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import pytest

from data import runs as run_log
from models.registry_memory import MemoryRegistry
from services import admissions, model_facts, refresh, runs, score_runs
from services.runs import Run
from services.sources import Sources
from tests.bakery.build import REGISTERED
from tests.house import House

MODEL = "kuendigung"
AGAIN = "Version 1 was refused when it was tried again; its last scores serve on."


@pytest.fixture
def sources(own_bakery: House) -> Sources:
    return own_bakery.sources


def run_of(sources: Sources) -> Run:
    found = runs.current_run(sources, MODEL)
    assert found is not None
    return found


def with_use(sources: Sources, **changes: Any) -> Sources:
    """The same sources with another use of the model."""
    models = sources.workspace.models
    models = models.model_copy(update={"models": {MODEL: models.models[MODEL].model_copy(update=changes)}})
    return replace(sources, workspace=sources.workspace.model_copy(update={"models": models}))


def published_anew(sources: Sources, dataset: str, file: str) -> None:
    path = sources.settings.lake / file
    path.write_bytes(path.read_bytes())
    assert refresh.refresh_dataset(sources, dataset) == "published"


def refused_again(sources: Sources) -> Sources:
    """The version in use is tried again, and its files are not those that were admitted."""
    folder = sources.settings.instance / "registered"
    (folder / "MLmodel").write_text((folder / "MLmodel").read_text() + "\n# changed\n")
    shutil.rmtree(sources.settings.artefacts)
    registry = MemoryRegistry({(REGISTERED, "1"): folder}, {(REGISTERED, "champion"): "1"})
    found = replace(sources, registry=registry)
    assert admissions.sync(found).to_admit == (f"{REGISTERED}/1",)
    assert "is refused" in admissions.admit_version(found, REGISTERED, "1")
    return found


def test_a_run_that_stands_says_nothing(sources: Sources):
    assert score_runs.wanted(sources, MODEL) is None
    assert (run_of(sources).waiting, model_facts.notes_of(model_facts.facts_of(sources, MODEL))) == ("", ())


def test_a_version_in_use_that_is_refused_when_it_is_tried_again_is_noted_with_its_reason(sources: Sources):
    refused = refused_again(sources)
    facts = model_facts.facts_of(refused, MODEL)
    assert facts.serving is not None and facts.serving.reason
    (note,) = model_facts.notes_of(facts)
    assert note.sentence == f"{AGAIN} {facts.serving.reason}"
    assert (note.next_step, note.tone) == (facts.serving.next_step, "bad")
    assert run_of(refused).waiting == AGAIN, "its reason is for those who read models"
    assert model_facts.state_of(facts).standing == "in_use"


def test_newer_data_are_said_also_while_a_refusal_keeps_them_from_being_scored(sources: Sources):
    refused = refused_again(sources)
    published_anew(refused, "vertraege", "vertraege/saison-4.parquet")
    assert score_runs.wanted(refused, MODEL) is None
    assert run_of(refused).waiting == f"{AGAIN} Newer data waits to be scored."
    sentences = [n.sentence for n in model_facts.notes_of(model_facts.facts_of(refused, MODEL))]
    assert sentences[1:] == ["Newer data waits to be scored."] and sentences[0].startswith(AGAIN)


def test_newer_outcomes_wait_like_newer_rows(sources: Sources):
    outcomes = sources.workspace.models.models[MODEL].outcomes
    assert outcomes is not None
    other = with_use(sources, outcomes=outcomes.model_copy(update={"dataset": "lieferungen"}))
    wanted = score_runs.wanted(other, MODEL)
    assert wanted is not None
    with sources.store.begin() as session:
        run = run_log.current(session, MODEL)
        assert run is not None
        run.definition, run.data_versions = wanted["definition"], wanted["data"]
    assert run_of(other).waiting == ""
    published_anew(other, "lieferungen", "buchhaltung/lieferungen-2024.csv")
    assert score_runs.wanted(other, MODEL) is not None
    assert run_of(other).waiting == "Newer data waits to be scored."


def test_a_changed_definition_waits_too(sources: Sources):
    other = with_use(sources, bands=())
    assert score_runs.wanted(other, MODEL) is not None
    assert run_of(other).waiting == "The changed definition of this list waits to be scored."
    (note,) = model_facts.notes_of(model_facts.facts_of(other, MODEL))
    assert (note.sentence, note.tone) == (run_of(other).newer, "watch")


def test_lost_scores_wait_to_be_made_anew(sources: Sources):
    shutil.rmtree(sources.settings.published / f"explanations_{MODEL}")
    assert score_runs.wanted(sources, MODEL) is not None
    assert run_of(sources).waiting == "This list waits to be scored anew."
