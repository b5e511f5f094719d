"""The check of a workspace: each thing that does not stand is a line with what to do, and what stands says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from data.tables import CatalogueVersion, Person, Publication, ScoreRun
from services import job_work, jobs, locks, refresh, workspace_check
from services.errors import Forbidden
from services.operator import operator
from services.sources import Sources
from services.workspace_check import CheckLine, WorkspaceCheck
from tests.house import House, email_of


@pytest.fixture
def sources(own_bakery: House) -> Iterator[Sources]:
    yield own_bakery.sources


def checked(sources: Sources) -> WorkspaceCheck:
    return workspace_check.check(operator(), sources)


def lines(sources: Sources, state: str) -> list[CheckLine]:
    return [line for part in checked(sources).parts for line in part.lines if line.state == state]


def said(sources: Sources, state: str) -> str:
    return "\n".join(line.sentence for line in lines(sources, state))


def test_only_those_who_may_check_see_it(own_bakery: House):
    with pytest.raises(Forbidden):
        workspace_check.check(own_bakery.viewer("aussendienst"), own_bakery.sources)
    assert workspace_check.check(own_bakery.viewer("hauswart"), own_bakery.sources).name


def test_a_bakery_that_stands_says_so(sources: Sources):
    with locks.held(sources.settings.instance, locks.WORKER):
        found = checked(sources)
    assert [part.label for part in found.parts] == ["Data", "Models", "People and roles", "Background work"]
    assert found.count("bad") == 0
    assert "Version 1 (champion) of Kündigungsrisiko is admitted." in said(sources, "ok")
    assert "All 6 features of Kündigungsrisiko are inputs of the model" in said(sources, "ok")
    assert "Kündigungsrisiko scored 180 rows with version 1." in said(sources, "ok")


def test_every_line_that_is_not_well_says_what_to_do(sources: Sources):
    assert lines(sources, "bad") and all(line.next_step for s in ("bad", "watch") for line in lines(sources, s))


def test_no_worker_is_bad(sources: Sources):
    assert said(sources, "bad") == "No worker is at work, so nothing new is published, admitted or scored."
    assert checked(sources).state == "bad"


def test_a_file_held_back_is_watched_while_the_last_version_serves(sources: Sources):
    (sources.settings.lake / "stamm" / "abnehmer.parquet").write_bytes(b"PAR1 half")
    refresh.refresh(sources)
    assert "serves its last good version, because a newer file is held back: abnehmer.parquet" in said(sources, "watch")


def test_a_dataset_that_was_never_published_is_bad(sources: Sources):
    with sources.store.begin() as session:
        session.execute(delete(Publication).where(Publication.dataset == "abnehmer"))
    assert "was never published." in said(sources, "bad")
    with locks.held(sources.settings.instance, locks.BUILD):
        jobs.begin_build(sources)
        assert "is being prepared." in said(sources, "watch")


def test_old_data_are_watched(sources: Sources):
    lake = sources.workspace.lake.model_copy(update={"clock": "now"})
    other = replace(sources, workspace=sources.workspace.model_copy(update={"lake": lake}))
    sources.clock.reset()  # type: ignore[attr-defined]
    assert "days old" not in said(other, "watch")
    sources.clock.move(timedelta(days=30))  # type: ignore[attr-defined]
    assert "should be at most 5 days old" in said(other, "watch")


def test_a_refused_model_is_bad_with_its_reason(sources: Sources):
    with sources.store.begin() as session:
        refused = {"state": "refused", "reason": "The model is a pickle.", "next_step": "Register it in skops format."}
        session.execute(update(CatalogueVersion).values(**refused))
    line = next(line for line in lines(sources, "bad") if "refused" in line.sentence)
    assert line.sentence == "Version 1 (champion) of Kündigungsrisiko is refused: The model is a pickle."
    assert line.next_step == "Register it in skops format."


def test_an_alias_nobody_carries_is_bad(sources: Sources):
    with sources.store.begin() as session:
        session.execute(update(CatalogueVersion).values(aliases=[]))
    assert "carries the alias champion" in said(sources, "bad")


def test_features_and_inputs_that_do_not_meet_are_named(sources: Sources):
    use = sources.workspace.models.models["kuendigung"]
    features = {name: f for name, f in use.features.items() if name != "rabatt"} | {"umsatz": use.features["rabatt"]}
    models = {"kuendigung": use.model_copy(update={"features": features})}
    workspace = sources.workspace.model_copy(
        update={"models": sources.workspace.models.model_copy(update={"models": models})}
    )
    other = replace(sources, workspace=workspace)
    assert "takes the input rabatt, which models.yml does not name" in said(other, "bad")
    assert "does not take umsatz, which models.yml names as a feature" in said(other, "watch")


def test_a_model_that_has_not_scored_is_watched(sources: Sources):
    with sources.store.begin() as session:
        session.execute(update(ScoreRun).values(current=False))
    assert "has not scored anything yet" in said(sources, "watch")


def test_people_without_rows_and_without_a_role_are_named(sources: Sources):
    assert "aussendienst:ohne has no tour, so the row rules give them no rows." in said(sources, "watch")
    with sources.store.begin() as session:
        session.execute(update(Person).where(Person.email == email_of("leitung")).values(role="koenig"))
    assert "leitung has the role koenig, which access.yml does not have: they may do nothing." in said(sources, "bad")


def test_nobody_who_may_manage_people_is_bad(sources: Sources):
    with sources.store.begin() as session:
        session.execute(update(Person).values(active=False))
    assert "Nobody may manage people." in said(sources, "bad")


def test_a_job_that_failed_last_is_watched(sources: Sources):
    job_id = jobs.enqueue(sources, "sync")
    job_work.end(sources, job_id, [job_work.outcome("The registry does not answer.", ok=False)])
    assert "Read the registry failed last: The registry does not answer." in said(sources, "watch")
