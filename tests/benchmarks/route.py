"""`POST /route` over HTTP, one worker, beside an endpoint that only echoes the body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import service, tools
from tests.benchmarks.children import Child
from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan

CONNECTIONS = (1, 16, 64)


@dataclass(frozen=True, slots=True)
class Served:
    """One measured load with the server's CPU milliseconds per request."""

    load: tools.Load
    cpu_ms: float


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield p50, p99, requests per second and CPU per request at each number of connections."""
    binary = tools.build("load", plan.build)
    bodies = service.route_bodies(plan.build)
    for loop in service.loops()[: 1 if plan.is_quick else None]:
        with ExitStack() as stack:
            ours = stack.enter_context(service.weighbridge(loop))
            floor = stack.enter_context(service.echo(loop))
            for connections in CONNECTIONS:
                pairs = [
                    (
                        served(binary, ours, "/route", bodies, connections, plan.seconds),
                        served(binary, floor, "/route", bodies, connections, plan.seconds),
                    )
                    for _ in range(plan.repeats)
                ]
                yield from figures("route", f"{connections} conn., {loop}", "echo", *zip(*pairs, strict=True))


def served(binary: Path, child: Child, path: str, bodies: Path, connections: int, seconds: float) -> Served:
    """Put a load on a server, and see what it cost."""
    before_s = child.cpu_s()
    load = tools.load(binary, child.port, path, bodies, connections=connections, seconds=seconds)
    return Served(load, (child.cpu_s() - before_s) / load.done * 1000.0)


def figures(
    part: str, name: str, beside: str, ours: Iterable[Served], floor: Iterable[Served]
) -> Iterator[Figure]:
    """Yield the four figures of a load beside those of its floor."""
    mine, other = list(ours), list(floor)
    for label, unit, value in (
        ("p50", "ms", lambda s: s.load.p50_ms),
        ("p99", "ms", lambda s: s.load.p99_ms),
        ("requests", "per s", lambda s: s.load.per_second),
        ("CPU per request", "ms", lambda s: s.cpu_ms),
    ):
        yield Figure(
            part, f"{name}, {label}", unit, tuple(map(value, mine)), beside, tuple(map(value, other))
        )
