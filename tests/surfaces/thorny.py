"""A bakery with thorns: tours without a name, tours that only look alike, five open lists, rules on every column."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd

from data.definitions import AccessFile
from services.sources import Sources
from tests import instances
from tests.bakery import build

LOOKALIKES = ("nord/see", "Nord/See ", "Nord\N{DIVISION SLASH}See", "Su\N{COMBINING DIAERESIS}d & Tal", "")
RULED = {
    "abnehmer": ("kennung", "betrieb", "ort", "tour", "art"),
    "lieferungen": ("kennung", "tag", "gebaeck", "menge", "umsatz", "retouren", "tour", "art"),
    "vertraege": (
        "kennung",
        "saison",
        "beginn",
        "ort",
        "tour",
        "jahresumsatz",
        "reklamationen",
        "lieferzeit",
        "rabatt",
    ),
}
"""The columns that rules are drawn over: a score run keeps those that some role's rules compare."""

OUTLOOK = """  kuendigungen:
    label: Kündigungen
    measure: gekuendigt
    unit: Kündigungen
    owner: Verkauf
    description: Gekündigte Verträge.
"""


def write_lake(raw: Path) -> None:
    """The bakery's lake; every eighth house has no tour, a dozen have one that differs by a blank, a case or a mark."""
    build.write_lake(raw)
    houses = pd.read_parquet(raw / "stamm" / "abnehmer.parquet")
    houses.loc[houses.index % 8 == 5, "tour"] = None
    houses.loc[houses.index % 15 == 4, "tour"] = [LOOKALIKES[i % len(LOOKALIKES)] for i in range(12)]
    houses.loc[houses.index % 11 == 3, "ort"] = None
    houses.to_parquet(raw / "stamm" / "abnehmer.parquet", index=False)


def write_workspace(folder: Path) -> Path:
    """The bakery's workspace with every season scored, outlook and list results on the overview, and one wide role."""
    shutil.copytree(build.WORKSPACE, folder)
    for file, old, new in (
        ("lake.yml", "tour: {label: Tour, type: string, required: true}", "tour: {label: Tour, type: string}"),
        ("models.yml", "      where: [{column: gekuendigt, operator: is_null}]\n", ""),
        ("models.yml", "      where: [{column: saison, operator: eq, value: Herbst/2024}]\n", ""),
        ("metrics.yml", "\ndimensions:\n", f"{OUTLOOK}\ndimensions:\n"),
        (
            "metrics.yml",
            "  list_metrics:",
            "  lists: kuendigung\n  expects: kuendigung\n  expects_metric: kuendigungen\n  list_metrics:",
        ),
        ("access.yml", "\nroles:\n", f"\nroles:\n{_wide_role()}"),
    ):
        text = (folder / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} must hold {old!r} once"
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    return folder


def _wide_role() -> str:
    """A role that compares every column, so that publication and scoring keep them all."""
    said = [
        f"      - {{datasets: [{d}], rules: [{{column: {c}, operator: not_null}}]}}"
        for d, cs in RULED.items()
        for c in cs
    ]
    lines = ["  breit:", "    label: Breit", "    question: Alles?", "    home: /leads",
             "    entries: [{label: Alles, path: /leads}]", "    actions: ['leads:read']",
             "    rows:", *said]  # fmt: skip
    return "\n".join(lines) + "\n"


def build_thorny(folder: Path) -> Path:
    """Published, admitted, scored."""
    workspace = write_workspace(folder / "workspace")
    return instances.build_bakery(folder / "instance", workspace=workspace, write_lake=write_lake)


def open_thorny(folder: Path) -> Sources:
    """Its sources; ``under`` puts another policy in force."""
    return instances.open_bakery_sources(folder / "instance", folder / "workspace")


def under(sources: Sources, policy: AccessFile) -> Sources:
    """The same lake, database and cache under another policy."""
    return replace(sources, workspace=sources.workspace.model_copy(update={"access": policy}))
