"""A run is made anew where what it keeps or says would differ, and holds every column that its list needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data.definitions import LeadList, ModelUse
from data.questions import Everything, Select
from models import explaining
from models.scoring import Scored
from services import admissions, runs, score_runs, score_tables
from services.sources import Sources
from tests import instances
from tests.bakery.build import REGISTERED
from tests.house import House

MODEL = "kuendigung"


def with_use(sources: Sources, **changes: Any) -> Sources:
    """The same sources with another use of the model."""
    models = sources.workspace.models
    use = models.models[MODEL].model_copy(update=changes)
    models = models.model_copy(update={"models": {MODEL: use}})
    return replace(sources, workspace=sources.workspace.model_copy(update={"models": models}))


def with_lead(sources: Sources, **changes: Any) -> Sources:
    """The same sources with another list."""
    lead = sources.workspace.models.models[MODEL].lead
    assert lead is not None
    return with_use(sources, lead=lead.model_copy(update=changes))


def test_another_positive_class_is_another_admission_and_is_refused_where_the_model_gives_the_other(
    own_bakery: House,
) -> None:
    sources = with_use(own_bakery.sources, positive=0)
    assert admissions.change(sources) != ""
    said = admissions.admit_version(sources, REGISTERED, "1")
    assert "is refused: The positive class must be 1, whose probability the model gives, got 0." in said


@pytest.mark.parametrize(
    "change",
    [
        {"columns": ("jahresumsatz", "rabatt")},
        {"contacts": ("telefon", "rabatt")},
        {"name": "rabatt"},
        {"place": "rabatt"},
        {"by": "rabatt"},
        {"order_lists_by": "rabatt"},
        {"title": "Saison {saison} zu {rabatt}"},
    ],
)
def test_an_input_that_a_list_newly_shows_asks_for_a_run(bakery: House, change: dict[str, Any]) -> None:
    assert score_runs.wanted(bakery.sources, MODEL) is None
    assert score_runs.wanted(with_lead(bakery.sources, **change), MODEL) is not None


def test_what_is_no_input_is_kept_already_and_asks_for_none(bakery: House) -> None:
    changed = with_lead(bakery.sources, columns=("jahresumsatz", "telefon"), title="Liste {saison}")
    assert score_runs.wanted(changed, MODEL) is None


def test_after_the_run_the_column_is_there(own_bakery: House) -> None:
    sources = with_lead(own_bakery.sources, columns=("jahresumsatz", "rabatt"))
    assert "rows scored" in instances.score(sources, MODEL)
    run = runs.current_run(sources, MODEL)
    assert run is not None
    assert "rabatt" in sources.lake.schema(run.scores).names
    rows = sources.lake.read(Select(run.scores, ("rabatt",)), where=Everything())
    assert rows.num_rows > 0 and rows.column("rabatt").null_count < rows.num_rows
    assert score_runs.wanted(sources, MODEL) is None


def test_every_column_that_splits_orders_or_titles_a_list_is_kept_though_the_model_reads_it(bakery: House) -> None:
    use = bakery.sources.workspace.models.models[MODEL]
    lead = LeadList(
        title="{a} in {b}", by="c", order_lists_by="d", name="e", place="f", contacts=("g",), columns=("h",)
    )
    use = use.model_copy(update={"lead": lead, "value": None, "bands": ()})
    rows = pa.table(
        {"kennung": [1, 2], "saison": ["x", "y"], "unseen": [0.0, 1.0], **{c: [1.0, 2.0] for c in "abcdefgh"}}
    )
    frame = pd.DataFrame({c: [1.0, 2.0] for c in ("unseen", *"abcdefgh")})
    made = score_tables.build(use, rows, frame, scored=scored(use), rules=())["scores"].column_names
    assert set("abcdefgh") <= set(made) and "unseen" not in made


def scored(use: ModelUse) -> Scored:
    shap = np.zeros((2, len(use.features)), dtype=np.float32)
    return Scored(np.full(2, 0.5), np.zeros(2), np.zeros(2), shap, tuple(use.features), "by hand", "logit")


@pytest.mark.parametrize("chunk", [7, 100_000])
def test_stored_values_are_held_to_law_4_row_by_row(
    own_bakery: House, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """The judge is the one that every explanation has; the last row that it does not pass stops the run."""
    monkeypatch.setattr(score_runs, "CHUNK", chunk)
    sources, seen = with_lead(own_bakery.sources, columns=("rabatt",)), []

    def judged(base: np.ndarray, values: np.ndarray, margin: np.ndarray) -> np.ndarray:
        seen.append((len(base), values.dtype))
        found = missed(base, values, margin)
        assert found.max() <= 1e-5
        if sum(rows for rows, _ in seen) == made["rows"]:
            found[-1] = np.nan if chunk == 7 else 1.1e-5
        return found

    run, missed = score_runs.wanted(sources, MODEL), explaining.missed
    assert run is not None
    made = score_runs.write_scores(sources, MODEL, run)
    monkeypatch.setattr(explaining, "missed", judged)
    with pytest.raises(score_runs.CannotScore, match="stored explanations miss the score"):
        score_runs.make_visible(sources, MODEL, run, scored=made, replay={})
    assert sum(rows for rows, _ in seen) == made["rows"]
    assert {dtype for _, dtype in seen} == {np.dtype(float)}
