"""Anthropic's API: requests as its documentation asks for them, answers as OpenAI's clients know them."""

from __future__ import annotations

import json

import pytest

from serving.dispatch.adapter import ProviderError
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
