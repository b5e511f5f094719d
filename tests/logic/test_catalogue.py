"""The catalogue against the raw files read with pandas: counts, shares, masks, freshness, held-back files, uses."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from typing import Any

import pytest

from services import catalogue, policy, refresh
from services.errors import Forbidden, NotFound
from tests.bakery import build
from tests.house import House

ANALYST, ADMIN, SELLER = "tueftlerei", "hauswart", "aussendienst"


def look(house: House, who: str, dataset: str = "") -> Any:
    return catalogue.catalogue(house.viewer(who), house.sources, dataset)


def column(found: Any, name: str) -> Any:
    return next(c for c in found.focus.columns if c.name == name)


def with_data_right(house: House, who: str) -> Any:
    """A person as the policy makes them, but with the right to the catalogue as well."""
    from dataclasses import replace

    viewer = house.viewer(who)
    return replace(viewer, grants=viewer.grants | {"data:read"})


def test_rows_are_those_of_the_files(bakery):
    known = {line.name: line.rows.value for line in look(bakery, ANALYST).datasets}
    assert known == {
        "abnehmer": len(build.houses()),
        "lieferungen": len(build.deliveries()),
        "vertraege": len(build.contracts()),
    }


def test_what_one_sees_is_counted_under_ones_own_rows(bakery):
    known = build.houses()
    deliveries = build.deliveries().merge(known[["kennung", "tour"]], on="kennung")
    for who, tours in (
        (SELLER, ["Nord/See"]),
        ("aussendienst:zwei", ["Nord/See", "Stadt 'Mitte'"]),
        ("aussendienst:ohne", []),
    ):
        viewer = with_data_right(bakery, who)
        for dataset, rows in (("abnehmer", known), ("lieferungen", deliveries)):
            focus = catalogue.catalogue(viewer, bakery.sources, dataset).focus
            assert focus.visible == int(rows.tour.isin(tours).sum()), (who, dataset)
    assert look(bakery, ANALYST, "abnehmer").focus.visible == len(known)
    assert look(bakery, ADMIN, "abnehmer").focus.visible == 0


def test_how_much_is_filled_is_told_of_ones_own_rows_and_never_of_a_hidden_column(bakery):
    found, rows = look(bakery, ANALYST, "lieferungen"), build.deliveries()
    for name in ("gebaeck", "retouren", "umsatz"):
        assert column(found, name).filled == pytest.approx(rows[name].notna().mean(), abs=1e-12), name
    people = look(bakery, ANALYST, "abnehmer")
    hidden = column(people, "telefon")
    assert hidden.hidden and hidden.filled is None and hidden.filled_said == "–"
    mine = build.deliveries().merge(build.houses()[["kennung", "tour"]], on="kennung")
    mine = mine[mine.tour == "Nord/See"]
    found = catalogue.catalogue(with_data_right(bakery, SELLER), bakery.sources, "lieferungen")
    assert column(found, "retouren").filled == pytest.approx(mine.retouren.notna().mean(), abs=1e-12)
    assert column(look(bakery, ADMIN, "lieferungen"), "retouren").filled is None


def test_columns_read_in_words(bakery):
    found = look(bakery, ANALYST, "lieferungen")
    price = column(found, "umsatz")
    assert (price.kind, price.unit, price.privacy, price.hidden) == ("Number", "CHF", "internal", False)
    assert (column(found, "menge").kind, column(found, "menge").unit) == ("Whole number", "Stück")
    tour = column(found, "tour")
    assert (tour.kind, tour.source) == ("Text", "Abnehmer"), "a type that only the published file says"
    assert column(found, "beleg").key and column(found, "tag").kind == "Day"
    assert look(bakery, ANALYST, "abnehmer").focus.invented == ("Inhaberin", "Telefon")


def test_a_share_that_is_not_whole_never_reads_whole():
    from data.definitions import LakeFile

    lake = LakeFile.model_validate({"name": "x", "datasets": {}})
    assert catalogue._share(0.9999, lake) == "almost 100\u00a0%"
    assert catalogue._share(1.0, lake) == "100\u00a0%"
    assert catalogue._share(0.0004, lake) != "0\u00a0%"
    assert catalogue._share(None, lake) == "–"


def test_where_a_dataset_is_used_is_complete(bakery):
    workspace = bakery.sources.workspace
    uses = {d: {(u.kind, u.name) for u in look(bakery, ANALYST, d).focus.uses} for d in workspace.lake.datasets}
    named = {name for used in uses.values() for kind, name in used if kind == "metric"}
    assert named == set(workspace.metrics.metrics), "every metric reads some dataset"
    assert ("model", next(iter(workspace.models.models))) in uses["vertraege"]
    assert all(u.may_open for u in look(bakery, ANALYST, "vertraege").focus.uses)
    assert not any(u.may_open for u in look(bakery, ADMIN, "vertraege").focus.uses)


def test_freshness_is_judged_by_business_days_against_the_workspaces_clock(own_bakery):
    sources = own_bakery.sources
    assert look(own_bakery, ANALYST).as_of == date(2024, 11, 30)
    line = next(x for x in look(own_bakery, ANALYST).datasets if x.name == "lieferungen")
    assert (line.state, line.said) == ("fresh", "To 30\u00a0Nov\u00a02024")
    from dataclasses import replace

    lake = sources.workspace.lake.model_copy(update={"clock": "now"})
    late = replace(sources, workspace=sources.workspace.model_copy(update={"lake": lake}))
    sources.clock.move(timedelta(days=3))
    found = catalogue.catalogue(own_bakery.viewer(ANALYST), late, "lieferungen")
    assert (found.focus.line.state, found.focus.line.said) == ("fresh", "To 30\u00a0Nov\u00a02024"), (
        "5 days are promised"
    )
    sources.clock.move(timedelta(days=1))
    found = catalogue.catalogue(own_bakery.viewer(ANALYST), late, "lieferungen")
    assert (found.focus.line.state, found.focus.line.said) == ("stale", "Ends 30\u00a0Nov\u00a02024, 6 days ago")


def test_a_file_that_is_held_back_is_named_with_its_reason_and_the_last_version_serves_on(own_bakery):
    raw = own_bakery.sources.settings.lake
    (raw / "stamm" / "abnehmer.parquet").write_bytes(b"PAR1 half of it")
    refresh.refresh(own_bakery.sources)
    found = look(own_bakery, ANALYST)
    assert found.focus.line.name == "abnehmer", "what needs a look is in focus first"
    assert (found.focus.line.state, found.focus.line.rows.value) == ("held", build.HOUSES)
    held = found.held[0]
    assert held.file == "abnehmer.parquet" and held.serving
    assert held.reason == "abnehmer.parquet is damaged or only half written and cannot be read."
    assert catalogue.held_files(own_bakery.viewer(ADMIN), own_bakery.sources) == found.held


def test_a_dataset_that_was_never_published_is_no_error(own_bakery):
    from data.tables import Publication

    with own_bakery.sources.store.begin() as session:
        session.query(Publication).filter(Publication.dataset == "lieferungen").delete()
    focus = look(own_bakery, ANALYST, "lieferungen").focus
    assert (focus.line.state, focus.line.rows, focus.visible, focus.versions) == ("missing", None, None, ())
    assert [c.label for c in focus.columns][:2] == ["Beleg", "Kennung"]


def test_files_that_are_gone_leave_the_page_standing(own_bakery):
    shutil.rmtree(own_bakery.sources.settings.published / "abnehmer")
    focus = catalogue.catalogue(with_data_right(own_bakery, SELLER), own_bakery.sources, "abnehmer").focus
    assert focus.visible is None and all(c.filled is None for c in focus.columns)


def test_who_may_not_and_what_is_not_there(bakery):
    with pytest.raises(Forbidden):
        look(bakery, SELLER)
    with pytest.raises(NotFound, match="There is no dataset named x"):
        look(bakery, ANALYST, "x" * 5_000)
    for ask in (catalogue.held_files, catalogue.refused_models):
        with pytest.raises(Forbidden):
            ask(bakery.viewer(ANALYST), bakery.sources)


def test_a_refused_model_says_why(own_bakery):
    from data.tables import CatalogueVersion

    with own_bakery.sources.store.begin() as session:
        kept = session.query(CatalogueVersion).first()
        kept.state, kept.reason, kept.next_step = "refused", "It holds a pickle.", "Register it as skops."
        name = kept.registered
    found = catalogue.refused_models(own_bakery.viewer(ADMIN), own_bakery.sources)
    assert [(m.registered, m.reason, m.next_step) for m in found] == [
        (name, "It holds a pickle.", "Register it as skops.")
    ]


# ── the policy as it is read ──────────────────────────────────────────────────────────────────────


def test_the_policy_says_of_each_role_what_it_may_and_which_rows_it_sees(bakery):
    found = policy.policy(bakery.viewer(ADMIN), bakery.sources)
    seller = next(r for r in found.roles if r.name == "aussendienst")
    assert (seller.home, seller.people, seller.masked) == ("Besuche", 4, "Sensitive columns are hidden.")
    assert seller.hidden == (("Verträge", ("Mahnungen",)),)
    assert [(r.datasets, r.rule, r.kind) for r in seller.rows] == [
        (("Abnehmer", "Lieferungen", "Verträge"), "Tour is the person's tour.", "some")
    ]
    keeper = next(r for r in found.roles if r.name == "hauswart")
    assert [r.kind for r in keeper.rows] == ["none"]
    for name, role in bakery.sources.workspace.access.roles.items():
        assert found.granted[name] == set(role.actions)


def test_the_rights_of_a_person_are_what_that_person_gets(bakery):
    known = build.houses()
    everyone = policy.policy(bakery.viewer(ADMIN), bakery.sources).people
    number = next(i for i, name, _ in everyone if name == "aussendienst:zwei")
    rights = policy.rights_of(bakery.viewer(ADMIN), bakery.sources, number)
    houses = next(d for d in rights.datasets if d.name == "abnehmer")
    assert houses.rows.seen.value == int(known.tour.isin(["Nord/See", "Stadt 'Mitte'"]).sum())
    assert (houses.rows.total.value, houses.reason, houses.hidden) == (
        len(known),
        "Tour is Nord/See or Stadt 'Mitte'.",
        (),
    )
    with pytest.raises(NotFound):
        policy.rights_of(bakery.viewer(ADMIN), bakery.sources, 9_999)
    with pytest.raises(Forbidden):
        policy.rights_of(bakery.viewer(ANALYST), bakery.sources, number)
