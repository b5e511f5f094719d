"""Services without a browser: the overview, a block of the lead list, a move of what-if, a streamed export."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import duckdb

from benchmarks.house import sources, viewer
from benchmarks.measuring import Figure, median, milliseconds, p95
from data import lake_delta
from services import exports, kpis, leads, snapshots, what_if
from services.kpi_query import KpiQuery
from services.lead_query import LeadQuery
from services.what_if import WhatIfQuery

RUNS = 15
EVERY = 0.5
"""Seconds between two moves of a person."""


def overview() -> dict[str, Figure]:
    """The executive's page: computed, repeated, and beside the scan that its numbers need at least."""
    who, house = viewer("executive"), sources()
    query = KpiQuery()

    def fresh() -> None:
        house.cache.clear()
        kpis.overview(who, house, query)

    fresh()
    computed = milliseconds(fresh, RUNS)
    repeated = milliseconds(lambda: kpis.overview(who, house, query), RUNS * 3)
    peer = milliseconds(_by_hand(), RUNS)
    return {
        "kpi_demo_ms": Figure(
            median(computed), "ms", "", "the overview computed, nothing cached", rows=1_469_307, runs=RUNS,
            peer="hand-written SQL of its cards, trend and members, ms", peer_value=median(peer),
            ratio=median(computed) / median(peer),
        ),
        "kpi_repeat_ms": Figure(p95(repeated), "ms", "≤ 20 ms", "the overview asked again, p95", runs=len(repeated)),
    }  # fmt: skip


def _by_hand() -> object:
    """Twelve months, the days of two months, and the departments: one statement each over the same files."""
    house = sources()
    table = snapshots.snapshot(None, house, "transactions").table
    files = ", ".join(f"'{f}'" for f in lake_delta.files(house.settings.published, table))
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("set TimeZone='America/New_York'")
    rows = f"read_parquet([{files}])"
    measures = (
        "sum(sales_value), count(distinct basket_id), count(distinct household_id), sum(retail_disc), "
        "sum(coupon_match_disc)"
    )
    time_ = "transaction_timestamp"
    statements = (
        f"select date_trunc('month', {time_}), {measures} from {rows} group by 1",
        f"select date_trunc('day', {time_}), sum(sales_value) from {rows} where {time_} >= '2017-11-01' group by 1",
        f"select date_trunc('month', {time_}), department, sum(sales_value) from {rows} group by 1, 2",
    )

    def run() -> None:
        for statement in statements:
            connection.sql(statement).to_arrow_table()

    return run


def grid() -> dict[str, Figure]:
    """A block of the seller's list in several orders and filters."""
    who, house = viewer("seller"), sources()
    page = leads.page(who, house, LeadQuery())
    asked = [
        page.query,
        page.query.with_grid({"sortModel": [{"colId": "value", "sort": "asc"}]}),
        page.query.with_grid({"filterModel": {"score": {"type": "greaterThan", "filter": 0.2}}}),
        replace(page.query, search="an"),
    ]
    found = [t for query in asked for t in milliseconds(lambda q=query: leads.block(who, house, q, 0, 100), RUNS)]
    what = "a block of 100 leads with reasons under a row rule, four orders and filters"
    return {"grid_demo_p95_ms": Figure(p95(found), "ms", "≤ 150 ms", what, rows=page.rows, runs=len(found))}


def moves() -> dict[str, Figure]:
    """Twenty people move sliders twice a second, each on a row of their own; every model in turn, the slowest kept."""
    who, house = viewer("analyst"), sources()
    lists = leads.page(who, house, LeadQuery()).query, leads.page(who, house, LeadQuery(list="lapse_risk")).query
    campaign, households = ([row.key for row in leads.block(who, house, query, 0, 20).rows] for query in lists)
    keys = {"campaign_response": campaign, "lapse_risk": households, "spend_next_4_weeks": households}
    found = {model: _moved(model, rows) for model, rows in keys.items()}
    slowest = max(found, key=lambda model: p95(found[model]))
    each = ", ".join(f"{model} {p95(times):.0f}" for model, times in found.items())
    what = f"a move of what-if, 20 people twice a second in one process; p95 of the slowest model ({each} ms)"
    return {"whatif_p95_ms": Figure(p95(found[slowest]), "ms", "≤ 60 ms", what, runs=len(found[slowest]))}


def _moved(model: str, keys: list[str]) -> list[float]:
    """Milliseconds of each move. People do not move in step: each begins at a moment of their own."""
    who, house = viewer("analyst"), sources()
    found: list[float] = []

    def one(key: str) -> None:
        first = what_if.explore(who, house, WhatIfQuery(model, key, {}))
        control = next(c for c in first.controls if c.low is not None and c.high is not None)
        time.sleep(EVERY * keys.index(key) / len(keys))
        for move in range(20):
            share = (move % 10 + 0.5) / 10
            value = (control.low or 0) + share * ((control.high or 1) - (control.low or 0))
            text = str(round(value)) if control.kind == "integer" else f"{value:.3f}"
            started = time.perf_counter()
            what_if.move(who, house, WhatIfQuery(model, key, {control.feature: text}))
            took = time.perf_counter() - started
            found.append(took * 1000)
            time.sleep(max(0.0, EVERY - took))

    people = [threading.Thread(target=one, args=(key,)) for key in keys]
    for person in people:
        person.start()
    for person in people:
        person.join()
    return found


def export() -> dict[str, Figure]:
    """The manager's list as CSV: until the first data row, and whole."""
    who, house = viewer("sales_manager"), sources()
    query = leads.page(who, house, LeadQuery()).query
    firsts = []
    for _ in range(RUNS):
        started = time.perf_counter()
        lines = 0
        for chunk in exports.lead_csv(who, house, query).chunks:
            lines += chunk.count("\n")
            if lines >= 2:
                break
        firsts.append(time.perf_counter() - started)
    what = "first data row of the manager's list as CSV"
    return {"csv_first_row_demo_s": Figure(median(firsts), "s", "≤ 0.5 s", what, runs=RUNS)}
