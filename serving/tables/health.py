"""Whether a deployment is up: a circuit breaker over failures in a row, and over their rate."""

from __future__ import annotations

from serving.tables.chances import Chances

# Weight of what was known about the rate, after each new attempt: the last twenty or so count. Where one in
# five fails, half of the last ten do so often that under load everyone was left alone in turn.
_DECAY = 0.95
# So many attempts must be known before their rate says anything.
_LEAST_ATTEMPTS = 18.0
# So many answers in a row close the breaker.
_BELIEVED = 2


class ErrorRate:
    """The share (0–1) of attempts that failed lately; none is assumed to fail until some did.

    >>> rate = ErrorRate()
    >>> for failed in [False] * 50 + [True] * 5: rate.observe(failed)
    >>> round(rate.share, 2)
    0.24
    """

    def __init__(self) -> None:
        self._attempts = 0.0
        self._failures = 0.0

    def observe(self, failed: bool) -> None:
        """Take in one attempt."""
        self._attempts = self._attempts * _DECAY + 1.0
        self._failures = self._failures * _DECAY + failed

    @property
    def share(self) -> float:
        """Return the share; few attempts say little."""
        return self._failures / max(self._attempts, _LEAST_ATTEMPTS)


class CircuitBreaker:
    """Opens after `failure_threshold` failures in a row, or where too great a share fails.

    After its wait single requests try: some successes close it, a failure opens it again at once, for longer.
    Times are seconds of whatever clock the caller uses throughout.
    """

    def __init__(self, failure_threshold: int, error_rate: float, chances: Chances) -> None:
        self.chances = chances
        self.rate = ErrorRate()
        self.failures = 0
        self._successes = 0
        self._failure_threshold = failure_threshold
        self._error_rate = error_rate

    def record_success(self, now_s: float) -> None:
        """Take in an answer; once enough tries succeeded the breaker closes. Earlier answers do not count."""
        self.rate.observe(False)
        self.failures = 0
        if not self.chances.is_due(now_s):
            return
        self._successes += 1
        if self._successes >= _BELIEVED:
            self.chances.forgive()
            self.rate = ErrorRate()

    def record_failure(self, now_s: float, *, began: bool = False) -> None:
        """Count a failure, and open the breaker when there are too many.

        An answer that `began` and broke off counts for the rate alone: of many at once several break off in a
        row, however many others go well.
        """
        self.rate.observe(True)
        self.failures += not began
        self._successes = 0
        is_trying = self.chances.from_s is not None
        if self.failures >= self._failure_threshold or self.rate.share >= self._error_rate or is_trying:
            self.chances.disappoint(now_s)

    def against(self, now_s: float, trying: bool) -> str | None:
        """Return why it should be left alone right now; `trying` where one request is on its way."""
        if not self.chances.is_away(now_s) and not (trying and self.chances.is_due(now_s)):
            return None
        if self.failures >= 2 or self.rate.share < self._error_rate:
            return f"failing: {self.failures} errors in a row"
        return f"failing: {self.rate.share:.0%} of the last attempts"
