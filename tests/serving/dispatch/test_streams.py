"""However the network cuts a stream, and whatever keeps it alive, a caller sees the same chunks."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.dispatch import openai_request
from serving.dispatch.anthropic_answer import StreamReader as AnthropicReader
from serving.dispatch.completion import Call
from serving.dispatch.gemini_answer import StreamReader as GeminiReader
from serving.dispatch.native import Translated
from serving.dispatch.passed_through import PassedThrough
from serving.dispatch.signatures import Signatures
from serving.dispatch.sse import EventSplitter
from tests.fakes import FakeProvider, apart, streaming
from tests.serving.dispatch.asking import ASKED, GOLDEN, adapter, deployment, put_together

NAMES = ("anthropic", "gemini", "openai")
CALL = Call(ASKED | {"stream": True}, stream=True, wants_usage=True)
BY_NAME = pytest.mark.parametrize("name", NAMES)


class Pieces:
    """A provider's events out of pieces in memory."""

    def __init__(self, pieces):
        self.ended = False
        self._pieces = iter(pieces)
        self._splitter = EventSplitter()

    @property
    def plain(self):
        return self._splitter.plain

    async def next(self):
        piece = next(self._pieces, None)
        self.ended = piece is None
        return self._splitter.end() if piece is None else self._splitter.feed(piece)


def stream_of(name, pieces):
    if name == "openai":
        return PassedThrough(Pieces(pieces), CALL, key=None)
    asked = openai_request.read(ASKED)
    reader = AnthropicReader(asked, Signatures()) if name == "anthropic" else GeminiReader(1, Signatures())
    return Translated(Pieces(pieces), reader, "their-name", None, wants_usage=True)


def without_a_loop(work):
    """Return what a coroutine returns that never has to wait."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


def seen(name, *pieces):
    """Return what a client makes of the stream, after checking that it keeps to the grammar."""

    async def run():
        stream = stream_of(name, pieces)
        return apart([piece async for piece in stream]), stream.usage

    events, usage = without_a_loop(run())
    assert events[-1] == b"data: [DONE]\n\n"
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events[:-1]]
    keeps_to_the_grammar(chunks)
    message = put_together(chunks)
    for call in message["tool_calls"]:
        # Gemini gives none, so that each stream has its own
        call["id"] = "call_" if call["id"].startswith("call_") else call["id"]
    return message, usage


def keeps_to_the_grammar(chunks):
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert [place for place, delta in enumerate(deltas) if "role" in delta] == [0]
    assert [place for place, chunk in enumerate(chunks) if chunk.get("usage")] == [len(chunks) - 1]
    assert chunks[-1]["choices"] == []
    finishes = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert [reason for reason in finishes if reason] == ["tool_calls"] == finishes[-1:]
    assert len({(chunk["id"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
    named = [call for delta in deltas for call in delta.get("tool_calls", ()) if "id" in call]
    assert [(call["index"], call["type"]) for call in named] == [(0, "function"), (1, "function")]


def with_noise(stream):
    """Return the stream with what providers send to keep a line alive between its events."""
    return stream.replace(b"\n\n", b"\n\n: keep-alive\n\n:\n\nid: 7\nretry: 100\n\n")


@BY_NAME
def test_what_the_stream_says(name):
    message, usage = seen(name, GOLDEN[name])
    assert message["content"].startswith("Hello wörld")
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["look", "hear"]
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"at": "Köln"}
    assert usage.output_tokens in (30, 42)


@BY_NAME
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_a_cut_at_every_byte_changes_nothing(name, line_end):
    stream = GOLDEN[name].replace(b"\n", line_end)
    expected = seen(name, GOLDEN[name])
    for cut in range(len(stream) + 1):
        assert seen(name, stream[:cut], stream[cut:]) == expected


@BY_NAME
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_comments_and_one_byte_at_a_time_change_nothing(name, line_end):
    stream = with_noise(GOLDEN[name]).replace(b"\n", line_end)
    assert seen(name, *(bytes([one]) for one in stream)) == seen(name, GOLDEN[name])


@BY_NAME
@given(data=st.data())
@settings(max_examples=50)
def test_any_cuts_change_nothing(name, data):
    stream = with_noise(GOLDEN[name])
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    pieces = [stream[a:b] for a, b in pairwise([0, *sorted(cuts), len(stream)])]
    assert seen(name, *pieces) == seen(name, GOLDEN[name])


@BY_NAME
def test_a_last_event_without_a_blank_line_or_done_loses_nothing(name):
    stream = GOLDEN[name].removesuffix(b"data: [DONE]\n\n").rstrip(b"\n")
    assert seen(name, stream) == seen(name, GOLDEN[name])


@pytest.mark.parametrize("name", ["anthropic", "gemini", "openai_compatible"])
def test_a_caller_who_leaves_hangs_up_on_the_provider(name):
    async def run(base_url):
        using = adapter(name)
        stream = await using.stream(deployment(name, base_url), CALL)
        async for _ in stream:
            break
        await stream.close()
        await using.close()

    first = GOLDEN[name.removesuffix("_compatible")][:1_500]
    with FakeProvider(streaming(first, then="stall")) as provider:
        asyncio.run(run(provider.base_url))
        assert provider.hung_up.wait(5)


def test_a_slow_reader_holds_the_provider_up_instead_of_filling_the_memory():
    event = (
        b"data: "
        + json.dumps(json.loads(GOLDEN["openai"].split(b"\n\n")[1][6:]) | {"pad": "x" * 100_000}).encode()
    )
    count, sent = 400, 0

    async def provide(reader, writer):
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for _ in range(count):
            writer.write(event + b"\n\n")
            await writer.drain()
            sent += 1
        writer.write(b"data: [DONE]\n\n")
        writer.close()

    async def run():
        server = await asyncio.start_server(provide, "127.0.0.1", 0)
        using = adapter("openai_compatible")
        port = server.sockets[0].getsockname()[1]
        stream = await using.stream(deployment("openai_compatible", f"http://127.0.0.1:{port}"), CALL)
        pieces = aiter(stream)
        length = len(await anext(pieces))
        before = -1
        while sent != before:
            before = sent
            for _ in range(1_000):
                await asyncio.sleep(0)
        held_up_at = sent
        async for piece in pieces:
            length += len(piece)
        await stream.close()
        await using.close()
        server.close()
        return held_up_at, length

    held_up_at, length = asyncio.run(run())
    assert held_up_at < count / 2
    assert length > count * 100_000
