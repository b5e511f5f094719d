"""Members of the address against columns of every kind: each is found, or refused as one that cannot be seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from data.definitions import Dimension
from services import kpis
from services.errors import InvalidQuery
from services.kpi_query import KpiQuery
from services.sources import Sources
from tests.house import House


def cut_by(house: House, column: str) -> Sources:
    """The bakery, where the overview can be filtered by another column of the deliveries."""
    workspace = house.sources.workspace
    metrics = workspace.metrics
    over = metrics.overview.model_copy(update={"dimensions": (*metrics.overview.dimensions, "other")})
    dimensions = {**metrics.dimensions, "other": Dimension(label="Anderes", column=column, datasets=("lieferungen",))}
    changed = metrics.model_copy(update={"overview": over, "dimensions": dimensions})
    return replace(house.sources, workspace=workspace.model_copy(update={"metrics": changed}))


def ask(house: House, column: str, member: str) -> Any:
    query = KpiQuery.from_url({"only": f"other:{member}"})
    return kpis.overview(house.viewer("leitung"), cut_by(house, column), query)


@pytest.mark.parametrize(
    ("column", "member"),
    [
        ("menge", "99999999999999999999"),
        ("menge", "-99999999999999999999"),
        ("menge", str(2**63)),
        ("menge", "9" * 1_990),
        ("menge", str(2**63 - 1)),
        ("menge", "1.5"),
        ("umsatz", "nan"),
        ("umsatz", "inf"),
        ("umsatz", "1e999"),
        ("tag", "99999999999999999999"),
        ("tag", "0001-01-01"),
        ("tag", "31.12.2024"),
        ("gebaeck", "x" * 1_990),
    ],
)
def test_what_cannot_be_a_member_is_not_among_those_one_can_see(bakery: House, column: str, member: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        ask(bakery, column, member)
    assert refused.value.sentence == f"Anderes must be one of the values you can see, got {member[:40]!r}."
    assert refused.value.next_step == "Reset the filters."


def test_a_day_is_a_member_like_any_other(bakery: House) -> None:
    found = ask(bakery, "tag", date(2024, 11, 28).isoformat())
    assert [(c.dimension, c.member) for c in found.head.chips] == [("other", "2024-11-28")]
