"""Batches: encoded inputs summed to their feature, every row held to law 4, bands by their limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.definitions import Band, Feature
from models import scoring
from models.explaining import NotAdditive
from models.predicting import Attribution, Link

FEATURES = {
    "visits": Feature(label="Visits"),
    "plan": Feature(label="Plan", one_hot="plan_"),
    "plan_size": Feature(label="Size of the plan", one_hot="plan_size_"),
}
INPUTS = ("visits", "plan_a", "plan_b", "plan_size_s", "extra")


class Fake:
    """A predictor of known values: each input contributes itself; ``off`` spoils one row's margin."""

    inputs = INPUTS
    link: Link = "identity"

    def __init__(self, off: float = 0.0) -> None:
        self.off = off

    def margin(self, frame: pd.DataFrame) -> np.ndarray:
        made = 10 + frame[list(INPUTS)].sum(axis=1).to_numpy(dtype=float)
        made[-1:] += self.off
        return made

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        return self.margin(frame)

    def attribute(self, frame: pd.DataFrame) -> Attribution:
        return Attribution(np.full(len(frame), 10.0), frame[list(INPUTS)].to_numpy(dtype=float), 1e-9, True, "by hand")


def frame(count: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.integers(0, 9, (count, len(INPUTS))), columns=list(INPUTS))


def test_an_input_belongs_to_itself_or_to_the_longest_prefix_it_carries() -> None:
    assert scoring.owner_of(INPUTS, FEATURES) == {
        "visits": "visits",
        "plan_a": "plan",
        "plan_b": "plan",
        "plan_size_s": "plan_size",
        "extra": "extra",
    }


def test_encoded_inputs_are_summed_to_their_feature() -> None:
    rows = frame(5)
    found = scoring.score(Fake(), rows, FEATURES)
    assert found.features == ("visits", "plan", "plan_size", "extra")
    assert found.shap.dtype == np.float32
    assert found.shap[:, 1].tolist() == (rows.plan_a + rows.plan_b).tolist()
    assert found.score.tolist() == (10 + rows.sum(axis=1)).tolist()
    assert (found.link, found.method) == ("identity", "by hand")


def test_chunks_give_what_one_batch_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = frame(50)
    whole = scoring.score(Fake(), rows, FEATURES)
    monkeypatch.setattr(scoring, "CHUNK", 7)
    parts = scoring.score(Fake(), rows, FEATURES)
    for one, other in ((whole.score, parts.score), (whole.shap, parts.shap), (whole.base, parts.base)):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(("off", "fits"), [(0.0, True), (1e-5, True), (1e-2, False), (np.nan, False)])
def test_one_row_that_does_not_add_up_stops_the_run(off: float, fits: bool) -> None:
    if fits:
        scoring.score(Fake(off), frame(30), FEATURES)
    else:
        with pytest.raises(NotAdditive, match="must add up"):
            scoring.score(Fake(off), frame(30), FEATURES)


def test_importance_is_the_mean_absolute_value_in_margin_units() -> None:
    rows = frame(9)
    assert scoring.score(Fake(), rows, FEATURES).importance()["visits"] == pytest.approx(rows.visits.abs().mean())


@pytest.mark.parametrize(("score", "band"), [(0.9, "A"), (0.4, "A"), (0.399999, "B"), (0.2, "B"), (0.1, ""), (0.0, "")])
def test_a_band_begins_at_its_limit(score: float, band: str) -> None:
    bands = (Band(name="A", at_least=0.4), Band(name="B", at_least=0.2))
    assert scoring.band_of(np.asarray([score]), bands) == [band]


def test_no_rows_give_no_scores() -> None:
    empty: Any = scoring.score(Fake(), frame(0), FEATURES)
    assert len(empty.score) == 0 and empty.shap.shape == (0, 4)
