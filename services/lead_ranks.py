"""A row's rank: its place in the viewer's own list, in published order. Computed inside the viewer's rows (law 2).

``row_id`` is the published order of a whole run. A list is one bit a row, so that ten million rows take little more
than a megabyte in the cache of a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PAGE = 1 << 12


@dataclass(frozen=True)
class Ranks:
    """Which rows of a run are in a list. ``bits`` is packed; ``before`` counts the list's rows ahead of each page."""

    bits: np.ndarray
    before: np.ndarray
    total: int

    @classmethod
    def of(cls, row_ids: np.ndarray) -> Ranks:
        """From the row ids of a list, in any order."""
        size = int(row_ids.max()) + 1 if len(row_ids) else 0
        inside = np.zeros(-(-size // PAGE) * PAGE, dtype=bool)
        inside[row_ids] = True
        counted = inside.reshape(-1, PAGE).sum(axis=1)
        return cls(np.packbits(inside), np.concatenate([[0], np.cumsum(counted)])[:-1], int(counted.sum()))

    def ranks(self, row_ids: Sequence[int]) -> list[int]:
        """The ranks of rows that are in the list, counted from 1."""
        return [self._ahead(int(row_id)) + 1 for row_id in row_ids]

    def row_at(self, rank: int) -> int:
        """The row id at a rank of the list."""
        page = int(np.searchsorted(self.before, rank)) - 1
        return page * PAGE + int(np.flatnonzero(self._page(page))[rank - 1 - int(self.before[page])])

    def beside(self, row_id: int) -> tuple[int | None, int | None]:
        """The row ids before and after a row of the list."""
        return self._next(row_id, -1), self._next(row_id, 1)

    def _ahead(self, row_id: int) -> int:
        page = row_id // PAGE
        return int(self.before[page]) + int(self._page(page)[: row_id % PAGE].sum())

    def _next(self, row_id: int, step: int) -> int | None:
        page, place = divmod(row_id, PAGE)
        inside = self._page(page)
        found = np.flatnonzero(inside[:place] if step < 0 else inside[place + 1 :])
        if len(found):
            return int(page * PAGE + (found[-1] if step < 0 else place + 1 + found[0]))
        while 0 <= (page := page + step) < len(self.before):
            found = np.flatnonzero(self._page(page))
            if len(found):
                return int(page * PAGE + found[-1 if step < 0 else 0])
        return None

    def _page(self, page: int) -> np.ndarray:
        width = PAGE // 8
        return np.unpackbits(self.bits[page * width : (page + 1) * width]).astype(bool)
