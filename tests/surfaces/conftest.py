"""The thorny bakery, built once for all surfaces, and what is written in its published files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.surfaces import thorny
from tests.surfaces.by_hand import Books
from tests.surfaces.drawn import Stand


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One ``Sources`` for everybody, whose cache is never emptied, and the published files as pandas reads them."""
    folder = tmp_path_factory.mktemp("thorny")
    thorny.build_thorny(folder)
    sources = thorny.open_thorny(folder)
    yield Stand(sources, Books(sources.settings.published, sources.workspace))
    sources.close()
