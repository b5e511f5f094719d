"""The overview: cards, lines, members, what moved, the outlook and the lists, to the cent, in one's own rows."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from services import kpis
from services.errors import Forbidden, InvalidQuery
from services.kpi_answers import Card, Expectation, Lists, MemberTable, Point, Problem, Small, Trend
from services.kpi_query import KpiQuery
from tests.surfaces import cases, drawn
from tests.surfaces.by_hand import Books
from tests.surfaces.drawn import MODEL, Person, Stand
from tests.surfaces.kpis_by_hand import (
    CARDS,
    OFFERED,
    Numbers,
    dataset_of,
    hidden_from,
    members,
    numbers,
    offered,
    spans,
)

DAY = timedelta(days=1)


@pytest.mark.attack("R-01", "R-03", "R-04")
@cases.drawn("kpis")
@given(drawn.people(), drawn.kpi_queries())
def test_the_overview_is_that_of_the_visible_rows(stand: Stand, somebody, query):
    who, books = somebody.on(stand), stand.books
    if not who.may("kpis:read"):
        with pytest.raises(Forbidden):
            kpis.overview(who.viewer, who.sources, query)
    elif _refused(books, who, query):
        with pytest.raises(InvalidQuery):
            kpis.overview(who.viewer, who.sources, query)
    else:
        found = kpis.overview(who.viewer, who.sources, query)
        metric = query.metric or OFFERED[0]
        assert {o.value for o in found.head.dimensions} == set(_readable(books, who, metric))
        told = {name: _told(books, who, name, query) for name in OFFERED}
        for name, card in zip(CARDS, found.cards, strict=True):
            _card(card, name, told[name], query)
        assert found.lists is not None
        _small(found.lists.figures[0], told["kuendigungsquote"], query)
        _trend(found.trend, metric, told[metric], query)
        _table(found, books, who, metric, told[metric], query)
        _outlook(found.expects, books, who, query)
        _lists(found.lists, books, who)
    cases.RUN["kpis"] += 1


def _readable(books: Books, who: Person, metric: str) -> list[str]:
    return offered(books, who, metric)


def _refused(books: Books, who: Person, query: KpiQuery) -> bool:
    """A dimension that nobody offers, or a member that is not among one's own rows."""
    shown = {d for name in OFFERED for d in _readable(books, who, name)}
    if query.by and query.by not in shown:
        return True
    for dimension, texts in query.chosen:
        if dimension not in shown:
            return True
        known = {m or "" for m in members(books, who, dimension)}
        if not set(texts) <= known:
            return True
    return False


def _told(books: Books, who: Person, metric: str, query: KpiQuery) -> Numbers | None:
    """The rows behind a metric, None where it cannot be told at all."""
    mine = numbers(books, who, dataset_of(metric), query.chosen if _fits(books, who, metric, query) else ())
    nothing = mine.known is None or hidden_from(books, who, metric) or not _fits(books, who, metric, query)
    return None if nothing else mine


def _fits(books: Books, who: Person, metric: str, query: KpiQuery) -> bool:
    return {d for d, _ in query.chosen} <= set(_readable(books, who, metric))


def _same(found: Any, expected: float | None) -> bool:
    """Equal to the cent; the last digits of a sum depend on its order."""
    if expected is None or found is None:
        return found is None and expected is None
    return math.isclose(float(found), expected, rel_tol=1e-9, abs_tol=1e-6)


def _card(card: Card | Problem, metric: str, mine: Numbers | None, query: KpiQuery) -> None:
    if mine is None:
        assert isinstance(card, Problem)
        return
    assert isinstance(card, Card)
    now, before = spans(query)
    assert _same(card.value.value, mine.value(metric, now))
    assert _same(card.before.value, None if before is None else mine.value(metric, before))
    _line(card.spark, metric, mine, now[1])


def _line(points: tuple[Point, ...], metric: str, mine: Numbers, until: Any) -> None:
    """Each point is the metric from its first day to the day before the next one's."""
    for at, point in enumerate(points):
        last = points[at + 1].first - DAY if at + 1 < len(points) else until
        assert _same(point.value, mine.value(metric, (point.first, last))), (point, last)


def _small(small: Small | Problem, mine: Numbers | None, query: KpiQuery) -> None:
    if mine is None:
        assert isinstance(small, Problem)
    else:
        assert isinstance(small, Small) and _same(small.value.value, mine.value("kuendigungsquote", spans(query)[0]))


def _trend(trend: Trend | Problem, metric: str, mine: Numbers | None, query: KpiQuery) -> None:
    if mine is None:
        assert isinstance(trend, Problem)
        return
    assert isinstance(trend, Trend)
    now, _ = spans(query)
    if trend.grain == "week":
        for point in trend.points:
            last = min(point.first + 6 * DAY, now[1])
            assert _same(point.value, mine.value(metric, (point.first, last)))
    else:
        _line(trend.points, metric, mine, now[1])
    if trend.grain == "day":
        for point in trend.before:
            assert _same(point.value, mine.value(metric, (point.first, point.first)))


def _table(found: Any, books: Books, who: Person, metric: str, mine: Numbers | None, query: KpiQuery) -> None:
    """Members, the folded rest and the total; nothing stands there that is not in one's own rows."""
    by = query.by or next(iter(_readable(books, who, metric)), "")
    if mine is None or by not in _readable(books, who, metric):
        assert isinstance(found.table, Problem) and isinstance(found.breakdown, Problem)
        return
    assert isinstance(found.table, MemberTable)
    now, before = spans(query)
    own = {m: mine.of((by, m)) for m in dict.fromkeys(v if isinstance(v, str) else None for v in mine.rows[by])}
    own = {m: rows for m, rows in own.items() if rows.weight(metric, now) or (before and rows.weight(metric, before))}
    lines = {kind: [one for one in found.table.lines if one.kind == kind] for kind in ("member", "other", "total")}
    places: list[Any] = []
    for line in lines["member"]:
        places.append(_place(line, {m: rows for m, rows in own.items() if m not in places}, metric, now))
    folded = [m for m in own if m not in places]
    assert len(lines["other"]) == (1 if folded else 0)
    for line, place in zip(lines["member"], places, strict=True):
        assert _same(line.before.value, None if before is None else own[place].value(metric, before))
        _line(line.spark, metric, own[place], now[1])
    for line in lines["other"]:
        assert f"({len(folded):,})" in line.label
        rest = mine.without(by, places) if places else mine
        assert _same(line.value.value, rest.value(metric, now))
    assert _same(lines["total"][0].value.value, mine.value(metric, now))
    _bars(found.breakdown, own, metric, now, before)


def _place(line: Any, own: dict[Any, Numbers], metric: str, now: Any) -> Any:
    """The member behind a line; those without a name and with an empty one read the same."""
    found = [m for m in own if (m or "") == line.member and _same(line.value.value, own[m].value(metric, now))]
    assert found, line
    return found[0]


def _bars(breakdown: Any, own: dict[Any, Numbers], metric: str, now: Any, before: Any) -> None:
    """Bars are members of one's own rows; where they say what moved, by what each moved."""
    for bar in breakdown.bars:
        if bar.kind == "member":
            same = [rows for m, rows in own.items() if (m or "") == bar.member]
            assert same
            if breakdown.signed and metric in ("umsatz", "lieferungen"):
                moved = [(r.value(metric, now) or 0.0) - (r.value(metric, before) or 0.0) for r in same]
                assert any(_same(bar.amount, one) for one in moved)


def _outlook(expects: Any, books: Books, who: Person, query: KpiQuery) -> None:
    """The sum of the scores of one's own rows, corrected by one's own finished seasons."""
    mine = books.tables[f"scores_{MODEL}"].frame[books.seen(who, "vertraege", f"scores_{MODEL}")]
    past = books.tables[f"replay_{MODEL}"].frame[books.seen(who, "vertraege", f"replay_{MODEL}")]
    told = _told(books, who, "kuendigungen", query)
    if told is None:
        assert isinstance(expects, Problem)
        return
    for dimension, texts in query.chosen:
        assert dimension == "tour"
        mine = mine[[(t if isinstance(t, str) else "") in texts for t in mine.tour]]
        past = past[[(t if isinstance(t, str) else "") in texts for t in past.tour]]
    if mine.empty:
        assert isinstance(expects, Problem)
        return
    assert isinstance(expects, Expectation)
    total = math.fsum(mine.score)
    assert _same(expects.scores.value, total)
    assert f"{len(mine):,}\u00a0" in expects.model_state
    sums = past.groupby("run")[["score", "outcome"]].sum()
    ratios = (sums.outcome / sums.score).to_numpy()
    if "saison" in books.hidden(who, "vertraege") or "gekuendigt" in books.hidden(who, "vertraege"):
        return
    if len(ratios) >= 3 and ratios.min() > 0:
        assert _same(expects.total.value, total * float(np.exp(np.log(ratios).mean())))
    else:
        assert _same(expects.total.value, total)


def _lists(lists: Lists, books: Books, who: Person) -> None:
    """What the newest list brought is counted among one's own rows."""
    hidden = books.hidden(who, "vertraege")
    if lists.compared is None or hidden & {"saison", "beginn"}:
        return
    past = books.tables[f"replay_{MODEL}"].frame[books.seen(who, "vertraege", f"replay_{MODEL}")]
    newest = past[past.run_time == past.run_time.max()]
    assert lists.note.startswith(f"{len(newest):,}\u00a0Abnehmer, {int(newest.outcome.sum()):,}\u00a0Kündigung")
