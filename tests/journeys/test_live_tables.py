"""A provider that becomes slow or breaks, over HTTP: its traffic moves, and comes back."""

from __future__ import annotations

import json
import time

import pytest

from tests.fakes import HELLO_STREAM, FakeProvider, Reply, failing, streaming
from tests.running import in_process, logged
from tests.serving.api.bodies import chat_body

SLOW_S = 0.6


def tables(first, second):
    def row(name, provider, dollars):
        return {
            "name": name, "adapter": "openai_compatible", "tier": "premium", "base_url": provider.base_url,
            "usd_per_million_input": dollars, "usd_per_million_output": dollars,
            "context_window_tokens": 9_000, "first_token_ms": 20, "output_tokens_per_second": 100_000,
        }  # fmt: skip

    return {
        "catalog": {"include_defaults": False},
        "deployments": [row("first", first, 0.1), row("second", second, 100.0)],
        "policy": {"usd_per_second": 0.01, "share_cap": 1.0},
        "tables": {"cooldown_s": 0.5, "longest_cooldown_s": 2},
        "routing": {"expected_output_tokens": 10},
    }


def late():
    def answer(body):
        time.sleep(SLOW_S)
        return streaming(HELLO_STREAM) if body.get("stream") else Reply()

    return answer


def ask(client, stream):
    answer = client.post("/v1/chat/completions", json=chat_body(stream=stream))
    assert answer.status_code == 200, answer.text
    return answer.headers["x-weighbridge-deployment"]


def usual(body):
    return streaming(HELLO_STREAM) if body.get("stream") else Reply()


@pytest.mark.parametrize("trouble", ["slow", "broken"])
def test_routine_traffic_moves_and_comes_back(tmp_path, trouble):
    troubled = late() if trouble == "slow" else failing(503)
    with FakeProvider(usual) as first, FakeProvider(usual) as second:  # noqa: SIM117
        with in_process(tmp_path, **tables(first, second)) as client:
            assert {ask(client, True) for _ in range(12)} == {"first"}
            first.plays(troubled)
            begun = time.monotonic()
            asked = 0
            while len(first.requests) < 40:
                before = len(first.requests)
                ask(client, True)
                asked += 1
                if len(first.requests) == before:
                    break
            assert len(first.requests) <= 20 or time.monotonic() - begun <= 5.0
            # while it lasts, hardly anybody tries; nobody is failed for it
            first.requests.clear()
            until = time.monotonic() + 3.0
            count = 0
            while time.monotonic() < until:
                ask(client, True)
                count += 1
            assert len(first.requests) <= max(0.05 * count, 5)
            first.plays(usual)
            until = time.monotonic() + 10.0
            recent = []
            while time.monotonic() < until and recent[-20:] != ["first"] * 20:
                recent.append(ask(client, True))
            assert recent[-20:] == ["first"] * 20
            # and it stays
            assert [ask(client, True) for _ in range(30)].count("first") >= 29


def test_feedback_moves_the_choice(tmp_path):
    with FakeProvider(usual) as first, FakeProvider(usual) as second:
        with in_process(tmp_path, **tables(first, second)) as client:
            assert ask(client, False) == "first"
            for _ in range(25):
                answer = client.post("/v1/chat/completions", json=chat_body())
                decision_id = answer.headers["x-weighbridge-decision-id"]
                was_first = answer.headers["x-weighbridge-deployment"] == "first"
                body = {"decision_id": decision_id, "score": float(not was_first)}
                assert client.post("/feedback", json=body).status_code == 202
            assert ask(client, False) == "second"
            logged(client)
        # what the log knows is known again
        with in_process(tmp_path, **tables(first, second)) as client:
            assert ask(client, False) == "second"


def test_a_service_that_starts_again_knows_who_was_slow_and_what_is_usual(tmp_path):
    with FakeProvider(usual) as first, FakeProvider(usual) as second:
        with in_process(tmp_path, **tables(first, second)) as client:
            for _ in range(15):
                ask(client, True)
            before = state(client)
            assert json.dumps(list(logged(client)))
        with in_process(tmp_path, **tables(first, second)) as client:
            assert state(client).first_token_ms == pytest.approx(before.first_token_ms, rel=0.5)
            assert state(client).requests > 0


def state(client):
    return client.app.state.context.gateway.weigher.tables.snapshot().states["first"]
