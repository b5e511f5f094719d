"""Predictors: scores equal the library's own, and SHAP values equal the definition, shap, and add up on every row."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import shap
import skops.io
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

from models import explaining, sampled_values, shap_values, sklearn_parts
from models.predicting import Attribution, Predictor
from models.predictor_lightgbm import LightGBMPredictor
from models.predictor_skops import SkopsPredictor, read
from models.predictor_xgboost import XGBoostPredictor
from tests import brute_force

ROWS = 2_400
NUMBERS = ("visits", "spend", "days")


@dataclass(frozen=True)
class Made:
    """A predictor, the rows it was trained on, what the library itself predicts, and the estimator behind it."""

    predictor: Predictor
    frame: pd.DataFrame
    own: np.ndarray
    estimator: Any


def rows() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Numbers with blanks and ties, a word, a class and an amount, the same every time."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "visits": rng.poisson(3, ROWS).astype(float),
            "spend": rng.gamma(2.0, 40.0, ROWS),
            "days": np.where(rng.random(ROWS) < 0.15, np.nan, rng.integers(0, 60, ROWS)),
            "plan": rng.choice(["basic", "plus", "pro"], ROWS, p=[0.5, 0.3, 0.2]),
        }
    )
    pull = 0.5 * frame.visits - 0.03 * frame.days.fillna(70) + (frame.plan == "pro") * 1.5 - 1
    happened = (rng.random(ROWS) < 1 / (1 + np.exp(-pull))).astype(int)
    amount = 300 + 20 * frame.visits + 0.5 * frame.spend * (frame.plan != "basic") + rng.normal(0, 10, ROWS)
    return frame, happened, amount.to_numpy()


def boosted(tmp: Path, task: str, **settings: Any) -> Made:
    """A LightGBM booster on the numbers."""
    frame, happened, amount = rows()
    target = happened if task == "classification" else amount
    trained = lightgbm.train(
        {"verbose": -1, "num_leaves": 5, "num_threads": 1, "seed": 1, **settings},
        lightgbm.Dataset(frame[list(NUMBERS)], target),
        6,
    )
    (tmp / "model.txt").write_text(trained.model_to_string())
    predictor = LightGBMPredictor(tmp, {"inputs": list(NUMBERS), "task": task})
    return Made(predictor, frame, np.asarray(trained.predict(frame[list(NUMBERS)])), trained)


def extreme(tmp: Path, task: str, **settings: Any) -> Made:
    """An XGBoost booster on the numbers."""
    frame, happened, amount = rows()
    objective = {"classification": "binary:logistic", "regression": "reg:squarederror"}[task]
    matrix = xgboost.DMatrix(frame[list(NUMBERS)], happened if task == "classification" else amount)
    trained = xgboost.train({"objective": objective, "max_depth": 3, "nthread": 1, **settings}, matrix, 6)
    (tmp / "model.ubj").write_bytes(trained.save_raw("ubj"))
    predictor = XGBoostPredictor(tmp, {"inputs": list(NUMBERS), "task": task})
    return Made(predictor, frame, trained.predict(matrix), trained)


def learned(model: Any, task: str, inputs: tuple[str, ...] = NUMBERS) -> Made:
    """A scikit-learn model through skops and back, with the background that admission makes."""
    frame, happened, amount = rows()
    if not task.endswith("blanks"):
        frame = frame.fillna({"days": 30.0})
    task = task.removesuffix(" with blanks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame[list(inputs)], happened if task == "classification" else amount)
    manifest: dict[str, Any] = {"inputs": list(inputs), "task": task}
    content = skops.io.dumps(model)
    manifest |= SkopsPredictor(read(content), manifest).background(frame)
    own = (
        model.predict_proba(frame[list(inputs)])[:, 1]
        if task == "classification"
        else model.predict(frame[list(inputs)])
    )
    return Made(SkopsPredictor(read(content), manifest), frame, own, model)


def columns() -> ColumnTransformer:
    """Numbers imputed (saying where) and scaled, the word one-hot."""
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return ColumnTransformer([("n", numbers, list(NUMBERS)), ("w", OneHotEncoder(handle_unknown="ignore"), ["plan"])])


ALL = (*NUMBERS, "plan")
ZOO: dict[str, Callable[[Path], Made]] = {
    "LightGBM classification": lambda t: boosted(t, "classification", objective="binary"),
    "LightGBM dart": lambda t: boosted(t, "classification", objective="binary", boosting="dart"),
    "LightGBM regression": lambda t: boosted(t, "regression", objective="regression"),
    "XGBoost classification": lambda t: extreme(t, "classification"),
    "XGBoost regression": lambda t: extreme(t, "regression"),
    "logistic pipeline": lambda t: learned(
        make_pipeline(columns(), LogisticRegression()), "classification with blanks", ALL
    ),
    "sigmoid around a pipeline": lambda t: learned(
        CalibratedClassifierCV(make_pipeline(columns(), LogisticRegression()), method="sigmoid", ensemble=False),
        "classification with blanks",
        ALL,
    ),
    "sigmoid inside a pipeline": lambda t: learned(
        make_pipeline(columns(), CalibratedClassifierCV(LinearSVC(), method="sigmoid", ensemble=False)),
        "classification with blanks",
        ALL,
    ),
    "sigmoid around a forest": lambda t: learned(
        CalibratedClassifierCV(
            RandomForestClassifier(5, max_depth=3, random_state=0), method="sigmoid", ensemble=False
        ),
        "classification",
    ),
    "sigmoid around boosting": lambda t: learned(
        CalibratedClassifierCV(GradientBoostingClassifier(n_estimators=5), method="sigmoid", ensemble=False),
        "classification",
    ),
    "gradient descent": lambda t: learned(
        make_pipeline(columns(), SGDClassifier(loss="log_loss", random_state=0)), "classification with blanks", ALL
    ),
    "ridge pipeline": lambda t: learned(make_pipeline(columns(), Ridge()), "regression with blanks", ALL),
    "forest classification": lambda t: learned(
        RandomForestClassifier(5, max_depth=4, random_state=0), "classification"
    ),
    "forest regression": lambda t: learned(RandomForestRegressor(5, max_depth=4, random_state=0), "regression"),
    "extra trees in a pipeline": lambda t: learned(
        make_pipeline(columns(), ExtraTreesRegressor(5, max_depth=4, random_state=0)), "regression with blanks", ALL
    ),
    "boosting classification": lambda t: learned(GradientBoostingClassifier(n_estimators=6), "classification"),
    "boosting regression": lambda t: learned(GradientBoostingRegressor(n_estimators=6), "regression"),
    "histogram classification": lambda t: learned(
        HistGradientBoostingClassifier(max_iter=6), "classification with blanks"
    ),
    "histogram regression": lambda t: learned(HistGradientBoostingRegressor(max_iter=6), "regression with blanks"),
    "histogram pipeline": lambda t: learned(
        make_pipeline(
            ColumnTransformer([("w", OrdinalEncoder(), ["plan"])], remainder="passthrough"),
            HistGradientBoostingRegressor(max_iter=6),
        ),
        "regression with blanks",
        ALL,
    ),
}
TREES = [name for name in ZOO if name.split()[0] in ("LightGBM", "XGBoost", "forest", "boosting", "histogram")]
TREES = [name for name in TREES if "pipeline" not in name]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    kept: dict[str, Made] = {}

    def of(name: str) -> Made:
        if name not in kept:
            kept[name] = ZOO[name](tmp_path_factory.mktemp("model"))
        return kept[name]

    return of


@pytest.mark.parametrize("name", ZOO)
def test_the_score_is_the_librarys_own(zoo: Callable[[str], Made], name: str) -> None:
    made = zoo(name)
    assert made.predictor.score(made.frame) == pytest.approx(made.own, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("count", [1, 40, ROWS])
def test_base_value_and_contributions_add_up_on_every_row(zoo: Callable[[str], Made], name: str, count: int) -> None:
    made = zoo(name)
    frame = made.frame.head(count)
    found = made.predictor.attribute(frame)
    assert found.values.shape == (count, len(made.predictor.inputs))
    assert found.exact and found.method.startswith("exact")
    assert explaining.missed(found.base, found.values, made.predictor.margin(frame)).max() <= found.epsilon


@pytest.mark.parametrize("name", ["LightGBM classification", "logistic pipeline", "ridge pipeline"])
def test_what_is_computed_in_float64_adds_up_to_nine_digits(zoo: Callable[[str], Made], name: str) -> None:
    made = zoo(name)
    assert made.predictor.attribute(made.frame.head(40)).epsilon == 1e-9


@pytest.mark.parametrize("name", TREES)
def test_values_are_those_of_shap(zoo: Callable[[str], Made], name: str) -> None:
    """Few rows to nine digits (five where the engine computes in float32), batches within law 4."""
    made = zoo(name)
    inputs = made.frame[list(made.predictor.inputs)]
    explainer = shap.TreeExplainer(made.estimator, feature_perturbation="tree_path_dependent")
    expected = np.asarray(explainer.shap_values(inputs, check_additivity=False))
    expected = expected[:, :, 1] if expected.ndim == 3 else expected
    scale = np.maximum(1.0, np.abs(expected).sum(axis=1, keepdims=True))
    few, batch = made.predictor.attribute(made.frame.head(50)), made.predictor.attribute(made.frame)
    assert (np.abs(few.values - expected[:50]) / scale[:50]).max() <= (1e-6 if "XGBoost" in name else 1e-9)
    assert (np.abs(batch.values - expected) / scale).max() <= 1e-5


@pytest.mark.parametrize("name", TREES)
def test_values_are_those_of_the_definition(zoo: Callable[[str], Made], name: str) -> None:
    made = zoo(name)
    trees = _trees(made)
    picked = made.frame.iloc[[0, 1, 2, 500, 1_000, int(np.flatnonzero(made.frame.days.isna())[:1].sum())]]
    found = made.predictor.attribute(picked).values
    for at, row in enumerate(picked[list(made.predictor.inputs)].to_numpy(dtype=float)):
        assert found[at] == pytest.approx(brute_force.of_trees(trees, row), rel=1e-5, abs=1e-5)


def _trees(made: Made) -> list[brute_force.Node]:
    model = made.estimator
    if isinstance(model, lightgbm.Booster):
        return brute_force.lightgbm_trees(model)
    if isinstance(model, xgboost.Booster):
        return brute_force.xgboost_trees(model, NUMBERS)
    if hasattr(model, "_predictors"):
        return brute_force.histogram_trees(model)
    if hasattr(model, "learning_rate"):
        return [brute_force.sklearn_tree(t, scale=model.learning_rate) for t in model.estimators_.ravel()]
    column = 1 if hasattr(model, "classes_") else None
    share = 1 / len(model.estimators_)
    return [brute_force.sklearn_tree(t, scale=share, column=column) for t in model.estimators_]


@pytest.mark.parametrize("name", ["logistic pipeline", "ridge pipeline", "sigmoid around a pipeline"])
def test_a_linear_models_values_are_those_of_the_definition(zoo: Callable[[str], Made], name: str) -> None:
    """Players are the columns a person knows; an absent one stands at the mean of what it was encoded into."""
    made = zoo(name)
    assert isinstance(made.predictor, SkopsPredictor)
    parts = made.predictor._parts
    assert parts is not None
    seen, means = parts.matrix(made.frame[list(ALL)]), parts.matrix(made.frame[list(ALL)]).mean(axis=0)
    found = made.predictor.attribute(made.frame.head(5))
    for at in range(5):

        def worth(known: frozenset[int], at: int = at) -> float:
            mine = np.asarray([ALL.index(owner) in known for owner in parts.owners])
            return float(parts.margin(np.where(mine, seen[at], means)[None, :])[0])

        assert found.values[at] == pytest.approx(brute_force.shapley(worth, len(ALL)), abs=1e-9)
        assert found.base[at] == pytest.approx(worth(frozenset()), abs=1e-9)


def test_encoded_columns_are_summed_back_to_their_input(zoo: Callable[[str], Made]) -> None:
    """Against shap on the transformed columns, summed by hand."""
    made = zoo("extra trees in a pipeline")
    head = made.frame.head(30)
    seen = made.estimator[:-1].transform(head[list(ALL)])
    whole = shap.TreeExplainer(made.estimator[-1]).shap_values(seen, check_additivity=False)
    names = list(made.estimator[:-1].get_feature_names_out())
    assert names[:4] == ["n__visits", "n__spend", "n__days", "n__missingindicator_days"]
    by_hand = np.column_stack([whole[:, 0], whole[:, 1], whole[:, 2] + whole[:, 3], whole[:, 4:].sum(axis=1)])
    assert made.predictor.attribute(head).values == pytest.approx(by_hand, abs=1e-9)


# ── what is not exact says so ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("model", "task"),
    [
        (CalibratedClassifierCV(LogisticRegression(), cv=3), "classification"),
        (KNeighborsClassifier(9), "classification"),
        (PoissonRegressor(), "regression"),
        (make_pipeline(StandardScaler(), PCA(3), Ridge()), "regression"),
        (HistGradientBoostingRegressor(loss="poisson", max_iter=5), "regression"),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_a_model_without_exact_values_is_sampled_and_says_so(model: Any, task: str) -> None:
    frame, happened, amount = rows()
    inputs = frame.fillna({"days": 30.0})[list(NUMBERS)]
    model.fit(inputs, happened if task == "classification" else amount)
    first = SkopsPredictor(model, {"inputs": NUMBERS, "task": task})
    predictor = SkopsPredictor(model, {"inputs": NUMBERS, "task": task, **first.background(inputs)})
    found, again = predictor.attribute(inputs.head(30)), predictor.attribute(inputs.head(30))
    assert not found.exact and found.method == "sampled, 20 orders around the typical row"
    assert explaining.missed(found.base, found.values, predictor.margin(inputs.head(30))).max() <= 1e-9
    assert np.array_equal(found.values, again.values)
    assert predictor.score(inputs.head(5)) == pytest.approx(
        model.predict_proba(inputs.head(5))[:, 1] if task == "classification" else model.predict(inputs.head(5))
    )


def test_sampled_values_are_the_definitions_where_inputs_meet_in_pairs() -> None:
    """An order and its reverse are exact for pairs of inputs; the typical row is where an absent input stands."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(4, 3)), columns=list("abc"))
    typical = {"a": 0.5, "b": -1.0, "c": 2.0}

    def f(x: pd.DataFrame) -> np.ndarray:
        return (3 * x.a * x.b + x.b * x.c - x.c + 1).to_numpy(dtype=float)

    found = sampled_values.around(f, frame, typical, pairs=2)
    for at in range(4):

        def worth(known: frozenset[int], at: int = at) -> float:
            row = {n: frame[n].iloc[at] if i in known else typical[n] for i, n in enumerate("abc")}
            return float(f(pd.DataFrame([row]))[0])

        assert found.values[at] == pytest.approx(brute_force.shapley(worth, 3), abs=1e-12)
        assert found.base[at] == pytest.approx(worth(frozenset()))


# ── batches are not believed unseen ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("harm", ["flipped", "shared wrongly", "many rows off", "not a number", "broken"])
def test_a_wrong_batch_is_replaced_by_the_exact_engine(monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=(ROWS, 3))
    frame, margin = pd.DataFrame(np.arange(ROWS * 3.0).reshape(ROWS, 3)), 0.5 + true.sum(axis=1)

    def few(part: pd.DataFrame) -> Attribution:
        return Attribution(np.full(len(part), 0.5), true[part.index], 1e-9, True, "exact, by hand")

    def woodelf(*_: Any, base: float) -> Attribution | None:
        values = {
            "flipped": -true,
            "shared wrongly": true[:, [1, 0, 2]],
            "many rows off": np.where(np.arange(ROWS)[:, None] % 50 == 5, true + 1e-3, true),
            "not a number": np.where(np.arange(ROWS)[:, None] % 50 == 5, np.nan, true),
            "broken": true,
        }[harm]
        found = Attribution(np.full(ROWS, base), values, 1e-5, True, "woodelf")
        return None if harm == "broken" else found

    monkeypatch.setattr(shap_values, "_woodelf", woodelf)
    found = shap_values.of_trees(object(), frame, margin=margin, few=few)
    assert found.method == "exact, by hand"
    assert np.array_equal(found.values, true)


@pytest.mark.parametrize("harm", [1e-3, np.nan, np.inf])
def test_a_row_that_falls_to_the_other_side_of_a_threshold_is_mended_alone(
    monkeypatch: pytest.MonkeyPatch, harm: float
) -> None:
    true = np.random.default_rng(0).normal(size=(ROWS, 3))
    frame, margin = pd.DataFrame(np.arange(ROWS * 3.0).reshape(ROWS, 3)), 0.5 + true.sum(axis=1)
    asked: list[int] = []

    def few(part: pd.DataFrame) -> Attribution:
        asked.append(len(part))
        return Attribution(np.full(len(part), 0.5), true[part.index], 1e-9, True, "exact, by hand")

    spoiled = true.copy()
    spoiled[[5, 900]] += harm
    monkeypatch.setattr(
        shap_values, "_woodelf", lambda *_, base: Attribution(np.full(ROWS, base), spoiled, 1e-5, True, "woodelf")
    )
    found = shap_values.of_trees(object(), frame, margin=margin, few=few)
    assert found.method == "woodelf" and np.array_equal(found.values, true)
    assert asked == [shap_values.CHECKED, 2]


def test_batches_of_two_thousand_rows_go_to_woodelf(zoo: Callable[[str], Made]) -> None:
    made = zoo("LightGBM classification")
    assert "woodelf" in made.predictor.attribute(made.frame.head(2_000)).method
    assert "LightGBM" in made.predictor.attribute(made.frame.head(1_999)).method


def test_a_forest_of_classes_is_not_flipped(zoo: Callable[[str], Made]) -> None:
    """woodelf gives class 0 for a forest; the more visits, the higher the score must be."""
    made = zoo("forest classification")
    found = made.predictor.attribute(made.frame)
    assert np.corrcoef(made.frame.visits, found.values[:, 0])[0, 1] > 0.5


# ── objectives and categories ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("task", "settings", "named"),
    [
        ("classification", {"objective": "binary", "sigmoid": 2.0}, "sigmoid:2"),
        ("classification", {"objective": "regression"}, "regression"),
        ("regression", {"objective": "poisson"}, "poisson"),
        ("regression", {"objective": "regression", "reg_sqrt": True}, "sqrt"),
        ("classification", {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "rf"),
    ],
)
def test_a_lightgbm_objective_with_another_link_is_refused(
    tmp_path: Path, task: str, settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        boosted(tmp_path, task, **settings)


@pytest.mark.parametrize(
    ("task", "objective"), [("classification", "binary:logitraw"), ("regression", "count:poisson")]
)
def test_an_xgboost_objective_with_another_link_is_refused(tmp_path: Path, task: str, objective: str) -> None:
    with pytest.raises(ValueError, match=objective):
        extreme(tmp_path, task, objective=objective)


def test_a_model_of_three_classes_is_refused() -> None:
    model = LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 2])
    with pytest.raises(sklearn_parts.Unexplainable, match="3 classes"):
        SkopsPredictor(model, {"inputs": ["visits"], "task": "classification"})


def test_words_of_a_lightgbm_category_keep_their_codes(tmp_path: Path) -> None:
    """Trained on pandas categories, asked with plain words in another order; a word it never saw is a blank."""
    frame, happened, _ = rows()
    frame["plan"] = pd.Categorical(frame.plan, categories=["pro", "basic", "plus"])
    trained = lightgbm.train(
        {"verbose": -1, "objective": "binary", "num_threads": 1}, lightgbm.Dataset(frame[list(ALL)], happened), 8
    )
    (tmp_path / "model.txt").write_text(trained.model_to_string())
    predictor = LightGBMPredictor(tmp_path, {"inputs": list(ALL), "task": "classification"})
    asked = frame.assign(plan=frame.plan.astype(str)).iloc[::-1]
    assert predictor.score(asked)[::-1] == pytest.approx(np.asarray(trained.predict(frame[list(ALL)])))
    unseen = predictor.score(asked.head(3).assign(plan="galactic"))
    assert unseen == pytest.approx(predictor.score(asked.head(3).assign(plan=None)))


def test_predictors_answer_several_threads(zoo: Callable[[str], Made]) -> None:
    made = zoo("LightGBM classification")
    wanted = made.predictor.attribute(made.frame.head(200)).values
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: made.predictor.attribute(made.frame.head(200)).values, range(40)))
    assert all(np.array_equal(wanted, f) for f in found)
