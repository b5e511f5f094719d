"""A seller cannot obtain one row of another seller's, by any route: every page, parameter, callback and file is tried.

The forbidden texts (keys, names, e-mails, phones of all rows outside) are read from the raw lake with pandas. Each
answer of the server is searched for them; the same walk by the other seller must find them, or it would prove nothing.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pandas as pd
import pytest

from pages import PAGES
from pages._guard import ROUTER
from services.lead_query import key_text
from tests.bakery import build
from tests.house import Browser, House

MOST_TRIED = 6
BAKERY = re.compile(r"Ä\d{3}/(?:ZH|Bä~re) \d%|Haus \d{3} am Bächli|\+41 44 555 \d{4}|Inhaberin\d{3} \w{3}")
DEMO = re.compile(r"[a-z.]+\.\d+@example\.com|\+1 555 \d{4} \d{4}|(?<![A-Za-z])[A-Z][a-z]{2,} [A-Z][a-z]{2,}(?![a-z])")


@dataclass(frozen=True)
class Outside:
    """What a seller must not see: texts and how they look, keys of foreign rows, words to search and filter by."""

    texts: frozenset[str]
    looks: re.Pattern[str]
    lists: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]
    words: tuple[str, ...]
    column: str
    value: str
    ids: Callable[[str], set[str]]


# ── asking everything there is ────────────────────────────────────────────────────────────────────


def answers(house: House, client: Browser, who: str, out: Outside) -> Iterator[tuple[str, str]]:
    """Every answer of the server that this person can provoke, with the question."""
    yield from _documents(house, client, out)
    yield from _pages(house, client, who, out)
    yield from _files(client, out)
    yield from _callbacks(house, client, who, out)


def text_of(answer: Any) -> str:
    """An answer's body as text, whatever it is."""
    return str(answer.get_data().decode("utf-8", "replace"))


def _parameters(out: Outside) -> Iterator[dict[str, str]]:
    """Query strings that ask for what lies outside."""
    yield {}
    for name, of in out.lists:
        base = {"list": name, "of": of} if of else {"list": name}
        yield base
        for word in out.words:
            yield {**base, "q": word}
        yield {**base, "sort": out.column}
        yield {**base, "sort": f"-{out.column}"}
        for kind in ("equals", "contains", "notEqual"):
            yield {**base, "f": json.dumps({out.column: {"filterType": "text", "type": kind, "filter": out.value}})}
        for key in out.keys[:2]:
            yield {**base, "key": key}
            yield {**base, "key": unquote(key)}
            yield {**base, "lead": key}
    for dimension in (out.column, "territory", "tour", "store", "department"):
        yield {"only": f"{dimension}:{out.value}"}
        yield {"only": f"{dimension}:{out.value}", "by": dimension}
        yield {"by": dimension}
    yield {"person": "1"}
    yield {"viewer": "1", "sources": "1", "role": "admin", out.column: out.value}
    yield {"where": "1=1", "row_filter": "none"}


def _documents(house: House, client: Browser, out: Outside) -> Iterator[tuple[str, str]]:
    for rule in sorted({r.rule for r in house.app.server.url_map.iter_rules()}):
        if "<" in rule or rule == "/sign-out":
            continue
        for accept in ("text/html", "application/json"):
            answer = client.get(rule, headers={"Accept": accept})
            yield f"GET {rule}", text_of(answer)
    for key in out.keys[:MOST_TRIED]:
        yield f"GET /leads/{key}", text_of(client.document(f"/leads/{key}"))


def _pages(house: House, client: Browser, who: str, out: Outside) -> Iterator[tuple[str, str]]:
    """Every page, also those this person may not open, under every parameter."""
    grants = {*house.viewer(who).grants, "signed_in"}
    every = list(_parameters(out))
    for page in PAGES:
        for place, filled in enumerate(_filled(page.path, out)):
            for asked in every if page.needs in grants and place < 2 else every[:2]:
                address = f"{filled}?{urlencode(asked)}" if asked else filled
                yield address, text_of(house.open(client, address))


def _filled(path: str, out: Outside) -> list[str]:
    if "<" not in path:
        return [path]
    values = [*out.keys[:MOST_TRIED], *[name for name, _ in out.lists], "1", "x"]
    return [re.sub(r"<\w+>", lambda _, v=value: v, path) for value in values]  # type: ignore[misc]


def _files(client: Browser, out: Outside) -> Iterator[tuple[str, str]]:
    for asked in _parameters(out):
        for path in (
            "/leads.csv",
            "/leads.xlsx",
            "/kpis.csv",
            "/data.csv",
            "/audit.csv",
            "/exports/1",
            "/exports/1.csv",
        ):
            answer = client.get(f"{path}?{urlencode(asked)}")
            yield f"{path} {asked}", text_of(answer)


def _values(out: Outside) -> list[Any]:
    """What a tampered browser may put into an input or a store."""
    made: list[Any] = [None, 1, *out.keys[:2], out.value, {"key": out.keys[0]}]
    for name, of in out.lists:
        asked = {"list": name, "of": of, "bands": [], "q": ""}
        made += [
            asked,
            {**asked, "count": 200},
            {**asked, "q": out.words[0]},
            {**asked, "key": out.keys[0]},
            {"list": name, "of": of, "key": out.keys[0], "x": {}},
            f"?{urlencode({'list': name, 'of': of, 'key': out.keys[0]})}",
        ]
    window = {"startRow": 0, "endRow": 500, "sortModel": [], "filterModel": {}}
    made += [
        window,
        {**window, "filterModel": {out.column: {"filterType": "text", "type": "equals", "filter": out.value}}},
        {**window, "sortModel": [{"colId": out.column, "sort": "asc"}]},
        f"?only={out.column}:{quote(out.value)}",
    ]
    return made


def _callbacks(house: House, client: Browser, who: str, out: Outside) -> Iterator[tuple[str, str]]:
    """Every callback this person may call, with every tampered value in every place, and in pairs."""
    grants = {*house.viewer(who).grants, "signed_in"}
    values = _values(out)
    for output, spec in house.app.callback_map.items():
        if "callback" not in spec or output == ROUTER or spec["callback"].__needs__ not in grants:
            continue
        places = len(spec["inputs"]) + len(spec["state"])
        for given in _combinations(values, places):
            first, state = given[: len(spec["inputs"])], given[len(spec["inputs"]) :]
            if any(i["id"].startswith("{") for i in (*spec["inputs"], *spec["state"])):
                first = [None if i["id"].startswith("{") else v for i, v in zip(spec["inputs"], first, strict=True)]
                state = [None if i["id"].startswith("{") else v for i, v in zip(spec["state"], state, strict=True)]
            answer = house.fire(client, output, first, state)
            assert answer.status_code < 500, (output, given, text_of(answer)[:300])
            yield f"callback {output[:60]} {given!r:.200}", text_of(answer)


def _combinations(values: Sequence[Any], places: int) -> Iterable[list[Any]]:
    """Each value in every place, and each beside a list that may be asked for, in both orders."""
    asked = next(v for v in values if isinstance(v, dict) and "bands" in v)
    beside = ([a, b] for value in values for a, b in ((value, asked), (asked, value)))
    return itertools.chain(([value] * places for value in values), beside if places == 2 else ())


def caught(text: str, out: Outside) -> set[str]:
    """The forbidden texts in an answer: as they are, escaped as in JSON, or percent-encoded once or twice."""
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
    once = unquote(plain) if "%" in plain else plain
    found = set(out.looks.findall(plain)) | set(out.looks.findall(once)) | set(out.looks.findall(unquote(once)))
    return (found & out.texts) | out.ids(once)


def leaks(house: House, who: str, out: Outside) -> dict[str, set[str]]:
    """Questions that brought something forbidden."""
    client = house.sign_in(who)
    found = ((asked, caught(text, out)) for asked, text in answers(house, client, who, out))
    return {asked: seen for asked, seen in found if seen}


# ── the bakery ────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=4)
def bakery_outside(*tours: str) -> Outside:
    """Everything of the customers that are not on these rounds."""
    known = build.houses()
    foreign = known[~known.tour.isin(tours)]
    named = foreign[foreign.betrieb.str.startswith("Haus")]
    rows = build.contracts().merge(foreign, on="kennung")
    from data.workspace import read_workspace

    model = read_workspace(build.WORKSPACE).models.models["kuendigung"]
    keys = tuple(key_text(model, row) for _, row in rows[rows.saison == build.OPEN_SEASON].head(12).iterrows())
    return Outside(
        texts=frozenset({*foreign.kennung, *named.betrieb, *foreign.telefon, *foreign.inhaberin}),
        looks=BAKERY,
        lists=(("kuendigung", build.OPEN_SEASON), ("kuendigung", "Herbst/2024")),
        keys=keys,
        words=(str(named.betrieb.iloc[0]), "Haus", str(foreign.telefon.iloc[0])),
        column="tour",
        value=str(foreign.tour.iloc[0]),
        ids=lambda _: set(),
    )


@pytest.mark.attack("R-03", "G-05")
@pytest.mark.parametrize(
    ("who", "tours"),
    [("aussendienst", ("Nord/See",)), ("aussendienst:zwei", ("Nord/See", "Stadt 'Mitte'")), ("aussendienst:ohne", ())],
)
def test_nobody_of_the_bakery_obtains_a_row_outside_their_rounds(bakery, who, tours):
    out = bakery_outside(*tours)
    if not tours:
        assert leaks(bakery, who, out) == {}
        return
    # The words they searched for come back to them in the search box and in a sentence: those are their own.
    own = {out.words[0], out.words[2], *(unquote(k).split("~Winter")[0] for k in out.keys)}
    found = {asked: seen - own for asked, seen in leaks(bakery, who, out).items() if seen - own}
    assert found == {}


def test_the_search_finds_what_another_person_may_see(bakery):
    """The same walk by somebody of the other round finds their rows: the net has no hole of its own."""
    out = bakery_outside("Nord/See")
    found = leaks(bakery, "aussendienst:süd", out)
    seen = set().union(*found.values())
    south = build.houses()[lambda h: h.tour == "Süd & Tal"]
    assert {*south.kennung} <= seen and {*south.telefon} <= seen
    assert any(q.startswith("callback") for q in found) and any(q.startswith("/leads.csv") for q in found)


@pytest.mark.attack("R-07")
def test_names_of_people_are_in_no_answer_for_those_they_are_hidden_from(bakery):
    known = build.houses()
    out = bakery_outside("nobody's")
    texts = frozenset({*known.inhaberin, *known.telefon})
    hidden = replace(out, texts=texts, words=("Haus", "Haus", "Haus"), column="telefon", value="+41 44 555 0001")
    found = {a: s - {"+41 44 555 0001"} for a, s in leaks(bakery, "tueftlerei", hidden).items()}
    assert {a: s for a, s in found.items() if s} == {}


# ── the demo ──────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=4)
def demo_outside(raw: str, *territories: str) -> Outside:
    """Everything of the households of other territories."""
    known = pd.read_parquet(f"{raw}/households.parquet")
    foreign = known[~known.territory.isin(territories)]
    names = set(foreign.contact_name) - set(known[known.territory.isin(territories)].contact_name)
    leads = pd.read_parquet(f"{raw}/campaign_leads.parquet").merge(foreign[["household_id"]], on="household_id")
    numbers = {str(n) for n in foreign.household_id}

    def ids(text: str) -> set[str]:
        """Household numbers where they stand as keys: in a lead's address, in a grid's row, in a file's column."""
        pairs = re.findall(r"\b(\d+)(?:~|%7E)(\d+)\b", text)
        asked = {b for _, b in pairs} | set(re.findall(r'"household_id": ?"?(\d+)', text))
        return {f"household {n}" for n in asked & numbers}

    campaign = int(leads.campaign_id.iloc[0])
    rows = leads[leads.campaign_id == campaign].head(12)
    return Outside(
        texts=frozenset({*foreign.email, *foreign.phone, *names}),
        looks=DEMO,
        lists=(("campaign_response", str(campaign)), ("lapse_risk", "")),
        keys=(*(f"{campaign}~{h}" for h in rows.household_id), *map(str, foreign.household_id.head(4))),
        words=(str(foreign.email.iloc[0]), "555", str(foreign.phone.iloc[1])),
        column="territory",
        value=str(foreign.territory.iloc[0]),
        ids=ids,
    )


@pytest.mark.demo
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("who", "territories"), [("seller", ("North",)), ("sales_manager", ("North", "South"))])
def test_a_seller_of_north_obtains_no_household_of_south(demo, who, territories):
    out = demo_outside(str(demo.sources.settings.lake), *territories)
    own = {out.words[0], out.words[2], *(f"household {k.split('~')[-1]}" for k in out.keys)}
    found = {asked: seen - own for asked, seen in leaks(demo, who, out).items() if seen - own}
    assert found == {}


@pytest.mark.demo
@pytest.mark.timeout(900)
def test_a_seller_of_south_finds_them_by_the_same_ways(demo):
    out = demo_outside(str(demo.sources.settings.lake), "North")
    seen = set().union(*leaks(demo, "seller:south", out).values())
    assert len([s for s in seen if "@" in s]) > 50 and any(s.startswith("household") for s in seen)


@pytest.mark.demo
@pytest.mark.timeout(900)
@pytest.mark.parametrize("who", ["executive", "analyst", "data_engineer", "admin", "auditor"])
def test_contacts_are_in_no_answer_for_those_they_are_hidden_from(demo, who):
    known = pd.read_parquet(demo.sources.settings.lake / "households.parquet")
    out = demo_outside(str(demo.sources.settings.lake), "nowhere")
    hidden = replace(
        out,
        texts=frozenset({*known.email, *known.phone}),
        words=("555", "555", "555"),
        column="email",
        value="dan.dyer.1@example.com",
        ids=lambda _: set(),
    )
    found = {a: s - {"dan.dyer.1@example.com"} for a, s in leaks(demo, who, hidden).items()}
    assert {a: s for a, s in found.items() if s} == {}
