"""Whatever is written into the audit log can be read by people."""

from __future__ import annotations

import ast
import re

from services.audit import ACT_WORDS
from tests.rules import code

WRITERS = {"record", "_record", "denied", "write"}
ACT = re.compile(r"[a-z_]+(\.[a-z_]+)?")


def written() -> dict[str, str]:
    """Each act that some function writes, with the file."""
    found = {}
    for file in code.modules("pages", "services", "data"):
        for node in ast.walk(code.tree(file)):
            if isinstance(node, ast.Call) and _called(node) in WRITERS:
                for part in (*node.args, *(k.value for k in node.keywords if k.arg == "act")):
                    for text in _texts(part):
                        if ACT.fullmatch(text) and "." in text:
                            found[text] = code.name(file)
    return found


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _texts(node: ast.expr) -> list[str]:
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def test_every_act_has_words():
    found = written()
    assert len(found) >= 15
    assert {act: file for act, file in found.items() if act not in ACT_WORDS} == {}


def test_no_words_are_kept_for_an_act_that_nobody_writes():
    text = "".join(f.read_text() for f in code.modules("pages", "services", "data", "demo") if f.name != "audit.py")
    assert [act for act in ACT_WORDS if f'"{act}"' not in text] == []
