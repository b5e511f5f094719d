"""Read a workspace: four YAML files into frozen definitions, every mistake at once with its file and line."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import ValidationError

from data import workspace_checks, workspace_repair
from data.definitions import AccessFile, Definition, LakeFile, MetricsFile, ModelsFile, Workspace

FILES: dict[str, type[Definition]] = {
    "lake.yml": LakeFile,
    "metrics.yml": MetricsFile,
    "models.yml": ModelsFile,
    "access.yml": AccessFile,
}


@dataclass(frozen=True)
class Mistake:
    """One mistake: where it stands, what is wrong in a sentence, and the nearest right word."""

    file: str
    line: int
    key: str
    value: str
    sentence: str
    nearest: str = ""

    def __str__(self) -> str:
        hint = f" Did you mean {self.nearest!r}?" if self.nearest else ""
        got = f" (got {self.value})" if self.value else ""
        key = f" {self.key}" if self.key else ""
        return f"{self.file}:{self.line}{key}: {self.sentence}{got}.{hint}"


class WorkspaceMistakes(Exception):
    """The workspace cannot be used; ``mistakes`` holds all that is wrong."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = mistakes
        listed = "\n".join(f"  {m}" for m in mistakes)
        many = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"The workspace has {many}:\n{listed}")


NOTHING_IN_IT = {"models.yml": "models: {}"}


def read_workspace(
    folder: Path, *, actions: frozenset[str] = frozenset(), addresses: Mapping[str, str] | None = None
) -> Workspace:
    """The workspace in this folder. Raises ``WorkspaceMistakes``.

    ``actions`` are the actions a role may name; ``addresses`` the pages it may open, each with the action it needs.
    """
    texts: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for file in FILES:
        try:
            texts[file] = (folder / file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            mistakes.append(_unreadable(folder, file, problem))
    return parse_workspace(texts, actions=actions, addresses=addresses, mistakes=mistakes)


def parse_workspace(
    texts: Mapping[str, str],
    *,
    actions: frozenset[str] = frozenset(),
    addresses: Mapping[str, str] | None = None,
    mistakes: Sequence[Mistake] = (),
) -> Workspace:
    """The workspace that these texts of its files make. Raises ``WorkspaceMistakes``, with those already known."""
    found = list(mistakes)
    left: dict[str, workspace_repair.Left] = {}
    lines: dict[str, dict[str, int]] = {}
    for file, text in texts.items():
        try:
            said, lines[file] = _load(text)
        except (RecursionError, yaml.YAMLError) as problem:
            found.append(_broken(file, problem))
            continue
        left[file], wrong = _validated(file, said, lines[file])
        found += wrong
    parsed: dict[str, Any] = {file.removesuffix(".yml"): one.parsed for file, one in left.items() if one.parsed}
    if len(parsed) == len(FILES):
        workspace = Workspace(**parsed, fingerprint=fingerprint(texts))
        found += _compared(workspace_checks.problems(workspace, actions, addresses or {}), left, lines)
        if not found:
            return workspace
    raise WorkspaceMistakes(tuple(found))


def fingerprint(texts: Mapping[str, str]) -> str:
    """What tells one state of the files from another."""
    return hashlib.sha256("".join(texts[file] for file in FILES if file in texts).encode()).hexdigest()


def texts_of(folder: Path) -> dict[str, str]:
    """The files of a workspace as they are read at start."""
    return {file: (folder / file).read_text(encoding="utf-8") for file in FILES}


def _validated(file: str, said: Any, lines: dict[str, int]) -> tuple[workspace_repair.Left, list[Mistake]]:
    kind = FILES[file]
    try:
        return workspace_repair.Left(kind.model_validate(said)), []
    except ValidationError as problem:
        return workspace_repair.readable(said, kind), [_mistake(file, lines, e, kind) for e in problem.errors()]


def _unreadable(folder: Path, file: str, problem: Exception) -> Mistake:
    if isinstance(problem, FileNotFoundError):
        usual = f'; one that says nothing holds "{NOTHING_IN_IT[file]}"' if file in NOTHING_IN_IT else ""
        return Mistake(file, 1, "", "", f"this file is missing in {folder}{usual}")
    return Mistake(file, 1, "", "", f"{folder / file} must be a readable UTF-8 file")


def _broken(file: str, problem: Exception) -> Mistake:
    if isinstance(problem, RecursionError):
        return Mistake(file, 1, "", "", "the YAML is broken: it is nested too deeply or contains itself")
    mark = getattr(problem, "problem_mark", None)
    words = getattr(problem, "problem", None) or "cannot be read as YAML"
    return Mistake(file, mark.line + 1 if mark else 1, "", "", f"the YAML is broken: {words}")


def _compared(
    found: Iterator[workspace_checks.Problem], left: Mapping[str, workspace_repair.Left], lines: Mapping[str, Any]
) -> Iterator[Mistake]:
    """What does not fit together, except where it is about a part that could not be read."""
    unread = frozenset(word for one in left.values() for word in one.words)
    for file, key, value, sentence, allowed in found:
        if value in unread or left[file].touches(key):
            continue
        near = difflib.get_close_matches(value, allowed, 1, 0.5)
        yield Mistake(file, _line(lines[file], key), key, value, sentence, near[0] if near else "")


class _Lines(yaml.SafeLoader):
    """A safe loader that refuses a key that stands twice and, as in YAML 1.2, reads only true and false as such.

    Under YAML 1.1 the keys ``on`` and ``no`` would be booleans.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value; one that cannot be (the 45th of a month, a number of thousands of digits) is named with its line."""
        try:
            return super().construct_object(node, deep)
        except ValueError:
            shown = str(node.value)[:40]
            raise yaml.constructor.ConstructorError(
                None, None, f"there is no such date or number as {shown!r}", node.start_mark
            ) from None

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        letter: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
        for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: _Lines, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key, _ in node.value:
        word = loader.construct_object(key, deep=True)
        if isinstance(word, list | dict | set):
            raise yaml.constructor.ConstructorError(None, None, "a key must be one word", key.start_mark)
        if word in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {word!r} stands twice", key.start_mark)
        seen.add(word)
    return loader.construct_mapping(node, deep=True)


_Lines.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|True|false|False)$"), list("tTfF"))
_Lines.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _load(text: str) -> tuple[Any, dict[str, int]]:
    """The content, and the line of every dotted key."""
    node = yaml.compose(text, Loader=_Lines)
    lines: dict[str, int] = {}
    if node is not None:
        _walk(node, "", lines)
    return yaml.load(text, Loader=_Lines), lines  # noqa: S506 - a subclass of the safe loader


def _walk(node: yaml.Node, at: str, lines: dict[str, int]) -> None:
    lines[at] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inside = f"{at}.{key.value}" if at else str(key.value)
            _walk(value, inside, lines)
            lines[inside] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            _walk(value, f"{at}.{place}", lines)


def _line(lines: dict[str, int], key: str) -> int:
    """The line of a key, or of the nearest key above it."""
    while key and key not in lines:
        key = key.rpartition(".")[0]
    return lines.get(key, 1)


def _mistake(file: str, lines: dict[str, int], error: Any, kind: Any) -> Mistake:
    key = ".".join(str(part) for part in error["loc"] if part != "[key]")
    value = error.get("input")
    shown = repr(value) if isinstance(value, str | int | float | bool) else ""
    if error["type"] == "extra_forbidden":
        word = str(error["loc"][-1])
        near = difflib.get_close_matches(word, _fields(kind), 1, 0.6)
        return Mistake(file, _line(lines, key), key, "", "this key is not known", near[0] if near else "")
    if error["type"] == "missing":
        return Mistake(file, _line(lines, key), key, "", "this key is required")
    sentence = str(error["msg"][:1]).lower() + str(error["msg"][1:])
    choices = [w.strip("'") for w in str(error.get("ctx", {}).get("expected", "")).replace(" or ", ", ").split(", ")]
    near = difflib.get_close_matches(str(value), choices, 1, 0.5) if isinstance(value, str) else []
    return Mistake(file, _line(lines, key), key, shown, sentence, near[0] if near else "")


def _fields(kind: Any, seen: frozenset[Any] = frozenset()) -> list[str]:
    """Every key a file may use, at any depth: what an unknown key is compared with."""
    import data.definitions as all_types

    models = [t for t in vars(all_types).values() if isinstance(t, type) and issubclass(t, all_types.Definition)]
    return sorted({f.alias or name for m in models for name, f in m.model_fields.items()})
