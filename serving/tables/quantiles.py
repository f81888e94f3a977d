"""Quantiles of what was seen lately: a t-digest in which every observation weighs more than the one before.

The sketch is Dunning's t-digest (arxiv.org/abs/1902.04023), as the library `fastdigest` has it. Growing
weights forget exponentially (forward decay: Cormode and others, ICDE 2009) and leave alone what was stored.
"""

from __future__ import annotations

from fastdigest import TDigest

_CENTROIDS = 64
# Weights are brought down again before they lose precision.
_HEAVIEST = 1e12


class Quantiles:
    """Quantiles over a stream; `decay` (0–1) is the weight of what was known, after each new observation.

    >>> seen = Quantiles(decay=0.9)
    >>> for _ in range(50): seen.observe(100.0)
    >>> for _ in range(8): seen.observe(900.0)
    >>> round(seen.at(0.5) or 0.0)
    900
    """

    def __init__(self, decay: float) -> None:
        self._growth = 1.0 / decay if decay else _HEAVIEST
        self._digest = TDigest(max_centroids=_CENTROIDS)
        self._weight = 1.0

    def observe(self, value: float, times: float = 1.0) -> None:
        """Take in an observation as if it had been made so many times."""
        self._weight *= self._growth
        self._digest.update(value, self._weight * times)
        if self._weight > _HEAVIEST:
            self._lighten()

    def at(self, share: float) -> float | None:
        """Return the value below which this share (0–1) lies, None where nothing was seen."""
        return float(self._digest.quantile(share)) if self._digest else None

    def at_with(self, share: float, more: list[float]) -> float | None:
        """Return the same as if these had been observed as well, latest of all."""
        if not more:
            return self.at(share)
        digest = self._digest.copy()
        digest.batch_update(more, [self._weight * self._growth] * len(more))
        return float(digest.quantile(share))

    def _lighten(self) -> None:
        centroids = self._digest.centroids
        self._digest = TDigest.from_values(
            [mean for mean, _ in centroids],
            [max(weight / self._weight, 1e-300) for _, weight in centroids],
            max_centroids=_CENTROIDS,
        )
        self._weight = 1.0
