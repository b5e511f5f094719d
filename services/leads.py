"""Whom first: scored rows as ranked lists, within the viewer's rows and columns.

``page`` says what a list is (its columns, bands, counts); ``block`` gives rows of it; ``lead`` gives one row with
its neighbours and everything known about why it stands there. All three read the current score run of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from data.questions import Aggregate, Aggregated, Compare, Group, Select
from services import access, audit, explanations, lead_query, lead_reads, lead_words, limits, wording
from services.access import Viewer
from services.errors import Unavailable
from services.explanations import Reason
from services.lead_answers import BandCount, Lead, LeadBlock, LeadPage, LeadRow, ListChoice, Narrowed
from services.lead_lists import (
    Asked,
    asked,
    chosen,
    filtered,
    find,
    list_of,
    lists,
    read_from_the_lake,
    selection,
    title,
)
from services.lead_query import LeadQuery
from services.lead_ranks import Ranks
from services.lead_rows import REASONS_IN_A_ROW, inputs_of, ranks_of, reasons_of, scored_rows, why_of
from services.sources import Sources

__all__ = [
    "REASONS_IN_A_ROW",
    "Asked",
    "ListChoice",
    "block",
    "find",
    "inputs_of",
    "lead",
    "list_of",
    "lists",
    "narrowed",
    "page",
    "ranks_of",
    "reasons_of",
    "selection",
]


@read_from_the_lake()
def page(viewer: Viewer, sources: Sources, query: LeadQuery) -> LeadPage:
    """The list that ``query`` names (or the first one), with its counts. It reads no row, so it is no event."""
    access.require(viewer, "leads:read")
    choice = chosen(viewer, sources, query)
    query = replace(query, list=choice.list, of=choice.of or None)
    found = asked(viewer, sources, query)
    lead_query.asked_order(query, found.columns)
    may_export = access.decide(viewer, "leads:export").allowed
    return LeadPage(
        query=query,
        choices=lists(viewer, sources),
        title=choice.title,
        rows=choice.rows,
        narrowed=narrowed(viewer, sources, query),
        scope=lead_words.scope(viewer, sources, found, choice.rows),
        ranked_by=lead_words.ranked_by(found.model),
        columns=found.columns,
        named_by=_named_by(sources, found),
        hidden=lead_words.hidden_labels(viewer, sources, found.model),
        capacity=found.model.capacity,
        entity=found.model.words.entity.one,
        entity_many=found.model.words.entity.many,
        action=found.model.words.action,
        may_export=may_export,
        facts=lead_words.facts(found),
        rows_left=limits.rows_left(viewer, sources) if may_export else None,
    )


@read_from_the_lake()
def narrowed(viewer: Viewer, sources: Sources, query: LeadQuery) -> Narrowed:
    """How many rows a question leaves, in which bands, and what to take away where it leaves none."""
    access.require(viewer, "leads:read")
    found = asked(viewer, sources, query)
    counts = _counted(viewer, sources, found, query)
    matching_, within = counts.of(query.bands)
    limits = lead_words.limits(found.model, sources.workspace.lake)
    bands = tuple(BandCount(b.name, b.label, limits[b.name], counts.rows.get(b.name, 0)) for b in found.model.bands)
    if matching_ or not query.narrows:
        limited = found.model.capacity is not None and found.model.capacity < ranks_of(viewer, sources, found).total
        return Narrowed(matching_, bands, within if limited else None)
    return _nothing_left(viewer, sources, found, query, bands=bands)


@read_from_the_lake()
def block(viewer: Viewer, sources: Sources, query: LeadQuery, start: int, count: int) -> LeadBlock:
    """``count`` rows of the list from ``start``, with their ranks in the viewer's list and their reasons.

    Reading rows is an event, written once for a question (``services.lead_reads``).
    """
    found, question = selection(viewer, sources, query)
    total, _ = _counted(viewer, sources, found, query).of(query.bands)
    places = ranks_of(viewer, sources, found)
    ids = _window(sources, found, question, query=query, places=places, rows=(start, count))
    scored = scored_rows(sources, found, ids, question.columns)
    ranks = places.ranks(ids)
    if scored:
        lead_reads.record(viewer, sources, found, query, question=question, end=start + len(scored), total=total)
    reasons = reasons_of(viewer, sources, found, scored)
    notes = lead_words.notes(found.model, sources.workspace.lake)
    rows = tuple(
        _row(sources, found, row, rank, reasons=reasons, notes=notes) for row, rank in zip(scored, ranks, strict=True)
    )
    return LeadBlock(rows, total)


@read_from_the_lake()
def matching(viewer: Viewer, sources: Sources, found: Asked, query: LeadQuery) -> int:
    """How many rows of the viewer's list a query selects."""
    return _counted(viewer, sources, found, query).of(query.bands)[0]


@read_from_the_lake()
def lead(viewer: Viewer, sources: Sources, key: str, query: LeadQuery) -> Lead:
    """One lead of the list. Not in scope and not existing look the same."""
    access.require(viewer, "leads:read")
    found, row = find(viewer, sources, key, query)
    ranks = ranks_of(viewer, sources, found)
    beside = ranks.beside(row["row_id"])
    near = _keys_of(sources, found, [i for i in beside if i is not None])
    rank = ranks.ranks([row["row_id"]])[0]
    try:
        inputs = inputs_of(sources, found, row["row_id"])
    except Unavailable:
        inputs = {}
    said = why_of(viewer, sources, found, row, inputs)
    use, lake = found.model, sources.workspace.lake
    known = lead_query.key_text(use, row)
    audit.record(viewer, sources, "lead.open", f"{found.name}/{known}", detail={"version": found.run.version})
    limits = lead_words.limits(use, lake)
    return Lead(
        key=known,
        list=found.name,
        of=found.of,
        list_title=title(viewer, sources, found),
        name=_name(sources, found, row),
        place=lead_words.text(row.get(_field(found, "place"))),
        identity=lead_words.identity(sources, use, row),
        rank=rank,
        total=ranks.total,
        previous=near.get(beside[0], "") if beside[0] is not None else "",
        next=near.get(beside[1], "") if beside[1] is not None else "",
        score=explanations.score_shown(use, row["score"], lake),
        score_value=row["score"],
        band=row["band"] or "",
        bands=tuple((b.name, b.at_least, b.label, limits[b.name]) for b in use.bands),
        note=lead_words.note(use, row["score"], row["band"] or "", lead_words.notes(use, lake)),
        beyond=lead_words.beyond(use, rank, ranks.total),
        why=said,
        ladder=explanations.ladder(use, said, lake) if said else None,
        inputs=lead_words.input_lines(viewer, sources, found, inputs, said) if inputs else (),
        contacts=tuple((c.label, lead_words.text(row.get(c.field))) for c in found.columns if c.role == "contact"),
        others=tuple((c.label, lead_words.cell(c, row, lake)) for c in found.columns if c.role in ("other", "value")),
        hidden=lead_words.hidden_labels(viewer, sources, use),
        facts=lead_words.facts(found),
        technical=access.decide(viewer, "explanations:technical").allowed,
        may_try=access.decide(viewer, "what_if:run").allowed,
        entity=use.words.entity.one,
        action=use.words.action,
    )


def _window(
    sources: Sources, found: Asked, question: Select, *, query: LeadQuery, places: Ranks, rows: tuple[int, int]
) -> list[int]:
    """The row ids of a part of a list, in order. The whole list in its published order is known by its ranks; any other
    order is asked for by its ids alone, so that the engine carries no other column through the sorting.
    """
    start, count = rows
    if not query.narrows and not query.sort:
        return [places.row_at(rank) for rank in range(start + 1, min(start + count, places.total) + 1)]
    asked_ = replace(question, columns=("row_id",), limit=count, offset=start)
    ids: list[int] = sources.lake.read(asked_, where=found.where).column("row_id").to_pylist()
    return ids


@dataclass(frozen=True)
class _Counts:
    """Rows by band under everything but the choice of bands, and how many of them lie within the list's capacity."""

    rows: Mapping[str, int]
    within: Mapping[str, int]

    def of(self, bands: tuple[str, ...]) -> tuple[int, int]:
        """The rows in these bands (in all, where none is chosen), and those of them within the capacity."""
        chosen = bands or tuple(self.rows)
        return sum(self.rows.get(b, 0) for b in chosen), sum(self.within.get(b, 0) for b in chosen)


def _counted(viewer: Viewer, sources: Sources, found: Asked, query: LeadQuery) -> _Counts:
    lead_query.asked_filter(query, found.columns, found.bands)
    wanted = filtered(found, replace(query, bands=()))
    ranks, capacity = ranks_of(viewer, sources, found), found.model.capacity
    last = ranks.row_at(capacity) if capacity is not None and capacity < ranks.total else -1

    def read() -> _Counts:
        measures = (Aggregated("n", "count"), Aggregated("m", "count", filter=Compare("row_id", "le", last)))
        question = Aggregate(found.run.scores, measures, by=(Group("band"),), filter=wanted)
        rows = sources.lake.read(question, where=found.where).to_pylist()
        return _Counts({str(r["band"]): int(r["n"]) for r in rows}, {str(r["band"]): int(r["m"]) for r in rows})

    return sources.cache.get_or_make(("lead bands", found.run.scores, found.of, found.where, wanted), read)


def _nothing_left(
    viewer: Viewer, sources: Sources, found: Asked, query: LeadQuery, *, bands: tuple[BandCount, ...]
) -> Narrowed:
    """The sentence where no row matches, and the one condition that costs the most."""
    conditions = lead_words.conditions(query, found.columns)
    said = wording.listed([words for words, _ in conditions])
    best = max(
        ((matching(viewer, sources, found, without), words, without) for words, without in conditions),
        key=lambda b: b[0],
    )
    noun = found.model.words.entity
    sentence = f"No {noun.one} matches {said}."
    if best[0] == 0:
        return Narrowed(0, bands, None, sentence, "Reset the filters.")
    return Narrowed(0, bands, None, sentence, f"Without {best[1]} there are {wording.count(best[0], noun)}.", best[2])


def _row(
    sources: Sources,
    found: Asked,
    row: Mapping[str, Any],
    rank: int,
    *,
    reasons: Mapping[int, tuple[Reason, ...]],
    notes: Mapping[str, str],
) -> LeadRow:
    use, lake = found.model, sources.workspace.lake
    shown = [c for c in found.columns if c.role not in ("score", "band", "name", "place")]
    return LeadRow(
        key=lead_query.key_text(use, row),
        rank=rank,
        name=_name(sources, found, row),
        place=lead_words.text(row.get(_field(found, "place"))),
        score=explanations.score_shown(use, row["score"], lake),
        share=row["score"] if use.task == "classification" else None,
        band=row["band"] or "",
        note=lead_words.note(use, row["score"], row["band"] or "", notes),
        reasons=reasons.get(row["row_id"], ()),
        explained=row["row_id"] in reasons,
        values={c.field: lead_words.cell(c, row, lake) for c in shown},
        beyond=use.capacity is not None and rank > use.capacity,
    )


def _name(sources: Sources, found: Asked, row: Mapping[str, Any]) -> str:
    said = lead_words.text(row.get(_field(found, "name")))
    return said or lead_words.identity(sources, found.model, row)


def _named_by(sources: Sources, found: Asked) -> str:
    """What the column of names is called: the name's label, or what the key is called where the name is hidden."""
    about = sources.workspace.lake.datasets[found.model.scored.dataset].columns
    field = _field(found, "name") or lead_words.own_key(found.model)[0]
    return about[field].label if field in about else field


def _field(found: Asked, role: str) -> str:
    return next((c.field for c in found.columns if c.role == role), "")


def _keys_of(sources: Sources, found: Asked, ids: list[int]) -> dict[int, str]:
    if not ids:
        return {}
    question = Select(found.run.scores, ("row_id", *found.model.scored.key), Compare("row_id", "in", tuple(ids)))
    rows = sources.lake.read(question, where=found.where).to_pylist()
    return {int(r["row_id"]): lead_query.key_text(found.model, r) for r in rows}
