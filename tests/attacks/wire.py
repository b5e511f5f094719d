"""Bytes on a socket, for what no well-behaved client sends."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

from tests.attacks.canaries import NOTHING
from tests.attacks.server import Server


def said(server: Server, *parts: bytes, close: bool = True) -> bytes:
    """Everything that comes back for these bytes, until the server closes or is silent for a moment."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link:
        for part in parts:
            link.sendall(part)
        got = b""
        link.settimeout(10 if close else 1)
        try:
            while piece := link.recv(65_536):
                got += piece
        except (TimeoutError, ConnectionError):
            pass
    found = server.oracle.look(b"".join(parts).decode("utf-8", "replace"), got, NOTHING)
    assert not found, f"a stranger got {found}"
    return got


def request(method: str, path: str, *headers: str, host: str = "127.0.0.1", body: bytes = b"") -> bytes:
    """A request of HTTP/1.1 after which the server closes. ``host`` may be "" for none."""
    lines = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host else []), "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body


def codes(answer: bytes) -> Sequence[int]:
    """The statuses in a stream of answers."""
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]
