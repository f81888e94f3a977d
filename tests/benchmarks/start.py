"""How soon it serves: the import, and the way from the command to the first 200 on /readyz."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from tests.benchmarks import service
from tests.benchmarks.children import environment
from tests.benchmarks.figures import Figure
from tests.benchmarks.machine import pinned, server_core
from tests.benchmarks.plan import ROOT, Plan

_TIMED_IMPORT = """\
import time
started = time.perf_counter()
import {module}
print(time.perf_counter() - started)
"""
_LEAST_REPEATS = 5


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield seconds in fresh processes; the first of each only warms the disk and is left out."""
    repeats = plan.repeats if plan.is_quick else max(plan.repeats, _LEAST_REPEATS)
    ours, floor = zip(
        *[(_import_s("serving.app"), _import_s("fastapi")) for _ in range(repeats + 1)], strict=True
    )
    yield Figure("start", "import serving.app", "s", ours[1:], "import fastapi", floor[1:], at_most=0.6)
    ready = tuple(_ready_s() for _ in range(repeats))
    yield Figure("start", "command to first 200 on /readyz", "s", ready, at_most=2.0)


def _import_s(module: str) -> float:
    with pinned(server_core()):
        ran = subprocess.run(
            [sys.executable, "-c", _TIMED_IMPORT.format(module=module)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=environment(),
        )
    if ran.returncode:
        raise RuntimeError(f"import {module} failed: {ran.stderr.strip()[-500:]}")
    return float(ran.stdout)


def _ready_s() -> float:
    with service.weighbridge() as child:
        return child.ready_s
