"""The demo's models: what each learns from, how it is trained, and the same bytes every time.

Nothing here was chosen by looking at the test rows: settings come from earlier rows (``docs`` tell which), and the test
campaigns and weeks are read once, for the card.
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
CAMPAIGN_INPUTS = (
    "coupons_used", "days_since_coupon", "campaigns_before", "campaigns_answered", "coupon_baskets",
    "days_since_basket", "baskets_4w", "baskets_13w", "weeks_with_basket", "spend_4w", "spend_13w", "average_basket",
    "discount_share", "private_share", "produce_share", "meat_share", "household_goods_share", "days_known",
    "type_is_A", "type_is_B", "type_is_C", "days_open", "coupons", "products_covered", "covered_share", "covered_products",
)  # fmt: skip
SPEND_INPUTS = (
    "favourite_department", "usual_spend", "spend_4w", "spend_1w", "baskets_13w", "baskets_4w", "weeks_with_basket",
    "days_since_basket", "average_basket", "discount_share", "coupons_used",
)  # fmt: skip
LAPSE_INPUTS = (
    "days_since_basket", "baskets_4w", "baskets_13w", "weeks_with_basket", "spend_4w", "usual_spend", "days_known",
)  # fmt: skip


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


def train_campaign_response(rows: pd.DataFrame, *, challenger: bool = False) -> Trained:
    """Will a household redeem a coupon of this campaign? Boosted trees on what was known before it began."""
    import lightgbm

    inputs = CAMPAIGN_INPUTS
    settings = {
        "objective": "binary", "learning_rate": 0.03, "num_leaves": 8 if challenger else 6, "min_data_in_leaf": 40,
        "feature_fraction": 0.6, "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 10.0,
        "deterministic": True, "force_row_wise": True, "num_threads": 1, "seed": SEED, "verbosity": -1,
    }  # fmt: skip
    rounds = 400 if challenger else 250
    matrix = rows[list(inputs)].astype(float)
    data = lightgbm.Dataset(matrix, rows.redeemed, feature_name=list(inputs), free_raw_data=False)
    booster = lightgbm.train(settings, data, num_boost_round=rounds)
    text = booster.model_to_string().encode()
    example = matrix.head(50)
    return Trained(
        "campaign_response", "lightgbm", text, inputs, rows, example,
        np.asarray(booster.predict(example)), {**settings, "rounds": rounds},
    )  # fmt: skip


def train_spend(rows: pd.DataFrame) -> Trained:
    """What will a household spend in the next four weeks? A pipeline: encoded department, then boosted trees."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    kinds, numbers = list(SPEND_INPUTS[:1]), list(SPEND_INPUTS[1:])
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer([("kind", encoder, kinds), ("number", "passthrough", numbers)])
    trees = HistGradientBoostingRegressor(
        loss="absolute_error", learning_rate=0.06, max_iter=120, max_leaf_nodes=12, min_samples_leaf=80,
        l2_regularization=5.0, early_stopping=False, random_state=SEED,
    )  # fmt: skip
    pipeline = Pipeline([("columns", columns), ("trees", trees)])
    return _sklearn("spend_next_4_weeks", pipeline, rows, SPEND_INPUTS, rows.spend_next_4w)


def train_lapse(rows: pd.DataFrame) -> Trained:
    """Will an active household stay away for four weeks? Logistic regression, calibrated by one sigmoid."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import PowerTransformer

    columns = ColumnTransformer([("number", PowerTransformer(), list(LAPSE_INPUTS))])
    line = Pipeline([("columns", columns), ("line", LogisticRegression(C=0.1, max_iter=1000))])
    model = CalibratedClassifierCV(line, method="sigmoid", ensemble=False, cv=5)
    return _sklearn("lapse_risk", model, rows, LAPSE_INPUTS, rows.lapsed.astype(int))


def _sklearn(name: str, model: Any, rows: pd.DataFrame, inputs: tuple[str, ...], outcome: pd.Series) -> Trained:
    frame = rows[list(inputs)]
    with threadpool_limits(1):
        model.fit(frame, outcome)
    example = frame.head(50)
    scores = model.predict_proba(example)[:, 1] if hasattr(model, "predict_proba") else model.predict(example)
    return Trained(name, "skops", skops_bytes(model), inputs, rows, example, np.asarray(scores))


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
