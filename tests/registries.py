"""Real MLflow stores: a database with its tables made once, and a server that can go away half-way."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.running import clean_environ

_START_TIMEOUT_S = 180.0


def client(uri: str) -> Any:
    """Ask a store as anybody would who knows nothing of Weighbridge."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def make_blank_store(file: Path) -> Path:
    """Make an MLflow database without anything in it: that takes seconds, and a copy of it none."""
    client(f"sqlite:///{file}").search_experiments()
    return file


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def mlflow_server(folder: Path, database: Path) -> Iterator[str]:
    """Start `mlflow server` and give its address at once: `wait_until_ready` before the first question."""
    port = free_port()
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{database}",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    environ = clean_environ(
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
        # its imports take three times as long where nothing of them is kept
        PYTHONDONTWRITEBYTECODE="",
    )
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        with contextlib.suppress(OSError), urlopen(f"{address}/health", timeout=5):
            return
        assert time.monotonic() < deadline, f"no MLflow server at {address}"
        time.sleep(0.1)


@dataclass
class Road:
    """The road to a server: it breaks at the first request that `breaks` names, and stays broken.

    `late` lets that request through and loses its answer.
    """

    server: str
    address: str = ""
    breaks: Callable[[str, str], bool] = lambda method, path: False
    late: bool = False
    broken: bool = False

    def mend(self) -> None:
        self.breaks, self.late, self.broken = (lambda method, path: False), False, False


@contextlib.contextmanager
def road_to(server: str) -> Iterator[Road]:
    """Forward requests to a server as long as the road holds."""
    road = Road(server)

    class Forward(BaseHTTPRequestHandler):
        def _forward(self) -> None:
            breaks = not road.broken and road.breaks(self.command, self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if road.broken or (breaks and not road.late):
                road.broken = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers, content = _asked(road.server + self.path, self.command, body, self.headers)
            if breaks:
                road.broken = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(status)
            self.send_header("Content-Type", headers.get("Content-Type", "application/json"))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server_here = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
    road.address = f"http://127.0.0.1:{server_here.server_port}"
    thread = threading.Thread(target=server_here.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield road
    finally:
        server_here.shutdown()
        server_here.server_close()


def _asked(url: str, method: str, body: bytes, headers: object) -> tuple[int, dict[str, str], bytes]:
    kept = {"Content-Type": headers.get("Content-Type", "application/json")}  # type: ignore[attr-defined]
    request = Request(url, data=body or None, method=method, headers=kept)
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except HTTPError as refusal:
        return refusal.code, dict(refusal.headers), refusal.read()
