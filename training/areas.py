"""Several rankings of the same rows by the area they recover, each with its interval, beside baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.curves import CurveError, Numbers, area_recovered
from training.intervals import (
    ROUNDS,
    Chosen,
    IntervalError,
    Statistic,
    bootstrap_interval,
    compared,
    difference_interval,
)

# Every prompt alike is the order of chance, and so is always one tier: ties count as their mean.
CHANCE = 0.5


def areas(
    rankings: Mapping[str, Numbers],
    weak: Numbers,
    strong: Numbers,
    against: Sequence[str] = (),
    seed: int = 7,
    rounds: int = ROUNDS,
) -> dict[str, Any]:
    """Return rows, the area of each ranking, "intervals" of them, and "against": {baseline: {ranking: said}}.

    A ranking that holds NaN has none; nor has any where the strong model gains nothing. Rankings named in
    `against` are baselines; "random" and "always one tier" stand beside them.
    """
    found: dict[str, Any] = {"rows": len(weak), **dict.fromkeys(rankings)}
    found |= {
        "random": CHANCE,
        "always_one": CHANCE,
        "intervals": {},
        "against": {name: {} for name in against},
    }
    usable = {name: _area(rank, weak, strong) for name, rank in rankings.items() if not np.isnan(rank).any()}
    for name, statistic in usable.items():
        try:
            found[name] = round(statistic(np.arange(len(weak))), 4)
            # a constant ranking is chance in every resample
            if np.ptp(rankings[name]):
                interval = bootstrap_interval(statistic, len(weak), seed=seed, rounds=rounds)
                found["intervals"][name] = interval.as_dict()
            for other in against:
                if name not in against and other in usable:
                    gap = difference_interval(statistic, usable[other], len(weak), seed=seed, rounds=rounds)
                    found["against"][other][name] = compared(gap)
        except (CurveError, IntervalError):
            continue  # no gap to recover, or too few rows that have one
    return found


def above(found: Mapping[str, Mapping[str, Any]], ranking: str, baseline: str) -> str:
    """Return on how many groups a ranking recovers more than a baseline, and on how many that is certain.

    >>> one = {"left_out": 0.6, "length": 0.5, "against": {"length": {"left_out": {"said": "better"}}}}
    >>> above({"a": one, "b": {"left_out": None, "length": None}}, "left_out", "length")
    'above length on 1 of 1, better on 1, worse on 0'
    """
    judged = [one for one in found.values() if one[ranking] is not None and one[baseline] is not None]
    more = sum(one[ranking] > one[baseline] for one in judged)
    said = [one["against"].get(baseline, {}).get(ranking, {}).get("said") for one in judged]
    return (
        f"above {baseline} on {more} of {len(judged)}, better on {said.count('better')}, "
        f"worse on {said.count('worse')}"
    )


def _area(difficulty: Numbers, weak: Numbers, strong: Numbers) -> Statistic:
    def area(chosen: Chosen) -> float:
        return area_recovered(difficulty[chosen], weak[chosen], strong[chosen])

    return area
