"""What held-out feedback says of two artifacts: only what was graded counts, by its weight, nothing else.

Production shows one tier's answer to each prompt, so a tier is judged by the rows that it answered, each
weighed by the inverse of the propensity with which it was asked (`training.influence`). What a grade says of
other tiers teaches and does not judge: a bad answer of a dearer tier condemns the cheaper ones, a good one
says nothing of them, so that only failures would count; and no row could tell neighbouring tiers apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from training.baselines import routing
from training.curves import CurveError, area_recovered
from training.intervals import Chosen, Interval, IntervalError, Statistic, difference_interval

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
# A promise of 0 or 1 that does not hold must not cost the whole world.
_SURE = 1e-4
_LEAST = 30


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
    `asked` [N] is the place of the tier that answered, None where rows are labelled for every tier.
    """

    targets: Numbers
    weights: Numbers
    groups: Sequence[object]
    candidate: Numbers
    champion: Numbers
    asked: Places | None = None

    def answers(self, head: int) -> Flags:
        """Return which rows say whether a tier is enough, having asked that very one."""
        known = ~np.isnan(self.targets[:, head])
        return known if self.asked is None else known & (self.asked == head)

    def take(self, chosen: Flags) -> HeldOut:
        """Return some of the rows."""
        groups = [group for group, taken in zip(self.groups, chosen, strict=True) if taken]
        return HeldOut(
            self.targets[chosen],
            self.weights[chosen],
            groups,
            self.candidate[chosen],
            self.champion[chosen],
            None if self.asked is None else self.asked[chosen],
        )

    def and_then(self, others: HeldOut) -> HeldOut:
        """Return these rows followed by others; both say which tier answered, or neither does."""
        return HeldOut(
            np.concatenate([self.targets, others.targets]),
            np.concatenate([self.weights, others.weights]),
            [*self.groups, *others.groups],
            np.concatenate([self.candidate, others.candidate]),
            np.concatenate([self.champion, others.champion]),
            None
            if self.asked is None or others.asked is None
            else np.concatenate([self.asked, others.asked]),
        )

    def unweighted(self) -> HeldOut:
        """Return the same rows, each counting for one."""
        return replace(self, weights=np.ones(len(self.weights)))


def under_routed(
    rows: HeldOut, tiers: Sequence[str], threshold: float, seed: int, rounds: int
) -> Compared | None:
    """Return the share of rows that each artifact sends to a tier that is not enough.

    The highest tier is enough by definition.
    """
    return _routed(rows, 1.0 - rows.targets, 0, tiers, threshold, seed, rounds)


def over_routed(
    rows: HeldOut, tiers: Sequence[str], threshold: float, seed: int, rounds: int
) -> Compared | None:
    """Return the share of rows that each artifact sends to a tier although the one below is enough."""
    return _routed(rows, rows.targets, 1, tiers, threshold, seed, rounds)


def mean_tier(
    rows: HeldOut, tiers: Sequence[str], threshold: float, seed: int, rounds: int
) -> Compared | None:
    """Return the mean place on the scale that each artifact sends rows to: for this, nobody need grade."""
    ours, theirs = _sent(rows, tiers, threshold)
    return _compared(
        rows,
        len(ours),
        lambda one: _mean(ours, rows, one),
        lambda one: _mean(theirs, rows, one),
        seed,
        rounds,
    )


def _sent(rows: HeldOut, tiers: Sequence[str], threshold: float) -> tuple[Places, Places]:
    ours, theirs = (routing(one, tiers, threshold).places for one in (rows.candidate, rows.champion))
    return ours, theirs


def _routed(
    rows: HeldOut,
    wrong: Numbers,
    above: int,
    tiers: Sequence[str],
    threshold: float,
    seed: int,
    rounds: int,
) -> Compared | None:
    """Compare how often routing is wrong; `wrong` [N, K-1] says it of rows sent so far above a question."""
    ours, theirs = (_asked(sent - above, rows) for sent in _sent(rows, tiers, threshold))
    return _compared(
        rows,
        len(wrong) if rows.asked is None else int((ours.graded | theirs.graded).sum()),
        lambda chosen: _share(wrong, ours, rows, chosen),
        lambda chosen: _share(wrong, theirs, rows, chosen),
        seed,
        rounds,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which question each row is asked [N], outside of them for none, and whether it answers that one."""

    heads: Places
    graded: Flags


def _asked(heads: Places, rows: HeldOut) -> _Asked:
    graded = np.zeros(len(heads), dtype=bool)
    for head in range(rows.targets.shape[1]):
        graded |= (heads == head) & rows.answers(head)
    return _Asked(heads, graded)


def _share(wrong: Numbers, asked: _Asked, rows: HeldOut, chosen: Chosen) -> float:
    """Return the share that is wrong: for each question the share asked it, times how often that is wrong."""
    heads, graded, weights = asked.heads[chosen], asked.graded[chosen], rows.weights[chosen]
    found = 0.0
    for head in range(wrong.shape[1]):
        there = heads == head
        told = there & graded
        if not there.any():
            continue
        if not told.any():
            raise CurveError("Nobody graded what an artifact would do. Give it more rows.")
        found += float(weights[there].sum()) * float(
            np.average(wrong[chosen[told], head], weights=weights[told])
        )
    return found / float(weights.sum())


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
    kept = rows.take(rows.answers(head))
    return _compared(
        kept,
        len(kept.weights),
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


def _mean(values: Places, rows: HeldOut, chosen: Chosen) -> float:
    return float(np.average(values[chosen], weights=rows.weights[chosen]))


def _compared(
    rows: HeldOut, told: int, ours: Statistic, theirs: Statistic, seed: int, rounds: int
) -> Compared | None:
    """Return both figures and their difference with its interval; None where the rows do not define it.

    `told` of the rows say something. Resamples of a few hardly differ, and would make anything sure.
    """
    if min(told, len(set(rows.groups))) < _LEAST:
        return None
    count = len(rows.weights)
    everything = np.arange(count)
    try:
        gap = difference_interval(ours, theirs, count, rows.groups, seed, rounds)
        return Compared(told, ours(everything), theirs(everything), gap)
    except (IntervalError, ValueError):
        return None
