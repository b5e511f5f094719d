"""The contract that a model may bring: ``lakelight_contract.json`` beside it, with its profile and its card.

A card says what training measured; pages show what is there. Everything is checked here, so that a page can rely on
the shape.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.predicting import ModelProfile

FILE = "lakelight_contract.json"
LARGEST = 5_000_000
SHAPES: Mapping[str, type | tuple[type, ...]] = {
    "trained_from": str,
    "trained_to": str,
    "train_rows": int,
    "test_rows": int,
    "tested_on": str,
    "library": str,
    "data": str,
    "metrics": list,
    "baseline_metrics": list,
    "sensitive": dict,
    "limits": list,
}
MEASURED: Mapping[str, type | tuple[type, ...]] = {"name": str, "label": str, "value": (int, float)}


class BadContract(Exception):
    """A contract that cannot be used, in one sentence."""


@dataclass(frozen=True)
class Contract:
    """What training saw of the inputs, and what it says of itself; both may be absent."""

    profile: ModelProfile | None = None
    card: Mapping[str, Any] = field(default_factory=dict)


def read(folder: Path) -> Contract:
    """The contract in a model's folder, an empty one where there is none. Raises ``BadContract``."""
    found = next(iter(sorted(folder.rglob(FILE))), None)
    if found is None:
        return Contract()
    if found.stat().st_size > LARGEST:
        raise BadContract(f"The model's contract must have at most {LARGEST:,} bytes.")
    try:
        said = json.loads(found.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except ValueError as problem:
        raise BadContract("The model's contract is not readable JSON.") from problem
    if not isinstance(said, dict):
        raise BadContract("The model's contract must be an object with a profile and a card.")
    return Contract(_profile(said.get("profile")), _card(said.get("card")))


def _profile(said: Any) -> ModelProfile | None:
    if not said:
        return None
    try:
        return ModelProfile.from_json(said)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise BadContract("The profile of the model's contract does not have the expected form.") from problem


def _card(said: Any) -> dict[str, Any]:
    if not said:
        return {}
    if not isinstance(said, dict):
        raise BadContract("The card of the model's contract must be an object.")
    for key, kind in SHAPES.items():
        if said.get(key) is not None and not isinstance(said[key], kind):
            raise BadContract(f"The card's {key} must be a {_name(kind)}, got {str(said[key])[:60]!r}.")
    for key in ("metrics", "baseline_metrics"):
        for measured in said.get(key) or ():
            wrong = [k for k, kind in MEASURED.items() if not _is(measured, k, kind)]
            if wrong:
                raise BadContract(
                    f"Each of the card's {key} must have a {wrong[0]} that is a {_name(MEASURED[wrong[0]])}."
                )
    return said


def _is(measured: Any, key: str, kind: type | tuple[type, ...]) -> bool:
    return isinstance(measured, dict) and isinstance(measured.get(key), kind)


def _name(kind: type | tuple[type, ...]) -> str:
    words = {str: "text", int: "whole number", list: "list", dict: "object"}
    return "number" if isinstance(kind, tuple) else words[kind]
