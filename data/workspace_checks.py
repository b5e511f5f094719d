"""Do the files of a workspace fit together? Each problem is (file, key, value, sentence, allowed words)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from data.definitions import Dataset, Metric, ModelUse, Role, Workspace

Problem = tuple[str, str, str, str, list[str]]


def problems(workspace: Workspace, actions: frozenset[str]) -> Iterator[Problem]:
    """Every name that one file uses and another does not have."""
    yield from _lake(workspace)
    yield from _metrics(workspace)
    for name, model in workspace.models.models.items():
        yield from _model(workspace, name, model)
    for name, role in workspace.access.roles.items():
        yield from _role(workspace, name, role=role, actions=actions)


def _known(file: str, key: str, value: str, allowed: Iterable[str], what: str) -> Iterator[Problem]:
    words = list(allowed)
    if value not in words:
        yield file, key, value, f"there is no {what} of this name", words


def _lake(workspace: Workspace) -> Iterator[Problem]:
    lake = workspace.lake
    try:
        ZoneInfo(lake.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        yield "lake.yml", "timezone", lake.timezone, "must be an IANA time zone such as Europe/Zurich", []
    for name, dataset in lake.datasets.items():
        at = f"datasets.{name}"
        for part, columns in (("key", dataset.key), ("order", dataset.order)):
            for column in columns:
                yield from _known("lake.yml", f"{at}.{part}", column, dataset.columns, "declared column")
        if dataset.time:
            yield from _known("lake.yml", f"{at}.time", dataset.time, dataset.columns, "declared column")
        for place, attach in enumerate(dataset.attach):
            key = f"{at}.attach.{place}"
            yield from _known("lake.yml", f"{key}.from", attach.dataset, lake.datasets, "dataset")
            theirs = lake.datasets.get(attach.dataset)
            for ours, other in attach.columns.items():
                yield from _known("lake.yml", f"{key}.columns.{ours}", ours, dataset.columns, "declared column")
                if theirs:
                    yield from _known("lake.yml", f"{key}.columns.{ours}", other, theirs.columns, "declared column")
            for other in attach.on.values() if theirs else ():
                yield from _known("lake.yml", f"{key}.on", other, theirs.columns if theirs else (), "declared column")


def _metrics(workspace: Workspace) -> Iterator[Problem]:
    file, datasets = "metrics.yml", workspace.lake.datasets
    for name, measure in workspace.metrics.measures.items():
        at = f"measures.{name}"
        yield from _known(file, f"{at}.dataset", measure.dataset, datasets, "dataset")
        columns = datasets[measure.dataset].columns if measure.dataset in datasets else None
        if measure.column is None and measure.agg != "count":
            yield file, at, measure.agg, "this aggregation needs a column", []
        for column in (measure.column, *(c.column for c in measure.where)):
            if column is not None and columns is not None:
                yield from _known(file, f"{at}.column", column, columns, "declared column")
    for name, metric in workspace.metrics.metrics.items():
        yield from _metric(workspace, name, metric)
    for name, dimension in workspace.metrics.dimensions.items():
        for dataset in dimension.datasets:
            yield from _known(file, f"dimensions.{name}.datasets", dataset, datasets, "dataset")
            if dataset in datasets:
                columns = datasets[dataset].columns
                yield from _known(file, f"dimensions.{name}.column", dimension.column, columns, "declared column")
    over = workspace.metrics.overview
    for key, metrics in (
        ("cards", over.cards),
        ("list_metrics", over.list_metrics),
        ("expects_metric", (over.expects_metric,)),
    ):
        for one in metrics:
            if one:
                yield from _known(file, f"overview.{key}", one, workspace.metrics.metrics, "metric")
    for one in over.dimensions:
        yield from _known(file, "overview.dimensions", one, workspace.metrics.dimensions, "dimension")
    for key, model in (("expects", over.expects), ("lists", over.lists)):
        if model:
            yield from _known(file, f"overview.{key}", model, workspace.models.models, "model")


def _metric(workspace: Workspace, name: str, metric: Metric) -> Iterator[Problem]:
    file, at = "metrics.yml", f"metrics.{name}"
    needs = {
        "simple": {"measure": metric.measure},
        "cumulative": {"measure": metric.measure, "since": metric.since},
        "ratio": {"numerator": metric.numerator, "denominator": metric.denominator},
        "derived": {"plus": metric.plus},
    }[metric.kind]
    for key, value in needs.items():
        if not value:
            yield file, at, metric.kind, f"a {metric.kind} metric needs {key}", []
    for measure in (metric.measure, *metric.numerator, *metric.denominator):
        if measure:
            yield from _known(file, at, measure, workspace.metrics.measures, "measure")
    for other in (*metric.plus, *metric.minus):
        yield from _known(file, at, other, workspace.metrics.metrics, "metric")


def _model(workspace: Workspace, name: str, model: ModelUse) -> Iterator[Problem]:
    file, at, datasets = "models.yml", f"models.{name}", workspace.lake.datasets
    yield from _known(file, f"{at}.scored.dataset", model.scored.dataset, datasets, "dataset")
    scored = datasets.get(model.scored.dataset)
    if scored:
        yield from _model_columns(at, model, scored)
    if model.outcomes:
        yield from _known(file, f"{at}.outcomes.dataset", model.outcomes.dataset, datasets, "dataset")
        past = datasets.get(model.outcomes.dataset)
        wanted = (
            model.outcomes.column,
            model.outcomes.runs,
            model.outcomes.time,
            *(c.column for c in model.outcomes.where),
        )
        for column in wanted if past else ():
            if column:
                yield from _known(file, f"{at}.outcomes", column, past.columns if past else (), "declared column")
    if list(model.bands) != sorted(model.bands, key=lambda b: -b.at_least):
        yield file, f"{at}.bands", "", "bands must be listed from the highest to the lowest limit", []


def _model_columns(at: str, model: ModelUse, scored: Dataset) -> Iterator[Problem]:
    file = "models.yml"
    lead = model.lead
    named = [("scored.key", c) for c in model.scored.key] + [("scored.where", c.column) for c in model.scored.where]
    if model.baseline:
        named.append(("baseline.column", model.baseline.column))
    if model.value and model.value.column:
        named.append(("value.column", model.value.column))
    if lead:
        named += [("lead.name", lead.name)] + [("lead.columns", c) for c in lead.columns]
        named += [("lead.contacts", c) for c in lead.contacts]
        named += [(f"lead.{k}", c) for k, c in (("by", lead.by), ("place", lead.place)) if c]
    for key, column in named:
        yield from _known(file, f"{at}.{key}", column, scored.columns, "declared column")
    for name, feature in model.features.items():
        if feature.one_hot is None:
            yield from _known(file, f"{at}.features.{name}", name, scored.columns, "declared column")
        elif not any(c.startswith(feature.one_hot) for c in scored.columns):
            yield file, f"{at}.features.{name}.one_hot", feature.one_hot, "no declared column starts with this", []


def _role(workspace: Workspace, name: str, *, role: Role, actions: frozenset[str]) -> Iterator[Problem]:
    file, at, datasets = "access.yml", f"roles.{name}", workspace.lake.datasets
    for action in role.actions if actions else ():
        yield from _known(file, f"{at}.actions", action, actions, "action")
    named = {d for group in role.rows for d in group.datasets if d != "*"}
    for place, group in enumerate(role.rows):
        key = f"{at}.rows.{place}"
        if group.all_rows and not group.reason:
            yield file, key, "", "an exemption (all_rows) needs a reason that people can read", []
        if not group.all_rows and not group.rules:
            yield file, key, "", "a group of rows needs rules, or all_rows with a reason", []
        for one in group.datasets:
            if one != "*":
                yield from _known(file, f"{key}.datasets", one, datasets, "dataset")
        covered = [d for d in datasets if d not in named] if "*" in group.datasets else list(group.datasets)
        for rule in group.rules:
            if rule.attribute:
                yield from _known(file, f"{key}.rules", rule.attribute, workspace.access.attributes, "attribute")
            for one in covered:
                if one in datasets:
                    yield from _known(file, f"{key}.rules", rule.column, datasets[one].columns, f"column in {one}")
    for column in (*role.masks.columns, *role.masks.except_columns):
        dataset, _, own = column.partition(".")
        yield from _known(file, f"{at}.masks", dataset, datasets, "dataset")
        if dataset in datasets:
            yield from _known(file, f"{at}.masks", own, datasets[dataset].columns, "declared column")
