"""Pressing the buttons of the administrator's page of people, as a browser does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.attacks.client import Client
from tests.house import texts

ACT = "..people-head.children...people-list.children...people-panel.children.."


def press(
    client: Client, act: str, *, of: str = "", fields: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """Press a button of somebody's form; gives the words of the new panel."""
    answer = client.post(body(client, act, of=of, fields=fields, attributes=attributes))
    assert answer.status == 200, f"{act} must be answered, got {answer.status}"
    panel = answer.json["response"].get("people-panel", {}).get("children", [])
    return " ".join(texts(panel))


def body(
    client: Client, act: str, *, of: str = "", fields: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The request of such a button, so that a test may spoil it or let somebody else send it."""
    button = {"act": act, "type": "people-do"}
    inputs = [[{"id": button, "property": "n_clicks", "value": 1}]]
    state = [
        [_value(name, "people-field", value) for name, value in (fields or {}).items()],
        [_value(name, "people-attribute", value) for name, value in (attributes or {}).items()],
        str(client.server.person_id(of)) if of else "new",
        [],
    ]
    changed = [json.dumps(button, sort_keys=True, separators=(",", ":")) + ".n_clicks"]
    return client.body(ACT, inputs, state, changed=changed)


def _value(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"id": {"name": name, "type": kind}, "property": "value", "value": value}
