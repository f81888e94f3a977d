"""Raw scores to probabilities that mean what they say: a sigmoid fitted on held-out scores (Platt 1999)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """probability = 1 / (1 + exp(-(slope · score + intercept)))."""

    slope: float
    intercept: float

    def apply(self, scores: Numbers) -> Numbers:
        """Return the probabilities of raw scores.

        >>> Sigmoid(1.0, 0.0).apply(np.array([0.0, 1000.0, -1000.0])).tolist()
        [0.5, 1.0, 0.0]
        """
        # tanh cannot overflow where exp can.
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * (self.slope * scores + self.intercept))))


def calibrate(scores: Numbers, target: Numbers, weight: Numbers) -> Sigmoid:
    """Fit the sigmoid on scores of rows that the head has not seen."""
    # Nearly unregularised: two numbers on hundreds of rows. The slope must not turn, or order would be lost.
    places, said, shares = yes_and_no(target, weight)
    fitted = LogisticRegression(C=1e4, tol=1e-8, max_iter=1_000).fit(
        scores[places, None], said, sample_weight=shares
    )
    return Sigmoid(max(1e-3, float(fitted.coef_[0, 0])), float(fitted.intercept_[0]))


def yes_and_no(target: Numbers, weight: Numbers) -> tuple[npt.NDArray[np.int64], Numbers, Numbers]:
    """Split rows with targets in 0..1 into a yes and a no of that weight: the row, 1 or 0, the weight.

    >>> [part.tolist() for part in yes_and_no(np.array([1.0, 0.25]), np.array([1.0, 2.0]))]
    [[0, 1, 1], [1.0, 1.0, 0.0], [1.0, 0.5, 1.5]]
    """
    shares = np.concatenate([weight * target, weight * (1.0 - target)])
    counted = shares > 0.0
    places = np.tile(np.arange(len(target)), 2)
    said = np.repeat([1.0, 0.0], len(target))
    return places[counted], said[counted], shares[counted]
