from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from classifier.artifact import MANIFEST, load_manifest
from classifier.features import FEATURE_NAMES, features
from classifier.reading import read
from classifier.tier_classifier import TierClassifier
from training.calibration import Calibration
from training.embedding import embed, make_encoder
from training.export import ExportRefused, write_artifact
from training.fit import Examples, fit_heads, sufficiency
from training.labeling import graded
from training.parity import MAX_PROBABILITY_GAP, prove_encoder, prove_heads
from training.pipeline import counts_tokens
from training.tokens import token_rows

FACTS = {"training": {}, "metrics": {}, "created_by": "a test"}
SCALES = {"two": ("low", "high"), "three": ("economy", "standard", "premium"), "five": tuple("abcde")}


def fitted(config, tiers, kind="static"):
    """Heads on texts whose length decides, with as many of each tier."""
    config = replace(config, tiers=tiers, encoder=kind)
    readings = [
        read("word " * (1 + 7 * (place % len(tiers)) + place % 4) + str(place))
        for place in range(30 * len(tiers))
    ]
    labels = graded([tiers[place % len(tiers)] for place in range(len(readings))], tiers)
    encoder = make_encoder(config)
    feeds = encoder.feeder().feeds(readings)
    inputs = np.hstack([embed(encoder, feeds), np.stack([features(one) for one in readings])])
    examples = Examples(
        inputs,
        labels,
        np.arange(len(readings)) // len(tiers) % 3,
        np.zeros(len(readings), dtype=np.int64),
        token_rows(feeds, encoder.vocabulary()) if counts_tokens(config) else None,
    )
    heads = fit_heads(examples, config, inputs.shape[1] - len(FEATURE_NAMES))
    return config, encoder, heads, readings, (inputs, examples.tokens)


@pytest.mark.parametrize("tiers", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_the_graph_says_what_scikit_learn_says_for_any_number_of_tiers(config, tmp_path, tiers, kind):
    config, encoder, heads, readings, inputs = fitted(config, tiers, kind)
    artifact = TierClassifier.load(write_artifact(tmp_path / "1", encoder, heads, config, FACTS, {}))
    assert artifact.tiers == tiers
    assert prove_heads(artifact, heads, readings, *inputs) <= MAX_PROBABILITY_GAP
    assert np.allclose(
        [one.embedding for one in artifact.predict_readings(readings)], inputs[0][:, : -len(FEATURE_NAMES)]
    )


def test_heads_that_contradict_each_other_are_brought_in_order_the_safe_way(config, tmp_path):
    config, encoder, heads, readings, inputs = fitted(config, SCALES["five"])
    shifted = [
        replace(head, calibration=Calibration(1.0, shift))
        for head, shift in zip(heads, (3, -3, 2, -1), strict=True)
    ]
    artifact = TierClassifier.load(write_artifact(tmp_path / "1", encoder, shifted, config, FACTS, {}))
    found = np.array([one.sufficiency for one in artifact.predict_readings(readings)])
    raw = np.stack([head.probability(*inputs) for head in shifted], axis=1)
    assert (np.diff(found, axis=1) >= 0).all()
    assert (found[:, :-1] <= raw + 1e-6).all()
    assert np.abs(found - sufficiency(shifted, *inputs)).max() <= MAX_PROBABILITY_GAP


def test_a_graph_that_says_something_else_is_refused(config, tmp_path):
    config, encoder, heads, readings, inputs = fitted(config, SCALES["three"])
    artifact = TierClassifier.load(write_artifact(tmp_path / "1", encoder, heads, config, FACTS, {}))
    others = [
        replace(head, calibration=Calibration(1.0, 0.001 + head.calibration.intercept)) for head in heads
    ]
    with pytest.raises(ExportRefused, match="differ from scikit-learn's by up to"):
        prove_heads(artifact, others, readings, *inputs)


def test_an_encoder_that_is_not_the_models_is_refused(config):
    encoder = make_encoder(config)
    vectors = np.load(encoder.reference_file)
    np.save(encoder.reference_file, np.roll(vectors, 1, axis=0))
    try:
        with pytest.raises(ExportRefused, match="cosine to sentence-transformers falls to"):
            prove_encoder(encoder, [read("where is my order")], config.encoder_source)
    finally:
        np.save(encoder.reference_file, vectors)


def test_an_artifact_is_written_whole_with_every_file_in_its_manifest(config, tmp_path):
    config, encoder, heads, _, _ = fitted(config, SCALES["three"])
    folder = write_artifact(tmp_path / "models" / "7", encoder, heads, config, FACTS, {"NOTE.md": "ü"})
    manifest = load_manifest(folder)
    assert manifest.version == "7"
    assert set(manifest.files) == {file.name for file in folder.iterdir()} - {MANIFEST}
    assert [file.name for file in folder.parent.iterdir()] == ["7"]


def test_an_artifact_that_exists_is_never_changed(config, tmp_path):
    config, encoder, heads, _, _ = fitted(config, SCALES["three"])
    folder = write_artifact(tmp_path / "7", encoder, heads, config, FACTS, {})
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert write_artifact(folder, encoder, heads, config, FACTS, {}) == folder
    with pytest.raises(ExportRefused, match=r"7 exists and differs.*--version"):
        write_artifact(folder, encoder, heads, config, FACTS | {"created_by": "another test"}, {})
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [file.name for file in tmp_path.iterdir()] == ["7"]


def test_a_failure_on_the_way_leaves_nothing_behind(config, tmp_path):
    config, encoder, heads, _, _ = fitted(config, SCALES["three"])
    with pytest.raises(TypeError):
        write_artifact(tmp_path / "7", encoder, heads, config, FACTS | {"metrics": {"bad": object()}}, {})
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_is_plain_json_without_a_clock(config, tmp_path):
    config, encoder, heads, _, _ = fitted(config, SCALES["three"])
    folder = write_artifact(tmp_path / "7", encoder, heads, config, FACTS, {})
    manifest = json.loads((folder / MANIFEST).read_text())
    assert not {"date", "time", "created_at", "timestamp"} & manifest.keys()
    assert str(tmp_path) not in (folder / MANIFEST).read_text()
