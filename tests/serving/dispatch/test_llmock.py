"""Every adapter against a provider fake that nobody here wrote: `llmock` from PyPI, in three formats."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

import pytest

from serving.dispatch.adapter import ProviderError
from tests.serving.dispatch import foreign
from tests.serving.dispatch.asking import ASKED, adapter, deployment, put_together, streamed, whole
from tests.serving.dispatch.features import TOOL

pytestmark = pytest.mark.skipif(foreign.llmock_command() is None, reason="llmock is not installed")
PATHS = {"openai_compatible": "/v1", "anthropic": "/anthropic/v1", "gemini": "/gemini/v1beta"}
ADAPTERS = pytest.mark.parametrize("name", PATHS)


@pytest.fixture(scope="module")
def base():
    with foreign.llmock() as address:
        yield address


def ask(base, name, way=whole, **fields):
    return way(adapter(name, foreign.SOON), deployment(name, base + PATHS[name]), ASKED | fields)


def script(base, *behaviors):
    data = json.dumps({"behaviors": behaviors}).encode()
    request = Request(f"{base}/_llmock/scenario", data, {"content-type": "application/json"})
    with urlopen(request, timeout=5) as answer:
        assert answer.status == 201


@ADAPTERS
def test_a_whole_answer_has_text_and_usage(base, name):
    answer, usage = ask(base, name)
    assert answer["choices"][0]["message"]["content"]
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert usage.output_tokens > 0


@ADAPTERS
def test_a_stream_says_words_and_ends_with_usage_and_done(base, name):
    found = ask(base, name, streamed)
    assert found.error is None
    assert found.events[-1] == b"data: [DONE]\n\n"
    message = put_together(found.chunks)
    assert (message["role"], message["finish_reason"]) == ("assistant", "stop")
    assert message["content"]
    assert found.usage.output_tokens > 0


@ADAPTERS
@pytest.mark.parametrize("way", [whole, streamed])
@pytest.mark.parametrize(
    ("status", "kind"), [(401, "authentication"), (429, "rate_limit"), (500, "upstream"), (529, "overloaded")]
)
def test_a_refusal_is_one_of_the_family_and_the_next_call_is_answered(base, name, way, status, kind):
    script(base, {"type": "fail", "status": status, "times": 1})
    with pytest.raises(ProviderError) as caught:
        ask(base, name, way)
    assert (caught.value.kind, caught.value.status, caught.value.retryable) == (kind, status, True)
    ask(base, name, way)


@ADAPTERS
def test_how_long_to_wait_is_read(base, name):
    script(base, {"type": "fail", "status": 429, "retry_after": 2.5, "times": 1})
    with pytest.raises(ProviderError) as caught:
        ask(base, name)
    assert caught.value.retry_after_s == 2.5


@ADAPTERS
@pytest.mark.parametrize("fault", ["disconnect", "truncate", "stall", "malformed"])
def test_a_stream_that_breaks_is_a_failure_and_never_a_hang(base, name, fault):
    script(base, {"type": "stream_fault", "kind": fault, "after_chunks": 2, "times": 1})
    try:
        error = ask(base, name, streamed).error
    except ProviderError as before_the_first_event:
        error = before_the_first_event
    assert error.kind == ("timeout" if fault == "stall" else "upstream")


@ADAPTERS
def test_tools_are_accepted_as_each_format_wants_them(base, name):
    assert ask(base, name, tools=[TOOL], tool_choice="auto")[0]["choices"]
