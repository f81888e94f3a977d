"""Nothing leads below the floor or to what is not cleared: no cost, cap, budget, rule or failover.

Whole requests go through the gateway, over random catalogs, and whoever was asked is held against the rules
as this test understands them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.tiers import DEFAULT_TIERS
from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call
from serving.dispatch.dispatcher import Dispatcher, Patience
from serving.errors import WeighbridgeError
from serving.gateway import Gateway
from serving.metrics import Metrics
from serving.records import Outcome
from serving.rollout import Rollout
from serving.routing.catalog import Catalog, Deployment
from serving.routing.policy import Policy
from serving.routing.request import Caller, Limits
from serving.routing.rules import Rule, Rulebook, When
from serving.sensitive.kinds import SHAPES
from serving.sensitive.screen import Screen, Shape
from serving.state.counters import MemoryCounters
from serving.tables.budgets import Budget, Budgets
from serving.tables.live import LiveTables
from serving.tables.share import TrafficShare
from serving.tables.watched import Habits
from serving.weigher import Weigher, Weighing
from tests.serving.test_budgets_hold import Provider, Rows

TODAY = date(2026, 11, 25)
TAGS = ("gdpr", "hipaa", "eu", "pci_dss")
RETENTION = ("retention_days<=0", "retention_days<=30")
PIECES = {
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "email": "a@b.org",
    "secret": "AKIAIOSFODNN7EXAMPLE",
}
NAMES = tuple(f"d{place}" for place in range(6))
INPUT = 1_000

shares = st.floats(0, 1)
tags = st.frozensets(st.sampled_from(TAGS), max_size=2)
most_tags = st.frozensets(st.sampled_from(TAGS), min_size=2)


def maybe(strategy):
    return st.none() | strategy


def row(name):
    return st.builds(
        Deployment,
        name=st.just(name),
        model=st.just("m"),
        adapter=st.just("scripted"),
        tier=st.sampled_from(DEFAULT_TIERS),
        quality=st.fixed_dictionaries(dict.fromkeys(DEFAULT_TIERS, st.floats(0.3, 1))),
        usd_per_million_input=st.sampled_from([0.0, 1.0, 1.0, 10.0, None]),
        usd_per_million_output=st.sampled_from([0.0, 1.0, 1.0, 10.0, None]),
        context_window_tokens=st.sampled_from([100_000, 50_000, 20_000, 1_200, None]),
        compliance=most_tags,
        capabilities=st.frozensets(st.sampled_from(["tools", "vision"]), min_size=1),
        retention_days=maybe(st.sampled_from([0, 30, 90])),
        sunset=maybe(st.sampled_from([date(2026, 11, 24), TODAY, date(2026, 11, 26)])),
    )


catalogs = st.tuples(*map(row, NAMES)).map(lambda rows: Catalog({row.name: row for row in rows}))

limits = st.builds(
    Limits,
    max_cost_usd=maybe(st.floats(1e-3, 0.02)),
    quality_floor=maybe(st.floats(0, 0.7)),
    minimum_tier=maybe(st.sampled_from(DEFAULT_TIERS[:2])),
    capabilities=st.frozensets(st.sampled_from(["tools", "vision"]), max_size=1),
    compliance=st.frozensets(st.sampled_from(TAGS + RETENTION), max_size=1),
    allow=maybe(st.frozensets(st.sampled_from(NAMES), min_size=4)),
    deny=st.frozensets(st.sampled_from(NAMES), max_size=2),
    pin=st.just(()) | st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple),
    cost_versus_quality=maybe(shares),
)
no_limits = st.just(Limits())
rules = st.lists(
    st.builds(
        Rule, name=st.sampled_from("rs"), when=st.just(When()), limits=no_limits | limits,
        needs=maybe(st.sampled_from(DEFAULT_TIERS)), in_control_group=st.booleans(),
    ),
    max_size=2,
)  # fmt: skip
policies = st.builds(
    Policy,
    quality_floor=st.sampled_from([0.0, 0.3, 0.7]),
    usd_per_lost_quality=st.floats(0, 0.1),
    control_share=st.sampled_from([0.0, 0.5, 1.0]),
    share_cap=st.sampled_from([0.0, 0.6, 1.0]),
)
budgets = st.lists(
    st.builds(
        Budget, name=st.sampled_from("abc"), usd=st.floats(2e-3, 0.2), per=st.just("day"),
        deployments=maybe(st.frozensets(st.sampled_from(NAMES), min_size=1)),
    ),
    max_size=2, unique_by=lambda budget: budget.name,
)  # fmt: skip
mappings = st.dictionaries(st.sampled_from(sorted(PIECES)), tags)
fates = st.lists(
    st.sampled_from(["refused", "late", "short", "unreachable", "broken"]), min_size=2, max_size=12
)


def looking_fails(text):
    raise RuntimeError("a detector that fails")


BROKEN = {kind: (Shape(SHAPES["email"][0].pattern, looking_fails),) for kind in PIECES}


def forbidden(row, asked, policy, needs, purses):
    """Tell what forbids a deployment, as this test understands the rules; empty where nothing does."""
    found = []
    for tag in asked.compliance:
        name, _, days = tag.partition("<=")
        kept = name == "retention_days" and row.retention_days is not None and row.retention_days <= int(days)
        if tag not in row.compliance and not kept:
            found.append(tag)
    if row.sunset is not None and row.sunset <= TODAY:
        found.append("sunset")
    if row.quality[needs] < max(policy.quality_floor, asked.quality_floor or 0.0):
        found.append("floor")
    if asked.minimum_tier and DEFAULT_TIERS.index(row.tier) < DEFAULT_TIERS.index(asked.minimum_tier):
        found.append("tier")
    if asked.capabilities - row.capabilities:
        found.append("capability")
    if row.name in asked.deny or (asked.allow is not None and row.name not in asked.allow):
        found.append("denied")
    if asked.pin and row.name not in asked.pin:
        found.append("pin")
    if row.context_window_tokens is None or row.context_window_tokens < INPUT + 500:
        found.append("window")
    if row.usd_per_million_input is None or row.usd_per_million_output is None:
        found.append("price")
    return found


class Alike(TrafficShare):
    """A window that is full from the first decision on, so that the cap shifts whatever it can."""

    def freeze(self):
        return replace(super().freeze(), threshold_usd=0.0, has_room=False, is_full=True)


SEEN: Counter[str] = Counter()


@settings(max_examples=300, deadline=None)
@given(
    catalogs, limits | no_limits, limits | no_limits, rules, policies, budgets, mappings,
    st.sets(st.sampled_from(sorted(PIECES))), fates, st.booleans(), st.booleans(),
)  # fmt: skip
def test_whoever_is_asked_is_cleared_able_and_good_enough(
    catalog, mine, callers, ruled, policy, purses, mapping, pieces, fated, detector_fails, stream
):
    text = "Hello " + " ".join(PIECES[piece] for piece in sorted(pieces))
    required = frozenset().union(*(mapping[kind] for kind in mapping if kind in pieces))
    provider = Provider(list(fated))
    screen = Screen(mapping, BROKEN if detector_fails else SHAPES)
    if detector_fails and "email" in pieces:
        required = frozenset().union(*mapping.values())
    elif detector_fails:
        required = frozenset()

    async def scene():
        weigher = Weigher(
            catalog=catalog,
            policy=policy,
            rollout=Rollout(None, problem="none in this test"),
            tables=LiveTables(catalog, Habits(failure_threshold=2)),
            traffic=Alike(cap=policy.share_cap, window=10, least=1),
            rules=Rulebook(ruled),
            screen=screen,
            budgets=Budgets(purses, MemoryCounters()),
            expected_output_tokens=100,
            today=lambda: TODAY,
        )
        gateway = Gateway(
            weigher=weigher, dispatcher=Dispatcher({"scripted": provider}, Patience(max_attempts=6)),
            writer=Rows(), log=Rows(), metrics=Metrics(),
        )  # fmt: skip
        await gateway.start()
        for _ in range(3):
            await _send(gateway, text, mine, callers, stream)
        await gateway.close()
        return gateway.writer.records

    records = asyncio.run(scene())
    needs = next((rule.needs for rule in ruled if rule.needs), DEFAULT_TIERS[-1])
    every = [mine, callers, *(rule.limits for rule in ruled), Limits(compliance=required)]
    for name in provider.asked:
        for asked in every:
            assert forbidden(catalog.deployments[name], asked, policy, needs, purses) == [], name
    for budget in purses:
        spent = sum(bill for _, name, bill in provider.bills if budget.holds(None, name))
        assert spent <= budget.usd * 1e9
    SEEN["all"] += 1
    SEEN["asked"] += bool(provider.asked)
    SEEN["failed over"] += any(len(one.attempts) > 1 for one in records if isinstance(one, Outcome))


async def _send(gateway, text, mine, callers, stream):
    weighing = Weighing(
        "/v1/chat/completions", "auto", {"messages": [{"role": "user", "content": text}]}, INPUT,
        output_tokens=500, limits=mine, caller=Caller("ann", callers), text=text,
    )  # fmt: skip
    try:
        answer = await gateway.chat(weighing, Call({"messages": []}, stream=stream))
    except WeighbridgeError:
        return
    try:
        async for _ in answer.events():
            pass
    except ProviderError:
        pass
    finally:
        await answer.close()


def test_the_property_above_has_seen_requests_that_were_answered_and_that_failed_over():
    """A property over requests that all are refused would prove nothing."""
    if not SEEN:
        test_whoever_is_asked_is_cleared_able_and_good_enough()
    assert SEEN["asked"] >= 0.3 * SEEN["all"] and SEEN["failed over"] >= 0.03 * SEEN["all"], SEEN
