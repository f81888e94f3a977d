"""Waits end in time, each by itself, and only those that are late."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from serving.deadlines import Deadlines


async def waited(deadlines, seconds, work_s=20.0):
    with deadlines.within(seconds) as wait:
        await asyncio.sleep(work_s)
    return wait


def test_only_the_wait_that_is_late_ends():
    async def run():
        deadlines = Deadlines()
        late = [asyncio.create_task(waited(deadlines, seconds)) for seconds in (0.05, 0.01, 0.02)]
        kept = await waited(deadlines, 10.0, work_s=0.2)
        assert not kept.is_late
        return [type(found) for found in await asyncio.gather(*late, return_exceptions=True)]

    assert asyncio.run(run()) == [TimeoutError] * 3


def test_a_wait_that_is_late_at_once_ends_at_its_first_pause():
    async def run():
        with Deadlines().within(-1.0):
            await asyncio.sleep(20)

    with pytest.raises(TimeoutError):
        asyncio.run(run())


def test_the_inner_of_two_waits_leaves_the_outer_alone():
    async def run():
        deadlines = Deadlines()
        with deadlines.within(10.0) as outer:
            with pytest.raises(TimeoutError):
                await waited(deadlines, 0.01)
            await asyncio.sleep(0.05)
        assert not outer.is_late
        with pytest.raises(TimeoutError), deadlines.within(0.01) as outer:
            await waited(deadlines, 10.0)
        assert outer.is_late

    asyncio.run(run())


def test_who_is_cancelled_by_somebody_else_is_not_told_of_a_deadline():
    async def run():
        task = asyncio.create_task(waited(Deadlines(), 10.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_an_error_in_time_passes_and_nothing_is_left_behind():
    async def run():
        deadlines = Deadlines()
        with pytest.raises(KeyError), deadlines.within(0.02):
            raise KeyError
        await asyncio.sleep(0.05)
        return asyncio.current_task().cancelling()

    assert asyncio.run(run()) == 0


def test_another_event_loop_begins_anew():
    deadlines = Deadlines()
    asyncio.run(waited(deadlines, 10.0, work_s=0.0))
    with pytest.raises(TimeoutError):
        asyncio.run(waited(deadlines, 10.0 - 9.99))


def test_the_last_of_many_waits_is_not_forgotten_when_the_timer_rings_for_others():
    async def run():
        deadlines = Deadlines()
        for _ in range(100):
            await waited(deadlines, 0.03, work_s=0.0)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        with pytest.raises(TimeoutError):
            await waited(deadlines, 0.05)
        return loop.time() - began_s

    assert asyncio.run(run()) >= 0.05


def test_what_came_in_time_is_taken_in_though_the_loop_was_kept_busy_beyond_the_deadline():
    async def run():
        deadlines = Deadlines()
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)

        async def answer():
            with deadlines.within(0.05):
                return await reader.read(1)

        waiting = asyncio.create_task(answer())
        await asyncio.sleep(0)
        theirs.send(b"x")
        time.sleep(0.1)
        found = await waiting
        writer.close()
        theirs.close()
        return found

    assert asyncio.run(run()) == b"x"


def test_a_loop_that_is_always_late_keeps_nobody_waiting_for_ever():
    async def run():
        async def busy():
            while True:
                time.sleep(0.03)
                await asyncio.sleep(0)

        hog = asyncio.create_task(busy())
        with pytest.raises(TimeoutError):
            await waited(Deadlines(), 0.01)
        hog.cancel()

    asyncio.run(asyncio.wait_for(run(), 10))
