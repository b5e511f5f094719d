"""``python -m benchmarks [name …] [--full]``: measure, keep the figures, write the page."""

from __future__ import annotations

import sys

from benchmarks import access, answers, beginning, trees, web
from benchmarks.measuring import Benchmark, keep, table, write_page

ALL = (
    Benchmark("overview", answers.overview),
    Benchmark("grid", answers.grid),
    Benchmark("moves", answers.moves),
    Benchmark("export", answers.export),
    Benchmark("guard", access.guard),
    Benchmark("row_rule", access.row_rule),
    Benchmark("trees", trees.shap_ratio),
    Benchmark("web", web.web),
    Benchmark("demo", beginning.demo_build),
    Benchmark("beginning", beginning.beginning),
)


def main(asked: list[str]) -> None:
    """Run the benchmarks asked for, all quick ones without a name."""
    full = "--full" in asked
    names = [name for name in asked if not name.startswith("-")]
    unknown = sorted(set(names) - {b.name for b in ALL})
    if unknown:
        raise SystemExit(f"A benchmark must be one of {', '.join(b.name for b in ALL)}, got {unknown[0]}.")
    for one in ALL:
        if one.name in names or (not names and (full or not one.full)):
            print(f"{one.name} …", flush=True)
            keep(one.measure())
    write_page()
    print(table())


if __name__ == "__main__":
    main(sys.argv[1:])
