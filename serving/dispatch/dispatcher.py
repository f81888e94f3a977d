"""Tries the ranking, best first, until one answers: failover before the first byte, never after it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from serving.dispatch.adapter import Adapter, ProviderError
from serving.dispatch.completion import Call, Dispatched, Stream
from serving.errors import WeighbridgeError
from serving.records import Attempt, Usage
from serving.routing.catalog import Deployment

_log = logging.getLogger(__name__)

# What a caller is told when nobody answered, by the kind of the last failure.
_STATUS = {"rate_limit": 429, "overloaded": 503, "timeout": 504}
_CALLERS_OWN = frozenset({"invalid_request", "context_length", "content_filter"})


class DispatchFailed(WeighbridgeError):
    """No deployment answered; `attempts` tells what was tried, `kind` how the last one failed."""

    def __init__(self, attempts: Sequence[Attempt], last: ProviderError) -> None:
        tried = ", ".join(attempt.deployment for attempt in attempts)
        own = last.kind in _CALLERS_OWN
        super().__init__(last.message if own else f"No deployment answered (tried {tried}). {last.message}")
        self.attempts = tuple(attempts)
        self.kind = last.kind
        self.status = (last.status or 400) if own else _STATUS.get(last.kind, 502)  # type: ignore[misc]
        self.type = "invalid_request_error" if own else "upstream_error"  # type: ignore[misc]
        self.code = last.kind  # type: ignore[misc]
        if own and last.body:
            param = last.body.get("param")
            self.param = param if isinstance(param, str) else None
            self.code = str(last.body.get("code") or last.kind)  # type: ignore[misc]
        if last.retry_after_s is not None:
            self.headers["retry-after"] = str(max(round(last.retry_after_s), 1))


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
        begun_s = time.perf_counter()
        last = ProviderError("upstream", "The ranking is empty.", retryable=False)
        for deployment in ranking[: self._patience.max_attempts]:
            left_s = (self._patience.total_ms - _ms_since(begun_s)) / 1000.0
            if left_s <= 0:
                break
            started_s = time.perf_counter()
            try:
                async with asyncio.timeout(left_s):
                    return await self._ask(deployment, call, attempts, begun_s)
            except TimeoutError:
                last = ProviderError("timeout", "The deadline over all attempts has passed.", retryable=False)
            except ProviderError as error:
                last = error
            except asyncio.CancelledError:
                attempts.append(Attempt(deployment.name, "cancelled", _ms_since(started_s)))
                raise DispatchCancelled(attempts) from None
            except Exception:
                _log.exception("The adapter %r failed on %r", deployment.adapter, deployment.name)
                last = ProviderError("upstream", "The adapter failed.", retryable=True)
            attempts.append(Attempt(deployment.name, "error", _ms_since(started_s), last.kind, last.status))
            if not last.retryable:
                break
        raise DispatchFailed(attempts, last)

    async def close(self) -> None:
        """Close every adapter."""
        for adapter in self._adapters.values():
            await adapter.close()

    async def _ask(
        self, deployment: Deployment, call: Call, attempts: list[Attempt], begun_s: float
    ) -> Dispatched:
        started_s = time.perf_counter()
        adapter = self._adapters[deployment.adapter]
        if not call.stream:
            whole = await adapter.complete(deployment, call)
            attempts.append(Attempt(deployment.name, "ok", _ms_since(started_s)))
            return Dispatched(deployment.name, attempts, whole=whole)
        stream = _Started(await adapter.stream(deployment, call))
        try:
            await stream.start()
        except BaseException:
            await stream.close()
            raise
        attempts.append(Attempt(deployment.name, "ok", _ms_since(started_s)))
        return Dispatched(deployment.name, attempts, _ms_since(begun_s), stream=stream)


class _Started:
    """A stream whose first event has come and waits to be sent on."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
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
            yield event

    async def close(self) -> None:
        """Close the provider's side."""
        await self._stream.close()


def _ms_since(started_s: float) -> float:
    return (time.perf_counter() - started_s) * 1000.0
