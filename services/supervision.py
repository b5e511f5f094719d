"""Several processes that are started together and end together. Each has a process group of its own, so that nothing
it started outlives it; each is told to end when the one that started it is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GRACE_SECONDS = 5.0
TELL_WHEN_PARENT_ENDS = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass(frozen=True)
class Ended:
    """A process that is over: its name and its exit code (negative: the signal that ended it)."""

    name: str
    code: int

    @property
    def how(self) -> str:
        """How it ended, in words."""
        return f"was ended by signal {-self.code}" if self.code < 0 else f"ended with code {self.code}"


class Processes:
    """Named processes of one run."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process; what it writes goes where ours goes."""
        self._running[name] = subprocess.Popen(  # noqa: S603  our own commands
            list(command),
            cwd=self._root,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  the terminal's process has one thread
        )

    def ended(self) -> list[Ended]:
        """Processes that ended since the last look."""
        found = [(name, p.poll()) for name, p in self._running.items()]
        over = [Ended(name, code) for name, code in found if code is not None]
        for one in over:
            _signal(self._running.pop(one.name), signal.SIGKILL)
        return over

    def is_running(self, name: str) -> bool:
        """Is this process still there?"""
        return name in self._running and self._running[name].poll() is None

    def end(self) -> None:
        """End all of them: asked first, killed after five seconds."""
        for process in self._running.values():
            _signal(process, signal.SIGTERM, group=False)
        until = time.monotonic() + GRACE_SECONDS
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
            _signal(process, signal.SIGKILL)
            process.wait()
        self._running.clear()


def _signal(process: subprocess.Popen[bytes], what: signal.Signals, *, group: bool = True) -> None:
    """Tell the process, or everything in its group; what is gone already is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if group:
            os.killpg(process.pid, what)
        else:
            process.send_signal(what)


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(TELL_WHEN_PARENT_ENDS, signal.SIGTERM)
