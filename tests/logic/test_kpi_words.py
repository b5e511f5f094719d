"""The overview's sentences, word by word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from data.definitions import LakeFile, Metric, Target
from data.metric_book import MetricBook
from data.periods import Period, Span, period_of
from services import kpi_waiting, wording
from services import kpi_words as words
from services.kpi_answers import Card, Origin
from services.kpi_outlook import past_of
from services.kpi_parts import Frame, goal
from services.kpi_query import KpiQuery

D = date
NB = "\u00a0"
US = LakeFile(name="Shop", datasets={}, locale="en_US", currency="USD")
CH = LakeFile(name="Laden", datasets={}, locale="de_CH", currency="CHF")
ORIGIN = Origin("", "", "", "", "", stale=False)
DECEMBER = period_of("month", D(2017, 12, 31), D(2017, 12, 31))


def metric(unit: str | None = None, good: str = "up", **others: object) -> Metric:
    return Metric(label="Sales", owner="x", description="x", unit=unit, good=good, **others)


def card(name: str, now: float | None, before: float | None, *, unit: str | None = None, good: str = "up") -> Card:
    about = metric(unit, good)
    return Card(
        metric=name,
        label=name.replace("_", " ").capitalize(),
        value=words.shown(now, about, US),
        before=words.shown(before, about, US),
        change=words.change(now, before, about, US),
        against="November 2017",
        spark=(),
        spark_before=(),
        level=None,
        goal=None,
        origin=ORIGIN,
        chosen=False,
        href=f"/kpis?metric={name}",
    )


@pytest.mark.parametrize(
    ("now", "before", "unit", "good", "text", "spoken", "verdict"),
    [
        (104.2, 100, None, "up", "+4.2 %", "up 4.2 %, better", "good"),
        (95.8, 100, None, "up", "−4.2 %", "down 4.2 %, worse", "bad"),
        (95.8, 100, None, "down", "−4.2 %", "down 4.2 %, better", "good"),
        (95.8, 100, None, "neutral", "−4.2 %", "down 4.2 %", "neutral"),
        (100.04, 100, None, "up", "±0", "unchanged", "neutral"),
        (0, 0, None, "up", "±0", "unchanged", "neutral"),
        (250, 100, None, "up", "+150 %", "up 150 %, better", "good"),
        (5, 0, None, "up", "+5", "up 5, better", "good"),
        (0.144, 0.146, "percent", "down", "−0.2 pp", "down 0.2 pp, better", "good"),
        (0.0412, 0.0413, "percent", "down", "±0", "unchanged", "neutral"),
        (-5, -10, None, "up", "+50.0 %", "up 50.0 %, better", "good"),
    ],
)
def test_a_change_in_words(now, before, unit, good, text, spoken, verdict):
    found = words.change(now, before, metric(unit, good), US)
    assert (found.text.replace(NB, " "), found.spoken.replace(NB, " "), found.verdict) == (text, spoken, verdict)


@pytest.mark.parametrize(("now", "before"), [(None, 1.0), (1.0, None), (None, None)])
def test_no_change_is_made_from_what_is_not_known(now, before):
    assert words.change(now, before, metric(), US) is None


@pytest.mark.parametrize(
    ("first", "until", "said"),
    [
        (D(2017, 12, 1), D(2017, 12, 31), "December 2017"),
        (D(2017, 10, 1), D(2017, 12, 31), "Q4 2017"),
        (D(2017, 1, 1), D(2017, 12, 31), "2017"),
        (D(2017, 12, 25), D(2017, 12, 31), "25–31 Dec 2017"),
        (D(2017, 12, 28), D(2018, 1, 3), "28 Dec 2017 – 3 Jan 2018"),
        (D(2017, 11, 28), D(2017, 12, 3), "28 Nov – 3 Dec 2017"),
        (D(2017, 12, 31), D(2017, 12, 31), "31 Dec 2017"),
        (D(2020, 2, 1), D(2020, 2, 28), "1–28 Feb 2020"),
    ],
)
def test_days_in_words(first, until, said):
    assert words.span_label(Span(first, until)).replace(NB, " ") == said


def test_the_headline_says_the_leading_number_and_what_made_it():
    cards = [card("net_sales", 109.2, 100.0), card("baskets", 99.4, 100.0), card("average_basket", 32.2, 30.3)]
    found = words.headline(cards, ("net_sales", "baskets", "average_basket"), DECEMBER, US)
    assert found.text.replace(NB, " ") == (
        "Net sales rose 9.2 % against November 2017: baskets fell 0.6 %, but average basket rose 6.3 %."
    )
    assert [p.href for p in found.parts if p.href] == [
        "/kpis?metric=net_sales", "/kpis?metric=baskets", "/kpis?metric=average_basket",
    ]  # fmt: skip


def test_the_headline_joins_parts_that_moved_the_same_way_with_and():
    cards = [card("net_sales", 109.2, 100.0), card("baskets", 102.9, 100.0), card("average_basket", 32.2, 30.3)]
    assert (
        ", and average basket" in words.headline(cards, ("net_sales", "baskets", "average_basket"), DECEMBER, US).text
    )


def test_a_leading_number_that_was_not_known_before_is_not_said_to_have_stayed():
    cards = [card("net_sales", 109.2, None), card("visits", 3.0, 2.0), card("basket", 5.0, 5.0)]
    found = words.headline(cards, ("net_sales", "visits", "basket"), DECEMBER, US)
    assert found.text.replace(NB, " ") == "Visits rose 50.0 % against November 2017."


def test_the_headline_adds_the_largest_other_change():
    cards = [card("net_sales", 109.2, 100.0), card("depth", 0.2, 0.1, unit="percent", good="down"), card("x", 1.0, 1.0)]
    found = words.headline(cards, None, DECEMBER, US)
    assert found.text.replace(NB, " ") == "Depth rose 10 pp against November 2017. Net sales rose 9.2 % to 109.2."


def test_the_headline_of_an_unfinished_period_says_how_much_of_it_has_happened():
    running = period_of("week", D(2017, 12, 28), D(2017, 12, 28))
    found = words.headline([card("net_sales", 50.0, 100.0)], None, running, US)
    assert found.text.replace(NB, " ") == "In the first 4 of 7 days, net sales fell 50.0 % against November 2017."


def test_the_headline_without_a_comparison_says_the_number():
    found = words.headline([card("net_sales", 50.0, None)], None, DECEMBER, US)
    assert found.text == "Net sales: 50 in December 2017."


def test_labels_of_other_languages_keep_their_capitals():
    assert wording.inside("Net sales", US) == "net sales"
    assert wording.inside("AUC of sales", US) == "AUC of sales"
    assert wording.inside("Umsatz", CH) == "Umsatz"


@pytest.mark.parametrize(
    ("period", "label", "when"),
    [
        (Period("day", D(2017, 12, 23), D(2017, 12, 23), D(2017, 12, 23)), "Sat 23 Dec", "on Sat 23 Dec"),
        (Period("week", D(2017, 12, 25), D(2017, 12, 31), D(2017, 12, 31)), "Week of 25 Dec", "in the week of 25 Dec"),
        (Period("month", D(2017, 12, 1), D(2017, 12, 31), D(2017, 12, 31)), "Dec 2017", "in Dec 2017"),
        (Period("quarter", D(2017, 10, 1), D(2017, 12, 31), D(2017, 12, 31)), "Q4 2017", "in Q4 2017"),
    ],
)
def test_points_of_a_line_in_a_sentence(period, label, when):
    assert words.bucket_label(period) == label
    assert words.when(label, period.unit) == when


@pytest.mark.parametrize(
    ("values", "unit", "lake", "texts"),
    [
        ([8_000, 21_000], "currency", US, ["$0", "$10k", "$20k", "$30k"]),
        ([373_000, 422_000], "currency", US, ["$360k", "$380k", "$400k", "$420k", "$440k"]),
        ([0.14, 0.148], "percent", US, ["14 %", "14.2 %", "14.4 %", "14.6 %", "14.8 %"]),
        ([900, 2_100], "currency", CH, ["CHF 0", "CHF 1’000", "CHF 2’000", "CHF 3’000"]),
        ([-5, 3], "currency", US, ["−$6", "−$4", "−$2", "$0", "$2", "$4"]),
        ([11_795, 13_759], "baskets", US, ["11.5k", "12k", "12.5k", "13k", "13.5k", "14k"]),
        ([0.0], "currency", US, ["$0"]),
    ],
)
def test_an_axis_has_round_values_around_everything(values, unit, lake, texts):
    found = words.ticks(values, metric(unit), lake)
    assert [t.text.replace(NB, " ") for t in found][: len(texts)] == texts
    assert found[0].value <= min(values) and max(values) <= found[-1].value


@pytest.mark.parametrize(
    ("target", "unit", "until", "value", "reached"),
    [
        (Target(value=310, grain="month"), "month", D(2017, 12, 31), 310.0, 0.5),
        (Target(value=310, grain="month"), "month", D(2017, 12, 10), 100.0, 1.55),
        (Target(value=70, grain="week"), "week", D(2017, 12, 28), 40.0, 3.875),
    ],
)
def test_the_target_of_a_sum_grows_with_the_days(target, unit, until, value, reached):
    found = goal(_frame(metric(measure="m", target=target), unit, until), "sales", 155.0)
    assert found.value.value == pytest.approx(value)
    assert found.reached == pytest.approx(reached)


def test_the_target_of_a_rate_is_the_same_for_any_days():
    about = metric(kind="ratio", numerator=("m",), denominator=("m",), target=Target(value=0.2, grain="year"))
    assert goal(_frame(about, "week", D(2017, 12, 28)), "sales", 0.1).value.value == 0.2


def _frame(about: Metric, unit: str, until: date) -> Frame:
    from data.definitions import Measure, MetricsFile, Overview

    file = MetricsFile(
        measures={"m": Measure(dataset="lines", agg="count")},
        metrics={"sales": about},
        dimensions={},
        overview=Overview(cards=("sales",), dimensions=()),
    )
    return Frame(KpiQuery(period=unit), MetricBook(file, US, {}), period_of(unit, until, until), "previous")


# ── a look ahead, and waiting ─────────────────────────────────────────────────────────────────────


def test_the_range_of_what_comes_is_the_prediction_interval_of_past_ratios():
    found = past_of([1.10, 1.00, 0.95, 1.05])
    # by hand: mean of logs 0.023202, deviation 0.063093, t(0.9; 3) = 1.638, half = 1.638 · 0.063093 · √1.25 = 0.115543
    assert (found.low, found.middle, found.high) == pytest.approx((0.911794, 1.023473, 1.148831), abs=1e-5)
    assert (found.lowest, found.highest, found.windows) == (0.95, 1.10, 4)


@pytest.mark.parametrize("ratios", [[], [1.0], [1.0, 1.1], [1.0, 0.0, 1.2]])
def test_too_few_windows_give_no_range(ratios):
    assert past_of(ratios) is None


@pytest.mark.parametrize(
    ("percent", "seconds", "said"),
    [(50, 40, "about 40 s"), (90, 90, "about 10 s"), (20, 60, "about 4 min"), (10, 600, "about 90 min")],
)
def test_what_is_left_is_said_in_round_words(percent, seconds, said):
    started = datetime(2017, 1, 1, tzinfo=UTC)
    left = kpi_waiting.seconds_left(percent, started, started + timedelta(seconds=seconds))
    assert kpi_waiting.about(left) == said


def test_nothing_is_promised_before_something_is_done():
    started = datetime(2017, 1, 1, tzinfo=UTC)
    assert kpi_waiting.seconds_left(4, started, started + timedelta(seconds=60)) is None
    assert kpi_waiting.seconds_left(50, None, started) is None


def test_the_word_of_a_unit_is_left_out_where_the_name_stands_beside_it():
    assert words.bare(f"21.9k{NB}baskets", metric("baskets")) == "21.9k"
    assert words.bare(f"14.4{NB}%", metric("percent")) == f"14.4{NB}%"


def test_a_card_is_frozen():
    with pytest.raises(AttributeError):
        card("net_sales", 1.0, 1.0).label = "x"
    assert replace(card("net_sales", 1.0, 1.0), label="x").label == "x"
