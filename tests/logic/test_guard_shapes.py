"""The guard's judgement of a callback's request, to the letter and without an application."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import dash._pages
import pytest
from flask import Flask, request

from pages import _guard

PLAIN = {"id": "a", "property": "value"}
ALL_ID = '{"name":["ALL"],"part":"x"}'
MATCH_ID = '{"name":["MATCH"],"part":"x"}'


@pytest.fixture
def server() -> Iterator[Flask]:
    made = Flask("guard")
    with made.app_context():
        yield made


def one(id_: Any, property_: str = "value", **said: Any) -> dict[str, Any]:
    return {"id": id_, "property": property_, **said}


@pytest.mark.parametrize(
    ("want", "given", "same"),
    [
        (PLAIN, one("a", value=1), True),
        (PLAIN, one("a"), True),
        (PLAIN, one("b"), False),
        (PLAIN, one("a", "children"), False),
        (PLAIN, {"id": "a"}, False),
        (PLAIN, {"property": "value"}, False),
        (PLAIN, [one("a")], False),
        (PLAIN, None, False),
        (PLAIN, "a.value", False),
        (PLAIN, one({"name": "a"}), False),
        ({"id": ALL_ID, "property": "value"}, [one({"name": "n", "part": "x"})], True),
        ({"id": ALL_ID, "property": "value"}, [], True),
        ({"id": ALL_ID, "property": "value"}, one({"name": "n", "part": "x"}), False),
        ({"id": ALL_ID, "property": "value"}, [one({"name": "n", "part": "y"})], False),
        (
            {"id": ALL_ID, "property": "value"},
            [one({"name": "n", "part": "x"}), one({"name": "n", "part": "y"})],
            False,
        ),
        ({"id": ALL_ID, "property": "value"}, [one({"name": "n", "part": "x"}, "id")], False),
        ({"id": ALL_ID, "property": "value"}, [one({"name": "n", "part": "x", "more": 1})], False),
        ({"id": ALL_ID, "property": "value"}, [one({"part": "x"})], False),
        ({"id": ALL_ID, "property": "value"}, [one("a")], False),
        ({"id": ALL_ID, "property": "value"}, ["a"], False),
        ({"id": ALL_ID, "property": "value"}, [{"property": "value"}], False),
        ({"id": ALL_ID.replace("ALL", "ALLSMALLER"), "property": "value"}, [one({"name": "n", "part": "x"})], True),
        ({"id": MATCH_ID, "property": "value"}, one({"name": "n", "part": "x"}), True),
        ({"id": MATCH_ID, "property": "value"}, [one({"name": "n", "part": "x"})], False),
        ({"id": MATCH_ID, "property": "value"}, one({"name": "n", "part": "y"}), False),
        (PLAIN, one("a", "value@1234"), True),
        (PLAIN, one("a", "other@value"), False),
    ],
)
def test_a_value_is_of_the_registered_component_and_property(want, given, same):
    assert _guard._same(given, want) is same


def test_values_are_as_many_as_registered_each_in_its_place():
    spec = [PLAIN, {"id": "b", "property": "data"}]
    assert _guard._same_shape(spec, [one("a"), one("b", "data")])
    assert not _guard._same_shape(spec, [one("b", "data"), one("a")])
    assert not _guard._same_shape(spec, [one("a")])
    assert not _guard._same_shape(spec, [one("a"), one("b", "data"), one("c")])
    assert _guard._same_shape(spec, None) is False
    assert _guard._same_shape(spec, {"a": 1, "b": 2}) is False
    assert not _guard._same_shape([], (one("a"),))


@pytest.mark.parametrize(
    ("output", "given", "same"),
    [
        ("a.children", one("a", "children"), True),
        ("a.children", [one("a", "children")], False),
        ("a.children@12", one("a", "children"), True),
        ("a.children", one("b", "children"), False),
        ("..a.children...b.data..", [one("a", "children"), one("b", "data")], True),
        ("..a.children@1...b.data@1..", [one("a", "children"), one("b", "data")], True),
        ("..a.children...b.data..", [one("b", "data"), one("a", "children")], False),
        ("..a.children..", [one("a", "children")], True),
        ("..a.children..", one("a", "children"), False),
        ("..a.children...b.data..", [one("a", "children")], False),
        ("..a.b.children..", [one("a.b", "children")], True),
        ("..Xa.children...b.dataX..", [one("Xa", "children"), one("b", "dataX")], True),
    ],
)
def test_outputs_are_those_of_the_callbacks_name(output, given, same):
    assert _guard._same_outputs(output, given) is same


SPEC: dict[str, Any] = {"inputs": [PLAIN], "state": [{"id": "s", "property": "data"}]}


def body(**said: Any) -> dict[str, Any]:
    return {
        "inputs": [one("a")], "state": [one("s", "data")], "outputs": one("o", "children"),
        "changedPropIds": ["a.value"], **said,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ({}, True),
        ({"changedPropIds": []}, True),
        ({"inputs": [one("b")]}, False),
        ({"inputs": None}, False),
        ({"state": [one("t", "data")]}, False),
        ({"state": None}, False),
        ({"state": []}, False),
        ({"outputs": one("p", "children")}, False),
        ({"outputs": None}, False),
        ({"changedPropIds": "a.value"}, False),
        ({"changedPropIds": None}, False),
        ({"changedPropIds": {"a": 1}}, False),
        ({"changedPropIds": ["a.value", 1]}, False),
    ],
)
def test_a_request_has_the_registered_inputs_states_outputs_and_triggers(said, same):
    assert _guard._same_request(SPEC, "o.children", body(**said)) is same


def test_what_a_request_may_leave_out():
    said = body()
    del said["changedPropIds"]
    assert _guard._same_request(SPEC, "o.children", said) is True
    bare = {"inputs": [one("a")], "outputs": one("o", "children")}
    assert _guard._same_request({"inputs": [PLAIN], "state": []}, "o.children", bare) is True
    assert (
        _guard._same_request({"inputs": [PLAIN], "state": [], "no_output": True}, "x", {"inputs": [one("a")]}) is True
    )
    assert _guard._same_request({"inputs": [PLAIN], "state": []}, "x", {"inputs": [one("a")]}) is False
    assert _guard._same_request(SPEC, "o.children", {**bare}) is False


@pytest.mark.parametrize(
    ("value", "depth"),
    [(1, 0), ([], 0), ({}, 0), ([1], 1), ({"a": 1}, 1), ([[1]], 2), ({"a": [1, {"b": 2}]}, 3), ("text", 0)],
)
def test_how_deep_a_value_is_nested(value, depth):
    assert _guard._depth(value) == depth


def test_the_depth_of_something_bottomless_is_counted_a_little_past_the_limit():
    value: Any = 1
    for _ in range(60):
        value = [value]
    assert _guard._depth(value) == 41


def nested(levels: int) -> str:
    return '{"a":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


@pytest.mark.parametrize(
    ("sent", "kind", "answer"),
    [
        ("{}", "application/json", {}),
        ('{"a": 1.5}', "application/json", {"a": 1.5}),
        ('{"a": "\\u00e4"}', "application/json", {"a": "ä"}),
        ("{}", "application/json; charset=utf-8", {}),
        ("{}", "text/plain", (415, "not_json")),
        ("[]", "application/json", (400, "malformed")),
        ("1", "application/json", (400, "malformed")),
        ("null", "application/json", (400, "malformed")),
        (" ", "application/json", (400, "malformed")),
        ("", "application/json", (413, "too_large")),
        ("{", "application/json", (400, "malformed")),
        ('{"a": NaN}', "application/json", (400, "malformed")),
        ('{"a": -Infinity}', "application/json", (400, "malformed")),
        ('{"a": 1e999}', "application/json", (400, "malformed")),
        ('{"a": "\\ud800"}', "application/json", (400, "malformed")),
        (b'{"a": "\xff"}', "application/json", (400, "malformed")),
        ("[" * 100_000, "application/json", (400, "malformed")),
        ('{"a": "' + "x" * (1 << 20) + '"}', "application/json", (413, "too_large")),
        ('{"a": "' + "x" * ((1 << 20) - 9) + '"}', "application/json", {"a": "x" * ((1 << 20) - 9)}),
        ('{"a": "' + "x" * ((1 << 20) - 8) + '"}', "application/json", (413, "too_large")),
        (nested(41), "application/json", json.loads(nested(41))),
        (nested(42), "application/json", (400, "malformed")),
    ],
)  # fmt: skip
def test_a_body_is_a_mapping_of_finite_shallow_whole_values(server, sent, kind, answer):
    with server.test_request_context("/", method="POST", data=sent, content_type=kind):
        found = _guard._body(request)
        if isinstance(answer, tuple):
            assert (found[1], found[0].get_json()) == (answer[0], {"error": answer[1]})
        else:
            assert found == answer


def test_a_body_without_a_length_is_not_read(server):
    with server.test_request_context("/", method="POST", content_type="application/json"):
        assert _guard._body(request)[1] == 413


@pytest.mark.parametrize(
    ("headers", "elsewhere"),
    [
        ({}, False),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"}, False),
        ({"Origin": "http://localhost"}, False),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": "null"}, True),
    ],
)
def test_another_sites_request_is_known_by_what_browsers_say(server, headers, elsewhere):
    with server.test_request_context("/", method="POST", headers=headers):
        assert _guard._from_elsewhere(request) is elsewhere


def route(pathname: Any = "/leads/x", search: Any = "?list=a", **said: Any) -> dict[str, Any]:
    inputs = [
        {"id": "_pages_location", "property": "pathname", "value": pathname},
        {"id": "_pages_location", "property": "search", "value": search},
    ]
    return {"inputs": inputs, "changedPropIds": ["_pages_location.pathname"], **said}


def spoilt(place: int, **said: Any) -> dict[str, Any]:
    made = route()
    made["inputs"][place].update(said)
    return made


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (route(), None),
        (route(search=""), None),
        (route("/"), None),
        (route("/nowhere", "?key=1"), None),
        (route(search="?key=1"), (400, "ambiguous")),
        (route(search="?list=a&key=1"), (400, "ambiguous")),
        (route("/leads/x/", "?key=1"), (400, "ambiguous")),
        (route(1), (400, "malformed")),
        (route(search=None), (400, "malformed")),
        (route(inputs=None), (400, "malformed")),
        (route(inputs=route()["inputs"][:1]), (400, "malformed")),
        (route(inputs=[*route()["inputs"], route()["inputs"][0]]), (400, "malformed")),
        (route(inputs=route()["inputs"][::-1]), (400, "malformed")),
        (route(inputs=["a", "b"]), (400, "malformed")),
        (spoilt(0, id="other"), (400, "malformed")),
        (spoilt(1, id="other"), (400, "malformed")),
        (spoilt(0, property="href"), (400, "malformed")),
        (spoilt(1, property="hash"), (400, "malformed")),
        (route(changedPropIds="x"), (400, "malformed")),
        (route(changedPropIds=[1]), (400, "malformed")),
        (route(changedPropIds=["x", None]), (400, "malformed")),
        (route(changedPropIds=[]), None),
        ({"inputs": route()["inputs"]}, None),
        ({"inputs": [{"id": "_pages_location", "property": p} for p in ("pathname", "search")]}, (400, "malformed")),
    ],
)
def test_the_router_is_asked_for_an_address_and_a_search_that_say_one_thing(server, monkeypatch, said, answer):
    page = {"path_template": "/leads/<key>", "path": "/leads/none", "module": "m"}
    monkeypatch.setattr(dash._pages, "PAGE_REGISTRY", OrderedDict(m=page))
    found = _guard._route_refused(said)
    assert (None if found is None else (found[1], found[0].get_json()["error"])) == answer


def test_numbers_are_finite_and_say_so_where_not():
    assert _guard._finite("1.5") == 1.5
    for make in (_guard._finite, _guard._no_constant):
        with pytest.raises(ValueError, match=r"^A number must be finite, got (1e999|-Infinity)\.$"):
            make("1e999" if make is _guard._finite else "-Infinity")


def test_what_the_guard_read_can_be_read_again(server):
    with server.test_request_context("/", method="POST", data='{"a": 1}', content_type="application/json"):
        assert _guard._body(request) == {"a": 1}
        assert request.get_data() == b'{"a": 1}', "Dash reads it after the guard"


@pytest.mark.parametrize("problem", [ValueError, IndexError])
def test_an_address_that_dash_cannot_read_is_malformed(server, monkeypatch, problem):
    def broken(_: str) -> None:
        raise problem("unreadable")

    monkeypatch.setattr(_guard, "_parse_query_string", broken)
    answer, status = _guard._route_refused(route())
    assert (status, answer.get_json()) == (400, {"error": "malformed"})


@pytest.mark.parametrize(("pathname", "ambiguous"), [("/XXa", True), ("/XXa/", True), ("/", False)])
def test_a_variable_of_the_path_is_not_said_in_the_search_as_well(server, monkeypatch, pathname, ambiguous):
    page = {"path_template": "/XX<any>", "path": "/none", "module": "m"}
    monkeypatch.setattr(dash._pages, "PAGE_REGISTRY", OrderedDict(m=page))
    assert (_guard._route_refused(route(pathname, "?any=1")) is not None) is ambiguous
