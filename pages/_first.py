"""The first request of a process: Dash completes its tables in it, and all other requests wait until that is done.

Dash notes this work as done before it does it. Of several first requests at once, all but one would find no script, no
callback and no page: a browser that loads its scripts side by side would show an empty page after a restart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask


def prepare_once(server: Flask) -> None:
    """Call after ``Dash(...)``. Raises ``RuntimeError`` if Dash prepares itself in another way than is known here."""
    hooks = server.before_request_funcs[None]
    known = {"_setup_server", "router_sync"}
    found = {h.__name__ for h in hooks} & known
    if found != known:
        raise RuntimeError(f"Dash must have the hooks {sorted(known)}, found {sorted(found)}.")
    hooks[:] = [_once(h) if h.__name__ in known else h for h in hooks]


def _once(prepare: Callable[[], None]) -> Callable[[], None]:
    lock, done = threading.Lock(), threading.Event()

    def run() -> None:
        if done.is_set():
            return
        with lock:
            if not done.is_set():
                prepare()
                done.set()

    return run
