"""The workspace parser: every mistake at once, each with file, line, key and the nearest right word."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from data.workspace import Mistake, WorkspaceMistakes, read_workspace
from services.access import ACTIONS, ADDRESSES
from services.settings import DEMO_WORKSPACE
from tests.bakery import build


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the bakery's workspace to spoil."""
    return Path(shutil.copytree(build.WORKSPACE, tmp_path / "workspace"))


def spoil(folder: Path, file: str, *changes: tuple[str, str]) -> int:
    """Replace words of a file; gives the line of the last one."""
    text = (folder / file).read_text(encoding="utf-8")
    line = 0
    for old, new in changes:
        assert text.count(old) >= 1, old
        line = text[: text.index(old)].count("\n") + 1
        text = text.replace(old, new, 1)
    (folder / file).write_text(text, encoding="utf-8")
    return line


def mistakes(folder: Path) -> tuple[Mistake, ...]:
    with pytest.raises(WorkspaceMistakes) as told:
        read_workspace(folder, actions=ACTIONS, addresses=ADDRESSES)
    return told.value.mistakes


@pytest.mark.parametrize("folder_", [build.WORKSPACE, DEMO_WORKSPACE], ids=["bakery", "demo"])
def test_the_workspaces_we_ship_have_no_mistake(folder_):
    assert read_workspace(folder_, actions=ACTIONS, addresses=ADDRESSES).lake.name


def test_a_workspace_is_read_as_it_says(folder):
    read = read_workspace(folder, actions=ACTIONS)
    assert (read.lake.name, read.lake.currency, read.lake.timezone) == ("Bäckerei Morgenrot", "CHF", "Europe/Zurich")
    assert read.lake.datasets["lieferungen"].csv.missing == ("", "k.A.")
    assert read.access.attributes["tour"].values == ("Nord/See", "Süd & Tal", "Stadt 'Mitte'")
    assert read.models.models["kuendigung"].features["art"].one_hot == "art="


def test_the_fingerprint_changes_with_every_file(folder):
    before = read_workspace(folder).fingerprint
    for file in ("lake.yml", "metrics.yml", "models.yml", "access.yml"):
        with (folder / file).open("a") as handle:
            handle.write("# a remark\n")
        after = read_workspace(folder).fingerprint
        assert after != before
        before = after


# Each case: file, what is written instead of what, and the mistake's key, value, sentence and nearest right word.
ONE = [
    ("lake.yml", "freshness: 5", "freshnes: 5", "datasets.lieferungen.freshnes", "",
     "this key is not known", "freshness"),
    ("lake.yml", "freshness: 5", "freshness: -1", "datasets.lieferungen.freshness", "-1",
     "input should be greater than or equal to 0", ""),
    ("lake.yml", "freshness: 5", "freshness: soon", "datasets.lieferungen.freshness", "'soon'",
     "input should be a valid integer, unable to parse string as an integer", ""),
    ("lake.yml", "format: csv", "format: cvs", "datasets.lieferungen.format", "'cvs'",
     "input should be 'parquet', 'csv' or 'delta'", "csv"),
    ("lake.yml", "timezone: Europe/Zurich", "timezone: Europe/Zürich", "timezone", "Europe/Zürich",
     "must be an IANA time zone such as Europe/Zurich", "Europe/Zurich"),
    ("lake.yml", "locale: de_CH", "locale: de_XY", "locale", "de_XY", "must be a locale such as de_CH", None),
    ("lake.yml", "currency: CHF", "currency: Franken", "currency", "Franken",
     "must be a currency's three letters such as CHF", ""),
    ("lake.yml", "key: [beleg]", "key: [belge]", "datasets.lieferungen.key", "belge",
     "there is no declared column of this name", "beleg"),
    ("lake.yml", "key: [beleg]", "key: []", "datasets.lieferungen.key", "",
     "a dataset needs the columns that name one row", ""),
    ("lake.yml", "time: tag", "time: tga", "datasets.lieferungen.time", "tga",
     "there is no declared column of this name", "tag"),
    ("lake.yml", "time: tag", "time: umsatz", "datasets.lieferungen.time", "umsatz",
     "a time column must be a date or a timestamp", ""),
    ("lake.yml", "delimiter: ;", "delimiter: ;;", "datasets.lieferungen.csv.delimiter", ";;",
     "must be one character", ";"),
    ("lake.yml", "encoding: latin-1", "encoding: latin-2", "datasets.lieferungen.csv.encoding", "latin-2",
     "must be an encoding that is known", "latin-1"),
    ("lake.yml", "from: abnehmer,", "from: abnemer,", "datasets.lieferungen.attach.0.from", "abnemer",
     "there is no dataset of this name", "abnehmer"),
    ("lake.yml", "from: abnehmer,", "from: lieferungen,", "datasets.lieferungen.attach", "lieferungen",
     "datasets must not attach each other", ""),
    ("lake.yml", "columns: {tour: tour, art: art}}", "columns: {tour: tuor, art: art}}",
     "datasets.lieferungen.attach.0.columns.tour", "tuor", "there is no declared column of this name", "tour"),
    ("metrics.yml", "agg: sum, column: umsatz", "agg: summe, column: umsatz", "measures.umsatz.agg", "'summe'",
     "input should be 'sum', 'avg', 'count', 'count_distinct', 'median', 'min' or 'max'", "sum"),
    ("metrics.yml", "agg: sum, column: umsatz", "agg: sum, column: umsaetze", "measures.umsatz.column", "umsaetze",
     "there is no declared column of this name", "umsatz"),
    ("metrics.yml", "agg: sum, column: umsatz", "agg: sum, column: gebaeck", "measures.umsatz.agg", "sum",
     "gebaeck is no number: only count, min and max fit", ""),
    ("metrics.yml", "agg: sum, column: umsatz", "agg: sum", "measures.umsatz", "sum",
     "this aggregation needs a column", ""),
    ("metrics.yml", "numerator: [umsatz]", "numerator: [umsatzz]", "metrics.umsatz_je_lieferung", "umsatzz",
     "there is no measure of this name", "umsatz"),
    ("metrics.yml", "    numerator: [retouren]\n", "", "metrics.retourenquote", "ratio",
     "a ratio metric needs numerator", ""),
    ("metrics.yml", "cards: [umsatz,", "cards: [umstaz,", "overview.cards", "umstaz",
     "there is no metric of this name", "umsatz"),
    ("metrics.yml", "dimensions: [gebaeck, tour, art]", "dimensions: [gebaeck, tor]", "overview.dimensions", "tor",
     "there is no dimension of this name", "tour"),
    ("metrics.yml", "  list_metrics:", "  expects: kuendigun\n  list_metrics:", "overview.expects", "kuendigun",
     "there is no model of this name", "kuendigung"),
    ("models.yml", "dataset: vertraege\n      key", "dataset: vertrage\n      key", "models.kuendigung.scored.dataset",
     "vertrage", "there is no dataset of this name", "vertraege"),
    ("models.yml", "operator: is_null", "operator: isnull", "models.kuendigung.scored.where.0.operator", "'isnull'",
     "input should be 'eq', 'ne', 'lt', 'le', 'gt', 'ge', 'in', 'not_in', 'is_null' or 'not_null'", "is_null"),
    ("models.yml", "operator: eq, value: Herbst/2024", "operator: in, value: Herbst/2024",
     "models.kuendigung.outcomes.where.0", "Herbst/2024", "in needs a list of values, such as [a, b]", ""),
    ("models.yml", 'one_hot: "art="', 'one_hot: "kind="', "models.kuendigung.features.art.one_hot", "kind=",
     "no declared column starts with this", ""),
    ("models.yml", "      lieferzeit: {", "      lieferzeiten: {", "models.kuendigung.features.lieferzeiten",
     "lieferzeiten", "there is no declared column of this name", "lieferzeit"),
    ("models.yml", "      name: betrieb", "      name: betriebe", "models.kuendigung.lead.name", "betriebe",
     "there is no declared column of this name", "betrieb"),
    ("models.yml", 'title: "Saison {saison}"', 'title: "Saison {season}"', "models.kuendigung.lead.title", "season",
     "there is no declared column of this name", "saison"),
    ("models.yml", "name: hoch, at_least: 0.5", "name: hoch, at_least: 0.1", "models.kuendigung.bands", "",
     "bands must be listed from the highest to the lowest limit", ""),
    ("models.yml", "    task: classification\n", "", "models.kuendigung.task", "", "this key is required", ""),
    ("access.yml", "'leads:export'", "'leads:exprt'", "roles.aussendienst.actions", "leads:exprt",
     "there is no action of this name", "leads:export"),
    ("access.yml", "rules: [{column: tour, attribute: tour}]", "rules: [{column: tour, attribute: tor}]",
     "roles.aussendienst.rows.0.rules", "tor", "there is no attribute of this name", "tour"),
    ("access.yml", "rules: [{column: tour, attribute: tour}]", "rules: [{column: tour, operator: in, value: Nord/See}]",
     "roles.aussendienst.rows.0.rules.0", "Nord/See", "in needs a list of values, such as [a, b]", ""),
    ("access.yml", "home: /kpis", "home: /kpi", "roles.leitung.home", "/kpi", "there is no page of this name", "/kpis"),
    ("access.yml", "home: /kpis", "home: /account", "roles.leitung.home", "/account",
     "the home must be one of the entries", None),
    ("access.yml", "label: Besuche, path: /leads}]", "label: Besuche, path: /leads}, {label: Daten, path: /data}]",
     "roles.aussendienst.entries.1", "/data",
     "this page needs the action data:read, which the role does not have", ""),
    ("access.yml", "rules: [{column: tour, attribute: tour}]", "rules: []", "roles.aussendienst.rows.0", "",
     "a group of rows needs rules, or all_rows with a reason", ""),
    ("access.yml", ", reason: Die Geschäftsleitung sieht den ganzen Betrieb.", "", "roles.leitung.rows.0", "",
     "an exemption (all_rows) needs a reason that people can read", ""),
    ("access.yml", "masks: {privacy: [personal, sensitive]}", "masks: {privacy: [privat]}",
     "roles.leitung.masks.privacy.0", "'privat'", "input should be 'public', 'internal', 'personal' or 'sensitive'",
     None),
    ("access.yml", "masks: {privacy: [personal, sensitive]}", "masks: {columns: [abnehmer.telefonn]}",
     "roles.leitung.masks", "telefonn", "there is no declared column of this name", "telefon"),
]  # fmt: skip


@pytest.mark.parametrize("case", ONE, ids=lambda c: f"{c[3]}-{c[4]}")
def test_one_mistake_names_its_file_line_key_and_the_nearest_word(folder, case):
    file, old, new, key, value, sentence, nearest = case
    line = spoil(folder, file, (old, new))
    found = mistakes(folder)
    assert len(found) == 1, found
    mistake = found[0]
    assert (mistake.file, mistake.key, mistake.value, mistake.sentence) == (file, key, value, sentence)
    if nearest is not None:
        assert mistake.nearest == nearest
    told = (folder / file).read_text(encoding="utf-8").splitlines()[mistake.line - 1]
    assert abs(mistake.line - line) <= 1 or any(part in told for part in key.split(".")[-2:]), (
        mistake.line,
        line,
        told,
    )


def test_the_sentence_reads_in_one_line(folder):
    line = spoil(folder, "lake.yml", ("freshness: 5", "freshnes: 5"))
    assert str(mistakes(folder)[0]) == (
        f"lake.yml:{line} datasets.lieferungen.freshnes: this key is not known. Did you mean 'freshness'?"
    )


@pytest.mark.attack("K-06")
def test_every_mistake_of_every_file_is_told_at_once(folder):
    spoil(folder, "lake.yml", ("freshness: 5", "freshnes: 5"), ("format: csv", "format: cvs"))
    spoil(folder, "metrics.yml", ("agg: count}", "agg: cuont}"))
    spoil(folder, "models.yml", ("    task: classification\n", ""))
    spoil(folder, "access.yml", ("home: /kpis", "hom: /kpis"))
    found = [(m.file, m.key) for m in mistakes(folder)]
    assert sorted(found) == [
        ("access.yml", "roles.leitung.hom"),
        ("access.yml", "roles.leitung.home"),
        ("lake.yml", "datasets.lieferungen.format"),
        ("lake.yml", "datasets.lieferungen.freshnes"),
        ("metrics.yml", "measures.lieferungen.agg"),
        ("models.yml", "models.kuendigung.task"),
    ]


def test_mistakes_of_shape_hide_none_of_meaning_and_make_none(folder):
    spoil(folder, "lake.yml", ("format: csv", "format: cvs"), ("timezone: Europe/Zurich", "timezone: Europe/Zürich"))
    spoil(folder, "metrics.yml", ("agg: count}", "agg: cuont}"), ("cards: [umsatz,", "cards: [umstaz,"))
    spoil(folder, "models.yml", ("      name: betrieb", "      name: betriebe"))
    spoil(folder, "access.yml", ("'leads:export'", "'leads:exprt'"), ("home: /kpis", "home: /kpi"))
    assert [(m.file, m.key) for m in mistakes(folder)] == [
        ("lake.yml", "datasets.lieferungen.format"),
        ("metrics.yml", "measures.lieferungen.agg"),
        ("lake.yml", "timezone"),
        ("metrics.yml", "overview.cards"),
        ("models.yml", "models.kuendigung.lead.name"),
        ("access.yml", "roles.leitung.home"),
        ("access.yml", "roles.aussendienst.actions"),
    ]


def test_names_that_do_not_fit_together_are_told_at_once_across_files(folder):
    spoil(
        folder, "metrics.yml", ("cards: [umsatz,", "cards: [umstaz,"), ("[gebaeck, tour, art]", "[gebaeckk, tour, art]")
    )
    spoil(folder, "access.yml", ("'leads:export'", "'leads:exprt'"), ("'jobs:run'", "'jobs:rnu'"))
    assert [m.nearest for m in mistakes(folder)] == ["umsatz", "gebaeck", "leads:export", "jobs:run"]


def test_a_missing_and_an_unreadable_file(folder):
    (folder / "models.yml").unlink()
    (folder / "access.yml").write_bytes("rollen: Ü".encode("latin-1"))
    found = mistakes(folder)
    assert [m.file for m in found] == ["models.yml", "access.yml"]
    assert found[0].sentence == f'this file is missing in {folder}; one that says nothing holds "models: {{}}"'
    assert "must be a readable UTF-8 file" in found[1].sentence


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("datasets:\n  a: [1, 2\n  b: 3\n", 3, "the YAML is broken"),
        ("datasets:\n\ta: 1\n", 2, "the YAML is broken"),
        ('name: "open\n', 2, "the YAML is broken"),
        ("name: a\nname: b\n", 2, "the key 'name' stands twice"),
        ("datasets:\n  a: {path: x, path: y}\n", 2, "the key 'path' stands twice"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "the YAML is broken"),
        ("a: &x [*x]\n", 1, "contains itself"),
        ("a: " + "[" * 5_000, 1, "the YAML is broken"),
    ],
)
def test_broken_yaml_is_one_mistake_with_its_line(folder, text, line, words):
    (folder / "lake.yml").write_text(text)
    found = [m for m in mistakes(folder) if m.file == "lake.yml"]
    assert found[0].line == line, found
    assert words in found[0].sentence


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b\n", "just words\n", "3\n", "null\n"])
def test_a_file_without_a_mapping_is_a_mistake_not_a_crash(folder, text):
    (folder / "metrics.yml").write_text(text)
    found = mistakes(folder)
    assert found and all(m.file == "metrics.yml" for m in found)
    assert "Traceback" not in str(found[0])


def test_the_words_on_no_yes_and_off_are_words(folder):
    """Under YAML 1.1 they would be true and false; ``attach`` has a key ``on``."""
    spoil(folder, "access.yml", ("values: [Nord/See, Süd & Tal,", "values: [yes, No, on, OFF, Nord/See, Süd & Tal,"))
    read = read_workspace(folder, actions=ACTIONS)
    assert read.access.attributes["tour"].values[:4] == ("yes", "No", "on", "OFF")
    assert read.lake.datasets["lieferungen"].attach[0].on == {"kennung": "kennung"}


def test_true_and_false_stay_true_and_false(folder):
    assert read_workspace(folder).access.roles["leitung"].rows[0].all_rows is True
    spoil(folder, "access.yml", ("all_rows: true", "all_rows: False"))
    assert [m.key for m in mistakes(folder)] == ["roles.leitung.rows.0"]


def test_a_derived_metric_may_not_be_built_from_itself(folder):
    more = "    owner: x\n    description: x\n"
    spoil(
        folder, "metrics.yml",
        ("metrics:\n  umsatz:\n", f"metrics:\n  a:\n    label: A\n    kind: derived\n    plus: [b]\n{more}"
         f"  b:\n    label: B\n    kind: derived\n    plus: [umsatz]\n    minus: [a]\n{more}  umsatz:\n"),
    )  # fmt: skip
    assert [(m.key, m.sentence) for m in mistakes(folder)] == [
        ("metrics.a", "a metric must not be derived from itself"),
        ("metrics.b", "a metric must not be derived from itself"),
    ]


@pytest.mark.attack("K-06", "Q-04")
def test_nothing_that_a_workspace_says_is_run(folder):
    spoil(folder, "lake.yml", ("name: Bäckerei Morgenrot", 'name: "{0.__class__} ${HOME} `id` {{7*7}}"'))
    assert read_workspace(folder).lake.name == "{0.__class__} ${HOME} `id` {{7*7}}"
