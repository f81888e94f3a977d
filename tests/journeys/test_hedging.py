"""A late stream is asked for a second time elsewhere, where the settings say so, and both are paid for."""

from __future__ import annotations

import contextlib

import pytest

from tests.fakes import HELLO_STREAM, FakeProvider, Reply, streaming
from tests.running import in_process, logged

EVENTS = {"content-type": "text/event-stream"}
LATE = Reply((), 200, EVENTS, then="stall")
ASKED = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "Hello?"}]}


def tables(*providers, **dispatch):
    rows = [
        {
            "name": f"d{place}", "model": "m", "adapter": "openai_compatible", "tier": "premium",
            "base_url": provider.base_url, "usd_per_million_input": 1.0 * place,
            "usd_per_million_output": 2.0 * place, "context_window_tokens": 10_000,
            "max_output_tokens": 1_000, "capabilities": ["streaming"],
        }
        for place, provider in enumerate(providers, start=1)
    ]  # fmt: skip
    return {
        "catalog": {"include_defaults": False}, "deployments": rows, "dispatch": dispatch,
        "policy": {"usd_per_second": 0.0},
    }  # fmt: skip


@contextlib.contextmanager
def hedging(tmp_path):
    """Run a service before two providers, of which the first is known to start at once."""
    with (
        FakeProvider(streaming()) as first,
        FakeProvider(streaming()) as second,
        in_process(tmp_path, **tables(first, second, hedge=True)) as client,
    ):
        for _ in range(20):
            found = client.post("/v1/chat/completions", json=ASKED)
            assert found.headers["x-weighbridge-deployment"] == "d1"
        yield client, first, second


def test_a_late_stream_is_answered_by_another_and_the_late_one_is_hung_up_on(tmp_path):
    with hedging(tmp_path) as (client, first, second):
        first.plays(LATE)
        answer = client.post("/v1/chat/completions", json=ASKED)
        assert first.hung_up.wait(10)
        *_, row = logged(client).values()
        assert (len(first.requests), len(second.requests)) == (1, 1)
    assert answer.headers["x-weighbridge-deployment"] == "d2"
    assert answer.text.count("data: ") == HELLO_STREAM.count(b"data: ") - 1
    outcome = row["outcome"]
    attempts = {attempt["deployment"]: attempt["status"] for attempt in outcome["attempts"]}
    assert (outcome["deployment"], attempts) == ("d2", {"d1": "cancelled", "d2": "ok"})
    # 7 tokens in and 2 out at the second's prices, and what the first has read besides
    read_by_the_first = row["input_tokens"] * 1.0 / 1e6
    assert outcome["cost_usd"] == pytest.approx((7 * 2 + 2 * 4) / 1e6 + read_by_the_first)


def test_a_cap_that_both_together_exceed_keeps_a_late_stream_from_being_asked_twice(tmp_path):
    with hedging(tmp_path) as (client, first, second):
        ranking = client.post("/route", json={"messages": ASKED["messages"]}).json()["ranking"]
        cap = {"max_cost_usd": max(row["token_cost_usd"] for row in ranking) * 1.01}
        answers = []
        for fields in ({"weighbridge": cap}, {}):
            first.plays(streaming(b": wait\n\n", HELLO_STREAM, pause_s=1.0))
            answers.append(client.post("/v1/chat/completions", json=ASKED | fields))
        assert len(second.requests) == 1
    assert [answer.headers["x-weighbridge-deployment"] for answer in answers] == ["d1", "d2"]
