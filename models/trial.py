"""The process in which a registered model is tried: ``python -m models.trial <folder>``.

``models.admission`` starts it. The folder holds what to try (``work.json``, ``rows.parquet``) and receives the
verdict (``answer.json``). Files that crash, hang or eat memory end this process and nothing else.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from data.definitions import Feature, Scalar
from models import categories, model_contract, processes, profiles, scoring
from models import inputs as model_inputs
from models.admission import AGAIN, MEMORY, SECONDS, Admitted, Refused, digest_of
from models.artefacts import Artefacts
from models.inputs import MissingInput
from models.model_contract import BadContract, Contract

LOADERS = {"mlflow.lightgbm": "lightgbm", "mlflow.xgboost": "xgboost", "mlflow.sklearn": "sklearn"}
FILES = {"lightgbm": "model.txt", "xgboost": "model.ubj", "skops": "model.skops"}
PICKLES = (".pkl", ".pickle", ".joblib", ".cloudpickle", ".dill")
TRIED = 200


class _No(Exception):
    def __init__(self, reason: str, next_step: str) -> None:
        super().__init__(reason)
        self.refused = Refused(reason, next_step)


def main(folder: Path, parent: int) -> None:
    """Try what the folder holds and write the verdict, whole or not at all."""
    processes.end_with(parent)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    partial = folder / "answer.partial"
    partial.write_text(json.dumps(asdict(verdict(folder))))
    partial.replace(folder / "answer.json")


def verdict(folder: Path) -> Admitted | Refused:
    """Try the model that the folder speaks of, in this process."""
    work = json.loads((folder / "work.json").read_text())
    try:
        return _admit(
            Path(work["folder"]),
            task=work["task"],
            features={name: Feature.model_validate(said) for name, said in work["features"].items()},
            rows=pd.read_parquet(folder / "rows.parquet"),
            artefacts=Path(work["artefacts"]),
            positive=work["positive"],
            expected=work["expected"],
        )
    except _No as no:
        return no.refused
    except BadContract as problem:
        return Refused(str(problem), "Register the model again with a whole contract.")
    except MemoryError:
        return Refused("The model needs more memory than a model may have.", "Register a smaller model.")
    except Exception as problem:
        return Refused(f"The model loads but cannot predict ({_words(problem)}).", AGAIN)


def _admit(
    folder: Path,
    *,
    task: str,
    features: dict[str, Feature],
    rows: pd.DataFrame,
    artefacts: Path,
    positive: Scalar,
    expected: str,
) -> Admitted:
    if expected and digest_of(folder) != expected:
        raise _No(
            "The files differ from the digest recorded at registration.",
            "Register the model again; find out who changed it.",
        )
    kind, file, about = _described(folder)
    contract = model_contract.read(folder)
    content = _content(kind, file, about)
    inputs = _inputs(kind, content, about=about, contract=contract)
    try:
        frame = model_inputs.frame_of(rows, model_inputs.sources_of(inputs, features, list(rows.columns)))
    except MissingInput as missing:
        raise _No(
            f"The model needs the input {missing}, and the dataset does not publish it.",
            "Declare the column in lake.yml, or point the model to another dataset in models.yml.",
        ) from missing
    manifest: dict[str, Any] = {"format": kind, "inputs": list(inputs), "task": task}
    store = Artefacts(artefacts)
    if kind == "skops":
        manifest |= _background(content, manifest, frame)
    if task == "classification" and positive is not None:
        _hold_to(positive, kind=kind, content=content)
    digest = store.store({FILES[kind]: content}, manifest)
    _try(store, digest, frame=frame.head(TRIED), task=task, features=features)
    made = profiles.profile(frame, inputs, source="scored data") if len(frame) >= profiles.FEWEST else None
    return Admitted(digest, kind, contract.profile or made, contract.card)


def _described(folder: Path) -> tuple[str, Path, dict[str, Any]]:
    """The kind of the model and its file, from ``MLmodel`` read as data."""
    about = _about(folder)
    flavors = about["flavors"]
    function = flavors.get("python_function") or {}
    if function.get("code") or any((folder / "code").glob("*.py")):
        raise _No("The model brings its own code, which is never run here.", "Register it with library classes only.")
    module = str(function.get("loader_module") or "")
    loader = LOADERS.get(module)
    if loader is None or not isinstance(flavors.get(loader), dict):
        raise _No(
            f"The model is made by {module or 'an unknown library'}, which is not read here.",
            "Use LightGBM, XGBoost or scikit-learn with skops.",
        )
    flavor = flavors[loader]
    name = str(flavor.get("pickled_model") or flavor.get("data") or "")
    file = (folder / name).resolve()
    if not name or Path(name).is_absolute() or not file.is_relative_to(folder.resolve()):
        raise _No("The model file lies outside of the model's folder.", "Register the model again.")
    if name.lower().endswith(PICKLES) or flavor.get("serialization_format") in ("pickle", "cloudpickle"):
        raise _No(
            "The model is a pickle, which can run code when it is read.",
            "Register it in skops format, or as a booster.",
        )
    if not file.is_file():
        raise _No(f"The model's file {name} is missing.", "Register the model again.")
    if file.suffix == ".skops":
        return "skops", file, about
    if loader == "sklearn":
        raise _No(
            f"The scikit-learn model is stored as {file.suffix or 'an unknown format'}.", "Register it in skops format."
        )
    return loader, file, about


def _about(folder: Path) -> dict[str, Any]:
    file = folder / "MLmodel"
    if not file.is_file():
        raise _No("There is no MLmodel file.", "Register the model with MLflow.")
    try:
        about = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise _No("The MLmodel file cannot be read as YAML.", "Register the model again.") from problem
    if not isinstance(about, dict) or not isinstance(about.get("flavors"), dict):
        raise _No("The MLmodel file does not say how the model was made.", "Register the model with MLflow.")
    return about


def _content(kind: str, file: Path, about: dict[str, Any]) -> bytes:
    """The model in the form that is kept; reading it once shows that it can be read."""
    content = file.read_bytes()
    try:
        if kind == "skops":
            from models.predictor_skops import read

            read(content)
        elif kind == "xgboost":
            wrapped = ".sklearn." in str(about["flavors"]["xgboost"].get("model_class") or "")
            return bytes(_best(_xgboost(content), wrapped=wrapped).save_raw("ubj"))
        else:
            _whole_text(content)
            _lightgbm(content)
    except TypeError as unknown:
        raise _No(
            f"The model holds types that are not on the list: {_words(unknown)}.", "Use library classes only."
        ) from unknown
    except (_No, MemoryError):
        raise
    except Exception as problem:
        raise _No(f"The model's file cannot be read ({_words(problem)}).", "Register the model again.") from problem
    return content


def _whole_text(content: bytes) -> None:
    """LightGBM reads half a file without a word: every tree that is announced must be there."""
    if not content.startswith(b"tree\n"):
        raise _No("The LightGBM file is not in text form.", "Register the booster itself.")
    announced = re.search(rb"^tree_sizes=(.*)$", content, re.MULTILINE)
    trees = len(re.findall(rb"^Tree=\d+$", content, re.MULTILINE))
    if b"\nend of trees\n" not in content or (announced and len(announced[1].split()) != trees):
        raise _No("The LightGBM file is only half there.", "Register the model again.")


def _lightgbm(content: bytes) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=content.decode())


def _xgboost(content: bytes) -> Any:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(content))
    return booster


def _best(booster: Any, *, wrapped: bool) -> Any:
    """The trees that the registered model predicts with. XGBoost's scikit-learn classes leave out those after the best
    round of early stopping, a bare booster uses them all. (LightGBM writes no others; linear boosters have no trees.)
    """
    best = booster.attr("best_iteration")
    kind = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]
    return booster if not wrapped or best is None or kind == "gblinear" else booster[: int(best) + 1]


def _background(content: bytes, manifest: dict[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """What explaining a scikit-learn model starts from."""
    from models.predictor_skops import SkopsPredictor, Unexplainable, read

    try:
        return SkopsPredictor(read(content), manifest).background(frame)
    except Unexplainable as problem:
        raise _No(
            f"The model cannot be explained: {problem}.", "Register a model that can be taken apart."
        ) from problem


def _hold_to(positive: Scalar, *, kind: str, content: bytes) -> None:
    """A model gives the probability of its second class; scores of the other one would turn the list upside down.

    A booster knows its classes as 0 and 1 only: a word for its 1 is believed.
    """
    second: Any = 1
    if kind == "skops":
        from models.predictor_skops import read

        second = read(content).classes_[1]
        held = categories.equals(pd.Series([second]), positive)[0]
    else:
        held = not categories.equals(pd.Series([0]), positive)[0]
    if not held:
        raise _No(
            f"The positive class must be {second}, whose probability the model gives, got {positive}.",
            f"Train it so that {positive} is the second class, or name {second} in models.yml.",
        )


def _inputs(kind: str, content: bytes, *, about: dict[str, Any], contract: Contract) -> tuple[str, ...]:
    """Names from the contract, the signature, or the model itself."""
    if contract.profile:
        return contract.profile.names
    signature = about.get("signature") or {}
    if signature.get("inputs"):
        named = [c.get("name") for c in json.loads(signature["inputs"])]
        if all(named):
            return tuple(str(n) for n in named)
    return _own_names(kind, content)


def _own_names(kind: str, content: bytes) -> tuple[str, ...]:
    names: Any
    if kind == "lightgbm":
        names = _lightgbm(content).feature_name()
    elif kind == "xgboost":
        names = _xgboost(content).feature_names
    else:
        from models.predictor_skops import read

        names = getattr(read(content), "feature_names_in_", None)
    if names is None or len(names) == 0:
        raise _No("The model does not say which inputs it takes.", "Register it with a signature.")
    return tuple(str(n) for n in names)


def _try(store: Artefacts, digest: str, *, frame: pd.DataFrame, task: str, features: dict[str, Feature]) -> None:
    made = scoring.score(store.predictor(digest), frame, features)
    if len(made.score) != len(frame) or not np.isfinite(made.score).all():
        raise _No("The model gives scores that are not numbers.", "Train it again; mind blanks in the inputs.")
    if task == "classification" and not ((made.score >= 0) & (made.score <= 1)).all():
        raise _No("The model gives scores outside of 0 to 1.", "Register a model that gives probabilities.")


def _words(problem: BaseException) -> str:
    """What a library said, on one line."""
    said = str(problem) if isinstance(problem, TypeError) else f"{type(problem).__name__}: {problem}"
    return " ".join(said.partition("Stack trace")[0].split())[:160]


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.getppid())
