from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

import training.embedding
from classifier.reading import Reading, read
from training.embedding import PACKAGED_SHA256, EncoderSourceError, embed, make_encoder, source_folder
from training.parity import MIN_COSINE, prove_encoder
from training.static_encoder import quantise

TEXTS = ["where is my order", "prove it", "", "naïve 中文 \x00", "long " * 300]


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_both_encoders_are_what_sentence_transformers_makes_of_the_same_text(config, kind):
    encoder = make_encoder(replace(config, encoder=kind))
    readings = [read(text) for text in TEXTS]
    assert prove_encoder(encoder, readings, config.encoder_source) >= MIN_COSINE[kind]


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_an_embedding_has_length_one_and_does_not_depend_on_its_neighbours(config, kind):
    encoder = make_encoder(replace(config, encoder=kind))
    readings = [read(text) for text in TEXTS]
    feeds = encoder.feeder().feeds(readings)
    together = embed(encoder, feeds)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    assert all(
        np.array_equal(embed(encoder, [one])[0], row) for one, row in zip(feeds, together, strict=True)
    )


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_an_encoder_made_twice_is_the_same_to_the_byte(config, tmp_path, kind):
    one = make_encoder(replace(config, encoder=kind, cache=tmp_path / "one"))
    other = make_encoder(replace(config, encoder=kind, cache=tmp_path / "other"))
    assert one.graph_file.read_bytes() == other.graph_file.read_bytes()
    assert one.tokenizer_file.read_bytes() == other.tokenizer_file.read_bytes()


def test_an_encoder_is_kept_until_something_about_it_changes(config):
    first = make_encoder(config)
    made_at = first.graph_file.stat().st_mtime_ns
    assert make_encoder(config).graph_file.stat().st_mtime_ns == made_at
    assert make_encoder(replace(config, dimensions=8)).folder != first.folder


def test_an_interrupted_making_is_made_again(config, tmp_path):
    fresh = replace(config, cache=tmp_path)
    (make_encoder(fresh).folder / "facts.json").unlink()
    (make_encoder(fresh)).graph_file.write_bytes(b"half a file")
    (make_encoder(fresh).folder / "facts.json").unlink()
    onnx.checker.check_model(make_encoder(fresh).graph())


def test_a_context_moves_a_short_request_more_than_a_long_one(config):
    encoder = make_encoder(config)

    def moved(request):
        in_context = Reading(request=request, context="prove a theorem " * 9)
        plain, inside = embed(encoder, encoder.feeder().feeds([Reading(request=request), in_context]))
        return 1.0 - float(plain @ inside)

    assert moved("yes") > moved("please tell me where my order is and when it will come to my house")


def test_rounding_to_a_byte_keeps_every_vector_within_half_a_step():
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    table = quantise(vectors)
    assert table.values.dtype == np.int8
    assert (np.abs(table.vectors() - vectors) <= table.scales[:, None] * 0.5001).all()


def test_the_packaged_weights_are_the_published_ones():
    assert (source_folder(None) / "model.safetensors").stat().st_size > 80_000_000


def test_other_weights_in_the_package_are_refused(monkeypatch):
    monkeypatch.setattr(training.embedding, "PACKAGED_SHA256", "0" * 64)
    with pytest.raises(EncoderSourceError, match=f"SHA-256 {PACKAGED_SHA256}, the published ones have 0000"):
        source_folder(None)


def test_a_folder_that_holds_no_model_is_refused(tmp_path):
    with pytest.raises(EncoderSourceError, match=r"no modules\.json"):
        source_folder(str(tmp_path))
