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
_END = event(_DONE)


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
            # what came together goes on together: one write costs a fraction of many
            passed, error = self._pass_all(await self._next_events())
            if passed:
                yield passed
            if error is not None:
                raise error
        if self._done:
            return
        if self._unfinished > 0:
            raise ProviderError("upstream", "The provider's stream ended in the middle.", retryable=True)
        yield self._end()

    def _end(self) -> bytes:
        """Return the last events, with the usage for a caller who asked and was told beside words at most."""
        told = usage_object(self.usage) if self._wants_usage and not self._told else None
        return (b"" if told is None else self._grammar.usage_chunk(told)) + _END

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

    def _pass_all(self, events: list[bytes]) -> tuple[bytes, ProviderError | None]:
        """Return what to send on, up to the first event that is a failure, and that failure."""
        passed: list[bytes] = []
        piece = self._events.plain if events else None
        for place, data in enumerate(events, 1):
            if data == _DONE:
                # not waited for: some providers hold the connection after the last event
                self._done = True
                self._unfinished = 0
                end = self._end()
                if piece is not None and end == _END and place == len(events):
                    return piece, None
                return _written(passed) + end, None
            try:
                one = self._pass(data)
            except ProviderError as error:
                return _written(passed), error
            if one is not data:
                piece = None
            if one is not None:
                passed.append(one)
        return _written(passed) if piece is None else piece, None

    def _pass(self, data: bytes) -> bytes | None:
        """Return the data of the event to send on, or None where the caller must not see it."""
        chunk = seen(data, self._key)
        for choice in chunk.choices or ():
            if choice.finish_reason:
                self._unfinished -= 1
        if chunk.usage:
            self.usage = usage(chunk.usage)
            if not chunk.choices:
                if self._told or not self._wants_usage:
                    return None
                self._told = True
        return self._grammar.follow(chunk, data)


def _written(passed: list[bytes]) -> bytes:
    return b"".join(map(event, passed))
