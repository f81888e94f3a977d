"""What a team is willing to pay for quality and time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Policy:
    """The prices that make one sum of money, quality and time, and the floor below which nothing is chosen.

    `usd_per_lost_quality` is what an answer of quality 0 instead of 1 costs the team;
    `usd_per_second` what a second of waiting costs; `quality_floor` (0–1) is a hard limit.
    """

    quality_floor: float = 0.7
    usd_per_second: float = 0.0005
    usd_per_lost_quality: float = 0.02

    version: str = field(init=False)

    def __post_init__(self) -> None:
        """Name the policy by its content, so that a logged decision can be traced to it."""
        prices = {name: getattr(self, name) for name in self.__slots__ if name != "version"}
        text = json.dumps(prices, sort_keys=True)
        object.__setattr__(self, "version", hashlib.sha256(text.encode()).hexdigest()[:12])
