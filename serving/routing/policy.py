"""What a team is willing to pay for quality and time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

# The odds at the end of the dial, where a thousandth of quality is worth as much as all of it is by default.
_QUALITY_ALONE = 1_000.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The prices that make one sum of money, quality and time, and the floor below which nothing is chosen.

    `usd_per_lost_quality` is what an answer of quality 0 instead of 1 costs the team;
    `usd_per_second` what a second of waiting costs; `quality_floor` (0–1) is a hard limit.
    `usd_per_switch` is what it costs that a conversation goes on with another deployment, beside the cache.
    `control_share` (0–1) is the part of the users who always get the highest tier.
    `exploration_share` (0–1) is the part of the traffic that goes one tier up or down at random.
    `share_cap` (0–1) is the part of the traffic that may go to the lowest tier.
    """

    quality_floor: float = 0.7
    usd_per_second: float = 0.0005
    usd_per_lost_quality: float = 0.02
    usd_per_switch: float = 0.0005
    share_cap: float = 0.6
    control_share: float = 0.0
    exploration_share: float = 0.0

    version: str = field(init=False)

    def usd_per_lost_quality_at(self, dial: float | None) -> float:
        """Return the price of lost quality as the dial `cost_versus_quality` (0–1, None: 0.5) sets it.

        The price is multiplied by the dial's odds, so that 0 asks for the least money, 0.5 leaves the policy
        as it is, and turning it up never gives a worse answer: of two sums that differ in the weight of
        one part, the one with the greater weight is least where that part is no greater.

        >>> [round(Policy().usd_per_lost_quality_at(dial), 3) for dial in (0, 0.5, 0.8)]
        [0.0, 0.02, 0.08]
        """
        if dial is None:
            return self.usd_per_lost_quality
        return self.usd_per_lost_quality * min(dial / max(1.0 - dial, 1e-9), _QUALITY_ALONE)

    def __post_init__(self) -> None:
        """Name the policy by its content, so that a logged decision can be traced to it."""
        prices = {name: getattr(self, name) for name in self.__slots__ if name != "version"}
        text = json.dumps(prices, sort_keys=True)
        object.__setattr__(self, "version", hashlib.sha256(text.encode()).hexdigest()[:12])
