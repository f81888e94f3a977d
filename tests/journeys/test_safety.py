"""Headers stay on their own side, nobody chooses the provider's address, no body holds the service up."""

from __future__ import annotations

import gzip
import json
import socket

import httpx2
import pytest

from tests.fakes import HELLO, FakeProvider, Reply
from tests.running import served

BODY = {"model": "auto", "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x-own"])
@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings", "/route"]
)
def test_a_packed_body_is_refused_unread(house, encoding, path):
    bomb = gzip.compress(b" " * 10_000_000)
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    answer = httpx2.post(house.base_url + path, content=bomb, headers=headers, timeout=20)
    assert answer.status_code == 415
    assert "content-encoding" in answer.json()["error"]["message"]
    assert house.provider.requests == []


def test_a_body_that_trickles_in_is_given_up(tmp_path):
    with served(tmp_path, server={"body_timeout_s": 0.2, "shutdown_grace_s": 2}) as slow:
        port = int(slow.base_url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            head = "POST /route HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{"
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_no_header_of_a_caller_reaches_the_provider_but_those_we_write(house):
    headers = {
        "x-secret": "the-callers-own", "cookie": "session=the-callers-own",
        "authorization": "Bearer the-callers-own",
        "forwarded": "for=the-callers-own", "openai-organization": "the-callers-own",
        "x-portkey-custom-host": "http://the-callers-own", "host": "the-callers-own",
    }  # fmt: skip
    assert httpx2.post(f"{house.base_url}/v1/chat/completions", json=BODY, headers=headers).status_code == 200
    assert "the-callers-own" not in json.dumps(house.provider.requests)


def test_no_header_of_the_provider_reaches_the_caller_but_those_we_write(house):
    odd = {"set-cookie": "a=theirs", "x-theirs": "theirs", "server": "theirs", "location": "theirs"}
    reply = Reply((json.dumps(HELLO).encode(),), 200, {"content-type": "application/json"} | odd)
    house.provider.plays(reply)
    answer = httpx2.post(f"{house.base_url}/v1/chat/completions", json=BODY)
    assert answer.status_code == 200
    assert "theirs" not in str(answer.headers.multi_items())


@pytest.mark.parametrize("field", ["base_url", "api_base", "custom_host", "api_key", "url"])
def test_a_caller_cannot_say_where_the_request_goes(tmp_path, house, field):
    with FakeProvider() as elsewhere:
        body = BODY | {field: elsewhere.base_url}
        httpx2.post(f"{house.base_url}/v1/chat/completions", json=body)
        assert elsewhere.connections == 0


def test_ours_is_no_open_redirect_follower(house):
    with FakeProvider() as elsewhere:
        house.provider.plays(Reply((b"",), 307, {"location": f"{elsewhere.base_url}/chat/completions"}))
        assert httpx2.post(f"{house.base_url}/v1/chat/completions", json=BODY).status_code == 502
        assert elsewhere.connections == 0
