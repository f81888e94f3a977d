"""The dispatcher goes down the ranking until one answers, and only until the first byte."""

from __future__ import annotations

import asyncio

import pytest

from serving.dispatch.adapter import ProviderError, cannot
from serving.dispatch.completion import Call, Whole
from serving.dispatch.dispatcher import DispatchCancelled, Dispatcher, DispatchFailed, Patience
from serving.records import Usage
from serving.routing.catalog import Deployment
from tests.fakes import ScriptedAdapter, ScriptedStream, down

OK = Whole(b"{}", Usage(1, 1))


def rows(*names):
    return [Deployment(name, name, "scripted", "economy", {}) for name in names]


def dispatch(adapter, *names, stream=False, patience=Patience()):  # noqa: B008 - frozen
    return asyncio.run(Dispatcher({"scripted": adapter}, patience).dispatch(rows(*names), Call({}, stream)))


def statuses(attempts):
    return [(attempt.deployment, attempt.status) for attempt in attempts]


def test_the_best_of_the_ranking_answers():
    found = dispatch(ScriptedAdapter(a=OK, b=OK), "a", "b")
    assert found.deployment == "a"
    assert statuses(found.attempts) == [("a", "ok")]


def test_a_retryable_failure_goes_to_the_next():
    found = dispatch(ScriptedAdapter(a=down("overloaded"), b=OK), "a", "b")
    assert found.deployment == "b"
    assert statuses(found.attempts) == [("a", "error"), ("b", "ok")]
    assert found.attempts[0].error == "overloaded"


def test_an_adapter_that_breaks_counts_as_a_provider_that_is_down():
    assert dispatch(ScriptedAdapter(a=ZeroDivisionError(), b=OK), "a", "b").deployment == "b"


def test_the_callers_own_error_is_not_tried_elsewhere():
    adapter = ScriptedAdapter(a=down("invalid_request", retryable=False, status=422), b=OK)
    with pytest.raises(DispatchFailed) as caught:
        dispatch(adapter, "a", "b")
    assert adapter.asked == ["a"]
    assert (caught.value.status, caught.value.code) == (422, "invalid_request")


REFUSED = cannot("n", "this provider gives one answer.")


def test_who_cannot_do_what_is_asked_takes_no_attempt_from_those_who_can():
    adapter = ScriptedAdapter(a=REFUSED, b=REFUSED, c=REFUSED, d=OK)
    found = dispatch(adapter, "a", "b", "c", "d", patience=Patience(max_attempts=1))
    assert found.deployment == "d"
    assert statuses(found.attempts) == [("a", "error"), ("b", "error"), ("c", "error"), ("d", "ok")]


def test_where_nobody_can_do_it_the_caller_is_told_the_field():
    error = failed(REFUSED, REFUSED)
    assert (error.status, error.param, error.type) == (400, "n", "invalid_request_error")


def test_who_could_and_is_down_is_worth_another_try_whatever_the_others_refuse():
    assert failed(down("overloaded"), REFUSED).status == 503
    assert failed(REFUSED, down("rate_limit", retry_after_s=2.0)).headers == {"retry-after": "2"}


def failed(*errors):
    """Return what a caller is told after these failures, one per deployment."""
    names = [f"d{place}" for place in range(len(errors))]
    with pytest.raises(DispatchFailed) as caught:
        dispatch(ScriptedAdapter(**dict(zip(names, errors, strict=True))), *names)
    assert statuses(caught.value.attempts) == [(name, "error") for name in names]
    return caught.value


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (["rate_limit", "rate_limit"], 429),
        (["overloaded", "rate_limit"], 503),
        (["overloaded", "overloaded"], 503),
        (["upstream", "rate_limit"], 502),
        (["rate_limit", "upstream"], 502),
        (["upstream", "timeout"], 504),
        (["authentication", "permission"], 502),
    ],
)
def test_the_status_sums_up_why_nobody_answered(kinds, status):
    error = failed(*(down(kind) for kind in kinds))
    assert (error.status, error.to_openai()["error"]["code"]) == (status, kinds[-1])


def test_a_caller_is_told_to_wait_for_the_first_that_is_free_again():
    error = failed(down("rate_limit", retry_after_s=7.2), down("rate_limit", retry_after_s=30.0))
    assert error.headers == {"retry-after": "8"}


def test_a_caller_is_not_told_to_wait_where_waiting_does_not_help():
    assert failed(down("rate_limit", retry_after_s=7.0), down()).headers == {}


def test_a_callers_own_error_inside_a_stream_is_a_400_and_not_a_502():
    assert failed(down("context_length", retryable=False, status=502)).status == 400


def test_an_empty_ranking_is_an_upstream_failure():
    assert failed().status == 502


def test_an_adapter_that_times_out_by_itself_goes_to_the_next():
    assert dispatch(ScriptedAdapter(a=TimeoutError(), b=OK), "a", "b").deployment == "b"


def test_a_stream_ends_at_the_deadline_even_while_it_goes_on():
    class Endless(ScriptedStream):
        async def __aiter__(self):
            while True:
                yield b"more"
                await asyncio.sleep(0.01)

    async def run():
        patience = Patience(total_ms=60)
        dispatcher = Dispatcher({"scripted": ScriptedAdapter(a=Endless([]))}, patience)
        found = await dispatcher.dispatch(rows("a"), Call({}, True))
        with pytest.raises(ProviderError) as caught:
            async for _ in found.stream:
                pass
        return caught.value.kind

    assert asyncio.run(run()) == "timeout"


def test_no_more_deployments_are_tried_than_allowed():
    adapter = ScriptedAdapter(a=down(), b=down(), c=OK)
    with pytest.raises(DispatchFailed):
        dispatch(adapter, "a", "b", "c", patience=Patience(max_attempts=2))
    assert adapter.asked == ["a", "b"]


def test_one_deadline_covers_all_attempts():
    async def forever():
        await asyncio.sleep(60)

    adapter = ScriptedAdapter(a=forever, b=OK)
    with pytest.raises(DispatchFailed) as caught:
        dispatch(adapter, "a", "b", patience=Patience(total_ms=50))
    assert (caught.value.status, adapter.asked) == (504, ["a"])


def test_a_stream_that_fails_before_its_first_event_goes_to_the_next():
    broken, empty, good = ScriptedStream([], down()), ScriptedStream([]), ScriptedStream([b"1", b"2"])
    found = dispatch(ScriptedAdapter(a=broken, b=empty, c=good), "a", "b", "c", stream=True)
    assert found.deployment == "c"
    assert broken.closed and empty.closed and not good.closed


def test_a_stream_that_fails_later_is_not_replaced():
    async def run():
        adapter = ScriptedAdapter(a=ScriptedStream([b"1", b"2"], down()), b=ScriptedStream([b"other"]))
        found = await Dispatcher({"scripted": adapter}).dispatch(rows("a", "b"), Call({}, True))
        events = []
        with pytest.raises(Exception, match="scripted"):
            async for event in found.stream:
                events.append(event)
        return events, adapter.asked

    assert asyncio.run(run()) == ([b"1", b"2"], ["a"])


def test_the_first_event_is_not_lost():
    async def run():
        adapter = ScriptedAdapter(a=ScriptedStream([b"1", b"2"]))
        found = await Dispatcher({"scripted": adapter}).dispatch(rows("a"), Call({}, True))
        return [event async for event in found.stream], found.stream.usage, found.first_token_ms

    events, usage, first_ms = asyncio.run(run())
    assert (events, usage) == ([b"1", b"2"], Usage(7, 2))
    assert first_ms >= 0


def test_a_caller_who_leaves_ends_the_attempt():
    async def run():
        started = asyncio.Event()

        async def forever():
            started.set()
            await asyncio.sleep(60)

        dispatcher = Dispatcher({"scripted": ScriptedAdapter(a=down(), b=forever)})
        task = asyncio.create_task(dispatcher.dispatch(rows("a", "b"), Call({}, False)))
        await started.wait()
        task.cancel()
        try:
            await task
        except DispatchCancelled as gone:
            return statuses(gone.attempts)

    assert asyncio.run(run()) == [("a", "error"), ("b", "cancelled")]
