"""One call's way down its ranking: who is asked next, who may be asked again, and when it is enough."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call
from serving.records import Attempt
from serving.routing.catalog import Deployment

# What may have passed by itself a moment later.
_PASSING = frozenset({"rate_limit", "overloaded", "upstream"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How many times deployments are asked for one call, and how long all of it together may take.

    Once everyone in the ranking has been asked, one that failed is asked again after `retry_wait_ms`, which
    doubles each time (0: nobody is). A longer wait than `longest_retry_wait_ms` is left to the caller.
    """

    max_attempts: int = 3
    total_ms: float = 120_000
    retry_wait_ms: float = 0
    longest_retry_wait_ms: float = 5_000


class Hops(Protocol):
    """What must hold for a further deployment: the dispatcher asks, whoever sees the tables knows."""

    def against(self, deployment: str, elapsed_ms: float) -> str | None:
        """Return the code of what now stands against a deployment, or None."""

    async def admit(self, deployment: str) -> str | None:
        """Prepare for a deployment being asked at once; return the code of what forbids it, or None."""

    def ended(self, attempt: Attempt) -> None:
        """Take in how asking a deployment ended."""

    def hedge_after_ms(self, first: str, second: str) -> float | None:
        """Return when a second deployment may be asked as well, or None for never."""


@dataclass(frozen=True, slots=True)
class Hop:
    """The deployment to ask next, after a wait."""

    deployment: Deployment
    wait_s: float = 0.0


class Trip:
    """The attempts of one call so far; nothing is asked here, only decided who will be."""

    def __init__(
        self, ranking: Sequence[Deployment], call: Call, patience: Patience, hops: Hops | None
    ) -> None:
        self.attempts: list[Attempt] = []
        self.errors: list[ProviderError] = []
        self.begun_s = time.perf_counter()
        self.due_s = self.begun_s + patience.total_ms / 1000.0
        self.call = call.due(self.due_s) if call.stream else call
        self._patience = patience
        self._hops = hops
        self._ranking = list(ranking)
        self._asked = 0
        self._failed: list[tuple[Deployment, ProviderError]] = []

    def next(self) -> Hop | None:
        """Return whom to ask now, or None where it is enough."""
        if self.errors and not self.errors[-1].retryable:
            return None
        fresh = self.next_fresh()
        if fresh is not None or not self._may_ask():
            return fresh
        return self._again()

    def next_fresh(self) -> Hop | None:
        """Return the next of the ranking that nothing stands against, as long as there is one."""
        while self._ranking and self._may_ask():
            row = self._ranking.pop(0)
            reason = self._hops.against(row.name, self._elapsed_ms()) if self._hops and self._asked else None
            if reason is None:
                self._asked += 1
                return Hop(row)
            self.attempts.append(Attempt(row.name, "skipped", 0.0, reason))
        return None

    async def admits(self, deployment: Deployment) -> bool:
        """Tell whether a deployment may be asked at once; note it as skipped where it may not."""
        reason = await self._hops.admit(deployment.name) if self._hops else None
        if reason is None:
            return True
        self._asked -= 1
        self.attempts.append(Attempt(deployment.name, "skipped", 0.0, reason))
        return False

    def hedge_after_ms(self, first: Deployment) -> float | None:
        """Return when the next of the ranking may be asked beside the first, or None for never."""
        if self._hops is None or not self.call.stream or not self._ranking or not self._may_ask():
            return None
        return self._hops.hedge_after_ms(first.name, self._ranking[0].name)

    def failed(self, deployment: Deployment, started_s: float, error: ProviderError) -> None:
        """Take in that a deployment did not answer."""
        self.errors.append(error)
        # who cannot do what is asked takes nobody's turn
        self._asked -= error.is_refusal
        took_ms = (time.perf_counter() - started_s) * 1000.0
        cost_usd = 0.0 if error.unsent else None
        self._note(Attempt(deployment.name, "error", took_ms, error.kind, error.status, cost_usd))
        if error.kind in _PASSING:
            self._failed.append((deployment, error))

    def ended(self, deployment: Deployment, started_s: float, status: str) -> None:
        """Take in that a deployment answered (`ok`), or that nobody waited for it (`cancelled`)."""
        took_ms = (time.perf_counter() - started_s) * 1000.0
        self._note(Attempt(deployment.name, status, took_ms))

    def _note(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        if self._hops is not None:
            self._hops.ended(attempt)

    def _may_ask(self) -> bool:
        return self._asked < self._patience.max_attempts and time.perf_counter() < self.due_s

    def _again(self) -> Hop | None:
        """Return who asks for the shortest wait, with jitter so that callers do not all come back at once."""
        base_s = self._patience.retry_wait_ms / 1000.0
        if base_s <= 0 or not self._failed:
            return None
        backoff_s = base_s * 2 ** (len(self.errors) - 1) * random.SystemRandom().uniform(0.5, 1.0)
        waits = [
            (max(backoff_s, error.retry_after_s or 0.0), place)
            for place, (row, error) in enumerate(self._failed)
            if self._hops is None or self._hops.against(row.name, self._elapsed_ms()) is None
        ]
        if not waits:
            return None
        wait_s, place = min(waits)
        is_long = wait_s > self._patience.longest_retry_wait_ms / 1000.0
        if is_long or time.perf_counter() + wait_s >= self.due_s:
            return None
        self._asked += 1
        return Hop(self._failed.pop(place)[0], wait_s)

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self.begun_s) * 1000.0
