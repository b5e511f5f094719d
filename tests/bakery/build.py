"""The bakery's lake and its registered model: a few thousand rows, the same every time. Takes about a second."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost
import yaml

from models.registry_memory import MemoryRegistry

WORKSPACE = Path(__file__).parent / "workspace"
REGISTERED = "Kündigung (Verträge)"
TOURS = ("Nord/See", "Süd & Tal", "Stadt 'Mitte'")
KINDS = ("Café", "Hotel", "Altersheim", "Laden/Kiosk")
GOODS = ("Weggli", "Gipfeli", "Ruchbrot", "Nussgipfel (gross)")
SEASONS = {"Frühling/2023": date(2023, 3, 1), "Herbst/2023": date(2023, 9, 1), "Frühling/2024": date(2024, 3, 1)}
SEASONS |= {"Herbst/2024": date(2024, 9, 1), "Winter/2024": date(2024, 11, 15)}
OPEN_SEASON = "Winter/2024"
LAST_DAY = date(2024, 11, 30)
HOUSES = 180
INPUTS = ("bestelltage", "reklamationen", "lieferzeit", "rabatt", "zahlungsziel", *(f"art={k}" for k in KINDS))
ODD_NAMES = {
    3: '<script>alert("Gipfeli")</script>',
    4: "=2+5 Bäckerei",
    5: "O'Hara; drop table vertraege; --",
    6: "Zum goldenen\nLöwen",
    7: "Café «Ü/Ä~ö» 100 %",
}


def houses() -> pd.DataFrame:
    """The customers. Their keys hold umlauts, a slash, a tilde, a blank and a percent sign."""
    rng = np.random.default_rng(7)
    numbers = np.arange(HOUSES)
    names = [ODD_NAMES.get(i, f"Haus {i:03d} am Bächli") for i in numbers]
    return pd.DataFrame(
        {
            "kennung": [f"Ä{i:03d}/{'ZH' if i % 2 else 'Bä~re'} {i % 7}%" for i in numbers],
            "betrieb": names,
            "ort": rng.choice(["Zürich", "Rüti", "Näfels"], HOUSES),
            "tour": [TOURS[i % 3] for i in numbers],
            "art": rng.choice(KINDS, HOUSES),
            "inhaberin": [f"Inhaberin{i:03d} {TOURS[i % 3][:3]}" for i in numbers],
            "telefon": [f"+41 44 555 {i:04d}" for i in numbers],
        }
    )


def deliveries() -> pd.DataFrame:
    """Two years of deliveries up to ``LAST_DAY``: typed as the CSV will say them."""
    rng = np.random.default_rng(11)
    count, known = 6_000, houses()
    days = (LAST_DAY - date(2023, 1, 1)).days
    pieces = rng.integers(5, 1_500, count)
    worth = np.round(pieces * rng.uniform(0.4, 3.2, count), 2)
    ago = rng.integers(0, days + 1, count)
    ago[:25] = 0
    made = pd.DataFrame(
        {
            "beleg": [f"B-{i:05d}/ü" for i in range(count)],
            "kennung": rng.choice(known.kennung, count),
            "tag": [LAST_DAY - timedelta(days=int(a)) for a in ago],
            "gebaeck": rng.choice(GOODS, count, p=[0.5, 0.3, 0.195, 0.005]),
            "menge": pieces,
            "umsatz": worth,
            "retouren": np.where(rng.random(count) < 0.1, np.nan, np.round(worth * rng.uniform(0, 0.1, count), 2)),
        }
    )
    made.loc[rng.random(count) < 0.01, "gebaeck"] = None
    return made


def contracts() -> pd.DataFrame:
    """One row per customer and season; the outcome of the open season is unknown."""
    rng = np.random.default_rng(13)
    parts = []
    for season, begins in SEASONS.items():
        known = houses()
        part = pd.DataFrame(
            {
                "kennung": known.kennung,
                "saison": season,
                "beginn": begins,
                "jahresumsatz": np.round(rng.gamma(2.0, 9_000, HOUSES), 2),
                "bestelltage": np.round(rng.uniform(1, 7, HOUSES), 1),
                "reklamationen": rng.poisson(1.2, HOUSES),
                "lieferzeit": np.where(rng.random(HOUSES) < 0.05, np.nan, np.round(rng.gamma(2.0, 6.0, HOUSES), 0)),
                "rabatt": np.round(rng.uniform(0, 0.2, HOUSES), 2),
                "zahlungsziel": rng.integers(0, 4, HOUSES),
                **{f"art={kind}": (known.art == kind).astype(int) for kind in KINDS},
            }
        )
        margin = 0.9 * part.reklamationen + 0.08 * part.lieferzeit.fillna(12) - 9 * part.rabatt
        margin += 0.5 * part.zahlungsziel + 0.8 * part["art=Hotel"] - 0.3 * part.bestelltage - 1.4
        happened = rng.random(HOUSES) < 1 / (1 + np.exp(-margin))
        part["gekuendigt"] = happened.astype(float) if season != OPEN_SEASON else np.nan
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def csv_text(frame: pd.DataFrame) -> str:
    """Deliveries as the accountants write them: semicolons, decimal commas, "k.A." where nothing is known."""

    def money(value: float) -> str:
        return "k.A." if pd.isna(value) else f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")

    lines = [";".join(frame.columns)]
    for row in frame.itertuples(index=False):
        what = row.gebaeck if pd.notna(row.gebaeck) else ""
        said = (row.beleg, row.kennung, row.tag, what, row.menge, money(row.umsatz), money(row.retouren))
        lines.append(";".join(map(str, said)))
    return "\n".join(lines) + "\n"


def write_lake(raw: Path) -> None:
    """The raw lake: Parquet for customers and contracts (one file a season), CSV for deliveries."""
    for folder in ("stamm", "buchhaltung", "vertraege"):
        (raw / folder).mkdir(parents=True, exist_ok=True)
    houses().to_parquet(raw / "stamm" / "abnehmer.parquet", index=False)
    (raw / "buchhaltung" / "lieferungen-2024.csv").write_text(csv_text(deliveries()), encoding="latin-1")
    for number, (_, part) in enumerate(contracts().groupby("saison", sort=False)):
        part.to_parquet(raw / "vertraege" / f"saison-{number}.parquet", index=False)


def train() -> xgboost.Booster:
    """The model, from the seasons before the one it is replayed on."""
    known = contracts()
    known = known[known.saison.isin(["Frühling/2023", "Herbst/2023", "Frühling/2024"])]
    matrix = xgboost.DMatrix(
        known[list(INPUTS)].astype(float).to_numpy(), label=known.gekuendigt, feature_names=list(INPUTS)
    )
    settings = {"objective": "binary:logistic", "max_depth": 3, "eta": 0.15, "nthread": 1, "seed": 5}
    return xgboost.train(settings, matrix, num_boost_round=50)


def write_model(folder: Path) -> Path:
    """The folder MLflow would have logged: a booster, no signature and no contract."""
    folder.mkdir(parents=True, exist_ok=True)
    train().save_model(folder / "model.ubj")
    flavors = {
        "python_function": {"loader_module": "mlflow.xgboost", "data": "model.ubj"},
        "xgboost": {"data": "model.ubj", "model_class": "xgboost.core.Booster", "model_format": "ubj"},
    }
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}), encoding="utf-8")
    return folder


def registry_of(folder: Path) -> MemoryRegistry:
    """A registry that holds the model of this folder as version 1, champion."""
    return MemoryRegistry({(REGISTERED, "1"): folder}, {(REGISTERED, "champion"): "1"})
