"""Writes canonical answers in OpenAI's format: one object, or chunks in one grammar whoever answered.

The grammar of a stream: a chunk with the role and no words, once per choice; chunks with words, reasoning or
parts of tool calls; one chunk with the finish reason per choice; one with the usage and no choices where the
caller asked for it; `[DONE]`. Id, creation time and model are the same in all of them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serving.dispatch.sse import event
from serving.records import Usage


@dataclass(slots=True)
class ToolCall:
    """A call of a tool, whole; `extra` holds what its provider wants back beside it."""

    name: str
    arguments: str
    id: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.id = self.id or f"call_{secrets.token_hex(12)}"


@dataclass(slots=True)
class Choice:
    """One of the answers; `thoughts` are blocks that the provider wants back as they are."""

    index: int = 0
    text: str = ""
    reasoning: str = ""
    refusal: str | None = None
    calls: list[ToolCall] = field(default_factory=list)
    thoughts: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    finish: str = "stop"
    logprobs: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a stream: what of `choice` is new. `call` is a call's place among the choice's calls."""

    choice: int = 0
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    call: int | None = None
    call_id: str | None = None
    call_name: str | None = None
    arguments: str = ""
    thoughts: tuple[dict[str, Any], ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    finish: str | None = None
    logprobs: dict[str, Any] | None = None


def whole(model: str, answer_id: str, choices: list[Choice], usage: Usage) -> bytes:
    """Return a complete answer as OpenAI's object."""
    return msgspec.json.encode(
        {
            "id": answer_id,
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
            "choices": [_choice(choice) for choice in choices],
            "usage": usage_object(usage),
        }
    )


def _choice(choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": choice.text or (None if choice.calls or choice.refusal else ""),
        "refusal": choice.refusal,
    }
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.thoughts:
        message["thinking_blocks"] = choice.thoughts
    if choice.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            | call.extra
            for call in choice.calls
        ]
    message |= choice.extra
    return {
        "index": choice.index,
        "message": message,
        "logprobs": choice.logprobs,
        "finish_reason": choice.finish,
    }


class ChunkWriter:
    """Writes the pieces of one stream as chunks."""

    def __init__(self, model: str, answer_id: str = "") -> None:
        self.answer_id = answer_id or f"chatcmpl-{secrets.token_hex(12)}"
        self._model = model
        self._created = int(time.time())
        self._begun: set[int] = set()

    def write(self, piece: Piece) -> Iterator[bytes]:
        """Yield a piece as events; the first of a choice is preceded by its role."""
        if piece.choice not in self._begun:
            self._begun.add(piece.choice)
            yield self._chunk(piece.choice, {"role": "assistant", "content": ""})
        delta = _delta(piece)
        if delta or piece.logprobs:
            yield self._chunk(piece.choice, delta, logprobs=piece.logprobs)
        if piece.finish is not None:
            yield self._chunk(piece.choice, {}, piece.finish)

    def usage(self, usage: Usage) -> bytes:
        """Return the chunk that tells what was used."""
        return event(msgspec.json.encode(self._envelope([]) | {"usage": usage_object(usage)}))

    def _chunk(
        self, index: int, delta: dict[str, Any], finish: str | None = None, logprobs: Any = None
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return event(msgspec.json.encode(self._envelope([choice])))

    def _envelope(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.answer_id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }


def _delta(piece: Piece) -> dict[str, Any]:
    delta: dict[str, Any] = dict(piece.extra) if piece.call is None else {}
    if piece.text:
        delta["content"] = piece.text
    if piece.reasoning:
        delta["reasoning_content"] = piece.reasoning
    if piece.refusal:
        delta["refusal"] = piece.refusal
    if piece.thoughts:
        delta["thinking_blocks"] = list(piece.thoughts)
    if piece.call is not None:
        delta["tool_calls"] = [_call_delta(piece)]
    return delta


def _call_delta(piece: Piece) -> dict[str, Any]:
    """Return a part of a call: its id, type and name come once, with the first part."""
    call: dict[str, Any] = {"index": piece.call}
    if piece.call_name is not None:
        call |= {"id": piece.call_id, "type": "function"}
        call["function"] = {"name": piece.call_name, "arguments": piece.arguments}
    else:
        call["function"] = {"arguments": piece.arguments}
    return call | piece.extra


def usage_object(usage: Usage) -> dict[str, Any] | None:
    """Return what was used as OpenAI tells it, or None where the provider did not count.

    >>> usage_object(Usage(7, 2, cached_input_tokens=5))["prompt_tokens_details"]
    {'cached_tokens': 5}
    """
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    told: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens or 0},
    }
    if usage.cache_write_input_tokens:
        told["prompt_tokens_details"]["cache_write_tokens"] = usage.cache_write_input_tokens
    if usage.reasoning_tokens is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return told
