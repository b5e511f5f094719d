"""Ranks by bits equal ranks by counting, for lists that are dense, sparse, empty or end at a page."""

from __future__ import annotations

import numpy as np
import pytest

from services.lead_ranks import PAGE, Ranks

LISTS = {
    "dense": np.arange(10),
    "one row": np.asarray([7]),
    "sparse over many pages": np.asarray([0, 1, PAGE - 1, PAGE, 3 * PAGE + 5, 9 * PAGE - 1]),
    "starts late": np.arange(5 * PAGE + 3, 5 * PAGE + 900, 3),
    "random": np.flatnonzero(np.random.default_rng(0).random(40_000) < 0.07),
}


@pytest.mark.attack("R-05")
@pytest.mark.parametrize("name", LISTS)
def test_a_rank_is_the_place_among_the_rows_of_the_list(name: str) -> None:
    ids = LISTS[name]
    shuffled = np.random.default_rng(1).permutation(ids)
    ranks = Ranks.of(shuffled)
    assert ranks.total == len(ids)
    assert ranks.ranks([int(i) for i in ids]) == list(range(1, len(ids) + 1))
    assert [ranks.row_at(r) for r in range(1, len(ids) + 1)] == ids.tolist()


@pytest.mark.parametrize("name", LISTS)
def test_neighbours_are_those_before_and_after_in_the_list(name: str) -> None:
    ids = LISTS[name].tolist()
    ranks = Ranks.of(LISTS[name])
    wanted = list(zip([None, *ids[:-1]], [*ids[1:], None], strict=True))
    assert [ranks.beside(i) for i in ids] == wanted


def test_an_empty_list_has_no_rank() -> None:
    ranks = Ranks.of(np.asarray([], dtype=np.int64))
    assert ranks.total == 0 and ranks.ranks([]) == []


def test_a_million_rows_take_an_eighth_of_a_megabyte() -> None:
    ranks = Ranks.of(np.arange(0, 1_000_000, 2))
    assert ranks.bits.nbytes + ranks.before.nbytes < 150_000
