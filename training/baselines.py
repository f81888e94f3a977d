"""What a classifier must beat, in the same figures: random, prompt length, a task table, always one tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from classifier.tiers import required_tier
from training.curves import CurveError, Numbers, Places, area_recovered, cost_quality_curve
from training.curves import performance_from_labels as performance
from training.intervals import (
    ROUNDS,
    Chosen,
    IntervalError,
    Statistic,
    bootstrap_interval,
    compared,
    difference_interval,
)

Flags = npt.NDArray[np.bool_]
_ECE_BINS = 10


@dataclass(frozen=True, slots=True)
class Routing:
    """One way to route some rows: P(tier is enough) [N, K], the tier taken [N], difficulty per head [N, K-1].

    Where every row has the same difficulty, ties count as random order: area 0.5.
    """

    sufficiency: Numbers
    places: Places
    difficulty: Numbers


def routing(sufficiency: Numbers, tiers: Sequence[str], threshold: float) -> Routing:
    """Return the routing that sufficiencies stand for."""
    names = list(tiers)
    places = [names.index(required_tier(row.tolist(), tiers, threshold)) for row in sufficiency]
    return Routing(sufficiency, np.array(places, dtype=np.int64), -sufficiency[:, :-1])


def baselines(
    needed: Places,
    words: Numbers,
    tasks: Sequence[str],
    folds: Places,
    tiers: Sequence[str],
    threshold: float,
    seed: int = 7,
) -> dict[str, Routing]:
    """Return every baseline for rows [N]; what is fitted is fitted on the other folds alone."""
    shape = (len(needed), len(tiers))
    base, length, table = np.ones(shape), np.ones(shape), np.ones(shape)
    for fold in np.unique(folds):
        inside, outside = folds != fold, folds == fold
        for head in range(len(tiers) - 1):
            enough = (needed[inside] <= head).astype(np.float64)
            base[outside, head] = enough.mean()
            length[outside, head] = _by_length(words[inside], enough, words[outside])
            table[outside, head] = _by_task(tasks, inside, enough, outside)
    length = np.minimum.accumulate(length[:, ::-1], axis=1)[:, ::-1]
    by_words = np.repeat(words[:, None], len(tiers) - 1, axis=1)
    drawn = (np.random.default_rng(seed).random((len(needed), 1)) >= base[:, :-1]).sum(axis=1)
    return {
        "random": Routing(base, drawn.astype(np.int64), np.zeros((len(needed), len(tiers) - 1))),
        "prompt length": Routing(length, routing(length, tiers, threshold).places, by_words),
        "task table": routing(table, tiers, threshold),
        f"always {tiers[0]}": routing(np.ones(shape), tiers, threshold),
        f"always {tiers[-1]}": routing(
            np.tile([0.0] * (len(tiers) - 1) + [1.0], (len(needed), 1)), tiers, threshold
        ),
    }


def compare(
    needed: Places,
    classifier: Routing,
    others: Mapping[str, Routing],
    tiers: Sequence[str],
    groups: Sequence[object] | None = None,
    seed: int = 7,
    rounds: int = ROUNDS,
) -> dict[str, Any]:
    """Return the figures of the classifier beside those of every baseline, and what may be said of each.

    In JSON's own types, rounded: {"tiers", "rows", "table": {name: figures}, "intervals": {figure: ...},
    "against": {baseline: {figure: difference with interval, and "better", "worse" or "not told apart"}}}.
    """
    table = {
        name: figures(needed, one, tiers) for name, one in {"classifier": classifier, **dict(others)}.items()
    }
    ours = _statistics(needed, classifier, tiers)
    intervals: dict[str, Any] = {}
    against: dict[str, dict[str, Any]] = {name: {} for name in others}
    for figure, statistic in ours.items():
        try:
            intervals[figure] = bootstrap_interval(statistic, len(needed), groups, seed, rounds).as_dict()
            for name, other in others.items():
                theirs = _statistics(needed, other, tiers)[figure]
                gap = difference_interval(statistic, theirs, len(needed), groups, seed, rounds)
                against[name][figure] = compared(gap, more_is_better="routed" not in figure)
        except (CurveError, IntervalError):
            continue  # too few rows of a tier: the table holds None for this figure
    return {
        "tiers": list(tiers),
        "rows": len(needed),
        "table": table,
        "intervals": intervals,
        "against": against,
    }


def figures(needed: Places, one: Routing, tiers: Sequence[str]) -> dict[str, Any]:
    """Return recall per tier, under- and over-routing, and the figures of each head of one routing."""
    return {
        "accuracy": _share(one.places == needed),
        "recall": {tier: _share(one.places[needed == k] == k) for k, tier in enumerate(tiers)},
        "under_routed": _share(one.places < needed),
        "over_routed": _share(one.places > needed),
        "top_to_bottom": _share(one.places[needed == len(tiers) - 1] == 0),
        "heads": {tier: _head(needed, one, k) for k, tier in enumerate(tiers[:-1])},
    }


def reliability(probability: Numbers, happened: Numbers) -> list[dict[str, float]]:
    """Return rows, mean promise and frequency of each of ten equal bins that is not empty.

    >>> reliability(np.array([0.2, 0.2]), np.array([0.0, 1.0]))
    [{'rows': 2, 'promised': 0.2, 'happened': 0.5}]
    """
    bins = np.minimum((probability * _ECE_BINS).astype(int), _ECE_BINS - 1)
    return [
        {
            "rows": int((bins == one).sum()),
            "promised": round(float(probability[bins == one].mean()), 4),
            "happened": round(float(happened[bins == one].mean()), 4),
        }
        for one in np.unique(bins)
    ]


def _head(needed: Places, one: Routing, head: int) -> dict[str, Any]:
    weak, strong = performance(needed, head)
    probability = one.sufficiency[:, head]
    bins = reliability(probability, weak)
    found: dict[str, Any] = {
        "brier": round(float(np.mean((probability - weak) ** 2)), 4),
        "auc": round(float(roc_auc_score(weak, -one.difficulty[:, head])), 4)
        if 0 < weak.sum() < len(weak)
        else None,
        "ece": round(sum(b["rows"] * abs(b["promised"] - b["happened"]) for b in bins) / len(needed), 4),
        "reliability": bins,
        "area": None,
        "cpt50": None,
        "cpt80": None,
    }
    if weak.all():
        return found
    curve = cost_quality_curve(one.difficulty[:, head], weak, strong)
    return found | {
        "area": round(curve.area, 4),
        "cpt50": round(curve.calls_needed(0.5), 4),
        "cpt80": round(curve.calls_needed(0.8), 4),
    }


def _statistics(needed: Places, one: Routing, tiers: Sequence[str]) -> dict[str, Statistic]:
    found: dict[str, Statistic] = {
        "accuracy": lambda chosen: float(np.mean(one.places[chosen] == needed[chosen])),
        "under_routed": lambda chosen: float(np.mean(one.places[chosen] < needed[chosen])),
        "over_routed": lambda chosen: float(np.mean(one.places[chosen] > needed[chosen])),
    }
    for place, tier in enumerate(tiers):
        found[f"recall {tier}"] = _recall(needed, one, place)
    for head, tier in enumerate(tiers[:-1]):
        found[f"area {tier}"] = _area(needed, one, head)
    return found


def _recall(needed: Places, one: Routing, tier: int) -> Statistic:
    def recall(chosen: Chosen) -> float:
        there = chosen[needed[chosen] == tier]
        if not len(there):
            raise CurveError("no row needs this tier")
        return float(np.mean(one.places[there] == tier))

    return recall


def _area(needed: Places, one: Routing, head: int) -> Statistic:
    weak, strong = performance(needed, head)
    difficulty = one.difficulty[:, head]

    def area(chosen: Chosen) -> float:
        return area_recovered(difficulty[chosen], weak[chosen], strong[chosen])

    return area


def _by_length(words: Numbers, enough: Numbers, asked: Numbers) -> Numbers:
    if enough.min() == enough.max():
        return np.full(len(asked), enough[0])
    fitted = LogisticRegression().fit(np.log1p(words)[:, None], enough)
    return np.asarray(fitted.predict_proba(np.log1p(asked)[:, None])[:, 1])


def _by_task(tasks: Sequence[str], inside: Flags, enough: Numbers, outside: Flags) -> Numbers:
    """Return the mean of the training rows of each task, weighed with the mean of all as one row more."""
    overall = float(enough.mean())
    sums: dict[str, list[float]] = {}
    for task, value in zip(np.array(tasks, dtype=object)[inside], enough, strict=True):
        sums.setdefault(str(task), [overall]).append(float(value))
    means = {task: float(np.mean(values)) for task, values in sums.items()}
    return np.array([means.get(str(task), overall) for task in np.array(tasks, dtype=object)[outside]])


def _share(hits: Flags) -> float | None:
    return round(float(hits.mean()), 4) if len(hits) else None
