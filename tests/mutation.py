"""Mutation tests of what guards and decides: ``make mutation``, or ``python -m tests.mutation services/access.py …``.

Each module is copied, with all that its tests need, into ``mutants/``; mutmut changes one thing at a time there and
runs the tests that reach it. A change that no test notices survives. Each survivor needs a written reason in
``docs/reference/surviving-mutants.md``, found by module, function and the changed lines, so that it outlives new
numbers; one without a reason, and a reason without its survivor, end this with 1. ``--compare`` only compares.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "mutants"
BAKERY = PLACE / "bakery"
REASONS = ROOT / "docs" / "reference" / "surviving-mutants.md"
FOLDERS = ("services", "pages", "data", "components", "models", "demo", "assets", "tests")
FILES = ("app.py", "cli.py", "worker.py")
DOORS = ("tests/screens/test_guard.py", "tests/screens/test_frame.py", "tests/rules/test_doors.py")

MODULES: dict[str, tuple[str, ...]] = {
    "services/access.py": ("tests/logic/test_access.py",),
    "services/why.py": ("tests/screens/test_why.py",),
    "services/view_as.py": ("tests/screens/test_view_as.py",),
    "services/sign_in_limits.py": ("tests/logic/test_sign_in_waits.py",),
    "services/limits.py": ("tests/logic/test_limits.py",),
    "services/brakes.py": ("tests/logic/test_limits.py", "tests/screens/test_limits.py"),
    "services/lead_query.py": ("tests/logic/test_lead_query.py", "tests/screens/test_leads.py"),
    "pages/_guard.py": ("tests/logic/test_guard_shapes.py", *DOORS, "tests/screens/test_limits.py"),
    "pages/_screen.py": DOORS,
    "data/lake_ibis.py": ("tests/logic/test_row_filters.py", "tests/contracts/test_lake.py"),
}
"""What is mutated, and the tests that must notice."""

LEFT_OUT = ("tests/logic/test_limits.py::test_two_processes_take_no_more_than_the_limit",)
"""Tests that start processes, in which nothing is mutated."""

QUICK = ("-p", "no:cacheprovider", "-p", "no:unraisableexception", "-p", "no:threadexception")
"""Plugins that cost a second for each mutant: they collect all garbage, twice."""

SETTINGS = """
[tool.mutmut]
source_paths = ["services", "pages", "data"]
only_mutate = [{module!r}]
also_copy = {copied!r}
pytest_add_cli_args_test_selection = {tests!r}
pytest_add_cli_args = {arguments!r}
process_isolation = "forkserver"
timeout_constant = 4.0
"""
"""A server that forks has run no test: whoever inherits an open lake or a trained model hangs."""


@dataclass(frozen=True)
class Survivor:
    """A change that no test noticed: which function, and which lines became which."""

    module: str
    function: str
    change: str


@dataclass(frozen=True)
class Result:
    """What became of a module's mutants."""

    module: str
    states: Counter[str]
    survivors: tuple[Survivor, ...]


def folder(module: str) -> Path:
    """Where a module is mutated."""
    return PLACE / module.replace("/", ".").removesuffix(".py")


def prepare(module: str) -> Path:
    """Copy what is needed; what mutmut knows from last time stays."""
    place = folder(module)
    place.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        shutil.rmtree(place / name, ignore_errors=True)
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy2(ROOT / name, place / name)
    left_out = [part for test in LEFT_OUT for part in ("--deselect", test)]
    said = SETTINGS.format(
        module=module,
        copied=[*FILES, "components", "models", "demo", "assets"],
        tests=list(MODULES[module]),
        arguments=["-m", "not demo and not browser", *QUICK, *left_out],
    )
    (place / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8") + said)
    return place


def run(module: str) -> None:
    """Try every mutant of a module but those noticed before whose function did not change; ``make clean`` forgets."""
    place = prepare(module)
    _forget_survivors(place / "mutants" / f"{module}.meta")
    if not BAKERY.exists():
        code = "import pathlib, sys, tests.instances as i; i.build_bakery(pathlib.Path(sys.argv[1]))"
        made = BAKERY.with_name("bakery.part")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(made)], cwd=ROOT, check=True)
        made.rename(BAKERY)
    mutmut = Path(sys.executable).with_name("mutmut")
    with (place / "log").open("w") as log:
        subprocess.run(
            [str(mutmut), "run", "--max-children", "1"],
            cwd=place, env=os.environ | {"BAKERY_BUILT": str(BAKERY)}, stdout=log, stderr=log, check=False,
        )  # fmt: skip


def _forget_survivors(kept: Path) -> None:
    """mutmut tries none twice; a survivor may be noticed by a test that is new."""
    if kept.exists():
        said = json.loads(kept.read_text())
        codes = said["exit_code_by_key"]
        said["exit_code_by_key"] = {name: code if code in (1, 3) else None for name, code in codes.items()}
        kept.write_text(json.dumps(said))


def result(module: str) -> Result | None:
    """What became of a module's mutants, None where they were not tried."""
    place = folder(module)
    kept = place / "mutants" / f"{module}.meta"
    if not kept.exists():
        return None
    codes: dict[str, int | None] = json.loads(kept.read_text())["exit_code_by_key"]
    states = {name: _state(code) for name, code in codes.items()}
    with contextlib.chdir(place):
        from mutmut.configuration import reset_config

        reset_config()
        from mutmut.mutation.diff_apply import get_diff_for_mutant

        survivors = [
            Survivor(module, _function(name), _change(get_diff_for_mutant(name, path=Path(module))))
            for name, state in states.items()
            if state not in ("killed", "timeout", "not tried")
        ]
    return Result(module, Counter(states.values()), tuple(survivors))


def reasons(text: str) -> dict[Survivor, str]:
    """The written reasons: a heading with module and function, changes in fences, and a line that begins "Because"."""
    found = {}
    for head, body in re.findall(r"^### `([^\n]+)`\n(.*?)(?=^#|\Z)", text, re.M | re.S):
        module, _, function = head.partition("` · `")
        for fence, reason in re.findall(r"```diff\n(.*?)```\n+(Because .+?)(?:\n\n|\Z)", body + "\n\n", re.S):
            for change in fence.strip("\n").split("\n\n"):
                found[Survivor(module, function, change.strip())] = reason
    return found


def is_wording(change: str) -> bool:
    """Did only the words of a sentence change? Such a string holds a blank; names of things and actions hold none."""
    lines = change.splitlines()
    old, new = ([line[2:] for line in lines if line.startswith(sign)] for sign in ("- ", "+ "))
    if len(old) != len(new):
        return False
    before, after = _tokens("\n".join(old)), _tokens("\n".join(new))
    if not before or len(before) != len(after):
        return False
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    return bool(changed) and all(
        a[0] == b[0] == tokenize.STRING and " " in a[1] and a[1].lower() in b[1].lower().replace("xx", "")
        for a, b in changed
    )


def _tokens(text: str) -> list[tuple[int, str]]:
    """The tokens of a piece of a function; [] where it is no whole piece."""
    found = []
    with contextlib.suppress(tokenize.TokenError, IndentationError):
        found.extend((t.type, t.string) for t in tokenize.generate_tokens(io.StringIO(text.strip()).readline))
    return [t for t in found if t[1].strip()]


def _state(code: int | None) -> str:
    known = {0: "survived", 1: "killed", 3: "killed", 5: "no test", 33: "no test", None: "not tried"}
    return known.get(code, "timeout" if code in (36, -24, 24, 152, 255, -9) else "killed")


def _function(name: str) -> str:
    """ "services.access.x__scope__mutmut_3" is of "_scope"."""
    said = name.rpartition(".")[2].rpartition("__mutmut_")[0]
    return said.removeprefix("xǁ").replace("ǁ", ".") if said.startswith("xǁ") else said.removeprefix("x_")


def _change(diff: str) -> str:
    """The changed lines of a diff, each without its indentation."""
    lines = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines)


def _printed(found: list[Result], known: dict[Survivor, str]) -> Iterator[str]:
    """A table of counts, and every survivor without a reason."""
    yield "| module | mutants | not tried | noticed | words of a sentence | with a reason | without |"
    yield "|---|---|---|---|---|---|---|"
    for one in found:
        worded = [s for s in one.survivors if s not in known and is_wording(s.change)]
        listed = [s for s in one.survivors if s in known]
        rest = len(one.survivors) - len(worded) - len(listed)
        noticed = one.states["killed"] + one.states["timeout"]
        said = (one.states.total(), one.states["not tried"], noticed, len(worded), len(listed), rest)
        yield f"| `{one.module}` | {' | '.join(map(str, said))} |"


def main(asked: list[str]) -> int:
    """Run, compare, say. 1 where a survivor has no reason or a reason has no survivor."""
    names = [a for a in asked if not a.startswith("--")] or list(MODULES)
    for module in names if "--compare" not in asked else ():
        run(module)
    known = reasons(REASONS.read_text(encoding="utf-8")) if REASONS.exists() else {}
    tried = [one for one in map(result, names) if one is not None]
    print("\n".join(_printed(tried, known)))
    survivors = {s for one in tried for s in one.survivors}
    bare = [s for one in tried for s in one.survivors if s not in known and not is_wording(s.change)]
    gone = [s for s in known if s.module in {one.module for one in tried} and s not in survivors]
    for said, ones in (("No test notices, and no reason is written:", bare), ("A reason without its survivor:", gone)):
        for one in ones:
            print(f"\n{said}\n### `{one.module}` · `{one.function}`\n\n```diff\n{one.change}\n```")
    return 1 if bare or gone or len(tried) < len(names) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
