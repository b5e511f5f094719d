"""Read a workspace: four YAML files into frozen definitions, every mistake at once with its file and line."""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import ValidationError

from data import workspace_checks
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
        return f"{self.file}:{self.line} {self.key}: {self.sentence}{got}{hint}"


class WorkspaceMistakes(Exception):
    """The workspace cannot be used; ``mistakes`` holds all that is wrong."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = mistakes
        listed = "\n".join(f"  {m}" for m in mistakes)
        super().__init__(f"The workspace has {len(mistakes)} mistake(s):\n{listed}")


def read_workspace(folder: Path, *, actions: frozenset[str] = frozenset()) -> Workspace:
    """The workspace in this folder. ``actions`` are the actions a role may name. Raises ``WorkspaceMistakes``."""
    mistakes: list[Mistake] = []
    digest = hashlib.sha256()
    parsed: dict[str, Any] = {}
    lines: dict[str, dict[str, int]] = {}
    for file, kind in FILES.items():
        try:
            text = (folder / file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            mistakes.append(Mistake(file, 1, "", "", f"{folder / file} must be a readable UTF-8 file"))
            continue
        digest.update(text.encode())
        try:
            said, lines[file] = _load(text)
        except RecursionError:
            mistakes.append(Mistake(file, 1, "", "", "the YAML is broken: it is nested too deeply or contains itself"))
            continue
        except yaml.YAMLError as problem:
            mark = getattr(problem, "problem_mark", None)
            words = getattr(problem, "problem", None) or "cannot be read as YAML"
            mistakes.append(Mistake(file, mark.line + 1 if mark else 1, "", "", f"the YAML is broken: {words}"))
            continue
        try:
            parsed[file] = kind.model_validate(said)
        except ValidationError as problem:
            mistakes += [_mistake(file, lines[file], e, kind) for e in problem.errors()]
    if len(parsed) == len(FILES):
        workspace = Workspace(
            lake=parsed["lake.yml"],
            metrics=parsed["metrics.yml"],
            models=parsed["models.yml"],
            access=parsed["access.yml"],
            fingerprint=digest.hexdigest(),
        )
        for file, key, value, sentence, allowed in workspace_checks.problems(workspace, actions):
            near = difflib.get_close_matches(value, allowed, 1, 0.5)
            mistakes.append(Mistake(file, _line(lines[file], key), key, value, sentence, near[0] if near else ""))
    if mistakes:
        raise WorkspaceMistakes(tuple(mistakes))
    return workspace


class _Lines(yaml.SafeLoader):
    """A safe loader that refuses a key that stands twice and, as in YAML 1.2, reads only true and false as such.

    Under YAML 1.1 the keys ``on`` and ``no`` would be booleans.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        letter: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
        for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: _Lines, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key, _ in node.value:
        word = loader.construct_object(key, deep=True)
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
