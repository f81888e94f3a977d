"""Which artifact answers: the champion, or the highest tier where none can."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from classifier.artifact import ArtifactError, champion_folder
from classifier.features import FEATURE_SCHEMA_VERSION
from classifier.tier_classifier import TierClassifier, TierPrediction
from classifier.tiers import DEFAULT_TIERS
from serving.records import Prediction, Vectors

_log = logging.getLogger(__name__)


class Weighed(NamedTuple):
    """A prediction, with the vectors it was made from where they are kept and there are any."""

    prediction: Prediction
    vectors: Vectors | None = None


class Rollout:
    """Answers every prompt with a prediction; a classifier that fails never fails the request."""

    def __init__(
        self, champion: TierClassifier | None, *, problem: str | None = None, keep_vectors: bool = False
    ) -> None:
        self._champion = champion
        self._keep_vectors = keep_vectors
        self.problem = problem
        self.tiers = champion.tiers if champion else DEFAULT_TIERS
        self.failures = 0

    @classmethod
    def load(cls, models: Path, *, keep_vectors: bool = False) -> Rollout:
        """Load the champion that `models/rollout.toml` names; without one, say why and fall back."""
        try:
            return cls(TierClassifier.load(champion_folder(models)), keep_vectors=keep_vectors)
        except ArtifactError as error:
            _log.error("No classifier: the highest tier answers every prompt. %s", error)
            return cls(None, problem=str(error))

    @property
    def artifact(self) -> str:
        """Return the version of the champion, or `none`."""
        return self._champion.version if self._champion else "none"

    def predict(self, prompt: Mapping[str, Any]) -> Prediction:
        """Return what `weigh` says, without the vectors."""
        return self.weigh(prompt).prediction

    def weigh(self, prompt: Mapping[str, Any]) -> Weighed:
        """Weigh one prompt, given as `{"messages": …, "tools": …}` or `{"prompt": …}`.

        The body has been checked at the wire, so that what fails here is the classifier's own fault.
        """
        champion = self._champion
        if champion is None:
            return Weighed(self._fallback())
        try:
            told = champion.predict_one(prompt)
        except Exception as error:
            # Fail safe: a fault of ours must cost money rather than quality.
            self.failures += 1
            _log.error("The classifier failed (%s): the highest tier answers.", type(error).__name__)
            return Weighed(self._fallback())
        prediction = Prediction(
            self.tiers, told.sufficiency, champion.version, threshold=champion.manifest.threshold
        )
        return Weighed(prediction, _vectors(champion, told) if self._keep_vectors else None)

    def _fallback(self) -> Prediction:
        nothing_is_enough = (0.0,) * (len(self.tiers) - 1)
        return Prediction(self.tiers, (*nothing_is_enough, 1.0), self.artifact, source="fallback")


def _vectors(champion: TierClassifier, told: TierPrediction) -> Vectors:
    little_endian = "<f4"
    return Vectors(
        champion.manifest.encoder_id,
        FEATURE_SCHEMA_VERSION,
        told.embedding.astype(little_endian, copy=False).tobytes(),
        told.features.astype(little_endian, copy=False).tobytes(),
    )
