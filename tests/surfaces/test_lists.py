"""Lists: which there are, how many rows, in which bands, and the rows themselves with their ranks and reasons."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import leads
from services.errors import Forbidden, InvalidQuery, NotFound, Refusal
from tests.surfaces import by_hand, cases, drawn
from tests.surfaces.by_hand import Books
from tests.surfaces.drawn import BANDS, MODEL, Person, Stand

CAPACITY, REASONS = 20, 3


@pytest.mark.attack("R-01", "R-03", "R-05")
@cases.drawn("lists")
@given(drawn.people(), drawn.lead_queries(), st.integers(0, 60), st.integers(1, 60))
def test_a_list_is_that_of_the_visible_rows(stand: Stand, somebody, query, start, count):
    who, books = somebody.on(stand), stand.books
    seen = books.scored(who)
    mine, columns = seen[seen.saison == query.of], books.columns(who)
    closed = books.hidden(who, "vertraege") & {"saison", "kennung"}
    if not who.may("leads:read") or closed or seen.empty:
        _nothing_is_said(who, query)
    elif by_hand.refused(columns, query):
        with pytest.raises(InvalidQuery):
            leads.block(who.viewer, who.sources, query, start, count)
        with pytest.raises((InvalidQuery, NotFound)):
            leads.page(who.viewer, who.sources, query)
    else:
        _choices(who, seen)
        _counts(who, query, mine, columns)
        _rows(who, books, query, mine, columns, (start, count))
    cases.RUN["lists"] += 1


def _nothing_is_said(who: Person, query) -> None:
    """Without the right, without rows or without the column that tells lists apart there is no list."""
    for ask in (leads.page, leads.narrowed, lambda *a: leads.block(*a, 0, 10)):
        try:
            found = ask(who.viewer, who.sources, query)
        except Refusal:
            continue
        assert getattr(found, "total", getattr(found, "matching", 0)) == 0 and not getattr(found, "rows", ())
    if who.may("leads:read"):
        assert leads.lists(who.viewer, who.sources) == ()
    else:
        with pytest.raises(Forbidden):
            leads.lists(who.viewer, who.sources)


def _choices(who: Person, seen: pd.DataFrame) -> None:
    """The lists on offer are those with visible rows, the longest first."""
    sizes = sorted(seen.saison.value_counts().items(), key=lambda p: (-p[1], p[0].encode()))
    assert [(c.of, c.rows) for c in leads.lists(who.viewer, who.sources)] == sizes


def _counts(who: Person, query, mine: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Total, bands and capacity; a page of a list without visible rows is not there."""
    found = leads.narrowed(who.viewer, who.sources, query)
    left = by_hand.matching(mine, columns, query)
    every = by_hand.matching(mine, columns, query, bands=False)
    assert found.matching == len(left)
    sizes = every.band.value_counts()
    assert {b.band: b.rows for b in found.bands} == {b: int(sizes.get(b, 0)) for b in BANDS}
    limited = len(mine) > CAPACITY and (len(left) or not query.narrows)
    assert found.within == (int((left["rank"] <= CAPACITY).sum()) if limited else None)
    if found.without is not None:
        assert len(by_hand.matching(mine, columns, found.without)) > 0
    if mine.empty:
        with pytest.raises((InvalidQuery, NotFound)):
            leads.page(who.viewer, who.sources, query)
        return
    page = leads.page(who.viewer, who.sources, query)
    assert (page.rows, page.narrowed.matching) == (len(mine), len(left))
    assert {c.field for c in page.columns} == set(columns)
    assert page.may_export == who.may("leads:export")


def _rows(
    who: Person, books: Books, query, mine: pd.DataFrame, columns: tuple[str, ...], window: tuple[int, int]
) -> None:
    """The rows of a window: their keys in order, ranks in one's own list, values, and stored reasons."""
    start, count = window
    expected = by_hand.ordered(by_hand.matching(mine, columns, query), query.sort)
    found = leads.block(who.viewer, who.sources, query, start, count)
    inside = expected.iloc[start : start + count]
    assert found.total == len(expected)
    assert [r.key for r in found.rows] == inside.key.tolist()
    assert [r.rank for r in found.rows] == inside["rank"].tolist()
    assert [r.share for r in found.rows] == inside.score.tolist()
    assert [r.beyond for r in found.rows] == [rank > CAPACITY for rank in inside["rank"]]
    shown = {c for c in columns if c in ("value", "telefon")}
    named = sorted(books.named(who))
    shap = books.tables[f"explanations_{MODEL}"].frame
    for row, (_, stored) in zip(found.rows, inside.iterrows(), strict=True):
        assert set(row.values) == shown
        assert row.name == (stored.betrieb if "betrieb" in columns and stored.betrieb else row.name)
        assert row.place == ((stored.ort or "") if "ort" in columns else "")
        if "telefon" in columns:
            assert row.values["telefon"] == stored.telefon
        assert stored.telefon not in repr(row) or "telefon" in columns
        assert stored.betrieb not in repr(row) or "betrieb" in columns
        own = shap.loc[stored.row_id, [f"shap_{n}" for n in named]]
        best = sorted(((n, float(own[f"shap_{n}"])) for n in named), key=lambda p: -abs(p[1]))[:REASONS]
        assert [abs(r.contribution) for r in row.reasons] == [abs(v) for _, v in best if v]
        assert {r.feature for r in row.reasons} <= set(named)
