"""Asks a provider's fake through an adapter, whole or streamed, and takes the answer apart."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.dispatch.adapter import Adapter, ProviderError
from serving.dispatch.anthropic import Anthropic
from serving.dispatch.completion import Call
from serving.dispatch.connection import Connection, Timeouts
from serving.dispatch.gemini import Gemini
from serving.dispatch.native import Native
from serving.dispatch.openai_compatible import OpenAICompatible
from serving.records import Usage
from serving.routing.catalog import Deployment
from tests.fakes import apart

KEY = "sk-secret-of-the-test"
FAST = Timeouts(connect_ms=2_000, first_byte_ms=2_000, idle_ms=700)
# Streams as the providers' documentation describes them, written for these tests.
GOLDEN = {path.stem: path.read_bytes() for path in (Path(__file__).parent / "golden").glob("*.sse")}
ASKED = {"model": "auto", "messages": [{"role": "user", "content": "Hello?"}]}


def adapter(name: str, timeouts: Timeouts = FAST) -> Adapter:
    """Return the adapter of that name with a connection of its own."""
    keys, connection = {"SOME_KEY": KEY}, Connection(timeouts)
    if name == "anthropic":
        return Native(Anthropic(), keys, connection)
    if name == "gemini":
        return Native(Gemini(), keys, connection)
    return OpenAICompatible(keys, connection)


def deployment(name: str, base_url: str, dialect: str | None = None, **fields: Any) -> Deployment:
    """Return a row that leads to the fake."""
    return Deployment("d", "their-name", name, "economy", {}, base_url, "SOME_KEY", dialect=dialect, **fields)


@dataclass
class Streamed:
    """A stream to its end: its events, what was used, and the error it ended with."""

    events: list[bytes] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    error: ProviderError | None = None

    @property
    def chunks(self) -> list[dict[str, Any]]:
        return [json.loads(one[6:]) for one in self.events if one != b"data: [DONE]\n\n"]


def whole(using: Adapter, row: Deployment, body: dict[str, Any]) -> tuple[dict[str, Any], Usage]:
    """Return the whole answer and its usage."""

    async def run() -> tuple[dict[str, Any], Usage]:
        try:
            found = await using.complete(row, Call(body, stream=False))
            return json.loads(found.body), found.usage
        finally:
            await using.close()

    return asyncio.run(run())


def streamed(using: Adapter, row: Deployment, body: dict[str, Any], *, wants_usage: bool = True) -> Streamed:
    """Return the stream, taken to its end."""

    async def run() -> Streamed:
        found = Streamed()
        try:
            stream = await using.stream(row, Call(body | {"stream": True}, True, wants_usage))
            pieces = []
            try:
                async for piece in stream:
                    pieces.append(piece)
            except ProviderError as error:
                found.error = error
            await stream.close()
            found.events, found.usage = apart(pieces), stream.usage
            return found
        finally:
            await using.close()

    return asyncio.run(run())


def put_together(chunks: list[dict[str, Any]], choice: int = 0) -> dict[str, Any]:
    """Return the message that a stream's chunks add up to, as a client's SDK assembles it."""
    message: dict[str, Any] = {}
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for part in chunk["choices"]:
            if part["index"] != choice:
                continue
            for name, value in part["delta"].items():
                if name == "tool_calls":
                    for call in value:
                        _add_call(calls, call)
                elif name in ("content", "reasoning_content", "refusal") and value is not None:
                    message[name] = message.get(name, "") + value
                elif name == "thinking_blocks":
                    message[name] = message.get(name, []) + value
                else:
                    message[name] = value
            if part["finish_reason"]:
                message["finish_reason"] = part["finish_reason"]
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return message


def _add_call(calls: dict[int, dict[str, Any]], call: dict[str, Any]) -> None:
    kept = calls.setdefault(call["index"], {"function": {"arguments": ""}})
    function = call.get("function", {})
    kept["function"]["arguments"] += function.get("arguments", "")
    if "name" in function:
        kept["function"]["name"] = function["name"]
    kept |= {name: call[name] for name in ("id", "type", "extra_content") if name in call}
