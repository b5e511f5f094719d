"""What a benchmark is, how its figure is kept, and the table made from all of them."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent / "docs" / "explanation" / "performance.md"
BEGIN, END = "<!-- figures: made by `make bench` -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class Figure:
    """One measured number. ``peer_value`` was measured in the same run, ``ratio`` says how the two compare."""

    value: float
    unit: str
    budget: str
    what: str
    rows: int = 0
    runs: int = 1
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None


@dataclass(frozen=True)
class Benchmark:
    """A named measurement; ``full`` ones take long and run with ``--full`` only. One may give several figures."""

    name: str
    measure: Callable[[], dict[str, Figure]]
    full: bool = False


def milliseconds(act: Callable[[], object], runs: int) -> list[float]:
    """The duration of each of ``runs`` calls, in milliseconds."""
    found = []
    for _ in range(runs):
        started = time.perf_counter()
        act()
        found.append((time.perf_counter() - started) * 1000)
    return found


def p95(values: Sequence[float]) -> float:
    """The 95th percentile by the nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def machine() -> str:
    """The machine in a few words: cores and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, Python {platform.python_version()}"


def keep(found: dict[str, Figure]) -> None:
    """Write figures into ``results.json``; those not measured now stay as they were."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    stamp = {"date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    known |= {name: {**asdict(figure), **stamp} for name, figure in found.items()}
    RESULTS.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")


def table() -> str:
    """All kept figures as a Markdown table."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    lines = [
        "| figure | what | measured | budget | beside | machine and day |",
        "|---|---|---|---|---|---|",
    ]
    for name, said in known.items():
        beside = f"{said['peer']}: {said['peer_value']:,.4g}" if said["peer_value"] is not None else said["peer"]
        ratio = f" ({said['ratio']:.3g} ×)" if said["ratio"] is not None else ""
        lines.append(
            f"| `{name}` | {said['what']} | {said['value']:,.4g} {said['unit']} | {said['budget']} | {beside}{ratio} "
            f"| {said['machine']}; {said['date']} |"
        )
    return "\n".join(lines)


def write_page() -> None:
    """Put the table between its marks in the performance page."""
    text = PAGE.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n\n{table()}\n\n{END}{tail}")
