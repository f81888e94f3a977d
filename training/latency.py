"""How long artifacts take for a prediction, measured beside each other in one run."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from classifier.reading import Reading
from classifier.tier_classifier import TierClassifier

_ROUNDS = 7


def milliseconds(artifacts: Sequence[TierClassifier], readings: Sequence[Reading]) -> tuple[float, ...]:
    """Return the median milliseconds of a prediction by each artifact, in its least disturbed round.

    They take turns, so that what else the machine does falls on all of them.
    """
    medians = [
        [float(np.median([_once(artifact, reading) for reading in readings])) for artifact in artifacts]
        for _ in range(_ROUNDS)
    ]
    return tuple(np.min(medians, axis=0).tolist())


def _once(artifact: TierClassifier, reading: Reading) -> float:
    began = time.perf_counter()
    artifact.predict_readings([reading])
    return (time.perf_counter() - began) * 1_000.0
