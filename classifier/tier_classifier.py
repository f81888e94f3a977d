"""The classifier as others use it: load an artifact, predict the tier that prompts need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from classifier.artifact import GRAPH, TOKENIZER, ArtifactError, Manifest, load_manifest
from classifier.encoder import Encoder, Feed, load_encoder
from classifier.features import features
from classifier.reading import Prompt, Reading, read
from classifier.tiers import required_tier


@dataclass(frozen=True, slots=True)
class TierPrediction:
    """Sufficiency per tier (non-decreasing, last 1), the required tier, and what they were told from:

    the prompt's `embedding`, float32 [D], and its `features`, float32 [F].
    """

    sufficiency: tuple[float, ...]
    required_tier: str
    embedding: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]


class TierClassifier:
    """One loaded artifact. Safe to call from several threads.

    A prompt is one run of the graph without padding: a batch gives bit for bit what single calls give.
    """

    def __init__(self, manifest: Manifest, encoder: Encoder, session: onnxruntime.InferenceSession) -> None:
        self.manifest = manifest
        self.version = manifest.version
        self.tiers = manifest.tiers
        self._encoder = encoder
        self._session = session

    @classmethod
    def load(cls, folder: str | Path) -> TierClassifier:
        """Load an artifact folder; raise ArtifactError where it is damaged, too new or of another schema."""
        folder = Path(folder)
        manifest = load_manifest(folder)
        try:
            session = open_session(folder / GRAPH)
            # heads that weigh no terms take none
            with_terms = "term_ids" in {one.name for one in session.get_inputs()}
            encoder = load_encoder(manifest.encoder_kind, folder / TOKENIZER, with_terms)
        except Exception as error:  # the two libraries raise bare Exception for what they cannot read
            raise ArtifactError(f"Artifact {folder} cannot be loaded: {error}") from error
        return cls(manifest, encoder, session)

    def read(self, prompt: Prompt) -> Reading:
        """Return how this classifier reads a prompt; raise ReadingError where it cannot."""
        return read(prompt)

    def predict(self, prompts: Sequence[Prompt]) -> list[TierPrediction]:
        """Predict for strings, OpenAI-style message lists, or objects with either; raise ReadingError."""
        return self.predict_readings([read(prompt) for prompt in prompts])

    def predict_one(self, prompt: Prompt) -> TierPrediction:
        """Predict for one prompt."""
        return self.predict_readings([read(prompt)])[0]

    def predict_readings(self, readings: Sequence[Reading]) -> list[TierPrediction]:
        """Predict for prompts that have been read."""
        spelled = self._encoder.spelled(readings)
        feeds = self._encoder.feeds(spelled)
        return [self._run(reading, feed) for reading, feed in zip(spelled, feeds, strict=True)]

    def _run(self, reading: Reading, feed: Feed) -> TierPrediction:
        counted = features(reading)
        feed["features"] = counted
        sufficiency, embedding = self._session.run(("sufficiency", "embedding"), feed)
        enough = tuple(sufficiency.tolist())
        needs = required_tier(enough, self.tiers, self.manifest.threshold)
        return TierPrediction(enough, needs, embedding, counted)


def open_session(graph: Path) -> onnxruntime.InferenceSession:
    """Open a graph for one prompt at a time on one core; more threads cost more than they give."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
