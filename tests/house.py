"""A whole Lakelight for tests: sources, the web app on them, people who sign in, callbacks fired as browsers do.

``House`` is made once for the bakery and once for the demo. Dash keeps one table of pages for the whole process, so
each client puts its own house's pages there before it asks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from dash import Dash
from dash._pages import PAGE_REGISTRY
from flask.testing import FlaskClient

from app import create_app
from pages._guard import ROUTER
from services import accounts
from services.access import Viewer, viewer_of
from services.sources import Sources

PASSWORD = "a long enough password"


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, at: datetime) -> None:
        self.start = self.at = at

    def __call__(self) -> datetime:
        return self.at

    def move(self, step: timedelta) -> None:
        """Let time pass."""
        self.at += step

    def reset(self) -> None:
        """Back to the start."""
        self.at = self.start


class Browser(FlaskClient):
    """A client that keeps its cookies, knows its token, and sees the pages of its own application."""

    house: House

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """One request, with this house's pages in Dash's table."""
        PAGE_REGISTRY.clear()
        PAGE_REGISTRY.update(self.house.pages)
        return super().open(*args, **kwargs)

    @property
    def token(self) -> str:
        """The form token of the session, "" where there is none."""
        kept = self.get_cookie("_csrf_token")
        return kept.decoded_value if kept else ""

    def document(self, address: str) -> Any:
        """The response to a person typing an address."""
        return self.get(address, headers={"Accept": "text/html"})


@dataclass
class House:
    """Everything a test needs of one workspace that runs."""

    sources: Sources
    people: Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]] = field(default_factory=dict)
    app: Dash = field(init=False)
    pages: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        PAGE_REGISTRY.clear()
        self.app = create_app(self.sources.settings, self.sources)
        self.app.server.test_client_class = Browser
        self.pages = dict(PAGE_REGISTRY)

    def client(self, **options: Any) -> Browser:
        """An anonymous client."""
        made = self.app.server.test_client(**options)
        assert isinstance(made, Browser)
        made.house = self
        return made

    def sign_in(self, who: str) -> Browser:
        """A client signed in through the form. ``who`` is a name in ``people``: a role, or ``role:value``."""
        client = self.client()
        found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").get_data(as_text=True))
        assert found, "the sign-in page must hold a form token"
        said = {"email": email_of(who), "password": PASSWORD, "csrf_token": found[1]}
        answer = client.post("/sign-in", data=said)
        assert answer.status_code == 302, f"{who} must be let in, got {answer.status_code}"
        client.document("/account")
        return client

    def viewer(self, who: str) -> Viewer:
        """What the policy makes of a person."""
        role, attributes = self.people[who]
        return viewer_of(
            self.sources.workspace,
            person_id=list(self.people).index(who) + 1,
            name=who,
            email=email_of(who),
            role=role,
            attributes=attributes,
        )

    def fire(
        self,
        client: Browser,
        output: str,
        inputs: Sequence[Any] = (),
        state: Sequence[Any] = (),
        *,
        changed: Sequence[str] = (),
        token: str | None = None,
    ) -> Any:
        """Post a callback as the browser does: ``output`` is its name in the callback map, or a part of one only.

        Values are given in the registered order; a value for a pattern is a ready list of {id, property, value}.
        """
        body = self.body(output, inputs, state, changed=changed)
        return self.post(client, body, token=token)

    def body(
        self, output: str, inputs: Sequence[Any] = (), state: Sequence[Any] = (), *, changed: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The request of a callback, so that a test may spoil it."""
        name = self.output_named(output)
        spec = self.app.callback_map[name]
        return {
            "output": name,
            "outputs": _outputs(name),
            "inputs": _filled(spec["inputs"], inputs),
            "state": _filled(spec["state"], state),
            "changedPropIds": list(changed) or [f"{i['id']}.{i['property']}" for i in spec["inputs"][:1]],
            "parsedChangedPropsIds": list(changed) or [f"{i['id']}.{i['property']}" for i in spec["inputs"][:1]],
        }

    def post(self, client: Browser, body: Any, *, token: str | None = None) -> Any:
        """Post a ready body to Dash."""
        headers = {"X-CSRFToken": client.token if token is None else token}
        return client.post("/_dash-update-component", json=body, headers=headers)

    def output_named(self, part: str) -> str:
        """The one callback whose name holds this."""
        if part in self.app.callback_map:
            return part
        found = [name for name in self.app.callback_map if part in name]
        assert len(found) == 1, f"{part} must name one callback, and names {found}"
        return found[0]

    def open(self, client: Browser, address: str) -> Any:
        """Go to an address inside the app: the layout of its page as JSON (the router's answer)."""
        parts = urlsplit(address)
        search = f"?{parts.query}" if parts.query else ""
        client.document("/healthz")
        return self.post(
            client,
            {
                "output": ROUTER,
                "outputs": _outputs(ROUTER),
                "inputs": [
                    {"id": "_pages_location", "property": "pathname", "value": parts.path},
                    {"id": "_pages_location", "property": "search", "value": search},
                ],
                "changedPropIds": ["_pages_location.pathname"],
            },
        )

    def layout(self, client: Browser, address: str) -> Any:
        """The drawn page as nested dicts."""
        answer = self.open(client, address)
        assert answer.status_code == 200, f"{address} must open, got {answer.status_code} {answer.get_data()[:200]!r}"
        return answer.get_json()["response"]["_pages_content"]["children"]

    def words(self, client: Browser, address: str) -> str:
        """Every text a page shows or holds in an attribute, in one string with plain blanks."""
        return re.sub(r"\s+", " ", " ".join(texts(self.layout(client, address))))


def email_of(who: str) -> str:
    """The address of a test person: role and value, in plain letters."""
    return re.sub(r"[^a-z0-9]+", ".", who.lower()).strip(".") + "@people.example"


def add_people(sources: Sources, people: Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]]) -> None:
    """Write test people with the one test password."""
    for who, (role, attributes) in people.items():
        kept = {name: list(values) for name, values in attributes.items()}
        accounts.create(sources, email=email_of(who), name=who, role=role, attributes=kept, password=PASSWORD)


def texts(node: Any) -> list[str]:
    """Every string in a component tree, keys left out."""
    if isinstance(node, str):
        return [node]
    if isinstance(node, Mapping):
        inside = node["props"] if "props" in node and "type" in node else node
        return [t for value in inside.values() for t in texts(value)]
    if isinstance(node, list | tuple):
        return [t for value in node for t in texts(value)]
    return []


def _filled(spec: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> list[Any]:
    assert len(values) <= len(spec), f"the callback takes {len(spec)} values, got {len(values)}"
    given = [*values, *[None] * (len(spec) - len(values))]
    return [
        (value or []) if one["id"].startswith("{") else {"id": one["id"], "property": one["property"], "value": value}
        for one, value in zip(spec, given, strict=True)
    ]


def _outputs(name: str) -> Any:
    many = name.startswith("..")
    parts = name.strip(".").split("...") if many else [name]
    made = []
    for part in parts:
        id_, _, property_ = part.partition("@")[0].rpartition(".")
        every = id_.startswith("{") and '["ALL"]' in id_
        made.append([] if every else {"id": json.loads(id_) if id_.startswith("{") else id_, "property": property_})
    return made if many else made[0]
