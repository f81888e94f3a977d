"""What may cross to a provider and back: our headers, bounded bodies, no redirects, nothing compressed."""

from __future__ import annotations

import gzip
import json

import pytest

from serving.dispatch import connection
from serving.dispatch.adapter import ProviderError
from tests.fakes import HELLO, HELLO_STREAM, FakeProvider, Reply, failing
from tests.serving.dispatch.asking import ASKED, KEY, adapter, deployment, streamed, whole

ADAPTERS = pytest.mark.parametrize("name", ["openai_compatible", "anthropic", "gemini"])
ASKS = pytest.mark.parametrize("ask", [whole, streamed])
# What a client of HTTP must send, and what we do.
ALLOWED = {
    *("host", "accept", "accept-encoding", "content-type", "content-length", "user-agent"),
    *("authorization", "x-api-key", "anthropic-version", "x-goog-api-key", "api-key"),
}


def ask_all(ask, name, provider):
    with pytest.raises(ProviderError) as caught:
        ask(adapter(name), deployment(name, provider.base_url), ASKED)
    return caught.value


@ADAPTERS
@ASKS
def test_no_header_goes_out_but_those_that_are_meant_and_one_key(ask, name):
    with FakeProvider(failing(500)) as provider:
        ask_all(ask, name, provider)
    headers = provider.requests[0]["headers"]
    assert set(headers) <= ALLOWED
    assert sum(KEY in value for value in headers.values()) == 1
    assert headers["accept-encoding"] == "identity"
    assert KEY not in provider.requests[0]["line"]


@ADAPTERS
@ASKS
def test_a_redirect_is_never_followed_with_the_key(ask, name):
    with FakeProvider() as elsewhere:
        with FakeProvider(failing(307, location=f"{elsewhere.base_url}/x")) as provider:
            assert ask_all(ask, name, provider).kind == "upstream"
        assert elsewhere.requests == []


@ADAPTERS
@ASKS
def test_a_compressed_answer_is_refused_unopened(ask, name):
    bomb = gzip.compress(b"0" * 50_000_000)
    kind = "application/json" if ask is whole else "text/event-stream"
    reply = Reply((bomb,), headers={"content-type": kind, "content-encoding": "gzip"})
    with FakeProvider(reply) as provider:
        error = ask_all(ask, name, provider)
    assert (error.kind, error.retryable) == ("upstream", True)
    assert "gzip" in error.message


@ADAPTERS
def test_an_answer_longer_than_the_limit_is_refused_while_it_comes(name, monkeypatch):
    monkeypatch.setattr(connection, "MAX_ANSWER_BYTES", 100_000)
    with FakeProvider(Reply([b" " * 10_000] * 1_000)) as provider:
        assert "too long" in ask_all(whole, name, provider).message


@ADAPTERS
@ASKS
def test_the_key_never_comes_back_in_an_error(ask, name):
    with FakeProvider(failing(400, f"Bad request with {KEY}", code=KEY)) as provider:
        error = ask_all(ask, name, provider)
    assert "Bad request" in error.message
    assert KEY not in error.message + json.dumps(error.body)


def test_identity_by_name_is_no_encoding():
    headers = {"content-type": "application/json", "content-encoding": "identity"}
    with FakeProvider(Reply((json.dumps(HELLO).encode(),), headers=headers)) as provider:
        row = deployment("openai_compatible", provider.base_url)
        assert whole(adapter("openai_compatible"), row, ASKED)[0] == HELLO
    events = {"content-type": "text/event-stream", "content-encoding": "identity"}
    with FakeProvider(Reply((HELLO_STREAM,), headers=events)) as provider:
        row = deployment("openai_compatible", provider.base_url)
        assert streamed(adapter("openai_compatible"), row, ASKED).error is None
