"""The project's own Python, read as text and as syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("pages", "components", "services", "models", "data")
DOORS = ("app.py", "worker.py", "cli.py")


def modules(*folders: str) -> list[Path]:
    """Python files of these folders; a name that ends in .py is a file of the root."""
    found: list[Path] = []
    for folder in folders:
        found += [ROOT / folder] if folder.endswith(".py") else sorted((ROOT / folder).rglob("*.py"))
    return [f for f in found if f.exists()]


def name(file: Path) -> str:
    """A file as people call it: its path in the project."""
    return str(file.relative_to(ROOT))


@lru_cache(maxsize=512)
def tree(file: Path) -> ast.Module:
    """A file as a syntax tree."""
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(file: Path, *, run_time: bool = True) -> set[str]:
    """The top names a file imports; ``run_time`` leaves out what only type checkers see."""
    found: set[str] = set()
    for node in _nodes(tree(file), run_time):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the last statement, decorators left out."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _nodes(node: ast.AST, run_time: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if run_time and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _nodes(child, run_time)
