"""Strings that stand for a row, a person or a secret, and the oracle that finds them where they must not be.

Every row of the customers carries canaries of its tour: in its key, its name, and two personal columns. Secrets are
canaries as well: the form key, passwords, ids of sessions. ``Oracle.look`` is asked about every answer.
"""

from __future__ import annotations

import base64
import gzip
import re
import threading
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

import pandas as pd

CODES: Mapping[str, str] = {"Nord/See": "nord", "Süd & Tal": "sued", "Stadt 'Mitte'": "stadt"}
"""The tours of the bakery, in letters that no encoding changes."""
CANARY = re.compile(r"canary-(key|house|owner|phone)-(nord|sued|stadt)-\d{3}")
PERSONAL = frozenset({"owner", "phone"})
EVERY_TOUR = frozenset(CODES.values())
PASSWORD = "canary-password of everybody 7351"
NEW_PASSWORD = "canary-password chosen anew 9417"
SECRET_KEY = "canary-secret-form-key-0123456789-abcdefghijkl"
REGISTRY_SECRET = "canary-secret-of-the-registry"
SECRETS: Mapping[str, str] = {
    PASSWORD: "a password",
    NEW_PASSWORD: "a password",
    SECRET_KEY: "the form key",
    REGISTRY_SECRET: "the registry's password",
}
NEVER: Mapping[str, str] = {
    "$argon2": "a hash of a password",
    "Traceback (most recent": "a traceback",
    "python_version": "a version",
    "werkzeug.debug": "the debugger",
    "Something went wrong on our side": "a breakdown",
    "This could not be shown.": "a breakdown",
}
"""What stands in no answer to anybody."""


@dataclass(frozen=True)
class Scope:
    """What somebody may see of the rows: of which tours, and which kinds of canary."""

    tours: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    in_log: bool = False
    """May they read the audit log, where keys of rows stand?"""

    def allows(self, kind: str, tour: str, question: str) -> bool:
        """May a canary of this kind and tour be in the answer to this question?"""
        if self.in_log and kind == "key" and "audit" in question:
            return True
        return tour in self.tours and kind in self.kinds


NOTHING = Scope()
SELLER_KINDS = frozenset({"key", "house", "owner", "phone"})
SCOPES: Mapping[str, Scope] = {
    "": NOTHING,
    "leitung": NOTHING,
    "aussendienst": Scope(frozenset({"nord"}), SELLER_KINDS),
    "opfer": Scope(frozenset({"nord"}), SELLER_KINDS),
    "ziel": Scope(frozenset({"nord"}), SELLER_KINDS),
    "aussendienst:süd": Scope(frozenset({"sued"}), SELLER_KINDS),
    "aussendienst:zwei": Scope(frozenset({"nord", "stadt"}), SELLER_KINDS),
    "aussendienst:ohne": NOTHING,
    "tueftlerei": Scope(EVERY_TOUR, frozenset({"key", "house"})),
    "hauswart": Scope(in_log=True),
}
"""Whoever is not named sees no row."""


def planted(houses: pd.DataFrame) -> pd.DataFrame:
    """The bakery's customers with canaries of their tour in every row."""
    marks = [f"{CODES[tour]}-{number:03d}" for number, tour in enumerate(houses.tour)]
    return houses.assign(
        kennung=[f"{k[:5]}canary-key-{m} {k[5:]}" for k, m in zip(houses.kennung, marks, strict=True)],
        betrieb=[f"{b} canary-house-{m}" for b, m in zip(houses.betrieb, marks, strict=True)],
        inhaberin=[f"canary-owner-{m}" for m in marks],
        telefon=[f"canary-phone-{m}@canary.invalid" for m in marks],
    )


@dataclass
class Oracle:
    """Knows every secret of the run, and says what of it stands where it must not."""

    secrets: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    looked: int = 0
    said: set[str] = field(default_factory=set)
    """Canaries that askers said themselves: the log keeps the question of a list as it was asked."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, secret: str, what: str) -> None:
        """From now on this must not be found either: the id of a session, a link, a code."""
        if len(secret) >= 12:
            with self._lock:
                self.secrets[secret] = what

    def look(self, question: str, answer: bytes, scope: Scope) -> list[str]:
        """What this asker must not see of an answer. What they said themselves may come back to them."""
        self.looked += 1
        asked = _plain(question)
        text = _plain(answer.decode("utf-8", "replace"))
        said = {m[0] for m in CANARY.finditer(asked)}
        self.said |= said
        found = {m[0] for m in CANARY.finditer(text) if not scope.allows(m[1], m[2], asked)} - said
        return [*sorted(found)[:5], *self.leaked(text, besides=asked)]

    def leaked(self, text: str, besides: str = "") -> list[str]:
        """Secrets and signs of a breakdown in a text, named by their kind and never repeated."""
        with self._lock:
            known = list(self.secrets.items())
        found = {what for secret, what in known if secret in text and secret not in besides}
        return sorted(found | {what for mark, what in NEVER.items() if mark in text})


def rows_in(content: bytes, kinds: Iterable[str]) -> set[str]:
    """Canaries of these kinds in a file, whatever it is."""
    wanted = set(kinds)
    return {m[0] for m in CANARY.finditer(content.decode("utf-8", "replace")) if m[1] in wanted}


def session_of(cookie: str) -> str:
    """The id of the session that a cookie carries, "" where it carries none: the cookie is signed, not encrypted."""
    body = cookie.lstrip(".").partition(".")[0]
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    text = zlib.decompress(raw) if cookie.startswith(".") else raw
    found = re.search(rb'"_user_id":"([^"]+)"', text)
    return found[1].decode() if found else ""


def unpacked(content: bytes, encoding: str) -> bytes:
    """A body as it was before it was compressed."""
    return gzip.decompress(content) if encoding == "gzip" else content


def _plain(text: str) -> str:
    """A text as a reader finds canaries in it: percent signs and escapes taken back, once and twice."""
    once = unquote(text) if "%" in text else text
    twice = unquote(once) if "%" in once else once
    return twice if twice == text else f"{text}\n{once}\n{twice}"
