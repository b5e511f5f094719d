"""Admitted models on disk, each under its digest in a data-only format, and the predictors made from them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

from models.predicting import Predictor


class ArtefactMissing(Exception):
    """An admitted model that is not on disk any more; admission brings it back."""


class Artefacts:
    """The folder of admitted models. ``predictor`` keeps what it loaded; nothing here can run code from a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._loaded: dict[str, Predictor] = {}

    def store(self, files: dict[str, bytes], manifest: dict[str, Any]) -> str:
        """Keep the files of a model; gives their digest. The same content is kept once."""
        digest = hashlib.sha256()
        said = json.dumps(manifest, sort_keys=True).encode()
        for name, content in sorted({**files, "manifest.json": said}.items()):
            digest.update(f"{name}:{len(content)}:".encode())
            digest.update(content)
        name = digest.hexdigest()
        target = self.root / name
        if target.exists():
            return name
        self.root.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=self.root))
        for file, content in {**files, "manifest.json": said}.items():
            with (partial / file).open("wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
        try:
            partial.rename(target)
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)
        return name

    def manifest(self, digest: str) -> dict[str, Any]:
        """What admission wrote down of a model."""
        try:
            return dict(json.loads((self._folder(digest) / "manifest.json").read_text()))
        except OSError as problem:
            raise ArtefactMissing(f"The admitted model {digest[:12]} is gone. Sync the registry again.") from problem

    def predictor(self, digest: str) -> Predictor:
        """The model, loaded once per process."""
        with self._lock:
            if digest not in self._loaded:
                self._loaded[digest] = self._load(digest)
            return self._loaded[digest]

    def _folder(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ArtefactMissing("A model's digest must be 64 hexadecimal digits.")
        return self.root / digest

    def _load(self, digest: str) -> Predictor:
        manifest, folder = self.manifest(digest), self._folder(digest)
        match manifest["format"]:
            case "lightgbm":
                from models.predictor_lightgbm import LightGBMPredictor

                return LightGBMPredictor(folder, manifest)
            case "xgboost":
                from models.predictor_xgboost import XGBoostPredictor

                return XGBoostPredictor(folder, manifest)
            case "skops":
                from models.predictor_skops import load

                return load(folder, manifest)
            case other:
                raise ArtefactMissing(f"A model's format must be lightgbm, xgboost or skops, got {other}.")
