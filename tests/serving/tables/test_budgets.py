"""Budgets hold for whom they are meant, per window, from the log on, whatever happens to their counters."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.state.counters import CountersEmptyError, CountersUnavailableError, MemoryCounters
from serving.tables.budgets import Budget, Budgets, Charge
from serving.tables.windows import PERIODS, window_at

NOON = datetime(2026, 11, 25, 12, 30, tzinfo=UTC).timestamp()
CENT = 10_000_000


class Clock:
    def __init__(self, now_s=NOON):
        self.now_s = now_s

    def __call__(self):
        return self.now_s


class Failing(MemoryCounters):
    """Counters that raise what they are told to, until they are told nothing."""

    def __init__(self):
        super().__init__()
        self.error = None

    def _fail(self):
        if self.error is not None:
            raise self.error

    async def reserve(self, claims, nanousd):
        self._fail()
        return await super().reserve(claims, nanousd)

    async def settle(self, claims, change_nanousd):
        self._fail()
        return await super().settle(claims, change_nanousd)

    async def raise_to(self, claims, nanousd):
        if isinstance(self.error, CountersEmptyError):
            self.error = None
        self._fail()
        return await super().raise_to(claims, nanousd)


def play(scene, *rows, counters=None, charges=(), clock=None):
    async def whole():
        budgets = Budgets(
            rows, counters or MemoryCounters(), charges=lambda since: charges, clock=clock or Clock()
        )
        await budgets.start()
        try:
            return await scene(budgets)
        finally:
            await budgets.close()

    return asyncio.run(whole())


def left(budgets, caller=None):
    return {row.budget: row.left_nanousd for row in budgets.headroom(caller)}


@given(st.sampled_from(PERIODS), st.floats(0, 4e9))
def test_every_moment_lies_in_exactly_one_window_of_each_period(per, at_s):
    window = window_at(per, at_s)
    assert window.begins_at <= at_s < window.ends_at
    assert window_at(per, window.ends_at).begins_at == window.ends_at
    assert window_at(per, window.ends_at - 1) == window


@pytest.mark.parametrize(
    ("per", "name", "ends"),
    [("hour", "2026-11-25T12", "2026-11-25T13"), ("day", "2026-11-25", "2026-11-26"),
     ("month", "2026-11", "2026-12-01")],
)  # fmt: skip
def test_windows_are_those_of_the_calendar_in_utc(per, name, ends):
    window = window_at(per, NOON)
    assert window.name == name
    assert window.ends_at == datetime.fromisoformat(ends).replace(tzinfo=UTC).timestamp()


def test_a_budget_takes_from_whom_and_what_it_holds_for_alone():
    rows = (
        Budget("all", 1.0, "day"),
        Budget("ann", 1.0, "day", caller="ann"),
        Budget("large", 1.0, "day", deployments=frozenset({"large"})),
        Budget("ann on large", 1.0, "day", "ann", frozenset({"large"})),
    )

    async def scene(budgets):
        await budgets.reserve("ann", "large", CENT)
        await budgets.reserve("ann", "small", CENT)
        await budgets.reserve(None, "large", CENT)
        return left(budgets, "ann"), left(budgets)

    ann, nobody = play(scene, *rows)
    spent = {name: (10**9 - held) // CENT for name, held in ann.items()}
    assert spent == {"all": 3, "ann": 2, "large": 2, "ann on large": 1}
    assert set(nobody) == {"all", "large"}


def test_a_new_window_begins_with_the_whole_budget_and_old_requests_settle_in_theirs():
    clock = Clock()

    async def scene(budgets):
        reserved = await budgets.reserve(None, "a", 90 * CENT)
        assert await budgets.reserve(None, "a", 20 * CENT) == "budget"
        clock.now_s += 3_600
        fresh = left(budgets)
        budgets.settle_soon(reserved, CENT)
        await budgets.settled()
        return fresh, left(budgets)

    fresh, after = play(scene, Budget("b", 1.0, "hour"), clock=clock)
    assert fresh == after == {"b": 10**9}


def test_counters_are_filled_from_the_log_per_window_caller_and_deployment():
    hour_ago = NOON - 3_600
    charges = [
        Charge(NOON, "ann", "large", CENT), Charge(hour_ago, "ann", "large", CENT),
        Charge(NOON, None, "small", CENT), Charge(NOON - 40 * 86_400, None, "small", CENT),
    ]  # fmt: skip
    rows = (
        Budget("hour", 1.0, "hour"), Budget("day", 1.0, "day"), Budget("month", 1.0, "month"),
        Budget("ann", 1.0, "day", "ann"), Budget("small", 1.0, "day", None, frozenset({"small"})),
    )  # fmt: skip

    async def scene(budgets):
        return left(budgets, "ann")

    spent = {name: (10**9 - held) // CENT for name, held in play(scene, *rows, charges=charges).items()}
    assert spent == {"hour": 2, "day": 3, "month": 3, "ann": 2, "small": 1}


def test_while_the_counters_cannot_be_read_nothing_is_left_and_later_all_is_settled():
    counters = Failing()

    async def scene(budgets):
        reserved = await budgets.reserve(None, "a", 50 * CENT)
        counters.error = CountersUnavailableError("gone")
        budgets.settle_soon(reserved, CENT)
        await budgets.settled()
        assert left(budgets) == {"b": None}
        assert await budgets.reserve(None, "a", 1) == "budget_unknown"
        await budgets.refresh()
        assert budgets.problem == "gone"
        counters.error = None
        await budgets.refresh()
        return left(budgets)

    assert play(scene, Budget("b", 1.0, "day"), counters=counters) == {"b": 99 * CENT}


def test_counters_that_lost_what_they_held_are_filled_from_the_log_again():
    counters = Failing()
    charges = []

    async def scene(budgets):
        reserved = await budgets.reserve(None, "a", 50 * CENT)
        charges.append(Charge(NOON, None, "a", 7 * CENT))
        counters._held.clear()
        counters.error = CountersEmptyError("lost")
        budgets.settle_soon(reserved, 7 * CENT)
        await budgets.settled()
        assert left(budgets) == {"b": None}
        await budgets.refresh()
        return left(budgets)

    assert play(scene, Budget("b", 1.0, "day"), counters=counters, charges=charges) == {"b": 93 * CENT}


def test_counters_that_are_away_at_the_start_are_filled_once_they_come():
    counters = Failing()
    counters.error = CountersUnavailableError("gone")

    async def scene(budgets):
        assert await budgets.reserve(None, "a", 1) == "budget_unknown"
        counters.error = None
        await budgets.refresh()
        return left(budgets)

    charges = [Charge(NOON, None, "a", CENT)]
    assert play(scene, Budget("b", 1.0, "day"), counters=counters, charges=charges) == {"b": 99 * CENT}


def test_what_others_spent_counts_though_nothing_can_refuse_it():
    async def scene(budgets):
        budgets.spend_soon(None, "a", 150 * CENT)
        await budgets.settled()
        return left(budgets), await budgets.reserve(None, "a", 1)

    assert play(scene, Budget("b", 1.0, "day")) == ({"b": 0}, "budget")


def test_without_budgets_everything_may_be_spent():
    async def scene(budgets):
        return (await budgets.reserve(None, "a", 10**18)).nanousd, budgets.headroom(None)

    assert play(scene) == (10**18, ())
