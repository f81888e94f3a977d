"""Chat completions through Weighbridge to the stub upstream, beside going straight to the stub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import service, tools
from tests.benchmarks.children import Child, stub
from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.route import CONNECTIONS, Served, served

PATH = "/v1/chat/completions"
CHUNKS = 32


@dataclass(frozen=True, slots=True)
class Round:
    """One repeat: straight to the stub, and through the service on each event loop."""

    straight: tools.Load
    through: dict[str, Served]


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield what the service adds to whole and streamed answers, on each event loop."""
    loops = service.loops()[: 1 if plan.is_quick else None]
    binary = tools.build("load", plan.build)
    log = plan.build / "stub.log"
    with ExitStack() as stack:
        upstream = stack.enter_context(stub(tools.build("stub", plan.build), CHUNKS, log))
        services = {loop: stack.enter_context(service.weighbridge(loop, upstream)) for loop in loops}
        for is_stream in (False, True):
            bodies = service.chat_bodies(plan.build, stream=is_stream)
            for connections in CONNECTIONS:
                rounds = [
                    _round(binary, upstream, services, bodies, connections, plan.seconds)
                    for _ in range(plan.repeats)
                ]
                name = f"{'streamed' if is_stream else 'whole'}, {connections} conn."
                for loop in loops:
                    yield from _figures(f"{name}, {loop}", loop, rounds, is_stream=is_stream)


def _round(
    binary: Path,
    upstream: int,
    services: dict[str, Child],
    bodies: Path,
    connections: int,
    seconds: float,
) -> Round:
    straight = tools.load(binary, upstream, PATH, bodies, connections=connections, seconds=seconds / 2)
    through = {
        loop: served(binary, child, PATH, bodies, connections, seconds) for loop, child in services.items()
    }
    return Round(straight, through)


def _figures(name: str, loop: str, rounds: Sequence[Round], *, is_stream: bool) -> Iterator[Figure]:
    ours = [row.through[loop] for row in rounds]
    straight = [row.straight for row in rounds]
    added = [("added p50", "p50_ms"), ("added p99", "p99_ms")]
    if is_stream:
        added += [("added to first byte p50", "first_p50_ms"), ("added to first byte p99", "first_p99_ms")]
    for label, field in added:
        pairs = zip(ours, straight, strict=True)
        values = tuple(getattr(mine.load, field) - getattr(bare, field) for mine, bare in pairs)
        yield Figure("chat", f"{name}, {label}", "ms", values)
    yield Figure(
        "chat",
        f"{name}, requests",
        "per s",
        tuple(mine.load.per_second for mine in ours),
        "straight",
        tuple(bare.per_second for bare in straight),
    )
    # uvloop is an extra: what it gives is told beside the loop of the default install
    plain = () if loop == "asyncio" else tuple(row.through["asyncio"].cpu_ms for row in rounds)
    cpu = tuple(mine.cpu_ms for mine in ours)
    yield Figure("chat", f"{name}, CPU per request", "ms", cpu, "asyncio" if plain else "", plain)
