"""The tables of one running service: what happens goes in, snapshots come out."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence

from serving.records import Attempt, Outcome
from serving.routing.catalog import Catalog
from serving.routing.snapshot import Snapshot
from serving.tables.recency import Recency
from serving.tables.watched import Habits, Waiting, Watched

# How often those who wait are looked at.
_LOOK_S = 0.1
# How often what feedback has taught is forgotten a little.
_FORGET_S = 600.0


class LiveTables:
    """Speed, health, quality and traffic of every deployment, frozen for each decision.

    `clock` is for durations, `wall` (Unix time) for what is dated. Not thread-safe: it lives on the event
    loop of one worker.
    """

    def __init__(
        self,
        catalog: Catalog,
        habits: Habits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._rows = {row.name: Watched(row, habits or Habits()) for row in catalog}
        self._changed = set(self._rows)
        self._timed: set[str] = set()
        # of requests on their way: failures that were taken in, and who has had a first token
        self._told: Counter[str] = Counter()
        self._begun: set[str] = set()
        self._recency = Recency()
        # one log holds the snapshots of many runs
        self._run = secrets.token_hex(4)
        self._frozen_count = 0
        self._frozen = Snapshot(version="0")
        self._look_at_s = 0.0

    def snapshot(self) -> Snapshot:
        """Return the numbers of this moment; the same object until something changes."""
        now_s = self._clock()
        if self._changed or now_s >= self._look_at_s:
            self._freeze(now_s)
        return self._frozen

    def started(self, decision_id: str, deployment: str, output_tokens: int) -> None:
        """Take in that a deployment is asked; `output_tokens` is 0 where the first byte ends the wait."""
        row = self._rows.get(deployment)
        if row is not None:
            row.waiting[decision_id] = Waiting(self._clock(), output_tokens)
            self._changed.add(deployment)

    def ended(self, decision_id: str, attempt: Attempt) -> None:
        """Take in that a wait is over; it counts at once, whatever becomes of the request.

        A first byte counts as an answer, and a stream that breaks later as a failure besides. Were answers
        counted at their end alone, the quick failures of many requests at once would seem failures in a row.
        """
        row = self._rows.get(attempt.deployment)
        if row is None:
            return
        now_s = self._clock()
        waiting = row.waiting.pop(decision_id, None)
        if attempt.status == "cancelled" and waiting is not None:
            row.given_up(waiting, now_s)
        if attempt.status == "ok" and waiting is not None and waiting.output_tokens == 0:
            row.began(attempt.latency_ms, now_s)
            row.attempted(None, now_s)
            self._begun.add(decision_id)
        if attempt.status == "error":
            self._told[decision_id] += 1
            row.attempted(attempt.error or "upstream", now_s)
        self._changed.add(attempt.deployment)

    def recall(self, outcome: Outcome) -> None:
        """Take in what the log knows of an earlier run; who was down then need not be now."""
        self._answered(outcome, self._clock(), outcome.finished_at)

    def record(self, outcome: Outcome) -> None:
        """Take in what happened to one dispatched request, each attempt on its own."""
        now_s = self._clock()
        told = self._told.pop(outcome.decision_id, 0)
        for attempt in outcome.attempts:
            row = self._rows.get(attempt.deployment)
            if row is None:
                continue
            row.waiting.pop(outcome.decision_id, None)
            self._changed.add(attempt.deployment)
            if attempt.status in ("cancelled", "skipped"):
                continue
            failed = attempt.status != "ok"
            if failed and told:
                told -= 1
                continue
            began = outcome.decision_id in self._begun
            if failed or not began:
                row.attempted(attempt.error or "upstream" if failed else None, now_s, began=began)
        self._answered(outcome, now_s, self._wall())

    def rated(
        self,
        deployment: str,
        score: float,
        tier_shares: Sequence[tuple[str, float]],
        at_s: float,
        weight: float = 1.0,
    ) -> None:
        """Take in what someone thought (0–1) at a moment (Unix time) of an answer to such a prompt."""
        row = self._rows.get(deployment)
        if row is not None:
            row.rated(score, tier_shares, at_s, weight)
            self._changed.add(deployment)

    def _answered(self, outcome: Outcome, now_s: float, wall_s: float) -> None:
        began = outcome.decision_id in self._begun
        self._begun.discard(outcome.decision_id)
        name = outcome.deployment or ""
        row = self._rows.get(name)
        if row is None:
            return
        weight = self._recency.weight(wall_s)
        row.requests += weight
        row.spent_usd += weight * (outcome.cost_usd or 0.0)
        if outcome.status == "ok":
            times = _served_times(outcome)
            row.answered(*times, outcome.usage.output_tokens, now_s, began=began)
        self._changed.add(name)

    def _freeze(self, now_s: float) -> None:
        wall_s = self._wall()
        self._lighten(wall_s)
        before = self._frozen.states
        looked_at = self._changed | self._timed
        now = {name: self._rows[name].state(now_s, wall_s) for name in looked_at}
        self._timed = {name for name in looked_at if self._rows[name].is_timed}
        self._changed.clear()
        self._look_at_s = self._next_look_s(now_s)
        if any(state != before.get(name) for name, state in now.items()):
            self._frozen_count += 1
            self._frozen = Snapshot(version=f"{self._run}.{self._frozen_count}", states={**before, **now})

    def _next_look_s(self, now_s: float) -> float:
        """Return when time alone may change a state."""
        moments = [now_s + _FORGET_S]
        for row in map(self._rows.__getitem__, self._timed):
            changes_at_s = row.changes_at_s(now_s)
            if row.waiting:
                moments.append(now_s + _LOOK_S)
            if changes_at_s is not None:
                moments.append(changes_at_s)
        return min(moments)

    def _lighten(self, wall_s: float) -> None:
        divisor = self._recency.lighter(wall_s)
        for name, row in self._rows.items() if divisor is not None else ():
            row.requests /= divisor or 1.0
            row.spent_usd /= divisor or 1.0
            self._changed.add(name)


def _served_times(outcome: Outcome) -> tuple[float | None, float]:
    """Return time to first token and whole time of the attempt that answered, without those before it."""
    failed_ms = sum(attempt.latency_ms for attempt in outcome.attempts[:-1])
    first_ms = None if outcome.first_token_ms is None else max(outcome.first_token_ms - failed_ms, 0.0)
    return first_ms, max(outcome.latency_ms - failed_ms, 0.0)
