"""A provider's stream on its way to the caller: every event goes on as it came, usage is read on the way."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import aiohttp

from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call
from serving.dispatch.openai_wire import seen, usage
from serving.dispatch.sse import EventSplitter, EventTooLarge, event
from serving.records import Usage

# How long a finished stream may take to end properly, so that its connection can be used again.
_ENDING_S = 0.1
_DONE = b"[DONE]"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a provider may take: to connect, to send its first byte, and between two pieces.

    Comments that keep a stream alive count as pieces, but for no longer than a first byte may take.
    """

    connect_ms: float = 5_000
    first_byte_ms: float = 60_000
    idle_ms: float = 60_000


class PassedThrough:
    """A provider's stream, open until `close`; `due_s` is when its first event must have come."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        call: Call,
        timeouts: Timeouts,
        *,
        due_s: float,
        key: str | None,
    ) -> None:
        self.usage = Usage()
        self._response = response
        self._wants_usage = call.wants_usage
        self._unfinished = call.body.get("n") or 1
        self._silence_s = max(timeouts.first_byte_ms, timeouts.idle_ms) / 1000.0
        self._idle_s = timeouts.idle_ms / 1000.0
        self._due_s = due_s
        self._begun = False
        self._ended = False
        self._key = key
        self._splitter = EventSplitter()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self._ended:
            passed, error = self._pass_all(await self._next_events())
            if passed:
                # what came together goes on together: one write costs a fraction of many
                yield b"".join(passed)
            if error is not None:
                raise error
        if self._unfinished > 0:
            raise ProviderError("upstream", "The provider's stream ended in the middle.", retryable=True)
        yield event(_DONE)

    async def close(self) -> None:
        """Give the connection back where the stream has ended; else drop it, which stops the provider."""
        if self._ended and not self._response.content.at_eof():
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(_ENDING_S):
                    await self._response.content.readany()
        self._response.close()

    async def _next_events(self) -> list[bytes]:
        """Return the events of the next piece, maybe none; note when there will be no more."""
        left_s = self._due_s - time.perf_counter()
        try:
            async with asyncio.timeout(min(left_s, self._idle_s) if self._begun else left_s):
                piece = await self._response.content.readany()
            self._ended = not piece
            found = self._splitter.feed(piece) if piece else self._splitter.end()
        except (aiohttp.ClientError, OSError, EventTooLarge) as error:
            self._ended = True
            if self._unfinished > 0:
                raise failure(error) from error
            return []
        if found:
            self._begun = True
            self._due_s = time.perf_counter() + self._silence_s
        return found

    def _pass_all(self, events: list[bytes]) -> tuple[list[bytes], ProviderError | None]:
        """Return the events to send on, up to the first that is a failure, and that failure."""
        passed: list[bytes] = []
        for data in events:
            if data == _DONE:
                # not waited for: some providers hold the connection after the last event
                self._ended = True
                self._unfinished = 0
                break
            try:
                one = self._pass(data)
            except ProviderError as error:
                return passed, error
            if one is not None:
                passed.append(one)
        return passed, None

    def _pass(self, data: bytes) -> bytes | None:
        """Return the event to send on, or None where the caller must not see it."""
        chunk = seen(data, self._key)
        if chunk.choices:
            self._unfinished -= sum(1 for choice in chunk.choices if choice.finish_reason)
        if chunk.usage:
            self.usage = usage(chunk.usage)
            if not chunk.choices and not self._wants_usage:
                return None
        return event(data)


def failure(error: Exception) -> ProviderError:
    """Return what a broken connection or a passed deadline means."""
    if isinstance(error, TimeoutError):
        return ProviderError("timeout", "The provider took too long.", retryable=True)
    told = f"The provider could not be reached or broke off: {type(error).__name__}."
    return ProviderError("upstream", told, retryable=True)


@contextlib.contextmanager
def unreachable() -> Iterator[None]:
    """Turn every way a connection can fail into the one error that a dispatcher knows."""
    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise failure(error) from error
