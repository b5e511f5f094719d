"""The bakery with every word of the business replaced by a hostile string: really published, admitted, scored, served.

The same rows and the same shape as ``tests.bakery``, so that every page has something to show; its labels, names,
members, keys, inputs, people and files are those of ``tests.attacks.corpus``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import pandas as pd
import yaml

from data import people
from models.registry_memory import MemoryRegistry
from services import accounts, refresh
from services.sources import Sources, open_sources
from tests import instances
from tests.attacks import corpus
from tests.bakery import build
from tests.house import PASSWORD, Clock, email_of

REGISTERED = "<script>window.__pwned=40</script> (__proto__)"
TOURS = ("<img src=x onerror=window.__pwned=41>", '"; <b>Süd</b> & {{7*7}}', "\u202e'Mitte'\u202c =1+1")
KINDS = (
    "<script>window.__pwned=42</script>",
    "<svg/onload=alert`43`>",
    "<b>bold</b><br>second<br>third",
    "=cmd|'/C_calc'!A0",
)
INPUTS = {
    "reklamationen": "constructor",
    "lieferzeit": "<img/src=x/onerror=window.__pwned=44>",
    "rabatt": "__proto__",
    "bestelltage": "<a/href=//evil.example/>x</a>",
    "zahlungsziel": "zahlungsziel",
} | {f"art={old}": f"art={new}" for old, new in zip(build.KINDS, KINDS, strict=True)}
FILES = {
    "stamm/abnehmer.parquet": "stamm/abnehmer.parquet",
    "lieferungen": 'buchhaltung/lieferungen-"><img src=x onerror=window.__pwned=45>.parquet',
}
SEASON = "<b>Winter</b>/2024 {{7*7}} =1+1"
"""The list that is open."""
BROKEN = 'vertraege/<svg onload=window.__pwned=46> "; rm -rf {{7*7}}.parquet'
GOODS = (*corpus.DRAWN, *corpus.ADDRESSES[:4], *corpus.FORMULAS[:3], *corpus.LETTERS[:3], corpus.LONG, "Gipfeli")
PEOPLE: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "leitung": ("leitung", {}),
    "aussendienst": ("aussendienst", {"tour": TOURS[:2]}),
    "tueftlerei": ("tueftlerei", {}),
    "hauswart": ("hauswart", {}),
}
NAMES = {
    "leitung": '"><img src=x onerror=window.__pwned=47>',
    "aussendienst": "<script>window.__pwned=48</script>",
    "tueftlerei": "\u202eeulB\u202c {{7*7}} " + "wide" * 20,
    "hauswart": "' onmouseover='window.__pwned=49",
}


# ── what the business says ────────────────────────────────────────────────────────────────────────


class _Words:
    """Hostile words one after another; each stands for one label and is told apart by its number."""

    def __init__(self) -> None:
        self._next: Iterator[tuple[int, str]] = enumerate(itertools.cycle((*corpus.SHORT, corpus.WIDE)))

    def __call__(self) -> str:
        at, text = next(self._next)
        return f"{text} {at}"


LABELLED = frozenset(
    {"label", "description", "grain", "note", "name", "owner", "question", "reason", "purpose", "not_for", "target",
     "group", "success", "action", "list", "one", "many", "zero", "default", "missing"}
)  # fmt: skip
"""Keys of a workspace whose values are words for people."""
NAMES_OF_THINGS = frozenset({"betrieb", "month"})
"""Values under such keys that name a column or a span of time."""


def workspace(folder: Path) -> Path:
    """Write the bakery's workspace with hostile words into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    words = _Words()
    for file in ("lake.yml", "metrics.yml", "models.yml", "access.yml"):
        said = yaml.safe_load((build.WORKSPACE / file).read_text(encoding="utf-8"))
        _REPLACED[file](said)
        said = _spoilt(said, words)
        if file == "models.yml":
            _drawn(said)
        (folder / file).write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")
    return folder


def _spoilt(node: Any, words: _Words, key: str = "") -> Any:
    if isinstance(node, dict):
        return {("on" if k is True else k): _spoilt(v, words, k) for k, v in node.items()}
    if isinstance(node, list):
        return [_spoilt(v, words, "") for v in node]
    if key in LABELLED and isinstance(node, str) and node not in NAMES_OF_THINGS:
        return words()
    return words() if key == "unit" and node not in ("currency", "percent") else node


def _lake(said: dict[str, Any]) -> None:
    datasets = said["datasets"]
    datasets["lieferungen"] |= {"path": "buchhaltung/lieferungen*.parquet", "format": "parquet"}
    del datasets["lieferungen"]["csv"]
    columns = datasets["vertraege"]["columns"]
    datasets["vertraege"]["columns"] = {INPUTS.get(name, name): about for name, about in columns.items()}


def _models(said: dict[str, Any]) -> None:
    model = said["models"]["kuendigung"]
    model["registered"] = REGISTERED
    model["features"] = {INPUTS.get(name, name): about for name, about in model["features"].items()}
    model["features"]["zahlungsziel"]["words"] = {"0": "x", "1": "<u>one</u>"}
    model["baseline"]["column"] = INPUTS["reklamationen"]
    model["limits"] = ["limit", *[str(text) for text in corpus.MARKDOWN]]
    model["lead"]["title"] = "<b>Saison</b> {saison} <img src=x onerror=window.__pwned=50>"


def _drawn(said: dict[str, Any]) -> None:
    """Inputs stand in charts: they are called what a chart library would read as its own."""
    for feature, label in zip(said["models"]["kuendigung"]["features"].values(), corpus.DRAWN, strict=False):
        feature["label"] = label


def _access(said: dict[str, Any]) -> None:
    said["attributes"]["tour"]["values"] = list(TOURS)


_REPLACED = {"lake.yml": _lake, "metrics.yml": lambda _: None, "models.yml": _models, "access.yml": _access}


# ── the rows ──────────────────────────────────────────────────────────────────────────────────────


def houses() -> pd.DataFrame:
    """The customers, each named by a payload; a few by what is too long or holds a zero byte."""
    known = build.houses()
    payloads = [corpus.LONG, corpus.NUL, corpus.WIDE, *corpus.SHORT]
    known["betrieb"] = [payloads[i // 2 % len(payloads)] for i in range(len(known))]
    known["ort"] = [corpus.SHORT[i % 11] for i in range(len(known))]
    known["tour"] = known.tour.map(dict(zip(build.TOURS, TOURS, strict=True)))
    known["art"] = known.art.map(dict(zip(build.KINDS, KINDS, strict=True)))
    known["telefon"] = [corpus.ADDRESSES[i % len(corpus.ADDRESSES)] for i in range(len(known))]
    known["inhaberin"] = [corpus.MARKUP[i % len(corpus.MARKUP)] for i in range(len(known))]
    known["kennung"] = [_key(old, at) for at, old in enumerate(known.kennung)]
    return known


def _key(old: str, at: int) -> str:
    return f"{old} {corpus.SHORT[at % len(corpus.SHORT)]}" if at % 3 == 0 else old


def write_lake(raw: Path) -> None:
    """The raw lake, as Parquet, in files that are named like an attack too."""
    keys = dict(zip(build.houses().kennung, houses().kennung, strict=True))
    for folder in ("stamm", "buchhaltung", "vertraege"):
        (raw / folder).mkdir(parents=True, exist_ok=True)
    houses().to_parquet(raw / "stamm" / "abnehmer.parquet", index=False)
    delivered = build.deliveries()
    delivered["kennung"] = delivered.kennung.map(keys)
    delivered["gebaeck"] = [GOODS[i % len(GOODS)] for i in range(len(delivered))]
    delivered.to_parquet(raw / FILES["lieferungen"], index=False)
    for number, (_, part) in enumerate(contracts().groupby("saison", sort=False)):
        part.to_parquet(raw / "vertraege" / f"saison-{number}.parquet", index=False)


def contracts() -> pd.DataFrame:
    """The bakery's contracts under the hostile keys and names of inputs."""
    keys = dict(zip(build.houses().kennung, houses().kennung, strict=True))
    made = build.contracts()
    made["kennung"] = made.kennung.map(keys)
    made["saison"] = made.saison.replace({build.OPEN_SEASON: SEASON})
    return made.rename(columns=INPUTS)


def write_model(folder: Path) -> Path:
    """A booster of LightGBM, whose inputs may be called anything without blanks."""
    folder.mkdir(parents=True, exist_ok=True)
    known = contracts()
    known = known[known.saison.isin(["Frühling/2023", "Herbst/2023", "Frühling/2024"])]
    names = [INPUTS[name] for name in build.INPUTS]
    rows = lightgbm.Dataset(known[names].astype(float).to_numpy(), label=known.gekuendigt, feature_name=names)
    settings = {"objective": "binary", "num_leaves": 6, "verbose": -1, "num_threads": 1, "seed": 5}
    lightgbm.train(settings, rows, num_boost_round=40).save_model(folder / "model.lgb")
    flavors = {
        "python_function": {"loader_module": "mlflow.lightgbm", "data": "model.lgb"},
        "lightgbm": {"data": "model.lgb", "model_class": "lightgbm.basic.Booster"},
    }
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}), encoding="utf-8")
    return folder


# ── the instance ──────────────────────────────────────────────────────────────────────────────────


def open_hostile_sources(instance: Path) -> Sources:
    """Sources of the hostile instance with a clock that stands still."""
    sources = open_sources(instances.settings_of(instance, instance / "workspace"))
    registry = MemoryRegistry({(REGISTERED, "1"): instance / "registered"}, {(REGISTERED, "champion"): "1"})
    return replace(sources, clock=Clock(instances.BAKERY_NOW), registry=registry)


def build_hostile(instance: Path) -> Path:
    """Everything from nothing; then a file that cannot be read, work that waits, and people under every name."""
    workspace(instance / "workspace")
    write_lake(instance / "lake" / "raw")
    write_model(instance / "registered")
    sources = open_hostile_sources(instance)
    try:
        sources.store.migrate()
        done = refresh.refresh(sources)
        assert not done.held_back, done.held_back
        _add_people(sources)
        said = instances.admit_and_score(sources)
        assert sources.store.is_current() and any(said), said
        (instance / "lake" / "raw" / BROKEN).write_bytes(b"<script>window.__pwned=51</script>")
        assert refresh.refresh(sources).held_back
        sources.store.checkpoint()
    finally:
        sources.close()
    return instance


def _add_people(sources: Sources) -> None:
    for who, (role, attributes) in PEOPLE.items():
        kept = {name: list(values) for name, values in attributes.items()}
        accounts.create(sources, email=email_of(who), name=NAMES[who], role=role, attributes=kept, password=PASSWORD)
    with sources.store.begin() as session:
        for at, text in enumerate(corpus.SHORT):
            people.add(
                session, email=f"n{at}@people.example", name=text[:120], role="leitung", attributes={},
                password_hash="", created_at=sources.clock(), demo=False,
            )  # fmt: skip
