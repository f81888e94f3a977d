"""Anthropic's own SDK, pointed at Weighbridge, finds everything where it expects it."""

from __future__ import annotations

import json

import anthropic
import pytest
from pydantic import BaseModel

from tests.fakes import (
    HELLO_CHUNKS,
    HELLO_STREAM,
    USAGE,
    answering,
    calling,
    calling_in_chunks,
    chunk,
    failing,
    sse,
    streaming,
)
from tests.running import exported, served

HELLO = [{"role": "user", "content": "Say hello to the new colleague."}]
ASKED = {"model": "auto", "max_tokens": 100, "messages": HELLO}
WEATHER = {
    "name": "weather",
    "description": "The weather of a place",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}},
}
TWO_CALLS = (("call_1", "weather", '{"place": "Ghent"}'), ("call_2", "weather", '{"place": "Köln"}'))
DOT = "iVBORw0KGgo="


@pytest.fixture
def client(house):
    with anthropic.Anthropic(base_url=house.base_url, api_key="unused", max_retries=0, timeout=20) as sdk:
        yield sdk


def test_a_whole_answer_is_a_message(client):
    message = client.messages.create(**ASKED)
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert [block.text for block in message.content] == ["Hello wörld"]
    assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 2)


def test_what_came_from_a_cache_is_counted_apart(client, house):
    usage = USAGE | {"prompt_tokens": 50, "prompt_tokens_details": {"cached_tokens": 40}}
    house.provider.plays(answering({"content": "a"}, usage=usage))
    counted = client.messages.create(**ASKED).usage
    assert (counted.input_tokens, counted.cache_read_input_tokens) == (10, 40)


def test_the_request_arrives_as_the_chat_completion_that_says_the_same(client, house):
    client.messages.create(
        **ASKED,
        system=[{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be short."}],
        stop_sequences=["END"],
        tools=[WEATHER],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        output_config={"effort": "low"},
    )
    assert house.provider.sent["messages"] == [{"role": "system", "content": "Be kind.\n\nBe short."}, *HELLO]
    wanted = {
        "model": "able-1",
        "stop": ["END"],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
    }
    assert wanted.items() <= house.provider.sent.items()
    (tool,) = house.provider.sent["tools"]
    assert tool["function"]["parameters"] == WEATHER["input_schema"]
    assert house.provider.sent.get("max_completion_tokens", house.provider.sent.get("max_tokens")) == 100


def test_tool_calls_are_blocks_and_their_results_find_their_way_back(client, house):
    house.provider.plays(
        answering({"content": "Looking.", "tool_calls": calling(*TWO_CALLS)}, "tool_calls"),
        answering({"content": "Rain."}),
    )
    first = client.messages.create(**ASKED, tools=[WEATHER])
    assert first.stop_reason == "tool_use"
    assert [block.type for block in first.content] == ["text", "tool_use", "tool_use"]
    assert [block.input for block in first.content[1:]] == [{"place": "Ghent"}, {"place": "Köln"}]
    results = [
        {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "rain"}]},
        {"type": "tool_result", "tool_use_id": "call_2", "content": "no station", "is_error": True},
        {"type": "text", "text": "Go on."},
    ]
    turns = [*HELLO, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = client.messages.create(model="auto", max_tokens=100, messages=turns, tools=[WEATHER])
    assert second.content[0].text == "Rain."
    said, rain, error, user = house.provider.requests[-1]["body"]["messages"][1:]
    assert [call["id"] for call in said["tool_calls"]] == ["call_1", "call_2"]
    assert json.loads(said["tool_calls"][1]["function"]["arguments"]) == {"place": "Köln"}
    assert rain == {"role": "tool", "tool_call_id": "call_1", "content": "rain"}
    assert error == {"role": "tool", "tool_call_id": "call_2", "content": "Error: no station"}
    assert user == {"role": "user", "content": "Go on."}


def test_images_and_documents_are_sent_on(client, house):
    base64 = {"type": "base64", "data": DOT}
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "source": base64 | {"media_type": "image/png"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {"type": "document", "title": "a.pdf", "source": base64 | {"media_type": "application/pdf"}},
    ]
    client.messages.create(model="auto", max_tokens=9, messages=[{"role": "user", "content": content}])
    text, data, url, file = house.provider.sent["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    assert data["image_url"]["url"] == f"data:image/png;base64,{DOT}"
    assert url["image_url"]["url"] == "https://example.com/cat.png"
    assert file["file"] == {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{DOT}"}


def test_a_stream_adds_up_to_the_message_that_the_whole_answer_is(client, house):
    whole = client.messages.create(**ASKED)
    house.provider.plays(streaming(HELLO_STREAM))
    with client.messages.stream(**ASKED) as stream:
        assert "".join(stream.text_stream) == "Hello wörld"
        message = stream.get_final_message()
    left = {"id", "usage"}
    assert message.model_dump(exclude=left, exclude_unset=True).items() >= {"stop_reason": "end_turn"}.items()
    assert [block.text for block in message.content] == [block.text for block in whole.content]
    assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 2)


def test_the_events_of_a_stream_come_in_anthropics_order(client, house):
    house.provider.plays(
        streaming(sse(chunk({"reasoning_content": "Hm."}), *HELLO_CHUNKS, b"[DONE]", end=b"\r\n\r\n"))
    )
    with client.messages.create(**ASKED, stream=True) as stream:
        kinds = [(event.type, getattr(event, "index", None)) for event in stream]
    block = [("content_block_start", 0), ("content_block_delta", 0), ("content_block_stop", 0)]
    text = [("content_block_start", 1), *[("content_block_delta", 1)] * 2, ("content_block_stop", 1)]
    ends = [("message_delta", None), ("message_stop", None)]
    assert kinds == [("message_start", None), *block, *text, *ends]


def test_streamed_tool_calls_keep_their_ids_and_arguments(client, house):
    house.provider.plays(streaming(sse(*calling_in_chunks(*TWO_CALLS))))
    with client.messages.stream(**ASKED, tools=[WEATHER]) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "tool_use"
    assert [(block.id, block.input) for block in message.content] == [
        ("call_1", {"place": "Ghent"}),
        ("call_2", {"place": "Köln"}),
    ]


def test_mixed_up_tool_calls_end_the_stream_in_an_error_rather_than_in_garbled_arguments(client, house):
    first, opened, half, *rest = calling_in_chunks(*TWO_CALLS)
    late = chunk({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})
    house.provider.plays(streaming(sse(first, opened, half, rest[1], late, *rest[2:])))
    with pytest.raises(anthropic.APIStatusError), client.messages.stream(**ASKED, tools=[WEATHER]) as stream:
        stream.get_final_message()


def test_a_stream_that_breaks_raises_what_went_wrong(client, house):
    house.provider.plays(streaming(sse(*HELLO_CHUNKS[:2]), then="disconnect"))
    with client.messages.stream(**ASKED) as stream, pytest.raises(anthropic.APIStatusError) as raised:
        stream.get_final_message()
    assert raised.value.body["error"]["type"] == "api_error"


def test_a_stop_sequence_that_the_provider_names_is_named(client, house):
    reply = answering({"content": "a"})
    choices = json.loads(reply.pieces[0])["choices"]
    house.provider.plays(answering({}, choices=[choices[0] | {"stop_reason": "END"}]))
    message = client.messages.create(**ASKED, stop_sequences=["END"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_tokens"), ("content_filter", "refusal"), ("stop", "end_turn")]
)
def test_the_reason_to_stop_is_translated(client, house, finish, reason):
    house.provider.plays(answering({"content": "a"}, finish))
    assert client.messages.create(**ASKED).stop_reason == reason


def test_structured_output_is_parsed(client, house):
    class Place(BaseModel):
        name: str

    house.provider.plays(answering({"content": '{"name": "Ghent"}'}))
    parsed = client.messages.parse(**ASKED, output_format=Place)
    assert parsed.parsed_output == Place(name="Ghent")
    assert house.provider.sent["response_format"]["json_schema"]["schema"]["required"] == ["name"]


def test_tokens_are_counted_without_asking_anybody(client, house):
    few = client.messages.count_tokens(model="auto", messages=HELLO).input_tokens
    more = client.messages.count_tokens(model="auto", messages=HELLO * 3, system="a b c d e f").input_tokens
    assert 0 < few < more
    assert house.provider.requests == []


CITED = {
    "type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"},
    "citations": {"enabled": True},
}  # fmt: skip
FOUND = {"type": "search_result", "source": "a", "title": "b", "content": [{"type": "text", "text": "c"}]}


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
        ({"extra_body": {"mcp_servers": [{"name": "a"}]}}, "mcp_servers"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [CITED]}]}, "messages[0].content[0].citations"),
        ({"messages": [{"role": "user", "content": [FOUND]}]}, "'search_result'"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"inference_geo": "eu"}, "x-weighbridge-compliance: eu"),
        ({"extra_body": {"workspace_id": "w"}}, "workspace_id"),
        ({"messages": [{"role": "boss", "content": "a"}]}, "messages[0].role"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name_and_never_dropped(client, house, fields, place):
    with pytest.raises(anthropic.BadRequestError) as raised:
        client.messages.create(**ASKED | fields)
    assert raised.value.body["error"]["type"] == "invalid_request_error"
    assert place in str(raised.value)
    assert house.provider.requests == []


def test_what_changes_nothing_is_taken_and_the_user_is_told_on(client, house):
    body = {"context_management": {"edits": []}, "cache_control": {"type": "ephemeral"}}
    client.messages.create(**ASKED, service_tier="auto", metadata={"user_id": "u-1"}, extra_body=body)
    assert house.provider.sent["user"] == "u-1"
    assert house.provider.sent.keys().isdisjoint({"context_management", "cache_control", "service_tier"})


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (529, anthropic.InternalServerError, "overloaded_error"),
        (500, anthropic.InternalServerError, "api_error"),
    ],
)
def test_a_failure_has_anthropics_shape(client, house, status, error, kind):
    house.provider.plays(failing(status, "so it is"))
    with pytest.raises(error) as raised:
        client.messages.create(**ASKED)
    assert raised.value.body["error"]["type"] == kind
    assert "so it is" in raised.value.body["error"]["message"]
    assert raised.value.body["request_id"].startswith("dec_")


def test_the_sdk_retries_a_rate_limit_and_gets_its_answer(client, house):
    house.provider.plays(failing(429, retry_after="0"), answering({"content": "at last"}))
    patient = client.with_options(max_retries=1)
    assert patient.messages.create(**ASKED).content[0].text == "at last"


def test_models_are_listed(client):
    assert [row.id for row in client.models.list()] == ["auto", "able", "embedder"]
    assert client.models.retrieve("able").display_name == "able"


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**ASKED | {"model": "claude-nobody"})


def test_the_decision_is_logged_under_its_endpoint_and_named_in_the_headers(client, house):
    raw = client.messages.with_raw_response.create(**ASKED)
    assert raw.headers["x-weighbridge-deployment"] == "able"
    identity = raw.headers["x-weighbridge-decision-id"]
    assert raw.parse().id == identity.replace("dec_", "msg_")
    house.server.wait_for(lambda: identity in exported(house.server.log_path))
    assert exported(house.server.log_path)[identity]["endpoint"] == "/v1/messages"


def test_keys_are_taken_as_anthropics_sdk_sends_them(tmp_path):
    with served(tmp_path, {"WEIGHBRIDGE_API_KEYS": "right"}) as guarded:
        for key, error in (("wrong", anthropic.AuthenticationError), ("right", None)):
            with anthropic.Anthropic(base_url=guarded.base_url, api_key=key, max_retries=0) as sdk:
                if error is None:
                    assert sdk.messages.create(**ASKED).content
                else:
                    with pytest.raises(error):
                        sdk.messages.create(**ASKED)


SIGNED = [
    {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "cmVk"},
]


def test_signed_thoughts_come_out_whole_and_go_back_as_they_came(client, house):
    house.provider.plays(answering({"content": "Hi", "reasoning_content": "Hm.", "thinking_blocks": SIGNED}))
    first = client.messages.create(**ASKED)
    assert [block.model_dump(exclude_none=True) for block in first.content[:2]] == SIGNED
    turns = [*HELLO, {"role": "assistant", "content": first.content}, {"role": "user", "content": "Go on."}]
    client.messages.create(model="auto", max_tokens=9, messages=turns)
    said = house.provider.requests[-1]["body"]["messages"][1]
    assert (said["thinking_blocks"], said["content"]) == (SIGNED, "Hi")


def test_a_streamed_thought_is_signed(client, house):
    thought = [chunk({"reasoning_content": "Hm."}), *(chunk({"thinking_blocks": [one]}) for one in SIGNED)]
    house.provider.plays(streaming(sse(*thought, *HELLO_CHUNKS, b"[DONE]")))
    with client.messages.stream(**ASKED) as stream:
        message = stream.get_final_message()
    assert [block.model_dump(exclude_none=True) for block in message.content[:2]] == SIGNED
    assert message.content[2].text == "Hello wörld"


def test_marks_of_a_prompt_cache_reach_a_provider_that_takes_them(client, house):
    mark = {"cache_control": {"type": "ephemeral"}}
    system = [{"type": "text", "text": "Long.", **mark}]
    client.messages.create(**ASKED, system=system, tools=[WEATHER | mark])
    assert house.provider.sent["messages"][0] == {"role": "system", "content": system}
    assert house.provider.sent["tools"][0]["cache_control"] == mark["cache_control"]
