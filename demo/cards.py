"""Model cards: what the test rows say, out of time and beside the simplest rule, with 95 % bootstrap intervals.

Households are drawn with replacement (a household's rows stay together), so that the intervals hold for new households.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

DRAWS = 400
SEED = 7
CAPACITY = 200

Measure = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Tested:
    """Test rows with what happened, what the model said and what the rule says (higher is more likely, or the amount)."""

    household: np.ndarray
    outcome: np.ndarray
    model: np.ndarray
    rule: np.ndarray


@dataclass(frozen=True)
class Asked:
    """One figure of a card: how it is computed from outcome and score, and how it is said."""

    name: str
    label: str
    measure: Measure
    better: str = "up"
    unit: str | None = None
    note: str = ""


def auc(outcome: np.ndarray, score: np.ndarray) -> float:
    """The chance that a success is ranked above a failure; ties count half (Mann and Whitney 1947)."""
    ranks = pd.Series(score).rank().to_numpy()
    yes = outcome > 0
    n, m = int(yes.sum()), int((~yes).sum())
    return float((ranks[yes].sum() - n * (n + 1) / 2) / (n * m)) if n and m else float("nan")


def in_first(outcome: np.ndarray, score: np.ndarray, count: int = CAPACITY) -> float:
    """Successes among the ``count`` highest scores; rows that tie at the limit count with their share."""
    if len(score) <= count:
        return float(outcome.sum())
    limit = np.partition(score, len(score) - count)[len(score) - count]
    above, tied = score > limit, score == limit
    return float(outcome[above].sum() + outcome[tied].mean() * (count - above.sum()))


def mean_error(outcome: np.ndarray, score: np.ndarray) -> float:
    """The mean absolute error."""
    return float(np.abs(outcome - score).mean())


def said_to_happened(outcome: np.ndarray, score: np.ndarray) -> float:
    """The sum of what was said as a share of what happened."""
    return float(score.sum() / outcome.sum())


def figures(tested: Tested, asked: Sequence[Asked]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The card's figures of the model and of the rule, each with its interval."""
    drawn = _draws(tested.household)
    model = [_figure(a, tested.outcome, tested.model, drawn=drawn) for a in asked]
    rule = [_figure(a, tested.outcome, tested.rule, drawn=drawn) for a in asked]
    return model, rule


def advantage(tested: Tested, measure: Measure) -> tuple[float, float, float]:
    """Model minus rule with its interval, on the same draws."""
    drawn = _draws(tested.household)
    each = [measure(tested.outcome[d], tested.model[d]) - measure(tested.outcome[d], tested.rule[d]) for d in drawn]
    low, high = np.nanpercentile(each, [2.5, 97.5])
    return measure(tested.outcome, tested.model) - measure(tested.outcome, tested.rule), float(low), float(high)


def flat(figures_: Sequence[Mapping[str, Any]], prefix: str = "") -> dict[str, float]:
    """Figures as a registry keeps them: one number a name."""
    made: dict[str, float] = {}
    for one in figures_:
        name = prefix + str(one["name"])
        made |= {name: one["value"], f"{name}_low": one["low"], f"{name}_high": one["high"]}
    return {name: value for name, value in made.items() if np.isfinite(value)}


def _draws(household: np.ndarray) -> list[np.ndarray]:
    """Row positions of each draw."""
    order = np.argsort(household, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(household[order]) != 0])
    groups = np.split(order, starts[1:])
    random = np.random.default_rng(SEED)
    return [np.concatenate([groups[i] for i in random.integers(0, len(groups), len(groups))]) for _ in range(DRAWS)]


def _figure(asked: Asked, outcome: np.ndarray, score: np.ndarray, *, drawn: list[np.ndarray]) -> dict[str, Any]:
    each = [asked.measure(outcome[d], score[d]) for d in drawn]
    low, high = np.nanpercentile(each, [2.5, 97.5])
    return {
        "name": asked.name,
        "label": asked.label,
        "value": round(asked.measure(outcome, score), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "n": len(outcome),
        "better": asked.better,
        "unit": asked.unit,
        "note": asked.note,
    }
