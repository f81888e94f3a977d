"""What held-out feedback says of two artifacts: only what was graded counts, by its weight, and nothing else.

Production shows one tier's answer to each prompt. So a row judges an artifact only on the questions that its
grade answers, weighed by the inverse of the propensity with which that tier was asked (`training.influence`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.baselines import routing
from training.curves import area_recovered
from training.intervals import Chosen, Interval, IntervalError, Statistic, difference_interval

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
# A promise of 0 or 1 that does not hold must not cost the whole world.
_SURE = 1e-4


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure of candidate and champion on the same rows; `difference` is candidate - champion."""

    rows: int
    candidate: float
    champion: float
    difference: Interval

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON, to four digits."""
        return {
            "rows": self.rows,
            "candidate": round(self.candidate, 4),
            "champion": round(self.champion, 4),
            "difference": self.difference.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows that neither artifact was fitted on, what is known of each, and both sufficiencies [N, K].

    `targets` [N, K-1]: 1 enough, 0 not, NaN unanswered. Rows of one of the `groups` [N] are drawn together.
    """

    targets: Numbers
    weights: Numbers
    groups: Sequence[object]
    candidate: Numbers
    champion: Numbers

    def take(self, chosen: npt.NDArray[np.bool_]) -> HeldOut:
        """Return some of the rows."""
        groups = [group for group, taken in zip(self.groups, chosen, strict=True) if taken]
        return HeldOut(
            self.targets[chosen],
            self.weights[chosen],
            groups,
            self.candidate[chosen],
            self.champion[chosen],
        )


def under_routed(
    rows: HeldOut, tiers: Sequence[str], threshold: float, seed: int, rounds: int
) -> Compared | None:
    """Return the share of rows sent to a tier that is not enough, where both artifacts' choices were graded.

    The highest tier is enough by definition.
    """
    return _routed(rows, _missed, tiers, threshold, seed, rounds)


def over_routed(
    rows: HeldOut, tiers: Sequence[str], threshold: float, seed: int, rounds: int
) -> Compared | None:
    """Return the share of rows sent to a tier although the one below is enough, where both were graded."""
    return _routed(rows, _spent, tiers, threshold, seed, rounds)


def _routed(
    rows: HeldOut,
    wrong: Callable[[Numbers, Places], Numbers],
    tiers: Sequence[str],
    threshold: float,
    seed: int,
    rounds: int,
) -> Compared | None:
    missed = [
        wrong(rows.targets, routing(one, tiers, threshold).places) for one in (rows.candidate, rows.champion)
    ]
    known = ~np.isnan(missed[0]) & ~np.isnan(missed[1])
    kept = rows.take(known)
    ours, theirs = (one[known] for one in missed)
    return _compared(
        kept,
        lambda chosen: _mean(ours, kept, chosen),
        lambda chosen: _mean(theirs, kept, chosen),
        seed,
        rounds,
    )


def area(rows: HeldOut, head: int, seed: int, rounds: int) -> Compared | None:
    """Return the gap recovered between a tier and a dearer one on the rows that say whether it is enough."""
    return _of_head(rows, head, _area, seed, rounds)


def log_loss(rows: HeldOut, head: int, seed: int, rounds: int) -> Compared | None:
    """Return the mean cross-entropy of one question on the rows that answer it."""
    return _of_head(rows, head, _loss, seed, rounds)


def _of_head(
    rows: HeldOut,
    head: int,
    measure: Callable[[HeldOut, Numbers, Chosen, int], float],
    seed: int,
    rounds: int,
) -> Compared | None:
    kept = rows.take(~np.isnan(rows.targets[:, head]))
    return _compared(
        kept,
        lambda chosen: measure(kept, kept.candidate[:, head], chosen, head),
        lambda chosen: measure(kept, kept.champion[:, head], chosen, head),
        seed,
        rounds,
    )


def _area(rows: HeldOut, sufficiency: Numbers, chosen: Chosen, head: int) -> float:
    enough = rows.targets[chosen, head]
    return area_recovered(-sufficiency[chosen], enough, np.ones(len(enough)), rows.weights[chosen])


def _loss(rows: HeldOut, sufficiency: Numbers, chosen: Chosen, head: int) -> float:
    promised = np.clip(sufficiency[chosen], _SURE, 1.0 - _SURE)
    enough = rows.targets[chosen, head]
    losses = -(enough * np.log(promised) + (1.0 - enough) * np.log(1.0 - promised))
    return float(np.average(losses, weights=rows.weights[chosen]))


def _mean(values: Numbers, rows: HeldOut, chosen: Chosen) -> float:
    return float(np.average(values[chosen], weights=rows.weights[chosen]))


def _missed(targets: Numbers, places: Places) -> Numbers:
    """Return how far each row's tier is not enough, 0 to 1, and NaN where nobody graded that."""
    known = np.hstack([targets, np.ones((len(targets), 1))])
    return np.asarray(1.0 - known[np.arange(len(known)), places])


def _spent(targets: Numbers, places: Places) -> Numbers:
    """Return how far the tier below each row's is enough, 0 to 1, and NaN where nobody graded that."""
    below = np.hstack([np.zeros((len(targets), 1)), targets])
    return np.asarray(below[np.arange(len(below)), places])


def _compared(rows: HeldOut, ours: Statistic, theirs: Statistic, seed: int, rounds: int) -> Compared | None:
    """Return both figures and their difference with its interval; None where the rows do not define it."""
    count = len(rows.weights)
    if not count:
        return None
    everything = np.arange(count)
    try:
        gap = difference_interval(ours, theirs, count, rows.groups, seed, rounds)
        return Compared(count, ours(everything), theirs(everything), gap)
    except (IntervalError, ValueError):
        return None
