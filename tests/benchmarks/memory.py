"""Resident memory of one worker after a few and after many requests: it should not grow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import chat, service, tools
from tests.benchmarks.children import Child, stub
from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan

_FEW, _MANY = 1_000, 10_000
_CONNECTIONS = 16
_MOST_SECONDS = 60.0

# longer than the log's queue waits before it writes
_SETTLE_S = 0.5


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield megabytes after the requests, and how much the many added to the few."""
    load = tools.build("load", plan.build)
    stub_binary = tools.build("stub", plan.build)
    few, many = [], []
    for _ in range(1 if plan.is_quick else plan.repeats):
        with (
            stub(stub_binary, chat.CHUNKS, plan.build / "stub.log") as upstream,
            service.weighbridge("asyncio", upstream) as child,
        ):
            few.append(_after(load, child, plan.build, _FEW))
            many.append(_after(load, child, plan.build, _MANY - _FEW))
    yield Figure("memory", f"after {_FEW:,} requests", "MB", tuple(few), at_most=300)
    yield Figure("memory", f"after {_MANY:,} requests", "MB", tuple(many), at_most=300)
    growth = tuple(after / before for after, before in zip(many, few, strict=True))
    yield Figure("memory", f"growth from {_FEW:,} to {_MANY:,}", "×", growth, at_most=1.1)


def _after(load: Path, child: Child, folder: Path, requests: int) -> float:
    """Send a mix of decisions, whole answers and streams; return the memory once the log is written."""
    whole, streamed = service.chat_bodies(folder, stream=False), service.chat_bodies(folder, stream=True)
    mix = (("/route", service.route_bodies(folder), 2), (chat.PATH, whole, 1), (chat.PATH, streamed, 1))
    for path, bodies, parts in mix:
        wanted = requests * parts // 4
        seen = tools.load(
            load,
            child.port,
            path,
            bodies,
            connections=_CONNECTIONS,
            seconds=_MOST_SECONDS,
            count=wanted,
            warmup=0,
        )
        if seen.done < wanted:
            raise RuntimeError(f"{path} answered only {seen.done} of {wanted} requests in {_MOST_SECONDS} s.")
    time.sleep(_SETTLE_S)
    return child.resident_mb()
