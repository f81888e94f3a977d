"""Traffic over a turned clock: requests come, the decision chooses, providers answer as they are told to."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from serving.records import Attempt, Outcome, Prediction, Usage
from serving.routing.catalog import Catalog, Deployment
from serving.routing.policy import Policy
from serving.routing.request import RoutingRequest
from serving.routing.router import decide
from serving.tables.live import LiveTables
from serving.tables.watched import Habits

TOKENS = 100
POLICY = Policy(quality_floor=0.0, usd_per_second=0.01, share_cap=1.0)
EASY = Prediction(("only",), (1.0,), "a")


def deployment(name: str, dollars: float) -> Deployment:
    return Deployment(
        name, name, "demo", "only", {"only": 0.9}, usd_per_million_input=dollars,
        usd_per_million_output=dollars, context_window_tokens=10_000, first_token_ms=300.0,
        output_tokens_per_second=100.0,
    )  # fmt: skip


# the second costs a little more, so that routine traffic goes to the first
CATALOG = Catalog({"first": deployment("first", 1.0), "second": deployment("second", 20.0)})


@dataclass
class Answering:
    """How a provider behaves: its times are multiplied by `slower`; `fails` and `hangs` are shares."""

    slower: float = 1.0
    fails: float = 0.0
    hangs: bool = False


@dataclass
class World:
    """One service with two deployments; `chosen` lists what each request got, with its time."""

    seed: int = 1
    per_s: float = 10.0
    streamed: bool = True
    habits: Habits = field(default_factory=Habits)
    now_s: float = 0.0
    chosen: list[tuple[float, str]] = field(default_factory=list)
    behaves: dict[str, Answering] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._count = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        clock = lambda: self.now_s  # noqa: E731
        self.tables = LiveTables(CATALOG, self.habits, clock=clock, wall=clock)

    def run(self, seconds: float) -> list[str]:
        """Let traffic come for a while; return where it went."""
        until_s, begun = self.now_s + seconds, len(self.chosen)
        arrival_s = self.now_s
        while arrival_s < until_s:
            self._at(arrival_s, self._arrive)
            arrival_s += self._random.expovariate(self.per_s)
        while self._events and self._events[0][0] < until_s:
            self.now_s, _, happens = heapq.heappop(self._events)
            happens()
        self.now_s = until_s
        return [name for _, name in self.chosen[begun:]]

    def _at(self, when_s: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when_s, next(self._count), happens))

    def _arrive(self) -> None:
        request = RoutingRequest(f"d{next(self._count)}", TOKENS, TOKENS, TOKENS)
        decision = decide(request, EASY, CATALOG, self.tables.snapshot(), POLICY)
        ranking = [row.deployment for row in decision.ranking]
        assert ranking, decision.rejected
        self.chosen.append((self.now_s, ranking[0]))
        self._ask(request.decision_id, ranking, [])

    def _ask(self, decision_id: str, ranking: list[str], before: list[Attempt]) -> None:
        name, *rest = ranking
        self.tables.started(decision_id, name, 0 if self.streamed else TOKENS)
        how = self.behaves.get(name, Answering())
        if how.hangs:
            # its caller gives up at last
            self._at(self.now_s + 60.0, lambda: self._end(decision_id, name, before, "cancelled", 60_000.0))
        elif self._random.random() < how.fails:
            self._at(self.now_s + 0.05, lambda: self._fail(decision_id, name, rest, before))
        else:
            first_ms = 300.0 * how.slower * self._random.uniform(0.8, 1.3)
            whole_ms = first_ms + 1_000.0 * how.slower * self._random.uniform(0.8, 1.3)
            begins_s = self.now_s + (first_ms if self.streamed else whole_ms) / 1000.0
            self._at(begins_s, lambda: self.tables.ended(decision_id, Attempt(name, "ok", first_ms)))
            answered = lambda: self._end(decision_id, name, before, "ok", whole_ms, first_ms)  # noqa: E731
            self._at(self.now_s + whole_ms / 1000.0, answered)

    def _fail(self, decision_id: str, name: str, rest: list[str], before: list[Attempt]) -> None:
        failed = Attempt(name, "error", 50.0, "upstream")
        self.tables.ended(decision_id, failed)
        if rest:
            self._ask(decision_id, rest, [*before, failed])
        else:
            self._outcome(decision_id, name, [*before, failed], "error", 50.0, None)

    def _end(
        self, decision_id: str, name: str, before: list[Attempt], status: str,
        whole_ms: float, first_ms: float | None = None,
    ) -> None:  # fmt: skip
        attempt = Attempt(name, status, whole_ms)
        if status == "cancelled":
            self.tables.ended(decision_id, attempt)
        self._outcome(decision_id, name, [*before, attempt], status, whole_ms, first_ms)

    def _outcome(
        self, decision_id: str, name: str, attempts: list[Attempt], status: str,
        whole_ms: float, first_ms: float | None,
    ) -> None:  # fmt: skip
        lost_ms = sum(attempt.latency_ms for attempt in attempts[:-1])
        told_ms = None if first_ms is None or not self.streamed else lost_ms + first_ms
        self.tables.record(
            Outcome(
                decision_id, self.now_s, status, name, self.streamed, Usage(TOKENS, TOKENS), 0.0,
                told_ms, lost_ms + whole_ms, tuple(attempts),
            )
        )  # fmt: skip
