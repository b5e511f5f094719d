"""The overview of the bakery: its numbers by pandas, its states, its rights, and what it keeps for the next person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import pandas as pd
import pytest

from data import lake_delta, publications
from data.definitions import Masks
from data.lake import LakeError
from data.questions import Everything
from services import jobs, kpis, refresh, snapshots
from services.access import viewer_of
from services.errors import Forbidden, InvalidQuery
from services.kpi_answers import (
    Breakdown,
    Card,
    Headline,
    Lists,
    MemberTable,
    Overview,
    Problem,
    Small,
    Trend,
)
from services.kpi_query import KpiQuery
from services.sources import Sources
from tests.bakery import build
from tests.house import House
from tests.logic.test_kpi_outlook import with_models

D = date
NB = "\u00a0"


@lru_cache(maxsize=1)
def sold() -> pd.DataFrame:
    rows = build.deliveries().merge(build.houses()[["kennung", "tour", "art"]], on="kennung")
    return rows.assign(gebaeck=rows.gebaeck.where(rows.gebaeck.notna(), None))


def of_month(year: int, month: int, tours: tuple[str, ...] = ()) -> pd.DataFrame:
    rows = sold()[[(d.year, d.month) == (year, month) for d in sold().tag]]
    return rows[rows.tour.isin(tours)] if tours else rows


def ask(house: House, who: str = "leitung", **query: Any) -> Overview:
    return kpis.overview(house.viewer(who), house.sources, KpiQuery(**query))


def card(found: Overview, metric: str) -> Card:
    return next(c for c in found.cards if isinstance(c, Card) and c.metric == metric)


# ── numbers ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("who", "tours"),
    [("leitung", ()), ("aussendienst", ("Nord/See",)), ("aussendienst:zwei", ("Nord/See", "Stadt 'Mitte'"))],
)
def test_the_cards_of_each_viewer(bakery: House, who: str, tours: tuple[str, ...]):
    found, now, before = ask(bakery, who), of_month(2024, 11, tours), of_month(2024, 10, tours)
    for rows, side in ((now, "value"), (before, "before")):
        expected = {
            "umsatz": rows.umsatz.sum(),
            "lieferungen": len(rows),
            "umsatz_je_lieferung": rows.umsatz.sum() / len(rows),
            "belieferte": rows.kennung.nunique(),
            "retourenquote": rows.retouren.sum() / rows.umsatz.sum(),
        }
        for metric, value in expected.items():
            assert getattr(card(found, metric), side).value == pytest.approx(value), (metric, side)


def test_a_metric_of_dates_ends_on_its_last_day(bakery: House):
    found = ask(bakery, period="week")
    assert (found.head.period.replace(NB, " "), found.head.note) == ("25 Nov – 1 Dec 2024", "6 of 7 days")
    expected = sold()[(sold().tag >= D(2024, 11, 25)) & (sold().tag <= D(2024, 11, 30))].umsatz.sum()
    assert card(found, "umsatz").value.value == pytest.approx(expected)


def test_the_trend_adds_up_to_the_card_and_names_days_to_come(bakery: House):
    found = ask(bakery, period="week").trend
    assert isinstance(found, Trend)
    assert (len(found.points), len(found.before), len(found.axis)) == (6, 7, 7)
    assert sum(p.value or 0.0 for p in found.points) == pytest.approx(
        card(ask(bakery, period="week"), "umsatz").value.value
    )
    assert found.note == "6 of 7 days"


def test_a_quarters_weeks_end_in_a_hollow_one(bakery: House):
    found = ask(bakery, period="quarter").trend
    assert isinstance(found, Trend)
    assert (found.points[-1].complete, found.points[-1].note) == (False, "6 of 7 days")
    assert all(p.complete for p in found.points[:-1])


def test_a_year_before_brings_its_own_line(bakery: House):
    found = card(ask(bakery, against="year"), "umsatz")
    months = [(2022, 12), *((2023, m) for m in range(1, 12))]
    expected = [pytest.approx(of_month(*m).umsatz.sum()) if m[0] == 2023 else None for m in months]
    assert [p.value for p in found.spark_before] == expected
    assert found.before.value == expected[-1]


def test_the_parts_of_a_change_add_up_and_the_rest_is_named(bakery: House):
    for metric in ("umsatz", "lieferungen", "umsatz_je_lieferung", "retourenquote"):
        found = ask(bakery, metric=metric)
        assert isinstance(found.breakdown, Breakdown) and found.breakdown.signed, metric
        change = card(found, metric).change
        assert change is not None
        assert sum(b.amount for b in found.breakdown.bars) == pytest.approx(change.amount)


def test_what_does_not_add_up_shows_its_members_instead(bakery: House):
    found = ask(bakery, metric="belieferte")
    assert isinstance(found.breakdown, Breakdown) and not found.breakdown.signed
    assert isinstance(found.table, MemberTable)
    assert "does not add up" in found.table.note
    assert all(line.share is None for line in found.table.lines)


def test_without_a_comparison_nothing_moved(bakery: House):
    found = ask(bakery, against="none")
    assert isinstance(found.breakdown, Breakdown) and not found.breakdown.signed
    assert card(found, "umsatz").change is None
    assert isinstance(found.headline, Headline) and "rose" not in found.headline.text


def test_shares_are_of_the_whole(bakery: House):
    table = ask(bakery, by="tour").table
    assert isinstance(table, MemberTable)
    rows = of_month(2024, 11)
    expected = rows.groupby("tour").umsatz.sum() / rows.umsatz.sum()
    assert {line.label: line.share for line in table.lines[:-1]} == pytest.approx(dict(expected))


def test_a_target_is_met_or_not_in_words(bakery: House):
    found = card(ask(bakery), "umsatz")
    assert found.goal is not None
    target = bakery.sources.workspace.metrics.metrics["umsatz"].target.value
    assert found.goal.value.value == target
    assert found.goal.reached == pytest.approx(of_month(2024, 11).umsatz.sum() / target)


def test_unknown_outcomes_are_not_a_rate_of_zero(bakery: House):
    found = ask(bakery).lists
    assert isinstance(found, Lists) and isinstance(found.figures[0], Small)
    assert found.figures[0].value.value is None
    assert found.figures[0].note.startswith("Last known: ")


def test_a_metric_of_the_lists_can_stand_in_the_middle(bakery: House):
    found = ask(bakery, metric="kuendigungsquote", by="tour", period="quarter", on=D(2024, 9, 30))
    assert isinstance(found.trend, Trend) and isinstance(found.table, MemberTable)


# ── filters ───────────────────────────────────────────────────────────────────────────────────────


def test_a_filter_binds_every_part(bakery: House):
    tour = "Süd & Tal"
    found = ask(bakery, chosen=(("tour", (tour,)),), by="tour")
    rows = of_month(2024, 11, (tour,))
    assert card(found, "umsatz").value.value == pytest.approx(rows.umsatz.sum())
    assert isinstance(found.table, MemberTable)
    assert [line.label for line in found.table.lines] == [tour, "Total"]
    assert [c.label for c in found.head.chips] == [f"Tour: {tour}"]
    assert "only=" not in found.head.reset


def test_a_metric_that_a_filter_cannot_bind_says_so_and_the_others_live_on(bakery: House):
    found = ask(bakery, chosen=(("gebaeck", ("Weggli",)),))
    assert isinstance(found.lists, Lists)
    problem = found.lists.figures[0]
    assert isinstance(problem, Problem) and problem.kind == "filter"
    assert "cannot be filtered by Gebäck" in problem.sentence
    assert card(found, "umsatz").value.value


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"metric": "gewinn"}, "metric must be one of umsatz"),
        ({"by": "kunde"}, "by must be one of gebaeck, tour, art"),
        ({"chosen": (("kunde", ("x",)),)}, "A filter must be on one of gebaeck, tour, art"),
        ({"chosen": (("tour", ("Atlantis",)),)}, "Tour must be one of the values you can see, got 'Atlantis'."),
        ({"on": D(2025, 1, 1)}, "The day must be at the latest 2024-11-30"),
    ],
)
def test_a_question_about_what_there_is_not_is_refused_by_name(bakery: House, query: dict[str, Any], said: str):
    with pytest.raises(InvalidQuery) as refused:
        ask(bakery, **query)
    assert said in refused.value.sentence


def test_a_member_of_other_peoples_rows_looks_like_one_that_does_not_exist(bakery: House):
    def refusal(member: str) -> str:
        with pytest.raises(InvalidQuery) as refused:
            ask(bakery, "aussendienst", chosen=(("tour", (member,)),))
        return refused.value.sentence.replace(member, "…")

    assert refusal("Süd & Tal") == refusal("Atlantis")


# ── rights ────────────────────────────────────────────────────────────────────────────────────────


def test_who_may_not_is_refused(bakery: House):
    with pytest.raises(Forbidden):
        ask(bakery, "hauswart")


def test_without_rows_each_part_says_whom_to_ask(bakery: House):
    found = ask(bakery, "aussendienst:ohne")
    assert isinstance(found.headline, Problem)
    for part in (*found.cards, found.trend, found.breakdown, found.table):
        assert isinstance(part, Problem) and part.kind == "no_rows"
        assert part.next_step == "Your administrator can grant them."
    assert next(c.label for c in found.cards if isinstance(c, Problem)) == "Umsatz"


def test_one_viewers_answer_is_never_anothers(bakery: House):
    values = {
        who: card(ask(bakery, who), "umsatz").value.value for who in ("leitung", "aussendienst", "aussendienst:süd")
    }
    assert len(set(values.values())) == 3
    assert values == {who: card(ask(bakery, who), "umsatz").value.value for who in values}


def masked(house: House, *columns: str) -> Any:
    """The head of the business, from whom some columns are hidden."""
    workspace = house.sources.workspace
    role = workspace.access.roles["leitung"].model_copy(update={"masks": Masks(columns=columns)})
    access = workspace.access.model_copy(update={"roles": {**workspace.access.roles, "leitung": role}})
    about = {"person_id": 9, "name": "x", "email": "x@people.example", "role": "leitung", "attributes": {}}
    return viewer_of(workspace.model_copy(update={"access": access}), **about)


def test_a_hidden_column_takes_away_the_metrics_that_would_show_it(bakery: House):
    found = kpis.overview(masked(bakery, "lieferungen.umsatz"), bakery.sources, KpiQuery())
    states = {c.label: c for c in found.cards}
    assert isinstance(states["Umsatz"], Problem) and states["Umsatz"].kind == "hidden"
    assert states["Umsatz"].sentence == "Umsatz needs Umsatz, which is hidden from your role."
    assert isinstance(states["Retourenquote"], Problem)
    assert isinstance(states["Lieferungen"], Card) and isinstance(states["Belieferte Abnehmer"], Card)
    assert isinstance(found.trend, Problem) and isinstance(found.table, Problem)


def test_a_hidden_dimension_can_be_neither_shown_nor_filtered(bakery: House):
    viewer = masked(bakery, "lieferungen.tour", "vertraege.tour")
    found = kpis.overview(viewer, bakery.sources, KpiQuery())
    assert [o.value for o in found.head.dimensions] == ["gebaeck", "art"]
    for query in (KpiQuery(by="tour"), KpiQuery(chosen=(("tour", ("Nord/See",)),))):
        with pytest.raises(InvalidQuery, match="tour"):
            kpis.overview(viewer, bakery.sources, query)


# ── states ────────────────────────────────────────────────────────────────────────────────────────


def test_a_dataset_that_was_never_published_takes_only_its_own_part(own_bakery: House):
    _forget(own_bakery.sources, "vertraege")
    found = ask(own_bakery)
    assert isinstance(found.lists, Lists)
    problem = found.lists.figures[0]
    assert isinstance(problem, Problem) and problem.kind == "not_ready"
    assert problem.sentence == "Verträge is not published yet."
    assert card(found, "umsatz").value.value


def test_without_any_data_the_page_still_stands(own_bakery: House):
    _forget(own_bakery.sources, "lieferungen")
    _forget(own_bakery.sources, "vertraege")
    found = ask(own_bakery)
    assert {type(c) for c in found.cards} == {Problem}
    assert isinstance(found.headline, Problem)
    assert found.attention == ()


def test_a_damaged_file_takes_only_its_own_part(own_bakery: House):
    sources = own_bakery.sources
    with sources.store.read() as session:
        version = publications.current(session, "vertraege").version
    from data.questions import Table

    for file in lake_delta.files(sources.settings.published.resolve(), Table("vertraege", version)):
        with open(file, "r+b") as damaged:
            damaged.write(b"\0" * 64)
            damaged.seek(-400, 2)
            damaged.write(b"\0" * 400)
    found = ask(own_bakery)
    assert isinstance(found.lists, Lists) and isinstance(found.lists.figures[0], Problem)
    assert "Traceback" not in found.lists.figures[0].sentence
    assert card(found, "umsatz").value.value


def test_a_question_that_fails_once_leaves_the_other_parts(own_bakery: House):
    sources = replace(own_bakery.sources, lake=_Failing(own_bakery.sources.lake, "retouren"))
    found = kpis.overview(own_bakery.viewer("leitung"), sources, KpiQuery())
    states = {c.label: type(c) for c in found.cards}
    assert [label for label, kind in states.items() if kind is Problem] == ["Retourenquote"]
    assert isinstance(found.trend, Trend)


class _Failing:
    """A lake in which one column cannot be read."""

    def __init__(self, lake: Any, column: str) -> None:
        self._lake, self._column = lake, column

    def read_all(self, questions: Any, *, where: Any) -> Any:
        if any(m.column == self._column for q in questions for m in q.measures):
            raise LakeError("A file of lieferungen cannot be read any more. Run a refresh to publish it again.")
        return self._lake.read_all(questions, where=where)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)


def test_old_data_are_shown_as_old(own_bakery: House):
    with _clock_now(own_bakery) as sources:
        sources.clock.move(timedelta(days=20))
        found = kpis.overview(own_bakery.viewer("leitung"), sources, KpiQuery())
    said = "Lieferungen ends on 30 Nov 2024; it should be at most 5 days old."
    assert [s.replace(NB, " ") for s in found.head.stale] == [said]
    assert card(found, "umsatz").origin.stale
    assert (found.attention[0].what, found.attention[0].verdict) == ("Lieferungen", "bad")
    assert card(found, "umsatz").value.value == pytest.approx(of_month(2024, 11).umsatz.sum())


@contextmanager
def _clock_now(house: House) -> Iterator[Any]:
    """The bakery by the real clock instead of that of its data."""
    workspace = house.sources.workspace
    lake = workspace.lake.model_copy(update={"clock": "now"})
    yield replace(house.sources, workspace=workspace.model_copy(update={"lake": lake}))


def test_what_happened_after_the_data_end_is_unknown(own_bakery: House):
    """Contracts go on while deliveries end: the days without deliveries are not days without sales."""
    raw = own_bakery.sources.settings.lake / "buchhaltung" / "lieferungen-2024.csv"
    rows = build.deliveries()
    raw.write_text(build.csv_text(rows[rows.tag <= D(2024, 11, 3)]), encoding="latin-1")
    assert refresh.refresh(own_bakery.sources).published == ("lieferungen",)
    found = ask(own_bakery)
    assert found.head.through == D(2024, 11, 3)
    assert found.head.note == "3 of 30 days"


def test_a_file_that_is_held_back_is_said_above_the_values_of_the_last_good_version(own_bakery: House):
    before = card(ask(own_bakery), "umsatz").value.value
    raw = own_bakery.sources.settings.lake / "buchhaltung" / "lieferungen-2024.csv"
    raw.write_text(raw.read_text(encoding="latin-1").replace("umsatz", "erloes", 1), encoding="latin-1")
    assert refresh.refresh(own_bakery.sources).held_back
    found = ask(own_bakery)
    assert "A newer file of Lieferungen is held back" in found.head.stale[0]
    assert card(found, "umsatz").value.value == before


def test_newer_data_give_a_newer_answer(own_bakery: House):
    before = card(ask(own_bakery), "umsatz").value.value
    raw = own_bakery.sources.settings.lake / "buchhaltung" / "lieferungen-2024.csv"
    rows = build.deliveries()
    raw.write_text(build.csv_text(rows.assign(umsatz=rows.umsatz * 2)), encoding="latin-1")
    refresh.refresh(own_bakery.sources)
    assert card(ask(own_bakery), "umsatz").value.value == pytest.approx(2 * before)


def test_while_the_demo_is_prepared_the_page_says_how_long(own_bakery: House):
    sources = own_bakery.sources
    _forget(sources, "vertraege")
    jobs.begin_build(sources)
    sources.clock.move(timedelta(seconds=60))
    jobs.tell_build(sources, 60, "Training: lapse risk")
    found = ask(own_bakery)
    assert found.waiting == "Ready in about 40 s: Training: lapse risk"
    assert isinstance(found.lists, Lists) and isinstance(found.lists.figures[0], Problem)
    assert found.lists.figures[0].sentence == found.waiting
    assert card(found, "umsatz").value.value
    jobs.end_build(sources)
    assert ask(own_bakery).waiting == ""


def _forget(sources: Sources, dataset: str) -> None:
    with sources.store.begin() as session:
        session.delete(publications.current(session, dataset))


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Zurich", "Asia/Tokyo"])
def test_a_date_is_the_same_day_in_every_zone(bakery: House, zone: str):
    workspace = bakery.sources.workspace
    elsewhere = workspace.model_copy(update={"lake": workspace.lake.model_copy(update={"timezone": zone})})
    found = snapshots.published(replace(bakery.sources, workspace=elsewhere))
    assert found.snapshots["lieferungen"].newest_day == D(2024, 11, 30)
    assert found.today == D(2024, 11, 30)


# ── what is kept ──────────────────────────────────────────────────────────────────────────────────


class _Counting:
    """A lake that counts what it is asked."""

    def __init__(self, lake: Any) -> None:
        self._lake, self.asked = lake, 0

    def read(self, *args: Any, **named: Any) -> Any:
        self.asked += 1
        return self._lake.read(*args, **named)

    def read_all(self, questions: Any, **named: Any) -> Any:
        self.asked += len(questions)
        return self._lake.read_all(questions, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)


def test_the_same_question_of_the_same_rights_is_answered_once(own_bakery: House):
    lake = _Counting(own_bakery.sources.lake)
    sources = replace(own_bakery.sources, lake=lake)
    first = kpis.overview(own_bakery.viewer("leitung"), sources, KpiQuery())
    cold = lake.asked
    assert kpis.overview(own_bakery.viewer("leitung"), sources, KpiQuery()) is first
    assert lake.asked == cold
    kpis.overview(own_bakery.viewer("leitung"), sources, KpiQuery(metric="lieferungen"))
    assert lake.asked - cold <= 3  # its trend, its members and those too small; the cards are there already
    before = lake.asked
    kpis.overview(own_bakery.viewer("aussendienst"), sources, KpiQuery())
    assert lake.asked > before


def test_everything_that_is_read_is_read_under_the_viewers_rows(own_bakery: House):
    """A lake that remembers its row filters: for somebody with a rule none of them lets everything through."""
    seen: list[tuple[str, Any]] = []

    class Watching(_Counting):
        def read(self, question: Any, *, where: Any) -> Any:
            seen.append((question.table.name, where))
            return super().read(question, where=where)

        def read_all(self, questions: Any, *, where: Any) -> Any:
            seen.extend((q.table.name, where) for q in questions)
            return super().read_all(questions, where=where)

    sources = replace(with_models(own_bakery), lake=Watching(own_bakery.sources.lake))
    kpis.overview(own_bakery.viewer("aussendienst"), sources, KpiQuery(chosen=(("tour", ("Nord/See",)),)))
    assert {name for name, _ in seen} >= {"lieferungen", "vertraege", "scores_kuendigung", "replay_kuendigung"}
    assert not [name for name, where in seen if isinstance(where, Everything)]
