"""An upstream that streams, and fails in every way a provider does, at random but by a seed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter

CHUNKS = 20
_PAUSE_S = 0.02

# How often (in a hundred requests) what happens; the rest is answered well.
FAULTS = {
    "rate_limit": 4,
    "server_error": 4,
    "disconnect_first": 3,
    "disconnect_middle": 2,
    "malformed": 2,
    "error_event": 2,
    "slow": 3,
    "stall_first": 1,
    "stall_middle": 1,
}


class FaultyUpstream:
    """Answers chat completions with a stream of chunks, or with a fault; counts what it did."""

    def __init__(self, seed: int) -> None:
        self.did: Counter[str] = Counter()
        self.port = 0
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> FaultyUpstream:
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.did["connections closed by the other side"] += 1
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        kind = self._drawn()
        self.did[kind] += 1
        if kind == "rate_limit":
            return await _refuse(writer, b"429 Too Many Requests", b"retry-after-ms: 20\r\n")
        if kind == "server_error":
            return await _refuse(writer, b"500 Internal Server Error", b"")
        if kind == "disconnect_first":
            return False
        if kind == "stall_first":
            return await _silence(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        broken_at = self._random.randrange(1, CHUNKS)
        for place in range(CHUNKS):
            if place == broken_at and kind == "disconnect_middle":
                return False
            if place == broken_at and kind == "stall_middle":
                return await _silence(reader)
            if place == broken_at and kind == "malformed":
                _write(writer, b"data: {not json\n\n")
            if place == broken_at and kind == "error_event":
                _write(writer, b'data: {"error": {"message": "overloaded", "code": "overloaded_error"}}\n\n')
            _write(writer, _chunk({"content": f"word {place} "}))
            await writer.drain()
            await asyncio.sleep(_PAUSE_S * (10 if kind == "slow" else 1))
        _write(writer, _chunk({}, "stop"))
        _write(writer, b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 40}}\n\n')
        _write(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _drawn(self) -> str:
        drawn = self._random.uniform(0, 100)
        for kind, share in FAULTS.items():
            drawn -= share
            if drawn < 0:
                return kind
        return "answered"


async def _silence(reader: asyncio.StreamReader) -> bool:
    """Say nothing more until the other side gives up."""
    await reader.read()
    return False


async def _refuse(writer: asyncio.StreamWriter, status: bytes, header: bytes) -> bool:
    body = b'{"error": {"message": "not now", "type": "server_error"}}'
    length = b"content-length: %d\r\n\r\n" % len(body)
    writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-type: application/json\r\n" + header + length + body)
    await writer.drain()
    return True


def _write(writer: asyncio.StreamWriter, event: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(event), event))


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
