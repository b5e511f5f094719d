"""What the models expect and what the lists brought, on the overview of the bakery."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import pytest

from data import catalogue_log, lake_delta
from data import runs as run_log
from services import kpis, refresh
from services.kpi_answers import (
    Expectation,
    Lists,
    Overview,
    Problem,
)
from services.kpi_query import KpiQuery
from services.sources import Sources
from tests.bakery import build
from tests.house import House

D = date
NB = "\u00a0"


# ── models ────────────────────────────────────────────────────────────────────────────────────────


def with_models(house: House) -> Sources:
    """The bakery's overview with its model as expectation and as list."""
    workspace = house.sources.workspace
    over = workspace.metrics.overview.model_copy(
        update={"expects": "kuendigung", "expects_metric": "lieferungen", "lists": "kuendigung"}
    )
    metrics = workspace.metrics.model_copy(update={"overview": over})
    return replace(house.sources, workspace=workspace.model_copy(update={"metrics": metrics}))


def looked(house: House, who: str = "leitung", **query: Any) -> Overview:
    return kpis.overview(house.viewer(who), with_models(house), KpiQuery(**query))


def test_what_is_expected_is_the_sum_of_the_scores_in_the_viewers_rows(bakery: House):
    found = {who: looked(bakery, who).expects for who in ("leitung", "aussendienst")}
    assert all(isinstance(f, Expectation) for f in found.values())
    run = run_of(bakery)
    for who, tours in (("leitung", build.TOURS), ("aussendienst", ("Nord/See",))):
        expected = run[run.tour.isin(tours)].score.sum()
        assert found[who].scores.value == pytest.approx(expected)
        assert found[who].total.value == pytest.approx(expected)  # one past window is too few to correct by
        assert found[who].low is None and "too few finished windows" in found[who].method


def run_of(house: House) -> pd.DataFrame:
    from data.questions import Table

    with house.sources.store.read() as session:
        run = run_log.current(session, "kuendigung")
        table = Table("scores_kuendigung", int(run.tables["scores"]))
    files = lake_delta.files(house.sources.settings.published.resolve(), table)
    return pd.concat(pd.read_parquet(f) for f in files)


def test_a_filter_that_the_model_does_not_know_is_said(bakery: House):
    found = looked(bakery, chosen=(("gebaeck", ("Weggli",)),)).expects
    assert isinstance(found, Problem) and "cannot be filtered by Gebäck" in found.sentence
    narrowed = looked(bakery, chosen=(("tour", ("Nord/See",)),)).expects
    assert isinstance(narrowed, Expectation)
    assert narrowed.scores.value == pytest.approx(run_of(bakery).query("tour == 'Nord/See'").score.sum())


def test_a_look_back_has_no_look_ahead(bakery: House):
    found = looked(bakery, as_of=D(2024, 11, 20)).expects
    assert isinstance(found, Problem) and "newest day only" in found.sentence


def test_the_list_block_says_what_the_models_card_says(bakery: House):
    found = looked(bakery).lists
    assert isinstance(found, Lists) and found.compared is not None
    assert "first 20" in found.compared.title
    assert {bar.kind for bar in found.compared.bars} == {"model", "rule", "random"}


def test_a_model_that_has_not_scored_or_was_refused_says_why(own_bakery: House):
    with own_bakery.sources.store.begin() as session:
        session.delete(run_log.current(session, "kuendigung"))
    found = looked(own_bakery)
    assert isinstance(found.expects, Problem)
    assert found.expects.sentence == "Kündigungsrisiko has not scored yet."
    with own_bakery.sources.store.begin() as session:
        version = catalogue_log.versions(session)[0]
        version.state, version.reason = "refused", "It is a pickle."
    found = looked(own_bakery)
    assert isinstance(found.expects, Problem)
    assert found.expects.sentence == "Kündigungsrisiko was refused: It is a pickle."
    assert found.attention[0].detail == "It is a pickle."


def test_scores_older_than_the_data_need_attention(own_bakery: House):
    raw = own_bakery.sources.settings.lake / "vertraege" / "saison-3.parquet"
    rows = pd.read_parquet(raw)
    rows.assign(jahresumsatz=rows.jahresumsatz + 1).to_parquet(raw, index=False)
    refresh.refresh(own_bakery.sources)
    found = looked(own_bakery)
    assert ("Kündigungsrisiko", "Newer data waits to be scored.") in {(a.what, a.detail) for a in found.attention}
