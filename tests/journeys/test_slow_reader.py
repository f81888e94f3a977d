"""A caller who reads slowly holds the provider up, through the whole service, and still gets all of it."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import replace
from pathlib import Path

from tests.fakes import USAGE_CHUNK, chunk, sse, streaming
from tests.running import exported

EVENT = sse(chunk({"content": "x" * 100_000}))
COUNT = 400
# What the kernel's buffers may hold on the way, 10 MB and more on loopback; all of it would be 40 MB.
AT_MOST_HELD = COUNT / 2


class Counted:
    """The pieces of a stream, which count how many of them were taken."""

    def __init__(self):
        self.taken = 0

    def __iter__(self):
        yield sse(chunk({"role": "assistant"}))
        for _ in range(COUNT):
            self.taken += 1
            yield EVENT
        yield sse(chunk({}, "stop"), USAGE_CHUNK, b"[DONE]")


def resident_mb(pid):
    line = next(
        one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


def settled(pieces):
    """Wait until no more pieces are taken, and return how many were."""
    before = -1
    while before != pieces.taken:
        before = pieces.taken
        time.sleep(0.5)
    return before


def test_a_slow_reader_holds_the_provider_up_and_fills_no_memory(house):
    pieces = Counted()
    house.provider.plays(replace(streaming(), pieces=pieces))
    body = json.dumps(
        {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "Write much."}]}
    ).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
    port = int(house.base_url.rpartition(":")[2])
    pid = house.server.process.pid
    before_mb = resident_mb(pid)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.sendall(head.encode() + b"connection: close\r\n\r\n" + body)
        read = bytearray(connection.recv(1_000))
        held_up_at = settled(pieces)
        grown_mb = resident_mb(pid) - before_mb
        while piece := connection.recv(1_000_000):
            read += piece
    assert held_up_at < AT_MOST_HELD
    assert grown_mb < 10
    assert read.count(b"xxxx" * 25_000) == COUNT
    assert b"data: [DONE]" in read
    decision_id = (
        bytes(read[:5_000]).partition(b"x-weighbridge-decision-id: ")[2].partition(b"\r\n")[0].decode()
    )
    house.server.wait_for(lambda: exported(house.server.log_path).get(decision_id, {}).get("outcome"))
    assert exported(house.server.log_path)[decision_id]["outcome"]["status"] == "ok"
