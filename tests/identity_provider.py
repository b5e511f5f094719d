"""A real identity provider (Canaille) in a process of its own: ``python -m tests.identity_provider PORT BACK``.

It is Canaille as a company would run it, with its pages and forms, on an in-memory directory of a few people. Two
addresses are added that only tests ask: one moves a person between groups, one gives the provider a new signing key.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLIENT, SECRET, PASSWORD = "lakelight", "a-secret-of-the-provider", "correct horse battery staple"
PEOPLE = {"clara": ("Clara Chef", ["chefs"]), "fritz": ("Fritz Fahrer", ["fahrer"]), "gast": ("Gustav Gast", [])}
GROUPS = ("chefs", "fahrer", "putzer")
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class RunningProvider:
    """A provider that answers at ``issuer``; ``back`` is the one way back that it knows."""

    port: int
    back: str
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def issuer(self) -> str:
        """As its discovery document says it."""
        return f"http://127.0.0.1:{self.port}"

    def groups(self, user: str, groups: list[str]) -> None:
        """From now on the person is in these groups and in no other."""
        self._ask("groups", user=user, groups=groups)

    def new_key(self) -> None:
        """From now on the provider signs with another key and publishes only that one."""
        self._ask("key")

    def _ask(self, what: str, **said: Any) -> None:
        asked = urllib.request.Request(f"{self.issuer}/_test/{what}", json.dumps(said).encode(), method="POST")
        urllib.request.urlopen(asked, timeout=10).close()

    def end(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait(timeout=10)
        if self.process.stderr:
            self.process.stderr.close()


def start(port: int, back: str) -> RunningProvider:
    """Start a provider and wait until it answers."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.identity_provider", str(port), back]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    running = RunningProvider(port, back, process)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"{running.issuer}/.well-known/openid-configuration", timeout=1).close()
        except OSError:
            if process.poll() is not None:
                said = process.stderr.read().decode()[-2000:] if process.stderr else ""
                raise RuntimeError(f"The provider ended: {said}") from None
            time.sleep(0.1)
        else:
            return running
    running.end()
    raise RuntimeError("The provider does not answer.")


def main(port: int, back: str) -> None:
    """Serve until the process is ended."""
    from canaille import create_app
    from joserfc.jwk import RSAKey
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = create_app(
        {
            "SECRET_KEY": "the key of the provider's own cookies",
            "SERVER_NAME": f"127.0.0.1:{port}",
            "PREFERRED_URL_SCHEME": "http",
            "SESSION_COOKIE_NAME": "provider",
            "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False, "HTMX": False},
            "CANAILLE_OIDC": {
                "ACTIVE_JWKS": [RSAKey.generate_key(2048, {"alg": "RS256"}, auto_kid=True).as_dict(private=True)]
            },
        },
        env_file=None,
    )
    _mend_the_directory()
    with app.app_context():
        _seed(app, back)

    @app.post("/_test/<what>")
    def test(what: str) -> str:
        from flask import request

        said = json.loads(request.get_data())
        if what == "key":
            app.config["CANAILLE_OIDC"]["ACTIVE_JWKS"] = [
                RSAKey.generate_key(2048, {"alg": "RS256"}, auto_kid=True).as_dict(private=True)
            ]
        else:
            _put_into(app, said["user"], said["groups"])
        return "done"

    app.extensions["csrf"].exempt(test) if "csrf" in app.extensions else None
    make_server("127.0.0.1", port, app, threaded=True).serve_forever()


def _mend_the_directory() -> None:
    """Canaille's in-memory directory takes one fitting condition for all: a wrong code of the right client would do."""
    from canaille.backends.memory.backend import MemoryBackend

    loosely = MemoryBackend.do_query

    def strictly(self: Any, model: Any, *args: Any, **wanted: Any) -> Any:
        found = loosely(self, model, *args, **wanted)
        for name, value in wanted.items():
            ids = {one.id for one in loosely(self, model, **{name: value})}
            found = [one for one in found if one.id in ids]
        return found

    MemoryBackend.do_query = strictly


def _seed(app: Any, back: str) -> None:
    from canaille.app import models
    from canaille.backends import Backend

    for user, (name, _) in PEOPLE.items():
        first, last = name.split()
        made = models.User(
            user_name=user, formatted_name=name, given_name=first, family_name=last,
            emails=[f"{user}@bakery.example"], password=PASSWORD,
        )  # fmt: skip
        Backend.instance.save(made)
    for user, (_, groups) in PEOPLE.items():
        _put_into(app, user, groups)
    client = models.Client(
        client_id=CLIENT, client_secret=SECRET, client_name="Lakelight", client_uri=back.rsplit("/", 3)[0],
        redirect_uris=[back], post_logout_redirect_uris=[back.rsplit("/", 2)[0]],
        grant_types=["authorization_code"], response_types=["code"],
        scope=["openid", "profile", "email", "groups"], token_endpoint_auth_method="client_secret_basic",
    )  # fmt: skip
    Backend.instance.save(client)
    client.audience = [client]
    Backend.instance.save(client)


def _put_into(app: Any, user: str, groups: list[str]) -> None:
    from canaille.app import models
    from canaille.backends import Backend

    with app.app_context():
        person = Backend.instance.get(models.User, user_name=user)
        for name in GROUPS:
            found = Backend.instance.get(models.Group, display_name=name)
            members = [m for m in (found.members if found else []) if m != person]
            if name in groups:
                members.append(person)
            if found and not members:
                Backend.instance.delete(found)
            elif members:
                found = found or models.Group(display_name=name)
                found.members = members
                Backend.instance.save(found)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
