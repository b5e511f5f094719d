"""Processes of our own that do one thing and never outlive who started them.

They are spawned, never forked: a fork of a process that loaded a booster or opened a table hangs.
"""

from __future__ import annotations

import os
import threading
import time

LOOK_SECONDS = 0.5


def end_with(parent: int) -> None:
    """End this process soon after the process ``parent`` has ended, however that ended."""
    threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)
