"""Figures of the demo's model cards, against scikit-learn and against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from demo import cards
from demo.cards import Asked, Trial


def test_auc_is_scikit_learns_also_with_ties() -> None:
    random = np.random.default_rng(3)
    outcome = (random.random(500) < 0.2).astype(float)
    score = np.round(random.random(500) + 0.3 * outcome, 1)
    assert len(np.unique(score)) < 20
    assert cards.auc(outcome, score) == pytest.approx(roc_auc_score(outcome, score), abs=1e-12)
    assert np.isnan(cards.auc(np.ones(3), np.arange(3.0))), "without a failure there is nothing to rank"


def test_ties_at_the_limit_count_with_their_share() -> None:
    outcome = np.array([1.0, 0.0, 1.0, 0.0, 0.0, 1.0])
    score = np.array([9.0, 8.0, 5.0, 5.0, 5.0, 1.0])
    assert cards.in_first(outcome, score, 2) == 1.0
    assert cards.in_first(outcome, score, 3) == pytest.approx(1 + 1 / 3), (
        "one of three tied rows, one in three succeeds"
    )
    assert cards.in_first(outcome, score, 4) == pytest.approx(1 + 2 / 3)
    assert cards.in_first(outcome, score, 99) == 3.0, "a list that is shorter than the limit is taken whole"


def trial(model: np.ndarray, rule: np.ndarray, outcome: np.ndarray) -> Trial:
    return Trial(np.arange(len(outcome)) // 2, outcome, model, rule)


def test_a_figure_says_how_far_the_model_is_from_the_rule() -> None:
    random = np.random.default_rng(5)
    outcome = random.gamma(2.0, 40.0, 600)
    near, far = outcome + random.normal(0, 10, 600), outcome + random.normal(0, 20, 600)
    asked = Asked("error", "Mean error", cards.mean_error, "down", "currency")
    ours, theirs = cards.figures(trial(near, far, outcome), asked)
    assert ours["value"] == pytest.approx(np.abs(near - outcome).mean(), abs=1e-4)
    assert ours["low"] < ours["value"] < ours["high"] < theirs["low"]
    assert ours["n"] == 600
    assert ours["difference"]["high"] < 0
    assert ours["note"].endswith(": the model is better.")
    swapped = cards.figures(trial(far, near, outcome), asked)[0]
    assert swapped["note"].endswith(": the rule is better.")
    same = cards.figures(trial(near, near, outcome), asked)[0]
    assert same["note"] == "Model minus rule: +0.000 (+0.000 to +0.000): no clear difference."


def test_a_figure_without_a_good_direction_judges_nothing() -> None:
    outcome = np.array([1.0, 2.0, 3.0, 4.0])
    asked = Asked("said", "Said", cards.said_to_happened, "neutral", "percent")
    ours, _ = cards.figures(trial(outcome / 2, outcome, outcome), asked)
    assert (ours["value"], ours["note"]) == (0.5, "")


def test_a_household_is_drawn_with_all_of_its_rows() -> None:
    household = np.array([7, 8, 7, 9, 7])
    for drawn in cards._draws(household):
        counts = {int(h): int((household[drawn] == h).sum()) for h in (7, 8, 9)}
        assert counts[7] % 3 == 0
        assert counts[7] // 3 + counts[8] + counts[9] == 3
    again = [d.tolist() for d in cards._draws(household)]
    assert again == [d.tolist() for d in cards._draws(household)], "the same draws every time"


def test_the_registry_gets_finite_numbers_only() -> None:
    one = {"name": "auc", "value": 0.8, "low": 0.7, "high": float("nan")}
    assert cards.flat([one], "rule_") == {"rule_auc": 0.8, "rule_auc_low": 0.7}
