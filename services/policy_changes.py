"""What a change of the workspace's files means for the roles, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from data.definitions import Role, Workspace
from services import wording
from services.access import action_words, groups_of, viewer_of
from services.policy import row_reason

OWN_SETTINGS = {
    "step_up": "Proving again who one is",
    "limits": "Limits",
    "retention": "Days that events are kept",
    "smallest_cell": "The smallest group that an aggregate speaks of",
}


def sentences(before: Workspace, after: Workspace) -> tuple[str, ...]:
    """What another policy changes, role by role; empty where nobody may do or see anything else."""
    old, new = before.access.roles, after.access.roles
    said = [f"The role {old[name].label} is gone: whoever has it may do nothing." for name in old if name not in new]
    for name, role in new.items():
        said += _new(after, name, role) if name not in old else _changed(before, after, name)
    return (*said, *_attributes(before, after), *_settings(before, after))


def _new(after: Workspace, name: str, role: Role) -> Iterator[str]:
    may = [_small(action_words(a)) for a in role.actions]
    yield f"The role {role.label} is new. It may {wording.listed(may) or 'do nothing'}."
    yield from _rows(role.label, after, {}, _row_words(after, role))
    hidden = _hidden(after, name)
    yield from _columns(role.label, after, {d: frozenset() for d in hidden}, hidden)


def _changed(before: Workspace, after: Workspace, name: str) -> Iterator[str]:
    old, new = before.access.roles[name], after.access.roles[name]
    label = new.label
    if old.label != label:
        yield f"The role {old.label} is called {label} now."
    for verb, actions in (
        ("may now", [a for a in new.actions if a not in old.actions]),
        ("may no longer", [a for a in old.actions if a not in new.actions]),
    ):
        if actions:
            words = wording.listed(_small(action_words(a)) for a in actions)
            yield f"{label} {verb} {words}."
    yield from _rows(label, after, _row_words(before, old), _row_words(after, new))
    yield from _columns(label, after, _hidden(before, name), _hidden(after, name))
    yield from _own(label, old, new)


def _own(label: str, old: Role, new: Role) -> Iterator[str]:
    if old.home != new.home:
        yield f"{label} begins at {new.home}; it was {old.home}."
    if old.entries != new.entries:
        yield f"The bar of {label} shows {wording.listed(e.label for e in new.entries) or 'nothing'}."
    if old.second_factor != new.second_factor:
        yield f"{label} {'must now' if new.second_factor else 'need no longer'} use a second factor."
    if old.groups != new.groups:
        groups = wording.listed(new.groups) or "no group"
        yield f"{label} is given to {groups} of the identity provider; it was {wording.listed(old.groups) or 'none'}."


def _row_words(workspace: Workspace, role: Role) -> dict[str, str]:
    """The rules of each dataset's rows in words, "" where the role sees none."""
    return {
        name: " Or: ".join(row_reason(workspace, name, group) for group in groups_of(role, name))
        for name in workspace.lake.datasets
    }


def _rows(label: str, after: Workspace, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """One sentence for all datasets whose rules changed alike."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name in {**new, **old}:
        steps = old.get(name, ""), new.get(name, "")
        if steps[0] != steps[1]:
            about = after.lake.datasets.get(name)
            alike.setdefault(steps, []).append(about.label if about else name)
    for (was, now), datasets in alike.items():
        rule = f"by the rule: {now}" if now else "not at all any more."
        yield f"{label} sees rows of {wording.listed(datasets)} {rule}{f' It was: {was}' if was else ''}"


def _hidden(workspace: Workspace, role: str) -> dict[str, frozenset[str]]:
    who = viewer_of(workspace, person_id=0, name="", email="", role=role, attributes={})
    return {name: scope.hidden for name, scope in who.scopes.items()}


def _columns(
    label: str, after: Workspace, old: Mapping[str, frozenset[str]], new: Mapping[str, frozenset[str]]
) -> Iterator[str]:
    for name, hidden in new.items():
        about = after.lake.datasets[name]
        labels = {c: column.label for c, column in about.columns.items()}
        for verb, columns in (
            ("no longer sees", hidden - old.get(name, hidden)),
            ("now sees", old.get(name, hidden) - hidden),
        ):
            shown = [labels[c] for c in labels if c in columns]
            if shown:
                yield f"{label} {verb} {wording.listed(shown)} of {about.label}."


def _attributes(before: Workspace, after: Workspace) -> Iterator[str]:
    old, new = before.access.attributes, after.access.attributes
    for name in old:
        if name not in new:
            yield f"The attribute {old[name].label} is gone: rules that compare with it give no rows."
    for name, about in new.items():
        if name not in old:
            yield f"The attribute {about.label} is new, with the values {wording.listed(about.values)}."
            continue
        for verb, values in (
            ("may now be", [v for v in about.values if v not in old[name].values]),
            ("may no longer be", [v for v in old[name].values if v not in about.values]),
        ):
            if values:
                yield f"{about.label} {verb} {wording.listed(values, 'or')}."
        if about.claim != old[name].claim:
            source = f"from the claim {about.claim}" if about.claim else "from the page People"
            yield f"{about.label} comes {source}."


def _settings(before: Workspace, after: Workspace) -> Iterator[str]:
    for key, label in OWN_SETTINGS.items():
        old, new = getattr(before.access, key), getattr(after.access, key)
        if old != new:
            yield f"{label}: {_value(new)}; it was {_value(old)}."


def _small(words: str) -> str:
    return words[:1].lower() + words[1:]


def _value(said: Any) -> str:
    parts = said if isinstance(said, dict) else said.model_dump() if hasattr(said, "model_dump") else None
    if parts is None:
        return str(said)
    return ", ".join(f"{k.replace('_', ' ')} {v:,}" for k, v in parts.items()) or "none named"
