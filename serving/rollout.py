"""Which artifact answers: the champion, or the highest tier where none can."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from classifier.artifact import ArtifactError, champion_folder
from classifier.tier_classifier import TierClassifier
from classifier.tiers import DEFAULT_TIERS
from serving.records import Prediction

_log = logging.getLogger(__name__)


class Rollout:
    """Answers every prompt with a prediction; a classifier that fails never fails the request."""

    def __init__(self, champion: TierClassifier | None, *, problem: str | None = None) -> None:
        self._champion = champion
        self.problem = problem
        self.tiers = champion.tiers if champion else DEFAULT_TIERS
        self.failures = 0

    @classmethod
    def load(cls, models: Path) -> Rollout:
        """Load the champion that `models/rollout.toml` names; without one, say why and fall back."""
        try:
            return cls(TierClassifier.load(champion_folder(models)))
        except ArtifactError as error:
            _log.error("No classifier: the highest tier answers every prompt. %s", error)
            return cls(None, problem=str(error))

    @property
    def artifact(self) -> str:
        """Return the version of the champion, or `none`."""
        return self._champion.version if self._champion else "none"

    def predict(self, prompt: Mapping[str, Any]) -> Prediction:
        """Weigh one prompt, given as `{"messages": …, "tools": …}` or `{"prompt": …}`.

        The body has been checked at the wire, so that what fails here is the classifier's own fault.
        """
        if self._champion is None:
            return self._fallback()
        try:
            weighed = self._champion.predict_one(prompt)
        except Exception as error:
            # Fail safe: a fault of ours must cost money rather than quality.
            self.failures += 1
            _log.error("The classifier failed (%s): the highest tier answers.", type(error).__name__)
            return self._fallback()
        return Prediction(
            self.tiers,
            weighed.sufficiency,
            self._champion.version,
            threshold=self._champion.manifest.threshold,
        )

    def _fallback(self) -> Prediction:
        nothing_is_enough = (0.0,) * (len(self.tiers) - 1)
        return Prediction(self.tiers, (*nothing_is_enough, 1.0), self.artifact, source="fallback")
