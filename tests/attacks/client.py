"""A browser of raw HTTP: cookies, form tokens and callbacks as a real one sends them, and an oracle for each answer.

Whatever comes back is searched for canaries outside the asker's scope, secrets and signs of a breakdown; the test that
asked fails at once. An answer of 500 or more (503 only where it is expected) fails it as well.
"""

from __future__ import annotations

import html
import json as json_
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.message import Message
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlencode

from pages._guard import ROUTER
from tests import house
from tests.attacks.canaries import NOTHING, PASSWORD, SCOPES, Scope, session_of, unpacked
from tests.attacks.server import Server

COOKIE = "lakelight"
DASH = "/_dash-update-component"
CODE = ("/_dash-component-suites/", "/assets/")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        """The body as data, None where it is none."""
        try:
            return json_.loads(self.body)
        except ValueError:
            return None

    @property
    def location(self) -> str:
        """Where it sends the browser."""
        return self.headers.get("Location", "")

    @property
    def cookies(self) -> dict[str, str]:
        """The whole lines of the cookies it sets, by name."""
        lines = self.headers.get_all("Set-Cookie") or []
        return {line.partition("=")[0]: line for line in lines}

    @property
    def has_data(self) -> bool:
        """Does it carry what a callback gives?"""
        return isinstance(self.json, dict) and bool({"response", "multi"} & set(self.json))


@dataclass
class Client:
    """One browser. ``who`` is a name of ``server.PEOPLE`` once it has signed in; ``address`` is where it comes from."""

    server: Server
    who: str = ""
    address: str = "127.0.0.1"
    scope: Scope = NOTHING
    cookies: dict[str, str] = field(default_factory=dict)
    may_break: bool = False
    """Does the test break the server on purpose? Then an answer of 500 with its sentence is what it waits for."""
    agent: str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    _told: dict[str, dict[str, Any]] = field(default_factory=dict)

    # ── requests ──────────────────────────────────────────────────────────────────────────────────

    def request(
        self, method: str, path: str, *, body: bytes | str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own. A header of "" is left out."""
        sent = {
            "Host": f"127.0.0.1:{self.server.port}",
            "User-Agent": self.agent,
            "Accept": "text/html",
            "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
            **(headers or {}),
        }
        raw = body.encode() if isinstance(body, str) else body
        link = HTTPConnection("127.0.0.1", self.server.port, timeout=30, source_address=(self.address, 0))
        try:
            link.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                if value:
                    link.putheader(name, value.encode("utf-8"))
            if raw is not None and "Transfer-Encoding" not in sent:
                link.putheader("Content-Length", str(len(raw)))
            link.endheaders(raw)
            got = link.getresponse()
            content = unpacked(got.read(), got.headers.get("Content-Encoding", ""))
        finally:
            link.close()
        answer = Answer(got.status, got.headers, content)
        self._keep(answer)
        self._look(f"{method} {path}\n{'' if raw is None else raw.decode('utf-8', 'replace')}", answer)
        return answer

    def get(self, path: str, *, accept: str = "text/html", **headers: str) -> Answer:
        """Type an address, or let a script fetch it (``accept="application/json"``)."""
        return self.request(
            "GET", path, headers={"Accept": accept, **{k.replace("_", "-"): v for k, v in headers.items()}}
        )

    def form(self, path: str, data: Mapping[str, str], *, token: str | None = None, **headers: str) -> Answer:
        """Send a form with its token (``token=""`` for none)."""
        known = self.token if token is None else token
        said = {**data, **({"csrf_token": known} if known else {})}
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        kind = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": self.origin,
            "Sec-Fetch-Site": "same-origin",
        }
        return self.request("POST", path, body=urlencode(said), headers={**kind, **named})

    @property
    def origin(self) -> str:
        """The address of the server as a browser writes it."""
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def token(self) -> str:
        """The form token: of the session, or of a fresh form where nobody is signed in."""
        if "_csrf_token" in self.cookies:
            return self.cookies["_csrf_token"]
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/sign-in").text)
        return html.unescape(found[1]) if found else ""

    # ── coming in and going ───────────────────────────────────────────────────────────────────────

    def enter(self, email: str, password: str = PASSWORD, path: str = "/sign-in", **headers: str) -> Answer:
        """Send the sign-in form, whatever comes of it."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/sign-in").text)
        token = html.unescape(found[1]) if found else self.token
        return self.form(path, {"email": email, "password": password}, token=token, **headers)

    def sign_in(self, who: str, password: str = PASSWORD) -> Client:
        """Come in through the form; the first page is opened as a browser does."""
        answer = self.enter(house.email_of(who), password)
        assert answer.status == 302, f"{who} must be let in, got {answer.status}"
        self.who, self.scope = who, SCOPES.get(who, NOTHING)
        self.get("/account")
        return self

    def sign_out(self) -> Answer:
        """Press the button."""
        return self.form("/sign-out", {})

    def copy(self) -> Client:
        """Another browser with a copy of the cookies."""
        return replace(self, cookies=dict(self.cookies))

    @property
    def session_id(self) -> str:
        """The id in the cookie."""
        return session_of(self.cookies.get(COOKIE, ""))

    @property
    def is_in(self) -> bool:
        """Does the server know who this is?"""
        return self.request("GET", "/account", headers={"Accept": "text/html"}).status == 200

    # ── callbacks ─────────────────────────────────────────────────────────────────────────────────

    def dependencies(self) -> dict[str, dict[str, Any]]:
        """The callbacks of the server that this browser is told of, by output."""
        if not self._told:
            told = self.get("/_dash-dependencies", accept="application/json").json
            assert isinstance(told, list), "a signed-in browser is told its callbacks"
            self._told = {spec["output"]: spec for spec in told if not spec.get("clientside_function")}
        return self._told

    def body(
        self,
        output: str,
        inputs: Sequence[Any] = (),
        state: Sequence[Any] = (),
        *,
        changed: Sequence[str] = (),
        spec: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """What a browser posts for a callback: ``output`` is its name or a part of one only; values in order."""
        if spec is None:
            known = self.dependencies()
            names = [output] if output in known else [name for name in known if output in name]
            assert len(names) == 1, f"{output} must name one callback, and names {names}"
            spec = known[names[0]]
        return body_of(spec, inputs, state, changed)

    def fire(self, output: str, inputs: Sequence[Any] = (), state: Sequence[Any] = (), **how: Any) -> Answer:
        """Post a callback as the browser does."""
        return self.post(self.body(output, inputs, state, **how))

    def post(self, body: Any, *, token: str | None = None, **headers: str) -> Answer:
        """Post a ready body (text as it is, anything else as JSON) to Dash."""
        sent = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Origin": self.origin,
            "Sec-Fetch-Site": "same-origin",
            "X-CSRFToken": self.cookies.get("_csrf_token", "") if token is None else token,
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return self.request(
            "POST", DASH, body=body if isinstance(body, str | bytes) else json_.dumps(body), headers=sent
        )

    def open(self, address: str) -> Answer:
        """Go to an address inside the app: the router's answer."""
        path, _, asked = address.partition("?")
        return self.post(router(path, f"?{asked}" if asked else ""))

    def words(self, address: str) -> str:
        """Every text of a page in one string."""
        answer = self.open(address)
        assert answer.status == 200, f"{address} must open, got {answer.status} {answer.text[:200]}"
        return re.sub(r"\s+", " ", " ".join(house.texts(answer.json["response"]["_pages_content"]["children"])))

    # ── inside ────────────────────────────────────────────────────────────────────────────────────

    def _keep(self, answer: Answer) -> None:
        for name, line in answer.cookies.items():
            value = line.partition("=")[2].partition(";")[0]
            if value and "Max-Age=0" not in line and "01 Jan 1970" not in line:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        if COOKIE in answer.cookies:
            self.server.oracle.learn(session_of(self.cookies.get(COOKIE, "")), "the id of a session")

    def _look(self, question: str, answer: Answer) -> None:
        path = question.split("\n", 1)[0]
        kept = [f"{k}: {v}" for k, v in answer.headers.items() if k != "Set-Cookie"]
        said = "\n".join(kept).encode() + (b"" if CODE[0] in path else answer.body)
        found = self.server.oracle.look(question, said, self.scope)
        if self.may_break:
            found = [one for one in found if one != "a breakdown"]
        assert not found, f"{self.who or 'a stranger'} asked {path} and got {found}"
        assert self.may_break or answer.status < 500 or answer.status == 503, (
            f"{path} broke: {answer.status} {answer.text[:200]}"
        )


def router(pathname: Any, search: Any = "", **others: Any) -> dict[str, Any]:
    """What a browser posts when it goes to an address."""
    return {
        "output": ROUTER,
        "outputs": house._outputs(ROUTER),
        "inputs": [
            {"id": "_pages_location", "property": "pathname", "value": pathname},
            {"id": "_pages_location", "property": "search", "value": search},
        ],
        "changedPropIds": ["_pages_location.pathname"],
        **others,
    }


def body_of(
    spec: Mapping[str, Any], inputs: Sequence[Any] = (), state: Sequence[Any] = (), changed: Sequence[str] = ()
) -> dict[str, Any]:
    """The request of a callback of which a browser was told (or the application's own map says) this."""
    name = str(spec["output"])
    first = [f"{i['id']}.{i['property']}" for i in spec["inputs"][:1]]
    return {
        "output": name,
        "outputs": house._outputs(name),
        "inputs": house._filled(spec["inputs"], inputs),
        "state": house._filled(spec.get("state") or [], state),
        "changedPropIds": list(changed) or first,
        "parsedChangedPropsIds": list(changed) or first,
    }


def query(path: str, **values: str) -> str:
    """An address with parameters."""
    return f"{path}?{urlencode(values, quote_via=quote)}"
