"""One decision over catalogs of 10, 100 and 1,000 deployments, the classifier left out, on one core.

A decision waits for nothing, so that its time is the processor's: what else a busy machine does in between
is not counted. Garbage is collected as the server does it, and between two decisions the live numbers of a
few deployments change, as they do under traffic.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import quantiles

import msgspec

from serving.cli.serve import settle_memory
from serving.records import Prediction
from serving.routing.catalog import Catalog, Deployment
from serving.routing.explanation import as_dict
from serving.routing.policy import Policy
from serving.routing.request import Limits, RoutingRequest, Turn
from serving.routing.router import Inputs, decide
from serving.routing.snapshot import DeploymentState, Snapshot, Traffic
from serving.routing.tokens import count_tokens
from tests.benchmarks.figures import Figure
from tests.benchmarks.machine import pinned, server_core
from tests.benchmarks.plan import Plan

TIERS = ("economy", "standard", "premium")
_PRIOR = {"economy": (0.95, 0.55, 0.25), "standard": (0.96, 0.92, 0.55), "premium": (0.97, 0.96, 0.92)}
# deployments: the bar for p50 and p99 in milliseconds
_WANTED: dict[int, float | None] = {10: 0.1, 100: None, 1_000: 2.0}
_MOST_DECISIONS = 20_000
_KINDS = 500
# A request under way changes the state of one deployment when it starts and of one when it ends.
_CHANGED = 2


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield p50 and p99 for each length, for plain requests and for those with limits and conversations.

    Told is what the log's thread makes of a plain one besides: every sum and every reason, as JSON.
    """
    with pinned(server_core()), _garbage_as_served():
        for count, wanted in _WANTED.items():
            for name, work, bar in (
                ("plain", _decided, wanted),
                ("with needs", _decided, wanted),
                ("told", _told, None),
            ):
                given = inputs(count, are_plain=name != "with needs")
                gc.freeze()
                rounds = [
                    (_p50_p99(work, given, plan.seconds), _p50_p99(_cheapest, given, plan.seconds))
                    for _ in range(plan.repeats)
                ]
                for place, label in enumerate(("p50", "p99")):
                    yield Figure(
                        "decide",
                        f"{count:,} deployments, {name}, {label}",
                        "ms",
                        tuple(mine[place] for mine, _ in rounds),
                        "least price alone",
                        tuple(other[place] for _, other in rounds),
                        at_most=bar,
                    )


@contextmanager
def _garbage_as_served() -> Iterator[None]:
    before = gc.get_threshold()
    settle_memory()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def inputs(count: int, *, are_plain: bool) -> list[Inputs]:
    """Return different requests to one catalog of so many deployments, the same for the same arguments."""
    draw = random.Random(count)
    catalog = Catalog({f"d{place}": _deployment(place, draw) for place in range(count)})
    states = {row.name: _state(draw) for row in catalog}
    traffic = Traffic(500, 0.6, threshold_usd=0.01, has_room=False)
    found = []
    for place in range(_KINDS):
        request = _request(place, draw, count, are_plain=are_plain)
        changed = {f"d{draw.randrange(count)}": _state(draw) for _ in range(_CHANGED)}
        states = {**states, **changed}
        found.append(
            Inputs(request, _prediction(draw), catalog, Snapshot(str(place), states, traffic), Policy())
        )
    return found


def _state(draw: random.Random) -> DeploymentState:
    return DeploymentState(draw.uniform(100, 900), draw.uniform(40, 200))


def _deployment(place: int, draw: random.Random) -> Deployment:
    tier = TIERS[place % 3]
    usd = draw.uniform(0.05, 1.0) * 4 ** (place % 3)
    return Deployment(
        f"d{place}", f"m{place}", "openai_compatible", tier, dict(zip(TIERS, _PRIOR[tier], strict=True)),
        usd_per_million_input=round(usd, 3), usd_per_million_output=round(4 * usd, 3),
        usd_per_million_cached_read=round(usd / 10, 4), tokenizer=draw.choice(["o200k", "llama3", "claude"]),
        context_window_tokens=draw.choice([8_000, 128_000]), max_output_tokens=8_000,
        capabilities=frozenset({"tools", "streaming"}), compliance=frozenset({"gdpr", "soc2"}),
    )  # fmt: skip


def _request(place: int, draw: random.Random, count: int, *, are_plain: bool) -> RoutingRequest:
    tokens = count_tokens("a prompt of some words " * draw.randrange(1, 60))
    request = RoutingRequest(f"dec_{place}", tokens["o200k"].expected, 400, 400, tokens=tokens)
    if are_plain:
        return request
    limits = Limits(
        max_cost_usd=0.5,
        max_latency_ms=60_000,
        max_first_token_ms=5_000,
        quality_floor=0.6,
        capabilities=frozenset({"tools"}),
        compliance=frozenset({"gdpr"}),
        deny=frozenset({"d1"}),
        cost_versus_quality=draw.random(),
    )
    turn = Turn(f"d{draw.randrange(count)}", 200)
    return RoutingRequest(
        f"dec_{place}", request.input_tokens, 400, 400, limits, tokens=tokens, last_turn=turn
    )


def _prediction(draw: random.Random) -> Prediction:
    low, high = sorted((draw.random(), draw.random()))
    return Prediction(TIERS, (low, high, 1.0), "none")


def _decided(given: Inputs) -> object:
    return decide(*given)


def _told(given: Inputs) -> object:
    return msgspec.json.encode(as_dict(decide(*given)))


def _cheapest(given: Inputs) -> object:
    """The least that any router must do: find the least price in the catalog."""
    return min(given.catalog, key=lambda row: row.prices.input or 0)


def _p50_p99(
    work: Callable[[Inputs], object], given: Sequence[Inputs], seconds: float
) -> tuple[float, float]:
    for one in given[:50]:
        work(one)
    times_ms: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until and len(times_ms) < _MOST_DECISIONS:
        one = given[len(times_ms) % len(given)]
        started = time.thread_time()
        work(one)
        times_ms.append((time.thread_time() - started) * 1000.0)
    cuts = quantiles(times_ms, n=100, method="inclusive")
    return cuts[49], cuts[98]
