"""Does it say what happens, and where is it weaker? Both over all past lists in the viewer's rows."""

from __future__ import annotations

import math

import numpy as np

from models import performance
from models.performance import Bin, Interval
from services import model_past, model_words, wording
from services.errors import NotReady
from services.model_answers import CalibrationPart, SaidPoint, SegmentLine, SegmentPart
from services.model_past import Past, Rows
from services.model_query import EVERY
from services.model_words import Words
from services.wording import NBSP

MOST_MEMBERS, MOST_DIMENSIONS = 12, 8
MOST_LINES, MOST_SMALL = 8, 3
RULE_DIMENSION = "rule"


def calibration(past: Past) -> CalibrationPart:
    """Does 30 % mean 30 %? Over all past lists."""
    return past.sources.cache.get_or_make(
        (*past.key, "calibration"), lambda: _calibration(past, model_past.read(past, EVERY))
    )


def segments(past: Past) -> SegmentPart:
    """Where it is weaker, over all past lists."""
    return past.sources.cache.get_or_make((*past.key, "segments"), lambda: _segments(past))


def _calibration(past: Past, rows: Rows) -> CalibrationPart:
    words = past.words
    if not performance.enough(rows.outcome, shares=past.shares):
        raise NotReady(model_past.too_few(past, rows))
    bins = model_past.bins_of(rows, past.shares)
    said, happened = model_past.whole_of(rows, past.shares)
    unit = "percent" if past.shares else (past.use.unit or "")
    return CalibrationPart(
        heading=_calibration_heading(past, bins),
        title="Said against happened, in tenths by score",
        sentence=model_words.fit_sentence(words, said, happened, bins),
        points=tuple(_point(words, b, wording.count(b.rows, past.noun)) for b in bins),
        unit=unit,
        currency=past.sources.workspace.lake.currency,
        source=f"{model_past.scope_words(past)}. The lines hold 95 % ({'Wilson' if past.shares else 'of the mean'}).",
    )


def _calibration_heading(past: Past, bins: tuple[Bin, ...]) -> str:
    if past.shares:
        return "Does 30 % mean 30 %?"
    said = bins[len(bins) // 2].said
    middle = wording.shown(said, past.use.unit, 0 if abs(said) >= 10 else None, past.words.lake).text
    return f"Does {middle} mean {middle}?"


def _point(words: Words, found: Bin, counted: str) -> SaidPoint:
    said, happened = words.amount(found.said), words.amount(found.happened.value)
    ends = model_words.interval(words.amount(found.happened.low), words.amount(found.happened.high))
    return SaidPoint(
        said=found.said,
        happened=found.happened.value,
        low=found.happened.low,
        high=found.happened.high,
        text=f"Said {said}\nhappened {happened} ({ends})\n{counted}",
        cells=(said, happened, ends, counted),
    )


def _segments(past: Past) -> SegmentPart:
    rows = model_past.read(past, EVERY)
    if not performance.enough(rows.outcome, shares=past.shares):
        raise NotReady(model_past.too_few(past, rows))
    dimensions = _looked_at(past, rows)
    found = performance.segments(
        rows.score, rows.outcome, dimensions, shares=past.shares, clusters=None if past.shares else rows.entity
    )
    judged = [s for s in found if s.quality is not None]
    small = [s for s in found if s.quality is None]
    whole = (
        performance.auc(rows.score, rows.outcome)
        if past.shares
        else performance.error(rows.score, rows.outcome, rows.entity)
    )
    axis = _axis(past, [s.quality for s in judged if s.quality] + [whole])
    lines = [_line(past, s, axis) for s in (*judged[:MOST_LINES], *small[:MOST_SMALL])]
    return SegmentPart(
        title=_segment_title(past, judged),
        measure="Pairs in the right order" if past.shares else "Mean error",
        explained=_explained(past),
        whole=_place(whole.value, axis),
        whole_text=_quality_text(past, whole.value),
        lines=tuple(lines),
        source=f"{model_past.scope_words(past)}.",
    )


def _looked_at(past: Past, rows: Rows) -> dict[str, np.ndarray]:
    made: dict[str, np.ndarray] = {}
    if len(past.runs) > 1 and len(past.runs) <= MOST_MEMBERS:
        made["run"] = rows.run
    for column, values in rows.others.items():
        listed = values.to_pylist()
        if 2 <= len(set(listed)) <= MOST_MEMBERS and len(made) < MOST_DIMENSIONS:
            made[column] = np.array(listed, dtype=object)
    if rows.rule is not None and np.isnan(rows.rule).any() and not np.isnan(rows.rule).all():
        made[RULE_DIMENSION] = np.where(np.isnan(rows.rule), "cannot rank", "can rank").astype(object)
    return made


def _line(past: Past, found: performance.Segment, axis: tuple[float, float]) -> SegmentLine:
    words, quality = past.words, found.quality
    dimension, member = _segment_words(past, found)
    return SegmentLine(
        dimension=dimension,
        member=member,
        rows_text=f"{found.rows:,}{NBSP}{'row' if found.rows == 1 else 'rows'}",
        value=None if quality is None else _place(quality.value, axis),
        low=0.0 if quality is None else _place(quality.low, axis),
        high=0.0 if quality is None else _place(quality.high, axis),
        text="too few to judge" if quality is None else _range_text(past, quality),
        said="" if found.happened is None else words.amount(found.said),
        happened="" if found.happened is None else words.amount(found.happened.value),
        weaker=found.weaker,
    )


def _segment_words(past: Past, found: performance.Segment) -> tuple[str, str]:
    if found.dimension == "run":
        return "", model_past.run_label(past, found.member)
    if found.dimension == RULE_DIMENSION:
        return "", f"The rule {found.member}"
    about = past.sources.workspace.lake.datasets[past.outcomes.dataset].columns[found.dimension]
    feature = past.use.features.get(found.dimension)
    spoken = {"True": "yes", "False": "no", "": "not known"}.get(found.member, found.member)
    return about.label, feature.words.get(found.member, spoken) if feature else spoken


def _segment_title(past: Past, judged: list[performance.Segment]) -> str:
    weaker = [s for s in judged if s.weaker]
    if not judged:
        return "No group is large enough to judge by itself."
    if not weaker:
        return "No group is clearly weaker than all of them together."
    rest = [
        ": ".join(part for part in _segment_words(past, s) if part) for s in weaker if s.dimension != RULE_DIMENSION
    ]
    said = [f"for {name}" for name in rest[:2]]
    if len(rest) < len(weaker):
        member = next(s.member for s in weaker if s.dimension == RULE_DIMENSION)
        said.insert(0, f"where the simplest rule {member}")
    return f"Clearly weaker {' and '.join(said)}."


def _explained(past: Past) -> str:
    if not past.shares:
        return "How far off the prediction is on average; the upright line is all rows together."
    one = past.use.words.success.one
    return (
        f"Of 100 pairs of one with a {one} and one without, so many have the right one first; "
        "50 is chance, the upright line is all rows together."
    )


def _axis(past: Past, found: list[Interval]) -> tuple[float, float]:
    if past.shares:
        return min(0.5, *(i.low for i in found)), 1.0
    return 0.0, max((i.high for i in found if math.isfinite(i.high)), default=0.0) or 1.0


def _place(value: float, axis: tuple[float, float]) -> float:
    return float(np.clip((value - axis[0]) / (axis[1] - axis[0]), 0.0, 1.0))


def _quality_text(past: Past, value: float) -> str:
    return f"{value * 100:.0f}" if past.shares else past.words.amount(value)


def _range_text(past: Past, found: Interval) -> str:
    ends = model_words.interval(_quality_text(past, found.low), _quality_text(past, found.high))
    return f"{_quality_text(past, found.value)} ({ends})"
