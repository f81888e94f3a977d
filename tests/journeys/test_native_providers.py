"""OpenAI's SDK against a running Weighbridge whose deployments speak Anthropic's and Gemini's own APIs."""

from __future__ import annotations

import json

import openai
import pytest

from tests.fakes import FakeProvider, Reply, failing, streaming
from tests.running import in_process, logged, served
from tests.serving.dispatch.asking import GOLDEN
from tests.serving.dispatch.features import TOOL

KEY = "a-key-that-nobody-may-see"
MESSAGES = [{"role": "user", "content": "Hello?"}]
WORDS = {
    "anthropic": {"content": [{"type": "text", "text": "Hello."}], "stop_reason": "end_turn",
                  "usage": {"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 10}},
    "gemini": {"candidates": [{"content": {"parts": [{"text": "Hello."}]}, "finishReason": "STOP"}],
               "usageMetadata": {"promptTokenCount": 1_000, "cachedContentTokenCount": 900,
                                 "candidatesTokenCount": 10}},
}  # fmt: skip
NAMES = pytest.mark.parametrize("name", WORDS)


def tables(*providers):
    """Return the settings for providers by the name of their adapter, the first the cheapest."""
    rows = [
        {
            "name": f"d{place}", "model": "their-model", "adapter": adapter, "tier": "premium",
            "base_url": provider.base_url, "api_key_env": "TEST_API_KEY",
            "usd_per_million_input": 10.0 * place, "usd_per_million_output": 20.0 * place,
            "usd_per_million_cached_read": 1.0 * place, "context_window_tokens": 10_000,
            "max_output_tokens": 1_000, "capabilities": ["streaming", "tools", "parallel_tools"],
        }
        for place, (adapter, provider) in enumerate(providers, start=1)
    ]  # fmt: skip
    return {
        "catalog": {"include_defaults": False},
        "deployments": rows,
        "policy": {"usd_per_second": 0.0},
    }


def reply(name):
    return Reply((json.dumps(WORDS[name]).encode(),))


@NAMES
def test_the_sdk_assembles_a_stream_of_words_and_tools(tmp_path, name):
    with (
        FakeProvider(streaming(GOLDEN[name])) as provider,
        served(tmp_path, {"TEST_API_KEY": KEY}, **tables((name, provider))) as running,
        openai.OpenAI(base_url=f"{running.base_url}/v1", api_key="unused", max_retries=0) as sdk,
        sdk.chat.completions.stream(
            model="auto", messages=MESSAGES, tools=[TOOL], stream_options={"include_usage": True}
        ) as stream,
    ):
        for _ in stream:
            pass
        found = stream.get_final_completion()
    (choice,) = found.choices
    assert choice.message.content == "Hello wörld"
    assert [call.function.name for call in choice.message.tool_calls] == ["look", "hear"]
    assert choice.finish_reason == "tool_calls"
    assert found.usage.completion_tokens > 0
    assert KEY not in running.printed()


@NAMES
def test_what_was_cached_costs_what_cached_tokens_cost(tmp_path, name):
    with (
        FakeProvider(reply(name)) as provider,
        in_process(tmp_path, {"TEST_API_KEY": KEY}, **tables((name, provider))) as client,
    ):
        client.post("/v1/chat/completions", json={"model": "auto", "messages": MESSAGES})
        (row,) = logged(client).values()
    assert row["outcome"]["cost_usd"] == pytest.approx((100 * 10 + 900 * 1 + 10 * 20) / 1e6)


@NAMES
def test_one_api_stands_in_for_another_and_the_caller_sees_no_difference(tmp_path, name):
    other = next(adapter for adapter in WORDS if adapter != name)
    with (
        FakeProvider(failing(529)) as first,
        FakeProvider(reply(other)) as second,
        in_process(tmp_path, {"TEST_API_KEY": KEY}, **tables((name, first), (other, second))) as client,
    ):
        answer = client.post("/v1/chat/completions", json={"model": "auto", "messages": MESSAGES})
    assert answer.headers["x-weighbridge-deployment"] == "d2"
    assert answer.json()["choices"][0]["message"]["content"] == "Hello."


def test_what_an_api_cannot_do_goes_to_one_that_can_without_asking_the_first(tmp_path):
    two = {"candidates": [dict(WORDS["gemini"]["candidates"][0], index=place) for place in (0, 1)]}
    with (
        FakeProvider(reply("anthropic")) as first,
        FakeProvider(Reply((json.dumps(two).encode(),))) as second,
    ):
        both = tables(("anthropic", first), ("gemini", second))
        with in_process(tmp_path, {"TEST_API_KEY": KEY}, **both) as client:
            answer = client.post("/v1/chat/completions", json={"model": "auto", "messages": MESSAGES, "n": 2})
    assert len(answer.json()["choices"]) == 2
    assert (first.requests, answer.headers["x-weighbridge-attempts"]) == ([], "1")


def test_what_nobody_can_do_is_a_400_that_names_the_field(tmp_path):
    with (
        FakeProvider(reply("anthropic")) as provider,
        in_process(tmp_path, {"TEST_API_KEY": KEY}, **tables(("anthropic", provider))) as client,
    ):
        asked = {"model": "auto", "messages": MESSAGES}
        answer = client.post("/v1/chat/completions", json=asked | {"logprobs": True})
        several = client.post("/v1/chat/completions", json=asked | {"n": 2})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "logprobs")
    # known before anybody is chosen
    assert (several.status_code, several.json()["error"]["param"]) == (422, "n")
    assert "cannot do several_answers" in several.json()["error"]["message"]
    assert provider.requests == []
