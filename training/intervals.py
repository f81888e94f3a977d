"""How sure a figure is: percentile bootstrap intervals, and the one place that may say "better"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.curves import CurveError

Chosen = npt.NDArray[np.int64]
Statistic = Callable[[Chosen], float]
ROUNDS = 1_000
_COVERED = 0.95
_LEAST_USABLE = 0.5


class IntervalError(ValueError):
    """A statistic that cannot be resampled; the message says why."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure on all rows, and the bounds between which 95 % of its resamples lie."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Return the interval for JSON, to four digits."""
        return {name: round(getattr(self, name), 4) for name in ("value", "low", "high")}


def bootstrap_interval(
    statistic: Statistic,
    rows: int,
    groups: Sequence[object] | None = None,
    seed: int = 7,
    rounds: int = ROUNDS,
) -> Interval:
    """Return a statistic of row indices with its interval; rows of one group are drawn together.

    A resample for which the statistic is undefined (CurveError) is left out.

    >>> found = bootstrap_interval(lambda chosen: float(np.mean(chosen < 50)), 100)
    >>> found.value, 0.37 < found.low < 0.45, 0.55 < found.high < 0.63
    (0.5, True, True)
    """
    found = []
    for chosen in _resamples(rows, groups, seed, rounds):
        try:
            found.append(statistic(chosen))
        except CurveError:
            continue
    if len(found) < _LEAST_USABLE * rounds:
        raise IntervalError(
            f"Only {len(found)} of {rounds} resamples of {rows} rows define the figure. Give it more rows."
        )
    edge = 100 * (1 - _COVERED) / 2
    low, high = np.percentile(found, [edge, 100 - edge])
    return Interval(float(statistic(np.arange(rows))), float(low), float(high))


def difference_interval(
    first: Statistic,
    second: Statistic,
    rows: int,
    groups: Sequence[object] | None = None,
    seed: int = 7,
    rounds: int = ROUNDS,
) -> Interval:
    """Return first - second with its interval, both on the same resamples: a paired comparison."""
    return bootstrap_interval(lambda chosen: first(chosen) - second(chosen), rows, groups, seed, rounds)


def said_of(difference: Interval, *, more_is_better: bool = True) -> str:
    """Return what may be said of a difference: "better" and "worse" only where its interval excludes 0.

    >>> said_of(Interval(0.2, 0.1, 0.3)), said_of(Interval(0.2, -0.1, 0.5))
    ('better', 'not told apart')
    >>> said_of(Interval(0.2, 0.1, 0.3), more_is_better=False)
    'worse'
    """
    if difference.low <= 0.0 <= difference.high:
        return "not told apart"
    return "better" if (difference.low > 0.0) == more_is_better else "worse"


def compared(difference: Interval, *, more_is_better: bool = True) -> dict[str, Any]:
    """Return a difference for JSON, with what may be said of it."""
    return {**difference.as_dict(), "said": said_of(difference, more_is_better=more_is_better)}


def _resamples(rows: int, groups: Sequence[object] | None, seed: int, rounds: int) -> Iterator[Chosen]:
    draw = np.random.default_rng(seed)
    if groups is None:
        for _ in range(rounds):
            yield draw.integers(0, rows, rows)
        return
    if len(groups) != rows:
        raise IntervalError(f"{len(groups)} groups for {rows} rows. Give one for each row.")
    order, starts, sizes = _rows_by_group(groups)
    for _ in range(rounds):
        drawn = draw.integers(0, len(starts), len(starts))
        ends = np.cumsum(sizes[drawn])
        # each row is its group's start, and its place within the group
        within = np.arange(ends[-1]) - np.repeat(ends - sizes[drawn], sizes[drawn])
        yield order[np.repeat(starts[drawn], sizes[drawn]) + within]


def _rows_by_group(groups: Sequence[object]) -> tuple[Chosen, Chosen, Chosen]:
    """Return the rows group by group, and where each group starts in them and how many it has."""
    numbers: dict[object, int] = {}
    of_row = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)
    sizes = np.bincount(of_row)
    return np.argsort(of_row, kind="stable"), np.cumsum(sizes) - sizes, sizes
