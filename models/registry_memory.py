"""A registry in memory: folders of model files by name and version. For tests, and for shops without a server."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from models.registry import RegisteredVersion, UnknownAlias, UnknownModel


class MemoryRegistry:
    """Versions and their folders, given once."""

    def __init__(self, versions: dict[tuple[str, str], Path], aliases: dict[tuple[str, str], str]) -> None:
        self._versions = dict(versions)
        self._aliases = dict(aliases)

    def registered(self, names: Collection[str] = ()) -> tuple[RegisteredVersion, ...]:
        """Every version of these models."""
        return tuple(
            replace(RegisteredVersion(name, version), aliases=self._of(name, version))
            for name, version in sorted(self._versions)
            if not names or name in names
        )

    def resolve(self, name: str, alias: str) -> RegisteredVersion:
        """The version an alias points to."""
        if not any(n == name for n, _ in self._versions):
            raise UnknownModel(f"The registry has no model named {name}.")
        if (name, alias) not in self._aliases:
            raise UnknownAlias(f"No version of {name} carries the alias {alias}. Set the alias in the registry.")
        version = self._aliases[name, alias]
        return RegisteredVersion(name, version, self._of(name, version))

    def download(self, version: RegisteredVersion, target: Path) -> Path:
        """Copy the files of a version."""
        shutil.copytree(self._versions[version.name, version.version], target / "model", dirs_exist_ok=True)
        return target / "model"

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias to a version."""
        self._aliases[name, alias] = version

    def close(self) -> None:
        """Nothing is open."""

    def _of(self, name: str, version: str) -> tuple[str, ...]:
        return tuple(sorted(a for (n, a), v in self._aliases.items() if n == name and v == version))
