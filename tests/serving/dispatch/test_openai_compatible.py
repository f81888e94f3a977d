"""Calls reach a provider as they were, with its own model name and our key, and come back as they are."""

from __future__ import annotations

import asyncio
import json

import pytest

from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call
from serving.dispatch.connection import Connection, Timeouts
from serving.dispatch.dispatcher import Dispatcher, Patience
from serving.dispatch.openai_compatible import OpenAICompatible
from serving.records import Usage
from serving.routing.catalog import Deployment
from tests.fakes import (
    HELLO,
    HELLO_CHUNKS,
    HELLO_STREAM,
    FakeProvider,
    Reply,
    apart,
    chunk,
    failing,
    sse,
    streaming,
)

BODY = {
    "model": "auto",
    "messages": [{"role": "user", "content": "hi"}],
    "temperature": 0.2,
    "weighbridge": {"max_cost_usd": 1},
}
FAST = Timeouts(connect_ms=2_000, first_byte_ms=2_000, idle_ms=700)


def deployment(base_url):
    return Deployment("d", "their-name", "openai_compatible", "economy", {}, base_url, "SOME_KEY")


def complete(base_url, body=BODY, keys=None, timeouts=FAST):
    async def run():
        adapter = OpenAICompatible({"SOME_KEY": "sk-secret"} if keys is None else keys, Connection(timeouts))
        try:
            return await adapter.complete(deployment(base_url), Call(body, stream=False))
        finally:
            await adapter.close()

    return asyncio.run(run())


def streamed(base_url, wants_usage=False, body=BODY, timeouts=FAST):
    """Return the events, the usage and the error that a stream ends with."""

    async def run():
        adapter = OpenAICompatible({"SOME_KEY": "sk-secret"}, Connection(timeouts))
        events, error = [], None
        try:
            stream = await adapter.stream(
                deployment(base_url), Call(body | {"stream": True}, True, wants_usage)
            )
            try:
                async for one in stream:
                    events.append(one)
            except ProviderError as failure:
                error = failure
            await stream.close()
            return apart(events), stream.usage, error
        finally:
            await adapter.close()

    return asyncio.run(run())


def test_the_body_goes_on_with_their_model_name_and_without_our_field():
    with FakeProvider() as provider:
        complete(provider.base_url)
    sent = provider.requests[0]
    assert sent["line"].startswith("POST /v1/chat/completions")
    expected = {"model": "their-name"} | {name: BODY[name] for name in ("messages", "temperature")}
    assert sent["body"] == expected
    assert sent["headers"]["authorization"] == "Bearer sk-secret"


def test_without_a_key_nothing_is_authorised():
    with FakeProvider() as provider:
        complete(provider.base_url, keys={})
    assert "authorization" not in provider.requests[0]["headers"]


def test_a_whole_answer_comes_back_byte_for_byte_with_its_usage():
    raw = json.dumps(HELLO, indent=3).encode()
    with FakeProvider(Reply((raw[:30], raw[30:]))) as provider:
        whole = complete(provider.base_url)
    assert whole.body == raw
    assert whole.usage == Usage(7, 2)


def test_cached_tokens_are_counted():
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}
    with FakeProvider(Reply((json.dumps(HELLO | {"usage": usage}).encode(),))) as provider:
        assert complete(provider.base_url).usage == Usage(7, 2, 5)


def test_an_answer_without_usage_is_an_answer():
    without = {name: value for name, value in HELLO.items() if name != "usage"}
    with FakeProvider(Reply((json.dumps(without).encode(),))) as provider:
        assert complete(provider.base_url).usage == Usage()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"choices": 3}', b"", b"\xff"])
def test_what_is_not_an_answer_is_an_upstream_failure(body):
    with FakeProvider(Reply((body,) if body else ())) as provider, pytest.raises(ProviderError) as caught:
        complete(provider.base_url)
    assert (caught.value.kind, caught.value.retryable) == ("upstream", True)


def test_a_refusal_keeps_the_providers_message_and_hides_the_key():
    with (
        FakeProvider(failing(401, "Bad key sk-secret given")) as provider,
        pytest.raises(ProviderError) as caught,
    ):
        complete(provider.base_url)
    assert caught.value.kind == "authentication"
    assert "Bad key" in caught.value.message
    assert "sk-secret" not in caught.value.message


def test_a_redirect_is_not_followed():
    with FakeProvider() as elsewhere:
        reply = failing(307, location=f"{elsewhere.base_url}/chat/completions")
        with FakeProvider(reply) as provider, pytest.raises(ProviderError) as caught:
            complete(provider.base_url)
    assert caught.value.kind == "upstream"
    assert elsewhere.requests == []


def test_nobody_listening_is_an_upstream_failure():
    with FakeProvider() as provider:
        gone = provider.base_url
    with pytest.raises(ProviderError) as caught:
        complete(gone)
    assert (caught.value.kind, caught.value.retryable) == ("upstream", True)


@pytest.mark.parametrize("then", ["stall", "disconnect"])
def test_half_an_answer_is_a_failure_within_the_deadline(then):
    with (
        FakeProvider(Reply((b'{"choices": [',), then=then)) as provider,
        pytest.raises(ProviderError) as caught,
    ):
        complete(provider.base_url)
    assert caught.value.kind == ("timeout" if then == "stall" else "upstream")


def test_a_stream_passes_event_by_event_and_ends_with_done():
    with FakeProvider(streaming()) as provider:
        events, usage, error = streamed(provider.base_url)
    assert b"".join(events) == sse(*HELLO_CHUNKS, b"[DONE]")
    assert (usage, error) == (Usage(7, 2), None)
    assert provider.requests[0]["body"]["stream_options"] == {"include_usage": True}


def test_the_usage_chunk_is_passed_to_a_caller_who_asked_for_it():
    with FakeProvider(streaming()) as provider:
        events, _, _ = streamed(provider.base_url, wants_usage=True)
    assert b"".join(events) == HELLO_STREAM


def test_the_callers_other_stream_options_are_kept():
    body = BODY | {"stream_options": {"include_obfuscation": False}}
    with FakeProvider(streaming()) as provider:
        streamed(provider.base_url, body=body)
    expected = {"include_obfuscation": False, "include_usage": True}
    assert provider.requests[0]["body"]["stream_options"] == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_the_pieces_of_the_network_change_nothing(size):
    ended = HELLO_STREAM.replace(b"\n", b"\r\n")
    pieces = [ended[at : at + size] for at in range(0, len(ended), size)]
    with FakeProvider(streaming(*pieces)) as provider:
        events, usage, _ = streamed(provider.base_url)
    assert b"".join(events) == sse(*HELLO_CHUNKS, b"[DONE]")
    assert usage == Usage(7, 2)


def test_a_missing_done_after_the_end_is_added():
    with FakeProvider(streaming(sse(*HELLO_CHUNKS))) as provider:
        events, _, error = streamed(provider.base_url)
    assert events[-1] == b"data: [DONE]\n\n"
    assert error is None


@pytest.mark.parametrize("then", ["end", "disconnect", "stall"])
def test_a_stream_that_breaks_off_in_the_middle_is_a_failure(then):
    with FakeProvider(streaming(sse(*HELLO_CHUNKS[:2]), then=then)) as provider:
        events, _, error = streamed(provider.base_url)
    assert len(events) == 2
    assert error.kind == ("timeout" if then == "stall" else "upstream")


def test_a_chunk_that_is_not_json_is_a_failure():
    with FakeProvider(streaming(sse(HELLO_CHUNKS[0], b"<oops>"))) as provider:
        events, _, error = streamed(provider.base_url)
    assert (len(events), error.kind) == (1, "upstream")


def test_an_error_event_is_the_error_it_says():
    error_event = json.dumps({"error": {"message": "full", "code": 529}}).encode()
    with FakeProvider(streaming(sse(HELLO_CHUNKS[0], error_event))) as provider:
        _, _, error = streamed(provider.base_url)
    assert (error.kind, error.message) == ("overloaded", "full")


def test_words_about_errors_and_usage_in_the_text_are_only_text():
    tricky = (chunk({"content": 'say "error" and "usage" {"error": 1}'}), chunk({}, "stop"))
    with FakeProvider(streaming(sse(*tricky, b"[DONE]"))) as provider:
        events, _, error = streamed(provider.base_url)
    assert (len(events), error) == (3, None)


def test_closing_a_stream_hangs_up_on_the_provider():
    async def run(base_url):
        adapter = OpenAICompatible({}, Connection(FAST))
        stream = await adapter.stream(deployment(base_url), Call(BODY, stream=True))
        async for _ in stream:
            break
        await stream.close()
        await adapter.close()

    with FakeProvider(streaming(sse(HELLO_CHUNKS[0]), then="stall")) as provider:
        asyncio.run(run(provider.base_url))
        assert provider.hung_up.wait(5)


def test_a_stream_is_over_at_done_even_where_the_connection_is_held():
    with FakeProvider(streaming(then="stall")) as provider:
        events, usage, error = streamed(provider.base_url)
    assert events[-1] == b"data: [DONE]\n\n"
    assert (usage, error) == (Usage(7, 2), None)


@pytest.mark.parametrize("then", ["disconnect", "stall"])
def test_an_answer_that_is_complete_survives_a_connection_that_breaks(then):
    with FakeProvider(streaming(sse(*HELLO_CHUNKS), then=then)) as provider:
        events, _, error = streamed(provider.base_url)
    assert events[-1] == b"data: [DONE]\n\n"
    assert error is None


def test_with_several_choices_the_end_of_one_is_not_the_end():
    first = json.loads(HELLO_CHUNKS[-1])
    second = json.loads(HELLO_CHUNKS[-1])
    second["choices"][0]["index"] = 1
    for ends, kind in (([first], "upstream"), ([first, second], None)):
        pieces = sse(HELLO_CHUNKS[0], *(json.dumps(end).encode() for end in ends))
        with FakeProvider(streaming(pieces)) as provider:
            _, _, error = streamed(provider.base_url, body=BODY | {"n": 2})
        assert (error and error.kind) == kind


def test_half_a_chunk_never_reaches_the_caller():
    cut = sse(HELLO_CHUNKS[0]) + b"data: " + HELLO_CHUNKS[1][:60]
    with FakeProvider(streaming(cut)) as provider:
        events, _, error = streamed(provider.base_url)
    assert (len(events), error.kind) == (1, "upstream")


def test_an_error_beside_choices_is_an_error():
    broken = chunk({"content": ""}, "error", error={"code": 502, "message": "host lost"})
    with FakeProvider(streaming(sse(HELLO_CHUNKS[0], broken, b"[DONE]"))) as provider:
        events, _, error = streamed(provider.base_url)
    assert (len(events), error.kind, error.message) == (1, "upstream", "host lost")


@pytest.mark.parametrize("usage", [{"prompt_tokens": "many", "completion_tokens": 2.0}, [], "none", None])
def test_an_odd_usage_never_costs_the_answer(usage):
    with FakeProvider(Reply((json.dumps(HELLO | {"usage": usage}).encode(),))) as provider:
        assert complete(provider.base_url).usage.input_tokens is None
    last = json.dumps({"choices": None, "usage": usage}).encode()
    with FakeProvider(streaming(sse(*HELLO_CHUNKS, last, b"[DONE]"))) as provider:
        assert streamed(provider.base_url)[2] is None


@pytest.mark.parametrize("ask", [complete, streamed])
def test_an_error_with_status_200_is_the_error_it_says(ask):
    body = b'{"error": {"message": "the model is loading", "code": 503}}'
    with FakeProvider(Reply((body,))) as provider, pytest.raises(ProviderError) as caught:
        ask(provider.base_url)
    assert (caught.value.kind, caught.value.message) == ("overloaded", "the model is loading")


def test_a_whole_answer_to_a_stream_is_a_failure_that_says_so():
    with FakeProvider(Reply()) as provider, pytest.raises(ProviderError, match="without streaming"):
        streamed(provider.base_url)


def test_a_whole_answer_may_take_longer_than_its_first_byte_while_it_keeps_coming():
    raw = json.dumps(HELLO).encode()
    pieces = tuple(raw[at : at + 50] for at in range(0, len(raw), 50))
    quick = Timeouts(connect_ms=1_000, first_byte_ms=150, idle_ms=150)
    with FakeProvider(Reply(pieces, pause_s=0.06)) as provider:
        assert complete(provider.base_url, timeouts=quick).usage == Usage(7, 2)


def test_the_first_event_has_the_time_of_a_first_byte_whatever_keeps_the_line_alive():
    thinking = Timeouts(connect_ms=1_000, first_byte_ms=2_000, idle_ms=50)
    with FakeProvider(streaming(b": thinking\n\n", HELLO_STREAM, pause_s=0.15)) as provider:
        assert streamed(provider.base_url, timeouts=thinking)[2] is None
    comments = [b": still here\n\n"] * 200
    with FakeProvider(streaming(*comments, pause_s=0.02)) as provider:
        assert streamed(provider.base_url)[2].kind == "timeout"


def test_streams_share_a_connection():
    async def run(provider):
        adapter = OpenAICompatible({}, Connection(FAST))
        for _ in range(5):
            stream = await adapter.stream(deployment(provider.base_url), Call(BODY, stream=True))
            assert [one async for one in stream][-1].endswith(b"data: [DONE]\n\n")
            await stream.close()
        await adapter.close()

    # the end of the body comes in a piece of its own, after the last event
    with FakeProvider(streaming(HELLO_STREAM, pause_s=0.01)) as provider:
        asyncio.run(run(provider))
        assert provider.connections == 1


def test_a_stream_that_falls_silent_ends_at_the_deadline_however_patient_the_idle_limit():
    async def run(base_url):
        adapter = OpenAICompatible({}, Connection(Timeouts(first_byte_ms=20_000, idle_ms=60_000)))
        dispatcher = Dispatcher({"openai_compatible": adapter}, Patience(total_ms=500))
        try:
            call = Call(BODY | {"stream": True}, stream=True)
            found = await dispatcher.dispatch([deployment(base_url)], call)
            # far beyond the deadline, and far before the idle limit
            async with asyncio.timeout(15):
                async for _ in found.stream:
                    pass
        finally:
            await dispatcher.close()

    silent = streaming(sse(HELLO_CHUNKS[0]), then="stall")
    with FakeProvider(silent) as provider, pytest.raises(ProviderError) as caught:
        asyncio.run(run(provider.base_url))
    assert caught.value.kind == "timeout"
