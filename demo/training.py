"""The demo's models: what each learns from, how it is trained, and the same bytes every time.

Inputs and settings were chosen on campaigns 7 to 14 and on the weeks up to 10 September, each time with the rows before
them; the test campaigns and weeks that the cards report took no part in it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

SEED = 20171231
OFFER_INPUTS = ("type_is_A", "type_is_B", "type_is_C", "days_open", "coupons", "products_covered", "covered_share")
COUPON_INPUTS = ("coupons_a_month", "answer_share", "coupon_baskets", "coupon_baskets_a_month", "coupon_match")
SHOPPING_INPUTS = ("days_since_basket", "spend_4w", "average_basket", "produce_share", "household_goods_share")
CAMPAIGN_INPUTS = (*COUPON_INPUTS, *SHOPPING_INPUTS, *OFFER_INPUTS)
CHALLENGER_INPUTS = (*COUPON_INPUTS, "spend_4w", *OFFER_INPUTS)
NEVER_LOWERS = {*COUPON_INPUTS, "covered_share"}
SPEND_INPUTS = (
    "favourite_department",
    "usual_spend",
    "spend_4w",
    "usual_spend_ever",
    "weeks_with_basket",
    "days_since_basket",
    "average_basket",
    "days_between_baskets",
)
SPEND_ORDER = {"usual_spend": 1, "spend_4w": 1, "usual_spend_ever": 1, "weeks_with_basket": 1, "days_since_basket": -1}
LAPSE_INPUTS = ("days_since_basket", "baskets_4w", "weeks_with_basket", "spend_4w", "usual_spend_ever")


@dataclass(frozen=True)
class Trained:
    """A trained model as it will be registered: its bytes, its inputs, and an example of what goes in and comes out."""

    name: str
    kind: str
    content: bytes
    inputs: tuple[str, ...]
    rows: pd.DataFrame
    example: pd.DataFrame
    scores: np.ndarray
    settings: Mapping[str, Any] = field(default_factory=dict)


def campaign_rows(history: pd.DataFrame, split: str) -> pd.DataFrame:
    """Pairs of one part of the history whose outcome is known, in key order."""
    rows = history[(history.split == split) & history.redeemed.notna()]
    return rows.sort_values(["campaign_id", "household_id"], ignore_index=True)


def week_rows(history: pd.DataFrame, split: str, outcome: str) -> pd.DataFrame:
    """Household weeks of one part of the history whose outcome is known; a household's rows stand together."""
    rows = history[(history.split == split) & history[outcome].notna()]
    return rows.sort_values(["household_id", "known_until"], ignore_index=True)


def train_campaign_response(rows: pd.DataFrame, inputs: tuple[str, ...] = CAMPAIGN_INPUTS) -> Trained:
    """Will a household redeem a coupon of this campaign? Small trees with random cuts, which suit few successes.

    More coupons used before, or more past spend covered, never lowers a score.
    """
    import lightgbm

    settings = {
        "objective": "binary",
        "learning_rate": 0.03,
        "num_leaves": 5,
        "min_data_in_leaf": 20,
        "extra_trees": True,
        "feature_fraction": 0.4,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "monotone_constraints": [int(name in NEVER_LOWERS) for name in inputs],
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": SEED,
        "verbosity": -1,
    }
    matrix = rows[list(inputs)].astype(float)
    data = lightgbm.Dataset(matrix, rows.redeemed, feature_name=list(inputs))
    booster = lightgbm.train(settings, data, num_boost_round=400)
    example = matrix.head(50)
    scores = np.asarray(booster.predict(example, num_threads=1))
    content = booster.model_to_string().encode()
    return Trained(
        "campaign_response", "lightgbm", content, inputs, rows, example, scores, {**settings, "num_boost_round": 400}
    )


def train_spend(rows: pd.DataFrame) -> Trained:
    """What will a household spend in the next four weeks? A pipeline: encoded department, then boosted trees.

    It aims a little above the middle of what such households spend: in earlier weeks the 52nd percentile cost a
    thousandth more error than the middle and left a third less of their sum out.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    kinds, numbers = list(SPEND_INPUTS[:1]), list(SPEND_INPUTS[1:])
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encoder.fit(rows[kinds])
    encoded = len(encoder.categories_[0])
    settings = {
        "loss": "quantile",
        "quantile": 0.52,
        "learning_rate": 0.06,
        "max_iter": 120,
        "max_leaf_nodes": 8,
        "min_samples_leaf": 80,
        "l2_regularization": 5.0,
        "early_stopping": False,
        "monotonic_cst": [0] * encoded + [SPEND_ORDER.get(name, 0) for name in numbers],
        "random_state": SEED,
    }
    columns = ColumnTransformer([("kind", encoder, kinds), ("number", "passthrough", numbers)])
    pipeline = Pipeline([("columns", columns), ("trees", HistGradientBoostingRegressor(**settings))])
    return _sklearn("spend_next_4_weeks", pipeline, rows, SPEND_INPUTS, outcome=rows.spend_next_4w, settings=settings)


def train_lapse(rows: pd.DataFrame) -> Trained:
    """Will an active household stay away for four weeks? Logistic regression, calibrated by one sigmoid.

    ``week_rows`` keeps a household's rows together, so that the folds of the calibration share no household but at
    their borders.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import PowerTransformer

    settings = {"C": 0.1, "max_iter": 1000}
    columns = ColumnTransformer([("number", PowerTransformer(), list(LAPSE_INPUTS))])
    line = Pipeline([("columns", columns), ("line", LogisticRegression(**settings))])
    model = CalibratedClassifierCV(line, method="sigmoid", ensemble=False, cv=5)
    return _sklearn("lapse_risk", model, rows, LAPSE_INPUTS, outcome=rows.lapsed.astype(int), settings=settings)


def _sklearn(
    name: str,
    model: Any,
    rows: pd.DataFrame,
    inputs: tuple[str, ...],
    *,
    outcome: pd.Series,
    settings: Mapping[str, Any],
) -> Trained:
    frame = rows[list(inputs)]
    with threadpool_limits(1):
        model.fit(frame, outcome)
    example = frame.head(50)
    scores = model.predict_proba(example)[:, 1] if hasattr(model, "predict_proba") else model.predict(example)
    return Trained(name, "skops", skops_bytes(model), inputs, rows, example, np.asarray(scores), settings)


def skops_bytes(model: Any) -> bytes:
    """A model in skops format, the same bytes for the same model: ids in order of appearance, no times of writing."""
    import skops.io

    written = zipfile.ZipFile(io.BytesIO(skops.io.dumps(model)))
    names: dict[str, str] = {}
    schema = _renamed(json.loads(written.read("schema.json")), names)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as steady:
        _entry(steady, "schema.json", json.dumps(schema, indent=1).encode())
        for old in sorted((n for n in written.namelist() if n != "schema.json"), key=lambda n: int(names[_stem(n)])):
            _entry(steady, f"{names[_stem(old)]}{old[len(_stem(old)) :]}", written.read(old))
    return out.getvalue()


def _renamed(node: Any, names: dict[str, str]) -> Any:
    """The schema with memory addresses replaced by small numbers, in the files' names too."""
    if isinstance(node, list):
        return [_renamed(part, names) for part in node]
    if not isinstance(node, dict):
        return node
    made = {}
    for key, value in node.items():
        if key == "__id__":
            made[key] = int(names.setdefault(str(value), str(len(names) + 1)))
        elif key == "file" and isinstance(value, str) and _stem(value).isdigit():
            stem = _stem(value)
            made[key] = names.setdefault(stem, str(len(names) + 1)) + value[len(stem) :]
        else:
            made[key] = _renamed(value, names)
    return made


def _stem(name: str) -> str:
    return name.partition(".")[0]


def _entry(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
