"""The journeys of a request through the house: weigh, decide, dispatch, remember. Read this first.

route:  body → prediction → snapshot → decide → log → decision
chat:   the same → dispatch to the ranking, best first → answer → one outcome → tables, log
feedback: what someone thought of an answer → log
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from serving.answer import Answer, Journey
from serving.charges import Charges
from serving.dispatch.completion import Call
from serving.dispatch.dispatcher import DispatchCancelled, Dispatcher, DispatchFailed
from serving.errors import LogFull
from serving.feedback import accepted, belongs_to, decisions_in, unknown
from serving.hops import Hops
from serving.metrics import Metrics
from serving.observation import completed, observed_before
from serving.records import DecisionRecord, Feedback, Outcome, Record
from serving.refusal import DECISION_ID_HEADER, refusal, spent_meanwhile
from serving.routing.explanation import as_dict
from serving.state.interface import DecisionLog
from serving.state.writer import LogWriter
from serving.tables.first_bytes import FirstBytes
from serving.weigher import Decided, Weigher, Weighing

_log = logging.getLogger(__name__)

# How long a question to the log waits for what is still queued.
_FLUSH_TIMEOUT_S = 5.0
# Observations that may come at once, before the log has the first of them.
_AT_ONCE = 1_000
# How long a shutdown may take to write what is still queued.
_CLOSE_TIMEOUT_S = 10.0
# How long requests that the server has just cancelled may take to leave their outcomes.
_LAST_OUTCOMES_S = 1.0
# What is kept of a prompt for training, and told to nobody.
_OF_THE_PROMPT = frozenset({"prompt", "vectors"})


class Gateway:
    """Joins the classifier, the tables, the decision, the providers and the log."""

    def __init__(
        self,
        *,
        weigher: Weigher,
        dispatcher: Dispatcher,
        writer: LogWriter,
        log: DecisionLog,
        metrics: Metrics,
        hedge: bool = False,
        refresh_s: float = 1.0,
        feedback_weights: Mapping[str, float] | None = None,
        warm_s: float = 0.0,
        rollout_s: float = 0.0,
    ) -> None:
        self.weigher = weigher
        self.catalog = weigher.catalog
        self.rollout = weigher.rollout
        self.metrics = metrics
        self.writer = writer
        self._dispatcher = dispatcher
        self._log = log
        self._unfinished = 0
        self._first_bytes = FirstBytes() if hedge else None
        self._refresh_s = refresh_s
        self._feedback_weights = feedback_weights or {}
        # hears of every answer on its way
        self.listener: Callable[[Weighing, Call, Answer], None] | None = None
        self._warm_s = warm_s
        self._observed: deque[str] = deque(maxlen=_AT_ONCE)
        self._refreshing: asyncio.Task[None] | None = None
        self._rollout_s = rollout_s
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the log's writer, and fill from the log what starts anew."""
        self.writer.start()
        if self._warm_s:
            # nothing is served yet, so that nobody sees tables that are half filled
            since = time.time() - self._warm_s
            await asyncio.to_thread(lambda: self.weigher.warm(self._log.export(since)))
        await self.weigher.budgets.start()
        if self.weigher.budgets.rows:
            self._refreshing = asyncio.create_task(self._refresh())
        if self._rollout_s:
            self._watching = asyncio.create_task(self._watch_rollout())

    def route(self, weighing: Weighing) -> Decided:
        """Decide and log; raise where the model is unknown or nothing may serve the request."""
        decided = self.weigher.weigh(weighing)
        self.weigher.decided(weighing, decided.decision)
        self._remember(weighing, decided)
        if decided.decision.chosen is None:
            raise refusal(decided.decision, time.time())
        return decided

    async def chat(self, weighing: Weighing, call: Call) -> Answer:
        """Decide, dispatch to the best that answers, and return its answer, open where it is a stream."""
        started = time.perf_counter()
        decided = self.route(weighing)
        ranking = [self.catalog.deployments[row.deployment] for row in decided.decision.ranking]
        charges = Charges(decided.decision.request, self.catalog, self.weigher.budgets)
        journey = Journey(
            decided,
            self.catalog,
            self.finished,
            charges.settled,
            streamed=call.stream,
            started=started,
        )
        self._unfinished += 1
        try:
            hops = Hops(
                decided.decision,
                self.catalog,
                self.weigher.tables,
                self._first_bytes,
                charges,
                streamed=call.stream,
            )
            dispatched = await self._dispatcher.dispatch(ranking, call, hops)
        except DispatchFailed as failure:
            journey.finish("error", failure.attempts, error=charges.refused or failure.kind)
            if charges.refused and all(attempt.status == "skipped" for attempt in failure.attempts):
                left = self.weigher.budgets.headroom(decided.decision.request.caller)
                raise spent_meanwhile(decided.decision, left, charges.refused, time.time()) from None
            failure.headers[DECISION_ID_HEADER] = decided.decision.request.decision_id
            raise
        except DispatchCancelled as gone:
            journey.finish("cancelled", gone.attempts)
            raise
        answer = Answer(decided, dispatched, journey)
        if dispatched.whole is not None:
            journey.finish("ok", dispatched.attempts, dispatched.whole.usage)
        if self.listener is not None:
            self.listener(weighing, call, answer)
        return answer

    async def feedback(self, given: Feedback, caller: str | None) -> bool:
        """Store a caller's feedback on a decision of theirs; return False where it was delivered before.

        Raise NotFound where they have no such decision, Conflict where its id says something else, LogFull
        where it cannot be kept.
        """
        rows = belongs_to(caller, await self._logged(decisions_in(given)))
        weight = self._feedback_weights.get(given.source, 1.0)
        new = accepted(replace(given, weight=weight), rows)
        if new is None:
            return False
        if not self.writer.append(new):
            raise LogFull(
                "The decision log takes no feedback right now: nothing was stored. "
                "Try again later; a feedback_id of your own makes that safe."
            )
        self.weigher.rated(new, rows[new.decision_id])
        return True

    async def observed(self, outcome: Outcome, caller: str | None) -> None:
        """Take in what came of a caller's decision that they dispatched themselves; see `observation`.

        Raise NotFound where they have no such decision.
        """
        decision_id = outcome.decision_id
        rows = belongs_to(caller, await self._logged([decision_id]))
        if decision_id not in rows:
            raise unknown(decision_id)
        # two at once may both have found it unobserved
        if decision_id in self._observed:
            raise observed_before(decision_id)
        outcome = completed(outcome, rows[decision_id], self.catalog, self.weigher.budgets)
        self._observed.append(decision_id)
        self.weigher.observed(outcome, caller)
        self.metrics.finished(outcome)
        self.remember(outcome)

    async def find(self, decision_id: str, caller: str | None) -> dict[str, Any]:
        """Return a logged decision of this caller, without its prompt; raise NotFound where there is none."""
        rows = belongs_to(caller, await self._logged([decision_id]))
        if decision_id not in rows:
            raise unknown(decision_id)
        return {name: value for name, value in rows[decision_id].items() if name not in _OF_THE_PROMPT}

    async def _logged(self, decision_ids: list[str]) -> dict[str, dict[str, Any]]:
        # they may have been made a moment ago
        await asyncio.to_thread(self.writer.flush, _FLUSH_TIMEOUT_S)
        return await asyncio.to_thread(self._log.find_all, decision_ids)

    def remember(self, record: Record) -> None:
        """Hand a record to the log's queue; a full queue drops and counts it, nobody waits."""
        self.writer.append(record)

    def finished(self, outcome: Outcome) -> None:
        """Take in how a dispatched request ended."""
        self._unfinished -= 1
        self.weigher.finished(outcome)
        self._remember_first_byte(outcome)
        self.metrics.finished(outcome)
        self.remember(outcome)

    def _remember_first_byte(self, outcome: Outcome) -> None:
        # after a failed attempt the time is not the deployment's own
        is_own = len(outcome.attempts) == 1 and outcome.first_token_ms is not None
        if self._first_bytes is not None and is_own and outcome.deployment:
            self._first_bytes.record(outcome.deployment, outcome.first_token_ms or 0.0)

    async def close(self) -> None:
        """Take in the last outcomes, let go of the providers, then write what is queued and stop."""
        await self._last_outcomes()
        for task in (self._refreshing, self._watching):
            if task is not None:
                task.cancel()
        await self._dispatcher.close()
        await self.weigher.budgets.close()
        await asyncio.to_thread(self.writer.close, _CLOSE_TIMEOUT_S)
        self._log.close()

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_s)
            await self.weigher.budgets.refresh()

    async def _watch_rollout(self) -> None:
        while True:
            await asyncio.sleep(self._rollout_s)
            try:
                await asyncio.to_thread(self.rollout.refresh)
            except Exception as error:
                # whatever a new plan does to us, the old one goes on, and the next is looked at again
                _log.error("The rollout could not be read anew (%s).", type(error).__name__)

    async def _last_outcomes(self) -> None:
        until = time.monotonic() + _LAST_OUTCOMES_S
        while self._unfinished and time.monotonic() < until:
            await asyncio.sleep(0.01)

    def _remember(self, weighing: Weighing, decided: Decided) -> None:
        decision = decided.decision
        prediction = decision.prediction
        chosen = decision.chosen
        needs = prediction.required_tier
        name = chosen.deployment if chosen else None
        keeps_prompt = weighing.logged_text is not None or decided.weighed.vectors is not None
        self.metrics.decided(weighing.endpoint, name, needs, decision.reason, decided.decide_ms / 1000.0)
        self.remember(
            DecisionRecord(
                decision_id=decision.request.decision_id,
                created_at=time.time(),
                endpoint=weighing.endpoint,
                requested_model=weighing.model,
                deployment=name,
                tier=chosen.tier if chosen else None,
                reason=decision.reason,
                propensity=decision.propensity,
                tiers=prediction.tiers,
                sufficiency=prediction.sufficiency,
                prediction_source=prediction.source,
                artifact=prediction.artifact,
                policy=decision.policy_version,
                snapshot=decision.snapshot_version,
                input_tokens=decision.request.input_tokens,
                expected_output_tokens=decision.request.expected_output_tokens,
                expected_cost_usd=chosen.token_cost_usd if chosen else None,
                expected_latency_ms=chosen.latency_ms if chosen else None,
                expected_quality=chosen.quality if chosen else None,
                decide_ms=decided.decide_ms,
                explanation=partial(as_dict, decision),
                prompt=weighing.logged_text,
                vectors=decided.weighed.vectors,
                shadow=decided.weighed.shadow,
                # what belongs together in training; without the prompt there is none
                conversation=(weighing.conversation or None) if keeps_prompt else None,
                caller=weighing.caller.name if weighing.caller else None,
                inputs=decided.inputs,
                tools=len(weighing.prompt.get("tools") or ()),
                response_format=(weighing.prompt.get("response_format") or {}).get("type"),
            )
        )
