"""The real MLflow, embedded and as a server: whole or not at all, and roles as rollout.toml has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import weighbridge
from classifier.artifact import ArtifactError, bundled_models, champion_folder, load_manifest, sha256
from classifier.rollout_file import Plan, read_plan, write_plan
from classifier.tier_classifier import TierClassifier
from classifier.verdict_file import Check, Verdict, manifest_sha256, write_verdict
from tests.artifacts import CHAMPION, pass_verdict, write_models
from tests.registries import client, mlflow_server, road_to, wait_until_ready
from training.registry import EMBEDDED, NAME, RegistryError, follow, register, store_uri

SHIPPED = champion_folder(bundled_models())


@pytest.fixture(scope="module")
def starting_server(tmp_path_factory, blank_store):
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(blank_store, folder / "mlflow.db")
    with mlflow_server(folder, folder / "mlflow.db") as address:
        yield address


@pytest.fixture(scope="module")
def server(starting_server):
    wait_until_ready(starting_server)
    return starting_server


@pytest.fixture(scope="module")
def embedded(starting_server, tmp_path_factory, blank_store):
    """A store of its own; the server of the others starts meanwhile."""
    folder = tmp_path_factory.mktemp("data")
    shutil.copy(blank_store, folder / "mlflow.db")
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture(params=["embedded", "server"], scope="module")
def store(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def road(server, monkeypatch):
    """The road to the server; nobody tries a broken one twice."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with road_to(server) as road:
        yield road


@pytest.fixture
def artifact(tmp_path, request):
    """A small artifact with a passed verdict: a registry looks at the manifest and never into a graph."""
    version = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    folder = make_artifact(tmp_path / "models", version)
    write_plan(folder.parent, Plan(version))
    return folder


def make_artifact(models: Path, version: str, content: bytes = b"a graph") -> Path:
    folder = models / version
    folder.mkdir(parents=True)
    (folder / "classifier.onnx").write_bytes(content)
    (folder / "tokenizer.json").write_bytes(b"{}")
    files = {file.name: sha256(file) for file in folder.iterdir()}
    manifest = json.loads((SHIPPED / "manifest.json").read_text()) | {"version": version, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    say(folder, passed=True)
    return folder


def say(folder: Path, *, passed: bool) -> None:
    check = Check("two tiers too low", passed=passed, candidate=0.01, bound=0.05)
    write_verdict(folder.parent, Verdict(folder.name, manifest_sha256(folder), None, None, (check,)))


def versions(uri, version):
    return client(uri).search_model_versions(f"name = '{NAME}' and tag.`weighbridge.version` = '{version}'")


def sizes(folder):
    return {file.name: file.stat().st_size for file in folder.iterdir()}


def files_of(uri, run_id, folder="artifact"):
    return {Path(one.path).name: one.file_size for one in client(uri).list_artifacts(run_id, folder)}


def aliases(uri):
    found = client(uri).search_registered_models(f"name = '{NAME}'")
    return {alias: str(number) for one in found for alias, number in one.aliases.items()}


def test_an_artifact_comes_back_from_the_registry_as_it_went_in(store, tmp_path):
    models = write_models(tmp_path / "models")
    pass_verdict(models, CHAMPION)
    report = json.loads((SHIPPED / "report.json").read_text())
    found = register(store, models / CHAMPION, {"seed": 7, "folds": 5})

    (version,) = versions(store, CHAMPION)
    assert (str(version.version), version.run_id) == (found.number, found.run_id)
    assert version.tags["verdict"] == "passed"
    run = client(store).get_run(found.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["folds"] == "5"
    data = load_manifest(SHIPPED).training["data"]
    assert {one["sha256"] for one in data} <= set(run.data.params.values())
    assert run.data.metrics["accuracy"] == report["accuracy"]
    assert run.data.metrics["heads/economy/ece"] == report["heads"]["economy"]["ece"]
    assert run.data.metrics["gate/two tiers too low"] == 0.01
    assert f"{CHAMPION}.verdict.json" in files_of(store, found.run_id, None)

    from mlflow.artifacts import download_artifacts

    back = download_artifacts(run_id=found.run_id, artifact_path="artifact", tracking_uri=store)
    assert {file.name: sha256(file) for file in Path(back).iterdir()} == {
        file.name: sha256(file) for file in SHIPPED.iterdir()
    }
    assert TierClassifier.load(Path(back)).predict_one("hi") is not None
    assert any(Path(back).glob("*.svg"))


def test_registering_again_adds_nothing_but_a_newer_verdict(store, artifact):
    first = register(store, artifact)
    say(artifact, passed=False)
    second = register(store, artifact)
    assert (first.new, second.new) == (True, False)
    assert (first.number, first.run_id) == (second.number, second.run_id)
    (version,) = versions(store, artifact.name)
    assert version.tags["verdict"] == "failed"
    assert version.tags["verdict.failed"] == "two tiers too low"
    run = client(store).get_run(first.run_id)
    assert run.data.tags["verdict"] == "failed"


def test_other_files_under_a_known_version_are_refused(store, artifact, tmp_path):
    register(store, artifact)
    other = make_artifact(tmp_path / "others", artifact.name, b"another graph")
    with pytest.raises(RegistryError, match="--version"):
        register(store, other)
    assert len(versions(store, artifact.name)) == 1


def test_a_damaged_artifact_does_not_get_in(embedded, artifact):
    (artifact / "classifier.onnx").write_bytes(b"another graph")
    with pytest.raises(ArtifactError, match="damaged"):
        register(embedded, artifact)
    assert versions(embedded, artifact.name) == []


def test_the_aliases_are_what_rollout_toml_says(store, artifact):
    models = artifact.parent
    for version in ("next", "third"):
        make_artifact(models, f"{artifact.name}-{version}")
    first, following, third = artifact.name, f"{artifact.name}-next", f"{artifact.name}-third"
    for plan, roles in (
        (Plan(first), {"champion": first}),
        (Plan(first, following, 0.1, third), {"champion": first, "canary": following, "shadow": third}),
        (Plan(following, shadow=first), {"champion": following, "shadow": first}),
        (Plan(first), {"champion": first}),
    ):
        write_plan(models, plan)
        found = follow(store, models)
        assert {role: one.version for role, one in found.items()} == roles
        assert aliases(store) == {role: one.number for role, one in found.items()}


STEPS = {
    "asked for the model": ("registered-models/search", False),
    "asked for the version": ("model-versions/search", False),
    "run": ("runs/create", False),
    "run, answer lost": ("runs/create", True),
    "figures": ("runs/log-batch", False),
    "first file": ("mlflow-artifacts/artifacts", False),
    "last file": ("tokenizer.json", True),
    "verdict": ("verdict.json", False),
    "version": ("model-versions/create", False),
    "version, answer lost": ("model-versions/create", True),
    "end": ("runs/update", False),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_registry_that_goes_down_half_way_keeps_all_or_nothing(road, server, artifact, step):
    follow(server, artifact.parent)
    before, plan = aliases(server), read_plan(artifact.parent)
    candidate = make_artifact(artifact.parent, f"{artifact.name}-candidate")
    asked, late = STEPS[step]
    road.breaks, road.late = (lambda method, path: asked in path), late

    with pytest.raises(RegistryError, match="weighbridge registry add"):
        register(road.address, candidate)

    assert road.broken
    assert (aliases(server), read_plan(artifact.parent)) == (before, plan)
    for one in versions(server, candidate.name):
        assert files_of(server, one.run_id) == sizes(candidate)
    assert bool(versions(server, candidate.name)) == (step in ("version, answer lost", "end"))

    road.mend()
    found = register(road.address, candidate)
    (version,) = versions(server, candidate.name)
    assert (str(version.version), version.run_id) == (found.number, found.run_id)
    assert files_of(server, found.run_id) == sizes(candidate)
    experiment = client(server).get_experiment_by_name(NAME).experiment_id
    (run,) = client(server).search_runs([experiment], f"tags.`weighbridge.version` = '{candidate.name}'")
    assert run.info.status == "FINISHED"


def test_a_registry_that_goes_down_between_two_aliases_is_caught_up_later(road, server, artifact):
    models = artifact.parent
    follow(server, models)
    candidate = make_artifact(models, f"{artifact.name}-candidate")
    write_plan(models, Plan(candidate.name, shadow=artifact.name))
    second_move = iter([False, True])
    road.breaks = lambda method, path: path.endswith("registered-models/alias") and next(second_move)
    with pytest.raises(RegistryError, match="weighbridge registry sync"):
        follow(road.address, models)
    assert read_plan(models).champion == candidate.name
    assert aliases(server).keys() == {"champion"}
    road.mend()
    found = follow(road.address, models)
    assert aliases(server) == {role: one.number for role, one in found.items()}


def test_a_registry_that_is_not_there_is_told_and_nothing_else_happens(artifact, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9 failed .* is not registered"):
        register("http://127.0.0.1:9", artifact)


def test_what_is_no_database_is_told_and_left_alone(artifact, tmp_path):
    file = tmp_path / "notes.db"
    file.write_text("nothing of the kind " * 100)
    before = file.read_bytes()
    with pytest.raises(RegistryError, match=r"notes\.db failed"):
        register(f"sqlite:///{file}", artifact)
    assert file.read_bytes() == before


def test_files_that_cannot_be_kept_leave_no_version(blank_store, artifact, tmp_path):
    shutil.copy(blank_store, tmp_path / "full.db")
    (tmp_path / "mlruns").write_text("a file where a folder should be")
    uri = f"sqlite:///{tmp_path / 'full.db'}"
    with pytest.raises(RegistryError, match="is not registered"):
        register(uri, artifact)
    assert versions(uri, artifact.name) == []
    (tmp_path / "mlruns").unlink()
    assert register(uri, artifact).new


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A folder as a service has it, with two artifacts that load."""
    models = write_models(tmp_path / "models", "next")
    pass_verdict(models, "next")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weighbridge.toml").write_text('classifier.models = "models"')
    return models


def run(*arguments):
    return CliRunner().invoke(weighbridge.main, list(arguments))


def test_one_promotion_moves_the_role_and_then_the_alias(service, embedded, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", embedded)
    done = run("promote", "next", "--to", "champion")
    assert done.exit_code == 0, done.output
    assert "In the registry: champion next" in done.output
    (version,) = versions(embedded, "next")
    assert aliases(embedded) == {"champion": str(version.version)}
    done = run("rollback")
    assert done.exit_code == 0, done.output
    (version,) = versions(embedded, CHAMPION)
    assert aliases(embedded) == {"champion": str(version.version)}


def test_a_promotion_counts_though_the_registry_is_down(service, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    done = run("promote", "next", "--to", "champion")
    assert done.exit_code == 0, done.output
    assert "Warning: the registry has not followed" in done.stderr
    assert "weighbridge registry sync --models models" in done.stderr
    assert read_plan(service) == Plan("next")


def test_a_promotion_without_a_registry_makes_none(service, monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    done = run("promote", "next", "--to", "shadow")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert not (tmp_path / "weighbridge-data").exists()


def test_the_commands_add_and_sync(embedded, artifact):
    done = run("registry", "add", str(artifact), "--mlflow", embedded)
    assert done.exit_code == 0, done.output
    assert f"{artifact.name} is version" in done.output
    done = run("registry", "sync", "--models", str(artifact.parent), "--mlflow", embedded)
    assert done.exit_code == 0, done.output
    assert f"champion {artifact.name}" in done.output
    done = run("registry", "add", "nowhere", "--mlflow", embedded)
    assert done.exit_code == 1
    assert "nowhere" in done.output and "Traceback" not in done.output


def test_the_store_is_the_named_one_then_the_environments_then_the_embedded(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    assert store_uri("http://here") == "http://here"
    assert store_uri(None) == "http://there"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert store_uri(None) == EMBEDDED
    assert store_uri("none") is None
