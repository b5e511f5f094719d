"""Admission: a registered model is read as data, tried on real rows, and kept in a form that cannot run code.

Everything happens in a process of its own with limits on time and memory, so that a file that crashes, hangs or eats
memory is a refusal with a sentence, and the worker lives on (law 7).
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import resource
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from data.definitions import Feature
from models import inputs as model_inputs
from models import profiles, scoring
from models.artefacts import Artefacts
from models.inputs import MissingInput
from models.predicting import ModelProfile

LOADERS = {"mlflow.lightgbm": "lightgbm", "mlflow.xgboost": "xgboost", "mlflow.sklearn": "sklearn"}
PICKLES = (".pkl", ".pickle", ".joblib", ".cloudpickle", ".dill")
CONTRACT = "lakelight_contract.json"
SECONDS, MEMORY = 180, 6 << 30
TRIED = 200


@dataclass(frozen=True)
class Admitted:
    """A model that may be used: its digest in the artefact store, its format, profile and card facts."""

    digest: str
    format: str
    profile: ModelProfile
    card: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """Why a model may not be used, in plain words, and what to do."""

    reason: str
    next_step: str


class _No(Exception):
    def __init__(self, reason: str, next_step: str) -> None:
        super().__init__(reason)
        self.refused = Refused(reason, next_step)


def admit(
    folder: Path, *, task: str, features: Mapping[str, Feature], rows: pd.DataFrame, artefacts: Path, expected: str = ""
) -> Admitted | Refused:
    """Admit the model in ``folder``, or say why not.

    ``rows`` are rows of the dataset it scores; ``expected`` a recorded digest of its files.
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    work = {
        "folder": folder,
        "task": task,
        "features": dict(features),
        "rows": rows,
        "artefacts": artefacts,
        "expected": expected,
    }
    process = context.Process(target=_isolated, args=(theirs, work), daemon=True)
    process.start()
    theirs.close()
    try:
        if not mine.poll(SECONDS):
            return Refused("The model did not answer within three minutes.", "Register a smaller model.")
        answer = mine.recv()
    except EOFError:
        return Refused(
            "Reading the model ended the process that tried it.", "Train it again with the installed versions."
        )
    finally:
        if process.is_alive():
            process.join(5)
            process.kill()
    return (
        answer
        if isinstance(answer, Admitted | Refused)
        else Refused("The model could not be read.", "Register it again.")
    )


def digest_of(folder: Path) -> str:
    """SHA-256 over the names and contents of a model's files."""
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "registered_model_meta"):
        digest.update(f"{file.relative_to(folder)}:{file.stat().st_size}:".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _isolated(pipe: Any, work: dict[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        pipe.send(_admit(**work))
    except _No as no:
        pipe.send(no.refused)
    except Exception as problem:
        words = f"{type(problem).__name__}: {problem}"[:160]
        pipe.send(
            Refused(f"The model loads but cannot predict ({words}).", "Train it again with the installed versions.")
        )


def _admit(
    folder: Path, *, task: str, features: dict[str, Feature], rows: pd.DataFrame, artefacts: Path, expected: str
) -> Admitted:
    if expected and digest_of(folder) != expected:
        raise _No(
            "The files differ from the digest recorded at registration.",
            "Register the model again; find out who changed it.",
        )
    kind, file, about = _described(folder)
    contract = _contract(folder)
    files = {f"model.{'txt' if kind == 'lightgbm' else 'ubj' if kind == 'xgboost' else 'skops'}": _content(kind, file)}
    inputs = _inputs(kind, file, about, contract)
    try:
        frame = model_inputs.frame_of(rows, model_inputs.sources_of(inputs, features, rows.columns))
    except MissingInput as missing:
        raise _No(
            f"The model needs the input {missing}, and the dataset does not publish it.",
            "Declare the column in lake.yml.",
        ) from missing
    profile = (
        ModelProfile.from_json(contract["profile"])
        if contract.get("profile")
        else profiles.profile(frame, inputs, source="scored data")
    )
    manifest: dict[str, Any] = {"format": kind, "inputs": list(inputs), "task": task}
    store = Artefacts(artefacts)
    if kind == "skops":
        trial = store.predictor(store.store(files, manifest))
        manifest["centre"] = [float(v) for v in np.nanmean(trial.transformed(frame), axis=0)]  # type: ignore[attr-defined]
    digest = store.store(files, manifest)
    _try(store, digest, frame=frame.head(TRIED), task=task, features=features)
    return Admitted(digest, kind, profile, contract.get("card", {}))


def _described(folder: Path) -> tuple[str, Path, dict[str, Any]]:
    """The kind of the model and its file, from ``MLmodel`` read as data."""
    if not (folder / "MLmodel").is_file():
        raise _No("There is no MLmodel file.", "Register the model with MLflow.")
    about = yaml.safe_load((folder / "MLmodel").read_text())
    flavors = about.get("flavors", {}) if isinstance(about, dict) else {}
    function = flavors.get("python_function", {})
    if function.get("code") or any((folder / "code").glob("*.py")):
        raise _No("The model brings its own code, which is never run here.", "Register it with library classes only.")
    loader = LOADERS.get(function.get("loader_module", ""))
    if loader is None or loader not in flavors:
        raise _No(
            f"The model is made by {function.get('loader_module') or 'an unknown library'}.",
            "Use LightGBM, XGBoost or scikit-learn with skops.",
        )
    flavor = flavors[loader]
    name = str(flavor.get("pickled_model") or flavor.get("data") or "")
    file = (folder / name).resolve()
    if not name or Path(name).is_absolute() or not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise _No("The model file lies outside of the model's folder.", "Register the model again.")
    if name.lower().endswith(PICKLES) or flavor.get("serialization_format") in ("pickle", "cloudpickle"):
        raise _No(
            "The model is a pickle, which can run code when it is read.",
            "Register it in skops format, or as a booster.",
        )
    if file.suffix == ".skops":
        return "skops", file, about
    if loader == "sklearn":
        raise _No(
            f"The scikit-learn model is stored as {file.suffix or 'an unknown format'}.", "Register it in skops format."
        )
    return loader, file, about


def _content(kind: str, file: Path) -> bytes:
    if kind == "skops":
        from models.predictor_skops import read

        content = file.read_bytes()
        try:
            read(content)
        except TypeError as unknown:
            raise _No(
                f"The model holds types that are not on the list: {unknown}.", "Use library classes only."
            ) from unknown
        return content
    if kind == "xgboost":
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(str(file))
        return bytes(booster.save_raw("ubj"))
    text = file.read_bytes()
    if not text.startswith(b"tree\n"):
        raise _No("The LightGBM file is not in text form.", "Register the booster itself.")
    return text


def _inputs(kind: str, file: Path, about: dict[str, Any], contract: dict[str, Any]) -> tuple[str, ...]:
    """Names from the contract, the signature, or the model itself."""
    if contract.get("profile"):
        return tuple(i["name"] for i in contract["profile"]["inputs"])
    signature = about.get("signature") or {}
    if signature.get("inputs"):
        named = [c.get("name") for c in json.loads(signature["inputs"])]
        if all(named):
            return tuple(str(n) for n in named)
    return _own_names(kind, file)


def _own_names(kind: str, file: Path) -> tuple[str, ...]:
    if kind == "lightgbm":
        import lightgbm

        return tuple(lightgbm.Booster(model_str=file.read_text()).feature_name())
    if kind == "xgboost":
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(str(file))
        names = booster.feature_names
    else:
        from models.predictor_skops import read

        names = getattr(read(file.read_bytes()), "feature_names_in_", None)
    if names is None or len(names) == 0:
        raise _No("The model does not say which inputs it takes.", "Register it with a signature.")
    return tuple(str(n) for n in names)


def _contract(folder: Path) -> dict[str, Any]:
    found = next(iter(folder.rglob(CONTRACT)), None)
    if found is None:
        return {}
    try:
        said = json.loads(found.read_text())
        return said if isinstance(said, dict) else {}
    except ValueError as problem:
        raise _No("The model's contract is not readable JSON.", "Register the model again.") from problem


def _try(store: Artefacts, digest: str, *, frame: pd.DataFrame, task: str, features: dict[str, Feature]) -> None:
    made = scoring.score(store.predictor(digest), frame, features)
    if len(made.score) != len(frame) or not np.isfinite(made.score).all():
        raise _No("The model gives scores that are not numbers.", "Train it again; mind blanks in the inputs.")
    if task == "classification" and not ((made.score >= 0) & (made.score <= 1)).all():
        raise _No("The model gives scores outside of 0 to 1.", "Register a model that gives probabilities.")
