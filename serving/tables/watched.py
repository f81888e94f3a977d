"""All that is watched of one deployment, and what it comes to at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.routing.catalog import Deployment
from serving.routing.snapshot import DeploymentState
from serving.tables.chances import Chances
from serving.tables.health import CircuitBreaker
from serving.tables.latency import Latency
from serving.tables.quality import Quality

# Where a row of the catalog states no speed: slow enough not to be preferred for being unknown.
_UNKNOWN_FIRST_TOKEN_MS = 1_500.0
_UNKNOWN_OUTPUT_TOKENS_PER_SECOND = 40.0

# Kinds of error that say something about the caller or our key, not about the provider's health.
_NOT_ITS_FAULT = frozenset({"invalid_request", "context_length", "content_filter", "not_found"})


@dataclass(frozen=True, slots=True)
class Habits:
    """How the live numbers remember and forget; see `[tables]` in the settings."""

    latency_decay: float = 0.9
    failure_threshold: int = 5
    error_rate: float = 0.5
    cooldown_s: float = 10.0
    longest_cooldown_s: float = 300.0
    quality_strength: float = 20.0
    quality_half_life_s: float = 2_592_000.0

    def chances(self) -> Chances:
        """Return chances that nothing has been held against yet."""
        return Chances(self.cooldown_s, max(self.longest_cooldown_s, self.cooldown_s))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for its first byte; a whole answer takes the writing of these tokens too."""

    since_s: float
    output_tokens: int


class Watched:
    """Speed, health, quality and traffic of one deployment."""

    def __init__(self, row: Deployment, habits: Habits) -> None:
        self.latency = Latency(
            row.first_token_ms or _UNKNOWN_FIRST_TOKEN_MS,
            row.output_tokens_per_second or _UNKNOWN_OUTPUT_TOKENS_PER_SECOND,
            habits.latency_decay,
        )
        self.breaker = CircuitBreaker(habits.failure_threshold, habits.error_rate, habits.chances())
        self.quality = Quality(
            row.quality, strength=habits.quality_strength, half_life_s=habits.quality_half_life_s
        )
        self.waiting: dict[str, Waiting] = {}
        self.requests = 0.0
        self.spent_usd = 0.0
        self.is_rated = False
        # when a deployment that became slow may be tried at its usual speed again
        self._slow = habits.chances()

    def attempted(self, error: str | None, now_s: float, *, began: bool = False) -> None:
        """Take in how asking it ended; None for an answer, which may yet break off where it `began`."""
        if error is None:
            self.breaker.record_success(now_s)
        elif error not in _NOT_ITS_FAULT:
            self.breaker.record_failure(now_s, began=began)

    def began(self, first_token_ms: float, now_s: float) -> None:
        """Take in the first token of an answer."""
        self._saw(self.latency.first_token.observe(first_token_ms), now_s)

    def answered(
        self, first_token_ms: float | None, latency_ms: float, output_tokens: int | None, now_s: float,
        *, began: bool = False,
    ) -> None:  # fmt: skip
        """Take in the times of an answer; its first token was taken in where it `began`."""
        take = self.latency.written if began else self.latency.observe
        self._saw(take(first_token_ms, latency_ms, output_tokens), now_s)

    def _saw(self, disappoints: bool, now_s: float) -> None:
        if not self.latency.is_slow:
            self._slow.forgive()
        elif disappoints or self._slow.from_s is None:
            self._slow.disappoint(now_s)

    def given_up(self, waiting: Waiting, now_s: float) -> None:
        """Take in that nobody waited any longer: the answer would have taken at least as long."""
        waited_ms = self._waited_ms(waiting, now_s)
        if waited_ms > self.latency.first_token.lately_ms:
            self.latency.first_token.give_up(waited_ms)
            self._saw(True, now_s)

    def rated(
        self, score: float, tier_shares: Sequence[tuple[str, float]], now_s: float, weight: float
    ) -> None:
        """Take in what someone thought of an answer."""
        self.quality.observe(score, tier_shares, now_s, weight)
        self.is_rated = True

    def state(self, now_s: float, wall_s: float) -> DeploymentState:
        """Return what it comes to; `wall_s` is the time that feedback is dated by."""
        first_token_ms, per_token_ms = self._speed(now_s)
        return DeploymentState(
            first_token_ms=first_token_ms,
            output_tokens_per_second=1000.0 / per_token_ms,
            unavailable=self.breaker.against(now_s, self._is_trying(self.breaker.chances)),
            error_rate=self.breaker.rate.share,
            quality=self.quality.expected(wall_s) if self.is_rated else None,
            requests=self.requests,
            spent_usd=self.spent_usd,
        )

    @property
    def is_timed(self) -> bool:
        """Tell whether time alone changes something of it."""
        waits = self.breaker.chances.from_s is not None or self._slow.from_s is not None
        return bool(self.waiting) or self.is_rated or waits

    def changes_at_s(self, now_s: float) -> float | None:
        """Return when time alone will change something, None for never."""
        moments = (self.breaker.chances.from_s, self._slow.from_s)
        return min((moment for moment in moments if moment is not None and moment > now_s), default=None)

    def _speed(self, now_s: float) -> tuple[float, float]:
        """Return milliseconds to the first token and per token; its usual ones where it may try again."""
        first, per_token = self.latency.first_token, self.latency.per_token
        if self._slow.is_due(now_s) and not self._is_trying(self._slow):
            return first.usual_ms, per_token.usual_ms
        waiting_ms = [self._waited_ms(one, now_s) for one in self.waiting.values()]
        return first.with_waiting(waiting_ms), per_token.lately_ms

    def _waited_ms(self, waiting: Waiting, now_s: float) -> float:
        """Return for how long the first token has been waited for, as far as that can be told."""
        writing_ms = waiting.output_tokens * self.latency.per_token.lately_ms
        return (now_s - waiting.since_s) * 1000.0 - writing_ms

    def _is_trying(self, chances: Chances) -> bool:
        return chances.from_s is not None and any(
            one.since_s >= chances.from_s for one in self.waiting.values()
        )
