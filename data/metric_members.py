"""A metric by the members of a dimension: which stand alone, and what each adds to a change. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from data.definitions import Scalar
from data.metric_book import MetricBook, additive, foldable
from data.metrics import Facts, Lookup, evaluate, lookup, ratio_parts
from data.periods import Span

SMALL_SHARE = 0.01
MOST_MEMBERS = 60


@dataclass(frozen=True)
class Folded:
    """Members to show, largest first, and those too small to show alone."""

    kept: tuple[Scalar, ...]
    small: tuple[Scalar, ...]


def weight(book: MetricBook, metric: str, span: Span, find: Lookup) -> float:
    """How much a member weighs when small ones are folded: its size, or the denominator of a ratio."""
    if book.metric(metric).kind == "ratio":
        return abs(ratio_parts(book, metric, span, find)[1] or 0.0)
    return abs(evaluate(book, metric, span, find) or 0.0)


def fold(
    weights: Mapping[Scalar, tuple[float, ...]], *, smallest: float = SMALL_SHARE, most: int = MOST_MEMBERS
) -> Folded:
    """Keep the members that weigh at least ``smallest`` of the whole now or before; a single small one stays.

    ``weights`` gives for each member its weight now and, if compared, before.
    """
    periods = max((len(w) for w in weights.values()), default=0)
    wholes = [math.fsum(w[n] for w in weights.values()) for n in range(periods)]

    def share(member: Scalar) -> float:
        return max((w / whole for w, whole in zip(weights[member], wholes, strict=True) if whole), default=0.0)

    ranked = sorted(weights, key=lambda m: (-weights[m][0] if weights[m] else 0.0, -share(m), m is None, str(m)))
    kept = [m for m in ranked if share(m) >= smallest][:most]
    held = set(kept)
    small = [m for m in ranked if m not in held]
    return Folded(tuple(ranked), ()) if len(small) == 1 else Folded(tuple(kept), tuple(small))


def contributions(book: MetricBook, metric: str, facts: Facts, *, now: Span, before: Span) -> dict[Scalar, float]:
    """What each member adds to the change of a metric; the parts add up to the whole change. ``{}`` where none do.

    Of a metric that adds up: its own change. Of a ratio R = N/D of sums, with R₀ the whole ratio before:
    (n₁ − R₀d₁)/D₁ − (n₀ − R₀d₀)/D₀, how far the member lies from the whole ratio before, by its weight. The second
    terms add up to zero and the first to R₁ − R₀: a member counts both for its own rate and for its share.
    """
    finders = {member: _known(lookup(book, facts, member)) for member in facts.members}
    if additive(book, metric):
        return {m: _value(book, metric, now, f) - _value(book, metric, before, f) for m, f in finders.items()}
    if book.metric(metric).kind == "ratio" and foldable(book, metric):
        parts = {m: (_parts(book, metric, now, f), _parts(book, metric, before, f)) for m, f in finders.items()}
        return _ratio_contributions(parts)
    return {}


def _known(find: Lookup) -> Lookup:
    """What a whole takes from a member: a measure that is unknown adds nothing to it."""
    return lambda name, span: find(name, span) or 0.0


def _value(book: MetricBook, metric: str, span: Span, find: Lookup) -> float:
    return evaluate(book, metric, span, find) or 0.0


def _parts(book: MetricBook, metric: str, span: Span, find: Lookup) -> tuple[float, float]:
    over, under = ratio_parts(book, metric, span, find)
    return over or 0.0, under or 0.0


def _ratio_contributions(
    parts: Mapping[Scalar, tuple[tuple[float, float], tuple[float, float]]],
) -> dict[Scalar, float]:
    under, under_before = (math.fsum(p[at][1] for p in parts.values()) for at in (0, 1))
    if not under or not under_before:
        return {}
    rate = math.fsum(p[1][0] for p in parts.values()) / under_before
    return {
        member: (n1 - rate * d1) / under - (n0 - rate * d0) / under_before
        for member, ((n1, d1), (n0, d0)) in parts.items()
    }
