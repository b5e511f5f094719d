"""What the demo's models may know: nothing after the day, unknown is blank, and tests come after training.

A year of three households, small enough to be worked out by hand:

* household 1 shops on 1, 8 and 29 March (10, 20 and 30 dollars) and on 2 April (40 dollars), twice with a coupon;
* household 2 shops on 25 March only (8 dollars);
* household 3 comes on 20 April for the first time.

Campaign 1 runs in March (household 1), campaign 2 from 1 April (all three), campaign 9 into the next year.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from demo import features, lake_build

MARCH_31 = pd.Timestamp("2017-03-31")
# basket, household, store, day, product, sales, coupon, match
LINES = [
    (11, 1, 300, "2017-03-01", 901, 6.0, 0.0, 0.0),
    (11, 1, 300, "2017-03-01", 902, 4.0, 0.0, 0.0),
    (12, 1, 300, "2017-03-08", 901, 20.0, 0.5, 0.25),
    (13, 1, 301, "2017-03-29", 902, 30.0, 1.0, 0.0),
    (14, 1, 301, "2017-04-02", 901, 40.0, 0.0, 0.0),
    (21, 2, 302, "2017-03-25", 903, 8.0, 0.0, 0.0),
    (31, 3, 303, "2017-04-20", 901, 5.0, 0.0, 0.0),
]
COLUMNS = [
    "basket_id",
    "household_id",
    "store_id",
    "day",
    "product_id",
    "sales_value",
    "coupon_disc",
    "coupon_match_disc",
]
OUTCOMES = ["used_so_far", "redeemed", "spend_next_4w", "lapsed"]


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    """The package's tables, as ``lake_build.load`` gives them."""
    rows = pd.DataFrame(LINES, columns=COLUMNS)
    rows["day"] = pd.to_datetime(rows.day)
    rows["transaction_timestamp"] = (rows.day + pd.Timedelta(hours=17)).dt.tz_localize("UTC")
    return {
        "transactions": rows.assign(quantity=1, retail_disc=0.0, week=1),
        "products": pd.DataFrame(
            {"product_id": [901, 902, 903], "department": ["GROCERY", "PRODUCE", "DRUG GM"], "brand": "National"}
        ),
        "demographics": pd.DataFrame({"household_id": [2], "age": ["45-54"], "household_size": ["2"]}),
        "campaigns": pd.DataFrame({"campaign_id": [1, 2, 2, 2, 9], "household_id": [1, 1, 2, 3, 1]}),
        "campaign_descriptions": pd.DataFrame(
            {
                "campaign_id": [1, 2, 9],
                "campaign_type": ["Type A", "Type B", "Type C"],
                "start_date": pd.to_datetime(["2017-03-03", "2017-04-01", "2017-12-06"]),
                "end_date": pd.to_datetime(["2017-03-31", "2017-04-30", "2018-01-07"]),
            }
        ),
        "coupons": pd.DataFrame({"coupon_upc": [71, 72, 73], "product_id": [901, 902, 901], "campaign_id": [1, 2, 9]}),
        "coupon_redemptions": pd.DataFrame(
            {
                "household_id": [1, 1, 1],
                "coupon_upc": [71, 72, 73],
                "campaign_id": [1, 2, 9],
                "redemption_date": pd.to_datetime(["2017-03-08", "2017-04-02", "2017-12-10"]),
            }
        ),
    }


def past(tables: dict[str, pd.DataFrame]) -> features.Past:
    return features.past(tables, lake_build.campaigns(tables))


def pairs(tables: dict[str, pd.DataFrame], campaign_id: int) -> pd.DataFrame:
    known = past(tables)
    one = known.campaigns[known.campaigns.campaign_id == campaign_id].iloc[0]
    return features.campaign_pairs(known, one).set_index("household_id")


def test_habits_are_what_a_hand_counts(tables: dict[str, pd.DataFrame]) -> None:
    made = features.habits(past(tables), MARCH_31)
    assert list(made.index) == [1, 2]
    one = made.loc[1]
    assert one.days_known == 31
    assert one.days_since_basket == 2
    assert one.days_between_baskets == 14.0  # 28 days between three shopping days
    assert (one.baskets_4w, one.baskets_13w, one.weeks_with_basket) == (2, 3, 3)
    assert one.spend_4w == 50.0
    assert one.usual_spend == 18.46  # 60 / 91 * 28
    assert one.usual_spend_ever == 54.19  # 60 / 31 * 28
    assert one.average_basket == 20.0
    assert one.produce_share == 0.5667  # 34 of 60
    assert one.household_goods_share == 0.0
    assert one.favourite_department == "Produce"
    assert (one.coupon_baskets, one.coupon_baskets_a_month, one.coupon_match) == (2, 1.81, 0.25)
    two = made.loc[2]
    assert np.isnan(two.days_between_baskets), "one shopping day has no distance"
    assert two.usual_spend_ever == 8.0, "a household known for a week has not shopped for a month"


def test_a_pair_knows_the_evening_before_the_campaign(tables: dict[str, pd.DataFrame]) -> None:
    made = pairs(tables, 2)
    assert set(made.known_until) == {MARCH_31}
    one, two, three = made.loc[1], made.loc[2], made.loc[3]
    assert (one.coupons_used, one.answer_share) == (1, 1.0)
    assert one.covered_share == 0.5667, "product 902 is covered: 34 of 60 dollars"
    assert (two.coupons_used, two.covered_share) == (0, 0.0)
    assert np.isnan(two.answer_share), "no campaign was sent to household 2 before: its share is not known, not 0"
    assert np.isnan(three.covered_share)
    assert np.isnan(three.baskets_13w), "household 3 had never shopped: its habits are not known, not 0"
    assert list(made.short_history) == [False, True, True]
    assert (one.type_is_A, one.type_is_B, one.type_is_C) == (0, 1, 0)
    assert list(made.redeemed) == [1.0, 0.0, 0.0]


def later(tables: dict[str, pd.DataFrame], day: str) -> dict[str, pd.DataFrame]:
    """The same year with more of everything on a day: a large basket with coupons, redemptions, another campaign."""
    extra = (
        tables["transactions"]
        .iloc[[3]]
        .assign(
            basket_id=99,
            day=pd.Timestamp(day),
            sales_value=500.0,
            coupon_disc=9.0,
            coupon_match_disc=3.0,
            product_id=903,
        )
    )
    used = tables["coupon_redemptions"].iloc[[0]].assign(redemption_date=pd.Timestamp(day))
    told = tables["campaign_descriptions"].iloc[[0]].assign(campaign_id=5, start_date=pd.Timestamp(day))
    sent = pd.DataFrame({"campaign_id": [5, 5], "household_id": [1, 2]})
    return tables | {
        "transactions": pd.concat([tables["transactions"], extra], ignore_index=True),
        "coupon_redemptions": pd.concat([tables["coupon_redemptions"], used], ignore_index=True),
        "campaign_descriptions": pd.concat([tables["campaign_descriptions"], told], ignore_index=True),
        "campaigns": pd.concat([tables["campaigns"], sent], ignore_index=True),
    }


def inputs(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=[c for c in OUTCOMES if c in frame])


def test_an_event_after_the_day_changes_no_input(tables: dict[str, pd.DataFrame]) -> None:
    after = later(tables, "2017-04-01")
    pd.testing.assert_frame_equal(inputs(pairs(after, 2)), inputs(pairs(tables, 2)))
    now, then = (features.household_weeks(past(t), MARCH_31) for t in (tables, after))
    pd.testing.assert_frame_equal(inputs(then), inputs(now))


def test_an_event_on_the_day_does(tables: dict[str, pd.DataFrame]) -> None:
    """The counter-check: the leakage test sees what it should see."""
    changed = inputs(pairs(later(tables, "2017-03-31"), 2)).loc[1].compare(inputs(pairs(tables, 2)).loc[1])
    assert set(changed.index) >= {
        "days_since_basket", "spend_4w", "coupon_match", "coupon_baskets", "coupons_used", "answer_share",
        "covered_share", "household_goods_share",
    }  # fmt: skip


def test_the_outcome_of_a_running_campaign_is_not_known(tables: dict[str, pd.DataFrame]) -> None:
    made = pairs(tables, 9)
    assert made.loc[1].used_so_far == 1
    assert np.isnan(made.loc[1].redeemed), "a campaign that runs has no outcome, even where a coupon was used already"
    leads, history = features.campaign_tables(past(tables))
    assert set(leads.campaign_id) == {9}
    assert set(history.campaign_id) == {1, 2}
    assert "redeemed" not in leads
    known = lake_build.campaign_households(tables).set_index(["campaign_id", "household_id"]).redeemed
    assert known.isna().to_dict() == {(1, 1): False, (2, 1): False, (2, 2): False, (2, 3): False, (9, 1): True}


def test_the_outcome_of_a_week_is_not_known_before_it_ended(tables: dict[str, pd.DataFrame]) -> None:
    known = past(tables)
    made = features.household_weeks(known, MARCH_31).set_index("household_id")
    assert list(made.index) == [1], "household 2 is known for a week only"
    assert (made.loc[1].spend_next_4w, made.loc[1].lapsed) == (40.0, 0.0)
    quiet = features.household_weeks(known, pd.Timestamp("2017-05-31")).set_index("household_id")
    assert (quiet.loc[1].spend_next_4w, quiet.loc[1].lapsed) == (0.0, 1.0), "nothing spent is a known 0"
    last, open_ = pd.Timestamp("2017-12-03"), pd.Timestamp("2017-12-04")
    assert features.household_weeks(known, last).lapsed.notna().all(), "its four weeks end on 31 December"
    assert features.household_weeks(known, open_)[["spend_next_4w", "lapsed"]].isna().all(axis=None)


def test_tests_begin_after_all_that_was_learnt_from() -> None:
    history = pd.DataFrame(
        {
            "start_date": pd.to_datetime(["2017-08-08", "2017-09-04", "2017-10-04", "2017-10-04"]),
            "end_date": pd.to_datetime(["2017-09-24", "2017-11-08", "2017-11-05", "2017-11-05"]),
            "short_history": [False, False, False, True],
        }
    )
    assert list(features.split_of_campaigns(history)) == ["train", "between", "test", "short history"]
    ahead = pd.Timedelta(days=features.AHEAD)
    assert features.LAST_TRAINING_WEEK + ahead <= min(features.TEST_WEEKS), "an outcome reaches into the tests"
    assert np.diff([w.toordinal() for w in features.TEST_WEEKS]).tolist() == [28, 28], "the windows do not overlap"
    assert max(features.TEST_WEEKS) + ahead == features.LAST_DAY


def test_the_year_is_cut_by_time(tables: dict[str, pd.DataFrame]) -> None:
    now, history = features.week_tables(past(tables))
    trained = pd.to_datetime(history[history.split == "train"].known_until)
    tested = pd.to_datetime(history[history.split == "test"].known_until)
    assert trained.max() == features.LAST_TRAINING_WEEK
    assert set(tested) == set(features.TEST_WEEKS)
    assert set(now.known_until) == {features.LAST_DAY.date()}
    assert not {"spend_next_4w", "lapsed"} & set(now)


def test_a_household_belongs_to_its_home_store(tables: dict[str, pd.DataFrame]) -> None:
    made = lake_build.households(tables).set_index("household_id")
    assert list(made.home_store) == [300, 302, 303], "household 1 bought three of five lines in store 300"
    assert list(made.territory) == ["North", "South", "West"]
    tied = tables | {"transactions": tables["transactions"].drop(index=0)}
    assert lake_build.households(tied).home_store[0] == 300, "where two stores tie, the smaller number is home"
    told = lake_build.stores(tables["transactions"]).set_index("store_id").store_territory
    assert told.to_dict() == {300: "North", 301: "East", 302: "South", 303: "West"}


def test_blanks_of_demographics_stay_blank_and_contacts_stay_the_same(tables: dict[str, pd.DataFrame]) -> None:
    made = lake_build.households(tables).set_index("household_id")
    assert made.age.to_dict() == {1: None, 2: "45-54", 3: None}
    assert made.household_members.to_dict() == {1: None, 2: "2", 3: None}
    again = lake_build.households(tables).set_index("household_id")
    pd.testing.assert_frame_equal(made, again)
    assert all(mail.endswith("@example.com") for mail in made.email)


def test_a_rate_does_not_grow_with_the_days() -> None:
    """Twice the coupons in twice the time is the same habit; two weeks are not made into four."""
    made = features._a_month(pd.Series([3.0, 6.0, 1.0]), pd.Series([84, 168, 14]))
    assert list(made) == [1.0, 1.0, 1.0]


def test_no_table_is_changed_while_features_are_made(tables: dict[str, pd.DataFrame]) -> None:
    known = past(tables)
    before = {f.name: getattr(known, f.name).copy() for f in dataclasses.fields(known)}
    features.campaign_tables(known)
    features.week_tables(known)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(getattr(known, name), frame)
