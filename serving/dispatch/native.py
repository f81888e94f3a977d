"""Providers with an API of their own: one adapter, given the language to translate to and from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from serving.dispatch import openai_answer, openai_request
from serving.dispatch.adapter import ProviderError, cannot
from serving.dispatch.completion import Call, Stream, Whole
from serving.dispatch.connection import Connection, Events, Outgoing
from serving.dispatch.conversation import Conversation
from serving.dispatch.failures import from_event
from serving.dispatch.openai_answer import Choice, ChunkWriter, Piece
from serving.dispatch.sse import event
from serving.records import Usage
from serving.routing.catalog import Deployment


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer as a language read it."""

    id: str
    choices: list[Choice]
    usage: Usage


class Reader(Protocol):
    """Reads one stream; `ended` once nothing more has to come, `complete` once nothing may be missing."""

    usage: Usage
    id: str
    ended: bool
    complete: bool

    def read(self, event: dict[str, Any]) -> Iterator[Piece]:
        """Yield what an event adds; raise ProviderError where it says that the answer failed."""


class Language(Protocol):
    """Translates between the canonical conversation and one provider's API."""

    def outgoing(
        self, deployment: Deployment, conversation: Conversation, key: str | None, *, stream: bool
    ) -> Outgoing:
        """Return the request; raise ProviderError for what the provider cannot do."""

    def answer(self, found: dict[str, Any], conversation: Conversation) -> Answer:
        """Return what a whole answer says; raise ProviderError where it is none."""

    def reader(self, conversation: Conversation) -> Reader:
        """Return what reads a stream that answers this conversation."""


class Native:
    """Asks providers in their own language and answers in OpenAI's.

    `keys` maps the names of environment variables to the keys they held at start.
    """

    def __init__(self, language: Language, keys: Mapping[str, str], connection: Connection) -> None:
        self._language = language
        self._keys = keys
        self._connection = connection

    async def complete(self, deployment: Deployment, call: Call) -> Whole:
        """Return the whole answer."""
        conversation = openai_request.read(call.body)
        outgoing = self._outgoing(deployment, conversation, stream=False)
        found = _decoded(await self._connection.whole(outgoing), outgoing.key)
        answer = self._language.answer(found, conversation)
        body = openai_answer.whole(deployment.model, answer.id, answer.choices, answer.usage)
        return Whole(body, answer.usage)

    async def stream(self, deployment: Deployment, call: Call) -> Stream:
        """Return the stream once the provider has accepted the call."""
        conversation = openai_request.read(call.body)
        outgoing = self._outgoing(deployment, conversation, stream=True)
        events = await self._connection.stream(outgoing, call.due_s)
        reader = self._language.reader(conversation)
        return Translated(events, reader, deployment.model, outgoing.key, wants_usage=call.wants_usage)

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    def _outgoing(self, deployment: Deployment, conversation: Conversation, *, stream: bool) -> Outgoing:
        refuse_others(conversation)
        key = self._keys.get(deployment.api_key_env) if deployment.api_key_env else None
        return self._language.outgoing(deployment, conversation, key, stream=stream)


class Translated:
    """A provider's stream, written anew in OpenAI's format; open until `close`."""

    def __init__(
        self, events: Events, reader: Reader, model: str, key: str | None, *, wants_usage: bool
    ) -> None:
        self._events = events
        self._reader = reader
        self._model = model
        self._key = key
        self._wants_usage = wants_usage

    @property
    def usage(self) -> Usage:
        """Return what the provider has counted so far."""
        return self._reader.usage

    async def __aiter__(self) -> AsyncIterator[bytes]:
        writer: ChunkWriter | None = None
        while not (self._reader.ended or self._events.ended):
            pieces, error = self._read_all(await self._next_events())
            if pieces:
                writer = writer or ChunkWriter(self._model, self._reader.id)
                yield b"".join(chunk for piece in pieces for chunk in writer.write(piece))
            if error is not None:
                raise error
        if writer is None or not self._reader.complete:
            raise ProviderError("upstream", "The provider's stream ended in the middle.", retryable=True)
        last = writer.usage(self.usage) if self._wants_usage else b""
        yield last + event(b"[DONE]")

    async def close(self) -> None:
        """Give the connection back where the stream has ended; else drop it, which stops the provider."""
        await self._events.close(finished=self._reader.ended or self._events.ended)

    async def _next_events(self) -> list[bytes]:
        try:
            return await self._events.next()
        except ProviderError:
            if not self._reader.complete:
                raise
            return []

    def _read_all(self, events: list[bytes]) -> tuple[list[Piece], ProviderError | None]:
        """Return what events add, up to the first that is a failure, and that failure."""
        pieces: list[Piece] = []
        try:
            for data in events:
                # one by one, so that what came before a failure is kept
                for piece in self._reader.read(_decoded(data, self._key)):
                    pieces.append(piece)  # noqa: PERF402
        except ProviderError as error:
            return pieces, error
        return pieces, None


def _decoded(data: bytes, key: str | None) -> dict[str, Any]:
    """Return the object in an answer or an event; raise ProviderError where it is an error, or none."""
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise not_an_answer()
    if found.get("error"):
        error = from_event(data, key=key)
        if error is not None:
            raise error
    return found


def not_an_answer() -> ProviderError:
    """Return the error for an answer that is not in the provider's own format."""
    return ProviderError(
        "upstream", "The provider's answer is not in its own format.", status=502, retryable=True
    )


def refuse_others(conversation: Conversation) -> None:
    """Raise ProviderError for the first field that only OpenAI's own protocol has."""
    for name in conversation.others:
        raise cannot(name, "this provider cannot honour it. Leave it out, or name another deployment.")
