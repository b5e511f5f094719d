"""The what-if on the screen: who gets an answer, to what, and what stands in the log afterwards."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest

from data import audit_log
from data.questions import Everything, Order, Select
from services import lead_query, runs, what_if
from services.errors import Forbidden, InvalidQuery, NotFound
from services.what_if import WhatIfQuery
from tests.house import texts

MODEL = "kuendigung"
NOT_THERE = "There is no such lead in your list."
WRONG = {
    "abc": "Enter a number",
    "1,5": "with a point instead of a comma",
    "1e999": "Enter a smaller number",
    "NaN": "Enter a number",
    "0x1F": "Enter a number",
    "": "never seen a blank",
    "31": "Enter 0 to 30",
    "-1": "Enter 0 to 30",
    "9" * 500: "Enter at most 40 characters",
}


def rows_of(house, model=MODEL, count=None):
    run = runs.current_run(house.sources, model)
    use = house.sources.workspace.models.models[model]
    rules = [c for c in ("tour", "territory") if c in house.sources.lake.schema(run.scores).names]
    names = ("row_id", "score", "margin", "band", *use.scored.key, *rules)
    found = house.sources.lake.read(
        Select(run.scores, names, order=(Order("row_id"),), limit=count), where=Everything()
    )
    return [{**r, "key": lead_query.key_text(use, r)} for r in found.to_pylist()]


def key_in(house, tour):
    return next(r["key"] for r in rows_of(house) if r["tour"] == tour)


def address(key, model=MODEL, **edits):
    return "/what-if?" + urlencode({"list": model, "key": key, **{f"x_{n}": v for n, v in edits.items()}})


def ask(house, client, key, edits, model=MODEL, features=("lieferzeit", "rabatt")):
    """Post a move as the browser does."""
    output = house.output_named("what-if-answered.data")
    many = [
        [{"id": {"feature": f, "part": f"what-if-{part}"}, "property": prop} for f in features]
        for part, prop in (("message", "children"), ("control", "className"))
    ]
    outputs = [
        {"id": "what-if-result", "property": "children"}, *many, {"id": "what-if-answered", "property": "data"},
    ]  # fmt: skip
    value = {"asked": 7, "list": model, "key": key, "edits": edits}
    inputs = [{"id": "what-if-ask", "property": "data", "value": value}]
    return house.post(
        client, {"output": output, "outputs": outputs, "inputs": inputs, "changedPropIds": ["what-if-ask.data"]}
    )


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


class Log:
    """What was written since this was made, by act, the newest first."""

    def __init__(self, house):
        self.house = house
        self.before = {act: len(self._all(act)) for act in ("what_if.open", "what_if.moves", "what_if.refused")}

    def _all(self, act):
        with self.house.sources.store.read() as session:
            found = audit_log.found(session, act=act, limit=5_000)[0]
        return [(e.resource, e.allowed, e.detail) for e in found]

    def of(self, act):
        found = self._all(act)
        return found[: len(found) - self.before[act]]


# ── without edits it is the stored score ──────────────────────────────────────────────────────────


def same_score(house, who, model, row):
    answer = what_if.explore(house.viewer(who), house.sources, WhatIfQuery(model, row["key"]))
    room = 1e-5 * max(1.0, abs(row["margin"]))
    assert abs(answer.base.margin - row["margin"]) <= room
    assert answer.scenario_score == answer.base_score == pytest.approx(row["score"], abs=1e-5, rel=1e-5)
    assert (answer.base_band, answer.steps, answer.changed) == (row["band"] or "", (), ())
    total = math.fsum([answer.base.base_value, *(r.contribution for r in answer.base.reasons)])
    assert abs(total - answer.base.margin) <= room
    assert math.fsum(p.points[0] for p in answer.pairs if p.kind != "more") == pytest.approx(
        answer.base_score - answer.base.base_score.value, abs=1e-6 * max(1.0, abs(answer.base_score))
    )


def test_every_row_of_the_bakery_has_its_stored_score(bakery):
    for row in rows_of(bakery):
        same_score(bakery, "tueftlerei", MODEL, row)


@pytest.mark.demo
@pytest.mark.parametrize("model", ["campaign_response", "lapse_risk", "spend_next_4_weeks"])
def test_rows_of_every_demo_model_have_their_stored_score(demo, model):
    rows = rows_of(demo, model)
    for row in rows[:: max(1, len(rows) // 25)]:
        same_score(demo, "analyst", model, row)


@pytest.mark.demo
def test_a_model_without_declared_actions_says_so(demo):
    words = demo.words(demo.sign_in("seller"), "/what-if?list=lapse_risk")
    assert "No input of this model is marked as changeable. The data team can mark them in the workspace." in words


@pytest.mark.demo
def test_a_regression_has_a_scale_of_values_that_holds_still(demo):
    row = rows_of(demo, "spend_next_4_weeks", 1)[0]
    viewer = demo.viewer("analyst")
    base = what_if.explore(viewer, demo.sources, WhatIfQuery("spend_next_4_weeks", row["key"]))
    then = what_if.move(viewer, demo.sources, WhatIfQuery("spend_next_4_weeks", row["key"], {"spend_4w": "0"}))
    assert base.scale == then.scale
    assert base.scale.low == 0
    assert base.scale.high >= row["score"]
    assert then.scenario_score != base.base_score


# ── what moves it ─────────────────────────────────────────────────────────────────────────────────


def test_changes_are_measured_alone_and_add_up_with_their_interplay(bakery):
    viewer, key = bakery.viewer("tueftlerei"), rows_of(bakery)[3]["key"]

    def score(**edits):
        return what_if.move(viewer, bakery.sources, WhatIfQuery(MODEL, key, edits))

    both = score(rabatt="25", reklamationen="4")
    alone = {s.feature: s.points for s in both.steps}
    base = both.base_score
    assert alone["rabatt"] == pytest.approx(score(rabatt="25").scenario_score - base, abs=1e-12)
    assert alone["reklamationen"] == pytest.approx(score(reklamationen="4").scenario_score - base, abs=1e-12)
    assert math.fsum(alone.values()) == pytest.approx(both.scenario_score - base, abs=1e-12)
    assert list(alone) == ["reklamationen", "rabatt", ""]


def test_the_page_of_an_address_says_what_the_move_to_it_says(bakery):
    client, key = bakery.sign_in("aussendienst"), key_in(bakery, "Nord/See")
    moved = ask(bakery, client, key, {"rabatt": "25"}).get_json()["response"]
    viewer = bakery.viewer("aussendienst")
    said = what_if.move(viewer, bakery.sources, WhatIfQuery(MODEL, key, {"rabatt": "25"})).sentence
    assert said.startswith("From ")
    assert said in texts(moved["what-if-result"]["children"])
    assert plain(said) in plain(bakery.words(client, address(key, rabatt="25")))
    assert moved["what-if-answered"]["data"] == {"asked": 7}
    control = json.dumps({"feature": "rabatt", "part": "what-if-control"}, separators=(",", ":"))
    assert moved[control]["className"] == "ll-wi-control is-changed"


@pytest.mark.parametrize("text", list(WRONG))
def test_a_wrong_value_is_refused_under_its_control_and_moves_nothing(bakery, text):
    client, key = bakery.sign_in("aussendienst"), key_in(bakery, "Nord/See")
    viewer = bakery.viewer("aussendienst")
    answer = what_if.move(viewer, bakery.sources, WhatIfQuery.from_url({"list": MODEL, "key": key, "x_rabatt": text}))
    (control,) = [c for c in answer.controls if c.feature == "rabatt"]
    assert control.refused
    assert WRONG[text] in control.message
    assert "Not used: today" in control.message
    assert (answer.scenario_score, answer.changed, answer.steps) == (answer.base_score, (), ())
    if text:
        assert plain(control.message) in plain(bakery.words(client, address(key, rabatt=text)))


def test_a_blank_travels_in_the_address(bakery):
    key = next(r["key"] for r in rows_of(bakery) if r["tour"] == "Nord/See")
    viewer = bakery.viewer("aussendienst")
    answer = what_if.move(viewer, bakery.sources, WhatIfQuery(MODEL, key, {"lieferzeit": "~"}))
    (control,) = [c for c in answer.controls if c.feature == "lieferzeit"]
    assert control.changed
    assert "x_lieferzeit=~" in answer.url
    assert control.message == "Used as not known, as it sometimes was in training."


# ── who may ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("feature", ["reklamationen", "art", "zahlungsziel", "umsatz", "art=Hotel", "telefon"])
def test_an_input_that_is_not_theirs_gets_a_refusal_and_no_answer(own_bakery, feature):
    client, key, log = own_bakery.sign_in("aussendienst"), key_in(own_bakery, "Nord/See"), Log(own_bakery)
    words = own_bakery.words(client, address(key, **{feature: "3"}))
    assert f"There is no input “{feature}” that you can change." in words
    assert "%" not in words.replace(feature, "")
    answer = ask(own_bakery, client, key, {feature: "3"}).get_json()
    assert "what-if-result" not in answer.get("response", {})
    assert log.of("what_if.refused") == [(f"{MODEL}/{key}", False, {})]
    assert log.of("what_if.open") == []


def test_masked_inputs_have_no_control_and_are_never_named(bakery):
    key = key_in(bakery, "Nord/See")
    label = bakery.sources.workspace.models.models[MODEL].features["zahlungsziel"].label
    theirs = bakery.words(bakery.sign_in("aussendienst"), address(key, rabatt="20"))
    assert label not in theirs
    assert "zahlungsziel" not in theirs
    shown = what_if.explore(bakery.viewer("aussendienst"), bakery.sources, WhatIfQuery(MODEL, key))
    assert "Other information" in [r.label for r in shown.base.reasons]
    assert label in bakery.words(bakery.sign_in("tueftlerei"), address(key))


def test_analysts_move_every_input_and_sellers_what_they_can_act_on(bakery):
    key = key_in(bakery, "Nord/See")
    query = WhatIfQuery(MODEL, key)
    sold = what_if.explore(bakery.viewer("aussendienst"), bakery.sources, query)
    asked = what_if.explore(bakery.viewer("tueftlerei"), bakery.sources, query)
    assert [c.feature for c in sold.controls] == ["lieferzeit", "rabatt"]
    assert len(sold.fixed) == 3
    assert len(asked.controls) == 6
    assert asked.fixed == ()
    assert (sold.technical, asked.technical) == (False, True)


def test_somebody_elses_row_looks_like_one_that_is_not_there(bakery):
    client = bakery.sign_in("aussendienst")
    other, nobody = key_in(bakery, "Süd & Tal"), f"{quote('Ä999/ZH 9%', safe='')}~{quote('Winter/2024', safe='')}"
    pages = [bakery.layout(client, address(key)) for key in (other, nobody, "x", "~~~", "%", "9" * 4_000)]
    assert all(page == pages[0] for page in pages)
    assert NOT_THERE in texts(pages[0])
    assert bakery.words(bakery.sign_in("aussendienst:süd"), address(other)).count("Now and then") == 1


def test_rows_of_another_are_out_of_reach_of_the_callback_too(bakery):
    client = bakery.sign_in("aussendienst")
    answer = ask(bakery, client, key_in(bakery, "Süd & Tal"), {"rabatt": "20"}).get_json()
    assert "what-if-result" not in answer.get("response", {})
    assert NOT_THERE in json.dumps(answer, ensure_ascii=False)


def test_who_may_not_ask_has_no_page_and_no_callback(bakery):
    client, key = bakery.sign_in("leitung"), key_in(bakery, "Nord/See")
    assert "There is no such page for you." in bakery.words(client, address(key))
    assert ask(bakery, client, key, {}).status_code == 404
    for use in (what_if.explore, what_if.move, what_if.start_page):
        with pytest.raises(Forbidden):
            use(bakery.viewer("leitung"), bakery.sources, WhatIfQuery(MODEL, key))


def test_nobody_of_a_territory_that_is_not_assigned_finds_a_row(bakery):
    with pytest.raises(Forbidden):
        what_if.explore(
            bakery.viewer("aussendienst:ohne"), bakery.sources, WhatIfQuery(MODEL, rows_of(bakery)[0]["key"])
        )


def test_who_has_no_rows_is_told_whom_to_ask(bakery):
    words = bakery.words(bakery.sign_in("aussendienst:ohne"), "/what-if")
    assert "You have no rows of any model. " in words
    assert "Your administrator can grant them." in words


def test_answers_kept_for_one_are_not_given_to_another(bakery):
    """The same row, first asked by one who sees it."""
    key = key_in(bakery, "Süd & Tal")
    what_if.explore(bakery.viewer("tueftlerei"), bakery.sources, WhatIfQuery(MODEL, key))
    with pytest.raises(NotFound):
        what_if.move(bakery.viewer("aussendienst"), bakery.sources, WhatIfQuery(MODEL, key))


@pytest.mark.parametrize("said", [None, [], 3, {"edits": {"rabatt": 3}}, {"edits": "x"}, {"list": MODEL, "edits": {}}])
def test_controls_that_send_nonsense_are_told_so(bakery, said):
    client = bakery.sign_in("aussendienst")
    body = bakery.body("what-if-answered.data", [said])
    body["outputs"][1] = body["outputs"][2] = []
    answer = bakery.post(client, body)
    assert answer.status_code == 200
    assert "what-if-result" not in answer.get_json().get("response", {})


# ── where to begin ────────────────────────────────────────────────────────────────────────────────


def test_it_begins_with_three_rows_just_below_a_limit(bakery):
    page = what_if.start_page(bakery.viewer("aussendienst"), bakery.sources, WhatIfQuery())
    limits = sorted(b.at_least for b in bakery.sources.workspace.models.models[MODEL].bands)
    scores = {r["key"]: r for r in rows_of(bakery)}
    assert len(page.starts) == 3
    for start in page.starts:
        row = scores[start.key]
        assert row["tour"] == "Nord/See"
        above = next(limit for limit in limits if limit > row["score"])
        nearer = [r for r in scores.values() if r["tour"] == "Nord/See" and row["score"] < r["score"] < above]
        assert len(nearer) < 3


def test_a_row_is_found_by_name_and_key_within_ones_rows(bakery):
    viewer = bakery.viewer("aussendienst")
    mine = next(r for r in rows_of(bakery) if r["tour"] == "Nord/See")
    other = next(r for r in rows_of(bakery) if r["tour"] == "Süd & Tal")

    def found(search):
        return [s.key for s in what_if.start_page(viewer, bakery.sources, WhatIfQuery(search=search)).found]

    assert found(mine["kennung"]) == [mine["key"]]
    assert found(other["kennung"]) == []
    assert found("' or 1=1 --") == []
    nobody = bakery.words(bakery.sign_in("aussendienst"), "/what-if?q=niemand")
    assert "Nobody here matches “niemand”." in nobody


def test_a_list_that_is_not_there_is_not_there(bakery):
    for name in ("gibtsnicht", "", "kuendigung'"):
        with pytest.raises(NotFound):
            what_if.explore(bakery.viewer("tueftlerei"), bakery.sources, WhatIfQuery(name or "x", "1"))
    with pytest.raises(InvalidQuery):
        what_if.move(bakery.viewer("tueftlerei"), bakery.sources, WhatIfQuery.from_controls({"edits": 1}))


# ── the log ───────────────────────────────────────────────────────────────────────────────────────


def test_opening_is_one_event_and_moves_are_counted_in_another(own_bakery):
    client, key, log = own_bakery.sign_in("aussendienst"), key_in(own_bakery, "Nord/See"), Log(own_bakery)
    own_bakery.words(client, address(key))
    for share in range(10, 20):
        assert ask(own_bakery, client, key, {"rabatt": str(share)}).status_code == 200
    assert [e[0] for e in log.of("what_if.open")] == [f"{MODEL}/{key}"]
    assert log.of("what_if.moves") == []
    own_bakery.sources.clock.move(timedelta(minutes=2))
    own_bakery.words(client, address(key))
    began = "2024-12-02T08:00:00+00:00"
    ten = {"moves": 10, "changed": ["rabatt"], "since": began}
    assert log.of("what_if.moves") == [(f"{MODEL}/{key}", True, ten)]
    ask(own_bakery, client, key, {"lieferzeit": "3"})
    what_if.write_moves(own_bakery.sources)
    what_if.write_moves(own_bakery.sources)
    counted = [e[2] for e in log.of("what_if.moves")]
    assert counted == [{"moves": 1, "changed": ["lieferzeit"], "since": "2024-12-02T08:02:00+00:00"}, ten]
