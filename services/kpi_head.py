"""The head of the overview: period and scope in words, every control as addresses, and what needs attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from data.periods import DAY, period_of
from services import access, wording
from services import kpi_words as words
from services.kpi_answers import Attention, Card, Chip, Head, Option, Problem, Word
from services.kpi_desk import Desk, offered_dimensions
from services.kpi_parts import Frame
from services.kpi_query import COMPARISONS, UNITS

UNIT_LABELS = {"week": "Week", "month": "Month", "quarter": "Quarter", "custom": "Custom"}
AGAINST_LABELS = {"previous": "Period before", "year": "A year before", "none": "No comparison"}
MOST_ATTENTION = 5
FEWEST_KNOWN = 6


def head(desk: Desk) -> Head:
    """Everything above the headline."""
    query, frame, book = desk.query, desk.frame, desk.book
    earlier, later = _steps(desk)
    return Head(
        period=frame.period_label,
        note=words.progress(frame.period),
        against=frame.against_label,
        against_sentence=_against_sentence(frame),
        scope=_scope(desk),
        stale=tuple(s.stale_reason for s in desk.published.values() if s.stale),
        periods=tuple(_unit_option(desk, unit) for unit in UNITS),
        comparisons=tuple(
            Option(c, AGAINST_LABELS[c], c == query.against, replace(query, against=c).to_url()) for c in COMPARISONS
        ),
        dimensions=tuple(
            Option(d, book.metrics.dimensions[d].label, d == query.by, replace(query, by=d).to_url())
            for d in offered_dimensions(desk.viewer, book, query.metric)
        ),
        earlier=earlier,
        later=later,
        first=frame.period.first,
        last=frame.period.last,
        begins=desk.begins or frame.period.first,
        through=desk.through,
        chips=_chips(desk),
        reset=replace(query, chosen=()).to_url(),
    )


def _against_sentence(frame: Frame) -> str:
    if frame.before is None:
        return "Without a comparison"
    same = "" if frame.period.complete else f", the same {frame.before.days} days"
    return f"Compared with {frame.against_label}{same}"


def _scope(desk: Desk) -> tuple[str, ...]:
    """As of when, and whose rows: "As of 31 Dec 2017", "Territory is North"."""
    reasons = [desk.viewer.scopes[d].reason for d in desk.published if d in desk.viewer.scopes]
    said = dict.fromkeys(r.rstrip(".") for r in reasons)
    return (f"As of {wording.day(desk.through)}", *(said or {"No rows": None}))


def _unit_option(desk: Desk, unit: str) -> Option:
    query, period = desk.query, desk.frame.period
    if unit == "custom":
        view = replace(query, period="custom", on=None, first=period.first, last=period.until)
    else:
        on = period.until if period.until < desk.through else None
        view = replace(query, period=unit, on=on, first=None, last=None)  # type: ignore[arg-type]
    return Option(unit, UNIT_LABELS[unit], unit == query.period, view.to_url())


def _steps(desk: Desk) -> tuple[str, str]:
    """The views one period earlier and one later; "" where there is none."""
    query, period = desk.query, desk.frame.period
    begins = desk.begins
    if begins is None:
        return "", ""
    if period.unit == "custom":
        return _custom_steps(desk, begins)
    before = period.first - DAY
    earlier = replace(query, on=before).to_url() if before >= begins else ""
    after = period.last + DAY
    if after > desk.through:
        return earlier, ""
    newest = period_of(period.unit, desk.through, desk.through)
    return earlier, replace(query, on=None if after >= newest.first else after).to_url()


def _custom_steps(desk: Desk, begins: date) -> tuple[str, str]:
    """As many days just before, and just after."""
    query, period = desk.query, desk.frame.period
    move = timedelta(days=period.of_days)
    earlier = replace(query, first=period.first - move, last=period.last - move).to_url()
    later = replace(query, first=period.first + move, last=period.last + move).to_url()
    return earlier if period.first > begins else "", later if period.first + move <= desk.through else ""


def _chips(desk: Desk) -> tuple[Chip, ...]:
    query, dimensions = desk.query, desk.book.metrics.dimensions
    typed = {(d, words.member_text(m)): m for d, members in desk.chosen for m in members}
    return tuple(
        Chip(
            d,
            text,
            f"{dimensions[d].label}: {words.member_label(typed[d, text])}",
            query.toggled(d, text).to_url(),
        )
        for d, texts in query.chosen
        for text in texts
    )


# ── what needs attention ──────────────────────────────────────────────────────────────────────────


def attention(desk: Desk, cards: Sequence[Card | Problem], *, models: Sequence[Attention]) -> tuple[Attention, ...]:
    """Stale data first, then models that wait, then metrics outside the range of the earlier periods; at most five."""
    data_page = "/data" if access.decide(desk.viewer, "data:read").allowed else ""
    found = [
        Attention(desk.book.lake.datasets[n].label, s.stale_reason, data_page, "bad")
        for n, s in desk.published.items()
        if s.stale
    ]
    found += models
    found += [a for c in cards if isinstance(c, Card) and (a := _outside(desk, c))]
    return tuple(found[:MOST_ATTENTION])


def _outside(desk: Desk, card: Card) -> Attention | None:
    """Is a finished period's value the highest or lowest of those known (at least six)?"""
    known = [p.value for p in card.spark if p.value is not None and p.complete]
    last = card.spark[-1]
    if not last.complete or last.value is None or len(known) < FEWEST_KNOWN:
        return None
    earlier = known[:-1]
    if min(earlier) <= last.value <= max(earlier):
        return None
    word: Word = "up" if last.value > max(earlier) else "down"
    said = "highest" if word == "up" else "lowest"
    verdict = words.judged(word, desk.book.metric(card.metric).good)
    when = words.when(last.label, desk.frame.grain)
    detail = f"{last.text} {when}: the {said} of {len(known)} {desk.frame.grain}s"
    return Attention(card.label, detail, card.href, verdict)


def quiet(desk: Desk, cards: Sequence[Card | Problem]) -> str:
    """What is said when nothing needs attention: since when each metric has stayed inside the range it had before."""
    if not any(isinstance(c, Card) for c in cards):
        return "There is nothing to watch yet."
    at, label = max((_last_outside(c) for c in cards if isinstance(c, Card)), default=(-1, ""))
    if at < 0:
        return f"Nothing outside the range of the {desk.frame.grain}s before."
    return f"Nothing outside its usual range since {words.the(label, desk.frame.grain)}."


def _last_outside(card: Card) -> tuple[int, str]:
    """The newest finished period in which a metric left the range it had had, and its place; −1 where it never did."""
    known = [(at, p) for at, p in enumerate(card.spark) if p.value is not None and p.complete]
    found = (-1, "")
    for place in range(FEWEST_KNOWN - 1, len(known)):
        at, point = known[place]
        earlier = [p.value or 0.0 for _, p in known[:place]]
        if not min(earlier) <= (point.value or 0.0) <= max(earlier):
            found = (at, point.label)
    return found
