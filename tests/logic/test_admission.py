"""Admission of real files: whatever a folder holds, the answer is a model that works or a sentence; never a crash."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
import yaml
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data.definitions import Feature, Scalar
from models import admission, explaining, trial
from models.admission import Admitted, Refused, digest_of
from models.artefacts import Artefacts
from models.profiles import profile

FEATURES = {
    "age": Feature(label="Age"),
    "visits": Feature(label="Visits"),
    "kind": Feature(label="Kind", one_hot="kind="),
}
Make = Callable[..., Path]


def rows(count: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    made = pd.DataFrame({"age": rng.uniform(18, 80, count), "visits": rng.poisson(3, count).astype(float)})
    made["kind"] = rng.choice(["café", "hotel"], count)
    return made


def outcome(frame: pd.DataFrame) -> np.ndarray:
    return (frame.age / 20 + frame.visits > 5.5).to_numpy().astype(int)


def booster() -> lightgbm.Booster:
    frame = rows()[["age", "visits"]]
    settings = {"objective": "binary", "verbose": -1, "num_leaves": 4, "num_threads": 1, "seed": 1}
    return lightgbm.train(settings, lightgbm.Dataset(frame, outcome(rows())), 5)


def text() -> str:
    return str(booster().model_to_string())


def mlmodel(folder: Path, library: str, file: str, **others: Any) -> None:
    flavors = {"python_function": {"loader_module": f"mlflow.{library}"}, library: {"data": file, **others}}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A model's folder from its content."""

    def made(content: bytes | str, library: str = "lightgbm", file: str = "model.lgb", **others: Any) -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)
        mlmodel(folder, library, file, **others)
        return folder

    return made


def tried(folder: Path, **others: Any) -> Admitted | Refused:
    """The verdict, reached in this process: for files that do no harm."""
    desk = folder.parent / "desk"
    desk.mkdir(exist_ok=True)
    asked = {"task": "classification", "features": FEATURES, "rows": rows(), "artefacts": folder.parent / "artefacts"}
    admission.lay_out(desk, folder, **(asked | others))
    return trial.verdict(desk)


def admitted(folder: Path, **others: Any) -> Admitted | Refused:
    """The verdict, reached in a process of its own."""
    asked = {"task": "classification", "features": FEATURES, "rows": rows(), "artefacts": folder.parent / "artefacts"}
    return admission.admit(folder, **(asked | others))


def reason(made: Admitted | Refused) -> str:
    assert isinstance(made, Refused), "the model must be refused"
    assert made.next_step.endswith(".") and "\n" not in made.reason
    return made.reason


# ── what works ────────────────────────────────────────────────────────────────────────────────────


def test_a_booster_is_admitted_in_a_process_of_its_own_and_gives_the_same_scores(make: Make, tmp_path: Path):
    made = admitted(make(text()))
    assert isinstance(made, Admitted) and (made.format, dict(made.card)) == ("lightgbm", {})
    assert made.profile is not None and (made.profile.names, made.profile.source) == (("age", "visits"), "scored data")
    again = Artefacts(tmp_path / "artefacts").predictor(made.digest)
    np.testing.assert_allclose(again.score(rows()), booster().predict(rows()[["age", "visits"]]), rtol=1e-12)


def test_xgboost_json_is_kept_as_ubj(make: Make):
    frame = rows()[["age", "visits"]]
    made = xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(frame, outcome(rows())), 3)
    found = tried(make(bytes(made.save_raw("json")), "xgboost", "model.json"))
    assert isinstance(found, Admitted) and found.format == "xgboost"


def test_encoded_inputs_are_made_from_the_one_column_the_dataset_has(make: Make):
    frame = rows().assign(**{"kind=café": 1.0, "kind=hotel": 0.0})[["age", "kind=café", "kind=hotel"]]
    made = xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(frame, outcome(rows())), 2)
    found = tried(make(bytes(made.save_raw("ubj")), "xgboost", "model.ubj"))
    assert isinstance(found, Admitted) and found.profile is not None
    assert found.profile.names == ("age", "kind=café", "kind=hotel")


def test_a_pipeline_in_skops_form_is_admitted_with_what_explaining_starts_from(make: Make, tmp_path: Path):
    frame = rows()[["age", "visits"]]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, outcome(rows()))
    found = tried(make(skops.io.dumps(model), "sklearn", "model.skops", serialization_format="skops"))
    assert isinstance(found, Admitted) and found.format == "skops"
    assert Artefacts(tmp_path / "artefacts").manifest(found.digest)["centre"] == pytest.approx([0, 0], abs=1e-9)


def test_a_contract_gives_profile_and_card(make: Make):
    folder = make(text())
    trained = profile(rows(), ("age", "visits"))
    card = {
        "trained_to": "2017-09-30",
        "metrics": [{"name": "auc", "label": "AUC", "value": 0.8, "high": float("nan")}],
    }
    said = {"profile": trained.as_json(), "card": card}
    (folder / "lakelight_contract.json").write_text(json.dumps(said))
    found = tried(folder)
    assert isinstance(found, Admitted) and found.profile == trained
    assert found.card["metrics"] == [{"name": "auc", "label": "AUC", "value": 0.8, "high": None}]


def test_a_handful_of_rows_is_enough_to_try_and_too_little_for_a_profile(make: Make):
    found = tried(make(text()), rows=rows(5))
    assert isinstance(found, Admitted) and found.profile is None


@pytest.mark.attack("M-03")
def test_the_recorded_digest_is_that_of_the_files(make: Make):
    folder = make(text())
    assert isinstance(tried(folder, expected=digest_of(folder)), Admitted)


# ── what is refused, each with its sentence ───────────────────────────────────────────────────────


@pytest.mark.attack("M-01")
def test_a_pickle_is_refused_and_never_run(make: Make, tmp_path: Path):
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "it-ran",))

    for others in ({"serialization_format": "cloudpickle"}, {}):
        folder = make(pickle.dumps(Bomb()), "sklearn", "model.pkl", **others)
        assert "is a pickle, which can run code" in reason(tried(folder))
        folder.rename(tmp_path / f"done-{len(others)}")
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.attack("M-01")
def test_a_pickle_under_another_name_is_refused_too(make: Make):
    assert "stored as .bin" in reason(tried(make(pickle.dumps({}), "sklearn", "model.bin")))


@pytest.mark.attack("M-03")
def test_files_that_were_changed_after_registration_are_refused(make: Make):
    folder = make(text())
    expected = digest_of(folder)
    (folder / "model.lgb").write_text(text().replace("leaf_value=", "leaf_value= "))
    assert "differ from the digest" in reason(tried(folder, expected=expected))


@pytest.mark.parametrize("spoil", [lambda t: t[: t.index("Tree=3")], lambda t: t.replace("\nend of trees", "")])
def test_half_a_lightgbm_file_is_refused(make: Make, spoil: Callable[[str], str]):
    assert "only half there" in reason(tried(make(spoil(text()))))


@pytest.mark.attack("M-03")
@pytest.mark.parametrize(
    ("library", "file", "content"),
    [
        ("xgboost", "model.json", b'{"learner": {"gradient_booster": '),
        ("xgboost", "model.ubj", b"\x00\x01 nothing that anybody could read"),
        ("sklearn", "model.skops", b"PK\x03\x04 no archive"),
        ("lightgbm", "model.lgb", b"tree\nnonsense\nend of trees\n"),
    ],
)
def test_a_corrupt_file_is_refused(make: Make, library: str, file: str, content: bytes):
    assert "cannot be read" in reason(tried(make(content, library, file)))


def test_an_unknown_library_is_named(make: Make):
    assert "made by mlflow.pytorch" in reason(tried(make(b"weights", "pytorch", "model.pth")))


class OurOwn(StandardScaler):
    """A class that no list knows."""


@pytest.mark.attack("M-02")
def test_types_outside_the_list_are_named(make: Make):
    model = make_pipeline(OurOwn(), LogisticRegression()).fit(rows()[["age", "visits"]], outcome(rows()))
    said = reason(tried(make(skops.io.dumps(model), "sklearn", "model.skops")))
    assert "types that are not on the list" in said and "OurOwn" in said


@pytest.mark.attack("M-01", "M-02")
def test_code_beside_the_model_is_refused(make: Make):
    folder = make(text())
    (folder / "code").mkdir()
    (folder / "code" / "loader.py").write_text("raise SystemExit")
    assert "brings its own code" in reason(tried(folder))


@pytest.mark.attack("M-03")
@pytest.mark.parametrize("file", ["../outside.lgb", "/etc/hostname"])
def test_a_path_out_of_the_folder_is_refused(make: Make, file: str):
    folder = make(text())
    (folder.parent / "outside.lgb").write_text(text())
    mlmodel(folder, "lightgbm", file)
    assert "lies outside of the model's folder" in reason(tried(folder))


@pytest.mark.attack("M-03")
def test_a_link_out_of_the_folder_is_refused(make: Make):
    folder = make(text())
    (folder / "model.lgb").rename(folder.parent / "outside.lgb")
    (folder / "model.lgb").symlink_to(folder.parent / "outside.lgb")
    assert "lies outside of the model's folder" in reason(tried(folder))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "There is no MLmodel file"),
        ("flavors: [", "cannot be read as YAML"),
        ("hello", "does not say how the model was made"),
        ("flavors: {python_function: {loader_module: mlflow.lightgbm}}", "which is not read here"),
        (
            "flavors: {python_function: {loader_module: mlflow.lightgbm}, lightgbm: {data: gone.lgb}}",
            "gone.lgb is missing",
        ),
    ],
)
def test_a_folder_that_is_no_model_is_refused(make: Make, said: str | None, words: str):
    folder = make(text())
    (folder / "MLmodel").unlink()
    if said is not None:
        (folder / "MLmodel").write_text(said)
    assert words in reason(tried(folder))


@pytest.mark.attack("M-05")
def test_an_input_that_the_dataset_lacks_is_named(make: Make):
    assert "needs the input visits" in reason(tried(make(text()), rows=rows()[["age"]]))


@pytest.mark.attack("M-05")
def test_a_model_that_loads_but_cannot_predict_says_why(make: Make):
    frame = rows()[["age", "visits"]]
    model = LogisticRegression().fit(frame, outcome(rows()))
    blank = rows()
    blank.loc[0, "age"] = np.nan
    said = reason(tried(make(skops.io.dumps(model), "sklearn", "model.skops"), rows=blank))
    assert said.startswith("The model loads but cannot predict (ValueError: Input")


def test_words_where_numbers_were_are_said(make: Make):
    wrong = rows().assign(age="old")
    assert "loads but cannot predict" in reason(tried(make(text()), rows=wrong))


@pytest.mark.attack("M-05")
def test_a_regression_is_no_probability(make: Make):
    frame = rows()[["age", "visits"]]
    settings = {"objective": "regression", "verbose": -1, "num_threads": 1}
    made = lightgbm.train(settings, lightgbm.Dataset(frame, frame.age * 100), 3)
    assert reason(tried(make(made.model_to_string())))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{", "is not readable JSON"),
        ("[1]", "must be an object"),
        ('{"profile": {"inputs": [{"title": 1}], "rows": 3, "source": "training"}}', "profile of the model's contract"),
        ('{"card": []  , "profile": null}', ""),
        ('{"card": {"metrics": {"auc": 1}}}', "card's metrics must be a list"),
        ('{"card": {"metrics": [{"name": "auc", "label": "AUC", "value": "high"}]}}', "value that is a number"),
        ('{"card": {"train_rows": "many"}}', "train_rows must be a whole number"),
    ],
)
def test_a_contract_of_the_wrong_shape_is_refused(make: Make, said: str, words: str):
    folder = make(text())
    (folder / "lakelight_contract.json").write_text(said)
    made = tried(folder)
    assert isinstance(made, Admitted) if not words else words in reason(made)


def linear(labels: np.ndarray) -> bytes:
    return bytes(skops.io.dumps(LogisticRegression().fit(rows()[["age", "visits"]], labels)))


@pytest.mark.parametrize(
    ("labels", "positive", "second"),
    [(("stay", "leave"), "leave", "stay"), ((1, 2), 1, "2"), ((0, 1), 0, "1"), ((False, True), False, "True")],
)
def test_a_model_whose_second_class_is_not_the_positive_one_would_turn_the_list_round(
    make: Make, labels: tuple[Any, Any], positive: Scalar, second: str
):
    content = linear(np.asarray(labels)[outcome(rows())])
    made = tried(make(content, "sklearn", "model.skops"), positive=positive)
    said = f"The positive class must be {second}, whose probability the model gives, got {positive}."
    assert reason(made) == said
    assert isinstance(made, Refused) and f"or name {second} in models.yml" in made.next_step


@pytest.mark.parametrize(
    ("labels", "positive"),
    [(("leave", "stay"), "stay"), ((1, 2), 2), ((0, 1), 1), ((0, 1), True), ((False, True), 1), ((0, 1), None)],
)
def test_the_second_class_is_the_positive_one_whatever_its_type(make: Make, labels: tuple[Any, Any], positive: Scalar):
    content = linear(np.asarray(labels)[outcome(rows())])
    assert isinstance(tried(make(content, "sklearn", "model.skops"), positive=positive), Admitted)


@pytest.mark.parametrize("positive", [0, False, "0"])
def test_a_booster_gives_the_probability_of_one(make: Make, positive: Scalar):
    said = reason(tried(make(text()), positive=positive))
    assert said == f"The positive class must be 1, whose probability the model gives, got {positive}."


def test_the_classes_of_a_regression_are_nobodys_business(make: Make):
    frame = rows()[["age", "visits"]]
    content = skops.io.dumps(LinearRegression().fit(frame, frame.age))
    assert isinstance(tried(make(content, "sklearn", "model.skops"), task="regression", positive=0), Admitted)


def test_a_model_that_cannot_be_explained_says_so(make: Make):
    content = linear(np.arange(300) % 3)
    made = tried(make(content, "sklearn", "model.skops"))
    assert reason(made) == "The model cannot be explained: it has 3 classes, and a list needs two."
    assert isinstance(made, Refused) and made.next_step == "Register a model that can be taken apart."


def stopped_early() -> tuple[pd.DataFrame, xgboost.XGBClassifier]:
    """A classifier that stopped early, with the trees after its best ones still in it."""
    frame, rng = rows()[["age", "visits"]], np.random.default_rng(5)
    labels = np.where(rng.random(300) < 0.3, 1 - outcome(rows()), outcome(rows()))
    model = xgboost.XGBClassifier(n_estimators=60, learning_rate=0.5, early_stopping_rounds=20, n_jobs=1)
    model.fit(frame[:200], labels[:200], eval_set=[(frame[200:], labels[200:])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    return frame, model


def test_a_classifier_that_stopped_early_scores_with_its_best_trees(make: Make, tmp_path: Path):
    frame, model = stopped_early()
    content = bytes(model.get_booster().save_raw("json"))
    found = tried(make(content, "xgboost", "model.json", model_class="xgboost.sklearn.XGBClassifier"))
    assert isinstance(found, Admitted)
    kept = Artefacts(tmp_path / "artefacts").predictor(found.digest)
    np.testing.assert_allclose(kept.score(frame), model.predict_proba(frame)[:, 1], rtol=1e-6)
    parts = kept.attribute(frame)
    assert explaining.missed(parts.base, parts.values, kept.margin(frame)).max() <= 1e-5


def test_a_bare_booster_scores_with_all_its_trees_as_the_library_does(make: Make, tmp_path: Path):
    frame, model = stopped_early()
    content = bytes(model.get_booster().save_raw("json"))
    found = tried(make(content, "xgboost", "model.json", model_class="xgboost.core.Booster"))
    assert isinstance(found, Admitted)
    kept = Artefacts(tmp_path / "artefacts").predictor(found.digest)
    expected = model.get_booster().predict(xgboost.DMatrix(frame))
    np.testing.assert_allclose(kept.score(frame), expected, rtol=1e-6)


def test_lightgbm_writes_only_its_best_trees(make: Make, tmp_path: Path):
    frame, rng = rows()[["age", "visits"]], np.random.default_rng(5)
    labels = np.where(rng.random(300) < 0.3, 1 - outcome(rows()), outcome(rows()))
    settings = {"objective": "binary", "verbose": -1, "learning_rate": 0.5, "num_threads": 1, "seed": 1}
    first = lightgbm.Dataset(frame[:200], labels[:200])
    watched = [lightgbm.Dataset(frame[200:], labels[200:], reference=first)]
    model = lightgbm.train(
        settings, first, 60, watched, keep_training_booster=True, callbacks=[lightgbm.early_stopping(20, verbose=False)]
    )
    assert model.best_iteration < model.current_iteration()
    model.save_model(tmp_path / "saved.lgb")
    found = tried(make((tmp_path / "saved.lgb").read_bytes()))
    assert isinstance(found, Admitted)
    kept = Artefacts(tmp_path / "artefacts").predictor(found.digest)
    np.testing.assert_allclose(kept.score(frame), model.predict(frame), rtol=1e-12)


# ── what would take the worker with it ────────────────────────────────────────────────────────────


@pytest.mark.attack("M-05")
@pytest.mark.parametrize("line", ["left_child=99999999 5000000 -9", "split_feature=123456789 99999999 5"])
def test_a_model_that_crashes_its_process_is_refused(make: Make, line: str):
    spoiled = re.sub(rf"^{line.split('=', maxsplit=1)[0]}=.*$", line, text(), flags=re.MULTILINE)
    assert "ended the process that tried it" in reason(admitted(make(spoiled)))


def test_a_model_that_never_answers_is_given_up(make: Make):
    frame = rows()[["age", "visits"]]
    model = HistGradientBoostingClassifier(max_iter=1, max_depth=2).fit(frame, outcome(rows()))
    nodes = model._predictors[0][0].nodes
    nodes["left"][0], nodes["right"][0] = 0, 0
    said = reason(admitted(make(skops.io.dumps(model), "sklearn", "model.skops"), seconds=8))
    assert said == "The model did not answer within 8 seconds."
