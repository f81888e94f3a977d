from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from classifier.artifact import MANIFEST, bundled_models, sha256
from classifier.tier_classifier import TierClassifier
from classifier.verdict_file import read_verdict
from training.champion import OnVectors, encoder_of
from training.cli import train as command
from training.dataset import load_corpus
from training.difference import difference
from training.documents import CARD
from training.export import ExportRefused
from training.gate import judge
from training.pipeline import _register, train


@pytest.fixture(scope="module")
def trained(config):
    return train(config)


def digests(folder):
    return {file.name: sha256(file) for file in sorted(folder.iterdir())}


def options(config):
    return [
        "--corpus", str(config.corpus), "--output", str(config.output), "--version", config.version,
        "--encoder-source", config.encoder_source,
    ]  # fmt: skip


def test_a_run_leaves_an_artifact_that_loads_and_predicts(trained, config):
    artifact = TierClassifier.load(trained.folder)
    assert artifact.version == "1.0"
    assert artifact.predict_one("hi").required_tier in config.tiers


def test_training_twice_gives_the_same_checksums(trained, elsewhere):
    assert digests(train(elsewhere).folder) == digests(trained.folder)


def test_training_again_into_the_same_place_changes_nothing_and_succeeds(trained, config):
    before = digests(trained.folder)
    assert digests(train(config).folder) == before


def test_another_seed_under_the_same_name_is_refused(trained, config):
    before = digests(trained.folder)
    with pytest.raises(ExportRefused, match="--version"):
        train(replace(config, seed=8))
    assert digests(trained.folder) == before


def test_every_row_is_weighed_once_by_an_artifact_that_has_not_seen_it(trained, rows):
    held_out = trained.report["held_out"]
    assert held_out.keys() == {row["id"] for row in rows}
    artifact = TierClassifier.load(trained.folder)
    seen = [
        artifact.predict_one({k: row[k] for k in ("prompt", "messages", "tools") if k in row}) for row in rows
    ]
    assert any(
        abs(one.sufficiency[0] - held_out[row["id"]][0]) > 0.05 for one, row in zip(seen, rows, strict=True)
    )


def test_the_report_the_manifest_and_the_card_tell_the_same_figures(trained):
    report = json.loads((trained.folder / "report.json").read_text())
    manifest = json.loads((trained.folder / MANIFEST).read_text())
    card = (trained.folder / CARD).read_text()
    assert report == trained.report
    assert manifest["metrics"]["accuracy"] == report["accuracy"]
    assert f"{report['accuracy']:.1%}" in card
    assert all(file["sha256"] in card for file in manifest["training"]["data"])


def test_no_prompt_text_and_no_machine_path_enters_the_artifact(trained, rows, config):
    prompts = [row["prompt"] for row in rows if len(row.get("prompt", "")) > 40]
    for name in (MANIFEST, "report.json", CARD):
        text = (trained.folder / name).read_text()
        assert not any(prompt in text for prompt in prompts)
        assert str(config.corpus.parent) not in text


def test_the_report_has_pictures_and_a_text_that_names_every_baseline(trained):
    names = {file.name for file in trained.folder.iterdir()}
    assert {
        "reliability.svg", "routing.svg", "robustness.svg", "attacks.svg", "cost-quality-economy.svg",
        "cost-quality-standard.svg",
    } <= names  # fmt: skip
    for baseline in ("random", "prompt length", "task table", "always economy", "always premium"):
        assert baseline in trained.text
    assert "<svg" in (trained.folder / "reliability.svg").read_text()


def test_perturbations_and_attacks_are_measured_on_rows_that_the_artifact_had_not_seen(trained):
    robustness, attacks = trained.report["robustness"], trained.report["attacks"]
    assert {"typos", "case", "whitespace", "polite"} <= robustness.keys()
    assert all(0.0 <= one["low"] <= one["value"] <= one["high"] <= 1.0 for one in robustness.values())
    assert attacks["total"]["pairs"] > 1_000


def test_what_is_made_says_how_it_differs_from_what_ships(trained, config, tmp_path):
    lines = difference(trained.folder, bundled_models())
    assert "which ships" in lines[0]
    assert any("rows of the corpus alone" in line for line in lines)
    assert difference(trained.folder, tmp_path) == []


def test_the_verdict_stands_beside_the_artifact(trained, config):
    assert read_verdict(config.output, "1.0") == trained.verdict


def test_a_candidate_is_held_beside_the_champion_on_rows_that_both_held_out(trained, config):
    (config.output / "rollout.toml").write_text('champion = "1.0"\n')
    rows = load_corpus(config.corpus, config.tiers).rows
    hopeless = {name: [0.9, 1.0, 1.0] for name in trained.report["held_out"]}
    candidate = trained.report | {"version": "1.1", "held_out": hopeless}
    verdict = judge(trained.folder, candidate, rows, config.output, config.tiers, config.threshold)
    failed = {check.name for check in verdict.checks if not check.passed}
    assert verdict.champion == "1.0"
    assert "under-routing beside the champion" in failed and not verdict.passed
    equal = judge(
        trained.folder,
        trained.report | {"version": "1.1"},
        rows,
        config.output,
        config.tiers,
        config.threshold,
    )
    assert all(check.passed for check in equal.checks if "champion" in check.name)


def test_without_a_champion_the_candidate_is_judged_alone(trained, config, tmp_path):
    verdict = judge(trained.folder, trained.report, (), tmp_path, config.tiers, config.threshold)
    assert verdict.champion is None
    assert any(check.name == "accuracy above prompt length alone" for check in verdict.checks)


def test_the_transformer_goes_the_same_way_end_to_end(elsewhere, tmp_path):
    found = train(replace(elsewhere, encoder="transformer"))
    artifact = TierClassifier.load(found.folder)
    # retraining cuts its encoder out, and asks its heads of logged vectors
    assert encoder_of(artifact, found.folder, tmp_path / "encoder").facts["kind"] == "transformer"
    shown = artifact.predict_one("Prove the theorem.")
    vectors = np.concatenate([shown.embedding, shown.features])[None]
    told = OnVectors(found.folder, "transformer").sufficiency(vectors, len(shown.embedding))[0]
    assert tuple(told) == pytest.approx(shown.sufficiency, abs=1e-6)
    assert artifact.manifest.encoder_kind == "transformer"
    one, other = artifact.predict(["Prove the theorem.", "hi"])
    assert one.sufficiency != other.sufficiency
    assert artifact.predict_one("hi").sufficiency == other.sufficiency


def test_the_command_prints_figures_and_verdict_and_registers_the_run(elsewhere, tmp_path, blank_store):
    store = shutil.copy(blank_store, tmp_path / "mlflow.db")
    settings = tmp_path / "training.toml"
    settings.write_text(
        f'folds = 3\ndimensions = 16\nregularisation = [1.0]\ncache = "{elsewhere.cache}"\n'
        f'mlflow = "sqlite:///{store}"\n'
    )
    result = CliRunner().invoke(command, ["--config", str(settings), *options(elsewhere)])
    assert result.exit_code == 0, result.output
    assert "accuracy" in result.output and "prompt length" in result.output and "verdict:" in result.output
    assert f"artifact: {elsewhere.output / '1.0'}" in result.output
    assert "registry: 1.0 is version 1" in result.output
    with sqlite3.connect(store) as database:
        metrics = dict(database.execute("select key, value from metrics"))
        parameters = dict(database.execute("select key, value from params"))
    report = json.loads((elsewhere.output / "1.0" / "report.json").read_text())
    assert metrics["accuracy"] == pytest.approx(report["accuracy"])
    assert (parameters["seed"], parameters["folds"]) == ("7", "3")
    assert list((tmp_path / "mlruns").rglob("classifier.onnx"))


def test_a_registry_that_is_down_costs_no_artifact(trained, config, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registered, problem = _register(trained.folder, replace(config, mlflow="http://127.0.0.1:9"))
    assert registered is None
    assert f"weighbridge registry add {trained.folder}" in problem


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config", "/nowhere.toml"], "Cannot read /nowhere.toml"),
        (["--corpus", "/nowhere"], "No .jsonl files in /nowhere"),
        (["--encoder-source", "/nowhere"], "not a sentence-transformers folder"),
        (["--version", "a/b"], "is not a folder name"),
    ],
)
def test_the_command_ends_with_a_sentence_and_not_a_traceback(tmp_path, arguments, said):
    result = CliRunner().invoke(command, ["--output", str(tmp_path), *arguments])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ") or "Error: " in result.output
    assert said in result.output


def test_help_needs_no_training_library():
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0 and "--version" in result.output
