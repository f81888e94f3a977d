"""The Responses API through OpenAI's own SDK: text, tools, structure and streams, without state."""

from __future__ import annotations

import json

import openai
import pytest
from pydantic import BaseModel

from tests.fakes import (
    HELLO_CHUNKS,
    HELLO_STREAM,
    answering,
    calling,
    calling_in_chunks,
    chunk,
    failing,
    sse,
    streaming,
)

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
TWO_CALLS = (("call_1", "weather", '{"place": "Ghent"}'), ("call_2", "weather", '{"place": "Köln"}'))


@pytest.fixture
def client(house):
    with openai.OpenAI(base_url=f"{house.base_url}/v1", api_key="unused", max_retries=0, timeout=20) as sdk:
        yield sdk


def test_text_in_and_text_out(client, house):
    response = client.responses.create(
        model="auto",
        input="Hello?",
        instructions="Be kind.",
        max_output_tokens=50,
        reasoning={"effort": "low"},
    )
    assert (response.output_text, response.status) == ("Hello wörld", "completed")
    assert (response.usage.input_tokens, response.usage.output_tokens) == (7, 2)
    assert house.provider.sent["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello?"},
    ]
    assert house.provider.sent["reasoning_effort"] == "low"


def test_tools_are_called_and_their_outputs_sent_back_with_the_earlier_items(client, house):
    house.provider.plays(
        answering({"content": "Looking.", "tool_calls": calling(*TWO_CALLS)}, "tool_calls"),
        answering({"content": "Rain."}),
    )
    asked = [{"role": "user", "content": "The weather?"}]
    first = client.responses.create(model="auto", input=asked, tools=[WEATHER], tool_choice="required")
    calls = [item for item in first.output if item.type == "function_call"]
    assert [(call.call_id, json.loads(call.arguments)["place"]) for call in calls] == [
        ("call_1", "Ghent"),
        ("call_2", "Köln"),
    ]
    outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"} for call in calls]
    second = client.responses.create(model="auto", input=[*asked, *first.output, *outputs], tools=[WEATHER])
    assert second.output_text == "Rain."
    _, said, *results = house.provider.requests[-1]["body"]["messages"]
    assert (said["content"], len(said["tool_calls"])) == ("Looking.", 2)
    assert results == [{"role": "tool", "tool_call_id": call.call_id, "content": "rain"} for call in calls]
    assert house.provider.requests[0]["body"]["tool_choice"] == "required"


def test_structured_output_is_parsed_by_the_sdk(client, house):
    class Place(BaseModel):
        name: str

    house.provider.plays(answering({"content": '{"name": "Ghent"}'}))
    response = client.responses.parse(model="auto", input="Where?", text_format=Place)
    assert response.output_parsed == Place(name="Ghent")
    assert house.provider.sent["response_format"]["json_schema"]["strict"] is True


def test_images_and_files_are_sent_on(client, house):
    content = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": "https://example.com/cat.png", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
    ]
    client.responses.create(model="auto", input=[{"role": "user", "content": content}])
    assert [part["type"] for part in house.provider.sent["messages"][0]["content"]] == [
        "text",
        "image_url",
        "file",
    ]


def test_a_stream_says_in_events_what_its_last_event_says_whole(client, house):
    house.provider.plays(streaming(HELLO_STREAM))
    with client.responses.stream(model="auto", input="Hello?") as stream:
        events = list(stream)
        final = stream.get_final_response()
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert said == final.output_text == "Hello wörld"
    assert final.usage.total_tokens == 9
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"


def test_the_events_are_numbered_and_in_openais_order(client, house):
    house.provider.plays(streaming(HELLO_STREAM))
    with client.responses.create(model="auto", input="Hello?", stream=True) as stream:
        events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type.removeprefix("response.") for event in events] == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta", "output_text.done"),
        *("content_part.done", "output_item.done", "completed"),
    ]


def test_streamed_tool_calls_add_up(client, house):
    house.provider.plays(streaming(sse(*calling_in_chunks(*TWO_CALLS))))
    with client.responses.stream(model="auto", input="The weather?", tools=[WEATHER]) as stream:
        final = stream.get_final_response()
    assert [(item.call_id, item.arguments) for item in final.output] == [
        (identity, arguments) for identity, _, arguments in TWO_CALLS
    ]


def test_an_answer_cut_short_is_incomplete_and_says_why(client, house):
    house.provider.plays(streaming(sse(*HELLO_CHUNKS[:2], chunk({}, "length"), b"[DONE]")))
    with client.responses.create(model="auto", input="Hello?", stream=True) as stream:
        last = list(stream)[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == "max_output_tokens"


def test_a_stream_that_breaks_ends_in_an_error_and_a_failed_response(client, house):
    house.provider.plays(streaming(sse(*HELLO_CHUNKS[:2]), then="disconnect"))
    with client.responses.create(model="auto", input="a", stream=True) as stream:
        *_, error, failed = list(stream)
    assert (error.type, error.code) == ("error", "upstream")
    assert (failed.type, failed.response.status) == ("response.failed", "failed")


def test_an_error_before_a_stream_raises(client, house):
    house.provider.plays(failing(400, "so it is"))
    with pytest.raises(openai.BadRequestError, match="so it is"):
        client.responses.create(model="auto", input="a", stream=True)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"input": [{"type": "item_reference", "id": "a"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "a"}]}]},
         "input[0].content[0]"),
        ({"tool_choice": {"type": "web_search"}, "tools": [WEATHER]}, "tool_choice"),
        ({"tools": [WEATHER | {"defer_loading": True}]}, "tools[0]"),
        ({"truncation": "auto"}, "truncation"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"extra_body": {"context_management": [{"type": "compaction"}]}}, "context_management"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"text": {"voice": "loud"}}, "text.voice"),
    ],
)  # fmt: skip
def test_what_needs_state_or_runs_at_openai_is_refused_by_name(client, house, fields, place):
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(**{"model": "auto", "input": "a"} | fields)
    assert raised.value.param == place
    assert house.provider.requests == []


def test_what_changes_nothing_is_taken_as_the_documentation_says(client, house):
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "AAAA"}
    response = client.responses.create(
        model="auto",
        input=[thought, {"role": "user", "content": "Hello?"}],
        include=["reasoning.encrypted_content"],
        reasoning={"effort": "low", "summary": "auto"},
        truncation="disabled",
        max_tool_calls=3,
        stream_options={"include_obfuscation": False},
        metadata={"team": "search"},
        user="u-1",
    )
    assert response.output_text == "Hello wörld"
    assert house.provider.sent["messages"] == [{"role": "user", "content": "Hello?"}]
    assert house.provider.sent["user"] == "u-1"
    # what only we and OpenAI's store know stays here
    assert house.provider.sent.keys().isdisjoint({"metadata", "include", "truncation", "max_tool_calls"})
