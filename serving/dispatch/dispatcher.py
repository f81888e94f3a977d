"""Tries the ranking, best first, until one answers: failover before the first byte, never after it."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from serving.deadlines import Deadlines
from serving.dispatch.adapter import Adapter, Embedder, ProviderError
from serving.dispatch.completion import Call, Dispatched, Stream, Whole
from serving.dispatch.trip import Hops, Patience, Trip
from serving.errors import WeighbridgeError
from serving.records import Attempt, Usage
from serving.routing.catalog import Deployment

__all__ = ["DispatchCancelled", "DispatchFailed", "Dispatcher", "Patience"]

_log = logging.getLogger(__name__)

_NOBODY_ASKED = ProviderError("upstream", "The ranking is empty.", retryable=False)
_CALLERS_OWN = frozenset({"invalid_request", "context_length", "content_filter"})


class DispatchFailed(WeighbridgeError):
    """No deployment answered; `attempts` tells what was tried, `kind` how the last one failed.

    `errors` has one entry per failure, the last one last.
    """

    def __init__(self, attempts: Sequence[Attempt], errors: Sequence[ProviderError]) -> None:
        # what one provider cannot do says nothing of others that can, and were down
        errors = [error for error in errors if not error.is_refusal] or errors
        last = errors[-1]
        tried = ", ".join(attempt.deployment for attempt in attempts)
        own = last.kind in _CALLERS_OWN
        super().__init__(last.message if own else f"No deployment answered (tried {tried}). {last.message}")
        self.attempts = tuple(attempts)
        self.kind = last.kind
        self.status = _callers_status(last) if own else _our_status(errors)  # type: ignore[misc]
        self.type = "invalid_request_error" if own else "upstream_error"  # type: ignore[misc]
        self.code = last.kind  # type: ignore[misc]
        if own and last.body:
            param = last.body.get("param")
            self.param = param if isinstance(param, str) else None
            self.code = str(last.body.get("code") or last.kind)  # type: ignore[misc]
        waits_s = [error.retry_after_s for error in errors if error.retry_after_s is not None]
        if waits_s and self.status in (429, 503):
            self.headers["retry-after"] = str(max(math.ceil(min(waits_s)), 1))


def _callers_status(error: ProviderError) -> int:
    """Return the provider's own status; an error inside a stream came with a 200, or with none."""
    return error.status if error.status is not None and 400 <= error.status < 500 else 400


def _our_status(errors: Sequence[ProviderError]) -> int:
    """Return what sums up the failures: waiting only helps where waiting was all that was asked."""
    kinds = {error.kind for error in errors}
    if kinds == {"rate_limit"}:
        return 429
    if kinds <= {"rate_limit", "overloaded"}:
        return 503
    return 504 if errors[-1].kind == "timeout" else 502


class DispatchCancelled(asyncio.CancelledError):
    """The caller left while a deployment was being asked; `attempts` tells what was tried."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        super().__init__()
        self.attempts = tuple(attempts)


class Dispatcher:
    """Sends a call to the first deployment of a ranking that answers."""

    def __init__(self, adapters: Mapping[str, Adapter], patience: Patience | None = None) -> None:
        self._adapters = adapters
        self._patience = patience or Patience()
        self._deadlines = Deadlines()

    async def dispatch(
        self, ranking: Sequence[Deployment], call: Call, hops: Hops | None = None
    ) -> Dispatched:
        """Return the first answer; raise DispatchFailed where there is none, or the error is the caller's."""
        trip = Trip(ranking, call, self._patience, hops)
        try:
            while (hop := trip.next()) is not None:
                if hop.wait_s:
                    await asyncio.sleep(hop.wait_s)
                if not await trip.admits(hop.deployment):
                    continue
                after_ms = trip.hedge_after_ms(hop.deployment)
                answer = await (
                    self._alone(trip, hop.deployment)
                    if after_ms is None
                    else self._hedged(trip, hop.deployment, after_ms / 1000.0)
                )
                if answer is not None:
                    return answer
        except asyncio.CancelledError:
            raise DispatchCancelled(trip.attempts) from None
        raise DispatchFailed(trip.attempts, trip.errors or [_NOBODY_ASKED])

    async def close(self) -> None:
        """Close every adapter."""
        for adapter in self._adapters.values():
            await adapter.close()

    async def _alone(self, trip: Trip, deployment: Deployment) -> Dispatched | None:
        started_s = time.perf_counter()
        try:
            found = await self._attempt(deployment, trip.call, trip.due_s)
        except asyncio.CancelledError:
            trip.ended(deployment, started_s, "cancelled")
            raise
        return _taken(trip, deployment, started_s, found)

    async def _hedged(self, trip: Trip, first: Deployment, after_s: float) -> Dispatched | None:
        """Ask a second deployment where the first is late, and take whoever has the first byte first."""
        racing = {self._started(trip, first): (first, time.perf_counter())}
        beside: list[str] = []
        try:
            await asyncio.wait(racing, timeout=after_s)
            second = None if any(task.done() for task in racing) else trip.next_fresh()
            if second is not None and await trip.admits(second.deployment):
                racing[self._started(trip, second.deployment)] = (second.deployment, time.perf_counter())
            while racing:
                done, _ = await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
                task = done.pop()
                deployment, started_s = racing.pop(task)
                found = task.result()
                if not isinstance(found, ProviderError):
                    beside = await _given_up(trip, racing)
                    answer = _taken(trip, deployment, started_s, found)
                    return replace(answer, hedged=tuple(beside)) if answer else None
                trip.failed(deployment, started_s, found)
                if not found.retryable:
                    return None
            return None
        finally:
            await _given_up(trip, racing)

    def _started(self, trip: Trip, deployment: Deployment) -> asyncio.Task[Found]:
        return asyncio.ensure_future(self._attempt(deployment, trip.call, trip.due_s))

    async def _attempt(self, deployment: Deployment, call: Call, due_s: float) -> Found:
        """Ask one deployment; a failure of any sort is returned as the error it stands for."""
        limit = self._deadlines.within(due_s - time.perf_counter())
        try:
            with limit:
                return await self._ask(deployment, call, due_s)
        except ProviderError as error:
            return error
        except TimeoutError:
            if limit.is_late:
                return _overdue()
            return ProviderError("timeout", "The provider took too long.", retryable=True)
        except Exception:
            _log.exception("The adapter %r failed on %r", deployment.adapter, deployment.name)
            return ProviderError("upstream", "The adapter failed.", retryable=True)

    async def _ask(self, deployment: Deployment, call: Call, due_s: float) -> Whole | _Started:
        adapter = self._adapters[deployment.adapter]
        if call.embeds:
            return await _embedded(adapter, deployment, call)
        if not call.stream:
            return await adapter.complete(deployment, call)
        stream = _Started(await adapter.stream(deployment, call), due_s)
        try:
            await stream.start()
        except BaseException:
            await stream.close()
            raise
        return stream


class _Started:
    """A stream whose first event has come and waits to be sent on."""

    def __init__(self, stream: Stream, due_s: float) -> None:
        self._stream = stream
        self._due_s = due_s
        self._events = aiter(stream)
        self._first = b""

    @property
    def usage(self) -> Usage:
        """Return what the provider has counted so far."""
        return self._stream.usage

    async def start(self) -> None:
        """Wait for the first event: until it is there, another deployment can still take over."""
        self._first = await anext(self._events, b"")
        if not self._first:
            raise ProviderError("upstream", "The provider's stream was empty.", retryable=True)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._first
        async for event in self._events:
            if time.perf_counter() >= self._due_s:
                raise _overdue()
            yield event

    async def close(self) -> None:
        """Close the provider's side."""
        await self._stream.close()


async def _embedded(adapter: Adapter, deployment: Deployment, call: Call) -> Whole:
    if not isinstance(adapter, Embedder):
        told = f"{deployment.name}: the adapter {deployment.adapter!r} makes no embeddings."
        raise ProviderError("invalid_request", told, status=400, retryable=False)
    return await adapter.embed(deployment, call)


Found = Whole | _Started | ProviderError


def _taken(trip: Trip, deployment: Deployment, started_s: float, found: Found) -> Dispatched | None:
    """Note how an attempt ended, and return its answer where it has one."""
    if isinstance(found, ProviderError):
        trip.failed(deployment, started_s, found)
        return None
    trip.ended(deployment, started_s, "ok")
    if isinstance(found, _Started):
        return Dispatched(deployment.name, trip.attempts, _ms_since(trip.begun_s), stream=found)
    return Dispatched(deployment.name, trip.attempts, whole=found)


async def _given_up(trip: Trip, racing: dict[asyncio.Task[Found], tuple[Deployment, float]]) -> list[str]:
    """End the attempts that nobody waits for any more; return whose they were."""
    names: list[str] = []
    while racing:
        task, (deployment, started_s) = racing.popitem()
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and isinstance(found := task.result(), _Started):
            await found.close()
        trip.ended(deployment, started_s, "cancelled")
        names.append(deployment.name)
    return names


def _overdue() -> ProviderError:
    return ProviderError("timeout", "The time for the whole answer has passed.", retryable=False)


def _ms_since(started_s: float) -> float:
    return (time.perf_counter() - started_s) * 1000.0
