"""A file holds exactly the rows of the grid, in its order, with the columns that one sees."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given

from services import exports, leads
from services.errors import Forbidden, InvalidQuery, Refusal
from tests.surfaces import by_hand, cases, drawn
from tests.surfaces.drawn import Stand


@pytest.mark.attack("R-03", "E-02")
@cases.drawn("exports")
@given(drawn.people(), drawn.lead_queries())
def test_an_export_is_the_grid(stand: Stand, somebody, query):
    who, books = somebody.on(stand), stand.books
    seen, columns = books.scored(who), books.columns(who)
    mine = seen[seen.saison == query.of]
    if not (who.may("leads:export") and who.may("leads:read")):
        with pytest.raises(Forbidden):
            exports.lead_csv(who.viewer, who.sources, query)
    elif books.hidden(who, "vertraege") & {"saison", "kennung"} or seen.empty:
        with pytest.raises(Refusal):
            assert len(list(_read(exports.lead_csv(who.viewer, who.sources, query)))) == 0
            raise Refusal("No row left.")
    elif by_hand.refused(columns, query):
        with pytest.raises(InvalidQuery):
            exports.lead_csv(who.viewer, who.sources, query)
    else:
        rows = _read(exports.lead_csv(who.viewer, who.sources, query))
        expected = by_hand.ordered(by_hand.matching(mine, columns, query), query.sort)
        assert [by_hand.key(r["kennung"], r["saison"]) for r in rows] == expected.key.tolist()
        assert [int(r["rank"]) for r in rows] == expected["rank"].tolist()
        assert [float(r["score"]) for r in rows] == expected.score.tolist()
        grid = [r for at in range(0, len(rows), 500) for r in leads.block(who.viewer, who.sources, query, at, 500).rows]
        assert [r.key for r in grid] == expected.key.tolist()
        assert [[r[f"reason_{n}"] for n in (1, 2, 3) if r[f"reason_{n}"]] for r in rows] == [
            [exports.safe_text(f"{one.phrase} ({one.points_text})") for one in r.reasons] for r in grid
        ]
        if rows:
            assert {"betrieb", "ort", "telefon", "value"} & set(rows[0]) == set(columns) - {"score", "band"}
            assert not expected.telefon.isin([v for r in rows for v in r.values()]).any() or "telefon" in columns
    cases.RUN["exports"] += 1


def _read(export: exports.Export) -> list[dict[str, str]]:
    """The file as a spreadsheet reads it; the apostrophe before what looks like a formula is taken off again."""
    text = "".join(export.chunks).removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return [
        {k: v.removeprefix("'") if v.startswith(("'=", "'+", "'-", "'@")) else v for k, v in row.items()}
        for row in rows
    ]
