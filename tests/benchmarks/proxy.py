"""Weighbridge beside other proxies on the same stub: what each request costs, and what each adds."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import peers, service, tools
from tests.benchmarks.chat import CHUNKS, PATH
from tests.benchmarks.children import stub
from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan, Skipped
from tests.benchmarks.route import CONNECTIONS

OURS = "weighbridge"
# About 100 and about 2,000 tokens.
WORDS = {100: 75, 2_000: 1_500}
# Slow peers answer few requests a second, of which enough must be seen.
_LONGER = 4
# What is wanted at about 100 tokens: connections, whole or streamed, and which figure.
BARS = {
    (16, False, "CPU per request"): 1.0,
    (16, True, "CPU per request"): 1.5,
    (1, True, "added to first byte p50"): 2.0,
    (16, True, "added to first byte p50"): 2.0,
}


@dataclass(frozen=True, slots=True)
class Shot:
    """One measured load: what the client saw, less what the stub alone gives, and what it cost."""

    added_p50_ms: float
    added_p99_ms: float
    added_first_p50_ms: float
    added_first_p99_ms: float
    per_second: float
    cpu_ms: float


def measure(plan: Plan) -> Iterator[Figure | str]:
    """Yield each figure of ours beside that of every peer that could be installed."""
    load, log = tools.build("load", plan.build), plan.build / "stub.log"
    with ExitStack() as stack:
        upstream = stack.enter_context(stub(tools.build("stub", plan.build), CHUNKS, log))
        running: dict[str, peers.Peer] = {}
        for name, start in STARTS.items():
            try:
                running[name] = stack.enter_context(start(plan.build, upstream))
            except (Skipped, RuntimeError) as reason:
                if name == OURS:
                    raise
                yield f"without {name}: {str(reason)[-300:]}"
        yield from _beside("command to ready", "s", _starts(plan, upstream, running), at_most=2)
        resting = {name: (peer.child.resident_mb(),) for name, peer in running.items()}
        yield from _beside("memory at rest", "MB", resting, at_most=200)
        for tokens, words in WORDS.items():
            for is_stream in (False, True):
                bodies = service.chat_bodies(plan.build, stream=is_stream, words=words)
                kind = f"{'streamed' if is_stream else 'whole'}, {tokens:,} tokens"
                able = dict(running)
                yield from _unable(load, able, bodies, kind)
                for connections in CONNECTIONS[:2] if plan.is_quick else CONNECTIONS:
                    shots = []
                    for _ in range(plan.repeats):
                        seconds = _LONGER * plan.seconds
                        shot = yield from _round(load, upstream, able, bodies, connections, seconds)
                        shots.append(shot)
                    bars = {
                        label: bar
                        for (conns, streamed, label), bar in BARS.items()
                        if (tokens, conns, streamed) == (100, connections, is_stream)
                    }
                    title = f"{kind}, {connections} conn."
                    yield from _figures(title, shots, bars, is_stream=is_stream)
        memory = {name: (peer.child.resident_mb(),) for name, peer in running.items()}
        yield from _beside("memory after all of it", "MB", memory, at_most=200)


@contextmanager
def _ours(build: Path, upstream: int) -> Iterator[peers.Peer]:
    with service.weighbridge("asyncio", upstream) as child:
        yield peers.Peer(child)


STARTS: dict[str, Callable[[Path, int], AbstractContextManager[peers.Peer]]] = {
    OURS: _ours,
    "litellm": peers.litellm,
    "portkey": peers.portkey,
}


def _starts(plan: Plan, upstream: int, running: dict[str, peers.Peer]) -> dict[str, tuple[float, ...]]:
    """Return how long each took to start, in turns; the first time warmed the disk and is left out."""
    found: dict[str, tuple[float, ...]] = dict.fromkeys(running, ())
    for _ in range(plan.repeats):
        for name in running:
            with STARTS[name](plan.build, upstream) as peer:
                found[name] += (peer.child.ready_s,)
    return found


def _beside(
    name: str, unit: str, values: dict[str, tuple[float, ...]], *, at_most: float
) -> Iterator[Figure]:
    """Yield the values of ours beside those of each peer."""
    others = {peer: value for peer, value in values.items() if peer != OURS} or {"": ()}
    for peer, theirs in others.items():
        yield Figure("proxy", name, unit, values[OURS], peer, theirs, at_most)


def _unable(load: Path, able: dict[str, peers.Peer], bodies: Path, kind: str) -> Iterator[str]:
    """Ask each peer for a few answers; one that fails is left out, and why is told. Ours must not fail."""
    for name, peer in list(able.items()):
        try:
            _load(load, peer, bodies, connections=1, seconds=10, count=3, warmup=0)
        except RuntimeError as error:
            if name == OURS:
                raise
            del able[name]
            yield f"without {name}, {kind}: {str(error)[:300]}"


def _round(
    load: Path, upstream: int, able: dict[str, peers.Peer], bodies: Path, connections: int, seconds: float
) -> Generator[str, None, dict[str, Shot]]:
    """Return one shot of each; a peer that does not keep up is left out from here on, and why is told."""
    straight = tools.load(load, upstream, PATH, bodies, connections=connections, seconds=seconds / 2)
    shots: dict[str, Shot] = {}
    for name, peer in list(able.items()):
        try:
            shots[name] = _shot(load, straight, peer, bodies, connections, seconds)
        except RuntimeError as error:
            if name == OURS:
                raise
            del able[name]
            yield f"without {name} at {connections} connections: {str(error)[:300]}"
    return shots


def _load(load: Path, peer: peers.Peer, bodies: Path, **how: Any) -> tools.Load:
    return tools.load(load, peer.child.port, PATH, bodies, headers=peer.headers, **how)


def _shot(
    load: Path, straight: tools.Load, peer: peers.Peer, bodies: Path, connections: int, seconds: float
) -> Shot:
    before_s = peer.child.cpu_s()
    seen = _load(load, peer, bodies, connections=connections, seconds=seconds)
    return Shot(
        seen.p50_ms - straight.p50_ms,
        seen.p99_ms - straight.p99_ms,
        seen.first_p50_ms - straight.first_p50_ms,
        seen.first_p99_ms - straight.first_p99_ms,
        seen.per_second,
        (peer.child.cpu_s() - before_s) / seen.done * 1000.0,
    )


def _figures(
    title: str, shots: list[dict[str, Shot]], bars: dict[str, float], *, is_stream: bool
) -> Iterator[Figure]:
    values: list[tuple[str, str, Callable[[Shot], float]]] = [
        ("CPU per request", "ms", lambda shot: shot.cpu_ms),
        ("added p50", "ms", lambda shot: shot.added_p50_ms),
        ("added p99", "ms", lambda shot: shot.added_p99_ms),
        ("requests", "per s", lambda shot: shot.per_second),
    ]
    if is_stream:
        values.append(("added to first byte p50", "ms", lambda shot: shot.added_first_p50_ms))
        values.append(("added to first byte p99", "ms", lambda shot: shot.added_first_p99_ms))
    others = [name for name in shots[-1] if name != OURS]
    for label, unit, value in values:
        mine = tuple(value(shot[OURS]) for shot in shots)
        if not others:
            yield Figure("proxy", f"{title}, {label}", unit, mine, at_most=bars.get(label))
        for name in others:
            theirs = tuple(value(shot[name]) for shot in shots)
            yield Figure("proxy", f"{title}, {label}", unit, mine, name, theirs, bars.get(label))
