"""Admission: a registered model is read as data, tried on real rows, and kept in a form that cannot run code.

Everything happens in a process of its own (``models.trial``) with limits on time and memory, so that a file that
crashes, hangs or eats memory is a refusal with a sentence, and the worker lives on (law 7). Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from data.definitions import Feature, Scalar
from models.predicting import ModelProfile

ROOT = Path(__file__).resolve().parent.parent
SECONDS, MEMORY = 180, 6 << 30
AGAIN = "Train it again with the installed versions."


@dataclass(frozen=True)
class Admitted:
    """A model that may be used: its digest in the artefact store, its format, profile and card facts.

    ``profile`` is None where the model brought none and the dataset has fewer than twenty rows to make it from.
    """

    digest: str
    format: str
    profile: ModelProfile | None
    card: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """Why a model may not be used, in plain words, and what to do."""

    reason: str
    next_step: str


def admit(
    folder: Path,
    *,
    task: str,
    features: Mapping[str, Feature],
    rows: pd.DataFrame,
    artefacts: Path,
    positive: Scalar = None,
    expected: str = "",
    seconds: float = SECONDS,
) -> Admitted | Refused:
    """Admit the model in ``folder``, or say why not.

    ``rows`` are rows of the dataset it scores; ``positive`` is the class whose probability a classification must give;
    ``expected`` is a recorded digest of its files; ``seconds`` its time.
    """
    with tempfile.TemporaryDirectory(prefix="lakelight-trial-") as made:
        desk = Path(made)
        lay_out(
            desk, folder,
            task=task, features=features, rows=rows, artefacts=artefacts, positive=positive, expected=expected,
        )  # fmt: skip
        try:
            _try(desk, seconds)
        except subprocess.TimeoutExpired:
            return Refused(f"The model did not answer within {seconds:.0f} seconds.", "Register a smaller model.")
        return _answer(desk / "answer.json")


def lay_out(
    desk: Path,
    folder: Path,
    *,
    task: str,
    features: Mapping[str, Feature],
    rows: pd.DataFrame,
    artefacts: Path,
    positive: Scalar = None,
    expected: str = "",
) -> None:
    """Write down what ``models.trial`` is to try."""
    work = {
        "folder": str(folder.resolve()),
        "task": task,
        "features": {name: feature.model_dump(mode="json") for name, feature in features.items()},
        "artefacts": str(artefacts.resolve()),
        "positive": positive,
        "expected": expected,
    }
    (desk / "work.json").write_text(json.dumps(work, default=str))
    rows.to_parquet(desk / "rows.parquet")


def digest_of(folder: Path) -> str:
    """SHA-256 over the names and contents of a model's files."""
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "registered_model_meta"):
        digest.update(f"{file.relative_to(folder)}:{file.stat().st_size}:".encode())
        with file.open("rb") as content:
            while part := content.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


def _try(desk: Path, seconds: float) -> None:
    """Run the trial; it is killed when its time is over."""
    subprocess.run(  # noqa: S603  our own interpreter and module
        [sys.executable, "-m", "models.trial", str(desk)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=seconds,
        check=False,
    )


def _answer(file: Path) -> Admitted | Refused:
    try:
        said = json.loads(file.read_text())
    except OSError:
        return Refused("Reading the model ended the process that tried it.", AGAIN)
    if "reason" in said:
        return Refused(said["reason"], said["next_step"])
    profile = ModelProfile.from_json(said["profile"]) if said["profile"] else None
    return Admitted(said["digest"], said["format"], profile, said["card"])
