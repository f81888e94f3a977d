"""From a chat completion, whole or streamed, to Anthropic's message and its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from serving.api.anthropic.errors import type_of_kind
from serving.api.chunks import Choice, Completion, Counted, Said, ToolCall, chunks, whole
from serving.dispatch.adapter import ProviderError
from serving.errors import UpstreamGarbled

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


class Messages:
    """Writes one answer as Anthropic does.

    `input_tokens` is an estimate: a stream opens with it, and ends with what the provider counted.
    """

    def __init__(self, *, stop_sequences: Sequence[str], input_tokens: int) -> None:
        self._stop_sequences = frozenset(stop_sequences)
        self._input_tokens = input_tokens
        self._id = ""
        self._begun = False
        self._block: str | int | None = None
        self._index = -1
        self._called: set[int] = set()
        self._refused = False
        self._ending: dict[str, Any] = {"stop_reason": "end_turn", "stop_sequence": None}
        self._usage = Counted()

    def whole(self, body: bytes, decision_id: str) -> bytes:
        """Return a whole answer as a message."""
        self.begin(decision_id)
        found = whole(body)
        if not found.choices:
            raise UpstreamGarbled("The provider's answer has no choices.")
        choice = found.choices[0]
        said = choice.message or Said()
        self._refused = bool(said.refusal)
        message = self._message(found.model, list(_blocks(said)), _usage(found.usage or Counted()))
        return msgspec.json.encode(message | self._stopped(choice))

    def begin(self, decision_id: str) -> None:
        """Take in the id that the message gets."""
        self._id = f"msg_{decision_id.removeprefix('dec_')}"

    def piece(self, events: bytes) -> bytes:
        """Return the events that the next chunks become."""
        written: list[bytes] = []
        for chunk in chunks(events):
            written += self._ended() if chunk is None else self._chunk(chunk)
        return b"".join(written)

    def failure(self, error: ProviderError) -> bytes:
        """End a stream that broke in the middle: an `error` event, which SDKs raise."""
        told = {"type": type_of_kind(error.kind), "message": error.message}
        return _event("error", error=told)

    def _chunk(self, chunk: Completion) -> Iterator[bytes]:
        if not self._begun:
            self._begun = True
            opening = self._message(chunk.model, [], _usage(Counted(prompt_tokens=self._input_tokens)))
            yield _event("message_start", message=opening | {"stop_reason": None, "stop_sequence": None})
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices[:1]:
            yield from self._said(choice.delta or Said())
            if choice.finish_reason:
                self._ending = self._stopped(choice)

    def _said(self, delta: Said) -> Iterator[bytes]:
        if delta.thinking:
            yield from self._opened("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            yield self._delta({"type": "thinking_delta", "thinking": delta.thinking})
        for block in delta.thinking_blocks or ():
            yield from self._thought(block)
        for text in filter(None, (delta.content, delta.refusal)):
            self._refused = self._refused or text is delta.refusal
            yield from self._opened("text", {"type": "text", "text": ""})
            yield self._delta({"type": "text_delta", "text": text})
        for call in delta.tool_calls or ():
            yield from self._called_tool(call)

    def _thought(self, block: dict[str, Any]) -> Iterator[bytes]:
        """A signed thought comes whole once its text has been streamed; one that is redacted has no text."""
        if block.get("type") == "thinking" and self._block == "thinking":
            yield self._delta({"type": "signature_delta", "signature": block.get("signature", "")})
        else:
            yield from self._closed()
            yield from self._opened("thought", block)
        yield from self._closed()

    def _called_tool(self, call: ToolCall) -> Iterator[bytes]:
        place = call.index or 0
        if self._block != place:
            if place in self._called or call.function is None or not call.function.name:
                raise ProviderError("upstream", "The provider's tool calls are mixed up.", retryable=False)
            self._called.add(place)
            identity = call.id or f"toolu_{self._id.removeprefix('msg_')}_{place}"
            block = {"type": "tool_use", "id": identity, "name": call.function.name, "input": {}}
            yield from self._opened(place, block)
        if call.function is not None and call.function.arguments:
            yield self._delta({"type": "input_json_delta", "partial_json": call.function.arguments})

    def _opened(self, block: str | int, start: dict[str, Any]) -> Iterator[bytes]:
        """Open a block where it is not the one that is open; Anthropic has one open at a time."""
        if self._block == block:
            return
        yield from self._closed()
        self._index += 1
        self._block = block
        yield _event("content_block_start", index=self._index, content_block=start)

    def _closed(self) -> Iterator[bytes]:
        if self._block is not None:
            yield _event("content_block_stop", index=self._index)
            self._block = None

    def _ended(self) -> Iterator[bytes]:
        yield from self._closed()
        yield _event("message_delta", delta=self._ending, usage=_usage(self._usage))
        yield _event("message_stop")

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._index, delta=delta)

    def _stopped(self, choice: Choice) -> dict[str, Any]:
        if self._refused:
            return {"stop_reason": "refusal", "stop_sequence": None}
        if choice.finish_reason == "stop" and choice.stop_reason in self._stop_sequences:
            return {"stop_reason": "stop_sequence", "stop_sequence": choice.stop_reason}
        reason = _STOP_REASONS.get(choice.finish_reason or "stop", "end_turn")
        return {"stop_reason": reason, "stop_sequence": None}

    def _message(self, model: str, content: list[Any], usage: dict[str, int]) -> dict[str, Any]:
        named = {"id": self._id, "type": "message", "role": "assistant", "model": model}
        return named | {"content": content, "usage": usage}


def _blocks(said: Said) -> Iterator[dict[str, Any]]:
    if said.thinking_blocks:
        yield from said.thinking_blocks
    elif said.thinking:
        yield {"type": "thinking", "thinking": said.thinking, "signature": ""}
    for text in filter(None, (said.content, said.refusal)):
        yield {"type": "text", "text": text}
    for call in said.tool_calls or ():
        function = call.function
        if function is None or not function.name:
            raise UpstreamGarbled("The provider's tool call names no tool.")
        given = _arguments(function.arguments or "{}")
        yield {"type": "tool_use", "id": call.id or "", "name": function.name, "input": given}


def _arguments(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as reason:
        raise UpstreamGarbled("The arguments of the provider's tool call are not a JSON object.") from reason


def _usage(counted: Counted) -> dict[str, int]:
    """Anthropic counts what came from a cache apart; OpenAI counts it in."""
    cached = counted.cached_tokens
    return {
        "input_tokens": max(counted.prompt_tokens - cached, 0),
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": counted.completion_tokens,
    }


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode({"type": kind} | fields) + b"\n\n"
