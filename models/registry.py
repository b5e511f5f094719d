"""The port to a model registry: what is registered, under which alias, and its files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol


class RegistryProblem(Exception):
    """A registry problem that a person can read."""


class RegistryDown(RegistryProblem):
    """The registry does not answer."""


class UnknownModel(RegistryProblem):
    """The registry has no model of this name."""


class UnknownAlias(RegistryProblem):
    """The model has no such alias."""


@dataclass(frozen=True)
class RegisteredVersion:
    """An immutable build of a registered model, with the aliases that point to it now."""

    name: str
    version: str
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    created_at: datetime | None = None
    description: str = ""


class Registry(Protocol):
    """What Lakelight asks of a registry."""

    def registered(self, names: Collection[str] = ()) -> tuple[RegisteredVersion, ...]:
        """Every version of these models (of all without names). Metrics are given for versions with an alias."""

    def resolve(self, name: str, alias: str) -> RegisteredVersion:
        """The version an alias points to. Raises ``UnknownModel`` or ``UnknownAlias``."""

    def download(self, version: RegisteredVersion, target: Path) -> Path:
        """Copy the files of a version into ``target``; gives the folder that holds ``MLmodel``."""

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias to a version."""

    def close(self) -> None:
        """Give back connections."""
