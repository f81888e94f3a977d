"""What OpenAI's SDK can ask of a chat reaches the provider, and what the provider answers reaches the SDK."""

from __future__ import annotations

import json

import openai
import pytest
from pydantic import BaseModel

from tests.fakes import (
    HELLO_CHUNKS,
    HELLO_STREAM,
    USAGE_CHUNK,
    Reply,
    answering,
    calling,
    calling_in_chunks,
    chunk,
    failing,
    sse,
    streaming,
)
from tests.running import exported

HELLO = [{"role": "user", "content": "What is the weather?"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
TWO_CALLS = (("call_1", "weather", '{"place": "Ghent"}'), ("call_2", "weather", '{"place": "Köln"}'))


@pytest.fixture
def client(house):
    with openai.OpenAI(base_url=f"{house.base_url}/v1", api_key="unused", max_retries=0, timeout=20) as sdk:
        yield sdk


def test_parallel_tool_calls_come_back_and_their_results_go_out(client, house):
    house.provider.plays(
        answering({"tool_calls": calling(*TWO_CALLS)}, "tool_calls"), answering({"content": "Rain."})
    )
    asked = {"model": "auto", "tools": [WEATHER], "parallel_tool_calls": True}
    message = client.chat.completions.create(messages=HELLO, **asked).choices[0].message
    assert [(call.id, json.loads(call.function.arguments)["place"]) for call in message.tool_calls] == [
        ("call_1", "Ghent"),
        ("call_2", "Köln"),
    ]
    results = [{"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in message.tool_calls]
    second = client.chat.completions.create(messages=[*HELLO, message, *results], **asked)
    assert second.choices[0].message.content == "Rain."
    assert house.provider.requests[-1]["body"]["messages"][2:] == results


def test_streamed_tool_calls_add_up_in_the_sdks_own_helper(client, house):
    house.provider.plays(streaming(sse(*calling_in_chunks(*TWO_CALLS))))
    with client.chat.completions.stream(model="auto", messages=HELLO, tools=[WEATHER]) as stream:
        (choice,) = stream.get_final_completion().choices
    assert [(call.id, call.function.arguments) for call in choice.message.tool_calls] == [
        (identity, arguments) for identity, _, arguments in TWO_CALLS
    ]


def test_structured_output_is_parsed_by_the_sdk(client, house):
    class Place(BaseModel):
        name: str

    house.provider.plays(answering({"content": '{"name": "Ghent"}'}))
    answer = client.chat.completions.parse(model="auto", messages=HELLO, response_format=Place)
    assert answer.choices[0].message.parsed == Place(name="Ghent")
    assert house.provider.sent["response_format"]["json_schema"]["strict"] is True


def test_images_stop_and_logprobs_reach_the_provider_as_they_are(client, house):
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
    ]
    fields = {"stop": ["END", "\n"], "logprobs": True, "top_logprobs": 2, "seed": 7}
    client.chat.completions.create(model="auto", messages=[{"role": "user", "content": parts}], **fields)
    assert house.provider.sent["messages"][0]["content"] == parts
    assert fields.items() <= house.provider.sent.items()


def test_several_choices_and_their_logprobs_come_back(client, house):
    told = {"content": [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}], "refusal": None}
    choices = [
        {"index": place, "message": {"role": "assistant", "content": "a"}, "logprobs": told,
         "finish_reason": "stop"}
        for place in range(2)
    ]  # fmt: skip
    house.provider.plays(answering({}, choices=choices))
    answer = client.chat.completions.create(model="auto", messages=HELLO, n=2, logprobs=True)
    assert [choice.logprobs.content[0].logprob for choice in answer.choices] == [-0.1, -0.1]
    assert house.provider.sent["n"] == 2


def test_usage_ends_a_stream_only_where_it_was_asked_for(client, house):
    house.provider.plays(streaming(HELLO_STREAM))
    asked = {"model": "auto", "messages": HELLO, "stream": True}
    with client.chat.completions.create(**asked) as stream:
        assert all(one.choices for one in stream)
    with client.chat.completions.create(**asked, stream_options={"include_usage": True}) as stream:
        assert list(stream)[-1].usage.total_tokens == 9


@pytest.mark.parametrize("status", [429, 503])
def test_the_sdk_retries_after_the_time_it_is_told(client, house, status):
    house.provider.plays(failing(status, retry_after="1"), answering({"content": "at last"}))
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model="auto", messages=HELLO)
    assert (raised.value.status_code, raised.value.response.headers["retry-after"]) == (status, "1")
    house.provider.plays(failing(status, retry_after_ms="1"), answering({"content": "at last"}))
    answer = client.with_options(max_retries=1).chat.completions.create(model="auto", messages=HELLO)
    assert answer.choices[0].message.content == "at last"


def test_the_callers_own_error_keeps_the_providers_words(client, house):
    house.provider.plays(failing(400, "The schema is odd.", code="invalid_schema"))
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="auto", messages=HELLO)
    assert raised.value.code == "invalid_schema"
    assert "The schema is odd." in str(raised.value)


def test_a_stream_that_breaks_raises(client, house):
    house.provider.plays(streaming(sse(*HELLO_CHUNKS[:2]), then="disconnect"))
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="auto", messages=HELLO, stream=True))


def test_a_stream_of_several_choices_comes_whole(client, house):
    other = json.loads(chunk({"content": "too"}, "stop"))
    other["choices"][0]["index"] = 1
    pieces = sse(*HELLO_CHUNKS, json.dumps(other).encode(), USAGE_CHUNK, b"[DONE]")
    house.provider.plays(streaming(pieces))
    with client.chat.completions.create(model="auto", messages=HELLO, n=2, stream=True) as stream:
        assert {choice.index for one in stream for choice in one.choices} == {0, 1}


VECTORS = {
    "object": "list",
    "model": "embed-1",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}


def test_embeddings_pass_through_to_the_deployment_that_is_named_and_are_charged(client, house):
    house.provider.plays(Reply((json.dumps(VECTORS).encode(),)))
    asked = {"input": ["a word", "two"], "encoding_format": "float", "dimensions": 2}
    raw = client.embeddings.with_raw_response.create(model="embed-1", **asked)
    assert raw.parse().data[0].embedding == [0.5, -0.25]
    (request,) = house.provider.requests
    assert request["line"] == "POST /v1/embeddings HTTP/1.1"
    assert request["body"] == {"model": "embed-1", **asked}
    identity = raw.headers["x-weighbridge-decision-id"]
    house.server.wait_for(lambda: (exported(house.server.log_path).get(identity) or {}).get("outcome"))
    assert exported(house.server.log_path)[identity]["outcome"]["cost_usd"] == pytest.approx(3e-6)


@pytest.mark.parametrize(
    ("model", "limits", "status"),
    [("auto", {}, 400), ("able", {}, 422), ("nobody", {}, 404), ("embedder", {"compliance": ["hipaa"]}, 422)],
)
def test_embeddings_are_never_routed_nor_sent_where_they_may_not_go(client, house, model, limits, status):
    with pytest.raises(openai.APIStatusError) as raised:
        client.embeddings.create(model=model, input="a", extra_body={"weighbridge": limits})
    assert raised.value.status_code == status
    assert house.provider.requests == []


def test_a_deployment_for_embeddings_never_answers_a_chat(client, house):
    with pytest.raises(openai.UnprocessableEntityError):
        client.chat.completions.create(model="embedder", messages=HELLO)
