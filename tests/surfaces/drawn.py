"""What is drawn: policies with their masks, people with their attributes, and questions to every surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from data.definitions import AccessFile, Attribute, Masks, Role, RowGroup, RowRule
from data.questions import Order
from services import access
from services.access import Viewer, viewer_of
from services.kpi_query import KpiQuery
from services.lead_query import LeadQuery
from services.sources import Sources
from tests.bakery.build import GOODS, HOUSES, KINDS, LAST_DAY, SEASONS, TOURS, houses
from tests.surfaces import thorny
from tests.surfaces.thorny import LOOKALIKES, RULED

MODEL = "kuendigung"
EVERYTHING = ("kpis:read", "leads:read", "leads:export", "what_if:run", "what_if:all_inputs", "explanations:technical",
              "models:read", "data:read", "policy:read")  # fmt: skip
PLACES = ("Zürich", "Rüti", "Näfels", "zürich", "Genf", "")
KEYS = tuple(houses().kennung)
NAMES = tuple(houses().betrieb)
HOSTILE = ("' OR 1=1 --", "%", "_", "\\", "None", "NULL")
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "tour": st.sampled_from((*TOURS, *TOURS, *LOOKALIKES, *HOSTILE)),
    "ort": st.sampled_from((*PLACES, *HOSTILE)),
    "art": st.sampled_from((*KINDS, "café")),
    "kennung": st.sampled_from(KEYS),
    "betrieb": st.sampled_from(NAMES),
    "saison": st.sampled_from((*SEASONS, "Winter/2024 ", "winter/2024")),
    "gebaeck": st.sampled_from((*GOODS, "weggli", "")),
    "tag": st.dates(date(2022, 12, 1), date(2024, 12, 31)),
    "beginn": st.sampled_from([d + timedelta(days=n) for d in SEASONS.values() for n in (-1, 0, 1)]),
    "menge": st.integers(0, 1_600),
    "umsatz": st.integers(0, 4_000).map(float),
    "retouren": st.integers(0, 300).map(float),
    "jahresumsatz": st.integers(0, 50_000).map(float),
    "reklamationen": st.integers(-1, 5),
    "lieferzeit": st.integers(0, 30).map(float),
    "rabatt": st.integers(0, 22).map(lambda n: n / 100),
}
HELD = {
    "tour": st.lists(st.sampled_from((*TOURS, *TOURS, *TOURS, *LOOKALIKES)), max_size=3, unique=True).map(tuple),
    "ort": st.lists(st.sampled_from(PLACES), max_size=2, unique=True).map(tuple),
    "quatsch": st.just(("Nord/See",)),
}
MASKABLE = ("vertraege.telefon", "vertraege.ort", "vertraege.betrieb", "vertraege.jahresumsatz", "vertraege.saison",
            "vertraege.tour", "vertraege.rabatt", "vertraege.lieferzeit", "vertraege.reklamationen",
            "vertraege.art=Hotel", "vertraege.gekuendigt", "vertraege.beginn", "lieferungen.umsatz", "lieferungen.tour",
            "lieferungen.retouren", "lieferungen.gebaeck", "abnehmer.inhaberin", "abnehmer.ort")  # fmt: skip


class Stand:
    """What every surface is held to: the sources that all people share, and the oracle's books of the same files."""

    def __init__(self, sources: Sources, books: Any) -> None:
        self.sources, self.books = sources, books

    def __repr__(self) -> str:
        return "Stand()"


@dataclass(frozen=True)
class Person:
    """A drawn policy and somebody under it: as the application sees them, and as the oracle does."""

    sources: Sources
    viewer: Viewer
    role: Role
    held: Mapping[str, tuple[str, ...]]

    def may(self, action: str) -> bool:
        """Is the action granted, by the words of the policy? Through another's eyes nothing is taken away."""
        return action in self.role.actions and not (self.viewer.seen_as and action == "leads:export")


@dataclass(frozen=True)
class Drawn:
    """A policy and a person before there are sources: examples are drawn without them."""

    role: Role
    held: Mapping[str, tuple[str, ...]]
    number: int
    seen_through: bool

    def on(self, stand: Stand) -> Person:
        """The person on the sources whose lake and cache everybody shares."""
        attributes = {n: Attribute(label=n.title(), values=TOURS) for n in ("tour", "ort")}
        housed = thorny.under(stand.sources, AccessFile(attributes=attributes, roles={"zufall": self.role}))
        who = viewer_of(
            housed.workspace, person_id=self.number, name="Zufall", email=f"{self.number}@example.org",
            role="zufall", attributes=self.held,
        )  # fmt: skip
        return Person(housed, access.through_eyes_of(who, who) if self.seen_through else who, self.role, self.held)


# ── policies ──────────────────────────────────────────────────────────────────────────────────────


@st.composite
def rules(draw: st.DrawFn, dataset: str) -> RowRule:
    """A comparison with an attribute of the person, or with what the policy says itself."""
    if draw(st.integers(0, 9)) < 4:
        column = draw(st.sampled_from([c for c in ("tour", "tour", "ort") if c in RULED[dataset]]))
        operator = draw(st.sampled_from(["in", "in", "in", "not_in", "eq", "ne"]))
        attribute = draw(st.sampled_from([column, column, column, "tour", "fehlt"]))
        return RowRule(column=column, operator=operator, attribute=attribute)
    return draw(literals(dataset))


@st.composite
def literals(draw: st.DrawFn, dataset: str) -> RowRule:
    """A comparison with values of the policy: of every kind, and none."""
    column = draw(st.sampled_from(RULED[dataset]))
    operator = draw(
        st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge", "in", "in", "not_in", "not_in", "is_null", "not_null"])
    )
    if operator in ("is_null", "not_null"):
        return RowRule(column=column, operator=operator)
    if operator in ("in", "not_in"):
        return RowRule(column=column, operator=operator, value=tuple(draw(st.lists(VALUES[column], max_size=4))))
    return RowRule(column=column, operator=operator, value=draw(VALUES[column]))


@st.composite
def groups(draw: st.DrawFn) -> RowGroup:
    """Rules over one dataset, over two, or over all; now and then the exemption by name."""
    datasets = draw(
        st.sampled_from(
            [
                ("*",),
                ("*",),
                ("vertraege",),
                ("vertraege",),
                ("lieferungen",),
                ("lieferungen", "vertraege"),
                ("abnehmer",),
            ]
        )
    )
    if draw(st.integers(0, 7)) == 0:
        return RowGroup(datasets=datasets, all_rows=True, reason="Sie sehen alles.")
    if len(datasets) == 1 and datasets[0] != "*":
        return RowGroup(datasets=datasets, rules=tuple(draw(st.lists(rules(datasets[0]), min_size=0, max_size=2))))
    common = RowRule(column="tour", operator=draw(st.sampled_from(["in", "in", "not_in"])), attribute="tour")
    literal = RowRule(column="tour", operator="in", value=tuple(draw(st.lists(VALUES["tour"], max_size=3))))
    return RowGroup(
        datasets=datasets, rules=draw(st.sampled_from([(common,), (common,), (literal,), (common, literal)]))
    )


@st.composite
def roles(draw: st.DrawFn) -> Role:
    """What a role may do, which rows it sees and what it never sees."""
    missing = draw(st.sampled_from([None] * 12 + list(EVERYTHING)))
    masks = Masks(
        privacy=tuple(draw(st.sampled_from([(), (), ("personal",), ("sensitive",), ("personal", "sensitive")]))),
        columns=tuple(draw(st.lists(st.sampled_from(MASKABLE), max_size=2, unique=True)))
        if draw(st.booleans())
        else (),
        except_columns=draw(st.sampled_from([(), (), (), ("vertraege.telefon",), ("vertraege.zahlungsziel",)])),
    )
    return Role(
        label="Zufall", question="?", home="/kpis", entries=(), masks=masks,
        actions=tuple(a for a in EVERYTHING if a != missing),
        rows=tuple(draw(st.lists(groups(), min_size=1, max_size=3) | st.just([]))),
    )  # fmt: skip


@st.composite
def people(draw: st.DrawFn) -> Drawn:
    """Somebody under a policy of their own: with no attribute, unknown ones, several values."""
    held = draw(st.fixed_dictionaries({"tour": HELD["tour"]}, optional={n: HELD[n] for n in ("ort", "quatsch")}))
    return Drawn(draw(roles()), held, draw(st.integers(1, 40)), draw(st.integers(0, 9)) == 0)


# ── questions ─────────────────────────────────────────────────────────────────────────────────────

BANDS = ("hoch", "mittel", "tief")
SEARCHES = ("", "", "", "haus", "RÜTI", "zürich", "%", "_", "'", "Ä", "555 00", "+41", "bächli", "nord", "  ")
SORTABLE = ("rank", "score", "band", "value", "betrieb", "ort", "ort", "telefon", "telefon", "telefon", "tour")


@st.composite
def column_filters(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A filter as the grid sends it, also on columns that are hidden or not in the list."""
    column = draw(
        st.sampled_from(
            ["score", "score", "value", "value", "betrieb", "ort", "ort", "telefon", "tour", "zahlungsziel"]
        )
    )
    if draw(st.integers(0, 5)) == 0:
        return column, {"type": draw(st.sampled_from(["blank", "notBlank"]))}
    if column in ("score", "value"):
        top = 100 if column == "score" else 60_000
        low, high = sorted((draw(st.integers(0, top)), draw(st.integers(0, top))))
        if draw(st.booleans()):
            return column, {"type": "inRange", "filter": low, "filterTo": high}
        test = draw(st.sampled_from(["lessThan", "greaterThanOrEqual", "notEqual"]))
        return column, {"type": test, "filter": low}
    text = draw(st.sampled_from(["a", "haus", "Rüti", "rüti", "Zürich", "%", "'", "Ü", "+41", "0"]))
    return column, {"type": draw(st.sampled_from(["contains", "startsWith", "equals", "notEqual"])), "filter": text}


@st.composite
def lead_queries(draw: st.DrawFn) -> LeadQuery:
    """One list under bands, a search, filters and an order."""
    plain = draw(st.integers(0, 2)) == 0
    return LeadQuery(
        list=MODEL,
        of=draw(st.sampled_from((*SEASONS, *SEASONS, "Winter/2024", "Winter", ""))),
        bands=() if plain else tuple(draw(st.lists(st.sampled_from(BANDS), max_size=2, unique=True))),
        search="" if plain else draw(st.sampled_from(SEARCHES)),
        sort=() if plain else tuple(
            Order(c, draw(st.booleans())) for c in draw(st.lists(st.sampled_from(SORTABLE), max_size=2, unique=True))
        ),
        filters=(dict(draw(st.lists(column_filters(), max_size=2))) or None) if not plain else None,
    )  # fmt: skip


rows_of_a_list = st.tuples(st.sampled_from(tuple(SEASONS)), st.integers(0, HOUSES - 1)) | st.tuples(
    st.just("Winter/2024"), st.integers(0, 8)
)
"""A contract, seen or not: its season and the number of its house. A few come often, so that what is kept is used."""


@st.composite
def kpi_queries(draw: st.DrawFn) -> KpiQuery:
    """One view of the overview, with members that may not be there for the viewer."""
    unit = draw(st.sampled_from(["week", "month", "month", "quarter", "custom"]))
    day = draw(st.none() | st.dates(date(2023, 2, 1), LAST_DAY))
    chosen = []
    for dimension in draw(st.lists(st.sampled_from(["tour", "art", "gebaeck"]), max_size=2, unique=True)):
        pool = {"tour": (*TOURS, "nord/see", ""), "art": KINDS, "gebaeck": (*GOODS, "")}[dimension]
        chosen.append((dimension, tuple(draw(st.lists(st.sampled_from(pool), min_size=1, max_size=2, unique=True)))))
    first = day or date(2024, 5, 3)
    custom = unit == "custom"
    return KpiQuery(
        period=unit, on=None if custom else day, first=first if custom else None,
        last=first + timedelta(days=draw(st.integers(0, 200))) if custom else None,
        against=draw(st.sampled_from(["previous", "previous", "year", "none"])),
        metric=draw(st.sampled_from(["", "umsatz", "lieferungen", "umsatz_je_lieferung", "belieferte", "retourenquote",
                                     "kuendigungsquote"])),
        by=draw(st.sampled_from(["", "tour", "art", "gebaeck"])),
        chosen=tuple(chosen) if draw(st.booleans()) else (),
    )  # fmt: skip
