"""The list of models and their cards on the screen: who may, what stands there, what a moved control gives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.house import texts

NB = "\u00a0"
CARD = "/models/kuendigung"
BARS = "model-bars.children"


def shown(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.get_data()[:300]
    found: dict[str, Any] = answer.get_json()["response"]
    return found


@pytest.mark.parametrize("address", ["/models", CARD, f"{CARD}?tab=versions"])
def test_nobody_anonymous_sees_a_model(client: Any, address: str) -> None:
    assert client.document(address).status_code == 302


@pytest.mark.parametrize("who", ["aussendienst", "hauswart"])
@pytest.mark.parametrize("address", ["/models", CARD])
def test_a_role_without_the_action_is_told_that_there_is_no_such_page(bakery: Any, who: str, address: str) -> None:
    said = bakery.words(bakery.sign_in(who), address)
    assert "There is no such page for you." in said
    assert "Kündigungsrisiko" not in said


def test_a_role_without_the_action_cannot_move_the_control(bakery: Any, sign_in: Any) -> None:
    answer = bakery.fire(sign_in("aussendienst"), BARS, ["20", 20], [["kuendigung", "", False]])
    assert answer.status_code == 404


def test_the_list_names_each_model_with_its_verdict(bakery: Any, sign_in: Any) -> None:
    said = bakery.words(sign_in("leitung"), "/models")
    for part in (
        "One model is in use",
        "Kündigungsrisiko",
        "In use",
        "Champion version 1",
        "owner Verkauf",
        "180 Verträge",
    ):
        assert part in said.replace(NB, " ")
    assert "/models/kuendigung" in said


def test_the_card_answers_its_four_questions(bakery: Any, sign_in: Any) -> None:
    said = bakery.words(sign_in("tueftlerei"), CARD).replace(NB, " ")
    for part in (
        "Would it have worked?",
        "In the first 20 of Saison Herbst/2024, this model finds",
        "Simplest rule: die meisten Reklamationen",
        "Picked at random",
        "Does 30 % mean 30 %?",
        "What it looks at",
        "Reklamationen",
        "Where it is weaker",
        "Tour",
        "Sagt, welche Abnehmer in dieser Saison eher kündigen.",
        "Preise für einzelne Abnehmer.",
        "Version 1 passed the checks",
    ):
        assert part in said


def test_a_card_shows_no_masked_input_to_those_who_may_not_see_it(bakery: Any, sign_in: Any) -> None:
    boss, tinkerer = (bakery.layout(sign_in(who), CARD) for who in ("leitung", "tueftlerei"))
    assert "Mahnungen" in _bars_of(tinkerer)
    assert "Mahnungen" not in _bars_of(boss)


def _bars_of(layout: Any) -> list[str]:
    """The texts of "What it looks at"."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "is-importance" in str(node.get("props", {}).get("className", "")):
                found.extend(texts(node))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(layout)
    assert found
    return found


def test_the_versions_stand_with_alias_and_state(bakery: Any, sign_in: Any) -> None:
    said = bakery.words(sign_in("leitung"), f"{CARD}?tab=versions")
    for part in ("Versions in the registry", "champion", "Admitted", "It passed the checks.", "its scores are shown"):
        assert part in said
    assert "Would it have worked?" not in said


def test_the_address_chooses_the_list_and_the_number(bakery: Any, sign_in: Any) -> None:
    said = bakery.words(sign_in("leitung"), f"{CARD}?first=7")
    assert "In the first 7 of Saison Herbst/2024" in said


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/models/nobody", "There is no such model."),
        ("/models/%3Cscript%3E", "There is no such model."),
        (f"{CARD}?first=0", "The number of rows must be a whole number from 1 to 10,000,000, got 0."),
        (f"{CARD}?run=Winter", "There is no past list Winter in your rows."),
        (f"{CARD}?tab=all", "tab must be card or versions, got 'all'."),
    ],
)
def test_a_wrong_address_is_one_sentence(bakery: Any, sign_in: Any, address: str, sentence: str) -> None:
    said = bakery.words(sign_in("leitung"), address)
    assert sentence in said
    assert "reference" not in said


def test_the_name_cannot_be_overridden_by_the_query(bakery: Any, sign_in: Any) -> None:
    assert bakery.open(sign_in("leitung"), f"{CARD}?name=other").status_code == 400


def test_moving_the_number_moves_bars_links_and_address(bakery: Any, sign_in: Any) -> None:
    client = sign_in("leitung")
    asked = [["kuendigung", "", False]]
    by_box = shown(bakery.fire(client, BARS, ["9", 20], asked, changed=["model-first.value"]))
    assert "In the first 9 of Saison Herbst/2024" in " ".join(texts(by_box["model-bars"]))
    assert by_box["model-href"] == {"data": "/models/kuendigung?first=9"}
    assert by_box["model-slider"] == {"value": 9}
    assert "/models/kuendigung?tab=versions&first=9" in texts(by_box["model-tabs"])
    by_slider = shown(bakery.fire(client, BARS, ["9", 31], asked, changed=["model-slid.data"]))
    assert by_slider["model-first"] == {"value": "31"}
    assert "In the first 31 of " in " ".join(texts(by_slider["model-bars"]))


@pytest.mark.parametrize("wrong", ["", "forty", "0", "-5", "1e9", None, [3], {"a": 1}, 10**12])
def test_a_number_that_is_none_is_refused_under_the_control_and_moves_nothing(
    bakery: Any, sign_in: Any, wrong: Any
) -> None:
    answer = bakery.fire(
        sign_in("leitung"), BARS, [wrong, 20], [["kuendigung", "", False]], changed=["model-first.value"]
    )
    found = shown(answer)
    assert found["model-message"]["children"].startswith("The number of rows must be a whole number")
    assert set(found) == {"model-message"}


@pytest.mark.parametrize("asked", [None, "x", ["kuendigung"], [1, 2, 3], ["kuendigung", "x" * 500, True], {"a": 1}])
def test_a_forged_question_is_a_notice_and_no_error(bakery: Any, sign_in: Any, asked: Any) -> None:
    answer = bakery.fire(sign_in("leitung"), BARS, ["9", 20], [asked], changed=["model-first.value"])
    assert answer.status_code == 200
    said = answer.get_data(as_text=True)
    assert "Something went wrong" not in said
    assert "this model finds" not in said


def test_another_territory_moves_to_its_own_rows_only(bakery: Any, sign_in: Any) -> None:
    """The callback takes its rows from the viewer, whatever the browser sends."""
    client = sign_in("leitung")
    first = shown(bakery.fire(client, BARS, ["500", 20], [["kuendigung", "", False]], changed=["model-first.value"]))
    assert "180 Abnehmer" in " ".join(texts(first["model-message"])).replace(NB, " ")


def test_a_refused_model_shows_reason_and_next_step_and_no_figure(own_bakery: Any) -> None:
    from data import catalogue_log
    from data.tables import ScoreRun

    with own_bakery.sources.store.begin() as session:
        for found in catalogue_log.versions(session):
            found.state, found.reason, found.next_step = "refused", "It is a pickle.", "Register it as a booster."
        session.query(ScoreRun).delete()
    client = own_bakery.sign_in("leitung")
    for address in ("/models", CARD, f"{CARD}?tab=versions"):
        said = own_bakery.words(client, address)
        assert "It is a pickle." in said
        assert "Register it as a booster." in said
        assert "this model finds" not in said
        assert "What it looks at" not in said


def test_a_replay_that_is_damaged_takes_away_only_what_needs_it(own_bakery: Any) -> None:
    for file in (own_bakery.sources.settings.published / "replay_kuendigung").rglob("*.parquet"):
        file.write_bytes(b"not a parquet file")
    said = own_bakery.words(own_bakery.sign_in("leitung"), CARD)
    assert "A file of replay_kuendigung cannot be read any more." in said
    assert "What it looks at" in said
    assert "Sagt, welche Abnehmer" in said
    assert "this model finds" not in said
