"""What-if: where it may begin, from which row, what may be moved between which ends, and what comes of it."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import what_if
from services.errors import InvalidQuery, Refusal
from services.what_if import WhatIfQuery
from tests.bakery import build
from tests.surfaces import by_hand, cases, drawn
from tests.surfaces.by_hand import LIMITS, Books
from tests.surfaces.drawn import KEYS, MODEL, Person, Stand

ACTIONABLE = ("lieferzeit", "rabatt")
SEARCHES = ("", "", "haus", "Rüti", "Ä01", "/ZH", "+41", "%", "niemand")


@pytest.mark.attack("R-03", "R-06")
@cases.drawn("what_if")
@given(
    drawn.people(),
    drawn.rows_of_a_list,
    st.dictionaries(
        st.sampled_from([*ACTIONABLE, "reklamationen", "zahlungsziel", "art"]), st.integers(0, 9).map(str), max_size=2
    ),
    st.sampled_from(SEARCHES),
)
def test_a_what_if_is_of_ones_own_row(stand: Stand, somebody, row, edits, search):
    who, books = somebody.on(stand), stand.books
    season, house = row
    seen, asked = books.scored(who), by_hand.key(KEYS[house], season)
    mine = seen[seen.key == asked]
    closed = books.hidden(who, "vertraege") & {"saison", "kennung"}
    if not (who.may("what_if:run") and who.may("leads:read")) or closed or seen.empty:
        for ask in (what_if.explore, what_if.move):
            with pytest.raises(Refusal):
                ask(who.viewer, who.sources, WhatIfQuery(MODEL, asked))
        _begins_nowhere(who)
    else:
        _begins(who, books, seen, search)
        if not mine.empty:
            _moves(who, books, mine.iloc[0], edits)
    cases.RUN["what_if"] += 1


def _movable(who: Person, books: Books) -> set[str]:
    """The actionable inputs that one sees; every one for whom it is granted and from whom none is hidden."""
    hidden, every = books.hidden_features(who), set(books.importance)
    return every if who.may("what_if:all_inputs") and not hidden else set(ACTIONABLE) - hidden


def _begins_nowhere(who: Person) -> None:
    """No row to start from and none that is found."""
    try:
        found = what_if.start_page(who.viewer, who.sources, WhatIfQuery(MODEL))
    except Refusal:
        return
    assert (found.starts, found.found) == ((), ())


def _begins(who: Person, books: Books, seen: pd.DataFrame, search: str) -> None:
    """Rows to start from and rows found are those of one's longest list, in order."""
    of = sorted(seen.saison.value_counts().items(), key=lambda p: (-p[1], p[0].encode()))[0][0]
    mine, columns = seen[seen.saison == of], books.columns(who)
    found = what_if.start_page(who.viewer, who.sources, WhatIfQuery(MODEL, search=search))
    assert (found.list, found.of) == (MODEL, of)
    if not _movable(who, books):
        assert not found.starts and not found.found
        return
    texts = [c for c in ("betrieb", "ort", "telefon") if c in columns] + ["kennung", "saison"]
    hits = [
        any(isinstance(row[c], str) and search.lower() in row[c].lower() for c in texts) for _, row in mine.iterrows()
    ]
    assert [s.key for s in found.found] == mine[hits].key.tolist()[:10]
    expected: list[str] = []
    for turn in range(3):
        for limit in (LIMITS["hoch"][0], LIMITS["mittel"][0]):
            below = mine[mine.score < limit].sort_values(["score", "row_id"], ascending=[False, True]).key.tolist()
            if turn < len(below) and len(expected) < 3 and below[turn] not in expected:
                expected.append(below[turn])
    assert [s.key for s in found.starts] == ([] if search else expected)


def _moves(who: Person, books: Books, stored: pd.Series, edits: dict[str, str]) -> None:
    """Without an edit the stored score; with one the model's own answer; ranges are the model's, the same for all."""
    movable, named = _movable(who, books), books.named(who)
    found = what_if.explore(who.viewer, who.sources, WhatIfQuery(MODEL, stored.key))
    assert found.base_score == found.scenario_score == pytest.approx(stored.score, abs=1e-6)
    assert {c.feature for c in found.controls} == movable
    assert {r.feature for r in found.base.reasons if r.feature} == named
    hidden = {books.workspace.models.models[MODEL].features[n].label for n in books.hidden_features(who)}
    assert not hidden & ({c.label for c in found.controls} | {f.label for f in found.fixed})
    inputs = books.tables[f"inputs_{MODEL}"].frame
    for control in found.controls:
        if control.feature in ACTIONABLE:
            scale, declared = (100.0, (0.0, 30.0)) if control.feature == "rabatt" else (1.0, (0.0, 60.0))
            assert (control.low, control.high) == declared
            middle = tuple(float(v) * scale for v in inputs[control.feature].dropna().quantile([0.1, 0.9]))
            assert (control.usual_low, control.usual_high) == pytest.approx(middle)
        elif control.kind != "category":
            trained = tuple(float(v) for v in inputs[control.feature].dropna().quantile([0.01, 0.99]))
            at = float(inputs.loc[stored.row_id, control.feature])
            assert (control.low, control.high) == pytest.approx((min(trained[0], at), max(trained[1], at)), abs=1)
        else:
            assert {text for text, _ in control.options} - {"~"} == set(build.KINDS)
    if not set(edits) <= movable:
        with pytest.raises(InvalidQuery):
            what_if.move(who.viewer, who.sources, WhatIfQuery(MODEL, stored.key, edits))
        return
    moved = what_if.move(who.viewer, who.sources, WhatIfQuery(MODEL, stored.key, edits))
    assert moved.base_score == pytest.approx(stored.score, abs=1e-6)
    assert moved.scenario_score == pytest.approx(_predicted(books, stored, moved.changed, edits), abs=1e-6)


def _predicted(books: Books, stored: pd.Series, changed: tuple[str, ...], edits: dict[str, str]) -> float:
    """What the booster itself says of the row with these edits."""
    row = books.tables[f"inputs_{MODEL}"].frame.loc[stored.row_id, list(build.INPUTS)].copy()
    for name in changed:
        row[name] = float(edits[name]) / (100 if name == "rabatt" else 1)
    return float(books.booster_says(row.astype(float).to_numpy()))
