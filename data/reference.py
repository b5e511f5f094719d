"""The reference of a workspace's files, made from the definitions themselves, so that it cannot be out of date."""

from __future__ import annotations

import inspect
import types
import typing
from typing import Any

from data.definitions import AccessFile, Definition, LakeFile, MetricsFile, ModelsFile

FILES: tuple[tuple[str, type[Definition]], ...] = (
    ("lake.yml", LakeFile),
    ("metrics.yml", MetricsFile),
    ("models.yml", ModelsFile),
    ("access.yml", AccessFile),
)
HEAD = """# Workspace files

A workspace is a folder of four YAML files that say what the business means. `LAKELIGHT_WORKSPACE` points at it.
Every mistake is listed at once, with file, line, key and the nearest right word; the app refuses to start on one.
No Python and no SQL stands in them.
"""


def workspace_markdown() -> str:
    """Every key of every file, with its type, its default and what it means."""
    parts = [HEAD]
    for file, kind in FILES:
        parts.append(f"## {file}\n")
        parts += [_section(found) for found in _reached(kind)]
    return "\n".join(parts)


def _section(kind: type[Definition]) -> str:
    said = inspect.cleandoc(kind.__doc__ or "")
    rows = ["| key | type | default |", "|---|---|---|"]
    for name, field in kind.model_fields.items():
        default = "required" if field.is_required() else f"`{_shown(field.get_default(call_default_factory=True))}`"
        rows.append(f"| `{field.alias or name}` | {_type(field.annotation)} | {default} |")
    return f"### {kind.__name__}\n\n{said}\n\n" + "\n".join(rows) + "\n"


def _reached(kind: type[Definition]) -> list[type[Definition]]:
    """The definition and all that it is made of, each once, in reading order."""
    found: dict[type[Definition], None] = {}

    def walk(one: type[Definition]) -> None:
        if one in found:
            return
        found[one] = None
        for field in one.model_fields.values():
            for inside in _definitions(field.annotation):
                walk(inside)

    walk(kind)
    return list(found)


def _definitions(annotation: Any) -> list[type[Definition]]:
    if inspect.isclass(annotation) and issubclass(annotation, Definition):
        return [annotation]
    return [found for part in typing.get_args(annotation) for found in _definitions(part)]


def _type(annotation: Any) -> str:
    """A type in words: "list of text", "names → Column", "one of up, down"."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return "one of " + ", ".join(f"`{a}`" for a in args)
    if origin is tuple:
        return f"list of {_type(args[0])}"
    if origin is dict:
        return f"{_type(args[0])} → {_type(args[1])}"
    if origin in (types.UnionType, typing.Union):
        known = dict.fromkeys(_type(a) for a in args if a is not type(None))
        return "value" if len(known) > 3 else " or ".join(known)
    return _plain_type(annotation)


def _plain_type(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Annotated:
        return "name"
    if inspect.isclass(annotation) and issubclass(annotation, Definition):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    words: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "yes or no"}
    return words.get(annotation, getattr(annotation, "__name__", "value"))


def _shown(value: Any) -> str:
    if isinstance(value, Definition):
        return "its defaults"
    if value is None or value in ((), {}):
        return "none"
    if isinstance(value, tuple):
        return ", ".join(repr(v) for v in value)
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'
