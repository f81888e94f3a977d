"""A new artifact takes over while requests come: none may fail, and what they wait for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from urllib.request import urlopen

from classifier.rollout_file import Plan as Rollout
from classifier.rollout_file import read_plan, write_plan
from tests.artifacts import CHAMPION, write_models
from tests.benchmarks import service, tools
from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan

CONNECTIONS = (1, 16)
_OTHER = "other"
_LEAST_SECONDS = 2.0
_REFRESH_MS = 100
_TAKEN_OVER_S = 10.0


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield what requests waited while an artifact took over, beside as many in which none did.

    A request that fails ends the measurement: the load client counts them.
    """
    binary = tools.build("load", plan.build)
    bodies = service.route_bodies(plan.build)
    seconds = max(plan.seconds, _LEAST_SECONDS)
    models = plan.build / "models"
    rmtree(models, ignore_errors=True)
    write_models(models, _OTHER)
    more = f"\n[classifier]\nmodels = {json.dumps(str(models))}\nrefresh_ms = {_REFRESH_MS}\n"
    with service.weighbridge(more=more) as ours:
        for connections in CONNECTIONS:

            def load(many: int = connections) -> tools.Load:
                return tools.load(binary, ours.port, "/route", bodies, connections=many, seconds=seconds)

            pairs = []
            for _ in range(plan.repeats):
                calm = load()
                # after the quarter of the time that the load client leaves out
                with _taking_over(models, ours.port, seconds / 2):
                    pairs.append((load(), calm))
            yield from _figures(f"{connections} conn.", *zip(*pairs, strict=True))


def _figures(name: str, during: tuple[tools.Load, ...], calm: tuple[tools.Load, ...]) -> Iterator[Figure]:
    for label in ("p50", "p99", "most"):
        values, beside = (tuple(getattr(one, f"{label}_ms") for one in many) for many in (during, calm))
        yield Figure("swap", f"{name}, one artifact taken over, {label}", "ms", values, "none", beside)


@contextmanager
def _taking_over(models: Path, port: int, after_s: float) -> Iterator[None]:
    """Let the service take over the other artifact while the block runs; fail where it has not."""
    wanted = CHAMPION if read_plan(models).champion == _OTHER else _OTHER
    change = threading.Timer(after_s, write_plan, (models, Rollout(champion=wanted)))
    change.start()
    try:
        yield
    finally:
        change.join()
    until = time.monotonic() + _TAKEN_OVER_S
    while _answering(port) != wanted:
        if time.monotonic() > until:
            raise RuntimeError(f"the service did not take over {wanted!r} in {_TAKEN_OVER_S:g} s.")
        time.sleep(0.05)


def _answering(port: int) -> str | None:
    with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
        found: str | None = json.load(answer)["artifact"]
    return found
