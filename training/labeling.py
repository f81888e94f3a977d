"""From labels to the questions they answer: is tier k enough? One column per tier but the last.

A row answers the questions that its label answers, and no other: the rest are NaN, which no head sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Labels:
    """`targets` [N, K-1]: 1 enough, 0 not enough, NaN unanswered. `weights` [N]: how much each row counts."""

    targets: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]

    def take(self, rows: npt.NDArray[np.bool_]) -> Labels:
        """Return the labels of some rows."""
        return Labels(self.targets[rows], self.weights[rows])

    def times(self, factor: float) -> Labels:
        """Return the same labels, each counting for so many times as much."""
        return Labels(self.targets, self.weights * factor)

    def and_then(self, others: Labels) -> Labels:
        """Return these labels followed by others."""
        return Labels(
            np.concatenate([self.targets, others.targets]), np.concatenate([self.weights, others.weights])
        )

    def answered(self, head: int) -> npt.NDArray[np.bool_]:
        """Return which rows answer the question of one head."""
        return ~np.isnan(self.targets[:, head])


def graded(required: Sequence[str], tiers: Sequence[str]) -> Labels:
    """Return the labels of rows whose required tier is known: they answer every question.

    >>> graded(["standard"], ["economy", "standard", "premium"]).targets.tolist()
    [[0.0, 1.0]]
    """
    places = np.array([list(tiers).index(tier) for tier in required], dtype=np.int64)
    questions = np.arange(len(tiers) - 1)
    return Labels((places[:, None] <= questions).astype(np.float64), np.ones(len(places)))


def observed(answers: Sequence[tuple[str, bool]], tiers: Sequence[str]) -> Labels:
    """Return the labels of rows that one tier has answered, acceptably or not.

    A good answer at a tier says "enough" from there up and nothing below; a bad one says "not enough"
    from there down and nothing above.

    >>> answers = [("standard", True), ("standard", False)]
    >>> observed(answers, ["economy", "standard", "premium"]).targets.tolist()
    [[nan, 1.0], [0.0, 0.0]]
    """
    targets = np.full((len(answers), len(tiers) - 1), np.nan)
    for row, (tier, good) in enumerate(answers):
        place = list(tiers).index(tier)
        if good:
            targets[row, place:] = 1.0
        else:
            targets[row, : place + 1] = 0.0
    return Labels(targets, np.ones(len(answers)))
