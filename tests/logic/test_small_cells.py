"""Counts of few: literal examples, and an attacker who tries every number that fits what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services import small_cells
from services.small_cells import Balance, changed, spaced, told, whole, withheld

pytestmark = pytest.mark.attack("R-08")
K = 5
CASES = settings(max_examples=80, deadline=None, derandomize=True)


def shares(*counts: int) -> tuple[dict[str, int], Balance]:
    """Parts by letter, with their total."""
    named = {chr(97 + at): n for at, n in enumerate(counts)}
    return named | {"total": sum(counts)}, whole("total", *named)


def said(*counts: int) -> dict[str, str]:
    named, one = shares(*counts)
    return withheld(named, [one], K)


# ── by name ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((10, 20, 30), {}),
        ((0, 20, 30), {}),  # that nobody is there names nobody
        ((5, 20), {}),
        ((3, 20, 30), {"a": "few", "b": "tells"}),  # 53 - 20 - 30 would be the three
        ((3, 8, 30), {"a": "few", "b": "tells"}),
        ((3, 7, 30), {"a": "few", "c": "tells"}),  # seven leaves too little room: it would be 5, 6 or 7
        ((3, 6), {"a": "few", "total": "tells"}),
        ((1, 4), {"a": "few", "b": "few"}),  # five in all: each may be any of 1 to 4
        ((1, 1, 30), {"a": "few", "b": "few", "c": "tells"}),
        ((4, 4), {"a": "few", "b": "few", "total": "tells"}),  # eight in two parts of few can only be four and four
        ((2,), {"a": "tells", "total": "few"}),
        ((1, 1, 0, 2), {"a": "tells", "b": "tells", "c": "tells", "d": "tells", "total": "few"}),
    ],
)
def test_few_are_withheld_with_what_would_tell_them(counts: tuple[int, ...], expected: dict[str, str]) -> None:
    assert said(*counts) == expected


def test_what_somebody_does_not_see_is_not_told_by_the_whole() -> None:
    """178 of 180 would say that two are hidden from them; one's own count is one's own."""
    counts, sums = {"visible": 178, "rest": 2, "total": 180}, [whole("total", "visible", "rest")]
    silent = frozenset({"rest"})
    assert withheld(counts, sums, K, silent=silent) == {"visible": "tells"}
    assert withheld(counts, sums, K, silent=silent, own=frozenset({"visible"})) == {"total": "tells"}
    few = {"visible": 3, "rest": 177, "total": 180}
    assert withheld(few, sums, K, silent=silent) == {"visible": "few"}
    assert withheld(few, sums, K, silent=silent, own=frozenset({"visible"})) == {}


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ((100, 300, 200, 0), {"before": "100", "after": "300", "gained": "200", "lost": "0"}),
        ((100, 102, 2, 0), {"before": "100", "after": "not shown", "gained": "fewer than 5", "lost": "0"}),
        ((100, 99, 0, 1), {"before": "100", "after": "not shown", "gained": "0", "lost": "fewer than 5"}),
        ((100, 99, 20, 21), {"before": "100", "after": "99", "gained": "20", "lost": "21"}),
        ((12, 9, 1, 4), {"before": "12", "after": "not shown", "gained": "fewer than 5", "lost": "fewer than 5"}),
        ((0, 3, 3, 0), {"before": "0", "after": "fewer than 5", "gained": "not shown", "lost": "0"}),
    ],
)
def test_a_change_does_not_tell_the_few_it_adds(change: tuple[int, int, int, int], shown: Mapping[str, str]) -> None:
    before, after, gained, lost = change
    found = changed(before, after, gained=gained, lost=lost, smallest=K)
    assert {n: c.text for n, c in found.items()} == shown


def test_versions_that_lie_close_tell_how_few_came() -> None:
    assert spaced([901, 900, 890, 3, 901], K) == [None, "tells", None, "few", None]
    assert spaced([906, 901, 896], K) == [None, None, None]


def test_a_withheld_count_leaves_no_number() -> None:
    few, tells, plain = told(3, "few", K), told(178, "tells", K), told(1_204, None, K)
    assert (plain.value, plain.text, plain.reason, plain.withheld) == (1_204, "1,204", "", False)
    for one, number in ((few, "3"), (tells, "178")):
        assert one.value is None and one.withheld and one.reason.endswith(".") and number not in repr(one)
    assert small_cells.reasons([few, few, plain]) == few.reason


def test_where_nothing_is_small_nothing_is_withheld() -> None:
    assert withheld({"a": 1, "b": 2, "total": 3}, [whole("total", "a", "b")], 1) == {}


# ── the attacker ──────────────────────────────────────────────────────────────────────────────────


def possible(
    counts: Mapping[str, int], sums: Sequence[Balance], hidden: Mapping[str, str], silent: frozenset[str], most: int
) -> list[dict[str, int]]:
    """Every number that each withheld count may be, given all that is shown and what its words say of it."""
    unknown = sorted({*hidden, *silent})
    inside = {n for one in sums for n in one.right if len(one.left) == 1 and hidden.get(one.left[0]) == "few"}
    ranges = [range(1, K) if hidden.get(n) == "few" else range(0 if n in silent | inside else K, most) for n in unknown]
    found = []
    for tried in product(*ranges):
        guess = {**counts, **dict(zip(unknown, tried, strict=True))}
        if all(sum(guess[n] for n in one.left) == sum(guess[n] for n in one.right) for one in sums):
            found.append(guess)
    return found


@CASES
@given(st.lists(st.integers(0, 12), min_size=1, max_size=3))
def test_no_number_that_fits_is_ruled_out(counts: list[int]) -> None:
    """Of a whole and its parts: each count of few may still be any of 1 to 4, whatever is subtracted from what."""
    named, one = shares(*counts)
    hidden = withheld(named, [one], K)
    worlds = possible(named, [one], hidden, frozenset(), 40)
    for name in (n for n, why in hidden.items() if why == "few"):
        assert {w[name] for w in worlds} == set(range(1, K)), (counts, hidden)
    if 0 < named["total"] < K:
        assert all(len({w[n] for w in worlds}) > 1 for n in one.right)


@settings(CASES, max_examples=40)
@given(st.integers(0, 12), st.integers(0, 8), st.integers(0, 8))
def test_a_change_cannot_be_worked_out(kept: int, gained: int, lost: int) -> None:
    """Before, after, gained and lost stand on one page: two comparisons at once."""
    counts = {"before": kept + lost, "after": kept + gained, "gained": gained, "lost": lost, "kept": kept}
    sums = [whole("before", "kept", "lost"), whole("after", "kept", "gained")]
    found = changed(counts["before"], counts["after"], gained=gained, lost=lost, smallest=K)
    hidden = {n: "few" if c.text.startswith("fewer") else "tells" for n, c in found.items() if c.withheld}
    worlds = possible(counts, sums, hidden, frozenset({"kept"}), 26)
    assert all(found[n].value == counts[n] for n in found if n not in hidden)
    for name in (n for n in counts if 0 < counts[n] < K):
        assert len({w[name] for w in worlds}) > 1, (counts, hidden)


@CASES
@given(st.integers(0, 20), st.integers(0, 12), st.booleans())
def test_the_rows_of_others_cannot_be_worked_out(visible: int, rest: int, mine: bool) -> None:
    counts, sums = {"visible": visible, "rest": rest, "total": visible + rest}, [whole("total", "visible", "rest")]
    own, silent = frozenset({"visible"} if mine else ()), frozenset({"rest"})
    hidden = withheld(counts, sums, K, own=own, silent=silent)
    worlds = possible(counts, sums, hidden, silent, 40)
    for name in (n for n in counts if 0 < counts[n] < K and n not in own):
        assert len({w[name] for w in worlds}) > 1, (counts, hidden)


@CASES
@given(st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_no_two_versions_shown_differ_by_few(counts: list[int]) -> None:
    """Two queries, n and n - 1: their difference is a count of few."""
    shown = [n for n, why in zip(counts, spaced(counts, K), strict=True) if why is None]
    assert not any(0 < abs(a - b) < K for a in shown for b in shown) and not any(0 < n < K for n in shown)


@settings(CASES, max_examples=120)
@given(st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), min_size=2, max_size=2))
def test_a_table_with_sums_both_ways_cannot_be_solved(rows: list[list[int]]) -> None:
    """Rows and columns with their totals: linear algebra over everything shown settles no count of few."""
    counts = {f"{r}{c}": n for r, row in enumerate(rows) for c, n in enumerate(row)}
    counts |= {f"r{r}": sum(row) for r, row in enumerate(rows)} | {f"c{c}": sum(row[c] for row in rows) for c in (0, 1)}
    counts["all"] = sum(map(sum, rows))
    sums = [whole(f"r{r}", f"{r}0", f"{r}1") for r in (0, 1)] + [whole(f"c{c}", f"0{c}", f"1{c}") for c in (0, 1)]
    sums += [whole("all", "r0", "r1"), whole("all", "c0", "c1")]
    hidden = withheld(counts, sums, K)
    shown = {n for n in counts if n not in hidden}
    for name in (n for n, why in hidden.items() if why == "few"):
        assert not _solved(name, counts, sums, shown), (counts, hidden)


def _solved(name: str, counts: Mapping[str, int], sums: Sequence[Balance], shown: set[str]) -> bool:
    """Is there a way to add and subtract the sums so that only this unknown is left? By rank, in floating point."""
    import numpy as np

    unknown = sorted(set(counts) - shown)
    rows = np.array([[(n in one.right) - (n in one.left) for n in unknown] for one in sums], dtype=float)
    target = np.array([[float(n == name) for n in unknown]])
    if not set(unknown) or (counts[name] == 0):
        return False
    return bool(np.linalg.matrix_rank(np.vstack([rows, target])) == np.linalg.matrix_rank(rows))
