"""Who is answered how: every address by every method, and every callback, for a stranger, each role, the disabled.

``matrix.yml`` says what must come; what it does not name fails. ``ASKERS`` is the order of its columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from tests.attacks.client import Answer, Client

ASKERS = ("stranger", "disabled", "leitung", "aussendienst", "tueftlerei", "hauswart")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
TABLE = Path(__file__).with_name("matrix.yml")


@lru_cache(maxsize=1)
def table() -> Mapping[str, Any]:
    """What must come."""
    read: Mapping[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return read


def plain(output: str) -> str:
    """A callback's name without the hash that tells callbacks of one output apart."""
    return re.sub(r"@[0-9a-f]{32,}", "@", output)


def path_of(rule: str) -> str:
    """An address that this rule answers."""
    samples = table()["samples"]
    return str(samples.get(rule, rule))


def ask(client: Client, method: str, path: str) -> Answer:
    """One request as a signed-in script would send it, with its token."""
    headers = {"Accept": "text/html", "X-CSRFToken": client.cookies.get("_csrf_token", "")}
    if method in ("GET", "HEAD", "OPTIONS", "TRACE", "BREW"):
        return client.request(method, path, headers=headers)
    kind = "application/json" if path.startswith("/_") else "application/x-www-form-urlencoded"
    return client.request(
        method, path, body="{}" if path.startswith("/_") else "", headers={**headers, "Content-Type": kind}
    )


def statuses(clients: Mapping[str, Callable[[], Client]], rule: str) -> Iterator[tuple[str, str]]:
    """What came for a rule: method, and the statuses in the order of ``ASKERS``."""
    for method in METHODS:
        found = [str(ask(clients[who](), method, path_of(rule)).status) for who in ASKERS]
        yield method, " ".join(found)
