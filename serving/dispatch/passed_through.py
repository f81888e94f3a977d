"""A provider's stream on its way to the caller: what follows the grammar goes on byte for byte."""

from __future__ import annotations

from collections.abc import AsyncIterator

from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call
from serving.dispatch.connection import Events
from serving.dispatch.openai_answer import usage_object
from serving.dispatch.openai_grammar import Grammar
from serving.dispatch.openai_wire import seen, usage
from serving.dispatch.sse import event
from serving.records import Usage

_DONE = b"[DONE]"


class PassedThrough:
    """A provider's stream, open until `close`."""

    def __init__(self, events: Events, call: Call, *, key: str | None) -> None:
        self.usage = Usage()
        self._events = events
        self._wants_usage = call.wants_usage
        self._unfinished = call.body.get("n") or 1
        self._done = False
        self._key = key
        self._grammar = Grammar()
        self._told = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not (self._done or self._events.ended):
            passed, error = self._pass_all(await self._next_events())
            if passed:
                # what came together goes on together: one write costs a fraction of many
                yield b"".join(passed)
            if error is not None:
                raise error
        if self._unfinished > 0:
            raise ProviderError("upstream", "The provider's stream ended in the middle.", retryable=True)
        yield self._last_usage() + event(_DONE)

    def _last_usage(self) -> bytes:
        """Return the chunk of usage for a caller who asked and was not told, since it came beside words."""
        told = usage_object(self.usage) if self._wants_usage and not self._told else None
        return b"" if told is None else self._grammar.usage_chunk(told)

    async def close(self) -> None:
        """Give the connection back where the stream has ended; else drop it, which stops the provider."""
        await self._events.close(finished=self._done or self._events.ended)

    async def _next_events(self) -> list[bytes]:
        try:
            return await self._events.next()
        except ProviderError:
            if self._unfinished > 0:
                raise
            return []

    def _pass_all(self, events: list[bytes]) -> tuple[list[bytes], ProviderError | None]:
        """Return the events to send on, up to the first that is a failure, and that failure."""
        passed: list[bytes] = []
        for data in events:
            if data == _DONE:
                # not waited for: some providers hold the connection after the last event
                self._done = True
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
            if not chunk.choices:
                if self._told or not self._wants_usage:
                    return None
                self._told = True
        return event(self._grammar.follow(chunk, data))
