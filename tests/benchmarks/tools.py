"""The two tools in C: the stub upstream and the load client; compiled when first needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.machine import client_core, pinned
from tests.benchmarks.plan import Skipped

_HERE = Path(__file__).parent
_MOST_REQUESTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """What the load client saw; times in milliseconds."""

    done: int
    per_second: float
    p50_ms: float
    p99_ms: float
    most_ms: float
    first_p50_ms: float
    first_p99_ms: float


def build(name: str, folder: Path) -> Path:
    """Return the compiled tool; raise Skipped where there is no compiler."""
    source, binary = _HERE / f"{name}.c", folder / name
    if binary.exists() and binary.stat().st_mtime > source.stat().st_mtime:
        return binary
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or not sys.platform.startswith("linux"):
        raise Skipped("it needs Linux and a C compiler for its load client. Install gcc, or set CC.")
    folder.mkdir(parents=True, exist_ok=True)
    compiled = subprocess.run(
        [compiler, "-O2", "-o", str(binary), str(source)], capture_output=True, text=True, check=False
    )
    if compiled.returncode:
        raise Skipped(f"{compiler} could not compile {source.name}: {compiled.stderr.strip()[:500]}")
    return binary


def load(
    binary: Path,
    port: int,
    path: str,
    bodies: Path,
    *,
    connections: int,
    seconds: float,
    count: int = _MOST_REQUESTS,
    warmup: int | None = None,
    headers: str = "",
) -> Load:
    """Send the bodies in turn until `count` were answered or `seconds` are over; fail on any error."""
    before = 4 * connections if warmup is None else warmup
    arguments = [
        port,
        path,
        connections,
        min(count, _MOST_REQUESTS - before),
        seconds,
        bodies,
        before,
        headers,
    ]
    with pinned(client_core()):
        ran = subprocess.run(
            [str(binary), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 30,
        )
    if ran.returncode:
        raise RuntimeError(f"The load client failed: {ran.stderr.strip()}")
    seen: dict[str, Any] = json.loads(ran.stdout)
    if seen["errors"] or seen["unanswered"] or not seen["measured"]:
        raise RuntimeError(
            f"POST {path} at {connections} connections: {seen['errors']} errors, {seen['unanswered']} "
            f"unanswered, {seen['measured']} measured. The first error: {seen['problem'] or 'none'}"
        )
    times = {name: seen[f"{name}_us"] / 1000.0 for name in ("p50", "p99", "first_p50", "first_p99")}
    return Load(
        seen["done"],
        seen["per_second"],
        most_ms=seen["max_us"] / 1000.0,
        **{f"{name}_ms": value for name, value in times.items()},
    )
