"""The table of ASVS 5.0: every number of levels 1 and 2 stands in it, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

import pytest

from tests.docs.test_docs import cells
from tests.rules.code import ROOT

FILE = ROOT / "docs/reference/asvs.md"
SECTIONS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "3.2": 2, "3.3": 4,
    "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5,
    "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4,
    "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4,
    "17.3": 2,
}  # fmt: skip
"""How many requirements of levels 1 and 2 each section of ASVS 5.0.0 has; they are numbered from 1 without a gap."""
STATES = ("met", "not met", "not applicable")


@lru_cache(maxsize=1)
def rows() -> list[list[str]]:
    """The lines of the table."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [cells(line) for line in lines if re.match(r"\| \d+\.\d+\.\d+ ", line)]


@lru_cache(maxsize=128)
def functions_of(file: str) -> frozenset[str]:
    """The test functions of a file under ``tests``."""
    found = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return frozenset(n.name for n in ast.walk(found) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_"))


def test_every_number_of_level_two_stands_once_and_in_order():
    numbers = [f"{section}.{n}" for section, many in SECTIONS.items() for n in range(1, many + 1)]
    assert [row[0] for row in rows()] == numbers and len(numbers) == 253


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_what_is_said_to_be_met_names_tests_or_a_document_that_are_there(row):
    _, asked, state, said = row
    assert state in STATES and asked and said
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", said)
    for file, function in named:
        assert function in functions_of(file), f"{file}::{function}"
    if state == "met":
        assert named or re.search(r"\]\([\w./-]+\.md\)", said)


def test_the_counts_above_the_table_are_those_of_the_table():
    text = FILE.read_text(encoding="utf-8")
    for state, words in zip(STATES, ("are met", "are not met", "are not applicable"), strict=True):
        assert f"{sum(row[2] == state for row in rows())} {words}" in text.replace("\n", " ")


def test_a_promise_names_tests_that_are_there():
    named = re.findall(r"`tests/([\w/]+\.py)(?:::(\w+))?`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    for where, function in named:
        assert (ROOT / "tests" / where).is_file(), where
        assert not function or function in functions_of(where), function
