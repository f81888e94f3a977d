"""A chat completion, whole or in chunks, as the APIs that translate it read it."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from serving.dispatch.adapter import ProviderError
from serving.dispatch.sse import EventSplitter
from serving.errors import UpstreamGarbled

DONE = b"[DONE]"

Shape = TypeVar("Shape")


class Function(Struct):
    """The function a tool call names, or the next piece of it."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(Struct):
    """A tool call, or the next piece of one: `index` tells of which."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Said(Struct):
    """A message, or what a chunk adds to one; providers name their thinking in one of two ways."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    # what Anthropic signs and wants back unchanged
    thinking_blocks: list[dict[str, Any]] | None = None
    tool_calls: list[ToolCall] | None = None

    @property
    def thinking(self) -> str:
        """Return what the model thought, where the provider shows it."""
        return self.reasoning_content or self.reasoning or ""


class Choice(Struct):
    """One choice; vLLM says in `stop_reason` which stop sequence ended it."""

    index: int = 0
    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None
    stop_reason: Any = None


class Cached(Struct):
    """The tokens of a prompt that came from a cache."""

    cached_tokens: int | None = None


class Thought(Struct):
    """The tokens of an answer that were thinking."""

    reasoning_tokens: int | None = None


class Counted(Struct):
    """What a provider counted."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: Cached | None = None
    completion_tokens_details: Thought | None = None

    @property
    def cached_tokens(self) -> int:
        """Return how many of the prompt's tokens came from a cache."""
        return (self.prompt_tokens_details or Cached()).cached_tokens or 0

    @property
    def reasoning_tokens(self) -> int:
        """Return how many of the answer's tokens were thinking."""
        return (self.completion_tokens_details or Thought()).reasoning_tokens or 0


class Completion(Struct):
    """A whole chat completion, or one chunk of it."""

    model: str = ""
    created: float = 0
    choices: list[Choice] = []
    usage: Counted | None = None


_DECODER = msgspec.json.Decoder(Completion)


def whole(body: bytes) -> Completion:
    """Return a whole answer; raise UpstreamGarbled where it is not one."""
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as reason:
        raise UpstreamGarbled("The provider's answer is not a chat completion.") from reason


def chunks(events: bytes) -> list[Completion | None]:
    """Return the chunks of whole events, None for the end; raise ProviderError where one makes no sense."""
    found: list[Completion | None] = []
    for data in EventSplitter().feed(events):
        try:
            found.append(None if data == DONE else _DECODER.decode(data))
        except (msgspec.DecodeError, UnicodeDecodeError) as reason:
            raise ProviderError(
                "upstream", "The provider's stream makes no sense.", retryable=False
            ) from reason
    return found
