"""Which artifact answers: the champion, the canary for a sticky share, or the highest tier where none can.

`rollout.toml` may change while the service runs: the new plan is loaded whole beside the old one and then
takes its place in one step. A plan of which anything is damaged is refused, and the old one stays.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from classifier.artifact import ROLLOUT, ArtifactError, champion_folder
from classifier.features import FEATURE_SCHEMA_VERSION
from classifier.reading import Reading
from classifier.rollout_file import Plan, read_plan
from classifier.tier_classifier import TierClassifier, TierPrediction
from classifier.tiers import DEFAULT_TIERS
from serving.records import Prediction, ShadowPrediction, Vectors

_log = logging.getLogger(__name__)

_Signature = tuple[int, int, int]
Watch = Callable[[], ShadowPrediction | None]


class Weighed(NamedTuple):
    """A prediction, with the vectors it was made from where they are kept and there are any.

    `shadow` asks the artifact that only watches; whoever has the time may call it.
    """

    prediction: Prediction
    vectors: Vectors | None = None
    shadow: Watch | None = None


@dataclass(frozen=True, slots=True)
class _Serving:
    """The artifacts of one plan, loaded; a request takes it once and keeps it."""

    champion: TierClassifier | None
    canary: TierClassifier | None = None
    canary_share: float = 0.0
    shadow: TierClassifier | None = None

    def answers(self, unit: str) -> TierClassifier | None:
        """Return who answers this unit (a user, a conversation): always the same while the plan stays."""
        if self.canary is None or self.champion is None:
            return self.champion
        digest = hashlib.blake2b(unit.encode("utf-8", "replace"), digest_size=8, person=b"canary").digest()
        return self.canary if int.from_bytes(digest) < self.canary_share * 2**64 else self.champion


class Rollout:
    """Answers every prompt with a prediction; a classifier that fails never fails the request."""

    def __init__(
        self,
        champion: TierClassifier | None,
        *,
        problem: str | None = None,
        keep_vectors: bool = False,
        models: Path | None = None,
    ) -> None:
        self._serving = _Serving(champion)
        self._keep_vectors = keep_vectors
        self._models = models
        self._seen: _Signature | None = None
        self.problem = problem
        self.refused: str | None = None
        self.tiers = champion.tiers if champion else DEFAULT_TIERS
        self.failures = 0
        self.shadow_failures = 0

    @classmethod
    def load(cls, models: Path, *, keep_vectors: bool = False) -> Rollout:
        """Load the champion that `models/rollout.toml` names; without one, say why and fall back."""
        try:
            champion = TierClassifier.load(champion_folder(models))
        except ArtifactError as error:
            _log.error("No classifier: the highest tier answers every prompt. %s", error)
            return cls(None, problem=str(error), keep_vectors=keep_vectors, models=models)
        found = cls(champion, keep_vectors=keep_vectors, models=models)
        found.refresh()
        return found

    @property
    def artifact(self) -> str:
        """Return the version of the champion, or `none`."""
        champion = self._serving.champion
        return champion.version if champion else "none"

    @property
    def roles(self) -> dict[str, Any]:
        """Return who watches and who answers a share, by version, None where nobody does."""
        serving = self._serving
        return {
            "canary": serving.canary.version if serving.canary else None,
            "canary_share": serving.canary_share,
            "shadow": serving.shadow.version if serving.shadow else None,
        }

    def refresh(self) -> bool:
        """Take over a changed `rollout.toml`, and tell whether that was done; for one thread at a time.

        What cannot be loaded is told once in `refused`, and tried again at the next call.
        """
        signature = self._signature()
        if self._models is None or signature is None or signature == self._seen:
            return False
        try:
            serving = self._loaded(read_plan(self._models))
        except (ArtifactError, OSError) as error:
            if self.refused != str(error):
                _log.error("The new rollout is refused, the old one stays. %s", error)
            self.refused = str(error)
            return False
        self._serving = serving
        self._seen, self.refused, self.problem = signature, None, None
        _log.info("The rollout is now: champion %s, %s.", self.artifact, self.roles)
        return True

    def predict(self, prompt: Mapping[str, Any]) -> Prediction:
        """Return what `weigh` says, without the vectors."""
        return self.weigh(prompt).prediction

    def weigh(self, prompt: Mapping[str, Any], unit: str = "") -> Weighed:
        """Weigh one prompt, given as `{"messages": …, "tools": …}` or `{"prompt": …}`.

        `unit` is what a canary's share is drawn by. The body has been checked at the wire, so that what fails
        here is the classifier's own fault.
        """
        serving = self._serving
        classifier = serving.answers(unit)
        if classifier is None:
            return Weighed(self._fallback("none"))
        shadow = None if serving.shadow is None else self._shadow(serving.shadow, prompt)
        try:
            told = classifier.predict_one(prompt)
        except Exception as error:
            # Fail safe: a fault of ours must cost money rather than quality.
            self.failures += 1
            _log.error("The classifier failed (%s): the highest tier answers.", type(error).__name__)
            return Weighed(self._fallback(classifier.version), shadow=shadow)
        prediction = Prediction(
            self.tiers, told.sufficiency, classifier.version, threshold=classifier.manifest.threshold
        )
        return Weighed(prediction, _vectors(classifier, told) if self._keep_vectors else None, shadow)

    def _shadow(self, shadow: TierClassifier, prompt: Mapping[str, Any]) -> Watch | None:
        try:
            # a reading is a few kilobytes at most, and waits in the log's queue; a prompt may be megabytes
            return partial(self._watch, shadow, shadow.read(prompt))
        except Exception as error:
            self._shadow_failed(error)
            return None

    def _watch(self, shadow: TierClassifier, reading: Reading) -> ShadowPrediction | None:
        try:
            (said,) = shadow.predict_readings([reading])
            return ShadowPrediction(shadow.version, self.tiers, said.sufficiency, said.required_tier)
        except Exception as error:
            self._shadow_failed(error)
            return None

    def _shadow_failed(self, error: Exception) -> None:
        self.shadow_failures += 1
        _log.error("The shadow failed (%s); nobody but the log notices.", type(error).__name__)

    def _fallback(self, artifact: str) -> Prediction:
        nothing_is_enough = (0.0,) * (len(self.tiers) - 1)
        return Prediction(self.tiers, (*nothing_is_enough, 1.0), artifact, source="fallback")

    def _signature(self) -> _Signature | None:
        """Return what changes with the file, None where it cannot be looked at."""
        if self._models is None:
            return None
        try:
            found = (self._models / ROLLOUT).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _loaded(self, plan: Plan) -> _Serving:
        """Load what of a plan is not loaded yet; raise ArtifactError where anything of it cannot be used."""
        serving = self._serving
        at_hand = {one.version: one for one in (serving.champion, serving.canary, serving.shadow) if one}
        found = {name: at_hand.get(name) or self._load(name) for name in plan.versions}
        return _Serving(
            found[plan.champion],
            found[plan.canary] if plan.canary and plan.canary_share else None,
            plan.canary_share if plan.canary else 0.0,
            found[plan.shadow] if plan.shadow else None,
        )

    def _load(self, version: str) -> TierClassifier:
        folder = (self._models or Path()) / version
        classifier = TierClassifier.load(folder)
        if classifier.tiers != self.tiers:
            raise ArtifactError(
                f"Artifact {folder} has the tiers {', '.join(classifier.tiers)}, this service runs with "
                f"{', '.join(self.tiers)}. Change [quality_prior] and restart, or promote another."
            )
        return classifier


def _vectors(classifier: TierClassifier, told: TierPrediction) -> Vectors:
    little_endian = "<f4"
    return Vectors(
        classifier.manifest.encoder_id,
        FEATURE_SCHEMA_VERSION,
        told.embedding.astype(little_endian, copy=False).tobytes(),
        told.features.astype(little_endian, copy=False).tobytes(),
    )
