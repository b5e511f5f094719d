"""The types of a workspace: what the business means, as its YAML files say it.

Everything here is frozen and knows nothing of files, engines or people. ``data.workspace`` reads the
YAML into these types and reports every mistake with its file and line. Any code folder may import
this module; it imports nothing of ours.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

TITLE_COLUMN = re.compile(r"{(\w+)}")
Scalar = str | int | float | bool | date | datetime | None
Privacy = Literal["public", "internal", "personal", "sensitive"]
ColumnType = Literal["string", "integer", "number", "boolean", "date", "timestamp"]
Operator = Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "is_null", "not_null"]
Aggregation = Literal["sum", "avg", "count", "count_distinct", "median", "min", "max"]
Direction = Literal["up", "down", "neutral"]
Grain = Literal["day", "week", "month", "quarter", "year"]
EventClass = Literal["sessions", "reading", "taking", "people", "work"]

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Definition(BaseModel):
    """A piece of a workspace: cannot be changed, and refuses keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Noun(Definition):
    """A word of the business in singular and plural: household, households."""

    one: str
    many: str


class Condition(Definition):
    """One plain predicate: a column, an operator and a literal value (a list for ``in``/``not_in``)."""

    column: str
    operator: Operator = "eq"
    value: Scalar | tuple[Scalar, ...] = None


# ── lake.yml ──────────────────────────────────────────────────────────────────────────────────────


class Column(Definition):
    """A published column. A column that ``lake.yml`` does not name is not published.

    ``unit`` is ``currency``, ``percent`` (a share from 0 to 1, shown as %), or any other word that is
    shown behind the number. ``invented`` marks generated values, so that pages can say so.
    """

    label: str
    type: ColumnType | None = None
    unit: str | None = None
    privacy: Privacy = "internal"
    description: str = ""
    invented: bool = False
    required: bool = False


class Attach(Definition):
    """Columns of another dataset that publication copies in by a left join on its key.

    This is how a row-rule column of an entity reaches every dataset, so that a row rule is a plain
    predicate. ``on`` maps our column to theirs; ``columns`` maps the new name to the source's name.
    """

    dataset: Name = Field(alias="from")
    on: dict[str, str]
    columns: dict[str, str]


class CsvFormat(Definition):
    """How a CSV is written: delimiter, encoding, decimal mark and the words that mean "missing"."""

    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    missing: tuple[str, ...] = ("",)


class Dataset(Definition):
    """A table of the lake: where it lies, what a row stands for, and what its columns mean.

    ``path`` is relative to the lake's root and may hold a glob. ``freshness`` is the promised age of
    the newest row in days. ``order`` is the published order of rows.
    """

    label: str
    description: str = ""
    noun: Noun
    path: str
    format: Literal["parquet", "csv", "delta"] = "parquet"
    csv: CsvFormat = CsvFormat()
    key: tuple[str, ...]
    grain: str
    time: str | None = None
    freshness: int | None = Field(default=None, ge=0)
    columns: dict[str, Column]
    attach: tuple[Attach, ...] = ()
    order: tuple[str, ...] = ()


class LakeFile(Definition):
    """``lake.yml``: the business's name, its clock, its money, and its datasets.

    ``timezone`` is the IANA zone of business days; timestamps in the lake are UTC. ``clock: data``
    sets the workspace's "now" to the newest time in its data.
    """

    name: str
    timezone: str = "UTC"
    clock: Literal["now", "data"] = "now"
    currency: str = "USD"
    locale: str = "en_US"
    note: str = ""
    datasets: dict[Name, Dataset]


# ── metrics.yml ───────────────────────────────────────────────────────────────────────────────────


class Measure(Definition):
    """An aggregation of one column of one dataset; ``count`` needs no column."""

    dataset: Name
    agg: Aggregation
    column: str | None = None
    where: tuple[Condition, ...] = ()


class Target(Definition):
    """The value a metric should reach in a period of the given grain."""

    value: float
    grain: Grain = "month"


class Metric(Definition):
    """The only definition of a number.

    ``simple`` shows ``measure``. ``ratio`` is the sum of ``numerator`` over the sum of ``denominator``
    (measures; a list is added up), never an average of ratios. ``derived`` adds the metrics in ``plus`` and takes away
    those in ``minus``. ``cumulative`` is ``measure`` from the start of the ``since`` grain to the end of the period.
    """

    label: str
    kind: Literal["simple", "ratio", "derived", "cumulative"] = "simple"
    measure: Name | None = None
    numerator: tuple[Name, ...] = ()
    denominator: tuple[Name, ...] = ()
    plus: tuple[Name, ...] = ()
    minus: tuple[Name, ...] = ()
    since: Grain | None = None
    unit: str | None = None
    decimals: int | None = None
    good: Direction = "up"
    owner: str
    description: str
    target: Target | None = None


class Dimension(Definition):
    """An attribute to group and filter by: one column, in every dataset that publishes it."""

    label: str
    column: str
    datasets: tuple[Name, ...]
    description: str = ""


class Overview(Definition):
    """What the executive's page shows: the cards, the breakdowns, the models and the list results.

    ``expects`` names a model of ``models.yml`` whose scores are added up as an expectation, compared
    with the past of ``expects_metric``.
    """

    cards: tuple[Name, ...] = Field(min_length=1, max_length=5)
    dimensions: tuple[Name, ...]
    expects: Name | None = None
    expects_metric: Name | None = None
    lists: Name | None = None
    list_metrics: tuple[Name, ...] = ()


class MetricsFile(Definition):
    """``metrics.yml``: measures, metrics, dimensions and the overview built from them."""

    measures: dict[Name, Measure]
    metrics: dict[Name, Metric]
    dimensions: dict[Name, Dimension]
    overview: Overview


# ── models.yml ────────────────────────────────────────────────────────────────────────────────────


class Scored(Definition):
    """The dataset whose rows a model scores, the key of a row, and which rows."""

    dataset: Name
    key: tuple[str, ...]
    where: tuple[Condition, ...] = ()


class Baseline(Definition):
    """The simplest rule a model must beat: rank (or predict) by one column.

    For a classification the rule ranks rows by ``column`` in ``order``. For a regression the column
    itself is the prediction.
    """

    column: str
    order: Literal["highest", "lowest"] = "highest"
    label: str


class Phrases(Definition):
    """A feature as a reason in words. ``{value}`` is the row's value with its unit."""

    default: str | None = None
    missing: str | None = None
    zero: str | None = None


class Feature(Definition):
    """An input of a model as a person knows it.

    ``one_hot`` is the prefix of encoded input columns that belong to this feature; what follows the
    prefix is the category. ``actionable`` inputs can be changed by somebody; ``low``/``high`` bound what
    a person may try (the trained range bounds it where they are absent). ``direction`` says which way is allowed.
    """

    label: str
    group: str = "Other"
    unit: str | None = None
    decimals: int | None = None
    description: str = ""
    privacy: Privacy = "internal"
    one_hot: str | None = None
    actionable: bool = False
    integer: bool = False
    low: float | None = None
    high: float | None = None
    step: float | None = None
    direction: Literal["any", "up", "down"] = "any"
    words: dict[str, str] = {}
    phrases: Phrases = Phrases()


class Band(Definition):
    """A letter for scores of at least ``at_least`` (bands are listed from best to worst)."""

    name: str
    at_least: float
    label: str = ""


class Money(Definition):
    """What a success is worth: a fixed ``amount`` or a ``column`` of the scored dataset; ``cost`` of one action."""

    amount: float | None = None
    column: str | None = None
    cost: float = 0.0
    label: str = "Value"


class Outcomes(Definition):
    """Where it is recorded what happened, to replay a model on the past.

    ``where`` picks the finished rows that were not used in training. ``runs`` is the column that
    separates past lists; ``latest`` is ordered by ``time``.
    """

    dataset: Name
    column: str
    where: tuple[Condition, ...] = ()
    runs: str | None = None
    time: str | None = None
    delay_days: int = 0


class LeadList(Definition):
    """How a model's scores become a list that people work through.

    ``by`` is the column that separates lists ("campaign_id"); without it there is one. ``title`` may
    use ``{columns}`` of the scored dataset. ``name``, ``place`` and ``contacts`` are columns that the
    scored dataset publishes. ``rank_by`` may weigh the score with the money at stake.
    """

    title: str
    by: str | None = None
    order_lists_by: str | None = None
    name: str
    place: str | None = None
    contacts: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rank_by: Literal["score", "score_times_value"] = "score"

    @property
    def titled(self) -> tuple[str, ...]:
        """The columns that the title names, each once."""
        return tuple(dict.fromkeys(TITLE_COLUMN.findall(self.title)))


class Words(Definition):
    """The nouns of the business for this model: who is scored, what is done, what success is called."""

    entity: Noun
    success: Noun
    action: str = "contact"
    list: str = "list"


class ModelUse(Definition):
    """How the workspace uses one registered model."""

    registered: str
    alias: str = "champion"
    challenger: str | None = "challenger"
    label: str
    task: Literal["classification", "regression"]
    target: str
    positive: Scalar = None
    unit: str | None = None
    purpose: str = ""
    not_for: str = ""
    limits: tuple[str, ...] = ()
    owner: str = ""
    calibrated: bool = False
    scored: Scored
    words: Words
    lead: LeadList | None = None
    parent: Name | None = None
    baseline: Baseline | None = None
    features: dict[str, Feature]
    bands: tuple[Band, ...] = ()
    value: Money | None = None
    capacity: int | None = None
    outcomes: Outcomes | None = None


class ModelsFile(Definition):
    """``models.yml``: the registered models this workspace uses."""

    models: dict[Name, ModelUse]


# ── access.yml ────────────────────────────────────────────────────────────────────────────────────


class RowRule(Definition):
    """``column`` compared with an ``attribute`` of the viewer (a list of values), or with literals."""

    column: str
    operator: Operator = "in"
    attribute: str | None = None
    value: Scalar | tuple[Scalar, ...] = None


class RowGroup(Definition):
    """Rows of some datasets: all rules must hold. Several groups for a dataset are OR-ed.

    ``all_rows`` is the exemption by name; it needs a ``reason``, which people can read.
    ``datasets: ["*"]`` means every dataset that no other group of the role names.
    """

    datasets: tuple[str, ...]
    rules: tuple[RowRule, ...] = ()
    all_rows: bool = False
    reason: str = ""


class Masks(Definition):
    """Columns a role never sees: by privacy class, by ``dataset.column``, except some by name."""

    privacy: tuple[Privacy, ...] = ()
    columns: tuple[str, ...] = ()
    except_columns: tuple[str, ...] = ()


class Entry(Definition):
    """A word in the top bar and the address behind it."""

    label: str
    path: str


class Role(Definition):
    """A named set of grants with its home, its entries in the bar, its rows and its masks.

    ``second_factor`` asks for a code beside the password. ``groups`` are those of the identity provider that mean
    this role; the first role of the file that names a group somebody is in is theirs.
    """

    label: str
    question: str
    home: str
    entries: tuple[Entry, ...] = Field(max_length=5)
    actions: tuple[str, ...]
    rows: tuple[RowGroup, ...] = ()
    masks: Masks = Masks()
    second_factor: bool = False
    groups: tuple[str, ...] = ()


class Attribute(Definition):
    """A property of a person that row rules compare with; ``values`` are those allowed.

    ``claim`` names what the identity provider says of it; without one it is kept on the page People.
    """

    label: str
    values: tuple[str, ...]
    claim: str = ""


class StepUp(Definition):
    """Who takes more ``rows`` than these away must have proven who they are in the last ``minutes``."""

    rows: int = Field(default=1_000, ge=0)
    minutes: int = Field(default=15, ge=1)


class Limits(Definition):
    """How much one person may take: exports in an hour, exported rows in a day, moves of what-ifs in a minute."""

    exports_an_hour: int = Field(default=20, ge=1)
    rows_a_day: int = Field(default=200_000, ge=1)
    moves_a_minute: int = Field(default=600, ge=1)


class AccessFile(Definition):
    """``access.yml``: roles, the attributes that people carry, limits, and how long the log is kept.

    ``retention`` gives days by class of event; a class that it does not name is kept for ever. ``smallest_cell`` is
    the fewest things that a count of more than one's own rows may speak of: at least three, as "fewer than two" is one.
    """

    attributes: dict[Name, Attribute] = {}
    roles: dict[Name, Role]
    step_up: StepUp = StepUp()
    limits: Limits = Limits()
    retention: dict[EventClass, Annotated[int, Field(ge=30)]] = {}
    smallest_cell: int = Field(default=5, ge=3)


class Workspace(Definition):
    """A whole workspace, checked: names in one file exist in the others."""

    lake: LakeFile
    metrics: MetricsFile
    models: ModelsFile
    access: AccessFile
    fingerprint: str
