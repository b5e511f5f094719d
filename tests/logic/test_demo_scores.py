"""What is stored of the demo's models is what the models say; shap's own explainer agrees with the stored values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shap

from data.questions import Everything, Order, Select
from models import scoring
from services import runs
from services.sources import Sources

pytestmark = pytest.mark.demo
MODELS = ("campaign_response", "spend_next_4_weeks", "lapse_risk")
ROWS = 300


def stored(sources: Sources, model: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Scores, explanations and inputs of the current run, row by row in one order."""
    run = runs.current_run(sources, model)
    assert run is not None
    made = []
    for table in (run.scores, run.explanations, run.inputs):
        names = tuple(sources.lake.schema(table).names)
        found = sources.lake.read(Select(table, names, order=(Order("row_id"),)), where=Everything())
        made.append(found.to_pandas())
    return made[0], made[1], made[2]


@pytest.mark.parametrize("model", MODELS)
def test_every_stored_explanation_adds_up_to_its_stored_score(demo_sources, model):
    scores, values, _ = stored(demo_sources, model)
    parts = values[[c for c in values.columns if c.startswith("shap_")]].to_numpy(dtype=float)
    total = values.base_value.to_numpy() + parts.sum(axis=1)
    room = 1e-5 * np.maximum(1.0, np.maximum(scores.margin.abs(), np.abs(parts).sum(axis=1)))
    assert (np.abs(total - scores.margin) <= room).all()
    assert (scores.row_id.to_numpy() == values.row_id.to_numpy()).all()


@pytest.mark.parametrize("model", MODELS)
def test_a_stored_score_is_what_the_admitted_model_gives_for_the_stored_inputs(demo_sources, model):
    scores, _, inputs = stored(demo_sources, model)
    run = runs.current_run(demo_sources, model)
    assert run is not None
    predictor = demo_sources.artefacts.predictor(run.digest)
    given = predictor.score(inputs[list(predictor.inputs)])
    np.testing.assert_allclose(scores.score, given, rtol=1e-9, atol=1e-12)


def test_stored_values_are_those_of_shap_s_tree_explainer(demo_sources):
    """Path-dependent, encoded columns summed back: equal within the tolerance of stored values (law 4)."""
    import lightgbm

    _, values, inputs = stored(demo_sources, "campaign_response")
    run = runs.current_run(demo_sources, "campaign_response")
    assert run is not None
    folder = demo_sources.settings.artefacts / run.digest
    booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
    names = list(demo_sources.artefacts.predictor(run.digest).inputs)
    frame = inputs[names].head(ROWS)
    explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
    raw = np.asarray(explainer.shap_values(frame.astype(float).to_numpy(), check_additivity=False), dtype=float)
    raw = raw[-1] if raw.ndim == 3 else raw
    use = demo_sources.workspace.models.models["campaign_response"]
    owner = scoring.owner_of(names, use.features)
    expected = pd.DataFrame(raw, columns=names).T.groupby(owner).sum().T
    for feature in expected.columns:
        room = 1e-5 * np.maximum(1.0, np.abs(raw).sum(axis=1))
        missed = np.abs(values[f"shap_{feature}"].head(ROWS).to_numpy(dtype=float) - expected[feature].to_numpy())
        assert (missed <= room).all(), feature
