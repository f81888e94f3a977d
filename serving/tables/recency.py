"""How much of the traffic and of the money each deployment had lately."""

from __future__ import annotations

# After so long a request counts half.
_HALF_LIFE_S = 3_600.0
# Half-lives after which all weights are brought down again, long before they are too large for a float.
_MOST_HALF_LIVES = 200.0


class Recency:
    """The weight of a request at a moment: it doubles with each half-life, so that older ones fade."""

    def __init__(self) -> None:
        self._begun_s: float | None = None

    def weight(self, now_s: float) -> float:
        """Return what a request of this moment weighs."""
        if self._begun_s is None:
            self._begun_s = now_s
        return float(2.0 ** ((now_s - self._begun_s) / _HALF_LIFE_S))

    def lighter(self, now_s: float) -> float | None:
        """Return what to divide all weights by now, and begin anew; None where it is not time."""
        if self._begun_s is None or now_s - self._begun_s < _MOST_HALF_LIVES * _HALF_LIFE_S:
            return None
        divisor = self.weight(now_s)
        self._begun_s = now_s
        return divisor
