"""The cards of the demo's models: tested once on rows that came later than everything they learnt from."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from demo import cards, features, registering, training
from demo.cards import Asked, Trial
from demo.training import Trained

LARGEST = 18
NOT_USED = ["Age", "Income", "Marital status", "Home ownership", "Household size", "Children"]
WINDOWS = "three later windows of four weeks, 9 Oct to 31 Dec 2017"
LAST_LEARNT = features.LAST_TRAINING_WEEK + pd.Timedelta(days=features.AHEAD)
Tell = Callable[[float, str], None]


def train_and_register(which: str, raw: Path, registry: str, tell: Tell) -> None:
    """One of the demo's models, from the tables in the raw lake into the registry."""
    made, card, said = {"response": _response, "challenger": _challenger, "spend": _spend, "lapse": _lapse}[which](
        raw, tell
    )
    tell(0.8, f"Registering {made.name}")
    alias = "challenger" if which == "challenger" else "champion"
    registering.register(registry, made, card, alias=alias, description=said)


def _response(raw: Path, tell: Tell) -> tuple[Trained, dict[str, Any], str]:
    tell(0.0, "Training campaign response")
    history = pd.read_parquet(raw / "campaign_history.parquet")
    made = training.train_campaign_response(training.campaign_rows(history, "train"))
    tell(0.2, "Testing campaign response on later campaigns")
    return made, campaign_card(made, training.campaign_rows(history, "test")), "Coupons, shopping and the offer."


def _challenger(raw: Path, tell: Tell) -> tuple[Trained, dict[str, Any], str]:
    tell(0.0, "Training a challenger of campaign response")
    history = pd.read_parquet(raw / "campaign_history.parquet")
    rows = training.campaign_rows(history, "train")
    made = training.train_campaign_response(rows, training.CHALLENGER_INPUTS)
    tell(0.2, "Testing the challenger on later campaigns")
    return made, campaign_card(made, training.campaign_rows(history, "test")), "Fewer inputs: coupons and the offer."


def _spend(raw: Path, tell: Tell) -> tuple[Trained, dict[str, Any], str]:
    tell(0.0, "Training spend in the next four weeks")
    history = pd.read_parquet(raw / "household_weeks_history.parquet")
    made = training.train_spend(training.week_rows(history, "train", "spend_next_4w"))
    tell(0.4, "Testing spend on later weeks")
    return (
        made,
        spend_card(made, training.week_rows(history, "test", "spend_next_4w")),
        "Aims a little above the middle",
    )


def _lapse(raw: Path, tell: Tell) -> tuple[Trained, dict[str, Any], str]:
    tell(0.0, "Training lapse risk")
    history = pd.read_parquet(raw / "household_weeks_history.parquet")
    history = history[history.baskets_13w > 0]
    made = training.train_lapse(training.week_rows(history, "train", "lapsed"))
    tell(0.4, "Testing lapse risk on later weeks")
    return made, lapse_card(made, training.week_rows(history, "test", "lapsed")), "Calibrated by one sigmoid."


def campaign_card(trained: Trained, test: pd.DataFrame) -> dict[str, Any]:
    """Model 1 on the later campaigns; the rule ranks by coupons used before."""
    whole = _tested(test, test.redeemed, score=scores(trained, test), rule=test.coupons_used)
    largest = (test.campaign_id == LARGEST).to_numpy()
    new = (test.coupons_used == 0).to_numpy()
    first, new_first = "Redemptions in the first 200", "Redemptions in the first 200 of those without a coupon before"
    parts = [
        (whole.part(largest), Asked("first_200", f"{first}, campaign {LARGEST}", cards.in_first)),
        (whole, Asked("auc", "Ranking (AUC), four later campaigns", cards.auc)),
        (whole.part(largest & new), Asked("first_200_new", f"{new_first}, campaign {LARGEST}", cards.in_first)),
        (whole.part(new), Asked("auc_new", "Ranking (AUC) without a coupon before", cards.auc)),
    ]
    return _card(trained, test, parts, said=whole, trained_to=features.LAST_TRAINING_END) | {
        "tested_on": "four later campaigns, 4 Oct to 24 Dec 2017",
        "data": "Households of campaigns that ended by 24 Sep 2017, as known on the evening before each began.",
        "library": f"LightGBM {_version('lightgbm')}",
    }


def spend_card(trained: Trained, test: pd.DataFrame) -> dict[str, Any]:
    """Model 2 on three later windows of four weeks; the rule is the 13-week average."""
    tested = _tested(test, test.spend_next_4w, score=scores(trained, test), rule=test.usual_spend)
    error = Asked("mean_error", "Mean error of a household", cards.mean_error, "down", "currency")
    return _card(trained, test, [(tested, error)], said=tested, trained_to=LAST_LEARNT) | {
        "tested_on": WINDOWS,
        "data": "Households known for four weeks, as known at the end of each week up to 10 Sep 2017.",
        "library": f"scikit-learn {_version('scikit-learn')}",
        "limits": ["It aims at what such households usually spend, not at their mean: sums of it come out too low."],
    }


def lapse_card(trained: Trained, test: pd.DataFrame) -> dict[str, Any]:
    """Model 3 on three later windows of four weeks; the rule ranks by fewest baskets in the last four weeks."""
    tested = _tested(test, test.lapsed, score=scores(trained, test), rule=-test.baskets_4w)
    tenth = partial(_share_in_first, share=0.1)
    parts = [
        (tested, Asked("auc", "Ranking (AUC)", cards.auc)),
        (tested, Asked("first_tenth", "Stayed away, of the first tenth", tenth, "up", "percent")),
    ]
    return _card(trained, test, parts, said=tested, trained_to=LAST_LEARNT) | {
        "tested_on": WINDOWS,
        "data": "Households with a basket in the last 13 weeks, as known at the end of each week up to 10 Sep 2017.",
        "library": f"scikit-learn {_version('scikit-learn')}",
    }


def scores(trained: Trained, rows: pd.DataFrame) -> np.ndarray:
    """Scores of the model as it will be read back from the registry."""
    frame = rows[list(trained.inputs)]
    if trained.kind == "lightgbm":
        import lightgbm

        booster = lightgbm.Booster(model_str=trained.content.decode())
        return np.asarray(booster.predict(frame.astype(float), num_threads=1))
    import skops.io

    known = skops.io.get_untrusted_types(data=trained.content)
    model: Any = skops.io.load(io.BytesIO(trained.content), trusted=known)
    found = model.predict_proba(frame)[:, 1] if hasattr(model, "predict_proba") else model.predict(frame)
    return np.asarray(found)


def _card(
    trained: Trained,
    test: pd.DataFrame,
    parts: list[tuple[Trial, Asked]],
    *,
    said: Trial,
    trained_to: pd.Timestamp,
) -> dict[str, Any]:
    """``trained_to`` is the last day of which an outcome was learnt from."""
    pairs = [cards.figures(tested, asked) for tested, asked in parts]
    share = Asked("said", "Said in all, of what happened", cards.said_to_happened, "neutral", "percent")
    model = [ours for ours, _ in pairs] + [cards.figures(said, share)[0]]
    days = trained.rows.known_until
    return {
        "trained_from": str(days.min()),
        "trained_to": str(trained_to.date()),
        "train_rows": len(trained.rows),
        "test_rows": len(test),
        "metrics": model,
        "baseline_metrics": [rule for _, rule in pairs],
        "sensitive": {"used": [], "not_used": NOT_USED},
        "limits": [],
    }


def _tested(test: pd.DataFrame, outcome: pd.Series, *, score: np.ndarray, rule: pd.Series) -> Trial:
    return Trial(test.household_id.to_numpy(), outcome.to_numpy(float), score, rule.to_numpy(float))


def _share_in_first(outcome: np.ndarray, score: np.ndarray, share: float) -> float:
    count = max(1, int(len(score) * share))
    return cards.in_first(outcome, score, count) / count


def _version(package: str) -> str:
    return ".".join(version(package).split(".")[:2])
