"""What the price of lost quality buys (cost, quality, shares of tiers), and which price meets a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from serving.course import Course
from serving.replay import Choice, Totals
from serving.routing.policy import Policy
from serving.routing.router import Inputs

# From where quality is worth next to nothing to where a hundredth of it is worth ten cents.
_LEAST_USD, _DECADES = 1e-4, 5
_PRICES_PER_DECADE = 6
_HALVINGS = 12
# A share is met where it is this near; a jump is where no price comes nearer.
_SHARE_TOLERANCE = 0.01


class Point(NamedTuple):
    """What one price of lost quality comes to: `usd_per_1k` and `quality` are means of what was served.

    `usd_per_1k` is None where nothing that was served has a price.
    """

    usd_per_lost_quality: float
    usd_per_1k: float | None
    quality: float
    shares: Mapping[str, float]
    refused: int


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for: a share of the lowest tier, dollars per 1,000 requests, or a quality (0–1)."""

    economy_share: float | None = None
    budget_usd_per_1k: float | None = None
    quality: float | None = None

    def is_met(self, point: Point, lowest: str) -> bool:
        """Tell whether a point is on the good side of the target."""
        if self.economy_share is not None:
            return point.shares[lowest] >= self.economy_share
        if self.budget_usd_per_1k is not None:
            return point.usd_per_1k is not None and point.usd_per_1k <= self.budget_usd_per_1k
        return point.quality >= (self.quality or 0.0)

    def misses_by(self, point: Point, lowest: str) -> float:
        """Return how far a point is off: 0 where it is met, and for a share also where it is exceeded."""
        if self.economy_share is not None:
            off = abs(point.shares[lowest] - self.economy_share)
            return 0.0 if off <= _SHARE_TOLERANCE else off
        if self.budget_usd_per_1k is not None:
            spent = float("inf") if point.usd_per_1k is None else point.usd_per_1k
            return max(0.0, spent - self.budget_usd_per_1k)
        return max(0.0, (self.quality or 0.0) - point.quality)

    def worth(self, point: Point, lowest: str) -> tuple[float, ...]:
        """Return what to prefer among points, the least first: what is met, then the better for the money."""
        off, dollars = self.misses_by(point, lowest), point.usd_per_1k or 0.0
        if self.quality is not None:
            return (off, dollars, point.usd_per_lost_quality)
        if self.economy_share is not None:
            return (off, abs(point.shares[lowest] - self.economy_share), -point.quality)
        return (off, -point.quality, dollars, point.usd_per_lost_quality)


class Trade:
    """The decisions of some traffic made again at any price of lost quality."""

    def __init__(
        self, given: Sequence[Inputs], policy: Policy, *, share_window: int, share_least: int
    ) -> None:
        self.given = given
        self.policy = policy
        self.tiers = given[0].prediction.tiers
        self._window = share_window
        self._least = share_least

    def at(self, usd_per_lost_quality: float, share_cap: float | None = None) -> Point:
        """Decide all of it at one price, the lowest tier's share counted as if it had long gone on so."""
        cap = self.policy.share_cap if share_cap is None else share_cap
        policy = replace(self.policy, usd_per_lost_quality=usd_per_lost_quality, share_cap=cap)
        course = Course(share_window=self._window, share_least=self._least)
        course.warm_up(one._replace(policy=policy) for one in self.given[: self._window])
        totals = Totals()
        for one in self.given:
            chosen = course.decide(one._replace(policy=policy)).chosen
            totals.add(
                Choice(None, None, None, None)
                if chosen is None
                else Choice(chosen.deployment, chosen.tier, chosen.token_cost_usd, chosen.quality)
            )
        return Point(
            usd_per_lost_quality,
            totals.usd_per_1k,
            totals.mean_quality or 0.0,
            {tier: totals.share(tier) for tier in self.tiers},
            totals.refused,
        )

    def curve(self, share_cap: float | None = None) -> Iterator[Point]:
        """Yield the whole trade-off, from no price at all up, the policy's own price among them."""
        for usd in sorted({*_grid(), self.policy.usd_per_lost_quality}):
            yield self.at(usd, share_cap)

    def search(
        self, target: Target, curve: Sequence[Point], at: Callable[[float], Point]
    ) -> tuple[Point, list[Point]]:
        """Return the best point for a target, and all that were tried between two of the curve."""
        tried: list[Point] = []
        for low, high in _crossings(target, curve, self.tiers[0]):
            tried += self._between(target, low, high, at)
        points = [*curve, *tried]
        return min(points, key=lambda point: target.worth(point, self.tiers[0])), tried

    def _between(
        self, target: Target, low: Point, high: Point, at: Callable[[float], Point]
    ) -> Iterator[Point]:
        met = target.is_met(low, self.tiers[0])
        below, above = low.usd_per_lost_quality or _LEAST_USD / 10, high.usd_per_lost_quality
        for _ in range(_HALVINGS):
            # prices are ratios
            usd = (below * above) ** 0.5
            point = at(usd)
            yield point
            if target.is_met(point, self.tiers[0]) == met:
                below = usd
            else:
                above = usd


def _crossings(target: Target, curve: Sequence[Point], lowest: str) -> Iterator[tuple[Point, Point]]:
    """Yield the neighbours of the curve between which the target begins or ceases to be met."""
    for low, high in pairwise(curve):
        if target.is_met(low, lowest) != target.is_met(high, lowest):
            yield low, high


def _grid() -> list[float]:
    """Return prices, evenly by ratio, with 0 before them.

    >>> _grid()[:3], _grid()[-1]
    ([0.0, 0.0001, 0.000147], 10.0)
    """
    steps = range(_PRICES_PER_DECADE * _DECADES + 1)
    return [0.0, *(float(f"{_LEAST_USD * 10 ** (step / _PRICES_PER_DECADE):.3g}") for step in steps)]
