"""What is shown where there is no page, or none for this person."""

from __future__ import annotations

from typing import Any

from components import notice
from pages._screen import Page
from services.access import Viewer
from services.sources import Sources


def layout(viewer: Viewer, sources: Sources) -> Any:
    """One sentence and the way home."""
    return notice.missing_page()


page = Page("/not_found_404", "No such page", "signed_in", layout)
