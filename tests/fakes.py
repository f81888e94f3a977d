"""A provider at the seam: a real HTTP server on loopback that answers as scripted, faults included."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call, Whole
from serving.records import Usage


def chunk(delta: dict[str, Any], finish: str | None = None, **extra: Any) -> bytes:
    """Return one streamed chunk in OpenAI's shape, as its data."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return json.dumps(body | extra).encode()


def sse(*data: bytes, end: bytes = b"\n\n") -> bytes:
    """Return data as server-sent events."""
    return b"".join(b"data: " + one + end for one in data)


def apart(pieces: Sequence[bytes]) -> list[bytes]:
    """Return the events of a stream one by one; those that came together are yielded together."""
    return [one + b"\n\n" for one in b"".join(pieces).split(b"\n\n") if one]


USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
USAGE_CHUNK = json.dumps(
    {"id": "c1", "object": "chat.completion.chunk", "choices": [], "usage": USAGE}
).encode()
HELLO_CHUNKS = (
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hello "}),
    chunk({"content": "wörld"}),
    chunk({}, "stop"),
)
HELLO_STREAM = sse(*HELLO_CHUNKS, USAGE_CHUNK, b"[DONE]")
HELLO = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello wörld"}, "finish_reason": "stop"}
    ],
    "usage": USAGE,
}


def answering(message: dict[str, Any], finish: str = "stop", **extra: Any) -> Reply:
    """Return a whole answer with this message."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None} | message,
        "finish_reason": finish,
    }
    return Reply((json.dumps(HELLO | {"choices": [choice]} | extra).encode(),))


def calling(*calls: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Return tool calls of (id, name, arguments)."""
    return [
        {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}
        for identity, name, arguments in calls
    ]


def calling_in_chunks(*calls: tuple[str, str, str]) -> list[bytes]:
    """Return the chunks in which a provider streams these calls, each cut in the middle of its arguments."""
    chunks = [chunk({"role": "assistant", "content": None})]
    for place, (identity, name, arguments) in enumerate(calls):
        half = len(arguments) // 2
        opened = {"name": name, "arguments": ""}
        chunks.append(
            chunk({"tool_calls": [{"index": place, "id": identity, "type": "function", "function": opened}]})
        )
        for piece in (arguments[:half], arguments[half:]):
            chunks.append(chunk({"tool_calls": [{"index": place, "function": {"arguments": piece}}]}))
    return [*chunks, chunk({}, "tool_calls"), USAGE_CHUNK, b"[DONE]"]


@dataclass(frozen=True)
class Reply:
    """One scripted answer: `pieces` are sent one by one, `pause_s` apart; then `then` happens.

    `then` is `end` (a proper end), `disconnect` (break off), or `stall` (say nothing more).
    """

    pieces: Sequence[bytes] = (json.dumps(HELLO).encode(),)
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    pause_s: float = 0.0
    then: str = "end"


def failing(status: int, message: str = "no", code: str | None = None, **headers: str) -> Reply:
    """Return an error in OpenAI's shape."""
    body = {"error": {"message": message, "type": "some_error", "param": None, "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply((json.dumps(body).encode(),), status, {"content-type": "application/json"} | named)


def streaming(*pieces: bytes, then: str = "end", pause_s: float = 0.0) -> Reply:
    """Return a stream that arrives in these pieces."""
    return Reply(pieces or (HELLO_STREAM,), 200, {"content-type": "text/event-stream"}, pause_s, then)


Scripted = Reply | Callable[[dict[str, Any]], Reply]


class FakeProvider:
    """Answers each request with the next scripted reply, the last one for ever; keeps what it was sent.

    A function in the script makes its reply from the body that was sent.
    """

    def __init__(self, *script: Scripted) -> None:
        self._script: list[Scripted] = list(script) or [Reply()]
        self.requests: list[dict[str, Any]] = []
        self.connections = 0
        self.hung_up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._handlers: set[asyncio.Task[None]] = set()

    def __enter__(self) -> FakeProvider:
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._handle, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def plays(self, *script: Scripted) -> FakeProvider:
        """Start a new script, and forget what was sent so far."""
        self._script = list(script) or [Reply()]
        self.requests.clear()
        return self

    @property
    def sent(self) -> dict[str, Any]:
        """Return the body of the only request of this script."""
        (request,) = self.requests
        body: dict[str, Any] = request["body"]
        return body

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _stop(self) -> None:
        self._server.close()
        for task in self._handlers:
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.connections += 1
        task.add_done_callback(self._handlers.discard)
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up.set()
        except asyncio.CancelledError:
            # the test is over; asyncio's stream protocol would report it as a fault
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append({"line": first, "headers": headers, "body": json.loads(body or b"null")})
        scripted = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        reply = scripted if isinstance(scripted, Reply) else scripted(self.requests[-1]["body"])
        writer.write(_head(reply))
        for piece in reply.pieces:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            if reply.pause_s:
                await asyncio.sleep(reply.pause_s)
        if reply.then == "stall":
            await reader.read(1)
            self.hung_up.set()
            return False
        if reply.then == "disconnect":
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def _head(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} Scripted", "transfer-encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class ScriptedStream:
    """A stream in memory: yields its events, then raises its error where it has one."""

    def __init__(self, events: Sequence[bytes], error: Exception | None = None) -> None:
        self.usage = Usage(7, 2)
        self.closed = False
        self._events = events
        self.error = error

    async def __aiter__(self):
        for event in self._events:
            yield event
        if self.error is not None:
            raise self.error

    async def close(self) -> None:
        self.closed = True


class ScriptedAdapter:
    """An adapter in memory: per deployment an answer, an error to raise, or a coroutine function to await."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def complete(self, deployment, call: Call) -> Whole:
        return await self._next(deployment.name)

    async def stream(self, deployment, call: Call):
        return await self._next(deployment.name)

    async def close(self) -> None:
        pass

    async def _next(self, name: str) -> Any:
        self.asked.append(name)
        answer = self._answers[name]
        if callable(answer):
            answer = await answer()
        if isinstance(answer, Exception):
            raise answer
        return answer


def down(kind: str = "upstream", retryable: bool = True, **fields: Any) -> ProviderError:
    """Return a provider's error."""
    return ProviderError(kind, f"scripted {kind}", retryable=retryable, **fields)
