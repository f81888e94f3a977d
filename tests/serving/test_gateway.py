"""The gateway leaves one decision and one outcome for every request, however it ends."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from classifier.tiers import DEFAULT_TIERS
from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call, Whole
from serving.dispatch.dispatcher import Dispatcher, DispatchFailed
from serving.errors import LogFull, ModelNotFound, NoEligibleDeployment, NoHealthyDeployment, NotFound
from serving.gateway import Gateway
from serving.metrics import Metrics
from serving.records import Feedback, Usage
from serving.rollout import Rollout
from serving.routing.catalog import Catalog, Deployment
from serving.routing.policy import Policy
from serving.routing.request import Limits
from serving.state.sqlite import SQLiteLog
from serving.state.writer import LogWriter
from serving.tables.live import LiveTables
from serving.tables.watched import Habits
from serving.weigher import Weigher, Weighing
from tests.fakes import ScriptedAdapter, ScriptedStream, down

GOOD = dict.fromkeys(DEFAULT_TIERS, 0.95)
OVERLOADED = down("overloaded", status=503)
CALLERS_OWN = down("invalid_request", retryable=False, status=400)
ANSWERED = Whole(b'{"choices": []}', Usage(1_000, 500))


def deployment(name, dollars):
    return Deployment(
        name, "m", "scripted", "premium", GOOD,
        usd_per_million_input=dollars, usd_per_million_output=dollars, context_window_tokens=10_000,
    )  # fmt: skip


CATALOG = Catalog({"cheap": deployment("cheap", 1.0), "dear": deployment("dear", 9.0)})


async def never():
    await asyncio.Event().wait()


@pytest.fixture
def play(tmp_path):
    """Run a scene with a gateway whose deployments follow a script; return what the log then holds."""

    def run(scene, policy=None, **plays):
        log = SQLiteLog(tmp_path / "decisions.db")
        adapter = ScriptedAdapter(**plays)

        async def whole_life():
            gateway = built(log, adapter, policy or Policy())
            gateway.writer.start()
            try:
                return await scene(gateway, adapter)
            finally:
                await gateway.close()

        result = asyncio.run(whole_life())
        reopened = SQLiteLog(tmp_path / "decisions.db")
        rows = list(reopened.export())
        reopened.close()
        return result, rows

    return run


def built(log, adapter, policy):
    weigher = Weigher(
        catalog=CATALOG,
        policy=policy,
        rollout=Rollout(None, problem="none in this test"),
        tables=LiveTables(CATALOG, Habits(failure_threshold=2, cooldown_s=60.0)),
        expected_output_tokens=100,
    )
    writer = LogWriter(log, queue_size=100, flush_interval_ms=5, batch_size=10)
    dispatcher = Dispatcher({"scripted": adapter})
    return Gateway(weigher=weigher, dispatcher=dispatcher, writer=writer, log=log, metrics=Metrics())


def weighing(model="auto", **limits):
    prompt = {"messages": [{"role": "user", "content": "Hello?"}]}
    return Weighing("/v1/chat/completions", model, prompt, 10, limits=Limits(**limits))


WHOLE = Call({"messages": []}, stream=False)
STREAM = Call({"messages": []}, stream=True)


async def ask(gateway, adapter):
    return await gateway.chat(weighing(), WHOLE)


async def listen(gateway, adapter):
    answer = await gateway.chat(weighing(), STREAM)
    try:
        return answer, [event async for event in answer.events()]
    finally:
        await answer.close()


def failing(scene, error):
    async def scene_that_fails(gateway, adapter):
        with pytest.raises(error) as raised:
            await scene(gateway, adapter)
        return raised.value

    return scene_that_fails


def outcome(rows):
    (row,) = rows
    return row["outcome"]


def test_a_whole_answer_leaves_its_cost_and_its_attempt(play):
    answer, rows = play(ask, cheap=ANSWERED)
    assert answer.whole is ANSWERED
    told = outcome(rows)
    assert (told["status"], told["deployment"], told["streamed"]) == ("ok", "cheap", False)
    assert told["cost_usd"] == pytest.approx(1_500 / 1e6)
    assert [attempt["deployment"] for attempt in told["attempts"]] == ["cheap"]


def test_a_failure_goes_on_to_the_next_of_the_ranking_and_is_told(play):
    answer, rows = play(ask, cheap=OVERLOADED, dear=ANSWERED)
    assert (answer.deployment, len(answer.attempts)) == ("dear", 2)
    told = outcome(rows)
    assert (told["status"], told["deployment"]) == ("ok", "dear")
    assert [(a["deployment"], a["status"], a["error"]) for a in told["attempts"]] == [
        ("cheap", "error", "overloaded"),
        ("dear", "ok", None),
    ]


def test_where_nobody_answers_the_outcome_is_an_error(play):
    failure, rows = play(failing(ask, DispatchFailed), cheap=OVERLOADED, dear=OVERLOADED)
    assert failure.status == 503
    assert (outcome(rows)["status"], outcome(rows)["error"]) == ("error", "overloaded")
    assert len(outcome(rows)["attempts"]) == 2


def test_the_callers_own_error_is_not_tried_elsewhere(play):
    failure, rows = play(failing(ask, DispatchFailed), cheap=CALLERS_OWN, dear=ANSWERED)
    assert failure.status == 400
    assert [attempt["deployment"] for attempt in outcome(rows)["attempts"]] == ["cheap"]


def test_an_adapter_with_a_fault_is_a_failure_like_any_other(play):
    answer, _ = play(ask, cheap=ZeroDivisionError("a fault"), dear=ANSWERED)
    assert answer.deployment == "dear"


def test_a_caller_who_leaves_before_the_answer_leaves_a_cancelled_outcome(play):
    async def leave(gateway, adapter):
        asking = asyncio.create_task(ask(gateway, adapter))
        while not adapter.asked:
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})
        return asking.cancelled()

    cancelled, rows = play(leave, cheap=never, dear=ANSWERED)
    assert cancelled
    assert outcome(rows)["status"] == "cancelled"
    assert [(a["deployment"], a["status"]) for a in outcome(rows)["attempts"]] == [("cheap", "cancelled")]


def test_a_stream_leaves_its_outcome_at_its_end(play):
    (_, events), rows = play(listen, cheap=ScriptedStream([b"one", b"two", b"done"]))
    assert events == [b"one", b"two", b"done"]
    told = outcome(rows)
    assert (told["status"], told["streamed"], told["output_tokens"]) == ("ok", True, 2)
    assert told["first_token_ms"] is not None
    assert told["cost_usd"] == pytest.approx(9 / 1e6)


@pytest.mark.parametrize(
    "first",
    [OVERLOADED, ScriptedStream([], OVERLOADED), ScriptedStream([])],
    ids=["refuses", "breaks", "says nothing"],
)
def test_a_stream_that_fails_before_its_first_event_is_tried_elsewhere(play, first):
    (answer, events), rows = play(listen, cheap=first, dear=ScriptedStream([b"one"]))
    assert (answer.deployment, events) == ("dear", [b"one"])
    assert [attempt["status"] for attempt in outcome(rows)["attempts"]] == ["error", "ok"]


def test_a_stream_that_breaks_after_its_first_event_raises_and_is_tried_nowhere_else(play):
    breaking = ScriptedStream([b"one"], OVERLOADED)

    async def listen_and_see(gateway, adapter):
        answer = await gateway.chat(weighing(), STREAM)
        events = []
        with pytest.raises(ProviderError):
            async for event in answer.events():
                events.append(event)
        await answer.close()
        return events, adapter.asked

    (events, asked), rows = play(listen_and_see, cheap=breaking, dear=ScriptedStream([b"other"]))
    assert events == [b"one"]
    assert asked == ["cheap"]
    assert breaking.closed
    assert (outcome(rows)["status"], outcome(rows)["error"]) == ("error", "overloaded")


def test_a_caller_who_leaves_a_stream_leaves_one_cancelled_outcome_and_a_closed_provider(play):
    left = ScriptedStream([b"one", b"two"])

    async def leave(gateway, adapter):
        answer = await gateway.chat(weighing(), STREAM)
        assert await anext(answer.events()) == b"one"
        await answer.close()
        await answer.close()
        ended = {"deployment": "cheap", "status": "cancelled"}
        return gateway.metrics.registry.get_sample_value("weighbridge_outcomes_total", ended)

    counted, rows = play(leave, cheap=left)
    assert counted == 1
    assert left.closed
    assert outcome(rows)["status"] == "cancelled"


def test_closing_waits_for_the_outcomes_of_requests_that_were_just_cancelled(play):
    async def end_while_asking(gateway, adapter):
        asking = asyncio.create_task(ask(gateway, adapter))
        while not adapter.asked:
            await asyncio.sleep(0)
        asking.cancel()

    _, rows = play(end_while_asking, cheap=never)
    assert outcome(rows)["status"] == "cancelled"


def test_a_deployment_that_keeps_failing_is_left_alone(play):
    async def ask_three_times(gateway, adapter):
        answers = [await ask(gateway, adapter) for _ in range(3)]
        return [len(answer.attempts) for answer in answers], Counter(adapter.asked)

    only_money = Policy(usd_per_second=0.0)
    (attempts, asked), _ = play(ask_three_times, only_money, cheap=OVERLOADED, dear=ANSWERED)
    assert attempts == [2, 2, 1]
    assert asked == {"cheap": 2, "dear": 3}


def test_where_only_health_stands_in_the_way_trying_again_may_help(play):
    async def ask_until_all_are_down(gateway, adapter):
        for _ in range(2):
            with pytest.raises(DispatchFailed):
                await ask(gateway, adapter)
        return await failing(ask, NoHealthyDeployment)(gateway, adapter)

    refusal, rows = play(ask_until_all_are_down, cheap=OVERLOADED, dear=OVERLOADED)
    assert refusal.status == 503
    assert {row["code"] for row in refusal.detail} == {"unavailable"}
    assert len(rows) == 3
    assert rows[-1]["outcome"] is None


def test_no_failover_leads_to_a_deployment_that_a_filter_rejected(play):
    async def ask_within_a_cent(gateway, adapter):
        with pytest.raises(DispatchFailed):
            await gateway.chat(weighing(max_cost_usd=0.0002), WHOLE)
        return adapter.asked

    asked, _ = play(ask_within_a_cent, cheap=OVERLOADED, dear=ANSWERED)
    assert asked == ["cheap"]


def test_a_named_deployment_has_no_stand_in(play):
    async def ask_by_name(gateway, adapter):
        with pytest.raises(DispatchFailed):
            await gateway.chat(weighing("cheap"), WHOLE)
        return adapter.asked

    asked, rows = play(ask_by_name, cheap=OVERLOADED, dear=ANSWERED)
    assert asked == ["cheap"]
    assert rows[0]["requested_model"] == "cheap"


def test_a_refusal_is_a_decision_without_an_outcome(play):
    async def ask_for_too_much(gateway, adapter):
        return await gateway.chat(weighing(compliance=frozenset({"gdpr"})), WHOLE)

    refusal, rows = play(failing(ask_for_too_much, NoEligibleDeployment))
    assert {row["code"] for row in refusal.detail} == {"compliance"}
    assert (rows[0]["deployment"], rows[0]["outcome"]) == (None, None)


def test_an_unknown_model_is_no_decision(play):
    _, rows = play(failing(lambda g, a: g.chat(weighing("nobody"), WHOLE), ModelNotFound))
    assert rows == []


def test_feedback_finds_a_decision_that_is_still_in_the_queue(play):
    async def decide_and_judge(gateway, adapter):
        decided = gateway.route(weighing())
        given = Feedback("fb_1", decided.decision.request.decision_id, 0.0, "human", score=1.0)
        assert await gateway.feedback(given, None)

    _, rows = play(decide_and_judge)
    assert [given["feedback_id"] for given in rows[0]["feedback"]] == ["fb_1"]


def test_feedback_on_nothing_is_refused(play):
    given = Feedback("fb_1", "dec_nobody", 0.0, "human", score=1.0)
    refusal, rows = play(failing(lambda g, a: g.feedback(given, None), NotFound))
    assert refusal.param == "decision_id"
    assert rows == []


def test_feedback_that_cannot_be_kept_is_told_to_be_sent_again(play):
    async def judge_a_full_log(gateway, adapter):
        decided = gateway.route(weighing())
        given = Feedback("fb_1", decided.decision.request.decision_id, 0.0, "human", score=1.0)
        gateway.writer.flush(5.0)
        gateway.writer._queue_size = 0
        refusal = await failing(lambda g, a: g.feedback(given, None), LogFull)(gateway, adapter)
        gateway.writer._queue_size = 100
        assert await gateway.feedback(given, None)
        return refusal

    refusal, rows = play(judge_a_full_log)
    assert (refusal.status, len(rows[0]["feedback"])) == (503, 1)


def test_a_full_queue_drops_and_counts_and_the_request_is_answered(tmp_path):
    async def scene():
        log = SQLiteLog(tmp_path / "decisions.db")
        gateway = built(log, ScriptedAdapter(cheap=ANSWERED), Policy())
        # never started: what is queued stays queued
        gateway.writer = LogWriter(log, queue_size=1, flush_interval_ms=5, batch_size=1)
        answers = [await gateway.chat(weighing(), WHOLE) for _ in range(3)]
        dropped = gateway.writer.dropped
        log.close()
        return answers, dropped

    answers, dropped = asyncio.run(scene())
    assert len(answers) == 3
    assert dropped == 5
