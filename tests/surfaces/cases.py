"""How many cases each test draws, and how many it really ran: the promise of two thousand is itself held (law 2)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, seed, settings

PROMISED = 2_000
DRAWN = {
    "lists": 620,
    "leads": 320,
    "kpis": 260,
    "what_if": 220,
    "exports": 180,
    "counts": 260,
    "models": 100,
    "algebra": 240,
}
RUN: Counter[str] = Counter()
"""The cases that ran to their end in this process."""


def drawn(name: str) -> Callable[[Any], Any]:
    """The settings of one test: the same cases every time, others where ``SURFACES_SEED`` holds a number."""
    said = os.environ.get("SURFACES_SEED", "")
    asked = settings(
        max_examples=DRAWN[name],
        deadline=None,
        derandomize=not said,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )

    def dressed(test: Any) -> Any:
        made = asked(test)
        return seed(int(said))(made) if said else made

    return dressed
