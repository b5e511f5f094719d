"""The table of ``docs/reference/access.md``, executed: each role of the demo tries every page, callback and file."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from pages import PAGES
from pages._guard import ROUTER
from services import leads
from services.access import ACTIONS
from services.lead_query import LeadQuery
from tests.docs.test_docs import cells
from tests.house import House
from tests.instances import DEMO_PEOPLE
from tests.rules.code import ROOT

pytestmark = [pytest.mark.demo, pytest.mark.timeout(600)]
INSIDE = {"what_if:all_inputs", "explanations:technical"}
"""Actions that open no door of their own: they show more behind another."""
ROLES = [who for who in DEMO_PEOPLE if ":" not in who]


def table() -> dict[str, set[str]]:
    """What each role may do, as the document says it."""
    from data.workspace import read_workspace
    from services.settings import DEMO_WORKSPACE

    lines = (ROOT / "docs/reference/access.md").read_text(encoding="utf-8").splitlines()
    labels = cells(next(line for line in lines if line.startswith("| action")))[2:]
    roles = {about.label: name for name, about in read_workspace(DEMO_WORKSPACE).access.roles.items()}
    said: dict[str, set[str]] = {roles[label]: set() for label in labels}
    for line in lines:
        if line.startswith("| `"):
            action, _, *marks = cells(line)
            for label, mark in zip(labels, marks, strict=True):
                said[roles[label]] |= {action.strip("`")} if mark == "yes" else set()
    return said


def doors(house: House) -> set[str]:
    """Every action that some page, callback or route needs."""
    callbacks = {s["callback"].__needs__ for o, s in house.app.callback_map.items() if "callback" in s and o != ROUTER}
    routes = {getattr(view, "__needs__", None) for view in house.app.server.view_functions.values()}
    return ({p.needs for p in PAGES} | callbacks | routes) & ACTIONS


def test_every_action_is_tried_by_a_door_or_shows_more_behind_one(demo):
    assert doors(demo) | INSIDE == ACTIONS and not doors(demo) & INSIDE


def a_key(house: House, who: str) -> str:
    """A row that somebody may see."""
    viewer = house.viewer(who)
    of = next(choice.of for choice in leads.lists(viewer, house.sources) if choice.list == "campaign_response")
    return leads.block(viewer, house.sources, LeadQuery(list="campaign_response", of=of), 0, 1).rows[0].key


@pytest.mark.attack("G-01", "G-02", "G-03")
@pytest.mark.parametrize("who", ROLES)
def test_each_role_obtains_what_the_table_says_over_http(demo, who):
    may = table()[DEMO_PEOPLE[who][0]] | {"signed_in"}
    client = demo.sign_in(who)
    for page in PAGES:
        if "<" not in page.path:
            drawn = json.dumps(demo.layout(client, page.path))
            assert ("No such page" not in drawn and "There is no such page" not in drawn) is (page.needs in may), (
                page.path
            )
    for output, spec in demo.app.callback_map.items():
        if "callback" in spec and output != ROUTER:
            places = [*spec["inputs"], *spec["state"]]
            values = [None if not i["id"].startswith("{") else [] for i in places]
            first = values[: len(spec["inputs"])]
            answer = demo.fire(client, output, first, values[len(first) :])
            needs = spec["callback"].__needs__
            assert (answer.status_code != 404) is (needs in may), (output, needs, answer.status_code)
    for rule in demo.app.server.url_map.iter_rules():
        needs = getattr(demo.app.server.view_functions[rule.endpoint], "__needs__", None)
        if needs in ACTIONS and "GET" in (rule.methods or ()):
            answer = client.get(rule.rule.replace("<int:person_id>", "1"))
            assert (answer.status_code != 404) is (needs in may), rule.rule
        elif needs in ACTIONS:
            answer = client.post(rule.rule.replace("<int:person_id>", "0"), data={"csrf_token": client.token})
            assert (answer.status_code != 404) is (needs in may), rule.rule


@pytest.mark.attack("G-16")
@pytest.mark.parametrize("who", [w for w in ROLES if w in ("seller", "sales_manager", "analyst")])
def test_what_shows_more_behind_a_door_is_shown_as_the_table_says(demo, who):
    may, client = table()[DEMO_PEOPLE[who][0]], demo.sign_in(who)
    assert {"leads:read", "what_if:run"} <= may
    key = a_key(demo, who)
    said = demo.words(client, f"/leads/{key}?list=campaign_response&view=waterfall")
    assert ("Waterfall" in said) is ("explanations:technical" in may)
    drawn = json.dumps(demo.layout(client, f"/what-if?list=campaign_response&key={quote(key, safe='')}"))
    actionable = sum(f.actionable for f in demo.sources.workspace.models.models["campaign_response"].features.values())
    controls = drawn.count('"part": "what-if-box"')
    assert controls and (controls > actionable) is ("what_if:all_inputs" in may), (controls, actionable)
