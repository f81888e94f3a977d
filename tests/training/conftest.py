"""Small but real parts: a two-layer sentence-transformers model made here, and a slice of the corpus."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import bundled_models
from classifier.tier_classifier import TierClassifier
from classifier.verdict_file import read_verdict
from tests.artifacts import CHAMPION
from tests.benchmarks.prose import Prose
from tests.logs import graded, template, write_export
from tests.registries import make_blank_store
from tests.training.retraining import TIERS, config_in, contents, run_command, vectors_of
from training.config import TrainingConfig
from training.retrain import Retrained
from training.retrain_cli import FAILED_THE_GATE

BUNDLED = TrainingConfig().corpus
LOGGED = 640


@pytest.fixture(scope="session")
def rows() -> list[dict]:
    """Every fifth row of the bundled corpus."""
    lines = [line for file in sorted(BUNDLED.glob("*.jsonl")) for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines[::5]]


@pytest.fixture(scope="session")
def corpus_folder(rows, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    half = len(rows) // 2
    for name, part in (("a.jsonl", rows[:half]), ("b.jsonl", rows[half:])):
        folder.joinpath(name).write_text("".join(json.dumps(row) + "\n" for row in part))
    return folder


@pytest.fixture(scope="session")
def tiny_model(rows, tmp_path_factory) -> Path:
    """A random BERT of two layers with a few hundred tokens, in the format of sentence-transformers."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    words = sorted(
        {word for row in rows for word in str(row.get("prompt", "")).lower().split() if word.isascii()}
    )
    letters = [chr(code) for code in range(33, 127)]
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *letters,
        *(f"##{one}" for one in letters),
        *words[::8],
    ]
    bare = folder / "bare"
    bare.mkdir()
    places = {token: place for place, token in enumerate(dict.fromkeys(vocabulary))}
    BertTokenizerFast(vocab=places).save_pretrained(bare)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(places), **shape)).save_pretrained(bare)
    transformer = Transformer(str(bare), max_seq_length=256)
    pooling = Pooling(transformer.get_embedding_dimension())
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder / "model"))
    return folder / "model"


@pytest.fixture(scope="session")
def config(corpus_folder, tiny_model, tmp_path_factory) -> TrainingConfig:
    return TrainingConfig(
        version="1.0",
        corpus=corpus_folder,
        output=tmp_path_factory.mktemp("models"),
        cache=tmp_path_factory.mktemp("encoders"),
        encoder_source=str(tiny_model),
        dimensions=16,
        regularisation=(1.0, 4.0),
        folds=3,
        trees=6,
        resamples=40,
        mlflow="none",
    )


@pytest.fixture
def elsewhere(config, tmp_path) -> TrainingConfig:
    """The same config with an output folder of its own."""
    return replace(config, output=tmp_path / "models")


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)


@pytest.fixture(scope="session")
def blank_store(tmp_path_factory) -> Path:
    """An MLflow database with its tables and nothing in them, to be copied."""
    return make_blank_store(tmp_path_factory.mktemp("store") / "mlflow.db")


@pytest.fixture(scope="session")
def row(tmp_path_factory):
    return template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def log(row):
    """A world in which longer prompts need dearer tiers; every second row keeps vectors and no text."""
    prose, draw = Prose(), np.random.default_rng(7)
    shipped = TierClassifier.load(bundled_models() / CHAMPION)
    found = []
    for number in range(LOGGED):
        words = int(draw.integers(4, 40))
        tier = int(draw.integers(0, 3))
        good = (tier >= words // 14) != (draw.random() < 0.05)
        prompt = prose.prompt(words)
        said = {"caller": f"team-{number % 6}", "propensity": 1 / 3}
        if number % 2:
            found.append(graded(row, number, prompt, TIERS[tier], good, **said))
        else:
            vectors = vectors_of(shipped.predict_one(prompt), shipped.manifest.encoder_id)
            found.append(graded(row, number, None, TIERS[tier], good, vectors=vectors, **said))
    return found


@pytest.fixture(scope="session")
def recipe(corpus_folder):
    return TrainingConfig(
        corpus=corpus_folder, folds=3, trees=4, tree_bins=16, dresses=0, resamples=40, mlflow="none"
    )


@pytest.fixture(scope="session")
def made(log, row, recipe, tmp_path_factory):
    """One whole retraining on two files, with rows of another encoder and of other features among them."""
    folder = tmp_path_factory.mktemp("made")
    vectors = log[0]["vectors"]
    others = [
        graded(row, 9_001, None, "economy", True, vectors=vectors | {"encoder": "static-other"}),
        graded(row, 9_002, None, "economy", True, vectors=vectors | {"feature_schema": 1}),
    ]
    exports = folder / "exports"
    exports.mkdir()
    write_export(exports / "a.parquet", log[::2])
    write_export(exports / "b.parquet", [*log[1::2], *others])
    config = config_in(folder, recipe, exports)
    before = contents(config.models)
    done = run_command(config)
    # the clock of a busy machine may fail it: whoever uses it looks at the verdict
    assert done.exit_code in (0, FAILED_THE_GATE), done.output
    (verdict,) = config.models.glob("*.verdict.json")
    version = verdict.name.removesuffix(".verdict.json")
    found = Retrained(config.models / version, read_verdict(config.models, version), None, is_new=True)
    return config, before, found
