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
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data.definitions import Feature
from models import admission, trial
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


def test_the_recorded_digest_is_that_of_the_files(make: Make):
    folder = make(text())
    assert isinstance(tried(folder, expected=digest_of(folder)), Admitted)


# ── what is refused, each with its sentence ───────────────────────────────────────────────────────


def test_a_pickle_is_refused_and_never_run(make: Make, tmp_path: Path):
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "it-ran",))

    for others in ({"serialization_format": "cloudpickle"}, {}):
        folder = make(pickle.dumps(Bomb()), "sklearn", "model.pkl", **others)
        assert "is a pickle, which can run code" in reason(tried(folder))
        folder.rename(tmp_path / f"done-{len(others)}")
    assert not (tmp_path / "it-ran").exists()


def test_a_pickle_under_another_name_is_refused_too(make: Make):
    assert "stored as .bin" in reason(tried(make(pickle.dumps({}), "sklearn", "model.bin")))


def test_files_that_were_changed_after_registration_are_refused(make: Make):
    folder = make(text())
    expected = digest_of(folder)
    (folder / "model.lgb").write_text(text().replace("leaf_value=", "leaf_value= "))
    assert "differ from the digest" in reason(tried(folder, expected=expected))


@pytest.mark.parametrize("spoil", [lambda t: t[: t.index("Tree=3")], lambda t: t.replace("\nend of trees", "")])
def test_half_a_lightgbm_file_is_refused(make: Make, spoil: Callable[[str], str]):
    assert "only half there" in reason(tried(make(spoil(text()))))


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


def test_types_outside_the_list_are_named(make: Make):
    model = make_pipeline(OurOwn(), LogisticRegression()).fit(rows()[["age", "visits"]], outcome(rows()))
    said = reason(tried(make(skops.io.dumps(model), "sklearn", "model.skops")))
    assert "types that are not on the list" in said and "OurOwn" in said


def test_code_beside_the_model_is_refused(make: Make):
    folder = make(text())
    (folder / "code").mkdir()
    (folder / "code" / "loader.py").write_text("raise SystemExit")
    assert "brings its own code" in reason(tried(folder))


@pytest.mark.parametrize("file", ["../outside.lgb", "/etc/hostname"])
def test_a_path_out_of_the_folder_is_refused(make: Make, file: str):
    folder = make(text())
    (folder.parent / "outside.lgb").write_text(text())
    mlmodel(folder, "lightgbm", file)
    assert "lies outside of the model's folder" in reason(tried(folder))


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


def test_an_input_that_the_dataset_lacks_is_named(make: Make):
    assert "needs the input visits" in reason(tried(make(text()), rows=rows()[["age"]]))


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


# ── what would take the worker with it ────────────────────────────────────────────────────────────


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
