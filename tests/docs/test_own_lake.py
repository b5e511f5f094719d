"""The smallest workspace of the how-to is one: it is read, its file is published, and each role sees what it may."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services import kpis, refresh
from services.access import viewer_of
from services.kpi_query import KpiQuery
from services.sources import Sources, open_sources
from tests.instances import settings_of
from tests.rules.code import ROOT

HOW_TO = ROOT / "docs" / "how-to" / "connect-your-own-lake-and-registry.md"
BLOCK = re.compile(r"`(\w+\.yml)`:[^`]*?```yaml\n(.*?)```", re.DOTALL)
ORDERS = """order_id,ordered_on,region,amount
1,2026-10-30,North,10.50
2,2026-11-02,North,20.00
3,2026-11-03,South,70.25
4,2026-11-03,North,9.50
"""


@pytest.fixture
def shop(tmp_path: Path) -> Sources:
    settings = settings_of(tmp_path / "instance", tmp_path / "workspace")
    settings.lake.mkdir(parents=True)
    settings.workspace.mkdir()
    found = BLOCK.findall(HOW_TO.read_text(encoding="utf-8"))
    assert [file for file, _ in found] == ["lake.yml", "metrics.yml", "models.yml", "access.yml"]
    for file, text in found:
        (settings.workspace / file).write_text(re.sub(r"^   ", "", text, flags=re.MULTILINE), encoding="utf-8")
    (settings.lake / "orders.csv").write_text(ORDERS)
    sources = open_sources(settings)
    sources.store.migrate()
    return sources


@pytest.mark.parametrize(("regions", "sales"), [(("North",), "£29.50"), (("South",), "£70.25"), ((), None)])
def test_the_smallest_workspace_shows_its_numbers_under_its_row_rules(shop, regions, sales):
    refresh.refresh(shop)
    viewer = viewer_of(
        shop.workspace, person_id=1, name="Nora", email="n@example.com", role="manager",
        attributes={"region": regions} if regions else {},
    )  # fmt: skip
    found = kpis.overview(viewer, shop, KpiQuery(on=datetime(2026, 11, 3, tzinfo=UTC).date()))
    cards = [card for card in found.cards if getattr(card, "metric", "") == "sales"]
    assert [card.value.text for card in cards] == ([sales] if sales else [])
