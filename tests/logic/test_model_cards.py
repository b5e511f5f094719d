"""The card of a model: the past within a viewer's rows, what a card from outside may say, and its states."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data import audit_log
from data.definitions import ModelUse
from data.lake_duckdb import ArrowLake
from data.questions import Table
from services import model_cards, model_checks, model_facts, model_past, model_replays, runs
from services.access import Viewer
from services.answer_cache import AnswerCache
from services.errors import Forbidden, InvalidQuery, NotFound, NotReady, Unavailable
from services.model_answers import Problem, ReplayPart
from services.model_past import Past
from services.model_query import EVERY, ModelQuery
from services.model_words import Words
from services.sources import Sources

NB = "\u00a0"
BEATS, BEATS_NOT = "It beats picking at random clearly.", "It does not clearly beat picking at random."


@pytest.fixture
def words(bakery_sources: Sources) -> Words:
    use = bakery_sources.workspace.models.models["kuendigung"]
    return Words(use, bakery_sources.workspace.lake.model_copy(update={"currency": "USD", "locale": "en_US"}))


# ── the past of a viewer ──────────────────────────────────────────────────────────────────────────

SEASONS = {"Herbst/2023": datetime(2023, 9, 1, tzinfo=UTC), "Herbst/2024": datetime(2024, 9, 1, tzinfo=UTC)}
TOURS = ("Nord/See", "Süd & Tal", "Stadt 'Mitte'")


def history(rows: int = 300) -> pa.Table:
    """Two seasons over three tours; the model is better in the second one, the rule knows half of the rows."""
    rng = np.random.default_rng(3)
    parts = []
    for at, (season, began) in enumerate(SEASONS.items()):
        outcome = (rng.random(rows) < 0.2).astype(float)
        score = np.clip(outcome * 0.5 * at + rng.random(rows) * 0.5, 0, 1)
        rule = rng.integers(0, 4, rows).astype(float)
        parts.append(
            pa.table(
                {
                    "kennung": [f"K{i}" for i in range(rows)],
                    "saison": [season] * rows,
                    "tour": [TOURS[i % 3] for i in range(rows)],
                    "betrieb": [f"Haus {i}" for i in range(rows)],
                    "ort": ["Rüti" if i % 2 else "Zürich" for i in range(rows)],
                    "telefon": ["1" if i % 2 else "2" for i in range(rows)],
                    "run": [season] * rows,
                    "run_time": pa.array([began] * rows, pa.timestamp("us", tz="UTC")),
                    "score": score,
                    "baseline": rule,
                    "baseline_known": rule > 0,
                    "outcome": outcome,
                }
            )
        )
    return pa.concat_tables(parts)


def past_of(sources: Sources, viewer: Viewer, table: pa.Table, **changed: Any) -> Past:
    """The past of the bakery's model as this viewer sees it, over a replay table in memory."""
    use: ModelUse = sources.workspace.models.models["kuendigung"].model_copy(update=changed)
    run = runs.current_run(sources, "kuendigung")
    assert run is not None
    memory = replace(sources, lake=ArrowLake({("replay_kuendigung", 9): table}), cache=AnswerCache())
    found = model_past.past_of(viewer, memory, use, replace(run, replay=Table("replay_kuendigung", 9)))
    assert found is not None
    return found


@pytest.fixture
def boss(bakery: Any) -> Viewer:
    return bakery.viewer("leitung")


@pytest.fixture
def north(bakery: Any) -> Viewer:
    return bakery.viewer("aussendienst")


def test_past_lists_come_newest_first_and_are_counted_in_the_viewers_rows(
    bakery_sources: Sources, boss: Viewer, north: Viewer
) -> None:
    everything = past_of(bakery_sources, boss, history())
    own = past_of(bakery_sources, north, history())
    assert [(r.run, r.rows) for r in everything.runs] == [("Herbst/2024", 300), ("Herbst/2023", 300)]
    assert [(r.run, r.rows) for r in own.runs] == [("Herbst/2024", 100), ("Herbst/2023", 100)]
    assert model_past.scope_words(everything) == f"600{NB}Verträge"
    assert model_past.scope_words(own) == f"200{NB}Verträge of Nord/See"


def test_a_replay_counts_only_the_viewers_rows(bakery_sources: Sources, north: Viewer) -> None:
    rows = history()
    own = past_of(bakery_sources, north, rows)
    part = model_replays.replay(own, ModelQuery("kuendigung", first=25))
    mine = rows.to_pandas().query("tour == 'Nord/See' and run == 'Herbst/2024'")
    found = mine.nlargest(25, "score").outcome.sum()
    assert part.compared.bars[0].value == found
    assert part.compared.title == (
        f"In the first 25 of Saison Herbst/2024, this model finds {found:.0f} of "
        f"{mine.outcome.sum():.0f}{NB}Kündigungen."
    )
    assert part.most == 100
    left = mine[~mine.baseline_known]
    assert part.unranked is not None
    assert f"{len(left)}{NB}Abnehmer that the rule cannot rank" in part.unranked.title
    assert part.source.startswith(f"100{NB}Abnehmer, {mine.outcome.sum():.0f}{NB}Kündigungen.")


def test_the_newest_list_is_chosen_unless_another_one_is_named(bakery_sources: Sources, boss: Viewer) -> None:
    past = past_of(bakery_sources, boss, history())
    chosen = [
        [c.label for c in model_replays.replay(past, ModelQuery("kuendigung", run=run)).choices if c.chosen]
        for run in ("", "Herbst/2023", EVERY)
    ]
    assert chosen == [["Saison Herbst/2024"], ["Saison Herbst/2023"], ["All 2 together"]]
    with pytest.raises(InvalidQuery, match="no past list Winter in your rows"):
        model_replays.replay(past, ModelQuery("kuendigung", run="Winter"))


def test_a_short_list_is_taken_whole_and_says_so(bakery_sources: Sources, boss: Viewer) -> None:
    part = model_replays.replay(past_of(bakery_sources, boss, history()), ModelQuery("kuendigung", first=5_000))
    assert (part.first, part.note) == (300, f"The list has 300{NB}Abnehmer in your rows; all of them are taken.")
    assert part.compared.title.startswith("All of Saison Herbst/2024: ")


def test_nineteen_rows_are_too_few_to_judge(bakery_sources: Sources, boss: Viewer) -> None:
    rows = history().slice(0, 19)
    past = past_of(bakery_sources, boss, rows)
    part = model_replays.replay(past, ModelQuery("kuendigung"))
    ups = int(np.sum(rows.column("outcome").to_numpy()))
    assert part.compared.title == f"19{NB}Verträge with {ups}{NB}Kündigungen: too few to judge."
    assert part.compared.bars == ()
    assert model_replays.in_all(past).verdict.sentence == "Too few outcomes to judge it."
    with pytest.raises(NotReady, match="too few to judge"):
        model_checks.calibration(past)
    with pytest.raises(NotReady, match="too few to judge"):
        model_checks.segments(past)


def test_a_rule_that_ranks_by_a_hidden_column_is_not_compared(bakery_sources: Sources, boss: Viewer) -> None:
    scopes = dict(boss.scopes)
    scopes["vertraege"] = replace(scopes["vertraege"], hidden=frozenset({"reklamationen"}))
    part = model_replays.replay(
        past_of(bakery_sources, replace(boss, scopes=scopes), history()), ModelQuery("kuendigung")
    )
    assert [b.kind for b in part.compared.bars] == ["model", "random"]
    assert part.unranked is None
    assert part.note == "The simplest rule uses information that is hidden from you, so it is not compared."


def test_a_hidden_column_separates_neither_lists_nor_groups(bakery_sources: Sources, boss: Viewer) -> None:
    scopes = dict(boss.scopes)
    scopes["vertraege"] = replace(scopes["vertraege"], hidden=frozenset({"saison", "tour"}))
    past = past_of(bakery_sources, replace(boss, scopes=scopes), history())
    assert [r.rows for r in past.runs] == [600]
    assert model_replays.replay(past, ModelQuery("kuendigung", run="Herbst/2023")).choices == ()
    dimensions = {line.dimension for line in model_checks.segments(past).lines}
    assert dimensions == {"Ort", ""}


def test_groups_are_made_of_visible_words_only(bakery_sources: Sources, boss: Viewer) -> None:
    """Not of a key, of names (too many), or of a telephone (personal)."""
    part = model_checks.segments(past_of(bakery_sources, boss, history()))
    assert {line.dimension for line in part.lines} == {"", "Tour", "Ort"}
    worst = part.lines[0]
    assert (worst.member, worst.weaker, worst.rows_text) == ("Saison Herbst/2023", True, f"300{NB}rows")
    assert part.title == "Clearly weaker for Saison Herbst/2023."


def test_a_hidden_outcome_or_no_rows_is_said_and_nothing_is_measured(
    bakery_sources: Sources, boss: Viewer, bakery: Any
) -> None:
    scopes = dict(boss.scopes)
    scopes["vertraege"] = replace(scopes["vertraege"], hidden=frozenset({"gekuendigt"}))
    with pytest.raises(NotReady, match="What happened is hidden from you"):
        past_of(bakery_sources, replace(boss, scopes=scopes), history())
    for who in ("aussendienst:ohne", "hauswart"):
        with pytest.raises(NotReady, match="You have no rows of Verträge"):
            past_of(bakery_sources, bakery.viewer(who), history())


def test_a_replay_that_is_gone_is_one_sentence(bakery_sources: Sources, boss: Viewer) -> None:
    use = bakery_sources.workspace.models.models["kuendigung"]
    run = runs.current_run(bakery_sources, "kuendigung")
    assert run is not None
    empty = replace(bakery_sources, lake=ArrowLake({}), cache=AnswerCache())
    with pytest.raises(Unavailable, match="replay_kuendigung has no version"):
        model_past.past_of(boss, empty, use, run)


def test_two_viewers_never_share_an_answer(bakery_sources: Sources, boss: Viewer, north: Viewer) -> None:
    sources = replace(bakery_sources, cache=AnswerCache())
    query = ModelQuery("kuendigung")
    first = model_cards.card(boss, sources, query).replay
    second = model_cards.card(replace(north, grants=boss.grants), sources, query).replay
    assert isinstance(first, ReplayPart)
    assert isinstance(second, ReplayPart)
    assert (first.most, second.most) == (180, 60)


def test_amounts_are_replayed_as_errors(bakery_sources: Sources, boss: Viewer) -> None:
    rows = history()
    changed = {"task": "regression", "unit": "currency", "capacity": None}
    past = past_of(bakery_sources, boss, rows, **changed)
    part = model_replays.replay(past, ModelQuery("kuendigung", run=EVERY))
    frame = rows.to_pandas()
    known = frame[frame.baseline_known]
    assert part.first is None
    assert part.compared.bars[0].value == pytest.approx((known.score - known.outcome).abs().mean())
    assert part.compared.bars[1].value == pytest.approx((known.baseline - known.outcome).abs().mean())
    assert part.compared.title.startswith("Over 2 past lists, this model is ")


def test_a_whole_column_of_unknown_rules_is_no_rule(bakery_sources: Sources, boss: Viewer) -> None:
    rows = history()
    unknown = rows.set_column(rows.column_names.index("baseline_known"), "baseline_known", pa.array([False] * 600))
    part = model_replays.replay(past_of(bakery_sources, boss, unknown), ModelQuery("kuendigung"))
    assert [b.kind for b in part.compared.bars] == ["model", "random"]


# ── the card ──────────────────────────────────────────────────────────────────────────────────────


def test_a_name_that_the_workspace_does_not_have_is_not_found(bakery_sources: Sources, boss: Viewer) -> None:
    with pytest.raises(NotFound, match="no such model"):
        model_cards.card(boss, bakery_sources, ModelQuery("nobody"))


@pytest.mark.parametrize("who", ["aussendienst", "hauswart"])
def test_whoever_may_not_read_models_gets_neither_list_nor_card(bakery: Any, who: str) -> None:
    viewer = bakery.viewer(who)
    with pytest.raises(Forbidden):
        model_cards.overview(viewer, bakery.sources)
    with pytest.raises(Forbidden):
        model_cards.card(viewer, bakery.sources, ModelQuery("kuendigung"))


def test_a_card_without_rows_keeps_the_facts_of_the_model(bakery: Any, boss: Viewer) -> None:
    nobody = bakery.viewer("aussendienst:ohne")
    card = model_cards.card(replace(nobody, grants=boss.grants), bakery.sources, ModelQuery("kuendigung"))
    assert card.replay == Problem("You have no rows of Verträge.", "Your administrator can grant them.")
    assert (card.calibration, card.segments) == (None, None)
    assert dict(card.about)["Owner"] == "Verkauf"
    assert card.importance is not None


def test_what_it_looks_at_hides_masked_inputs_and_still_adds_up(bakery: Any) -> None:
    facts = model_facts.facts_of(bakery.sources, "kuendigung")
    boss = model_facts.importance(bakery.viewer("leitung"), bakery.sources, facts)
    tinkerer = model_facts.importance(bakery.viewer("tueftlerei"), bakery.sources, facts)
    assert not isinstance(boss, Problem)
    assert not isinstance(tinkerer, Problem)
    assert "Mahnungen" in [b.label for b in tinkerer.bars]
    assert "Mahnungen" not in [b.label for b in boss.bars]
    assert boss.bars[-1].label.startswith("Other information (")
    for part in (boss, tinkerer):
        assert sum(b.share for b in part.bars) == pytest.approx(1.0)


def test_a_card_from_outside_may_say_anything_and_breaks_nothing(bakery_sources: Sources) -> None:
    facts = model_facts.facts_of(bakery_sources, "kuendigung")
    wild: dict[str, Any] = {
        "metrics": [{"name": "auc", "value": "high"}, "x", {"value": 1}, {"name": "ok", "value": 0.8734, "low": None}],
        "baseline_metrics": {"auc": 1},
        "limits": "none",
        "trained_to": "soon",
        "train_rows": "many",
        "sensitive": ["Age"],
        "tested_on": 4,
        "data": None,
        "library": ["x"],
    }
    assert facts.serving is not None
    spoilt = replace(facts, serving=type(facts.serving)(card=wild, version="1", format="xgboost", aliases=["champion"]))
    part = model_facts.metrics(bakery_sources, spoilt, versus=False)
    assert part is not None
    assert [(line.label, line.champion, line.rule) for line in part.lines] == [("ok", "0.873", "")]
    assert model_facts.limits(spoilt) == facts.use.limits
    assert dict(model_facts.about(bakery_sources, spoilt))["Made with"] == "xgboost"
    assert model_facts.trained_to(spoilt) == ""


CARD = {
    "tested_on": "later weeks",
    "test_rows": 900,
    "trained_from": "2023-01-01",
    "trained_to": "2024-06-30",
    "train_rows": 5000,
    "sensitive": {"used": ["Age"], "not_used": ["Income"]},
    "limits": ["One year only."],
    "metrics": [
        {
            "name": "auc",
            "label": "Ranking (AUC)",
            "value": 0.9,
            "low": 0.88,
            "high": 0.92,
            "n": 900,
            "better": "up",
            "unit": None,
        },
        {
            "name": "err",
            "label": "Error",
            "value": 0.2,
            "low": 0.1,
            "high": 0.3,
            "n": 900,
            "better": "down",
            "unit": "percent",
        },
    ],
    "baseline_metrics": [
        {"name": "auc", "label": "", "value": 0.8, "low": 0.78, "high": 0.82, "better": "up", "unit": None}
    ],
}


def with_card(sources: Sources, card: dict[str, Any], other: dict[str, Any] | None = None) -> model_facts.Facts:
    facts = model_facts.facts_of(sources, "kuendigung")
    assert facts.serving is not None
    kind = type(facts.serving)
    challenger = None if other is None else kind(card=other, version="2", aliases=["challenger"], state="admitted")
    return replace(facts, serving=kind(card=card, version="1", aliases=["champion"]), challenger=challenger)


def test_the_figures_of_the_test_stand_beside_the_rule(bakery_sources: Sources) -> None:
    part = model_facts.metrics(bakery_sources, with_card(bakery_sources, CARD), versus=False)
    assert part is not None
    auc, err = part.lines
    assert (auc.champion, auc.rule, auc.verdict) == ("0.9 (0.88 to 0.92)", "0.8 (0.78 to 0.82)", "better than the rule")
    assert (err.champion.replace(NB, " "), err.rule, err.verdict) == ("20 % (10 % to 30 %)", "", "")
    assert part.tested_on == "later weeks; 900 rows"


def test_the_challenger_is_laid_beside_and_the_page_says_what_it_is_not(bakery_sources: Sources) -> None:
    other = {**CARD, "metrics": [{**CARD["metrics"][0], "value": 0.95, "low": 0.94, "high": 0.96}]}  # type: ignore[index]
    same = model_facts.metrics(bakery_sources, with_card(bakery_sources, CARD, other), versus=True)
    assert same is not None
    assert (same.lines[0].challenger, same.lines[0].verdict) == ("0.95 (0.94 to 0.96)", "the challenger is better")
    assert same.lines[1].challenger == ""
    assert same.remark.startswith("Both versions were tested on the same rows.")
    assert "about the champion only" in same.remark
    different = with_card(bakery_sources, CARD, {**other, "test_rows": 100})
    part = model_facts.metrics(bakery_sources, different, versus=True)
    assert part is not None
    assert part.remark.startswith("The two versions were tested on different rows")


@pytest.mark.parametrize(
    ("rule", "sentence", "tone"),
    [
        (
            (0.8, 0.78, 0.82),
            "In its test, clearly better than the simplest rule (Ranking (AUC): 0.9 against 0.8).",
            "good",
        ),
        (
            (0.89, 0.87, 0.91),
            "In its test, no clear difference from the simplest rule (Ranking (AUC): 0.9 against 0.89).",
            "watch",
        ),
        (
            (0.95, 0.93, 0.97),
            "In its test, the simplest rule is clearly better (Ranking (AUC): 0.9 against 0.95).",
            "bad",
        ),
        (None, "Not measured yet.", ""),
    ],
)
def test_without_outcomes_the_test_speaks(
    bakery_sources: Sources, rule: tuple[float, float, float] | None, sentence: str, tone: str
) -> None:
    value = [] if rule is None else [{"name": "auc", "value": rule[0], "low": rule[1], "high": rule[2]}]
    facts = with_card(bakery_sources, {**CARD, "baseline_metrics": value})
    assert model_facts.tested_verdict(bakery_sources, facts) == (sentence, tone)


def test_training_and_sensitive_inputs_in_words(bakery_sources: Sources) -> None:
    said = {k: v.replace(NB, " ") for k, v in model_facts.about(bakery_sources, with_card(bakery_sources, CARD))}
    assert said["Learnt from"] == "1 Jan 2023 to 30 Jun 2024; 5,000 rows"
    assert said["Sensitive inputs"] == "Age used. Not used: Income."
    plain = dict(model_facts.about(bakery_sources, with_card(bakery_sources, {})))
    assert plain["Sensitive inputs"] == "Mahnungen used."


# ── states ────────────────────────────────────────────────────────────────────────────────────────


def standing(sources: Sources, *, state: str, run: bool, reason: str = "It is a pickle.") -> model_facts.Facts:
    facts = model_facts.facts_of(sources, "kuendigung")
    assert facts.serving is not None
    kind = type(facts.serving)
    found = kind(card={}, version="7", aliases=["champion"], state=state, reason=reason, next_step="Register it anew.")
    return replace(facts, run=facts.run if run else None, aliased=found, serving=facts.serving if run else found)


def test_a_refused_model_has_a_reason_a_next_step_and_no_figure(own_bakery: Any) -> None:
    from data import catalogue_log
    from data.tables import ScoreRun

    with own_bakery.sources.store.begin() as session:
        for found in catalogue_log.versions(session):
            found.state, found.reason, found.next_step = "refused", "It is a pickle.", "Register it anew."
        session.query(ScoreRun).delete()
    boss = own_bakery.viewer("leitung")
    card = model_cards.card(boss, own_bakery.sources, ModelQuery("kuendigung"))
    assert (card.state.standing, card.state.sentence) == ("refused", "Version 1 is refused: It is a pickle.")
    assert card.verdict.sentence == "Version 1 is refused: It is a pickle."
    assert card.state.next_step == "Register it anew."
    assert (card.replay, card.calibration, card.importance, card.segments, card.metrics) == (None,) * 5
    line = model_cards.overview(boss, own_bakery.sources).lines[0]
    assert (line.state.word, line.compared) == ("Refused", None)


def test_a_refused_newer_version_leaves_the_old_one_serving(bakery_sources: Sources) -> None:
    facts = standing(bakery_sources, state="refused", run=True)
    assert model_facts.state_of(facts).standing == "in_use"
    note = model_facts.notes_of(facts)[0]
    assert note.sentence == "Version 7, the new champion, is refused: It is a pickle. Version 1 serves on."
    assert (note.next_step, note.tone) == ("Register it anew.", "bad")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("admitted", "Version 7 is known; its first scores are being computed."),
        ("waiting", "Version 7 is known; it is checked before it is used."),
    ],
)
def test_a_model_on_its_way_says_what_is_being_done(bakery_sources: Sources, state: str, said: str) -> None:
    found = model_facts.state_of(
        replace(standing(bakery_sources, state=state, run=False), work="Score and explain: 40 %")
    )
    assert (found.word, found.sentence, found.next_step) == ("Being prepared", said, "Score and explain: 40 %")


def test_a_model_that_is_not_registered_says_what_to_do(bakery_sources: Sources) -> None:
    facts = replace(standing(bakery_sources, state="admitted", run=False), aliased=None, serving=None)
    found = model_facts.state_of(facts)
    assert found.sentence == "The registry has no version of Kündigung (Verträge) with the alias champion."
    assert found.next_step == "Register one, or set the alias."
    assert model_facts.state_of(replace(facts, work="Prepare the demo: Training")).word == "Being prepared"


def test_a_long_time_without_outcomes_is_amber(own_bakery: Any) -> None:
    from datetime import timedelta

    boss, query = own_bakery.viewer("leitung"), ModelQuery("kuendigung")
    lake = own_bakery.sources.workspace.lake.model_copy(update={"clock": "now"})
    workspace = own_bakery.sources.workspace.model_copy(update={"lake": lake})
    sources = replace(own_bakery.sources, workspace=workspace, clock=lambda: datetime(2024, 11, 20, tzinfo=UTC))
    assert not [n for n in model_cards.card(boss, sources, query).notes if "Last checked" in n.sentence]
    later = replace(sources, clock=lambda: sources.clock() + timedelta(days=30))
    note = next(n for n in model_cards.card(boss, later, query).notes if "Last checked" in n.sentence)
    assert note.sentence.replace(NB, " ") == "Last checked 110 days ago: the newest past list is of 1 Sep 2024."
    assert note.tone == "watch"


def test_approvals_name_what_was_let_through_and_by_whom(bakery_sources: Sources) -> None:
    facts = model_facts.facts_of(bakery_sources, "kuendigung")
    said = [(a.what, a.who) for a in model_facts.approvals(bakery_sources, facts)]
    assert said == [("Scores of version 1 published", "Lakelight"), ("Version 1 passed the checks", "Lakelight")]


def test_what_was_approved_again_stands_once_with_its_newest_time(own_bakery: Any) -> None:
    facts = model_facts.facts_of(own_bakery.sources, "kuendigung")
    again = [datetime(2031, 5, day, 12, tzinfo=UTC) for day in range(1, 9)]
    with own_bakery.sources.store.begin() as session:
        for at in again:
            audit_log.record(
                session, at=at, person_id=None, person="lakelight", act="scores.publish", resource="kuendigung",
                detail={"version": 1},
            )  # fmt: skip
    said = model_facts.approvals(own_bakery.sources, facts)
    assert [a.what for a in said] == ["Scores of version 1 published", "Version 1 passed the checks"]
    assert said[0].when.replace(NB, " ").startswith("8 May 2031")
