"""A long catalog is decided in columns, and nothing of it differs from one deployment after another."""

from __future__ import annotations

import gc
import random
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.routing.catalog import Catalog
from serving.routing.headroom import Headroom, worst_cost_nanousd
from serving.routing.many import candidates_in
from serving.routing.request import NO_LIMITS
from serving.routing.router import asked_of, decide
from serving.routing.sifting import MANY, each, many
from serving.routing.snapshot import DeploymentState, Snapshot
from serving.routing.tokens import TokenCount
from tests.benchmarks.decide import inputs
from tests.serving.routing.strategies import TIERS, names, shares, worlds

purses = st.builds(
    Headroom,
    budget=st.just("team"),
    usd=st.just(5.0),
    per=st.just("day"),
    renews_at=st.just(0.0),
    left_nanousd=st.none() | st.integers(-5, 10**10),
    deployments=st.none() | st.frozensets(names),
)
qualities = st.none() | st.fixed_dictionaries(dict.fromkeys(TIERS, shares))


@st.composite
def busy_worlds(draw):
    """Worlds with budgets, attachments, several answers and quality that was learned."""
    request, prediction, catalog, snapshot, policy = draw(worlds())
    output = draw(st.none() | st.integers(1, 4_000))
    request = replace(
        request,
        limits=draw(st.sampled_from([request.limits, replace(request.limits, pin=()), NO_LIMITS])),
        headroom=draw(st.lists(purses, max_size=2).map(tuple)),
        unmeasured_tokens=draw(st.none() | st.integers(0, 5_000)),
        choices=draw(st.integers(1, 3)),
        max_output_tokens=output,
    )
    states = {name: replace(state, quality=draw(qualities)) for name, state in snapshot.states.items()}
    return request, prediction, catalog, replace(snapshot, states=states), policy


def same(found, expected):
    """Tell whether two sequences say the same to the last bit; `==` would take -0.0 for 0.0."""
    return repr(list(found)) == repr(list(expected))


@given(busy_worlds())
def test_both_ways_give_the_same_candidates_and_reasons(world):
    asked = asked_of(*world)
    candidates, rejected = each(asked, asked.catalog)
    found, reasons = many(asked)
    assert same(found, candidates)
    assert same(reasons, rejected)
    # what names deployments is looked at one by one, and nothing else is here
    assert asked.request.limits.pin or candidates_in(asked) is not None


def test_what_is_kept_between_decisions_changes_none_of_them():
    draw = random.Random(3)
    learned = dict(zip(TIERS, (0.9, 0.8, 0.7), strict=True))
    for one in inputs(60, are_plain=False):
        name = draw.choice(list(one.snapshot.states))
        state = replace(one.snapshot.states[name], quality=draw.choice([None, learned]))
        down = replace(state, unavailable=draw.choice([None, "failing"]))
        snapshot = replace(one.snapshot, states={**one.snapshot.states, name: down})
        anew = Catalog(dict(one.catalog.deployments))
        kept, fresh = (
            asked_of(*one._replace(catalog=rows, snapshot=snapshot)) for rows in (one.catalog, anew)
        )
        assert same(many(kept)[0], many(fresh)[0])


@settings(max_examples=30)
@given(busy_worlds(), st.sampled_from([2**53, 10**25]), st.sampled_from(["prompt", "answer", "price"]))
def test_numbers_too_large_for_columns_are_counted_one_by_one(world, large, where):
    request, prediction, catalog, snapshot, policy = world
    if where == "prompt":
        request = replace(request, input_tokens=large, tokens={"o200k": TokenCount(large, large)})
    elif where == "answer":
        request = replace(request, expected_output_tokens=large, reserved_output_tokens=large)
    else:
        first, *rest = catalog
        dear = replace(first, usd_per_million_input=float(large), usd_per_million_output=1.0)
        catalog = Catalog({row.name: row for row in (dear, *rest)})
        request = replace(request, input_tokens=request.input_tokens + 1)
    asked = asked_of(request, prediction, catalog, snapshot, policy)
    found, reasons = many(asked)
    candidates, rejected = each(asked, catalog)
    assert same(found, candidates)
    assert same(reasons, rejected)


@pytest.mark.parametrize("are_plain", [True, False])
def test_a_decision_over_a_thousand_deployments_is_that_of_each_in_turn(are_plain):
    for one in inputs(1_000, are_plain=are_plain)[:20]:
        asked = asked_of(*one)
        candidates, rejected = each(asked, one.catalog)
        decision = decide(*one)
        totals = {row.deployment: row.total_usd.hex() for row in decision.ranking}
        assert totals == {row.deployment: row.total_usd.hex() for row in candidates}
        assert same(decision.rejected, rejected)


def test_deployments_of_the_same_sum_are_ranked_by_name():
    one = inputs(MANY, are_plain=True)[0]
    row = next(iter(one.catalog))
    order = [f"d{place}" for place in range(MANY)]
    random.Random(1).shuffle(order)
    catalog = Catalog({name: replace(row, name=name) for name in order})
    states = dict.fromkeys(order, DeploymentState(100.0, 50.0))
    policy = replace(one.policy, quality_floor=0.0)
    ranking = decide(one.request, one.prediction, catalog, Snapshot("s", states), policy).ranking
    assert [one.deployment for one in ranking] == sorted(order)


def test_the_columns_are_no_part_of_what_a_catalog_says():
    one = inputs(MANY, are_plain=True)[0]
    before = msgspec.msgpack.encode(one.catalog)
    decide(*one)
    assert msgspec.msgpack.encode(one.catalog) == before
    assert Catalog(dict(one.catalog.deployments)) == one.catalog


def test_needs_that_never_recur_do_not_pile_up():
    first, *_ = inputs(MANY, are_plain=True)
    for place in range(2_000):
        limits = replace(NO_LIMITS, compliance=frozenset({f"tag-{place}"}))
        assert not decide(*first._replace(request=replace(first.request, limits=limits))).ranking
    kept = [found for found in gc.get_referents(first.catalog.columns()) if isinstance(found, dict)]
    assert max(map(len, kept)) < 500


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_what_just_fits_a_limit_passes_both_ways(place):
    request, prediction, catalog, snapshot, policy = inputs(100, are_plain=True)[place]
    candidates, _ = each(asked_of(request, prediction, catalog, snapshot, policy), catalog)
    row = candidates[place % len(candidates)]
    most = worst_cost_nanousd(request, catalog.deployments[row.deployment])
    first_token_ms = snapshot.states[row.deployment].first_token_ms
    for exact in (
        replace(request, limits=replace(NO_LIMITS, max_cost_usd=row.token_cost_usd)),
        replace(request, limits=replace(NO_LIMITS, max_latency_ms=row.latency_ms)),
        replace(request, limits=replace(NO_LIMITS, max_first_token_ms=first_token_ms)),
        replace(request, limits=replace(NO_LIMITS, quality_floor=row.quality)),
        replace(request, headroom=(Headroom("team", 5.0, "day", 0.0, most),)),
    ):
        asked = asked_of(exact, prediction, catalog, snapshot, policy)
        found = candidates_in(asked)
        assert found is not None
        assert row in found
        assert same(found, each(asked, catalog)[0])
