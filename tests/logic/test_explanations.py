"""Reasons in words: they add up or do not exist (law 4), and a hidden feature cannot be read off (law 2)."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.definitions import Band, Feature, LakeFile, ModelUse, Noun, Phrases, Scored, Words
from models import explaining
from models.explaining import Contribution, Explanation, NotAdditive
from models.predicting import InputProfile, ModelProfile
from services import explanations, lead_reasons
from services.explanations import Why

LAKE = LakeFile(name="Shop", datasets={})
NOUN = Noun(one="household", many="households")
COUPONS = Feature(label="Coupons used", unit="coupons", integer=True, phrases=Phrases(default="Used {value} before"))
PROFILE = ModelProfile((InputProfile("coupons", "integer", low=0, high=9, p10=1, p90=4, typical=2),), 100, "training")


def model(*names: str, task: str = "classification", unit: str | None = None, **features: Feature) -> ModelUse:
    made = {name: Feature(label=name.title()) for name in names} | features
    return ModelUse(
        registered="m", label="M", task=task, target="t", unit=unit, scored=Scored(dataset="d", key=("k",)),
        words=Words(entity=NOUN, success=NOUN), features=made,
        bands=(Band(name="A", at_least=0.4), Band(name="B", at_least=0.2), Band(name="C", at_least=0)),
    )  # fmt: skip


def explanation(base: float, values: dict[str, float], link: str = "logit") -> Explanation:
    margin = math.fsum((base, *values.values()))
    score = explaining.sigmoid(margin) if link == "logit" else margin
    return Explanation(base, tuple(Contribution(n, v) for n, v in values.items()), margin, score, link, 1e-9)  # type: ignore[arg-type]


def why(use: ModelUse, said: Explanation, named: frozenset[str] | None = None, **inputs: Any) -> Why:
    named = frozenset(use.features) if named is None else named
    return explanations.why(use, said, inputs, named=named, profile=PROFILE, lake=LAKE)


# ── law 4 ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("M-06")
@pytest.mark.parametrize(
    ("off", "fits"), [(0.0, True), (9e-6, True), (1.1e-5, False), (-1e-3, False), (math.nan, False)]
)
def test_an_explanation_adds_up_or_does_not_exist(off: float, fits: bool) -> None:
    parts = (Contribution("a", 0.4 + off), Contribution("b", -0.1))
    if fits:
        assert Explanation(0.1, parts, 0.4, explaining.sigmoid(0.4), "logit", 1e-5).base_value == 0.1
    else:
        with pytest.raises(NotAdditive, match="must add up"):
            Explanation(0.1, parts, 0.4, explaining.sigmoid(0.4), "logit", 1e-5)


def test_the_tolerance_grows_with_what_is_added() -> None:
    """Money of 3,000 held in float32 misses by more than 1e-5, and by less than one part in 100,000."""
    Explanation(1_000.0, (Contribution("a", 2_000.02),), 3_000.0, 3_000.0, "identity", 1e-5)
    with pytest.raises(NotAdditive):
        Explanation(1_000.0, (Contribution("a", 2_000.05),), 3_000.0, 3_000.0, "identity", 1e-5)


@given(
    st.floats(-6, 6),
    st.lists(st.floats(-4, 4), min_size=1, max_size=12),
    st.sampled_from(["logit", "identity"]),
)
def test_points_add_up_to_the_score_and_keep_sign_and_order(base: float, values: list[float], link: str) -> None:
    said = explanation(base, {f"f{i}": v for i, v in enumerate(values)}, link)
    points = said.points()
    assert math.fsum(points) == pytest.approx(said.score - said.base_score, abs=1e-9)
    assert all(p * v >= 0 for p, v in zip(points, values, strict=True))
    order = sorted(range(len(values)), key=lambda i: abs(values[i]))
    assert all(abs(points[a]) <= abs(points[b]) + 1e-15 for a, b in pairwise(order))


def test_points_are_finite_where_nothing_moves_the_score() -> None:
    said = explanation(0.3, {"a": 2.0, "b": -2.0})
    assert said.points() == pytest.approx((2 * said.score * (1 - said.score), -2 * said.score * (1 - said.score)))


def test_the_reasons_of_a_row_add_up_to_its_margin_and_its_score() -> None:
    use = model("a", "b", "c", "d")
    said = explanation(-1.0, {"a": 0.8, "b": -0.3, "c": 0.1, "d": 0.05})
    for named in (frozenset("abcd"), frozenset("ab"), frozenset()):
        found = why(use, said, named, a=1, b=2, c=3, d=4)
        assert found.base_value + math.fsum(r.contribution for r in found.reasons) == pytest.approx(said.margin)
        assert said.base_score + math.fsum(r.points for r in found.reasons) == pytest.approx(said.score)


# ── law 2 ─────────────────────────────────────────────────────────────────────────────────────────

IMPORTANCE = {"age": 0.5, "visits": 0.9, "spend": 0.4, "days": 0.2, "plan": 0.1, "unused": 0.0, "basket": 0.05}


def test_nothing_is_folded_where_nothing_is_hidden() -> None:
    assert explanations.named_features(model(*IMPORTANCE), frozenset(), IMPORTANCE) == frozenset(IMPORTANCE)
    hidden = frozenset({"no_input_of_the_model"})
    assert explanations.named_features(model(*IMPORTANCE), hidden, IMPORTANCE) == frozenset(IMPORTANCE)


def test_a_hidden_feature_is_folded_with_the_least_important_visible_ones() -> None:
    """At least three that matter, and together as heavy as the hidden one: 0.05 + 0.1 + 0.2 < 0.5, so spend joins."""
    named = explanations.named_features(model(*IMPORTANCE), frozenset({"age"}), IMPORTANCE)
    assert named == {"visits"}
    light = IMPORTANCE | {"age": 0.3}
    assert explanations.named_features(model(*light), frozenset({"age"}), light) == {"visits", "spend"}


def test_a_feature_the_model_ignores_hides_nothing() -> None:
    tiny = IMPORTANCE | {"age": 1e-6}
    named = explanations.named_features(model(*tiny), frozenset({"age"}), tiny)
    folded = set(tiny) - named - {"age"}
    assert len([f for f in folded if tiny[f] > 0]) == 3
    assert "unused" in folded


def test_with_few_visible_features_all_are_folded() -> None:
    assert (
        explanations.named_features(model("age", "a", "b"), frozenset({"age"}), {"age": 1, "a": 1, "b": 1})
        == frozenset()
    )
    assert explanations.named_features(model("age", "a", "b"), frozenset({"age"}), {}) == frozenset()


def test_the_folding_is_the_runs_not_the_rows() -> None:
    """A feature that is folded in one row and shown in the next would give the hidden part away by subtraction."""
    use = model(*IMPORTANCE)
    named = explanations.named_features(use, frozenset({"age"}), IMPORTANCE | {"age": 0.3})
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = {name: float(v) for name, v in zip(IMPORTANCE, rng.normal(size=len(IMPORTANCE)), strict=True)}
        found = why(use, explanation(0.0, values), named, **dict.fromkeys(IMPORTANCE, 1))
        assert {r.feature for r in found.reasons if r.feature} == named
        other = [r for r in found.reasons if not r.feature]
        assert len(other) == 1
        assert other[0].contribution == pytest.approx(math.fsum(v for n, v in values.items() if n not in named))


def test_the_hidden_contribution_cannot_be_bounded_by_the_smallest_shown() -> None:
    """Row by row the smallest three would be folded, and other information would be the hidden part but for a crumb."""
    use = model("age", "a", "b", "c", "d", "e")
    weights = {"age": 0.3, "a": 0.5, "b": 0.2, "c": 0.2, "d": 0.2, "e": 0.6}
    named = explanations.named_features(use, frozenset({"age"}), weights)
    values = {"age": 0.7, "a": 0.4, "b": -0.6, "c": 1e-6, "d": 1e-6, "e": 1e-6}
    other = next(r for r in why(use, explanation(0.0, values), named).reasons if not r.feature)
    assert abs(other.contribution - values["age"]) > 0.5


def test_other_information_names_nobody() -> None:
    use = model(age=Feature(label="Age of the head"), a=Feature(label="A"), b=Feature(label="B"), c=Feature(label="C"))
    found = why(use, explanation(0.0, {"age": 1.0, "a": 0.5, "b": 0.2, "c": 0.1}), frozenset(), age=44, a=1, b=2, c=3)
    said = repr(found)
    assert "Age" not in said and "44" not in said
    assert [r.phrase for r in found.reasons] == ["Other information (4 inputs)"]


# ── words ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_sentence_says_what_raises_and_what_holds_back() -> None:
    use = model("bags", "days", coupons=COUPONS)
    found = why(use, explanation(-2.0, {"coupons": 1.8, "bags": 0.6, "days": -0.4}), coupons=5, bags=2, days=3)
    assert found.sentence.replace("\u00a0", " ") == (
        "50 %, mainly because of used 5 coupons before (+34 pp) and bags: 2 (+11 pp); held back by days: 3 (−7.6 pp)."
    )


def test_a_phrase_keeps_its_capitals_in_other_languages() -> None:
    german = LakeFile(name="Laden", locale="de_CH", datasets={})
    found = explanations.why(
        model("b"), explanation(0.0, {"b": 1.0}), {"b": 2}, named=frozenset("b"), profile=None, lake=german
    )
    assert "because of B: 2" in found.sentence


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (0.7183, "72\u00a0%"),
        (0.3996, "39.96\u00a0%"),
        (0.3949, "39\u00a0%"),
        (0.4, "40\u00a0%"),
        (0.1999, "19.99\u00a0%"),
        (0.1951, "19.5\u00a0%"),
        (0.042, "4.2\u00a0%"),
    ],
)
def test_a_score_is_not_rounded_up_into_the_band_above(score: float, text: str) -> None:
    """Bands begin at 40 % and 20 %."""
    assert explanations.score_shown(model("a"), score, LAKE).text == text


def test_usual_says_the_unit_once() -> None:
    assert explanations.usual(PROFILE, "coupons", COUPONS, LAKE) == "1 to 4\u00a0coupons"
    assert (
        explanations.usual(PROFILE, "coupons", Feature(label="x", unit="percent"), LAKE) == "100\u00a0% to 400\u00a0%"
    )
    assert explanations.usual(None, "coupons", COUPONS, LAKE) == ""


# ── the ladder ────────────────────────────────────────────────────────────────────────────────────


def _number(text: str) -> float:
    return float(re.sub(r"[^0-9.\-]", "", text.replace("−", "-").replace(",", "")))


@given(st.floats(-4, 4), st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_the_ladder_adds_up_digit_by_digit(base: float, values: list[float]) -> None:
    names = [f"f{i}" for i in range(len(values))]
    use = model(*names)
    found = explanations.ladder(use, why(use, explanation(base, dict(zip(names, values, strict=True)))), LAKE)
    total = _number(found.start_text) + sum(_number(r.points_text) for r in found.rungs)
    assert total == pytest.approx(_number(found.end_text), abs=1e-9)
    assert len(found.rungs) <= 7


@given(st.floats(10, 90_000), st.lists(st.floats(-900, 900), min_size=1, max_size=9))
def test_a_ladder_of_money_adds_up_to_the_cent(base: float, values: list[float]) -> None:
    names = [f"f{i}" for i in range(len(values))]
    use = model(*names, task="regression", unit="currency")
    said = explanation(base, dict(zip(names, values, strict=True)), "identity")
    found = explanations.ladder(use, why(use, said), LAKE)
    total = _number(found.start_text) + sum(_number(r.points_text) for r in found.rungs)
    assert total == pytest.approx(_number(found.end_text), abs=1e-6)


def test_a_ladder_names_six_and_sums_the_rest() -> None:
    names = [f"f{i}" for i in range(9)]
    use = model(*names)
    said = explanation(0.0, {n: 0.5 - i * 0.05 for i, n in enumerate(names)})
    found = explanations.ladder(use, why(use, said, **dict.fromkeys(names, 1)), LAKE)
    assert [r.kind for r in found.rungs] == ["reason"] * 6 + ["rest"]
    assert found.rungs[-1].text == "3 smaller inputs"


def test_the_strongest_steps_are_what_the_sentence_says() -> None:
    """A person compares the two; rounding is paid by the smallest steps."""
    use = model("bags", "days", "plan", "visits", "age")
    for base in np.linspace(-2.5, 0.5, 40):
        said = explanation(float(base), {"bags": 0.313, "days": 0.271, "plan": 0.2, "visits": -0.061, "age": 0.023})
        found = why(use, said, bags=1, days=2, plan=3, visits=4, age=5)
        rungs = {r.text: r for r in explanations.ladder(use, found, LAKE).rungs}
        assert all(f"({rungs[n].points_text})" in found.sentence for n in ("Bags: 1", "Days: 2", "Visits: 4"))


def test_a_rounded_step_keeps_its_sign() -> None:
    names = [f"f{i}" for i in range(6)]
    use = model(*names)
    said = explanation(0.123, {n: (-1) ** i * 0.0006 * (i + 1) for i, n in enumerate(names)})
    exact = {r.phrase: r.points for r in why(use, said, **dict.fromkeys(names, 1)).reasons}
    for rung in explanations.ladder(use, why(use, said, **dict.fromkeys(names, 1)), LAKE).rungs:
        assert rung.points == pytest.approx(0.0, abs=1e-12) or rung.points * exact[rung.text] > 0


# ── stored values, one row and many ───────────────────────────────────────────────────────────────


def stored_rows(use: ModelUse, count: int, link: str) -> tuple[list[dict[str, Any]], pa.Table, pa.Table]:
    rng = np.random.default_rng(5)
    shap = rng.normal(size=(count, len(use.features))).astype(np.float32)
    base = np.full(count, 0.25)
    margin = base + shap.astype(float).sum(axis=1)
    score = 1 / (1 + np.exp(-margin)) if link == "logit" else margin
    ids = pa.array(range(count), pa.int64())
    columns = {f"shap_{n}": pa.array(shap[:, i]) for i, n in enumerate(use.features)}
    how = {"explanation_link": pa.array([link] * count), "explanation_method": pa.array(["exact, by hand"] * count)}
    inputs = {n: pa.array(rng.integers(0, 9, count)) for n in use.features}
    scored = [{"row_id": i, "margin": float(margin[i]), "score": float(score[i])} for i in range(count)]
    return (
        scored,
        pa.table({"row_id": ids, "base_value": pa.array(base), **how, **columns}),
        pa.table({"row_id": ids, **inputs}),
    )


@pytest.mark.parametrize("link", ["logit", "identity"])
@pytest.mark.parametrize("named", [frozenset("abcdef"), frozenset("ad"), frozenset()])
def test_many_rows_get_the_reasons_that_one_row_gets(link: str, named: frozenset[str]) -> None:
    use = model(*"abcdef", coupons=COUPONS)
    scored, shap, inputs = stored_rows(use, 60, link)
    rows = lead_reasons.strongest(use, lead_reasons.explained(use, scored, shap), named=named, count=3)
    found = lead_reasons.worded(use, rows, inputs.to_pylist(), profile=PROFILE, lake=LAKE)
    for row, said, given_, reasons in zip(scored, shap.to_pylist(), inputs.to_pylist(), found, strict=True):
        one = explanations.stored(said, use, margin=row["margin"], score=row["score"])
        wanted = explanations.why(use, one, given_, named=named, profile=PROFILE, lake=LAKE).strongest(3)
        assert [(r.feature, r.phrase, r.points_text, r.usual) for r in reasons] == [
            (r.feature, r.phrase, r.points_text, r.usual) for r in wanted
        ]
        assert [r.points for r in reasons] == pytest.approx([r.points for r in wanted])


@pytest.mark.attack("M-06")
def test_a_stored_row_that_does_not_add_up_is_not_explained() -> None:
    use = model(*"abc")
    scored, shap, _ = stored_rows(use, 4, "logit")
    scored[2]["margin"] += 1e-3
    with pytest.raises(NotAdditive):
        lead_reasons.explained(use, scored, shap)
    with pytest.raises(NotAdditive):
        explanations.stored(shap.to_pylist()[2], use, margin=scored[2]["margin"], score=scored[2]["score"])


def test_a_stored_row_says_its_link_and_its_method() -> None:
    use = model(*"abc")
    scored, shap, _ = stored_rows(use, 1, "identity")
    row = shap.to_pylist()[0] | {"explanation_method": "sampled, 20 orders around the typical row"}
    found = explanations.stored(row, use, margin=scored[0]["margin"], score=scored[0]["score"])
    assert (found.link, found.exact, found.method) == ("identity", False, "sampled, 20 orders around the typical row")


def test_an_encoded_feature_is_shown_as_its_category() -> None:
    feature = Feature(label="Plan", one_hot="plan=")
    row = {"plan=basic": 0, "plan=pro": 1.0, "plan": "kept apart"}
    assert explanations.feature_value("plan", feature, row, {"plan": feature}) == "pro"
    assert explanations.feature_value("plan", feature, {"plan=basic": 0}, {"plan": feature}) is None
    assert explanations.feature_value("days", Feature(label="Days"), {"days": math.nan}, {}) is None
