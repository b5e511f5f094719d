"""Would it have worked? Successes among the first rows of past lists: by the model, by the simplest rule, at random.

Arrays in, frozen answers out; the random generator is seeded here, so that the same rows give the same ranges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.performance import Interval

Judgement = Literal["better", "same", "worse"]
SEED = 2017
MOST_DRAWS, FEWEST_DRAWS, MOST_DRAWN = 1_000, 200, 1_000_000
MOST_CELLS, BUCKETS = 20_000, 100
NEGLIGIBLE = 1e-12
TAIL = 0.025


@dataclass(frozen=True)
class PastList:
    """One past list, one entry a row: the model's score, the rule's ranking value, the outcome (1 for a success or 0).

    ``rule`` is NaN where the rule cannot rank a row, and None where there is no rule.
    """

    score: np.ndarray
    rule: np.ndarray | None
    outcome: np.ndarray

    def __len__(self) -> int:
        return len(self.score)

    @property
    def successes(self) -> int:
        """How many rows succeeded."""
        return int(self.outcome.sum())

    def without_rule(self) -> PastList:
        """The rows that the rule cannot rank; none where there is no rule."""
        left = np.isnan(self.rule) if self.rule is not None else np.zeros(len(self), dtype=bool)
        return PastList(self.score[left], None, self.outcome[left])


@dataclass(frozen=True)
class Replayed:
    """Successes in the first rows of each list, added up over the lists.

    ``contacted`` is how many rows that were in all (a list shorter than the capacity is taken whole). ``against_rule``
    is model minus rule. The ranges hold 95 %.
    """

    rows: int
    successes: int
    contacted: int
    model: Interval
    rule: Interval | None
    random: Interval
    against_rule: Interval | None

    @property
    def judgement(self) -> Judgement | None:
        """How the model does against the rule; None without a rule."""
        return judge(self.against_rule) if self.against_rule is not None else None

    @property
    def beats_random(self) -> bool:
        """Does the model find more successes than 97.5 % of random picks of the same size would?"""
        return self.model.value > self.random.high


def judge(difference: Interval, good: Literal["up", "down"] = "up") -> Judgement:
    """A difference is clear when its range leaves out zero."""
    if difference.low > 0:
        return "better" if good == "up" else "worse"
    if difference.high < 0:
        return "worse" if good == "up" else "better"
    return "same"


def replay(lists: Sequence[PastList], first: int, *, seed: int = SEED) -> Replayed:
    """Contact the ``first`` rows of every list, by score, by the rule, at random.

    Model, rule and their difference carry percentile intervals of a paired bootstrap (Efron and Tibshirani, *An
    Introduction to the Bootstrap*, 1993, ch. 13): the rows of each list are drawn again with replacement, as many as
    it has, and both rankings are read on the same draw; lists are drawn independently of each other (drawing customers
    across lists instead moved no range by more than a row in three lists of the same 2,300). Rows of equal
    rank are taken in part, which is the expectation over a random order among them. Random picks follow the
    hypergeometric distribution (lists added up by convolution), which needs no draws; theirs is its middle 95 %.
    """
    rng = np.random.default_rng(seed)
    lists = [past for past in lists if len(past)]
    read = [_read(past, min(first, len(past)), rng) for past in lists]
    model, rule = _summed([m for m, _ in read]), _summed([r for _, r in read])
    with_rule = bool(lists) and all(past.rule is not None for past in lists)
    return Replayed(
        rows=sum(len(past) for past in lists),
        successes=sum(past.successes for past in lists),
        contacted=sum(min(first, len(past)) for past in lists),
        model=_interval(model),
        rule=_interval(rule) if with_rule else None,
        random=_random(lists, first),
        against_rule=_interval(_Reading(model.value - rule.value, model.drawn - rule.drawn)) if with_rule else None,
    )


def hypergeometric(rows: int, successes: int, picked: int) -> np.ndarray:
    """The chances of finding 0, 1, … ``picked`` successes when ``picked`` of ``rows`` are picked at random.

    By the ratio of neighbouring chances, added in logarithms (Johnson, Kemp and Kotz, *Univariate Discrete
    Distributions*, 2005, ch. 6).
    """
    low, high = max(0, picked - (rows - successes)), min(successes, picked)
    k = np.arange(low, high, dtype=float)
    steps = np.log((successes - k) * (picked - k)) - np.log((k + 1) * (rows - successes - picked + k + 1))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    chances: np.ndarray = np.zeros(picked + 1)
    chances[low : high + 1] = np.exp(logs - logs.max())
    chances /= chances.sum()
    return chances


@dataclass(frozen=True)
class _Reading:
    """Successes on the list itself, and on each draw; no draws where the whole list is taken: nothing is by chance."""

    value: float
    drawn: np.ndarray


def _read(past: PastList, first: int, rng: np.random.Generator) -> tuple[_Reading, _Reading]:
    """Successes by the model and by the rule, on the same draws.

    Rows that neither ranking can reach within a draw are drawn as one cell: this is the same bootstrap, and its cost
    grows with ``first``, not with the list. Where that still leaves too many cells, neighbours in a ranking share one
    of a hundred buckets; the count itself is always exact.
    """
    success = (past.outcome > 0.5).astype(np.int64)
    rankings = [_groups(past.score, first), _groups(past.rule, first) if past.rule is not None else 0 * success]
    itself = [float(_taken(np.ones((1, len(past))), success, by, first)[0]) for by in rankings]
    cells, counts = _cells(rankings, success)
    if len(counts) > MOST_CELLS:
        cells, counts = _cells([_coarse(by) for by in rankings], success)
    draws = int(np.clip(MOST_DRAWN // len(counts), FEWEST_DRAWS, MOST_DRAWS)) if first < len(past) else 0
    drawn = rng.multinomial(len(past), counts / len(past), size=draws)
    model, rule = (
        _Reading(value, _taken(drawn, cells[2], by, first)) for value, by in zip(itself, cells[:2], strict=True)
    )
    return model, rule


def _cells(rankings: Sequence[np.ndarray], success: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Rows alike in both rankings and in outcome as one: (place by model, place by rule, outcome), and how many."""
    by_model, by_rule = rankings
    width = int(by_rule.max()) + 1
    codes, counts = np.unique((by_model * width + by_rule) * 2 + success, return_counts=True)
    return (codes // 2 // width, codes // 2 % width, codes % 2), counts


def _coarse(group: np.ndarray) -> np.ndarray:
    """Groups joined to buckets of about as many rows; what lies beyond reach stays by itself."""
    counts = np.bincount(group)
    starts = np.cumsum(counts) - counts
    within = max(1, int(starts[-1]))
    buckets: np.ndarray = np.minimum(starts * BUCKETS // within, BUCKETS)[group]
    return buckets


def _groups(value: np.ndarray, first: int) -> np.ndarray:
    """The place of each row's group of equal values, the highest first, unknown last; what lies beyond reach as one.

    A draw holds at least ``first`` of its rows within ``first + 6 √first + 20`` places but for one case in 10⁸.
    """
    _, place, counts = np.unique(-np.nan_to_num(value, nan=-np.inf), return_inverse=True, return_counts=True)
    reach = int(np.searchsorted(np.cumsum(counts), first + 6 * math.sqrt(first) + 20))
    return np.minimum(place, reach + 1).astype(np.int64)


def _taken(drawn: np.ndarray, success: np.ndarray, group: np.ndarray, first: int) -> np.ndarray:
    """Successes in the first rows of each draw (draws, cells); the last group entered is taken in part."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    rows = np.cumsum(np.add.reduceat(drawn[:, order], starts, axis=1), axis=1)
    found = np.cumsum(np.add.reduceat(drawn[:, order] * success[order], starts, axis=1), axis=1)
    rows = np.pad(rows, ((0, 0), (1, 0)))
    found = np.pad(found, ((0, 0), (1, 0)))
    last = np.minimum((rows < first).sum(axis=1), rows.shape[1] - 1)
    at = np.arange(len(drawn))
    before, whole = rows[at, last - 1], rows[at, last]
    share = (first - before) / np.maximum(whole - before, 1)
    taken: np.ndarray = found[at, last - 1] + share * (found[at, last] - found[at, last - 1])
    return taken


def _summed(readings: Sequence[_Reading]) -> _Reading:
    """Add up lists; one without draws counts the same in every draw of the others."""
    draws = min((len(r.drawn) for r in readings if len(r.drawn)), default=1)
    drawn = [r.drawn[:draws] if len(r.drawn) else np.full(draws, r.value) for r in readings]
    return _Reading(math.fsum(r.value for r in readings), np.sum(drawn, axis=0) if drawn else np.zeros(draws))


def _interval(reading: _Reading) -> Interval:
    low, high = np.quantile(reading.drawn, [TAIL, 1 - TAIL])
    return Interval(reading.value, float(low), float(high))


def _random(lists: Sequence[PastList], first: int) -> Interval:
    chances, least = np.ones(1), 0
    for past in lists:
        one = hypergeometric(len(past), past.successes, min(first, len(past)))
        likely = np.flatnonzero(one > NEGLIGIBLE)
        chances = np.convolve(chances, one[likely[0] : likely[-1] + 1])
        least += int(likely[0])
    below = np.cumsum(chances)
    low, high = np.searchsorted(below, [TAIL, 1 - TAIL])
    mean = sum(min(first, len(past)) * past.successes / len(past) for past in lists)
    return Interval(float(mean), float(least + low), float(least + min(high, len(chances) - 1)))
