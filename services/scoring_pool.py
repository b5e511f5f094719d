"""Scoring a batch on all cores. Small batches stay in this process; large ones go to processes that are spawned, never
forked (a fork of a process that loaded a booster hangs).
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from data.definitions import Feature
from models import processes, scoring
from models.artefacts import Artefacts
from models.scoring import CHUNK, Scored

IN_PROCESS = 100_000


def score(artefacts: Artefacts, digest: str, frame: pd.DataFrame, features: Mapping[str, Feature]) -> Scored:
    """Score and explain every row; one process per core for more than 100,000 rows. Rows keep their order."""
    cores = os.cpu_count() or 1
    if len(frame) <= IN_PROCESS or cores == 1:
        return scoring.score(artefacts.predictor(digest), frame, features)
    starts = range(0, len(frame), CHUNK)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, spawn, initializer=processes.end_with, initargs=(os.getpid(),)) as pool:
        parts = list(
            pool.map(
                _part,
                [artefacts.root] * len(starts),
                [digest] * len(starts),
                [frame.iloc[at : at + CHUNK] for at in starts],
                [dict(features)] * len(starts),
            )
        )
    return Scored(
        score=np.concatenate([p.score for p in parts]),
        margin=np.concatenate([p.margin for p in parts]),
        base=np.concatenate([p.base for p in parts]),
        shap=np.concatenate([p.shap for p in parts]),
        features=parts[0].features,
        method=parts[0].method,
        link=parts[0].link,
    )


def _part(root: Path, digest: str, frame: pd.DataFrame, features: Mapping[str, Feature]) -> Scored:
    return scoring.score(Artefacts(root).predictor(digest), frame, features)
