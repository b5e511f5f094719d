"""The chosen metric by the members of a dimension: the table, and why the metric moved. Pure: no lake, no viewer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from data.definitions import Scalar
from data.metric_book import additive, foldable
from data.metric_members import contributions, fold, weight
from data.metrics import ALL, Facts, Lookup, lookup, together
from services import kpi_words as words
from services import wording
from services.kpi_answers import Bar, Breakdown, Line, MemberTable
from services.kpi_parts import Frame, line_points, value_of
from services.wording import Shown

TOP_BARS = 5


@dataclass(frozen=True)
class Split:
    """The chosen metric by the members of a dimension: facts by member, the total's facts, what is folded."""

    facts: Facts
    total: Facts
    kept: tuple[Scalar, ...]
    small: tuple[Scalar, ...]
    rest: Facts | None = None


def split(frame: Frame, facts: Facts, total: Facts) -> Split:
    """Which members stand alone, largest first. ``rest`` is still to be read where small ones cannot be added up."""
    metric = frame.query.metric
    spans = [frame.now, *([frame.before] if frame.before else [])]
    weights = {
        member: tuple(weight(frame.book, metric, span, lookup(frame.book, facts, member)) for span in spans)
        for member in facts.members
    }
    folded = fold({m: w for m, w in weights.items() if any(w)})
    return Split(facts, total, folded.kept, folded.small)


def needs_rest(frame: Frame, found: Split) -> bool:
    """Must the folded members be asked for together, because their values do not add up?"""
    return bool(found.small) and not foldable(frame.book, frame.query.metric)


def _rest(frame: Frame, found: Split) -> Lookup:
    if found.rest is not None:
        return lookup(frame.book, found.rest)
    return together(frame.book, found.facts, found.small)


# ── the table ─────────────────────────────────────────────────────────────────────────────────────


def table(frame: Frame, found: Split) -> MemberTable:
    """Every member with value, change and share; the small ones as one line; the total last."""
    about = frame.metric(frame.query.metric)
    whole = value_of(frame, frame.query.metric, frame.now, lookup(frame.book, found.total))
    lines = [_line(frame, m, lookup(frame.book, found.facts, m), whole) for m in found.kept]
    if found.small:
        other = _line(frame, None, _rest(frame, found), whole)
        label = f"All other ({len(found.small):,})"
        lines.append(replace(other, member="", label=label, kind="other", href="", chosen=False))
    total = _line(frame, None, lookup(frame.book, found.total, ALL), whole)
    lines.append(replace(total, member="", label="Total", kind="total", href="", chosen=False))
    adds = additive(frame.book, frame.query.metric)
    return MemberTable(
        title=f"{about.label} {_by(frame)}",
        dimension_label=_dimension(frame),
        metric_label=about.label,
        against=frame.against_label,
        lines=tuple(lines),
        note="" if adds else f"{about.label} does not add up over members: the total is computed on its own.",
    )


def _line(frame: Frame, member: Scalar, find: Lookup, whole: float | None) -> Line:
    metric, about = frame.query.metric, frame.metric(frame.query.metric)
    now, before = value_of(frame, metric, frame.now, find), value_of(frame, metric, frame.before, find)
    part = now / whole if additive(frame.book, metric) and now is not None and whole else None
    text = words.member_text(member)
    return Line(
        member=text,
        label=words.member_label(member),
        value=_cell(frame, now),
        before=_cell(frame, before),
        change=words.change(now, before, about, frame.lake),
        share=part,
        share_text="" if part is None else words.percent_size(part, frame.lake),
        spark=line_points(frame, metric, frame.buckets, find),
        chosen=_is_chosen(frame, text),
        href=frame.query.toggled(frame.query.by, text).to_url(),
    )


def _cell(frame: Frame, value: float | None) -> Shown:
    about = frame.metric(frame.query.metric)
    said = words.shown(value, about, frame.lake)
    return replace(said, text=words.bare(said.text, about))


# ── why it moved ──────────────────────────────────────────────────────────────────────────────────


def breakdown(frame: Frame, found: Split) -> Breakdown:
    """Why the metric moved, where parts add up and there is a comparison; else the members' values."""
    metric, total = frame.query.metric, lookup(frame.book, found.total)
    now, before = value_of(frame, metric, frame.now, total), value_of(frame, metric, frame.before, total)
    if frame.before is not None and now is not None and before is not None:
        parts = contributions(frame.book, metric, found.facts, now=frame.now, before=frame.before)
        if parts:
            return _moved(frame, parts, now - before)
    return _sizes(frame, found, now)


def _moved(frame: Frame, parts: dict[Scalar, float], by: float) -> Breakdown:
    about = frame.metric(frame.query.metric)
    ranked = sorted((m for m in parts if parts[m]), key=lambda m: (-abs(parts[m]), str(m)))
    shown = ranked if len(ranked) == TOP_BARS + 1 else ranked[:TOP_BARS]
    bars = [_bar(frame, m, parts[m], signed=True, detail=_share_of_change(parts[m], by, frame)) for m in shown]
    left = ranked[len(shown) :]
    if left:
        rest = by - math.fsum(b.amount for b in bars)
        said = words.bare(words.amount(rest, about, frame.lake), about)
        bars.append(Bar("", f"Everything else ({len(left):,})", rest, said, _share_of_change(rest, by, frame), "rest"))
    total = words.amount(by, about, frame.lake)
    title = f"{about.label} moved nowhere"
    if bars:
        of = f"of {total}" if by and 0 < bars[0].amount / by <= 1 else f"while all of it moved by {total}"
        title = f"{bars[0].label} moved {wording.inside(about.label, frame.lake)} most: {bars[0].text} {of}"
    note = f"Parts of the change against {frame.against_label}; they add up to {total}."
    if not additive(frame.book, frame.query.metric):
        note += " A part holds both the member's own rate and its weight."
    return Breakdown(f"Why it moved, {_by(frame)}", title, True, tuple(bars), total, note)


def _share_of_change(part: float, by: float, frame: Frame) -> str:
    if not by or part / by < 0:
        return "against the change"
    if part / by > 1:
        return "more than the whole change"
    return f"{words.percent_size(part / by, frame.lake)} of the change"


def _sizes(frame: Frame, found: Split, now: float | None) -> Breakdown:
    metric, about = frame.query.metric, frame.metric(frame.query.metric)
    bars = []
    for member in found.kept[:TOP_BARS]:
        find = lookup(frame.book, found.facts, member)
        value = value_of(frame, metric, frame.now, find)
        moved = words.change(value, value_of(frame, metric, frame.before, find), about, frame.lake)
        if value is not None:
            bars.append(_bar(frame, member, value, signed=False, detail=moved.spoken if moved else ""))
    top = max(bars, key=lambda b: b.amount, default=None)
    title = f"{about.label} {_by(frame)}"
    if top and len(bars) > 1:
        title = f"{about.label}: {top.label} is highest of the {wording.number_word(len(bars))} largest, at {top.text}"
    more = len(found.kept) + len(found.small) - len(bars)
    note = f"The largest {len(bars)} of {len(bars) + more:,}; all of them are in the table below." if more > 0 else ""
    total = words.shown(now, about, frame.lake).text
    return Breakdown(_by(frame).replace("by", "By", 1), title, False, tuple(bars), total, note)


def _bar(frame: Frame, member: Scalar, amount: float, *, signed: bool, detail: str) -> Bar:
    about, text = frame.metric(frame.query.metric), words.member_text(member)
    said = words.amount(amount, about, frame.lake) if signed else words.shown(amount, about, frame.lake).text
    said = words.bare(said, about)
    href = frame.query.toggled(frame.query.by, text).to_url()
    return Bar(text, words.member_label(member), amount, said, detail, chosen=_is_chosen(frame, text), href=href)


def _is_chosen(frame: Frame, member: str) -> bool:
    return member in dict(frame.query.chosen).get(frame.query.by, ())


def _by(frame: Frame) -> str:
    return f"by {wording.inside(_dimension(frame), frame.lake)}"


def _dimension(frame: Frame) -> str:
    return frame.book.metrics.dimensions[frame.query.by].label
