"""Processes that are measured: started on a core of their own, watched, always stopped."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.machine import client_core, pinned, server_core
from tests.benchmarks.plan import ROOT

_READY_TIMEOUT_S = 180.0
_STOP_TIMEOUT_S = 15.0

# What whoever runs this has set must change neither the catalog nor the figures: keys, a settings file,
# and bytecode that is compiled anew at each start.
_NOT_OURS = ("_API_KEY", "_API_KEYS", "WEIGHBRIDGE_CONFIG", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True, slots=True)
class Child:
    """A server under measurement."""

    process: psutil.Process
    port: int
    ready_s: float

    def cpu_s(self) -> float:
        """Return the CPU seconds it has used so far, those of all its threads."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def resident_mb(self) -> float:
        """Return its resident memory in MB of 10^6 bytes."""
        return float(self.process.memory_info().rss) / 1e6


def environment() -> dict[str, str]:
    """Return this environment without what would change the service."""
    return {name: value for name, value in os.environ.items() if not name.endswith(_NOT_OURS)}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def server(module: str, *arguments: str, port: int, ready: str, log: Path) -> Iterator[Child]:
    """Run a Python server of this package on the server's core until the block ends."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    with running(command, core=server_core(), log=log) as (process, started):
        answered = wait_ready(process, port, ready, log)
        yield Child(psutil.Process(process.pid), port, answered - started)


@contextmanager
def stub(binary: Path, chunks: int, log: Path) -> Iterator[int]:
    """Run the stub upstream on the client's core; yield its port."""
    port = free_port()
    command = [str(binary), str(port), str(chunks), "900"]
    with running(command, core=client_core(), log=log) as (process, _):
        wait_ready(process, port, "", log)
        yield port


@contextmanager
def running(
    command: Sequence[str], *, core: int, log: Path, cwd: Path = ROOT
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Run a command on one core with its output in `log`; yield it with the moment it was started."""
    with log.open("ab") as out, pinned(core):
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=cwd, env=environment()
        )
    try:
        yield process, started
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_ready(process: subprocess.Popen[bytes], port: int, path: str, log: Path) -> float:
    """Return the moment of the first 200 on `path`, or of the first connection where there is no path."""
    until = time.perf_counter() + _READY_TIMEOUT_S
    while time.perf_counter() < until:
        if process.poll() is not None:
            break
        if _answers(port, path):
            return time.perf_counter()
        time.sleep(0.002)
    told = log.read_text(encoding="utf-8", errors="replace").strip()
    raise RuntimeError(f"{process.args!r} did not get ready. It said: {told[-2000:]}")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.connect()
        if not path:
            return True
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
