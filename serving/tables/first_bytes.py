"""When a stream of a deployment is late: the 95th percentile of its last first bytes."""

from __future__ import annotations

from collections import deque

# The last so many, of which there must be at least so many before they say anything.
_KEPT = 100
_LEAST = 20


class FirstBytes:
    """The last times to first byte of each deployment's streams, in milliseconds."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = {}

    def record(self, deployment: str, first_byte_ms: float) -> None:
        """Take in one stream's."""
        self._seen.setdefault(deployment, deque(maxlen=_KEPT)).append(first_byte_ms)

    def p95_ms(self, deployment: str) -> float | None:
        """Return the 95th percentile, or None while too few are known to tell."""
        seen = sorted(self._seen.get(deployment, ()))
        return seen[int(0.95 * (len(seen) - 1))] if len(seen) >= _LEAST else None
