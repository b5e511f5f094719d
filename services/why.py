"""Why somebody sees a row, or does not: each rule that speaks of it, whether it holds, and which one decides.

Whoever asks learns whether the row is there and which rules hold for it, never a value of it; each question is an act.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from data.definitions import Dataset
from data.lake import LakeError
from data.questions import And, Everything, Filter, Nothing, Select, Table
from services import accounts, audit, lead_query, wording
from services.access import Viewer, conditions_of, groups_of, masks, require, viewer_of_person
from services.errors import InvalidQuery, NotFound, Unavailable
from services.snapshots import snapshot
from services.sources import Sources


@dataclass(frozen=True)
class Condition:
    """One rule in words, and whether it holds for the row."""

    said: str
    holds: bool


@dataclass(frozen=True)
class Group:
    """Rules that must hold together; ``decides`` marks the first group all of whose rules hold."""

    conditions: tuple[Condition, ...]
    holds: bool
    decides: bool


@dataclass(frozen=True)
class Why:
    """The answer in a sentence, the groups behind it, and the columns that stay hidden even where the row is seen."""

    sees: bool
    sentence: str
    groups: tuple[Group, ...]
    hidden: tuple[str, ...]


def row(viewer: Viewer, sources: Sources, person_id: int, dataset: str, key: str) -> Why:
    """Why this person sees the row with this key; several key columns are joined by "~", escaped as in an address."""
    require(viewer, "policy:read")
    about = sources.workspace.lake.datasets.get(dataset)
    if about is None:
        raise NotFound(f"There is no dataset named {dataset[:60]}.", next_step="Choose one of the list.")
    with sources.store.read() as session:
        person = accounts.person_of(session, person_id)
    table = snapshot(viewer, sources, dataset).table
    wanted = _key_filter(sources, about, table, key)
    audit.record(viewer, sources, "policy.why", f"{dataset}/{key}"[:254], detail={"subject": person.email})
    if not _is_there(sources, about, table, wanted, Everything()):
        raise NotFound(f"{about.label} has no row with the key {key[:60]}.", next_step="Enter another key.")
    who, role = viewer_of_person(sources.workspace, person), sources.workspace.access.roles.get(person.role)
    groups: list[Group] = []
    for group in groups_of(role, dataset) if role else ():
        conditions = tuple(
            Condition(said, not isinstance(one, Nothing) and _is_there(sources, about, table, wanted, one))
            for said, one in conditions_of(group, about.columns, who.attributes)
        )
        holds = bool(conditions) and all(c.holds for c in conditions)
        groups.append(Group(conditions, holds, decides=holds and not any(g.holds for g in groups)))
    sees = any(g.holds for g in groups)
    hidden = tuple(c.label for name, c in about.columns.items() if name in masks(who, dataset))
    return Why(sees, _sentence(person.name, about, groups, sees), tuple(groups), hidden if sees else ())


def _sentence(name: str, about: Dataset, groups: list[Group], sees: bool) -> str:
    decided = next((g for g in groups if g.decides), None)
    if decided is not None:
        rules = wording.listed([c.said.rstrip(".") for c in decided.conditions])
        return f"{name} sees this {about.noun.one}: {rules}."
    if not groups:
        return f"{name} does not see this {about.noun.one}: no row rule of the role names {about.label}."
    return f"{name} does not see this {about.noun.one}: no group of row rules holds for it."


def _key_filter(sources: Sources, about: Dataset, table: Table, key: str) -> Filter:
    parts = [key.strip()] if len(about.key) == 1 else [unquote(part) for part in key.strip().split("~")]
    if len(parts) != len(about.key) or not all(parts) or len(key) > 200:
        named = "~".join(about.columns[c].label for c in about.key)
        raise InvalidQuery(f"The key must be {named}, got {key[:40] or 'nothing'!r}.", next_step="Enter one row's key.")
    kinds = {f.name: str(f.type) for f in sources.lake.schema(table)}
    try:
        return lead_query.equal_to(about.key, parts, kinds)
    except NotFound:
        said = f"{about.label} has no row with the key {key[:60]}."
        raise NotFound(said, next_step="Enter another key.") from None


def _is_there(sources: Sources, about: Dataset, table: Table, wanted: Filter, where: Filter) -> bool:
    try:
        found = sources.lake.read(Select(table, about.key, wanted, limit=1), where=And((where,)))
    except LakeError as problem:
        raise Unavailable(str(problem), next_step="Try again in a minute.") from problem
    return bool(found.num_rows)
