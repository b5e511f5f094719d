"""Which lists a person has, and one list found: its run, its filter, its columns. The ground of every lead service.

A list is a question over the current score run of a model, inside the viewer's rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from data.definitions import TITLE_COLUMN, LeadList, ModelUse
from data.lake import LakeError
from data.questions import (
    Aggregate,
    Aggregated,
    And,
    Compare,
    Everything,
    Filter,
    Group,
    Nothing,
    Order,
    Select,
    Table,
)
from services import access, kpi_waiting, lead_query, runs
from services.access import Viewer
from services.errors import Forbidden, InvalidQuery, NotFound, NotReady, Unavailable
from services.lead_answers import ListChoice
from services.lead_query import Kind, LeadColumn, LeadQuery
from services.runs import Run
from services.sources import Sources


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

    @property
    def bands(self) -> tuple[str, ...]:
        """The names of the bands, the best first."""
        return tuple(b.name for b in self.model.bands)


@contextmanager
def read_from_the_lake() -> Iterator[None]:
    """A lake that cannot answer is one sentence for the person who asked."""
    try:
        yield
    except LakeError as problem:
        raise Unavailable(str(problem), next_step="Tell your administrator.") from problem


def list_of(model: ModelUse) -> LeadList:
    """How this model's scores become a list; ``NotFound`` for a model that ranks nobody."""
    if model.lead is None:
        raise NotFound("There is no such list.")
    return model.lead


@read_from_the_lake()
def lists(viewer: Viewer, sources: Sources) -> tuple[ListChoice, ...]:
    """The lists a person can open, newest first within a model; only those with rows in scope."""
    access.require(viewer, "leads:read")
    found: list[ListChoice] = []
    for name, model in sources.workspace.models.models.items():
        if model.lead is None or _closed(viewer, model):
            continue
        run = runs.current_run(sources, name)
        if run is not None:
            key = ("lead lists", run.scores, viewer.fingerprint)
            found += sources.cache.get_or_make(key, lambda n=name, m=model, r=run: _choices(viewer, sources, n, m, r))  # type: ignore[misc]
    return tuple(found)


def chosen(viewer: Viewer, sources: Sources, query: LeadQuery) -> ListChoice:
    """The list that a query names, or the person's first one. Says why where there is none."""
    choices = lists(viewer, sources)
    if not choices:
        raise _none(viewer, sources)
    if query.list is None:
        return choices[0]
    found = next((c for c in choices if c.list == query.list and query.of in (None, c.of)), None)
    if found is None:
        raise InvalidQuery("There is no such list in your scope.", next_step="Choose one of your lists.")
    return found


@read_from_the_lake()
def asked(viewer: Viewer, sources: Sources, query: LeadQuery, *, whole_model: bool = False) -> Asked:
    """The list that a query names; with ``whole_model`` the rows of all lists of its model."""
    model = sources.workspace.models.models.get(query.list or "")
    if query.list is None or model is None or model.lead is None or _closed(viewer, model):
        raise NotFound("There is no such list.")
    if not access.decide(viewer, "leads:read", model.scored.dataset).allowed:
        raise _no_rows(sources, model)
    run = runs.current_run(sources, query.list)
    if run is None:
        raise _not_scored(sources, model.label)
    schema = sources.lake.schema(run.scores)
    of, list_filter = "", Everything()  # type: tuple[str, Filter]
    if model.lead.by and not whole_model:
        of = query.of or ""
        list_filter = Compare(model.lead.by, "eq", lead_query.typed(of, str(schema.field(model.lead.by).type)))
    columns = _columns(viewer, sources, model, schema)
    return Asked(query.list, model, run, of, list_filter, columns, access.rows(viewer, model.scored.dataset))


@read_from_the_lake()
def selection(viewer: Viewer, sources: Sources, query: LeadQuery) -> tuple[Asked, Select]:
    """The list that a query selects, and the question that reads all of its rows."""
    access.require(viewer, "leads:read")
    found = asked(viewer, sources, query)
    order = lead_query.asked_order(query, found.columns)
    return found, Select(found.run.scores, score_columns(found), filtered(found, query), order)


def filtered(found: Asked, query: LeadQuery) -> Filter:
    """The rows of the list that a query selects."""
    return And((found.list_filter, *lead_query.asked_filter(query, found.columns, found.bands)))


@read_from_the_lake()
def find(viewer: Viewer, sources: Sources, key: str, query: LeadQuery) -> tuple[Asked, dict[str, Any]]:
    """The scored row an address names, with its list, in the viewer's scope; ``NotFound`` otherwise."""
    access.require(viewer, "leads:read")
    name = query.list or next(iter(n for n, m in sources.workspace.models.models.items() if m.lead), "")
    whole = asked(viewer, sources, LeadQuery(list=name), whole_model=True)
    kinds = {f.name: str(f.type) for f in sources.lake.schema(whole.run.scores)}
    wanted = lead_query.key_filter(whole.model, key, kinds)
    question = Select(whole.run.scores, score_columns(whole), wanted, (Order("row_id"),), limit=1)
    found, by = sources.lake.read(question, where=whole.where).to_pylist(), list_of(whole.model).by
    if not found or (by and found[0][by] is None):  # a row whose list is not known stands in no list
        raise NotFound("There is no such lead in your list.", next_step="Go back to your list.")
    return (asked(viewer, sources, LeadQuery(list=name, of=str(found[0][by]))) if by else whole), found[0]


def score_columns(found: Asked) -> tuple[str, ...]:
    """The columns of ``scores_<model>`` that an answer needs; none that the viewer may not see."""
    by = list_of(found.model).by
    fields = ["row_id", "score", "margin", "band", *found.model.scored.key, *(c.field for c in found.columns)]
    return tuple(dict.fromkeys(fields + ([by] if by else [])))


def title(viewer: Viewer, sources: Sources, found: Asked) -> str:
    """The list's title as its choice says it."""
    mine = (c.title for c in lists(viewer, sources) if (c.list, c.of) == (found.name, found.of))
    return next(mine, found.model.label)


def _closed(viewer: Viewer, model: ModelUse) -> bool:
    """A list whose rows cannot be told apart without a masked column is no list for this viewer."""
    return bool(access.masks(viewer, model.scored.dataset) & {list_of(model).by, *model.scored.key})


def _columns(viewer: Viewer, sources: Sources, model: ModelUse, schema: pa.Schema) -> tuple[LeadColumn, ...]:
    hidden = access.masks(viewer, model.scored.dataset)
    about, own = sources.workspace.lake.datasets[model.scored.dataset].columns, list_of(model)
    kind: Kind = "probability" if model.task == "classification" else "number"
    made = [LeadColumn("score", "Score", kind, model.unit, "score"), LeadColumn("band", "Band", "text", None, "band")]
    if model.value is not None and (model.value.column is None or model.value.column not in hidden):
        made.append(LeadColumn("value", model.value.label, "number", "currency", "value"))
    roles: list[tuple[str, Any]] = [(own.name, "name"), (own.place or "", "place")]
    weighed = model.value.column if model.value else None
    roles += [(c, "other") for c in own.columns if c != weighed] + [(c, "contact") for c in own.contacts]
    keys = {key for dataset in sources.workspace.lake.datasets.values() for key in dataset.key}
    for field, role in roles:
        if field and field in about and field in schema.names and field not in hidden:
            kind = _kind(schema.field(field).type, identifier=field in keys)
            made.append(LeadColumn(field, about[field].label, kind, about[field].unit, role))
    return tuple(made)


def _kind(said: pa.DataType, *, identifier: bool) -> Kind:
    if pa.types.is_integer(said):
        return "identifier" if identifier else "number"
    if pa.types.is_floating(said) or pa.types.is_decimal(said):
        return "number"
    if pa.types.is_date(said):
        return "date"
    text = pa.types.is_string(said) or pa.types.is_large_string(said) or pa.types.is_string_view(said)
    return "text" if text else "other"


def _choices(viewer: Viewer, sources: Sources, name: str, model: ModelUse, run: Run) -> list[ListChoice]:
    where, own = access.rows(viewer, model.scored.dataset), list_of(model)
    if own.by is None:
        rows = _count(sources, run.scores, where)
        return [ListChoice(name, "", own.title, rows)] if rows else []
    schema = sources.lake.schema(run.scores).names
    seen = set(schema) - access.masks(viewer, model.scored.dataset)
    said = [c for c in own.titled if c in seen and c != own.by]
    measures = [Aggregated("n", "count"), *(Aggregated(f"said_{c}", "min", c) for c in said)]
    if own.order_lists_by in seen:
        measures.append(Aggregated("newest", "max", own.order_lists_by))
    order = (Order("newest", True) if own.order_lists_by in seen else Order("n", True), Order(own.by))
    groups = Aggregate(run.scores, tuple(measures), by=(Group(own.by),), order=order)
    return [
        ListChoice(name, str(row[own.by]), _title(model, {own.by: row[own.by], **_said(row)}), int(row["n"]))
        for row in sources.lake.read(groups, where=where).to_pylist()
        if row[own.by] is not None
    ]


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    return {column.removeprefix("said_"): value for column, value in row.items() if column.startswith("said_")}


def _title(model: ModelUse, known: Mapping[str, Any]) -> str:
    """The title with its columns filled in; a column that is not known to the viewer leaves nothing behind."""
    return " ".join(TITLE_COLUMN.sub(lambda m: str(known.get(m[1], "")), list_of(model).title).split())


def _count(sources: Sources, table: Table, where: Filter) -> int:
    question = Aggregate(table, (Aggregated("n", "count"),))
    return int(sources.lake.read(question, where=where).column("n")[0].as_py())


def _none(viewer: Viewer, sources: Sources) -> Exception:
    """Why a person has no list: nobody gave them rows, nothing is scored yet, or nobody is listed today."""
    models = [(n, m) for n, m in sources.workspace.models.models.items() if m.lead]
    if not models:
        return NotFound("This workspace has no list.", next_step="The data team can declare one in models.yml.")
    without = [m for _, m in models if isinstance(access.rows(viewer, m.scored.dataset), Nothing)]
    if len(without) == len(models):
        return _no_rows(sources, without[0])
    if all(runs.current_run(sources, name) is None for name, _ in models):
        return _not_scored(sources, "No list")
    return NotFound("Nobody of yours is on a list today.", next_step="The next scores may bring some.")


def _no_rows(sources: Sources, model: ModelUse) -> Forbidden:
    label = sources.workspace.lake.datasets[model.scored.dataset].label
    return Forbidden(f"You have no rows of {label}.", next_step="Your administrator can grant them.")


def _not_scored(sources: Sources, what: str) -> NotReady:
    waiting = kpi_waiting.sentence(sources)
    return NotReady(
        f"{what} is not scored yet." if what != "No list" else "No list is scored yet.",
        next_step=waiting or "It appears here as soon as the first run is done.",
    )
