"""The one place that decides what a viewer may do and see. Everything else asks here.

A ``Viewer`` is a person with the grants, row filters and masks of the policy already worked out, so
that every decision is a pure function of the viewer and needs no look-up. No rule means no rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from data.definitions import Column, Role, RowGroup, RowRule, Workspace
from data.questions import And, Compare, Everything, Filter, Nothing, Or
from data.tables import Person
from services.errors import Forbidden
from services.wording import listed

Action = Literal[
    "kpis:read",  # numbers of the business, within the viewer's rows
    "leads:read",  # scored rows with their reasons
    "leads:export",  # take a list away as a file
    "what_if:run",  # move the actionable inputs of a row
    "what_if:all_inputs",  # move every input of a model of which none is masked
    "explanations:technical",  # log-odds, waterfall, SHAP values
    "models:read",  # model cards
    "data:read",  # the catalogue of datasets
    "jobs:read",  # what runs and ran
    "jobs:run",  # start a publication, a sync or a score run
    "people:read",
    "people:manage",
    "people:review",  # confirm that a person's access is still right
    "people:view_as",  # look at the app as another person, read-only
    "policy:read",
    "audit:read",
    "workspace:check",
]
ACTIONS: frozenset[str] = frozenset(get_args(Action))
READ_ONLY: frozenset[str] = frozenset(
    {"kpis:read", "leads:read", "what_if:run", "what_if:all_inputs", "explanations:technical", "models:read",
     "data:read", "jobs:read", "people:read", "policy:read", "audit:read", "workspace:check"}
)  # fmt: skip
"""The actions that change nothing and take nothing away: what is left to whoever looks as somebody else."""
ADDRESSES: Mapping[str, str] = {
    "/account": "",
    "/admin/access": "policy:read",
    "/admin/access/day": "policy:read",
    "/admin/access/try": "policy:read",
    "/admin/audit": "audit:read",
    "/admin/audit/changes": "audit:read",
    "/admin/audit/record": "audit:read",
    "/admin/check": "workspace:check",
    "/admin/evidence": "audit:read",
    "/admin/people": "people:read",
    "/admin/reviews": "audit:read",
    "/data": "data:read",
    "/jobs": "jobs:read",
    "/kpis": "kpis:read",
    "/leads": "leads:read",
    "/models": "models:read",
    "/what-if": "what_if:run",
}
"""The pages that a role's home and entries may name, each with the action it needs."""
ACTION_WORDS: Mapping[str, str] = {
    "kpis:read": "See the numbers of the business",
    "leads:read": "See scored rows and their reasons",
    "leads:export": "Take a list away as a file",
    "what_if:run": "Try what would move a score",
    "what_if:all_inputs": "Move every input, where none is hidden",
    "explanations:technical": "See log-odds and SHAP values",
    "models:read": "Read model cards",
    "data:read": "See the catalogue of datasets",
    "jobs:read": "See what runs and ran",
    "jobs:run": "Publish data, read the registry, score",
    "people:read": "See who may come in",
    "people:manage": "Add, change and disable people",
    "people:review": "Confirm that a person's access is still right",
    "people:view_as": "Look at the app as another person, read-only",
    "policy:read": "Read who may see and do what",
    "audit:read": "Read who did what",
    "workspace:check": "Check the workspace",
}
"""Each action as a person reads it."""
OPERATOR_WORDS: Mapping[str, str] = {
    "eq": "is",
    "ne": "is not",
    "lt": "is below",
    "le": "is at most",
    "gt": "is above",
    "ge": "is at least",
    "in": "is",
    "not_in": "is not",
    "is_null": "is not known",
    "not_null": "is known",
}


@dataclass(frozen=True)
class Decision:
    """Yes or no, with the sentence why."""

    allowed: bool
    reason: str


@dataclass(frozen=True)
class DatasetScope:
    """What a viewer sees of one dataset: which rows, why, and which columns are hidden."""

    rows: Filter
    reason: str
    hidden: frozenset[str]


@dataclass(frozen=True)
class Viewer:
    """Who looks, with everything the policy grants. Made by ``viewer_of``; never from the browser."""

    person_id: int
    name: str
    email: str
    role: str
    role_label: str
    home: str
    attributes: Mapping[str, tuple[str, ...]]
    grants: frozenset[str]
    scopes: Mapping[str, DatasetScope]
    fingerprint: str
    session_id: str = field(default="", compare=False)
    seen_as: str = ""
    """The e-mail of the person through whose eyes this viewer looks, "" for their own."""
    seen_as_name: str = ""

    def __hash__(self) -> int:
        return hash((self.person_id, self.fingerprint))


def viewer_of(
    workspace: Workspace,
    *,
    person_id: int,
    name: str,
    email: str,
    role: str,
    attributes: Mapping[str, tuple[str, ...]],
    session_id: str = "",
) -> Viewer:
    """Work out a person's grants, rows and masks from the policy. An unknown role has none of them."""
    found = workspace.access.roles.get(role)
    scopes = {
        name_: _scope(found, dataset_name=name_, workspace=workspace, attributes=attributes)
        for name_ in workspace.lake.datasets
    }
    grants = frozenset(found.actions) if found else frozenset()
    seen = sorted((n, repr(s.rows), s.reason, sorted(s.hidden)) for n, s in scopes.items())
    described = repr((sorted(grants), seen, sorted(attributes.items())))
    return Viewer(
        person_id=person_id,
        name=name,
        email=email,
        role=role,
        role_label=found.label if found else role,
        home=found.home if found else "/account",
        attributes=attributes,
        grants=grants,
        scopes=scopes,
        fingerprint=hashlib.sha256(described.encode()).hexdigest()[:32],
        session_id=session_id,
    )


def viewer_of_person(workspace: Workspace, person: Person, *, session_id: str = "") -> Viewer:
    """A person's viewer, by the role and the attributes that they hold now."""
    return viewer_of(
        workspace,
        person_id=person.id,
        name=person.name,
        email=person.email,
        role=person.role,
        attributes={k: tuple(v) for k, v in person.attributes.items()},
        session_id=session_id,
    )


def may_look_as(viewer: Viewer, other: Person) -> bool:
    """May this viewer look at the app as that person?"""
    return decide(viewer, "people:view_as").allowed and other.active and other.id != viewer.person_id


def through_eyes_of(viewer: Viewer, other: Viewer) -> Viewer:
    """What ``viewer`` sees who looks as ``other``: their pages, rows and masks, and nothing that changes or takes away.

    Whoever looks stays who they are in the log. Nothing of the viewer's own rights is left: rights cannot add up.
    """
    return replace(
        other,
        person_id=viewer.person_id,
        name=viewer.name,
        email=viewer.email,
        grants=other.grants & READ_ONLY,
        fingerprint=hashlib.sha256(f"read only, {other.fingerprint}".encode()).hexdigest()[:32],
        session_id=viewer.session_id,
        seen_as=other.email,
        seen_as_name=other.name,
    )


def decide(viewer: Viewer, action: str, resource: str | None = None) -> Decision:
    """May this viewer do this? ``resource`` names a dataset or a model where the action is about one."""
    if action not in ACTIONS:
        return Decision(False, f"There is no action named {action}.")
    if action not in viewer.grants:
        return Decision(False, f"The role {viewer.role_label} does not include {action}.")
    if resource is not None and resource in viewer.scopes and isinstance(viewer.scopes[resource].rows, Nothing):
        return Decision(False, f"No row rule gives the role {viewer.role_label} rows of {resource}.")
    return Decision(True, f"The role {viewer.role_label} includes {action}.")


def require(viewer: Viewer, action: Action, resource: str | None = None) -> None:
    """Go on only if the viewer may. Raises ``Forbidden`` with the reason."""
    decision = decide(viewer, action, resource)
    if not decision.allowed:
        raise Forbidden(decision.reason, next_step="Ask an administrator if you need this.")


def require_own_eyes(viewer: Viewer) -> None:
    """Go on only if the viewer looks with their own eyes: what is theirs is not touched from another's view."""
    if viewer.seen_as:
        raise Forbidden(f"You look as {viewer.seen_as_name} now.", next_step="Leave this view first.")


def rows(viewer: Viewer, dataset: str) -> Filter:
    """The row filter of a dataset for this viewer; ``Nothing`` for a dataset no rule speaks of."""
    scope = viewer.scopes.get(dataset)
    return scope.rows if scope else Nothing()


def masks(viewer: Viewer, dataset: str) -> frozenset[str]:
    """The columns of a dataset that this viewer may neither see, filter, sort nor group by."""
    scope = viewer.scopes.get(dataset)
    return scope.hidden if scope else frozenset()


def action_words(action: str) -> str:
    """An action as a person reads it."""
    return ACTION_WORDS.get(action, action)


def rule_words(group: RowGroup, columns: Mapping[str, Column], held: Mapping[str, str]) -> str:
    """The rule of a group of rows in a sentence. ``held`` says what stands for each attribute of a person."""
    if group.all_rows:
        return group.reason
    said = []
    for rule in group.rules:
        label = columns[rule.column].label if rule.column in columns else rule.column
        verb = OPERATOR_WORDS[rule.operator]
        if rule.attribute is not None:
            said.append(f"{label} {verb} {held.get(rule.attribute) or 'not assigned to this person'}")
        elif rule.operator in ("is_null", "not_null"):
            said.append(f"{label} {verb}")
        else:
            literal = rule.value if isinstance(rule.value, tuple) else (rule.value,)
            said.append(f"{label} {verb} {listed(map(str, literal), 'or') or 'nothing'}")
    return " and ".join(said) + "."


def _scope(
    role: Role | None, *, dataset_name: str, workspace: Workspace, attributes: Mapping[str, tuple[str, ...]]
) -> DatasetScope:
    if role is None:
        return DatasetScope(Nothing(), "The person has no known role.", frozenset())
    groups = groups_of(role, dataset_name)
    filters = [_group_filter(group, attributes) for group in groups]
    hidden = _hidden(role, dataset_name=dataset_name, workspace=workspace)
    if not filters:
        label = workspace.lake.datasets[dataset_name].label
        return DatasetScope(Nothing(), f"No row rule of this role names {label}.", hidden)
    columns = workspace.lake.datasets[dataset_name].columns
    held = {name: listed(sorted(values), "or") for name, values in attributes.items() if values}
    reason = " Or: ".join(rule_words(group, columns, held) for group in groups)
    if any(isinstance(f, Everything) for f in filters):
        return DatasetScope(Everything(), reason, hidden)
    real = tuple(f for f in filters if not isinstance(f, Nothing))
    if not real:
        return DatasetScope(Nothing(), reason, hidden)
    return DatasetScope(real[0] if len(real) == 1 else Or(real), reason, hidden)


def groups_of(role: Role, dataset: str) -> tuple[RowGroup, ...]:
    """The groups of row rules that speak of a dataset: those that name it, else those of all other datasets."""
    named = tuple(g for g in role.rows if dataset in g.datasets)
    return named or tuple(g for g in role.rows if "*" in g.datasets)


def conditions_of(
    group: RowGroup, columns: Mapping[str, Column], attributes: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, Filter], ...]:
    """Each rule of a group in words, with its filter for somebody who holds these attributes."""
    held = {name: listed(sorted(values), "or") for name, values in attributes.items() if values}
    if group.all_rows:
        return ((group.reason, Everything()),)
    one = [(rule_words(group.model_copy(update={"rules": (rule,)}), columns, held), rule) for rule in group.rules]
    return tuple((said, _rule_filter(rule, attributes)) for said, rule in one)


def _group_filter(group: RowGroup, attributes: Mapping[str, tuple[str, ...]]) -> Filter:
    if group.all_rows:
        return Everything()
    parts = tuple(_rule_filter(rule, attributes) for rule in group.rules)
    if not parts or any(isinstance(part, Nothing) for part in parts):
        return Nothing()
    return parts[0] if len(parts) == 1 else And(parts)


def _rule_filter(rule: RowRule, attributes: Mapping[str, tuple[str, ...]]) -> Filter:
    if rule.attribute is None:
        return Compare(rule.column, rule.operator, rule.value)
    held = tuple(sorted(attributes.get(rule.attribute, ())))
    if not held:
        return Nothing()
    if rule.operator in ("in", "not_in"):
        return Compare(rule.column, rule.operator, held)
    return Compare(rule.column, rule.operator, held[0]) if len(held) == 1 else Nothing()


def _hidden(role: Role, *, dataset_name: str, workspace: Workspace) -> frozenset[str]:
    """Columns that a role never sees. An input of a model that is declared private hides its columns as well."""
    kept = set(role.masks.except_columns)
    named = set(role.masks.columns)
    models = [m for m in workspace.models.models.values() if m.scored.dataset == dataset_name]
    private = [(n, f) for m in models for n, f in m.features.items() if f.privacy in role.masks.privacy]
    inputs = {name for name, _ in private}
    encoded = tuple(feature.one_hot for _, feature in private if feature.one_hot)
    return frozenset(
        column
        for column, about in workspace.lake.datasets[dataset_name].columns.items()
        if (
            about.privacy in role.masks.privacy
            or f"{dataset_name}.{column}" in named
            or column in inputs
            or (encoded and column.startswith(encoded))
        )
        and f"{dataset_name}.{column}" not in kept
    )
