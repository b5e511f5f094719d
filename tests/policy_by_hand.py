"""A policy read aloud, value by value: which rows and which columns of a dataset somebody sees. Knows no filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from data.definitions import Role, RowGroup, RowRule, Workspace

Held = Mapping[str, tuple[str, ...]]


def groups_for(role: Role, dataset: str) -> list[RowGroup]:
    """The groups that speak of a dataset: those that name it, else those of all other datasets."""
    return [g for g in role.rows if dataset in g.datasets] or [g for g in role.rows if "*" in g.datasets]


def may_see(role: Role, held: Held, row: Mapping[str, Any], dataset: str) -> bool:
    """A row is seen if one group lets it through, each of whose rules holds; a group without rules lets nothing."""
    return any(
        group.all_rows or (bool(group.rules) and all(rule_holds(rule, held, row[rule.column]) for rule in group.rules))
        for group in groups_for(role, dataset)
    )


def rule_holds(rule: RowRule, held: Held, have: Any) -> bool:
    """A person without the attribute has no row by it; a comparison with one value needs exactly one.

    A missing value never compares: it is found by "is_null" only.
    """
    if rule.operator == "is_null":
        return rule.attribute is None and have is None
    if have is None:
        return False
    if rule.operator == "not_null":
        return rule.attribute is None
    if rule.attribute is not None:
        values: Any = held.get(rule.attribute, ())
        if not values:
            return False
        if rule.operator not in ("in", "not_in"):
            if len(values) != 1:
                return False
            values = values[0]
    else:
        values = rule.value
    return _compares(have, rule.operator, values)


def _compares(have: Any, operator: str, wanted: Any) -> bool:
    if operator in ("in", "not_in"):
        return any(have == one for one in wanted if one is not None) is (operator == "in")
    if wanted is None:
        return False
    match operator:
        case "eq":
            return bool(have == wanted)
        case "ne":
            return bool(have != wanted)
        case "lt":
            return bool(have < wanted)
        case "le":
            return bool(have <= wanted)
        case "gt":
            return bool(have > wanted)
        case _:
            return bool(have >= wanted)


def hidden(workspace: Workspace, role: Role, dataset: str, columns: Iterable[str]) -> frozenset[str]:
    """The columns a role never sees: by their class, by name, or because an input of that name is private."""
    private = role.masks.privacy
    inputs: set[str] = set()
    prefixes: list[str] = []
    for model in workspace.models.models.values():
        if model.scored.dataset == dataset:
            for name, feature in model.features.items():
                if feature.privacy in private:
                    inputs.add(name)
                    prefixes += [feature.one_hot] if feature.one_hot else []
    about = workspace.lake.datasets[dataset].columns
    found = set()
    for column in columns:
        named = f"{dataset}.{column}"
        masked = column in about and about[column].privacy in private
        masked = masked or named in role.masks.columns or column in inputs
        masked = masked or any(column.startswith(p) for p in prefixes)
        if masked and named not in role.masks.except_columns:
            found.add(column)
    return frozenset(found)
