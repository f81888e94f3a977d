"""Each provider gets what it takes, and is never sent what it would ignore or refuse."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.dispatch import dialects
from serving.dispatch.adapter import ProviderError
from serving.dispatch.dialects import DIALECTS, adapted
from serving.settings import vocabulary
from tests.fakes import FakeProvider, Reply, streaming
from tests.serving.dispatch.asking import ASKED, KEY, adapter, deployment, streamed, whole

MESSAGES = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
BY_NAME = pytest.mark.parametrize("name", sorted(DIALECTS))


def sent_by(name, **fields):
    with FakeProvider(Reply()) as provider:
        row = deployment("openai_compatible", provider.base_url, name)
        whole(adapter("openai_compatible"), row, ASKED | fields)
    return provider.requests[0]


def test_the_settings_know_who_gives_one_answer():
    refusing = {("openai_compatible", name) for name, row in DIALECTS.items() if "n" in row.refuse}
    native = {("anthropic", name) for name in vocabulary.DIALECTS["anthropic"]}
    assert refusing | native | {("demo", "")} == vocabulary.ONE_ANSWER


def test_the_settings_know_the_same_names():
    assert set(vocabulary.DIALECTS["openai_compatible"]) == set(dialects.DIALECTS)


@BY_NAME
def test_the_limit_of_tokens_goes_by_one_name_that_the_provider_knows(name):
    renamed = DIALECTS[name].rename
    for given_name in ("max_tokens", "max_completion_tokens"):
        sent = sent_by(name, **{given_name: 5})["body"]
        assert sent[renamed.get(given_name, given_name)] == 5
        assert not {"max_tokens", "max_completion_tokens"} <= set(sent)


@BY_NAME
def test_developers_speak_as_system_where_that_role_is_not_known(name):
    roles = [message["role"] for message in sent_by(name, messages=MESSAGES)["body"]["messages"]]
    assert roles == ["system" if DIALECTS[name].roles else "developer", "user"]


@BY_NAME
def test_what_changes_the_answer_is_refused_before_a_call_and_another_may_do_better(name):
    asked = {"n": 3, "logprobs": True, "logit_bias": {"1": 5}, "tool_choice": "required"}
    asked["parallel_tool_calls"] = False
    for field, value in asked.items():
        if field in DIALECTS[name].refuse:
            with pytest.raises(ProviderError, match=field) as caught:
                adapted(ASKED | {field: value}, DIALECTS[name])
            assert (caught.value.kind, caught.value.retryable) == ("invalid_request", True)
            assert caught.value.body == {"param": field}
        else:
            assert adapted(ASKED | {field: value}, DIALECTS[name])[field] == value


@BY_NAME
def test_a_schema_is_sent_or_refused_and_never_dropped(name):
    if "json_schema" in DIALECTS[name].formats:
        with pytest.raises(ProviderError, match="response_format"):
            adapted(ASKED | {"response_format": SCHEMA}, DIALECTS[name])
    else:
        assert adapted(ASKED | {"response_format": SCHEMA}, DIALECTS[name])["response_format"] == SCHEMA


@BY_NAME
def test_temperature_stays_within_the_providers_range(name):
    if "temperature" in DIALECTS[name].drop:
        assert "temperature" not in adapted(ASKED | {"temperature": 2.0}, DIALECTS[name])
        return
    least, most = DIALECTS[name].clamp.get("temperature", (0.0, 2.0))
    assert adapted(ASKED | {"temperature": 2.0}, DIALECTS[name])["temperature"] == most
    assert adapted(ASKED | {"temperature": 0.0}, DIALECTS[name])["temperature"] == least


@BY_NAME
def test_too_many_stop_sequences_are_refused_where_there_is_a_limit(name):
    limit = DIALECTS[name].most_stops
    if limit is not None:
        assert adapted(ASKED | {"stop": ["x"] * limit}, DIALECTS[name])["stop"]
        with pytest.raises(ProviderError, match="stop"):
            adapted(ASKED | {"stop": ["x"] * (limit + 1)}, DIALECTS[name])


@BY_NAME
def test_the_key_travels_in_the_providers_header_alone(name):
    headers = sent_by(name)["headers"]
    expected = {"api-key": KEY} if name.startswith("azure") else {"authorization": f"Bearer {KEY}"}
    assert {key: headers[key] for key in ("api-key", "authorization") if key in headers} == expected


def test_mistral_is_asked_in_its_own_words():
    sent = sent_by("mistral", seed=7, user="me", store=True, temperature=1.9)["body"]
    assert (sent["random_seed"], sent["temperature"]) == (7, 1.5)
    assert not {"seed", "user", "store"} & set(sent)
    with FakeProvider(streaming()) as provider:
        row = deployment("openai_compatible", provider.base_url, "mistral")
        streamed(adapter("openai_compatible"), row, ASKED | {"stream_options": {"include_usage": True}})
    assert "stream_options" not in provider.requests[0]["body"]


def test_ids_of_calls_that_another_provider_made_are_ones_that_mistral_takes():
    calls = [
        {"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for name in ("call_AbC123", "toolu_01", "D681PevKs")
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "1"} for call in calls]
    messages = [{"role": "assistant", "content": None, "tool_calls": calls}, *results]
    answer, *told = sent_by("mistral", messages=messages)["body"]["messages"]
    sent = [call["id"] for call in answer["tool_calls"]]
    assert sent == [result["tool_call_id"] for result in told]
    assert len(set(sent)) == 3
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", one) for one in sent)
    assert sent[2] == "D681PevKs"


@pytest.mark.parametrize("name", ["openai_reasoning", "azure_reasoning"])
def test_a_model_that_reasons_is_not_sent_what_it_refuses_unless_it_is_at_rest(name):
    fields = {"temperature": 0.2, "top_p": 0.9, "presence_penalty": 0.1, "frequency_penalty": 0.1}
    assert not fields.keys() & sent_by(name, **fields)["body"].keys()
    at_rest = sent_by(name, reasoning_effort="none", logprobs=True, **fields)["body"]
    assert fields.items() <= at_rest.items()
    assert at_rest["logprobs"] is True


def test_openrouter_is_kept_from_hosts_that_would_ignore_tools_or_a_schema():
    assert sent_by("openrouter", response_format=SCHEMA)["body"]["provider"] == {"require_parameters": True}
    assert "provider" not in sent_by("openrouter")["body"]
    own = {"order": ["x"]}
    assert sent_by("openrouter", response_format=SCHEMA, provider=own)["body"]["provider"] == own


@BY_NAME
def test_what_another_provider_left_in_a_message_is_not_sent_where_it_would_be_refused(name):
    text = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    call = {"id": "c", "function": {}, "extra_content": {"google": {}}}
    answer = {"role": "assistant", "content": [text], "tool_calls": [call]}
    strange = {"thinking_blocks": [{}], "reasoning_content": "Hm."}
    (sent,) = adapted(ASKED | {"messages": [answer | strange]}, DIALECTS[name])["messages"]
    found = set(sent) | set(sent["content"][0]) | set(sent["tool_calls"][0])
    others = {"thinking_blocks", "reasoning_content", "extra_content", "cache_control"}
    assert found & others == DIALECTS[name].keeps


@BY_NAME
@given(st.dictionaries(st.sampled_from(["n", "seed", "user", "stop", "top_p", "logprobs"]), st.none()))
def test_fields_that_say_nothing_ask_for_nothing(name, fields):
    assert adapted(ASKED | fields, DIALECTS[name])["messages"]
