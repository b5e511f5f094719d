"""Do the files of a workspace fit together? Each problem is (file, key, value, sentence, allowed words)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.localedata import locale_identifiers
from babel.numbers import list_currencies

from data.definitions import (
    Attach,
    Condition,
    Dataset,
    LeadList,
    Measure,
    Metric,
    ModelUse,
    Outcomes,
    Role,
    RowRule,
    Workspace,
)

Problem = tuple[str, str, str, str, list[str]]
ENCODINGS = ("utf-8", "utf8", "utf-16", "latin-1", "latin1", "iso-8859-1")
ZONES = ["UTC", "Europe/Zurich", "Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "Asia/Tokyo"]


def problems(workspace: Workspace, actions: frozenset[str], addresses: Mapping[str, str]) -> Iterator[Problem]:
    """Every name that one file uses and another does not have."""
    yield from _lake(workspace)
    yield from _metrics(workspace)
    for name, model in workspace.models.models.items():
        yield from _model(workspace, name, model)
    for name, role in workspace.access.roles.items():
        yield from _role(workspace, name, role=role, actions=actions)
        yield from _addresses(f"roles.{name}", role, addresses)


def _known(file: str, key: str, value: str, allowed: Iterable[str], what: str) -> Iterator[Problem]:
    words = list(allowed)
    if value not in words:
        yield file, key, value, f"there is no {what} of this name", words


def _lake(workspace: Workspace) -> Iterator[Problem]:
    lake = workspace.lake
    try:
        ZoneInfo(lake.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield "lake.yml", "timezone", lake.timezone, "must be an IANA time zone such as Europe/Zurich", ZONES
    try:
        Locale.parse(lake.locale)
    except (UnknownLocaleError, ValueError):
        yield "lake.yml", "locale", lake.locale, "must be a locale such as de_CH", locale_identifiers()
    if lake.currency not in list_currencies():
        yield "lake.yml", "currency", lake.currency, "must be a currency's three letters such as CHF", []
    for name, dataset in lake.datasets.items():
        yield from _dataset(workspace, name, dataset)
    yield from _circle(lake.datasets)


def _dataset(workspace: Workspace, name: str, dataset: Dataset) -> Iterator[Problem]:
    at, file = f"datasets.{name}", "lake.yml"
    if not dataset.key:
        yield file, f"{at}.key", "", "a dataset needs the columns that name one row", []
    for part, columns in (("key", dataset.key), ("order", dataset.order)):
        for column in columns:
            yield from _known(file, f"{at}.{part}", column, dataset.columns, "declared column")
    if dataset.time:
        yield from _known(file, f"{at}.time", dataset.time, dataset.columns, "declared column")
        about = dataset.columns.get(dataset.time)
        if about and about.type not in (None, "date", "timestamp"):
            yield file, f"{at}.time", dataset.time, "a time column must be a date or a timestamp", []
    if dataset.format == "csv":
        if len(dataset.csv.delimiter) != 1 or dataset.csv.delimiter in "\"'\n":
            yield file, f"{at}.csv.delimiter", dataset.csv.delimiter, "must be one character", [",", ";", "|"]
        if dataset.csv.encoding.lower() not in ENCODINGS:
            yield file, f"{at}.csv.encoding", dataset.csv.encoding, "must be an encoding that is known", list(ENCODINGS)
    for place, attach in enumerate(dataset.attach):
        yield from _attach(workspace, dataset, f"{at}.attach.{place}", attach)


def _attach(workspace: Workspace, dataset: Dataset, key: str, attach: Attach) -> Iterator[Problem]:
    file, theirs = "lake.yml", workspace.lake.datasets.get(attach.dataset)
    yield from _known(file, f"{key}.from", attach.dataset, workspace.lake.datasets, "dataset")
    for ours in attach.on:
        yield from _known(file, f"{key}.on.{ours}", ours, dataset.columns, "declared column")
    for ours, other in attach.columns.items():
        yield from _known(file, f"{key}.columns.{ours}", ours, dataset.columns, "declared column")
        if theirs:
            yield from _known(file, f"{key}.columns.{ours}", other, theirs.columns, "declared column")
    for other in attach.on.values():
        if theirs:
            yield from _known(file, f"{key}.on", other, theirs.columns, "declared column")


def _circle(datasets: Mapping[str, Dataset]) -> Iterator[Problem]:
    """Datasets that attach each other cannot be published."""
    left = dict(datasets)
    while ready := [n for n, d in left.items() if not any(a.dataset in left for a in d.attach)]:
        left = {n: d for n, d in left.items() if n not in ready}
    if left:
        first = next(iter(left))
        yield "lake.yml", f"datasets.{first}.attach", ", ".join(left), "datasets must not attach each other", []


def _metrics(workspace: Workspace) -> Iterator[Problem]:
    file, datasets = "metrics.yml", workspace.lake.datasets
    for name, measure in workspace.metrics.measures.items():
        at = f"measures.{name}"
        yield from _known(file, f"{at}.dataset", measure.dataset, datasets, "dataset")
        if measure.dataset in datasets:
            yield from _measure(at, measure, datasets[measure.dataset])
    for name, metric in workspace.metrics.metrics.items():
        yield from _metric(workspace, name, metric)
    for name, dimension in workspace.metrics.dimensions.items():
        for dataset in dimension.datasets:
            yield from _known(file, f"dimensions.{name}.datasets", dataset, datasets, "dataset")
            if dataset in datasets:
                columns = datasets[dataset].columns
                yield from _known(file, f"dimensions.{name}.column", dimension.column, columns, "declared column")
    yield from _overview(workspace)


def _measure(at: str, measure: Measure, dataset: Dataset) -> Iterator[Problem]:
    file = "metrics.yml"
    if measure.column is None and measure.agg != "count":
        yield file, at, measure.agg, "this aggregation needs a column", []
    for column in (measure.column, *(c.column for c in measure.where)):
        if column is not None:
            yield from _known(file, f"{at}.column", column, dataset.columns, "declared column")
    about = dataset.columns.get(measure.column or "")
    if about and about.type not in (None, "integer", "number") and measure.agg in ("sum", "avg", "median"):
        yield file, f"{at}.agg", measure.agg, f"{measure.column} is no number: only count, min and max fit", []
    yield from _conditions(file, f"{at}.where", measure.where)


def _conditions(file: str, at: str, conditions: Iterable[Condition | RowRule]) -> Iterator[Problem]:
    """``in`` and ``not_in`` take a list, the others one value: a text would be read letter by letter."""
    for place, one in enumerate(conditions):
        if isinstance(one, RowRule) and one.attribute:
            continue
        key, many = f"{at}.{place}", isinstance(one.value, tuple)
        if one.operator in ("in", "not_in") and not many:
            yield file, key, str(one.value), f"{one.operator} needs a list of values, such as [a, b]", []
        elif one.operator not in ("in", "not_in", "is_null", "not_null") and (many or one.value is None):
            yield file, key, "", f"{one.operator} needs one value", []


def _overview(workspace: Workspace) -> Iterator[Problem]:
    file, over = "metrics.yml", workspace.metrics.overview
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
    wanted: dict[str, dict[str, object]] = {
        "simple": {"measure": metric.measure},
        "cumulative": {"measure": metric.measure, "since": metric.since},
        "ratio": {"numerator": metric.numerator, "denominator": metric.denominator},
        "derived": {"plus": metric.plus},
    }
    needs = wanted[metric.kind]
    for key, value in needs.items():
        if not value:
            yield file, at, metric.kind, f"a {metric.kind} metric needs {key}", []
    for measure in (metric.measure, *metric.numerator, *metric.denominator):
        if measure:
            yield from _known(file, at, measure, workspace.metrics.measures, "measure")
    for other in (*metric.plus, *metric.minus):
        yield from _known(file, at, other, workspace.metrics.metrics, "metric")
    if name in _built_from(workspace, name):
        yield file, at, name, "a metric must not be derived from itself", []


def _built_from(workspace: Workspace, name: str) -> set[str]:
    """Every metric that a derived metric is built from, through others too."""
    found: set[str] = set()
    left = [name]
    while left:
        metric = workspace.metrics.metrics.get(left.pop())
        new = {*(metric.plus + metric.minus if metric else ())} - found
        found |= new
        left += new
    return found


def _model(workspace: Workspace, name: str, model: ModelUse) -> Iterator[Problem]:
    file, at, datasets = "models.yml", f"models.{name}", workspace.lake.datasets
    yield from _known(file, f"{at}.scored.dataset", model.scored.dataset, datasets, "dataset")
    yield from _conditions(file, f"{at}.scored.where", model.scored.where)
    scored = datasets.get(model.scored.dataset)
    if scored:
        yield from _model_columns(at, model, scored)
    if model.parent:
        yield from _known(file, f"{at}.parent", model.parent, workspace.models.models, "model")
    if model.outcomes:
        yield from _outcomes(at, model.outcomes, datasets)
    if list(model.bands) != sorted(model.bands, key=lambda b: -b.at_least):
        yield file, f"{at}.bands", "", "bands must be listed from the highest to the lowest limit", []


def _outcomes(at: str, outcomes: Outcomes, datasets: Mapping[str, Dataset]) -> Iterator[Problem]:
    file = "models.yml"
    yield from _known(file, f"{at}.outcomes.dataset", outcomes.dataset, datasets, "dataset")
    yield from _conditions(file, f"{at}.outcomes.where", outcomes.where)
    past = datasets.get(outcomes.dataset)
    for column in (outcomes.column, outcomes.runs, outcomes.time, *(c.column for c in outcomes.where)):
        if column and past:
            yield from _known(file, f"{at}.outcomes", column, past.columns, "declared column")


def _model_columns(at: str, model: ModelUse, scored: Dataset) -> Iterator[Problem]:
    file = "models.yml"
    named = [("scored.key", c) for c in model.scored.key] + [("scored.where", c.column) for c in model.scored.where]
    if model.baseline:
        named.append(("baseline.column", model.baseline.column))
    if model.value and model.value.column:
        named.append(("value.column", model.value.column))
    named += _lead_columns(model.lead) if model.lead else []
    for key, column in named:
        yield from _known(file, f"{at}.{key}", column, scored.columns, "declared column")
    for name, feature in model.features.items():
        if feature.one_hot is None:
            yield from _known(file, f"{at}.features.{name}", name, scored.columns, "declared column")
        elif name not in scored.columns and not any(c.startswith(feature.one_hot) for c in scored.columns):
            yield file, f"{at}.features.{name}.one_hot", feature.one_hot, "no declared column starts with this", []


def _lead_columns(lead: LeadList) -> list[tuple[str, str]]:
    named = [("lead.name", lead.name)] + [("lead.columns", c) for c in lead.columns]
    named += [("lead.contacts", c) for c in lead.contacts]
    named += [("lead.title", c) for c in lead.titled]
    once = (("by", lead.by), ("place", lead.place), ("order_lists_by", lead.order_lists_by))
    return named + [(f"lead.{key}", column) for key, column in once if column]


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
        yield from _conditions(file, f"{key}.rules", group.rules)
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


def _addresses(at: str, role: Role, addresses: Mapping[str, str]) -> Iterator[Problem]:
    """The home and the entries of a role are pages that it may open, and the home is one of its entries."""
    named = [(f"{at}.home", role.home), *((f"{at}.entries.{n}", e.path) for n, e in enumerate(role.entries))]
    for key, path in named if addresses else ():
        yield from _known("access.yml", key, path, addresses, "page")
        needed = addresses.get(path, "")
        if needed and needed not in role.actions:
            yield "access.yml", key, path, f"this page needs the action {needed}, which the role does not have", []
    entries = [e.path for e in role.entries]
    if role.home in addresses and role.home not in entries:
        yield "access.yml", f"{at}.home", role.home, "the home must be one of the entries", entries
