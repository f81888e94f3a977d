"""The scale that prompts and deployments share, and what follows from a sufficiency."""

from __future__ import annotations

from collections.abc import Sequence

DEFAULT_TIERS = ("economy", "standard", "premium")
DEFAULT_THRESHOLD = 0.5


def required_tier(
    sufficiency: Sequence[float], tiers: Sequence[str] = DEFAULT_TIERS, threshold: float = DEFAULT_THRESHOLD
) -> str:
    """Return the cheapest tier that is enough with at least `threshold` probability, else the highest.

    >>> required_tier((0.2, 0.7, 1.0))
    'standard'
    >>> required_tier((0.2, 0.7, 1.0), threshold=0.9)
    'premium'
    """
    for tier, enough in zip(tiers, sufficiency, strict=True):
        if enough >= threshold:
            return tier
    return tiers[-1]


def tier_probabilities(sufficiency: Sequence[float]) -> tuple[float, ...]:
    """Return P(required = tier) per tier: the steps of a non-decreasing sufficiency, which sum to its last.

    >>> [round(share, 3) for share in tier_probabilities((0.2, 0.7, 1.0))]
    [0.2, 0.5, 0.3]
    """
    below = 0.0
    shares = []
    for enough in sufficiency:
        shares.append(max(0.0, enough - below))
        below = enough
    return tuple(shares)


def expected_tier(sufficiency: Sequence[float]) -> float:
    """Return the mean position of the required tier on the scale: 0 is the lowest tier.

    >>> round(expected_tier((0.2, 0.7, 1.0)), 3)
    1.1
    """
    return sum(place * share for place, share in enumerate(tier_probabilities(sufficiency)))
