"""The models that the overview speaks of, as they stand: their current run, or why there is none."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from data import catalogue_log
from data.definitions import ModelUse
from services import access, runs
from services.kpi_answers import Attention, Problem
from services.kpi_desk import Desk
from services.runs import Run
from services.sources import Sources


@dataclass(frozen=True)
class Model:
    """A model that the overview names: how the workspace uses it, its current run, and why it has none."""

    name: str
    use: ModelUse
    run: Run | None
    refused: str


@dataclass(frozen=True)
class Models:
    """The models of the overview."""

    expects: Model | None
    lists: Model | None

    @property
    def key(self) -> Hashable:
        """Changes when a run, or the reason why there is none, does."""
        return tuple(
            (m.name, m.refused, m.run and (m.run.version, m.run.digest, m.run.scores, m.run.replay, m.run.waiting))
            for m in (self.expects, self.lists)
            if m
        )

    @property
    def each(self) -> tuple[Model, ...]:
        """Every model once."""
        return tuple({m.name: m for m in (self.expects, self.lists) if m}.values())


def models_of(sources: Sources) -> Models:
    """The models that the workspace's overview names, as they stand now."""
    about = sources.workspace.metrics.overview
    return Models(_model(sources, about.expects), _model(sources, about.lists))


def _model(sources: Sources, name: str | None) -> Model | None:
    if name is None:
        return None
    use, run = sources.workspace.models.models[name], runs.current_run(sources, name)
    refused = ""
    if run is None:
        with sources.store.read() as session:
            version = catalogue_log.with_alias(session, use.registered, use.alias)
            refused = version.reason if version is not None and version.state == "refused" else ""
    return Model(name, use, run, refused)


def attention(desk: Desk, models: Models) -> tuple[Attention, ...]:
    """Models that do not speak for the newest data."""
    return tuple(
        Attention(m.use.label, m.refused or (m.run.waiting if m.run else ""), card_of(desk, m))
        for m in models.each
        if m.refused or (m.run and m.run.waiting)
    )


def card_of(desk: Desk, model: Model) -> str:
    """The address of a model's card, "" where the viewer may not read it."""
    return f"/models/{model.name}" if access.decide(desk.viewer, "models:read").allowed else ""


def not_ready(desk: Desk, model: Model, title: str) -> Problem:
    """Why a model has no run yet, and what to do."""
    label = model.use.label
    if model.refused:
        return Problem(f"{label} was refused: {model.refused}", "The data team can register another version.", title)
    if desk.waiting:
        return Problem(desk.waiting, "", title, "not_ready")
    return Problem(f"{label} has not scored yet.", "It appears here when it has.", title, "not_ready")
