"""The second workspace on the screens: other words, keys, money and rules, and not a line of Python for it.

Every figure is worked out a second time with pandas and XGBoost from what ``tests.bakery.build`` makes.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from functools import lru_cache
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd
import pytest
import xgboost
from babel.numbers import format_currency
from sqlalchemy import select

from data.tables import AuditEvent
from pages import PAGES
from services import kpis, leads, what_if
from services.kpi_query import KpiQuery
from services.lead_query import LeadQuery, key_text
from tests.bakery import build
from tests.house import texts

EVERYBODY = ("leitung", "aussendienst", "tueftlerei", "hauswart")
OF = quote(build.OPEN_SEASON, safe="")
LIST = f"list=kuendigung&of={OF}"
FOREIGN = re.compile(r"household|coupon|grocer|territor|campaign|redeem|\$|US\$|USD", re.IGNORECASE)


@lru_cache(maxsize=1)
def scored() -> pd.DataFrame:
    """The open season with its probabilities, from the model itself."""
    rows = build.contracts()
    rows = rows[rows.saison == build.OPEN_SEASON].merge(build.houses(), on="kennung")
    matrix = xgboost.DMatrix(rows[list(build.INPUTS)].astype(float).to_numpy(), feature_names=list(build.INPUTS))
    return rows.assign(score=build.train().predict(matrix).astype(float))


def in_tour(rows: pd.DataFrame, *tours: str) -> pd.DataFrame:
    return rows[rows.tour.isin(tours)] if tours else rows


def pages_of(house, who: str) -> list[str]:
    """Addresses without a variable that this person may open."""
    grants = {*house.viewer(who).grants, "signed_in"}
    return [p.path for p in PAGES if p.needs in grants and "<" not in p.path]


# ── everybody ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", [*EVERYBODY, "aussendienst:ohne"])
def test_everybody_lands_on_the_first_page_of_their_role(bakery, who):
    client = bakery.sign_in(who)
    role = bakery.sources.workspace.access.roles[who.partition(":")[0]]
    assert client.document("/").headers["Location"] == role.home
    frame = " ".join(texts(client.get("/_dash-layout").get_json()))
    assert all(e.label in frame and e.path in frame for e in role.entries)


@pytest.mark.parametrize("who", EVERYBODY)
def test_every_page_a_role_may_open_is_drawn_in_the_bakery_s_own_words(bakery, who):
    client = bakery.sign_in(who)
    for path in pages_of(bakery, who):
        said = bakery.words(client, path)
        assert "no such page" not in said and "could not be shown" not in said, (path, said[:300])
        found = FOREIGN.search(said)
        assert not found, (path, said[max(0, found.start() - 60) : found.end() + 60] if found else "")


def test_the_page_of_a_lead_and_of_a_model_speak_the_bakery_s_words_too(bakery):
    client = bakery.sign_in("tueftlerei")
    row = scored().iloc[7]
    key = key_text(bakery.sources.workspace.models.models["kuendigung"], row)
    for path in (f"/leads/{key}?{LIST}", f"/what-if?{LIST}&key={quote(key)}", "/models/kuendigung"):
        said = bakery.words(client, path)
        assert not FOREIGN.search(said), path
        assert "Verspätung" in said, path


@pytest.mark.parametrize("who", EVERYBODY)
def test_a_page_of_another_role_looks_as_if_it_were_not_there(bakery, who):
    client = bakery.sign_in(who)
    may = set(pages_of(bakery, who))
    gone = bakery.words(client, "/no-such-page")
    for page in PAGES:
        if "<" not in page.path and page.path not in may:
            assert bakery.words(client, page.path) == gone, page.path


# ── KPIs in francs, from the CSV ──────────────────────────────────────────────────────────────────


def in_november(rows: pd.DataFrame) -> pd.DataFrame:
    days = pd.to_datetime(rows.tag)
    return rows[(days >= "2024-11-01") & (days <= "2024-11-30")]


@pytest.mark.parametrize(
    ("who", "tours"),
    [("leitung", ()), ("aussendienst", ("Nord/See",)), ("aussendienst:zwei", ("Nord/See", "Stadt 'Mitte'"))],
)
def test_the_cards_are_the_sums_of_the_viewer_s_own_rows(bakery, who, tours):
    rows = in_november(in_tour(build.deliveries().merge(build.houses()[["kennung", "tour"]]), *tours))
    found = kpis.overview(bakery.viewer(who), bakery.sources, KpiQuery())
    value = {c.metric: c.value.value for c in found.cards}
    assert value["umsatz"] == pytest.approx(rows.umsatz.sum(), abs=0.005)
    assert value["lieferungen"] == len(rows)
    assert value["umsatz_je_lieferung"] == pytest.approx(rows.umsatz.sum() / len(rows))
    assert value["belieferte"] == rows.kennung.nunique()
    assert value["retourenquote"] == pytest.approx(rows.retouren.sum() / rows.umsatz.sum())
    said = bakery.words(bakery.sign_in(who), "/kpis")
    assert re.sub(r"\s+", " ", format_currency(rows.umsatz.sum(), "CHF", locale="de_CH")) in said


def test_a_breakdown_adds_up_and_has_a_line_for_what_has_no_name(bakery):
    rows = in_november(build.deliveries())
    found = kpis.overview(bakery.viewer("leitung"), bakery.sources, KpiQuery(by="gebaeck"))
    by = rows.groupby(rows.gebaeck.fillna("")).umsatz.sum()
    told = {line.label: line for line in found.table.lines}
    assert len(told) >= 3
    for name, amount in by.items():
        if name and amount / by.sum() > 0.02:
            assert told[name].value.value == pytest.approx(amount), name


def test_somebody_without_a_round_sees_no_number(bakery):
    said = bakery.words(bakery.sign_in("aussendienst:ohne"), "/kpis")
    assert "You have no rows of Lieferungen" in said
    assert "CHF" not in said


def test_the_workspace_s_clock_is_the_newest_day_of_its_data(bakery):
    assert "30 Nov 2024" in bakery.words(bakery.sign_in("leitung"), "/kpis")


# ── leads: scored, ranked, explained ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("who", "tours"), [("tueftlerei", ()), ("aussendienst", ("Nord/See",)), ("aussendienst:süd", ("Süd & Tal",))]
)
def test_a_list_ranks_the_viewer_s_own_rows_by_the_model_s_score(bakery, who, tours):
    expected = in_tour(scored(), *tours).sort_values(["score", "kennung"], ascending=[False, True])
    block = leads.block(bakery.viewer(who), bakery.sources, LeadQuery("kuendigung", build.OPEN_SEASON), 0, 500)
    assert block.total == len(expected)
    assert [unquote(row.key.split("~")[0]) for row in block.rows] == expected.kennung.tolist()
    np.testing.assert_allclose([row.score.value for row in block.rows], expected.score, rtol=1e-6)
    assert [row.rank for row in block.rows] == list(range(1, len(expected) + 1))


def test_the_grid_asks_for_a_block_and_gets_it(bakery):
    client = bakery.sign_in("aussendienst")
    asked = {"list": "kuendigung", "of": build.OPEN_SEASON, "bands": [], "q": ""}
    request = {"startRow": 0, "endRow": 100, "sortModel": [], "filterModel": {}}
    answer = bakery.fire(client, "leads-grid.getRowsResponse", [request], [asked])
    assert answer.status_code == 200, answer.get_data(as_text=True)[:500]
    rows = answer.get_json()["response"]["leads-grid"]["getRowsResponse"]
    expected = in_tour(scored(), "Nord/See")
    assert rows["rowCount"] == len(expected)
    assert {unquote(r["key"].split("~")[0]) for r in rows["rowData"]} == set(expected.kennung)


def explained(matrix_row: pd.Series) -> dict[str, float]:
    """Contributions by feature from XGBoost's own exact engine, encoded columns summed."""
    matrix = xgboost.DMatrix(
        matrix_row[list(build.INPUTS)].astype(float).to_numpy().reshape(1, -1), feature_names=list(build.INPUTS)
    )
    values = build.train().predict(matrix, pred_contribs=True)[0]
    named = dict(zip((*build.INPUTS, "base"), values.astype(float), strict=True))
    art = sum(v for n, v in named.items() if n.startswith("art="))
    return {**{n: v for n, v in named.items() if not n.startswith("art=")}, "art": art}


@pytest.mark.parametrize("at", [0, 3, 4, 5, 6, 7, 100])
def test_a_score_is_taken_apart_as_the_model_s_own_engine_does(bakery, at):
    """Also for customers whose name is a script, a formula, an injection, or has a line break."""
    row = scored().iloc[at]
    key = key_text(bakery.sources.workspace.models.models["kuendigung"], row)
    viewer = bakery.viewer("tueftlerei")
    found = leads.lead(viewer, bakery.sources, key, LeadQuery("kuendigung", build.OPEN_SEASON))
    assert found.why is not None and found.score_value == pytest.approx(row.score, rel=1e-6)
    expected = explained(row)
    told = {r.feature: r.contribution for r in found.why.reasons if r.feature}
    assert told == pytest.approx({n: v for n, v in expected.items() if n != "base"}, abs=1e-4)
    assert found.why.base_value == pytest.approx(expected["base"], abs=1e-4)


def test_a_seller_gets_a_reason_that_is_hidden_from_them_only_inside_other_information(bakery):
    row = in_tour(scored(), "Nord/See").iloc[0]
    key = key_text(bakery.sources.workspace.models.models["kuendigung"], row)
    found = leads.lead(bakery.viewer("aussendienst"), bakery.sources, key, LeadQuery("kuendigung", build.OPEN_SEASON))
    assert found.why is not None
    assert "zahlungsziel" not in {r.feature for r in found.why.reasons}
    total = found.why.base_value + sum(r.contribution for r in found.why.reasons)
    assert total == pytest.approx(found.why.margin, abs=1e-4)
    said = bakery.words(bakery.sign_in("aussendienst"), f"/leads/{key}?{LIST}")
    assert "Mahnungen" not in said


def test_a_name_is_shown_as_text_whatever_it_holds(bakery):
    """The layout holds strings only; a script in a name is a string in ``children`` and never markup."""
    client = bakery.sign_in("tueftlerei")
    row = scored().iloc[3]
    key = key_text(bakery.sources.workspace.models.models["kuendigung"], row)
    layout = bakery.layout(client, f"/leads/{key}?{LIST}")
    assert '<script>alert("Gipfeli")</script>' in texts(layout)
    assert "dangerously_allow_html" not in str(layout)


def test_another_s_lead_and_none_at_all_look_the_same(bakery):
    model = bakery.sources.workspace.models.models["kuendigung"]
    client = bakery.sign_in("aussendienst")
    south = key_text(model, in_tour(scored(), "Süd & Tal").iloc[0])
    nobody = key_text(model, {"kennung": "Ä999/ZH 0%", "saison": build.OPEN_SEASON})
    answers = {bakery.words(client, f"/leads/{key}?{LIST}") for key in (south, nobody, "a", "a~b~c", "%", "~")}
    assert len(answers) == 1 and "There is no such lead in your list." in answers.pop()


# ── what-if ───────────────────────────────────────────────────────────────────────────────────────


def test_what_if_without_an_edit_gives_the_stored_score_and_with_one_the_model_s(bakery):
    row = scored().iloc[11]
    key = key_text(bakery.sources.workspace.models.models["kuendigung"], row)
    viewer = bakery.viewer("tueftlerei")
    base = what_if.explore(viewer, bakery.sources, what_if.WhatIfQuery("kuendigung", key, {}))
    assert base.scenario_score == pytest.approx(base.base_score, abs=1e-12) == pytest.approx(row.score, rel=1e-6)
    moved = what_if.explore(viewer, bakery.sources, what_if.WhatIfQuery("kuendigung", key, {"rabatt": "0.01"}))
    edited = row.copy()
    edited["rabatt"] = 0.01
    matrix = xgboost.DMatrix(
        edited[list(build.INPUTS)].astype(float).to_numpy().reshape(1, -1), feature_names=list(build.INPUTS)
    )
    assert moved.scenario_score == pytest.approx(float(build.train().predict(matrix)[0]), rel=1e-6)


def test_a_category_is_moved_by_its_name_and_its_encoded_columns_follow(bakery):
    row = scored()[scored()["art=Café"] == 1].iloc[0]
    key = key_text(bakery.sources.workspace.models.models["kuendigung"], row)
    viewer = bakery.viewer("tueftlerei")
    moved = what_if.explore(viewer, bakery.sources, what_if.WhatIfQuery("kuendigung", key, {"art": "Laden/Kiosk"}))
    edited = row.copy()
    edited["art=Café"], edited["art=Laden/Kiosk"] = 0, 1
    matrix = xgboost.DMatrix(
        edited[list(build.INPUTS)].astype(float).to_numpy().reshape(1, -1), feature_names=list(build.INPUTS)
    )
    assert moved.scenario_score == pytest.approx(float(build.train().predict(matrix)[0]), rel=1e-6)


# ── the file out ──────────────────────────────────────────────────────────────────────────────────


def exported(client, query: str = LIST) -> list[dict[str, str]]:
    answer = client.get(f"/leads.csv?{query}")
    assert answer.status_code == 200, answer.get_data(as_text=True)[:300]
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))


def test_the_file_holds_the_viewer_s_rows_in_their_order_and_no_hidden_column(bakery):
    found = exported(bakery.sign_in("aussendienst"))
    expected = in_tour(scored(), "Nord/See").sort_values(["score", "kennung"], ascending=[False, True])
    assert [r["kennung"] for r in found] == expected.kennung.tolist()
    np.testing.assert_allclose([float(r["score"]) for r in found], expected.score, rtol=1e-6)
    assert [r["telefon"].lstrip("'") for r in found] == expected.telefon.tolist()
    assert not {"zahlungsziel", "inhaberin"} & set(found[0])
    assert all(r["model_version"] == "1" and r["reason_1"] for r in found)


def test_a_name_that_a_spreadsheet_would_run_is_only_a_name(bakery):
    found = {r["betrieb"] for who in ("aussendienst", "aussendienst:süd") for r in exported(bakery.sign_in(who))}
    assert "'=2+5 Bäckerei" in found and "Zum goldenen Löwen" in found
    assert "=2+5 Bäckerei" not in found


def test_a_person_who_may_not_export_gets_no_file(bakery):
    for who in ("leitung", "hauswart"):
        assert bakery.sign_in(who).get(f"/leads.csv?{LIST}").status_code == 404
    assert bakery.client().get(f"/leads.csv?{LIST}").status_code == 401


def test_rows_that_may_be_exported_and_not_read_give_no_file_and_an_event(own_bakery, monkeypatch):
    from services import access, exports

    def refused(viewer, *_):
        access.require(viewer, "people:manage")

    monkeypatch.setattr(exports, "lead_csv", refused)
    client = own_bakery.sign_in("aussendienst")
    answer = client.get(f"/leads.csv?{LIST}")
    assert answer.status_code == 403 and "does not include people:manage" in answer.get_data(as_text=True)
    with own_bakery.sources.store.read() as session:
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
    assert (last.act, last.allowed) == ("file.take", False)


def test_a_file_of_a_list_with_an_odd_name_has_a_name_that_every_system_takes(bakery):
    answer = bakery.sign_in("aussendienst").get(f"/leads.csv?{LIST}")
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment") and "/" not in disposition.split("filename=")[1].split(";")[0], (
        disposition
    )


def test_the_years_of_the_lake_are_all_there(bakery):
    """The lake holds two years; the oldest month is as reachable as the newest."""
    rows = build.deliveries()
    january = rows[(pd.to_datetime(rows.tag) >= "2023-01-01") & (pd.to_datetime(rows.tag) <= "2023-01-31")]
    found = kpis.overview(bakery.viewer("leitung"), bakery.sources, KpiQuery(on=date(2023, 1, 31)))
    assert next(c for c in found.cards if c.metric == "umsatz").value.value == pytest.approx(january.umsatz.sum())
