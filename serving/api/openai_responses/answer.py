"""From a chat completion, whole or streamed, to OpenAI's response and its events."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec

from serving.api.chunks import Choice, Completion, Counted, Said, ToolCall, chunks, whole
from serving.api.openai_responses.bodies import ResponsesBody
from serving.dispatch.adapter import ProviderError
from serving.errors import UpstreamGarbled

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
# Of the kind of an item: the kind of its one part, and how its events are called.
_PART = {"text": ("output_text", "text"), "refusal": ("refusal", "refusal")}


class Responses:
    """Writes one answer as the Responses API does; a stream's last event says all of its items again."""

    def __init__(self, body: ResponsesBody) -> None:
        self._asked = body
        self._id = ""
        self._model = body.model
        self._created = int(time.time())
        self._count = -1
        self._begun = False
        self._output: list[dict[str, Any]] = []
        self._open: tuple[str, int] | None = None
        self._pieces: list[str] = []
        self._called: set[int] = set()
        self._finish: str | None = None
        self._usage: Counted | None = None

    def whole(self, body: bytes, decision_id: str) -> bytes:
        """Return a whole answer as a response."""
        self.begin(decision_id)
        found = whole(body)
        if not found.choices:
            raise UpstreamGarbled("The provider's answer has no choices.")
        self._model = found.model or self._model
        self._usage = found.usage
        self._finish = found.choices[0].finish_reason
        said = found.choices[0].message or Said()
        for kind, text in (("text", said.content), ("refusal", said.refusal)):
            if text:
                self._output.append(self._item(kind, text))
        for call in said.tool_calls or ():
            if call.function is None or not call.function.name:
                raise UpstreamGarbled("The provider's tool call names no tool.")
            self._output.append(self._call(call, call.function.arguments or ""))
        return msgspec.json.encode(self._response(self._status()))

    def begin(self, decision_id: str) -> None:
        """Take in the id that the response gets."""
        self._id = f"resp_{decision_id.removeprefix('dec_')}"

    def piece(self, events: bytes) -> bytes:
        """Return the events that the next chunks become."""
        written: list[bytes] = []
        for chunk in chunks(events):
            written += self._ended() if chunk is None else self._chunk(chunk)
        return b"".join(written)

    def failure(self, error: ProviderError) -> bytes:
        """End a stream that broke in the middle: an `error`, and the response as far as it came."""
        failed = self._response("failed") | {"error": {"code": "server_error", "message": error.message}}
        told = {"code": error.kind, "message": error.message, "param": None}
        return self._event("error", **told) + self._event("response.failed", response=failed)

    def _chunk(self, chunk: Completion) -> Iterator[bytes]:
        if not self._begun:
            self._begun = True
            self._model = chunk.model or self._model
            yield self._event("response.created", response=self._response("in_progress"))
            yield self._event("response.in_progress", response=self._response("in_progress"))
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices[:1]:
            yield from self._said(choice)

    def _said(self, choice: Choice) -> Iterator[bytes]:
        delta = choice.delta or Said()
        for kind, text in (("text", delta.content), ("refusal", delta.refusal)):
            if text:
                yield from self._opened((kind, 0), self._item(kind, ""))
                yield from self._added(text)
        for call in delta.tool_calls or ():
            yield from self._called_tool(call)
        self._finish = choice.finish_reason or self._finish

    def _called_tool(self, call: ToolCall) -> Iterator[bytes]:
        place = call.index or 0
        if self._open != ("call", place):
            if place in self._called or call.function is None or not call.function.name:
                raise ProviderError("upstream", "The provider's tool calls are mixed up.", retryable=False)
            self._called.add(place)
            yield from self._opened(("call", place), self._call(call, ""))
        if call.function is not None and call.function.arguments:
            yield from self._added(call.function.arguments)

    def _opened(self, opening: tuple[str, int], item: dict[str, Any]) -> Iterator[bytes]:
        """Begin an item where it is not the one that is open."""
        if self._open == opening:
            return
        yield from self._closed()
        self._open = opening
        self._output.append(item)
        shown = item | {"status": "in_progress"} | ({} if opening[0] == "call" else {"content": []})
        yield self._event("response.output_item.added", output_index=self._place, item=shown)
        if opening[0] != "call":
            yield self._in_part("response.content_part.added", part=item["content"][0])

    def _added(self, text: str) -> Iterator[bytes]:
        kind, _ = self._open or ("text", 0)
        self._pieces.append(text)
        if kind == "call":
            yield self._in_item("response.function_call_arguments.delta", delta=text)
        else:
            yield self._in_part(f"response.{_PART[kind][0]}.delta", delta=text, **_logprobs(kind))

    def _closed(self) -> Iterator[bytes]:
        """End the open item: what it said in pieces is said once more as a whole."""
        if self._open is None:
            return
        (kind, _), said = self._open, "".join(self._pieces)
        item = self._output[-1]
        if kind == "call":
            item["arguments"] = said
            yield self._in_item("response.function_call_arguments.done", name=item["name"], arguments=said)
        else:
            part, field = _PART[kind]
            item["content"][0][field] = said
            yield self._in_part(f"response.{part}.done", **{field: said}, **_logprobs(kind))
            yield self._in_part("response.content_part.done", part=item["content"][0])
        yield self._event("response.output_item.done", output_index=self._place, item=item)
        self._open, self._pieces = None, []

    def _ended(self) -> Iterator[bytes]:
        yield from self._closed()
        status = self._status()
        yield self._event(f"response.{status}", response=self._response(status))

    @property
    def _place(self) -> int:
        return len(self._output) - 1

    def _in_item(self, kind: str, **fields: Any) -> bytes:
        return self._event(kind, item_id=self._output[-1]["id"], output_index=self._place, **fields)

    def _in_part(self, kind: str, **fields: Any) -> bytes:
        return self._in_item(kind, content_index=0, **fields)

    def _item(self, kind: str, text: str) -> dict[str, Any]:
        part, field = _PART[kind]
        more: dict[str, Any] = {"annotations": [], "logprobs": []} if kind == "text" else {}
        named = {"type": "message", "id": self._name("msg"), "status": "completed", "role": "assistant"}
        return named | {"content": [{"type": part, field: text} | more]}

    def _call(self, call: ToolCall, arguments: str) -> dict[str, Any]:
        name = call.function.name if call.function else None
        identity = self._name("fc")
        told = {"type": "function_call", "id": identity, "call_id": call.id or identity, "name": name}
        return told | {"arguments": arguments, "status": "completed"}

    def _name(self, prefix: str) -> str:
        return f"{prefix}_{self._id.removeprefix('resp_')}_{len(self._output)}"

    def _status(self) -> str:
        return "incomplete" if self._finish in _INCOMPLETE else "completed"

    def _response(self, status: str) -> dict[str, Any]:
        """Return the response as it stands, with what was asked, as OpenAI repeats it."""
        asked = self._asked
        reason = _INCOMPLETE.get(self._finish or "") if status == "incomplete" else None
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens,
            "metadata": asked.metadata or {},
            "model": self._model,
            "output": self._output,
            "parallel_tool_calls": asked.parallel_tool_calls is not False,
            "previous_response_id": None,
            "store": False,
            "temperature": asked.temperature,
            "text": asked.text or {"format": {"type": "text"}},
            "tool_choice": asked.tool_choice or "auto",
            "tools": asked.tools or [],
            "top_p": asked.top_p,
            "truncation": "disabled",
            "usage": None if self._usage is None else _usage(self._usage),
        }

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._count += 1
        told = {"type": kind, "sequence_number": self._count} | fields
        return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(told) + b"\n\n"


def _logprobs(kind: str) -> dict[str, Any]:
    return {"logprobs": []} if kind == "text" else {}


def _usage(counted: Counted) -> dict[str, Any]:
    return {
        "input_tokens": counted.prompt_tokens,
        "input_tokens_details": {"cached_tokens": counted.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": counted.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": counted.reasoning_tokens},
        "total_tokens": counted.prompt_tokens + counted.completion_tokens,
    }
