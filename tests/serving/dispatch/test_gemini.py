"""Gemini's API: requests as its documentation asks for them, answers as OpenAI's clients know them."""

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

COUNTED = {
    "promptTokenCount": 9, "cachedContentTokenCount": 4, "candidatesTokenCount": 2, "thoughtsTokenCount": 40,
}  # fmt: skip


def said(*parts, finish=None, **fields):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "responseId": "r-1"} | fields


TEXT = said({"text": "Hello wörld"}, finish="STOP", usageMetadata=COUNTED)
STREAM = GOLDEN["gemini"]


def test_words_and_usage_come_back_in_openais_shape():
    with FakeProvider(Reply((json.dumps(TEXT).encode(),))) as provider:
        answer, usage = whole(adapter("gemini"), deployment("gemini", provider.base_url), ASKED)
    (choice,) = answer["choices"]
    assert choice["message"]["content"] == "Hello wörld"
    assert (choice["finish_reason"], answer["object"], answer["id"]) == ("stop", "chat.completion", "r-1")
    assert usage == Usage(9, 42, 4, None, 40)


def test_the_key_travels_in_a_header_and_not_in_the_address():
    with FakeProvider(Reply((json.dumps(TEXT).encode(),))) as provider:
        whole(adapter("gemini"), deployment("gemini", provider.base_url), ASKED)
    (sent,) = provider.requests
    assert sent["line"].startswith("POST /v1/models/their-name:generateContent ")
    assert sent["headers"]["x-goog-api-key"] == KEY


def test_a_stream_has_one_role_stable_calls_one_finish_and_one_usage():
    with FakeProvider(streaming(STREAM)) as provider:
        found = streamed(adapter("gemini"), deployment("gemini", provider.base_url), ASKED)
    assert provider.requests[0]["line"].startswith(
        "POST /v1/models/their-name:streamGenerateContent?alt=sse "
    )
    assert found.error is None
    assert found.events[-1] == b"data: [DONE]\n\n"
    message = put_together(found.chunks)
    assert (message["content"], message["reasoning_content"]) == ("Hello wörld", "Let me think.")
    first, second = message["tool_calls"]
    assert first["function"] == {"name": "look", "arguments": '{"at":"Köln"}'}
    assert first["id"].startswith("call_")
    assert first["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert (second["id"], second["function"]["arguments"]) == ("own-id", "{}")
    assert message["finish_reason"] == "tool_calls"
    assert [chunk["choices"] for chunk in found.chunks if "usage" in chunk] == [[]]
    assert found.usage == Usage(9, 42, 4, None, 40)


@pytest.mark.parametrize("then", ["end", "disconnect", "stall"])
def test_a_stream_that_stops_in_the_middle_is_a_failure(then):
    with FakeProvider(streaming(STREAM[:500], then=then)) as provider:
        found = streamed(adapter("gemini"), deployment("gemini", provider.base_url), ASKED)
    assert found.error.kind == ("timeout" if then == "stall" else "upstream")


def test_a_blocked_prompt_is_a_content_filter_and_nobody_elses_turn():
    blocked = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 9},
    }
    with (
        FakeProvider(Reply((json.dumps(blocked).encode(),))) as provider,
        pytest.raises(ProviderError) as caught,
    ):
        whole(adapter("gemini"), deployment("gemini", provider.base_url), ASKED)
    assert (caught.value.kind, caught.value.retryable) == ("content_filter", False)


def test_an_answer_that_went_wrong_inside_the_model_is_tried_elsewhere():
    broken = said(finish="MALFORMED_FUNCTION_CALL")
    with (
        FakeProvider(Reply((json.dumps(broken).encode(),))) as provider,
        pytest.raises(ProviderError) as caught,
    ):
        whole(adapter("gemini"), deployment("gemini", provider.base_url), ASKED)
    assert (caught.value.kind, caught.value.retryable) == ("upstream", True)


def test_a_signature_comes_back_to_the_provider_even_where_the_client_dropped_it():
    call = {"functionCall": {"name": "look", "args": {}}, "thoughtSignature": "c2ln"}
    first = Reply((json.dumps(said(call, finish="STOP")).encode(),))

    async def run(base_url):
        using, row = adapter("gemini"), deployment("gemini", base_url)
        found = json.loads((await using.complete(row, Call(ASKED | {"tools": [TOOL]}, False))).body)
        (made,) = found["choices"][0]["message"]["tool_calls"]
        del made["extra_content"]
        after = [
            *ASKED["messages"],
            {"role": "assistant", "content": None, "tool_calls": [made]},
            {"role": "tool", "tool_call_id": made["id"], "content": "rain"},
        ]
        await using.complete(row, Call(ASKED | {"tools": [TOOL], "messages": after}, False))
        await using.close()

    with FakeProvider(first, Reply((json.dumps(TEXT).encode(),))) as provider:
        asyncio.run(run(provider.base_url))
    _, model, user = provider.requests[1]["body"]["contents"]
    assert model["parts"][0]["thoughtSignature"] == "c2ln"
    assert user["parts"][0]["functionResponse"]["name"] == "look"
    assert user["parts"][0]["functionResponse"]["id"] == model["parts"][0]["functionCall"]["id"]


def test_two_answers_are_two_choices_each_with_its_end():
    two = {
        "candidates": [
            {"index": place, "content": {"parts": [{"text": word}]}, "finishReason": "STOP"}
            for place, word in enumerate(("one", "two"))
        ],
        "usageMetadata": COUNTED,
    }
    with FakeProvider(streaming(sse(json.dumps(two).encode()))) as provider:
        row = deployment("gemini", provider.base_url)
        found = streamed(adapter("gemini"), row, ASKED | {"n": 2})
    assert found.error is None
    assert [put_together(found.chunks, place)["content"] for place in (0, 1)] == ["one", "two"]
