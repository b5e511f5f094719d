"""The overview's page: who may open it, what it draws, that every control is an address, and that nothing leaks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pages import kpis as page
from tests.house import House, texts

NB = "\u00a0"


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every component of a drawn page."""
    if isinstance(tree, dict):
        if "props" in tree and "type" in tree:
            yield tree
        for inside in tree.values():
            yield from nodes(inside)
    elif isinstance(tree, list):
        for inside in tree:
            yield from nodes(inside)


def of_class(tree: Any, name: str) -> list[dict[str, Any]]:
    return [n for n in nodes(tree) if name in str(n["props"].get("className", "")).split()]


def said(tree: Any) -> str:
    """What can be read on the page, without what is only said by attributes."""

    def read(node: Any) -> Iterator[str]:
        if isinstance(node, str | int | float):
            yield str(node)
        elif isinstance(node, dict):
            yield from read(node["props"].get("children"))
        elif isinstance(node, list):
            for inside in node:
                yield from read(inside)

    return " ".join(part.strip() for part in read(tree)).replace(NB, " ")


def hrefs(tree: Any) -> list[str]:
    return [n["props"]["href"] for n in nodes(tree) if n["props"].get("href")]


@pytest.fixture
def drawn(bakery: House) -> Any:
    return bakery.layout(bakery.sign_in("leitung"), "/kpis")


def test_nobody_anonymous_sees_a_number(client: Any):
    assert client.document("/kpis").status_code == 302


def test_a_role_without_the_action_is_told_that_there_is_no_such_page(bakery: House):
    assert "There is no such page for you." in bakery.words(bakery.sign_in("hauswart"), "/kpis")


def test_the_page_has_its_parts_in_order(drawn: Any):
    assert len(of_class(drawn, "ll-card")) == 5
    found = said(drawn)
    parts = ["November 2024", "rose 8.5 % against October 2024", "Why it moved, by", "Needs attention", "Total"]
    places = [found.index(part) for part in parts]
    assert places == sorted(places)


def test_one_heading_of_the_first_rank(drawn: Any):
    assert [n["type"] for n in nodes(drawn)].count("H1") == 1


def test_every_control_is_an_address_of_the_overview_that_opens(bakery: House, drawn: Any):
    client = bakery.sign_in("leitung")
    own = sorted({h for h in hrefs(drawn) if h.startswith("/kpis")})
    assert len(own) >= 15
    for href in own:
        tree = bakery.layout(client, href)
        assert of_class(tree, "ll-card"), href
        assert "is shown instead" not in said(tree), href


def test_every_link_that_changes_the_view_keeps_the_place(drawn: Any):
    for node in nodes(drawn):
        href = node["props"].get("href", "")
        if href.startswith("/kpis"):
            assert node["props"].get("data-stay") == "yes", href


def test_a_currency_in_front_stands_with_its_number_and_a_unit_behind_is_small(drawn: Any):
    values = [n["props"]["children"] for n in of_class(drawn, "ll-card-value")]
    assert values[0] == f"CHF{NB}373k"
    assert (values[1][0], said(values[1][1])) == ("296", "Lieferungen")
    assert (values[4][0], said(values[4][1])) == ("4.1", "%")


def test_the_chosen_card_is_marked_and_one_only(bakery: House):
    tree = bakery.layout(bakery.sign_in("leitung"), "/kpis?metric=lieferungen")
    chosen = [said(n) for n in of_class(tree, "ll-card-link") if n["props"].get("aria-current") == "true"]
    assert len(chosen) == 1 and chosen[0].startswith("Lieferungen")


def test_a_number_explains_itself_to_mouse_and_keyboard(drawn: Any):
    links = of_class(drawn, "ll-card-link")
    about = {n["props"]["id"]: said(n) for n in of_class(drawn, "ll-about")}
    assert len(links) == 5
    for link in links:
        text = about[link["props"]["aria-describedby"]]
        for part in ("Exactly", "In October 2024", "Owner", "As of 30 Nov 2024", "version"):
            assert part in text, part
    assert "Was für gelieferte Backwaren verrechnet wurde." in about["about-umsatz"]


def test_a_number_explains_itself_to_a_finger(drawn: Any):
    [about] = [n for n in nodes(drawn) if n["type"] == "Details" and "About this number" in said(n)]
    assert "Was für gelieferte Backwaren verrechnet wurde." in said(about)


def test_a_click_on_a_part_filters_and_a_second_one_takes_it_back(bakery: House, drawn: Any):
    client = bakery.sign_in("leitung")
    bar = next(n for n in of_class(drawn, "ll-barrow") if n["props"].get("href"))
    tree = bakery.layout(client, bar["props"]["href"])
    [chips] = of_class(tree, "ll-chips")
    assert "Reset" in said(chips)
    again = next(n for n in of_class(tree, "ll-barrow") if "is-chosen" in n["props"]["className"])
    assert not of_class(bakery.layout(client, again["props"]["href"]), "ll-chips")


def test_the_custom_period_has_two_days_within_the_data(bakery: House):
    tree = bakery.layout(bakery.sign_in("leitung"), "/kpis?period=custom&from=2024-11-01&to=2024-11-20")
    first, last = (n["props"] for n in nodes(tree) if n["type"] == "DateInput")
    assert (first["id"], first["value"], first["maxDate"]) == ("kpis-first", "2024-11-01", "2024-11-30")
    assert (last["id"], last["value"]) == ("kpis-last", "2024-11-20")
    assert not [n for n in nodes(bakery.layout(bakery.sign_in("leitung"), "/kpis")) if n["type"] == "DateInput"]


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/kpis?period=year", "period must be week, month, quarter or custom, got 'year'."),
        ("/kpis?period=custom", "A custom period needs its first and last day."),
        ("/kpis?period=custom&from=2024-11-20&to=2024-11-01", "The last day must not be before the first"),
        ("/kpis?on=2031-01-01", "The day must be at the latest 2024-11-30"),
        ("/kpis?metric=gewinn", "metric must be one of"),
        ("/kpis?by=%3Cscript%3E", "by must be one of"),
        ("/kpis?only=tour:Atlantis", "Tour must be one of the values you can see"),
        ("/kpis?only=" + "x" * 3000, "only must be given once"),
    ],
)
def test_a_wrong_address_is_named_above_the_usual_view(bakery: House, address: str, sentence: str):
    tree = bakery.layout(bakery.sign_in("leitung"), address)
    assert sentence in said(tree)
    assert "The newest month is shown instead." in said(tree)
    assert len(of_class(tree, "ll-card")) == 5


def test_what_is_odd_in_the_data_is_only_text(bakery: House):
    tree = bakery.layout(bakery.sign_in("leitung"), "/kpis?by=tour&only=tour:Stadt%20'Mitte'")
    assert "Tour: Stadt 'Mitte'" in said(tree)
    assert not [n for n in nodes(tree) if n["type"] in ("Markdown", "DangerouslySetInnerHTML")]


def test_without_rows_each_card_keeps_its_name_and_says_whom_to_ask(bakery: House):
    tree = bakery.layout(bakery.sign_in("aussendienst:ohne"), "/kpis")
    cards = of_class(tree, "is-missing")
    assert len(cards) == 5
    assert not of_class(tree, "ll-kp-members") and "There is nothing to watch yet." in said(tree)
    assert said(cards[0]).startswith("Umsatz You have no rows of Lieferungen. Your administrator can grant them.")


def test_the_scope_line_says_whose_rows_these_are(bakery: House):
    [line] = of_class(bakery.layout(bakery.sign_in("aussendienst"), "/kpis"), "ll-scope")
    assert said(line) == "As of 30 Nov 2024 Tour is Nord/See Compared with October 2024"


def test_other_peoples_members_are_nowhere_on_the_page(bakery: House):
    for address in ("/kpis", "/kpis?by=tour", "/kpis?metric=belieferte&by=tour&against=year"):
        found = said(bakery.layout(bakery.sign_in("aussendienst"), address))
        assert "Süd & Tal" not in found and "Stadt 'Mitte'" not in found
        assert "Nord/See" in found


def test_no_colour_is_written_into_the_page(drawn: Any):
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", " ".join(texts(drawn)))


def test_charts_carry_no_template_and_little_weight(bakery: House):
    answer = bakery.open(bakery.sign_in("leitung"), "/kpis")
    assert len(answer.get_data()) < 150_000
    assert '"template"' not in answer.get_data(as_text=True)


def test_the_page_asks_nothing_when_it_loads(bakery: House):
    listed = bakery.sign_in("leitung").get("/_dash-dependencies").get_json()
    own = [s for s in listed if s["output"].startswith("kpis-")]
    assert len(own) == 3
    assert all(s["prevent_initial_call"] for s in own)


def test_looking_again_is_guarded_and_gives_the_same_page(bakery: House):
    answer = bakery.fire(bakery.sign_in("leitung"), "kpis-body.children", [1], ["?metric=lieferungen", ""])
    tree = answer.get_json()["response"]["kpis-body"]["children"]
    assert said([n for n in of_class(tree, "ll-card") if "is-chosen" in n["props"]["className"]]).startswith(
        "Lieferungen"
    )
    assert bakery.fire(bakery.sign_in("hauswart"), "kpis-body.children", [1], [""]).status_code == 404


def test_while_something_is_prepared_the_page_looks_again_by_itself(own_bakery: House):
    from services import jobs

    client = own_bakery.sign_in("leitung")
    jobs.begin_build(own_bakery.sources)
    tree = own_bakery.layout(client, "/kpis")
    assert [n for n in nodes(tree) if n["type"] == "Interval"]
    [seen] = [n["props"]["title"] for n in nodes(tree) if n["props"].get("id") == "kpis-seen"]

    def again() -> Any:
        return own_bakery.fire(client, "kpis-body.children", [1], ["", seen]).get_json()

    jobs.tell_build(own_bakery.sources, 40, "Training: lapse risk")
    assert "Interval" in str(again()["response"])
    jobs.tell_build(own_bakery.sources, 41, "The demo is being prepared.")
    assert again()["response"] == {}  # nothing new: the page is left alone
    jobs.end_build(own_bakery.sources)
    assert "Interval" not in str(again()["response"])
    assert not [n for n in nodes(own_bakery.layout(client, "/kpis")) if n["type"] == "Interval"]


def test_the_page_is_declared(bakery: House):
    assert (page.page.path, page.page.needs) == ("/kpis", "kpis:read")


@pytest.mark.demo
def test_the_demos_first_screen(demo: House):
    found = said(demo.layout(demo.sign_in("executive"), "/kpis"))
    parts = ("December 2017", "Net sales rose 9.2 %", "$422k", "Grocery moved net sales most")
    for part in (*parts, "What the models expect", "What the lists brought"):
        assert part in found
