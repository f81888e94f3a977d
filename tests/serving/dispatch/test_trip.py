"""Never one that something now stands against, again only after its wait, two at a time only if late."""

from __future__ import annotations

import asyncio
import time

import pytest

from serving.dispatch.completion import Call, Whole
from serving.dispatch.dispatcher import DispatchCancelled, Dispatcher, DispatchFailed, Patience
from serving.dispatch.trip import Trip
from serving.records import Usage
from serving.routing.catalog import Deployment
from tests.fakes import ScriptedAdapter, ScriptedStream, down

OK = Whole(b"{}", Usage(1, 1))
QUICK = Patience(max_attempts=3, retry_wait_ms=1, longest_retry_wait_ms=100)


class Looking:
    """Hops that know what stands against whom, and when the first is late."""

    def __init__(self, hedge_after_ms=None, **against):
        self.asked = []
        self._against = against
        self._hedge_after_ms = hedge_after_ms

    def against(self, deployment, elapsed_ms):
        self.asked.append(deployment)
        return self._against.get(deployment)

    async def admit(self, deployment):
        return None

    def ended(self, attempt):
        pass

    def hedge_after_ms(self, first, second):
        return self._hedge_after_ms


def rows(names):
    return [Deployment(name, name, "scripted", "economy", {}) for name in names]


async def ask(adapter, names, *, stream=False, patience=QUICK, hops=None):
    dispatcher = Dispatcher({"scripted": adapter}, patience)
    return await dispatcher.dispatch(rows(names), Call({}, stream), hops)


def told(attempts):
    return [(attempt.deployment, attempt.status, attempt.error) for attempt in attempts]


class InTurn(ScriptedAdapter):
    """Each deployment gives its answers one after another."""

    async def _next(self, name):
        self.asked.append(name)
        answer = self._answers[name].pop(0)
        if callable(answer):
            answer = await answer()
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_what_stands_against_a_deployment_by_its_turn_skips_it_and_is_told():
    adapter = ScriptedAdapter(a=down(), c=OK)
    found = asyncio.run(ask(adapter, "abc", hops=Looking(b="unavailable")))
    assert adapter.asked == ["a", "c"]
    assert told(found.attempts) == [
        ("a", "error", "upstream"),
        ("b", "skipped", "unavailable"),
        ("c", "ok", None),
    ]


def test_the_first_is_not_looked_at_twice():
    hops = Looking()
    asyncio.run(ask(ScriptedAdapter(a=OK), "ab", hops=hops))
    assert hops.asked == []


@pytest.mark.parametrize("kind", ["rate_limit", "overloaded", "upstream"])
def test_what_passes_by_itself_is_asked_again_once_everyone_was(kind):
    adapter = InTurn(a=[down(kind), OK], b=[down("authentication")])
    found = asyncio.run(ask(adapter, "ab"))
    assert adapter.asked == ["a", "b", "a"]
    assert found.deployment == "a"


@pytest.mark.parametrize("kind", ["authentication", "permission", "not_found", "timeout"])
def test_what_does_not_pass_is_not_asked_again(kind):
    adapter = InTurn(a=[down(kind), OK])
    with pytest.raises(DispatchFailed):
        asyncio.run(ask(adapter, "a"))
    assert adapter.asked == ["a"]


def test_the_wait_that_a_provider_asks_for_is_kept():
    adapter = InTurn(a=[down("rate_limit", retry_after_s=0.05), OK])
    started = time.perf_counter()
    asyncio.run(ask(adapter, "a"))
    assert time.perf_counter() - started >= 0.05


def waits_s(failures, retry_after_s=None):
    """Return the wait before the only deployment is asked again after it has failed so many times."""
    trip = Trip(rows("a"), Call({}, False), Patience(max_attempts=9, retry_wait_ms=100), None)
    for _ in range(failures):
        hop = trip.next()
        trip.failed(hop.deployment, trip.begun_s, down("rate_limit", retry_after_s=retry_after_s))
    return trip.next().wait_s


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_the_wait_doubles_and_is_drawn_anew_for_each_between_half_of_it_and_all(failures):
    drawn = [waits_s(failures) for _ in range(200)]
    longest_s = 0.1 * 2 ** (failures - 1)
    assert min(drawn) >= 0.5 * longest_s
    assert max(drawn) <= longest_s
    # two hundred callers who failed together are spread over the whole of it
    assert min(drawn) < 0.6 * longest_s
    assert max(drawn) > 0.9 * longest_s


def test_nobody_is_asked_again_sooner_than_they_said():
    drawn = [waits_s(2, retry_after_s=0.15) for _ in range(50)]
    assert all(0.15 <= wait_s <= 0.2 for wait_s in drawn)


def test_the_one_with_the_shortest_wait_is_asked_again():
    adapter = InTurn(
        a=[down("rate_limit", retry_after_s=0.09), OK], b=[down("rate_limit", retry_after_s=0.0), OK]
    )
    assert asyncio.run(ask(adapter, "ab")).deployment == "b"


@pytest.mark.parametrize("patience", [QUICK, Patience(3, total_ms=20, retry_wait_ms=1)])
def test_a_wait_that_is_too_long_or_beyond_the_deadline_is_left_to_the_caller(patience):
    adapter = InTurn(a=[down("rate_limit", retry_after_s=7)])
    with pytest.raises(DispatchFailed) as caught:
        asyncio.run(ask(adapter, "a", patience=patience))
    assert caught.value.headers["retry-after"] == "7"


def test_the_callers_own_error_is_never_asked_again():
    adapter = InTurn(a=[down("upstream"), OK], b=[down("invalid_request", retryable=False)])
    with pytest.raises(DispatchFailed):
        asyncio.run(ask(adapter, "ab"))
    assert adapter.asked == ["a", "b"]


def test_attempts_are_counted_over_both_rounds():
    adapter = InTurn(a=[down()] * 9, b=[down()] * 9)
    with pytest.raises(DispatchFailed):
        asyncio.run(ask(adapter, "ab"))
    assert len(adapter.asked) == 3


class Late(ScriptedStream):
    """A stream whose first byte never comes."""

    async def __aiter__(self):
        await asyncio.Event().wait()
        yield b""


def test_a_late_stream_is_hedged_and_the_loser_is_closed_and_named():
    late = Late([])
    adapter = ScriptedAdapter(a=late, b=ScriptedStream([b"1"]))
    found = asyncio.run(ask(adapter, "ab", stream=True, hops=Looking(hedge_after_ms=1)))
    assert (found.deployment, found.hedged) == ("b", ("a",))
    assert late.closed
    assert told(found.attempts) == [("a", "cancelled", None), ("b", "ok", None)]


def test_a_stream_in_time_is_not_hedged():
    adapter = ScriptedAdapter(a=ScriptedStream([b"1"]), b=ScriptedStream([b"2"]))
    found = asyncio.run(ask(adapter, "ab", stream=True, hops=Looking(hedge_after_ms=10_000)))
    assert (adapter.asked, found.hedged) == (["a"], ())


def test_a_whole_answer_is_never_hedged():
    adapter = ScriptedAdapter(a=OK, b=OK)
    asyncio.run(ask(adapter, "ab", hops=Looking(hedge_after_ms=0)))
    assert adapter.asked == ["a"]


def test_a_hedge_goes_nowhere_that_something_stands_against():
    async def later():
        await asyncio.sleep(0.02)
        return ScriptedStream([b"1"])

    adapter = ScriptedAdapter(a=later, b=ScriptedStream([b"2"]))
    found = asyncio.run(ask(adapter, "ab", stream=True, hops=Looking(hedge_after_ms=1, b="compliance")))
    assert (adapter.asked, found.deployment) == (["a"], "a")


def test_where_both_of_a_race_fail_the_next_is_asked():
    async def later():
        await asyncio.sleep(0.01)
        raise down("overloaded")

    adapter = ScriptedAdapter(a=later, b=later, c=ScriptedStream([b"3"]))
    found = asyncio.run(ask(adapter, "abc", stream=True, hops=Looking(hedge_after_ms=1)))
    assert found.deployment == "c"


def test_a_caller_who_leaves_a_race_ends_both():
    async def run():
        late = [Late([]), Late([])]
        adapter = ScriptedAdapter(a=late[0], b=late[1])
        task = asyncio.create_task(ask(adapter, "ab", stream=True, hops=Looking(hedge_after_ms=1)))
        while len(adapter.asked) < 2:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(DispatchCancelled) as gone:
            await task
        return [one.closed for one in late], sorted(told(gone.value.attempts))

    closed, attempts = asyncio.run(run())
    assert closed == [True, True]
    assert attempts == [("a", "cancelled", None), ("b", "cancelled", None)]
