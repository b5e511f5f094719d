"""What access costs: the guard before a callback, and a row rule over a million leads."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake
from flask import Flask, g

from app import create_app
from benchmarks.house import sources
from benchmarks.measuring import Figure, median
from data.lake_duckdb import DuckDBLake
from data.questions import Aggregate, Aggregated, Compare, Everything, Filter, Group, Order, Question, Select, Table
from pages._guard import ROUTER
from services import demo_people

RINGS = ("authenticate", "authorise")
CALLS, RUNS, WARM = 400, 41, 5
LEADS = 1_000_000
TERRITORIES = ("North", "East", "South", "West", "Other")


def guard() -> dict[str, Figure]:
    """The same callback through the application's WSGI, in turn with both rings and with functions that let pass."""
    app = create_app(sources().settings, sources())
    ask = _signed_in(app.server)
    with_rings: list[float] = []
    without: list[float] = []
    for number in range(2 * (CALLS + WARM)):
        if number % 2:
            with _open_doors(app.server):
                took = _timed(ask)
        else:
            took = _timed(ask)
        if number >= 2 * WARM:
            (without if number % 2 else with_rings).append(took)
    what = "what both rings of the guard add to a callback (the account page through WSGI), p50, in turn"
    return {
        "guard_ms": Figure(
            median(with_rings) - median(without), "ms", "≤ 1 ms", what, runs=len(with_rings),
            peer="the same callback without the guard, ms", peer_value=median(without),
            ratio=median(with_rings) / median(without),
        )
    }  # fmt: skip


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def _signed_in(server: Flask) -> Callable[[], None]:
    """A request for a page's content by somebody who signed in by the demo card."""
    client = server.test_client()
    client.get("/sign-in")
    email = next(email for email, _, _, _ in demo_people.demo_accounts(sources()))
    token = _token(client)
    answer = client.post("/sign-in/demo", data={"csrf_token": token, "email": email})
    assert answer.status_code == 302, f"The demo's person must be let in, got {answer.status_code}."
    client.get("/account", headers={"Accept": "text/html"})
    token = _token(client)
    inputs = [
        {"id": "_pages_location", "property": p, "value": v} for p, v in (("pathname", "/account"), ("search", ""))
    ]
    body = {
        "output": ROUTER,
        "outputs": [{"id": "_pages_content", "property": "children"}, {"id": "_pages_store", "property": "data"}],
        "inputs": inputs, "changedPropIds": ["_pages_location.pathname"], "state": [],
    }  # fmt: skip

    def ask() -> None:
        answer = client.post("/_dash-update-component", json=body, headers={"X-CSRFToken": token})
        assert answer.status_code == 200, f"The callback must answer, got {answer.status_code}."

    return ask


def _token(client: Any) -> str:
    kept = client.get_cookie("_csrf_token")
    if kept:
        return str(kept.decoded_value)
    import re

    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").get_data(as_text=True))
    return found[1] if found else ""


@contextmanager
def _open_doors(server: Flask) -> Iterator[None]:
    """Both rings replaced: a request gets its number and its nonce, and nothing is asked."""
    kept = server.before_request_funcs[None]
    passing = [_let_pass if f.__name__ == RINGS[0] else (lambda: None) if f.__name__ == RINGS[1] else f for f in kept]
    assert sum(a is not b for a, b in zip(kept, passing, strict=True)) == len(RINGS)
    server.before_request_funcs[None] = passing
    try:
        yield
    finally:
        server.before_request_funcs[None] = kept


def _let_pass() -> None:
    g.request_id, g.nonce = "0" * 16, "0" * 22


def row_rule() -> dict[str, Figure]:
    """A count, a page of a hundred by score and a group-by over a million leads, under rules and without, in turn.

    The count is one under a filter: how many rows a file has stands in its foot, and nobody counts them.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write_leads(Path(folder))
        lake = DuckDBLake(Path(folder), timezone="UTC")
        try:
            found = {name: _ratios(lake, question) for name, question in _questions().items()}
        finally:
            lake.close()
    worst = max(ratio for of in found.values() for ratio in of.values())
    said = "; ".join(f"{name} {of['nearly all']:.2f}, {of['a quarter']:.2f}" for name, of in found.items())
    what = (
        f"a row rule that keeps nearly all, and a quarter, of the leads, against the same question without it ({said})"
    )
    return {"row_rule_1m_ratio": Figure(worst, "×", "≤ 1.10", what, rows=LEADS, runs=RUNS)}


def _questions() -> dict[str, Question]:
    measures = (Aggregated("n", "count"), Aggregated("mean", "avg", "score"))
    leads, order = Table("leads", 0), (Order("score", True), Order("row_id"))
    return {
        "count": Aggregate(leads, (Aggregated("n", "count"),), filter=Compare("score", "gt", 0.1)),
        "page of 100": Select(leads, ("row_id", "score", "name", "band"), order=order, limit=100),
        "by band": Aggregate(leads, measures, by=(Group("band"),)),
    }  # fmt: skip


def _ratios(lake: DuckDBLake, question: Question) -> dict[str, float]:
    rules: dict[str, Filter] = {
        "none": Everything(),
        "nearly all": Compare("territory", "in", TERRITORIES[:4]),
        "a quarter": Compare("territory", "in", TERRITORIES[:1]),
    }
    times: dict[str, list[float]] = {name: [] for name in rules}
    for number in range(RUNS + WARM):
        for name, where in rules.items():
            took = _timed(lambda w=where: lake.read(question, where=w))  # type: ignore[misc]
            if number >= WARM:
                times[name].append(took)
    return {name: median(times[name]) / median(times["none"]) for name in rules if name != "none"}


def _write_leads(folder: Path) -> None:
    """Leads as a score run writes them: in published order, with the row-rule column beside the score."""
    rng = np.random.default_rng(7)
    names = [f"Household {n}" for n in rng.permutation(LEADS)]
    score = np.sort(rng.beta(1.2, 6, LEADS))[::-1]
    territory = rng.choice(TERRITORIES, LEADS, p=[0.249, 0.249, 0.249, 0.249, 0.004])
    band = np.where(score > 0.4, "A", np.where(score > 0.2, "B", "C"))
    rows = {"row_id": np.arange(LEADS), "score": score, "band": band, "territory": territory, "name": names}
    write_deltalake(str(folder / "leads"), pa.table(rows))
