"""A request over HTTP to a provider over HTTP: failover, errors, streams and hanging up, all of it real."""

from __future__ import annotations

import contextlib
import json
import time

import httpx2
import openai
import pytest

from tests.fakes import HELLO_CHUNKS, HELLO_STREAM, FakeProvider, Reply, failing, sse, streaming
from tests.running import exported, in_process, logged, served

KEY = "sk-a-key-that-nobody-may-see"
MESSAGES = [{"role": "user", "content": "Hello?"}]
BODY = {"model": "auto", "messages": MESSAGES}


def rows(**providers):
    """Return catalog rows for providers, the first the cheapest."""
    return [
        {
            "name": name, "model": f"{name}-model", "adapter": "openai_compatible", "tier": "premium",
            "base_url": provider.base_url, "api_key_env": "TEST_API_KEY",
            "usd_per_million_input": 100.0 * place, "usd_per_million_output": 100.0 * place,
            "context_window_tokens": 10_000, "max_output_tokens": 1_000, "capabilities": ["streaming"],
        }
        for place, (name, provider) in enumerate(providers.items(), start=1)
    ]  # fmt: skip


def tables(**providers):
    return {
        "catalog": {"include_defaults": False},
        "deployments": rows(**providers),
        "policy": {"usd_per_second": 0.0},
    }


@contextlib.contextmanager
def house(folder, *scripts, **settings):
    """Run the application in this process before one provider per script, named first, second, …"""
    names = ("first", "second", "third")
    with contextlib.ExitStack() as opened:
        providers = [opened.enter_context(FakeProvider(*script)) for script in scripts]
        catalog = tables(**dict(zip(names, providers, strict=False)))
        client = opened.enter_context(in_process(folder, {"TEST_API_KEY": KEY}, **catalog, **settings))
        yield client, providers


def chat(client, **fields):
    return client.post("/v1/chat/completions", json=BODY | fields)


def only_outcome(client):
    (row,) = logged(client).values()
    return row["outcome"]


def test_the_providers_answer_comes_back_byte_for_byte(tmp_path):
    body = json.dumps({"choices": [], "a_new_field": [1, None], "usage": None}, indent=3).encode()
    with house(tmp_path, [Reply((body,))]) as (client, _):
        answer = chat(client)
    assert answer.content == body
    assert answer.headers["content-type"] == "application/json"


def test_the_provider_gets_its_own_model_name_its_key_and_no_field_of_ours(tmp_path):
    with house(tmp_path, [Reply()]) as (client, (provider,)):
        chat(client, temperature=0.5, weighbridge={"max_cost_usd": 5})
    (sent,) = provider.requests
    assert sent["line"] == "POST /v1/chat/completions HTTP/1.1"
    assert sent["body"] == {"model": "first-model", "messages": MESSAGES, "temperature": 0.5}
    assert sent["headers"]["authorization"] == f"Bearer {KEY}"


def test_the_callers_own_key_is_never_passed_on(tmp_path):
    with house(tmp_path, [Reply()]) as (client, (provider,)):
        client.post("/v1/chat/completions", json=BODY, headers={"authorization": "Bearer the-callers-own"})
    assert "the-callers-own" not in json.dumps(provider.requests)


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503, 529])
def test_what_is_not_the_callers_fault_goes_on_to_the_next_and_the_headers_say_so(tmp_path, status):
    with house(tmp_path, [failing(status)], [Reply()]) as (client, _):
        answer = chat(client)
        told = only_outcome(client)
    assert answer.status_code == 200
    assert answer.headers["x-weighbridge-deployment"] == "second"
    assert answer.headers["x-weighbridge-attempts"] == "2"
    assert [attempt["http_status"] for attempt in told["attempts"]] == [status, None]
    assert told["deployment"] == "second"


@pytest.mark.parametrize(
    "reply",
    [
        Reply((b"not json",)),
        Reply((b"{}",)),
        Reply((b"",)),
        Reply((b"{\x00", b"\xff"), then="disconnect"),
        Reply((b'{"choices": [', b"1"), then="disconnect"),
    ],
    ids=["no JSON", "no choices", "nothing", "bytes, then gone", "half an answer"],
)
def test_a_broken_answer_goes_on_to_the_next(tmp_path, reply):
    with house(tmp_path, [reply], [Reply()]) as (client, _):
        assert chat(client).headers["x-weighbridge-deployment"] == "second"


def test_a_redirect_is_not_followed_for_it_could_carry_the_key_elsewhere(tmp_path):
    with FakeProvider() as elsewhere:
        redirect = Reply(status=307, headers={"location": f"{elsewhere.base_url}/chat/completions"})
        with house(tmp_path, [redirect], [Reply()]) as (client, _):
            assert chat(client).headers["x-weighbridge-deployment"] == "second"
        assert elsewhere.requests == []


def test_a_provider_that_is_not_there_goes_on_to_the_next(tmp_path):
    with FakeProvider() as gone:
        pass
    with (
        FakeProvider() as there,
        in_process(tmp_path, {"TEST_API_KEY": KEY}, **tables(gone=gone, there=there)) as client,
    ):
        assert chat(client).headers["x-weighbridge-deployment"] == "there"


def test_a_provider_that_says_nothing_goes_on_to_the_next(tmp_path):
    patience = {"dispatch": {"first_byte_timeout_ms": 1_000}}
    with house(tmp_path, [Reply((), then="stall")], [Reply()], **patience) as (client, (silent, _)):
        answer = chat(client)
        assert answer.headers["x-weighbridge-deployment"] == "second"
        assert only_outcome(client)["attempts"][0]["error"] == "timeout"
        assert silent.hung_up.wait(5)


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("stream", [False, True])
def test_the_callers_own_error_comes_back_as_it_is_and_is_tried_nowhere_else(tmp_path, status, stream):
    refusal = failing(status, "temperature is too high", "bad_temperature")
    with house(tmp_path, [refusal], [Reply()]) as (client, (_, second)):
        answer = chat(client, stream=stream)
        assert only_outcome(client)["status"] == "error"
    assert answer.status_code == status
    assert "temperature is too high" in answer.json()["error"]["message"]
    assert second.requests == []


@pytest.mark.parametrize(
    ("status", "ours"), [(500, 502), (401, 502), (404, 502), (503, 503), (529, 503), (408, 504), (429, 429)]
)
def test_where_all_fail_the_last_failure_decides_what_the_caller_sees(tmp_path, status, ours):
    with house(tmp_path, [failing(status)], [failing(status)]) as (client, _):
        answer = chat(client)
        assert only_outcome(client)["status"] == "error"
        assert list(logged(client)) == [answer.headers["x-weighbridge-decision-id"]]
    assert answer.status_code == ours
    assert answer.json()["error"]["type"] == "upstream_error"
    assert "first, second" in answer.json()["error"]["message"]


def test_how_long_to_wait_is_passed_on(tmp_path):
    with house(tmp_path, [failing(429, retry_after="7")]) as (client, _):
        assert chat(client).headers["retry-after"] == "7"


def test_a_key_that_a_provider_repeats_is_shown_to_nobody(tmp_path, caplog):
    echo = failing(401, f"Incorrect API key provided: {KEY}.")
    with house(tmp_path, [echo]) as (client, _):
        answer = chat(client)
        everything = answer.text + json.dumps(logged(client)) + client.get("/metrics").text + caplog.text
    assert KEY not in everything
    on_disk = b"".join(path.read_bytes() for path in tmp_path.glob("decisions.db*"))
    assert KEY.encode() not in on_disk


def test_a_stream_comes_back_event_for_event(tmp_path):
    pieces = [HELLO_STREAM[place : place + 7] for place in range(0, len(HELLO_STREAM), 7)]
    with house(tmp_path, [streaming(*pieces)]) as (client, _):
        answer = chat(client, stream=True)
        told = only_outcome(client)
    assert answer.content == sse(*HELLO_CHUNKS, b"[DONE]")
    assert (told["status"], told["input_tokens"], told["output_tokens"]) == ("ok", 7, 2)
    assert told["cost_usd"] == pytest.approx(9 * 100 / 1e6)


@pytest.mark.parametrize(
    "reply",
    [
        failing(503),
        streaming(b"", then="disconnect"),
        streaming(b": just a comment\n\n", then="disconnect"),
        streaming(sse(b'{"error": {"message": "overloaded", "type": "server_error"}}')),
        streaming(sse(b"no json")),
        streaming(b" "),
    ],
    ids=["refused", "gone at once", "gone after a comment", "an error first", "nonsense first", "nothing"],
)
def test_a_stream_that_fails_before_its_first_event_goes_on_to_the_next(tmp_path, reply):
    with house(tmp_path, [reply], [streaming()]) as (client, _):
        answer = chat(client, stream=True)
    assert answer.headers["x-weighbridge-deployment"] == "second"
    assert answer.headers["x-weighbridge-attempts"] == "2"
    assert answer.content == sse(*HELLO_CHUNKS, b"[DONE]")


@pytest.mark.parametrize(
    "reply",
    [
        streaming(sse(HELLO_CHUNKS[0]), then="disconnect"),
        streaming(sse(HELLO_CHUNKS[0])),
        streaming(sse(HELLO_CHUNKS[0], b"no json")),
        streaming(sse(HELLO_CHUNKS[0], b'{"error": {"message": "overloaded"}}')),
        streaming(sse(HELLO_CHUNKS[0]), then="stall"),
    ],
    ids=["gone", "ended early", "nonsense", "an error", "silence"],
)
def test_a_stream_that_fails_in_the_middle_ends_in_an_error_and_is_tried_nowhere_else(tmp_path, reply):
    patience = {"dispatch": {"idle_timeout_ms": 200}}
    with house(tmp_path, [reply], [streaming()], **patience) as (client, (_, second)):
        answer = chat(client, stream=True)
        told = only_outcome(client)
    events = answer.content.split(b"\n\n")
    assert events[0] == b"data: " + HELLO_CHUNKS[0]
    assert json.loads(events[1].removeprefix(b"data: "))["error"]["type"] == "upstream_error"
    assert events[2:] == [b""]
    assert (told["status"], len(told["attempts"])) == ("error", 1)
    assert second.requests == []


@pytest.mark.parametrize(
    ("path", "body", "last"),
    [
        ("/v1/messages", BODY | {"max_tokens": 9}, ["error"]),
        ("/v1/responses", {"model": "auto", "input": "Hello?"}, ["error", "response.failed"]),
    ],
)
def test_silence_in_the_middle_ends_the_streams_of_the_other_apis_too(tmp_path, path, body, last):
    silent = streaming(sse(*HELLO_CHUNKS[:2]), then="stall")
    with house(tmp_path, [silent], [streaming()], dispatch={"idle_timeout_ms": 200}) as (client, (_, second)):
        answer = client.post(path, json=body | {"stream": True})
        told = only_outcome(client)
    events = [event.split(b"\n") for event in answer.content.strip().split(b"\n\n")]
    types = [json.loads(lines[-1].removeprefix(b"data: "))["type"] for lines in events]
    assert types[-len(last) :] == last
    assert types.count("error") == 1
    assert (told["status"], told["error"], len(told["attempts"])) == ("error", "timeout", 1)
    assert second.requests == []


def test_an_sdk_raises_what_broke_a_stream(tmp_path):
    with (
        FakeProvider(streaming(sse(HELLO_CHUNKS[0]), then="disconnect")) as provider,
        served(tmp_path, {"TEST_API_KEY": KEY}, **tables(only=provider)) as running,
        openai.OpenAI(base_url=f"{running.base_url}/v1", api_key="unused", max_retries=0) as sdk,
    ):
        stream = sdk.chat.completions.create(model="auto", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError):
            list(stream)


def wait_for_outcome(path):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = [row["outcome"] for row in exported(path).values() if row["outcome"]]
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("no outcome was written")


@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_who_hangs_up_ends_the_providers_side_and_leaves_one_cancelled_outcome(tmp_path, stream):
    first = streaming(sse(HELLO_CHUNKS[0]), then="stall") if stream else Reply((b"{",), then="stall")
    with (
        FakeProvider(first) as provider,
        served(tmp_path, {"TEST_API_KEY": KEY}, **tables(only=provider)) as running,
    ):
        with (
            contextlib.suppress(httpx2.ReadTimeout),
            httpx2.Client(base_url=running.base_url, timeout=0.5) as caller,
            caller.stream("POST", "/v1/chat/completions", json=BODY | {"stream": stream}) as answer,
        ):
            next(answer.iter_bytes())
        assert provider.hung_up.wait(5)
        (told,) = wait_for_outcome(running.log_path)
        assert (told["status"], told["streamed"]) == ("cancelled", stream)
        assert [attempt["deployment"] for attempt in told["attempts"]] == ["only"]
        # a caller who leaves says nothing about the deployment
        assert running.post("/route", {"prompt": "Hello?"})[0] == 200
        assert "Traceback" not in running.printed()


def test_a_deployment_that_keeps_failing_is_left_alone_until_it_recovers(tmp_path):
    script = [failing(503)] * 2 + [Reply()]
    settings = {"tables": {"failure_threshold": 2, "cooldown_s": 0.3}}
    with house(tmp_path, script, [Reply()], **settings) as (client, (first, _)):
        attempts = [chat(client).headers["x-weighbridge-attempts"] for _ in range(3)]
        assert attempts == ["2", "2", "1"]
        assert len(first.requests) == 2
        time.sleep(0.35)
        assert chat(client).headers["x-weighbridge-deployment"] == "first"


def test_a_new_provider_that_speaks_openai_is_a_row_of_the_catalog_and_nothing_else(tmp_path):
    with FakeProvider(Reply(), streaming(), Reply()) as provider:
        row = {
            "name": "newcomer-9b", "adapter": "openai_compatible", "tier": "standard",
            "base_url": provider.base_url, "api_key_env": "NEWCOMER_API_KEY",
            "usd_per_million_input": 1.0, "usd_per_million_output": 2.0,
            "context_window_tokens": 10_000, "max_output_tokens": 1_000,
        }  # fmt: skip
        settings = {"catalog": {"include_defaults": False}, "deployments": [row]}
        with in_process(tmp_path, {"NEWCOMER_API_KEY": KEY}, **settings) as client:
            answers = [chat(client), chat(client, stream=True), chat(client, model="newcomer-9b")]
            listed = [one["id"] for one in client.get("/v1/models").json()["data"]]
            costs = [one["outcome"]["cost_usd"] for one in logged(client).values()]
    assert [answer.headers["x-weighbridge-deployment"] for answer in answers] == ["newcomer-9b"] * 3
    assert answers[1].content == sse(*HELLO_CHUNKS, b"[DONE]")
    assert "newcomer-9b" in listed
    assert all(cost > 0 for cost in costs)
    assert {sent["headers"]["authorization"] for sent in provider.requests} == {f"Bearer {KEY}"}
    assert {sent["body"]["model"] for sent in provider.requests} == {"newcomer-9b"}
