"""What was known of a household on a day, and what happened after it: the tables that models learn from and score.

Every input is computed from events up to and including the day ``until``; an event after it changes nothing. What is
not known is blank: an outcome whose window has not ended, the habits of a household that never shopped before.

Demographics are no inputs. Nobody recorded when a household was asked, so that they cannot be shown to be older than
the campaign; and in earlier campaigns most of what they added came from their being known at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from demo import lake_build

LAST_DAY = pd.Timestamp("2017-12-31")
USUAL, RECENT, AHEAD = 91, 28, 28
SHORTEST_HISTORY = 28
LAST_TRAINING_END = pd.Timestamp("2017-09-24")
FIRST_WEEK, LAST_TRAINING_WEEK = pd.Timestamp("2017-04-02"), pd.Timestamp("2017-09-10")
TEST_WEEKS = tuple(LAST_DAY - pd.Timedelta(days=AHEAD * back) for back in (3, 2, 1))
DEPARTMENTS = (
    "Grocery",
    "Household goods",
    "Produce",
    "Meat",
    "Packaged meat",
    "Deli",
    "Bakery",
    "Nutrition",
    "Cosmetics",
)
OFFER = ("campaign_id", "campaign_type", "start_date", "end_date", "days_open", "coupons", "products_covered")


@dataclass(frozen=True)
class Past:
    """The year in the shape that features need: one row a basket, one row a line, one row a redeemed coupon."""

    baskets: pd.DataFrame
    lines: pd.DataFrame
    redemptions: pd.DataFrame
    pairs: pd.DataFrame
    campaigns: pd.DataFrame
    coupons: pd.DataFrame


def past(tables: dict[str, pd.DataFrame], campaigns: pd.DataFrame) -> Past:
    """Baskets with what they held. ``tables`` as ``lake_build.load`` gives them."""
    rows = tables["transactions"]
    about = tables["products"].set_index("product_id").department
    department = lake_build.department(about).reindex(rows.product_id).to_numpy(dtype=object)
    wide = rows[["household_id", "basket_id", "day", "sales_value", "coupon_disc", "coupon_match_disc"]].copy()
    for name in DEPARTMENTS:
        wide[name] = np.where(department == name, rows.sales_value, 0.0)
    sums = dict.fromkeys(wide.columns[3:], "sum")
    return Past(
        baskets=wide.groupby(["household_id", "basket_id"], sort=True).agg({"day": "min", **sums}).reset_index(),
        lines=rows[["household_id", "product_id", "day", "sales_value"]],
        redemptions=tables["coupon_redemptions"],
        pairs=tables["campaigns"],
        campaigns=campaigns,
        coupons=tables["coupons"][["campaign_id", "product_id"]].drop_duplicates(),
    )


def habits(known: Past, until: pd.Timestamp) -> pd.DataFrame:
    """One row for each household with a basket by the end of ``until``: how it shops, as known then."""
    every = known.baskets[known.baskets.day <= until]
    by = every.groupby("household_id")
    made = pd.DataFrame({"days_known": (until - by.day.min()).dt.days + 1})
    made["days_since_basket"] = (until - by.day.max()).dt.days
    made["days_between_baskets"] = _between(every).reindex(made.index).round(1)
    usual = every[every.day > until - pd.Timedelta(days=USUAL)]
    recent = usual[usual.day > until - pd.Timedelta(days=RECENT)]
    weeks = ((until - usual.day).dt.days // 7).groupby(usual.household_id).nunique()
    made["baskets_4w"] = _count(recent, made.index)
    made["baskets_13w"] = _count(usual, made.index)
    made["weeks_with_basket"] = weeks.reindex(made.index, fill_value=0)
    made["spend_4w"] = _spent(recent, made.index)
    spent = _spent(usual, made.index)
    made["usual_spend"] = (spent * RECENT / USUAL).round(2)
    made["usual_spend_ever"] = _a_month(by.sales_value.sum(), made.days_known)
    made["average_basket"] = (spent / made.baskets_13w.where(made.baskets_13w > 0)).round(2)
    made = made.join(_taste(usual, spent))
    made["coupon_baskets"] = _count(usual[usual.coupon_disc > 0], made.index)
    ever = _count(every[every.coupon_disc > 0], made.index)
    made["coupon_baskets_a_month"] = _a_month(ever, made.days_known)
    made["coupon_match"] = usual.groupby("household_id").coupon_match_disc.sum().reindex(made.index, fill_value=0.0)
    return made.assign(coupon_match=made.coupon_match.round(2))


def _a_month(total: pd.Series, days_known: pd.Series) -> pd.Series:
    """A total for each four weeks that a household is known, which does not grow with the days as the total does."""
    return (total * RECENT / days_known.clip(lower=RECENT)).round(2)


def _between(every: pd.DataFrame) -> pd.Series:
    """Mean days from one shopping day to the next; blank for a household with one shopping day."""
    days = every[["household_id", "day"]].drop_duplicates().groupby("household_id").day
    trips = days.size()
    return (days.max() - days.min()).dt.days / (trips - 1).where(trips > 1)


def _count(baskets: pd.DataFrame, households: pd.Index) -> pd.Series:
    return baskets.groupby("household_id").size().reindex(households, fill_value=0)


def _spent(baskets: pd.DataFrame, households: pd.Index) -> pd.Series:
    return baskets.groupby("household_id").sales_value.sum().reindex(households, fill_value=0.0).round(2)


def _taste(usual: pd.DataFrame, spent: pd.Series) -> pd.DataFrame:
    """Shares of spend by department, and the department besides grocery that most money goes to."""
    sums = usual.groupby("household_id")[list(DEPARTMENTS)].sum().reindex(spent.index).fillna(0.0)
    shares = sums.div(spent.where(spent > 0), axis=0)
    besides = sums.drop(columns="Grocery")
    return pd.DataFrame(
        {
            "produce_share": shares.Produce.round(4),
            "household_goods_share": shares["Household goods"].round(4),
            "favourite_department": besides.idxmax(axis=1).where(besides.max(axis=1) > 0),
        }
    )


def coupons_before(known: Past, until: pd.Timestamp, households: pd.Index) -> pd.DataFrame:
    """A household's answers to campaigns by then: no coupon is a known 0; without a campaign the share is blank."""
    used = known.redemptions[known.redemptions.redemption_date <= until].groupby("household_id")
    begun = known.campaigns[known.campaigns.start_date <= until].campaign_id
    sent = known.pairs[known.pairs.campaign_id.isin(begun)].groupby("household_id").size().reindex(households)
    made = pd.DataFrame(index=households)
    made["coupons_used"] = used.size().reindex(households, fill_value=0)
    made["answer_share"] = (used.campaign_id.nunique().reindex(households, fill_value=0) / sent).round(4)
    return made


def covered_share(known: Past, campaign_id: int, until: pd.Timestamp, households: pd.Index) -> pd.Series:
    """The share of what a household bought before that the campaign's coupons are good for; blank without a basket."""
    offered = known.coupons[known.coupons.campaign_id == campaign_id].product_id
    rows = known.lines[(known.lines.day <= until) & known.lines.household_id.isin(households)]
    whole = rows.groupby("household_id").sales_value.sum().reindex(households)
    on_offer = rows[rows.product_id.isin(offered)].groupby("household_id").sales_value.sum()
    return (on_offer.reindex(households, fill_value=0.0) / whole.where(whole > 0)).round(4)


def campaign_pairs(known: Past, campaign: pd.Series) -> pd.DataFrame:
    """The households of one campaign with what was known on the evening before it began."""
    until = campaign.start_date - pd.Timedelta(days=1)
    sent = known.pairs[known.pairs.campaign_id == campaign.campaign_id].household_id.sort_values()
    index = pd.Index(sent, name="household_id")
    made = habits(known, until).reindex(index).join(coupons_before(known, until, index))
    made["coupons_a_month"] = _a_month(made.coupons_used, made.days_known)
    made["covered_share"] = covered_share(known, campaign.campaign_id, until, index)
    made["known_until"] = until
    for column in OFFER:
        made[column] = campaign[column]
    for kind in "ABC":
        made[f"type_is_{kind}"] = int(campaign.campaign_type == kind)
    used = known.redemptions[known.redemptions.campaign_id == campaign.campaign_id]
    made["used_so_far"] = used.groupby("household_id").size().reindex(index, fill_value=0)
    ended = campaign.end_date <= LAST_DAY
    made["redeemed"] = (made.used_so_far > 0).astype(float) if ended else np.nan
    made["short_history"] = ~(made.days_known >= SHORTEST_HISTORY)
    return made.reset_index()


def household_weeks(known: Past, until: pd.Timestamp) -> pd.DataFrame:
    """Every household known for four weeks by the end of ``until``, and what happened in the four weeks after it."""
    made = habits(known, until)
    made = made[made.days_known >= SHORTEST_HISTORY].copy()
    made["known_until"] = until
    last = until + pd.Timedelta(days=AHEAD)
    after = known.baskets[(known.baskets.day > until) & (known.baskets.day <= last)]
    ended = last <= LAST_DAY
    made["spend_next_4w"] = _spent(after, made.index) if ended else np.nan
    made["lapsed"] = (~made.index.isin(after.household_id)).astype(float) if ended else np.nan
    return made.reset_index()


def campaign_tables(known: Past) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leads (campaigns that still run) and history (ended ones, with their split). Rows in key order."""
    every = pd.concat([campaign_pairs(known, row) for _, row in known.campaigns.iterrows()], ignore_index=True)
    every = every.sort_values(["campaign_id", "household_id"], ignore_index=True)
    running = every.redeemed.isna()
    history = every[~running].reset_index(drop=True)
    history["split"] = split_of_campaigns(history)
    return _plain(every[running].drop(columns="redeemed")), _plain(history)


def split_of_campaigns(history: pd.DataFrame) -> np.ndarray:
    """Train: ended before the first test campaign began. A campaign that runs across that day is in neither part."""
    trained, tested = history.end_date <= LAST_TRAINING_END, history.start_date > LAST_TRAINING_END
    split = np.where(trained, "train", np.where(tested, "test", "between"))
    return np.where(history.short_history, "short history", split)


def week_tables(known: Past) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The households of now, and the history with outcomes: weekly until the tests begin, then every four weeks."""
    weeks = [*pd.date_range(FIRST_WEEK, LAST_TRAINING_WEEK, freq="7D"), *TEST_WEEKS]
    history = pd.concat([household_weeks(known, week) for week in weeks], ignore_index=True)
    history["split"] = np.where(history.known_until <= LAST_TRAINING_WEEK, "train", "test")
    now = household_weeks(known, LAST_DAY).drop(columns=["spend_next_4w", "lapsed"])
    return _plain(now), _plain(history.sort_values(["known_until", "household_id"]))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Days as dates, words as words or blanks, rows counted from 0."""
    made = frame.reset_index(drop=True)
    for column in made.columns:
        if pd.api.types.is_datetime64_any_dtype(made[column]):
            made[column] = made[column].dt.date
        elif made[column].dtype == object or pd.api.types.is_string_dtype(made[column]):
            made[column] = made[column].astype(object).where(made[column].notna(), None)
    return made
