"""OpenAI's own SDK, pointed at Weighbridge, finds everything where it expects it."""

from __future__ import annotations

import openai
import pytest

from tests.running import MAX_BODY_BYTES, served

HELLO = [{"role": "user", "content": "Say hello to the new colleague."}]


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server.base_url}/v1", api_key="unused", max_retries=0, timeout=20) as sdk:
        yield sdk


def test_a_whole_answer_is_a_chat_completion(client):
    answer = client.chat.completions.create(model="auto", messages=HELLO)
    assert answer.object == "chat.completion"
    (choice,) = answer.choices
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_says_the_same_as_the_whole_answer(client):
    whole = client.chat.completions.create(model="demo-standard", messages=HELLO)
    with client.chat.completions.create(model="demo-standard", messages=HELLO, stream=True) as stream:
        chunks = list(stream)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_ends_with_usage_where_it_was_asked_for(client):
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    with client.chat.completions.create(model="auto", messages=HELLO, **asked) as stream:
        chunks = list(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_a_stream_holds_no_usage_where_it_was_not_asked_for(client):
    with client.chat.completions.create(model="auto", messages=HELLO, stream=True) as stream:
        assert all(chunk.usage is None and chunk.choices for chunk in stream)


def test_a_token_limit_ends_the_answer_and_says_so(client):
    answer = client.chat.completions.create(model="demo-economy", messages=HELLO, max_completion_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens <= 3


def test_the_decision_stands_in_the_headers(client):
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=HELLO)
    assert raw.headers["x-weighbridge-decision-id"].startswith("dec_")
    assert raw.headers["x-weighbridge-deployment"] in {"demo-economy", "demo-standard", "demo-premium"}
    assert raw.headers["x-weighbridge-required-tier"] in {"economy", "standard", "premium"}
    assert raw.headers["x-weighbridge-deployment"] == f"demo-{raw.headers['x-weighbridge-tier']}"
    assert raw.headers["x-weighbridge-attempts"] == "1"
    assert float(raw.headers["x-weighbridge-expected-cost-usd"]) > 0
    assert float(raw.headers["x-weighbridge-decide-ms"]) > 0


def test_a_stream_has_the_same_headers_as_a_whole_answer(client):
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=HELLO)
    with client.chat.completions.with_streaming_response.create(
        model="auto", messages=HELLO, stream=True
    ) as streamed:
        ours = {name for name in streamed.headers if name.startswith("x-weighbridge-")}
        assert streamed.headers["content-type"].startswith("text/event-stream")
    assert ours == {name for name in raw.headers if name.startswith("x-weighbridge-")}


def test_limits_travel_in_the_extra_body(client):
    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=HELLO, extra_body={"weighbridge": {"compliance": ["hipaa"]}}
    )
    assert raw.headers["x-weighbridge-deployment"] == "demo-premium"


def test_models_are_listed(client):
    assert {"auto", "demo-economy"} <= {row.id for row in client.models.list()}
    assert client.models.retrieve("demo-economy").owned_by == "demo"
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("gpt-nobody")
    assert raised.value.code == "model_not_found"


def test_an_unknown_model_raises_not_found(client):
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="gpt-nobody", messages=HELLO)
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")


def test_a_bad_message_raises_bad_request_that_names_it(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="auto", messages=[{"role": "boss", "content": "a"}])
    assert raised.value.param == "messages[0].role"
    assert raised.value.type == "invalid_request_error"


def test_limits_that_nobody_meets_raise_unprocessable(client):
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.chat.completions.create(
            model="auto", messages=HELLO, extra_body={"weighbridge": {"max_cost_usd": 1e-9}}
        )
    assert raised.value.code == "no_eligible_deployment"


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_a_stream_is_an_error_and_no_stream(client, stream):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-nobody", messages=HELLO, stream=stream)


def test_a_body_over_the_limit_raises_its_status_and_leaves_the_connection_usable(client):
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "a" * 2 * MAX_BODY_BYTES}]
        )
    assert raised.value.status_code == 413
    assert client.chat.completions.create(model="auto", messages=HELLO).choices


def test_a_wrong_key_raises_authentication_error(tmp_path):
    with served(tmp_path, {"WEIGHBRIDGE_API_KEYS": "right"}) as guarded:
        url = f"{guarded.base_url}/v1"
        with (
            openai.OpenAI(base_url=url, api_key="wrong", max_retries=0) as wrong,
            openai.OpenAI(base_url=url, api_key="right", max_retries=0) as right,
        ):
            with pytest.raises(openai.AuthenticationError):
                wrong.chat.completions.create(model="auto", messages=HELLO)
            assert right.chat.completions.create(model="auto", messages=HELLO).choices
        assert "right" not in guarded.printed()
