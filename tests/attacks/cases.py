"""The 116 cases: what is tried, and of some, what is not there yet and why. Tests carry their ids.

``python -m tests.attacks.cases`` writes ``docs/security-coverage.md`` from this table and the marks of the tests.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.rules.code import ROOT, name, tree

GROUPS: Mapping[str, str] = {
    "A": "Signing in and sessions",
    "K": "Starting and settings",
    "G": "What one may do",
    "R": "Rows, columns and what can be inferred",
    "X": "The browser",
    "Q": "Questions, numbers and bodies",
    "E": "Files",
    "M": "Models, lake and libraries",
    "U": "Audit, logs, privacy and limits",
}
CASES: Mapping[str, str] = {
    "A-01": "Wrong passwords for one account, then the right one, on either worker",
    "A-02": "Locking a person out from another address",
    "A-03": "One guess at each of many accounts from one address",
    "A-04": "Telling unknown people from known ones by time or words",
    "A-05": "How a password is kept",
    "A-06": "Passwords that are too short, too common, somebody's own name, or a megabyte long",
    "A-07": "Signing in with a session that somebody else planted",
    "A-08": "A copied cookie after signing out, a new password, another role, a disabled account",
    "A-09": "Ending all other sessions",
    "A-10": "A session past its idle time and its longest time; what polls keeps no session alive",
    "A-11": "What the cookie says, and where it is sent",
    "A-12": "Cookies signed with well-known keys",
    "A-13": "Guessing the id of a session",
    "A-14": "A link for a new password: twice, too late, somebody else's, from a forged host",
    "A-15": "An account that an administrator made",
    "A-16": "Forged and replayed answers of an identity provider",
    "A-17": "Codes of the second factor: twice, from another time, guessed",
    "A-18": "Signing in many times at the same moment",
    "A-19": "Another site that signs a browser in",
    "A-20": "A large export or a promotion long after the person proved who they are",
    "K-01": "Starting without a key, with a weak one or a short one",
    "K-02": "A fresh installation: default accounts, a set-up page",
    "K-03": "Switching on debugging, hot reload and developer tools from the environment",
    "K-04": "Switching on the tools door of Dash from the environment",
    "K-05": "Files that others on the machine may read; running as root",
    "K-06": "Unknown, wrong and doubled settings and definitions",
    "K-07": "Asking for files of the project",
    "K-08": "Odd methods on every address",
    "K-09": "Another host's name, two of them, and a whole address in the request line",
    "K-10": "Forwarded headers from somebody who is no proxy",
    "K-11": "Banners and versions",
    "G-01": "Every address by every method, for a stranger, each role, and a disabled person",
    "G-02": "Every callback for each role, with the body that a browser sends",
    "G-03": "Every page that one may not open, under every spelling",
    "G-04": "Callbacks whose inputs were renamed, swapped, doubled, left out or added",
    "G-05": "Claiming to be somebody else in a state or a store",
    "G-06": "What a stranger or a small role can read of pages, callbacks and code",
    "G-07": "Words of the code in the address",
    "G-08": "A role taken away while a session is open and while a job waits",
    "G-09": "Ids of things that belong to others",
    "G-10": "A shared view opened by somebody who sees less",
    "G-11": "Fields that a form does not have",
    "G-12": "Raising oneself, and removing the last administrator",
    "G-13": "Promoting a model alone",
    "G-14": "Looking as somebody else",
    "G-15": "Handles of background callbacks and of other people's jobs",
    "G-16": "Pressing what the page greys out",
    "R-01": "Random questions under random rules against an independent oracle",
    "R-02": "Filters that would widen a rule; blank, empty and odd attributes",
    "R-03": "Every surface gives the same rows",
    "R-04": "Distinct values, filter options and slider ranges",
    "R-05": "Ranks, percentiles and benchmark lines",
    "R-06": "Explanations, neighbours and response curves",
    "R-07": "Hidden columns by name, in filters, sorting, groups, files and messages",
    "R-08": "The difference of two aggregates over few rows",
    "R-09": "Answers kept for one person and asked for by another",
    "R-10": "Two people with the same question at the same moment, many times",
    "R-11": "Answers from before the policy changed",
    "R-12": "A pooled PostgreSQL connection that remembers somebody",
    "R-13": "A PostgreSQL role that passes by row security",
    "R-14": "The back button after signing out, and shared caches",
    "R-15": "Personal data in the browser's storage, titles and addresses",
    "R-16": "Scraping a model through the what-if page",
    "X-01": "Hostile strings as every name, on every page, in Chromium",
    "X-02": "Links in labels of charts",
    "X-03": "Markdown with HTML, scripts and remote pictures",
    "X-04": "Names of renderers in a saved view",
    "X-05": "The content policy on every answer",
    "X-06": "The other headers on every answer",
    "X-07": "Framing by another site",
    "X-08": "Requests from another site",
    "X-09": "Being sent elsewhere after signing in",
    "X-10": "Line breaks in file names, headers and ids",
    "X-11": "Keys that pollute prototypes",
    "X-12": "Requests that leave the host",
    "Q-01": "Fragments of SQL in filters, sorting, search, addresses and keys",
    "Q-02": "Windows of rows that are no windows",
    "Q-03": "Wildcards and patterns in a search",
    "Q-04": "Code that evaluates text",
    "Q-05": "What-if values that cannot be",
    "Q-06": "Bodies that are no bodies",
    "Q-07": "Slow, huge, doubled and smuggled requests",
    "Q-08": "Compressed request bodies",
    "Q-09": "Line breaks and control characters in what is logged",
    "Q-10": "Mutated requests of every callback, many times",
    "E-01": "Formulas in names that a spreadsheet would run",
    "E-02": "A file with more than its asker may see",
    "E-03": "Paths out of the folder of files",
    "E-04": "More files, rows and jobs than anybody needs",
    "E-05": "A file that does not say where it comes from",
    "E-06": "Uploads that explode",
    "E-07": "The headers of a file",
    "E-08": "Files that stay behind",
    "M-01": "Pickles, under any name",
    "M-02": "Types in a model's file that run code",
    "M-03": "Manifests that lie: paths, links, sizes, digests",
    "M-04": "A file swapped between its check and its use",
    "M-05": "A model that does not fit its contract",
    "M-06": "An explanation beside the score of another version",
    "M-07": "Code that runs in a web process",
    "M-08": "Addresses that lead inside",
    "M-09": "Getting out of the lake's fence",
    "M-10": "Damaged and lying data files",
    "M-11": "Libraries below their floors",
    "M-12": "A bill of materials",
    "M-13": "Secrets in the project",
    "U-01": "Each act leaves exactly one event",
    "U-02": "Editing, deleting, inserting, reordering and cutting the log",
    "U-03": "A log that cannot be written",
    "U-04": "A crash between an act and its event",
    "U-05": "Secrets in answers, logs and files",
    "U-06": "Personal data in logs",
    "U-07": "Breaking every page and callback",
    "U-08": "Limits that each worker would count alone",
    "U-09": "Erasing a person",
    "U-10": "What monitoring doors tell a stranger",
}
NOT_YET: Mapping[str, str] = {
    "G-10": "there are no saved or shared views yet",
    "G-13": "models are promoted in the registry, not in Lakelight",
    "R-12": "the app database is SQLite; PostgreSQL is not supported yet",
    "R-13": "the app database is SQLite; PostgreSQL is not supported yet",
    "X-04": "there are no saved views yet; the page declares every column itself",
    "E-06": "nothing can be uploaded",
    "M-12": "no bill of materials is made; every library is pinned with its hashes",
}
"""Cases without a test, with the reason."""
REMARKS: Mapping[str, str] = {
    "A-20": "models are promoted in the registry, not in Lakelight: a promotion asks nobody here",
    "E-01": "the files are not opened in a spreadsheet here; XLSX does not exist yet",
    "E-05": "no digest of the file is kept",
    "G-09": "jobs, sessions and rows; there are no saved views, annotations or scenarios yet",
    "K-01": "the exit code is 1",
    "K-05": "files with secrets only; the rest follows the mask of whoever starts it, and nobody is warned of it",
    "M-03": "registered files are checked by digest, path and link; manifests are not signed",
    "M-08": "there is no door that takes an address from a browser",
    "M-13": "an own pattern search, not the history",
    "Q-01": "SQLite and DuckDB; there is no `/api/v1` yet",
    "Q-07": "connections that say nothing; slow senders need a proxy that reads whole requests "
    "(docs/how-to/go-to-production.md)",
    "Q-10": "callbacks; there is no `/api/v1` and so no OpenAPI yet",
    "U-06": "what somebody searches for stands in the database as the question of a list",
    "U-09": "what an erased person took away keeps its line until the days of its class are over",
    "U-10": "there is no `/metrics` yet",
}
"""Cases with tests that leave a part open, with the part."""
DOCUMENT = ROOT / "docs" / "security-coverage.md"


def marks() -> dict[str, set[str]]:
    """Test names by case, read from the marks in the source of every test."""
    found: dict[str, set[str]] = {case: set() for case in CASES}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        whole = {case for node in tree(file).body for case in _assigned(node)}
        for node in tree(file).body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            for case in whole | {case for mark in node.decorator_list for case in _ids(mark)}:
                found.setdefault(case, set()).add(f"{name(file)}::{node.name}")
    return found


def document() -> str:
    """The page: each case with its tests, or the reason why there is none."""
    found = marks()
    covered = sum(bool(found[case]) for case in CASES)
    lines = [
        "# Attacks and their tests",
        "",
        f"{len(CASES)} cases, {covered} of them with tests, {len(CASES) - covered} not there yet. A test carries its",
        'case: `@pytest.mark.attack("A-01")`. `make attacks` runs those against a real server: gunicorn with two',
        "workers on loopback, with canaries in every row, password and secret. Every answer, log line and file that",
        "the server writes meanwhile is searched for them. `python -m tests.attacks.cases` makes this page.",
    ]
    for group, title in GROUPS.items():
        lines += ["", f"## {group}: {title}", "", "| case | what is tried | tests |", "|---|---|---|"]
        lines += [f"| {case} | {CASES[case]} | {_cell(case, found[case])} |" for case in CASES if case[0] == group]
    return "\n".join(lines) + "\n"


def _cell(case: str, tests: set[str]) -> str:
    if not tests:
        return f"not there yet: {NOT_YET.get(case, 'NO REASON')}"
    by_file: dict[str, list[str]] = {}
    for test in sorted(tests):
        file, _, function = test.partition("::")
        by_file.setdefault(file, []).append(function.removeprefix("test_"))
    said = "; ".join(f"`{file}`: {', '.join(f.replace('_', ' ') for f in found)}" for file, found in by_file.items())
    return f"{said}. Open: {REMARKS[case]}" if case in REMARKS else said


def _ids(node: ast.AST) -> Iterator[str]:
    """The ids in a mark of this suite, none in any other expression."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("mark.attack"):
            yield from (a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def _assigned(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets):
        yield from _ids(node.value)


if __name__ == "__main__":
    Path(DOCUMENT).write_text(document(), encoding="utf-8")
    sys.stdout.write(f"Written: {name(DOCUMENT)}\n")
