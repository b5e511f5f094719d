"""The house: which arrows run where, which engine lives in which adapter, how long things may be."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from tests.rules.code import DOORS, FOLDERS, ROOT, functions, imports, length, modules, name, tree

ENGINES = {
    "duckdb": ("data/lake_duckdb.py", "data/publication.py"),
    "ibis": ("data/lake_ibis.py",),
    "deltalake": ("data/lake_delta.py",),
    "alembic": ("data/store.py", "data/migrations/", "services/instance.py"),
    "sqlalchemy": ("data/", "services/"),
    "mlflow": ("models/registry_mlflow.py",),
    "lightgbm": ("models/predictor_lightgbm.py", "models/trial.py"),
    "xgboost": ("models/predictor_xgboost.py", "models/trial.py"),
    "sklearn": ("models/predictor_skops.py",),
    "skops": ("models/predictor_skops.py",),
    "shap": ("models/shap_values.py",),
    "woodelf": ("models/shap_values.py",),
    "dbos": ("services/durable.py",),
    "argon2": ("services/passwords.py",),
    "zxcvbn": ("services/passwords.py",),
    "pyotp": ("services/codes.py",),
    "segno": ("services/codes.py",),
    "cryptography": ("services/codes.py",),
    "babel": ("services/", "data/workspace_checks.py"),
    "yaml": ("data/workspace.py", "data/workspace_bounds.py", "models/trial.py"),
    "plotly": ("components/",),
    "dash": ("components/", "pages/", "app.py"),
    "dash_ag_grid": ("components/",),
    "dash_mantine_components": ("components/",),
    "flask": ("pages/", "app.py"),
    "flask_login": ("pages/",),
    "flask_wtf": ("pages/", "app.py"),
    "click": ("cli.py",),
    "pyspark": (),
    "boto3": (),
    "diskcache": (),
    "dash_auth": (),
    "pickle": (),
    "cloudpickle": (),
    "joblib": (),
}
ACCOUNTS_KEY = {"services/demo_people.py": "territory"}
"""A key of the file of demo accounts, whose form is promised to those who read it."""
OURS = modules(*FOLDERS, *DOORS, "demo", "deploy")
CODE = modules(*FOLDERS, *DOORS)


def test_the_contracts_of_the_layers_hold():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-500:]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_is_imported_in_its_adapter_and_nowhere_else(engine):
    allowed = ENGINES[engine]
    strays = [
        name(f) for f in CODE if engine in imports(f, run_time=False) and not name(f).startswith(allowed or ("-",))
    ]
    assert strays == [], f"{engine} may be imported by {allowed or 'nobody'}"


def test_components_import_nothing_of_ours_at_run_time():
    for file in modules("components"):
        assert not imports(file) & {"services", "models", "data", "pages"}, name(file)


def test_the_words_of_the_workspace_import_nothing_of_ours():
    assert not imports(ROOT / "data" / "definitions.py") & {*FOLDERS, "app"}


def test_roles_are_named_in_the_policy_and_never_in_the_code():
    """Code asks for actions: the name of a demo role in it would be a decision in the wrong place."""
    roles = {"executive", "seller", "sales_manager", "analyst", "data_engineer", "auditor"}
    for file in modules(*FOLDERS, "app.py"):
        said = {n.value for n in ast.walk(tree(file)) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        assert not said & roles, (name(file), said & roles)


def test_nothing_of_the_demo_s_business_stands_in_the_code():
    """A second workspace must work without a changed line, so no word of the first one may be in them."""
    words = re.compile(r"household|coupon|grocer|territor|campaign|redeem|completejourney|\blapse", re.IGNORECASE)
    for file in modules(*FOLDERS, "app.py"):
        found = [
            node.value
            for node in ast.walk(tree(file))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and words.search(node.value)
        ]
        found = [f for f in found if f not in _docstrings(file) and f != ACCOUNTS_KEY.get(name(file))]
        assert found == [], name(file)


@pytest.mark.parametrize("file", OURS, ids=name)
def test_a_module_is_short_enough_to_be_read(file):
    lines = file.read_text(encoding="utf-8").count("\n")
    assert lines <= 500, f"{name(file)} has {lines} lines"
    long = [(f.name, length(f)) for f in functions(file) if length(f) > 60 and "migrations" not in name(file)]
    assert long == [], f"functions of {name(file)} over 60 lines"


@pytest.mark.parametrize("file", modules(*FOLDERS, *DOORS, "demo"), ids=name)
def test_what_is_public_says_what_it_is(file):
    assert ast.get_docstring(tree(file)), f"{name(file)} needs a docstring"
    for node in tree(file).body:
        public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        if public and "migrations" not in name(file):
            assert ast.get_docstring(node), f"{node.name} of {name(file)} needs a docstring"
        if public and isinstance(node, ast.FunctionDef):
            bare = [a.arg for a in (*node.args.args, *node.args.kwonlyargs) if a.annotation is None]
            assert bare == [] and node.returns is not None, f"{node.name} of {name(file)} must be annotated"


def test_no_module_is_called_by_what_says_nothing():
    vague = re.compile(r"(utils?|helpers?|manager|common|misc)\.py$")
    assert [name(f) for f in modules(*FOLDERS, "demo", "tests") if vague.search(f.name)] == []


def test_nothing_is_put_off_in_a_remark():
    word = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    files = [f for f in modules(*FOLDERS, *DOORS, "demo", "tests", "benchmarks") if f.name != "test_architecture.py"]
    assert [name(f) for f in files if word.search(f.read_text(encoding="utf-8"))] == []


def test_no_test_folder_is_named_after_a_source_folder():
    folders = {p.name for p in (ROOT / "tests").iterdir() if p.is_dir()}
    assert not folders & {*FOLDERS, "demo", "app", "worker", "cli"}


def test_the_environment_is_read_in_one_place():
    """Other places may only silence a library before it is imported, or give a child its environment."""
    allowed = {"services/settings.py", "models/registry_mlflow.py", "deploy/gunicorn.conf.py", "demo/registering.py"}
    reading = re.compile(r"os\.environ|getenv|environb")
    found = {name(f) for f in OURS if reading.search(f.read_text(encoding="utf-8"))}
    assert found - allowed == set()
    for file in allowed - {"services/settings.py"}:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not re.search(r"os\.environ(\[[^\]]+\](?!\s*=)|\.get\()|getenv", text), f"{file} must not read settings"


def test_nothing_relative_is_imported():
    strays = [name(f) for f in OURS for n in ast.walk(tree(f)) if isinstance(n, ast.ImportFrom) and n.level]
    assert strays == []


# ── the look ──────────────────────────────────────────────────────────────────────────────────────

COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b(?![;\w-])|\brgba?\(|\bhsla?\(|\boklch\(")
NAMED = re.compile(r"\b(color|background|stroke|fill)\w*[\"']?\s*[:=]\s*[\"'](red|green|blue|white|gr[ae]y|orange)\b")


@pytest.mark.parametrize("file", modules("pages", "components"), ids=name)
def test_colours_come_from_the_tokens(file):
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            transparent = node.value.replace("rgba(0,0,0,0)", "")
            assert not COLOUR.search(transparent), f"{name(file)}:{node.lineno} {node.value[:60]!r}"
    assert not NAMED.search(file.read_text(encoding="utf-8")), name(file)


def test_colours_in_styles_are_tokens_too():
    for file in sorted((ROOT / "assets").glob("*.css")):
        if file.name == "tokens.css":
            continue
        text = re.sub(r"/\*.*?\*/", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not COLOUR.search(text), f"{file.name}: {COLOUR.search(text)}"


def test_nothing_is_fetched_from_another_host():
    address = re.compile(r"https?://(?!www\.w3\.org/|127\.0\.0\.1|localhost)[\w.-]+", re.IGNORECASE)
    files = [*(ROOT / "assets").glob("*.css"), *(ROOT / "assets").glob("*.js"), *(ROOT / "assets").glob("*.svg")]
    for file in [*files, *modules("pages", "components", "app.py")]:
        text = file.read_text(encoding="utf-8")
        assert not address.search(text), f"{file.name}: {address.search(text)}"
        assert not re.search(r"url\(\s*[\"']?//|@import\s+[\"']?//", text), file.name


# ── what belongs to no machine ────────────────────────────────────────────────────────────────────


LEFT_OUT = {".git", ".venv", "instance", ".demo-test", "node_modules", "__pycache__"}


def tracked() -> list[str]:
    """The files of the project: what git keeps, or all but what it leaves out where there is no git."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    found = done.stdout.splitlines() if done.returncode == 0 else []
    if not found:
        found = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if not LEFT_OUT & {*p.relative_to(ROOT).parts}]
    found = [f for f in found if (ROOT / f).is_file() and "_cache" not in f]
    assert len(found) > 100, "the project must be found"
    return found


def test_no_path_of_a_machine_stands_in_the_project():
    path = re.compile(r"(?<![\w.])/(work|root|home/\w+|Users/\w+)/")
    found = []
    for file in tracked():
        if file.endswith((".woff2", ".png", ".jpg", ".ico", ".lock")) or file == "tests/rules/test_architecture.py":
            continue
        text = (ROOT / file).read_text(encoding="utf-8", errors="replace")
        found += [f"{file}: {m[0]}" for m in path.finditer(text)]
    assert found == []


def test_no_address_of_a_package_index_stands_in_the_project():
    index = re.compile(r"(--(extra-)?index-url|--trusted-host|--find-links|registry)[ =]+\S*(://|\.\w)")
    for file in tracked():
        if file.endswith((".txt", ".in", ".toml", ".cfg", "Makefile", ".npmrc", ".yml", ".yaml", "run")):
            assert not index.search((ROOT / file).read_text(encoding="utf-8")), file


def test_what_runs_is_pinned_with_hashes():
    for file in ("requirements.txt", "requirements-dev.txt"):
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        pinned = [i for i, line in enumerate(lines) if re.match(r"^[A-Za-z0-9_.\[\]-]+==\S+", line)]
        assert len(pinned) > 5, file
        for at in pinned:
            assert lines[at].rstrip().endswith("\\") and "--hash=sha256:" in lines[at + 1], f"{file}: {lines[at]}"
        loose = [line for line in lines if re.match(r"^[A-Za-z0-9]", line) and "==" not in line]
        assert loose == [], file


def _docstrings(file: object) -> set[str]:
    nodes = [n for n in ast.walk(tree(file)) if isinstance(n, ast.Module | ast.FunctionDef | ast.ClassDef)]  # type: ignore[arg-type]
    return {
        n.body[0].value.value
        for n in nodes
        if n.body and isinstance(n.body[0], ast.Expr) and isinstance(n.body[0].value, ast.Constant)
    }
