"""One grammar for the streams of all who speak OpenAI's protocol; a chunk that follows it is never touched.

The grammar: one role per choice, with its first chunk; a call's id, type and name once, then only arguments;
an index per call; no usage beside choices; one id in all chunks; finish reasons of OpenAI's.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

import msgspec

from serving.dispatch.adapter import ProviderError
from serving.dispatch.openai_wire import CallSeen, ChoiceSeen, Seen
from serving.dispatch.sse import event

# docs.mistral.ai/api, docs.together.ai/reference/chat-completions-1
_FINISH = {"model_length": "length", "eos": "stop"}
# DeepSeek (api-docs.deepseek.com/api/create-chat-completion) and OpenRouter, Mistral: the answer broke off
_BROKEN = frozenset({"insufficient_system_resource", "error"})


class Grammar:
    """What has been seen of one stream, and what follows for its next chunk."""

    def __init__(self) -> None:
        self._id: Any = None
        self._model: Any = None
        self._begun: set[int] = set()
        # per choice: our index of each call, by what the provider tells it by
        self._calls: dict[int, dict[Any, int]] = {}

    def follow(self, chunk: Seen, data: bytes) -> bytes:
        """Return the chunk as the grammar has it, the same bytes where nothing differs."""
        choices = chunk.choices
        if choices and len(choices) == 1 and chunk.id == self._id and self._model and not chunk.usage:
            # nothing but more words of one choice, as most chunks are
            choice, delta = choices[0], choices[0].delta
            plain = delta is not None and not (delta.role or delta.tool_calls)
            if plain and choice.finish_reason is None and (choice.index or 0) in self._begun:
                return data
        self._id = self._id or chunk.id
        self._model = self._model or chunk.model
        right = not chunk.id or chunk.id == self._id
        changes: list[dict[str, Any]] = []
        for choice in chunk.choices or ():
            change = self._change(choice)
            changes.append(change)
            right = right and not change
        if right and not (chunk.usage and chunk.choices):
            return data
        return self._written(data, changes)

    def usage_chunk(self, told: dict[str, Any]) -> bytes:
        """Return the event that tells what was used, after all others."""
        chunk: dict[str, Any] = {
            "id": self._id or "chatcmpl",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": self._model or "",
            "choices": [],
            "usage": told,
        }
        return event(msgspec.json.encode(chunk))

    def _change(self, choice: ChoiceSeen) -> dict[str, Any]:
        """Return what must differ in a choice: `role` to put or take away, `calls`, `finish`."""
        change: dict[str, Any] = {}
        place = choice.index or 0
        if choice.delta is not None:
            begun = place in self._begun
            self._begun.add(place)
            if begun == bool(choice.delta.role):
                change["role"] = None if begun else "assistant"
            if choice.delta.tool_calls:
                calls = [self._call(place, call) for call in choice.delta.tool_calls]
                if any(calls):
                    change["calls"] = calls
        finish = choice.finish_reason
        if finish in _BROKEN:
            raise ProviderError("upstream", f"The provider broke off: {finish}.", status=502, retryable=True)
        meant = _FINISH.get(finish, finish) if isinstance(finish, str) else finish
        if meant == "stop" and self._calls.get(place):
            meant = "tool_calls"
        if meant != finish:
            change["finish"] = meant
        return change

    def _call(self, choice: int, call: CallSeen) -> dict[str, Any] | None:
        """Return index and id that a part of a call should have, or None where it has them."""
        known = self._calls.setdefault(choice, {})
        index = known.get(call.id or None) if call.id else known.get(("at", call.index))
        if index is None and not call.id and call.index is None and known:
            index = max(known.values())
        if index is not None:
            # a later part: what names the call has been told
            repeats = call.id is not None or (call.function and call.function.name)
            return {"index": index, "later": True} if repeats or call.index != index else None
        index = max(known.values(), default=-1) + 1
        call_id = call.id or f"call_{secrets.token_hex(12)}"
        known[call_id] = index
        known[("at", call.index)] = index
        return None if call.id and call.index == index else {"index": index, "id": call_id}

    def _written(self, data: bytes, changes: list[dict[str, Any]]) -> bytes:
        chunk = msgspec.json.decode(data)
        if self._id:
            chunk["id"] = self._id
        if chunk.get("choices"):
            chunk.pop("usage", None)
        for choice, change in zip(chunk.get("choices") or (), changes, strict=True):
            if "finish" in change:
                choice["finish_reason"] = change["finish"]
            if "role" in change:
                choice["delta"].pop("role", None)
                if change["role"]:
                    choice["delta"] = {"role": change["role"]} | choice["delta"]
            for call, right in zip(
                choice.get("delta", {}).get("tool_calls") or (), change.get("calls", ()), strict=False
            ):
                _write_call(call, right)
        return msgspec.json.encode(chunk)


def _write_call(call: dict[str, Any], right: dict[str, Any] | None) -> None:
    if right is None:
        return
    call["index"] = right["index"]
    if right.get("later"):
        call.pop("id", None)
        call.pop("type", None)
        call.get("function", {}).pop("name", None)
    else:
        call |= {"id": right["id"], "type": "function"}
