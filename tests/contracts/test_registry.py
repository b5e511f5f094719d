"""What Lakelight asks of a registry, of every adapter: versions, aliases, files, and its problems as sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.registry import RegistryDown, RegistryProblem, UnknownAlias, UnknownModel
from models.registry_memory import MemoryRegistry
from models.registry_mlflow import MlflowRegistry

pytestmark = pytest.mark.filterwarnings("ignore")
"""The registry's client warns of its own libraries."""
ODD = "Kündigung (Verträge) 'neu'"


@dataclass(frozen=True)
class Made:
    """A registry with three versions: two of ``churn``, one of an odd name; champion is churn/1."""

    registry: MemoryRegistry | MlflowRegistry
    folders: dict[tuple[str, str], Path]
    root: Path


def model_folder(root: Path, words: str) -> Path:
    folder = root / words
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text(f"flavors: {{}} # {words}\n")
    (folder / "data" / "model.txt").write_text(words)
    return folder


def folders(root: Path) -> dict[tuple[str, str], Path]:
    named = {("churn", "1"): "first", ("churn", "2"): "second", (ODD, "1"): "odd"}
    return {key: model_folder(root / "made", words) for key, words in named.items()}


def in_memory(root: Path) -> Made:
    made = folders(root)
    return Made(MemoryRegistry(made, {("churn", "champion"): "1"}), made, root)


def in_mlflow(root: Path) -> Made:
    from mlflow.tracking import MlflowClient

    made = folders(root)
    url = f"sqlite:///{root / 'registry' / 'mlflow.db'}"
    (root / "registry").mkdir()
    client = MlflowClient(url, url)
    experiment = client.create_experiment("one", artifact_location=str(root / "registry" / "artifacts"))
    for (name, number), folder in made.items():
        run = client.create_run(experiment)
        client.log_artifacts(run.info.run_id, str(folder), "model")
        client.log_metric(run.info.run_id, "auc", 0.5 + int(number) / 10)
        if number == "1":
            client.create_registered_model(name)
        client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id, tags={"by": "test"})
    client.set_registered_model_alias("churn", "champion", "1")
    return Made(MlflowRegistry(url), made, root)


@pytest.fixture(scope="module", params=[in_memory, in_mlflow], ids=["memory", "mlflow"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    maker: Callable[[Path], Made] = request.param
    return maker(tmp_path_factory.mktemp("registry"))


def test_every_version_of_every_model_is_listed_in_order(made: Made):
    assert [(v.name, v.version) for v in made.registry.registered()] == [(ODD, "1"), ("churn", "1"), ("churn", "2")]


def test_only_the_models_asked_for_are_listed(made: Made):
    assert [(v.name, v.version) for v in made.registry.registered((ODD,))] == [(ODD, "1")]
    assert made.registry.registered(("nobody",)) == ()


def test_an_alias_leads_to_its_version_and_stands_on_it(made: Made):
    found = made.registry.resolve("churn", "champion")
    assert (found.version, found.aliases) == ("1", ("champion",))
    assert [v.aliases for v in made.registry.registered(("churn",))] == [("champion",), ()]


def test_an_unknown_model_and_an_unknown_alias_are_named(made: Made):
    with pytest.raises(UnknownModel, match="no model named nobody"):
        made.registry.resolve("nobody", "champion")
    with pytest.raises(UnknownAlias, match="No version of churn carries the alias best"):
        made.registry.resolve("churn", "best")


def test_the_files_of_a_version_are_copied_whole(made: Made, tmp_path: Path):
    for version in made.registry.registered():
        folder = made.registry.download(version, tmp_path / version.name.strip("'") / version.version)
        wanted = made.folders[version.name, version.version]
        files = {p.relative_to(wanted): p.read_bytes() for p in wanted.rglob("*") if p.is_file()}
        assert {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == files


def test_an_alias_moves_and_moves_back(made: Made):
    made.registry.set_alias("churn", "champion", "2")
    assert made.registry.resolve("churn", "champion").version == "2"
    made.registry.set_alias("churn", "champion", "1")
    assert made.registry.resolve("churn", "champion").version == "1"


# ── what only the MLflow adapter can meet ─────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def mlflow_made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return in_mlflow(tmp_path_factory.mktemp("mlflow"))


def test_metrics_are_given_for_versions_with_an_alias(mlflow_made: Made):
    found = {v.version: dict(v.metrics) for v in mlflow_made.registry.registered(("churn",))}
    assert found == {"1": {"auc": 0.6}, "2": {}}


def test_a_store_that_was_moved_still_finds_its_files(mlflow_made: Made, tmp_path: Path):
    moved = tmp_path / "elsewhere"
    (mlflow_made.root / "registry").rename(moved)
    registry = MlflowRegistry(f"sqlite:///{moved / 'mlflow.db'}")
    version = registry.resolve("churn", "champion")
    assert (registry.download(version, tmp_path / "copy") / "data" / "model.txt").read_text() == "first"
    moved.rename(mlflow_made.root / "registry")


def test_files_that_are_gone_are_a_sentence(mlflow_made: Made, tmp_path: Path):
    version = mlflow_made.registry.resolve("churn", "champion")
    artifacts = mlflow_made.root / "registry" / "artifacts"
    artifacts.rename(tmp_path / "away")
    with pytest.raises(RegistryProblem, match="The files of this version are not at"):
        mlflow_made.registry.download(version, tmp_path / "copy")
    (tmp_path / "away").rename(artifacts)


@pytest.mark.attack("M-03")
def test_a_link_out_of_the_folder_is_not_followed(mlflow_made: Made, tmp_path: Path):
    version = mlflow_made.registry.resolve("churn", "champion")
    files = (mlflow_made.root / "registry" / "artifacts").rglob("model.txt")
    folder = next(file.parent for file in files if file.read_text() == "first")
    (tmp_path / "secret").write_text("not yours")
    link = folder / "link.txt"
    link.symlink_to(tmp_path / "secret")
    copy = mlflow_made.registry.download(version, tmp_path / "copy")
    assert all(p.is_symlink() or p.read_text() != "not yours" for p in copy.rglob("*.txt"))
    link.unlink()


def test_no_registry_yet_and_no_answer_are_told_apart(tmp_path: Path):
    with pytest.raises(RegistryDown, match="There is no registry yet"):
        MlflowRegistry(f"sqlite:///{tmp_path / 'none.db'}").registered()
    with pytest.raises(RegistryDown, match="does not answer"):
        MlflowRegistry("http://127.0.0.1:9").registered()
    (tmp_path / "damaged.db").write_text("this is no database, however long one looks at it")
    with pytest.raises(RegistryDown, match="does not answer"):
        MlflowRegistry(f"sqlite:///{tmp_path / 'damaged.db'}").registered()
