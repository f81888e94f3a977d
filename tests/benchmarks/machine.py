"""The machine under the figures: what it is, how busy and how noisy, and which core a process gets."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any


def describe() -> dict[str, Any]:
    """Return what a reader must know of the machine to compare figures."""
    return {
        "cpu": _cpu_model(),
        "cores": len(cores()),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load_average": load_average(),
        "noise": round(noise(), 3),
        "measured_on": time.strftime("%Y-%m-%d"),
    }


def load_average() -> float:
    """Return how many processes wanted a core over the last minute, those of this run included."""
    return round(os.getloadavg()[0], 2)


def noise(rounds: int = 40) -> float:
    """Return how much longer the slowest tenth of identical work took than the middle: calm is 1.0."""
    with pinned(server_core()):
        times_s = sorted(_same_work() for _ in range(rounds))
    return times_s[int(0.9 * rounds)] / median(times_s)


def cores() -> list[int]:
    """Return the cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def server_core() -> int:
    """Return the core of what is measured."""
    return cores()[0]


def client_core() -> int:
    """Return the core of what measures; the same one where there is no other."""
    return cores()[-1]


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this thread, and processes that it starts meanwhile, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _same_work() -> float:
    started = time.perf_counter()
    sum(range(300_000))
    return time.perf_counter() - started


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
