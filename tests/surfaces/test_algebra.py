"""The algebra of row rules on every published table: blanks, empty lists, quotes, case, marks, ten thousand values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.definitions import Role, RowGroup, RowRule
from data.questions import And, Compare, Everything, Or, Select, Table
from services import access, leads
from services.errors import Refusal
from tests import policy_by_hand
from tests.bakery.build import OPEN_SEASON, TOURS
from tests.surfaces import cases, drawn
from tests.surfaces.drawn import EVERYTHING, MODEL, VALUES, Drawn, Person, Stand
from tests.surfaces.thorny import LOOKALIKES, RULED

TABLES = {
    "abnehmer": ("abnehmer",),
    "lieferungen": ("lieferungen",),
    "vertraege": ("vertraege", *(f"{kind}_{MODEL}" for kind in ("scores", "explanations", "inputs", "replay"))),
}
ALWAYS = (
    Everything(),
    Or((Everything(), Compare("tour", "is_null"))),
    Or((Compare("tour", "is_null"), Compare("tour", "not_null"))),
    And(()),
)
"""Questions that ask for everything: none of them reaches beyond the rule that binds them."""


@st.composite
def narrow_roles(draw: st.DrawFn, dataset: str) -> Role:
    """Groups of rules over one dataset; lists may be empty and may hold a blank, which equals nothing."""
    said = []
    for _ in range(draw(st.integers(1, 3))):
        rules = draw(st.lists(drawn.rules(dataset), min_size=1, max_size=3))
        if draw(st.integers(0, 4)) == 0:
            column = draw(st.sampled_from(RULED[dataset]))
            values = (*draw(st.lists(VALUES[column], max_size=2)), None)
            rules.append(RowRule(column=column, operator=draw(st.sampled_from(["in", "not_in"])), value=values))
        said.append(RowGroup(datasets=(dataset,), rules=tuple(rules)))
    return Role(label="Eng", question="?", home="/", entries=(), actions=EVERYTHING, rows=tuple(said))


@cases.drawn("algebra")
@given(
    st.sampled_from(sorted(TABLES)).flatmap(lambda d: st.tuples(st.just(d), narrow_roles(d))),
    st.fixed_dictionaries({"tour": drawn.HELD["tour"], "ort": drawn.HELD["ort"]}),
    st.sampled_from(ALWAYS),
)
def test_every_table_of_a_dataset_lets_the_same_rows_through(stand: Stand, drawn_role, held, question):
    dataset, role = drawn_role
    who = Drawn(role, held, 1, False).on(stand)
    for table in TABLES[dataset]:
        assert _read(who, dataset, table, question) == _expected(stand, who, dataset, table)
    cases.RUN["algebra"] += 1


def _read(who: Person, dataset: str, table: str, question: Any) -> list[tuple[Any, ...]]:
    key = who.sources.workspace.lake.datasets[dataset].key
    asked = Select(Table(table, _version(who, table)), key, question)
    rows = who.sources.lake.read(asked, where=access.rows(who.viewer, dataset)).to_pylist()
    return sorted(tuple(r[c] for c in key) for r in rows)


def _expected(stand: Stand, who: Person, dataset: str, table: str) -> list[tuple[Any, ...]]:
    key = list(stand.sources.workspace.lake.datasets[dataset].key)
    rows = stand.books.tables[table].frame[stand.books.seen(who, dataset, table)]
    return sorted(rows[key].itertuples(index=False, name=None))


def _version(who: Person, table: str) -> int:
    from deltalake import DeltaTable

    return int(DeltaTable(str(who.sources.settings.published / table)).version())


# ── by name ───────────────────────────────────────────────────────────────────────────────────────


def under(stand: Stand, *rules: RowRule, **held: tuple[str, ...]) -> Person:
    """Somebody under one group of rules over contracts."""
    role = Role(label="Eng", question="?", home="/", entries=(), actions=EVERYTHING,
                rows=(RowGroup(datasets=("vertraege",), rules=rules),))  # fmt: skip
    return Drawn(role, held, 1, False).on(stand)


def tours_seen(who: Person) -> set[Any]:
    """The tours of the contracts somebody sees."""
    asked = Select(Table("vertraege", _version(who, "vertraege")), ("tour",))
    return set(who.sources.lake.read(asked, where=access.rows(who.viewer, "vertraege")).column("tour").to_pylist())


BY_TOUR = RowRule(column="tour", operator="in", attribute="tour")


@pytest.mark.attack("R-02")
@pytest.mark.parametrize("tour", [*TOURS, *LOOKALIKES])
def test_a_tour_is_itself_and_nothing_that_looks_alike(stand: Stand, tour: str) -> None:
    """No case, no blank, no slash of another kind, no other way to write an umlaut."""
    assert tours_seen(under(stand, BY_TOUR, tour=(tour,))) == {tour}


@pytest.mark.attack("R-02")
@pytest.mark.parametrize(
    "said", ["S' OR 1=1 --", "' OR ''='", "Nord/See'); drop table vertraege; --", "%", "None", "null"]
)
def test_a_hostile_attribute_is_a_value_like_any_other(stand: Stand, said: str) -> None:
    assert tours_seen(under(stand, BY_TOUR, tour=(said,))) == set()


@pytest.mark.parametrize("operator", ["not_in", "ne"])
def test_a_missing_tour_is_not_another_tour(stand: Stand, operator: str) -> None:
    """Rows without a tour are hidden from everybody whose rule compares it, also by "is not"."""
    seen = tours_seen(under(stand, RowRule(column="tour", operator=operator, attribute="tour"), tour=("Nord/See",)))
    assert None not in seen and "Nord/See" not in seen and set(TOURS[1:]) <= seen


@pytest.mark.attack("R-02")
@pytest.mark.parametrize("rule", [BY_TOUR, RowRule(column="tour", operator="not_in", attribute="tour"),
                                  RowRule(column="tour", operator="eq", attribute="tour"),
                                  RowRule(column="tour", operator="in", value=())])  # fmt: skip
def test_an_empty_list_is_no_row_and_not_every_row(stand: Stand, rule: RowRule) -> None:
    assert tours_seen(under(stand, rule)) == set()


@pytest.mark.attack("R-02")
def test_ten_thousand_values_are_as_good_as_one(stand: Stand) -> None:
    many = tuple(f"Tour {n}" for n in range(10_000))
    assert tours_seen(under(stand, BY_TOUR, tour=(*many, "Nord/See"))) == {"Nord/See"}


@pytest.mark.attack("R-02", "R-11")
def test_a_change_of_tour_binds_at_the_next_question_of_the_same_session(stand: Stand) -> None:
    """Same person, same session, same question; only what they hold has changed."""
    asked = drawn.LeadQuery(list=MODEL, of=OPEN_SEASON)
    found = {}
    for tour in (*TOURS[:2], TOURS[0], "nobody"):
        who = under(stand, BY_TOUR, tour=(tour,))
        viewer = replace(who.viewer, session_id="the same")
        try:
            found.setdefault(tour, []).append({r.key for r in leads.block(viewer, who.sources, asked, 0, 500).rows})
        except Refusal:
            found.setdefault(tour, []).append(set())
    assert found[TOURS[0]][0] == found[TOURS[0]][1] and not found[TOURS[0]][0] & found[TOURS[1]][0]
    assert found["nobody"] == [set()]


def test_the_policy_read_aloud_knows_blanks() -> None:
    """The oracle itself, by literal values."""
    for operator, value, kept in (
        ("in", ("a", None), {"a"}), ("not_in", ("a", None), {"b"}), ("not_in", (), {"a", "b"}), ("in", (), set()),
        ("ne", "a", {"b"}), ("is_null", None, {None}), ("not_null", None, {"a", "b"}), ("ge", "b", {"b"}),
    ):  # fmt: skip
        rule = RowRule(column="c", operator=operator, value=value)
        assert {v for v in ("a", "b", None) if policy_by_hand.rule_holds(rule, {}, v)} == kept, operator
