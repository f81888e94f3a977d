"""The artifact that answers now, as retraining needs it: its encoder, its report, its word on logged vectors.

A new artifact keeps the champion's encoder to the byte, so that embeddings in the log stay of use.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.utils import Extractor

from classifier.artifact import GRAPH, REPORT, TOKENIZER, Manifest, champion_folder
from classifier.encoder import load_encoder
from classifier.reading import Reading
from classifier.tier_classifier import TierClassifier, open_session
from training.embedding import ENCODER_GRAPH, MadeEncoder, embed
from training.export import ExportRefused

Numbers = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]

# How an export is called among the data of a manifest, before its number.
FEEDBACK = "feedback "
_EMBEDDING, _FEATURES, _SUFFICIENCY = "embedding", "features", "sufficiency"


@dataclass(frozen=True, slots=True)
class Champion:
    """The artifact that `rollout.toml` names. `report` is empty where its folder holds none."""

    folder: Path
    classifier: TierClassifier
    report: Mapping[str, Any]

    @property
    def manifest(self) -> Manifest:
        """Return what its manifest says."""
        return self.classifier.manifest

    def learned_from(self, known: Collection[str]) -> list[dict[str, Any]]:
        """Return name and rows of the data that it was trained with, what is known and feedback aside."""
        return [
            {"name": one["name"], "rows": one["rows"]}
            for one in self.manifest.training.get("data", ())
            if one["name"] not in known and not one["name"].startswith(FEEDBACK)
        ]


def load_champion(models: Path) -> Champion:
    """Load the champion of a models folder; raise ArtifactError where it is missing or damaged."""
    folder = champion_folder(models)
    classifier = TierClassifier.load(folder)
    return Champion(folder, classifier, report_of(folder))


def report_of(folder: Path) -> Mapping[str, Any]:
    """Return the report in an artifact's folder; empty where there is none that can be read."""
    try:
        found = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def encoder_of(artifact: TierClassifier, source: Path, folder: Path) -> MadeEncoder:
    """Cut the encoder out of an artifact's graph into a folder; what it embeds is proved to be the same."""
    folder.mkdir(parents=True, exist_ok=True)
    model = onnx.load(source / GRAPH)
    onnx.save(
        Extractor(model).extract_model(_inputs(model, _EMBEDDING), [_EMBEDDING]), folder / ENCODER_GRAPH
    )
    (folder / TOKENIZER).write_bytes((source / TOKENIZER).read_bytes())
    encoder = MadeEncoder(folder, artifact.manifest.encoder)
    shown = [
        Reading(request=text) for text in ("Where is my order?", "Prove that there are infinitely many.")
    ]
    theirs = np.stack([one.embedding for one in artifact.predict_readings(shown)])
    if not np.array_equal(embed(encoder, encoder.feeder().feeds(shown)), theirs):
        raise ExportRefused(f"The encoder cut out of {source} embeds otherwise than the artifact itself.")
    return encoder


class OnVectors:
    """An artifact's word on prompts of which the log has kept embedding and features, and no text.

    What its heads read of the tokens themselves is that of an empty prompt, for any such row and artifact.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        model = onnx.load(folder / GRAPH)
        inputs = _inputs(model, _SUFFICIENCY, stop=_EMBEDDING)
        with tempfile.TemporaryDirectory() as work:
            heads = Path(work, GRAPH)
            onnx.save(Extractor(model).extract_model(inputs, [_SUFFICIENCY]), heads)
            self._session = open_session(heads)
        empty = load_encoder(kind, folder / TOKENIZER).feeds([Reading(request="")])[0]
        self._empty = {name: value for name, value in empty.items() if name in inputs}

    def sufficiency(self, vectors: Matrix, embedded: int) -> Numbers:
        """Return P(required ≤ tier) [N, K] of joined vectors [N, D + F], the first `embedded` embeddings."""
        found = [
            self._session.run(
                (_SUFFICIENCY,), {**self._empty, _EMBEDDING: one[:embedded], _FEATURES: one[embedded:]}
            )[0]
            for one in np.asarray(vectors, dtype=np.float32)
        ]
        return np.array(found, dtype=np.float64)


def on_readings(artifact: TierClassifier, readings: Sequence[Reading]) -> Numbers:
    """Return P(required ≤ tier) [N, K] of prompts whose text is there."""
    found = [one.sufficiency for one in artifact.predict_readings(readings)]
    return np.array(found, dtype=np.float64).reshape(len(readings), len(artifact.tiers))


def _inputs(model: Any, wanted: str, stop: str | None = None) -> list[str]:
    """Return which inputs of a graph a tensor is made of; `stop` counts as an input."""
    makers = {name: node for node in model.graph.node for name in node.output}
    given = {one.name for one in model.graph.input} | ({stop} if stop else set())
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [wanted]
    while waiting:
        name = waiting.pop()
        if name in given:
            found.add(name)
        elif name in makers and name not in seen:
            seen.add(name)
            waiting.extend(makers[name].input)
    return sorted(found)
