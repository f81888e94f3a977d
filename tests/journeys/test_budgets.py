"""Budgets over HTTP: the refusal that SDKs see, restarts, kills, and two processes on one Valkey."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from tests.fakes import FakeProvider
from tests.running import served
from tests.servers import binaries, serving

PATH = "/v1/chat/completions"
# the fake counts 7 tokens in and 2 out
REAL_USD = 7 * 1e-3 + 2 * 1e-3


def row(provider, **fields):
    return {
        "name": "only", "adapter": "openai_compatible", "tier": "premium", "base_url": provider.base_url,
        "usd_per_million_input": 1_000, "usd_per_million_output": 1_000, "context_window_tokens": 1_000,
        "max_output_tokens": 20,
    } | fields  # fmt: skip


def tables(provider, usd, **counters):
    found = {
        "catalog": {"include_defaults": False},
        "deployments": [row(provider)],
        "budgets": [{"name": "team", "usd": usd, "per": "month"}],
    }
    return found | ({"counters": counters} if counters else {})


def body(**fields):
    return {"model": "auto", "messages": [{"role": "user", "content": "Hello?"}], "max_tokens": 10} | fields


def send_until_refused(running):
    for sent in range(100):
        status, answer = running.post(PATH, body())
        if status != 200:
            return sent, status, answer
    raise AssertionError("nothing was refused")


def test_a_spent_budget_is_a_rate_limit_error_that_the_sdk_does_not_try_again(tmp_path):
    with FakeProvider() as provider, served(tmp_path, **tables(provider, 0.06)) as running:
        sent, status, _ = send_until_refused(running)
        assert (status, len(provider.requests)) == (429, sent)
        assert sent >= 2 and sent * REAL_USD <= 0.06
        client = openai.OpenAI(base_url=f"{running.base_url}/v1", api_key="unused")
        with pytest.raises(openai.RateLimitError) as raised:
            client.chat.completions.create(**body())
        assert raised.value.code == "budget_spent"
        assert "budget 'team' ($0.06 per month)" in raised.value.message
        assert int(raised.value.response.headers["retry-after"]) > 0
        # /route says the same, and spends nothing
        status, answer = running.post("/route", {"prompt": "Hello?", "max_output_tokens": 10})
        assert (status, answer["error"]["code"]) == (429, "budget_spent")
        assert len(provider.requests) == sent


def test_requests_at_once_never_spend_more_than_there_is(tmp_path):
    with FakeProvider() as provider, served(tmp_path, **tables(provider, 0.1)) as running:
        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(lambda _: running.post(PATH, body())[0], range(48)))
        assert set(statuses) == {200, 429}
        assert len(provider.requests) == statuses.count(200)
        assert statuses.count(200) * REAL_USD <= 0.1


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_service_that_starts_again_goes_on_where_the_log_ends(tmp_path, ending):
    with FakeProvider() as provider:
        with served(tmp_path, **tables(provider, 0.06)) as running:
            sent, *_ = send_until_refused(running)
            served_path = running.log_path
            running.wait_for(lambda: _outcomes(served_path) == sent)
            running.stop(ending)
        with served(tmp_path, **tables(provider, 0.06)) as again:
            assert again.post(PATH, body())[0] == 429
        with served(tmp_path, **tables(provider, 0.6)) as raised:
            assert raised.post(PATH, body())[0] == 200


def _outcomes(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM outcomes").fetchone()[0]


def test_two_processes_share_one_budget_and_spend_nothing_while_its_counters_are_gone(tmp_path):
    folders = [tmp_path / name for name in ("one", "two", "server")]
    for folder in folders:
        folder.mkdir()
    with (
        FakeProvider() as provider,
        serving(binaries()["valkey"], folders[2]) as valkey,
    ):
        shared = tables(provider, 0.2, redis_url_env="BUDGETS_URL", refresh_ms=50)
        environ = {"BUDGETS_URL": valkey.url}
        with served(folders[0], environ, **shared) as one, served(folders[1], environ, **shared) as two:
            with ThreadPoolExecutor(8) as pool:
                sent = pool.map(lambda place: (one, two)[place % 2].post(PATH, body())[0], range(48))
                statuses = list(sent)
            assert set(statuses) == {200, 429}
            assert len(provider.requests) == statuses.count(200)
            assert 0.1 <= statuses.count(200) * REAL_USD <= 0.2
            valkey.stop()
            answered = len(provider.requests)
            one.wait_for(lambda: one.post(PATH, body())[0] == 503)
            assert one.post(PATH, body())[1]["error"]["code"] == "budget_unknown"
            assert len(provider.requests) == answered
            # it comes back empty, and is filled from the log
            valkey.start()
            one.wait_for(lambda: one.post(PATH, body())[0] != 503)
            valkey.client.ping()
            assert int(valkey.client.get(_key(valkey.client))) > 0.05 * 1e9


def _key(client):
    (key,) = [key for key in client.scan_iter() if "team" in key]
    return key
