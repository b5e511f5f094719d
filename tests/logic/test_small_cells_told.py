"""Where counts of other people's rows are told: the pages Access, Account, Data and Check, and facts of models."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from data.definitions import Attribute, RowGroup, RowRule
from models import profiles
from services import catalogue, model_facts, policy, workspace_check
from services.access import Viewer, viewer_of
from services.sources import Sources
from tests.bakery.build import HOUSES, TOURS, houses
from tests.house import House

pytestmark = pytest.mark.attack("R-08")
KEYS = tuple(houses().kennung)


def ruled(house: House, rule: RowRule, *, reader_too: bool = False) -> Sources:
    """The bakery with another rule for its sellers; the caretaker reads the policy and the data, and has no rows."""
    access = house.sources.workspace.access
    rows = (RowGroup(datasets=("abnehmer",), rules=(rule,)),)
    roles = dict(access.roles) | {"aussendienst": access.roles["aussendienst"].model_copy(update={"rows": rows})}
    if reader_too:
        every = (RowGroup(datasets=("*",), all_rows=True, reason="Alles."),)
        roles["hauswart"] = roles["hauswart"].model_copy(update={"rows": every})
    changed = access.model_copy(update={"roles": roles, "attributes": {"tour": Attribute(label="Tour", values=TOURS)}})
    return replace(house.sources, workspace=house.sources.workspace.model_copy(update={"access": changed}))


def somebody(sources: Sources, role: str) -> Viewer:
    return viewer_of(sources.workspace, person_id=1, name="x", email="x@x", role=role, attributes={"tour": TOURS[:1]})


def seen_by_the_caretaker(house: House, sources: Sources) -> tuple[str, str, str]:
    number = list(house.people).index("aussendienst") + 1
    found = policy.rights_of(somebody(sources, "hauswart"), sources, number)
    rows = next(d.rows for d in found.datasets if d.name == "abnehmer")
    return rows.seen.text, rows.total.text, found.withheld


def few(count: int, operator: str = "in") -> RowRule:
    return RowRule(column="kennung", operator=operator, value=KEYS[:count])


@pytest.mark.parametrize(
    ("rule", "seen", "total"),
    [
        (few(60), "60", "180"),
        (few(5), "5", "180"),
        (few(4), "fewer than 5", "180"),
        (few(1), "fewer than 5", "180"),
        (few(0), "0", "180"),
        (few(2, "not_in"), "not shown", "180"),  # 178 of 180 would tell the two that are hidden from them
        (few(0, "not_in"), "180", "180"),
    ],
)
def test_who_has_no_rows_is_told_no_few(bakery: House, rule: RowRule, seen: str, total: str) -> None:
    sources = ruled(bakery, rule)
    told = seen_by_the_caretaker(bakery, sources)
    assert told[:2] == (seen, total)
    assert bool(told[2]) == (seen in ("fewer than 5", "not shown"))


def test_who_sees_every_row_is_told_every_count(bakery: House) -> None:
    assert seen_by_the_caretaker(bakery, ruled(bakery, few(2), reader_too=True)) == ("2", "180", "")


@pytest.mark.parametrize(("rule", "seen", "total"), [(few(2), 2, 180), (few(2, "not_in"), 178, None)])
def test_ones_own_rows_are_counted_but_not_those_of_a_few_others(
    bakery: House, rule: RowRule, seen: int, total: int | None
) -> None:
    sources = ruled(bakery, rule)
    rows = next(d.rows for d in policy.own_rights(sources, somebody(sources, "aussendienst")) if d.name == "abnehmer")
    assert (rows.seen.value, rows.total.value) == (seen, total)


def test_the_catalogue_tells_no_few_others(bakery: House) -> None:
    sources = ruled(bakery, few(2, "not_in"))
    access = sources.workspace.access
    seller = access.roles["aussendienst"].model_copy(update={"actions": ("data:read", "workspace:check")})
    changed = access.model_copy(update={"roles": dict(access.roles) | {"aussendienst": seller}})
    sources = replace(sources, workspace=sources.workspace.model_copy(update={"access": changed}))
    viewer = somebody(sources, "aussendienst")
    found = catalogue.catalogue(viewer, sources, "abnehmer").focus
    assert (found.visible, found.line.rows.text, [v.rows.text for v in found.versions]) == (
        178,
        "not shown",
        ["not shown"],
    )
    assert str(HOUSES) not in repr(found)
    said = [line.sentence for part in workspace_check.check(viewer, sources).parts for line in part.lines]
    assert any("Abnehmer is published: version" in one for one in said)


def test_an_input_that_few_rows_know_has_no_range() -> None:
    """A percentile of three known values is one of them."""
    frame = pd.DataFrame({"a": [1.5, 2.0, 9.0] + [None] * 97, "b": range(100), "c": ["x"] * 90 + ["y"] * 10})
    made = profiles.profile(frame, ["a", "b", "c"])
    rare = made.input("a")
    assert (rare.low, rare.high, rare.p10, rare.p90, rare.mean, rare.typical) == (None,) * 6
    assert made.input("b").low == pytest.approx(0.99)
    assert (made.input("c").typical, made.input("c").categories) == ("x", ("x",))


def test_figures_of_a_small_test_are_not_shown() -> None:
    figures = [{"name": "auc", "label": "AUC", "value": 0.9}]
    assert model_facts._figures({"metrics": figures, "test_rows": 19}, "metrics") == {}
    assert set(model_facts._figures({"metrics": figures, "test_rows": 20}, "metrics")) == {"auc"}
    assert model_facts._counted("Herbst", {"test_rows": 3}, "test_rows") == "Herbst; fewer than 20 rows"
