"""The demo deployments speak OpenAI's format, take their time, and say what they are."""

from __future__ import annotations

import asyncio
import json

import pytest

from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call
from serving.dispatch.demo import Demo
from serving.routing.catalog import Deployment

ROW = Deployment(
    "demo-x", "demo-x", "demo", "standard", {}, first_token_ms=500.0, output_tokens_per_second=10.0
)


class Slept:
    def __init__(self):
        self.seconds = 0.0

    async def __call__(self, seconds):
        self.seconds += seconds


def body(**fields):
    return {"model": "auto", "messages": [{"role": "user", "content": "What is two and two?"}]} | fields


def whole(**fields):
    slept = Slept()
    answer = asyncio.run(
        Demo(sleep=slept, clock=lambda: 1_800_000_000.5).complete(ROW, Call(body(**fields), stream=False))
    )
    return json.loads(answer.body), answer.usage, slept.seconds


def streamed(wants_usage=False, **fields):
    async def run():
        stream = await Demo(sleep=Slept()).stream(ROW, Call(body(**fields), True, wants_usage))
        return [event async for event in stream], stream.usage

    return asyncio.run(run())


def chunks(events):
    return [json.loads(event[6:]) for event in events[:-1]]


def test_it_says_what_it_is_and_what_it_was_asked():
    answer, usage, _ = whole()
    text = answer["choices"][0]["message"]["content"]
    assert "demo deployment of the standard tier" in text
    assert "What is two and two?" in text
    assert answer["usage"]["completion_tokens"] == usage.output_tokens > 10


def test_it_takes_the_time_its_row_promises():
    _, usage, seconds = whole()
    assert seconds == pytest.approx(0.5 + usage.output_tokens / 10.0)


def test_the_stream_says_what_the_whole_answer_says():
    events, usage = streamed(wants_usage=True)
    assert events[-1] == b"data: [DONE]\n\n"
    *parts, last = chunks(events)
    text = "".join(part["choices"][0]["delta"].get("content", "") for part in parts)
    answer, whole_usage, _ = whole()
    assert text == answer["choices"][0]["message"]["content"]
    assert last["choices"] == [] and last["usage"] == answer["usage"]
    assert usage == whole_usage
    roles = [part["choices"][0]["delta"].get("role") for part in parts]
    assert roles.count("assistant") == 1 and roles[0] == "assistant"


def test_usage_comes_only_to_those_who_ask():
    assert all(part["choices"] for part in chunks(streamed()[0]))


def test_limits_and_stop_sequences_are_honoured():
    answer, usage, _ = whole(max_tokens=3)
    assert answer["choices"][0]["finish_reason"] == "length"
    assert usage.output_tokens == 3
    answer, _, _ = whole(stop=["right"])
    assert answer["choices"][0]["message"]["content"].endswith("in the ")


def text(**fields):
    return whole(**fields)[0]["choices"][0]["message"]["content"]


def test_a_json_object_is_one():
    assert json.loads(text(response_format={"type": "json_object"}))["demo"] is True


def by_schema(schema):
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


def test_a_schema_is_answered_by_an_example_of_it():
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"enum": ["C", "F"]},
            "degrees": {"type": "integer", "minimum": 3},
            "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
            "hours": {"type": "array", "items": {"$ref": "#/$defs/hour"}, "minItems": 2},
        },
        "required": ["city"],
        "$defs": {"hour": {"type": ["number", "null"]}},
    }
    found = json.loads(text(response_format=by_schema(schema)))
    assert (found["city"], found["unit"], found["degrees"], found["hours"]) == ("demo", "C", 3, [0, 0])


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "string", "pattern": "[a-z]+"},
        {"type": "colour"},
        {"$ref": "#"},
        {"$ref": "#/$defs/gone"},
        {"type": "array", "minItems": 10_000_000},
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "string", "minLength": "long"},
        {"type": "object", "properties": [1]},
        {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]},
    ],
)
def test_a_schema_that_is_beyond_a_demo_is_refused_as_the_callers(schema):
    with pytest.raises(ProviderError) as caught:
        whole(response_format=by_schema(schema))
    assert (caught.value.kind, caught.value.retryable) == ("invalid_request", False)


def test_more_than_one_answer_is_refused_and_not_forgotten():
    with pytest.raises(ProviderError, match="n: "):
        whole(n=3)


def test_long_words_cost_more_than_one_token():
    answer, usage, _ = whole(response_format={"type": "json_object"})
    assert usage.output_tokens > 5
    assert answer["created"] == 1_800_000_000


def test_the_same_request_gives_the_same_answer():
    assert whole()[0] == whole()[0]


@pytest.mark.parametrize("content", [None, [], [{"type": "text", "text": "parts"}], [{"type": "image_url"}]])
def test_any_valid_content_is_answered(content):
    assert whole(messages=[{"role": "user", "content": content}])[0]["choices"]
