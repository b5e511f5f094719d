"""The list of surviving mutants is read, and speaks of code that is still there."""

from __future__ import annotations

import pytest

from tests import mutation
from tests.rules.code import ROOT


def test_every_reason_speaks_of_lines_that_are_there():
    known = mutation.reasons(mutation.REASONS.read_text(encoding="utf-8"))
    for one in known:
        lines = {line.strip() for line in (ROOT / one.module).read_text(encoding="utf-8").splitlines()}
        for line in one.change.splitlines():
            assert not line.startswith("- ") or line[2:] in lines, f"{one.module}, {one.function}: {line}"


def test_every_block_of_the_list_is_read():
    text = mutation.REASONS.read_text(encoding="utf-8")
    changes = sum(
        len(fence.strip("\n").split("\n\n"))
        for fence in text.split("```diff\n")[1:]
        for fence in [fence.split("```")[0]]
    )
    assert changes == len(mutation.reasons(text))


@pytest.mark.parametrize(
    ("old", "new", "wording"),
    [
        ('raise Forbidden("You have no rows.")', 'raise Forbidden("XXYou have no rows.XX")', True),
        ('raise Forbidden("You have no rows.")', 'raise Forbidden("YOU HAVE NO ROWS.")', True),
        ('raise Forbidden("You have no rows.")', "raise Forbidden(None)", False),
        ('return decide(viewer, "leads:read")', 'return decide(viewer, "XXleads:readXX")', False),
        ("if a and b:", "if a or b:", False),
        ('return f"You have {n} rows."', 'return f"XXYou have {n} rows.XX"', True),
    ],
)
def test_only_the_words_of_a_sentence_are_words(old, new, wording):
    assert mutation.is_wording(f"- {old}\n+ {new}") is wording


def test_a_mutant_is_known_by_its_function():
    assert mutation._function("services.access.x__scope__mutmut_3") == "_scope"
    assert mutation._function("services.lead_query.xǁLeadQueryǁwith_grid__mutmut_16") == "LeadQuery.with_grid"
