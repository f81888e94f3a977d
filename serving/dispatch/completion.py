"""One chat completion on its way to a provider and back."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from serving.records import Attempt, Usage


@dataclass(frozen=True, slots=True)
class Call:
    """A chat completion request as the caller sent it: `body` is the decoded OpenAI object.

    `wants_usage` says that the caller asked for a usage chunk at the end of the stream; adapters
    ask the provider for it in any case and drop it where it was not wanted. `embeds` says that the body
    is one of `/v1/embeddings`. `due_s`, of the clock `time.perf_counter`, is when all of the answer must have
    come, a stream's last byte included; the dispatcher sets it.
    """

    body: dict[str, Any]
    stream: bool
    wants_usage: bool = False
    embeds: bool = False
    due_s: float = math.inf

    def due(self, due_s: float) -> Call:
        """Return the same call with another deadline."""
        return Call(self.body, self.stream, self.wants_usage, self.embeds, due_s)


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete answer: the JSON body to pass on, and what the provider counted."""

    body: bytes
    usage: Usage


class Stream(Protocol):
    """An answer that arrives in pieces; open until `close`, which also cancels the provider's side.

    `usage` is complete once the iteration has ended.
    """

    @property
    def usage(self) -> Usage:
        """Return what the provider has counted so far."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield server-sent events as bytes, whole ones, one or several at a time, `data: [DONE]` last.

        Raises ProviderError on failure.
        """

    async def close(self) -> None:
        """Let go of the connection."""


@dataclass(slots=True)
class Dispatched:
    """What the dispatcher hands back: which deployment answers, and every attempt before it.

    Exactly one of `whole` and `stream` is set. For a stream the first event has been received and waits;
    it came `first_token_ms` after the dispatch began, failed attempts included. `hedged` names deployments
    that were asked beside the one that answers, and must be paid for what they had read by then.
    """

    deployment: str
    attempts: list[Attempt] = field(default_factory=list)
    first_token_ms: float | None = None
    whole: Whole | None = None
    stream: Stream | None = None
    hedged: tuple[str, ...] = ()
