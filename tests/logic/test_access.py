"""The policy as pure functions: deny by default, rows by attributes, masks, and why, in words."""

from __future__ import annotations

from typing import Any

import pytest

from data.definitions import Workspace
from data.questions import And, Compare, Everything, Nothing, Or
from services.access import (
    ACTION_WORDS,
    ACTIONS,
    OPERATOR_WORDS,
    Viewer,
    action_words,
    decide,
    masks,
    require,
    rows,
    viewer_of,
)
from services.errors import Forbidden


def workspace(**role: Any) -> Workspace:
    """A small business: orders and customers, and one role as given."""
    column = {"label": "Region", "type": "string"}
    about = {
        "label": "Orders",
        "noun": {"one": "order", "many": "orders"},
        "path": "o.parquet",
        "key": ["id"],
        "grain": "one order",
    }
    datasets = {
        "orders": {
            **about,
            "columns": {
                "id": {"label": "Number"},
                "region": column,
                "channel": {"label": "Channel"},
                "phone": {"label": "Phone", "privacy": "personal"},
                "age": {"label": "Age", "privacy": "sensitive"},
            },
        },
        "shops": {**about, "label": "Shops", "columns": {"id": {"label": "Number"}, "region": column}},
    }
    entry = [{"label": "X", "path": "/x"}]
    made = {"label": "Tester", "question": "?", "home": "/x", "entries": entry, "actions": ["kpis:read"], **role}
    overview = {"cards": ["n"], "dimensions": []}
    metric = {"label": "N", "measure": "n", "owner": "x", "description": "x"}
    return Workspace.model_validate(
        {
            "lake": {"name": "B", "datasets": datasets},
            "metrics": {
                "measures": {"n": {"dataset": "orders", "agg": "count"}},
                "metrics": {"n": metric},
                "dimensions": {},
                "overview": overview,
            },
            "models": {"models": {}},
            "access": {"attributes": {"region": {"label": "Region", "values": ["A", "B"]}}, "roles": {"tester": made}},
            "fingerprint": "x",
        }
    )


def viewer(role: str = "tester", attributes: dict[str, tuple[str, ...]] | None = None, **said: Any) -> Viewer:
    return viewer_of(workspace(**said), person_id=1, name="T", email="t@x", role=role, attributes=attributes or {})


REGION = {"column": "region", "attribute": "region"}
ALL = {"datasets": ["*"], "all_rows": True, "reason": "They see everything."}


def test_nothing_is_allowed_that_the_role_does_not_name():
    made = viewer()
    allowed = {action for action in ACTIONS if decide(made, action).allowed}
    assert allowed == {"kpis:read"}
    assert decide(made, "people:manage").reason == "The role Tester does not include people:manage."
    assert decide(made, "kpis:read").reason == "The role Tester includes kpis:read."


@pytest.mark.parametrize("action", ["", "admin", "kpis:*", "KPIS:READ", "kpis:read ", "*"])
def test_an_action_that_does_not_exist_is_allowed_to_nobody(action):
    assert not decide(viewer(actions=[action, "kpis:read"]), action).allowed


def test_an_unknown_role_may_nothing_and_sees_nothing():
    made = viewer("gone")
    assert made.grants == frozenset() and made.home == "/account"
    assert rows(made, "orders") == Nothing()
    with pytest.raises(Forbidden, match="does not include kpis:read"):
        require(made, "kpis:read")


@pytest.mark.attack("R-02")
def test_no_rule_means_no_rows():
    made = viewer()
    assert rows(made, "orders") == Nothing() and rows(made, "no-such-dataset") == Nothing()
    assert made.scopes["orders"].reason == "No row rule of this role names Orders."
    assert not decide(made, "kpis:read", "orders").allowed


def test_an_exemption_shows_every_row_and_says_why():
    made = viewer(rows=[ALL])
    assert rows(made, "orders") == Everything()
    assert made.scopes["orders"].reason == "They see everything."


@pytest.mark.parametrize(
    ("held", "expected", "reason"),
    [
        (("A",), Compare("region", "in", ("A",)), "Region is A."),
        (("B", "A"), Compare("region", "in", ("A", "B")), "Region is A or B."),
        ((), Nothing(), "Region is not assigned to this person."),
    ],
)
def test_a_rule_by_attribute_gives_the_rows_of_what_the_person_holds(held, expected, reason):
    made = viewer(rows=[{"datasets": ["*"], "rules": [REGION]}], attributes={"region": held})
    assert rows(made, "orders") == expected
    assert made.scopes["orders"].reason == reason


@pytest.mark.attack("R-02")
def test_a_missing_attribute_is_no_rows_and_never_all_rows():
    made = viewer(rows=[{"datasets": ["*"], "rules": [{**REGION, "operator": "not_in"}]}])
    assert rows(made, "orders") == Nothing()


def test_one_value_is_needed_where_the_operator_takes_one():
    rule = [{"datasets": ["*"], "rules": [{**REGION, "operator": "eq"}]}]
    assert rows(viewer(rows=rule, attributes={"region": ("A",)}), "orders") == Compare("region", "eq", "A")
    assert rows(viewer(rows=rule, attributes={"region": ("A", "B")}), "orders") == Nothing()


def test_rules_of_a_group_hold_together_and_groups_add_up():
    literal = {"column": "channel", "operator": "eq", "value": "web"}
    groups = [{"datasets": ["orders"], "rules": [REGION, literal]}, {"datasets": ["orders"], "rules": [literal]}]
    made = viewer(rows=groups, attributes={"region": ("A",)})
    web = Compare("channel", "eq", "web")
    assert rows(made, "orders") == Or((And((Compare("region", "in", ("A",)), web)), web))
    assert made.scopes["orders"].reason == "Region is A and Channel is web. Or: Channel is web."


def test_a_group_by_name_takes_the_place_of_the_star():
    groups = [ALL, {"datasets": ["orders"], "rules": [REGION]}]
    made = viewer(rows=groups, attributes={"region": ("A",)})
    assert rows(made, "orders") == Compare("region", "in", ("A",)) and rows(made, "shops") == Everything()


def test_a_group_without_what_it_needs_takes_nothing_from_another():
    groups = [{"datasets": ["orders"], "rules": [REGION]}, {"datasets": ["orders"], "all_rows": True, "reason": "R."}]
    assert rows(viewer(rows=groups), "orders") == Everything()


def test_masks_by_class_by_name_and_except():
    assert masks(viewer(masks={"privacy": ["personal", "sensitive"]}), "orders") == {"phone", "age"}
    assert masks(viewer(masks={"columns": ["orders.channel"]}), "orders") == {"channel"}
    assert masks(viewer(masks={"columns": ["orders.region"]}), "shops") == frozenset()
    kept = {"privacy": ["personal", "sensitive"], "except_columns": ["orders.age"]}
    assert masks(viewer(masks=kept), "orders") == {"phone"}
    assert masks(viewer(), "no-such-dataset") == frozenset()


def test_the_fingerprint_tells_rights_apart_and_nothing_else():
    seller = [{"datasets": ["*"], "rules": [REGION]}]
    made = {
        "a": viewer(rows=seller, attributes={"region": ("A",)}),
        "b": viewer(rows=seller, attributes={"region": ("B",)}),
        "ab": viewer(rows=seller, attributes={"region": ("A", "B")}),
        "none": viewer(rows=seller),
        "masked": viewer(rows=seller, attributes={"region": ("A",)}, masks={"privacy": ["personal"]}),
        "more": viewer(rows=seller, attributes={"region": ("A",)}, actions=["kpis:read", "leads:read"]),
    }
    assert len({v.fingerprint for v in made.values()}) == len(made)
    again = viewer_of(
        workspace(rows=seller), person_id=2, name="Else", email="e@x", role="tester", attributes={"region": ("A",)}
    )
    assert again.fingerprint == made["a"].fingerprint


def test_every_action_and_every_operator_has_its_words():
    assert set(ACTION_WORDS) == ACTIONS
    assert len(set(ACTION_WORDS.values())) == len(ACTIONS)
    from typing import get_args

    from data.definitions import Operator

    assert set(OPERATOR_WORDS) == set(get_args(Operator))
    assert action_words("something:new") == "something:new"
