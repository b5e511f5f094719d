"""Whatever is written into the audit log can be read by people."""

from __future__ import annotations

import ast
import re

import pytest

from services.audit import ACT_WORDS
from services.record_trail import LISTS
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


@pytest.mark.attack("U-01")
def test_every_act_has_words():
    found = written()
    assert len(found) >= 15
    assert {act: file for act, file in found.items() if act not in ACT_WORDS} == {}


def test_no_words_are_kept_for_an_act_that_nobody_writes():
    text = "".join(f.read_text() for f in code.modules("pages", "services", "data", "demo") if f.name != "audit.py")
    assert [act for act in ACT_WORDS if f'"{act}"' not in text] == []


def test_whoever_writes_that_rows_of_a_list_were_given_keeps_what_they_were():
    """Else nobody could tell later who saw a record: see ``services.record_trail``."""
    acts = set(LISTS)
    writers = {code.name(f): f.read_text() for f in code.modules("pages", "services", "data")}
    found = {n: t for n, t in writers.items() if n == "services/lead_reads.py" or _writes_one_of(n, acts)}
    assert set(found) >= {"services/lead_reads.py", "services/exports.py", "services/what_if.py"}
    assert [n for n, text in found.items() if "kept(found, question)" not in text and '"keys": keys' not in text] == []


def _writes_one_of(name: str, acts: set[str]) -> bool:
    tree = code.tree(code.ROOT / name)
    calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call) and _called(n) in WRITERS)
    return any(text in acts for call in calls for part in call.args for text in _texts(part))
