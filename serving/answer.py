"""An answer on its way back to the caller, and the one outcome that every dispatched request leaves."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from serving.charges import answer_cost_usd
from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Dispatched
from serving.records import Attempt, Outcome, Usage
from serving.routing.catalog import Catalog
from serving.weigher import Decided

UNKNOWN_USAGE = Usage()


class Journey:
    """One dispatched request until its single outcome; `finish` counts once, whoever calls it first."""

    def __init__(
        self,
        decided: Decided,
        catalog: Catalog,
        finished: Callable[[Outcome], None],
        settled: Callable[[Sequence[Attempt], str, Usage], tuple[Attempt, ...]] | None = None,
        *,
        streamed: bool,
        started: float,
    ) -> None:
        self._decided = decided
        self._catalog = catalog
        self._finished = finished
        # settles what was set aside, and tells what each attempt counts for
        self._settled = settled
        self._streamed = streamed
        self._started = started
        self._done = False

    def finish(
        self,
        status: str,
        attempts: Sequence[Attempt],
        usage: Usage = UNKNOWN_USAGE,
        *,
        first_token_ms: float | None = None,
        error: str | None = None,
        hedged: Sequence[str] = (),
    ) -> None:
        """Record the outcome; a second call changes nothing."""
        if self._done:
            return
        self._done = True
        asked = [attempt.deployment for attempt in attempts if attempt.status != "skipped"]
        answered = asked[-1] if asked else None
        row = self._catalog.deployments.get(answered or "")
        charged = self._settled(attempts, status, usage) if self._settled else tuple(attempts)
        self._finished(
            Outcome(
                decision_id=self._decided.decision.request.decision_id,
                finished_at=time.time(),
                status=status,
                deployment=answered,
                streamed=self._streamed,
                usage=usage,
                cost_usd=self._with_hedges(answer_cost_usd(row, usage), hedged),
                first_token_ms=first_token_ms,
                latency_ms=(time.perf_counter() - self._started) * 1000.0,
                attempts=charged,
                error=error,
            )
        )

    def _with_hedges(self, cost_usd: float | None, hedged: Sequence[str]) -> float | None:
        """Add what deployments that were asked beside have read by the time they were given up."""
        read = self._decided.decision.request.input_tokens
        for name in hedged:
            beside_usd = self._catalog.deployments[name].cost_usd(read, 0)
            cost_usd = None if cost_usd is None or beside_usd is None else cost_usd + beside_usd
        return cost_usd


class Answer:
    """An answer on its way to the caller: whole, or a stream to iterate; always `close` a stream."""

    def __init__(self, decided: Decided, dispatched: Dispatched, journey: Journey) -> None:
        self.decided = decided
        self.deployment = dispatched.deployment
        self.attempts = dispatched.attempts
        self.whole = dispatched.whole
        # is told a stream's events at once, after it has ended well
        self.listener: Callable[[bytes], None] | None = None
        self._dispatched = dispatched
        self._journey = journey

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the stream's events as they come; raise ProviderError where it breaks in the middle."""
        stream = self._dispatched.stream
        if stream is None:
            return
        heard: list[bytes] = []
        try:
            async for event in stream:
                if self.listener is not None:
                    heard.append(event)
                yield event
        except ProviderError as failure:
            self.failed(failure)
            raise
        self._finish("ok")
        if self.listener is not None:
            self.listener(b"".join(heard))

    def failed(self, failure: ProviderError) -> None:
        """Take in that the stream broke in the middle, or that what it said makes no sense."""
        self.attempts[-1] = replace(self.attempts[-1], status="error", error=failure.kind)
        self._finish("error", error=failure.kind)

    async def close(self) -> None:
        """Let go of the provider; a stream that had not ended was cancelled by its caller."""
        if self._dispatched.stream is not None:
            await self._dispatched.stream.close()
            self._finish("cancelled")

    def _finish(self, status: str, error: str | None = None) -> None:
        stream = self._dispatched.stream
        self._journey.finish(
            status,
            self.attempts,
            stream.usage if stream else UNKNOWN_USAGE,
            first_token_ms=self._dispatched.first_token_ms,
            error=error,
            hedged=self._dispatched.hedged,
        )
