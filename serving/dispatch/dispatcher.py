"""Tries the ranking, best first, until one answers: failover before the first byte, never after it."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from serving.dispatch.adapter import Adapter, Embedder, ProviderError
from serving.dispatch.completion import Call, Dispatched, Stream, Whole
from serving.errors import WeighbridgeError
from serving.records import Attempt, Usage
from serving.routing.catalog import Deployment

_log = logging.getLogger(__name__)

_NOBODY_ASKED = ProviderError("upstream", "The ranking is empty.", retryable=False)
_CALLERS_OWN = frozenset({"invalid_request", "context_length", "content_filter"})


class DispatchFailed(WeighbridgeError):
    """No deployment answered; `attempts` tells what was tried, `kind` how the last one failed.

    `errors` has one entry per failure, the last one last.
    """

    def __init__(self, attempts: Sequence[Attempt], errors: Sequence[ProviderError]) -> None:
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


@dataclass(frozen=True, slots=True)
class Patience:
    """How many deployments are tried, and how long all of them together may take."""

    max_attempts: int = 3
    total_ms: float = 120_000


class Dispatcher:
    """Sends a call to the first deployment of a ranking that answers."""

    def __init__(self, adapters: Mapping[str, Adapter], patience: Patience = Patience()) -> None:
        self._adapters = adapters
        self._patience = patience

    async def dispatch(self, ranking: Sequence[Deployment], call: Call) -> Dispatched:
        """Return the first answer; raise DispatchFailed where there is none, or the error is the caller's."""
        attempts: list[Attempt] = []
        errors: list[ProviderError] = []
        begun_s = time.perf_counter()
        due_s = begun_s + self._patience.total_ms / 1000.0
        for deployment in ranking[: self._patience.max_attempts]:
            started_s = time.perf_counter()
            if started_s >= due_s:
                break
            try:
                found = await self._attempt(deployment, call, due_s)
            except asyncio.CancelledError:
                attempts.append(Attempt(deployment.name, "cancelled", _ms_since(started_s)))
                raise DispatchCancelled(attempts) from None
            if not isinstance(found, ProviderError):
                attempts.append(Attempt(deployment.name, "ok", _ms_since(started_s)))
                return _handed_back(deployment, attempts, found, begun_s)
            errors.append(found)
            attempts.append(Attempt(deployment.name, "error", _ms_since(started_s), found.kind, found.status))
            if not found.retryable:
                break
        raise DispatchFailed(attempts, errors or [_NOBODY_ASKED])

    async def close(self) -> None:
        """Close every adapter."""
        for adapter in self._adapters.values():
            await adapter.close()

    async def _attempt(
        self, deployment: Deployment, call: Call, due_s: float
    ) -> Whole | _Started | ProviderError:
        """Ask one deployment; a failure of any sort is returned as the error it stands for."""
        limit = asyncio.timeout(due_s - time.perf_counter())
        try:
            async with limit:
                return await self._ask(deployment, call, due_s)
        except ProviderError as error:
            return error
        except TimeoutError:
            if limit.expired():
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


def _handed_back(
    deployment: Deployment, attempts: list[Attempt], found: Whole | _Started, begun_s: float
) -> Dispatched:
    if isinstance(found, _Started):
        return Dispatched(deployment.name, attempts, _ms_since(begun_s), stream=found)
    return Dispatched(deployment.name, attempts, whole=found)


def _overdue() -> ProviderError:
    return ProviderError("timeout", "The time for the whole answer has passed.", retryable=False)


def _ms_since(started_s: float) -> float:
    return (time.perf_counter() - started_s) * 1000.0
