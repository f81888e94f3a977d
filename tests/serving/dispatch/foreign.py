"""Starts the provider fakes that nobody here wrote: `llmock` (PyPI) and `@copilotkit/aimock` (npm)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from serving.dispatch.connection import Timeouts

# Long enough for a process on a busy machine, short where a silence is what is waited for.
SOON = Timeouts(connect_ms=2_000, first_byte_ms=5_000, idle_ms=1_000)
AIMOCK_VERSION = "1.43.0"
_CACHE = Path(__file__).parents[3] / "build" / "aimock"
_AIMOCK = _CACHE / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"


def llmock_command() -> str | None:
    """Return where llmock is, or None."""
    return shutil.which("llmock", path=str(Path(sys.executable).parent)) or shutil.which("llmock")


def aimock_problem() -> str | None:
    """Install aimock where it is not there yet; return why it cannot be used, or None."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "aimock needs Node and npm"
    if not _AIMOCK.exists():
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(_CACHE)]
        try:
            subprocess.run(
                [*command, f"@copilotkit/aimock@{AIMOCK_VERSION}"],
                capture_output=True,
                check=True,
                timeout=120,
            )
        except (subprocess.SubprocessError, OSError) as error:
            return f"aimock could not be installed: {type(error).__name__}"
    return None


def llmock() -> contextlib.AbstractContextManager[str]:
    """Run llmock and give its address."""
    return _running([llmock_command() or "", "serve", "--port"])


def aimock(folder: Path, fixtures: Sequence[dict[str, Any]]) -> contextlib.AbstractContextManager[str]:
    """Run aimock with these fixtures and give its address."""
    path = folder / "fixtures.json"
    path.write_text(json.dumps({"fixtures": list(fixtures)}))
    node = shutil.which("node") or ""
    return _running([node, str(_AIMOCK), "--log-level", "silent", "-f", str(path), "-c", "8", "-p"])


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*command, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if "PROXY" not in name.upper()},
    )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the fake did not start")
