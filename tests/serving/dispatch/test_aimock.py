"""Every adapter against a second fake that nobody here wrote: `@copilotkit/aimock` from npm."""

from __future__ import annotations

import json

import pytest

from serving.dispatch.adapter import ProviderError
from tests.serving.dispatch import foreign
from tests.serving.dispatch.asking import ASKED, adapter, deployment, put_together, streamed, whole
from tests.serving.dispatch.features import TOOL

PATHS = {"openai_compatible": "/v1", "anthropic": "/v1", "gemini": "/v1beta"}
ADAPTERS = pytest.mark.parametrize("name", PATHS)
WAYS = pytest.mark.parametrize("way", [whole, streamed])
CALLS = [{"name": "look", "arguments": {"at": "Köln"}}, {"name": "look", "arguments": {"at": "Bonn"}}]
LONG = "word after word after word, as many as it takes to be cut in the middle"
FIXTURES = [
    {"match": {"userMessage": "words"}, "response": {"content": "Hello wörld, how are you today?"}},
    {"match": {"userMessage": "tools"}, "response": {"toolCalls": CALLS}},
    {"match": {"userMessage": "think"}, "response": {"content": "Done.", "reasoning": "Let me think."}},
    {"match": {"userMessage": "cut"}, "response": {"content": LONG}, "truncateAfterChunks": 3},
    {"match": {"userMessage": "drop"}, "response": {"content": LONG}, "chaos": {"disconnectRate": 1}},
    {"match": {"userMessage": "garble"}, "response": {"content": LONG}, "chaos": {"malformedRate": 1}},
    {
        "match": {"userMessage": "limit"},
        "response": {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429},
    },
    {
        "match": {"userMessage": "load"},
        "response": {"error": {"message": "too busy", "type": "overloaded_error"}, "status": 529},
    },
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    problem = foreign.aimock_problem()
    if problem is not None:
        pytest.skip(problem)
    with foreign.aimock(tmp_path_factory.mktemp("aimock"), FIXTURES) as address:
        yield address


def ask(base, name, way, said, **fields):
    body = ASKED | {"messages": [{"role": "user", "content": said}]} | fields
    return way(adapter(name, foreign.SOON), deployment(name, base + PATHS[name]), body)


def message_of(base, name, way, said, **fields):
    found = ask(base, name, way, said, **fields)
    if way is streamed:
        assert found.error is None
        assert found.events[-1] == b"data: [DONE]\n\n"
        return put_together(found.chunks)
    (choice,) = found[0]["choices"]
    return choice["message"] | {"finish_reason": choice["finish_reason"]}


@ADAPTERS
@WAYS
def test_words_come_as_they_were_said(base, name, way):
    message = message_of(base, name, way, "words")
    assert (message["content"], message["finish_reason"]) == ("Hello wörld, how are you today?", "stop")


@ADAPTERS
@WAYS
def test_parallel_calls_come_with_ids_and_arguments_of_their_own(base, name, way):
    message = message_of(base, name, way, "tools", tools=[TOOL])
    calls = message["tool_calls"]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"at": "Köln"}, {"at": "Bonn"}]
    assert {call["function"]["name"] for call in calls} == {"look"}
    assert len({call["id"] for call in calls}) == 2
    assert message["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("name", ["anthropic", "gemini"])
@WAYS
def test_thoughts_are_told_apart_from_the_answer(base, name, way):
    message = message_of(base, name, way, "think")
    assert (message["content"], message["reasoning_content"]) == ("Done.", "Let me think.")


@ADAPTERS
@WAYS
@pytest.mark.parametrize(
    ("said", "kind", "status"), [("limit", "rate_limit", 429), ("load", "overloaded", 529)]
)
def test_a_refusal_is_one_of_the_family(base, name, way, said, kind, status):
    with pytest.raises(ProviderError) as caught:
        ask(base, name, way, said)
    assert (caught.value.kind, caught.value.status, caught.value.retryable) == (kind, status, True)


@ADAPTERS
@pytest.mark.parametrize("said", ["cut", "drop", "garble"])
def test_a_stream_that_breaks_is_a_failure_and_never_a_hang(base, name, said):
    try:
        error = ask(base, name, streamed, said).error
    except ProviderError as before_the_first_event:
        error = before_the_first_event
    assert error is not None
    assert (error.kind, error.retryable) == ("upstream", True)
