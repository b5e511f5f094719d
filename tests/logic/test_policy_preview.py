"""A proposed policy is only looked at: its mistakes, what it would change to the row, and what no count may tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from sqlalchemy import select

from data.tables import AuditEvent, PolicyVersion
from services import policy_preview, policy_versions, proposed_policy
from services.access import Viewer
from services.audit import ACT_WORDS
from services.audit_retention import ACT_CLASSES
from services.errors import Forbidden, InvalidQuery, Unavailable
from services.operator import operator
from services.policy_preview import Preview, RowsChange
from services.sources import Sources
from tests.bakery import build
from tests.house import House
from tests.logic.test_policy_versions import changed

TEXT = (build.WORKSPACE / "access.yml").read_text()
SELLER = "rules: [{column: tour, attribute: tour}]"
ALL = "all_rows: true\n        reason: Alle."


def swapped(*swaps: tuple[str, str]) -> str:
    text = TEXT
    for before, after in swaps:
        assert before in text, before
        text = text.replace(before, after, 1)
    return text


@pytest.fixture
def sources(own_bakery: House) -> Sources:
    return own_bakery.sources


@pytest.fixture
def admin(own_bakery: House) -> Viewer:
    """May read the policy, and sees no row."""
    return own_bakery.viewer("hauswart")


def line(found: Preview, who: str, dataset: str) -> RowsChange:
    return next(r for r in found.rows if who in r.people and r.dataset == dataset)


def numbers(change: RowsChange) -> tuple[str, ...]:
    assert change.counts, change.missing
    return tuple(told.text for told in change.counts.all)


# ── how many rows ─────────────────────────────────────────────────────────────────────────────────


def test_every_row_for_the_sellers_is_told_in_a_sentence_and_to_the_row(sources, admin):
    found = policy_preview.preview(admin, sources, swapped((SELLER, ALL)))
    north = line(found, "aussendienst", "Abnehmer")
    assert numbers(north) == ("60", "180", "120", "0")
    assert north.said == "This would show aussendienst 120 more Abnehmer."
    assert (north.was, north.now) == ("Tour is Nord/See.", "Alle.")
    assert numbers(line(found, "aussendienst", "Lieferungen")) == ("1,961", "6,000", "4,039", "0")
    assert numbers(line(found, "aussendienst:zwei", "Verträge")) == ("600", "900", "300", "0")
    assert numbers(line(found, "aussendienst:ohne", "Verträge")) == ("0", "900", "900", "0")
    assert not {"leitung", "tueftlerei", "hauswart"} & {n for r in found.rows for n in r.people}
    assert found.sentences[0].startswith(
        "Aussendienst sees rows of Abnehmer, Lieferungen and Verträge by the rule: All"
    )


def test_rows_come_and_go_at_once(sources, admin):
    found = policy_preview.preview(admin, sources, swapped((SELLER, "rules: [{column: tour, value: [Nord/See]}]")))
    south = line(found, "aussendienst:süd", "Abnehmer")
    assert numbers(south) == ("60", "60", "60", "60")
    assert south.said == "This would show aussendienst:süd 60 more Abnehmer and hide 60 from them."
    assert numbers(line(found, "aussendienst:zwei", "Lieferungen")) == ("4,015", "1,961", "0", "2,054")
    assert all("aussendienst" not in r.people for r in found.rows), "Nord/See is what this one has already"


def truth(old: Callable[[pd.Series], pd.Series], new: Callable[[pd.Series], pd.Series], name: str) -> tuple[int, ...]:
    """Counted on the files' own rows with pandas, row by row: before, after, gained, lost."""
    houses = build.houses()[["kennung", "tour"]]
    frames = {"Abnehmer": houses, "Lieferungen": build.deliveries()[["kennung"]].merge(houses, on="kennung"),
              "Verträge": build.contracts()[["kennung"]].merge(houses, on="kennung")}  # fmt: skip
    tour = frames[name].tour
    before, after = old(tour), new(tour)
    return int(before.sum()), int(after.sum()), int((after & ~before).sum()), int((before & ~after).sum())


RULES: list[tuple[str, Callable[[pd.Series], pd.Series]]] = [
    (ALL, lambda t: t.notna()),
    ("rules: [{column: tour, operator: not_in, attribute: tour}]", lambda t: ~t.isin(["Nord/See", "Stadt 'Mitte'"])),
    ("rules: [{column: tour, operator: ne, value: Nord/See}]", lambda t: t != "Nord/See"),
    ("rules: [{column: tour, attribute: tour}, {column: tour, operator: ne, value: Nord/See}]",
     lambda t: t == "Stadt 'Mitte'"),
    ("rules: [{column: tour, operator: is_null}]", lambda t: t.isna()),
    ("rules: [{column: tour, operator: gt, value: O}]", lambda t: t > "O"),
]  # fmt: skip


@pytest.mark.parametrize("dataset", ["Abnehmer", "Lieferungen", "Verträge"])
@pytest.mark.parametrize(("rule", "new"), RULES, ids=[r for r, _ in RULES])
def test_pandas_counts_the_same(bakery, dataset, rule, new):
    found = policy_preview.preview(bakery.viewer("hauswart"), bakery.sources, swapped((SELLER, rule)))
    wanted = truth(lambda t: t.isin(["Nord/See", "Stadt 'Mitte'"]), new, dataset)
    assert numbers(line(found, "aussendienst:zwei", dataset)) == tuple(f"{n:,}" for n in wanted)


def test_people_to_whom_the_same_happens_share_a_line_and_a_pair_is_counted_once(sources, admin, monkeypatch):
    asked: list[object] = []
    real = policy_preview._counted
    monkeypatch.setattr(policy_preview, "_counted", lambda *given: asked.append(given[2:]) or real(*given))
    nord = "rows: [{datasets: ['*'], rules: [{column: tour, value: [Nord/See]}]}]"
    rows = [line.strip() for line in TEXT.splitlines() if line.strip().startswith("rows: [{datasets: ['*'], all_rows")]
    text = swapped(*((one, nord) for one in rows))
    found = policy_preview.preview(admin, sources, text)
    assert {r.people for r in found.rows} == {("leitung",), ("tueftlerei",)}, "their rules read differently before"
    assert len(found.rows) == 6 and len(asked) == 3
    assert numbers(line(found, "tueftlerei", "Lieferungen")) == ("6,000", "1,961", "0", "4,039")


def test_what_is_not_counted_in_time_says_so(sources, admin):
    found = policy_preview.preview(admin, sources, swapped((SELLER, ALL)), seconds=0)
    assert {(r.counts, r.missing, r.said) for r in found.rows} == {(None, policy_preview.LATE, "")}
    assert found.sentences, "what needs no counting is there all the same"


# ── what no count may tell ────────────────────────────────────────────────────────────────────────


def test_counts_of_few_are_withheld_by_the_policy_in_force_not_by_the_proposed_one(sources, admin, tmp_path):
    strict = changed(sources, tmp_path / "w", ("roles:\n", "smallest_cell: 61\nroles:\n"))
    text = (strict.settings.workspace / "access.yml").read_text().replace("smallest_cell: 61", "smallest_cell: 5")
    found = policy_preview.preview(admin, strict, text.replace(SELLER, ALL))
    north = line(found, "aussendienst", "Abnehmer")
    assert numbers(north)[0] == "fewer than 61" and "60" not in " ".join(numbers(north)), numbers(north)
    assert "Fewer than 61 are not counted out" in found.withheld
    assert "60" not in north.said


@pytest.mark.parametrize(
    "rule",
    [
        "rules: [{column: kennung, value: ['Ä003/ZH 3%']}]",
        "rules: [{column: tour, attribute: tour}, {column: art, operator: eq, value: Hotel}]",
        "rules: [{column: telefon, operator: not_null}]",
    ],
)
def test_nobody_finds_out_by_trying_rules_what_stands_in_a_row(sources, admin, rule):
    """Rows that the asker does not see are not counted by a column that no rule in force compares."""
    text = swapped((SELLER, rule)).replace("- datasets: ['*']", "- datasets: [abnehmer]")
    found = policy_preview.preview(admin, sources, text)
    change = line(found, "aussendienst", "Abnehmer")
    assert (change.counts, change.said) == (None, "") and change.missing.startswith("Not counted: no rule in force")


def test_who_sees_all_rows_may_count_them_by_what_is_not_hidden_from_them(sources, own_bakery):
    seeing = own_bakery.viewer("tueftlerei")
    seeing = replace(seeing, grants=seeing.grants | {"policy:read"})
    only = swapped(("- datasets: ['*']\n        " + SELLER,
                    "- datasets: [abnehmer]\n        rules: [{column: kennung, value: ['Ä003/ZH 3%']}]"))  # fmt: skip
    change = line(policy_preview.preview(seeing, sources, only), "aussendienst", "Abnehmer")
    assert numbers(change) == ("60", "1", "0", "59")
    hidden = only.replace("{column: kennung, value: ['Ä003/ZH 3%']}", "{column: telefon, operator: not_null}")
    change = line(policy_preview.preview(seeing, sources, hidden), "aussendienst", "Abnehmer")
    assert change.counts is None and "compares Telefon" in change.missing


# ── columns, actions, people ──────────────────────────────────────────────────────────────────────


def test_columns_newly_visible_and_hidden(sources, admin):
    masks = ("masks: {privacy: [sensitive]}", "masks: {privacy: [personal], columns: [abnehmer.ort]}")
    found = policy_preview.preview(admin, sources, swapped(masks))
    sellers = ("aussendienst", "aussendienst:süd", "aussendienst:zwei")
    assert [(c.people, c.dataset, c.shown, c.hidden) for c in found.columns] == [
        (sellers, "Abnehmer", (), ("Ort", "Inhaberin", "Telefon")),
        (sellers, "Verträge", ("Mahnungen",), ("Telefon",)),
    ]
    assert found.rows == ()


def test_actions_and_who_is_left_with_nothing(sources, admin):
    text = swapped(("'leads:read', 'leads:export', 'what_if:run', 'kpis:read'", "'leads:read', 'jobs:read'"))
    found = policy_preview.preview(admin, sources, text)
    (only,) = found.actions
    assert only.people == ("aussendienst", "aussendienst:ohne", "aussendienst:süd", "aussendienst:zwei")
    assert only.gained == ("See what runs and ran",)
    assert only.lost == ("See the numbers of the business", "Take a list away as a file",
                         "Try what would move a score")  # fmt: skip
    assert (found.left_with_nothing, found.nobody_manages) == ((), False)
    gone = policy_preview.preview(admin, sources, TEXT[: TEXT.index("  hauswart:")])
    assert (gone.left_with_nothing, gone.nobody_manages) == (("hauswart",), True)
    assert gone.sentences[0] == "The role Hauswart is gone: whoever has it may do nothing."


def test_the_policy_in_force_changes_nothing_and_a_comment_changes_no_right(sources, admin):
    assert policy_preview.preview(admin, sources, TEXT) == Preview(same=True)
    assert policy_preview.preview(admin, sources, TEXT + "# a word\n") == Preview(same=False)


# ── mistakes and bad texts ────────────────────────────────────────────────────────────────────────


def test_all_mistakes_at_once_with_their_lines_and_the_nearest_words(sources, admin):
    text = swapped(("label: Aussendienst", "labell: Aussendienst"), ("'leads:export'", "'leads:exprt'"),
                   ("{column: tour, attribute: tour}", "{column: tuor, attribute: tour}"))  # fmt: skip
    found = policy_preview.preview(admin, sources, text)
    by_line = {m.line: (m.nearest, m.file) for m in found.mistakes}
    lines = text.splitlines()
    assert by_line[1 + lines.index("    labell: Aussendienst")] == ("label", "access.yml")
    fitting = swapped(("'leads:export'", "'leads:exprt'"), ("{column: tour, att", "{column: tuor, att"))
    said = [(m.value, m.nearest) for m in policy_preview.preview(admin, sources, fitting).mistakes]
    assert ("leads:exprt", "leads:export") in said and ("tuor", "tour") in said
    assert found.sentences == () and found.rows == ()


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)
WRONG = {
    "broken": ("roles: [", "the YAML is broken"),
    "tab": ("roles:\n\tx: 1", "found character '\\t'"),
    "bomb": (BOMB, "a name for a part (&) is not allowed"),
    "tag": ("roles: !!python/object/apply:os.system [x]", "a tag (!) is not allowed"),
    "deep": ("[" * 100_000, "20 deep at most"),
    "words": ("a: [" + "x," * 20_000 + "]", "10,000 words at most"),
    "other file": ((build.WORKSPACE / "metrics.yml").read_text(), "this key is not known"),
    "no mapping": ("hello", "valid dictionary"),
    "no day": ("smallest_cell: 2024-13-45", "there is no such date or number as '2024-13-45'"),
    "no number": ("smallest_cell: " + "9" * 5_000, "there is no such date or number"),
    "list as key": ("? [a]\n: 1", "a key must be one word"),
    "number as role": ("roles: {7: {label: x}}", "valid string"),
    "twice": ("roles: {}\nroles: {}", "stands twice"),
    "only words about nothing": ("# only this\n", "valid dictionary"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.timeout(20)
def test_a_text_that_is_no_policy_has_mistakes_and_cannot_be_taken(bakery, name):
    text, sentence = WRONG[name]
    admin = bakery.viewer("hauswart")
    found = policy_preview.preview(admin, bakery.sources, text)
    assert any(sentence in m.sentence for m in found.mistakes), found.mistakes
    assert {m.file for m in found.mistakes} == {"access.yml"} and len(found.mistakes) <= policy_preview.MOST_MISTAKES
    with pytest.raises(InvalidQuery, match="a start would refuse it"):
        proposed_policy.take(admin, bakery.sources, text)


def test_many_mistakes_are_counted_and_the_first_are_shown(bakery):
    text = TEXT + "".join(f"k{i}: 1\n" for i in range(300))
    found = policy_preview.preview(bakery.viewer("hauswart"), bakery.sources, text)
    assert (len(found.mistakes), found.more_mistakes) == (50, 250)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The file is empty."),
        ("  \n", "The file is empty."),
        (None, "The file is empty."),
        (7, "The file is empty."),
        (["x"], "The file is empty."),
        ("#" * 300_000, "The file must have at most 256 kB, got 300 kB."),
        ("ü" * 128_001, "The file must have at most 256 kB, got 256 kB."),
        ("roles:\n  a\x00b: 1", "Line 2 holds a character that no text has."),
        ("roles: \ud800", "Line 1 holds a character that no text has."),
        ("a\nb\n\x1b[31m", "Line 3 holds a character that no text has."),
    ],
)
def test_what_is_no_text_of_a_file_is_refused_in_a_sentence(bakery, text, sentence):
    for ask in (policy_preview.preview, proposed_policy.take):
        with pytest.raises(InvalidQuery) as refused:
            ask(bakery.viewer("hauswart"), bakery.sources, text)
        assert refused.value.sentence == sentence


# ── the file, the log, the rights ─────────────────────────────────────────────────────────────────


def events(sources: Sources, act: str) -> list[AuditEvent]:
    with sources.store.read() as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.act == act).order_by(AuditEvent.id)))


def test_the_file_is_what_was_typed_and_nothing_is_applied(sources, admin):
    text = swapped((SELLER, ALL)) + "# «Ü»\n"
    before = (sources.settings.workspace / "access.yml").read_bytes()
    policy_preview.preview(admin, sources, text)
    taken = proposed_policy.take(admin, sources, text.replace("\n", "\r\n"))
    assert (taken.filename, taken.content) == ("access.yml", text.encode())
    assert (sources.settings.workspace / "access.yml").read_bytes() == before
    assert sources.workspace.access.roles["aussendienst"].rows[0].all_rows is False
    with sources.store.read() as session:
        assert session.scalars(select(PolicyVersion)).all() == []


def test_trying_and_taking_are_acts(sources, admin):
    policy_preview.preview(admin, sources, TEXT)
    policy_preview.preview(admin, sources, "roles: 7")
    proposed_policy.take(admin, sources, TEXT)
    tried, (taken,) = events(sources, "policy.try"), events(sources, "policy.take")
    assert [(e.person, e.resource, e.detail["mistakes"]) for e in tried] == [
        (admin.email, "access.yml", None), (admin.email, "access.yml", 1),
    ]  # fmt: skip
    assert taken.detail["digest"] == tried[0].detail["digest"]
    assert ACT_CLASSES["policy.try"] == "reading" and ACT_CLASSES["policy.take"] == "taking"
    assert {"policy.try", "policy.take"} <= set(ACT_WORDS)


@pytest.mark.parametrize("who", ["leitung", "aussendienst", "tueftlerei"])
def test_who_may_not_read_the_policy_may_not_try_one(own_bakery, who):
    sources, viewer = own_bakery.sources, own_bakery.viewer(who)
    for ask in (lambda: proposed_policy.current(viewer, sources),
                lambda: policy_preview.preview(viewer, sources, TEXT),
                lambda: proposed_policy.take(viewer, sources, TEXT)):  # fmt: skip
        with pytest.raises(Forbidden):
            ask()
    assert events(sources, "policy.try") == events(sources, "policy.take") == []


def test_from_anothers_view_one_may_look_and_take_nothing(sources, admin):
    looking = replace(admin, seen_as="x@people.example", seen_as_name="X")
    assert policy_preview.preview(looking, sources, TEXT).same
    with pytest.raises(Forbidden, match="You look as X now"):
        proposed_policy.take(looking, sources, TEXT)
    assert events(sources, "policy.try")[0].detail["as"] == "x@people.example" and not events(sources, "policy.take")


def test_files_that_changed_since_the_start_are_those_that_were_kept(sources, admin, tmp_path):
    policy_versions.keep(sources)
    later = changed(sources, tmp_path / "w", ("'leads:export', ", ""))
    stale = replace(sources, settings=later.settings)
    assert proposed_policy.current(admin, stale) == TEXT
    assert proposed_policy.current(operator(), later) == TEXT.replace("'leads:export', ", "", 1)
    policy_versions.keep(later)
    with pytest.raises(Unavailable, match="were changed since"):
        proposed_policy.current(admin, stale)
