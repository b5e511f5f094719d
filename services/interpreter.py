"""The Python that the packages were installed for. Needs nothing but the standard library: it runs before all else."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

NEEDED = ("dash", "sqlalchemy", "click", "pyarrow")


def use_own(root: Path, arguments: Sequence[str]) -> None:
    """Go on in the project's own environment where this Python has not all packages; end with a sentence without one.

    ``make run`` installs into ``.venv``; ``python cli.py`` is then typed with any Python at hand.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        return
    own = root / ".venv" / "bin" / "python"
    if own.exists() and Path(sys.prefix).resolve() != (root / ".venv").resolve():
        os.execv(own, [str(own), *arguments])  # noqa: S606  our own interpreter
    raise SystemExit(f"The package {missing[0]} must be installed for {sys.executable}. Run `make install` once.")
