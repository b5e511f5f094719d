"""The table of cases, the marks of the tests and the page of coverage say the same."""

from __future__ import annotations

from tests.attacks import cases


def test_there_are_116_cases_in_nine_groups():
    sizes = {group: sum(case[0] == group for case in cases.CASES) for group in cases.GROUPS}
    assert sizes == {"A": 20, "K": 11, "G": 16, "R": 16, "X": 12, "Q": 10, "E": 8, "M": 13, "U": 10}
    for group, count in sizes.items():
        assert [c for c in cases.CASES if c[0] == group] == [f"{group}-{n:02d}" for n in range(1, count + 1)]


def test_every_mark_names_a_case():
    assert set(cases.marks()) == set(cases.CASES)


def test_a_case_has_tests_or_a_reason_and_never_both():
    tested = {case for case, tests in cases.marks().items() if tests}
    assert tested & set(cases.NOT_YET) == set(), "a case with tests is there: take its reason away"
    assert set(cases.CASES) - tested == set(cases.NOT_YET)


def test_what_is_open_is_said_of_cases_that_have_tests():
    assert set(cases.REMARKS) <= {case for case, tests in cases.marks().items() if tests}


def test_the_page_says_what_the_tests_say():
    """Written by ``python -m tests.attacks.cases``."""
    assert cases.DOCUMENT.read_text(encoding="utf-8") == cases.document()
