"""Answers kept for the next person with the same question, the same data and the same rights.

A key must hold the data versions, the model versions and the viewer's fingerprint (law 10). One thread computes,
the others that ask the same wait for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class AnswerCache:
    """A bounded, least-recently-used memory of frozen answers in one process."""

    def __init__(self, entries: int = 256) -> None:
        self._entries = entries
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}

    def get_or_make(self, key: Hashable, make: Callable[[], T]) -> T:
        """The kept answer, or the one that ``make`` gives; an error is kept for nobody."""
        while True:
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]  # type: ignore[no-any-return]
                flight = self._making.setdefault(key, threading.Lock())
            with flight:
                with self._lock:
                    mine = key not in self._kept and self._making.get(key) is flight
                if mine:
                    return self._made(key, make)

    def _made(self, key: Hashable, make: Callable[[], T]) -> T:
        """Make, keep and let the others go on, who find the answer or, after an error, make it themselves in turn."""
        try:
            made = make()
        except BaseException:
            with self._lock:
                del self._making[key]
            raise
        with self._lock:
            del self._making[key]
            self._kept[key] = made
            while len(self._kept) > self._entries:
                self._kept.popitem(last=False)
        return made

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
