"""No budget is exceeded by what providers bill, however many requests run at once and however they end."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.tiers import DEFAULT_TIERS
from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call, Whole
from serving.dispatch.dispatcher import Dispatcher, DispatchFailed, Patience
from serving.errors import BudgetSpent, BudgetUnknown, WeighbridgeError
from serving.gateway import Gateway
from serving.metrics import Metrics
from serving.records import Usage
from serving.rollout import Rollout
from serving.routing.catalog import Catalog, Deployment
from serving.routing.policy import Policy
from serving.routing.request import Caller
from serving.state.counters import CountersUnavailableError, MemoryCounters
from serving.state.sqlite import SQLiteLog
from serving.tables.budgets import Budget, Budgets
from serving.tables.history import charges_in
from serving.tables.live import LiveTables
from serving.tables.watched import Habits
from serving.weigher import Weigher, Weighing
from tests.fakes import ScriptedStream, down

INPUT, MOST = 1_000, 500


def deployment(name, dollars, **fields):
    given = {"usd_per_million_input": dollars, "usd_per_million_output": dollars} | fields
    return Deployment(
        name, "m", "scripted", "premium", dict.fromkeys(DEFAULT_TIERS, 0.95),
        context_window_tokens=10_000, **given,
    )  # fmt: skip


CATALOG = Catalog({"cheap": deployment("cheap", 1.0), "dear": deployment("dear", 10.0)})
# an answer costs at most $0.0015 at the cheap one, $0.015 at the dear one
DEAR_NANOUSD = 15_000_000
CALLER: ContextVar[str | None] = ContextVar("caller", default=None)


class Rows:
    """A writer and a log in one list."""

    def __init__(self):
        self.records = []

    def append(self, record):
        self.records.append(record)

    def start(self):
        pass

    def close(self, timeout_s=None):
        pass


@dataclass
class Provider:
    """An adapter that bills: each call takes the next fate, and what it charges for is noted."""

    fates: list[str]
    bills: list[tuple[str | None, str, int]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def complete(self, row, call):
        found = await self._fate(row)
        if found.error is not None:
            raise found.error
        return Whole(b"{}", found.usage)

    async def stream(self, row, call):
        return await self._fate(row)

    async def close(self):
        pass

    async def _fate(self, row):
        self.asked.append(row.name)
        fate = self.fates.pop(0) if self.fates else "short"
        await asyncio.sleep(0)
        output = MOST if fate in ("long", "late", "broken", "uncounted") else 10
        if fate not in ("refused", "unreachable"):
            bill = round(INPUT * row.usd_per_million_input + output * row.usd_per_million_output) * 1_000
            self.bills.append((CALLER.get(), row.name, bill))
        if fate == "refused":
            raise down("overloaded", status=503)
        if fate == "unreachable":
            raise down("upstream", unsent=True)
        if fate == "late":
            raise ProviderError("timeout", "late", status=504, retryable=True)
        usage = Usage() if fate == "uncounted" else Usage(INPUT, output)
        stream = ScriptedStream([b"data: x\n\n"], down("upstream") if fate == "broken" else None)
        stream.usage = usage
        return stream


def built(provider, *rows, counters=None, catalog=CATALOG):
    budgets = Budgets(rows, counters or MemoryCounters())
    weigher = Weigher(
        catalog=catalog,
        policy=Policy(),
        rollout=Rollout(None, problem="none in this test"),
        tables=LiveTables(catalog, Habits(failure_threshold=1_000_000, error_rate=1.0)),
        budgets=budgets,
        expected_output_tokens=100,
    )
    writer = Rows()
    return Gateway(
        weigher=weigher, dispatcher=Dispatcher({"scripted": provider}, Patience(max_attempts=4)),
        writer=writer, log=writer, metrics=Metrics(),
    )  # fmt: skip


def weighing(caller=None, **fields):
    prompt = {"messages": [{"role": "user", "content": "Hello?"}]}
    given = {"output_tokens": MOST} | fields
    return Weighing("/v1/chat/completions", "auto", prompt, INPUT, caller=caller, **given)


async def one(gateway, *, stream=False, leaves=False, caller=None, **fields):
    """Send one request to its end, however it ends; return the error that refused it, or None."""
    try:
        answer = await gateway.chat(weighing(caller, **fields), Call({"messages": []}, stream=stream))
    except WeighbridgeError as error:
        return error
    try:
        async for _ in answer.events():
            if leaves:
                break
    except ProviderError:
        pass
    finally:
        await answer.close()
    return None


FATES = ["short", "long", "refused", "unreachable", "late", "broken", "uncounted"]
requests = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.sampled_from(["ann", "bob", None])), min_size=1, max_size=12
)
rows = st.lists(
    st.builds(
        Budget,
        name=st.sampled_from("abcdef"),
        usd=st.floats(0.0005, 0.08),
        per=st.sampled_from(["hour", "day", "month"]),
        caller=st.sampled_from([None, "ann", "bob"]),
        deployments=st.sampled_from([None, frozenset({"cheap"}), frozenset({"dear"})]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda row: row.name,
)


@settings(max_examples=300, deadline=None)
@given(requests, rows, st.lists(st.sampled_from(FATES), max_size=30), st.booleans())
def test_what_providers_bill_never_exceeds_any_budget(asked, budgets, fates, at_once):
    provider = Provider(list(fates))

    async def scene():
        gateway = built(provider, *budgets)
        await gateway.start()

        async def send(stream, leaves, caller):
            CALLER.set(caller)
            who = Caller(caller) if caller else None
            await one(gateway, stream=stream, leaves=leaves, caller=who)

        if at_once:
            await asyncio.gather(*(send(*each) for each in asked))
        else:
            for each in asked:
                await send(*each)
        await gateway.weigher.budgets.settled()
        held = dict(gateway.weigher.budgets._held)
        await gateway.close()
        return held

    held = asyncio.run(scene())
    for row in budgets:
        spent = sum(bill for caller, name, bill in provider.bills if row.holds(caller, name))
        counted = next(total for key, total in held.items() if key.startswith(f"{row.name}:"))
        assert spent <= counted <= round(row.usd * 1e9)


def test_money_set_aside_for_hops_that_cost_nothing_comes_back():
    provider = Provider(["refused", "unreachable"])

    async def scene():
        gateway = built(provider, Budget("b", 1.0, "day"))
        await gateway.start()
        error = await one(gateway)
        await gateway.weigher.budgets.settled()
        (purse,) = gateway.weigher.budgets.headroom(None)
        await gateway.close()
        return error, purse.left_nanousd, gateway.writer.records[-1]

    error, left, outcome = asyncio.run(scene())
    assert isinstance(error, DispatchFailed)
    assert left == 10**9
    assert [attempt.charged_usd for attempt in outcome.attempts] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("fate", "charged"), [("late", DEAR_NANOUSD), ("uncounted", DEAR_NANOUSD), ("short", 10_100_000)]
)
def test_an_unknown_cost_counts_as_what_was_set_aside_and_a_known_one_as_itself(fate, charged):
    provider = Provider([fate])
    named = Catalog({"dear": CATALOG.deployments["dear"]})

    async def scene():
        gateway = built(provider, Budget("b", 1.0, "day"), catalog=named)
        await gateway.start()
        await one(gateway)
        await gateway.weigher.budgets.settled()
        (purse,) = gateway.weigher.budgets.headroom(None)
        await gateway.close()
        return purse.left_nanousd, gateway.writer.records[-1]

    left, outcome = asyncio.run(scene())
    assert 10**9 - left == charged
    assert round(outcome.attempts[0].charged_usd * 1e9) == charged


def test_a_fallback_that_a_budget_forbids_by_then_is_skipped_and_told():
    provider = Provider(["refused"])

    async def scene():
        gateway = built(provider, Budget("b", 0.02, "day", None, frozenset({"dear"})))
        await gateway.start()
        decided = asyncio.ensure_future(one(gateway))
        # what another process takes while the first hop is being asked
        await asyncio.sleep(0)
        await gateway.weigher.budgets.reserve(None, "dear", DEAR_NANOUSD)
        error = await decided
        await gateway.close()
        return error, gateway.writer.records[-1]

    error, outcome = asyncio.run(scene())
    assert provider.asked == ["cheap"]
    assert isinstance(error, DispatchFailed)
    assert [(a.deployment, a.status, a.error) for a in outcome.attempts][1] == ("dear", "skipped", "budget")


def refused(*budgets, counters=None, catalog=CATALOG, **fields):
    async def scene():
        provider = Provider([])
        gateway = built(provider, *budgets, counters=counters, catalog=catalog)
        await gateway.start()
        error = await one(gateway, **fields)
        await gateway.close()
        return error, provider.asked

    return asyncio.run(scene())


def test_a_spent_budget_is_a_429_that_names_it_its_window_and_when_it_renews():
    error, asked = refused(Budget("team", 0.001, "month"))
    assert isinstance(error, BudgetSpent) and asked == []
    assert error.status == 429
    assert "budget 'team' ($0.001 per month)" in error.message and "left until 20" in error.message
    assert 0 < int(error.headers["retry-after"]) <= 31 * 86_400
    assert error.headers["x-should-retry"] == "false"
    assert {row["code"] for row in error.detail} == {"budget"}
    assert error.to_openai()["error"]["type"] == "insufficient_quota"


def test_what_only_fits_the_cheap_one_goes_there():
    error, asked = refused(Budget("team", 0.005, "day"))
    assert error is None and asked == ["cheap"]


def test_an_unknown_price_under_a_budget_is_not_eligible_also_by_name():
    catalog = Catalog({"unpriced": deployment("unpriced", 1.0, usd_per_million_output=None)})
    weighing_by_name = {"only": "unpriced"}

    async def scene():
        provider = Provider([])
        gateway = built(provider, Budget("team", 1.0, "day"), catalog=catalog)
        await gateway.start()
        prompt = {"messages": [{"role": "user", "content": "Hello?"}]}
        asked = Weighing("/v1/chat/completions", weighing_by_name["only"], prompt, INPUT, output_tokens=MOST)
        with pytest.raises(WeighbridgeError) as raised:
            await gateway.chat(asked, Call({}, stream=False))
        await gateway.close()
        return raised.value

    error = asyncio.run(scene())
    assert error.status == 422
    assert error.detail[0]["code"] == "budget_price"
    assert "team" in error.message and "unknown" in error.message


def test_an_answer_without_a_limit_is_counted_as_long_as_the_deployment_can_write():
    short = Catalog({"short": deployment("short", 10.0, max_output_tokens=200)})
    # 1,000 tokens in and 200 out come to $0.012, the window of 10,000 to $0.11
    assert refused(Budget("b", 0.013, "day"), catalog=short, output_tokens=None)[0] is None
    endless = Catalog({"endless": deployment("endless", 10.0)})
    assert isinstance(refused(Budget("b", 0.1, "day"), catalog=endless, output_tokens=None)[0], BudgetSpent)


def test_several_answers_at_once_are_set_aside_as_several():
    cheap = Catalog({"cheap": CATALOG.deployments["cheap"]})
    assert refused(Budget("b", 0.002, "day"), catalog=cheap)[0] is None
    assert isinstance(refused(Budget("b", 0.002, "day"), catalog=cheap, choices=3)[0], BudgetSpent)


def test_counters_that_cannot_be_read_refuse_with_a_503():
    class Gone(MemoryCounters):
        async def raise_to(self, claims, nanousd):
            raise CountersUnavailableError("Redis cannot be reached: ConnectionError")

    error, asked = refused(Budget("team", 1.0, "day"), counters=Gone())
    assert isinstance(error, BudgetUnknown) and asked == []
    assert error.status == 503 and "team" in error.message


def test_counters_that_go_away_after_the_decision_refuse_as_well():
    class Going(MemoryCounters):
        async def reserve(self, claims, nanousd):
            raise CountersUnavailableError("Redis cannot be reached: ConnectionError")

    error, asked = refused(Budget("team", 1.0, "day"), counters=Going())
    assert isinstance(error, BudgetUnknown) and asked == []


def test_what_others_took_since_the_decision_refuses_with_the_same_429():
    class Taken(MemoryCounters):
        async def reserve(self, claims, nanousd):
            await super().raise_to(claims, [claims[0].limit_nanousd])
            return await super().reserve(claims, nanousd)

    error, asked = refused(Budget("team", 1.0, "day"), counters=Taken())
    assert isinstance(error, BudgetSpent) and asked == []
    assert "budget 'team' ($1 per day) has $0.000000 left" in error.message


def test_the_log_knows_what_was_spent_and_what_a_killed_process_may_have_spent(tmp_path):
    """One request is answered, one fails over, and of one the outcome is lost."""
    log = SQLiteLog(tmp_path / "decisions.db")

    async def scene():
        gateway = built(Provider(["short", "refused", "long", "short"]))
        for _ in range(3):
            await one(gateway, caller=Caller("ann"))
        await gateway.close()
        return gateway.writer.records

    *known, _ = asyncio.run(scene())
    log.write(known)
    charges = list(charges_in(log, 0.0))
    log.close()
    assert {charge.caller for charge in charges} == {"ann"}
    found = [(charge.deployment, charge.nanousd) for charge in charges]
    assert found == [("cheap", 1_010_000), ("dear", DEAR_NANOUSD), ("cheap", 1_500_000)]
