from __future__ import annotations

import json
import shutil

import pytest

from classifier.artifact import (
    GRAPH,
    MANIFEST,
    TOKENIZER,
    ArtifactError,
    bundled_models,
    champion_folder,
    load_manifest,
    sha256,
)
from classifier.tier_classifier import TierClassifier


@pytest.fixture
def copy(artifact, tmp_path):
    return shutil.copytree(artifact, tmp_path / artifact.name)


def rewrite(folder, **changes):
    """Change the manifest; a value of None takes its key out."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest |= changes
    kept = {name: value for name, value in manifest.items() if value is not None}
    (folder / MANIFEST).write_text(json.dumps(kept))


def test_the_shipped_artifact_is_whole_and_small(artifact):
    manifest = load_manifest(artifact)
    assert manifest.version == artifact.name
    assert set(manifest.files) | {MANIFEST} == {file.name for file in artifact.iterdir()}
    assert sum(file.stat().st_size for file in artifact.iterdir()) < 25_000_000


def test_the_shipped_artifact_says_what_it_was_trained_on(artifact):
    manifest = load_manifest(artifact)
    data = manifest.training["data"]
    corpus = [one for one in data if "licence" not in one and not one["name"].startswith("second/")]
    assert sum(one["rows"] for one in corpus) == manifest.training["rows"] >= 1_500
    assert all(one["sha256"] for one in data)
    assert all(one["licence"] for one in data if one not in corpus and not one["name"].startswith("second/"))
    assert manifest.encoder["source"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert manifest.created_by.startswith("weighbridge train ")
    assert manifest.metrics["sklearn_gap"] <= 1e-5


def test_every_shipped_artifact_loads():
    for folder in bundled_models().iterdir():
        if folder.is_dir():
            TierClassifier.load(folder)


@pytest.mark.parametrize("name", [GRAPH, TOKENIZER, "MODEL_CARD.md"])
def test_one_changed_byte_is_noticed(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{name} is damaged: its SHA-256 .* Restore the folder"):
        TierClassifier.load(copy)


@pytest.mark.parametrize("name", [GRAPH, TOKENIZER])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(ArtifactError, match=f"lacks {name}: No such file"):
        TierClassifier.load(copy)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"nowhere has no readable manifest.json: No such file"):
        TierClassifier.load(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "\x00"])
def test_a_manifest_that_is_no_object_is_damaged(copy, text):
    (copy / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match=r"manifest.json is damaged"):
        load_manifest(copy)


def test_a_manifest_that_is_not_text_is_damaged(copy):
    (copy / MANIFEST).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArtifactError, match=r"manifest.json is damaged"):
        load_manifest(copy)


@pytest.mark.parametrize(
    "name", ["version", "tiers", "threshold", "encoder", "files", "training", "metrics", "created_by"]
)
def test_a_manifest_without_a_field_is_damaged(copy, name):
    rewrite(copy, **{name: None})
    with pytest.raises(ArtifactError, match=f"manifest.json is damaged at '{name}'"):
        load_manifest(copy)


@pytest.mark.parametrize(
    "changes", [{"files": []}, {"encoder": "static"}, {"threshold": "high"}, {"tiers": 3}]
)
def test_a_field_of_a_wrong_type_is_damage(copy, changes):
    rewrite(copy, **changes)
    with pytest.raises(ArtifactError, match=r"manifest.json is damaged"):
        load_manifest(copy)


def test_a_newer_format_asks_for_a_newer_program(copy):
    rewrite(copy, format_version=99)
    with pytest.raises(ArtifactError, match=r"format version 99.*Update Weighbridge"):
        TierClassifier.load(copy)


@pytest.mark.parametrize("format_version", [0, "1", None])
def test_a_format_that_never_was_is_refused(copy, format_version):
    rewrite(copy, format_version=format_version)
    with pytest.raises(ArtifactError, match="train a new artifact"):
        TierClassifier.load(copy)


@pytest.mark.parametrize(
    "changes", [{"feature_schema_version": 2}, {"feature_count": 3}, {"feature_count": None}]
)
def test_another_feature_schema_is_refused(copy, changes):
    rewrite(copy, **changes)
    with pytest.raises(ArtifactError, match=r"was trained on feature schema.*`weighbridge train`"):
        TierClassifier.load(copy)


@pytest.mark.parametrize("tiers", [["only"], ["same", "same"], []])
def test_a_scale_needs_two_different_tiers(copy, tiers):
    rewrite(copy, tiers=tiers)
    with pytest.raises(ArtifactError, match="two or more different tiers"):
        load_manifest(copy)


def test_a_manifest_cannot_reach_outside_its_folder(copy):
    rewrite(
        copy, files={"../secret": "0" * 64, GRAPH: sha256(copy / GRAPH), TOKENIZER: sha256(copy / TOKENIZER)}
    )
    with pytest.raises(ArtifactError, match="names a file outside its folder"):
        load_manifest(copy)


def test_the_graph_and_the_tokenizer_must_be_listed(copy):
    rewrite(copy, files={TOKENIZER: sha256(copy / TOKENIZER)})
    with pytest.raises(ArtifactError, match=f"does not list {GRAPH}"):
        load_manifest(copy)


@pytest.mark.parametrize("name", [GRAPH, TOKENIZER])
def test_a_file_that_is_not_what_it_should_be_is_an_artifact_error(copy, name):
    (copy / name).write_bytes(b"not what it says")
    files = {file.name: sha256(file) for file in copy.iterdir() if file.name != MANIFEST}
    rewrite(copy, files=files)
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        TierClassifier.load(copy)


def test_an_unknown_encoder_is_an_artifact_error(copy):
    rewrite(copy, encoder={"kind": "magic"})
    with pytest.raises(ArtifactError, match="magic"):
        TierClassifier.load(copy)


def test_the_rollout_names_the_champion(tmp_path):
    (tmp_path / "rollout.toml").write_text('champion = "2099.1"\n')
    assert champion_folder(tmp_path) == tmp_path / "2099.1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must name a folder beside it"),
        ("champion = 3", "must name a folder beside it"),
        ('champion = "../elsewhere"', "must name a folder beside it"),
        ("champion", "is not TOML"),
    ],
)
def test_a_rollout_without_a_champion_is_refused(tmp_path, text, said):
    (tmp_path / "rollout.toml").write_text(text)
    with pytest.raises(ArtifactError, match=said):
        champion_folder(tmp_path)


def test_a_missing_rollout_says_what_it_should_say(tmp_path):
    with pytest.raises(ArtifactError, match='champion = "<version>"'):
        champion_folder(tmp_path)
