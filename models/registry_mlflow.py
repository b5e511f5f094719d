"""MLflow as the registry, opened in-process. Only worker and terminal import it: it costs seconds and memory."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from models.registry import RegisteredVersion, RegistryDown, RegistryProblem, UnknownAlias, UnknownModel

log = logging.getLogger("lakelight.registry")
PAGE = 200
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true", "DO_NOT_TRACK": "true"}
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
"""A server that does not answer should say so in seconds; by itself the client tries for minutes."""


class MlflowRegistry:
    """A tracking and registry store by URL: ``sqlite:///…``, ``postgresql://…`` or a server's ``http(s)://…``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: Any = None

    def registered(self, names: Collection[str] = ()) -> tuple[RegisteredVersion, ...]:
        """Every version of these models, by name and number."""
        models = [m for m in self._ask(_all_models) if not names or m.name in names]
        made = []
        for model in models:
            found = self._ask(lambda c, name=model.name: _all_versions(c, name))
            made += [self._version(v, dict(model.aliases or {})) for v in found]
        return tuple(sorted(made, key=lambda v: (v.name, int(v.version))))

    def resolve(self, name: str, alias: str) -> RegisteredVersion:
        """The version an alias points to."""
        versions = self.registered((name,))
        if not versions:
            raise UnknownModel(f"The registry has no model named {name}.")
        found = next((v for v in versions if alias in v.aliases), None)
        if found is None:
            raise UnknownAlias(f"No version of {name} carries the alias {alias}. Set the alias in the registry.")
        return found

    def download(self, version: RegisteredVersion, target: Path) -> Path:
        """Copy the files; a foreign absolute path is looked for under the store's own folder."""
        source = self._ask(lambda c: c.get_model_version_download_uri(version.name, version.version))
        local = self._local(str(source))
        if local is None:
            from mlflow.artifacts import download_artifacts

            return Path(self._ask(lambda c: download_artifacts(artifact_uri=str(source), dst_path=str(target))))
        shutil.copytree(local, target / "model", symlinks=True, dirs_exist_ok=True)
        return target / "model"

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias to a version."""
        self._ask(lambda c: c.set_registered_model_alias(name, alias, version))

    def close(self) -> None:
        """Nothing is kept open."""
        self._client = None

    def _version(self, found: Any, aliases: dict[str, Any]) -> RegisteredVersion:
        run = None
        names = tuple(sorted(a for a, v in aliases.items() if str(v) == str(found.version)))
        if found.run_id and names:
            try:
                run = self._ask(lambda c: c.get_run(found.run_id))
            except RegistryProblem:
                run = None
        return RegisteredVersion(
            name=found.name,
            version=str(found.version),
            aliases=names,
            tags=dict(found.tags or {}),
            metrics=dict(run.data.metrics) if run else {},
            created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC)
            if found.creation_timestamp
            else None,
            description=found.description or "",
        )

    def _local(self, source: str) -> Path | None:
        parts = urlsplit(source)
        if parts.scheme == "models":
            source = str(self._ask(lambda c: c.get_logged_model(parts.path.strip("/")).artifact_location))
            parts = urlsplit(source)
        if parts.scheme not in ("", "file"):
            return None
        path = Path(unquote(parts.path))
        if path.is_dir():
            return path
        root = (
            Path(unquote(urlsplit(self.url).path.removeprefix("/"))).parent if self.url.startswith("sqlite") else None
        )
        for start in range(1, len(path.parts)) if root else ():
            moved = root.joinpath(*path.parts[start:]) if root else path
            if moved.is_dir():
                return moved
        raise RegistryProblem(f"The files of this version are not at {path}. Move them back, or register it again.")

    def _ask(self, question: Any) -> Any:
        try:
            return question(self._open())
        except RegistryProblem:
            raise
        except Exception as problem:
            log.warning("the registry at %s: %s", urlsplit(self.url).hostname or "this machine", problem)
            raise RegistryDown("The registry does not answer. The last known models stay in use.") from problem

    def _open(self) -> Any:
        if self._client is None:
            if self.url.startswith("sqlite:///") and not Path(self.url.removeprefix("sqlite:///")).exists():
                raise RegistryDown("There is no registry yet. Models appear when the first one is registered.")
            os.environ.update(QUIET)
            for name, value in PATIENCE.items():
                os.environ.setdefault(name, value)
            from mlflow.tracking import MlflowClient

            self._client = MlflowClient(tracking_uri=self.url, registry_uri=self.url)
        return self._client


def _all_models(client: Any) -> list[Any]:
    """Every registered model, page by page."""
    page = client.search_registered_models(max_results=PAGE)
    listed = list(page)
    while page.token:
        page = client.search_registered_models(max_results=PAGE, page_token=page.token)
        listed += page
    return listed


def _all_versions(client: Any, name: str) -> list[Any]:
    """Every version of a model, page by page. The filter has no way to write a quote, so such a name is looked for."""
    asked = "" if "'" in name else f"name='{name}'"
    page = client.search_model_versions(asked, max_results=PAGE)
    listed = list(page)
    while page.token:
        page = client.search_model_versions(asked, max_results=PAGE, page_token=page.token)
        listed += page
    return [version for version in listed if version.name == name]
