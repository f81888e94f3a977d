"""How much of the traffic goes to the lowest tier, and which prompts may still go there."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque

from serving.routing.router import Decision
from serving.routing.snapshot import Traffic


class TrafficShare:
    """The last `window` decisions that had a choice, and the cap on those that went to the lowest tier.

    The cap shifts what is dearest to misroute first: the threshold is the misroute cost up to which the
    decisions of the window fill the cap. It is paced among equals, so that traffic of one kind is shifted
    evenly. The first `least` decisions only teach the threshold: nothing is shifted for so few.
    """

    def __init__(self, *, cap: float, window: int, least: int) -> None:
        self._cap = cap
        self._window = window
        self._least = least
        # (misroute cost of a decision that wanted the lowest tier, or None; whether it went there and counts)
        self._rows: deque[tuple[float | None, bool | None]] = deque()
        self._wanted: list[float] = []
        self._went = 0
        self._counted = 0

    def freeze(self) -> Traffic:
        """Return the numbers that the next decision goes by."""
        if self._cap >= 1.0 or len(self._rows) < self._least:
            return Traffic(decisions=len(self._rows), share=self._share())
        allowed = math.floor(self._cap * len(self._rows))
        if len(self._wanted) <= allowed:
            threshold = math.inf
        else:
            threshold = self._wanted[allowed - 1] if allowed else -math.inf
        is_full = self._counted >= self._window
        leaving = is_full and self._rows[0][1] is True
        after, of = self._went - leaving + 1, self._counted + (not is_full)
        has_room = after <= self._cap * of
        return Traffic(
            decisions=len(self._rows),
            share=self._share(),
            threshold_usd=threshold,
            has_room=has_room,
            is_full=is_full and not has_room,
        )

    def decided(self, decision: Decision) -> None:
        """Take in a decision that was acted on; one without a choice of tiers does not count."""
        share, chosen = decision.share, decision.chosen
        if chosen is not None and share.wanted is not None:
            went = chosen.tier == decision.prediction.tiers[0]
            self.record(share.misroute_usd, wanted=share.wanted, went=went)

    def record(self, misroute_usd: float, *, wanted: bool, went: bool) -> None:
        """Take in a decision that had a choice: did it want the lowest tier, and did it go there?"""
        counts = len(self._rows) >= self._least
        if len(self._rows) >= self._window:
            self._forget(*self._rows.popleft())
        self._rows.append((misroute_usd if wanted else None, went if counts else None))
        if wanted:
            insort(self._wanted, misroute_usd)
        self._counted += counts
        self._went += went and counts

    def _forget(self, misroute_usd: float | None, went: bool | None) -> None:
        if misroute_usd is not None:
            del self._wanted[bisect_left(self._wanted, misroute_usd)]
        self._counted -= went is not None
        self._went -= went is True

    def _share(self) -> float | None:
        return self._went / self._counted if self._counted else None
