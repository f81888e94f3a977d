"""Whether a deployment is up: a circuit breaker over consecutive failures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CircuitBreaker:
    """Opens after `failure_threshold` failures in a row; after `cooldown_s` it lets traffic try again.

    One failure after the cooldown opens it again at once; one success closes it.
    Times are seconds of whatever clock the caller uses throughout.
    """

    failure_threshold: int
    cooldown_s: float
    failures: int = 0
    open_until_s: float | None = None

    def is_open(self, now_s: float) -> bool:
        """Tell whether the deployment should be left alone right now."""
        return self.open_until_s is not None and now_s < self.open_until_s

    def record_success(self) -> None:
        """Close the breaker."""
        self.failures = 0
        self.open_until_s = None

    def record_failure(self, now_s: float) -> None:
        """Count a failure, and open the breaker when there are too many."""
        self.failures += 1
        if self.failures >= self.failure_threshold:
            self.open_until_s = now_s + self.cooldown_s
