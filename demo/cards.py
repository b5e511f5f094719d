"""Figures for model cards: what test rows say, beside the simplest rule, with 95 % bootstrap intervals.

Households are drawn with replacement (a household's rows stay together), so that the intervals hold for other
households of the same kind (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, sec. 13.3).
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
class Trial:
    """Test rows: what happened, what the model said and what the rule says (higher is likelier, or the amount)."""

    household: np.ndarray
    outcome: np.ndarray
    model: np.ndarray
    rule: np.ndarray

    def part(self, rows: np.ndarray) -> Trial:
        """Some of the rows."""
        return Trial(self.household[rows], self.outcome[rows], self.model[rows], self.rule[rows])


@dataclass(frozen=True)
class Asked:
    """One figure of a card: its name, its label, how it is computed from outcome and score, and its good direction."""

    name: str
    label: str
    measure: Measure
    better: str = "up"
    unit: str | None = None


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


def figures(tested: Trial, asked: Asked) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figure of the model and that of the rule, each with its interval, and in the note how far they differ."""
    drawn = _draws(tested.household)
    model = np.array([asked.measure(tested.outcome[d], tested.model[d]) for d in drawn])
    rule = np.array([asked.measure(tested.outcome[d], tested.rule[d]) for d in drawn])
    ours = _figure(asked, asked.measure(tested.outcome, tested.model), model, len(tested.outcome))
    theirs = _figure(asked, asked.measure(tested.outcome, tested.rule), rule, len(tested.outcome))
    low, high = np.nanpercentile(model - rule, [2.5, 97.5])
    ours["difference"] = {
        "value": round(ours["value"] - theirs["value"], 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }
    ours["note"] = _note(asked, ours["difference"])
    return ours, theirs


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


def _figure(asked: Asked, value: float, drawn: np.ndarray, rows: int) -> dict[str, Any]:
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return {
        "name": asked.name,
        "label": asked.label,
        "value": round(value, 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "n": rows,
        "better": asked.better,
        "unit": asked.unit,
        "note": "",
    }


def _note(asked: Asked, difference: Mapping[str, float]) -> str:
    """Model minus rule on the same draws, in words; "" for a figure without a good direction."""
    if asked.better not in ("up", "down"):
        return ""
    value, low, high = (_signed(difference[k]) for k in ("value", "low", "high"))
    good = difference["low"] > 0 if asked.better == "up" else difference["high"] < 0
    bad = difference["high"] < 0 if asked.better == "up" else difference["low"] > 0
    verdict = "the model is better" if good else "the rule is better" if bad else "no clear difference"
    return f"Model minus rule: {value} ({low} to {high}): {verdict}."


def _signed(value: float) -> str:
    digits = 1 if abs(value) >= 1 else 3
    return f"{value:+.{digits}f}".replace("-", "\u2212")
