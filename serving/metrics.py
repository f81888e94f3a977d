"""The numbers a monitor scrapes. Labels are bounded: names from the catalog, tiers, a few fixed words."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from serving.records import Outcome
from serving.routing.headroom import NANODOLLARS_PER_DOLLAR, Headroom
from serving.routing.snapshot import Snapshot

_DECIDE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)
_ANSWER_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Counts:
    """A counter by labels, read when it is scraped.

    The library's own looks a child up behind a lock and checks it each time, several times a request; all
    of this happens on the event loop of one worker.
    """

    def __init__(self, name: str, says: str, labels: Sequence[str]) -> None:
        self._shape = (name, says, None, list(labels))
        self._sums: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], amount: float = 1.0) -> None:
        """Add to what stands under these labels."""
        self._sums[labels] = self._sums.get(labels, 0.0) + amount

    def collect(self) -> Iterator[Metric]:
        """Yield the counter as the library writes it."""
        family = CounterMetricFamily(*self._shape)
        for labels, total in list(self._sums.items()):
            family.add_metric(labels, total)
        yield family


class Times:
    """A histogram by labels, read when it is scraped; `bounds` are the upper ends of its buckets."""

    def __init__(self, name: str, says: str, bounds: Sequence[float], labels: Sequence[str]) -> None:
        self._shape = (name, says, None, None, list(labels))
        self._bounds = bounds
        self._seen: dict[tuple[str, ...], tuple[list[int], list[float]]] = {}
        if not labels:
            self._seen[()] = self._empty()

    def observe(self, labels: tuple[str, ...], seconds: float) -> None:
        """Count one time under these labels."""
        if labels not in self._seen:
            self._seen[labels] = self._empty()
        counts, total = self._seen[labels]
        counts[bisect_left(self._bounds, seconds)] += 1
        total[0] += seconds

    def _empty(self) -> tuple[list[int], list[float]]:
        return [0] * (len(self._bounds) + 1), [0.0]

    def collect(self) -> Iterator[Metric]:
        """Yield the histogram as the library writes it: each bucket counts those below it too."""
        family = HistogramMetricFamily(*self._shape)
        ends = [*map(str, self._bounds), "+Inf"]
        for labels, (counts, total) in list(self._seen.items()):
            family.add_metric(labels, list(zip(ends, accumulate(counts), strict=True)), total[0])
        yield family


class Metrics:
    """One registry per application; nothing is global."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._decisions = self._counts(
            "decisions",
            "Decisions by what was chosen and why",
            "endpoint",
            "deployment",
            "required_tier",
            "reason",
        )
        self._decide = self._times("decide_seconds", "Time to weigh and decide", _DECIDE_SECONDS)
        self._outcomes = self._counts(
            "outcomes", "Dispatched requests by how they ended", "deployment", "status"
        )
        self._answer = self._times(
            "answer_seconds", "Time from request to the end of the answer", _ANSWER_SECONDS, "deployment"
        )
        self._graded = self._counts(
            "judged", "Answers drawn for the automatic judge, by what became of them", "result"
        )
        self._spend = self._counts("cost_usd", "Dollars spent on answers", "deployment")
        self._log_records = Gauge(
            "weighbridge_log_records",
            "Records of the decision log by state",
            ["state"],
            registry=self.registry,
        )

        self._speed = self._gauge("first_token_ms", "Expected time to the first token", "deployment")
        self._tokens = self._gauge("output_tokens_per_second", "Expected speed", "deployment")
        self._errors = self._gauge("error_rate", "Share of attempts that failed lately", "deployment")
        self._up = self._gauge("deployment_up", "1 while it may be used, else 0", "deployment")
        self._shares = self._gauge("share", "Share of requests and money lately", "deployment", "of")
        self._left = self._gauge("budget_left_usd", "What a budget has left; NaN: unknown", "budget")

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(f"weighbridge_{name}", says, labels, registry=self.registry)

    def _counts(self, name: str, says: str, *labels: str) -> Counts:
        counts = Counts(f"weighbridge_{name}", says, labels)
        self.registry.register(counts)
        return counts

    def _times(self, name: str, says: str, bounds: Sequence[float], *labels: str) -> Times:
        times = Times(f"weighbridge_{name}", says, bounds, labels)
        self.registry.register(times)
        return times

    def watched(self, snapshot: Snapshot, headroom: Iterable[Headroom]) -> None:
        """Take over the live tables and what is left of the budgets, as they are now."""
        for name, state in snapshot.states.items():
            self._speed.labels(name).set(state.first_token_ms)
            self._tokens.labels(name).set(state.output_tokens_per_second)
            self._errors.labels(name).set(state.error_rate)
            self._up.labels(name).set(state.unavailable is None)
        for name, (requests, money) in snapshot.shares().items():
            self._shares.labels(name, "requests").set(requests)
            self._shares.labels(name, "money").set(money)
        for purse in headroom:
            left = math.nan if purse.left_nanousd is None else purse.left_nanousd / NANODOLLARS_PER_DOLLAR
            self._left.labels(purse.budget).set(left)

    def decided(
        self, endpoint: str, deployment: str | None, required_tier: str, reason: str, seconds: float
    ) -> None:
        """Count one decision."""
        self._decisions.add((endpoint, deployment or "none", required_tier, reason))
        self._decide.observe((), seconds)

    def finished(self, outcome: Outcome) -> None:
        """Count one outcome with its time and its money."""
        deployment = outcome.deployment or "none"
        self._outcomes.add((deployment, outcome.status))
        self._answer.observe((deployment,), outcome.latency_ms / 1000.0)
        if outcome.cost_usd:
            self._spend.add((deployment,), outcome.cost_usd)

    def judged(self, result: str) -> None:
        """Count what became of an answer that was drawn for the judge."""
        self._graded.add((result,))

    def render(self, *, queued: int, written: int, dropped: int) -> bytes:
        """Return everything in Prometheus' text format, with the log's state of this moment."""
        for state, number in (("queued", queued), ("written", written), ("dropped", dropped)):
            self._log_records.labels(state).set(number)
        return generate_latest(self.registry)
