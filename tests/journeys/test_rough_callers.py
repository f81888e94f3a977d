"""Callers who break off, dawdle or lie about lengths cost nobody else anything."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.running import MAX_BODY_BYTES

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
BODY = b'{"model": "auto", "messages": [{"role": "user", "content": "Hello?"}]}'


def connect(server):
    address = urlsplit(server.base_url)
    return socket.create_connection((address.hostname, address.port), timeout=10)


def assert_still_answers(server):
    status, _ = server.post("/v1/chat/completions", BODY)
    assert status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /v1/chat",
        HEAD,
        HEAD + b"content-length: 500\r\n\r\n" + BODY,
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nab",
        HEAD + b"content-length: 0\r\n\r\n",
        HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY,
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "half a chunk", "no body", "all"],
)
def test_a_caller_who_hangs_up_early_leaves_the_service_as_it_was(server, sent):
    with connect(server) as caller:
        caller.sendall(sent)
    assert_still_answers(server)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"hello there\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        HEAD + b"content-length: -5\r\n\r\n",
        HEAD + b"content-length: five\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["bytes", "no HTTP", "HTTP of the future", "length below 0", "length in words", "chunk of no length"],
)
def test_what_is_no_http_is_answered_with_400_or_closed(server, sent):
    with connect(server) as caller:
        caller.sendall(sent)
        first = caller.recv(64)
    assert first == b"" or b" 400 " in first or b" 404 " in first
    assert_still_answers(server)


def test_an_announced_body_that_is_too_long_is_refused_before_it_is_sent(server):
    with connect(server) as caller:
        caller.sendall(HEAD + b"content-length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1))
        assert b" 413 " in caller.recv(64)
    assert_still_answers(server)


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_long(server):
    with connect(server) as caller:
        caller.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        piece = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
        for _ in range(MAX_BODY_BYTES // 65_536 + 1):
            caller.sendall(piece)
        assert b" 413 " in caller.recv(64)
    assert_still_answers(server)


def test_a_caller_who_sends_half_a_body_and_waits_holds_nobody_up(server):
    with connect(server) as dawdler:
        dawdler.sendall(HEAD + b"content-length: 500\r\n\r\n" + BODY)
        for _ in range(5):
            assert_still_answers(server)


def test_a_hundred_callers_who_hang_up_leave_a_service_that_answers(server):
    for _ in range(100):
        with connect(server) as caller:
            caller.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
    assert_still_answers(server)
    assert httpx2.get(f"{server.base_url}/readyz").status_code == 200
    assert "Traceback" not in server.printed()
