"""Turns of one conversation are recognised by a name or by how it began."""

from __future__ import annotations

import pytest

from tests.running import in_process
from tests.serving.api.bodies import chat_body

START = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
NEXT = [*START, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "And goodbye."}]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with in_process(tmp_path_factory.mktemp("talk"), policy={"usd_per_switch": 1.0}) as running:
        yield running


def chat(client, messages, **needs):
    return client.post("/v1/chat/completions", json=chat_body(messages=messages, weighbridge=needs))


def deployment(answer):
    return answer.headers["x-weighbridge-deployment"], answer.headers["x-weighbridge-reason"]


def test_a_conversation_stays_with_its_deployment_by_how_it_began(client):
    assert deployment(chat(client, NEXT))[0] == "demo-economy"
    chat(client, START, minimum_tier="premium")
    assert deployment(chat(client, NEXT)) == ("demo-premium", "stays_with_conversation")


def test_a_name_tells_conversations_apart_that_began_alike(client):
    chat(client, START, minimum_tier="premium", conversation="one")
    assert deployment(chat(client, START, conversation="one"))[0] == "demo-premium"
    assert deployment(chat(client, START, conversation="two"))[0] == "demo-economy"


def test_a_first_turn_belongs_to_nobody_yet(client):
    chat(client, START, minimum_tier="premium")
    assert deployment(chat(client, START))[0] == "demo-economy"


def test_the_expected_length_comes_from_the_answers_of_its_kind(client):
    before = client.post("/route", json={"messages": START}).json()
    for _ in range(40):
        chat(client, START)
    after = client.post("/route", json={"messages": START}).json()
    assert after["kind"] == before["kind"] == "economy/text/short"
    assert after["expected_output_tokens"] < before["expected_output_tokens"]
