"""Ids of components: a page's name and a part's name, typed once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ids:
    """``Ids("leads")("grid")`` is "leads-grid"."""

    page: str

    def __call__(self, part: str) -> str:
        """The id of a part of the page."""
        return f"{self.page}-{part}"
