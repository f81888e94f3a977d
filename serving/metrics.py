"""The numbers a monitor scrapes. Labels are bounded: names from the catalog, tiers, a few fixed words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from serving.records import Outcome
from serving.routing.headroom import NANODOLLARS_PER_DOLLAR, Headroom
from serving.routing.snapshot import Snapshot

_DECIDE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)
_ANSWER_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """One registry per application; nothing is global."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._decisions = Counter(
            "weighbridge_decisions",
            "Decisions by what was chosen and why",
            ["endpoint", "deployment", "required_tier", "reason"],
            registry=self.registry,
        )
        self._decide = Histogram(
            "weighbridge_decide_seconds",
            "Time to weigh and decide",
            buckets=_DECIDE_SECONDS,
            registry=self.registry,
        )
        self._outcomes = Counter(
            "weighbridge_outcomes",
            "Dispatched requests by how they ended",
            ["deployment", "status"],
            registry=self.registry,
        )
        self._answer = Histogram(
            "weighbridge_answer_seconds",
            "Time from request to the end of the answer",
            ["deployment"],
            buckets=_ANSWER_SECONDS,
            registry=self.registry,
        )
        self._graded = Counter(
            "weighbridge_judged",
            "Answers drawn for the automatic judge, by what became of them",
            ["result"],
            registry=self.registry,
        )
        self._spend = Counter(
            "weighbridge_cost_usd", "Dollars spent on answers", ["deployment"], registry=self.registry
        )
        self._log_records = Gauge(
            "weighbridge_log_records",
            "Records of the decision log by state",
            ["state"],
            registry=self.registry,
        )

        self._labelled: dict[tuple[str, ...], Any] = {}

        self._speed = self._gauge("first_token_ms", "Expected time to the first token", "deployment")
        self._tokens = self._gauge("output_tokens_per_second", "Expected speed", "deployment")
        self._errors = self._gauge("error_rate", "Share of attempts that failed lately", "deployment")
        self._up = self._gauge("deployment_up", "1 while it may be used, else 0", "deployment")
        self._shares = self._gauge("share", "Share of requests and money lately", "deployment", "of")
        self._left = self._gauge("budget_left_usd", "What a budget has left; NaN: unknown", "budget")

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(f"weighbridge_{name}", says, labels, registry=self.registry)

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
        self._of("decisions", self._decisions, endpoint, deployment or "none", required_tier, reason).inc()
        self._decide.observe(seconds)

    def finished(self, outcome: Outcome) -> None:
        """Count one outcome with its time and its money."""
        deployment = outcome.deployment or "none"
        self._of("outcomes", self._outcomes, deployment, outcome.status).inc()
        self._of("answer", self._answer, deployment).observe(outcome.latency_ms / 1000.0)
        if outcome.cost_usd:
            self._of("spend", self._spend, deployment).inc(outcome.cost_usd)

    def judged(self, result: str) -> None:
        """Count what became of an answer that was drawn for the judge."""
        self._of("judged", self._graded, result).inc()

    def _of(self, name: str, metric: MetricWrapperBase, *labels: str) -> Any:
        """Return a metric's child; the library looks it up behind a lock each time, and checks the labels."""
        child = self._labelled.get((name, *labels))
        if child is None:
            child = self._labelled[name, *labels] = metric.labels(*labels)
        return child

    def render(self, *, queued: int, written: int, dropped: int) -> bytes:
        """Return everything in Prometheus' text format, with the log's state of this moment."""
        for state, number in (("queued", queued), ("written", written), ("dropped", dropped)):
            self._log_records.labels(state).set(number)
        return generate_latest(self.registry)
