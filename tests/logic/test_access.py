"""The policy as pure functions: deny by default, rows by attributes, masks, and why, in words."""

from __future__ import annotations

from typing import Any

import pytest

from data.definitions import Column, RowGroup, Workspace
from data.questions import And, Compare, Everything, Nothing, Or
from data.tables import Person
from services.access import (
    ACTION_WORDS,
    ACTIONS,
    OPERATOR_WORDS,
    Viewer,
    action_words,
    conditions_of,
    decide,
    groups_of,
    masks,
    may_look_as,
    require,
    require_own_eyes,
    rows,
    rule_words,
    through_eyes_of,
    viewer_of,
    viewer_of_person,
)
from services.errors import Forbidden


def workspace(models: dict[str, Any] | None = None, **role: Any) -> Workspace:
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
            "models": {"models": models or {}},
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


# ── to the letter ─────────────────────────────────────────────────────────────────────────────────


COLUMNS = {"region": Column(label="Region"), "age": Column(label="Age")}


def group(*rules: dict[str, Any], **said: Any) -> RowGroup:
    return RowGroup(datasets=("orders",), rules=rules, **said)


def person(id_: int = 7, **said: Any) -> Person:
    made = {"email": "p@x", "name": "P", "role": "tester", "attributes": {"region": ["B", "A"]}, "active": True}
    return Person(id=id_, **{**made, **said})


def test_a_viewer_holds_what_the_policy_says_of_a_person_and_no_more():
    found = viewer_of(
        workspace(rows=[{"datasets": ["orders"], "rules": [REGION]}], masks={"privacy": ["personal"]}),
        person_id=3, name="N", email="n@x", role="tester", attributes={"region": ("A",)}, session_id="s",
    )  # fmt: skip
    assert (found.person_id, found.name, found.email, found.role, found.role_label) == (
        3,
        "N",
        "n@x",
        "tester",
        "Tester",
    )
    assert (found.home, found.attributes, found.grants) == ("/x", {"region": ("A",)}, {"kpis:read"})
    assert (found.session_id, found.seen_as, found.seen_as_name, len(found.fingerprint)) == ("s", "", "", 32)
    assert set(found.scopes) == {"orders", "shops"}
    assert found.scopes["orders"].rows == Compare("region", "in", ("A",))
    assert (found.scopes["orders"].reason, found.scopes["orders"].hidden) == ("Region is A.", {"phone"})
    assert (found.scopes["shops"].rows, found.scopes["shops"].hidden) == (Nothing(), frozenset())
    assert found.scopes["shops"].reason == "No row rule of this role names Shops."


def test_an_unknown_role_is_called_as_it_is_and_has_only_its_account():
    found = viewer_of(workspace(), person_id=3, name="N", email="n@x", role="gone", attributes={"region": ("A",)})
    assert (found.role_label, found.home, found.grants, found.session_id) == ("gone", "/account", frozenset(), "")
    assert {(repr(s.rows), s.reason, s.hidden) for s in found.scopes.values()} == {
        (repr(Nothing()), "The person has no known role.", frozenset())
    }


def test_a_person_in_the_database_is_the_viewer_with_the_same_rights():
    made = workspace(rows=[{"datasets": ["*"], "rules": [REGION]}])
    found = viewer_of_person(made, person(), session_id="s")
    want = viewer_of(
        made, person_id=7, name="P", email="p@x", role="tester", attributes={"region": ("B", "A")}, session_id="s"
    )
    assert found == want and found.session_id == "s"
    assert viewer_of_person(made, person()).session_id == ""


def test_why_something_is_allowed_or_not_is_said():
    who = viewer(actions=["kpis:read", "leads:read"])
    refused = (decide(who, "fly:away"), decide(who, "jobs:run"), decide(who, "leads:read", "orders"))
    assert [d.allowed for d in refused] == [False, False, False]
    assert decide(who, "leads:read").allowed is True
    assert decide(who, "fly:away").reason == "There is no action named fly:away."
    assert decide(who, "jobs:run").reason == "The role Tester does not include jobs:run."
    assert decide(who, "leads:read", "orders").reason == "No row rule gives the role Tester rows of orders."
    assert decide(who, "leads:read").reason == "The role Tester includes leads:read."
    assert decide(who, "leads:read", "no-such-dataset").allowed
    with pytest.raises(Forbidden) as told:
        require(who, "leads:read", "orders")
    assert told.value.sentence == "No row rule gives the role Tester rows of orders."
    assert told.value.next_step == "Ask an administrator if you need this."


def test_who_looks_as_somebody_sees_what_they_see_changes_nothing_and_stays_who_they_are():
    every = [{"datasets": ["*"], "all_rows": True, "reason": "R."}]
    admin = viewer_of(
        workspace(actions=["people:manage"], rows=every, home="/x"),
        person_id=1, name="A", email="a@x", role="tester", attributes={}, session_id="s",
    )  # fmt: skip
    other = viewer_of(
        workspace(actions=["leads:read", "leads:export"], rows=[{"datasets": ["*"], "rules": [REGION]}]),
        person_id=2, name="B", email="b@x", role="tester", attributes={"region": ("B",)}, session_id="t",
    )  # fmt: skip
    found = through_eyes_of(admin, other)
    assert (found.person_id, found.name, found.email, found.session_id) == (1, "A", "a@x", "s")
    assert (found.seen_as, found.seen_as_name, found.grants) == ("b@x", "B", {"leads:read"})
    assert (found.scopes, found.attributes, found.home) == (other.scopes, other.attributes, other.home)
    assert len(found.fingerprint) == 32 and found.fingerprint not in (admin.fingerprint, other.fingerprint)
    third = viewer_of(
        workspace(actions=["leads:read"]), person_id=2, name="B", email="b@x", role="tester", attributes={}
    )
    assert through_eyes_of(admin, third).fingerprint != found.fingerprint
    require_own_eyes(admin)
    with pytest.raises(Forbidden) as told:
        require_own_eyes(found)
    assert (told.value.sentence, told.value.next_step) == ("You look as B now.", "Leave this view first.")


def test_whom_one_may_look_as():
    who = viewer(actions=["people:view_as"])
    assert may_look_as(who, person())
    assert not may_look_as(who, person(active=False))
    assert not may_look_as(who, person(id_=1)), "oneself"
    assert not may_look_as(viewer(), person())


@pytest.mark.parametrize(
    ("rules", "held", "words"),
    [
        ([{"column": "region", "attribute": "region"}], {"region": "A or B"}, "Region is A or B."),
        ([{"column": "region", "attribute": "region"}], {}, "Region is not assigned to this person."),
        ([{"column": "age", "operator": "is_null"}], {}, "Age is not known."),
        ([{"column": "age", "operator": "not_null"}], {}, "Age is known."),
        ([{"column": "age", "operator": "ge", "value": 18}], {}, "Age is at least 18."),
        ([{"column": "region", "value": ["A", "B"]}], {}, "Region is A or B."),
        ([{"column": "region", "value": []}], {}, "Region is nothing."),
        ([{"column": "street", "operator": "eq", "value": "X"}], {}, "street is X."),
        ([{"column": "age", "operator": "lt", "value": 9}, {"column": "region", "operator": "ne", "value": "A"}], {},
         "Age is below 9 and Region is not A."),
    ],
)  # fmt: skip
def test_a_rule_in_words(rules, held, words):
    assert rule_words(group(*rules), COLUMNS, held) == words
    assert rule_words(group(*rules, all_rows=True, reason="R."), COLUMNS, held) == "R."


@pytest.mark.parametrize(
    ("rule", "held", "expected"),
    [
        ({"column": "region", "attribute": "region"}, ("B", "A"), Compare("region", "in", ("A", "B"))),
        ({**REGION, "operator": "not_in"}, ("B",), Compare("region", "not_in", ("B",))),
        ({"column": "region", "operator": "eq", "attribute": "region"}, ("B",), Compare("region", "eq", "B")),
        ({"column": "region", "operator": "eq", "attribute": "region"}, ("B", "A"), Nothing()),
        ({"column": "region", "attribute": "region"}, (), Nothing()),
        ({"column": "region", "operator": "ge", "value": 5}, (), Compare("region", "ge", 5)),
    ],
)  # fmt: skip
def test_a_rule_as_a_filter_and_as_a_condition(rule, held, expected):
    attributes = {"region": held}
    assert rows(viewer(rows=[{"datasets": ["orders"], "rules": [rule]}], attributes=attributes), "orders") == expected
    ((words, found),) = conditions_of(group(rule), COLUMNS, attributes)
    said = {"region": "A or B" if len(held) == 2 else "B"} if held else {}
    assert (words, found) == (rule_words(group(rule), COLUMNS, said), expected)


def test_conditions_are_one_for_each_rule_and_one_for_an_exemption():
    rules = [{"column": "age", "operator": "lt", "value": 9}, {"column": "region", "operator": "ne", "value": "A"}]
    assert conditions_of(group(*rules), COLUMNS, {}) == (
        ("Age is below 9.", Compare("age", "lt", 9)),
        ("Region is not A.", Compare("region", "ne", "A")),
    )
    assert conditions_of(group(*rules, all_rows=True, reason="R."), COLUMNS, {}) == (("R.", Everything()),)


def test_groups_by_name_come_before_those_of_all_others():
    said = [{"datasets": ["*"], "all_rows": True, "reason": "S."}, {"datasets": ["shops", "x"], "rules": [REGION]}]
    role = workspace(rows=said).access.roles["tester"]
    assert groups_of(role, "shops") == (role.rows[1],)
    assert groups_of(role, "orders") == (role.rows[0],)
    other = workspace(rows=said[1:]).access.roles["tester"]
    assert groups_of(other, "orders") == ()


def test_groups_of_several_are_added_up_in_words_and_filters():
    low, high = ({"column": "id", "operator": o, "value": v} for o, v in (("lt", 3), ("gt", 7)))
    said = [{"datasets": ["orders"], "rules": [r]} for r in (low, high, {"column": "region", "attribute": "region"})]
    scope = viewer(rows=said).scopes["orders"]
    assert scope.rows == Or((Compare("id", "lt", 3), Compare("id", "gt", 7)))
    assert scope.reason == ("Number is below 3. Or: Number is above 7. Or: Region is not assigned to this person.")
    assert viewer(rows=[said[2]], masks={"columns": ["orders.age"]}).scopes["orders"].hidden == {"age"}
    both = viewer(rows=[{"datasets": ["orders"], "rules": [low, high]}]).scopes["orders"]
    assert both.rows == And((Compare("id", "lt", 3), Compare("id", "gt", 7)))


def model(dataset: str = "orders", **features: dict[str, Any]) -> dict[str, Any]:
    noun = {"one": "o", "many": "os"}
    return {
        "registered": "m", "label": "M", "task": "classification", "target": "t",
        "scored": {"dataset": dataset, "key": ["id"]}, "words": {"entity": noun, "success": noun},
        "features": {name: {"label": name, **said} for name, said in features.items()},
    }  # fmt: skip


SHUT = {"privacy": "sensitive"}


@pytest.mark.parametrize(
    ("models", "hidden"),
    [
        ({"m": model(channel={"privacy": "sensitive"})}, {"channel", "age"}),
        ({"m": model(channel={"privacy": "internal"})}, {"age"}),
        ({"m": model("shops", channel={"privacy": "sensitive"})}, {"age"}),
        ({"m": model(reg={"privacy": "sensitive", "one_hot": "reg"})}, {"region", "age"}),
        ({"m": model(reg={"privacy": "personal", "one_hot": "reg"})}, {"age"}),
        ({"m": model(ch=SHUT | {"one_hot": "ch"}), "n": model(x=SHUT, id=SHUT)}, {"channel", "id", "age"}),
    ],
)  # fmt: skip
def test_a_private_input_of_a_model_hides_its_columns(models, hidden):
    assert masks(viewer(models=models, masks={"privacy": ["sensitive"]}), "orders") == hidden
    kept = {"privacy": ["sensitive"], "except_columns": ["orders.age"]}
    assert masks(viewer(models=models, masks=kept), "orders") == hidden - {"age"}


def test_an_action_is_read_in_its_words():
    assert action_words("leads:read") == "See scored rows and their reasons"


def test_viewers_are_the_same_key_where_person_and_rights_are():
    one, other = viewer(), viewer(actions=["leads:read"])
    assert len({one, viewer(), other}) == 2
    assert hash(one) == hash(viewer()) != hash(other)


def test_rights_of_the_same_words_and_other_rows_are_other_rights():
    ruled = viewer(rows=[{"datasets": ["orders"], "rules": [{"column": "region", "value": "A"}]}])
    exempt = viewer(rows=[{"datasets": ["orders"], "all_rows": True, "reason": "Region is A."}])
    assert ruled.scopes["orders"].reason == exempt.scopes["orders"].reason == "Region is A."
    assert ruled.fingerprint != exempt.fingerprint


def test_a_group_with_one_rule_that_gives_no_row_gives_no_row():
    rules = [{"column": "id", "operator": "lt", "value": 3}, REGION]
    assert rows(viewer(rows=[{"datasets": ["orders"], "rules": rules}]), "orders") == Nothing()
