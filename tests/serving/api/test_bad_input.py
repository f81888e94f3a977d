"""Whatever is sent, the caller learns what is wrong with it, and the service goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving.api.observations import ObservationBody
from serving.api.schemas import ChatBody, FeedbackBody, RouteBody
from tests.running import MAX_BODY_BYTES, is_sound, logged
from tests.serving.api.bodies import HELLO, chat_body, feedback_body, observation_body, route_body

BODIES = {
    "/route": route_body(),
    "/v1/chat/completions": chat_body(),
    "/feedback": feedback_body(),
    "/observations": observation_body(),
}
SHAPES = {
    "/route": RouteBody,
    "/v1/chat/completions": ChatBody,
    "/feedback": FeedbackBody,
    "/observations": ObservationBody,
}

NOT_OBJECTS = {
    "empty": b"",
    "blank": b"  \n",
    "null bytes": b"\x00" * 64,
    "not UTF-8": b'{"prompt": "\xff\xfe\xfa"}',
    "UTF-16": '{"prompt": "a"}'.encode("utf-16"),
    "cut off": b'{"prompt": "a',
    "two objects": b'{"prompt": "a"} {"prompt": "b"}',
    "comma at the end": b'{"prompt": "a",}',
    "array": b"[]",
    "string": b'"prompt"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "not a number": b'{"prompt": "a", "max_cost_usd": NaN}',
    "infinity": b'{"prompt": "a", "max_cost_usd": Infinity}',
    "minus infinity": b'{"prompt": "a", "max_cost_usd": -Infinity}',
    "beyond all floats": b'{"prompt": "a", "max_cost_usd": 1e999}',
    "nested 10,000 deep": b'{"prompt": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "nested 10,000 deep, never closed": b'{"prompt": ' + b'{"a":' * 10_000,
    "form": b"prompt=a&model=b",
}


def refused(answer, status=400):
    """Return the error of an answer that is a refusal in OpenAI's shape."""
    assert answer.status_code == status, answer.text[:300]
    error = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert error["message"] and error["type"] and error["code"]
    return error


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("raw", NOT_OBJECTS.values(), ids=NOT_OBJECTS)
def test_what_is_no_json_object_is_refused(client, path, raw):
    refused(client.post(path, content=raw))


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("digits", [20, 400, 5_000, 100_000])
def test_a_number_of_any_length_is_no_fault(client, path, digits):
    """Python refuses to read whole numbers of more than 4,300 digits."""
    raw = json.dumps(BODIES[path])[:-1].encode() + b', "max_cost_usd": ' + b"9" * digits + b"}"
    assert client.post(path, content=raw).status_code < 500


def fields():
    return [(path, field) for path, shape in SHAPES.items() for field in shape.__struct_fields__]


@pytest.mark.parametrize(("path", "field"), fields())
def test_a_field_of_the_wrong_type_is_refused_by_name(client, path, field):
    refusals = 0
    for wrong in ({"no": "such"}, ["no"], 1.5, True, "no such word", [[[]]], -1):
        answer = client.post(path, json=BODIES[path] | {field: wrong})
        assert answer.status_code < 500
        if answer.status_code == 400:
            refusals += 1
            named = refused(answer)["param"]
            assert named is not None and (named.startswith(field) or field == "prompt")
    assert refusals >= 3


@pytest.mark.parametrize(("path", "field"), [("/route", "promt"), ("/feedback", "scores")])
def test_our_own_endpoints_refuse_a_field_they_do_not_know(client, path, field):
    assert refused(client.post(path, json=BODIES[path] | {field: 1}))["param"] == field


def test_our_own_object_in_a_chat_refuses_a_field_it_does_not_know(client):
    error = refused(client.post("/v1/chat/completions", json=chat_body(weighbridge={"max_cost": 1})))
    assert error["param"].startswith("weighbridge")
    assert "max_cost" in error["message"]


def test_a_chat_keeps_fields_that_only_the_provider_knows(client):
    answer = client.post("/v1/chat/completions", json=chat_body(temperature=0.5, a_new_field={"a": [1]}))
    assert answer.status_code == 200


@pytest.mark.parametrize("path", BODIES)
def test_a_body_without_its_fields_is_refused(client, path):
    assert refused(client.post(path, json={}))["param"]


MESSAGES = {
    "no messages": ([], "messages"),
    "unknown role": ([{"role": "boss", "content": "a"}], "messages[0].role"),
    "no role": ([{"content": "a"}], "messages[0]"),
    "role is a number": ([{"role": 1, "content": "a"}], "messages[0].role"),
    "content is a number": ([{"role": "user", "content": 1}], "messages[0].content"),
    "message is text": (["a"], "messages[0]"),
    "the second message is null": ([*HELLO, None], "messages[1]"),
    "part is text": ([{"role": "user", "content": ["a"]}], "messages[0].content[0]"),
    "part without a type": ([{"role": "user", "content": [{}]}], "messages[0].content[0]"),
    "unknown part": ([{"role": "user", "content": [{"type": "smell"}]}], "messages[0].content[0].type"),
    "text part without text": (
        [{"role": "user", "content": [{"type": "text"}]}],
        "messages[0].content[0].text",
    ),
    "image part without an image": (
        [{"role": "user", "content": [{"type": "image_url"}]}],
        "messages[0].content[0].image_url",
    ),
    "image part of numbers": (
        [{"role": "user", "content": [{"type": "image_url", "image_url": 7}]}],
        "messages[0].content[0].image_url",
    ),
    "image without an address": (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
        "messages[0].content[0].image_url",
    ),
}


@pytest.mark.parametrize("path", ["/route", "/v1/chat/completions"])
@pytest.mark.parametrize(("messages", "field"), MESSAGES.values(), ids=MESSAGES)
def test_a_bad_message_is_refused_by_its_place(client, path, messages, field):
    body = {"messages": messages} | ({"model": "auto"} if "chat" in path else {})
    assert refused(client.post(path, json=body))["param"].startswith(field)


def test_what_no_deployment_can_read_is_a_422(client):
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    error = refused(client.post("/route", json={"messages": [{"role": "user", "content": [audio]}]}), 422)
    assert {row["code"] for row in error["detail"]} == {"capability"}


def test_an_image_for_deployments_that_do_not_see_is_a_422(client):
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    body = chat_body(model="demo-economy", messages=[{"role": "user", "content": [image]}])
    assert refused(client.post("/v1/chat/completions", json=body), 422)["code"] == "no_eligible_deployment"


@pytest.mark.parametrize("field", ["max_cost_usd", "max_latency_ms", "quality_floor", "max_output_tokens"])
@pytest.mark.parametrize("value", [-1, -1e300, "0.1", [], {}, False])
def test_a_limit_that_is_no_limit_is_refused(client, field, value):
    assert refused(client.post("/route", json=route_body(**{field: value})))["param"] == field


@pytest.mark.parametrize("field", ["max_cost_usd", "max_latency_ms", "max_output_tokens"])
def test_a_limit_of_nothing_is_refused(client, field):
    assert refused(client.post("/route", json=route_body(**{field: 0})))["param"] == field


@pytest.mark.parametrize("tokens", [10**9, 2**63, 2**64, 10**40])
def test_an_answer_longer_than_any_model_writes_is_a_422(client, tokens):
    refused(client.post("/route", json=route_body(max_output_tokens=tokens)), 422)
    refused(client.post("/v1/chat/completions", json=chat_body(max_tokens=tokens)), 422)


def test_a_prompt_and_messages_at_once_are_refused(client):
    assert refused(client.post("/route", json=route_body(messages=HELLO)))["param"] == "messages"


@pytest.mark.parametrize(
    "text",
    ["\x00", "a\x00b", "\\ud800", "\\udfff\\ud800", "\u202eabc", "\U0001f600" * 50, "e\u0301" * 999, " "],
    ids=ascii,
)
def test_odd_characters_are_weighed_or_refused_and_never_a_fault(client, text):
    raw = json.dumps(route_body(prompt=text)).replace("\\\\u", "\\u").encode()
    answer = client.post("/route", content=raw)
    assert answer.status_code in (200, 400), answer.text
    chat = json.dumps(chat_body(messages=[{"role": "user", "content": text}])).replace("\\\\u", "\\u")
    assert client.post("/v1/chat/completions", content=chat.encode()).status_code in (200, 400)


def test_a_prompt_of_a_megabyte_that_fits_no_window_is_a_422(client):
    error = refused(client.post("/route", json={"prompt": "All work and no play. " * 50_000}), 422)
    assert {row["code"] for row in error["detail"]} == {"context_window"}


def test_a_prompt_of_half_a_megabyte_goes_where_it_fits(client):
    decision = client.post("/route", json={"prompt": "All work and no play. " * 25_000}).json()
    assert decision["deployment"] == "demo-premium"


@pytest.mark.parametrize("path", BODIES)
def test_a_body_over_the_limit_is_a_413(client, path):
    too_long = b'{"prompt": "' + b"a" * MAX_BODY_BYTES + b'"}'
    assert refused(client.post(path, content=too_long), 413)["code"] == "body_too_large"


@pytest.mark.parametrize("path", BODIES)
def test_a_body_over_the_limit_that_does_not_announce_its_length_is_a_413(client, path):
    pieces = (b"a" * 100_000 for _ in range(MAX_BODY_BYTES // 100_000 + 1))
    refused(client.post(path, content=pieces), 413)


def test_a_key_that_is_given_twice_counts_as_its_last(client):
    raw = b'{"prompt": "a", "model": "nobody", "model": "demo-premium"}'
    assert client.post("/route", content=raw).json()["deployment"] == "demo-premium"


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_method_that_is_not_for_a_path_is_a_405(client, path, method):
    assert refused(client.request(method, path), 405)["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/chat", "/v2/chat/completions", "/route/x", "/%00", "/é"])
def test_a_path_where_nothing_is_is_a_404_that_lists_the_known_ones(client, path):
    assert "/v1/chat/completions" in refused(client.post(path, json={}), 404)["message"]


@pytest.mark.parametrize("path", ["/route", "/v1/chat/completions"])
def test_an_unknown_model_is_a_404_that_lists_the_known_ones(client, path):
    error = refused(client.post(path, json=BODIES[path] | {"model": "gpt-nobody"}), 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "demo-economy" in error["message"]


def test_the_log_stays_whole_whatever_was_sent(client):
    before = client.post("/route", json=route_body()).json()["decision_id"]
    for path in BODIES:
        for raw in NOT_OBJECTS.values():
            client.post(path, content=raw)
        for field in SHAPES[path].__struct_fields__:
            client.post(path, json=BODIES[path] | {field: {"no": "such"}})
    after = client.post("/route", json=route_body()).json()["decision_id"]
    found = logged(client)
    assert {before, after} <= set(found)
    assert is_sound(Path(client.app.state.context.gateway._log.path))
    assert client.app.state.context.gateway.writer.dropped == 0


@pytest.mark.parametrize("path", ["/route", "/v1/chat/completions", "/v1/models"])
def test_a_fault_of_ours_is_told_as_ours_and_its_trace_is_in_our_log(client, monkeypatch, caplog, path):
    def breaks(*_):
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(client.app.state.context.gateway, "route", breaks)
    monkeypatch.setattr(client.app.state.context.keys.__class__, "check", breaks)
    response = client.get(path) if path == "/v1/models" else client.post(path, json=BODIES[path])
    error = refused(response, 500)
    assert "deep inside" not in error["message"]
    traces = [row for row in caplog.records if row.exc_info and row.name == "serving.api.rendering"]
    assert [row.exc_info[0] for row in traces] == [ZeroDivisionError]


@pytest.mark.parametrize(
    ("needs", "param", "told"),
    [
        ({"compliance": ["gdrp"]}, "compliance", "Did you mean 'gdpr'?"),
        ({"compliance": ["eu", "HIPAA"]}, "compliance", "Did you mean 'hipaa'?"),
        ({"compliance": ["retention_days<=soon"]}, "compliance", "'retention_days<=30'"),
        ({"compliance": ["x-"]}, "compliance", "starts with 'x-'"),
        ({"capabilities": ["visoin"]}, "capabilities", "Did you mean 'vision'?"),
    ],
)
@pytest.mark.parametrize("by", ["body", "header"])
def test_a_need_that_nobody_knows_is_refused_with_the_closest_word(client, needs, param, told, by):
    if by == "body":
        answer = client.post("/route", json=route_body(**needs))
    else:
        headers = {f"x-weighbridge-{param}": ", ".join(needs[param])}
        answer = client.post("/v1/chat/completions", json=chat_body(), headers=headers)
    error = refused(answer)
    assert error["param"] == param and told in error["message"]


def test_how_long_prompts_are_kept_and_tags_of_ones_own_may_be_asked_for(client):
    for tag in ("retention_days<=30", "x-my-own"):
        assert refused(client.post("/route", json=route_body(compliance=[tag])), 422)["param"] == "compliance"


def test_a_prompt_of_three_megabytes_is_weighed_or_refused_and_never_a_fault(client):
    """It fits no window of the demo; a body that is longer than the limit is a 413."""
    words = "the quick brown fox " * (2_900_000 // 20)
    assert refused(client.post("/route", json=route_body(prompt=words)), 422)["param"] == "messages"
    assert client.post("/route", json=route_body(prompt=words + words)).status_code == 413
    assert client.post("/route", json=route_body()).status_code == 200
