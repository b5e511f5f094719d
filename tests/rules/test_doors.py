"""Every door is guarded: what pages ask of services, every page, every callback, every route."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from pages import MISSING, PAGES
from pages._guard import PUBLIC_PATHS, ROUTER
from services.access import ACTION_WORDS, ACTIONS, ADDRESSES, Viewer, viewer_of
from services.errors import Forbidden
from tests.bakery import build
from tests.rules.code import modules, name, tree

OWN = {
    "sign_in.sign_in", "sign_in.sign_out", "demo_people.sign_in_demo", "demo_people.demo_accounts",
    "live_sessions.live_session", "live_sessions.viewer_for_session", "live_sessions.seen", "own_account.own_account",
    "own_account.end_other_sessions", "own_account.change_password", "policy.own_rights", "audit.denied",
    "audit.record", "view_as.stop", "oidc.begin", "oidc.finish", "oidc.way_out", "oidc.came_through",
    "sign_in.enter_code", "links.opened", "links.choose_password", "step_up.proof", "step_up.confirm",
    "second_factor.held", "second_factor.begin", "second_factor.begun", "second_factor.confirm", "second_factor.remove",
}  # fmt: skip
"""The way in and out, one's own account, and writing into the log: everybody's who is signed in, or before it."""
FACTS = {"snapshots.snapshot", "sources.now", "kpi_waiting.sentence", "model_facts.facts_of"}
"""Facts that are the same for everybody who is signed in: no row is in them."""

BOTH = {
    "exports.lead_csv": ("leads:export", "leads:read"),
    "evidence.pack": ("audit:read", "policy:read"),
    "evidence_files.take": ("audit:read", "policy:read"),
}
"""Doors that two rights open together."""


def asked_by_pages() -> set[str]:
    """``module.function`` of every service function with sources that a page, a ring or the app asks."""
    found: set[str] = set()
    for file in modules("pages", "app.py"):
        known = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree(file)) if isinstance(node, ast.ImportFrom) and node.module == "services"
            for alias in node.names
        }  # fmt: skip
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
                found.add(f"{known[node.value.id]}.{node.attr}")
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("services."):
                found |= {f"{str(node.module).removeprefix('services.')}.{alias.name}" for alias in node.names}
    return {f for f in found if "sources" in parameters(f)}


def parameters(door: str) -> list[str]:
    """The names of a service function's parameters; none for what is no function."""
    module, _, function = door.partition(".")
    found = getattr(importlib.import_module(f"services.{module}"), function, None)
    return list(inspect.signature(found).parameters) if inspect.isfunction(found) else []


DOORS = sorted(asked_by_pages() - OWN - FACTS)


def a_viewer(*grants: str) -> Viewer:
    """Somebody of the bakery who sees every row and may do these things only."""
    from data.workspace import read_workspace

    workspace = read_workspace(build.WORKSPACE)
    found = viewer_of(workspace, person_id=1, name="x", email="x@x", role="tueftlerei", attributes={})
    from dataclasses import replace

    return replace(found, grants=frozenset(grants))


def let_in(door: str, viewer: Viewer, sources: Any) -> bool:
    """Does the function go on past its first question? What it does then with nonsense is not asked here."""
    module, _, function = door.partition(".")
    asked: Callable[..., Any] = getattr(importlib.import_module(f"services.{module}"), function)
    needed = [
        p
        for p in list(inspect.signature(asked).parameters.values())[2:]
        if p.default is p.empty and p.kind != p.VAR_KEYWORD
    ]
    try:
        asked(viewer, sources, **{p.name: None for p in needed})
    except Forbidden:
        return False
    except Exception:
        return True
    return True


@pytest.mark.parametrize("door", sorted(asked_by_pages() - FACTS - OWN))
def test_what_a_page_asks_takes_the_viewer_first(door):
    assert parameters(door)[:2] == ["viewer", "sources"], f"{door} must take the viewer first, then the sources"


class Nothing:
    """Sources that must not be touched before the right is checked."""

    def __getattr__(self, attribute: str) -> Any:
        raise AssertionError(f"sources.{attribute} was used before the right was checked")


@pytest.mark.parametrize("door", DOORS)
def test_a_service_refuses_a_viewer_without_grants_before_it_looks_anywhere(door):
    assert not let_in(door, a_viewer(), Nothing()), f"{door} must begin with require(viewer, …)"


@pytest.mark.parametrize("door", DOORS)
def test_each_service_asks_for_one_action_that_people_can_read_about(door):
    """Exactly one action opens a door (some need a second one inside); all others leave it shut."""
    asked = BOTH.get(door)
    if asked:
        assert let_in(door, a_viewer(*asked), Nothing()) and not any(
            let_in(door, a_viewer(a), Nothing()) for a in asked
        )
        return
    opening = {action for action in ACTIONS if let_in(door, a_viewer(action), Nothing())}
    assert len(opening) == 1, f"{door} is opened by {sorted(opening) or 'nothing'}"
    assert opening <= set(ACTION_WORDS)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("page", [*PAGES, MISSING], ids=lambda p: p.path)
def test_every_page_declares_what_it_needs(page):
    assert page.needs in ACTIONS or page.needs == "signed_in"


def test_no_address_stands_twice():
    assert len({p.path for p in PAGES}) == len(PAGES)


def test_a_role_may_name_every_page_that_needs_no_key():
    assert {p.path: "" if p.needs == "signed_in" else p.needs for p in PAGES if "<" not in p.path} == ADDRESSES


# ── callbacks ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def house(bakery):
    """The bakery after its first request: Dash has registered its router."""
    bakery.client().get("/healthz")
    return bakery


def server_callbacks(house) -> dict[str, Any]:
    return {n: s for n, s in house.app.callback_map.items() if "callback" in s and n != ROUTER}


def test_every_callback_is_guarded(house):
    bare = [n for n, s in server_callbacks(house).items() if getattr(s["callback"], "__needs__", None) is None]
    assert bare == [], "a callback must be registered by Screen.callback"


def test_an_anonymous_caller_gets_no_callback(house):
    client = house.client()
    for output in [*server_callbacks(house), ROUTER]:
        answer = house.post(client, house.body(output))
        assert answer.status_code in (400, 401), (output, answer.status_code)
        assert "response" not in (answer.get_json(silent=True) or {})


@pytest.mark.attack("G-02")
@pytest.mark.parametrize("who", ["leitung", "aussendienst", "tueftlerei", "hauswart"])
def test_a_callback_answers_those_who_may_and_is_not_there_for_others(house, who):
    client, grants = house.sign_in(who), house.viewer(who).grants
    for output, spec in server_callbacks(house).items():
        needs = spec["callback"].__needs__
        answer = house.fire(client, output)
        if needs == "signed_in" or needs in grants:
            assert answer.status_code in (200, 204, 400), (output, answer.status_code)
        else:
            assert answer.status_code == 404, (output, needs, answer.status_code)


@pytest.mark.attack("G-06")
@pytest.mark.parametrize("who", ["leitung", "aussendienst", "tueftlerei", "hauswart"])
def test_a_browser_learns_of_no_callback_that_its_person_may_not_call(house, who):
    client, grants = house.sign_in(who), house.viewer(who).grants
    told = {s["output"] for s in client.get("/_dash-dependencies").get_json()}
    for output, spec in server_callbacks(house).items():
        may = spec["callback"].__needs__ in {*grants, "signed_in"}
        assert (output in told) == may, (output, spec["callback"].__needs__)


def test_a_callback_of_another_shape_is_refused(house):
    client = house.sign_in("tueftlerei")
    grants = house.viewer("tueftlerei").grants
    for output, spec in server_callbacks(house).items():
        if spec["callback"].__needs__ not in {*grants, "signed_in"} or not spec["inputs"]:
            continue
        good = house.body(output)
        if not all(isinstance(i, dict) for i in good["inputs"]):
            continue
        renamed = [{**good["inputs"][0], "id": "somebody-else"}, *good["inputs"][1:]]
        for bad in (
            {**good, "inputs": renamed},
            {**good, "inputs": good["inputs"][:-1]},
            {**good, "inputs": [*good["inputs"], good["inputs"][0]]},
            {**good, "outputs": {"id": "ll-toasts", "property": "children"} if "..." in output else []},
        ):
            answer = house.post(client, bad)
            assert answer.status_code == 400, (output, bad, answer.status_code)


def test_a_callback_without_the_form_token_is_refused(house):
    client = house.sign_in("tueftlerei")
    for output in server_callbacks(house):
        assert house.fire(client, output, token="").status_code == 400, output


# ── routes ────────────────────────────────────────────────────────────────────────────────────────


def test_a_stranger_gets_the_way_in_the_code_bundles_and_nothing_else(house):
    client = house.client()
    for rule in house.app.server.url_map.iter_rules():
        path = rule.rule
        for variable in rule.arguments:
            path = (
                path.replace(f"<path:{variable}>", "x")
                .replace(f"<{variable}>", "x")
                .replace(f"<string:{variable}>", "x")
            )
        if rule.rule in PUBLIC_PATHS or path.startswith(("/_dash-component-suites/", "/assets/")):
            continue
        answer = client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code in (302, 401, 404, 405), (path, answer.status_code)
        if answer.status_code == 302:
            assert answer.headers["Location"].startswith("/sign-in"), (path, answer.headers["Location"])
        assert client.get(path, headers={"Accept": "application/json"}).status_code in (401, 404, 405), path


def test_pages_are_told_from_each_other_by_nobody_who_is_not_signed_in(house):
    client = house.client()
    answers = {client.document(path).status_code for path in ("/kpis", "/admin/people", "/no-such-page", "/leads/x~y")}
    assert answers == {302}


def test_files_of_the_project_name_no_page_without_a_callback_door():
    """Pages register callbacks on the screen they are given, never on Dash's own decorator."""
    for file in modules("pages"):
        text = file.read_text(encoding="utf-8")
        assert "@callback" not in text and "app.callback(" not in text.replace("self.app.callback(", ""), name(file)


@pytest.mark.attack("A-10")
def test_everything_that_polls_is_passive(house):
    """A timer of the browser is no act of a person: it must not keep a session alive."""
    timers = [
        (output, spec)
        for output, spec in server_callbacks(house).items()
        if any(i["property"] == "n_intervals" for i in spec["inputs"])
    ]
    assert len(timers) >= 2
    assert [output for output, spec in timers if not getattr(spec["callback"], "__passive__", False)] == []
