"""A prompt is always answered: by the champion, or by the highest tier where there is none."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from classifier.artifact import bundled_models, champion_folder
from classifier.features import features
from classifier.reading import read
from classifier.tier_classifier import TierClassifier
from classifier.tiers import DEFAULT_TIERS
from serving.rollout import Rollout
from tests.running import in_process, logged
from tests.serving.api.bodies import chat_body, route_body

PROMPT = {"prompt": "Are you open on Sunday?"}


def no_folder(models):
    shutil.rmtree(models)


def no_rollout(models):
    (models / "rollout.toml").unlink()


def unknown_champion(models):
    (models / "rollout.toml").write_text('champion = "1066.10"\n')


def champion_outside_the_folder(models):
    (models / "rollout.toml").write_text('champion = "../elsewhere"\n')


def rollout_is_not_toml(models):
    (models / "rollout.toml").write_text("champion: the best\n")


def graph_changed(models):
    graph = champion_folder(models) / "classifier.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 0xFF
    graph.write_bytes(bytes(content))


def graph_missing(models):
    (champion_folder(models) / "classifier.onnx").unlink()


def manifest_cut_off(models):
    manifest = champion_folder(models) / "manifest.json"
    manifest.write_text(manifest.read_text()[:100])


DAMAGES = [
    no_folder, no_rollout, unknown_champion, champion_outside_the_folder, rollout_is_not_toml,
    graph_changed, graph_missing, manifest_cut_off,
]  # fmt: skip


@pytest.fixture
def models(tmp_path):
    """A copy of the shipped artifacts, to be damaged."""
    shipped = bundled_models()
    champion = champion_folder(shipped)
    copied = tmp_path / "models"
    shutil.copytree(champion, copied / champion.name)
    shutil.copy(shipped / "rollout.toml", copied)
    return copied


def test_the_champion_answers(models):
    rollout = Rollout.load(models)
    prediction = rollout.predict(PROMPT)
    assert rollout.problem is None
    assert (prediction.source, prediction.artifact) == ("classifier", champion_folder(models).name)
    assert prediction.sufficiency[-1] == 1.0


def test_vectors_are_kept_where_they_are_wanted_and_tell_what_the_classifier_saw(models):
    rollout = Rollout.load(models, keep_vectors=True)
    prediction, vectors, _ = rollout.weigh(PROMPT)
    classifier = TierClassifier.load(champion_folder(models))
    told = classifier.predict_one(PROMPT)
    assert prediction == rollout.predict(PROMPT)
    assert np.array_equal(np.frombuffer(vectors.embedding, "<f4"), told.embedding)
    assert np.array_equal(np.frombuffer(vectors.features, "<f4"), features(read(PROMPT)))
    assert vectors.encoder == classifier.manifest.encoder_id
    assert Rollout.load(models).weigh(PROMPT).vectors is None


def test_what_a_service_keeps_of_a_prompt_is_what_its_settings_allow(tmp_path):
    kept = {}
    for allowed in ("none", "features", "text"):
        folder = tmp_path / allowed
        folder.mkdir()
        with in_process(folder, log={"prompts": allowed}) as client:
            client.post("/route", json=route_body())
            (kept[allowed],) = logged(client).values()
        raw = b"".join(file.read_bytes() for file in folder.glob("decisions.db*"))
        assert (b"opening hours" in raw) == (allowed == "text")
    shown = {
        name: [row[field] is not None for field in ("prompt", "vectors", "conversation")]
        for name, row in kept.items()
    }
    assert shown == {
        "none": [False, False, False],
        "features": [False, True, True],
        "text": [True, False, True],
    }


@pytest.mark.parametrize("damage", DAMAGES)
def test_without_a_usable_artifact_nothing_but_the_highest_tier_is_enough(models, damage):
    damage(models)
    rollout = Rollout.load(models)
    prediction = rollout.predict(PROMPT)
    assert rollout.problem
    assert (prediction.source, prediction.artifact) == ("fallback", "none")
    assert prediction.tiers == DEFAULT_TIERS
    assert prediction.sufficiency == (0.0, 0.0, 1.0)


class Failing:
    """A classifier with a fault of its own."""

    version = "faulty"
    tiers = DEFAULT_TIERS

    def predict_one(self, prompt):
        raise RuntimeError(f"cannot weigh {prompt}")


def test_a_classifier_that_fails_is_counted_and_the_highest_tier_stands_in(caplog):
    rollout = Rollout(Failing())
    assert rollout.predict(PROMPT).sufficiency == (0.0, 0.0, 1.0)
    assert rollout.predict(PROMPT).source == "fallback"
    assert rollout.failures == 2
    assert "Sunday" not in caplog.text


@pytest.mark.parametrize("damage", [no_folder, graph_changed])
def test_a_service_without_a_classifier_starts_answers_with_the_best_and_says_so(tmp_path, models, damage):
    damage(models)
    with in_process(tmp_path, classifier={"models": str(models)}) as client:
        ready = client.get("/readyz")
        decision = client.post("/route", json=route_body()).json()
        answer = client.post("/v1/chat/completions", json=chat_body())
    assert ready.status_code == 200
    assert ready.json()["artifact"] == "none"
    assert str(models) in ready.json()["classifier"]
    assert decision["deployment"] == "demo-premium"
    assert (decision["reason"], decision["prediction_source"]) == ("classifier_unavailable", "fallback")
    assert decision["required_tier"] == "premium"
    assert answer.status_code == 200
    assert answer.headers["x-weighbridge-deployment"] == "demo-premium"
    assert answer.headers["x-weighbridge-reason"] == "classifier_unavailable"


def test_the_highest_tier_never_overrides_a_clearance(tmp_path, models):
    no_folder(models)
    with in_process(tmp_path, classifier={"models": str(models)}) as client:
        answer = client.post("/route", json=route_body(compliance=["fedramp"]))
    assert answer.status_code == 422
