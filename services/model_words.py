"""A model's measurements in sentences: the same figures always give the same words.

Pure. A difference is "clear" only where its 95 % range leaves out zero; otherwise the sentence says that it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data.definitions import LakeFile, ModelUse
from models.performance import Bin, Interval
from models.replaying import Judgement, Replayed
from services import wording
from services.model_answers import Bar, Compared, Tone
from services.wording import NBSP

TONES: dict[str, Tone] = {"better": "good", "same": "watch", "worse": "bad"}
TO = "to"
JOINED = "\u2060"
"""Keeps a sign and its amount on one line."""
TOO_FEW = "Too few outcomes to judge it."
NOT_MEASURED = "Not measured yet."


@dataclass(frozen=True)
class Words:
    """The words of one model: its definition and the business's formats."""

    use: ModelUse
    lake: LakeFile

    def amount(self, value: float) -> str:
        """A score, or a difference of scores, as people read it."""
        unit = "percent" if self.use.task == "classification" else self.use.unit
        return wording.shown(value, unit, None, self.lake).text

    def successes(self, value: float) -> str:
        """A number of successes; shares of tied rows are rounded."""
        return f"{value:,.0f}"

    @property
    def rule(self) -> str:
        """The simplest rule by its name."""
        return self.use.baseline.label if self.use.baseline else ""


def interval(low: str, high: str) -> str:
    """A range in words, "98 to 136"; one value where both ends read the same."""
    return low if low == high else f"{low} {TO} {high}"


# ── rankings ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Place:
    """Where successes were counted: "In the first 200 of Campaign 18", and the whole list, "Campaign 18"."""

    first: str
    whole: str


def ranked(words: Words, found: Replayed, place: Place) -> Compared:
    """A replay of a ranking."""
    finds = f"{words.successes(found.model.value)} of {wording.count(found.successes, words.use.words.success)}"
    title = f"{place.first}, this model finds {finds}."
    if found.contacted == found.rows:
        title = f"{place.whole}: {wording.count(found.successes, words.use.words.success)}."
    bars = [_count_bar("model", "This model", found.model, words)]
    if found.rule is not None:
        bars.append(_count_bar("rule", f"Simplest rule: {words.rule}", found.rule, words))
    bars.append(_count_bar("random", "Picked at random", found.random, words))
    sentence, tone = _ranked_words(words, found)
    return Compared(title, tuple(bars), sentence, tone)


def _ranked_words(words: Words, found: Replayed) -> tuple[str, Tone]:
    if found.contacted == found.rows:
        return "Everybody is taken, so no ranking is needed.", ""
    chance = (
        "It beats picking at random clearly." if found.beats_random else "It does not clearly beat picking at random."
    )
    difference = found.against_rule
    if difference is None:
        return chance, "good" if found.beats_random else "watch"
    size, span = words.successes(abs(difference.value)), _span(difference, words)
    said = {
        "better": f"Clearly better than the simplest rule: {size} more ({span}).",
        "same": f"No clear difference from the simplest rule: {_more_or_fewer(difference, words)} ({span}).",
        "worse": f"The simplest rule is clearly better here: it finds {size} more ({span}).",
    }
    judgement = found.judgement or "same"
    return f"{said[judgement]} {chance}", TONES[judgement]


def _more_or_fewer(difference: Interval, words: Words) -> str:
    size = words.successes(abs(difference.value))
    if size == "0":
        return "equally many"
    return f"{size} {'more' if difference.value > 0 else 'fewer'}"


def _span(difference: Interval, words: Words) -> str:
    """The range of a difference, seen from the one that has more: "5 to 37", "−17 to +14"."""
    low, high = difference.low, difference.high
    if low > 0 or high < 0:
        ends = sorted((abs(low), abs(high)))
        return interval(words.successes(ends[0]), words.successes(ends[1]))
    return f"the range is {_signed(low)} {TO} {_signed(high)}"


def _signed(value: float) -> str:
    text = f"{abs(value):,.0f}"
    return text if text == "0" else f"{'+' if value > 0 else wording.MINUS}{text}"


def _count_bar(kind: Literal["model", "rule", "random"], label: str, found: Interval, words: Words) -> Bar:
    ends = interval(words.successes(found.low), words.successes(found.high))
    return Bar(kind, label, found.value, found.low, found.high, words.successes(found.value), ends)


# ── amounts ───────────────────────────────────────────────────────────────────────────────────────


def predicted(
    words: Words, model: Interval, rule: Interval | None, difference: Interval | None, where: str
) -> Compared:
    """A replay of predicted amounts: how far off they were on average; less is better."""
    title = f"{where}, this model is {words.amount(model.value)} off on average."
    bars = [_amount_bar("model", "This model", model, words)]
    if rule is None or difference is None:
        return Compared(title, tuple(bars), "There is no simple rule to compare it with.", "")
    bars.append(_amount_bar("rule", f"Simplest rule: {words.rule}", rule, words))
    judgement = judged_amount(difference)
    ends = sorted((abs(difference.low), abs(difference.high)))
    size, span = words.amount(abs(difference.value)), interval(words.amount(ends[0]), words.amount(ends[1]))
    closer = "closer" if difference.value < 0 else "further off"
    open_span = interval(_signed_amount(words, -difference.high), _signed_amount(words, -difference.low))
    said = {
        "better": f"Clearly closer than the simplest rule: by {size} on average ({span}).",
        "same": f"No clear difference from the simplest rule: {size} {closer} on average (the range is {open_span}).",
        "worse": f"The simplest rule is clearly closer here: by {size} on average ({span}).",
    }
    return Compared(title, tuple(bars), said[judgement], TONES[judgement])


def judged_amount(difference: Interval) -> Judgement:
    """A difference of errors, model minus rule: less is better."""
    if difference.high < 0:
        return "better"
    return "worse" if difference.low > 0 else "same"


def _signed_amount(words: Words, value: float) -> str:
    text = words.amount(abs(value))
    return text if value == 0 else f"{'+' if value > 0 else wording.MINUS}{JOINED}{text}"


def _amount_bar(kind: Literal["model", "rule", "random"], label: str, found: Interval, words: Words) -> Bar:
    ends = interval(words.amount(found.low), words.amount(found.high))
    return Bar(kind, label, found.value, found.low, found.high, words.amount(found.value), ends)


# ── said and happened ─────────────────────────────────────────────────────────────────────────────

Fit = Literal["fits", "over", "under", "over_top", "under_top"]


def fit(said: float, happened: Interval, bins: tuple[Bin, ...]) -> Fit:
    """Does the average said lie in the range of what happened? If so, does that of the highest tenth?"""
    if not happened.holds(said):
        return "over" if said > happened.high else "under"
    top = bins[-1] if len(bins) > 1 else None
    if top is not None and not top.happened.holds(top.said):
        return "over_top" if top.said > top.happened.high else "under_top"
    return "fits"


def fit_sentence(words: Words, said: float, happened: Interval, bins: tuple[Bin, ...]) -> str:
    """What was said beside what happened, "It said 15 %, and 11 % happened (10 % to 12 %): it overstates."."""
    ends = interval(words.amount(happened.low), words.amount(happened.high))
    first = f"It said {words.amount(said)} on average, and {words.amount(happened.value)} happened ({ends})"
    kind = fit(said, happened, bins)
    if kind in ("over", "under"):
        return f"{first}: it {kind}states."
    if kind == "fits":
        return f"{first}: what it says fits what happens."
    top = bins[-1]
    return (
        f"{first}. In its highest tenth it said {words.amount(top.said)}, and {words.amount(top.happened.value)} "
        f"happened: it {kind.removesuffix('_top')}states there."
    )


# ── the verdict ───────────────────────────────────────────────────────────────────────────────────


def ranking_verdict(found: Replayed, unranked: Replayed | None = None) -> tuple[str, Tone]:
    """The ranking in half a sentence. ``unranked`` is the same among the rows that the rule cannot rank."""
    if found.contacted == found.rows:
        return "The past lists are shorter than what can be contacted, so its ranking was not needed", ""
    beats, judgement = found.beats_random, found.judgement
    if judgement is None:
        return ("Ranks clearly better than chance", "good") if beats else ("No clear difference from chance", "watch")
    said = {
        ("better", True): "Ranks clearly better than the simplest rule",
        ("better", False): "Ranks clearly better than the simplest rule, but not than chance",
        ("same", True): "No clear difference from the simplest rule, and clearly better than chance",
        ("same", False): "No clear difference from the simplest rule, nor from chance",
        ("worse", True): "The simplest rule ranks clearly better, though the model beats chance",
        ("worse", False): "The simplest rule ranks clearly better, and the model does not beat chance",
    }
    sentence = said[judgement, beats]
    if unranked is not None and unranked.beats_random and judgement == "same" and beats:
        sentence += " where the rule cannot rank"
    return sentence, TONES[judgement]


def amount_verdict(difference: Interval | None) -> tuple[str, Tone]:
    """The error in half a sentence."""
    if difference is None:
        return "There is no simple rule to compare it with", ""
    judgement = judged_amount(difference)
    said = {
        "better": "Predicts clearly closer than the simplest rule",
        "same": "No clear difference from the simplest rule",
        "worse": "The simplest rule predicts clearly closer",
    }
    return said[judgement], TONES[judgement]


def fit_verdict(words: Words, said: float, happened: Interval, bins: tuple[Bin, ...]) -> str:
    """What it says against what happened, in half a sentence."""
    kind = fit(said, happened, bins)
    if kind == "fits":
        return "what it says fits what happened"
    where = " its highest scores" if kind.endswith("_top") else ""
    this, that = (bins[-1].said, bins[-1].happened.value) if where else (said, happened.value)
    return f"{kind.removesuffix('_top')}states{where} (said {words.amount(this)}, happened {words.amount(that)})"


def joined(*parts: str) -> str:
    """Half sentences as one."""
    said = "; ".join(p for p in parts if p)
    return f"{said}." if said else ""


def tested_verdict(judgement: Judgement | None, label: str, model: str, rule: str) -> tuple[str, Tone]:
    """What the figures of the test come to, where nobody can be replayed."""
    if judgement is None:
        return NOT_MEASURED, ""
    figures = f"({label}: {model} against {rule})"
    said = {
        "better": f"In its test, clearly better than the simplest rule {figures}.",
        "same": f"In its test, no clear difference from the simplest rule {figures}.",
        "worse": f"In its test, the simplest rule is clearly better {figures}.",
    }
    return said[judgement], TONES[judgement]


# ── the list ──────────────────────────────────────────────────────────────────────────────────────

OUTCOMES: tuple[tuple[Tone, str], ...] = (
    ("good", "beat{s} the simplest rule"),
    ("watch", "show{s} no clear difference"),
    ("bad", "lose{s} to the simplest rule"),
    ("", "{is} not measured yet"),
)


def headline(tones: tuple[Tone, ...], others: tuple[str, ...]) -> str:
    """The list in a sentence, "Three models are in use: two beat the simplest rule and one is not measured yet."."""
    total = len(tones)
    if not total and not others:
        return "This workspace uses no model yet."
    start = f"{wording.number_word(total).capitalize()} {'model is' if total == 1 else 'models are'} in use"
    counted = [(tones.count(tone), words) for tone, words in OUTCOMES]
    said = [f"{wording.number_word(n)} {_verb(w, n)}" for n, w in counted if n]
    if total == 1 and said:
        said = ["it " + said[0].removeprefix("one ")]
    first = f"{start}: {wording.listed(said)}." if said else f"{start}."
    return " ".join([first, *others])


def _verb(words: str, count: int) -> str:
    return words.replace("{s}", "s" if count == 1 else "").replace("{is}", "is" if count == 1 else "are")


def days_ago(days: int) -> str:
    """How long ago in words: "today", "yesterday", "41 days ago"."""
    return "today" if days <= 0 else "yesterday" if days == 1 else f"{days}{NBSP}days ago"
