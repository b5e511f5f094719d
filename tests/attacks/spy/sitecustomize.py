"""Python's own audit events of a web process, written to a file: what was unpickled, run or started, and by whom."""

import os
import sys

WATCHED = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen")
_file = os.environ.get("ATTACK_SPY", "")

if _file:
    _out = os.open(_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _hook(event: str, given: tuple) -> None:
        if event in WATCHED:
            os.write(_out, f"{os.getpid()}\t{event}\t{given!r:.300}\n".encode())

    sys.addaudithook(_hook)
