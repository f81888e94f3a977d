"""Anthropic's API: requests as its documentation asks for them, answers as OpenAI's clients know them."""

from __future__ import annotations

import asyncio
import json

import pytest

from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call
from serving.records import Usage
from tests.fakes import FakeProvider, Reply, sse, streaming
from tests.serving.dispatch.asking import (
    ASKED,
    GOLDEN,
    KEY,
    adapter,
    deployment,
    put_together,
    streamed,
    whole,
)
from tests.serving.dispatch.features import TOOL

TEXT = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "Hello wörld"}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 5, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 10,
        "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 4},
    },
}  # fmt: skip
STREAM = GOLDEN["anthropic"]
EVENTS = STREAM.split(b"\n\n")


def reply(**fields):
    return Reply((json.dumps(TEXT | fields).encode(),))


def test_words_and_usage_come_back_in_openais_shape():
    with FakeProvider(reply()) as provider:
        answer, usage = whole(adapter("anthropic"), deployment("anthropic", provider.base_url), ASKED)
    (choice,) = answer["choices"]
    assert choice["message"]["content"] == "Hello wörld"
    assert (choice["finish_reason"], answer["object"], answer["id"]) == ("stop", "chat.completion", "msg_1")
    assert usage == Usage(105, 7, 90, 10, 4)
    assert answer["usage"]["prompt_tokens_details"] == {"cached_tokens": 90, "cache_write_tokens": 10}
    assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": 4}


def test_the_key_travels_in_its_own_header_with_the_version():
    with FakeProvider(reply()) as provider:
        whole(adapter("anthropic"), deployment("anthropic", provider.base_url), ASKED)
    (sent,) = provider.requests
    assert sent["line"].startswith("POST /v1/messages ")
    assert (sent["headers"]["x-api-key"], sent["headers"]["anthropic-version"]) == (KEY, "2023-06-01")
    assert "authorization" not in sent["headers"]


def test_a_stream_has_one_role_stable_calls_one_finish_and_one_usage():
    with FakeProvider(streaming(STREAM)) as provider:
        found = streamed(adapter("anthropic"), deployment("anthropic", provider.base_url), ASKED)
    assert found.error is None
    assert found.events[-1] == b"data: [DONE]\n\n"
    message = put_together(found.chunks)
    assert (message["content"], message["reasoning_content"]) == ("Hello wörld", "Let me think.")
    assert message["thinking_blocks"] == [
        {"type": "thinking", "thinking": "Let me think.", "signature": "c2ln"}
    ]
    assert [(call["id"], call["function"]) for call in message["tool_calls"]] == [
        ("toolu_1", {"name": "look", "arguments": '{"at": "Köln"}'}),
        ("toolu_2", {"name": "hear", "arguments": "{}"}),
    ]
    assert message["finish_reason"] == "tool_calls"
    assert [chunk["choices"] for chunk in found.chunks if "usage" in chunk] == [[]]
    assert {chunk["id"] for chunk in found.chunks} == {"msg_1"}
    assert found.usage == Usage(5, 30)


@pytest.mark.parametrize("then", ["end", "disconnect", "stall"])
def test_a_stream_that_stops_in_the_middle_is_a_failure(then):
    with FakeProvider(streaming(STREAM[:700], then=then)) as provider:
        found = streamed(adapter("anthropic"), deployment("anthropic", provider.base_url), ASKED)
    assert found.error.kind == ("timeout" if then == "stall" else "upstream")


def test_an_error_event_is_the_error_it_says():
    broken = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    with FakeProvider(streaming(b"\n\n".join([*EVENTS[:9], b""]), sse(broken.encode()))) as provider:
        found = streamed(adapter("anthropic"), deployment("anthropic", provider.base_url), ASKED)
    assert (found.error.kind, found.error.message) == ("overloaded", "Overloaded")


def test_a_whole_answer_that_is_none_is_a_failure():
    with FakeProvider(Reply((b"{}",))) as provider, pytest.raises(ProviderError) as caught:
        whole(adapter("anthropic"), deployment("anthropic", provider.base_url), ASKED)
    assert (caught.value.kind, caught.value.retryable) == ("upstream", True)


def body_after(first, second, dialect=None, **fields):
    """Ask twice through one adapter; return the second request's body."""
    using = adapter("anthropic")

    async def run(base_url):
        row = deployment("anthropic", base_url, dialect)
        await using.complete(row, Call(ASKED | {"tools": [TOOL]}, stream=False))
        await using.complete(row, Call(ASKED | {"tools": [TOOL]} | second | fields, stream=False))
        await using.close()

    with FakeProvider(reply(**first), reply()) as provider:
        asyncio.run(run(provider.base_url))
    return provider.requests[1]["body"]


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
USED = {"type": "tool_use", "id": "toolu_9", "name": "look", "input": {}}
# as a client's SDK builds it that keeps only what it knows
AFTER = {
    "messages": [
        *ASKED["messages"],
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "toolu_9", "type": "function", "function": {"name": "look", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_9", "content": "rain"},
    ]
}


def test_thoughts_come_back_to_the_provider_even_where_the_client_dropped_them():
    sent = body_after({"content": [THOUGHT, USED], "stop_reason": "tool_use"}, AFTER)
    assert [block["type"] for block in sent["messages"][1]["content"]] == ["thinking", "tool_use"]
    assert sent["messages"][1]["content"][0] == THOUGHT


@pytest.mark.parametrize(("first", "thinks"), [([THOUGHT, USED], True), ([USED], False)])
def test_a_model_with_a_budget_does_not_think_on_where_its_thoughts_are_lost(first, thinks):
    answer = {"content": first, "stop_reason": "tool_use"}
    sent = body_after(answer, AFTER, "anthropic_budget", reasoning_effort="high", temperature=0.5)
    assert ("thinking" in sent) == thinks
    assert ("temperature" in sent) != thinks


def part(text):
    delta = {"type": "input_json_delta", "partial_json": text}
    return {"type": "content_block_delta", "index": 0, "delta": delta}


BAD_CALL = {"function": {"arguments": "[1"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:x"}}
JSON_MODE = ASKED | {"response_format": {"type": "json_object"}}


def test_json_mode_is_a_tool_that_must_be_called_and_its_input_the_answer():
    used = {"type": "tool_use", "id": "toolu_1", "name": "json_answer", "input": {"a": 1}}
    with FakeProvider(reply(content=[used], stop_reason="tool_use")) as provider:
        answer, _ = whole(adapter("anthropic"), deployment("anthropic", provider.base_url), JSON_MODE)
    message = answer["choices"][0]["message"]
    assert (json.loads(message["content"]), answer["choices"][0]["finish_reason"]) == ({"a": 1}, "stop")
    assert "tool_calls" not in message


def test_json_mode_streams_the_input_as_words():
    start = {"type": "tool_use", "id": "toolu_1", "name": "json_answer", "input": {}}
    events = (
        {"type": "message_start", "message": TEXT | {"content": []}},
        {"type": "content_block_start", "index": 0, "content_block": start},
        part('{"a"'),
        part(": 1}"),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    )  # fmt: skip
    with FakeProvider(streaming(sse(*(json.dumps(one).encode() for one in events)))) as provider:
        found = streamed(adapter("anthropic"), deployment("anthropic", provider.base_url), JSON_MODE)
    message = put_together(found.chunks)
    assert (json.loads(message["content"]), message["finish_reason"]) == ({"a": 1}, "stop")


BY_ID = {"type": "file", "file": {"file_id": "file-1"}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages"),
        ({"tools": [{"type": "function", "function": "look"}]}, "tools[0].function"),
        ({"tool_choice": {"type": "function"}}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"temperature": "hot"}, "temperature"),
        ({"messages": [{"role": "assistant", "tool_calls": [BAD_CALL]}]}, "messages[0]"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_the_callers_own_error_and_names_the_field(fields, param):
    with FakeProvider(reply()) as provider, pytest.raises(ProviderError) as caught:
        whole(adapter("anthropic"), deployment("anthropic", provider.base_url), ASKED | fields)
    assert (caught.value.kind, caught.value.retryable) == ("invalid_request", False)
    assert caught.value.message.startswith(param)
    assert provider.requests == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "code_interpreter"}]}, "tools[0]"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice"),
        ({"messages": [{"role": "user", "content": [BY_ID]}]}, "messages"),
    ],
)
def test_what_only_openai_has_is_left_to_a_deployment_that_has_it(fields, param):
    with FakeProvider(reply()) as provider, pytest.raises(ProviderError) as caught:
        whole(adapter("anthropic"), deployment("anthropic", provider.base_url), ASKED | fields)
    assert caught.value.is_refusal
    assert caught.value.retryable
    assert caught.value.message.startswith(param)
    assert provider.requests == []
