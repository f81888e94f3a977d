"""What each graded row counts for: by how improbable it was that its tier answered, and by who graded it.

A row is weighed by the inverse of the logged propensity, self-normalised and clipped (Swaminathan and
Joachims, 2015), which gives the prompts that a tier rarely answered their due. No key's rows together weigh
more than its share, so that one caller with many thumbs teaches no more than one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def inverse_propensity(
    propensities: Numbers, most: float, counted: Numbers | None = None
) -> tuple[Numbers, int]:
    """Return a weight per row, 1 on average and at most `most` before that, and how many were cut.

    `counted` [N] is what each row counts for in that average; all alike where it is None.

    >>> inverse_propensity(np.array([0.5, 0.5, 0.01]), 10.0)[0].round(3).tolist()
    [0.429, 0.429, 2.143]
    """
    if not len(propensities):
        return propensities, 0
    inverse = 1.0 / propensities
    cut = np.minimum(inverse, most)
    return cut / np.average(cut, weights=counted), int((inverse > most).sum())


def effective_rows(weights: Numbers) -> float:
    """Return how many rows of equal weight say as much: (Σw)² / Σw² (Kish).

    >>> effective_rows(np.array([1.0, 1.0, 1.0, 1.0])), effective_rows(np.array([4.0, 0.0, 0.0, 0.0]))
    (4.0, 1.0)
    """
    squares = float(np.square(weights).sum())
    return round(float(weights.sum()) ** 2 / squares, 1) if squares else 0.0


def capped(
    weights: Numbers, key_of: Places, names: Sequence[str], share: float, base_weight: float
) -> tuple[Numbers, list[dict[str, Any]]]:
    """Return the weights with no key above its share of all of it, and what that did to each key.

    `key_of` [N] is the place of each row's key in `names`. Where the base weighs nothing and there are fewer
    keys than shares in 1, keys above the cap weigh alike.
    """
    sums = np.bincount(key_of, weights, len(names)).astype(np.float64)
    rows = np.bincount(key_of, minlength=len(names))
    most = _most(sums, share, base_weight)
    kept = np.minimum(sums, most)
    factors = np.divide(kept, sums, out=np.ones_like(sums), where=sums > 0.0)
    total = float(kept.sum()) + base_weight
    told = [
        {
            "key": name or None,
            "rows": int(rows[place]),
            "weight": round(float(sums[place]), 3),
            "kept": round(float(kept[place]), 3),
            "share": round(float(kept[place]) / total, 4) if total else 0.0,
            "capped": bool(kept[place] < sums[place]),
        }
        for place, name in enumerate(names)
        if rows[place]
    ]
    found = weights * factors[key_of] if len(names) else weights
    return found, sorted(told, key=lambda one: (-one["weight"], one["key"] or ""))


def _most(sums: Numbers, share: float, base_weight: float) -> float:
    """Return the weight that one key may come to: `share` of what all of them come to under this very cap."""
    if share >= 1.0:
        return float("inf")
    above: set[int] = set()
    while True:
        left = 1.0 - share * len(above)
        others = base_weight + float(sum(one for place, one in enumerate(sums) if place not in above))
        if left <= 0.0 or not others:
            # the share cannot hold for so few keys: the smallest of those above it is what each may come to
            return float(min((sums[place] for place in above), default=np.inf))
        most = share * others / left
        more = {place for place, one in enumerate(sums) if one > most * (1.0 + 1e-12)} - above
        if not more:
            return most
        above |= more
