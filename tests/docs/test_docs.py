"""Reference pages equal the code they describe, links lead somewhere, and files that are named exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data.reference import workspace_markdown
from data.workspace import read_workspace
from services.access import ACTION_WORDS, ACTIONS
from services.settings import DEMO_WORKSPACE, settings_table_markdown
from tests.rules.code import ROOT

DOCUMENTS = [f for f in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if f.is_file()]


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_the_settings_page_is_the_table_of_settings():
    assert (ROOT / "docs/reference/settings.md").read_text() == settings_table_markdown()


def test_the_workspace_page_is_made_from_the_definitions():
    assert (ROOT / "docs/reference/workspace.md").read_text() == workspace_markdown()


def cells(line: str) -> list[str]:
    return [c.strip() for c in line.strip().strip("|").split("|")]


def test_the_access_page_is_the_policy_of_the_demo():
    lines = (ROOT / "docs/reference/access.md").read_text().splitlines()
    roles = read_workspace(DEMO_WORKSPACE, actions=ACTIONS).access.roles
    head = cells(next(line for line in lines if line.startswith("| action")))
    assert head[2:] == [r.label for r in roles.values()]
    told = {cells(line)[0].strip("`"): cells(line)[1:] for line in lines if line.startswith("| `")}
    assert set(told) == ACTIONS
    for action, (words, *marks) in told.items():
        assert words == ACTION_WORDS[action]
        assert marks == ["yes" if action in r.actions else "" for r in roles.values()], action
    hidden = {cells(line)[0]: cells(line)[2] for line in lines if line.startswith("|") and len(cells(line)) == 3}
    for role in roles.values():
        assert hidden[role.label] == (" and ".join(role.masks.privacy) or "nothing")


def anchors(file: Path) -> set[str]:
    titles = re.findall(r"^#+\s+(.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", t.replace("`", "")).strip().lower() for t in titles]
    return {re.sub(r"\s", "-", p) for p in plain}


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_every_link_leads_somewhere(file):
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)", text):
        if target.startswith(("https://", "http://127.0.0.1", "http://localhost", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        where = (file.parent / path).resolve() if path else file
        assert where.exists(), f"{name(file)} links to {target}"
        if anchor and where.suffix == ".md":
            assert anchor in anchors(where), f"{name(file)} links to {target}"


PLANNED = ("instance/", ".venv", "lakelight_contract.json", "models.yml", "lake.yml", "metrics.yml", "access.yml")
"""Files that exist only while it runs, and those that every workspace has."""


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_a_file_that_is_named_is_there(file):
    text = file.read_text(encoding="utf-8")
    for said in set(re.findall(r"`([\w./-]+\.(?:py|yml|css|js|md|toml|txt|json))`", text)):
        if "/" not in said or said.startswith(PLANNED) or file.name == "CHANGELOG.md":
            continue
        places = (ROOT / said, file.parent / said)
        assert any(p.exists() for p in places), f"{name(file)} names {said}"


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_every_make_target_that_is_named_is_there(file):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for said in set(re.findall(r"`make ([a-z-]+)", file.read_text(encoding="utf-8"))):
        assert said in targets, f"{name(file)} names make {said}"


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_every_command_that_is_named_is_there(file):
    import click

    from cli import cli

    for said in set(re.findall(r"`python cli\.py ([a-z ]+)", file.read_text(encoding="utf-8"))):
        command: click.Command | None = cli
        for word in said.split():
            if not isinstance(command, click.Group):
                break
            command = command.get_command(click.Context(command), word)
            assert command is not None, f"{name(file)} names python cli.py {said}"


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_every_setting_that_is_named_is_one(file):
    from services.settings import SETTINGS

    known = {s.variable for s in SETTINGS}
    found = set(re.findall(r"\bLAKELIGHT_[A-Z_]+\b", file.read_text(encoding="utf-8")))
    assert {f for f in found if not f.endswith("_")} <= known


def test_every_library_that_is_asked_for_has_its_reason():
    text = (ROOT / "docs/reference/dependencies.md").read_text().lower()
    for source in ("requirements.in", "requirements-dev.in"):
        for line in (ROOT / source).read_text().splitlines():
            wanted = re.match(r"^([A-Za-z0-9_.-]+)", line)
            if wanted:
                assert wanted[1].lower() in text, f"{wanted[1]} of {source} needs a line in dependencies.md"
