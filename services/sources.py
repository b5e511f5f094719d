"""What a service works with: workspace, lake, app database, registry, admitted models, a clock, a cache.

``open_sources(settings)`` is the only place where a setting picks an adapter. Nothing is opened by it: the lake and the
database open on first use, in the process that uses them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from data import publications
from data.definitions import Workspace
from data.lake import Lake
from data.lake_duckdb import DuckDBLake
from data.store import Store
from data.workspace import read_workspace
from models.artefacts import Artefacts
from models.registry import Registry
from models.registry_mlflow import MlflowRegistry
from services.access import ACTIONS, ADDRESSES
from services.answer_cache import AnswerCache
from services.brakes import Brakes
from services.move_counts import MoveCounts
from services.settings import Settings

if TYPE_CHECKING:
    from services.oidc_provider import IdentityProvider


@dataclass(frozen=True)
class Sources:
    """Everything open that a question may need. Made once per process, after the fork."""

    settings: Settings
    workspace: Workspace
    store: Store
    lake: Lake
    artefacts: Artefacts
    registry: Registry
    clock: Callable[[], datetime]
    cache: AnswerCache
    moves: MoveCounts = field(default_factory=MoveCounts)
    brakes: Brakes = field(default_factory=Brakes)
    provider: IdentityProvider | None = None

    def close(self) -> None:
        """Give back everything."""
        self.lake.close()
        self.registry.close()
        self.store.close()


def open_sources(settings: Settings) -> Sources:
    """Sources for these settings. Raises ``WorkspaceMistakes`` where the workspace has any."""
    workspace = read_workspace(settings.workspace, actions=ACTIONS, addresses=ADDRESSES)
    return Sources(
        settings=settings,
        workspace=workspace,
        store=Store(settings.database),
        lake=DuckDBLake(settings.published, timezone=workspace.lake.timezone, memory_mb=settings.query_memory_mb),
        artefacts=Artefacts(settings.artefacts),
        registry=MlflowRegistry(settings.registry),
        clock=lambda: datetime.now(UTC),
        cache=AnswerCache(),
        provider=_provider(settings),
    )


def _provider(settings: Settings) -> IdentityProvider | None:
    """The company's identity provider, where one is set; without one its libraries are not even loaded."""
    if not settings.oidc_issuer:
        return None
    from services.oidc_provider import IdentityProvider

    return IdentityProvider(settings)


def now(sources: Sources) -> datetime:
    """The workspace's now: the real one, or the newest time in its data where it says ``clock: data``."""
    if sources.workspace.lake.clock == "now":
        return sources.clock()
    with sources.store.read() as session:
        newest = [p.newest for p in publications.all_current(session).values() if p.newest is not None]
    return max(newest, default=sources.clock())
