"""Would it have worked? A model on its own past, beside the simplest rule and chance, and what that comes to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models import performance, replaying
from models.replaying import Replayed
from services import model_past, model_words, wording
from services.model_answers import Compared, ReplayPart, RunChoice, Verdict
from services.model_past import Past, Rows
from services.model_query import EVERY, ModelQuery
from services.model_words import Place

MOST_RUNS = 12
BY_CHANCE = "Ranges by bootstrap; of random picks by the hypergeometric distribution."
BY_MEAN = "Ranges of the mean, by the central limit theorem."


@dataclass(frozen=True)
class InAll:
    """All past lists together, each at the usual capacity: the verdict, and the bars unless too little is known."""

    verdict: Verdict
    compared: Compared | None


def in_all(past: Past) -> InAll:
    """What all past lists come to."""
    return past.sources.cache.get_or_make((*past.key, "in all"), lambda: _in_all(past))


def replay(past: Past, query: ModelQuery) -> ReplayPart:
    """Would it have worked? For the list and the number of rows that the query names."""
    run = model_past.chosen_run(past, query.run)
    first = query.first or model_past.usual_first(past)
    return past.sources.cache.get_or_make((*past.key, "replay", run, first), lambda: _replay(past, run, first))


def _together(past: Past, run: str) -> bool:
    return run == EVERY and len(past.runs) > 1


def _place(past: Past, run: str, first: int) -> Place:
    if _together(past, run):
        return Place(f"In the first {first:,} of each of {len(past.runs)} past lists", "All of the past lists")
    one = model_past.run_place(past, run if run != EVERY else past.runs[0].run)
    return Place(f"In the first {first:,} of {one}", f"All of {one}")


def _amounts(past: Past, rows: Rows, run: str) -> Compared:
    one = model_past.run_place(past, run if run != EVERY else past.runs[0].run)
    where = f"Over {len(past.runs)} past lists" if _together(past, run) else f"On {one}"
    return model_words.predicted(past.words, *model_past.errors_of(rows), where)


def _compared(past: Past, rows: Rows, run: str, first: int) -> Compared:
    if not past.shares:
        return _amounts(past, rows, run)
    found = replaying.replay(model_past.lists_of(rows), first)
    return model_words.ranked(past.words, found, _place(past, run, first))


def _replay(past: Past, run: str, first: int) -> ReplayPart:
    rows = model_past.read(past, run)
    most = max((r.rows for r in past.runs if run in (EVERY, r.run)), default=0)
    taken = min(first, most)
    if not performance.enough(rows.outcome, shares=past.shares):
        said = Compared(model_past.too_few(past, rows), (), "", "")
    else:
        said = _compared(past, rows, run, taken)
    return ReplayPart(
        choices=_choices(past, run),
        first=taken if past.shares else None,
        most=most,
        first_label=f"How many {past.use.words.entity.many} from the top of the list",
        compared=said,
        unranked=_unranked(past, rows, run, taken),
        source=_source(past, rows, run),
        method=BY_CHANCE if past.shares else BY_MEAN,
        note=_note(past, first, most),
    )


def _note(past: Past, first: int, most: int) -> str:
    if past.use.baseline is not None and not past.rule_visible:
        return "The simplest rule uses information that is hidden from you, so it is not compared."
    if past.shares and first > most:
        return f"The list has {wording.count(most, past.use.words.entity)} in your rows; all of them are taken."
    return ""


def _source(past: Past, rows: Rows, run: str) -> str:
    happened = wording.count(int(rows.outcome.sum()), past.use.words.success) if past.shares else ""
    counted = wording.count(len(rows.outcome), past.noun if _together(past, run) else past.use.words.entity)
    measured = f"{counted}, {happened}" if happened else counted
    weighed = past.use.lead is not None and past.use.lead.rank_by == "score_times_value"
    alone = " Ranked by the score alone; the list itself also weighs the money at stake." if weighed else ""
    return f"{measured}. The lines hold 95 %.{alone}"


def _unranked(past: Past, rows: Rows, run: str, first: int) -> Compared | None:
    """The same question among the rows that the rule cannot rank, taking the same share of them."""
    if rows.rule is None:
        return None
    left = np.isnan(rows.rule)
    share = float(left.mean())
    if not left.any() or not performance.enough(rows.outcome[left], shares=past.shares):
        return None
    counted = wording.count(int(left.sum()), past.noun if _together(past, run) else past.use.words.entity)
    if not past.shares:
        entity = None if rows.entity is None else rows.entity[left]
        found = performance.error(rows.score[left], rows.outcome[left], entity)
        said = model_words.predicted(past.words, found, None, None, f"For {counted} without a value of the rule")
        return Compared(said.title, said.bars, "", "")
    taken = max(1, round(first * share))
    found_ = _left_over(past, rows, first)
    if found_ is None:
        return None
    whole = f"the {counted} that the rule cannot rank"
    part = f"each list, among {whole}" if _together(past, run) else whole
    return model_words.ranked(past.words, found_, Place(f"In the first {taken:,} of {part}", f"All of {whole}"))


def _left_over(past: Past, rows: Rows, first: int) -> Replayed | None:
    """The rows that the rule cannot rank, replayed alone: the same share of them is taken as of all rows."""
    left = np.isnan(rows.rule) if rows.rule is not None else np.zeros(0, dtype=bool)
    if not left.any() or not performance.enough(rows.outcome[left], shares=past.shares):
        return None
    lists = [one.without_rule() for one in model_past.lists_of(rows)]
    return replaying.replay(lists, max(1, round(first * float(left.mean()))))


def _choices(past: Past, run: str) -> tuple[RunChoice, ...]:
    if len(past.runs) < 2:
        return ()
    shown = past.runs[:MOST_RUNS]
    shown += tuple(r for r in past.runs[MOST_RUNS:] if r.run == run)
    made = [RunChoice(r.run, model_past.run_label(past, r.run), r.rows, r.run == run) for r in shown]
    return (*made, RunChoice(EVERY, f"All {len(past.runs)} together", past.rows, run == EVERY))


def _in_all(past: Past) -> InAll:
    rows, words = model_past.read(past, EVERY), past.words
    basis = f"Measured on {model_past.scope_words(past)}"
    if len(past.runs) > 1:
        basis += f" in {len(past.runs)} past lists"
    if not performance.enough(rows.outcome, shares=past.shares):
        return InAll(Verdict(model_words.TOO_FEW, "", f"{basis}."), None)
    said, happened = model_past.whole_of(rows, past.shares)
    fits = model_words.fit_verdict(words, said, happened, model_past.bins_of(rows, past.shares))
    if past.shares:
        first = model_past.usual_first(past)
        found = replaying.replay(model_past.lists_of(rows), first)
        ranking, tone = model_words.ranking_verdict(found, _left_over(past, rows, first))
        bars = model_words.ranked(words, found, _place(past, EVERY, first))
        basis += f", the first {first:,} of each"
    else:
        ranking, tone = model_words.amount_verdict(model_past.errors_of(rows)[2])
        bars = _amounts(past, rows, EVERY)
    return InAll(Verdict(model_words.joined(ranking, fits), tone, f"{basis}."), bars)
