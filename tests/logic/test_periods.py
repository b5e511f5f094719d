"""Periods by literal dates: year ends, leap days, unfinished periods, weeks across months."""

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from data.periods import (
    Period,
    Span,
    begin_of,
    buckets,
    compared,
    compared_whole,
    custom_period,
    day_of,
    end_of,
    period_of,
    pieces,
    spark_grain,
    start_of,
    step,
    trend_grain,
)

D = date


@pytest.mark.parametrize(
    ("day", "grain", "first", "last"),
    [
        (D(2017, 12, 31), "week", D(2017, 12, 25), D(2017, 12, 31)),
        (D(2018, 1, 1), "week", D(2018, 1, 1), D(2018, 1, 7)),
        (D(2019, 12, 31), "week", D(2019, 12, 30), D(2020, 1, 5)),
        (D(2020, 2, 29), "month", D(2020, 2, 1), D(2020, 2, 29)),
        (D(2019, 2, 28), "month", D(2019, 2, 1), D(2019, 2, 28)),
        (D(2017, 12, 31), "quarter", D(2017, 10, 1), D(2017, 12, 31)),
        (D(2020, 2, 29), "quarter", D(2020, 1, 1), D(2020, 3, 31)),
        (D(2020, 2, 29), "year", D(2020, 1, 1), D(2020, 12, 31)),
        (D(2020, 2, 29), "day", D(2020, 2, 29), D(2020, 2, 29)),
    ],
)
def test_the_ends_of_a_grain(day, grain, first, last):
    assert (start_of(day, grain), end_of(day, grain)) == (first, last)


def test_stepping_over_year_ends():
    assert step(D(2017, 12, 1), "month", 1) == D(2018, 1, 1)
    assert step(D(2018, 1, 1), "month", -13) == D(2016, 12, 1)
    assert step(D(2017, 10, 1), "quarter", 1) == D(2018, 1, 1)
    assert step(D(2018, 1, 1), "week", -1) == D(2017, 12, 25)


@pytest.mark.parametrize(
    ("unit", "on", "through", "first", "until", "days", "of_days"),
    [
        ("week", D(2017, 12, 31), D(2017, 12, 31), D(2017, 12, 25), D(2017, 12, 31), 7, 7),
        ("week", D(2017, 12, 28), D(2017, 12, 28), D(2017, 12, 25), D(2017, 12, 28), 4, 7),
        ("month", D(2017, 12, 10), D(2017, 12, 10), D(2017, 12, 1), D(2017, 12, 10), 10, 31),
        ("month", D(2017, 11, 10), D(2017, 12, 10), D(2017, 11, 1), D(2017, 11, 30), 30, 30),
        ("quarter", D(2018, 1, 1), D(2018, 1, 1), D(2018, 1, 1), D(2018, 1, 1), 1, 90),
    ],
)
def test_a_period_says_how_much_of_it_has_happened(unit, on, through, first, until, days, of_days):
    period = period_of(unit, on, through)
    assert (period.first, period.until, period.days, period.of_days) == (first, until, days, of_days)
    assert period.complete == (days == of_days)


@pytest.mark.parametrize(
    ("unit", "through", "comparison", "first", "until"),
    [
        ("week", D(2017, 12, 31), "previous", D(2017, 12, 18), D(2017, 12, 24)),
        ("week", D(2017, 12, 28), "previous", D(2017, 12, 18), D(2017, 12, 21)),
        ("week", D(2018, 1, 3), "previous", D(2017, 12, 25), D(2017, 12, 27)),
        ("week", D(2017, 12, 31), "year", D(2016, 12, 26), D(2017, 1, 1)),
        ("month", D(2017, 12, 31), "previous", D(2017, 11, 1), D(2017, 11, 30)),
        ("month", D(2018, 1, 31), "previous", D(2017, 12, 1), D(2017, 12, 31)),
        ("month", D(2018, 3, 30), "previous", D(2018, 2, 1), D(2018, 2, 28)),
        ("month", D(2020, 3, 29), "previous", D(2020, 2, 1), D(2020, 2, 29)),
        ("month", D(2018, 3, 4), "previous", D(2018, 2, 1), D(2018, 2, 4)),
        ("month", D(2020, 2, 29), "year", D(2019, 2, 1), D(2019, 2, 28)),
        ("month", D(2021, 2, 28), "year", D(2020, 2, 1), D(2020, 2, 29)),
        ("quarter", D(2017, 12, 31), "previous", D(2017, 7, 1), D(2017, 9, 30)),
        ("quarter", D(2018, 2, 28), "previous", D(2017, 10, 1), D(2017, 11, 28)),
        ("quarter", D(2018, 2, 28), "year", D(2017, 1, 1), D(2017, 2, 28)),
    ],
)
def test_like_is_compared_with_like(unit, through, comparison, first, until):
    assert compared(period_of(unit, through, through), comparison) == Span(first, until)


def test_no_comparison():
    assert compared(period_of("week", D(2017, 12, 31), D(2017, 12, 31)), "none") is None


def test_a_finished_february_is_compared_with_the_whole_january():
    assert compared(period_of("month", D(2018, 2, 3), D(2018, 5, 1)), "previous") == Span(D(2018, 1, 1), D(2018, 1, 31))


def test_a_custom_range_is_compared_with_as_many_days_just_before():
    period = custom_period(D(2017, 12, 22), D(2018, 1, 4), D(2017, 12, 31))
    assert (period.days, period.of_days, period.complete) == (10, 14, False)
    assert compared(period, "previous") == Span(D(2017, 12, 12), D(2017, 12, 21))
    assert compared(period, "year") == Span(D(2016, 12, 23), D(2017, 1, 1))


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (D(2017, 5, 2), D(2017, 5, 1), "must not be before"),
        (D(2018, 5, 2), D(2018, 6, 1), "at the latest 2017-12-31"),
        (D(2010, 5, 2), D(2017, 6, 1), "at most 1100 days"),
    ],
)
def test_impossible_ranges_are_refused_by_name(first, last, words):
    with pytest.raises(ValueError, match=words):
        custom_period(first, last, D(2017, 12, 31))


def test_a_period_that_has_not_begun_is_refused():
    with pytest.raises(ValueError, match="at the latest 2017-12-31, got 2018-01-01"):
        period_of("week", D(2018, 1, 1), D(2017, 12, 31))


def test_twelve_buckets_end_with_the_period_itself():
    months = buckets(period_of("month", D(2018, 2, 10), D(2018, 2, 10)))
    assert len(months) == 12
    assert (months[0].first, months[0].until) == (D(2017, 3, 1), D(2017, 3, 31))
    assert months[-1] == Period("month", D(2018, 2, 1), D(2018, 2, 28), D(2018, 2, 10))
    assert [b.complete for b in months] == [True] * 11 + [False]


def test_buckets_touch_without_gap_or_overlap():
    for unit in ("week", "month", "quarter"):
        found = buckets(period_of(unit, D(2020, 3, 1), D(2020, 3, 1)))
        assert all((b.first - a.until).days == 1 for a, b in pairwise(found))


@pytest.mark.parametrize(("days", "grain"), [(1, "day"), (14, "week"), (30, "month"), (90, "quarter")])
def test_the_sparkline_of_a_custom_range_has_the_grain_nearest_to_its_length(days, grain):
    first = D(2017, 12, 31)
    period = custom_period(date.fromordinal(first.toordinal() - days + 1), first, first)
    assert spark_grain(period) == grain


def test_trends_show_days_then_weeks_then_months():
    through = D(2017, 12, 31)
    assert [trend_grain(period_of(unit, through, through)) for unit in ("week", "month", "quarter")] == [
        "day",
        "day",
        "week",
    ]
    assert trend_grain(custom_period(D(2017, 1, 1), through, through)) == "month"


def test_a_quarter_holds_the_whole_weeks_whose_thursday_is_in_it():
    weeks = pieces(Span(D(2017, 7, 1), D(2017, 9, 30)), "week", D(2017, 12, 31))
    assert (len(weeks), weeks[0].first, weeks[-1].until) == (13, D(2017, 7, 3), D(2017, 10, 1))


def test_the_running_week_is_there_and_unfinished():
    weeks = pieces(Span(D(2017, 10, 1), D(2017, 12, 31)), "week", D(2017, 12, 26))
    assert (weeks[-1].first, weeks[-1].days, weeks[-1].of_days) == (D(2017, 12, 25), 2, 7)


def test_days_of_a_month_stop_where_the_data_stops():
    days = pieces(Span(D(2017, 12, 1), D(2017, 12, 31)), "day", D(2017, 12, 3))
    assert [d.first.day for d in days] == [1, 2, 3]


def test_months_are_cut_at_the_ends_of_a_range():
    months = pieces(Span(D(2016, 12, 20), D(2017, 2, 10)), "month", D(2017, 12, 31))
    assert [(m.first, m.until) for m in months] == [
        (D(2016, 12, 20), D(2016, 12, 31)),
        (D(2017, 1, 1), D(2017, 1, 31)),
        (D(2017, 2, 1), D(2017, 2, 10)),
    ]


def test_the_whole_comparison_of_an_unfinished_month_is_known():
    period = period_of("month", D(2017, 12, 10), D(2017, 12, 10))
    assert compared_whole(period, "previous") == Span(D(2017, 11, 1), D(2017, 11, 30))
    assert compared(period, "previous") == Span(D(2017, 11, 1), D(2017, 11, 10))


def test_business_days_begin_in_the_workspaces_zone():
    assert day_of(datetime(2018, 1, 1, 4, 59, tzinfo=UTC), "America/New_York") == D(2017, 12, 31)
    assert begin_of(D(2017, 7, 1), "America/New_York").astimezone(UTC) == datetime(2017, 7, 1, 4, tzinfo=UTC)
    assert begin_of(D(2017, 12, 1), "America/New_York").astimezone(UTC) == datetime(2017, 12, 1, 5, tzinfo=UTC)
