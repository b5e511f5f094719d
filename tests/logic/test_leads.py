"""Lists against pandas on the stored tables: rows, order, ranks, counts and neighbours, inside each viewer's rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from sqlalchemy import select

from data.questions import Order
from models.explaining import NotAdditive
from services import explanations, lead_lists, lead_query, lead_reasons, lead_words, leads
from services.errors import Forbidden, InvalidQuery, NotFound, NotReady, Refusal, Unavailable
from services.lead_query import LeadQuery
from tests.house import House

OPEN = LeadQuery(list="kuendigung", of="Winter/2024")
TOURS = {
    "aussendienst": ["Nord/See"],
    "aussendienst:süd": ["Süd & Tal"],
    "aussendienst:zwei": ["Nord/See", "Stadt 'Mitte'"],
}
ALL = ["Nord/See", "Süd & Tal", "Stadt 'Mitte'"]


def stored(house: House, table: str) -> pd.DataFrame:
    """A table of the run as pandas reads it, in its own order."""
    found = DeltaTable(str(house.sources.settings.published / f"{table}_kuendigung")).to_pyarrow_table()
    return found.to_pandas().sort_values("row_id", ignore_index=True)


def mine(house: House, who: str) -> pd.DataFrame:
    """The viewer's list, worked out by hand."""
    rows = stored(house, "scores")
    rows = rows[(rows.saison == "Winter/2024") & rows.tour.isin(TOURS.get(who, ALL))].reset_index(drop=True)
    return rows.assign(rank=range(1, len(rows) + 1))


def block(house: House, who: str, query: LeadQuery = OPEN, start: int = 0, count: int = 500) -> Any:
    return leads.block(house.viewer(who), house.sources, query, start, count)


def ranks(found: Any) -> list[int]:
    return [r.rank for r in found.rows]


# ── rows, order, counts ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", [*TOURS, "tueftlerei"])
def test_a_list_is_the_viewers_rows_by_score(bakery: House, who: str) -> None:
    expected = mine(bakery, who).sort_values(["score", "kennung"], ascending=[False, True])
    found = block(bakery, who)
    assert found.total == len(expected)
    assert ranks(found) == list(range(1, len(expected) + 1))
    assert [r.name for r in found.rows] == expected.betrieb.tolist()


CASES: dict[str, tuple[LeadQuery, Any]] = {
    "name": (replace(OPEN, sort=(Order("betrieb"),)), lambda d: d.sort_values(["betrieb", "row_id"])),
    "money backwards": (
        replace(OPEN, sort=(Order("value", True),)),
        lambda d: d.sort_values(["jahresumsatz", "row_id"], ascending=[False, True]),
    ),
    "rank backwards": (replace(OPEN, sort=(Order("rank", True),)), lambda d: d[::-1]),
    "one band": (replace(OPEN, bands=("mittel",)), lambda d: d[(d.score >= 0.2) & (d.score < 0.5)]),
    "two bands": (replace(OPEN, bands=("hoch", "tief")), lambda d: d[(d.score >= 0.5) | (d.score < 0.2)]),
    "search": (replace(OPEN, search="RÜTI"), lambda d: d[d.ort == "Rüti"]),
    "literal search": (replace(OPEN, search="100 %"), lambda d: d[d.betrieb.str.contains("100 %", regex=False)]),
    "wildcards mean themselves": (replace(OPEN, search="%"), lambda d: d[d.betrieb.str.contains("%", regex=False)]),
    "score in per cent": (
        replace(OPEN, filters={"score": {"type": "inRange", "filter": 30, "filterTo": 60}}),
        lambda d: d[(d.score >= 0.3) & (d.score <= 0.6)],
    ),
    "money and name": (
        replace(
            OPEN,
            filters={
                "value": {"type": "greaterThanOrEqual", "filter": 9_000},
                "betrieb": {"type": "contains", "filter": "haus"},
            },
        ),
        lambda d: d[(d.jahresumsatz >= 9_000) & d.betrieb.str.contains("haus", case=False)],
    ),
}


@pytest.mark.parametrize("who", ["aussendienst", "aussendienst:zwei", "tueftlerei"])
@pytest.mark.parametrize("case", CASES)
def test_sorting_filters_search_and_bands_are_those_of_pandas(bakery: House, who: str, case: str) -> None:
    query, by_hand = CASES[case]
    expected = by_hand(mine(bakery, who))
    found = block(bakery, who, query)
    assert ranks(found) == expected["rank"].tolist()
    assert found.total == leads.narrowed(bakery.viewer(who), bakery.sources, query).matching == len(expected)


@pytest.mark.parametrize("case", CASES)
def test_blocks_are_pieces_of_the_whole_without_overlap(bakery: House, case: str) -> None:
    query = CASES[case][0]
    whole = ranks(block(bakery, "tueftlerei", query))
    pieces = [r for start in range(0, len(whole) + 7, 7) for r in ranks(block(bakery, "tueftlerei", query, start, 7))]
    assert pieces == whole


def test_bands_are_counted_under_everything_else(bakery: House) -> None:
    """A band that is not chosen shows what it would add."""
    query = replace(OPEN, search="rüti", bands=("hoch",))
    rows = mine(bakery, "tueftlerei")
    rows = rows[rows.ort == "Rüti"]
    found = leads.narrowed(bakery.viewer("tueftlerei"), bakery.sources, query)
    assert {b.band: b.rows for b in found.bands} == {b: int((rows.band == b).sum()) for b in ("hoch", "mittel", "tief")}
    assert found.matching == int((rows.band == "hoch").sum())


def test_the_capacity_counts_the_matching_rows_within_it(bakery: House) -> None:
    rows = mine(bakery, "tueftlerei")
    within = rows[(rows["rank"] <= 20) & (rows.ort == "Rüti")]
    viewer = bakery.viewer("tueftlerei")
    assert leads.narrowed(viewer, bakery.sources, OPEN).within == 20
    assert leads.narrowed(viewer, bakery.sources, replace(OPEN, search="rüti")).within == len(within)
    beyond = [r.beyond for r in block(bakery, "tueftlerei").rows]
    assert beyond == [rank > 20 for rank in range(1, len(rows) + 1)]


@pytest.mark.parametrize(
    ("query", "sentence", "next_step"),
    [
        (
            replace(OPEN, search="zzz", bands=("hoch",)),
            "No Abnehmer matches band hoch and “zzz”.",
            "Without “zzz” there are 21\u00a0Abnehmer.",
        ),
        (replace(OPEN, search="zzz"), "No Abnehmer matches “zzz”.", "Without “zzz” there are 60\u00a0Abnehmer."),
        (
            replace(OPEN, filters={"score": {"type": "greaterThanOrEqual", "filter": 101}}, bands=("hoch", "tief")),
            "No Abnehmer matches bands hoch or tief and Score at least 101.",
            "Without Score at least 101 there are 36\u00a0Abnehmer.",
        ),
        (
            replace(OPEN, search="zzz", filters={"ort": {"type": "equals", "filter": "Bern"}}),
            "No Abnehmer matches “zzz” and Ort is Bern.",
            "Reset the filters.",
        ),
    ],
)
def test_no_match_says_what_to_take_away(bakery: House, query: LeadQuery, sentence: str, next_step: str) -> None:
    found = leads.narrowed(bakery.viewer("aussendienst"), bakery.sources, query)
    assert (found.matching, found.sentence, found.next_step) == (0, sentence, next_step)
    if found.without is not None:
        assert leads.narrowed(bakery.viewer("aussendienst"), bakery.sources, found.without).matching > 0


# ── rights ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("column", ["telefon", "zahlungsziel", "inhaberin", "margin", "row_id", "tour"])
@pytest.mark.parametrize("how", ["sort", "filter"])
def test_a_column_outside_the_list_is_refused_as_if_it_did_not_exist(bakery: House, column: str, how: str) -> None:
    """The analyst's role masks telephone numbers; a filter on one would be a search for its value."""
    query = (
        replace(OPEN, sort=(Order(column),)) if how == "sort" else replace(OPEN, filters={column: {"type": "blank"}})
    )
    with pytest.raises(InvalidQuery) as refused:
        block(bakery, "tueftlerei", query)
    with pytest.raises(InvalidQuery) as unknown:
        block(
            bakery,
            "tueftlerei",
            LeadQuery(OPEN.list, OPEN.of, sort=(Order("x"),))
            if how == "sort"
            else replace(OPEN, filters={"x": {"type": "blank"}}),
        )
    assert refused.value.sentence.replace(column, "x") == unknown.value.sentence


def test_search_does_not_look_into_a_masked_column(bakery: House) -> None:
    number = block(bakery, "aussendienst").rows[0].values["telefon"][-4:]
    assert block(bakery, "aussendienst", replace(OPEN, search=number)).total >= 1
    assert block(bakery, "tueftlerei", replace(OPEN, search=number)).total == 0


def test_a_masked_contact_is_no_column_and_the_page_says_so(bakery: House) -> None:
    page = leads.page(bakery.viewer("tueftlerei"), bakery.sources, OPEN)
    assert "telefon" not in {c.field for c in page.columns}
    assert page.hidden == ("Telefon",)
    assert "+41 44" not in repr(block(bakery, "tueftlerei"))


def test_a_hidden_feature_is_in_no_answer_to_a_seller(bakery: House) -> None:
    """Mahnungen is sensitive: no word, no value, no contribution of its own."""
    found = block(bakery, "aussendienst")
    lead = leads.lead(bakery.viewer("aussendienst"), bakery.sources, found.rows[0].key, OPEN)
    for answer in (found, lead):
        assert "zahlungsziel" not in repr(answer) and "Mahnung" not in repr(answer)
    assert "Mahnungen" in repr(block(bakery, "tueftlerei"))


def test_the_same_features_are_folded_in_every_row_and_page(bakery: House) -> None:
    found = block(bakery, "aussendienst")
    named = {
        frozenset(
            r.feature for r in leads.lead(bakery.viewer("aussendienst"), bakery.sources, row.key, OPEN).why.reasons
        )
        for row in found.rows[:25]
    }
    assert len(named) == 1
    assert {r.feature for row in found.rows for r in row.reasons} <= next(iter(named)) - {""}


@pytest.mark.parametrize("who", ["leitung", "hauswart"])
def test_who_may_not_read_leads_reads_none(bakery: House, who: str) -> None:
    viewer = bakery.viewer(who)
    for ask in (
        lambda: leads.page(viewer, bakery.sources, OPEN),
        lambda: leads.block(viewer, bakery.sources, OPEN, 0, 1),
        lambda: leads.narrowed(viewer, bakery.sources, OPEN),
        lambda: leads.lists(viewer, bakery.sources),
        lambda: leads.lead(viewer, bakery.sources, "x", OPEN),
        lambda: leads.find(viewer, bakery.sources, "x", OPEN),
        lambda: leads.selection(viewer, bakery.sources, OPEN),
    ):
        with pytest.raises(Forbidden):
            ask()


def test_nobody_assigned_is_told_whom_to_ask(bakery: House) -> None:
    with pytest.raises(Forbidden) as refused:
        leads.page(bakery.viewer("aussendienst:ohne"), bakery.sources, LeadQuery())
    assert refused.value.sentence == "You have no rows of Verträge."
    assert refused.value.next_step == "Your administrator can grant them."


def test_a_list_of_somebody_else_is_no_list(bakery: House) -> None:
    with pytest.raises(InvalidQuery):
        leads.page(bakery.viewer("aussendienst"), bakery.sources, LeadQuery("kuendigung", "Herbst/2024"))
    with pytest.raises(NotFound):
        block(bakery, "aussendienst", LeadQuery("nothing"))
    assert block(bakery, "aussendienst", LeadQuery("kuendigung", "Herbst/2024")).total == 0


# ── one lead ──────────────────────────────────────────────────────────────────────────────────────


def test_one_lead_is_its_row_with_its_neighbours(bakery: House) -> None:
    rows = block(bakery, "aussendienst").rows
    for at in (0, 1, 30, 59):
        lead = leads.lead(bakery.viewer("aussendienst"), bakery.sources, rows[at].key, OPEN)
        assert (lead.rank, lead.total, lead.name) == (at + 1, 60, rows[at].name)
        assert lead.previous == (rows[at - 1].key if at else "")
        assert lead.next == (rows[at + 1].key if at < 59 else "")
        assert lead.score.text == rows[at].score.text
        assert lead.why.strongest(2) == rows[at].reasons[:2]


def test_walking_from_lead_to_lead_visits_the_whole_list_in_order(bakery: House) -> None:
    viewer = bakery.viewer("aussendienst")
    key, seen = block(bakery, "aussendienst").rows[0].key, []
    while key:
        lead = leads.lead(viewer, bakery.sources, key, OPEN)
        seen.append(lead.rank)
        key = lead.next
    assert seen == list(range(1, 61))


def test_a_lead_whose_list_is_not_known_is_in_none(own_bakery: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blank is no list's name, and above all not that of the list which is named None."""
    known, sources = own_bakery.sources.workspace.models.models, own_bakery.sources
    assert known["kuendigung"].lead is not None
    by_place = known["kuendigung"].lead.model_copy(update={"by": "ort"})
    monkeypatch.setitem(known, "kuendigung", known["kuendigung"].model_copy(update={"lead": by_place}))
    file = next((sources.settings.published / "scores_kuendigung").glob("*.parquet"))
    rows = pq.read_table(file)
    places = pa.array(["None", None, *rows.column("ort").to_pylist()[2:]], rows.schema.field("ort").type)
    pq.write_table(rows.set_column(rows.schema.names.index("ort"), rows.schema.field("ort"), places), file)
    viewer, use = own_bakery.viewer("tueftlerei"), known["kuendigung"]
    named, blank = (lead_query.key_text(use, row) for row in rows.slice(0, 2).to_pylist())
    assert [leads.lead(viewer, sources, named, LeadQuery("kuendigung", of)).total for of in ("None", None)] == [1, 1]
    for of in ("None", None):
        with pytest.raises(NotFound) as refused:
            leads.lead(viewer, sources, blank, LeadQuery("kuendigung", of))
        assert refused.value.sentence == "There is no such lead in your list."
    assert [r.key for r in block(own_bakery, "tueftlerei", LeadQuery("kuendigung", "None")).rows] == [named]


def test_out_of_scope_and_not_existing_look_the_same(bakery: House) -> None:
    theirs = block(bakery, "aussendienst:süd").rows[0].key
    said: set[tuple[str, str]] = set()
    for key in (theirs, "nobody~Winter%2F2024", "x", "", "~", "a~b~c", "%FF~%00", "1" * 400):
        with pytest.raises(NotFound) as refused:
            leads.lead(bakery.viewer("aussendienst"), bakery.sources, key, OPEN)
        said.add((refused.value.sentence, type(refused.value).__name__))
    assert said == {("There is no such lead in your list.", "NotFound")}


def test_reasons_are_the_stored_values_and_add_up(bakery: House) -> None:
    scores, shap = stored(bakery, "scores"), stored(bakery, "explanations").set_index("row_id")
    key = block(bakery, "tueftlerei").rows[4]
    lead = leads.lead(bakery.viewer("tueftlerei"), bakery.sources, key.key, OPEN)
    row = scores[(scores.betrieb == lead.name) & (scores.saison == "Winter/2024")].iloc[0]
    found = {r.feature: r.contribution for r in lead.why.reasons}
    assert found == {n.removeprefix("shap_"): shap.loc[row.row_id, n] for n in shap if n.startswith("shap_")}
    assert lead.why.base_value + math.fsum(found.values()) == pytest.approx(row.margin, abs=1e-5)
    assert (
        lead.ladder.end_text == explanations.wording.shown(row.score, "percent", 1, bakery.sources.workspace.lake).text
    )


def test_stored_values_are_those_of_shap_within_law_4(bakery: House) -> None:
    import shap as library

    from tests.bakery.build import INPUTS, train

    inputs, kept = stored(bakery, "inputs"), stored(bakery, "explanations")
    explainer = library.TreeExplainer(train(), feature_perturbation="tree_path_dependent")
    whole = explainer.shap_values(inputs[list(INPUTS)].astype(float).to_numpy(), check_additivity=False)
    by_input = dict(zip(INPUTS, np.asarray(whole).T, strict=True))
    by_input["art"] = np.sum([by_input.pop(n) for n in INPUTS if n.startswith("art=")], axis=0)
    scale = np.maximum(1.0, np.abs(np.asarray(list(by_input.values()))).sum(axis=0))
    for name, values in by_input.items():
        assert (np.abs(kept[f"shap_{name}"] - values) / scale).max() <= 1e-5


def test_inputs_stand_beside_the_usual_strongest_first(bakery: House) -> None:
    lead = leads.lead(bakery.viewer("tueftlerei"), bakery.sources, block(bakery, "tueftlerei").rows[0].key, OPEN)
    strengths = {r.feature: abs(r.contribution) for r in lead.why.reasons}
    assert [line.feature for line in lead.inputs] == sorted(strengths, key=lambda f: -strengths[f])
    known = {line.feature: line for line in lead.inputs}
    assert known["art"].number is None and known["reklamationen"].low is not None
    assert known["reklamationen"].ends[1] == "4"


# ── bad input ─────────────────────────────────────────────────────────────────────────────────────


def test_before_the_first_run_the_list_says_that_it_is_not_scored(own_bakery: House) -> None:
    from data.tables import ScoreRun

    with own_bakery.sources.store.begin() as session:
        for run in session.scalars(select(ScoreRun)):
            run.current = False
    with pytest.raises(NotReady) as refused:
        leads.page(own_bakery.viewer("aussendienst"), own_bakery.sources, LeadQuery())
    assert refused.value.sentence == "No list is scored yet." and refused.value.next_step


@pytest.mark.parametrize("table", ["explanations", "inputs"])
def test_without_stored_reasons_the_list_lives_on(own_bakery: House, table: str) -> None:
    for file in (own_bakery.sources.settings.published / f"{table}_kuendigung").glob("*.parquet"):
        file.write_bytes(b"PAR1 broken")
    found = block(own_bakery, "aussendienst")
    assert found.total == 60 and not any(r.explained or r.reasons for r in found.rows)
    lead = leads.lead(own_bakery.viewer("aussendienst"), own_bakery.sources, found.rows[0].key, OPEN)
    assert lead.why is None and lead.score.text == found.rows[0].score.text


@pytest.mark.parametrize("change", ["one more", "one less"])
def test_after_a_change_of_the_features_the_list_waits_for_its_reasons(
    own_bakery: House, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The run was made for other features: the list stands, reasons come with the next run."""
    known = own_bakery.sources.workspace.models.models
    features = dict(known["kuendigung"].features)
    if change == "one more":
        features["neu"] = features["rabatt"]
    else:
        del features["rabatt"]
    changed = known["kuendigung"].model_copy(update={"features": features})
    monkeypatch.setitem(known, "kuendigung", changed)
    found = block(own_bakery, "aussendienst")
    assert found.total == 60 and not any(r.explained for r in found.rows)
    assert leads.lead(own_bakery.viewer("aussendienst"), own_bakery.sources, found.rows[0].key, OPEN).why is None


def test_damaged_scores_are_one_sentence(own_bakery: House) -> None:
    for file in (own_bakery.sources.settings.published / "scores_kuendigung").glob("*.parquet"):
        file.write_bytes(b"PAR1 broken")
    for ask in (
        lambda: block(own_bakery, "aussendienst"),
        lambda: leads.lead(own_bakery.viewer("aussendienst"), own_bakery.sources, "a~b", OPEN),
        lambda: leads.page(own_bakery.viewer("aussendienst"), own_bakery.sources, OPEN),
    ):
        with pytest.raises(Unavailable) as refused:
            ask()
        assert "scores_kuendigung" in refused.value.sentence and "Traceback" not in refused.value.sentence


def test_reasons_that_do_not_add_up_are_not_shown(bakery: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise NotAdditive("off by 1")

    monkeypatch.setattr(lead_reasons, "explained", broken)
    with pytest.raises(Unavailable, match="do not add up"):
        block(bakery, "aussendienst")


def test_every_refusal_is_a_sentence(bakery: House) -> None:
    for query in (LeadQuery(), LeadQuery("x"), LeadQuery("kuendigung", "x"), replace(OPEN, bands=("Z",))):
        try:
            leads.page(bakery.viewer("aussendienst"), bakery.sources, query)
        except Refusal as refused:
            assert refused.sentence.endswith(".")


# ── words ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_says_whose_rows_these_are(bakery: House) -> None:
    said = {who: leads.page(bakery.viewer(who), bakery.sources, OPEN).scope for who in ("aussendienst", "tueftlerei")}
    assert said == {"aussendienst": "60\u00a0Abnehmer of Tour Nord/See", "tueftlerei": "180\u00a0Abnehmer"}


def test_bands_say_their_limits(bakery: House) -> None:
    found = leads.page(bakery.viewer("aussendienst"), bakery.sources, OPEN).narrowed.bands
    assert [b.limits.replace("\u00a0", " ") for b in found] == ["50 % or more", "20 % to 50 %", "under 20 %"]


def test_a_calibrated_model_says_what_comes_of_a_hundred(bakery: House) -> None:
    use = bakery.sources.workspace.models.models["kuendigung"]
    lake = bakery.sources.workspace.lake
    notes = lead_words.notes(use, lake)
    assert "100" not in lead_words.note(use, 0.72, "hoch", notes)
    said = lead_words.note(use.model_copy(update={"calibrated": True}), 0.72, "hoch", notes)
    assert said.endswith("About 72 Kündigungen in 100 Abnehmer like this.")


def test_a_title_names_no_masked_column(bakery: House) -> None:
    use = bakery.sources.workspace.models.models["kuendigung"]
    titled = use.model_copy(update={"lead": use.lead.model_copy(update={"title": "{saison} · {telefon} · {ort}"})})
    run = leads.asked(bakery.viewer("tueftlerei"), bakery.sources, OPEN).run
    choices = lead_lists._choices(bakery.viewer("tueftlerei"), bakery.sources, "kuendigung", titled, run)
    assert [c.title for c in choices] == ["Winter/2024 · · Näfels"]
