"""What a model's figures say in words, and the address that asks for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models.performance import Bin, Interval
from models.replaying import Replayed
from services import model_words
from services.errors import InvalidQuery
from services.model_query import EVERY, ModelQuery
from services.model_words import Place, Words
from services.sources import Sources

NB = "\u00a0"
BEATS, BEATS_NOT = "It beats picking at random clearly.", "It does not clearly beat picking at random."


@pytest.fixture
def words(bakery_sources: Sources) -> Words:
    use = bakery_sources.workspace.models.models["kuendigung"]
    return Words(use, bakery_sources.workspace.lake.model_copy(update={"currency": "USD", "locale": "en_US"}))


RULE = "the simplest rule"
HERE = Place("In the first 20 of Season 2", "All of Season 2")


@pytest.fixture
def money(words: Words) -> Words:
    changed = words.use.model_copy(update={"task": "regression", "unit": "currency"})
    return Words(changed, words.lake)


def replayed(
    model: float,
    rule: float | None,
    difference: tuple[float, float] | None = None,
    *,
    high: float = 15,
    rows: int = 200,
) -> Replayed:
    against = None if rule is None or difference is None else Interval(model - rule, *difference)
    return Replayed(
        rows=rows,
        successes=60,
        contacted=20,
        model=Interval(model, model - 8, model + 8),
        rule=None if rule is None else Interval(rule, rule - 7, rule + 7),
        random=Interval(8.0, 4.0, high),
        against_rule=against,
    )


# ── sentences ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("found", "sentence", "tone"),
    [
        (replayed(40, 19, (5, 37)), f"Clearly better than the simplest rule: 21 more (5 to 37). {BEATS}", "good"),
        (
            replayed(17, 19, (-17, 14)),
            f"No clear difference from {RULE}: 2 fewer (the range is −17 to +14). {BEATS}",
            "watch",
        ),
        (
            replayed(19, 19, (0, 3)),
            f"No clear difference from {RULE}: equally many (the range is 0 to +3). {BEATS}",
            "watch",
        ),
        (
            replayed(10, 30, (-31, -9)),
            f"The simplest rule is clearly better here: it finds 20 more (9 to 31). {BEATS_NOT}",
            "bad",
        ),
        (replayed(40, None), BEATS, "good"),
        (replayed(9, None), BEATS_NOT, "watch"),
    ],
)
def test_a_ranking_says_who_found_more(words: Words, found: Replayed, sentence: str, tone: str) -> None:
    said = model_words.ranked(words, found, HERE)
    assert (said.sentence, said.tone) == (sentence, tone)


def test_the_title_and_the_bars_carry_the_figures(words: Words) -> None:
    said = model_words.ranked(words, replayed(40.4, 19, (5, 37)), HERE)
    assert said.title == f"In the first 20 of Season 2, this model finds 40 of 60{NB}Kündigungen."
    assert [(b.kind, b.label, b.text, b.range_text) for b in said.bars] == [
        ("model", "This model", "40", "32 to 48"),
        ("rule", "Simplest rule: die meisten Reklamationen", "19", "12 to 26"),
        ("random", "Picked at random", "8", "4 to 15"),
    ]


def test_whoever_takes_everybody_is_told_that_no_ranking_is_needed(words: Words) -> None:
    said = model_words.ranked(words, replace(replayed(60, 60, (0, 0)), contacted=200), HERE)
    assert said.title == f"All of Season 2: 60{NB}Kündigungen."
    assert (said.sentence, said.tone) == ("Everybody is taken, so no ranking is needed.", "")


@pytest.mark.parametrize(
    ("difference", "sentence", "tone"),
    [
        (Interval(-5, -8, -2), "Clearly closer than the simplest rule: by $5.00 on average ($2.00 to $8.00).", "good"),
        (
            Interval(2, -1, 4),
            f"No clear difference from {RULE}: $2.00 further off on average (the range is −$4.00 to +$1.00).",
            "watch",
        ),
        (
            Interval(-2, -4, 1),
            f"No clear difference from {RULE}: $2.00 closer on average (the range is −$1.00 to +$4.00).",
            "watch",
        ),
        (Interval(5, 2, 8), "The simplest rule is clearly closer here: by $5.00 on average ($2.00 to $8.00).", "bad"),
    ],
)
def test_a_prediction_says_who_was_closer(money: Words, difference: Interval, sentence: str, tone: str) -> None:
    said = model_words.predicted(money, Interval(70, 65, 75), Interval(72, 68, 76), difference, "On the list of 3 Dec")
    assert said.title == "On the list of 3 Dec, this model is $70.00 off on average."
    assert (said.sentence.replace("\u2060", ""), said.tone) == (sentence, tone)


def tenths(said: float, happened: Interval) -> tuple[Bin, ...]:
    return (Bin(0.01, Interval(0.01, 0.0, 0.03), 100), Bin(said, happened, 100))


FITS = tenths(0.45, Interval(0.44, 0.4, 0.5))


@pytest.mark.parametrize(
    ("said", "happened", "bins", "sentence", "verdict"),
    [
        (
            0.15,
            (0.11, 0.10, 0.12),
            FITS,
            "and 11 % happened (10 % to 12 %): it overstates.",
            "overstates (said 15 %, happened 11 %)",
        ),
        (
            0.10,
            (0.15, 0.12, 0.18),
            FITS,
            "and 15 % happened (12 % to 18 %): it understates.",
            "understates (said 10 %, happened 15 %)",
        ),
        (
            0.15,
            (0.15, 0.12, 0.18),
            FITS,
            "and 15 % happened (12 % to 18 %): what it says fits what happens.",
            "what it says fits what happened",
        ),
        (
            0.15,
            (0.15, 0.12, 0.18),
            tenths(0.6, Interval(0.4, 0.3, 0.5)),
            "In its highest tenth it said 60 %, and 40 % happened: it overstates there.",
            "overstates its highest scores (said 60 %, happened 40 %)",
        ),
        (
            0.15,
            (0.15, 0.12, 0.18),
            tenths(0.2, Interval(0.4, 0.3, 0.5)),
            "In its highest tenth it said 20 %, and 40 % happened: it understates there.",
            "understates its highest scores (said 20 %, happened 40 %)",
        ),
    ],
)
def test_what_was_said_is_held_against_what_happened(
    words: Words, said: float, happened: tuple[float, float, float], bins: tuple[Bin, ...], sentence: str, verdict: str
) -> None:
    found = model_words.fit_sentence(words, said, Interval(*happened), bins).replace(NB, " ")
    assert found.endswith(sentence)
    assert found.startswith(f"It said {said:.0%}".replace("%", " %"))
    assert model_words.fit_verdict(words, said, Interval(*happened), bins).replace(NB, " ") == verdict


@pytest.mark.parametrize(
    ("found", "sentence", "tone"),
    [
        (replayed(40, 19, (5, 37)), "Ranks clearly better than the simplest rule", "good"),
        (replayed(12, 2, (5, 37)), "Ranks clearly better than the simplest rule, but not than chance", "good"),
        (
            replayed(20, 19, (-5, 7)),
            "No clear difference from the simplest rule, and clearly better than chance",
            "watch",
        ),
        (replayed(10, 9, (-5, 7)), "No clear difference from the simplest rule, nor from chance", "watch"),
        (replayed(20, 40, (-29, -9)), "The simplest rule ranks clearly better, though the model beats chance", "bad"),
        (
            replayed(10, 40, (-39, -19)),
            "The simplest rule ranks clearly better, and the model does not beat chance",
            "bad",
        ),
        (replayed(20, None), "Ranks clearly better than chance", "good"),
        (replayed(10, None), "No clear difference from chance", "watch"),
        (
            replace(replayed(60, 60, (0, 0)), contacted=200),
            "The past lists are shorter than what can be contacted, so its ranking was not needed",
            "",
        ),
    ],
)
def test_the_verdict_on_a_ranking(found: Replayed, sentence: str, tone: str) -> None:
    assert model_words.ranking_verdict(found) == (sentence, tone)


@pytest.mark.parametrize(
    ("found", "left", "where"),
    [
        (replayed(20, 19, (-5, 7)), replayed(20, None), " where the rule cannot rank"),
        (replayed(20, 19, (-5, 7)), replayed(9, None), ""),
        (replayed(40, 19, (5, 37)), replayed(20, None), ""),
        (replayed(10, 9, (-5, 7)), replayed(20, None), ""),
    ],
)
def test_the_verdict_says_where_the_model_helps(found: Replayed, left: Replayed, where: str) -> None:
    assert model_words.ranking_verdict(found, left)[0] == model_words.ranking_verdict(found)[0] + where


@pytest.mark.parametrize(
    ("difference", "sentence", "tone"),
    [
        (Interval(-5, -8, -2), "Predicts clearly closer than the simplest rule", "good"),
        (Interval(-5, -8, 0), "No clear difference from the simplest rule", "watch"),
        (Interval(5, 2, 8), "The simplest rule predicts clearly closer", "bad"),
        (None, "There is no simple rule to compare it with", ""),
    ],
)
def test_the_verdict_on_amounts(difference: Interval | None, sentence: str, tone: str) -> None:
    assert model_words.amount_verdict(difference) == (sentence, tone)


@pytest.mark.parametrize(
    ("tones", "others", "sentence"),
    [
        ((), (), "This workspace uses no model yet."),
        (("good",), (), "One model is in use: it beats the simplest rule."),
        (
            ("good", "good", "watch"),
            (),
            "Three models are in use: two beat the simplest rule and one shows no clear difference.",
        ),
        (
            ("bad", "", "watch"),
            ("Churn is refused.",),
            "Three models are in use: one shows no clear difference, one loses to the simplest rule and one is not "
            "measured yet. Churn is refused.",
        ),
        ((), ("Churn is being prepared.",), "No models are in use. Churn is being prepared."),
    ],
)
def test_the_list_begins_with_a_sentence(tones: Any, others: tuple[str, ...], sentence: str) -> None:
    assert model_words.headline(tones, others) == sentence


@pytest.mark.parametrize(("days", "said"), [(0, "today"), (1, "yesterday"), (41, f"41{NB}days ago")])
def test_how_long_ago(days: int, said: str) -> None:
    assert model_words.days_ago(days) == said


# ── the address ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "address",
    [
        ModelQuery("kuendigung"),
        ModelQuery("a/b ü", run="Herbst/2024 & mehr", first=150, versus=True),
        ModelQuery("x", tab="versions", run=EVERY),
    ],
)
def test_an_address_reads_back_as_itself(address: ModelQuery) -> None:
    from urllib.parse import parse_qsl, unquote, urlsplit

    parts = urlsplit(address.to_url())
    assert ModelQuery.from_url(unquote(parts.path.removeprefix("/models/")), dict(parse_qsl(parts.query))) == address


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"first": "0"}, "The number of rows must be a whole number from 1 to 10,000,000, got 0."),
        ({"first": "-3"}, "got -3."),
        ({"first": "1e3"}, "got 1e3."),
        ({"first": "²"}, "got ²."),
        ({"first": "9" * 30}, "got 99999999999999999999."),
        ({"tab": "admin"}, "tab must be card or versions, got 'admin'."),
        ({"versus": "rule"}, "versus must be challenger, got 'rule'."),
        ({"run": "x" * 300}, "run must be given once"),
        ({"run": ["a", "b"]}, "run must be given once"),
    ],
)
def test_a_wrong_address_is_refused_by_name(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        ModelQuery.from_url("kuendigung", params)
    assert sentence in refused.value.sentence
