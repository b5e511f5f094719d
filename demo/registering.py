"""Trained models into the MLflow registry: each once, with signature, contract, metrics and alias.

The contract (``lakelight_contract.json``) lies beside the model: what the inputs looked like in training, and the card.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo import cards
from demo.training import Trained
from models import profiles

EXPERIMENT = "demo"
TAG = "lakelight.demo"
HALF_MADE = "half-made-"


def registry_file(url: str) -> Path:
    """The SQLite file of a registry URL; the demo builds no other kind."""
    if not url.startswith("sqlite:///"):
        raise ValueError(f"The demo registers its models in a SQLite registry (sqlite:///…), got {url}.")
    return Path(url.removeprefix("sqlite:///"))


def register(url: str, trained: Trained, card: Mapping[str, Any], *, alias: str, description: str) -> str:
    """Register the model unless it is there already, point the alias to it, and give its version."""
    client = _client(url)
    profile = profiles.profile(trained.rows[list(trained.inputs)], trained.inputs)
    contract = json.dumps({"profile": profile.as_json(), "card": dict(card)}, sort_keys=True, indent=1)
    digest = hashlib.sha256(trained.content + contract.encode()).hexdigest()
    version = _known(client, trained.name, digest)
    if version is None:
        _forget_half_made(client, url, digest)
        version = _new(client, url, trained, contract=contract, digest=digest, description=description)
    client.set_registered_model_alias(trained.name, alias, version)
    return version


def _client(url: str) -> Any:
    """A client on a store whose tables are whole: a new one is made aside and then put in place."""
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK="true", DO_NOT_TRACK="true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from mlflow.tracking import MlflowClient

    file = registry_file(url)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_suffix(".partial")
        aside.unlink(missing_ok=True)
        made = MlflowClient(f"sqlite:///{aside}", f"sqlite:///{aside}")
        made.create_experiment(EXPERIMENT, artifact_location=str(file.parent.resolve() / "artifacts"))
        aside.replace(file)
    return MlflowClient(url, url)


def _known(client: Any, name: str, digest: str) -> str | None:
    found = client.search_model_versions(f"name='{name}'")
    return next((str(v.version) for v in found if v.tags.get(TAG) == digest), None)


def _new(client: Any, url: str, trained: Trained, *, contract: str, digest: str, description: str) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    run = client.create_run(experiment, run_name=trained.name, tags={TAG: digest})
    _log(client, run.info.run_id, trained, json.loads(contract)["card"])
    with tempfile.TemporaryDirectory(prefix=HALF_MADE, dir=registry_file(url).parent) as made:
        folder = Path(made) / "model"
        _save(trained, folder)
        (folder / "lakelight_contract.json").write_text(contract)
        client.log_artifacts(run.info.run_id, str(folder), "model")
    client.set_terminated(run.info.run_id)
    if not client.search_registered_models(f"name='{trained.name}'"):
        client.create_registered_model(trained.name)
    source = f"{run.info.artifact_uri}/model"
    version = client.create_model_version(
        trained.name, source, run.info.run_id, tags={TAG: digest}, description=description
    )
    return str(version.version)


def _log(client: Any, run_id: str, trained: Trained, card: Mapping[str, Any]) -> None:
    """The settings and the figures of the test."""
    from mlflow.entities import Metric, Param

    figures = cards.flat(card["metrics"]) | cards.flat(card["baseline_metrics"], "rule_")
    metrics = [Metric(name, float(value), 0, 0) for name, value in figures.items()]
    client.log_batch(run_id, metrics=metrics, params=[Param(k, str(v)) for k, v in trained.settings.items()])


def _save(trained: Trained, folder: Path) -> None:
    """MLflow's own folder, with the model file replaced by the bytes that are the same every time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.models import infer_signature

        signature = infer_signature(trained.example, trained.scores)
        if trained.kind == "lightgbm":
            import lightgbm
            import mlflow.lightgbm

            booster = lightgbm.Booster(model_str=trained.content.decode())
            mlflow.lightgbm.save_model(booster, str(folder), signature=signature, pip_requirements=["lightgbm"])
            (folder / "model.lgb").write_bytes(trained.content)
            return
        import mlflow.sklearn
        import skops.io

        known = skops.io.get_untrusted_types(data=trained.content)
        mlflow.sklearn.save_model(
            skops.io.loads(trained.content, trusted=known),
            str(folder),
            serialization_format="skops",
            skops_trusted_types=known,
            signature=signature,
            pip_requirements=["scikit-learn", "skops"],
        )
        (folder / "model.skops").write_bytes(trained.content)


def _forget_half_made(client: Any, url: str, digest: str) -> None:
    """Remove what a killed build left of this model: a run without a version, and files made aside."""
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    for run in client.search_runs([experiment], f"tags.`{TAG}` = '{digest}'"):
        client.delete_run(run.info.run_id)
        shutil.rmtree(Path(run.info.artifact_uri).parent, ignore_errors=True)
    for left in registry_file(url).parent.glob(f"{HALF_MADE}*"):
        shutil.rmtree(left, ignore_errors=True)
