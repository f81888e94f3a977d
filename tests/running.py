"""A Weighbridge to talk to: as a process of its own, or in this one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import httpx2
from starlette.testclient import TestClient

from serving.app import create_app
from serving.settings import load_settings
from serving.state.sqlite import SQLiteLog

ROOT = Path(__file__).parent.parent
START_TIMEOUT_S = 30.0
MAX_BODY_BYTES = 3_000_000

# Written soon and answered at once, so that no test waits.
_QUICK: dict[str, dict[str, Any]] = {
    "server": {"max_body_bytes": MAX_BODY_BYTES, "shutdown_grace_s": 2},
    "log": {"flush_interval_ms": 20},
    "dispatch": {"demo_speed": 10_000, "retry_wait_ms": 0},
}


def write_settings(folder: Path, **tables: Any) -> Path:
    """Write a weighbridge.toml that logs into the folder; a keyword is a table, or a list of rows."""
    merged: dict[str, Any] = {name: dict(table) for name, table in _QUICK.items()}
    merged["log"]["path"] = str(folder / "decisions.db")
    for name, table in tables.items():
        merged[name] = merged.get(name, {}) | table if isinstance(table, dict) else table
    path = folder / "weighbridge.toml"
    path.write_text("\n".join(_lines(merged)), encoding="utf-8")
    return path


def _lines(merged: Mapping[str, Any]) -> Iterator[str]:
    for name, table in merged.items():
        for row in table if isinstance(table, list) else [table]:
            yield f"[[{name}]]" if isinstance(table, list) else f"[{name}]"
            yield from (f"{key} = {_value(value)}" for key, value in row.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)


def clean_environ(**more: str) -> dict[str, str]:
    """Return this environment without keys and settings of whoever runs the tests."""
    private = re.compile(r".*_API_KEYS?|WEIGHBRIDGE_.*|.*_PROXY", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not private.fullmatch(name)}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "COLUMNS": "100"} | more


@dataclass
class Served:
    """A `weighbridge serve` of its own."""

    base_url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log_path(self) -> Path:
        return self.folder / "decisions.db"

    def printed(self) -> str:
        """Return what the process has printed so far, on both outputs."""
        return "".join((self.folder / name).read_text() for name in ("stdout", "stderr"))

    @staticmethod
    def wait_for(happened: Callable[[], object]) -> None:
        """Wait until something has come about, as what is written behind a queue does."""
        deadline = time.monotonic() + 10.0
        while not happened():
            assert time.monotonic() < deadline, "it never came about"
            time.sleep(0.02)

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = httpx2.post(self.base_url + path, content=raw, headers=headers, timeout=20)
        return answer.status_code, answer.json()

    def stop(self, with_signal: int = signal.SIGTERM) -> int:
        """End the process and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        return self.process.wait(timeout=15)


@contextlib.contextmanager
def served(folder: Path, environ: Mapping[str, str] | None = None, **tables: Any) -> Iterator[Served]:
    """Start `weighbridge serve` on a free port, wait until it is ready, and end it at the end."""
    settings = write_settings(folder, **tables)
    command = [sys.executable, "-m", "weighbridge", "serve", "--port", "0", "--config", str(settings)]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=err, env=clean_environ(**(environ or {}))
        )
    running = Served("", folder, process)
    try:
        running.base_url = _wait_until_ready(running)
        yield running
    finally:
        running.stop(signal.SIGKILL)


def _wait_until_ready(running: Served) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and running.process.poll() is None:
        told = re.search(r"http://127\.0\.0\.1:\d+", running.printed())
        if told is not None and _is_ready(told.group()):
            return told.group()
        time.sleep(0.02)
    raise AssertionError(f"weighbridge serve did not become ready:\n{running.printed()}")


def _is_ready(base_url: str) -> bool:
    try:
        with urlopen(Request(f"{base_url}/readyz"), timeout=5) as answer:
            return bool(answer.status == 200)
    except URLError:
        return False


@contextlib.contextmanager
def in_process(folder: Path, environ: Mapping[str, str] | None = None, **tables: Any) -> Iterator[TestClient]:
    """Run the application in this process, from its start to its end; faults become answers of 500."""
    given = dict(environ or {})
    app = create_app(load_settings(write_settings(folder, **tables), given), given)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def logged(client: TestClient) -> dict[str, dict[str, Any]]:
    """Return what the log of an application in this process holds by now, by decision id."""
    gateway = client.app.state.context.gateway  # type: ignore[attr-defined]
    assert gateway.writer.flush(10.0)
    return exported(Path(gateway._log.path))


def exported(path: Path) -> dict[str, dict[str, Any]]:
    """Return every decision of a log file with what followed, by its id."""
    log = SQLiteLog(path)
    try:
        return {row["decision_id"]: row for row in log.export()}
    finally:
        log.close()


def is_sound(path: Path) -> bool:
    """Tell whether SQLite finds nothing wrong with the file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found: tuple[str] = connection.execute("PRAGMA integrity_check").fetchone()
    return found[0] == "ok"


def weighbridge(
    *arguments: str, cwd: Path, stdin: bytes = b"", **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "weighbridge", *arguments],
        cwd=cwd, input=stdin, capture_output=True, env=clean_environ(**environ), timeout=60, check=False,
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
