"""What was known of a household on a day, and what happened after it: the tables that models learn from and score.

Every input is computed from events up to and including the day ``until``; an event after it changes nothing. What is
not known is blank: an outcome whose window has not ended, the days since a coupon of a household that never used one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

LAST_DAY = pd.Timestamp("2017-12-31")
USUAL, RECENT, AHEAD = 91, 28, 28
SHORTEST_HISTORY = 28
DEPARTMENTS = {
    "GROCERY": "Grocery",
    "DRUG GM": "Household goods",
    "PRODUCE": "Produce",
    "MEAT": "Meat",
    "MEAT-PCKGD": "Packaged meat",
    "DELI": "Deli",
    "PASTRY": "Bakery",
    "NUTRITION": "Nutrition",
    "COSMETICS": "Cosmetics",
}


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
    about = tables["products"].set_index("product_id")
    department = about.department.reindex(rows.product_id).to_numpy(dtype=object)
    private = (about.brand.reindex(rows.product_id) == "Private").to_numpy()
    lines = rows[["household_id", "product_id", "day", "sales_value"]]
    wide = rows[["household_id", "basket_id", "day", "sales_value", "retail_disc", "coupon_disc", "coupon_match_disc"]]
    wide = wide.assign(private=np.where(private, rows.sales_value, 0.0))
    for code, name in DEPARTMENTS.items():
        wide[name] = np.where(department == code, rows.sales_value, 0.0)
    baskets = wide.groupby(["household_id", "basket_id"], sort=True).agg(
        {"day": "min", **dict.fromkeys(wide.columns[3:], "sum")}
    )
    return Past(
        baskets.reset_index(),
        lines,
        tables["coupon_redemptions"],
        tables["campaigns"],
        campaigns,
        tables["coupons"][["campaign_id", "product_id"]].drop_duplicates(),
    )


def habits(known: Past, until: pd.Timestamp) -> pd.DataFrame:
    """One row for each household with a basket by the end of ``until``: how it shops, as known then."""
    every = known.baskets[known.baskets.day <= until]
    by = every.groupby("household_id").day
    made = pd.DataFrame({"days_known": (until - by.min()).dt.days + 1, "days_since_basket": (until - by.max()).dt.days})
    usual = every[every.day > until - pd.Timedelta(days=USUAL)]
    recent = usual[usual.day > until - pd.Timedelta(days=RECENT)]
    sums = usual.groupby("household_id").sum(numeric_only=True).reindex(made.index).fillna(0.0)
    weeks = ((until - usual.day).dt.days // 7).rename("week")
    made["baskets_13w"] = usual.groupby("household_id").size().reindex(made.index, fill_value=0)
    made["baskets_4w"] = recent.groupby("household_id").size().reindex(made.index, fill_value=0)
    made["weeks_with_basket"] = weeks.groupby(usual.household_id).nunique().reindex(made.index, fill_value=0)
    made["spend_13w"] = sums.sales_value.round(2)
    made["spend_4w"] = recent.groupby("household_id").sales_value.sum().reindex(made.index, fill_value=0.0).round(2)
    last = usual[usual.day > until - pd.Timedelta(days=7)]
    made["spend_1w"] = last.groupby("household_id").sales_value.sum().reindex(made.index, fill_value=0.0).round(2)
    made["usual_spend"] = (made.spend_13w * RECENT / USUAL).round(2)
    made["average_basket"] = (made.spend_13w / made.baskets_13w.where(made.baskets_13w > 0)).round(2)
    shelf = sums.sales_value + sums.retail_disc + sums.coupon_match_disc
    made["discount_share"] = (sums.retail_disc / shelf.where(shelf > 0)).round(4)
    made["private_share"] = (sums.private / sums.sales_value.where(sums.sales_value > 0)).round(4)
    coupon = usual[usual.coupon_disc > 0].groupby("household_id").size()
    made["coupon_baskets"] = coupon.reindex(made.index, fill_value=0)
    shares = sums[list(DEPARTMENTS.values())].div(sums.sales_value.where(sums.sales_value > 0), axis=0)
    for name in ("Produce", "Meat", "Household goods"):
        made[f"{name.lower().replace(' ', '_')}_share"] = shares[name].round(4)
    rest = shares.drop(columns="Grocery")
    made["favourite_department"] = rest.fillna(-1).idxmax(axis=1).where(rest.max(axis=1) > 0)
    return made


def offers_before(known: Past, until: pd.Timestamp, households: pd.Index) -> pd.DataFrame:
    """What is known by then of a household's coupon campaigns: sent, answered, coupons used, days since the last."""
    used = known.redemptions[known.redemptions.redemption_date <= until]
    sent = known.pairs.merge(known.campaigns[["campaign_id", "start_date"]], on="campaign_id")
    sent = sent[sent.start_date <= until]
    made = pd.DataFrame(index=households)
    made["campaigns_before"] = sent.groupby("household_id").size().reindex(households, fill_value=0)
    made["campaigns_answered"] = used.groupby("household_id").campaign_id.nunique().reindex(households, fill_value=0)
    made["coupons_used"] = used.groupby("household_id").size().reindex(households, fill_value=0)
    made["days_since_coupon"] = (until - used.groupby("household_id").redemption_date.max().reindex(households)).dt.days
    return made


def covered(known: Past, campaign_id: int, until: pd.Timestamp, households: pd.Index) -> pd.DataFrame:
    """How much of what a household bought before the campaign's coupons are good for."""
    offered = known.coupons[known.coupons.campaign_id == campaign_id].product_id
    rows = known.lines[(known.lines.day <= until) & known.lines.household_id.isin(households)]
    on_offer = rows[rows.product_id.isin(offered)]
    whole = rows.groupby("household_id").sales_value.sum().reindex(households)
    part = on_offer.groupby("household_id").sales_value.sum().reindex(households, fill_value=0.0)
    made = pd.DataFrame(index=households)
    made["covered_share"] = (part / whole.where(whole > 0)).round(4)
    bought = on_offer.groupby("household_id").product_id.nunique()
    made["covered_products"] = bought.reindex(households, fill_value=0)
    return made


def campaign_pairs(known: Past, campaign: pd.Series) -> pd.DataFrame:
    """The households of one campaign with what was known on the evening before it began."""
    until = campaign.start_date - pd.Timedelta(days=1)
    sent = known.pairs[known.pairs.campaign_id == campaign.campaign_id].household_id.sort_values()
    index = pd.Index(sent, name="household_id")
    made = habits(known, until).reindex(index)
    made = made.join(offers_before(known, until, index)).join(covered(known, campaign.campaign_id, until, index))
    made["known_until"] = until
    for column in (
        "campaign_id",
        "campaign_type",
        "start_date",
        "end_date",
        "days_open",
        "coupons",
        "products_covered",
    ):
        made[column] = campaign[column]
    for kind in "ABC":
        made[f"type_is_{kind}"] = int(campaign.campaign_type == kind)
    used = known.redemptions[known.redemptions.campaign_id == campaign.campaign_id].groupby("household_id").size()
    made["used_so_far"] = used.reindex(index, fill_value=0)
    made["redeemed"] = (made.used_so_far > 0).astype(float) if campaign.end_date <= LAST_DAY else np.nan
    return made.reset_index()


def household_weeks(known: Past, until: pd.Timestamp) -> pd.DataFrame:
    """Every household known for four weeks by the end of ``until``, and what happened in the four weeks after it."""
    made = habits(known, until)
    made = made[made.days_known >= SHORTEST_HISTORY].copy()
    made = made.join(offers_before(known, until, made.index)[["coupons_used"]])
    made["known_until"] = until
    after = known.baskets[(known.baskets.day > until) & (known.baskets.day <= until + pd.Timedelta(days=AHEAD))]
    ended = until + pd.Timedelta(days=AHEAD) <= LAST_DAY
    spent = after.groupby("household_id").sales_value.sum().reindex(made.index, fill_value=0.0).round(2)
    made["spend_next_4w"] = spent if ended else np.nan
    made["lapsed"] = (~made.index.isin(after.household_id)).astype(float) if ended else np.nan
    return made.reset_index()


LAST_TRAINING_END = pd.Timestamp("2017-09-24")
FIRST_WEEK, LAST_TRAINING_WEEK = pd.Timestamp("2017-04-02"), pd.Timestamp("2017-09-10")
TEST_WEEKS = tuple(LAST_DAY - pd.Timedelta(days=AHEAD * back) for back in (3, 2, 1))


def campaign_tables(known: Past) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leads (campaigns that still run) and history (ended ones, with their split). Rows in key order."""
    every = pd.concat([campaign_pairs(known, row) for _, row in known.campaigns.iterrows()], ignore_index=True)
    every["short_history"] = ~(every.days_known >= SHORTEST_HISTORY)
    every = _dated(every.sort_values(["campaign_id", "household_id"], ignore_index=True))
    running = every.redeemed.isna()
    history = every[~running].reset_index(drop=True)
    history["split"] = split_of_campaigns(history)
    return every[running].drop(columns="redeemed").reset_index(drop=True), history


def split_of_campaigns(history: pd.DataFrame) -> np.ndarray:
    """Train: ended before the first test campaign began. A campaign that runs across that day is in neither part."""
    start, end = pd.to_datetime(history.start_date), pd.to_datetime(history.end_date)
    split = np.where(end <= LAST_TRAINING_END, "train", np.where(start > LAST_TRAINING_END, "test", "between"))
    return np.where(history.short_history, "short history", split)


def week_tables(known: Past) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The households of now, and the history with outcomes: weekly until the tests begin, then every four weeks."""
    weeks = [*pd.date_range(FIRST_WEEK, LAST_TRAINING_WEEK, freq="7D"), *TEST_WEEKS]
    history = pd.concat([household_weeks(known, week) for week in weeks], ignore_index=True)
    history["split"] = np.where(history.known_until <= LAST_TRAINING_WEEK, "train", "test")
    now = household_weeks(known, LAST_DAY).drop(columns=["spend_next_4w", "lapsed"])
    order = ["known_until", "household_id"]
    return _dated(now), _dated(history.sort_values(order, ignore_index=True))


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    """Days as dates, words as words or blanks."""
    made = frame.copy()
    for column in made.columns:
        if pd.api.types.is_datetime64_any_dtype(made[column]):
            made[column] = made[column].dt.date
        elif made[column].dtype == object or pd.api.types.is_string_dtype(made[column]):
            made[column] = made[column].astype(object).where(made[column].notna(), None)
    return made
