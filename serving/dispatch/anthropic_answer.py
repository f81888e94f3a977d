"""Reads Anthropic's answers, whole and streamed (platform.claude.com/docs/en/build-with-claude/streaming)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serving.dispatch.conversation import Conversation
from serving.dispatch.native import Answer, not_an_answer
from serving.dispatch.openai_answer import Choice, Piece, ToolCall
from serving.dispatch.openai_wire import count
from serving.dispatch.signatures import Signatures
from serving.records import Usage

# platform.claude.com/docs/en/build-with-claude/handling-stop-reasons; an unknown one is an ordinary end
_FINISH = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_THOUGHTS = ("thinking", "redacted_thinking")


def answer(found: dict[str, Any], asked: Conversation, signatures: Signatures) -> Answer:
    """Return what a whole answer says."""
    blocks = found.get("content")
    if not isinstance(blocks, list):
        raise not_an_answer()
    choice = Choice(finish=_finish(found.get("stop_reason"), asked), refusal=_refusal(found))
    for block in blocks:
        _take(block if isinstance(block, dict) else {}, choice, _by_tool(asked))
    _remember(signatures, [call.id for call in choice.calls], choice.thoughts)
    return Answer(str(found.get("id") or ""), [choice], usage(found.get("usage")))


def _take(block: dict[str, Any], choice: Choice, by_tool: bool) -> None:
    kind = block.get("type")
    if kind == "text":
        choice.text += str(block.get("text") or "")
    elif kind == "tool_use" and by_tool:
        choice.text += _json(block.get("input"))
    elif kind == "tool_use":
        name, call_id = str(block.get("name") or ""), str(block.get("id") or "")
        choice.calls.append(ToolCall(name, _json(block.get("input")), call_id))
    elif kind in _THOUGHTS:
        choice.thoughts.append(block)
        choice.reasoning += str(block.get("thinking") or "")


class StreamReader:
    """Reads the events of one stream."""

    def __init__(self, asked: Conversation, signatures: Signatures) -> None:
        self.usage = Usage()
        self.id = ""
        self.ended = False
        self.complete = False
        self._asked = asked
        self._signatures = signatures
        self._counted: dict[str, Any] = {}
        self._calls: dict[int, int] = {}
        self._call_ids: list[str] = []
        self._silent: set[int] = set()
        self._thoughts: list[dict[str, Any]] = []
        self._open: dict[int, dict[str, Any]] = {}

    def read(self, event: dict[str, Any]) -> Iterator[Piece]:
        """Yield what an event adds; kinds that are not known add nothing, as the documentation asks."""
        kind = event.get("type")
        if kind == "message_start":
            message = event.get("message") or {}
            self.id = str(message.get("id") or "")
            self._count(message.get("usage"))
        elif kind == "content_block_start":
            yield from self._start(event.get("index", 0), event.get("content_block") or {})
        elif kind == "content_block_delta":
            yield from self._delta(event.get("index", 0), event.get("delta") or {})
        elif kind == "content_block_stop":
            yield from self._stop(event.get("index", 0))
        elif kind == "message_delta":
            self._count(event.get("usage"))
            delta = event.get("delta") or {}
            if delta.get("stop_reason"):
                self.complete = True
                _remember(self._signatures, self._call_ids, self._thoughts)
                finish = _finish(delta["stop_reason"], self._asked)
                yield Piece(refusal=_refusal(delta) or "", finish=finish)
        elif kind == "message_stop":
            self.ended = True

    def _count(self, found: Any) -> None:
        """Take in counts, which are cumulative: later ones stand for earlier ones."""
        if isinstance(found, dict):
            self._counted |= {name: value for name, value in found.items() if value is not None}
            self.usage = usage(self._counted)

    def _start(self, index: int, block: dict[str, Any]) -> Iterator[Piece]:
        kind = block.get("type")
        if kind == "tool_use" and not _by_tool(self._asked):
            self._calls[index] = len(self._calls)
            call_id = str(block.get("id") or "")
            self._call_ids.append(call_id)
            self._silent.add(index)
            name = str(block.get("name") or "")
            yield Piece(call=self._calls[index], call_id=call_id, call_name=name)
        elif kind in _THOUGHTS:
            self._open[index] = dict(block)
        elif kind == "text" and block.get("text"):
            yield Piece(text=str(block["text"]))

    def _delta(self, index: int, delta: dict[str, Any]) -> Iterator[Piece]:
        kind = delta.get("type")
        if kind == "text_delta":
            yield Piece(text=str(delta.get("text") or ""))
        elif kind == "input_json_delta":
            part = str(delta.get("partial_json") or "")
            if part and _by_tool(self._asked):
                yield Piece(text=part)
            elif part and index in self._calls:
                self._silent.discard(index)
                yield Piece(call=self._calls[index], arguments=part)
        elif kind == "thinking_delta" and index in self._open:
            part = str(delta.get("thinking") or "")
            self._open[index]["thinking"] = self._open[index].get("thinking", "") + part
            yield Piece(reasoning=part)
        elif kind == "signature_delta" and index in self._open:
            self._open[index]["signature"] = str(delta.get("signature") or "")

    def _stop(self, index: int) -> Iterator[Piece]:
        block = self._open.pop(index, None)
        if block is not None:
            self._thoughts.append(block)
            yield Piece(thoughts=(block,))
        if index in self._silent:
            # a call without arguments sends no part of them
            yield Piece(call=self._calls[index], arguments="{}")


def usage(found: Any) -> Usage:
    """Return what was counted: what came from a cache or went into one is not in Anthropic's `input_tokens`.

    >>> usage({"input_tokens": 5, "cache_read_input_tokens": 90, "output_tokens": 3}).input_tokens
    95
    """
    if not isinstance(found, dict):
        return Usage()
    fresh, read = count(found.get("input_tokens")), count(found.get("cache_read_input_tokens"))
    written = count(found.get("cache_creation_input_tokens"))
    details = found.get("output_tokens_details")
    thought = count(details.get("thinking_tokens")) if isinstance(details, dict) else None
    total = None if fresh is None else fresh + (read or 0) + (written or 0)
    return Usage(total, count(found.get("output_tokens")), read, written, thought)


def _finish(reason: Any, asked: Conversation) -> str:
    if reason == "tool_use" and _by_tool(asked):
        return "stop"
    return _FINISH.get(str(reason), "stop")


def _refusal(found: dict[str, Any]) -> str | None:
    if found.get("stop_reason") != "refusal":
        return None
    details = found.get("stop_details")
    told = details.get("explanation") if isinstance(details, dict) else None
    return str(told or "The model declined to answer.")


def _by_tool(asked: Conversation) -> bool:
    """Tell whether the answer comes as the input of the tool that stands for JSON mode."""
    return asked.format is not None and asked.format.kind == "json_object"


def _remember(signatures: Signatures, call_ids: list[str], thoughts: list[dict[str, Any]]) -> None:
    if call_ids and thoughts:
        signatures.keep(call_ids[0], tuple(thoughts), len(msgspec.json.encode(thoughts)))


def _json(value: Any) -> str:
    return msgspec.json.encode(value or {}).decode()
