"""The cards of the demo's models: tested once on rows that came later than everything they learnt from."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from demo import cards
from demo.cards import Asked, Tested
from demo.training import Trained

LARGEST_TEST_CAMPAIGN = 18


def predictor(trained: Trained) -> Callable[[pd.DataFrame], np.ndarray]:
    """Scores of the model as it will be read back from the registry."""
    if trained.kind == "lightgbm":
        import lightgbm

        booster = lightgbm.Booster(model_str=trained.content.decode())
        return lambda frame: np.asarray(booster.predict(frame[list(trained.inputs)].astype(float), num_threads=1))
    import skops.io

    model: Any = skops.io.load(io.BytesIO(trained.content), trusted=skops.io.get_untrusted_types(data=trained.content))
    if hasattr(model, "predict_proba"):
        return lambda frame: np.asarray(model.predict_proba(frame[list(trained.inputs)])[:, 1])
    return lambda frame: np.asarray(model.predict(frame[list(trained.inputs)]))


def campaign_card(trained: Trained, test: pd.DataFrame) -> dict[str, Any]:
    """Model 1 on the later campaigns; the rule ranks by coupons used before."""
    score = predictor(trained)(test)
    whole = _tested(test, test.redeemed, score, test.coupons_used)
    largest = (test.campaign_id == LARGEST_TEST_CAMPAIGN).to_numpy()
    new = (test.coupons_used == 0).to_numpy()
    asked = Asked("first_200", f"Redemptions in the first 200 of campaign {LARGEST_TEST_CAMPAIGN}", cards.in_first)
    model, rule = cards.figures(_part(whole, largest), [asked])
    more = [
        (whole, [Asked("auc", "Ranking (AUC), all later campaigns", cards.auc)]),
        (_part(whole, new), [Asked("auc_new", "Ranking (AUC) among households without a coupon before", cards.auc)]),
        (_part(whole, new & largest), [
            Asked("first_200_new", f"Redemptions in the first 200 without a coupon before, campaign {LARGEST_TEST_CAMPAIGN}", cards.in_first)]),
    ]  # fmt: skip
    for tested, figures in more:
        ours, theirs = cards.figures(tested, figures)
        model, rule = model + ours, rule + theirs
    said, _ = cards.figures(
        whole, [Asked("said", "Said as a share of what happened", cards.said_to_happened, "neutral", "percent")]
    )
    return _card(trained, test, model + said, rule) | {
        "tested_on": "four later campaigns, 4 Oct to 24 Dec 2017",
        "data": "Campaigns that ended by 24 Sep 2017, each household as known on the evening before its campaign began.",
        "library": f"LightGBM {_version('lightgbm')}",
    }


def spend_card(trained: Trained, test: pd.DataFrame) -> dict[str, Any]:
    """Model 2 on three later windows of four weeks; the rule is the 13-week average."""
    tested = _tested(test, test.spend_next_4w, predictor(trained)(test), test.usual_spend)
    model, rule = cards.figures(tested, [
        Asked("mean_error", "Mean error of a household", cards.mean_error, "down", "currency"),
        Asked("said", "Said in all as a share of what was spent", cards.said_to_happened, "neutral", "percent"),
    ])  # fmt: skip
    return _card(trained, test, model, rule) | {
        "tested_on": "three later windows of four weeks, 9 Oct to 31 Dec 2017",
        "data": "Every household known for four weeks, at the end of each week whose next four weeks ended by 8 Oct 2017.",
        "library": f"scikit-learn {_version('scikit-learn')}",
    }


def lapse_card(trained: Trained, test: pd.DataFrame) -> dict[str, Any]:
    """Model 3 on three later windows of four weeks; the rule ranks by fewest baskets in the last four weeks."""
    tested = _tested(test, test.lapsed, predictor(trained)(test), -test.baskets_4w)
    model, rule = cards.figures(tested, [
        Asked("auc", "Ranking (AUC)", cards.auc),
        Asked("first_10", "Share lapsed in the first tenth", partial(_share_in_first, share=0.1), "up", "percent"),
    ])  # fmt: skip
    said, _ = cards.figures(
        tested, [Asked("said", "Said as a share of what happened", cards.said_to_happened, "neutral", "percent")]
    )
    return _card(trained, test, model + said, rule) | {
        "tested_on": "three later windows of four weeks, 9 Oct to 31 Dec 2017",
        "data": "Every household with a basket in the last 13 weeks, at the end of each week up to 10 Sep 2017.",
        "library": f"scikit-learn {_version('scikit-learn')}",
    }


def _share_in_first(outcome: np.ndarray, score: np.ndarray, share: float) -> float:
    count = max(1, int(len(score) * share))
    return cards.in_first(outcome, score, count) / count


def _tested(test: pd.DataFrame, outcome: pd.Series, score: np.ndarray, rule: pd.Series) -> Tested:
    return Tested(test.household_id.to_numpy(), outcome.to_numpy(float), score, rule.to_numpy(float))


def _part(tested: Tested, rows: np.ndarray) -> Tested:
    return Tested(tested.household[rows], tested.outcome[rows], tested.model[rows], tested.rule[rows])


def _card(trained: Trained, test: pd.DataFrame, model: list[Any], rule: list[Any]) -> dict[str, Any]:
    days = trained.rows.known_until
    return {
        "trained_from": str(days.min()),
        "trained_to": str(days.max()),
        "train_rows": len(trained.rows),
        "test_rows": len(test),
        "metrics": model,
        "baseline_metrics": rule,
        "sensitive": {
            "used": [],
            "not_used": ["Age", "Income", "Marital status", "Home ownership", "Household size", "Children"],
        },
        "limits": [],
    }


def _version(package: str) -> str:
    from importlib.metadata import version

    return ".".join(version(package).split(".")[:2])


def train_and_register(which: str, raw: Path, registry: str, tell: Callable[[float, str], None]) -> None:
    """One of the demo's models from the tables in the raw lake into the registry."""
    from demo import registering, training

    if which in ("response", "challenger"):
        history = pd.read_parquet(raw / "campaign_history.parquet")
        tell(0.0, "Training: campaign response" + (", a challenger" if which == "challenger" else ""))
        made = training.train_campaign_response(
            training.campaign_rows(history, "train"), challenger=which == "challenger"
        )
        card = campaign_card(made, training.campaign_rows(history, "test"))
    else:
        outcome = "spend_next_4w" if which == "spend" else "lapsed"
        history = pd.read_parquet(raw / "household_weeks_history.parquet")
        if which == "lapse":
            history = history[history.baskets_13w > 0]
        tell(0.0, "Training: spend in the next four weeks" if which == "spend" else "Training: lapse risk")
        rows, test = (training.week_rows(history, split, outcome) for split in ("train", "test"))
        made = training.train_spend(rows) if which == "spend" else training.train_lapse(rows)
        card = spend_card(made, test) if which == "spend" else lapse_card(made, test)
    tell(0.7, f"Registering: {made.name}")
    metrics = cards.flat(card["metrics"]) | cards.flat(card["baseline_metrics"], "rule_")
    registering.register(registry, made, card, metrics, "challenger" if which == "challenger" else "champion")
