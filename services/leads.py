"""Whom first: scored rows as ranked lists, within the viewer's rows and columns.

``page`` says what a list is (its columns, bands, counts); ``block`` gives rows of it; ``lead`` gives one row with
its neighbours and everything known about why it stands there. All three read the current score run of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data.definitions import LeadList, ModelUse
from data.questions import Aggregate, Aggregated, And, Compare, Everything, Filter, Group, Order, Select
from services import access, audit, explanations, lead_query, runs, wording
from services.access import Viewer
from services.errors import Forbidden, InvalidQuery, NotFound, NotReady
from services.explanations import Why
from services.lead_answers import BandCount, InputLine, Lead, LeadBlock, LeadPage, LeadRow, ListChoice, RunFacts
from services.lead_query import LeadColumn, LeadQuery
from services.runs import Run
from services.sources import Sources

REASONS_IN_A_ROW = 3


@dataclass(frozen=True)
class Asked:
    """A list found: the model, its run, the filter that picks the list, and the columns of the viewer."""

    name: str
    model: ModelUse
    run: Run
    of: str
    list_filter: Filter
    columns: tuple[LeadColumn, ...]
    where: Filter


def list_of(model: ModelUse) -> LeadList:
    """How this model's scores become a list; ``NotFound`` for a model that ranks nobody."""
    if model.lead is None:
        raise NotFound("There is no such list.")
    return model.lead


def page(viewer: Viewer, sources: Sources, query: LeadQuery) -> LeadPage:
    """The list that ``query`` names (or the first one), with its counts. Opening a list is an audit event."""
    access.require(viewer, "leads:read")
    choices = lists(viewer, sources)
    if not choices:
        raise NotReady(
            "No list is scored yet.", next_step="The first scores appear here as soon as the models are trained."
        )
    chosen = _chosen(choices, query)
    query = LeadQuery(chosen.list, chosen.of or None, query.bands, query.search, query.sort, query.filters)
    asked = _asked(viewer, sources, query)
    found = tuple(b.name for b in asked.model.bands)
    filters = lead_query.asked_filter(query, asked.columns, found)
    counted = _band_counts(sources, asked)
    matching = sum(counted.values()) if not filters else _count(sources, asked, filters)
    audit.record(viewer, sources, "leads.open", chosen.title, detail={"query": query.to_url(), "rows": chosen.rows})
    return LeadPage(
        query=query,
        choices=choices,
        title=chosen.title,
        rows=chosen.rows,
        matching=matching,
        scope=_scope_words(viewer, asked, chosen.rows),
        columns=asked.columns,
        hidden=_hidden_labels(viewer, sources, asked.model),
        bands=tuple(BandCount(b.name, b.label, counted.get(b.name, 0)) for b in asked.model.bands),
        capacity=asked.model.capacity,
        entity_many=asked.model.words.entity.many,
        action=asked.model.words.action,
        may_export=access.decide(viewer, "leads:export").allowed,
        facts=_facts(asked),
    )


def lists(viewer: Viewer, sources: Sources) -> tuple[ListChoice, ...]:
    """The lists a person can open, newest first within a model; only those with rows in scope."""
    access.require(viewer, "leads:read")
    found: list[ListChoice] = []
    for name, model in sources.workspace.models.models.items():
        if model.lead is None or access.masks(viewer, model.scored.dataset) & {model.lead.by}:
            continue
        run = runs.current_run(sources, name)
        if run is not None:
            found += _choices(viewer, sources, name, model=model, run=run)
    return tuple(found)


def block(viewer: Viewer, sources: Sources, query: LeadQuery, start: int, count: int) -> LeadBlock:
    """``count`` rows of the list from ``start``, with their ranks in the viewer's list and their reasons."""
    asked, _, question = selection(viewer, sources, query)
    table = sources.lake.read(replace(question, limit=count, offset=start), where=asked.where)
    scored = table.to_pylist()
    audit.record(viewer, sources, "leads.read", asked.name, detail={"of": asked.of, "from": start, "rows": len(scored)})
    return LeadBlock(tuple(drawn(viewer, sources, asked, scored)), matching(sources, asked, query))


def selection(viewer: Viewer, sources: Sources, query: LeadQuery) -> tuple[Asked, tuple[LeadColumn, ...], Select]:
    """The list that a query selects, its visible columns, and the question that reads all of its rows."""
    access.require(viewer, "leads:read")
    asked = _asked(viewer, sources, query)
    filters = lead_query.asked_filter(query, asked.columns, tuple(b.name for b in asked.model.bands))
    order = lead_query.asked_order(query, asked.columns)
    return asked, asked.columns, Select(asked.run.scores, _score_columns(asked), _all(asked, filters), order)


def matching(sources: Sources, asked: Asked, query: LeadQuery) -> int:
    """How many rows of the viewer's list a query selects."""
    bands = tuple(b.name for b in asked.model.bands)
    return _count(sources, asked, lead_query.asked_filter(query, asked.columns, bands))


def lead(viewer: Viewer, sources: Sources, key: str, query: LeadQuery) -> Lead:
    """One lead of the list. Not in scope and not existing look the same."""
    access.require(viewer, "leads:read")
    asked, row = find(viewer, sources, key, query)
    ranks = _ranks(viewer, sources, asked)
    at = int(np.searchsorted(ranks, row["row_id"]))
    near = _keys_of(sources, asked, [int(i) for i in ranks[max(0, at - 1) : at + 2] if i != row["row_id"]])
    inputs = _row_of(sources, asked, "inputs", row["row_id"])
    shap = _row_of(sources, asked, "explanations", row["row_id"])
    why = _why(viewer, sources, asked, row, known=(shap, inputs)) if shap and inputs else None
    use = asked.model
    audit.record(viewer, sources, "lead.open", f"{asked.name}/{key}", detail={"version": asked.run.version})
    contacts = tuple((c.label, _text(row.get(c.field)), c.field) for c in asked.columns if c.role == "contact")
    others = tuple((c.label, _cell(c, row, sources)) for c in asked.columns if c.role in ("other", "value"))
    return Lead(
        key=key,
        list=asked.name,
        of=asked.of,
        list_title=_title(use, row),
        name=_text(row.get(list_of(use).name)) or _identity(sources, use, row),
        place=_text(row.get(list_of(use).place or "")),
        identity=_identity(sources, use, row),
        rank=at + 1,
        total=len(ranks),
        previous=near.get(int(ranks[at - 1]), "") if at > 0 else "",
        next=near.get(int(ranks[at + 1]), "") if at + 1 < len(ranks) else "",
        score=explanations.score_shown(use, row["score"], sources.workspace.lake),
        score_value=row["score"],
        band=row["band"] or "",
        bands=tuple((b.name, b.at_least, b.label) for b in use.bands),
        calibrated=use.calibrated,
        why=why,
        inputs=_input_lines(viewer, sources, asked, inputs, why) if inputs else (),
        contacts=contacts,
        others=others,
        facts=_facts(asked),
        technical=access.decide(viewer, "explanations:technical").allowed,
        may_try=access.decide(viewer, "what_if:run").allowed,
        entity=use.words.entity.one,
        action=use.words.action,
    )


def find(viewer: Viewer, sources: Sources, key: str, query: LeadQuery) -> tuple[Asked, dict[str, Any]]:
    """The scored row an address names, in the viewer's scope; ``NotFound`` otherwise."""
    name = query.list or next(iter(n for n, m in sources.workspace.models.models.items() if m.lead), "")
    asked = _asked(viewer, sources, LeadQuery(list=name), whole_model=True)
    kinds = {f.name: str(f.type) for f in sources.lake.schema(asked.run.scores)}
    wanted = lead_query.key_filter(asked.model, key, kinds)
    found = sources.lake.read(
        Select(asked.run.scores, _score_columns(asked), wanted, (Order("row_id"),), limit=1), where=asked.where
    ).to_pylist()
    if not found:
        raise NotFound("There is no such lead in your list.")
    row = found[0]
    by = asked.model.lead.by if asked.model.lead else None
    if by is None:
        return asked, row
    inside = _asked(viewer, sources, LeadQuery(list=name, of=str(row[by])))
    return inside, row


def inputs_of(sources: Sources, asked: Asked, row_id: int) -> dict[str, Any]:
    """The inputs of the model for one row, as the run stored them; empty where there are none."""
    return _row_of(sources, asked, "inputs", row_id)


def drawn(viewer: Viewer, sources: Sources, asked: Asked, scored: list[dict[str, Any]]) -> list[LeadRow]:
    """Rows of ``scores_<model>`` with their ranks, their reasons in words and the text of their columns."""
    ids = [r["row_id"] for r in scored]
    shap = _rows_of(sources, asked, "explanations", ids)
    inputs = _rows_of(sources, asked, "inputs", ids)
    ranks = np.searchsorted(_ranks(viewer, sources, asked), np.asarray(ids, dtype=np.int64)) + 1 if ids else []
    made = []
    for row, rank in zip(scored, ranks, strict=True):
        known = row["row_id"] in shap and row["row_id"] in inputs
        both = (shap[row["row_id"]], inputs[row["row_id"]]) if known else None
        why = _why(viewer, sources, asked, row, known=both) if both else None
        made.append(
            LeadRow(
                key=lead_query.key_text(asked.model, row),
                rank=int(rank),
                score=explanations.score_shown(asked.model, row["score"], sources.workspace.lake),
                band=row["band"] or "",
                reasons=why.strongest(REASONS_IN_A_ROW) if why else (),
                values={c.field: _cell(c, row, sources) for c in asked.columns if c.role not in ("score", "band")},
            )
        )
    return made


def _asked(viewer: Viewer, sources: Sources, query: LeadQuery, *, whole_model: bool = False) -> Asked:
    model = sources.workspace.models.models.get(query.list or "")
    if model is None or model.lead is None or query.list is None:
        raise NotFound("There is no such list.")
    where = access.rows(viewer, model.scored.dataset)
    decision = access.decide(viewer, "leads:read", model.scored.dataset)
    if not decision.allowed:
        raise Forbidden(
            f"You have no rows of {sources.workspace.lake.datasets[model.scored.dataset].label}.",
            next_step="Your administrator can grant them.",
        )
    run = runs.current_run(sources, query.list)
    if run is None:
        raise NotReady(
            f"{model.label} is not scored yet.", next_step="The list appears here when the first run is done."
        )
    of, list_filter = "", Everything()
    if model.lead.by and not whole_model:
        kind = str(sources.lake.schema(run.scores).field(model.lead.by).type)
        of = query.of or ""
        list_filter = Compare(model.lead.by, "eq", lead_query.typed(of, kind))
    return Asked(query.list, model, run, of, list_filter, _columns(viewer, sources, model), where)


def _columns(viewer: Viewer, sources: Sources, model: ModelUse) -> tuple[LeadColumn, ...]:
    hidden = access.masks(viewer, model.scored.dataset)
    about = sources.workspace.lake.datasets[model.scored.dataset].columns
    lead_ = list_of(model)
    roles: list[tuple[str, Any]] = [(lead_.name, "name")]
    roles += [(lead_.place, "place")] if lead_.place else []
    roles += [(c, "other") for c in lead_.columns] + [(c, "contact") for c in lead_.contacts]
    kind = "probability" if model.task == "classification" else "number"
    made = [LeadColumn("score", "Score", kind, model.unit, "score"), LeadColumn("band", "Band", "text", None, "band")]  # type: ignore[arg-type]
    if model.value is not None and (model.value.column is None or model.value.column not in hidden):
        made.append(LeadColumn("value", model.value.label, "number", "currency", "value"))
    for field, role in roles:
        if field in hidden or field not in about:
            continue
        text = about[field].type in (None, "string", "date", "timestamp", "boolean")
        made.append(LeadColumn(field, about[field].label, "text" if text else "number", about[field].unit, role))
    return tuple(made)


def _score_columns(asked: Asked) -> tuple[str, ...]:
    fields = ["row_id", "score", "margin", "band", *asked.model.scored.key, *(c.field for c in asked.columns)]
    if asked.model.lead and asked.model.lead.by:
        fields.append(asked.model.lead.by)
    return tuple(dict.fromkeys(fields))


def _all(asked: Asked, filters: tuple[Filter, ...]) -> Filter:
    return And((asked.list_filter, *filters))


def _count(sources: Sources, asked: Asked, filters: tuple[Filter, ...]) -> int:
    question = Aggregate(asked.run.scores, (Aggregated("n", "count"),), filter=_all(asked, filters))
    return int(sources.lake.read(question, where=asked.where).column("n")[0].as_py())


def _band_counts(sources: Sources, asked: Asked) -> dict[str, int]:
    question = Aggregate(asked.run.scores, (Aggregated("n", "count"),), by=(Group("band"),), filter=asked.list_filter)
    return {str(r["band"]): int(r["n"]) for r in sources.lake.read(question, where=asked.where).to_pylist()}


def _choices(viewer: Viewer, sources: Sources, name: str, *, model: ModelUse, run: Run) -> list[ListChoice]:
    where = access.rows(viewer, model.scored.dataset)
    by = list_of(model).by
    if by is None:
        question = Aggregate(run.scores, (Aggregated("n", "count"),))
        rows = int(sources.lake.read(question, where=where).column("n")[0].as_py())
        return [ListChoice(name, "", list_of(model).title, rows)] if rows else []
    groups = Aggregate(run.scores, (Aggregated("n", "count"),), by=(Group(by),), order=(Order("n", True), Order(by)))
    counted = sources.lake.read(groups, where=where).to_pylist()
    return [ListChoice(name, str(r[by]), _title(model, r), int(r["n"])) for r in counted]


def _chosen(choices: tuple[ListChoice, ...], query: LeadQuery) -> ListChoice:
    if query.list is None:
        return choices[0]
    same = [c for c in choices if c.list == query.list]
    found = next((c for c in same if query.of in (None, c.of)), None)
    if found is None:
        raise InvalidQuery("There is no such list in your scope.", next_step="Choose one of your lists.")
    return found


def _title(model: ModelUse, row: Mapping[str, Any]) -> str:
    title = list_of(model).title
    for column, value in row.items():
        title = title.replace("{" + column + "}", str(value))
    return title


def _ranks(viewer: Viewer, sources: Sources, asked: Asked) -> np.ndarray:
    """The row ids of the viewer's list in published order; a row's rank is its place among them."""

    def read() -> np.ndarray:
        question = Select(asked.run.scores, ("row_id",), asked.list_filter, (Order("row_id"),))
        ids = sources.lake.read(question, where=asked.where).column("row_id")
        return np.asarray(ids.to_numpy(), dtype=np.int64)

    key = ("lead ranks", asked.run.scores.name, asked.run.scores.version, asked.of, viewer.fingerprint)
    return sources.cache.get_or_make(key, read)


def _rows_of(sources: Sources, asked: Asked, which: str, ids: list[int]) -> dict[int, dict[str, Any]]:
    table = asked.run.explanations if which == "explanations" else asked.run.inputs
    if not ids or table is None:
        return {}
    columns = tuple(sources.lake.schema(table).names)
    wanted = Compare("row_id", "in", tuple(ids))
    return {r["row_id"]: r for r in sources.lake.read(Select(table, columns, wanted), where=asked.where).to_pylist()}


def _row_of(sources: Sources, asked: Asked, which: str, row_id: int) -> dict[str, Any]:
    return _rows_of(sources, asked, which, [row_id]).get(row_id, {})


def _keys_of(sources: Sources, asked: Asked, ids: list[int]) -> dict[int, str]:
    if not ids:
        return {}
    question = Select(asked.run.scores, ("row_id", *asked.model.scored.key), Compare("row_id", "in", tuple(ids)))
    rows = sources.lake.read(question, where=asked.where).to_pylist()
    return {int(r["row_id"]): lead_query.key_text(asked.model, r) for r in rows}


def _why(
    viewer: Viewer, sources: Sources, asked: Asked, row: dict[str, Any], *, known: tuple[dict[str, Any], dict[str, Any]]
) -> Why:
    shap, inputs = known
    explanation = explanations.stored(shap, asked.model, margin=row["margin"], score=row["score"])
    return explanations.why(
        asked.model,
        explanation,
        inputs,
        named=explanations.named_features(
            asked.model, explanations.hidden_features(viewer, asked.model), asked.run.importance
        ),
        profile=asked.run.profile,
        lake=sources.workspace.lake,
    )


def _input_lines(
    viewer: Viewer, sources: Sources, asked: Asked, inputs: dict[str, Any], why: Why | None
) -> tuple[InputLine, ...]:
    """Visible inputs, the strongest contributions first."""
    hidden = explanations.hidden_features(viewer, asked.model)
    strength = {r.feature: i for i, r in enumerate(why.reasons)} if why else {}
    lake = sources.workspace.lake
    lines = []
    for name, feature in asked.model.features.items():
        if name in hidden:
            continue
        value = explanations.feature_value(name, feature, inputs)
        profile = asked.run.profile
        about = profile.input(name) if profile and name in profile.names else None
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        lines.append(
            InputLine(
                feature=name,
                label=feature.label,
                group=feature.group,
                value=explanations.value_text(feature, value, lake),
                usual=explanations.usual(profile, name, feature, lake),
                number=number,
                low=about.p10 if about else None,
                high=about.p90 if about else None,
                minimum=about.low if about else None,
                maximum=about.high if about else None,
            )
        )
    return tuple(sorted(lines, key=lambda line: strength.get(line.feature, len(strength))))


def _facts(asked: Asked) -> RunFacts:
    return RunFacts(asked.model.label, asked.run.version, asked.run.scored_at, asked.run.as_of, asked.run.waiting)


def _hidden_labels(viewer: Viewer, sources: Sources, model: ModelUse) -> tuple[str, ...]:
    """Labels of list columns that this viewer may not see, so that the foot can say so."""
    hidden = access.masks(viewer, model.scored.dataset)
    about = sources.workspace.lake.datasets[model.scored.dataset].columns
    own = list_of(model)
    listed = (own.name, own.place or "", *own.columns, *own.contacts)
    return tuple(about[c].label for c in listed if c in hidden and c in about)


def _scope_words(viewer: Viewer, asked: Asked, rows: int) -> str:
    count = wording.count(rows, asked.model.words.entity)
    held = [v for values in viewer.attributes.values() for v in values]
    if isinstance(asked.where, Everything) or not held:
        return count
    return f"{count} of {', '.join(held)}"


def _identity(sources: Sources, model: ModelUse, row: Mapping[str, Any]) -> str:
    about = sources.workspace.lake.datasets[model.scored.dataset].columns
    by = model.lead.by if model.lead else None
    own = [c for c in model.scored.key if c != by] or list(model.scored.key)
    return " · ".join(f"{about[c].label if c in about else c} {row[c]}" for c in own)


def _cell(column: LeadColumn, row: Mapping[str, Any], sources: Sources) -> str:
    value = row.get(column.field)
    if value is None:
        return ""
    if column.kind == "text":
        return _text(value)
    return wording.shown(value, column.unit, None, sources.workspace.lake).text


def _text(value: Any) -> str:
    return "" if value is None else str(value)
