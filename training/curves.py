"""What a ranking by difficulty is worth: the quality it keeps as fewer prompts go to the strong model.

Area and calls needed are RouteLLM's (Ong et al. 2024, arXiv 2406.18665): the performance gap recovered at a
share of strong calls is (quality there - weak quality) / (strong quality - weak quality); its mean over all
shares is the area (APGR), and the least share that recovers x of the gap is CPT(x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


class CurveError(ValueError):
    """Performances from which no curve can be drawn; the message says why, and the way out."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Share of prompts sent to the strong model, and share of the performance gap that this recovers."""

    strong_share: Numbers
    recovered: Numbers

    @property
    def area(self) -> float:
        """Return the mean gap recovered: 0.5 is random order."""
        return float(np.trapezoid(self.recovered, self.strong_share))

    def calls_needed(self, share: float) -> float:
        """Return the least share of strong calls that recovers this share of the gap."""
        place = int(np.argmax(self.recovered >= share))
        if place == 0:
            return 0.0
        rise = self.recovered[place] - self.recovered[place - 1]
        part = (share - self.recovered[place - 1]) / rise
        step = self.strong_share[place] - self.strong_share[place - 1]
        return float(self.strong_share[place - 1] + part * step)


def cost_quality_curve(
    difficulty: Numbers, weak: Numbers, strong: Numbers, weights: Numbers | None = None
) -> Curve:
    """Return the curve of sending the most difficult prompts [N] to the strong model first.

    `weak` and `strong` are the two models' performance on each prompt [N], `weights` what each prompt counts
    for, all the same without any. Rows of equal difficulty count as their average over every order, which is
    a straight line across them.

    >>> cost_quality_curve(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.ones(2)).recovered.tolist()
    [0.0, 1.0, 1.0]
    """
    gain = np.asarray(strong, dtype=np.float64) - np.asarray(weak, dtype=np.float64)
    if len(gain) != len(difficulty):
        raise CurveError(f"{len(difficulty)} difficulties for {len(gain)} performances. Give one per row.")
    counts = np.ones(len(gain)) if weights is None else weights
    gain = gain * counts
    total = float(gain.sum())
    if total <= 1e-12:
        raise CurveError(
            f"The strong model gains {total:g} over the weak one on {len(gain)} rows, so there is no gap "
            "to recover. Choose a pair whose strong model is better overall."
        )
    order = np.argsort(-difficulty, kind="stable")
    ranked = difficulty[order]
    last_of_ties = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    recovered = np.cumsum(gain[order])[last_of_ties] / total
    # Rounding must not keep the whole from reaching one.
    recovered[-1] = 1.0
    passed = np.cumsum(counts[order])
    share = passed[last_of_ties] / passed[-1]
    return Curve(np.concatenate([[0.0], share]), np.concatenate([[0.0], recovered]))


def area_recovered(
    difficulty: Numbers, weak: Numbers, strong: Numbers, weights: Numbers | None = None
) -> float:
    """Return the average performance gap recovered: 0.5 is random order, and what one constant score gives.

    >>> area_recovered(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.ones(2))
    0.75
    >>> area_recovered(np.zeros(2), np.array([0.0, 1.0]), np.ones(2))
    0.5
    """
    return cost_quality_curve(difficulty, weak, strong, weights).area


def calls_needed(difficulty: Numbers, weak: Numbers, strong: Numbers, share: float) -> float:
    """Return CPT(share): the least share of strong calls that recovers this share of the gap.

    >>> calls_needed(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.ones(2), 0.5)
    0.25
    """
    return cost_quality_curve(difficulty, weak, strong).calls_needed(share)


def performance_from_labels(needed: Places, tier: int) -> tuple[Numbers, Numbers]:
    """Return the weak and the strong performance that required tiers [N] stand for, at one head.

    A label has no outcome, so it is read as one: the strong model answers every prompt, the weak one those
    for which its tier is enough. The best possible area is then 1 - (share not enough) / 2, below one.

    >>> weak, strong = performance_from_labels(np.array([0, 1, 2]), tier=1)
    >>> weak.tolist(), strong.tolist()
    ([1.0, 1.0, 0.0], [1.0, 1.0, 1.0])
    """
    return (needed <= tier).astype(np.float64), np.ones(len(needed))
