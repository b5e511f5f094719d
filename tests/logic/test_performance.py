"""What a model is worth on known outcomes: literal values, and oracles that compute the same another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import hypergeom
from sklearn.metrics import mean_absolute_error, roc_auc_score

from models import performance, replaying
from models.performance import Interval
from models.replaying import PastList


def past(rows: int, seed: int = 1, *, ties: bool = True) -> PastList:
    rng = np.random.default_rng(seed)
    score = rng.random(rows)
    outcome = (rng.random(rows) < 0.3 * score).astype(float)
    rule = rng.poisson(0.8, rows).astype(float) + outcome * rng.integers(0, 2, rows)
    rule = np.where(rule == 0, np.nan, rule if ties else rule + rng.random(rows))
    return PastList(score, rule, outcome)


# ── intervals ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("successes", "rows", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_carries_the_published_score_interval(successes: int, rows: int, low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    found = performance.wilson(successes, rows)
    assert found.value == successes / rows
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_no_rows_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="at least one row, got 0"):
        performance.wilson(0, 0)


def test_a_mean_has_the_interval_of_the_textbook() -> None:
    found = performance.mean(np.array([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]))
    half = 1.959964 * math.sqrt(32 / 7) / math.sqrt(8)
    assert (found.value, found.low, found.high) == pytest.approx((5.0, 5 - half, 5 + half), abs=1e-6)


def test_the_same_customer_in_many_weeks_counts_as_one_witness() -> None:
    values, once = np.repeat([1.0, 3.0, 8.0, 2.0], 25), np.repeat([0, 1, 2, 3], 25)
    narrow, wide = performance.mean(values), performance.mean(values, once)
    by_hand = performance.mean(np.array([1.0, 3.0, 8.0, 2.0]))
    assert (wide.value, wide.low, wide.high) == pytest.approx((by_hand.value, by_hand.low, by_hand.high))
    assert narrow.high - narrow.low < (wide.high - wide.low) / 4


def test_one_row_has_a_mean_and_no_range() -> None:
    assert performance.mean(np.array([3.0])) == Interval(3.0, -math.inf, math.inf)


# ── ranking ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(5))
def test_the_share_of_right_pairs_is_the_area_under_the_curve(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score = np.round(rng.random(300), 1)
    outcome = (rng.random(300) < score).astype(float)
    assert performance.auc(score, outcome).value == pytest.approx(roc_auc_score(outcome, score), abs=1e-12)


def test_its_range_is_that_of_delong_written_out_pair_by_pair() -> None:
    rng = np.random.default_rng(9)
    score, outcome = np.round(rng.random(90), 1), (rng.random(90) < 0.4).astype(float)
    up, down = score[outcome == 1], score[outcome == 0]
    wins = (up[:, None] > down[None, :]) + 0.5 * (up[:, None] == down[None, :])
    spread = wins.mean(axis=1).var(ddof=1) / len(up) + wins.mean(axis=0).var(ddof=1) / len(down)
    found, half = performance.auc(score, outcome), 1.959964 * math.sqrt(spread)
    assert (found.low, found.high) == pytest.approx((wins.mean() - half, wins.mean() + half), abs=1e-6)


def test_a_ranking_of_one_kind_of_outcome_is_refused() -> None:
    with pytest.raises(ValueError, match="successes and failures"):
        performance.auc(np.array([0.1, 0.9]), np.array([1.0, 1.0]))


# ── said and happened ─────────────────────────────────────────────────────────────────────────────


def test_tenths_hold_every_row_once_in_order_of_score() -> None:
    rng = np.random.default_rng(3)
    said = rng.random(1_000)
    happened = (rng.random(1_000) < said).astype(float)
    found = performance.bins(said, happened, shares=True)
    assert [b.rows for b in found] == [100] * 10
    assert [b.said for b in found] == sorted(b.said for b in found)
    lowest = np.sort(said)[:100]
    assert found[0].said == pytest.approx(lowest.mean())
    assert sum(b.happened.value * b.rows for b in found) == pytest.approx(happened.sum())
    assert found[9].happened == performance.wilson(happened[said >= np.sort(said)[900]].sum(), 100)


def test_equal_scores_are_never_torn_apart() -> None:
    said = np.repeat([0.1, 0.2, 0.9], [300, 30, 70])
    found = performance.bins(said, (said > 0.5).astype(float), shares=True)
    assert [(b.rows, round(b.said, 10)) for b in found] == [(300, 0.1), (30, 0.2), (70, 0.9)]


@pytest.mark.parametrize(("rows", "bins"), [(19, 0), (20, 1), (59, 2), (199, 9), (200, 10), (5_000, 10)])
def test_a_tenth_has_at_least_twenty_rows(rows: int, bins: int) -> None:
    said = np.linspace(0, 1, rows)
    found = performance.bins(said, (said > 0.5).astype(float), shares=True)
    assert len(found) == bins
    assert all(b.rows >= 20 for b in found)


def test_amounts_by_tenth_carry_the_interval_of_a_mean() -> None:
    said = np.arange(400.0)
    happened = said * 2 + np.tile([-5.0, 5.0], 200)
    first = performance.bins(said, happened, shares=False)[0]
    assert (first.said, first.rows) == (19.5, 40)
    assert first.happened == performance.mean(happened[:40])


# ── error ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_error_is_that_of_scikit_learn_and_the_difference_is_paired() -> None:
    rng = np.random.default_rng(4)
    happened = rng.gamma(2.0, 40.0, 500)
    close, far = happened + rng.normal(0, 10, 500), happened + rng.normal(0, 30, 500)
    model, rule, difference = performance.error_against(close, far, happened)
    assert model.value == pytest.approx(mean_absolute_error(happened, close))
    assert rule.value == pytest.approx(mean_absolute_error(happened, far))
    assert difference.value == pytest.approx(model.value - rule.value)
    assert difference == performance.mean(np.abs(close - happened) - np.abs(far - happened))
    assert replaying.judge(difference, "down") == "better"


# ── segments ──────────────────────────────────────────────────────────────────────────────────────


def weak_west() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    place = np.repeat(["North", "East", "West"], [400, 400, 400]).astype(object)
    score = rng.random(1_200)
    outcome = (rng.random(1_200) < score).astype(float)
    outcome[800:] = (rng.random(400) < 0.5).astype(float)
    place[:12] = "Isle"
    place[12:40] = None
    return score, outcome, {"territory": place}


def test_the_worst_segment_comes_first_and_small_ones_are_not_judged() -> None:
    score, outcome, dimensions = weak_west()
    found = performance.segments(score, outcome, dimensions, shares=True)
    judged = [s.quality.value for s in found if s.quality is not None]
    assert len(judged) == 4
    assert judged == sorted(judged)
    assert (found[0].member, found[-1].member) == ("West", "Isle")
    west, isle = found[0], found[-1]
    rows = dimensions["territory"] == "West"
    assert west.quality is not None
    assert west.quality.value == pytest.approx(roc_auc_score(outcome[rows], score[rows]))
    assert (west.rows, west.weaker) == (400, True)
    assert [s.weaker for s in found[1:]] == [False] * 4
    assert (isle.rows, isle.quality, isle.happened) == (12, None, None)


def test_a_segment_without_five_of_each_outcome_is_not_judged_but_counted() -> None:
    score = np.linspace(0, 1, 60)
    outcome = np.concatenate([np.zeros(26), np.ones(4), np.zeros(15), np.ones(15)])
    place = np.repeat(["A", "B"], 30).astype(object)
    by_name = {s.member: s for s in performance.segments(score, outcome, {"x": place}, shares=True)}
    assert by_name["A"].quality is None
    assert by_name["A"].happened == performance.wilson(4, 30)
    assert by_name["B"].quality is not None


def test_amounts_are_worst_where_the_error_is_largest() -> None:
    happened = np.full(200, 100.0)
    said = np.concatenate([np.full(100, 99.0), np.full(100, 60.0)]) + np.tile([-1.0, 1.0], 100)
    place = np.repeat(["near", "far"], 100).astype(object)
    found = performance.segments(said, happened, {"x": place}, shares=False)
    assert [(s.member, s.weaker) for s in found] == [("far", True), ("near", False)]
    assert found[0].quality is not None
    assert found[0].quality.value == pytest.approx(40.0)


# ── replay ────────────────────────────────────────────────────────────────────────────────────────


def test_a_list_worked_out_by_hand() -> None:
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    rule = np.array([3.0, np.nan, 1.0, 1.0, np.nan, 5.0])
    outcome = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    found = replaying.replay([PastList(score, rule, outcome)], 3)
    assert (found.rows, found.successes, found.contacted) == (6, 3, 3)
    assert found.model.value == 2.0
    assert found.rule is not None
    assert found.rule.value == 1.5  # 5 (no), 3 (yes), and one of the two ones, of which half succeeded
    assert found.random.value == 1.5
    assert found.against_rule is not None
    assert found.against_rule.value == 0.5


def test_rows_the_rule_cannot_rank_come_last_and_are_a_list_of_their_own() -> None:
    one = PastList(np.array([0.2, 0.9, 0.4]), np.array([1.0, np.nan, np.nan]), np.array([0.0, 1.0, 1.0]))
    found = replaying.replay([one], 1).rule
    assert found is not None
    assert found.value == 0.0
    left = one.without_rule()
    assert left.score.tolist() == [0.9, 0.4]
    assert (left.rule, left.successes) == (None, 2)


def _range(found: Interval | None) -> tuple[float, float]:
    assert found is not None
    return found.low, found.high


@pytest.mark.parametrize(("rows", "successes", "picked"), [(50, 12, 10), (1_204, 130, 200), (30, 30, 5), (40, 0, 7)])
def test_random_picks_follow_the_hypergeometric_distribution(rows: int, successes: int, picked: int) -> None:
    found = replaying.hypergeometric(rows, successes, picked)
    assert found == pytest.approx(hypergeom.pmf(np.arange(picked + 1), rows, successes, picked), abs=1e-12)


def test_the_range_of_random_picks_is_the_middle_of_that_distribution() -> None:
    outcome = np.concatenate([np.ones(130), np.zeros(1_074)])
    found = replaying.replay([PastList(np.arange(1_204.0), None, outcome)], 200).random
    assert found.value == pytest.approx(200 * 130 / 1_204)
    assert (found.low, found.high) == tuple(hypergeom.ppf([0.025, 0.975], 1_204, 130, 200))


def test_the_cells_give_the_bootstrap_of_the_rows_themselves() -> None:
    one, first = past(600), 80
    found = replaying.replay([one], first)
    rng, rule = np.random.default_rng(0), np.nan_to_num(one.rule, nan=-1.0)
    drawn = []
    for _ in range(3_000):
        rows = rng.integers(0, 600, 600)
        by_model = one.outcome[rows][np.argsort(-one.score[rows], kind="stable")][:first].sum()
        shuffled = rng.permutation(rows)  # a random order among equals
        by_rule = one.outcome[shuffled][np.argsort(-rule[shuffled], kind="stable")][:first].sum()
        drawn.append((by_model, by_rule))
    naive = np.array(drawn)
    low, high = np.quantile(naive[:, 0], [0.025, 0.975])
    assert _range(found.model) == pytest.approx((low, high), abs=2.0)
    assert found.model.value == one.outcome[np.argsort(-one.score)][:first].sum()
    assert found.rule is not None
    assert found.rule.value == pytest.approx(naive[:, 1].mean(), abs=1.0)
    assert found.against_rule is not None
    spread = found.against_rule.high - found.against_rule.low
    assert spread == pytest.approx(np.subtract(*np.quantile(naive[:, 0] - naive[:, 1], [0.975, 0.025])), rel=0.2)


def test_a_model_that_is_the_rule_never_differs_from_it() -> None:
    one = past(500, ties=False)
    known = np.nan_to_num(one.rule, nan=-1.0)
    found = replaying.replay([PastList(known, known, one.outcome)], 60)
    assert found.against_rule == Interval(0.0, 0.0, 0.0)
    assert found.judgement == "same"


def test_a_perfect_model_is_better_and_a_backward_one_is_worse() -> None:
    one = past(800)
    perfect = PastList(one.outcome + 0.1 * one.score, one.rule, one.outcome)
    backward = PastList(-one.outcome, one.rule, one.outcome)
    assert (replaying.replay([perfect], 100).judgement, replaying.replay([backward], 100).judgement) == (
        "better",
        "worse",
    )
    assert replaying.replay([perfect], 100).beats_random
    assert not replaying.replay([backward], 100).beats_random


def test_whoever_takes_everybody_leaves_nothing_to_chance() -> None:
    one = past(100)
    found = replaying.replay([one], 500)
    whole = Interval(float(one.successes), float(one.successes), float(one.successes))
    assert (found.model, found.rule, found.random) == (whole, whole, whole)
    assert (found.contacted, found.judgement) == (100, "same")


def test_lists_are_added_up_each_at_its_own_capacity() -> None:
    lists = [past(400, 1), past(900, 2), past(40, 3)]
    found = replaying.replay(lists, 100)
    alone = [replaying.replay([one], 100) for one in lists]
    assert found.contacted == 240
    assert found.model.value == pytest.approx(sum(a.model.value for a in alone))
    assert found.random.value == pytest.approx(sum(a.random.value for a in alone))
    wide = math.hypot(*[(a.model.high - a.model.low) for a in alone])
    assert found.model.high - found.model.low == pytest.approx(wide, rel=0.2)


def test_the_same_rows_give_the_same_ranges() -> None:
    assert replaying.replay([past(300)], 50) == replaying.replay([past(300)], 50)


def test_no_list_and_no_success_are_answers_too() -> None:
    assert replaying.replay([], 10).model == Interval(0.0, 0.0, 0.0)
    none = replaying.replay([PastList(np.arange(30.0), None, np.zeros(30))], 10)
    assert (none.model, none.random, none.rule) == (Interval(0.0, 0.0, 0.0), Interval(0.0, 0.0, 0.0), None)


def test_buckets_change_no_count_and_hardly_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    one = past(6_000, ties=False)
    exact = replaying.replay([one], 2_000)
    monkeypatch.setattr(replaying, "MOST_CELLS", 1_000)
    coarse = replaying.replay([one], 2_000)
    assert (coarse.model.value, coarse.rule.value, coarse.random) == (  # type: ignore[union-attr]
        exact.model.value,
        exact.rule.value,  # type: ignore[union-attr]
        exact.random,
    )
    assert _range(coarse.model) == pytest.approx(_range(exact.model), rel=0.02)
    assert _range(coarse.against_rule) == pytest.approx(_range(exact.against_rule), abs=6.0)


@pytest.mark.timeout(60)
def test_a_million_rows_taken_by_half_cost_seconds_not_minutes() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(400_000)
    big = PastList(score, rng.random(400_000), (rng.random(400_000) < score).astype(float))
    found = replaying.replay([big, big], 200_000)
    low, high = hypergeom.ppf([0.025, 0.975], 400_000, big.successes, 200_000)
    assert found.random.low == pytest.approx(2 * low, rel=0.01)
    assert found.random.high == pytest.approx(2 * high, rel=0.01)
    assert found.judgement == "better"


def test_ten_times_the_rows_cost_no_more_cells() -> None:
    """The bootstrap's cost grows with the capacity: what cannot be reached is one cell."""
    groups = [len(np.unique(replaying._groups(past(rows).score, 100))) for rows in (1_000, 100_000)]
    assert groups == [181, 181]
