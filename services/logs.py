"""Where unexpected problems are written down: ``<instance>/logs/<name>.log``, so that the terminal shows sentences.

A line of ``logger`` is one JSON object: control characters are escaped, and a traceback names code, never the values of
its variables, among which passwords and rows would stand.
"""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

LARGEST, KEPT = 5_000_000, 3


def to_file(instance: Path, name: str) -> None:
    """From now on this process logs into a file."""
    folder = instance / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(folder / f"{name}.log", maxBytes=LARGEST, backupCount=KEPT, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def logger(name: str) -> Any:
    """A structured log under this name of Python's own logging."""
    return structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
