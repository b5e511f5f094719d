"""What is told about rows without showing one: how many, how full a column is, and why a row is seen or not."""

from __future__ import annotations

import pytest
from hypothesis import given

from data import people
from services import access, catalogue, policy, why
from services.errors import Forbidden
from tests import policy_by_hand
from tests.surfaces import by_hand, cases, drawn
from tests.surfaces.by_hand import Books
from tests.surfaces.drawn import KEYS, Person, Stand
from tests.surfaces.thorny import RULED


@cases.drawn("counts")
@given(drawn.people(), drawn.rows_of_a_list)
def test_counts_and_reasons_are_those_of_the_visible_rows(stand: Stand, somebody, row):
    who, books = somebody.on(stand), stand.books
    counted = {d.name: d.rows.seen.value for d in policy.own_rights(who.sources, who.viewer)}
    assert counted == {d: int(books.seen(who, d).sum()) for d in RULED}
    for dataset in RULED:
        assert access.masks(who.viewer, dataset) == books.hidden(who, dataset)
        _catalogue(who, books, dataset)
    _why(who, books, row)
    cases.RUN["counts"] += 1


def _catalogue(who: Person, books: Books, dataset: str) -> None:
    """The page of a dataset says how full the visible columns of the visible rows are."""
    if not who.may("data:read"):
        with pytest.raises(Forbidden):
            catalogue.catalogue(who.viewer, who.sources, dataset)
        return
    found = catalogue.catalogue(who.viewer, who.sources, dataset).focus
    assert found.visible == int(books.seen(who, dataset).sum())
    rows, hidden = books.tables[dataset].frame[books.seen(who, dataset)], books.hidden(who, dataset)
    for line in found.columns:
        assert line.hidden == (line.name in hidden)
        full = float(rows[line.name].notna().mean()) if len(rows) and line.name not in hidden else None
        assert line.filled == (None if full is None else pytest.approx(full))


def _why(who: Person, books: Books, row: tuple[str, int]) -> None:
    """The page Access says of each group of rules whether it holds for a row, and which one decides."""
    if not who.may("policy:read"):
        return
    season, house = row
    contracts = books.tables["vertraege"].frame
    stored = contracts[(contracts.saison == season) & (contracts.kennung == KEYS[house])].iloc[0]
    plain = {c: books.tables["vertraege"].values(c) for c in RULED["vertraege"]}
    values = {c: of[0][of[1][stored.name]] for c, of in plain.items()}
    groups = policy_by_hand.groups_for(who.role, "vertraege")
    holds = [
        g.all_rows or (bool(g.rules) and all(policy_by_hand.rule_holds(r, who.held, values[r.column]) for r in g.rules))
        for g in groups
    ]
    found = why.row(who.viewer, who.sources, _account(who), "vertraege", by_hand.key(KEYS[house], season))
    assert found.sees == any(holds) == bool(books.seen(who, "vertraege")[stored.name])
    assert [g.holds for g in found.groups if g.conditions] == [
        h for h, g in zip(holds, groups, strict=True) if g.all_rows or g.rules
    ]
    assert [g.decides for g in found.groups].count(True) == int(any(holds))


def _account(who: Person) -> int:
    """The drawn person as an account, written anew: the page looks people up as they are now."""
    with who.sources.store.begin() as session:
        found = people.by_email(session, "zufall@example.org") or people.add(
            session, email="zufall@example.org", name="Zufall", role="zufall", attributes={}, password_hash="",
            created_at=who.sources.clock(),
        )  # fmt: skip
        found.role, found.attributes = "zufall", {n: list(v) for n, v in who.held.items()}
        session.flush()
        return found.id
