"""One contract over both implementations of the counters, the second on real Redis and Valkey servers."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.state.counters import Claim, CountersEmptyError, CountersUnavailableError, MemoryCounters
from serving.state.redis_counters import RedisCounters
from tests.servers import binaries, serving

LATER = 4_000_000_000
KINDS = ["memory", "valkey", "redis"]


@pytest.fixture(scope="module")
def server():
    """Start each server once; return it by its kind."""
    running = {}
    contexts = []

    def of(kind):
        if kind not in running:
            binary = binaries().get(kind)
            if binary is None:
                pytest.skip(f"no {kind}-server on this machine (Debian: apt-get install redis-server)")
            context = serving(binary, Path(tempfile.mkdtemp(prefix="wb-")))
            running[kind] = context.__enter__()
            contexts.append(context)
        return running[kind]

    yield of
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.fixture(params=KINDS)
def fresh(request, server):
    """Return a maker of counters that hold nothing yet, all over the same store."""
    if request.param == "memory":

        def make():
            shared = MemoryCounters()
            return lambda: shared

        return make
    running = server(request.param)

    def make():
        running.client.flushall()
        return lambda: RedisCounters(running.url, timeout_s=5.0)

    return make


def claim(key="k", limit=100):
    return Claim(key, limit, LATER)


def play(connect, scene, *, ready=True):
    async def whole():
        counters = connect()
        try:
            if ready:
                await counters.raise_to([claim("ready")], [0])
            return await scene(counters)
        finally:
            await counters.close()

    return asyncio.run(whole())


def test_a_reservation_is_granted_up_to_the_limit_and_not_beyond(fresh):
    async def scene(counters):
        return [(await counters.reserve([claim()], amount)) for amount in (60, 41, 40, 1)]

    taken = play(fresh(), scene)
    assert [(one.granted, one.totals) for one in taken] == [
        (True, (60,)), (False, (60,)), (True, (100,)), (False, (100,)),
    ]  # fmt: skip


def test_one_full_counter_keeps_the_others_from_being_taken_from(fresh):
    async def scene(counters):
        await counters.reserve([claim("small", 10)], 10)
        taken = await counters.reserve([claim("large", 1_000), claim("small", 10)], 5)
        return taken, await counters.settle([claim("large")], 0)

    taken, large = play(fresh(), scene)
    assert (taken.granted, taken.totals, large) == (False, (0, 10), (0,))


def test_settling_frees_what_was_not_spent_and_counts_what_was_spent_beyond(fresh):
    async def scene(counters):
        await counters.reserve([claim()], 80)
        return [await counters.settle([claim()], change) for change in (-50, 90, -500)]

    assert play(fresh(), scene) == [(30,), (120,), (0,)]


def test_filling_never_lowers_a_counter(fresh):
    async def scene(counters):
        await counters.reserve([claim("a"), claim("b")], 50)
        return await counters.raise_to([claim("a"), claim("b")], [20, 70])

    assert play(fresh(), scene) == (50, 70)


def test_amounts_are_exact_up_to_millions_of_dollars(fresh):
    most = 1_000_000 * 10**9

    async def scene(counters):
        await counters.reserve([claim("k", most)], most - 1)
        return [(await counters.reserve([claim("k", most)], 1)).granted for _ in range(2)]

    assert play(fresh(), scene) == [True, False]


steps = st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, limits=st.lists(st.integers(0, 200), min_size=1, max_size=3))
def test_concurrent_reservations_never_exceed_any_limit_and_leave_what_was_spent(fresh, steps, limits):
    connect = fresh()
    claims = [claim(f"k{place}", limit) for place, limit in enumerate(limits)]
    totals, spent = [], []

    async def one(counters, amount, part):
        taken = await counters.reserve(claims, amount)
        totals.append(taken.totals)
        if taken.granted:
            await asyncio.sleep(0)
            real = int(amount * part)
            spent.append(real)
            totals.append(await counters.settle(claims, real - amount))

    async def scene(counters):
        # two connections stand for two processes
        other = connect()
        await asyncio.gather(*(one((counters, other)[place % 2], *step) for place, step in enumerate(steps)))
        left = await counters.settle(claims, 0)
        await other.close()
        return left

    left = play(connect, scene)
    assert all(total <= limit for seen in totals for total, limit in zip(seen, limits, strict=True))
    assert left == (sum(spent),) * len(limits)


@pytest.mark.parametrize("kind", ["valkey", "redis"])
def test_a_server_that_is_gone_or_silent_is_unavailable_at_once(kind, server, tmp_path):
    async def scene(counters):
        with pytest.raises(CountersUnavailableError) as raised:
            await counters.reserve([claim()], 1)
        return raised.value

    gone = play(lambda: RedisCounters(f"unix://{tmp_path / 'nobody'}", timeout_s=0.2), scene, ready=False)
    assert "cannot be reached" in str(gone)
    running = server(kind)
    running.client.flushall()
    running.client.client_pause(400)
    assert "cannot" in str(play(lambda: RedisCounters(running.url, timeout_s=0.1), scene, ready=False))


@pytest.mark.parametrize("kind", ["valkey", "redis"])
def test_a_server_that_lost_what_it_held_is_empty_until_it_is_filled(kind, server):
    running = server(kind)

    async def scene(counters):
        await counters.reserve([claim()], 100)
        running.client.flushall()
        for step in (counters.reserve([claim()], 1), counters.settle([claim()], -1)):
            with pytest.raises(CountersEmptyError):
                await step
        return await counters.raise_to([claim()], [100])

    running.client.flushall()
    assert play(lambda: RedisCounters(running.url, timeout_s=5.0), scene) == (100,)


@pytest.mark.parametrize("kind", ["valkey", "redis"])
def test_counters_are_forgotten_by_the_server_after_their_window(kind, server):
    running = server(kind)
    running.client.flushall()

    async def scene(counters):
        await counters.reserve([claim()], 1)

    play(lambda: RedisCounters(running.url, timeout_s=5.0), scene)
    (key,) = [key for key in running.client.scan_iter() if key.endswith(":k")]
    assert running.client.expiretime(key) == LATER


def test_memory_forgets_counters_after_their_window():
    now = [0.0]

    async def scene():
        counters = MemoryCounters(clock=lambda: now[0])
        await counters.reserve([Claim("old", 10, 100)], 10)
        now[0] = 100.0
        await counters.reserve([claim("new")], 1)
        return (await counters.settle([Claim("old", 10, 100)], 0))[0]

    assert asyncio.run(scene()) == 0
