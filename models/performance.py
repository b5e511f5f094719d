"""How good a model was on rows whose outcome is known: intervals, calibration, ranking, error, by segment.

Arrays in, frozen answers out. Every interval holds 95 %; nothing is judged on fewer than ``FEWEST`` rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

Z = 1.959963984540054
FEWEST = 20
FEWEST_OF_EACH = 5
BINS = 10


@dataclass(frozen=True)
class Interval:
    """A measured value with the range that holds it in 95 of 100 repetitions."""

    value: float
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Does the range hold this value?"""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Bin:
    """Rows with a similar score: what the model said on average, and what happened."""

    said: float
    happened: Interval
    rows: int


@dataclass(frozen=True)
class Segment:
    """A group of rows: how well the model does there. ``quality`` is None where there are too few rows to judge.

    ``weaker``: clearly below all rows together, with the threshold divided by the number of segments looked at
    (Bonferroni), so that looking at many does not find one by chance.
    """

    dimension: str
    member: str
    rows: int
    quality: Interval | None
    said: float
    happened: Interval | None
    weaker: bool


def wilson(successes: float, rows: int, z: float = Z) -> Interval:
    """A share with its score interval (Wilson 1927; Brown, Cai and DasGupta 2001, eq. 4), never below 0 or above 1."""
    if rows <= 0:
        raise ValueError(f"A share must be of at least one row, got {rows}.")
    share, square = successes / rows, z * z
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = z / (1 + square / rows) * math.sqrt(share * (1 - share) / rows + square / (4 * rows * rows))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def mean(values: np.ndarray, clusters: np.ndarray | None = None, z: float = Z) -> Interval:
    """A mean with its interval from the central limit theorem.

    Rows of one cluster (the same customer in several weeks) may depend on each other: their deviations are added up
    before they are squared (Liang and Zeger 1986; Cameron and Miller 2015, sec. II).
    """
    count = len(values)
    centre = float(values.mean())
    parts: np.ndarray = values - centre
    if clusters is not None:
        parts = np.bincount(np.unique(clusters, return_inverse=True)[1], weights=parts)
    groups = len(parts)
    if groups < 2:
        return Interval(centre, -math.inf, math.inf)
    half = z * math.sqrt(groups / (groups - 1) * float((parts**2).sum())) / count
    return Interval(centre, centre - half, centre + half)


def bins(
    said: np.ndarray, happened: np.ndarray, *, shares: bool, clusters: np.ndarray | None = None, most: int = BINS
) -> tuple[Bin, ...]:
    """Rows in order of score, cut into tenths of equal size, equal scores together; at least ``FEWEST`` rows in each.

    ``shares``: the outcome is 0 or 1 (Wilson interval); otherwise it is an amount (interval of a mean).
    """
    count = len(said)
    wanted = min(most, count // FEWEST)
    if wanted < 1:
        return ()
    order = np.argsort(said, kind="stable")
    _, first = np.unique(said[order], return_index=True)
    starts = np.zeros(count, dtype=bool)
    starts[first] = True
    place = (np.maximum.accumulate(np.where(starts, np.arange(count), 0)) * wanted) // count
    cuts = np.flatnonzero(np.diff(place, prepend=-1))
    parts = _merged([np.asarray(part) for part in np.split(order, cuts[1:])])
    groups = [None if clusters is None else clusters[part] for part in parts]
    return tuple(
        Bin(float(said[p].mean()), _happened(happened[p], g, shares), len(p))
        for p, g in zip(parts, groups, strict=True)
    )


def auc(score: np.ndarray, outcome: np.ndarray, z: float = Z) -> Interval:
    """The share of pairs of a success and a failure in which the success has the higher score, ties counting half.

    Variance after DeLong, DeLong and Clarke-Pearson (1988), by mid-ranks (Sun and Xu 2014), so that it costs one sort.
    Raises ``ValueError`` where all outcomes are the same.
    """
    positive = outcome > 0.5
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not ups or not downs:
        raise ValueError("A ranking needs successes and failures, got only one of them.")
    every = _mid_ranks(score)
    own = np.empty(len(score))
    own[positive] = _mid_ranks(score[positive])
    own[~positive] = _mid_ranks(score[~positive])
    of_success = (every[positive] - own[positive]) / downs
    of_failure = 1 - (every[~positive] - own[~positive]) / ups
    value = float(of_success.mean())
    spread = _variance(of_success) / ups + _variance(of_failure) / downs
    half = z * math.sqrt(spread)
    return Interval(value, max(0.0, value - half), min(1.0, value + half))


def error(predicted: np.ndarray, happened: np.ndarray, clusters: np.ndarray | None = None, z: float = Z) -> Interval:
    """The mean absolute error with its interval."""
    return mean(np.abs(predicted - happened), clusters, z)


def error_against(
    predicted: np.ndarray, rule: np.ndarray, happened: np.ndarray, clusters: np.ndarray | None = None
) -> tuple[Interval, Interval, Interval]:
    """Mean absolute error of the model, of the rule, and the difference row by row (model minus rule)."""
    model, other = np.abs(predicted - happened), np.abs(rule - happened)
    return mean(model, clusters), mean(other, clusters), mean(model - other, clusters)


def segments(
    said: np.ndarray,
    happened: np.ndarray,
    dimensions: Mapping[str, np.ndarray],
    *,
    shares: bool,
    clusters: np.ndarray | None = None,
) -> tuple[Segment, ...]:
    """Every group of every dimension, the worst first, those too small to judge last.

    The quality is the share of pairs in the right order (``shares``) or the mean absolute error. Unknown members
    (None) are a group of their own, "".
    """
    groups = [(d, m, rows) for d, of in dimensions.items() for m, rows in _members(of)]
    judged = sum(enough(happened[rows], shares=shares) for _, _, rows in groups)
    z = _two_sided(0.05 / max(1, judged))
    whole = _quality(said, happened, clusters, shares=shares, z=Z) if enough(happened, shares=shares) else None
    found = []
    for dimension, member, rows in groups:
        within = clusters[rows] if clusters is not None else None
        quality = strict = None
        if whole is not None and enough(happened[rows], shares=shares):
            quality = _quality(said[rows], happened[rows], within, shares=shares, z=Z)
            strict = _quality(said[rows], happened[rows], within, shares=shares, z=z)
        found.append(
            Segment(
                dimension=dimension,
                member=member,
                rows=len(rows),
                quality=quality,
                said=float(said[rows].mean()),
                happened=_happened(happened[rows], within, shares) if len(rows) >= FEWEST else None,
                weaker=strict is not None
                and whole is not None
                and (strict.high < whole.value if shares else strict.low > whole.value),
            )
        )
    return tuple(sorted(found, key=lambda s: (*_badness(s, shares), s.dimension, s.member)))


def enough(happened: np.ndarray, *, shares: bool) -> bool:
    """Are there enough rows (and, for shares, at least five of each outcome) to judge anything?"""
    if len(happened) < FEWEST:
        return False
    ups = int((happened > 0.5).sum())
    return not shares or min(ups, len(happened) - ups) >= FEWEST_OF_EACH


def _badness(segment: Segment, shares: bool) -> tuple[float, ...]:
    if segment.quality is None:
        return (1.0, -float(segment.rows))
    return (0.0, segment.quality.value if shares else -segment.quality.value)


def _quality(
    said: np.ndarray, happened: np.ndarray, clusters: np.ndarray | None, *, shares: bool, z: float
) -> Interval:
    return auc(said, happened, z) if shares else error(said, happened, clusters, z)


def _happened(happened: np.ndarray, clusters: np.ndarray | None, shares: bool) -> Interval:
    return wilson(float(happened.sum()), len(happened)) if shares else mean(happened, clusters)


def _members(column: np.ndarray) -> list[tuple[str, np.ndarray]]:
    texts = np.array(["" if v is None else str(v) for v in column], dtype=object).astype(str)
    names, place = np.unique(texts, return_inverse=True)
    return [(str(name), np.flatnonzero(place == at)) for at, name in enumerate(names)]


def _merged(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Join a part that ties left too small to its neighbour."""
    made: list[np.ndarray] = []
    for part in parts:
        if made and (len(part) < FEWEST or len(made[-1]) < FEWEST):
            made[-1] = np.concatenate([made[-1], part])
        else:
            made.append(part)
    return made


def _mid_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values at the middle of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def _variance(values: np.ndarray) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _two_sided(share: float) -> float:
    """The quantile of the normal distribution that leaves ``share`` outside, half on each side."""
    return NormalDist().inv_cdf(1 - share / 2)
