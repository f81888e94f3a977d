"""The tables of one running service: outcomes in, snapshots out."""

from __future__ import annotations

import time
from collections.abc import Callable

from serving.records import Attempt, Outcome
from serving.routing.catalog import Catalog, Deployment
from serving.routing.snapshot import DeploymentState, Snapshot
from serving.tables.health import CircuitBreaker
from serving.tables.latency import Latency

# Where a row of the catalog states no speed: slow enough not to be preferred for being unknown.
_UNKNOWN_FIRST_TOKEN_MS = 1_500.0
_UNKNOWN_OUTPUT_TOKENS_PER_SECOND = 40.0

# Kinds of error that say something about the caller or our key, not about the provider's health.
_NOT_ITS_FAULT = frozenset({"invalid_request", "context_length", "content_filter", "not_found"})


class LiveTables:
    """Latency and health of every deployment, updated by each outcome.

    Not thread-safe: it lives on the event loop of one worker.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        latency_decay: float = 0.9,
        failure_threshold: int = 5,
        cooldown_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._latency = {row.name: _prior(row, latency_decay) for row in catalog}
        self._health = {row.name: CircuitBreaker(failure_threshold, cooldown_s) for row in catalog}
        self._frozen_count = 0
        self._frozen: Snapshot | None = None
        self._stale_at_s: float | None = None

    def snapshot(self) -> Snapshot:
        """Return the numbers of this moment; the same object until something changes."""
        now_s = self._clock()
        if self._frozen is None or (self._stale_at_s is not None and now_s >= self._stale_at_s):
            self._frozen = self._freeze(now_s)
        return self._frozen

    def record(self, outcome: Outcome) -> None:
        """Take in what happened to one dispatched request, each attempt on its own."""
        now_s = self._clock()
        for attempt in outcome.attempts:
            self._record_health(attempt, now_s)
        answered = self._latency.get(outcome.deployment or "")
        if outcome.status == "ok" and answered is not None:
            answered.observe(*_served_times(outcome), outcome.usage.output_tokens)
        self._frozen = None

    def _record_health(self, attempt: Attempt, now_s: float) -> None:
        breaker = self._health.get(attempt.deployment)
        if breaker is None or attempt.status in ("cancelled", "skipped") or attempt.error in _NOT_ITS_FAULT:
            return
        if attempt.status == "ok":
            breaker.record_success()
        else:
            breaker.record_failure(now_s)

    def _freeze(self, now_s: float) -> Snapshot:
        opened = [b.open_until_s for b in self._health.values() if b.open_until_s and b.is_open(now_s)]
        self._stale_at_s = min(opened, default=None)
        self._frozen_count += 1
        states = {name: self._state(name, now_s) for name in self._latency}
        return Snapshot(version=str(self._frozen_count), states=states)

    def _state(self, name: str, now_s: float) -> DeploymentState:
        latency, breaker = self._latency[name], self._health[name]
        reason = f"failing: {breaker.failures} errors in a row" if breaker.is_open(now_s) else None
        return DeploymentState(latency.first_token_ms, latency.output_tokens_per_second, reason)


def _served_times(outcome: Outcome) -> tuple[float | None, float]:
    """Return time to first token and whole time of the attempt that answered, without those before it."""
    failed_ms = sum(attempt.latency_ms for attempt in outcome.attempts[:-1])
    first_ms = None if outcome.first_token_ms is None else max(outcome.first_token_ms - failed_ms, 0.0)
    return first_ms, max(outcome.latency_ms - failed_ms, 0.0)


def _prior(row: Deployment, decay: float) -> Latency:
    return Latency(
        row.first_token_ms or _UNKNOWN_FIRST_TOKEN_MS,
        row.output_tokens_per_second or _UNKNOWN_OUTPUT_TOKENS_PER_SECOND,
        decay,
    )
