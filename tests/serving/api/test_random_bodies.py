"""No body, however it was made, is a fault of ours."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.api.schemas import ChatBody, FeedbackBody, LimitsBody, RouteBody
from tests.serving.api.bodies import chat_body, feedback_body, observation_body, route_body

PATHS = ["/route", "/v1/chat/completions", "/feedback", "/observations"]
BODIES = {
    "/route": route_body(),
    "/v1/chat/completions": chat_body(),
    "/feedback": feedback_body(),
    "/observations": observation_body(),
}
SHAPES = (RouteBody, ChatBody, FeedbackBody, LimitsBody)
FIELDS = sorted({name for shape in SHAPES for name in shape.__struct_fields__})
WORDS = [
    "auto",
    "demo-economy",
    "user",
    "system",
    "tool",
    "text",
    "image_url",
    "json_schema",
    "a",
    "",
    "\x00",
]
KEYS = [*FIELDS, "role", "content", "type", "text", "image_url", "url", "tool_calls", "function", "stop", "n"]

# Surrogates go over the wire as escapes.
texts = st.sampled_from(WORDS) | st.text(alphabet=st.characters(), max_size=30)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | texts, inner, max_size=4)
    ),
    max_leaves=12,
)
parts = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "input_audio", "file", "refusal"])},
    optional={"text": values, "image_url": values, "input_audio": values, "file": values},
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])},
    optional={
        "content": texts | st.none() | st.lists(parts | values, max_size=3),
        "tool_calls": values,
        "name": values,
    },
)
bodies = st.dictionaries(st.sampled_from(FIELDS), values, max_size=4)

quick = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_no_fault(answer):
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["error"]["message"]


@quick
@given(path=st.sampled_from(PATHS), raw=st.binary(max_size=200))
def test_random_bytes_are_refused(client, path, raw):
    answer = client.post(path, content=raw)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["message"]


@quick
@given(path=st.sampled_from(PATHS), value=values)
def test_random_json_is_never_a_fault(client, path, value):
    assert_no_fault(client.post(path, content=json.dumps(value).encode()))


@quick
@given(path=st.sampled_from(PATHS), spoiled=bodies)
def test_a_good_body_with_random_fields_is_never_a_fault(client, path, spoiled):
    assert_no_fault(client.post(path, content=json.dumps(BODIES[path] | spoiled).encode()))


@quick
@given(path=st.sampled_from(PATHS[:2]), conversation=st.lists(messages, min_size=1, max_size=4), tools=values)
def test_a_random_conversation_is_never_a_fault(client, path, conversation, tools):
    body = {"messages": conversation, "tools": tools} | ({"model": "auto"} if "chat" in path else {})
    assert_no_fault(client.post(path, content=json.dumps(body).encode()))
