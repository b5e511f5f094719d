"""One lead: its place and neighbours in one's own list, its inputs, its stored reasons; a foreign one is not there."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given

from services import leads, what_if
from services.errors import Forbidden, NotFound, Refusal
from services.lead_query import LeadQuery
from services.what_if import WhatIfQuery
from tests.surfaces import by_hand, cases, drawn
from tests.surfaces.by_hand import Books
from tests.surfaces.drawn import KEYS, MODEL, Person, Stand

MISSING = by_hand.key("niemand", "Winter/2024")


@cases.drawn("leads")
@given(drawn.people(), drawn.rows_of_a_list)
def test_a_lead_is_its_stored_row_among_ones_own(stand: Stand, somebody, row):
    who, books = somebody.on(stand), stand.books
    season, house = row
    seen, asked = books.scored(who), by_hand.key(KEYS[house], season)
    mine = seen[seen.saison == season].reset_index(drop=True)
    at = mine.index[mine.key == asked]
    if not who.may("leads:read") or books.hidden(who, "vertraege") & {"saison", "kennung"}:
        with pytest.raises((Forbidden, NotFound)):
            leads.lead(who.viewer, who.sources, asked, LeadQuery(list=MODEL))
    elif at.empty:
        _is_not_there(who, asked)
    else:
        _stands(who, books, mine, int(at[0]))
    cases.RUN["leads"] += 1


def _is_not_there(who: Person, asked: str) -> None:
    """A row that others have and one that nobody has are refused in the same words, by the lead and by the what-if."""
    said = []
    for key in (asked, MISSING):
        with pytest.raises(Refusal) as refused:
            leads.lead(who.viewer, who.sources, key, LeadQuery(list=MODEL))
        said.append((type(refused.value), refused.value.sentence, refused.value.next_step))
        if who.may("what_if:run"):
            with pytest.raises(Refusal) as refused:
                what_if.explore(who.viewer, who.sources, WhatIfQuery(MODEL, key))
            said.append((type(refused.value), refused.value.sentence, refused.value.next_step))
    assert said[: len(said) // 2] == said[len(said) // 2 :]


def _stands(who: Person, books: Books, mine: pd.DataFrame, at: int) -> None:
    """Rank, total and neighbours are those of the viewer's list; every value is the stored one."""
    stored, columns = mine.iloc[at], books.columns(who)
    found = leads.lead(who.viewer, who.sources, stored.key, LeadQuery(list=MODEL))
    assert (found.rank, found.total, found.of) == (at + 1, len(mine), stored.saison)
    assert found.previous == (mine.key[at - 1] if at else "")
    assert found.next == (mine.key[at + 1] if at + 1 < len(mine) else "")
    assert (found.score_value, found.band) == (stored.score, stored.band)
    assert found.place == ((stored.ort or "") if "ort" in columns else "")
    assert found.contacts == ((("Telefon", stored.telefon),) if "telefon" in columns else ())
    assert (stored.telefon in repr(found)) == ("telefon" in columns)
    assert stored.betrieb not in repr(found) or "betrieb" in columns
    assert (found.may_try, found.technical) == (who.may("what_if:run"), who.may("explanations:technical"))
    _reasons(who, books, found, stored)


def _reasons(who: Person, books: Books, found, stored: pd.Series) -> None:
    """The stored SHAP values, the hidden ones folded, adding up to the score; no word of a hidden input."""
    shap = books.tables[f"explanations_{MODEL}"].frame.loc[stored.row_id]
    own = {c.removeprefix("shap_"): float(shap[c]) for c in shap.index if c.startswith("shap_")}
    named, hidden = books.named(who), books.hidden_features(who)
    assert {r.feature: r.contribution for r in found.why.reasons if r.feature} == {n: own[n] for n in named}
    rest = [r.contribution for r in found.why.reasons if not r.feature]
    assert len(rest) == (1 if len(named) < len(own) else 0)
    assert math.isclose(sum(rest), math.fsum(v for n, v in own.items() if n not in named), abs_tol=1e-9)
    whole = found.why.base_value + math.fsum(r.contribution for r in found.why.reasons)
    assert math.isclose(whole, stored.margin, abs_tol=1e-4)
    inputs = books.tables[f"inputs_{MODEL}"].frame.loc[stored.row_id]
    assert {line.feature for line in found.inputs} == set(own) - hidden
    for line in found.inputs:
        if line.number is not None:
            assert line.number == inputs[line.feature]
