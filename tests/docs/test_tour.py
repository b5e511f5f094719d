"""The README's tour says what the running demo shows: every figure in bold is read from the page of its step."""

from __future__ import annotations

import re

import pytest

from tests.rules.code import ROOT

STEP = re.compile(
    r"^\d\. \*([\w ]+)\* · \[`[^`]+`\]\(http://127\.0\.0\.1:8050(/[^)]*)\)(.+?)(?=^\d\. |\Z)", re.M | re.S
)
WHO = {"Executive": "executive", "Sales North": "seller", "Analyst": "analyst", "Sales manager": "sales_manager"}
TOUR = (ROOT / "README.md").read_text(encoding="utf-8").partition("## A tour")[2].partition("\n!")[0]
STEPS = STEP.findall(TOUR)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_the_tour_has_six_steps_with_figures():
    assert len(STEPS) == 6
    assert all(re.findall(r"\*\*.+?\*\*", text, re.S) for _, _, text in STEPS)


@pytest.mark.demo
@pytest.mark.parametrize(("who", "address", "text"), STEPS, ids=[s[1] for s in STEPS])
def test_a_step_says_what_its_page_shows(demo, who, address, text):
    shown = demo.words(demo.sign_in(WHO[who]), address)
    for figure in re.findall(r"\*\*(.+?)\*\*", text, re.S):
        assert plain(figure) in shown, f"{address} must show {figure}"
