"""What a service works with: the workspace, the lake, the app database, admitted models, a clock, a cache.

``open_sources(settings)`` is the only place where a setting picks an adapter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from data.definitions import Workspace
from data.lake import Lake
from data.store import Store
from models.artefacts import Artefacts
from services.answer_cache import AnswerCache
from services.settings import Settings


@dataclass(frozen=True)
class Sources:
    """Everything open that a question may need. Made once per process, after the fork."""

    settings: Settings
    workspace: Workspace
    store: Store
    lake: Lake
    artefacts: Artefacts
    clock: Callable[[], datetime]
    cache: AnswerCache
