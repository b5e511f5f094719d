"""M: libraries and secrets of the project; what a web process ran and unpickled is in ``test_written``."""

from __future__ import annotations

import ast
import re
import subprocess
from importlib import metadata

import pytest
from packaging.version import Version

from tests.rules.code import DOORS, FOLDERS, ROOT, modules, name, tree

FLOORS = {
    "dash": "4.4.1",
    "flask": "3.1.3",
    "werkzeug": "3.1.9",
    "authlib": "1.9.0",
    "skops": "0.16",
    "pyarrow": "14.0.1",
    "plotly": "7.1",
    "gunicorn": "25.1",
    "sqlalchemy": "2.1",
    "argon2-cffi": "25.1",
    "jinja2": "3.1.6",
    "cryptography": "44.0.1",
    "lightgbm": "4.6",
    "mlflow-skinny": "3.0",
    "requests": "2.32.4",
    "urllib3": "2.5",
}
"""Below these each had a hole that matters here."""
FORBIDDEN = ("dash-auth", "diskcache", "flask-caching", "flask-talisman", "dill")
SECRETS = {
    "a private key": r"-----BEGIN (?:RSA |EC |OPENSSH |ENCRYPTED )?PRIVATE KEY-----",
    "a key of AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36,}\b",
    "a token of Slack": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a token of a package index": r"\bpypi-[A-Za-z0-9_-]{50,}",
    "a web token": r"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{15,}",
    "a password in an address": r"\b[a-z][a-z0-9+]*://[^\s/:@{}<>\"']+:[^\s/:@{}<>\"'$]{6,}@(?!127\.0\.0\.1)",
    "a key written down": r"(?i)\b(?:secret_key|api_key|password)\s*[:=]\s*[\"'][A-Za-z0-9+/_-]{24,}[\"']",
}
PLANTED = ("test_supply.py", "canaries.py", "test_oidc_hostile.py")
"""Files whose secrets are planted on purpose."""
DANGEROUS = {"eval", "exec", "compile", "__import__"}


@pytest.mark.attack("M-11")
@pytest.mark.parametrize("library", sorted(FLOORS))
def test_a_library_is_at_its_floor_or_above(library):
    try:
        installed = metadata.version(library)
    except metadata.PackageNotFoundError:
        locked = (ROOT / "requirements.txt").read_text() + (ROOT / "requirements-dev.txt").read_text()
        assert f"\n{library}==" not in locked, f"{library} is pinned and must be installed"
        return
    assert Version(installed) >= Version(FLOORS[library]), f"{library} must be at least {FLOORS[library]}"


@pytest.mark.attack("M-11")
def test_what_is_pinned_is_what_is_installed_and_nothing_forbidden_is_pinned():
    pins = re.findall(r"^([a-zA-Z0-9._-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert len(pins) > 50
    wrong = [(n, v, _installed(n)) for n, v in pins if _installed(n) not in ("", v)]
    assert wrong == []
    assert not {n.lower() for n, _ in pins} & set(FORBIDDEN)


def _installed(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def secrets_in(text: str) -> set[str]:
    """Kinds of secrets that a text seems to hold."""
    return {kind for kind, pattern in SECRETS.items() if re.search(pattern, text)}


@pytest.mark.attack("M-13")
def test_the_project_holds_no_secret():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    files = [ROOT / f for f in done.stdout.splitlines()] or [f for f in ROOT.rglob("*.py") if ".venv" not in f.parts]
    texts = [f for f in files if f.is_file() and f.suffix not in (".png", ".woff2", ".ico") and f.name not in PLANTED]
    assert len(texts) > 100
    found = {name(f): kinds for f in texts if (kinds := secrets_in(f.read_text(encoding="utf-8", errors="replace")))}
    assert found == {}


@pytest.mark.attack("M-13")
@pytest.mark.parametrize(
    ("planted", "kind"),
    [
        ("-----BEGIN " + "PRIVATE KEY-----", "a private key"),
        ("AKIA" + "ABCDEFGHIJKLMNOP", "a key of AWS"),
        ("ghp_" + "a" * 36, "a token of GitHub"),
        ("postgresql://lake:" + "hunter2hunter2@db.example/x", "a password in an address"),
        ('SECRET_KEY = "' + "a1B2" * 8 + '"', "a key written down"),
    ],
)
def test_a_planted_secret_is_found(planted, kind):
    assert secrets_in(f"x\n{planted}\ny") == {kind}


@pytest.mark.attack("Q-04")
def test_no_code_of_ours_evaluates_text():
    """No ``eval``, no pandas ``query``, no SQL put together from values, no pattern of a person's as a regex."""
    found = []
    for file in modules(*FOLDERS, *DOORS):
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                named = isinstance(node.func, ast.Name) and called in DANGEROUS
                words = {k.arg: k.value for k in node.keywords}
                regex = called in ("contains", "match", "fullmatch", "replace") and isinstance(
                    words.get("regex"), ast.Constant
                )
                if (
                    named
                    or (called in ("eval", "query") and _on_frame(node))
                    or (regex and words["regex"].value is True)
                ):
                    found.append(f"{name(file)}:{node.lineno} {ast.unparse(node)[:60]}")
    assert found == []


def _on_frame(node: ast.Call) -> bool:
    """Is it called with one text, as pandas is? A session of SQLAlchemy takes a class."""
    return bool(node.args) and isinstance(node.args[0], ast.Constant | ast.JoinedStr | ast.BinOp)


@pytest.mark.attack("Q-01", "Q-04")
def test_no_statement_is_put_together_from_values():
    """An f-string that begins like SQL stands in the adapters of the engines only, where names are quoted."""
    allowed = {"data/lake_duckdb.py", "data/lake_ibis.py", "data/publication.py", "data/store.py"}
    verbs = re.compile(r"^\s*(select|insert|update|delete|copy|attach|create|drop|set|pragma|with)\b", re.IGNORECASE)
    found = []
    for file in modules(*FOLDERS, *DOORS):
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
                text = str(node.values[0].value)
                if (
                    verbs.match(text)
                    and len(node.values) > 1
                    and text.split(maxsplit=1)[0].isupper()
                    and name(file) not in allowed
                ):
                    found.append(f"{name(file)}:{node.lineno} {text[:60]}")
    assert found == []
