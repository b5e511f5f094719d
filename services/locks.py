"""Things that only one process of an instance may do at a time. A lock ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

WORKER, BUILD, MIGRATION = "worker", "build", "migration"


class Taken(Exception):
    """Another process holds the lock."""


@contextmanager
def held(instance: Path, name: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock of the instance. Raises ``Taken`` at once, unless it may ``wait``."""
    folder = instance / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("a") as file:
        if wait:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            _take(file, name)
        yield


def _take(file: IO[str], name: str) -> None:
    """Take it now. Somebody who only asks whether it is taken holds it for an instant: so try thrice."""
    for left in (2, 1, 0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            if not left:
                raise Taken(name) from taken
            time.sleep(0.05)
        else:
            return


def is_taken(instance: Path, name: str) -> bool:
    """Does another process hold this lock now?"""
    try:
        with held(instance, name):
            return False
    except Taken:
        return True
