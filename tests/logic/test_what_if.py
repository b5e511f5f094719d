"""The what-if without a screen: what an edit must be, what a refused one does, and that effects add up."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from data.definitions import Feature
from models import what_if
from models.explaining import NotAdditive
from models.predicting import Attribution, InputProfile, ModelProfile
from models.what_if import NotMovable
from services import what_if_words as words
from services.access import Viewer
from services.errors import InvalidQuery
from services.move_counts import MoveCounts
from services.what_if_answers import WhatIfQuery

PROFILE = ModelProfile(
    (
        InputProfile("visits", "integer", low=1, high=12, p10=2, p90=9, typical=4),
        InputProfile("discount", "number", low=0.0, high=0.3, p10=0.05, p90=0.2, typical=0.1),
        InputProfile("age", "number", low=18, high=80, typical=40, blanks=True),
        InputProfile("kind", "category", typical="shop", categories=("cafe", "shop")),
        InputProfile("open", "boolean", typical="True"),
        InputProfile("area_north", "integer", low=0, high=1),
        InputProfile("area_south", "integer", low=0, high=1),
        InputProfile("income", "number", low=0, high=9),
    ),
    rows=500,
    source="training",
)
FEATURES = {
    "visits": Feature(label="Visits", actionable=True, integer=True, low=1, high=12),
    "discount": Feature(label="Discount", actionable=True, unit="percent"),
    "age": Feature(label="Age"),
    "kind": Feature(label="Kind", actionable=True),
    "open": Feature(label="Open", actionable=True),
    "area": Feature(label="Area", one_hot="area_", actionable=True),
    "income": Feature(label="Income"),
    "not_taken": Feature(label="Declared, but no input of the model", actionable=True),
}
STORED = {
    "row_id": 7, "territory": "North", "visits": 3, "discount": 0.1, "age": 40.0, "kind": "shop", "open": True,
    "area_north": 1, "area_south": 0, "income": 5.0,
}  # fmt: skip
MOVABLE = frozenset(FEATURES) - {"income"}


def checked(features=FEATURES, stored=STORED, allowed=MOVABLE, profile=PROFILE, **edits):
    return what_if.check(edits, stored, profile=profile, features=features, allowed=allowed)


def refusal(**edits):
    """The kind of the one refusal, which must have changed nothing."""
    found = checked(**edits)
    assert found.changed == ()
    assert found.row == found.stored
    (finding,) = found.findings.values()
    assert finding.refused
    return finding.kind


class Formula:
    """A model that is a formula: margin = visits + 2 x discount + 3 x visits x discount, explained by hand."""

    inputs = PROFILE.names
    link = "identity"

    def __init__(self, error: float = 0.0) -> None:
        self.error = error

    def margin(self, frame: pd.DataFrame) -> np.ndarray:
        return (frame.visits + 2 * frame.discount + 3 * frame.visits * frame.discount).to_numpy(dtype=float)

    score = margin

    def attribute(self, frame: pd.DataFrame) -> Attribution:
        values = np.zeros((len(frame), len(self.inputs)))
        values[:, 0] = frame.visits - 1
        values[:, 1] = self.margin(frame) - 1 - values[:, 0] + self.error
        return Attribution(np.ones(len(frame)), values, 1e-9, True, "by hand")


# ── edits ─────────────────────────────────────────────────────────────────────────────────────────


def test_no_edit_changes_nothing():
    found = checked()
    assert found.row == {n: STORED[n] for n in PROFILE.names}
    assert (found.changed, found.findings) == ((), {})


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), (" 5 ", 5), ("5.0", 5), ("+5", 5), ("5e0", 5), ("12", 12), ("1", 1)]
)
def test_a_whole_number_is_used_as_the_model_takes_it(text, value):
    found = checked(visits=text)
    assert (found.row["visits"], type(found.row["visits"]), found.changed) == (value, int, ("visits",))


def test_a_share_is_written_in_percent():
    assert checked(discount="25").row["discount"] == 0.25
    assert checked(discount="10").changed == ()


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "1,5",
        "1.234,5",
        "0x10",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "1_000",
        "٣",
        "1 2",
        "--1",
        "1e",
        "$5",
        "=5",
        "None",
    ],
)
def test_text_in_a_number_is_refused(text):
    assert refusal(visits=text) == "not_a_number"


@pytest.mark.attack("Q-05")
@pytest.mark.parametrize("text", ["1e999", "1e16", "-1e300"])
def test_a_number_beyond_all_meaning_is_refused(text):
    assert refusal(age=text) == "too_large"


@pytest.mark.attack("Q-05")
@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        ({"visits": "2.5"}, "not_whole"),
        ({"visits": "0"}, "out_of_bounds"),
        ({"visits": "13"}, "out_of_bounds"),
        ({"visits": ""}, "blank"),
        ({"visits": "~"}, "blank"),
        ({"kind": ""}, "blank"),
        ({"kind": "bank"}, "unknown_category"),
        ({"kind": "SHOP"}, "unknown_category"),
        ({"area": "west"}, "unknown_category"),
        ({"area": ""}, "blank"),
        ({"open": "maybe"}, "unknown_category"),
        ({"age": "9" * 41}, "too_long"),
        ({"kind": "x" * 5_000}, "too_long"),
    ],
)
def test_every_other_wrong_value_is_refused_by_name(edit, kind):
    assert refusal(**edit) == kind


def test_a_blank_is_used_where_training_had_blanks_and_said():
    found = checked(age="")
    assert found.row["age"] is None
    assert (found.changed, found.findings["age"].kind, found.findings["age"].refused) == (("age",), "not_known", False)


@pytest.mark.attack("Q-05")
def test_outside_the_trained_range_is_used_and_said():
    found = checked(age="90")
    assert (found.row["age"], found.findings["age"].kind) == (90.0, "outside_training")
    assert not found.findings["age"].refused


def test_a_stored_value_outside_the_trained_range_is_said_without_an_edit():
    found = checked(stored={**STORED, "age": 99.0})
    assert (found.findings["age"].kind, found.findings["age"].said, found.changed) == ("outside_training", "", ())


def test_a_declared_direction_binds():
    up = {**FEATURES, "visits": FEATURES["visits"].model_copy(update={"direction": "up"})}
    down = {**FEATURES, "visits": FEATURES["visits"].model_copy(update={"direction": "down"})}
    assert checked(features=up, visits="2").findings["visits"].kind == "only_up"
    assert checked(features=up, visits="4").row["visits"] == 4
    assert checked(features=down, visits="4").findings["visits"].kind == "only_down"
    assert checked(features=down, visits="2").row["visits"] == 2


def test_an_encoded_feature_moves_all_of_its_columns():
    found = checked(area="south")
    assert (found.row["area_north"], found.row["area_south"], found.changed) == (0.0, 1.0, ("area",))


def test_the_stored_category_may_be_one_that_training_hardly_knew():
    assert checked(stored={**STORED, "kind": "kiosk"}, kind="kiosk").changed == ()


def test_a_refused_value_does_not_hold_back_the_others():
    found = checked(visits="x", discount="20")
    assert (found.changed, found.row["visits"], found.row["discount"]) == (("discount",), 3, 0.2)


@pytest.mark.parametrize(
    "name", ["income", "nothing_of_the_kind", "row_id", "territory", "area_north", "not_taken", ""]
)
@pytest.mark.parametrize("text", ["5", "", "abc", "5" * 1_000])
def test_what_may_not_be_moved_gets_no_answer_whatever_its_value(name, text):
    with pytest.raises(NotMovable):
        what_if.check({name: text}, STORED, profile=PROFILE, features=FEATURES, allowed=MOVABLE)


def test_masked_and_missing_inputs_are_refused_in_the_same_words():
    def words_of(name):
        with pytest.raises(NotMovable) as caught:
            checked(**{name: "1"})
        return str(caught.value).replace(name, "…")

    assert words_of("income") == words_of("no_such")


# ── the answer ────────────────────────────────────────────────────────────────────────────────────


def answered(model=None, **edits):
    model = model or Formula()
    found = checked(**edits)
    base = what_if.explain(model, found.stored, profile=PROFILE, features=FEATURES)
    return base, what_if.respond(model, found, base=base, profile=PROFILE, features=FEATURES)


def test_the_effects_of_changes_are_those_of_each_alone_and_the_rest_is_interplay():
    """3 to 5 visits and 10 to 20 % by hand: 4.1 to 8.4 in all, of which 2.6 and 1.1 alone, and 0.6 together."""
    base, response = answered(visits="5", discount="20")
    assert base.score == pytest.approx(4.1)
    assert response.scenario.score == pytest.approx(8.4)
    assert [e.feature for e in response.effects] == ["visits", "discount", ""]
    assert [e.value for e in response.effects] == pytest.approx([2.6, 1.1, 0.6])
    assert math.fsum(e.value for e in response.effects) == pytest.approx(8.4 - 4.1, abs=1e-12)


def test_one_change_has_no_interplay():
    _, response = answered(visits="5")
    assert [(e.feature, pytest.approx(e.value)) for e in response.effects] == [("visits", 2.6)]


def test_no_change_gives_the_base_itself():
    base, response = answered(visits="x")
    assert response.scenario is base
    assert response.effects == ()


def test_an_answer_that_does_not_add_up_does_not_exist():
    with pytest.raises(NotAdditive):
        answered(Formula(error=1e-3), visits="5")


def test_rows_are_numbers_and_texts_and_a_blank_stays_a_blank():
    rows = what_if.frame([STORED, {**STORED, "age": None, "kind": None}], PROFILE.names, PROFILE)
    assert list(rows.columns) == list(PROFILE.names)
    assert [str(t) for t in rows.dtypes[:5]] == ["float64", "float64", "float64", "str", "float64"]
    assert rows.age.isna().tolist() == rows.kind.isna().tolist() == [False, True]
    assert rows.open.tolist() == [1.0, 1.0]


# ── words ─────────────────────────────────────────────────────────────────────────────────────────


def control(lake, name, **edits):
    found = checked(**edits)
    return words.control(name, FEATURES, found, edits=edits, profile=PROFILE, lake=lake)


@pytest.fixture
def lake(bakery):
    return bakery.sources.workspace.lake


def test_a_refused_value_stays_in_its_box_and_says_what_is_used_instead(lake):
    made = control(lake, "visits", visits="40")
    assert (made.text, made.stored, made.changed, made.refused) == ("40", "3", False, True)
    assert made.message == "Enter 1 to 12. The model has not seen 40. Not used: today’s value (3) stays."


def test_a_share_has_a_box_in_percent(lake):
    made = control(lake, "discount", discount="25")
    assert (made.text, made.stored, made.unit, made.changed) == ("25", "10", "%", True)
    assert (made.low, made.high, made.usual_low, made.usual_high) == pytest.approx((0, 30, 5, 20))


def test_the_slider_always_holds_todays_value(lake):
    found = checked(stored={**STORED, "age": 99.0})
    made = words.control("age", FEATURES, found, edits={}, profile=PROFILE, lake=lake)
    assert (made.low, made.high, made.at) == (18, 99, 99)


def test_a_select_offers_not_known_only_where_training_had_blanks(lake):
    assert [o[0] for o in control(lake, "kind").options] == ["cafe", "shop"]
    assert [o[0] for o in control(lake, "area").options] == ["north", "south"]
    assert [o[0] for o in control(lake, "open").options] == ["true", "false"]


def test_the_sentence_says_from_where_to_where():
    said = words.sentence(("31 %", "C"), ("44 %", "B"), points="+13 pp", changed=1, refused=0)
    assert said == "From 31 % (C) to 44 % (B), +13 pp"


# ── the address ───────────────────────────────────────────────────────────────────────────────────


def test_an_address_carries_the_edits_and_comes_back_the_same():
    query = WhatIfQuery("leads", "a%2Fb~1", {"visits": "5", "age": "~", "kind": "Café & Söhne"})
    params = dict(part.split("=") for part in query.to_url().split("&"))
    assert set(params) == {"list", "key", "x_visits", "x_age", "x_kind"}
    from urllib.parse import parse_qsl

    assert WhatIfQuery.from_url(dict(parse_qsl(query.to_url()))) == query


def test_a_value_too_long_is_refused_not_cut_to_one_that_fits():
    query = WhatIfQuery.from_url({"x_age": "4" + "0" * 39 + "9" * 400})
    assert refusal(**query.edits) == "too_long"


@pytest.mark.parametrize("said", [None, [], "x", {}, {"edits": None}, {"edits": {"a": 1}}, {"edits": {"a": None}}])
def test_controls_that_send_something_else_are_refused(said):
    with pytest.raises(InvalidQuery):
        WhatIfQuery.from_controls(said)


def test_an_address_with_thousands_of_edits_is_refused():
    with pytest.raises(InvalidQuery):
        WhatIfQuery.from_url({f"x_{i}": "1" for i in range(501)})


# ── counting moves ────────────────────────────────────────────────────────────────────────────────


def person(number: int, session: str) -> Viewer:
    return Viewer(number, "n", "e", "r", "R", "/", {}, frozenset(), {}, "f", session)


def test_moves_are_counted_by_session_and_row_and_handed_over_once():
    at, counts = datetime(2026, 1, 1, tzinfo=UTC), MoveCounts()
    firsts = [
        counts.add(person(1, "s"), "m/1", ["a"], at),
        counts.add(person(1, "s"), "m/1", ["b"], at + timedelta(seconds=1)),
        counts.add(person(1, "t"), "m/1", [], at + timedelta(seconds=30)),
        counts.add(person(2, "u"), "m/2", [], at + timedelta(seconds=30)),
    ]
    assert firsts == [True, False, True, True]
    (old,) = counts.take(before=at)
    assert (old.count, old.changed, old.since) == (2, {"a", "b"}, at)
    assert [m.resource for m in counts.take(before=at, session_id="u")] == ["m/2"]
    assert [m.viewer.session_id for m in counts.take()] == ["t"]
    assert counts.take() == ()


def test_a_count_that_could_not_be_written_is_kept_with_what_came_since():
    at, counts = datetime(2026, 1, 1, tzinfo=UTC), MoveCounts()
    counts.add(person(1, "s"), "m/1", ["a"], at)
    (taken,) = counts.take()
    counts.add(person(1, "s"), "m/1", ["b"], at + timedelta(seconds=5))
    counts.put_back(taken)
    (kept,) = counts.take()
    assert (kept.count, kept.changed, kept.since) == (2, {"a", "b"}, at)
