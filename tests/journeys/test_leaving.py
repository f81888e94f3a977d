"""A caller who leaves a stream ends the provider's side at once, whichever API they spoke."""

from __future__ import annotations

import json
import socket

import pytest

from tests.fakes import HELLO_CHUNKS, sse, streaming
from tests.running import exported

ASKED = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hello?"}]},
    "/v1/messages": {"messages": [{"role": "user", "content": "Hello?"}], "max_tokens": 50},
    "/v1/responses": {"input": "Hello?"},
}


@pytest.mark.parametrize("path", ASKED)
def test_a_caller_who_leaves_hangs_up_on_the_provider_and_leaves_a_cancelled_outcome(house, path):
    house.provider.plays(streaming(sse(*HELLO_CHUNKS[:2]), then="stall"))
    house.provider.hung_up.clear()
    body = json.dumps(ASKED[path] | {"model": "auto", "stream": True}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    port = int(house.base_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        read = b""
        while b"Hello" not in read:
            read += connection.recv(10_000)
    assert house.provider.hung_up.wait(5)
    decision_id = read.partition(b"x-weighbridge-decision-id: ")[2].partition(b"\r\n")[0].decode()
    house.server.wait_for(lambda: exported(house.server.log_path).get(decision_id, {}).get("outcome"))
    assert exported(house.server.log_path)[decision_id]["outcome"]["status"] == "cancelled"
