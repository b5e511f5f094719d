"""The oracle of rows: published Delta files read by pandas, filtered by the words of the policy, ranked by counting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from data.definitions import Role, Workspace
from data.questions import Order
from tests import policy_by_hand
from tests.bakery import build
from tests.policy_by_hand import Held
from tests.surfaces.drawn import MODEL, Person

LIMITS = {"hoch": (0.5, 2.0), "mittel": (0.2, 0.5), "tief": (0.0, 0.2)}
TEXTS = ("betrieb", "ort", "telefon")
LIST_COLUMNS = {
    "score": "score",
    "band": "band",
    "value": "jahresumsatz",
    "betrieb": "betrieb",
    "ort": "ort",
    "telefon": "telefon",
}
"""The columns of the bakery's list, each with the column of the dataset that must not be hidden."""
FOLDED = 3


class Stored:
    """One published table in its own order: a frame, and each column as places among its distinct values."""

    def __init__(self, folder: Path) -> None:
        table = DeltaTable(str(folder)).to_pyarrow_table()
        if "row_id" in table.column_names:
            table = table.sort_by("row_id")
        texts = [f.name for f in table.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        plain = {name: pd.Series(table.column(name).to_pylist(), dtype=object) for name in texts}
        self.frame: pd.DataFrame = table.to_pandas().assign(**plain)
        self._table, self._coded = table, {}  # type: ignore[var-annotated]

    def values(self, column: str) -> tuple[list[Any], np.ndarray]:
        """The distinct values of a column, a missing one as None, and the place of each row's value among them."""
        if column not in self._coded:
            coded = pc.dictionary_encode(self._table.column(column).combine_chunks(), null_encoding="encode")
            self._coded[column] = (coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False))
        return self._coded[column]

    def seen(self, role: Role, held: Held, dataset: str) -> np.ndarray:
        """Which rows the policy lets through: each distinct value is held to each rule."""
        found = np.zeros(len(self.frame), dtype=bool)
        for group in policy_by_hand.groups_for(role, dataset):
            if group.all_rows:
                return np.ones(len(self.frame), dtype=bool)
            inside = np.full(len(self.frame), bool(group.rules))
            for rule in group.rules:
                values, places = self.values(rule.column)
                inside &= np.array([policy_by_hand.rule_holds(rule, held, v) for v in values], dtype=bool)[places]
            found |= inside
        return found


@dataclass(frozen=True)
class Books:
    """Everything that was published, as it lies on disk."""

    folder: Path
    workspace: Workspace

    @cached_property
    def tables(self) -> Mapping[str, Stored]:
        """Each table by name."""
        names = [
            *self.workspace.lake.datasets,
            *(f"{k}_{MODEL}" for k in ("scores", "explanations", "inputs", "replay")),
        ]
        return {name: Stored(self.folder / name) for name in names}

    @cached_property
    def importance(self) -> Mapping[str, float]:
        """Mean size of the contributions of each feature over all rows of the run."""
        shap = self.tables[f"explanations_{MODEL}"].frame
        return {c.removeprefix("shap_"): float(shap[c].abs().mean()) for c in shap if c.startswith("shap_")}

    @cached_property
    def _booster(self) -> Any:
        return build.train()

    def booster_says(self, row: np.ndarray) -> float:
        """The model's own score of one row of inputs."""
        return float(self._booster.inplace_predict(row.reshape(1, -1))[0])

    def seen(self, person: Person, dataset: str, table: str = "") -> np.ndarray:
        """Which rows of a dataset (or of a table of the run over it) somebody sees."""
        return self.tables[table or dataset].seen(person.role, person.held, dataset)

    def hidden(self, person: Person, dataset: str) -> frozenset[str]:
        """The columns of a dataset that somebody never sees."""
        columns = self.workspace.lake.datasets[dataset].columns
        return policy_by_hand.hidden(self.workspace, person.role, dataset, columns)

    def scored(self, person: Person) -> pd.DataFrame:
        """The scored rows that somebody sees, with the rank of each in its own list."""
        rows = self.tables[f"scores_{MODEL}"].frame[self.seen(person, "vertraege", f"scores_{MODEL}")]
        return rows.assign(
            rank=rows.groupby("saison").cumcount() + 1,
            key=[key(k, s) for k, s in zip(rows.kennung, rows.saison, strict=True)],
        )

    def columns(self, person: Person) -> tuple[str, ...]:
        """The columns of the list that somebody sees."""
        hidden = self.hidden(person, "vertraege")
        return tuple(field for field, column in LIST_COLUMNS.items() if column not in hidden)

    def hidden_features(self, person: Person) -> frozenset[str]:
        """The inputs of the model that somebody may not see; an encoded one is hidden with any of its columns."""
        hidden = self.hidden(person, "vertraege")
        features = self.workspace.models.models[MODEL].features
        return frozenset(
            n
            for n, f in features.items()
            if n in hidden or (f.one_hot and any(c.startswith(f.one_hot) for c in hidden))
        )

    def named(self, person: Person) -> frozenset[str]:
        """The features that have a line of their own: the lightest visible ones are folded with the hidden."""
        hidden, weight = self.hidden_features(person), self.importance
        left = sorted((n for n in weight if n not in hidden), key=lambda n: (weight[n], n))
        heavy, kept, counted, covered = sum(weight[n] for n in hidden), list(left), 0, 0.0
        for name in left if hidden else ():
            if counted >= FOLDED and covered >= heavy:
                break
            kept.remove(name)
            counted, covered = counted + (weight[name] > 0), covered + weight[name]
        return frozenset(kept)


def key(*parts: str) -> str:
    """A row's name in an address."""
    return "~".join(quote(p, safe="").replace("~", "%7E") for p in parts)


# ── one list ──────────────────────────────────────────────────────────────────────────────────────


def refused(columns: tuple[str, ...], query: Any) -> bool:
    """Does the question name a column that is not in the viewer's list?"""
    named = {*(query.filters or {}), *(o.column for o in query.sort if o.column != "rank")}
    return bool(named - set(columns))


def matching(rows: pd.DataFrame, columns: tuple[str, ...], query: Any, *, bands: bool = True) -> pd.DataFrame:
    """The rows of a list that a question leaves, in published order."""
    keep = np.ones(len(rows), dtype=bool)
    if bands and query.bands:
        keep &= np.any([_in_band(rows, b) for b in query.bands], axis=0)
    said = query.search.strip().lower()
    if said:
        texts = [rows[c] for c in TEXTS if c in columns]
        keep &= (
            np.any([[said in v.lower() if isinstance(v, str) else False for v in t] for t in texts], axis=0)
            if texts
            else False
        )
    for field, one in (query.filters or {}).items():
        keep &= _passes(rows, field, one)
    return rows[keep]


def ordered(rows: pd.DataFrame, sort: tuple[Order, ...]) -> pd.DataFrame:
    """By the steps in turn, blanks last either way, ties as published."""
    made = rows
    for step in reversed(sort):
        values = made["rank" if step.column == "rank" else LIST_COLUMNS[step.column]]
        blank = made[values.isna()]
        known = made[values.notna()]
        kept = known[LIST_COLUMNS.get(step.column, "rank")]
        numbers = pd.Series(kept.map(lambda v: v.encode() if isinstance(v, str) else v), index=known.index)
        codes = {v: at for at, v in enumerate(sorted(set(numbers)))}
        places = numbers.map(codes).to_numpy(dtype=int)
        made = pd.concat([known.iloc[np.argsort(-places if step.descending else places, kind="stable")], blank])
    return made


def _in_band(rows: pd.DataFrame, band: str) -> np.ndarray:
    low, high = LIMITS[band]
    return ((rows.score >= low) & (rows.score < high)).to_numpy()


def _passes(rows: pd.DataFrame, field: str, said: Mapping[str, Any]) -> np.ndarray:
    values = rows[LIST_COLUMNS[field]]
    test, wanted = said["type"], said.get("filter")
    if test in ("blank", "notBlank"):
        return (values.isna() if test == "blank" else values.notna()).to_numpy()
    if field in ("score", "value"):
        scale = 0.01 if field == "score" else 1.0
        low, high = wanted * scale, said.get("filterTo", 0) * scale
        tests = {"inRange": lambda v: low <= v <= high, "lessThan": lambda v: v < low,
                 "greaterThanOrEqual": lambda v: v >= low, "notEqual": lambda v: v != low}  # fmt: skip
    else:
        small = wanted.lower()
        tests = {"contains": lambda v: small in v.lower(), "startsWith": lambda v: v.lower().startswith(small),
                 "equals": lambda v: v == wanted, "notEqual": lambda v: v != wanted}  # fmt: skip
    return np.array([False if pd.isna(v) else bool(tests[test](v)) for v in values], dtype=bool)
